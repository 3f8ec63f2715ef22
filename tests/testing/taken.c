/* Loaded into a program before its own libraries (LD_PRELOAD): when the program ends, by itself, it
 * is somebody else's, who tries what can be done to the files that STEWARD_TEST_FILES names (with
 * colons between them), and says of each what could: "taken over: FILE: read write ..." */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_MOST 1024

static bool
opens(const char *path, int flags)
{
    const int fd = open(path, flags | O_CLOEXEC, 0600);
    (void)close(fd);
    return fd >= 0;
}

/* One line, since what is refused is told in between. */
static char told[512];
static void
tell(const char *what, bool could)
{
    const size_t n = strlen(told);
    (void)snprintf(told + n, sizeof told - n, "%s%s", could ? " " : "", could ? what : "");
}

/* What was made goes again, so that the next attempt, and the next program, can make it, too. */
static void
tell_made(const char *what, bool could, const char *path)
{
    tell(what, could);
    if (could) {
        (void)remove(path);
    }
}

static void
try_file(const char *path)
{
    char beside[PATH_MOST], own[PATH_MOST];
    struct stat st;
    (void)snprintf(beside, sizeof beside, "%s.beside", path);
    (void)snprintf(own, sizeof own, "%s.own", path);
    told[0] = '\0';
    tell("read", opens(path, O_RDONLY));
    tell("write", opens(path, O_WRONLY));
    tell("read-and-empty", opens(path, O_RDONLY | O_TRUNC));
    tell("empty", truncate(path, 0) == 0);
    tell("mode", stat(path, &st) == 0 && chmod(path, st.st_mode) == 0);
    tell("time", utimensat(AT_FDCWD, path, NULL, 0) == 0);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    tell("mode-by-descriptor", fd >= 0 && fstat(fd, &st) == 0 && fchmod(fd, st.st_mode) == 0);
    tell("owner-by-descriptor", fd >= 0 && fchown(fd, getuid(), getgid()) == 0);
    (void)close(fd);
    tell("make", opens(beside, O_WRONLY | O_CREAT | O_EXCL));
    tell_made("folder", mkdir(own, 0700) == 0, own);
    tell_made("link", link(path, own) == 0, own);
    tell_made("symlink", symlink("/", own) == 0, own);
    tell("replace", rename(beside, path) == 0);
    tell("move", rename(path, beside) == 0);
    tell("remove", unlink(path) == 0 || unlink(beside) == 0);
    (void)fprintf(stderr, "taken over: %s:%s\n", path, told);
}

__attribute__((destructor)) static void
take_over(void)
{
    const char *files = getenv("STEWARD_TEST_FILES");
    char *each = files == NULL ? NULL : strdup(files);
    for (char *at = each, *path = NULL; (path = strsep(&at, ":")) != NULL;) {
        try_file(path);
    }
    free(each);
}
