#include "cli/cli.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"

#include <string.h>

#define JSON_MAX (64u << 20)
#define KEY_MAX_NS (3650 * 24 * 3600 * NS_PER_S)

static struct status
print_issued(struct cli *c, const char *principal, const char *key, int64_t expires_ns)
{
    DEFER(buf_done) struct buf until;
    buf_init(&until, 64);
    clock_put_rfc3339(&until, expires_ns);
    if (c->json) {
        DEFER(js_freep)
        json_t *o = json_pack("{s:s, s:s, s:s}", "principal", principal, "key", key, "expires",
                              buf_str(&until));
        CHECK(o != NULL, MEMORY);
        return cli_print_json(o);
    }
    /* The key alone on stdout: `KEY=$(steward api-key issue loan-desk)`. */
    (void)printf("%s\n", key);
    (void)fprintf(stderr, "for %s until %.10s; shown this once, kept only as a keyed hash\n",
                  principal, buf_str(&until));
    return OK;
}

struct status
cli_api_key_issue(struct cli *c)
{
    const char *principal = c->operand[0], *duration = cli_value(c, "expires");
    int64_t holds_ns = 0;
    if (!status_ok(text_to_duration_ns(view_str(duration), &holds_ns)) || holds_ns <= 0 ||
        holds_ns > KEY_MAX_NS) {
        diag_set(&c->diag, "--expires %s: a duration such as 12h or 30d, at most 3650d", duration);
        FAIL(INPUT);
    }
    DEFER(workspace_closep) struct workspace *w = NULL;
    char key[ACCESS_KEY_TEXT_MAX], resource[96];
    TRY(cli_open(c, &w));
    const int64_t now = clock_wall_ns();
    (void)snprintf(resource, sizeof resource, "principals/%s", principal);
    const struct workspace_act act = {
        .action = "key.issue", .resource = resource, .reason = "API key issued"};
    TRY(store_begin(w->store, &c->diag));
    struct status s = cli_settle(
        c, w, access_key_issue(w->access, principal, now, now + holds_ns, key, &c->diag), &act);
    if (status_ok(s)) {
        s = print_issued(c, principal, key, now + holds_ns);
    }
    secret_wipe(key, sizeof key);
    return s;
}

struct status
cli_api_key_list(struct cli *c)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, JSON_MAX);
    TRY(cli_open(c, &w));
    TRY(access_put_keys(w->access, &text));
    return cli_print_list(
        c, buf_view(&text),
        "id:KEY-ID principal:PRINCIPAL issued:ISSUED expires:EXPIRES revoked:REVOKED");
}

struct status
cli_api_key_revoke(struct cli *c)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    char resource[96];
    (void)snprintf(resource, sizeof resource, "keys/%.60s", c->operand[0]);
    const struct workspace_act act = {
        .action = "key.revoke", .resource = resource, .reason = "API key revoked"};
    TRY(cli_open(c, &w));
    /* As with a principal: not undone when the log cannot take it. */
    TRY(access_key_revoke(w->access, c->operand[0], &c->diag));
    TRY(workspace_audit(w, &act, &c->diag));
    if (c->json) {
        DEFER(js_freep) json_t *o = json_pack("{s:s, s:b}", "key", c->operand[0], "revoked", 1);
        CHECK(o != NULL, MEMORY);
        return cli_print_json(o);
    }
    (void)printf("key %s is revoked\n", c->operand[0]);
    return OK;
}
