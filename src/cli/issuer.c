/* issuer: who may issue tokens; link: which certificate or token is which principal. */
#include "cli/cli.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "protect/access_token.h"
#include "protect/jwks.h"

#include <string.h>

#define JSON_MAX (64u << 20)
#define RESOURCE_MAX 96

/* ---- issuers ---- */

/* VALUE=GROUP; the value may have '=' in it, a group's name has none. */
static struct status
put_groups(struct cli *c, json_t *o)
{
    const char *values[CLI_MAX_REPEATS];
    DEFER(file_freep) char *memory = NULL;
    size_t n = 0;
    json_t *map = json_object();
    TRY(js_set(o, "groups", map));
    TRY(cli_list(c, "group", values, CLI_MAX_REPEATS, &n, &memory));
    for (size_t i = 0; i < n; i++) {
        const char *mark = strrchr(values[i], '=');
        if (mark == NULL || mark == values[i]) {
            diag_set(&c->diag, "--group %.60s: write VALUE=GROUP", values[i]);
            FAIL(INPUT);
        }
        CHECK(json_object_setn_new(map, values[i], (size_t)(mark - values[i]),
                                   json_string(mark + 1)) == 0,
              MEMORY);
    }
    return OK;
}

static struct status
put_keys(struct cli *c, json_t *o)
{
    const char *path = cli_value(c, "jwks");
    DEFER(buf_done) struct buf text;
    json_t *keys = NULL;
    buf_init(&text, JWKS_MAX_BYTES);
    if (path == NULL) {
        return OK;
    }
    const struct status s = file_read(path, JWKS_MAX_BYTES, &c->diag, &text);
    if (s.code == STATUS_LIMIT) {
        diag_set(&c->diag,
                 "%s: longer than %u bytes; a key set has at most %u keys: keep those that "
                 "sign now",
                 path, JWKS_MAX_BYTES, JWKS_MAX_KEYS);
    }
    TRY(s);
    TRY(js_parse_within(buf_view(&text), JSON_MAX, path, &c->diag, &keys));
    return js_set(o, "jwks", keys);
}

static struct status
put_authorities(struct cli *c, json_t *o)
{
    const char *path = cli_value(c, "ca");
    DEFER(buf_done) struct buf text;
    buf_init(&text, ACCESS_CA_MAX);
    if (path == NULL) {
        return OK;
    }
    TRY(file_read(path, ACCESS_CA_MAX, &c->diag, &text));
    return js_set(o, "ca", json_stringn((const char *)text.ptr, text.len));
}

static struct status
read_issuer(struct cli *c, json_t **ret_record)
{
    static const struct {
        const char *option, *member;
    } texts[] = {{"url", "issuer"},
                 {"audience", "audience"},
                 {"typ", "typ"},
                 {"groups-claim", "groups_claim"}};
    int64_t skew_ns = 0;
    json_t *algorithms = NULL;
    DEFER(js_freep) json_t *o = json_pack("{s:s}", "name", c->operand[0]);
    CHECK(o != NULL, MEMORY);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *value = cli_value(c, texts[i].option);
        if (value != NULL) {
            TRY(js_set(o, texts[i].member, json_string(value)));
        }
    }
    if (!status_ok(text_to_duration_ns(view_str(cli_value(c, "skew")), &skew_ns))) {
        diag_set(&c->diag, "--skew %.40s: a duration such as 30s", cli_value(c, "skew"));
        FAIL(INPUT);
    }
    TRY(js_set(o, "skew_s", json_integer(skew_ns / INT64_C(1000000000))));
    TRY(cli_values(c, "algorithm", &algorithms));
    TRY(js_set(o, "algorithms", algorithms));
    TRY(put_groups(c, o));
    if (cli_flag(c, "discover")) {
        TRY(js_set(o, "discover", json_true()));
    }
    TRY(put_keys(c, o));
    TRY(put_authorities(c, o));
    *ret_record = MOVE(o);
    return OK;
}

/* What was done to a thing, printed. */
static struct status
print_done(struct cli *c, const char *what, const char *name, const char *change)
{
    if (c->json) {
        DEFER(js_freep) json_t *o = json_pack("{s:s, s:s}", what, name, "change", change);
        CHECK(o != NULL, MEMORY);
        return cli_print_json(o);
    }
    cli_say("%s %s: %s", what, name, change);
    return OK;
}

struct status
cli_issuer_add(struct cli *c)
{
    char resource[RESOURCE_MAX], reason[256];
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *record = NULL;
    (void)snprintf(resource, sizeof resource, "issuers/%.64s", c->operand[0]);
    TRY(cli_open(c, &w));
    TRY(workspace_tell_failure(w, "principal.write", resource, read_issuer(c, &record), &c->diag));
    (void)snprintf(reason, sizeof reason, "issuer of tokens added: %.200s",
                   cli_value(c, "url") == NULL ? "" : cli_value(c, "url"));
    const struct workspace_act act = {
        .action = "principal.write", .resource = resource, .reason = reason};
    TRY(workspace_begin(w, &c->diag));
    TRY(cli_settle(c, w, access_issuer_add(w->access, c->operand[0], record, &c->diag), &act));
    return print_done(c, "issuer", c->operand[0], "added");
}

struct status
cli_issuer_list(struct cli *c)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, JSON_MAX);
    TRY(cli_open(c, &w));
    TRY(access_put_issuers(w->access, &text));
    return cli_print_list(c, buf_view(&text),
                          "name:NAME issuer:ISSUER audience:AUDIENCE keys:KEYS discover:DISCOVER");
}

struct status
cli_issuer_remove(struct cli *c)
{
    char resource[RESOURCE_MAX];
    DEFER(workspace_closep) struct workspace *w = NULL;
    (void)snprintf(resource, sizeof resource, "issuers/%.64s", c->operand[0]);
    const struct workspace_act act = {
        .action = "principal.write", .resource = resource, .reason = "issuer removed"};
    TRY(cli_open(c, &w));
    /* As with a principal: not undone when the log cannot take it. */
    TRY(workspace_begin(w, &c->diag));
    TRY(workspace_take_away(w, access_issuer_remove(w->access, c->operand[0], &c->diag), &act,
                            &c->diag));
    return print_done(c, "issuer", c->operand[0], "removed");
}

/* ---- links ---- */

/* --certificate IDENTITY, or --token ISSUER:SUBJECT. */
static struct status
read_identity(struct cli *c, char ret_identity[static 512])
{
    const char *certificate = cli_value(c, "certificate"), *token = cli_value(c, "token");
    if ((certificate == NULL) == (token == NULL)) {
        diag_set(&c->diag, "%s: --certificate IDENTITY or --token ISSUER:SUBJECT is needed",
                 c->verb->name);
        FAIL(INPUT);
    }
    (void)snprintf(ret_identity, 512, "%s:%.480s", token == NULL ? "certificate" : "token",
                   token == NULL ? certificate : token);
    return OK;
}

struct status
cli_principal_link(struct cli *c)
{
    char identity[512], resource[RESOURCE_MAX], reason[600];
    DEFER(workspace_closep) struct workspace *w = NULL;
    TRY(read_identity(c, identity));
    TRY(cli_open(c, &w));
    (void)snprintf(resource, sizeof resource, "principals/%.64s", c->operand[0]);
    (void)snprintf(reason, sizeof reason, "linked to %s", identity);
    const struct workspace_act act = {
        .action = "principal.write", .resource = resource, .reason = reason};
    TRY(workspace_begin(w, &c->diag));
    TRY(cli_settle(c, w, access_link_add(w->access, identity, c->operand[0], &c->diag), &act));
    return print_done(c, "principal", c->operand[0], reason);
}

struct status
cli_principal_unlink(struct cli *c)
{
    char identity[512], reason[600];
    DEFER(workspace_closep) struct workspace *w = NULL;
    TRY(read_identity(c, identity));
    TRY(cli_open(c, &w));
    (void)snprintf(reason, sizeof reason, "unlinked: %s", identity);
    const struct workspace_act act = {
        .action = "principal.write", .resource = "principals", .reason = reason};
    TRY(workspace_begin(w, &c->diag));
    TRY(workspace_take_away(w, access_link_remove(w->access, identity, &c->diag), &act, &c->diag));
    return print_done(c, "identity", identity, "unlinked");
}

struct status
cli_principal_links(struct cli *c)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, JSON_MAX);
    TRY(cli_open(c, &w));
    TRY(access_put_links(w->access, &text));
    return cli_print_list(c, buf_view(&text), "principal:PRINCIPAL identity:IDENTITY");
}
