/* key: the workspace's own key: who holds it, its generations, another one. API keys are api-key's.
 */
#include "cli/cli.h"
#include "cli/credential.h"

#include "base/file.h"
#include "base/json.h"
#include "base/secret.h"
#include "vault/transit_ask.h"
#include "workspace/keys.h"

#include <stdlib.h>
#include <string.h>

const struct cli_option cli_key_rewrap_options[] = {
    {"to", "TARGET", "who holds the key from now on: passphrase, a pkcs11: or a transit: URI", NULL,
     CLI_ONCE, "@holder"},
    {"new-passphrase-file", "FILE", "the new holder's passphrase, in FILE's first line", NULL,
     CLI_ONCE, "@file"},
    {0},
};

const struct cli_option cli_key_revoke_options[] = {
    {"reason", "TEXT", "why; whoever tries to open it is told, and the log keeps it", NULL,
     CLI_ONCE, NULL},
    {0},
};

struct status
cli_key_list(struct cli *c)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *o = NULL;
    TRY(cli_open_even_revoked(c, &w));
    TRY(keys_describe(w, &o));
    if (c->json) {
        return cli_print_json(o);
    }
    const char *revoked = json_string_value(json_object_get(o, "revoked"));
    cli_say("the workspace key is held by: %s", json_string_value(json_object_get(o, "target")));
    if (revoked != NULL) {
        cli_say("revoked: %s (\"steward key restore\" gives it back)", revoked);
    }
    cli_print_table(json_object_get(o, "generations"),
                    "generation:GENERATION made:MADE state:STATE");
    return OK;
}

/* ---- rotate, rewrap ---- */

static void
show_step(void *ctx, const char *what)
{
    cli_progress_show(ctx, "re-wrapping: %s", what);
}

static struct status
print_result(struct cli *c, const struct keys_result *r, const char *said)
{
    if (c->json) {
        DEFER(js_freep)
        json_t *o = json_pack("{s:I, s:I, s:I, s:b}", "generation", (json_int_t)r->generation,
                              "records", (json_int_t)r->records, "objects", (json_int_t)r->objects,
                              "resumed", r->resumed);
        CHECK(o != NULL, MEMORY);
        return cli_print_json(o);
    }
    cli_say("%s%s: generation %u; %llu records and %llu objects re-wrapped", said,
            r->resumed ? ", and the unfinished rotation finished" : "", r->generation,
            (unsigned long long)r->records, (unsigned long long)r->objects);
    return OK;
}

struct status
cli_key_rotate(struct cli *c)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    struct keys_result r = {0};
    struct cli_progress progress;
    const struct keys_progress p = {show_step, &progress};
    TRY(cli_open(c, &w));
    cli_progress_start(&progress, "re-wrapping");
    const struct status s = keys_rotate(w, &p, &c->diag, &r);
    cli_progress_stop(&progress);
    TRY(s);
    return print_result(c, &r, "the workspace key is rotated");
}

/* NULL: the provider that there is. */
static struct status
new_provider(struct cli *c, struct provider **ret_provider)
{
    const char *target = cli_value(c, "to"), *file = cli_value(c, "new-passphrase-file");
    if (target == NULL && file == NULL && getenv("STEWARD_NEW_PASSPHRASE_FILE") == NULL &&
        getenv("STEWARD_NEW_PASSPHRASE") == NULL) {
        return OK;
    }
    DEFER(secret_done) struct secret credential = {0};
    target = target == NULL ? "passphrase" : target;
    TRY(provider_check(target, &c->diag));
    TRY(credential_read_new(target, c->dir, file, &c->diag, &credential));
    const struct provider_means means = {.credential = &credential, .transit = &transit_kind};
    return provider_new(target, &means, &c->diag, ret_provider);
}

struct status
cli_key_rewrap(struct cli *c)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(provider_freep) struct provider *to = NULL;
    DEFER(secret_done) struct secret credential = {0};
    const struct workspace_open_options o = {.passphrase = &credential, .reason = c->verb->name};
    struct keys_result r = {0};
    struct cli_progress progress;
    const struct keys_progress p = {show_step, &progress};
    TRY(workspace_check(c->dir, &c->diag));
    TRY(cli_credential(c, &credential));
    TRY(new_provider(c, &to)); /* its process is a copy of this one: before any key is here */
    TRY(workspace_open(c->dir, &o, &c->diag, &w));
    cli_progress_start(&progress, "re-wrapping");
    const struct status s = keys_rewrap(w, &to, &p, &c->diag, &r);
    cli_progress_stop(&progress);
    TRY(s);
    return print_result(c, &r, "the workspace key is wrapped anew");
}

/* ---- revoke, restore, export-public ---- */

struct status
cli_key_revoke(struct cli *c)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    const char *reason = cli_value(c, "reason");
    TRY(cli_open(c, &w));
    TRY(keys_revoke(w, reason == NULL ? "steward key revoke" : reason, &c->diag));
    cli_say("the workspace key is revoked: nothing opens until \"steward key restore\"; a server "
            "that runs answers 503 within keys.check (60s)");
    return OK;
}

struct status
cli_key_restore(struct cli *c)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    TRY(cli_open_even_revoked(c, &w));
    TRY(keys_restore(w, &c->diag));
    cli_say("the workspace key may be used again");
    return OK;
}

/* Open files, for whoever checks: no passphrase is asked for. */
struct status
cli_key_export_public(struct cli *c)
{
    TRY(workspace_check(c->dir, &c->diag));
    DEFER(file_freep) char *signing = file_join(c->dir, "keys/signing.pub");
    DEFER(file_freep) char *log = file_join(c->dir, "audit/vkey");
    DEFER(buf_done) struct buf key;
    DEFER(buf_done) struct buf vkey;
    buf_init(&key, 4096);
    buf_init(&vkey, 4096);
    TRY(file_read(signing, 4096, &c->diag, &key));
    TRY(file_read(log, 4096, &c->diag, &vkey));
    key.ptr[strcspn((char *)key.ptr, "\n")] = '\0';
    vkey.ptr[strcspn((char *)vkey.ptr, "\n")] = '\0';
    if (c->json) {
        DEFER(js_freep)
        json_t *o = json_pack("{s:s, s:s, s:s}", "algorithm", "Ed25519", "public_key",
                              buf_str(&key), "log_vkey", buf_str(&vkey));
        CHECK(o != NULL, INTEGRITY);
        return cli_print_json(o);
    }
    (void)printf("signing key   Ed25519 %s\n", buf_str(&key));
    (void)printf("audit log key %s\n", buf_str(&vkey));
    return OK;
}
