/* Usage of a log that has calls: groups, filters, times, text and JSON. */
#include "cli/run.h"

#include "base/clock.h"
#include "base/secret.h"
#include "workspace/workspace.h"

/* 2026-03-01 at 12:00 UTC, and a day later. */
#define FIRST INT64_C(1772366400000000000)
#define SECOND (FIRST + 86400 * NS_PER_S)

struct call {
    int64_t time_ns;
    const char *principal, *model;
    uint64_t version;
    bool allow;
    int http_status;
    uint64_t rows;
    int64_t duration_ns;
};

static const struct call calls[] = {
    {FIRST, "desk", "mortgage", 1, true, 200, 10, 1000000},
    {FIRST + 1, "desk", "mortgage", 1, true, 200, 20, 3000000},
    {FIRST + 2, "desk", "mortgage", 2, true, 400, 0, 1000000},
    {SECOND, "desk", "cards", 1, true, 200, 5, 2000000},
    {SECOND + 1, "shop", "mortgage", 2, false, 403, 0, 500000},
    {SECOND + 2, "shop", "mortgage", 2, true, 503, 0, 500000},
};

static void
append_calls(struct room *m)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(secret_done) struct secret passphrase = {0};
    assert_ok(secret_from(view_str("correct horse"), &passphrase));
    const struct workspace_open_options o = {.passphrase = &passphrase, .reason = "a test"};
    assert_ok(workspace_open(in(m, "w"), &o, NULL, &w));
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const struct call *c = &calls[i];
        char resource[64];
        DEFER(buf_done) struct buf entry;
        buf_init(&entry, AUDIT_MAX_ENTRY);
        (void)snprintf(resource, sizeof resource, "models/%s", c->model);
        const struct audit_event e = {.time_ns = c->time_ns,
                                      .id = "0123456789abcdef",
                                      .principal = c->principal,
                                      .action = "model.infer",
                                      .resource = resource,
                                      .model = c->model,
                                      .model_version = c->version,
                                      .allow = c->allow,
                                      .http_status = c->http_status,
                                      .reason = "a call",
                                      .rows = c->rows,
                                      .duration_ns = c->duration_ns};
        audit_event_put(&e, &entry);
        assert_ok(audit_append(w->audit, buf_view(&entry), NULL));
    }
}

static int
set_up(void **state)
{
    const int failed = room_with_workspace(state);
    struct room *m = *state;
    append_calls(m);
    return failed;
}

static json_int_t
number(const json_t *row, const char *key)
{
    return json_integer_value(json_object_get(row, key));
}

/* The row of these, and how many rows there are. */
static const json_t *
row_of(const json_t *d, const char *key, const char *value, size_t rows)
{
    size_t i;
    json_t *row = NULL;
    const json_t *found = NULL;
    const json_t *list = json_object_get(d, "groups");
    assert_int_equal(json_array_size(list), rows);
    json_array_foreach((json_t *)(uintptr_t)list, i, row)
    {
        const char *text = json_string_value(json_object_get(row, key));
        found = text != NULL && strcmp(text, value) == 0 ? row : found;
    }
    assert_non_null(found);
    return found;
}

static void
calls_are_counted_by_principal(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "usage", "--by", "principal", "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    const json_t *desk = row_of(d, "principal", "desk", 2);
    assert_int_equal(number(desk, "calls"), 4);
    assert_int_equal(number(desk, "rows"), 35);
    assert_int_equal(number(desk, "errors"), 1);
    assert_int_equal(number(desk, "refused"), 0);
    const json_t *shop = row_of(d, "principal", "shop", 2);
    assert_int_equal(number(shop, "calls"), 2);
    assert_int_equal(number(shop, "errors"), 1);
    assert_int_equal(number(shop, "refused"), 1);
}

static void
the_count_says_as_of_how_much_of_the_log(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "audit", "verify", "--json");
    DEFER(js_freep) json_t *log = out_json(m);
    RUN(m, 0, "usage", "--principal", "nobody", "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    const json_t *as_of = json_object_get(d, "as_of");
    int64_t time = 0;
    assert_int_equal(number(as_of, "entries"), number(log, "entries") + number(log, "pending"));
    assert_true(number(as_of, "entries") > (json_int_t)(sizeof calls / sizeof *calls));
    assert_ok(
        clock_from_rfc3339(view_str(json_string_value(json_object_get(as_of, "time"))), &time));
    assert_true(time <= clock_wall_ns() && time > clock_wall_ns() - 60 * NS_PER_S);
}

static void
filters_and_times_choose_the_calls(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "usage", "--by", "day", "--model", "mortgage", "--json");
    DEFER(js_freep) json_t *days = out_json(m);
    assert_int_equal(number(row_of(days, "day", "2026-03-01", 2), "calls"), 3);
    assert_int_equal(number(row_of(days, "day", "2026-03-02", 2), "calls"), 2);
    RUN(m, 0, "usage", "--by", "model", "--until", "2026-03-02T00:00:00Z", "--json");
    DEFER(js_freep) json_t *early = out_json(m);
    assert_int_equal(number(row_of(early, "model", "mortgage", 1), "calls"), 3);
    RUN(m, 0, "usage", "--by", "model", "--principal", "desk", "--since", "2026-03-02T00:00:00Z",
        "--json");
    DEFER(js_freep) json_t *late = out_json(m);
    assert_int_equal(number(row_of(late, "model", "cards", 1), "calls"), 1);
}

static void
text_fits_a_terminal(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "usage", "--by", "principal,model,version");
    OUT_HAS(m,
            "principal desk, model mortgage, version 1\n  2 calls, 30 rows, 0 refused, 0 errors\n");
    for (const char *at = buf_str(&m->r.out); *at != '\0'; at += at[0] == '\n') {
        const size_t n = strcspn(at, "\n");
        assert_true(n <= 80);
        at += n;
    }
    RUN(m, 0, "usage", "--principal", "nobody");
    OUT_HAS(m, "no calls");
    RUN(m, 2, "usage", "--by", "house");
    RUN(m, 2, "usage", "--since", "soon");
}

static void
quotas_are_told_without_a_passphrase(void **state)
{
    struct room *m = *state;
    DEFER(file_freep) char *other = file_join(m->dir, "other.yaml");
    RUN(m, 0, "usage", "--quotas");
    OUT_HAS(m, "no quotas");
    testing_write(other, view_str("limits:\n  quotas: [\"day 5 calls/day principal=desk model="
                                  "mortgage each\", \"all 70 rows/month\"]\n"));
    RUN(m, 0, "usage", "--quotas", "--config", other);
    OUT_HAS(m, "day: 5 calls/day of principal desk on model mortgage, each\n  nothing is used\n");
    OUT_HAS(m, "all: 70 rows/month\n  0 used, 70 left until ");
    RUN(m, 2, "usage", "--quotas", "--model", "mortgage");
    ERR_HAS(m, "--model has no place beside it");
    RUN(m, 4, "usage", "--quotas", "--config", "/nowhere.yaml");
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(calls_are_counted_by_principal),
        cmocka_unit_test(the_count_says_as_of_how_much_of_the_log),
        cmocka_unit_test(filters_and_times_choose_the_calls),
        cmocka_unit_test(text_fits_a_terminal),
        cmocka_unit_test(quotas_are_told_without_a_passphrase),
    };
    return cmocka_run_group_tests(cases, set_up, room_done);
}
