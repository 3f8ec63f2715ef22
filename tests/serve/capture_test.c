/* Bodies of calls, captured by a running server: sealed, opened by nobody but who holds the
 * passphrase and may, destroyed in time. The tests build on one another. */
#include "room.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "serve/capture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_NS (120 * NS_PER_S)
#define CALLS 40

static struct room it;
static char *key_file;

static void
configure(const char *rule)
{
    DEFER(file_freep) char *file = file_join(it.dir, "steward.yaml");
    DEFER(buf_done) struct buf yaml;
    buf_init(&yaml, 1 << 16);
    buf_printf(&yaml, "audit:\n  publish: 50ms\ncapture:\n  endpoints: [\"%s\"]\n", rule);
    testing_write(file, buf_view(&yaml));
}

static void
stop_server(void)
{
    assert_int_equal(testing_stop(it.pid), 0);
    it.pid = 0;
}

/* The entries of that action, newest last. json_decref. */
static json_t *
entries(const char *action)
{
    struct testing_run r;
    json_t *list = NULL, *raw = json_array();
    testing_steward(&r, "audit", "show", "--action", action, "--last", "1000", "--json", NULL);
    assert_int_equal(r.exit_code, 0);
    assert_ok(js_parse(buf_view(&r.out), "stdout", NULL, &list));
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *entry = NULL;
        const char *text = json_string_value(json_object_get(json_array_get(list, i), "raw"));
        assert_ok(js_parse(view_str(text), "entry", NULL, &entry));
        (void)json_array_append_new(raw, entry);
    }
    json_decref(list);
    testing_run_done(&r);
    return raw;
}

static json_t *
list_captures(void)
{
    struct testing_run r;
    json_t *list = NULL;
    testing_steward(&r, "capture", "list", "--json", NULL);
    assert_int_equal(r.exit_code, 0);
    assert_ok(js_parse(buf_view(&r.out), "stdout", NULL, &list));
    testing_run_done(&r);
    return list;
}

static const char *
text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text == NULL ? "" : text;
}

/* The newest one. */
static void
newest(char ret_id[static 96])
{
    json_t *list = list_captures();
    const size_t n = json_array_size(list);
    assert_true(n > 0);
    (void)snprintf(ret_id, 96, "%s", text_of(json_array_get(list, n - 1), "capture"));
    json_decref(list);
}

static int
set_up(void **state)
{
    (void)state;
    (void)setenv("STEWARD_PASSPHRASE", "correct horse battery staple", 1);
    room_init(&it);
    room_make(&it, "passphrase", "");
    key_file = file_join(it.root, "key");
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    free(key_file);
    return room_done(&it);
}

static void
a_call_s_bodies_are_sealed_and_its_entry_names_them(void **state)
{
    (void)state;
    char id[96];
    struct digest digest;
    configure("loans full");
    room_start(&it);
    room_answers(&it, "POST", ROOM_INFER, it.caller, 200, "\"outputs\"");
    stop_server();
    newest(id);
    json_t *list = entries("model.infer");
    const json_t *e = json_array_get(list, json_array_size(list) - 1);
    assert_string_equal(text_of(e, "capture"), id);
    /* Without a right of its own nobody reads it, and the log says who tried. */
    struct testing_run r;
    testing_steward(&r, "capture", "show", id, NULL);
    assert_int_equal(r.exit_code, 2);
    testing_run_done(&r);
    testing_write(key_file, view_str(it.caller));
    assert_int_equal(chmod(key_file, 0600), 0);
    testing_steward(&r, "capture", "show", id, "--api-key-file", key_file, NULL);
    assert_int_equal(r.exit_code, 3);
    assert_text_has(buf_str(&r.err), "may not read captures of loans");
    assert_int_equal(r.out.len, 0);
    testing_run_done(&r);
    json_t *tried = entries("capture.read");
    assert_string_equal(text_of(json_array_get(tried, json_array_size(tried) - 1), "decision"),
                        "deny");
    json_decref(tried);
    DEFER(file_freep) char *roles = file_join(it.root, "roles.yaml");
    testing_write(roles, view_str("roles:\n  - name: reader\n    rules:\n      - actions: "
                                  "[capture.read]\n        resources: [\"captures/**\"]\n"));
    assert_steward("role", "import", roles);
    assert_steward("principal", "add", "reader", "--role", "reader");
    char key[128];
    testing_issue_key((char *)(uintptr_t) "reader", key);
    testing_write(key_file, view_str(key));
    testing_steward(&r, "capture", "show", id, "--api-key-file", key_file, "--part", "response",
                    NULL);
    assert_int_equal(r.exit_code, 0);
    assert_text_has(buf_str(&r.out), "\"outputs\"");
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 128);
    digest_of(buf_view(&r.out), &digest);
    digest_put_hex(&hex, &digest);
    assert_string_equal(buf_str(&hex), text_of(e, "response_sha256"));
    testing_run_done(&r);
    json_decref(list);
    /* On disk there is no byte of it in clear. */
    char path[700];
    (void)snprintf(path, sizeof path, "%s/objects/capture/%s.sealed", it.dir, id);
    DEFER(buf_done) struct buf sealed;
    testing_read(path, &sealed);
    assert_null(memmem(sealed.ptr, sealed.len, "outputs", 7));
    assert_null(memmem(sealed.ptr, sealed.len, "income", 6));
}

static void
a_sample_is_what_the_ids_say(void **state)
{
    (void)state;
    size_t captured = 0;
    configure("* 50%");
    json_t *before = entries("model.infer");
    const size_t from = json_array_size(before);
    json_decref(before);
    room_start(&it);
    for (int i = 0; i < CALLS; i++) {
        room_answers(&it, "POST", ROOM_INFER, it.caller, 200, "\"outputs\"");
    }
    stop_server();
    json_t *list = entries("model.infer");
    assert_int_equal(json_array_size(list), from + CALLS);
    for (size_t i = from; i < from + CALLS; i++) {
        char digits[9];
        const json_t *e = json_array_get(list, i);
        (void)snprintf(digits, sizeof digits, "%.8s", text_of(e, "id"));
        const bool due = strtoull(digits, NULL, 16) < UINT64_C(1) << 31;
        assert_int_equal(*text_of(e, "capture") != '\0', due);
        captured += due;
    }
    json_decref(list);
    json_t *there = list_captures();
    assert_int_equal(json_array_size(there), captured + 1);
    json_decref(there);
}

/* A file where the model's folder should be: nothing can be written. */
static void
block(bool blocked)
{
    DEFER(file_freep) char *all = file_join(it.dir, "objects/capture");
    DEFER(file_freep) char *folder = file_join(all, "loans");
    DEFER(file_freep) char *aside = file_join(it.root, "aside");
    if (blocked) {
        assert_int_equal(rename(folder, aside), 0);
        testing_write(folder, view_str("no folder"));
    } else {
        assert_int_equal(unlink(folder), 0);
        assert_int_equal(rename(aside, folder), 0);
    }
}

static void
assert_newest_entry(const char *capture, int64_t status)
{
    json_t *list = entries("model.infer");
    const json_t *e = json_array_get(list, json_array_size(list) - 1);
    assert_string_equal(text_of(e, "capture"), capture);
    assert_int_equal(json_integer_value(json_object_get(e, "http_status")), status);
    json_decref(list);
}

static void
what_cannot_be_captured_is_not_answered_or_told(void **state)
{
    (void)state;
    block(true);
    configure("loans full");
    room_start(&it);
    room_answers(&it, "POST", ROOM_INFER, it.caller, 503, "could not be captured");
    stop_server();
    assert_newest_entry("failed", 503);
    configure("loans full fail=open");
    room_start(&it);
    room_answers(&it, "POST", ROOM_INFER, it.caller, 200, "\"outputs\"");
    room_answers(&it, "GET", "/metrics", it.watcher, 200, "steward_captures_failed_total 1\n");
    stop_server();
    assert_newest_entry("failed", 200);
    block(false);
    DEFER(buf_done) struct buf said;
    testing_read(it.log, &said);
    assert_text_has(buf_str(&said), "capture.failed");
    assert_null(strstr(buf_str(&said), "income"));
}

/* ---- a full disk ---- */

struct looking {
    unsigned kept, failed; /* answered with a capture; not answered, or without */
};

/* Every call of the newest ones that was answered names what can be opened. */
static struct looking
look_at_newest(size_t calls)
{
    struct looking seen = {0};
    json_t *list = entries("model.infer");
    const size_t n = json_array_size(list);
    assert_true(n >= calls);
    for (size_t i = n - calls; i < n; i++) {
        const json_t *e = json_array_get(list, i);
        const char *capture = text_of(e, "capture");
        const bool failed = strcmp(capture, "failed") == 0;
        assert_true(*capture != '\0');
        assert_true(failed || json_integer_value(json_object_get(e, "http_status")) == 200);
        if (!failed) {
            char id[96];
            (void)snprintf(id, sizeof id, "%s", capture);
            assert_steward("capture", "show", id, "--api-key-file", key_file);
        }
        seen.kept += !failed;
        seen.failed += failed;
    }
    json_decref(list);
    return seen;
}

/* Calls until one is answered otherwise. */
static unsigned
call_until(unsigned other, const char *says, unsigned most)
{
    struct reply r;
    unsigned calls = 0, status = 0;
    char text[512];
    const char *body = "{\"inputs\":[{\"name\":\"income\",\"datatype\":\"INT64\",\"shape\":[1],"
                       "\"data\":[30]}]}";
    (void)snprintf(text, sizeof text,
                   "POST %s HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer %s\r\n"
                   "content-length: %zu\r\n\r\n%s",
                   ROOM_INFER, it.caller, strlen(body), body);
    while (status != other && calls < most) {
        status = client_ask(it.port, text, &r);
        assert_true(status == 200 || status == other);
        assert_int_equal(strstr(buf_str(&r.body), "outputs") != NULL, status == 200);
        assert_true(status != other || strstr(buf_str(&r.body), says) != NULL);
        reply_done(&r);
        calls++;
    }
    assert_int_equal(status, other);
    return calls;
}

static void
a_full_disk_loses_no_capture_of_a_call_that_was_answered(void **state)
{
    (void)state;
    testing_need_small_disk();
    DEFER(file_freep) char *disk = file_join(it.dir, "objects/capture");
    assert_true(testing_small_disk(disk, 64 << 10));
    configure("loans full");
    room_start(&it);
    const unsigned closed = call_until(503, "the call could not be captured", 200);
    const unsigned again = call_until(503, "the call could not be captured", 200);
    assert_int_equal(again, 1);
    assert_steward("capture", "erase", "--model", "loans", "--older-than", "0s");
    const unsigned more = call_until(503, "the call could not be captured", 200);
    assert_true(more > 2); /* there is room again */
    stop_server();
    struct looking seen = look_at_newest(more);
    assert_int_equal(seen.kept, more - 1);
    assert_int_equal(seen.failed, 1);
    json_t *list = list_captures();
    assert_int_equal(json_array_size(list), more - 1); /* no half ones */
    json_decref(list);
    configure("loans full fail=open");
    room_start(&it);
    for (int i = 0; i < 5; i++) {
        room_answers(&it, "POST", ROOM_INFER, it.caller, 200, "\"outputs\"");
    }
    room_answers(&it, "GET", "/metrics", it.watcher, 200, "steward_captures_failed_total 5\n");
    stop_server();
    seen = look_at_newest(5);
    assert_int_equal(seen.failed, 5);
    assert_true(closed > 2);
    testing_small_disk_done(disk);
    DEFER(buf_done) struct buf said;
    testing_read(it.log, &said);
    assert_text_has(buf_str(&said), "No space left on device");
}

/* ---- a kill ---- */

static void
a_kill_loses_no_capture_of_a_call_that_was_answered(void **state)
{
    (void)state;
    configure("loans full");
    room_start(&it);
    for (int i = 0; i < 8; i++) {
        room_answers(&it, "POST", ROOM_INFER, it.caller, 200, "\"outputs\"");
    }
    assert_int_equal(kill(it.pid, SIGKILL), 0);
    assert_int_equal(waitpid(it.pid, NULL, 0), it.pid);
    it.pid = 0;
    const struct looking seen = look_at_newest(8);
    assert_int_equal(seen.kept, 8);
}

/* ---- endpoints ---- */

static struct capture_rule
parsed(const char *line)
{
    struct capture_rule r;
    assert_ok(capture_parse(view_str(line), NULL, &r));
    return r;
}

static void
refuses(const char *line, const char *why)
{
    struct capture_rule r;
    struct diag diag = {0};
    assert_status(capture_parse(view_str(line), &diag, &r), INPUT);
    assert_says(&diag, why);
    assert_says(&diag, "ENDPOINT off|full|PERCENT%");
}

static void
a_line_is_of_one_endpoint(void **state)
{
    (void)state;
    refuses("", "of which endpoint?");
    refuses("Loans full", "of which endpoint?");
    refuses("@3 full", "of which endpoint?");
    refuses("*@3 full", "of which endpoint?");
    refuses("loans@ full", "behind @ stands a version");
    refuses("loans@0 full", "behind @ stands a version");
    refuses("loans@3a full", "behind @ stands a version");
    refuses("loans@3@4 full", "behind @ stands a version");
    refuses("loans@18446744073709551616 full", "behind @ stands a version");
    refuses("loans", "how many?");
    refuses("loans 0%", "how many?");
    refuses("loans 101%", "how many?");
    refuses("loans@3 full keep=1d", "no keep= behind MODEL@VERSION");
    refuses("loans full keep=1ms", "keep= is a duration");
    refuses("loans full fail=never", "behind the share");
    const struct capture_rules rules = {.of = {parsed("loans@3 full"), parsed("loans off keep=2d"),
                                               parsed("* 50% keep=5d"),
                                               parsed("cards@1 off fail=open")},
                                        .count = 4,
                                        .keep_ns = NS_PER_S};
    assert_null(capture_rule_of(&rules, "loans", 0));
    assert_null(capture_rule_of(&rules, "loans", 2));
    assert_ptr_equal(capture_rule_of(&rules, "loans", 3), &rules.of[0]);
    assert_ptr_equal(capture_rule_of(&rules, "cards", 0), &rules.of[2]);
    assert_ptr_equal(capture_rule_of(&rules, "cards", 2), &rules.of[2]);
    assert_null(capture_rule_of(&rules, "cards", 1));
    assert_true(capture_keeps_ns(&rules, "loans") == INT64_C(2) * 86400 * NS_PER_S);
    assert_true(capture_keeps_ns(&rules, "cards") == INT64_C(5) * 86400 * NS_PER_S);
}

static void
a_route_to_a_version_has_its_own_line(void **state)
{
    (void)state;
    static const char versions[] = "/v2/models/loans/versions/1/infer";
    const char *const seen[] = {"", "loans/", "loans/", ""};
    configure("loans off\", \"loans@1 full");
    room_start(&it);
    room_answers(&it, "POST", ROOM_INFER, it.caller, 200, "\"outputs\"");
    room_answers(&it, "POST", versions, it.caller, 200, "\"outputs\"");
    stop_server();
    configure("loans full\", \"loans@1 off");
    room_start(&it);
    room_answers(&it, "POST", ROOM_INFER, it.caller, 200, "\"outputs\"");
    room_answers(&it, "POST", versions, it.caller, 200, "\"outputs\"");
    stop_server();
    json_t *list = entries("model.infer");
    const size_t n = json_array_size(list);
    for (size_t i = 0; i < 4; i++) {
        const char *capture = text_of(json_array_get(list, n - 4 + i), "capture");
        assert_int_equal(strncmp(capture, "loans/", 6) == 0, *seen[i] != '\0');
        assert_int_equal(*capture == '\0', *seen[i] == '\0');
    }
    json_decref(list);
    struct testing_run r;
    configure("loans@1 5%\", \"loans@1 off");
    testing_steward(&r, "config", "check", NULL);
    assert_int_equal(r.exit_code, 2);
    assert_text_has(buf_str(&r.err), "two lines for loans@1");
    testing_run_done(&r);
}

static void
rotated_keys_open_them_and_an_erased_one_opens_no_more(void **state)
{
    (void)state;
    char id[96], path[700], copy[700];
    struct testing_run r;
    newest(id);
    (void)snprintf(path, sizeof path, "%s/objects/capture/%s.sealed", it.dir, id);
    (void)snprintf(copy, sizeof copy, "%s/linked", it.root);
    assert_int_equal(link(path, copy), 0); /* the disk's blocks, kept */
    assert_steward("key", "rotate");
    assert_steward("capture", "show", id, "--api-key-file", key_file);
    assert_steward("capture", "erase", id);
    testing_steward(&r, "capture", "show", id, "--api-key-file", key_file, NULL);
    assert_int_not_equal(r.exit_code, 0);
    assert_text_has(buf_str(&r.err), "there is no capture");
    testing_run_done(&r);
    assert_int_equal(link(copy, path), 0); /* back, with its key overwritten */
    testing_steward(&r, "capture", "show", id, "--api-key-file", key_file, NULL);
    assert_int_equal(r.exit_code, 6);
    assert_int_equal(r.out.len, 0);
    testing_run_done(&r);
    assert_steward("capture", "erase", id);
}

static void
their_time_over_they_are_destroyed_and_the_log_says_so(void **state)
{
    (void)state;
    const int64_t until = clock_mono_ns() + WAIT_NS;
    size_t left = 1;
    configure("loans off keep=1s");
    room_start(&it);
    while (left > 0 && clock_mono_ns() < until) {
        const struct timespec pause = {.tv_nsec = 200 * 1000 * 1000};
        (void)nanosleep(&pause, NULL);
        json_t *list = list_captures();
        left = json_array_size(list);
        json_decref(list);
    }
    assert_int_equal(left, 0);
    stop_server();
    json_t *list = entries("capture.erase");
    assert_text_has(text_of(json_array_get(list, json_array_size(list) - 1), "reason"),
                    "destroyed with their keys");
    json_decref(list);
    DEFER(buf_done) struct buf said;
    testing_read(it.log, &said);
    assert_null(strstr(buf_str(&said), "sandbox: system call"));
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_call_s_bodies_are_sealed_and_its_entry_names_them),
        cmocka_unit_test(a_sample_is_what_the_ids_say),
        cmocka_unit_test(what_cannot_be_captured_is_not_answered_or_told),
        cmocka_unit_test(a_full_disk_loses_no_capture_of_a_call_that_was_answered),
        cmocka_unit_test(a_kill_loses_no_capture_of_a_call_that_was_answered),
        cmocka_unit_test(a_line_is_of_one_endpoint),
        cmocka_unit_test(a_route_to_a_version_has_its_own_line),
        cmocka_unit_test(rotated_keys_open_them_and_an_erased_one_opens_no_more),
        cmocka_unit_test(their_time_over_they_are_destroyed_and_the_log_says_so),
    };
    return cmocka_run_group_tests(cases, set_up, tear_down);
}
