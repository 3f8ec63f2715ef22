#include "fixture.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/sandbox.h"
#include "govern/journal.h"
#include "govern/ledger.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 64
#define EACH 25

static struct view
filler(size_t n)
{
    static uint8_t bytes[AUDIT_MAX_ENTRY + 1];
    memset(bytes, 'x', sizeof bytes);
    return view_of(bytes, n);
}

static void
append_number(struct audit *a, uint64_t i)
{
    struct diag diag = {0};
    DEFER(buf_done) struct buf entry;
    buf_init(&entry, 4096);
    fixture_entry(i, &entry);
    const struct status s = audit_append(a, buf_view(&entry), &diag);
    if (!status_ok(s)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(s);
}

struct seen {
    uint64_t number[4096];
    size_t n, others;
    char other[1024]; /* the last entry that is none of the fixture's */
};

static struct status
see(void *ctx, uint64_t index, struct view entry)
{
    struct seen *s = ctx;
    (void)index;
    if (memmem(entry.ptr, entry.len, "\"entry-", 7) == NULL) {
        s->others++;
        (void)snprintf(s->other, sizeof s->other, "%.*s", (int)entry.len, (const char *)entry.ptr);
        return OK;
    }
    assert_true(s->n < 4096);
    s->number[s->n++] = fixture_entry_number(entry);
    return OK;
}

static void
see_all(const char *dir, struct seen *ret_seen)
{
    struct diag diag = {0};
    *ret_seen = (struct seen){0};
    const struct status s = audit_each(dir, 0, UINT64_MAX, see, ret_seen, &diag);
    if (!status_ok(s)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(s);
}

/* Every number of [0, n) is there once. */
static void
each_once(const struct seen *s, uint64_t n)
{
    static uint8_t have[4096];
    memset(have, 0, sizeof have);
    assert_int_equal(s->n, n);
    for (size_t i = 0; i < s->n; i++) {
        assert_true(s->number[i] < n);
        assert_int_equal(have[s->number[i]]++, 0);
    }
}

/* ---- misuse and limits ---- */

static void
refuses_entries_that_are_empty_or_too_long(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    struct audit *a = fixture_open(dir, 0);
    struct diag diag = {0};
    uint64_t ticket = 77;
    assert_status(audit_submit(a, filler(0), &ticket), LIMIT);
    assert_status(audit_submit(a, filler(AUDIT_MAX_ENTRY + 1), &ticket), LIMIT);
    assert_int_equal(ticket, 77);
    assert_status(audit_append(a, filler(AUDIT_MAX_ENTRY + 1), &diag), LIMIT);
    assert_says(&diag, "audit log: an entry must have 1 to 65535 bytes");
    assert_ok(audit_append(a, filler(AUDIT_MAX_ENTRY), &diag));
    assert_ok(audit_append(a, filler(1), &diag));
    assert_int_equal(audit_size(a), 2);
    assert_int_equal(audit_fate(a, 3), AUDIT_WAITING);
    assert_ok(audit_close(a, &diag));
    fixture_verify(dir, 2, 0);
}

static void
refuses_a_log_of_another_key_or_name(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    struct diag diag = {0};
    struct audit *a = NULL;
    fixture_append(dir, 0, 3);
    struct audit_options o = {.signer = fixture_other_signer()};
    assert_status(audit_open(dir, &o, &diag, &a), INTEGRITY);
    assert_says(&diag, "vkey: byte 0: the log was begun with another name or key");
    o.signer = fixture_signer();
    o.signer.origin = "log.example/two";
    assert_status(audit_open(dir, &o, &diag, &a), INTEGRITY);
    o.signer.origin = "two words";
    assert_status(audit_open(dir, &o, &diag, &a), INPUT);
    assert_says(&diag, "log name \"two words\": must be");
    assert_null(a);
}

static void
says_busy_when_more_waits_than_may(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    const struct audit_options o = {.signer = fixture_signer(), .queue_max = 10};
    struct audit *a = NULL;
    struct diag diag = {0};
    uint64_t ticket = 0, last = 0;
    assert_ok(audit_open(dir, &o, &diag, &a));
    DEFER(file_freep) char *path = file_join(dir, "lock");
    const int lock = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(lock, LOCK_EX), 0); /* nothing can be written meanwhile */
    struct status s = OK;
    for (int i = 0; i < 50 && status_ok(s); i++) {
        s = audit_submit(a, view_str("{}"), &ticket);
        last = status_ok(s) ? ticket : last;
    }
    assert_status(s, BUSY);
    assert_in_range(last, 10, 20);
    assert_status(audit_append(a, view_str("{}"), &diag), BUSY);
    assert_says(&diag, "too many entries wait");
    assert_int_equal(audit_fate(a, 1), AUDIT_WAITING);
    assert_int_equal(close(lock), 0);
    assert_ok(audit_close(a, &diag));
    fixture_verify(dir, last, 0);
}

/* ---- group commit ---- */

struct one_thread {
    struct audit *a;
    uint64_t first;
    uint64_t ticket[EACH];
};

static void *
submit_many(void *arg)
{
    struct one_thread *t = arg;
    for (uint64_t i = 0; i < EACH; i++) {
        struct buf entry;
        buf_init(&entry, 4096);
        fixture_entry(t->first + i, &entry);
        const struct status s = audit_submit(t->a, buf_view(&entry), &t->ticket[i]);
        buf_done(&entry);
        if (!status_ok(s)) {
            t->ticket[i] = 0;
        }
        while (i % 5 == 4 && audit_fate(t->a, t->ticket[i]) == AUDIT_WAITING) {
            sched_yield();
        }
    }
    return NULL;
}

static void
commits_each_entry_of_64_threads_once_in_ticket_order(void **state)
{
    (void)state;
    static struct one_thread t[THREADS];
    static struct seen seen;
    pthread_t id[THREADS];
    struct diag diag = {0};
    DEFER(testing_dirp) char *dir = testing_dir();
    struct audit *a = fixture_open(dir, 2 * 1000 * 1000);
    for (uint64_t i = 0; i < THREADS; i++) {
        t[i] = (struct one_thread){.a = a, .first = i * EACH};
        assert_int_equal(pthread_create(&id[i], NULL, submit_many, &t[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(id[i], NULL), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_not_equal(audit_fate(a, t[i].ticket[EACH - 1]), AUDIT_FAILED);
    }
    assert_ok(audit_close(a, &diag));
    fixture_verify(dir, THREADS * EACH, 0);
    see_all(dir, &seen);
    each_once(&seen, THREADS * EACH);
    for (size_t i = 0; i < THREADS; i++) {
        for (size_t k = 0; k < EACH; k++) {
            assert_in_range(t[i].ticket[k], 1, THREADS * EACH);
            assert_int_equal(seen.number[t[i].ticket[k] - 1], t[i].first + k);
        }
    }
}

/* Of the journal, counted by their marks. */
static unsigned
batches(const char *dir)
{
    DEFER(file_freep) char *path = file_join(dir, "journal");
    DEFER(buf_done) struct buf b;
    struct view entry;
    unsigned n = 0;
    buf_init(&b, JOURNAL_MAX);
    assert_ok(file_read(path, JOURNAL_MAX, NULL, &b));
    const struct view records = view_of(b.ptr + JOURNAL_HEADER_BYTES, b.len - JOURNAL_HEADER_BYTES);
    for (size_t pos = 0, at = 0; journal_entry(records, &pos, &entry); at = pos) {
        n += (records.ptr[at] & 0x80) != 0;
    }
    return n;
}

static void
gathers_what_is_queued_until_it_is_asked_for(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    struct audit *a = fixture_open(dir, 0);
    uint64_t ticket = 0;
    audit_hasten(a); /* there is nothing */
    for (int i = 0; i < 1000; i++) {
        assert_ok(audit_queue(a, view_str("{}"), &ticket));
        sched_yield();
    }
    assert_int_equal(ticket, 1000);
    assert_int_equal(audit_fate(a, 1), AUDIT_WAITING);
    assert_int_equal(audit_size(a), 0);
    audit_hasten(a);
    audit_hasten(a);
    while (audit_fate(a, ticket) == AUDIT_WAITING) {
        sched_yield();
    }
    assert_int_equal(audit_fate(a, ticket), AUDIT_DURABLE);
    assert_int_equal(batches(dir), 1);
    assert_ok(audit_queue(a, view_str("{}"), &ticket));
    assert_ok(audit_append(a, view_str("{}"), NULL)); /* takes it along */
    assert_int_equal(audit_fate(a, ticket), AUDIT_DURABLE);
    assert_int_equal(batches(dir), 2);
    assert_ok(audit_queue(a, view_str("{}"), &ticket));
    assert_ok(audit_close(a, NULL));
    fixture_verify(dir, 1003, 0);
}

static void
wakes_those_who_subscribed(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    struct audit *a = fixture_open(dir, 0);
    const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    const int gone = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    uint64_t ticket = 0, count = 0;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_ok(audit_subscribe(a, gone));
    assert_ok(audit_subscribe(a, fd));
    audit_unsubscribe(a, gone);
    audit_unsubscribe(a, 12345);
    assert_ok(audit_submit(a, view_str("{}"), &ticket));
    assert_int_equal(poll(&p, 1, 20000), 1);
    assert_int_equal(audit_fate(a, ticket), AUDIT_DURABLE);
    assert_int_equal(read(gone, &count, sizeof count), -1);
    for (int i = 1; i < 64; i++) {
        assert_ok(audit_subscribe(a, fd));
    }
    assert_status(audit_subscribe(a, fd), LIMIT);
    assert_ok(audit_close(a, NULL));
    assert_int_equal(close(fd), 0);
    assert_int_equal(close(gone), 0);
}

/* ---- what fails ---- */

/* Files of this process may grow to `bytes` only; RLIM_INFINITY: as before. */
static void
limit_files(rlim_t bytes)
{
    struct rlimit r;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
    r.rlim_cur = bytes == RLIM_INFINITY ? r.rlim_max : bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

static uint64_t
submit_and_wait(struct audit *a, struct view entry, enum audit_fate fate)
{
    uint64_t ticket = 0;
    assert_ok(audit_submit(a, entry, &ticket));
    while (audit_fate(a, ticket) == AUDIT_WAITING) {
        sched_yield();
    }
    assert_int_equal(audit_fate(a, ticket), fate);
    return ticket;
}

static void
fates_stay_right_when_batches_fail_between_others(void **state)
{
    (void)state;
    static uint64_t good[400], bad[400];
    static struct seen seen;
    DEFER(testing_dirp) char *dir = testing_dir();
    struct audit *a = fixture_open(dir, 0);
    struct diag diag = {0};
    limit_files(50000);
    for (size_t i = 0; i < 300; i++) {
        DEFER(buf_done) struct buf entry;
        buf_init(&entry, 4096);
        fixture_entry(i, &entry);
        good[i] = submit_and_wait(a, buf_view(&entry), AUDIT_DURABLE);
        bad[i] = submit_and_wait(a, filler(60000), AUDIT_FAILED);
        assert_status(audit_health(a), IO);
    }
    assert_status(audit_append(a, filler(60000), &diag), IO);
    assert_says(&diag, "audit log: ");
    assert_says(&diag, "journal: File too large");
    limit_files(RLIM_INFINITY);
    for (size_t i = 0; i < 300; i++) {
        assert_int_equal(audit_fate(a, bad[i]), AUDIT_FAILED);
        /* What is too old to be remembered counts as failed; never the other way round. */
        assert_true(audit_fate(a, good[i]) == AUDIT_DURABLE || i < 300 - 255);
    }
    assert_ok(audit_close(a, &diag));
    see_all(dir, &seen);
    each_once(&seen, 300);
    assert_true(seen.others >= 1);
    assert_text_has(seen.other, "\"action\":\"audit.gap\"");
    assert_text_has(seen.other, "entries refused since they could not be written: ");
    assert_text_has(seen.other, "File too large");
    fixture_verify(dir, 300 + seen.others, 0);
}

static void
gets_well_again_without_an_entry_of_anybody(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    struct audit *a = fixture_open(dir, 0);
    limit_files(50000);
    (void)submit_and_wait(a, filler(60000), AUDIT_FAILED);
    assert_status(audit_health(a), IO);
    limit_files(RLIM_INFINITY);
    const int64_t late = clock_mono_ns() + 120 * NS_PER_S;
    while (!status_ok(audit_health(a)) && clock_mono_ns() < late) {
        (void)poll(NULL, 0, 10);
    }
    assert_ok(audit_health(a));
    assert_ok(audit_close(a, NULL));
    fixture_verify(dir, 1, 0);
}

static void
fill_disk(const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    static const uint8_t block[4096];
    assert_true(fd >= 0);
    while (write(fd, block, sizeof block) > 0) {
    }
    assert_int_equal(close(fd), 0);
}

static void
on_full_disk(const char *dir)
{
    struct diag diag = {0};
    static struct seen seen;
    struct audit *a = fixture_open(dir, 5 * 1000 * 1000);
    DEFER(file_freep) char *ballast = file_join(dir, "ballast");
    for (uint64_t i = 0; i < 50; i++) {
        append_number(a, i);
    }
    fill_disk(ballast);
    struct status s = OK;
    for (int i = 0; i < 1000 && status_ok(s); i++) { /* the journal has room of its own */
        s = audit_append(a, filler(3000), &diag);
    }
    assert_status(s, IO);
    assert_says(&diag, "audit log: ");
    assert_says(&diag, "No space left on device");
    assert_status(audit_health(a), IO);
    assert_int_equal(unlink(ballast), 0);
    for (uint64_t i = 50; i < 100; i++) {
        append_number(a, i);
    }
    assert_ok(audit_close(a, &diag));
    see_all(dir, &seen);
    each_once(&seen, 100);
    fixture_verify(dir, 100 + seen.others, 0);
}

static void
a_full_disk_loses_nothing_acknowledged(void **state)
{
    (void)state;
    testing_need_small_disk();
    DEFER(testing_dirp) char *dir = testing_dir();
    assert_true(testing_small_disk(dir, 2 << 20));
    on_full_disk(dir);
    testing_small_disk_done(dir);
}

static void
a_full_disk_at_close_keeps_what_was_acknowledged(void **state)
{
    (void)state;
    testing_need_small_disk();
    DEFER(testing_dirp) char *dir = testing_dir();
    assert_true(testing_small_disk(dir, 2 << 20));
    struct diag diag = {0};
    struct audit *a = fixture_open(dir, 0);
    DEFER(file_freep) char *ballast = file_join(dir, "ballast");
    append_number(a, 0);
    append_number(a, 1);
    fill_disk(ballast);
    assert_status(audit_close(a, &diag), IO);
    assert_says(&diag, "No space left on device");
    fixture_verify(dir, 0, 2);
    assert_int_equal(unlink(ballast), 0);
    fixture_append(dir, 2, 3);
    fixture_verify(dir, 3, 0);
    testing_small_disk_done(dir);
}

/* ---- several processes ---- */

static void
write_and_exit(const char *dir, uint64_t first, uint64_t n)
{
    const struct audit_options o = {.signer = fixture_signer(), .publish_ns = 1000 * 1000};
    struct audit *a = NULL;
    if (!status_ok(audit_open(dir, &o, NULL, &a))) {
        _exit(1);
    }
    for (uint64_t i = first; i < first + n; i++) {
        struct buf entry;
        buf_init(&entry, 4096);
        fixture_entry(i, &entry);
        if (!status_ok(audit_append(a, buf_view(&entry), NULL))) {
            _exit(2);
        }
        buf_done(&entry);
    }
    _exit(status_ok(audit_close(a, NULL)) ? 0 : 3);
}

static void
writers_in_several_processes_lose_nothing_and_do_not_fork(void **state)
{
    (void)state;
    static struct seen seen;
    DEFER(testing_dirp) char *dir = testing_dir();
    pid_t pid[3];
    for (uint64_t i = 0; i < 3; i++) {
        pid[i] = fork();
        assert_true(pid[i] >= 0);
        if (pid[i] == 0) {
            write_and_exit(dir, i * 200, 200);
        }
    }
    for (size_t i = 0; i < 3; i++) {
        int status = 0;
        assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
        assert_int_equal(status, 0);
    }
    see_all(dir, &seen);
    each_once(&seen, 600);
    struct audit *a = fixture_open(dir, 0);
    assert_int_equal(audit_size(a), 600);
    assert_ok(audit_close(a, NULL));
    fixture_verify(dir, 600, 0);
}

/* Another process died after its checkpoint and before its journal. We, who still have the old
 * journal open, go on: appending, publishing, being killed, being opened again. */
static void
takes_over_from_a_process_that_died_while_publishing(void **state)
{
    (void)state;
    static struct seen seen;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *journal = file_join(dir, "journal");
    DEFER(file_freep) char *aside = file_join(dir, "aside");
    struct audit *ours = fixture_open(dir, 0);
    append_number(ours, 0);
    append_number(ours, 1);
    struct stat st;
    assert_int_equal(link(journal, aside), 0);
    struct audit *theirs = fixture_open(dir, 0);
    assert_ok(audit_close(theirs, NULL)); /* publishes */
    assert_int_equal(rename(aside, journal), 0);
    assert_int_equal(stat(journal, &st), 0);
    fixture_verify(dir, 2, 0);
    append_number(ours, 2);
    fixture_verify(dir, 2, 1);
    assert_ok(audit_close(ours, NULL)); /* takes the checkpoint in */
    fixture_append(dir, 3, 4);
    see_all(dir, &seen);
    each_once(&seen, 4);
    fixture_verify(dir, 4, 0);
}

static void
two_crashes_in_a_row_lose_nothing(void **state)
{
    (void)state;
    static struct seen seen;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *journal = file_join(dir, "journal");
    DEFER(buf_done) struct buf old;
    fixture_log(dir, 3, 4);
    fixture_pad(dir, 0);
    testing_read(journal, &old);
    fixture_append(dir, 7, 7); /* publishes the four */
    buf_put_str(&old, "\x80\x01\x02\x03 the beginning of a record");
    testing_write(journal, buf_view(&old));
    fixture_append(dir, 7, 8);
    see_all(dir, &seen);
    each_once(&seen, 8);
    assert_int_equal(seen.others, 1);
    assert_text_has(seen.other, "\"action\":\"audit.repair\"");
    assert_text_has(seen.other, "the last write was unfinished: 30 bytes moved to journal.cut-7");
    fixture_verify(dir, 9, 0);
}

/* ---- clock ---- */

static void
a_clock_set_back_is_recorded_and_reported(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    struct audit *a = fixture_open(dir, 0);
    static const int64_t at_ms[] = {0, 5000, 4500, 1000, 2000, 9000, 7000};
    static const int64_t lasts_ms[] = {0, 0, 10, 0, 0, 10, 2000};
    for (size_t i = 0; i < sizeof at_ms / sizeof at_ms[0]; i++) {
        DEFER(buf_done) struct buf entry;
        buf_init(&entry, 4096);
        audit_event_put(&(struct audit_event){.time_ns = (1760000000 + at_ms[i] / 1000) * NS_PER_S +
                                                         at_ms[i] % 1000 * 1000000,
                                              .action = "test",
                                              .allow = true,
                                              .duration_ns = lasts_ms[i] * 1000000},
                        &entry);
        assert_ok(audit_append(a, buf_view(&entry), NULL));
    }
    assert_ok(audit_close(a, NULL));
    struct audit_fault fault;
    struct audit_report report;
    assert_ok(audit_verify(dir, NULL, &fault, &report));
    assert_int_equal(report.entries, 7);
    assert_int_equal(report.clock_back, 1);
    assert_int_equal(report.first_clock_back, 3);
}

/* ---- the entry ---- */

static void
an_entry_leaves_out_what_is_absent_and_marks_what_it_cuts(void **state)
{
    (void)state;
    char wide[2048];
    DEFER(buf_done) struct buf entry;
    DEFER(js_freep) json_t *e = NULL;
    memset(wide, 'a', sizeof wide);
    memcpy(wide + 1023, "\xc3\xa4", 2);
    wide[sizeof wide - 1] = '\0';
    const struct digest d = {{0xab}};
    buf_init(&entry, AUDIT_MAX_ENTRY);
    audit_event_put(&(struct audit_event){.time_ns = 1760000000 * NS_PER_S + 123456789,
                                          .action = "model.infer",
                                          .resource = wide,
                                          .reason = "a \"quote\"\nand \x01",
                                          .address = "\xff\xfe",
                                          .request = &d,
                                          .http_status = 403,
                                          .duration_ns = 17},
                    &entry);
    assert_ok(js_parse(buf_view(&entry), "entry", NULL, &e));
    assert_text_has(buf_str(&entry),
                    "{\"v\":2,\"time\":\"2025-10-09T08:53:20.123456Z\",\"action\"");
    assert_string_equal(json_string_value(json_object_get(e, "decision")), "deny");
    assert_string_equal(json_string_value(json_object_get(e, "reason")), "a \"quote\"\nand \x01");
    assert_string_equal(json_string_value(json_object_get(e, "address")), "hex:fffe");
    assert_int_equal(strlen(json_string_value(json_object_get(e, "resource"))), 1023 + 3);
    assert_null(json_object_get(e, "principal"));
    assert_null(json_object_get(e, "response_sha256"));
    assert_int_equal(json_integer_value(json_object_get(e, "duration_ns")), 17);
}

/* Thousands in one publication: many files, synced together. */
static void
publishes_within_the_gateways_sandbox(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    int status = 0;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uint64_t ticket = 0;
        bool well = status_ok(sandbox_calls(SANDBOX_GATEWAY, NULL));
        struct audit *a = fixture_open(dir, 0);
        for (int i = 0; i < 5000; i++) {
            well = status_ok(audit_queue(a, view_str("{}"), &ticket)) && well;
        }
        well = status_ok(audit_close(a, NULL)) && well;
        _exit(well ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    fixture_verify(dir, 5000, 0);
}

static void
the_longest_entry_fits(void **state)
{
    (void)state;
    char text[4096];
    DEFER(buf_done) struct buf entry;
    memset(text, 1, sizeof text); /* six bytes each in JSON */
    text[sizeof text - 1] = '\0';
    buf_init(&entry, AUDIT_MAX_ENTRY);
    audit_event_put(&(struct audit_event){.id = text,
                                          .principal = text,
                                          .action = text,
                                          .resource = text,
                                          .reason = text,
                                          .address = text,
                                          .rows = UINT64_MAX,
                                          .model_version = UINT64_MAX},
                    &entry);
    assert_ok(buf_status(&entry));
}

static off_t
length_of(const char *dir, const char *name)
{
    DEFER(file_freep) char *path = file_join(dir, name);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

/* Whether it was written since the last question. */
static bool
was_written(const char *dir, const char *name)
{
    static const struct timespec long_ago[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    DEFER(file_freep) char *path = file_join(dir, name);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(utimensat(AT_FDCWD, path, long_ago, 0), 0);
    return st.st_mtim.tv_sec != long_ago[1].tv_sec;
}

/* Of the hashes, what is on disk is not written again, by no process. */
static void
leaves_unfinished_tiles_that_are_as_they_were(void **state)
{
    (void)state;
    static const char *const above = "tree/hashes.1", *const below = "tree/hashes.0";
    DEFER(testing_dirp) char *dir = testing_dir();
    const struct audit_signer signer = fixture_signer();
    uint64_t size = 300;
    fixture_append(dir, 0, size);
    assert_true(was_written(dir, above));
    for (int process = 0; process < 2; process++) {
        DEFER(ledger_freep) struct ledger *l = NULL;
        assert_ok(ledger_open(dir, &signer, NULL, &l));
        assert_ok(ledger_lock(l));
        for (int i = 0; i < 4; i++) {
            assert_ok(fixture_ledger_append(l, size++, NULL));
            assert_ok(fixture_publish(l, NULL));
            assert_false(was_written(dir, above));
            assert_true(was_written(dir, below));
            assert_int_equal(length_of(dir, below), (off_t)size * DIGEST_BYTES);
        }
        while (process == 1 && size < 515) {
            assert_ok(fixture_ledger_append(l, size++, NULL));
        }
        assert_ok(fixture_publish(l, NULL));
        ledger_unlock(l);
        fixture_verify(dir, size, 0);
    }
    assert_true(was_written(dir, above));
    assert_int_equal(length_of(dir, above), 2 * DIGEST_BYTES);
}

/* More than is copied at once, and more files than are synced one by one; and then entries that
 * come between gathering and adopting go into the journal that follows. */
static void
publishes_in_parts_what_is_much(void **state)
{
    (void)state;
    enum { ENTRIES = 60000 }; /* 234 tiles and 96 */
    DEFER(testing_dirp) char *dir = testing_dir();
    static const char *const hashes = "tree/hashes.0";
    const struct audit_signer signer = fixture_signer();
    DEFER(ledger_freep) struct ledger *l = NULL;
    fixture_append(dir, 0, ENTRIES);
    fixture_verify(dir, ENTRIES, 0);
    assert_ok(ledger_open(dir, &signer, NULL, &l));
    assert_ok(ledger_lock(l));
    assert_ok(ledger_sync(l, NULL));
    for (uint64_t i = 0; i < 3; i++) {
        assert_ok(fixture_ledger_append(l, ENTRIES + i, NULL));
    }
    struct growth *g = growth_new(l);
    bool more = true;
    assert_ok(ledger_gather(l, g, &more));
    assert_false(more);
    assert_ok(fixture_ledger_append(l, ENTRIES + 3, NULL));
    assert_ok(growth_write(g, false, NULL));
    assert_int_equal(length_of(dir, hashes), ENTRIES * 32); /* the rest waits for the last part */
    assert_ok(ledger_gather(l, g, &more));                  /* goes on where it stopped */
    assert_ok(growth_write(g, true, NULL));
    assert_ok(fixture_ledger_append(l, ENTRIES + 4, NULL));
    assert_ok(fixture_adopt(l, g, NULL));
    growth_free(g);
    ledger_unlock(l);
    assert_int_equal(length_of(dir, hashes), (ENTRIES + 4) * 32);
    fixture_verify(dir, ENTRIES + 4, 1);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_entries_that_are_empty_or_too_long),
        cmocka_unit_test(refuses_a_log_of_another_key_or_name),
        cmocka_unit_test(says_busy_when_more_waits_than_may),
        cmocka_unit_test(fates_stay_right_when_batches_fail_between_others),
        cmocka_unit_test(gets_well_again_without_an_entry_of_anybody),
        cmocka_unit_test(a_full_disk_loses_nothing_acknowledged),
        cmocka_unit_test(a_full_disk_at_close_keeps_what_was_acknowledged),
        cmocka_unit_test(commits_each_entry_of_64_threads_once_in_ticket_order),
        cmocka_unit_test(gathers_what_is_queued_until_it_is_asked_for),
        cmocka_unit_test(wakes_those_who_subscribed),
        cmocka_unit_test(writers_in_several_processes_lose_nothing_and_do_not_fork),
        cmocka_unit_test(takes_over_from_a_process_that_died_while_publishing),
        cmocka_unit_test(two_crashes_in_a_row_lose_nothing),
        cmocka_unit_test(a_clock_set_back_is_recorded_and_reported),
        cmocka_unit_test(an_entry_leaves_out_what_is_absent_and_marks_what_it_cuts),
        cmocka_unit_test(leaves_unfinished_tiles_that_are_as_they_were),
        cmocka_unit_test(publishes_in_parts_what_is_much),
        cmocka_unit_test(publishes_within_the_gateways_sandbox),
        cmocka_unit_test(the_longest_entry_fits),
    };
    fixture_in_memory();
    return cmocka_run_group_tests(cases, NULL, NULL);
}
