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

/* How long a key holds. */
static struct status
read_expires(struct cli *c, int64_t *ret_ns)
{
    const char *duration = cli_value(c, "expires");
    if (!status_ok(text_to_duration_ns(view_str(duration), ret_ns)) || *ret_ns <= 0 ||
        *ret_ns > KEY_MAX_NS) {
        diag_set(&c->diag, "--expires %s: a duration such as 12h or 30d, at most 3650d", duration);
        FAIL(INPUT);
    }
    return OK;
}

struct status
cli_api_key_issue(struct cli *c)
{
    const char *principal = c->operand[0];
    int64_t holds_ns = 0;
    TRY(read_expires(c, &holds_ns));
    DEFER(workspace_closep) struct workspace *w = NULL;
    char key[ACCESS_KEY_TEXT_MAX], resource[96];
    TRY(cli_open(c, &w));
    const int64_t now = clock_wall_ns();
    (void)snprintf(resource, sizeof resource, "principals/%s", principal);
    const struct workspace_act act = {
        .action = "key.issue", .resource = resource, .reason = "API key issued"};
    TRY(workspace_begin(w, &c->diag));
    struct status s = cli_settle(
        c, w, access_key_issue(w->access, principal, now, now + holds_ns, key, &c->diag), &act);
    if (status_ok(s)) {
        s = print_issued(c, principal, key, now + holds_ns);
    }
    secret_wipe(key, sizeof key);
    return s;
}

struct status
cli_api_key_rotate(struct cli *c)
{
    const char *overlap = cli_value(c, "overlap");
    char key[ACCESS_KEY_TEXT_MAX], resource[96], whose[96];
    int64_t holds_ns = 0, overlap_ns = 0;
    TRY(read_expires(c, &holds_ns));
    if (!status_ok(text_to_duration_ns(view_str(overlap), &overlap_ns)) || overlap_ns < 0 ||
        overlap_ns > KEY_MAX_NS) {
        diag_set(&c->diag, "--overlap %s: a duration such as 0s or 24h", overlap);
        FAIL(INPUT);
    }
    DEFER(workspace_closep) struct workspace *w = NULL;
    TRY(cli_open(c, &w));
    const int64_t now = clock_wall_ns();
    const struct access_rotation r = {now, now + overlap_ns, now + holds_ns};
    (void)snprintf(resource, sizeof resource, "keys/%.60s", c->operand[0]);
    (void)snprintf(whose, sizeof whose, "the principal of %.60s", c->operand[0]);
    const struct workspace_act act = {
        .action = "key.issue", .resource = resource, .reason = "API key rotated"};
    TRY(workspace_begin(w, &c->diag));
    struct status s =
        cli_settle(c, w, access_key_rotate(w->access, c->operand[0], &r, key, &c->diag), &act);
    if (status_ok(s)) {
        s = print_issued(c, whose, key, now + holds_ns);
    }
    secret_wipe(key, sizeof key);
    return s;
}

struct status
cli_api_key_expire(struct cli *c)
{
    const char *in = cli_value(c, "in");
    char resource[96], reason[96];
    int64_t in_ns = 0;
    if (!status_ok(text_to_duration_ns(view_str(in), &in_ns)) || in_ns < 0) {
        diag_set(&c->diag, "--in %s: a duration such as 0s or 24h", in);
        FAIL(INPUT);
    }
    DEFER(workspace_closep) struct workspace *w = NULL;
    TRY(cli_open(c, &w));
    (void)snprintf(resource, sizeof resource, "keys/%.60s", c->operand[0]);
    (void)snprintf(reason, sizeof reason, "API key ends in %.40s", in);
    const struct workspace_act act = {
        .action = "key.revoke", .resource = resource, .reason = reason};
    TRY(workspace_begin(w, &c->diag));
    TRY(cli_settle(c, w,
                   access_key_expire(w->access, c->operand[0], clock_wall_ns() + in_ns, &c->diag),
                   &act));
    if (c->json) {
        DEFER(js_freep) json_t *o = json_pack("{s:s, s:s}", "key", c->operand[0], "ends_in", in);
        CHECK(o != NULL, MEMORY);
        return cli_print_json(o);
    }
    cli_say("key %s ends in %s", c->operand[0], in);
    return OK;
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
        "id:KEY-ID principal:PRINCIPAL issued:ISSUED expires:EXPIRES last_used:USED "
        "revoked:REVOKED");
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
    TRY(workspace_begin(w, &c->diag));
    TRY(workspace_take_away(w, access_key_revoke(w->access, c->operand[0], &c->diag), &act,
                            &c->diag));
    if (c->json) {
        DEFER(js_freep) json_t *o = json_pack("{s:s, s:b}", "key", c->operand[0], "revoked", 1);
        CHECK(o != NULL, MEMORY);
        return cli_print_json(o);
    }
    (void)printf("key %s is revoked\n", c->operand[0]);
    return OK;
}
