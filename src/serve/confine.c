#include "serve/confine.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name; /* in the workspace */
    enum sandbox_access access;
    bool make; /* a file that must be there to be named */
} kept[] = {
    {"", SANDBOX_LIST, false}, /* a folder is synced by a descriptor that reads it */
    {"objects/model", SANDBOX_READ, false},
    {"audit", SANDBOX_KEEP, false},
    {"tls", SANDBOX_READ, false},
    {"state.db", SANDBOX_KEEP, false},
    {"state.db-wal", SANDBOX_KEEP, true},
    {"state.db-shm", SANDBOX_KEEP, true},
    {"serve.lock", SANDBOX_KEEP, true},
};

#define KEPT (sizeof kept / sizeof *kept)

static struct status
make_file(const char *path, struct diag *diag)
{
    DEFER(file_closep) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return file_refuse_os(path, errno, diag);
    }
    return OK;
}

/* The folder a file is in: a new file of that name is made beside it and renamed. */
static char *
folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL   ? strdup(".")
           : slash == path ? strdup("/")
                           : strndup(path, (size_t)(slash - path));
}

static struct status
confine(const char *dir, char *const *folders, struct diag *diag, struct sandbox_told *ret_told)
{
    struct sandbox_path paths[KEPT + 3];
    char *names[KEPT];
    size_t n = 0;
    struct status s = OK;
    for (size_t i = 0; i < KEPT; i++) {
        names[i] = file_join(dir, kept[i].name);
        paths[n++] = (struct sandbox_path){names[i], kept[i].access};
        if (kept[i].make && status_ok(s)) {
            s = make_file(names[i], diag);
        }
    }
    paths[n++] = (struct sandbox_path){"/dev/null", SANDBOX_READ};
    for (size_t i = 0; i < 2 && folders[i] != NULL; i++) {
        paths[n++] = (struct sandbox_path){folders[i], SANDBOX_READ};
    }
    if (status_ok(s)) {
        s = sandbox_files(paths, n, false, diag, ret_told);
    }
    for (size_t i = 0; i < KEPT; i++) {
        free(names[i]);
    }
    return s;
}

struct status
confine_gateway(const char *dir, const struct server_tls *tls, struct diag *diag,
                struct sandbox_told *ret_told)
{
    char *folders[2] = {NULL, NULL};
    if (tls->clients != IDENTITY_CLIENTS_OFF && *tls->client_ca != '\0') {
        folders[0] = folder_of(tls->client_ca);
        folders[1] = *tls->client_crl == '\0' ? NULL : folder_of(tls->client_crl);
    }
    /* OpenSSL reads its configuration when it is first used: now. */
    (void)OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
    const struct status s = confine(dir, folders, diag, ret_told);
    free(folders[0]);
    free(folders[1]);
    TRY(s);
    return sandbox_calls(SANDBOX_GATEWAY, diag);
}

struct status
confine_listening(struct diag *diag)
{
    return sandbox_settle(false, diag);
}
