/* Searching: what the index finds is what reading every entry finds, whatever has become of the
 * index; and a log that was changed is not searched in silence. */
#include "fixture.h"

#include "base/clock.h"
#include "base/file.h"
#include "govern/index.h"
#include "govern/search.h"
#include "govern/tile.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define INDEXED (2u * INDEX_ENTRIES)
#define ENTRIES (INDEXED + 300u)
#define PENDING 5u
#define START_NS (INT64_C(1760000000) * NS_PER_S)
#define SUBJECT "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static char *home, *made; /* made once, copied for each test */

static void
put_entry(uint64_t i, struct buf *b)
{
    char id[32], principal[32];
    (void)snprintf(id, sizeof id, "call-%llu", (unsigned long long)i);
    (void)snprintf(principal, sizeof principal, i % 5000 == 17 ? "rare" : "desk-%llu",
                   (unsigned long long)(i % 7));
    const bool erases = i == 20000;
    audit_event_put(&(struct audit_event){.time_ns = START_NS + (int64_t)i * NS_PER_S,
                                          .id = id,
                                          .principal = principal,
                                          .action = erases ? "dataset.erase" : "model.infer",
                                          .resource = erases ? "datasets/people" : "models/loans",
                                          .model = i % 3 == 0 ? "loans" : NULL,
                                          .allow = i % 11 != 0,
                                          .http_status = i % 11 != 0 ? 200 : 403,
                                          .reason = erases ? "subject=" SUBJECT " rows=3 erasure"
                                                           : "role caller on models/loans"},
                    b);
}

static void
append(struct audit *a, uint64_t from, uint64_t to)
{
    struct diag diag = {0};
    uint64_t ticket = 0;
    DEFER(buf_done) struct buf entry;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    for (uint64_t i = from; i < to; i++) {
        buf_reset(&entry);
        put_entry(i, &entry);
        if (i + 1 == to || i % 1000 == 999) {
            assert_ok(audit_append(a, buf_view(&entry), &diag));
        } else {
            assert_ok(audit_queue(a, buf_view(&entry), &ticket));
        }
    }
}

static int
set_up_all(void **state)
{
    (void)state;
    struct diag diag = {0};
    struct search_index_report r;
    fixture_in_memory();
    made = testing_dir();
    home = testing_dir();
    struct audit *a = fixture_open(made, 3600 * NS_PER_S);
    append(a, 0, ENTRIES);
    assert_ok(audit_close(a, &diag)); /* nothing is published or tidied up while it is copied */
    a = fixture_open(made, 3600 * NS_PER_S);
    append(a, ENTRIES, ENTRIES + PENDING);
    /* As a process that is killed leaves it: the last few are in the journal. */
    testing_copy_dir(made, home);
    assert_ok(audit_close(a, &diag));
    testing_copy_dir(home, made);
    assert_ok(search_index(made, false, &diag, &r));
    assert_int_equal(r.segments, 2);
    assert_int_equal(r.made, 2);
    return 0;
}

static int
tear_down_all(void **state)
{
    (void)state;
    testing_dirp(&made);
    testing_dirp(&home);
    return 0;
}

static int
set_up(void **state)
{
    (void)state;
    testing_copy_dir(made, home);
    return 0;
}

static bool
holds(const char *text, const struct audit_event *e)
{
    const struct js_node *root = NULL;
    struct diag diag = {0};
    DEFER(arena_freep) struct arena *arena = arena_new(1u << 20);
    DEFER(query_done) struct query q = {0};
    DEFER(buf_done) struct buf entry;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    audit_event_put(e, &entry);
    assert_ok(js_flat(buf_view(&entry), "entry", arena, &diag, &root));
    assert_ok(query_parse(view_str(text), START_NS, &diag, &q));
    return query_holds(&q, root);
}

static void
tokens_and_guards_are_found(void **state)
{
    (void)state;
    const struct audit_guard guard = {"input", "refused", "unknown category"};
    const struct audit_event plain = {.reason = "input"},
                             refused = {.guard = &guard, .reason = "malformed body"},
                             text = {
                                 .prompt_tokens = 70, .completion_tokens = 5, .total_tokens = 75};
    const struct audit_event rounded = {.output = "rounded"};
    assert_true(holds("output=rounded", &rounded));
    assert_false(holds("output=class", &rounded));
    assert_false(holds("output=rounded", &plain));
    assert_true(holds("guard=input", &refused));
    assert_true(holds("guard_rule=\"unknown category\" guard=input", &refused));
    assert_false(holds("guard=input", &plain));
    assert_false(holds("guard=refused", &refused));
    assert_false(holds("guard!=input", &refused));
    assert_true(holds("guard!=input", &plain));
    assert_true(holds("total_tokens>=75 prompt_tokens=70 completion_tokens<6", &text));
    assert_false(holds("total_tokens>=0", &plain));
}

/* ---- searching ---- */

static atomic_bool stop;
static bool stops_when_found; /* the first one */

struct list {
    uint64_t at[ENTRIES + PENDING];
    size_t count;
};

static struct status
note(void *ctx, uint64_t index, struct view entry)
{
    struct list *l = ctx;
    DEFER(buf_done) struct buf own;
    buf_init(&own, AUDIT_MAX_ENTRY);
    put_entry(index, &own);
    assert_true(view_equal(entry, buf_view(&own)));
    l->at[l->count++] = index;
    atomic_store(&stop, stops_when_found);
    return OK;
}

static struct status
search(const char *text, struct search_options o, struct list *l, struct search_stats *ret_stats,
       struct diag *diag)
{
    DEFER(query_done) struct query q = {0};
    l->count = 0;
    assert_ok(query_parse(view_str(text), START_NS, diag, &q));
    return search_run(home, &q, &o, note, l, diag, ret_stats);
}

static const char *const queries[] = {
    "",
    "principal=rare",
    "principal=desk-3 decision=deny",
    "principal=nobody",
    "model=loans http_status>=400 principal=desk-1",
    ("subject=" SUBJECT),
    "action=dataset.erase",
    "id=call-32901",
    "id=call-33070",
    "principal!=desk-1 decision=deny model=loans",
    "ERASURE",
    "\"rows=3 erasure\" principal=desk-1",
    "time>=2025-10-09T14:00:00Z time<2025-10-09T14:01:00Z",
};

/* Nothing is hidden, and nothing else is found: reading every entry says the same. */
static void
assert_finds_all(const char *text, struct search_stats *ret_stats)
{
    static struct list found, all;
    struct diag diag = {0};
    struct search_stats scanned;
    for (int newest = 0; newest < 2; newest++) {
        const struct search_options o = {.newest_first = newest == 1};
        assert_ok(search(text, o, &found, ret_stats, &diag));
        assert_ok(search(text, (struct search_options){.scan = true}, &all, &scanned, &diag));
        assert_int_equal(scanned.looked_at, ENTRIES + PENDING);
        assert_int_equal(found.count, all.count);
        for (size_t i = 0; i < all.count; i++) {
            assert_int_equal(found.at[newest == 1 ? all.count - 1 - i : i], all.at[i]);
        }
    }
}

static void
finds_what_reading_all_finds(void **state)
{
    (void)state;
    struct search_stats s;
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        assert_finds_all(queries[i], &s);
        assert_int_equal(s.entries, ENTRIES + PENDING);
        assert_int_equal(s.unindexed, ENTRIES - INDEXED + PENDING);
        assert_int_equal(s.refused, 0);
    }
}

static void
reads_few_entries_for_a_rare_principal(void **state)
{
    (void)state;
    struct search_stats indexed, scanned;
    static struct list l;
    struct diag diag = {0};
    assert_ok(search("principal=rare", (struct search_options){0}, &l, &indexed, &diag));
    assert_int_equal(l.count, 7);
    assert_int_equal(indexed.looked_at, 7 + ENTRIES - INDEXED + PENDING);
    assert_ok(search("principal=rare", (struct search_options){.scan = true}, &l, &scanned, &diag));
    assert_true(indexed.bytes * 4 < scanned.bytes);
    /* The newest of many, without the others. */
    assert_ok(search("principal=desk-1", (struct search_options){.newest_first = true, .most = 3},
                     &l, &indexed, &diag));
    assert_int_equal(l.count, 3);
    assert_true(indexed.looked_at < 40);
}

/* ---- an index that is not the log's ---- */

static void
flip(const char *path, size_t at)
{
    DEFER(buf_done) struct buf b;
    buf_init(&b, 64u << 20);
    testing_read(path, &b);
    assert_true(at < b.len);
    b.ptr[at] ^= 0x40;
    testing_write(path, buf_view(&b));
}

static size_t
size_of(const char *path)
{
    DEFER(buf_done) struct buf b;
    buf_init(&b, 64u << 20);
    testing_read(path, &b);
    return b.len;
}

/* In the head every byte counts; behind it, some hundred places. */
static void
a_changed_byte_of_the_index_hides_nothing(void **state)
{
    (void)state;
    struct search_stats s;
    static struct list l;
    struct diag diag = {0};
    DEFER(file_freep) char *path = index_path(home, 1);
    const size_t size = size_of(path);
    size_t told = 0;
    for (size_t at = 0; at < size; at += at < 400 ? 13 : size / 60) {
        flip(path, at);
        assert_ok(search("principal=rare", (struct search_options){0}, &l, &s, &diag));
        assert_int_equal(l.count, 7);
        assert_ok(search("subject=" SUBJECT, (struct search_options){0}, &l, &s, &diag));
        assert_int_equal(l.count, 1);
        told += s.refused > 0;
        flip(path, at);
    }
    assert_true(told > 20);
    assert_int_equal(truncate(path, (off_t)size / 2), 0);
    assert_finds_all("principal=rare", &s);
}

static void
a_segment_of_another_place_or_log_is_not_believed(void **state)
{
    (void)state;
    struct search_stats s;
    struct diag diag = {0};
    struct search_index_report r;
    DEFER(buf_done) struct buf first;
    DEFER(file_freep) char *zero = index_path(home, 0);
    DEFER(file_freep) char *one = index_path(home, 1);
    buf_init(&first, 64u << 20);
    testing_read(zero, &first);
    testing_write(one, buf_view(&first));
    assert_finds_all("principal=rare", &s);
    assert_int_equal(s.refused, 1);
    assert_int_equal(unlink(zero), 0);
    assert_finds_all("principal=rare", &s);
    assert_int_equal(s.unindexed, ENTRIES + PENDING);
    assert_ok(search_index(home, false, &diag, &r));
    assert_int_equal(r.made, 2);
    assert_finds_all("principal=rare", &s);
    assert_int_equal(s.refused, 0);
}

/* Somebody who knows the format leaves an entry out, and makes every digest fit: it takes making
 * the segment again to see that. */
static void
checking_finds_a_forged_segment(void **state)
{
    (void)state;
    struct search_index_report r;
    struct diag diag = {0};
    struct index_head h;
    struct digest digest;
    uint64_t bytes = 0;
    DEFER(buf_done) struct buf forged;
    DEFER(buf_done) struct buf entry;
    DEFER(index_build_freep) struct index_build *b = index_build_new();
    DEFER(file_freep) char *path = index_path(home, 1);
    buf_init(&forged, 64u << 20);
    buf_init(&entry, AUDIT_MAX_ENTRY);
    assert_ok(index_head_read(home, 1, &h, &bytes));
    index_build_begin(b);
    for (uint64_t i = 0; i < INDEX_ENTRIES; i++) {
        buf_reset(&entry);
        put_entry(i == 20000 - INDEX_ENTRIES ? 1 : INDEX_ENTRIES + i, &entry);
        assert_ok(index_build_add(b, buf_view(&entry)));
    }
    assert_ok(index_build_end(b, 1, &h.root, &h.before, &forged, &digest));
    testing_write(path, buf_view(&forged));
    assert_ok(search_index(home, false, &diag, &r));
    assert_int_equal(r.made, 0);
    assert_ok(search_index(home, true, &diag, &r));
    assert_int_equal(r.differing, 1);
    assert_ok(search_index(home, true, &diag, &r));
    assert_int_equal(r.differing, 0);
}

/* ---- stopping ---- */

/* Where no entry is tried, either: it reads what a search of the first segment alone does. */
static void
ends_between_segments_when_it_is_stopped(void **state)
{
    (void)state;
    static struct list l;
    struct search_stats first, s;
    struct diag diag = {0};
    const char *one = "id=call-100";
    assert_ok(search(one, (struct search_options){.to = INDEX_ENTRIES}, &l, &first, &diag));
    assert_int_equal(l.count, 1);
    atomic_store(&stop, false);
    stops_when_found = true;
    assert_status(search(one, (struct search_options){.stop = &stop}, &l, &s, &diag), BUSY);
    stops_when_found = false;
    assert_int_equal(l.count, 1);
    assert_int_equal(s.bytes, first.bytes);
    /* Before the first one, it reads no segment's head. */
    const struct search_options scan = {.stop = &stop, .scan = true};
    assert_status(search(one, scan, &l, &first, &diag), BUSY);
    assert_status(search(one, (struct search_options){.stop = &stop}, &l, &s, &diag), BUSY);
    assert_int_equal(s.bytes, first.bytes);
}

#define PERSONS 32u /* of each entry of a segment with long lists: 8 MB */

/* In the place of the second segment. */
static void
put_long_segment(uint32_t *ret_list_bytes)
{
    struct index_head h;
    struct digest digest;
    uint64_t bytes = 0;
    DEFER(buf_done) struct buf segment;
    DEFER(buf_done) struct buf entry;
    DEFER(index_build_freep) struct index_build *b = index_build_new();
    DEFER(file_freep) char *path = index_path(home, 1);
    buf_init(&segment, 64u << 20);
    buf_init(&entry, AUDIT_MAX_ENTRY);
    assert_ok(index_head_read(home, 1, &h, &bytes));
    index_build_begin(b);
    for (unsigned i = 0; i < INDEX_ENTRIES; i++) {
        buf_reset(&entry);
        buf_put_str(&entry, "{\"reason\":\"");
        for (unsigned k = 0; k < PERSONS; k++) {
            buf_printf(&entry, "subject=%064x ", i * PERSONS + k);
        }
        buf_put_str(&entry, "\"}");
        assert_ok(index_build_add(b, buf_view(&entry)));
    }
    assert_ok(index_build_end(b, 1, &h.root, &h.before, &segment, &digest));
    testing_write(path, buf_view(&segment));
    assert_ok(index_head_read(home, 1, &h, &bytes));
    *ret_list_bytes = h.section[QUERY_SUBJECT].length;
}

static const struct search_stats *volatile watched;
static volatile uint64_t stops_after; /* bytes */

static void
on_tick(int number)
{
    (void)number;
    if (watched->bytes >= stops_after) {
        atomic_store(&stop, true);
    }
}

/* Ticks of the process's own time, so that it is the same on a busy machine. */
static void
tick(suseconds_t us)
{
    const struct itimerval t = {.it_interval.tv_usec = us, .it_value.tv_usec = us};
    struct sigaction a = {.sa_handler = us == 0 ? SIG_IGN : on_tick, .sa_flags = SA_RESTART};
    assert_int_equal(sigaction(SIGPROF, &a, NULL), 0);
    assert_int_equal(setitimer(ITIMER_PROF, &t, NULL), 0);
}

/* Each term has a list of 8 MB there. */
static void
ends_within_a_segment_when_it_is_stopped(void **state)
{
    (void)state;
    static struct list l;
    static struct search_stats s;
    struct diag diag = {0};
    uint32_t list_bytes = 0;
    DEFER(buf_done) struct buf text;
    buf_init(&text, QUERY_MOST_BYTES);
    for (unsigned i = 0; i < QUERY_MOST_TERMS; i++) {
        buf_printf(&text, "subject=%064x ", i);
    }
    put_long_segment(&list_bytes);
    assert_true(list_bytes > 8000000);
    s.bytes = 0;
    watched = &s;
    stops_after = list_bytes;
    atomic_store(&stop, false);
    tick(1000);
    const struct search_options o = {.stop = &stop, .newest_first = true};
    const struct status ended = search(buf_str(&text), o, &l, &s, &diag);
    tick(0);
    assert_status(ended, BUSY);
    assert_true(s.bytes >= list_bytes);
    assert_true(s.bytes < UINT64_C(12) * list_bytes);
}

/* ---- a log that was changed ---- */

static void
an_entry_that_was_changed_ends_the_search(void **state)
{
    (void)state;
    static struct list l;
    struct search_stats s;
    struct diag diag = {0};
    DEFER(file_freep) char *path = file_join(home, "tree/entries");
    DEFER(buf_done) struct buf bundle;
    buf_init(&bundle, 16u << 20);
    testing_read(path, &bundle);
    uint64_t begin = 0;
    assert_ok(tile_bundle_begins(home, 1, NULL, &begin));
    uint8_t *at = memmem(bundle.ptr + begin, bundle.len - begin, "desk-", 5);
    assert_non_null(at);
    memcpy(at, "mask-", 5);
    testing_write(path, buf_view(&bundle));
    assert_status(search("principal=desk-1", (struct search_options){0}, &l, &s, &diag), INTEGRITY);
    assert_says(&diag, "entries 256 to 511 are not those that the tree has");
    assert_status(search("x", (struct search_options){.scan = true}, &l, &s, &diag), INTEGRITY);
}

/* ---- queries ---- */

static void
refuses_what_is_no_query(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } wrong[] = {
        {"prncipal=x", "letter 10: there is no field \"prncipal\"; did you mean principal"},
        {"principal=", "at least a letter"},
        {"principal<x", "a text is compared with = and !="},
        {"http_status=abc", "a whole number"},
        {"rows>-1", "a whole number"},
        {"time>=yesterday", "a time is"},
        {"\"open", "the quotes are not closed"},
        {"\"a\\n\"", "a backslash stands before"},
        {"\"a\"\"b\"", "a blank is needed"},
        {"a a a a a a a a a a a a a a a a a", "more than 16 terms"},
        {"\xff", "UTF-8"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct query q = {0};
        struct diag diag = {0};
        assert_status(query_parse(view_str(wrong[i].text), START_NS, &diag, &q), INPUT);
        assert_says(&diag, wrong[i].says);
        assert_null(q.arena);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_no_query),
        cmocka_unit_test(tokens_and_guards_are_found),
        cmocka_unit_test_setup(finds_what_reading_all_finds, set_up),
        cmocka_unit_test_setup(reads_few_entries_for_a_rare_principal, set_up),
        cmocka_unit_test_setup(a_changed_byte_of_the_index_hides_nothing, set_up),
        cmocka_unit_test_setup(a_segment_of_another_place_or_log_is_not_believed, set_up),
        cmocka_unit_test_setup(checking_finds_a_forged_segment, set_up),
        cmocka_unit_test_setup(ends_between_segments_when_it_is_stopped, set_up),
        cmocka_unit_test_setup(ends_within_a_segment_when_it_is_stopped, set_up),
        cmocka_unit_test_setup(an_entry_that_was_changed_ends_the_search, set_up),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
