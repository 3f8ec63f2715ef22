#include "testing/testing.h"

#include "base/clock.h"
#include "govern/audit.h"
#include "govern/quota.h"

#include <stdio.h>
#include <string.h>

static void
refuses(const char *item, const char *why)
{
    struct quota q;
    struct diag diag = {0};
    assert_int_equal(quota_parse(view_str(item), &diag, &q).code, STATUS_INPUT);
    assert_text_has(diag.text, why);
}

static void
a_line_that_is_none_is_refused_with_its_form(void **state)
{
    (void)state;
    refuses("", "it begins with a name");
    refuses("Desk 1 calls/day", "it begins with a name");
    refuses("desk", "a whole number");
    refuses("desk many calls/day", "a whole number");
    refuses("desk -1 calls/day", "a whole number");
    refuses("desk 1000000000000001 calls/day", "a whole number");
    refuses("desk 1", "such as rows/day");
    refuses("desk 1 calls/week", "such as rows/day");
    refuses("desk 1 calls", "such as rows/day");
    refuses("desk 1 tokens", "such as rows/day");
    refuses("desk 1 calls/day principal=", "each once");
    refuses("desk 1 calls/day principal=A", "each once");
    refuses("desk 1 calls/day principal=a group=b", "each once");
    refuses("desk 1 calls/day each each", "each once");
    refuses("desk 1 calls/day model=a model=b", "each once");
    refuses("desk 1 calls/day every", "NAME MOST calls|rows|tokens/minute");
}

static struct quota
parsed(const char *item)
{
    struct quota q;
    struct diag diag = {0};
    assert_ok(quota_parse(view_str(item), &diag, &q));
    return q;
}

static void
a_line_says_how_much_of_what_for_whom(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf text;
    buf_init(&text, 512);
    struct quota q = parsed("desk  10000 rows/month role=caller each model=loans");
    assert_string_equal(q.name, "desk");
    assert_int_equal(q.most, 10000);
    assert_int_equal(q.of, QUOTA_OF_ROLE);
    assert_string_equal(q.count, "desk rows/month/each");
    quota_put(&q, &text);
    assert_string_equal(buf_str(&text), "10000 rows/month of role caller on model loans, each");
    q = parsed("all 0 calls/minute");
    assert_int_equal(q.most, 0);
    assert_int_equal(q.of, QUOTA_OF_ALL);
    assert_false(q.each);
    assert_string_equal(q.count, "all calls/minute");
}

static int64_t
at(const char *time)
{
    int64_t ns = 0;
    assert_ok(clock_from_rfc3339(view_str(time), &ns));
    return ns;
}

static void
windows_are_those_of_utc(void **state)
{
    (void)state;
    static const struct {
        enum quota_span span;
        const char *time, *window, *end;
    } rows[] = {
        {QUOTA_MINUTE, "2026-11-26T23:59:59.999999Z", "2026-11-26T23:59", "2026-11-27T00:00:00Z"},
        {QUOTA_HOUR, "2026-12-31T23:00:00Z", "2026-12-31T23", "2027-01-01T00:00:00Z"},
        {QUOTA_DAY, "2028-02-28T12:00:00Z", "2028-02-28", "2028-02-29T00:00:00Z"},
        {QUOTA_DAY, "2028-02-29T12:00:00Z", "2028-02-29", "2028-03-01T00:00:00Z"},
        {QUOTA_MONTH, "2027-02-28T23:59:59Z", "2027-02", "2027-03-01T00:00:00Z"},
        {QUOTA_MONTH, "2026-11-01T00:00:00Z", "2026-11", "2026-12-01T00:00:00Z"},
        {QUOTA_MONTH, "2026-12-31T00:00:00Z", "2026-12", "2027-01-01T00:00:00Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char window[QUOTA_WINDOW_MAX];
        quota_window(rows[i].span, at(rows[i].time), window);
        assert_string_equal(window, rows[i].window);
        assert_int_equal(quota_window_end(window), at(rows[i].end));
    }
}

static void
put_entry_of(struct quota_book *b, const char *principal, uint64_t rows, uint64_t tokens,
             const char *quotas)
{
    DEFER(buf_done) struct buf entry;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    const struct audit_event e = {.time_ns = at("2026-11-26T10:00:00Z"),
                                  .principal = principal,
                                  .action = "model.infer",
                                  .resource = "models/loans",
                                  .allow = true,
                                  /* what a text says is not what the entry says */
                                  .purpose = "\"quotas\":[\"fair calls/day 2026-11-26\"]",
                                  .http_status = 200,
                                  .rows = rows,
                                  .prompt_tokens = tokens / 3,
                                  .completion_tokens = tokens - tokens / 3,
                                  .total_tokens = tokens,
                                  .quotas = quotas};
    audit_event_put(&e, &entry);
    assert_ok(buf_status(&entry));
    assert_ok(quota_book_add(b, buf_view(&entry)));
}

static void
put_entry(struct quota_book *b, const char *principal, uint64_t rows, const char *quotas)
{
    put_entry_of(b, principal, rows, 0, quotas);
}

static const json_t *
counts_of(const json_t *o, size_t quota)
{
    return json_object_get(json_array_get(json_object_get(o, "quotas"), quota), "counts");
}

static void
assert_count(const json_t *o, size_t quota, size_t place, const char *principal, json_int_t used,
             json_int_t left, const char *renews)
{
    const json_t *c = json_array_get(counts_of(o, quota), place);
    const char *who = json_string_value(json_object_get(c, "principal"));
    assert_string_equal(who == NULL ? "" : who, principal);
    assert_int_equal(json_integer_value(json_object_get(c, "used")), used);
    assert_int_equal(json_integer_value(json_object_get(c, "left")), left);
    assert_text_has(json_string_value(json_object_get(c, "renews")), renews);
}

static void
tokens_are_counted_as_entries_tell_them(void **state)
{
    (void)state;
    static const char counted[] = "talk tokens/day 2026-11-26\neach tokens/day/each 2026-11-26\n"
                                  "rows rows/day 2026-11-26\n";
    DEFER(quota_book_freep) struct quota_book *b = quota_book_new();
    const struct quota list[] = {parsed("talk 100 tokens/day"), parsed("each 9 tokens/day each"),
                                 parsed("rows 5 rows/day")};
    json_t *o = NULL;
    assert_int_equal(list[0].unit, QUOTA_TOKENS);
    put_entry_of(b, "ann", 2, 40, counted);
    put_entry_of(b, "bob", 0, 7, counted);
    put_entry_of(b, "ann", 1, 0, counted); /* a model that counts none */
    put_entry_of(b, "ann", 0, 40, NULL);
    assert_ok(quota_book_add(b, view_str("{\"principal\":\"bob\",\"prompt_tokens\":1,"
                                         "\"quotas\":[\"each tokens/day/each 2026-11-26\"]}")));
    assert_ok(quota_book_json(b, list, 3, at("2026-11-26T11:00:00Z"), &o));
    assert_count(o, 0, 0, "", 47, 53, "2026-11-27T00:00:00");
    assert_count(o, 1, 0, "ann", 40, 0, "2026-11-27T00:00:00");
    assert_count(o, 1, 1, "bob", 8, 1, "2026-11-27T00:00:00");
    assert_count(o, 2, 0, "", 3, 2, "2026-11-27T00:00:00");
    json_decref(o);
}

static void
entries_tell_what_was_used_in_the_newest_window(void **state)
{
    (void)state;
    struct quota_book *b = quota_book_new();
    const struct quota fair = parsed("fair 100 rows/day each"), all = parsed("all 9 calls/hour");
    assert_null(quota_book_next(b, &fair, NULL));
    put_entry(b, "ann", 7, "fair rows/day/each 2026-11-26\nall calls/hour 2026-11-26T10\n");
    put_entry(b, "bob", 5, "fair rows/day/each 2026-11-26\nall calls/hour 2026-11-26T10\n");
    put_entry(b, "ann", 3, NULL);
    /* The loops' entries stand in any order: one of a window that was over counts no more. */
    put_entry(b, "ann", 4, "fair rows/day/each 2026-11-27\n");
    put_entry(b, "ann", 50, "fair rows/day/each 2026-11-26\n");
    const struct quota_count *ann = quota_book_count(b, fair.count, "ann");
    assert_string_equal(ann->window, "2026-11-27");
    assert_int_equal(ann->used, 4);
    assert_int_equal(quota_book_count(b, fair.count, "bob")->used, 5);
    assert_int_equal(quota_book_count(b, all.count, "")->used, 2);
    size_t counts = 0;
    for (const struct quota_count *c = quota_book_next(b, &fair, NULL); c != NULL;
         c = quota_book_next(b, &fair, c)) {
        counts++;
    }
    assert_int_equal(counts, 2);
    assert_ok(quota_book_add(b, view_str("{\"quotas\":[\"")));
    assert_ok(quota_book_add(b, view_str("{\"quotas\":[\"x\",7,\"a b\"]}")));
    quota_book_free(b);
}

static void
what_is_left_is_told_of_the_window_that_is_now(void **state)
{
    (void)state;
    DEFER(quota_book_freep) struct quota_book *b = quota_book_new();
    const struct quota list[] = {parsed("fair 6 rows/day each"), parsed("all 9 calls/hour"),
                                 parsed("new 3 calls/month")};
    json_t *o = NULL;
    put_entry(b, "ann", 2, "fair rows/day/each 2026-11-26\nall calls/hour 2026-11-26T10\n");
    put_entry(b, "bob", 7, "fair rows/day/each 2026-11-26\n");
    put_entry(b, "old", 7, "fair rows/day/each 2026-11-25\n");
    put_entry(b, "carl", 2, "fair rows/day/each 2026-11-26\n");
    put_entry(b, "far", 1, "fair rows/day/each 2026-12-03\n"); /* when the clock was ahead */
    assert_ok(quota_book_json(b, list, 3, at("2026-11-26T11:00:00Z"), &o));
    assert_int_equal(json_array_size(counts_of(o, 0)), 4);
    assert_count(o, 0, 0, "bob", 7, 0, "2026-11-27T00:00:00"); /* its number was lowered */
    assert_count(o, 0, 1, "ann", 2, 4, "2026-11-27T00:00:00");
    assert_count(o, 0, 2, "carl", 2, 4, "2026-11-27T00:00:00");
    assert_count(o, 0, 3, "far", 1, 5, "2026-12-04T00:00:00");
    assert_count(o, 1, 0, "", 0, 9, "2026-11-26T12:00:00"); /* the hour is over */
    assert_count(o, 2, 0, "", 0, 3, "2026-12-01T00:00:00");
    json_decref(o);
    assert_ok(quota_book_json(b, list, 3, at("2026-11-27T00:00:00Z"), &o));
    assert_int_equal(json_array_size(counts_of(o, 0)), 1);
    json_decref(o);
    assert_ok(quota_book_json(NULL, NULL, 0, 0, &o));
    assert_int_equal(json_array_size(json_object_get(o, "quotas")), 0);
    json_decref(o);
}

static void
put_count(struct quota_book *b, const char *window, uint64_t used)
{
    if (*window != '\0') {
        struct quota_count *c = quota_book_count(b, "fair calls/day", "");
        quota_count_turn(c, window);
        c->used = used;
    }
}

/* What was believed, what the entries give, and what was counted since the start: "": no count. */
static void
counts_that_were_wrong_become_right_and_keep_what_came_since(void **state)
{
    (void)state;
    static const struct {
        const char *believed, *counted, *live, *becomes;
        unsigned was, is, used, left;
        size_t differing;
    } cases[] = {
        {"2026-11-26", "2026-11-26", "2026-11-26", "2026-11-26", 5, 5, 7, 7, 0},
        {"2026-11-26", "2026-11-26", "2026-11-26", "2026-11-26", 1, 5, 3, 7, 1},
        {"2026-11-26", "2026-11-26", "2026-11-26", "2026-11-26", 9, 5, 9, 5, 1},
        {"", "2026-11-26", "2026-11-26", "2026-11-26", 0, 5, 2, 7, 1},
        {"", "2026-11-26", "", "2026-11-26", 0, 5, 0, 5, 1},
        {"2026-11-25", "2026-11-26", "2026-11-26", "2026-11-26", 9, 5, 2, 7, 1},
        {"2026-11-25", "2026-11-26", "2026-11-25", "2026-11-26", 9, 5, 9, 5, 1},
        {"2026-11-26", "2026-11-26", "2026-11-27", "2026-11-27", 1, 5, 3, 3, 1},
        {"2999-01-01", "2026-11-26", "2999-01-01", "2026-11-26", 0, 5, 1, 6, 1},
        {"2026-11-26", "", "2026-11-26", "2026-11-26", 3, 0, 4, 1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        DEFER(quota_book_freep) struct quota_book *believed = quota_book_new();
        DEFER(quota_book_freep) struct quota_book *counted = quota_book_new();
        DEFER(quota_book_freep) struct quota_book *live = quota_book_new();
        size_t differing = 77;
        put_count(believed, cases[i].believed, cases[i].was);
        put_count(counted, cases[i].counted, cases[i].is);
        put_count(live, cases[i].live, cases[i].used);
        assert_ok(quota_book_correct(NULL, believed, counted, &differing));
        assert_int_equal(differing, cases[i].differing);
        assert_ok(quota_book_correct(live, believed, counted, &differing));
        assert_int_equal(differing, cases[i].differing);
        const struct quota_count *c = quota_book_count(live, "fair calls/day", "");
        assert_string_equal(c->window, cases[i].becomes);
        assert_int_equal(c->used, cases[i].left);
    }
}

static void
of_very_many_those_who_used_most_are_told(void **state)
{
    (void)state;
    DEFER(quota_book_freep) struct quota_book *b = quota_book_new();
    const struct quota q = parsed("fair 5000 rows/day each");
    json_t *o = NULL;
    for (unsigned i = 0; i < QUOTA_TOLD + 20; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "p%u", i);
        put_entry(b, name, 1 + i, "fair rows/day/each 2026-11-26\n");
    }
    assert_ok(quota_book_json(b, &q, 1, at("2026-11-26T11:00:00Z"), &o));
    assert_int_equal(json_array_size(counts_of(o, 0)), QUOTA_TOLD);
    assert_count(o, 0, 0, "p1019", 1020, 3980, "2026-11-27");
    assert_count(o, 0, QUOTA_TOLD - 1, "p20", 21, 4979, "2026-11-27");
    const json_t *first = json_array_get(json_object_get(o, "quotas"), 0);
    assert_int_equal(json_integer_value(json_object_get(first, "more")), 20);
    json_decref(o);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_that_is_none_is_refused_with_its_form),
        cmocka_unit_test(a_line_says_how_much_of_what_for_whom),
        cmocka_unit_test(windows_are_those_of_utc),
        cmocka_unit_test(entries_tell_what_was_used_in_the_newest_window),
        cmocka_unit_test(tokens_are_counted_as_entries_tell_them),
        cmocka_unit_test(what_is_left_is_told_of_the_window_that_is_now),
        cmocka_unit_test(counts_that_were_wrong_become_right_and_keep_what_came_since),
        cmocka_unit_test(of_very_many_those_who_used_most_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
