#include "cli/foreseen.h"
#include "cli/credential.h"
#include "cli/reach.h"

#include "base/apart.h"
#include "base/file.h"
#include "base/sandbox.h"
#include "base/secret.h"
#include "vault/starter.h"
#include "vault/transit_ask.h"
#include "workspace/backup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TARGETS (CLI_MAX_REPEATS + 1)

struct holders {
    struct starter_target target[TARGETS];
    struct secret letter[TARGETS];
    size_t n;
    bool token;
};

static void
holders_done(struct holders *h)
{
    for (size_t i = 0; i < h->n; i++) {
        secret_done(&h->letter[i]);
    }
}

/* Where a service is not to be asked is the verb's to say. */
static void
add(struct holders *h, const struct cli *c, enum credential_whose whose, const char *target)
{
    const enum provider_credential asks = provider_asks(target);
    if (asks != PROVIDER_PASSPHRASE && h->n < TARGETS &&
        status_ok(credential_foresee(whose, target, c->dir, NULL, &h->letter[h->n]))) {
        h->target[h->n] = (struct starter_target){target, &h->letter[h->n]};
        h->n++;
        h->token = h->token || asks != PROVIDER_LETTER;
    }
}

/* ---- whom a backup names ---- */

/* A stranger may have made the file: it is read by a process that does nothing else. */
static void
look(int fd, void *path)
{
    const struct sandbox_path file = {path, SANDBOX_READ};
    struct sandbox_told told;
    DEFER(buf_done) struct buf target;
    buf_init(&target, PROVIDER_TARGET_MAX - 1);
    if (apart_leave("steward-look", fd) && status_ok(sandbox_files(&file, 1, false, NULL, &told)) &&
        status_ok(sandbox_calls(SANDBOX_IMPORTER, NULL)) &&
        status_ok(backup_look(path, NULL, &target))) {
        (void)!send(APART_FD, target.ptr, target.len, MSG_NOSIGNAL);
    }
}

/* "": what is wrong with the file is the verb's to say. */
static struct status
look_into(struct cli *c, const char *path, char ret_target[static PROVIDER_TARGET_MAX])
{
    /* Of what standard input is, that process has nothing. */
    DEFER(memory_freep) char *whole = realpath(path, NULL);
    struct stat st;
    pid_t pid = 0;
    int fd = -1;
    *ret_target = '\0';
    if (whole == NULL || stat(whole, &st) != 0 || !S_ISREG(st.st_mode)) {
        return OK;
    }
    TRY(apart_fork(SOCK_SEQPACKET, "the process that looks into a backup", look, whole, &c->diag,
                   &pid, &fd));
    const ssize_t n = recv(fd, ret_target, PROVIDER_TARGET_MAX - 1, 0);
    ret_target[n > 0 ? n : 0] = '\0';
    (void)close(fd);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return OK;
}

/* ---- all of them ---- */

static struct status
begin(struct cli *c, const struct holders *h, bool workspace)
{
    const struct starter_means means = {
        .transit = &transit_kind,
        .token_network = h->token && credential_token_network(workspace ? c->dir : NULL, NULL)};
    if (means.token_network) {
        (void)fputs("steward: " CREDENTIAL_TOKEN_OPEN "\n", stderr);
    }
    return h->n == 0 ? OK : starter_begin(&means, h->target, h->n, &c->diag);
}

struct status
foresee_holders(struct cli *c, enum cli_works works)
{
    DEFER(holders_done) struct holders h = {0};
    DEFER(file_freep) char *keys = file_join(c->dir, "keys");
    DEFER(buf_done) struct buf own;
    char of_backup[PROVIDER_TARGET_MAX];
    const bool workspace = works == CLI_ON_WORKSPACE;
    const char *backup = reach_operand(c, "@backup");
    buf_init(&own, PROVIDER_TARGET_MAX - 1);
    if (workspace && status_ok(provider_look(keys, NULL, &own))) {
        add(&h, c, CREDENTIAL_OF_WORKSPACE, buf_str(&own));
    }
    if (backup != NULL) {
        TRY(look_into(c, backup, of_backup));
        add(&h, c, CREDENTIAL_OF_BACKUP, of_backup);
    }
    for (size_t i = 0; i < c->givens; i++) {
        const char *words = c->given[i].option->words;
        if (words != NULL && strcmp(words, "@holder") == 0) {
            add(&h, c, workspace ? CREDENTIAL_NEW : CREDENTIAL_FIRST, c->given[i].value);
        }
    }
    return begin(c, &h, workspace);
}
