/* Which entry a ticket became, and receipts on demand: a checkpoint is signed when one is asked
 * for, and not when its time has come. */
#include "fixture.h"

#include "base/clock.h"
#include "govern/ledger.h"
#include "govern/runs.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static uint64_t
append(struct audit *a, uint64_t i)
{
    DEFER(buf_done) struct buf entry;
    uint64_t ticket = 0;
    buf_init(&entry, 4096);
    fixture_entry(i, &entry);
    assert_ok(audit_submit(a, buf_view(&entry), &ticket));
    while (audit_fate(a, ticket) == AUDIT_WAITING) {
        sched_yield();
    }
    assert_int_equal(audit_fate(a, ticket), AUDIT_DURABLE);
    return ticket;
}

static struct status
is_number(void *ctx, uint64_t index, struct view entry)
{
    (void)index;
    assert_int_equal(fixture_entry_number(entry), *(const uint64_t *)ctx);
    return OK;
}

static void
assert_is_entry(struct audit *a, const char *dir, uint64_t ticket, uint64_t number)
{
    uint64_t index = 0;
    assert_true(audit_index(a, ticket, &index));
    assert_ok(audit_each(dir, index, index + 1, is_number, &number, NULL));
}

/* ---- runs ---- */

static void
finds_each_ticket_of_the_runs_that_are_kept(void **state)
{
    (void)state;
    static struct runs r;
    uint64_t index = 7;
    assert_false(runs_find_newest(&r, 1, &index));
    assert_false(runs_find(&r, 1, &index));
    runs_add(&r, 1, 3, 10);
    runs_add(&r, 4, 4, 13); /* goes on */
    assert_int_equal(r.count, 1);
    runs_add(&r, 5, 8, 20);   /* somebody else has written */
    runs_add(&r, 11, 12, 24); /* a batch has failed */
    assert_int_equal(r.count, 3);
    static const uint64_t is[][2] = {{1, 10}, {3, 12},  {4, 13}, {5, 20},
                                     {8, 23}, {11, 24}, {12, 25}};
    for (size_t i = 0; i < sizeof is / sizeof is[0]; i++) {
        assert_true(runs_find(&r, is[i][0], &index));
        assert_int_equal(index, is[i][1]);
        assert_int_equal(runs_find_newest(&r, is[i][0], &index), is[i][0] >= 11);
        assert_int_equal(index, is[i][1]);
    }
    assert_false(runs_find(&r, 9, &index));
    assert_false(runs_find(&r, 13, &index));
    for (uint64_t t = 20; t < 20 + 2 * RUNS_MAX; t += 2) {
        runs_add(&r, t, t, t);
    }
    assert_false(runs_find(&r, 12, &index));
    assert_true(runs_find(&r, 20, &index));
    assert_int_equal(r.count, RUNS_MAX);
}

/* ---- tickets ---- */

static void
tells_which_entry_each_ticket_became_beside_another_writer(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    struct audit *a = fixture_open(dir, 0), *b = fixture_open(dir, 0);
    uint64_t ticket[40], index = 0;
    for (uint64_t i = 0; i < 40; i++) {
        ticket[i] = append(a, i);
        if (i % 3 == 0) {
            assert_is_entry(b, dir, append(b, 1000 + i), 1000 + i);
        }
        assert_is_entry(a, dir, ticket[i], i);
    }
    for (uint64_t i = 0; i < 40; i++) {
        assert_is_entry(a, dir, ticket[i], i);
    }
    assert_false(audit_index(a, ticket[39] + 100, &index) && index < audit_size(a));
    assert_ok(audit_close(a, NULL));
    assert_ok(audit_close(b, NULL));
}

/* ---- on demand ---- */

static void
covers_what_is_asked_for_at_once(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(buf_done) struct buf proof;
    struct audit *a = fixture_open(dir, 0);
    const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint64_t count = 0;
    buf_init(&proof, 1 << 16);
    assert_int_equal(audit_covered(a, 0), AUDIT_DURABLE);
    for (uint64_t i = 0; i < 300; i++) {
        append(a, i);
    }
    assert_int_equal(audit_covered(a, 1), AUDIT_WAITING);
    assert_status(audit_prove(dir, 299, NULL, &proof, NULL), NOT_FOUND);
    audit_cover(a, 301); /* there is no such entry: nothing is done */
    assert_int_equal(audit_covered(a, 1), AUDIT_WAITING);
    assert_ok(audit_subscribe(a, fd));
    audit_cover(a, 300);
    while (audit_covered(a, 300) == AUDIT_WAITING) {
        assert_int_equal(poll(&p, 1, 20000), 1);
        assert_int_equal(read(fd, &count, sizeof count), sizeof count);
    }
    assert_int_equal(audit_covered(a, 300), AUDIT_DURABLE);
    assert_ok(audit_prove(dir, 299, NULL, &proof, NULL));
    append(a, 300);
    assert_int_equal(audit_covered(a, 301), AUDIT_WAITING);
    audit_cover(a, 301);
    while (audit_covered(a, 301) == AUDIT_WAITING) {
        assert_int_equal(poll(&p, 1, 20000), 1);
        (void)!read(fd, &count, sizeof count);
    }
    assert_ok(audit_prove(dir, 300, NULL, &proof, NULL));
    audit_unsubscribe(a, fd);
    assert_ok(audit_close(a, NULL));
    assert_int_equal(close(fd), 0);
    fixture_verify(dir, 301, 0);
}

static struct status
sign_or_not(void *ctx, struct view message, uint8_t ret_signature[static 64])
{
    const atomic_bool *broken = ctx;
    const struct audit_signer s = fixture_signer();
    CHECK(!atomic_load(broken), IO);
    return s.sign(s.ctx, message, ret_signature);
}

static enum audit_fate
cover(struct audit *a, uint64_t size)
{
    audit_cover(a, size);
    while (audit_covered(a, size) == AUDIT_WAITING) {
        sched_yield();
    }
    return audit_covered(a, size);
}

static void
says_so_when_nothing_can_be_published_and_when_it_can_again(void **state)
{
    (void)state;
    static atomic_bool broken;
    DEFER(testing_dirp) char *dir = testing_dir();
    struct audit_options o = {.signer = fixture_signer(), .publish_ns = 3600 * NS_PER_S};
    struct audit *a = NULL;
    o.signer.sign = sign_or_not;
    o.signer.ctx = &broken;
    assert_ok(audit_open(dir, &o, NULL, &a));
    append(a, 0);
    atomic_store(&broken, true);
    assert_int_equal(cover(a, 1), AUDIT_FAILED);
    atomic_store(&broken, false);
    audit_cover(a, 1); /* failed until that has been tried */
    while (audit_covered(a, 1) != AUDIT_DURABLE) {
        sched_yield();
    }
    append(a, 1);
    assert_int_equal(cover(a, 2), AUDIT_DURABLE);
    assert_ok(audit_close(a, NULL));
}

/* The journal follows the checkpoint; a receipt does not wait for that, nor need it ever come. */
static void
is_there_before_the_journal_has_followed(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(buf_done) struct buf before;
    DEFER(buf_done) struct buf after;
    const struct audit_signer signer = fixture_signer();
    struct ledger *l = NULL;
    struct growth *g = NULL;
    uint64_t covered = 0;
    bool more = false;
    buf_init(&before, 1 << 20);
    buf_init(&after, 1 << 20);
    fixture_log(dir, 3, 4);
    assert_ok(ledger_open(dir, &signer, NULL, &l));
    assert_ok(ledger_lock(l));
    g = growth_new(l);
    assert_ok(ledger_gather(l, g, &more));
    assert_ok(growth_write(g, true, NULL));
    assert_status(audit_prove(dir, 6, NULL, &before, NULL), NOT_FOUND);
    assert_ok(ledger_sign(l, g, NULL, &covered));
    assert_int_equal(covered, 7);
    assert_ok(audit_prove(dir, 6, NULL, &before, NULL));
    growth_free(g);
    ledger_free(l); /* as if it had died here */
    fixture_verify(dir, 7, 0);
    fixture_append(dir, 7, 7);
    fixture_verify(dir, 7, 0);
    assert_ok(audit_prove(dir, 6, NULL, &after, NULL));
    assert_true(view_equal(buf_view(&before), buf_view(&after)));
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(finds_each_ticket_of_the_runs_that_are_kept),
        cmocka_unit_test(tells_which_entry_each_ticket_became_beside_another_writer),
        cmocka_unit_test(covers_what_is_asked_for_at_once),
        cmocka_unit_test(is_there_before_the_journal_has_followed),
        cmocka_unit_test(says_so_when_nothing_can_be_published_and_when_it_can_again),
    };
    fixture_in_memory();
    return cmocka_run_group_tests(cases, NULL, NULL);
}
