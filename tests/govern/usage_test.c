/* Usage: what is added up is what counting and sorting all of it again gives. */
#include "fixture.h"

#include "base/clock.h"
#include "govern/audit.h"
#include "govern/usage.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES 4000u
#define DAYS 3u
#define ARENA (1u << 18)

struct call {
    char principal[16], model[16], version[8], day[16];
    uint64_t rows, ns;
    int http_status;
    bool allow;
};

static struct call calls[ENTRIES];

static void
make_call(uint64_t i, struct call *ret_call)
{
    static const int statuses[] = {200, 200, 400, 403, 503};
    const uint64_t mixed = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    struct call *m = ret_call;
    *m = (struct call){.rows = mixed >> 60, .http_status = statuses[(mixed >> 40) % 5]};
    m->allow = m->http_status < 403 || (m->http_status == 503 && (mixed >> 50 & 1) != 0);
    m->ns = 1 + (mixed >> 20) % (UINT64_C(1) << (i % 40));
    (void)snprintf(m->principal, sizeof m->principal, "desk-%u", (unsigned)(mixed >> 33) % 4);
    (void)snprintf(m->model, sizeof m->model, "model-%u", (unsigned)(mixed >> 36) % 3);
    (void)snprintf(m->version, sizeof m->version, "%u", 8 + (unsigned)(mixed >> 38) % 4);
    (void)snprintf(m->day, sizeof m->day, "2026-11-0%u", 1 + (unsigned)(i % DAYS));
}

static void
add(struct usage *u, struct arena *arena, struct view entry)
{
    const struct js_node *root = NULL;
    arena_reset(arena);
    assert_ok(js_flat(entry, NULL, arena, NULL, &root));
    assert_ok(usage_add(u, root));
}

static void
add_call(struct usage *u, struct arena *arena, const struct call *m)
{
    char time[40];
    int64_t ns = 0;
    DEFER(buf_done) struct buf entry;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    (void)snprintf(time, sizeof time, "%sT23:59:59.999999Z", m->day);
    assert_ok(clock_from_rfc3339(view_str(time), &ns));
    audit_event_put(&(struct audit_event){.time_ns = ns,
                                          .id = "x",
                                          .principal = m->principal,
                                          .action = "model.infer",
                                          .resource = "models/any",
                                          .model = m->model,
                                          .model_version = strtoull(m->version, NULL, 10),
                                          .allow = m->allow,
                                          .http_status = m->http_status,
                                          .rows = m->rows,
                                          .duration_ns = (int64_t)m->ns},
                    &entry);
    add(u, arena, buf_view(&entry));
}

static bool
is_of(const struct call *m, const struct usage_row *r, const bool *by)
{
    const char *keys[USAGE_KEYS] = {m->principal, m->model, m->version, m->day};
    for (size_t k = 0; k < USAGE_KEYS; k++) {
        if (by[k] && strcmp(keys[k], r->key[k]) != 0) {
            return false;
        }
    }
    return true;
}

static int
compare_u64(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void
check_quantile(const uint64_t *sorted, size_t n, unsigned percent, double got)
{
    const double want = (double)sorted[(n * percent + 99) / 100 - 1];
    assert_true(fabs(got - want) <= want / 64);
}

static uint64_t
check_row(const struct usage_row *r, const bool *by)
{
    static uint64_t ns[ENTRIES];
    uint64_t n = 0, rows = 0, refused = 0, errors = 0;
    double sum = 0;
    for (size_t i = 0; i < ENTRIES; i++) {
        const struct call *m = &calls[i];
        if (is_of(m, r, by)) {
            ns[n++] = m->ns;
            sum += (double)m->ns;
            rows += m->rows;
            refused += !m->allow && m->http_status < 500;
            errors += m->http_status >= 500 || m->http_status == 400;
        }
    }
    assert_true(n > 0);
    qsort(ns, n, sizeof *ns, compare_u64);
    assert_int_equal(r->calls, n);
    assert_int_equal(r->timed, n);
    assert_int_equal(r->rows, rows);
    assert_int_equal(r->refused, refused);
    assert_int_equal(r->errors, errors);
    assert_true(fabs(r->mean_ns - sum / (double)n) <= 1e-9 * r->mean_ns);
    check_quantile(ns, n, 50, r->p50_ns);
    check_quantile(ns, n, 95, r->p95_ns);
    check_quantile(ns, n, 99, r->p99_ns);
    return n;
}

static void
every_grouping_is_what_counting_again_gives(void **state)
{
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA);
    for (unsigned mask = 0; mask < 1u << USAGE_KEYS; mask++) {
        bool by[USAGE_KEYS];
        uint64_t total = 0;
        for (size_t k = 0; k < USAGE_KEYS; k++) {
            by[k] = (mask >> k & 1) != 0;
        }
        DEFER(usage_freep) struct usage *u = usage_new(by, USAGE_MOST_GROUPS);
        for (size_t i = 0; i < ENTRIES; i++) {
            make_call(i, &calls[i]);
            add_call(u, arena, &calls[i]);
        }
        for (size_t i = 0; i < usage_count(u); i++) {
            struct usage_row r;
            usage_row(u, i, &r);
            assert_false(r.other);
            total += check_row(&r, by);
        }
        assert_int_equal(total, ENTRIES);
    }
}

static void
groups_behind_the_limit_are_one_and_lose_no_call(void **state)
{
    (void)state;
    const bool by[USAGE_KEYS] = {[USAGE_MODEL] = true};
    struct usage_row r;
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA);
    DEFER(usage_freep) struct usage *u = usage_new(by, USAGE_MOST_GROUPS);
    for (unsigned i = 0; i < 3 * USAGE_MOST_GROUPS; i++) {
        struct call m;
        make_call(i, &m);
        (void)snprintf(m.model, sizeof m.model, "m-%04u", i);
        add_call(u, arena, &m);
    }
    assert_int_equal(usage_count(u), USAGE_MOST_GROUPS + 1);
    usage_row(u, USAGE_MOST_GROUPS - 1, &r);
    assert_string_equal(r.key[USAGE_MODEL], "m-0999");
    assert_int_equal(r.calls, 1);
    usage_row(u, USAGE_MOST_GROUPS, &r);
    assert_true(r.other);
    assert_int_equal(r.calls, 2 * USAGE_MOST_GROUPS);
}

static void
tokens_are_those_that_entries_tell(void **state)
{
    (void)state;
    const bool by[USAGE_KEYS] = {[USAGE_MODEL] = true};
    struct usage_row r;
    json_t *o = NULL;
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA);
    DEFER(usage_freep) struct usage *u = usage_new(by, 10);
    add(u, arena, view_str("{\"http_status\":200,\"model\":\"a\"}"));
    add(u, arena,
        view_str("{\"http_status\":200,\"model\":\"b\",\"prompt_tokens\":7,"
                 "\"completion_tokens\":5,\"total_tokens\":13}"));
    add(u, arena,
        view_str("{\"http_status\":200,\"model\":\"b\",\"prompt_tokens\":100,"
                 "\"completion_tokens\":-5}"));
    add(u, arena, view_str("{\"http_status\":200,\"model\":\"b\",\"total_tokens\":\"9\"}"));
    usage_row(u, 0, &r);
    assert_int_equal(r.told, 0);
    usage_row(u, 1, &r);
    assert_int_equal(r.calls, 3);
    assert_int_equal(r.told, 2);
    assert_int_equal(r.tokens, 113);
    assert_ok(usage_json(u, &o));
    const json_t *groups = json_object_get(o, "groups");
    assert_true(json_is_null(json_object_get(json_array_get(groups, 0), "tokens")));
    assert_int_equal(json_integer_value(json_object_get(json_array_get(groups, 1), "tokens")), 113);
    json_decref(o);
}

static void
strange_entries_are_taken_as_they_are(void **state)
{
    (void)state;
    const bool by[USAGE_KEYS] = {true, true, true, true};
    struct usage_row r;
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA);
    DEFER(usage_freep) struct usage *u = usage_new(by, 10);
    add(u, arena, view_str("{\"action\":\"model.write\",\"decision\":\"allow\"}"));
    assert_int_equal(usage_count(u), 0);
    add(u, arena,
        view_str("{\"v\":1,\"time\":\"20\",\"principal\":7,\"decision\":\"allow\","
                 "\"resource\":\"models/old\",\"http_status\":200,\"rows\":-3,"
                 "\"duration_ns\":9223372036854775807}"));
    assert_int_equal(usage_count(u), 1);
    usage_row(u, 0, &r);
    assert_string_equal(r.key[USAGE_PRINCIPAL], "");
    assert_string_equal(r.key[USAGE_MODEL], "old");
    assert_string_equal(r.key[USAGE_DAY], "20");
    assert_int_equal(r.rows, 0);
    assert_true(fabs(r.p99_ns / 9223372036854775807.0 - 1) <= 1.0 / 64);
}

/* Of a log it is told as of how much, the entries that no checkpoint covers yet, too; of what is no
 * log it is not. */
static void
what_is_read_of_a_log_says_as_of_how_much(void **state)
{
    (void)state;
    const int64_t now = INT64_C(1772366400) * NS_PER_S; /* 2026-03-01 at 12:00 UTC */
    const struct usage_question all = {.since = "7d"}, none = {.principal = "nobody"};
    const bool by[USAGE_KEYS] = {[USAGE_MODEL] = true};
    struct diag diag = {0};
    json_t *o = NULL;
    DEFER(testing_dirp) char *home = testing_dir();
    fixture_log(home, 300, 7);
    for (int i = 0; i < 2; i++) {
        DEFER(usage_freep) struct usage *u = NULL;
        assert_ok(usage_read(home, i == 0 ? &all : &none, now, NULL, &diag, &u));
        assert_ok(usage_json(u, &o));
        const json_t *as_of = json_object_get(o, "as_of");
        assert_int_equal(json_integer_value(json_object_get(as_of, "entries")), 307);
        assert_string_equal(json_string_value(json_object_get(as_of, "time")),
                            "2026-03-01T12:00:00.000000Z");
        json_decref(o);
    }
    DEFER(usage_freep) struct usage *bare = usage_new(by, 10);
    assert_ok(usage_json(bare, &o));
    assert_null(json_object_get(o, "as_of"));
    json_decref(o);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_grouping_is_what_counting_again_gives),
        cmocka_unit_test(groups_behind_the_limit_are_one_and_lose_no_call),
        cmocka_unit_test(tokens_are_those_that_entries_tell),
        cmocka_unit_test(strange_entries_are_taken_as_they_are),
        cmocka_unit_test(what_is_read_of_a_log_says_as_of_how_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
