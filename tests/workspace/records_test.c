/* Records: versions, what the log has of them, incidents and their clock, reviews and the calls
 * that they are about, and what the workspace knows by itself. */
#include "testing/testing.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "workspace/datasets.h"
#include "workspace/incidents.h"
#include "workspace/record_facts.h"
#include "workspace/reviews.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR (INT64_C(3600) * NS_PER_S)

struct room {
    char *dir;
    struct workspace *w;
};

static int
set_up(void **state)
{
    struct room *r = calloc(1, sizeof *r);
    DEFER(secret_done) struct secret passphrase = {0};
    assert_non_null(r);
    r->dir = testing_dir();
    char home[512];
    (void)snprintf(home, sizeof home, "%s/home", r->dir);
    assert_ok(secret_from(view_str("a passphrase"), &passphrase));
    const struct workspace_init_options init = {.passphrase = &passphrase};
    const struct workspace_open_options open = {.passphrase = &passphrase, .reason = "a test"};
    assert_ok(workspace_init(home, &init, NULL));
    assert_ok(workspace_open(home, &open, NULL, &r->w));
    *state = r;
    return 0;
}

static int
tear_down(void **state)
{
    struct room *r = *state;
    workspace_close(r->w);
    testing_dirp(&r->dir);
    free(r);
    return 0;
}

static const char *
text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text == NULL ? "" : text;
}

/* ---- the log ---- */

struct last {
    json_t *entry;
};

static struct status
take_last(void *ctx, uint64_t index, struct view entry)
{
    (void)index;
    struct last *l = ctx;
    json_decref(l->entry);
    l->entry = NULL;
    return js_parse(entry, NULL, NULL, &l->entry);
}

static json_t *
last_entry(const struct room *r)
{
    struct last l = {0};
    uint64_t n = 0;
    DEFER(file_freep) char *dir = file_join(r->w->dir, "audit");
    assert_ok(audit_count(dir, &n, NULL));
    assert_ok(audit_each(dir, n - 1, n, take_last, &l, NULL));
    return l.entry;
}

/* An entry as a call leaves it; its number. */
static uint64_t
append_call(const struct room *r, const char *action, int http_status)
{
    DEFER(buf_done) struct buf entry;
    struct digest d = {{7}};
    const struct audit_event e = {.time_ns = clock_wall_ns(),
                                  .id = "0123456789abcdef",
                                  .principal = "desk",
                                  .action = action,
                                  .resource = "models/mortgage",
                                  .model_version = 3,
                                  .model_digest = &d,
                                  .allow = true,
                                  .http_status = http_status,
                                  .reason = "caller on **",
                                  .request = &d,
                                  .response = &d,
                                  .rows = 2};
    buf_init(&entry, AUDIT_MAX_ENTRY);
    audit_event_put(&e, &entry);
    assert_ok(audit_append(r->w->audit, buf_view(&entry), NULL));
    return audit_size(r->w->audit) - 1;
}

/* ---- answers ---- */

static void
each_write_is_a_version_with_an_entry(void **state)
{
    struct room *r = *state;
    DEFER(js_freep) json_t *first = NULL;
    DEFER(js_freep) json_t *second = NULL;
    DEFER(js_freep) json_t *got = NULL;
    DEFER(js_freep) json_t *entry = NULL;
    struct diag diag = {0};
    assert_ok(records_put(r->w, "impact", "mortgage", json_pack("{s:{s:s}}", "answers", "a", "1"),
                          "answers given", &diag, &first));
    assert_ok(records_put(r->w, "impact", "mortgage", json_pack("{s:{s:s}}", "answers", "a", "2"),
                          "answers given", &diag, &second));
    assert_int_equal(json_integer_value(json_object_get(second, "version")), 2);
    assert_ok(records_get(r->w, "impact", "mortgage", 1, &diag, &got));
    assert_true(json_equal(got, first));
    assert_text_has(text_of(got, "by"), "local:");
    entry = last_entry(r);
    assert_string_equal(text_of(entry, "action"), "record.write");
    assert_string_equal(text_of(entry, "resource"), "records/impact/mortgage");
    /* The digest in the entry is that of the record in its canonical form. */
    DEFER(buf_done) struct buf canonical;
    DEFER(buf_done) struct buf hex;
    struct digest digest;
    buf_init(&canonical, 1u << 16);
    buf_init(&hex, 128);
    assert_ok(js_put(&canonical, second));
    digest_of(buf_view(&canonical), &digest);
    digest_put_hex(&hex, &digest);
    assert_text_has(text_of(entry, "reason"), "version 2: answers given; sha256 ");
    assert_text_has(text_of(entry, "reason"), buf_str(&hex));
}

static void
what_is_not_there_is_told(void **state)
{
    struct room *r = *state;
    json_t *got = NULL;
    DEFER(js_freep) json_t *one = NULL;
    struct diag diag = {0};
    assert_status(records_get(r->w, "impact", "nothing", 0, &diag, &got), NOT_FOUND);
    assert_says(&diag, "there is no record impact of nothing yet");
    assert_ok(records_put(r->w, "impact", "one", json_object(), "answers given", NULL, &one));
    assert_status(records_get(r->w, "impact", "one", 2, &diag, &got), NOT_FOUND);
    assert_says(&diag, "no such version");
    assert_status(records_put(r->w, "impact", "../x", json_object(), "a", &diag, &got), INPUT);
}

/* ---- incidents ---- */

static struct incident_start
breach(const char *name, int64_t hours_ago)
{
    return (struct incident_start){.name = name,
                                   .title = "A laptop with an export was stolen",
                                   .rule = "gdpr-33",
                                   .aware_ns = clock_wall_ns() - hours_ago * HOUR};
}

static void
an_incident_goes_its_way(void **state)
{
    struct room *r = *state;
    const struct incident_start start = breach("laptop", 5);
    json_t *i = NULL;
    struct diag diag = {0};
    assert_ok(incident_open(r->w, &start, &diag, &i));
    assert_string_equal(text_of(json_object_get(i, "clock"), "state"), "running");
    const json_int_t left =
        json_integer_value(json_object_get(json_object_get(i, "clock"), "left_s"));
    assert_true(left <= 67 * 3600 && left > 66 * 3600);
    json_decref(MOVE(i));
    assert_status(incident_open(r->w, &start, &diag, &i), EXISTS);
    assert_status(incident_close(r->w, "laptop", "done", false, &diag, &i), INPUT);
    assert_says(&diag, "incident laptop was not reported; record its report first");
    assert_ok(incident_note(r->w, "laptop", "Disk was encrypted", &diag, &i));
    json_decref(MOVE(i));
    assert_status(incident_reported(r->w, "laptop", start.aware_ns - HOUR, "by form", &diag, &i),
                  INPUT);
    assert_says(&diag, "before the incident became known");
    assert_ok(incident_reported(r->w, "laptop", start.aware_ns + HOUR, "by form", &diag, &i));
    assert_string_equal(text_of(json_object_get(i, "clock"), "state"), "in time");
    json_decref(MOVE(i));
    assert_status(incident_reported(r->w, "laptop", clock_wall_ns(), "again", &diag, &i), INPUT);
    assert_ok(incident_close(r->w, "laptop", "key destroyed", false, &diag, &i));
    assert_int_equal(json_array_size(json_object_get(i, "notes")), 2);
    json_decref(MOVE(i));
    assert_status(incident_note(r->w, "laptop", "late", &diag, &i), INPUT);
    assert_says(&diag, "is closed");
}

static void
clocks_of_all_are_told(void **state)
{
    struct room *r = *state;
    const struct incident_start late = breach("a-late", 73), running = breach("b-runs", 71),
                                not = breach("c-not", 100);
    json_t *i = NULL;
    DEFER(js_freep) json_t *list = NULL;
    assert_ok(incident_open(r->w, &late, NULL, &i));
    json_decref(MOVE(i));
    assert_ok(incident_open(r->w, &running, NULL, &i));
    json_decref(MOVE(i));
    assert_ok(incident_open(r->w, &not, NULL, &i));
    json_decref(MOVE(i));
    assert_ok(incident_close(r->w, "c-not", "no risk to anybody", true, NULL, &i));
    json_decref(MOVE(i));
    assert_ok(incident_list(r->w, NULL, &list));
    static const char *const states[] = {"overdue", "running", "need not be reported"};
    size_t seen = 0, k;
    json_t *o = NULL;
    json_array_foreach(list, k, o)
    {
        const char *name = text_of(o, "name");
        for (size_t j = 0; j < 3; j++) {
            if (strcmp(name, (const char *[]){"a-late", "b-runs", "c-not"}[j]) == 0) {
                assert_string_equal(text_of(json_object_get(o, "clock"), "state"), states[j]);
                seen++;
            }
        }
    }
    assert_int_equal(seen, 3);
}

static void
an_incident_that_makes_no_sense_is_refused(void **state)
{
    struct room *r = *state;
    json_t *i = NULL;
    struct diag diag = {0};
    struct incident_start s = breach("future", -2);
    assert_status(incident_open(r->w, &s, &diag, &i), INPUT);
    assert_says(&diag, "lies in the future");
    s = breach("rule", 1);
    s.rule = "gdpr-99";
    assert_status(incident_open(r->w, &s, &diag, &i), INPUT);
    s = breach("model", 1);
    s.model = "nothing";
    assert_status(incident_open(r->w, &s, &diag, &i), NOT_FOUND);
    s = breach("title", 1);
    s.title = "";
    assert_status(incident_open(r->w, &s, &diag, &i), INPUT);
    s = breach("Bad Name", 1);
    assert_status(incident_open(r->w, &s, &diag, &i), INPUT);
}

/* ---- reviews ---- */

static struct review
override_of(uint64_t entry)
{
    return (struct review){.entry = entry,
                           .row = 2,
                           .ground = "override",
                           .outcome = "changed",
                           .reviewer = "A. Person",
                           .reason = "income was misread",
                           .decision = "granted"};
}

static void
a_review_is_tied_to_the_entry_of_its_call(void **state)
{
    struct room *r = *state;
    const struct review o = override_of(append_call(r, "model.infer", 200));
    DEFER(js_freep) json_t *review = NULL;
    DEFER(js_freep) json_t *of_model = NULL;
    DEFER(js_freep) json_t *of_other = NULL;
    assert_ok(review_add(r->w, &o, NULL, &review));
    assert_string_equal(text_of(review, "resource"), "models/mortgage");
    assert_string_equal(text_of(review, "call"), "0123456789abcdef");
    assert_int_equal(json_integer_value(json_object_get(review, "model_version")), 3);
    assert_int_equal(strlen(text_of(review, "response_sha256")), 64);
    assert_ok(review_list(r->w, "mortgage", &of_model));
    assert_ok(review_list(r->w, "other", &of_other));
    assert_int_equal(json_array_size(of_model), 1);
    assert_int_equal(json_array_size(of_other), 0);
}

static void
a_review_that_does_not_fit_its_call_is_refused(void **state)
{
    struct room *r = *state;
    json_t *review = NULL;
    struct diag diag = {0};
    struct review o = override_of(append_call(r, "model.infer", 400));
    assert_status(review_add(r->w, &o, &diag, &review), INPUT);
    assert_says(&diag, "is no call of a model that was answered");
    o.entry = append_call(r, "model.read", 200);
    assert_status(review_add(r->w, &o, &diag, &review), INPUT);
    o.entry = append_call(r, "model.infer", 200);
    o.row = 3;
    assert_status(review_add(r->w, &o, &diag, &review), INPUT);
    assert_says(&diag, "has 2 rows");
    o.row = 0;
    o.decision = NULL;
    assert_status(review_add(r->w, &o, &diag, &review), INPUT);
    assert_says(&diag, "needs what was decided instead");
    o.outcome = "kept";
    o.decision = "x";
    assert_status(review_add(r->w, &o, &diag, &review), INPUT);
    o.outcome = "perhaps";
    assert_status(review_add(r->w, &o, &diag, &review), INPUT);
    assert_says(&diag, "it is one of kept, changed");
    o = override_of(1000000);
    assert_status(review_add(r->w, &o, &diag, &review), NOT_FOUND);
    assert_says(&diag, "the log has no entry 1000000");
}

/* ---- facts ---- */

static void
the_workspace_tells_what_it_knows(void **state)
{
    struct room *r = *state;
    static const char *const sensitive[] = {"group"};
    const struct import_options data = {
        .label = "answer", .positive = "yes", .sensitive = sensitive, .sensitive_count = 1};
    struct dataset_info info;
    char path[512];
    DEFER(form_freep) struct form *f = NULL;
    DEFER(js_freep) json_t *facts = NULL;
    DEFER(buf_done) struct buf text;
    (void)snprintf(path, sizeof path, "%s/rows.csv", r->dir);
    testing_write(path, view_str("group,x,answer\na,1,yes\nb,2,no\na,3,yes\n"));
    assert_ok(dataset_add(r->w, "people", path, &data, NULL, &info));
    assert_ok(form_built_in("processing", NULL, &f));
    assert_ok(record_facts(r->w, f, NULL, NULL, &facts));
    buf_init(&text, 1u << 20);
    assert_ok(js_put(&text, facts));
    assert_text_has(buf_str(&text), "[\"people\",\"1\",\"3\",\"3\",\"group\",");
    assert_text_has(buf_str(&text), "Dataset people: its rows are not tied to persons");
    assert_text_has(buf_str(&text), "No model is kept.");
    assert_text_has(buf_str(&text), "which is held by: passphrase.");
    DEFER(form_freep) struct form *impact = NULL;
    struct diag diag = {0};
    json_t *none = NULL;
    assert_ok(form_built_in("impact", NULL, &impact));
    assert_status(record_facts(r->w, impact, "nothing", &diag, &none), NOT_FOUND);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_write_is_a_version_with_an_entry),
        cmocka_unit_test(what_is_not_there_is_told),
        cmocka_unit_test(an_incident_goes_its_way),
        cmocka_unit_test(clocks_of_all_are_told),
        cmocka_unit_test(an_incident_that_makes_no_sense_is_refused),
        cmocka_unit_test(a_review_is_tied_to_the_entry_of_its_call),
        cmocka_unit_test(a_review_that_does_not_fit_its_call_is_refused),
        cmocka_unit_test(the_workspace_tells_what_it_knows),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
