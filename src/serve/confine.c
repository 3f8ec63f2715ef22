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
    {"objects/capture", SANDBOX_KEEP, false},
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

static struct status
confine(const char *dir, struct diag *diag, struct sandbox_told *ret_told)
{
    struct sandbox_path paths[KEPT + 1];
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
    if (status_ok(s)) {
        s = sandbox_files(paths, n, false, diag, ret_told);
    }
    for (size_t i = 0; i < KEPT; i++) {
        free(names[i]);
    }
    return s;
}

struct status
confine_gateway(const char *dir, struct diag *diag, struct sandbox_told *ret_told)
{
    /* OpenSSL reads its configuration when it is first used: now. */
    (void)OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
    TRY(confine(dir, diag, ret_told));
    return sandbox_calls(SANDBOX_GATEWAY, diag);
}

/* As they are now: who takes a question begins anew, so that files may be replaced. */
struct status
confine_fetcher(struct diag *diag, struct sandbox_told *ret_told)
{
    TRY(sandbox_files(sandbox_outward, SANDBOX_OUTWARD, true, diag, ret_told));
    return sandbox_calls(SANDBOX_FETCHER, diag);
}

struct status
confine_sender(const char *log_dir, struct diag *diag)
{
    struct sandbox_path paths[SANDBOX_OUTWARD + 2];
    struct sandbox_told told;
    DEFER(file_freep) char *positions = file_join(log_dir, "export");
    TRY(file_mkdirs(positions, 0700, diag));
    memcpy(paths, sandbox_outward, sizeof sandbox_outward);
    paths[SANDBOX_OUTWARD] = (struct sandbox_path){log_dir, SANDBOX_READ};
    paths[SANDBOX_OUTWARD + 1] = (struct sandbox_path){positions, SANDBOX_KEEP};
    TRY(sandbox_files(paths, SANDBOX_OUTWARD + 2, true, diag, &told));
    return sandbox_calls(SANDBOX_SENDER, diag);
}

struct status
confine_listening(struct diag *diag)
{
    return sandbox_settle(false, diag);
}
