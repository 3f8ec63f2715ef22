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

/* Whether the workspace is that folder or beneath it; also when that cannot be said. */
static bool
holds(const char *folder, const char *dir)
{
    char *outer = realpath(folder, NULL), *inner = realpath(dir, NULL);
    const size_t n = outer == NULL ? 0 : strlen(outer);
    const bool beneath = outer == NULL || inner == NULL || strcmp(outer, "/") == 0 ||
                         (strncmp(inner, outer, n) == 0 && (inner[n] == '/' || inner[n] == '\0'));
    free(outer);
    free(inner);
    return beneath;
}

/* What is opened for a file of the clients' authorities: its folder, so that a renamed one is read
 * too; the file alone where the workspace, its keys and data would be opened with the folder. */
static char *
opened_for(const char *path, const char *dir)
{
    char *folder = folder_of(path);
    if (folder == NULL || !holds(folder, dir)) {
        return folder;
    }
    free(folder);
    return strdup(path);
}

static struct status
confine(const char *dir, char *const *opened, struct diag *diag, struct sandbox_told *ret_told)
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
    for (size_t i = 0; i < 2 && opened[i] != NULL; i++) {
        paths[n++] = (struct sandbox_path){opened[i], SANDBOX_READ};
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
    char *opened[2] = {NULL, NULL};
    if (tls->clients != IDENTITY_CLIENTS_OFF && *tls->client_ca != '\0') {
        opened[0] = opened_for(tls->client_ca, dir);
        opened[1] = *tls->client_crl == '\0' ? NULL : opened_for(tls->client_crl, dir);
    }
    /* OpenSSL reads its configuration when it is first used: now. */
    (void)OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
    const struct status s = confine(dir, opened, diag, ret_told);
    free(opened[0]);
    free(opened[1]);
    TRY(s);
    return sandbox_calls(SANDBOX_GATEWAY, diag);
}

/* As they are now: who takes a question begins anew, so that files may be replaced. */
struct status
confine_fetcher(struct diag *diag, struct sandbox_told *ret_told)
{
    static const struct sandbox_path paths[] = {
        {"/etc/gai.conf", SANDBOX_READ},
        {"/etc/gnutls", SANDBOX_READ},
        {"/etc/host.conf", SANDBOX_READ},
        {"/etc/hosts", SANDBOX_READ},
        {"/etc/ld.so.cache", SANDBOX_READ},
        {"/etc/nsswitch.conf", SANDBOX_READ},
        {"/etc/pki/tls/certs", SANDBOX_READ},
        {"/etc/resolv.conf", SANDBOX_READ},
        {"/etc/services", SANDBOX_READ},
        {"/etc/ssl/certs", SANDBOX_READ},
        {"/etc/ssl/openssl.cnf", SANDBOX_READ},
        {"/lib", SANDBOX_READ},
        {"/lib64", SANDBOX_READ},
        {"/usr/lib", SANDBOX_READ},
        {"/usr/lib64", SANDBOX_READ},
        {"/usr/share/ca-certificates", SANDBOX_READ},
        {"/usr/local/share/ca-certificates", SANDBOX_READ},
    };
    TRY(sandbox_files(paths, sizeof paths / sizeof *paths, true, diag, ret_told));
    return sandbox_calls(SANDBOX_FETCHER, diag);
}

struct status
confine_listening(struct diag *diag)
{
    return sandbox_settle(false, diag);
}
