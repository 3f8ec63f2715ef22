/* Exporting: each event is what its form asks for, whatever an entry has in it; and what a receiver
 * did not confirm comes again, in order. */
#include "fixture.h"

#include "base/clock.h"
#include "base/file.h"
#include "govern/exporter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_NS (INT64_C(1760000000) * NS_PER_S)

static char *dir;

static int
set_up(void **state)
{
    (void)state;
    fixture_in_memory();
    dir = testing_dir();
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    testing_dirp(&dir);
    return 0;
}

/* ---- events ---- */

static const char evil[] = "a|b=c\\d\ne\rf\x01 cs1=forged|CEF:0|x \"q\"";

static const struct audit_alert low = {"low", "p", "1.0", "grant/a"},
                                high = {"high", "p", "1.0", "grant/a"};

static const struct audit_guard refused = {"input", "refused", "unknown category"};

static const struct sample {
    struct audit_event e;
    int class, category, activity, severity;
} samples[] = {
    {{.principal = "desk",
      .authenticated_by = "api-key abcdefghij",
      .action = "model.infer",
      .resource = "models/loans",
      .model = "loans",
      .model_version = 3,
      .allow = true,
      .rule = "role caller on models/loans",
      .rules = "00112233445566778899aabbccddeeff",
      .http_status = 200,
      .reason = "role caller on models/loans",
      .address = "10.0.0.1",
      .duration_ns = 5000000,
      .rows = 2},
     6003,
     6,
     99,
     1},
    {{.principal = "desk",
      .action = "model.infer",
      .resource = "models/talk",
      .model = "talk",
      .model_version = 1,
      .allow = true,
      .http_status = 200,
      .prompt_tokens = 70,
      .completion_tokens = 5,
      .total_tokens = 75},
     6003,
     6,
     99,
     1},
    {{.principal = "desk",
      .action = "model.infer",
      .resource = "models/loans",
      .model = "loans",
      .model_version = 3,
      .guard = &refused,
      .http_status = 400},
     6003,
     6,
     99,
     3},
    {{.action = "model.infer",
      .resource = "models/loans",
      .http_status = 401,
      .reason = "key unknown",
      .address = "10.0.0.1"},
     3002,
     3,
     1,
     3},
    {{.principal = "local:ann",
      .action = "principal.write",
      .resource = "principals/desk",
      .allow = true,
      .reason = "added"},
     6003,
     6,
     3,
     1},
    {{.principal = "local:ann", .action = "dataset.erase", .resource = "datasets/x", .allow = true},
     6003,
     6,
     4,
     1},
    {{.principal = "local:ann", .action = "key.issue", .resource = "keys/x", .allow = true},
     6003,
     6,
     1,
     1},
    {{.principal = "desk", .action = "model.read", .resource = "models/x", .http_status = 403},
     6003,
     6,
     2,
     3},
    {{.action = AUDIT_GAP, .resource = "audit/journal", .allow = true, .reason = "3 refused"},
     2004,
     2,
     1,
     4},
    {{.action = "key.use", .resource = "models/loans", .reason = "does not open"}, 2004, 2, 1, 4},
    {{.action = AUDIT_ALERT_RAISE, .resource = "policies/a", .allow = true, .alert = &low},
     2004,
     2,
     1,
     2},
    {{.action = AUDIT_ALERT_RAISE, .resource = "policies/a", .allow = true, .alert = &high},
     2004,
     2,
     1,
     4},
    {{.action = AUDIT_ALERT_CLEAR, .resource = "policies/a", .allow = true, .alert = &high},
     2004,
     2,
     3,
     1},
    {{.principal = evil,
      .action = evil,
      .resource = evil,
      .rule = evil,
      .reason = evil,
      .purpose = evil,
      .address = evil},
     6003,
     6,
     99,
     3},
};

#define SAMPLES (sizeof samples / sizeof *samples)

static void
put_sample(size_t i, struct buf *ret_entry)
{
    struct audit_event e = samples[i].e;
    e.time_ns = START_NS + 123456789;
    e.id = "call-1";
    buf_reset(ret_entry);
    audit_event_put(&e, ret_entry);
    assert_ok(buf_status(ret_entry));
}

static void
put_line(enum export_format f, struct view entry, struct buf *ret_line)
{
    DEFER(arena_freep) struct arena *scratch = arena_new(1u << 20);
    buf_reset(ret_line);
    assert_ok(export_put(f, "log|=\\x", 7, entry, scratch, ret_line));
    assert_null(memchr(ret_line->ptr, '\n', ret_line->len));
    assert_null(memchr(ret_line->ptr, '\r', ret_line->len));
}

static json_int_t
whole(const json_t *o, const char *key)
{
    assert_true(json_is_integer(json_object_get(o, key)));
    return json_integer_value(json_object_get(o, key));
}

static const json_t *
object(const json_t *o, const char *key)
{
    assert_true(json_is_object(json_object_get(o, key)));
    return json_object_get(o, key);
}

static void
need_text(const json_t *o, const char *key)
{
    assert_true(json_string_length(json_object_get(o, key)) > 0);
}

/* What the schema's version 1.8 requires of the class. */
static void
check_class(const json_t *o)
{
    const json_int_t class = whole(o, "class_uid");
    if (class == 6003) {
        const json_t *a = object(o, "actor");
        need_text(object(a, "user"), "name");
        need_text(object(o, "api"), "operation");
        const json_t *from = object(o, "src_endpoint");
        assert_true(json_object_get(from, "ip") != NULL || json_object_get(from, "name") != NULL);
    } else if (class == 3002) {
        need_text(object(o, "user"), "name");
    } else {
        need_text(object(o, "finding_info"), "uid");
        assert_int_equal(whole(object(object(o, "finding_info"), "analytic"), "type_id"), 1);
    }
    const json_t *model = json_object_get(o, "ai_model");
    const json_t *profiles = json_object_get(object(o, "metadata"), "profiles");
    assert_int_equal(json_array_size(profiles), model == NULL ? 0 : 1);
    if (model != NULL) {
        need_text(model, "ai_provider");
        need_text(model, "name");
        assert_string_equal(json_string_value(json_array_get(profiles, 0)), "ai_operation");
    }
}

static void
every_ocsf_event_has_what_its_class_requires(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf entry;
    DEFER(buf_done) struct buf line;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    buf_init(&line, 1u << 20);
    for (size_t i = 0; i < SAMPLES; i++) {
        DEFER(js_freep) json_t *o = NULL;
        put_sample(i, &entry);
        put_line(EXPORT_OCSF, buf_view(&entry), &line);
        assert_ok(js_parse(buf_view(&line), "event", NULL, &o));
        assert_int_equal(whole(o, "class_uid"), samples[i].class);
        assert_int_equal(whole(o, "category_uid"), samples[i].category);
        assert_int_equal(whole(o, "class_uid") / 1000, whole(o, "category_uid"));
        assert_int_equal(whole(o, "activity_id"), samples[i].activity);
        assert_int_equal(whole(o, "type_uid"),
                         whole(o, "class_uid") * 100 + whole(o, "activity_id"));
        assert_int_equal(whole(o, "severity_id"), samples[i].severity);
        assert_int_equal(whole(o, "time"), START_NS / 1000000 + 123);
        need_text(object(o, "metadata"), "version");
        need_text(object(object(o, "metadata"), "product"), "name");
        assert_int_equal(whole(object(o, "metadata"), "sequence"), 7);
        assert_string_equal(json_string_value(json_object_get(object(o, "metadata"), "uid")),
                            "log|=\\x#7");
        check_class(o);
    }
}

/* As the profile ai_operation has it: objects/message_context. */
static void
tokens_and_guards_are_exported(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf entry;
    DEFER(buf_done) struct buf line;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    buf_init(&line, 1u << 20);
    unsigned tokens = 0, guards = 0;
    for (size_t i = 0; i < SAMPLES; i++) {
        DEFER(js_freep) json_t *o = NULL;
        put_sample(i, &entry);
        put_line(EXPORT_OCSF, buf_view(&entry), &line);
        assert_ok(js_parse(buf_view(&line), "event", NULL, &o));
        const json_t *m = json_object_get(o, "message_context"),
                     *list = json_object_get(json_object_get(o, "unmapped"), "guards");
        put_line(EXPORT_CEF, buf_view(&entry), &line);
        assert_int_equal(m != NULL, samples[i].e.total_tokens > 0);
        assert_int_equal(list != NULL, samples[i].e.guard != NULL);
        if (m != NULL) {
            tokens++;
            assert_int_equal(whole(m, "prompt_tokens"), 70);
            assert_int_equal(whole(m, "completion_tokens"), 5);
            assert_int_equal(whole(m, "total_tokens"), 75);
            need_text(object(m, "service"), "name");
            assert_text_has(buf_str(&line), "flexNumber1Label=totalTokens flexNumber1=75");
        }
        if (list != NULL) {
            guards++;
            assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "rule")),
                                "unknown category");
            assert_text_has(buf_str(&line),
                            "flexString1Label=guard flexString1=input: unknown category");
        }
    }
    assert_int_equal(tokens, 1);
    assert_int_equal(guards, 1);
    /* What another wrote under those keys is no reason to fall over. */
    put_line(EXPORT_OCSF, view_str("{\"guards\":[7,{\"guard\":7},[]],\"total_tokens\":\"x\"}"),
             &line);
    assert_text_has(buf_str(&line), "\"guards\":[{");
    put_line(EXPORT_OCSF, view_str("{\"output\":\"class\"}"), &line);
    assert_text_has(buf_str(&line), "\"output\":\"class\"");
    put_line(EXPORT_CEF, view_str("{\"guards\":{\"guard\":\"x\"},\"total_tokens\":-1}"), &line);
    assert_null(strstr(buf_str(&line), "flex"));
}

static void
an_alert_has_one_name_until_it_is_cleared(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf entry;
    DEFER(buf_done) struct buf line;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    buf_init(&line, 1u << 20);
    size_t alerts = 0;
    for (size_t i = 0; i < SAMPLES; i++) {
        DEFER(js_freep) json_t *o = NULL;
        put_sample(i, &entry);
        assert_int_equal(audit_event_is_alert(buf_view(&entry)), samples[i].e.alert != NULL);
        if (samples[i].e.alert == NULL) {
            continue;
        }
        alerts++;
        put_line(EXPORT_OCSF, buf_view(&entry), &line);
        assert_ok(js_parse(buf_view(&line), "event", NULL, &o));
        assert_string_equal(json_string_value(json_object_get(object(o, "finding_info"), "uid")),
                            "log|=\\x#policies/a#grant/a");
        assert_int_equal(whole(o, "status_id"), samples[i].activity == 3 ? 4 : 1);
    }
    assert_int_equal(alerts, 3);
}

/* ---- CloudEvents ---- */

static void
a_cloud_event_has_what_the_specification_requires(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf entry;
    DEFER(buf_done) struct buf line;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    buf_init(&line, 1u << 20);
    for (size_t i = 0; i < SAMPLES; i++) {
        DEFER(js_freep) json_t *o = NULL;
        DEFER(js_freep) json_t *data = NULL;
        put_sample(i, &entry);
        put_line(EXPORT_CLOUDEVENTS, buf_view(&entry), &line);
        assert_ok(js_parse(buf_view(&line), "event", NULL, &o));
        assert_ok(js_parse(buf_view(&entry), "entry", NULL, &data));
        assert_string_equal(json_string_value(json_object_get(o, "specversion")), "1.0");
        assert_string_equal(json_string_value(json_object_get(o, "id")), "7");
        assert_string_equal(json_string_value(json_object_get(o, "source")), "log|=\\x");
        assert_text_has(json_string_value(json_object_get(o, "type")), "steward.");
        assert_string_equal(json_string_value(json_object_get(o, "time")),
                            json_string_value(json_object_get(data, "time")));
        assert_true(json_equal(json_object_get(o, "data"), data));
    }
}

/* ---- CEF ---- */

/* Splits as a reader of CEF does: at pipes and equals signs that no backslash stands before. */
static size_t
split_head(const char *line, const char *ret_part[static 8])
{
    size_t n = 0;
    ret_part[n++] = line;
    for (const char *at = line; *at != '\0' && n < 8; at++) {
        if (*at == '\\') {
            at++;
        } else if (*at == '|') {
            ret_part[n++] = at + 1;
        }
    }
    return n;
}

static size_t
count_keys(const char *extension)
{
    size_t n = 0;
    for (const char *at = extension; *at != '\0'; at++) {
        if (*at == '\\') {
            assert_non_null(strchr("\\=nr", at[1]));
            at++;
        } else if (*at == '=') {
            n++;
        }
    }
    return n;
}

static void
nothing_in_an_entry_makes_another_field_of_cef(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf entry;
    DEFER(buf_done) struct buf line;
    const char *part[8];
    buf_init(&entry, AUDIT_MAX_ENTRY);
    buf_init(&line, 1u << 20);
    put_sample(SAMPLES - 1, &entry);
    put_line(EXPORT_CEF, buf_view(&entry), &line);
    assert_int_equal(split_head(buf_str(&line), part), 8);
    assert_memory_equal(part[0], "CEF:0|Steward|Steward|", 22);
    assert_memory_equal(part[6], "6|rt=", 5);
    /* rt externalId suser src act outcome request reason, labels and values of three, cn1's. */
    assert_int_equal(count_keys(part[7]), 8 + 2 * 3 + 2);
    assert_text_has(part[7], "suser=a|b\\=c\\\\d\\ne\\rf  cs1\\=forged|CEF:0|x \"q\" src=");
    for (size_t i = 0; i < line.len; i++) {
        assert_true(line.ptr[i] >= 0x20);
    }
}

static void
entries_that_are_none_of_ours_are_sent_all_the_same(void **state)
{
    (void)state;
    static const char *const strange[] = {"", "no json", "[1,2]", "{\"action\":7}", "\xff\xfe\n"};
    DEFER(buf_done) struct buf line;
    buf_init(&line, 1u << 20);
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        for (unsigned f = 0; f < EXPORT_FORMATS; f++) {
            put_line((enum export_format)f, view_str(strange[i]), &line);
            DEFER(js_freep) json_t *o = NULL;
            if (f != EXPORT_CEF) {
                assert_ok(js_parse(buf_view(&line), "event", NULL, &o));
            }
        }
    }
}

/* ---- a receiver that fails ---- */

struct receiver {
    struct buf got;
    size_t takes; /* bytes, then it fails; 0: all */
    unsigned confirms_lost, failures;
};

static struct status
take(void *ctx, struct view events, struct diag *diag)
{
    struct receiver *r = ctx;
    if (r->takes > 0 && r->takes < events.len) {
        buf_put(&r->got, view_of(events.ptr, r->takes));
        buf_put_u8(&r->got, '\n'); /* its next connection begins on a line of its own */
        r->takes = 0;
        r->failures++;
        diag_set(diag, "it is gone");
        FAIL(IO);
    }
    buf_put(&r->got, events);
    return OK;
}

static struct status
confirm(void *ctx, struct diag *diag)
{
    struct receiver *r = ctx;
    (void)diag;
    if (r->confirms_lost > 0) {
        r->confirms_lost--;
        r->failures++;
        FAIL(IO);
    }
    return OK;
}

/* Whole events only, each known by its index: all of them, in order, once those that came twice are
 * left out. */
static uint64_t
count_in_order(const struct receiver *r, uint64_t *ret_twice)
{
    uint64_t next = 0;
    *ret_twice = 0;
    const char *at = (const char *)r->got.ptr, *end = at + r->got.len;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        DEFER(js_freep) json_t *o = NULL;
        if (status_ok(js_parse(view_of(at, (size_t)(stop - at)), "event", NULL, &o))) {
            const uint64_t index = (uint64_t)whole(o, "index");
            assert_true(index <= next);
            *ret_twice += index < next;
            next += index == next;
        }
        at = stop + 1;
    }
    return next;
}

static void
run_to_the_end(struct receiver *r, const char *destination)
{
    struct diag diag = {0};
    for (int i = 0; i < 20;
         i++) { /* each a process of its own would be the same: nothing is kept */
        struct exporter e = {.dir = dir,
                             .destination = destination,
                             .sink = {.send = take, .confirm = confirm, .ctx = r}};
        assert_ok(exporter_position(dir, destination, &diag, &e.at));
        if (status_ok(exporter_run(&e, &diag))) {
            return;
        }
    }
    fail_msg("it never ends: %s", diag.text);
}

static void
what_a_receiver_took_half_of_comes_again_and_nothing_is_lost(void **state)
{
    (void)state;
    struct receiver r = {.confirms_lost = 1};
    uint64_t twice = 0;
    buf_init(&r.got, 64u << 20);
    fixture_log(dir, 1000, 0);
    r.takes = 1000;
    run_to_the_end(&r, "siem");
    assert_int_equal(r.failures, 2);
    assert_int_equal(count_in_order(&r, &twice), 1000);
    assert_true(twice > 0);
    /* Nothing new, nothing sent; what comes then comes once. */
    const size_t before = r.got.len;
    run_to_the_end(&r, "siem");
    assert_int_equal(r.got.len, before);
    fixture_append(dir, 1000, 1300);
    run_to_the_end(&r, "siem");
    assert_int_equal(count_in_order(&r, &twice), 1300);
    /* Another destination begins at the beginning. */
    buf_reset(&r.got);
    run_to_the_end(&r, "other");
    assert_int_equal(count_in_order(&r, &twice), 1300);
    assert_int_equal(twice, 0);
    buf_done(&r.got);
}

/* ---- alerts only ---- */

static void
append_alert(const char *action, const char *subject)
{
    const struct audit_alert alert = {"high", "p", "1.0", subject};
    DEFER(buf_done) struct buf entry;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    const struct audit_event e = {.time_ns = START_NS,
                                  .action = action,
                                  .resource = "policies/a",
                                  .allow = true,
                                  .reason = "says \"action\":\"alert.raise\"",
                                  .alert = &alert};
    audit_event_put(&e, &entry);
    struct diag diag = {0};
    struct audit *a = fixture_open(dir, 0);
    assert_ok(audit_append(a, buf_view(&entry), &diag));
    assert_ok(audit_close(a, &diag));
}

struct pager {
    uint64_t index[16];
    size_t got, confirmed, refuses;
};

static struct status
page(void *ctx, const char *log, uint64_t index, struct view event, struct diag *diag)
{
    struct pager *p = ctx;
    (void)log;
    (void)event;
    if (p->refuses > 0) {
        p->refuses--;
        diag_set(diag, "not now");
        FAIL(IO);
    }
    assert_true(p->got < 16);
    p->index[p->got++] = index;
    return OK;
}

static struct status
confirm_page(void *ctx, struct diag *diag)
{
    struct pager *p = ctx;
    (void)diag;
    p->confirmed++;
    return OK;
}

static struct status
run_pager(struct pager *p, struct export_position *ret_at)
{
    struct diag diag = {0};
    struct exporter e = {.dir = dir,
                         .destination = "page",
                         .alerts_only = true,
                         .one_by_one = true,
                         .sink = {.event = page, .confirm = confirm_page, .ctx = p}};
    assert_ok(exporter_position(dir, "page", &diag, &e.at));
    const struct status s = exporter_run(&e, &diag);
    assert_ok(exporter_position(dir, "page", &diag, ret_at));
    return s;
}

static void
who_gets_alerts_only_gets_each_alone_from_where_it_began(void **state)
{
    (void)state;
    struct pager p = {0};
    struct diag diag = {0};
    struct export_position at = {0};
    fixture_log(dir, 300, 0);
    append_alert(AUDIT_ALERT_RAISE, "before"); /* entry 300 */
    assert_ok(exporter_begin(dir, "page", 301, &diag));
    assert_ok(exporter_begin(dir, "page", 0, &diag)); /* it has begun */
    fixture_append(dir, 301, 700);
    append_alert(AUDIT_ALERT_RAISE, "one"); /* 700 */
    append_alert(AUDIT_ALERT_CLEAR, "one");
    fixture_append(dir, 702, 710);
    append_alert(AUDIT_ALERT_RAISE, "two"); /* 710 */
    assert_ok(run_pager(&p, &at));
    assert_int_equal(p.got, 3);
    assert_int_equal(p.confirmed, 3);
    assert_true(p.index[0] == 700 && p.index[1] == 701 && p.index[2] == 710);
    assert_int_equal(at.next, 711);
    append_alert(AUDIT_ALERT_CLEAR, "two");
    append_alert(AUDIT_ALERT_RAISE, "three");
    p.refuses = 1;
    assert_status(run_pager(&p, &at), IO);
    assert_int_equal(at.next, 711);
    assert_ok(run_pager(&p, &at));
    assert_true(p.got == 5 && p.index[3] == 711 && p.index[4] == 712);
    /* Nobody begins behind what the checkpoint covers. */
    assert_ok(exporter_begin(dir, "later", 100000, &diag));
    assert_ok(exporter_position(dir, "later", &diag, &at));
    assert_int_equal(at.next, 713);
}

static void
a_position_of_another_log_is_refused(void **state)
{
    (void)state;
    struct receiver r = {0};
    struct diag diag = {0};
    struct export_position p;
    DEFER(file_freep) char *old = testing_dir();
    DEFER(file_freep) char *path = file_join(dir, "export/siem");
    DEFER(file_freep) char *kept = file_join(old, "export/siem");
    buf_init(&r.got, 64u << 20);
    fixture_log(dir, 300, 0);
    testing_copy_dir(dir, old);
    fixture_append(dir, 300, 400);
    run_to_the_end(&r, "siem");
    assert_status(exporter_position(dir, "../x", &diag, &p), INPUT);
    /* The log as it was before: it ends before what was sent. */
    DEFER(buf_done) struct buf text;
    buf_init(&text, 4096);
    testing_read(path, &text);
    DEFER(file_freep) char *folder = file_join(old, "export");
    assert_ok(file_mkdirs(folder, 0700, &diag));
    testing_write(kept, buf_view(&text));
    assert_status(exporter_position(old, "siem", &diag, &p), INTEGRITY);
    assert_says(&diag, "behind the log's end");
    /* And gone on with differently. */
    fixture_append(old, 1300, 1400);
    assert_status(exporter_position(old, "siem", &diag, &p), INTEGRITY);
    assert_says(&diag, "the entry that was sent last is not in the log");
    testing_remove(old);
    buf_done(&r.got);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_ocsf_event_has_what_its_class_requires),
        cmocka_unit_test(tokens_and_guards_are_exported),
        cmocka_unit_test(an_alert_has_one_name_until_it_is_cleared),
        cmocka_unit_test(a_cloud_event_has_what_the_specification_requires),
        cmocka_unit_test(nothing_in_an_entry_makes_another_field_of_cef),
        cmocka_unit_test(entries_that_are_none_of_ours_are_sent_all_the_same),
        cmocka_unit_test_setup_teardown(
            what_a_receiver_took_half_of_comes_again_and_nothing_is_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_gets_alerts_only_gets_each_alone_from_where_it_began,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_position_of_another_log_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
