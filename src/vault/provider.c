#include "vault/provider.h"

#include "base/file.h"
#include "base/text.h"
#include "vault/keyring.h"
#include "vault/pkcs11.h"
#include "vault/pkcs11_uri.h"
#include "vault/starter.h"
#include "vault/transit.h"

#include <stdlib.h>
#include <string.h>

#define KEY_FILE "workspace.json"
#define PASSPHRASE "passphrase"

struct provider {
    struct vault_provider table;
    struct secret credential; /* of a passphrase */
    struct pkcs11 *pkcs11;
    struct transit *transit;
    char target[PROVIDER_TARGET_MAX];
};

void
provider_free(struct provider *p)
{
    if (p != NULL) {
        secret_done(&p->credential);
        pkcs11_free(p->pkcs11);
        transit_free(p->transit);
        free(p);
    }
}

static struct status
hold_passphrase(struct provider *p, const struct provider_means *m)
{
    if (m->credential->len > 0) {
        TRY(secret_from(secret_view(m->credential), &p->credential));
    }
    p->table = vault_passphrase_provider(&p->credential);
    return OK;
}

static struct status
hold_token(struct provider *p, const struct provider_means *m, struct diag *diag)
{
    const struct pkcs11_means t = {m->credential, m->token_network, m->holder};
    TRY(pkcs11_new(p->target, &t, diag, &p->pkcs11));
    p->table = pkcs11_provider(p->pkcs11);
    return OK;
}

static struct status
hold_transit(struct provider *p, const struct provider_means *m, struct diag *diag)
{
    const struct transit_means t = {m->credential, m->transit, m->transit_source, m->holder};
    TRY(transit_new(p->target, &t, diag, &p->transit));
    text_copy(p->target, sizeof p->target, transit_target(p->transit));
    p->table = transit_provider(p->transit);
    return OK;
}

struct status
provider_check(const char *target, struct diag *diag)
{
    struct pkcs11_uri uri;
    struct transit_uri transit;
    if (transit_uri_is(target)) {
        return transit_uri_parse(view_str(target), diag, &transit);
    }
    if (pkcs11_uri_is(target)) {
        return pkcs11_uri_parse(view_str(target), diag, &uri);
    }
    if (strcmp(target, PASSPHRASE) != 0) {
        diag_set(diag,
                 "\"%.100s\": a key is held by a passphrase, a token or a transit service: write "
                 "\"passphrase\", \"pkcs11:token=...;object=...?module-path=...\" or "
                 "\"transit:https://HOST:PORT/MOUNT/KEY\"",
                 target);
        FAIL(INPUT);
    }
    return OK;
}

struct status
provider_new(const char *target, const struct provider_means *m, struct diag *diag,
             struct provider **ret_provider)
{
    DEFER(provider_freep) struct provider *p = calloc(1, sizeof *p);
    CHECK(p != NULL, MEMORY);
    struct provider_means means = *m;
    TRY(provider_check(target, diag));
    text_copy(p->target, sizeof p->target, target);
    if (provider_asks(target) != PROVIDER_PASSPHRASE && m->holder == 0 && starter_is_there()) {
        TRY(starter_ask(target, m->credential, diag, p->target, &means.holder));
    }
    TRY(pkcs11_uri_is(target)    ? hold_token(p, &means, diag)
        : transit_uri_is(target) ? hold_transit(p, &means, diag)
                                 : hold_passphrase(p, &means));
    *ret_provider = MOVE(p);
    return OK;
}

/* ---- what a file says ---- */

struct status
provider_look_at(struct view text, const char *name, struct diag *diag, struct buf *ret_target)
{
    DEFER(js_freep) json_t *file = NULL;
    json_t *state = NULL;
    const char *provider = NULL, *uri = NULL;
    TRY(keyring_look(text, name, diag, &file, &provider, &state));
    const bool token = strcmp(provider, "pkcs11") == 0, transit = strcmp(provider, "transit") == 0;
    if (token || transit) {
        if (!status_ok(js_need_string(state, "uri", diag, &uri)) ||
            !(token ? pkcs11_uri_is : transit_uri_is)(uri)) {
            diag_set(diag, "%s: does not say which %s holds the key", name,
                     token ? "token" : "transit service");
            FAIL(INTEGRITY);
        }
    }
    /* What is not known here is refused with the file's name by vault_open. */
    buf_put_str(ret_target, uri == NULL ? PASSPHRASE : uri);
    return buf_status(ret_target);
}

struct status
provider_look(const char *dir, struct diag *diag, struct buf *ret_target)
{
    DEFER(file_freep) char *path = file_join(dir, KEY_FILE);
    DEFER(buf_done) struct buf text;
    buf_init(&text, KEYRING_FILE_MAX);
    const struct status s = file_read(path, KEYRING_FILE_MAX, diag, &text);
    CHECK(s.code != STATUS_LIMIT, INTEGRITY); /* our own file is no longer than that */
    TRY(s);
    return provider_look_at(buf_view(&text), path, diag, ret_target);
}

enum provider_credential
provider_asks(const char *target)
{
    return transit_uri_is(target)   ? PROVIDER_LETTER
           : !pkcs11_uri_is(target) ? PROVIDER_PASSPHRASE
           : pkcs11_has_pin(target) ? PROVIDER_PIN_IN_FILE
                                    : PROVIDER_PIN;
}

struct status
provider_open(const char *dir, const struct provider_means *m, struct diag *diag,
              struct provider **ret_provider)
{
    DEFER(buf_done) struct buf target;
    buf_init(&target, PROVIDER_TARGET_MAX - 1);
    TRY(provider_look(dir, diag, &target));
    return provider_new(buf_str(&target), m, diag, ret_provider);
}

const struct vault_provider *
provider_table(const struct provider *p)
{
    return &p->table;
}

struct holder *
provider_holder(const struct provider *p)
{
    return p->pkcs11 != NULL    ? pkcs11_holder(p->pkcs11)
           : p->transit != NULL ? transit_holder(p->transit)
                                : NULL;
}

const char *
provider_target(const struct provider *p)
{
    return p->target;
}
