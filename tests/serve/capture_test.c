/* Bodies of calls, captured by a running server: sealed, opened by nobody but who holds the
 * passphrase and may, destroyed in time. The tests build on one another. */
#include "room.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
    buf_printf(&yaml, "audit:\n  publish: 50ms\ncapture:\n  models: [\"%s\"]\n", rule);
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
        cmocka_unit_test(rotated_keys_open_them_and_an_erased_one_opens_no_more),
        cmocka_unit_test(their_time_over_they_are_destroyed_and_the_log_says_so),
    };
    return cmocka_run_group_tests(cases, set_up, tear_down);
}
