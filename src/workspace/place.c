#include "workspace/place.h"

#include "base/file.h"
#include "base/outputs.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    (void)remove(path);
    return 0;
}

void
place_remove(char **path)
{
    if (*path != NULL) {
        (void)nftw(*path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        free(*path);
        *path = NULL;
    }
}

static struct status
check_empty(const char *dir, struct diag *diag)
{
    DIR *d = opendir(dir);
    if (d == NULL) {
        return file_refuse_os(dir, errno, diag);
    }
    bool empty = true;
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        empty = empty && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0);
    }
    (void)closedir(d);
    if (!empty) {
        diag_set(diag, "%s: not empty; a workspace is made in a new or empty directory", dir);
        FAIL(EXISTS);
    }
    return OK;
}

struct status
place_choose(const char *dir, struct diag *diag, char **ret_path)
{
    struct stat st;
    char *path = realpath(dir, NULL);
    if (path != NULL && stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
        free(path);
        diag_set(diag, "%s: a file; a workspace is made in a new or empty directory", dir);
        FAIL(EXISTS);
    }
    if (path != NULL) {
        *ret_path = path;
        return check_empty(path, diag);
    }
    if (errno != ENOENT || *dir == '\0') {
        return file_refuse_os(*dir == '\0' ? "\"\"" : dir, errno, diag);
    }
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/') {
        n--;
    }
    *ret_path = strndup(dir, n);
    CHECK(*ret_path != NULL, MEMORY);
    DEFER(file_freep) char *parent = strndup(dir, n);
    char *slash = parent == NULL ? NULL : strrchr(parent, '/');
    if (slash == NULL || slash == parent) {
        return OK;
    }
    *slash = '\0';
    return file_mkdirs(parent, 0755, diag);
}

struct status
place_beside(const char *place, struct diag *diag, char **ret_path)
{
    char *path = NULL;
    if (outputs_has(place)) {
        return outputs_folder(place, diag, ret_path);
    }
    ASSERT(asprintf(&path, "%s.new-XXXXXX", place) > 0);
    if (mkdtemp(path) == NULL) {
        const int err = errno;
        free(path);
        return file_refuse_os(place, err, diag);
    }
    *ret_path = path;
    return OK;
}

static struct status
put_in_place(const char *made, const char *place, struct diag *diag)
{
    if (outputs_has(place)) {
        return outputs_take(place, diag);
    }
    if (rename(made, place) != 0) {
        FAIL_OS(errno);
    }
    return OK;
}

static struct status
appear(const char *made, const char *place, struct diag *diag)
{
    const struct status s = put_in_place(made, place, diag);
    if (status_ok(s)) {
        return OK;
    }
    const int err = s.os;
    if (err == ENOTEMPTY || err == EEXIST) {
        diag_set(diag, "%s: not empty; somebody else has just put something there", place);
        FAIL(EXISTS);
    }
    if (err == EBUSY) {
        diag_set(diag, "%s: a mount point; name a new directory in it, such as %s/steward", place,
                 place);
        FAIL(INPUT);
    }
    return file_refuse_os(place, err, diag);
}

struct status
place_take(char **made, const char *place, struct diag *diag)
{
    TRY(appear(*made, place, diag));
    free(MOVE(*made));
    return outputs_has(place) ? OK : file_sync_dir(place, diag);
}
