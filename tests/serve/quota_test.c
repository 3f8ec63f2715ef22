#include "room.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "govern/audit.h"
#include "serve/quotas.h"
#include "workspace/alert.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- counting ---- */

static bool
is_of(void *ctx, const struct quota *q)
{
    (void)q;
    return ctx != NULL;
}

static enum quotas_answer
take(struct quotas *q, const char *principal, uint64_t rows, int64_t now_ns,
     struct quotas_charge *ret_charge, struct quotas_refusal *ret_refusal)
{
    const struct quotas_call c = {
        .principal = principal, .model = "loans", .rows = rows, .now_ns = now_ns, .is_of = is_of};
    return quotas_take(q, &c, ret_charge, ret_refusal);
}

static struct quotas *
quotas_of(const char *log_dir, const char *const *lines, size_t count)
{
    struct quota list[QUOTAS];
    struct diag diag = {0};
    struct quotas *q = quotas_new(log_dir);
    for (size_t i = 0; i < count; i++) {
        assert_ok(quota_parse(view_str(lines[i]), &diag, &list[i]));
    }
    assert_ok(quotas_set(q, list, count, &diag));
    return q;
}

static struct room it;
static char *log_of_it;

static int64_t
at(const char *time)
{
    int64_t ns = 0;
    assert_ok(clock_from_rfc3339(view_str(time), &ns));
    return ns;
}

static void
a_clock_that_goes_back_gives_nothing_back(void **state)
{
    (void)state;
    static const char *const lines[] = {"day 10 rows/day each", "gone 1 calls/month group=g",
                                        "other 1 calls/month model=no"};
    struct quotas *q = quotas_of(log_of_it, lines, 3);
    struct quotas_charge c;
    struct quotas_refusal r;
    assert_int_equal(take(q, "ann", 8, at("2031-01-02T23:59:58Z"), &c, &r), QUOTAS_ROOM);
    assert_int_equal(c.count, 1);
    assert_int_equal(take(q, "ann", 11, at("2031-01-02T23:59:58Z"), &c, &r), QUOTAS_NEVER);
    assert_int_equal(take(q, "ann", 3, at("2031-01-02T23:59:58Z"), &c, &r), QUOTAS_FULL);
    assert_int_equal(r.retry_after_s, 2);
    assert_text_has(r.sentence,
                    "quota day (10 rows/day, each): 8 used, this call asks for 3; there "
                    "is more from 2031-01-03T00:00:00Z");
    assert_int_equal(take(q, "bob", 3, at("2031-01-02T23:59:58Z"), &c, &r), QUOTAS_ROOM);
    assert_int_equal(take(q, "ann", 3, at("2031-01-01T00:00:00Z"), &c, &r), QUOTAS_FULL);
    assert_int_equal(take(q, "ann", 2, at("2031-01-01T00:00:00Z"), &c, &r), QUOTAS_ROOM);
    quotas_give_back(q, &c);
    assert_int_equal(take(q, "ann", 2, at("2031-01-02T00:00:00Z"), &c, &r), QUOTAS_ROOM);
    assert_int_equal(take(q, "ann", 1, at("2031-01-02T00:00:00Z"), &c, &r), QUOTAS_FULL);
    assert_int_equal(take(q, "ann", 10, at("2031-01-03T00:00:00Z"), &c, &r), QUOTAS_ROOM);
    quotas_free(q);
}

static void
tokens_count_when_the_answer_is_known(void **state)
{
    (void)state;
    static const char *const lines[] = {"talk 100 tokens/day", "never 0 tokens/day principal=bob"};
    static const char day[] = "2031-02-02T23:59:58Z", next[] = "2031-02-03T00:00:00Z";
    struct quotas *q = quotas_of(log_of_it, lines, 2);
    struct quotas_charge c, other;
    struct quotas_refusal r;
    assert_int_equal(take(q, "bob", 1, at(day), &c, &r), QUOTAS_NEVER);
    assert_int_equal(take(q, "ann", 9, at(day), &c, &r), QUOTAS_ROOM);
    quotas_add_tokens(q, &c, 99);
    assert_int_equal(take(q, "ann", 9, at(day), &other, &r), QUOTAS_ROOM);
    quotas_add_tokens(q, &other, 51);
    assert_int_equal(take(q, "ann", 9, at(day), &c, &r), QUOTAS_FULL);
    assert_int_equal(r.retry_after_s, 2);
    assert_string_equal(r.sentence, "quota talk (100 tokens/day): 150 used; there is more from "
                                    "2031-02-03T00:00:00Z");
    quotas_give_back(q, &other);
    assert_int_equal(take(q, "ann", 9, at(day), &other, &r), QUOTAS_ROOM);
    /* The day is over before its answer is known: its entry names the day that was. */
    assert_int_equal(take(q, "ann", 9, at(next), &c, &r), QUOTAS_ROOM);
    quotas_add_tokens(q, &other, 1000);
    assert_int_equal(take(q, "ann", 9, at(next), &c, &r), QUOTAS_ROOM);
    quotas_free(q);
}

static _Atomic unsigned let_through;

static void *
take_many(void *ctx)
{
    struct quotas_charge c;
    struct quotas_refusal r;
    for (unsigned i = 0; i < 2000; i++) {
        if (take(ctx, "ann", 1, INT64_C(1900000000) * NS_PER_S, &c, &r) == QUOTAS_ROOM) {
            (void)atomic_fetch_add(&let_through, 1);
            if (i % 5 == 0) {
                quotas_give_back(ctx, &c);
                (void)atomic_fetch_sub(&let_through, 1);
            }
        }
    }
    return NULL;
}

static void
threads_share_one_count_exactly(void **state)
{
    (void)state;
    static const char *const lines[] = {"day 5000 calls/day", "fair 9000 rows/hour each"};
    struct quotas *q = quotas_of(log_of_it, lines, 2);
    pthread_t thread[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, take_many, q), 0);
    }
    for (int i = 0; i < 4; i++) {
        (void)pthread_join(thread[i], NULL);
    }
    assert_int_equal(let_through, 5000);
    quotas_free(q);
}

/* ---- a server ---- */

static void
configure(const char *quotas)
{
    DEFER(file_freep) char *file = file_join(it.dir, "steward.yaml");
    DEFER(buf_done) struct buf text;
    buf_init(&text, 4096);
    buf_printf(&text, "limits:\n  quotas: [%s]\n", quotas);
    testing_write(file, buf_view(&text));
}

static void
kill_it(void)
{
    assert_int_equal(kill(it.pid, SIGKILL), 0);
    assert_int_equal(waitpid(it.pid, NULL, 0), it.pid);
    it.pid = 0;
}

static void
asks(unsigned status, const char *says)
{
    room_answers(&it, "POST", ROOM_INFER, it.caller, status, says);
}

static void
what_was_used_is_so_after_a_kill(void **state)
{
    (void)state;
    configure("\"hand 5 calls/month principal=desk\", \"fair 100 rows/month role=caller each\"");
    room_start(&it);
    for (int i = 0; i < 3; i++) {
        asks(200, "outputs");
    }
    kill_it();
    room_start(&it);
    asks(200, "outputs");
    asks(200, "outputs");
    asks(429, "quota hand (5 calls/month of principal desk): 5 used");
    room_answers(&it, "GET", "/metrics", it.watcher, 200, "steward_quota_used{quota=\"hand\"} 5\n");
    room_answers(&it, "GET", "/metrics", it.watcher, 200, "steward_quota_used{quota=\"fair\"} 5\n");
    kill_it();
    room_start(&it);
    asks(429, "quota hand");
    assert_int_equal(testing_stop(it.pid), 0);
    configure("\"hand 6 calls/month principal=desk\"");
    room_start(&it);
    asks(200, "outputs");
    asks(429, "6 used");
    assert_int_equal(testing_stop(it.pid), 0);
    it.pid = 0;
}

static struct status
look_at(void *ctx, uint64_t index, struct view entry)
{
    unsigned *refused = ctx;
    (void)index;
    *refused += memmem(entry.ptr, entry.len, "\"rule\":\"quota hand\"", 19) != NULL;
    return OK;
}

static void
refusals_are_entries_with_the_rule(void **state)
{
    (void)state;
    unsigned refused = 0;
    struct diag diag = {0};
    assert_ok(audit_each(log_of_it, 0, UINT64_MAX, look_at, &refused, &diag));
    assert_int_equal(refused, 3);
}

static void
another_number_holds_with_a_hangup_and_keeps_the_count(void **state)
{
    (void)state;
    struct reply r;
    room_start(&it);
    asks(429, "6 used");
    configure("\"hand 7 calls/month group=nobody\", \"desk 1 calls/month role=caller\"");
    assert_int_equal(kill(it.pid, SIGHUP), 0);
    room_await(&it, 429, 200, &r);
    reply_done(&r);
    asks(429, "quota desk (1 calls/month of role caller): 1 used");
    configure("\"hand 7 calls/month principal=desk\"");
    assert_int_equal(kill(it.pid, SIGHUP), 0);
    room_await(&it, 429, 200, &r);
    reply_done(&r);
    asks(429, "7 used");
    assert_int_equal(testing_stop(it.pid), 0);
    it.pid = 0;
}

/* By the API, as this server counts; by the command line, as the log has it. */
static void
what_is_left_is_told_by_both_doors(void **state)
{
    (void)state;
    char inspector[128];
    struct testing_run r;
    assert_steward("principal", "add", "inspector", "--role", "auditor");
    testing_issue_key("inspector", inspector);
    configure("\"hand 9 calls/month principal=desk\", \"fair 100 rows/month role=caller each\", "
              "\"idle 1 calls/month group=nobody each\"");
    room_start(&it);
    asks(200, "outputs");
    room_answers(&it, "GET", "/v2/usage/quotas", it.caller, 403, "usage.read on usage/quotas");
    room_answers(&it, "GET", "/v2/usage/quotas?by=day", inspector, 400, "takes no parameters");
    struct reply answer;
    json_t *api = NULL, *line = NULL;
    char text[256];
    (void)snprintf(text, sizeof text,
                   "GET /v2/usage/quotas HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer "
                   "%s\r\n\r\n",
                   inspector);
    assert_int_equal(client_ask(it.port, text, &answer), 200);
    assert_ok(js_parse(buf_view(&answer.body), "answer", NULL, &api));
    testing_steward(&r, "usage", "--quotas", "--json", NULL);
    assert_int_equal(r.exit_code, 0);
    assert_ok(js_parse(buf_view(&r.out), "stdout", NULL, &line));
    assert_int_equal(json_array_size(json_object_get(api, "quotas")), 3);
    assert_true(json_equal(api, line));
    testing_run_done(&r);
    testing_steward(&r, "usage", "--quotas", NULL);
    assert_text_has(buf_str(&r.out),
                    "hand: 9 calls/month of principal desk\n  8 used, 1 left until ");
    assert_text_has(buf_str(&r.out),
                    "idle: 1 calls/month of group nobody, each\n  nothing is used\n");
    testing_run_done(&r);
    json_decref(api);
    json_decref(line);
    reply_done(&answer);
    assert_int_equal(testing_stop(it.pid), 0);
    it.pid = 0;
}

/* ---- counts beside the log ---- */

static struct workspace *
open_it(void)
{
    struct workspace *w = NULL;
    DEFER(secret_done) struct secret passphrase = {0};
    assert_ok(secret_from(view_str("correct horse battery staple"), &passphrase));
    const struct workspace_open_options o = {.passphrase = &passphrase, .reason = "a test"};
    assert_ok(workspace_open(it.dir, &o, NULL, &w));
    return w;
}

static void
append_many(void)
{
    DEFER(workspace_closep) struct workspace *w = open_it();
    uint64_t ticket = 0;
    for (unsigned i = 0; i < QUOTAS_KEPT_EVERY + 100; i++) {
        DEFER(buf_done) struct buf entry;
        buf_init(&entry, AUDIT_MAX_ENTRY);
        audit_event_put(&(struct audit_event){.time_ns = clock_wall_ns(),
                                              .id = "0123456789abcdef",
                                              .principal = "desk",
                                              .action = "model.infer",
                                              .resource = "models/loans",
                                              .allow = true,
                                              .http_status = 200,
                                              .reason = "role caller",
                                              .rows = 1,
                                              .quotas = "far calls/month 2099-01\n"},
                        &entry);
        while (audit_submit(w->audit, buf_view(&entry), &ticket).code == STATUS_BUSY) {
            audit_hasten(w->audit); /* as many wait as may */
        }
    }
}

/* What the newest server said that it read from its log. */
static void
read_said(unsigned long long *ret_entries, unsigned long long *ret_from)
{
    DEFER(buf_done) struct buf text;
    testing_read(it.log, &text);
    const char *at = NULL;
    for (const char *next = strstr(buf_str(&text), "quotas.read"); next != NULL;
         next = strstr(next + 1, "quotas.read")) {
        at = next;
    }
    assert_non_null(at);
    assert_int_equal(sscanf(at, "quotas.read entries=%llu from=%llu", ret_entries, ret_from), 2);
}

static void
a_start_reads_what_came_since_the_counts_were_kept(void **state)
{
    (void)state;
    unsigned long long entries = 0, from = 0, whole = 0;
    DEFER(file_freep) char *kept = file_join(log_of_it, QUOTA_KEPT_FILE);
    append_many();
    configure("\"hand 100 calls/month principal=desk\", \"far 900000 calls/month\"");
    assert_false(file_exists(kept));
    room_start(&it);
    read_said(&whole, &from);
    assert_int_equal(from, 0);
    const int64_t until = clock_mono_ns() + INT64_C(120) * NS_PER_S;
    while (!file_exists(kept) && clock_mono_ns() < until) {
        const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
        (void)nanosleep(&pause, NULL);
    }
    assert_true(file_exists(kept));
    asks(200, "outputs");
    room_answers(&it, "GET", "/metrics", it.watcher, 200,
                 "steward_quota_used{quota=\"far\"} 16485\n");
    kill_it();
    room_start(&it);
    read_said(&entries, &from);
    assert_true(from >= whole && from <= entries && entries >= whole + 2);
    room_answers(&it, "GET", "/metrics", it.watcher, 200,
                 "steward_quota_used{quota=\"far\"} 16485\n");
    room_answers(&it, "GET", "/metrics", it.watcher, 200, "steward_quota_used{quota=\"hand\"} 9\n");
    kill_it();
    /* What nobody vouches for is not read. */
    DEFER(buf_done) struct buf bytes;
    testing_read(kept, &bytes);
    bytes.ptr[bytes.len - 1] ^= 1;
    testing_write(kept, buf_view(&bytes));
    room_start(&it);
    read_said(&entries, &from);
    assert_int_equal(from, 0);
    room_answers(&it, "GET", "/metrics", it.watcher, 200,
                 "steward_quota_used{quota=\"far\"} 16485\n");
    assert_int_equal(testing_stop(it.pid), 0);
    it.pid = 0;
    DEFER(buf_done) struct buf said;
    testing_read(it.log, &said);
    assert_null(strstr(buf_str(&said), "quotas.unkept"));
    assert_null(strstr(buf_str(&said), "sandbox: system call"));
    assert_true(room_log_length() > QUOTAS_KEPT_EVERY);
}

/* Who is in a group by the store. */
static void
verb_says(const char *const *args, const char *says)
{
    struct testing_run r;
    testing_steward(&r, args[0], args[1], args[2], args[3], NULL);
    assert_int_equal(r.exit_code, 0);
    assert_text_has(buf_str(&r.out), says);
    testing_run_done(&r);
}

static void
rest_shortly(void)
{
    const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
    (void)nanosleep(&pause, NULL);
}

/* As whoever writes in the workspace's folder can: they take off what was used, and put the entry
 * that names the file into the journal. */
static void
forge(const char *kept)
{
    uint64_t entries = 0;
    struct digest root, file;
    struct diag diag = {0};
    char reason[200];
    DEFER(quota_book_freep) struct quota_book *b = quota_book_new();
    DEFER(workspace_closep) struct workspace *w = open_it();
    DEFER(buf_done) struct buf bytes;
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 2 * DIGEST_BYTES + 1);
    testing_read(kept, &bytes);
    assert_ok(quota_kept_read(buf_view(&bytes), b, &entries, &root));
    quota_book_count(b, "far calls/month", "")->used = 1;
    quota_count_turn(quota_book_count(b, "none calls/month", ""), "2099-01");
    buf_reset(&bytes);
    assert_ok(quota_kept_put(b, entries, &root, &bytes));
    digest_of(buf_view(&bytes), &file);
    digest_put_hex(&hex, &file);
    (void)snprintf(reason, sizeof reason, "counts of the first %llu entries kept; sha256=%s",
                   (unsigned long long)entries, buf_str(&hex));
    const struct workspace_act act = {
        .action = QUOTA_KEPT_ACTION, .resource = "limits/quotas", .reason = reason};
    assert_ok(workspace_audit(w, &act, &diag));
    testing_write(kept, buf_view(&bytes));
}

static uint64_t
used_by_metrics(const char *quota)
{
    unsigned long long used = 0;
    char text[512], line[96];
    struct reply r;
    (void)snprintf(text, sizeof text,
                   "GET /metrics HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer %s\r\n\r\n",
                   it.watcher);
    assert_int_equal(client_ask(it.port, text, &r), 200);
    (void)snprintf(line, sizeof line, "steward_quota_used{quota=\"%s\"} ", quota);
    const char *at = strstr(buf_str(&r.body), line);
    assert_non_null(at);
    assert_int_equal(sscanf(at + strlen(line), "%llu", &used), 1);
    reply_done(&r);
    return used;
}

/* As the server tells of it: how many are open, and were raised. */
static bool
tells_alert(unsigned open, unsigned total)
{
    struct reply r;
    char text[512], line[2][160];
    (void)snprintf(text, sizeof text,
                   "GET /metrics HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer %s\r\n\r\n",
                   it.watcher);
    assert_int_equal(client_ask(it.port, text, &r), 200);
    for (unsigned i = 0; i < 2; i++) {
        (void)snprintf(line[i], sizeof line[i],
                       "\nsteward_alerts_%s{policy=\"quota-counts\",assignment=\"limits/quotas\","
                       "severity=\"high\"} %u\n",
                       i == 0 ? "open" : "total", i == 0 ? open : total);
    }
    const bool tells =
        strstr(buf_str(&r.body), line[0]) != NULL && strstr(buf_str(&r.body), line[1]) != NULL;
    reply_done(&r);
    return tells;
}

static void
await_alert(unsigned open, unsigned total)
{
    const int64_t until = clock_mono_ns() + INT64_C(240) * NS_PER_S;
    while (!tells_alert(open, total)) {
        assert_true(clock_mono_ns() < until);
        rest_shortly();
    }
}

static void
forged_counts_are_found_and_corrected(void **state)
{
    (void)state;
    unsigned long long entries = 0, from = 0;
    uint64_t is = 0;
    DEFER(file_freep) char *kept = file_join(log_of_it, QUOTA_KEPT_FILE);
    DEFER(buf_done) struct buf said;
    configure("\"hand 100 calls/month principal=desk\", \"far 900000 calls/month\"");
    assert_int_equal(unlink(kept), 0); /* it was changed, and nobody vouches for it */
    room_start(&it);
    const uint64_t whole = used_by_metrics("far");
    const int64_t until = clock_mono_ns() + INT64_C(240) * NS_PER_S;
    while (!file_exists(kept) && clock_mono_ns() < until) {
        rest_shortly();
    }
    assert_int_equal(testing_stop(it.pid), 0);
    assert_true(whole > QUOTAS_KEPT_EVERY);
    forge(kept);
    room_start(&it);
    read_said(&entries, &from);
    assert_true(from > 0); /* believed */
    asks(200, "outputs");
    do {
        rest_shortly();
        is = used_by_metrics("far");
    } while (is != whole + 1 && clock_mono_ns() < until);
    assert_int_equal(is, whole + 1);
    await_alert(0, 1); /* the file is right again: a start would believe what the log says */
    assert_int_equal(testing_stop(it.pid), 0);
    it.pid = 0;
    testing_read(it.log, &said);
    assert_text_has(buf_str(&said), "quotas.corrected");
    assert_text_has(buf_str(&said), "2 counts that lay beside the log");
    verb_says((const char *const[]){"audit", "search", "action=alert.raise", "--json"},
              "\"policy\": \"quota-counts\"");
    verb_says((const char *const[]){"audit", "search", "action=alert.clear", "--json"},
              "\"subject\": \"limits/quotas\"");
    room_start(&it);
    read_said(&entries, &from);
    assert_true(from > 0);
    assert_true(tells_alert(0, 1));
    assert_int_equal(used_by_metrics("far"), whole + 1);
    assert_int_equal(testing_stop(it.pid), 0);
    it.pid = 0;
}

static void
count_entries(const char *action, size_t is)
{
    struct testing_run r;
    size_t n = 0;
    char query[64];
    (void)snprintf(query, sizeof query, "action=%s", action);
    testing_steward(&r, "audit", "search", query, "--json", NULL);
    assert_int_equal(r.exit_code, 0);
    for (const char *at = strstr(buf_str(&r.out), "\"policy\": \"quota-counts\""); at != NULL;
         at = strstr(at + 1, "\"policy\": \"quota-counts\"")) {
        n++;
    }
    assert_int_equal(n, is);
    testing_run_done(&r);
}

static void
raise_alert(void)
{
    struct diag diag = {0};
    struct alert a = {.resource = "limits/quotas", .policy = "quota-counts", .severity = "high"};
    DEFER(workspace_closep) struct workspace *w = open_it();
    assert_ok(alert_read(w, &a, &diag));
    assert_false(a.open);
    assert_ok(alert_tell(w, &a, true, "raised for a test", &diag));
    assert_true(a.open);
}

/* Over restarts, until a recount agrees. */
static void
an_alert_of_counts_is_open_until_they_are_counted_again(void **state)
{
    (void)state;
    DEFER(file_freep) char *kept = file_join(log_of_it, QUOTA_KEPT_FILE);
    configure("");
    raise_alert();
    for (unsigned i = 0; i < 2; i++) { /* nobody counts */
        room_start(&it);
        assert_true(tells_alert(1, 2));
        room_answers(&it, "GET", "/v2/health/alerts", it.watcher, 503, "counts of quotas");
        assert_int_equal(testing_stop(it.pid), 0);
    }
    configure("\"far 900000 calls/month\"");
    room_start(&it);
    await_alert(0, 2);
    room_answers(&it, "GET", "/v2/health/alerts", it.watcher, 200, "true");
    assert_int_equal(testing_stop(it.pid), 0);
    count_entries("alert.raise", 2);
    count_entries("alert.clear", 2);
    (void)unlink(kept); /* all is counted then, and that is compared as well */
    raise_alert();
    room_start(&it);
    await_alert(0, 3);
    assert_int_equal(testing_stop(it.pid), 0);
    it.pid = 0;
    count_entries("alert.clear", 3);
}

/* ---- what cannot be told ---- */

/* As on a disk that is full: files of this process may grow to one byte only. */
static void
limit_files(bool limited)
{
    struct rlimit r;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
    r.rlim_cur = limited ? 1 : r.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

static void
make_counts(const char *kept)
{
    const int64_t until = clock_mono_ns() + INT64_C(240) * NS_PER_S;
    room_start(&it);
    while (!file_exists(kept) && clock_mono_ns() < until) {
        rest_shortly();
    }
    assert_int_equal(testing_stop(it.pid), 0);
    it.pid = 0;
    assert_true(file_exists(kept));
}

static uint64_t
alerts_of(struct quotas *q, bool *ret_open)
{
    DEFER(js_freep) json_t *o = quotas_alert(q);
    assert_non_null(o);
    *ret_open = json_integer_value(json_object_get(o, "open")) > 0;
    return (uint64_t)json_integer_value(json_object_get(o, "total"));
}

static const char *const far[] = {"far 900000 calls/month"};

/* The log cannot be written from when the counts are looked at until they were found to be wrong,
 * and the telling was tried some times. */
static struct quotas *
find_while_full(struct workspace *w, uint64_t told)
{
    bool open = false;
    struct diag diag = {0};
    const int64_t until = clock_mono_ns() + INT64_C(120) * NS_PER_S;
    const struct timespec some = {.tv_sec = 3};
    while (audit_published(w->audit) < audit_size(w->audit) && clock_mono_ns() < until) {
        rest_shortly(); /* only what a checkpoint covers is counted again */
    }
    struct quotas *q = quotas_of(log_of_it, far, 1);
    limit_files(true);
    const struct status watched = quotas_watch(q, w, &diag);
    while (!quotas_alarmed(q) && clock_mono_ns() < until) {
        rest_shortly();
    }
    (void)nanosleep(&some, NULL);
    const uint64_t total = alerts_of(q, &open);
    const bool alarmed = quotas_alarmed(q);
    limit_files(false);
    assert_ok(watched);
    assert_true(alarmed);
    assert_true(open); /* for who asks, though nothing of it could be written */
    assert_int_equal(total, told);
    return q;
}

static void
a_correction_that_cannot_be_told_is_told_later(void **state)
{
    (void)state;
    bool open = true;
    uint64_t total = 0;
    DEFER(file_freep) char *kept = file_join(log_of_it, QUOTA_KEPT_FILE);
    configure("\"far 900000 calls/month\"");
    make_counts(kept);
    forge(kept);
    {
        /* It ends before it could tell: what was forged lies there yet, and the next start tells.
         */
        struct workspace *w = open_it();
        struct quotas *q = find_while_full(w, 3);
        limit_files(true);
        quotas_free(q);
        limit_files(false);
        workspace_close(w);
    }
    count_entries("alert.raise", 3);
    struct workspace *w = open_it();
    struct quotas *q = find_while_full(w, 3);
    const int64_t until = clock_mono_ns() + INT64_C(120) * NS_PER_S;
    while ((total != 4 || open) && clock_mono_ns() < until) {
        rest_shortly();
        total = alerts_of(q, &open);
    }
    quotas_free(q);
    workspace_close(w);
    assert_int_equal(total, 4);
    assert_false(open); /* the file was made anew, and agrees */
    count_entries("alert.raise", 4);
    count_entries("alert.clear", 4);
}

/* Its entry is written once, however often what is kept cannot be. */
static void
an_alert_that_cannot_be_kept_is_kept_later(void **state)
{
    (void)state;
    struct diag diag = {0};
    struct alert a = {.resource = "limits/quotas", .policy = "quota-counts", .severity = "high"};
    struct alert kept = a;
    struct workspace *w = open_it(), *other = open_it();
    assert_ok(alert_read(w, &a, &diag));
    assert_false(a.open);
    assert_ok(store_begin(other->store, &diag));
    const struct status told = alert_tell(w, &a, true, "raised for a test", &diag);
    assert_int_equal(told.code, STATUS_BUSY);
    assert_true(a.open && a.unkept && a.total == 5);
    assert_status(alert_keep(w, &a, &diag), BUSY);
    assert_true(a.unkept);
    store_rollback(other->store);
    assert_ok(alert_keep(w, &a, &diag));
    assert_false(a.unkept);
    assert_ok(alert_read(w, &kept, &diag));
    assert_true(kept.open && kept.total == 5);
    assert_ok(alert_tell(w, &a, false, "cleared for a test", &diag));
    workspace_close(other);
    workspace_close(w);
    count_entries("alert.raise", 5);
    count_entries("alert.clear", 5);
}

/* A call of a model that counts tokens, as whoever serves one writes it. */
static void
append_tokens(uint64_t tokens)
{
    char day[QUOTA_WINDOW_MAX], counted[128];
    struct diag diag = {0};
    DEFER(workspace_closep) struct workspace *w = open_it();
    DEFER(buf_done) struct buf entry;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    quota_window(QUOTA_MONTH, clock_wall_ns(), day);
    (void)snprintf(counted, sizeof counted, "talk tokens/month/each %s\n", day);
    audit_event_put(&(struct audit_event){.time_ns = clock_wall_ns(),
                                          .id = "0123456789abcdef",
                                          .principal = "desk",
                                          .action = "model.infer",
                                          .resource = "models/talk",
                                          .model = "talk",
                                          .model_version = 1,
                                          .allow = true,
                                          .http_status = 200,
                                          .reason = "role caller",
                                          .prompt_tokens = tokens - 1,
                                          .completion_tokens = 1,
                                          .total_tokens = tokens,
                                          .quotas = counted},
                    &entry);
    assert_ok(audit_append(w->audit, buf_view(&entry), &diag));
}

/* A body without inputs. */
static void
ask_nothing(void)
{
    struct reply r;
    char text[512];
    (void)snprintf(text, sizeof text,
                   "POST " ROOM_INFER " HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer "
                   "%s\r\ncontent-length: 2\r\n\r\n{}",
                   it.caller);
    assert_int_equal(client_ask(it.port, text, &r), 400);
    reply_done(&r);
}

static void
tokens_that_the_log_tells_are_used_up(void **state)
{
    (void)state;
    char looker[128];
    assert_steward("principal", "add", "looker", "--role", "auditor");
    testing_issue_key("looker", looker);
    append_tokens(60);
    configure("\"talk 100 tokens/month each\"");
    room_start(&it);
    asks(200, "outputs"); /* of a model that counts none: its entry has no tokens */
    room_answers(&it, "GET", "/metrics", it.watcher, 200,
                 "steward_quota_used{quota=\"talk\"} 60\n");
    room_answers(&it, "GET", "/v2/usage?by=model", looker, 200, "\"tokens\":60");
    room_answers(&it, "GET", "/v2/usage?model=loans&by=model", looker, 200, "\"tokens\":null");
    ask_nothing();
    assert_int_equal(testing_stop(it.pid), 0);
    append_tokens(50);
    room_start(&it);
    asks(429, "quota talk (100 tokens/month, each): 110 used; there is more from ");
    kill_it();
    room_start(&it);
    asks(429, "110 used");
    assert_int_equal(testing_stop(it.pid), 0);
    it.pid = 0;
    verb_says((const char *const[]){"usage", "--quotas", NULL, NULL}, "110 used, 0 left until ");
    verb_says((const char *const[]){"audit", "search", "total_tokens>=60", "--json"},
              "\"total_tokens\": 60");
    verb_says((const char *const[]){"audit", "search", "guard=input guard_rule=body", "--json"},
              "\"rule\": \"body\"");
    verb_says((const char *const[]){"audit", "search", "guard=quota guard_rule=talk", "--json"},
              "\"rule\": \"talk\"");
}

static void
a_group_s_quota_is_of_who_is_in_it(void **state)
{
    (void)state;
    DEFER(file_freep) char *roles = file_join(it.root, "groups.yaml");
    testing_write(roles, view_str("groups:\n  - name: lenders\n    members: [desk]\n"));
    assert_steward("role", "import", roles);
    configure("\"away 0 calls/day group=others\", \"team 2 calls/day group=lenders\"");
    room_start(&it);
    asks(200, "outputs");
    asks(200, "outputs");
    asks(429, "quota team (2 calls/day of group lenders): 2 used");
    kill_it();
    room_start(&it);
    asks(429, "quota team");
    testing_write(roles, view_str("groups:\n  - name: lenders\n    members: [watcher]\n"));
    assert_steward("role", "import", roles);
    struct reply r;
    room_await(&it, 429, 200, &r); /* whoever has left it is counted there no more */
    reply_done(&r);
    assert_int_equal(testing_stop(it.pid), 0);
    it.pid = 0;
}

static int
set_up(void **state)
{
    (void)state;
    (void)setenv("STEWARD_PASSPHRASE", "correct horse battery staple", 1);
    (void)signal(SIGXFSZ, SIG_IGN);
    room_init(&it);
    room_make(&it, "passphrase", "");
    log_of_it = file_join(it.dir, "audit");
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    file_freep(&log_of_it);
    return room_done(&it);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_that_goes_back_gives_nothing_back),
        cmocka_unit_test(tokens_count_when_the_answer_is_known),
        cmocka_unit_test(threads_share_one_count_exactly),
        cmocka_unit_test(what_was_used_is_so_after_a_kill),
        cmocka_unit_test(refusals_are_entries_with_the_rule),
        cmocka_unit_test(another_number_holds_with_a_hangup_and_keeps_the_count),
        cmocka_unit_test(what_is_left_is_told_by_both_doors),
        cmocka_unit_test(a_start_reads_what_came_since_the_counts_were_kept),
        cmocka_unit_test(forged_counts_are_found_and_corrected),
        cmocka_unit_test(an_alert_of_counts_is_open_until_they_are_counted_again),
        cmocka_unit_test(a_correction_that_cannot_be_told_is_told_later),
        cmocka_unit_test(an_alert_that_cannot_be_kept_is_kept_later),
        cmocka_unit_test(tokens_that_the_log_tells_are_used_up),
        cmocka_unit_test(a_group_s_quota_is_of_who_is_in_it),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
