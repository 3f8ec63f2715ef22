#include "cli/cli.h"
#include "cli/config.h"
#include "cli/credential.h"

#include "base/file.h"
#include "base/json.h"
#include "base/secret.h"
#include "vault/provider.h"

#include <stdlib.h>

#define VKEY_MAX 1024u

/* The public key that checks this log: what to give to auditors. */
static struct status
read_vkey(struct cli *c, const char *dir, struct buf *ret_vkey)
{
    DEFER(file_freep) char *path = file_join(dir, "audit/vkey");
    TRY(file_read(path, VKEY_MAX, &c->diag, ret_vkey));
    while (ret_vkey->len > 0 && ret_vkey->ptr[ret_vkey->len - 1] == '\n') {
        ret_vkey->ptr[--ret_vkey->len] = '\0';
    }
    return OK;
}

static struct status
print_made(struct cli *c, const char *dir)
{
    DEFER(buf_done) struct buf vkey;
    buf_init(&vkey, VKEY_MAX);
    TRY(read_vkey(c, dir, &vkey));
    if (c->json) {
        DEFER(js_freep)
        json_t *o = json_pack("{s:s, s:s}", "workspace", dir, "log_vkey", buf_str(&vkey));
        CHECK(o != NULL, MEMORY);
        return cli_print_json(o);
    }
    (void)printf("made workspace %s\n", dir);
    (void)printf("  audit log key   %s\n", buf_str(&vkey));
    (void)printf("  TLS certificate %s/tls/cert.pem\n", dir);
    (void)printf("  configuration   %s/steward.yaml\n", dir);
    return OK;
}

const struct cli_option cli_init_options[] = {
    {"host", "NAME",
     "name or address the TLS certificate is for; may be repeated (default: localhost, 127.0.0.1, "
     "::1)",
     NULL, CLI_REPEATED, NULL},
    {"provider", "TARGET",
     "who holds the key: passphrase, a token's key as a pkcs11: URI, or a transit service's as a "
     "transit: URI",
     "passphrase", CLI_ONCE, "@holder"},
    {0},
};

static struct status
put_config(struct cli *c, const char *provider, struct buf *ret_config)
{
    DEFER(buf_done) struct buf rules;
    buf_init(&rules, CONFIG_LIST_BYTES);
    if (transit_uri_is(provider)) {
        TRY(credential_transit_rules(provider, &c->diag, &rules));
        config_put_for_transit(provider, buf_str(&rules), ret_config);
    } else {
        config_put_example(ret_config);
    }
    return buf_status(ret_config);
}

struct status
cli_init(struct cli *c)
{
    const char *dir = c->operand[0];
    const char *hosts[16];
    size_t host_count = 0;
    DEFER(file_freep) char *memory = NULL;
    TRY(cli_list(c, "host", hosts, 16, &host_count, &memory));
    DEFER(secret_done) struct secret credential = {0};
    const char *provider = cli_value(c, "provider");
    provider = provider == NULL ? "passphrase" : provider;
    TRY(provider_check(provider, &c->diag));
    TRY(credential_first(provider, cli_value(c, "passphrase-file"), &c->diag, &credential));
    DEFER(buf_done) struct buf config;
    buf_init(&config, 1u << 20);
    TRY(put_config(c, provider, &config));
    cli_hold_signals();
    const struct workspace_init_options o = {.provider = provider,
                                             .passphrase = &credential,
                                             .interrupted = cli_interrupted,
                                             .hosts = host_count == 0 ? NULL : hosts,
                                             .host_count = host_count,
                                             .config = buf_view(&config)};
    TRY(workspace_init(dir, &o, &c->diag));
    return print_made(c, dir);
}
