#include "cli/credential.h"

#include "base/file.h"
#include "base/text.h"
#include "cli/config.h"
#include "cli/passphrase.h"
#include "vault/provider.h"
#include "vault/transit.h"

#include <stdlib.h>
#include <string.h>

#define PRIVATE "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,127.0.0.0/8,fc00::/7,::1"

/* One that was read is wiped. */
static bool
is_set(const char *variable)
{
    const char *text = getenv(variable);
    return text != NULL && *text != '\0';
}

/* ---- a transit service ---- */

struct status
credential_transit_rules(const char *uri, struct diag *diag, struct buf *ret_rules)
{
    struct transit_uri u;
    TRY(transit_uri_parse(view_str(uri), diag, &u));
    buf_printf(ret_rules, "transit %s %u\n", u.at.host, u.at.port);
    if (!u.at.numeric) {
        buf_printf(ret_rules, "transit %s %u at " PRIVATE "\n", u.at.host, u.at.port);
    }
    return buf_status(ret_rules);
}

/* Those lines of network.egress that are of purpose transit, and keys.transit. */
static struct status
read_config(const char *dir, const char *config, struct diag *diag, struct buf *ret_rules,
            char ret_named[static TRANSIT_URI_MAX + 1])
{
    DEFER(memory_freep) struct config *c = calloc(1, sizeof *c);
    CHECK(c != NULL, MEMORY);
    TRY(config_of_workspace(dir, config, diag, c));
    config_egress_of(c, "transit", ret_rules);
    text_copy(ret_named, TRANSIT_URI_MAX + 1, c->transit);
    return buf_status(ret_rules);
}

struct status
credential_transit_uri(const char *configured, const char *in_file, struct diag *diag,
                       const char **ret_uri)
{
    *ret_uri = is_set("STEWARD_TRANSIT") ? getenv("STEWARD_TRANSIT") : configured;
    if (**ret_uri == '\0') {
        diag_set(diag,
                 "a transit service holds the key, and is asked only where whoever runs Steward "
                 "says so; if what the file says is right, set STEWARD_TRANSIT, or keys.transit in "
                 "steward.yaml, to %.400s",
                 in_file);
        FAIL(AUTH);
    }
    return OK;
}

/* Where the service is asked, and under which rules. */
static struct status
find_service(enum credential_whose whose, const char *target, const char *dir, const char *config,
             struct diag *diag, struct buf *ret_uri, struct buf *ret_rules)
{
    char configured[TRANSIT_URI_MAX + 1] = "";
    const char *uri = target;
    struct transit_uri u;
    if (whose == CREDENTIAL_OF_WORKSPACE || whose == CREDENTIAL_NEW) {
        TRY(read_config(dir, config, diag, ret_rules, configured));
    }
    if (whose == CREDENTIAL_OF_WORKSPACE || whose == CREDENTIAL_OF_BACKUP) {
        TRY(credential_transit_uri(configured, target, diag, &uri));
    }
    TRY(transit_uri_parse(view_str(uri), diag, &u));
    if (whose == CREDENTIAL_FIRST || whose == CREDENTIAL_OF_BACKUP) {
        TRY(credential_transit_rules(uri, diag, ret_rules)); /* naming it allows it */
    }
    buf_put_str(ret_uri, uri);
    return buf_status(ret_uri);
}

/* One that was given for the holder of before has been taken by it. */
static const char *
variable_of(const char *again, const char *plain)
{
    return is_set(plain) && !is_set(again) ? plain : again;
}

static struct status
read_token(enum credential_whose whose, const char *uri, struct diag *diag,
           struct secret *ret_token)
{
    static const char plain[] = "STEWARD_TRANSIT_TOKEN";
    struct transit_uri u;
    TRY(transit_uri_parse(view_str(uri), diag, &u));
    return *u.token_file != '\0'
               ? OK
               : passphrase_read_token(whose == CREDENTIAL_NEW
                                           ? variable_of("STEWARD_NEW_TRANSIT_TOKEN", plain)
                                           : plain,
                                       diag, ret_token);
}

/* asks: for the token; else the letter is without one. */
static struct status
write_letter(enum credential_whose whose, const char *target, const char *dir, const char *config,
             bool asks, struct diag *diag, struct secret *ret_letter)
{
    DEFER(secret_done) struct secret token = {0};
    DEFER(buf_done) struct buf uri;
    DEFER(buf_done) struct buf rules;
    buf_init(&uri, TRANSIT_URI_MAX);
    buf_init(&rules, CONFIG_LIST_BYTES);
    TRY(find_service(whose, target, dir, config, diag, &uri, &rules));
    TRY(asks ? read_token(whose, buf_str(&uri), diag, &token) : OK);
    return transit_write_letter(buf_str(&uri), buf_view(&rules), &token, ret_letter);
}

struct status
credential_foresee(enum credential_whose whose, const char *target, const char *dir,
                   struct diag *diag, struct secret *ret_letter)
{
    return provider_asks(target) == PROVIDER_LETTER
               ? write_letter(whose, target, dir, NULL, false, diag, ret_letter)
               : OK;
}

struct status
credential_transit_now(const char *dir, const char *config, struct diag *diag, struct buf *ret_uri,
                       struct buf *ret_rules)
{
    char configured[TRANSIT_URI_MAX + 1];
    const char *uri = NULL;
    TRY(read_config(dir, config, diag, ret_rules, configured));
    TRY(credential_transit_uri(configured, "the one of before", diag, &uri));
    buf_put_str(ret_uri, uri);
    return buf_status(ret_uri);
}

/* ---- a token ---- */

bool
credential_token_network(const char *dir, const char *config)
{
    DEFER(memory_freep) struct config *c = calloc(1, sizeof *c);
    if (is_set("STEWARD_TOKEN_NETWORK")) {
        return strcmp(getenv("STEWARD_TOKEN_NETWORK"), "open") == 0;
    }
    return c != NULL && dir != NULL && status_ok(config_of_workspace(dir, config, NULL, c)) &&
           c->token_network == 1;
}

/* ---- any holder ---- */

/* Of one that is no transit service. */
static struct status
read_plain(const char *target, const char *file, bool confirm, struct diag *diag,
           struct secret *ret_credential)
{
    switch (provider_asks(target)) {
    case PROVIDER_PASSPHRASE:
        return passphrase_read(file, confirm, diag, ret_credential);
    case PROVIDER_PIN:
        return passphrase_read_pin("STEWARD_PKCS11_PIN", diag, ret_credential);
    case PROVIDER_LETTER:
    case PROVIDER_PIN_IN_FILE:
        break;
    }
    return OK;
}

struct status
credential_first(const char *target, const char *file, struct diag *diag,
                 struct secret *ret_credential)
{
    return provider_asks(target) == PROVIDER_LETTER
               ? write_letter(CREDENTIAL_FIRST, target, NULL, NULL, true, diag, ret_credential)
               : read_plain(target, file, true, diag, ret_credential);
}

struct status
credential_of_backup(const char *target, const char *file, struct diag *diag,
                     struct secret *ret_credential)
{
    return provider_asks(target) == PROVIDER_LETTER
               ? write_letter(CREDENTIAL_OF_BACKUP, target, NULL, NULL, true, diag, ret_credential)
               : read_plain(target, file, false, diag, ret_credential);
}

struct status
credential_of(const char *dir, const char *config, const char *file, struct diag *diag,
              struct secret *ret_credential)
{
    DEFER(file_freep) char *keys = file_join(dir, "keys");
    DEFER(buf_done) struct buf target;
    buf_init(&target, PROVIDER_TARGET_MAX - 1);
    TRY(provider_look(keys, diag, &target));
    return provider_asks(buf_str(&target)) == PROVIDER_LETTER
               ? write_letter(CREDENTIAL_OF_WORKSPACE, buf_str(&target), dir, config, true, diag,
                              ret_credential)
               : read_plain(buf_str(&target), file, false, diag, ret_credential);
}

struct status
credential_read_new(const char *target, const char *dir, const char *file, struct diag *diag,
                    struct secret *ret_credential)
{
    switch (provider_asks(target)) {
    case PROVIDER_PASSPHRASE:
        return passphrase_read_new(file, diag, ret_credential);
    case PROVIDER_PIN:
        return passphrase_read_pin(variable_of("STEWARD_NEW_PKCS11_PIN", "STEWARD_PKCS11_PIN"),
                                   diag, ret_credential);
    case PROVIDER_LETTER:
        return write_letter(CREDENTIAL_NEW, target, dir, NULL, true, diag, ret_credential);
    case PROVIDER_PIN_IN_FILE:
        break;
    }
    return OK;
}
