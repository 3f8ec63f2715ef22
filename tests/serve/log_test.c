/* The log as a monitor reads it over the network, and receipts of calls: the program itself, whose
 * checkpoints nobody gets before an hour is over unless a receipt is asked for. */
#include "room.h"

#include "base/file.h"
#include "govern/audit.h"
#include "govern/note.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PASSPHRASE "correct horse battery staple"
#define HOUR "audit:\n  publish: 1h\n"
#define CALL                                                                                       \
    "{\"inputs\":[{\"name\":\"income\",\"datatype\":\"INT64\",\"shape\":[1],\"data\":[30]}]}"

static struct room it;
static char inspector[128], stranger[128];
static char *log_dir;

static int
set_up(void **state)
{
    (void)state;
    (void)setenv("STEWARD_PASSPHRASE", PASSPHRASE, 1);
    room_init(&it);
    room_make(&it, "passphrase", HOUR);
    assert_steward("principal", "add", "inspector", "--role", "auditor");
    testing_issue_key("inspector", inspector);
    assert_steward("principal", "add", "stranger", "--role", "caller");
    testing_issue_key("stranger", stranger);
    log_dir = file_join(it.dir, "audit");
    room_start(&it);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    free(log_dir);
    return room_done(&it);
}

static void
restart(const char *config)
{
    DEFER(file_freep) char *file = file_join(it.dir, "steward.yaml");
    assert_int_equal(testing_stop(it.pid), 0);
    testing_write(file, view_str(config));
    room_start(&it);
}

/* ---- asking ---- */

static unsigned
get(const char *path, const char *key, struct reply *ret_reply)
{
    char text[512], field[160] = "";
    if (key != NULL) {
        (void)snprintf(field, sizeof field, "authorization: Bearer %s\r\n", key);
    }
    (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nhost: localhost\r\n%s\r\n", path, field);
    return client_ask(it.port, text, ret_reply);
}

static void
answers(const char *path, const char *key, unsigned status)
{
    struct reply r;
    const unsigned got = get(path, key, &r);
    if (got != status) {
        print_error("%s: %u, not %u: %s\n", path, got, status, buf_str(&r.body));
    }
    assert_int_equal(got, status);
    reply_done(&r);
}

static void
assert_header(const struct reply *r, const char *name, const char *value)
{
    char got[256];
    reply_header(r, name, got);
    assert_string_equal(got, value);
}

/* How many entries of that action and resource the log has. */
struct wanted {
    const char *action, *resource, *decision;
    unsigned found;
};

static bool
is_text(const json_t *o, const char *key, const char *text)
{
    const char *has = json_string_value(json_object_get(o, key));
    return has != NULL && strcmp(has, text) == 0;
}

static struct status
count(void *ctx, uint64_t index, struct view entry)
{
    struct wanted *w = ctx;
    DEFER(js_freep) json_t *o = NULL;
    (void)index;
    TRY(js_parse(entry, "entry", NULL, &o));
    w->found += is_text(o, "action", w->action) && is_text(o, "resource", w->resource) &&
                is_text(o, "decision", w->decision);
    return OK;
}

static unsigned
entries_of(const char *action, const char *resource, const char *decision)
{
    struct wanted w = {action, resource, decision, 0};
    assert_ok(audit_each(log_dir, 0, UINT64_MAX, count, &w, NULL));
    return w.found;
}

/* One call of the desk's; its index, as the answer's header tells it. */
static uint64_t
call(const char *path, const char *key, unsigned status)
{
    struct reply r;
    char text[1024], index[256];
    (void)snprintf(text, sizeof text,
                   "POST %s HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer %s\r\n"
                   "content-length: %zu\r\n\r\n%s",
                   path, key, strlen(CALL), CALL);
    assert_int_equal(client_ask(it.port, text, &r), status);
    reply_header(&r, "steward-log-index", index);
    assert_true(*index >= '0' && *index <= '9');
    reply_done(&r);
    return strtoull(index, NULL, 10);
}

static void
get_receipt(uint64_t index, const char *key, unsigned status, struct reply *ret_reply)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/audit/receipts/%llu", (unsigned long long)index);
    const unsigned got = get(path, key, ret_reply);
    if (got != status) {
        print_error("%s: %u: %s\n", path, got, buf_str(&ret_reply->body));
    }
    assert_int_equal(got, status);
}

static void
receipt_is_refused(uint64_t index, const char *key, unsigned status, const char *says)
{
    struct reply r;
    get_receipt(index, key, status, &r);
    assert_text_has(buf_str(&r.body), says);
    reply_done(&r);
}

static void
read_vkey(struct buf *ret_vkey)
{
    DEFER(file_freep) char *path = file_join(log_dir, "vkey");
    testing_read(path, ret_vkey);
    ret_vkey->ptr[--ret_vkey->len] = '\0'; /* its newline */
}

/* ---- who may ---- */

static void
is_closed_to_who_has_no_right_to_it(void **state)
{
    (void)state;
    static const char *const paths[] = {"/audit/checkpoint", "/audit/tile/0/000.p/1",
                                        "/audit/tile/entries/000.p/1"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        answers(paths[i], NULL, 401);
        answers(paths[i], "sw_nonsense", 401);
        answers(paths[i], it.caller, 403);
    }
    answers("/audit/receipts/0", NULL, 401);
    answers("/audit/checkpoint", inspector, 200);
    assert_int_equal(entries_of("audit.read", "audit/checkpoint", "deny"), 3);
}

static void
has_no_other_path(void **state)
{
    (void)state;
    static const char *const paths[] = {"/audit",
                                        "/audit/",
                                        "/audit/journal",
                                        "/audit/vkey",
                                        "/audit/lock",
                                        "/audit/tile",
                                        "/audit/tile/",
                                        "/audit/tile/0/00",
                                        "/audit/tile/0/0000",
                                        "/audit/tile/00/000",
                                        "/audit/tile/8/000",
                                        "/audit/tile/0/000/x",
                                        "/audit/tile/0/000.p/256",
                                        "/audit/tile/0/000.p/0",
                                        "/audit/tile/0/000.p/01",
                                        "/audit/tile/entries/000.p/",
                                        "/audit/tile/entries/x000/001",
                                        "/audit/tile/0/x/000",
                                        "/audit/tile/0/999",
                                        "/audit/tile/entries/%2e%2e",
                                        "/audit/receipts",
                                        "/audit/receipts/",
                                        "/audit/receipts/x",
                                        "/audit/receipts/-1",
                                        "/audit/receipts/18446744073709551616",
                                        "/audit/receipts/9223372036854775807",
                                        "/audit/receipts/4000000000"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        answers(paths[i], inspector, 404);
    }
    answers("/audit/tile/../vkey", inspector, 400);
    answers("/audit/tile//0/000", inspector, 400);
}

/* ---- receipts ---- */

static void
a_receipt_is_there_at_once_and_is_proved_offline(void **state)
{
    (void)state;
    struct reply r;
    DEFER(buf_done) struct buf vkey;
    DEFER(buf_done) struct buf entry;
    DEFER(file_freep) char *file = file_join(it.root, "call.tlog-proof");
    uint64_t index = 0;
    struct testing_run run;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    read_vkey(&vkey);
    const uint64_t mine = call(ROOM_INFER, it.caller, 200);
    get_receipt(mine, it.caller, 200, &r);
    assert_header(&r, "content-type", "text/plain; charset=utf-8");
    assert_header(&r, "cache-control", "no-store");
    assert_text_has(r.head, "attachment; filename=\"");
    assert_text_has(r.head, ".tlog-proof\"");
    assert_ok(audit_receipt_entry(buf_view(&r.body), NULL, &index, &entry));
    assert_int_equal(index, mine);
    assert_text_has(buf_str(&entry), "\"principal\":\"desk\",");
    assert_text_has(buf_str(&entry), "\"action\":\"model.infer\"");
    assert_ok(audit_check_proof(buf_str(&vkey), buf_view(&entry), buf_view(&r.body), NULL));
    testing_write(file, buf_view(&r.body));
    assert_steward("audit", "prove", "--check", file, "--vkey", buf_str(&vkey));
    r.body.ptr[40] ^= 1; /* of the entry */
    testing_write(file, buf_view(&r.body));
    testing_steward(&run, "audit", "prove", "--check", file, "--vkey", buf_str(&vkey), NULL);
    assert_int_not_equal(run.exit_code, 0);
    testing_run_done(&run);
    reply_done(&r);
}

static void
refused_calls_have_receipts_too(void **state)
{
    (void)state;
    struct reply r;
    DEFER(buf_done) struct buf entry;
    uint64_t index = 0;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    const uint64_t refused = call("/v2/models/nosuch/infer", it.caller, 404);
    const uint64_t after = call(ROOM_INFER, it.caller, 200);
    assert_true(after > refused);
    get_receipt(refused, it.caller, 200, &r);
    assert_ok(audit_receipt_entry(buf_view(&r.body), NULL, &index, &entry));
    assert_text_has(buf_str(&entry), "\"decision\":\"deny\"");
    reply_done(&r);
    assert_int_equal(get("/v2", NULL, &r), 401);
    assert_header(&r, "steward-log-index", ""); /* who is nobody learns nothing of the log */
    reply_done(&r);
}

static void
a_receipt_is_for_who_called_or_may_read_the_log(void **state)
{
    (void)state;
    const uint64_t mine = call(ROOM_INFER, it.caller, 200);
    struct reply r;
    receipt_is_refused(mine, NULL, 401, "a valid key is needed");
    receipt_is_refused(mine, stranger, 403, "the receipt of another's call needs audit.read");
    receipt_is_refused(0, it.caller, 403, "the receipt of another's call needs audit.read");
    receipt_is_refused(mine + 1000, it.caller, 404, "no such entry");
    get_receipt(mine, inspector, 200, &r);
    reply_done(&r);
    assert_steward("principal", "grant", "stranger", "--role", "auditor", "--resource", "audit/**",
                   "--deny");
    const uint64_t theirs = call(ROOM_INFER, stranger, 200);
    (void)usleep(400 * 1000); /* grants are looked at four times a second */
    receipt_is_refused(theirs, stranger, 403, "not allowed: audit.read on audit/receipts");
}

static bool
run_go(char *const argv[], struct testing_run *ret_run)
{
    testing_run(argv, ret_run);
    return ret_run->exit_code == 0;
}

#define WORD(TEXT) ((char *)(uintptr_t)(TEXT))

/* golang.org/x/mod takes what was downloaded. */
static void
go_accepts_a_receipt_that_was_downloaded(void **state)
{
    (void)state;
    DEFER(file_freep) char *source = testing_source("tests/govern/interop");
    DEFER(file_freep) char *file = file_join(it.root, "go.tlog-proof");
    DEFER(buf_done) struct buf vkey;
    struct testing_run run;
    struct reply r;
    read_vkey(&vkey);
    (void)setenv("GOTOOLCHAIN", "local", 1);
    (void)setenv("GOFLAGS", "-mod=readonly", 1);
    char *const fetch[] = {WORD("go"), WORD("-C"), source, WORD("mod"), WORD("download"), NULL};
    const bool there = run_go(fetch, &run);
    testing_run_done(&run);
    if (!there) {
        print_message("# skipped: no Go here, or golang.org/x/mod cannot be fetched\n");
        skip();
    }
    const uint64_t mine = call(ROOM_INFER, it.caller, 200);
    char says[64];
    get_receipt(mine, it.caller, 200, &r);
    testing_write(file, buf_view(&r.body));
    reply_done(&r);
    char *const check[] = {WORD("go"),     WORD("-C"),      source, WORD("run"), WORD("."),
                           WORD(vkey.ptr), WORD("receipt"), file,   NULL};
    (void)run_go(check, &run);
    (void)snprintf(says, sizeof says, "accepted: entry %llu of ", (unsigned long long)mine);
    assert_text_has(buf_str(&run.out), says);
    assert_int_equal(run.exit_code, 0);
    testing_run_done(&run);
}

/* ---- following the log ---- */

/* 300 calls on one connection, so that there is a full tile. */
static void
fill_a_tile(void)
{
    char text[1024];
    struct client c;
    struct reply r;
    (void)snprintf(text, sizeof text,
                   "GET /v2 HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer %s\r\n\r\n",
                   it.caller);
    assert_true(client_open(it.port, NULL, &c));
    for (int i = 0; i < 300; i++) {
        assert_true(client_send_text(&c, text));
        client_take(&c, &r);
        assert_int_equal(r.status, 200);
        reply_done(&r);
    }
    client_close(&c);
}

/* As a monitor would: keeps what it fetched under the same name. */
static void
keep(const char *to, const char *name, const char *type, const char *cache)
{
    struct reply r;
    char path[256];
    DEFER(file_freep) char *kept = file_join(to, name);
    DEFER(file_freep) char *folder = file_join(to, name);
    (void)snprintf(path, sizeof path, "/audit/%s", name);
    const unsigned status = get(path, inspector, &r);
    if (status != 200) {
        print_error("%s: %u\n", path, status);
    }
    assert_int_equal(status, 200);
    assert_header(&r, "content-type", type);
    assert_header(&r, "cache-control", cache);
    *strrchr(folder, '/') = '\0';
    assert_ok(file_mkdirs(folder, 0700, NULL));
    testing_write(kept, buf_view(&r.body));
    reply_done(&r);
}

static void
read_checkpoint(const char *dir, struct checkpoint *ret_checkpoint)
{
    struct note_key key;
    DEFER(buf_done) struct buf vkey;
    DEFER(buf_done) struct buf note;
    DEFER(file_freep) char *path = file_join(dir, "checkpoint");
    read_vkey(&vkey);
    assert_ok(note_parse_vkey(buf_view(&vkey), NULL, &key));
    testing_read(path, &note);
    assert_ok(checkpoint_open(buf_view(&note), &key, NULL, ret_checkpoint));
}

/* What a monitor has fetched proves each entry of the log: all hashes and entries are in it. */
static void
a_monitor_follows_the_log(void **state)
{
    (void)state;
    static const char tile[] = "private, max-age=31536000, immutable";
    DEFER(testing_dirp) char *to = testing_dir();
    DEFER(file_freep) char *vkey_to = file_join(to, "vkey");
    DEFER(buf_done) struct buf vkey;
    struct checkpoint c;
    struct reply r;
    char name[64];
    fill_a_tile();
    get_receipt(call(ROOM_INFER, it.caller, 200), it.caller, 200, &r); /* signs */
    reply_done(&r);
    read_vkey(&vkey);
    testing_write(vkey_to, buf_view(&vkey));
    keep(to, "checkpoint", "text/plain; charset=utf-8", "private, max-age=1");
    read_checkpoint(to, &c);
    assert_in_range(c.size, 257, 511);
    const unsigned width = (unsigned)(c.size % 256);
    keep(to, "tile/0/000", "application/octet-stream", tile);
    keep(to, "tile/entries/000", "application/octet-stream", tile);
    keep(to, "tile/1/000.p/1", "application/octet-stream", tile);
    (void)snprintf(name, sizeof name, "tile/0/001.p/%u", width);
    keep(to, name, "application/octet-stream", tile);
    (void)snprintf(name, sizeof name, "tile/entries/001.p/%u", width);
    keep(to, name, "application/octet-stream", tile);
    for (uint64_t i = 0; i < c.size; i++) {
        DEFER(buf_done) struct buf proof;
        DEFER(buf_done) struct buf entry;
        buf_init(&proof, 1 << 20);
        buf_init(&entry, AUDIT_MAX_ENTRY);
        assert_ok(audit_prove(to, i, &entry, &proof, NULL));
        assert_ok(audit_check_proof(buf_str(&vkey), buf_view(&entry), buf_view(&proof), NULL));
    }
    answers("/audit/tile/0/000.p/3", inspector, 200); /* it has become full */
    answers("/audit/tile/entries/000.p/255", inspector, 200);
    answers("/audit/tile/0/001", inspector, 404);
    (void)snprintf(name, sizeof name, "/audit/tile/0/001.p/%u", width + 1);
    answers(name, inspector, 404);
}

static void
following_writes_one_entry_a_minute(void **state)
{
    (void)state;
    struct reply r;
    const unsigned before = entries_of("audit.read", "audit/checkpoint", "allow");
    for (int i = 0; i < 30; i++) {
        answers("/audit/checkpoint", inspector, 200);
    }
    const unsigned after = entries_of("audit.read", "audit/checkpoint", "allow");
    assert_true(after >= 1 && after <= before + 2); /* a minute may have begun */
    assert_int_equal(get("/metrics", it.watcher, &r), 200);
    const char *line =
        strstr(buf_str(&r.body), "\nsteward_audit_reads_total{kind=\"checkpoint\"} ");
    assert_non_null(line);
    assert_true(strtoull(strrchr(strtok((char *)(uintptr_t)line, "\n"), ' '), NULL, 10) >= 30);
    reply_done(&r);
}

/* ---- open to everybody ---- */

static struct status
has_id(void *ctx, uint64_t index, struct view entry)
{
    DEFER(js_freep) json_t *o = NULL;
    (void)index;
    TRY(js_parse(entry, "entry", NULL, &o));
    assert_true(is_text(o, "id", ctx));
    assert_true(is_text(o, "decision", "deny"));
    return OK;
}

/* Its number is no secret then. */
static void
assert_index_of_refusal(void)
{
    struct reply r;
    char index[256], id[256];
    assert_int_equal(get("/v2", NULL, &r), 401);
    reply_header(&r, "steward-log-index", index);
    reply_header(&r, "steward-call-id", id);
    assert_true(*index >= '0' && *index <= '9');
    const uint64_t at = strtoull(index, NULL, 10);
    assert_ok(audit_each(log_dir, at, at + 1, has_id, id, NULL));
    reply_done(&r);
}

static void
opened_hashes_are_for_everybody_and_entries_are_not(void **state)
{
    (void)state;
    struct reply r;
    restart(HOUR "  open: hashes\n");
    assert_int_equal(get("/audit/checkpoint", NULL, &r), 200);
    assert_header(&r, "cache-control", "public, max-age=1");
    reply_done(&r);
    assert_int_equal(get("/audit/tile/0/000", NULL, &r), 200);
    assert_header(&r, "cache-control", "public, max-age=31536000, immutable");
    assert_int_equal(r.body.len, 8192);
    reply_done(&r);
    answers("/audit/tile/entries/000", NULL, 401);
    answers("/audit/receipts/0", NULL, 401);
    assert_index_of_refusal();
    answers("/audit/tile/0/000", "sw_nonsense", 401);
    answers("/audit/tile/0/000", it.caller, 200);
    answers("/audit/tile/0/000", stranger, 403); /* who was forbidden it */
    answers("/audit/tile/entries/000", it.caller, 403);
    const unsigned before = entries_of("audit.read", "audit/checkpoint", "allow");
    answers("/audit/checkpoint", NULL, 200);
    assert_int_equal(entries_of("audit.read", "audit/checkpoint", "allow"), before);
    restart(HOUR "  open: entries\n");
    assert_int_equal(get("/audit/tile/entries/000", NULL, &r), 200);
    assert_header(&r, "cache-control", "public, max-age=31536000, immutable");
    reply_done(&r);
    answers("/audit/receipts/0", NULL, 401);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(is_closed_to_who_has_no_right_to_it),
        cmocka_unit_test(has_no_other_path),
        cmocka_unit_test(a_receipt_is_there_at_once_and_is_proved_offline),
        cmocka_unit_test(refused_calls_have_receipts_too),
        cmocka_unit_test(a_receipt_is_for_who_called_or_may_read_the_log),
        cmocka_unit_test(go_accepts_a_receipt_that_was_downloaded),
        cmocka_unit_test(a_monitor_follows_the_log),
        cmocka_unit_test(following_writes_one_entry_a_minute),
        cmocka_unit_test(opened_hashes_are_for_everybody_and_entries_are_not),
    };
    return cmocka_run_group_tests(cases, set_up, tear_down);
}
