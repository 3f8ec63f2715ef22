#include "cli/cli.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "serve/identity.h"
#include "workspace/certificate.h"

#include <stdio.h>
#include <string.h>

#define PEM_MAX (64u << 10)
#define HOSTS_MAX 64

/* Refused as the server would refuse it. */
static struct status
check(struct view chain, struct view key_pem, const char *name, struct diag *diag,
      int64_t *ret_ends)
{
    DEFER(tls_key_freep) struct tls_key *key = NULL;
    DEFER(identity_freep) struct identity *identity = NULL;
    TRY(tls_key_new(key_pem, diag, &key));
    struct identity_options o = {
        .chain_pem = chain, .chain_name = name, .signer.key.kind = tls_key_kind(key)};
    tls_key_name(key, &o.signer.key.name);
    const struct status made = identity_new(&o, diag, &identity);
    if (made.code == STATUS_INTEGRITY) {
        diag_set(diag, "%s: its first certificate is not that key's", name);
        FAIL(INPUT);
    }
    TRY(made);
    *ret_ends = identity_ends(identity);
    if (*ret_ends <= clock_wall_ns() / NS_PER_S) {
        diag_set(diag, "%s: expired; if it is not, this machine's clock is wrong", name);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
put(struct cli *c, struct view chain, struct view key, const char *name, const char *reason)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    char until[64];
    int64_t ends = 0;
    TRY(check(chain, key, name, &c->diag, &ends));
    TRY(cli_open(c, &w));
    TRY(workspace_set_tls(w, chain, key, reason, &c->diag));
    DEFER(buf_done) struct buf day;
    buf_init(&day, 64);
    clock_put_rfc3339(&day, ends * NS_PER_S);
    (void)snprintf(until, sizeof until, "%.10s", buf_str(&day));
    cli_say(
        "in place until %s; a server that is running takes it with SIGHUP, without ending calls",
        until);
    return OK;
}

struct status
cli_certificate_install(struct cli *c)
{
    DEFER(buf_done) struct buf chain;
    DEFER(buf_wipe) struct buf key;
    buf_init(&chain, PEM_MAX);
    buf_init(&key, PEM_MAX);
    TRY(file_read(c->operand[0], PEM_MAX, &c->diag, &chain));
    TRY(file_read(c->operand[1], PEM_MAX, &c->diag, &key));
    return put(c, buf_view(&chain), buf_view(&key), c->operand[0], "certificate installed");
}

struct status
cli_certificate_renew(struct cli *c)
{
    static const char *const local[] = {"localhost", "127.0.0.1", "::1"};
    const char *hosts[HOSTS_MAX];
    size_t count = 0;
    DEFER(memory_freep) char *memory = NULL;
    DEFER(buf_done) struct buf chain;
    DEFER(buf_wipe) struct buf key;
    buf_init(&chain, PEM_MAX);
    buf_init(&key, PEM_MAX);
    TRY(cli_list(c, "host", hosts, HOSTS_MAX, &count, &memory));
    TRY(count == 0 ? certificate_make(local, 3, &c->diag, &chain, &key)
                   : certificate_make(hosts, count, &c->diag, &chain, &key));
    return put(c, buf_view(&chain), buf_view(&key), "the new certificate", "certificate renewed");
}
