#include "serve/quotas.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "serve/metrics.h"
#include "serve/ticker.h"
#include "workspace/alert.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_NS NS_PER_S
#define REMAKE_NS (60 * NS_PER_S)

struct quotas {
    const char *log_dir;
    struct workspace *workspace;
    struct ticker *ticker;
    uint64_t kept; /* entries whose counts were written last, or should have been */
    _Atomic size_t count;
    pthread_mutex_t lock; /* of all below */
    struct quota list[QUOTAS];
    uint64_t refused[QUOTAS];
    struct quota_book *book; /* NULL: not read yet */
    /* Of entries alone: the book has calls, too, that have none yet. The ticker's, once it is
     * there. */
    struct quota_book *entries;
    /* It began from counts that lay beside the log, and those were not counted again yet. */
    bool doubted;
    bool begun;                 /* the book, from what is doubted: it is corrected, too */
    struct quota_book *counted; /* again, so far; the ticker's */
    struct alert alert;         /* the ticker's, but for what others read under the lock */
    /* Counts that were corrected, until the entry that tells it is written: nothing is kept before,
     * so that the forged file tells the next start. */
    size_t untold;
    bool unkept; /* told; the file beside the log was not made anew yet, or not doubted again */
    bool made;   /* it was made anew, and is to be doubted again */
    int64_t kept_ns, warned_ns;
};

struct quotas *
quotas_new(const char *log_dir)
{
    struct quotas *q = calloc(1, sizeof *q);
    if (q == NULL || pthread_mutex_init(&q->lock, NULL) != 0) {
        free(q);
        return NULL;
    }
    q->log_dir = log_dir;
    q->alert =
        (struct alert){.resource = "limits/quotas", .policy = "quota-counts", .severity = "high"};
    return q;
}

void
quotas_free(struct quotas *q)
{
    if (q != NULL) {
        ticker_stop(q->ticker);
        quota_book_free(q->book);
        quota_book_free(q->entries);
        quota_book_free(q->counted);
        (void)pthread_mutex_destroy(&q->lock);
        free(q);
    }
}

bool
quotas_any(const struct quotas *q)
{
    return atomic_load_explicit(&q->count, memory_order_relaxed) > 0;
}

/* Until there was a quota no call was counted in one, so nobody changes the book meanwhile. */
static struct status
read_book(struct quotas *q, struct diag *diag)
{
    uint64_t from = 0;
    DEFER(quota_book_freep) struct quota_book *b = NULL;
    DEFER(quota_book_freep) struct quota_book *same = NULL;
    TRY(quota_book_read(q->log_dir, diag, &b, &from));
    same = quota_book_copy(b);
    CHECK(same != NULL, MEMORY);
    log_event(LOG_INFO, "quotas.read", "entries=%llu from=%llu",
              (unsigned long long)quota_book_entries(b), (unsigned long long)from);
    (void)pthread_mutex_lock(&q->lock);
    q->book = MOVE(b);
    q->entries = MOVE(same);
    q->kept = from;
    q->begun = from > 0;
    q->doubted = from > 0 || q->alert.open;
    (void)pthread_mutex_unlock(&q->lock);
    return OK;
}

/* ---- beside the log ---- */

static struct status
tell_kept(void *ctx, const char *reason, struct diag *diag)
{
    const struct workspace_act act = {
        .action = QUOTA_KEPT_ACTION, .resource = "limits/quotas", .reason = reason};
    return workspace_audit(ctx, &act, diag);
}

/* What fails is tried again when as many entries more are there: an entry may have been written. */
static bool
keep(struct quotas *q, struct quota_book *b, uint64_t published)
{
    struct diag diag = {0};
    char text[sizeof diag.text];
    struct status s = quota_book_follow(b, q->log_dir, published, &diag);
    if (status_ok(s)) {
        s = quota_book_keep(b, q->log_dir, tell_kept, q->workspace, &diag);
    }
    q->kept = published;
    if (!status_ok(s)) {
        diag_describe(&diag, s, text, sizeof text);
        log_event(LOG_WARN, "quotas.unkept", "a start reads more of the log; reason=\"%s\"", text);
    }
    return status_ok(s);
}

/* ---- were they right? ---- */

static struct status
tell_alert(struct quotas *q, bool raised, const char *sentence, struct diag *diag)
{
    struct alert told = q->alert;
    const struct status s = alert_tell(q->workspace, &told, raised, sentence, diag);
    (void)pthread_mutex_lock(&q->lock);
    q->alert = told;
    (void)pthread_mutex_unlock(&q->lock);
    return s;
}

/* Whoever may write in the log's folder can put counts there and an entry that names them into the
 * journal. What the entries say cannot be taken back, so they are counted again. */
static struct status
tell_wrong(struct quotas *q, struct diag *diag)
{
    char reason[200];
    const uint64_t told = q->alert.total;
    (void)snprintf(reason, sizeof reason,
                   "%zu counts that lay beside the log were not those of its entries: somebody "
                   "changed them, and named them in the log; corrected",
                   q->untold);
    const struct status s = tell_alert(q, true, reason, diag);
    if (q->alert.total > told) { /* what is kept of it may fail: the entry is there */
        (void)pthread_mutex_lock(&q->lock);
        q->untold = 0;
        (void)pthread_mutex_unlock(&q->lock);
        q->unkept = true;
        q->made = false;
        q->kept_ns = 0;
    }
    return s;
}

/* What the store has of the alert, where only that could not be written. */
static struct status
keep_alert(struct quotas *q, struct diag *diag)
{
    struct alert a = q->alert;
    const struct status s = alert_keep(q->workspace, &a, diag);
    (void)pthread_mutex_lock(&q->lock);
    q->alert = a;
    (void)pthread_mutex_unlock(&q->lock);
    return s;
}

static struct status
tell_right(struct quotas *q, struct diag *diag)
{
    return !q->alert.open
               ? keep_alert(q, diag)
               : tell_alert(q, false,
                            "the counts that a start takes are those of the log's entries: both "
                            "were counted again",
                            diag);
}

/* What a start would believe now is held against the log once more; the book is right. */
static struct status
doubt_again(struct quotas *q, struct diag *diag)
{
    uint64_t from = 0;
    DEFER(quota_book_freep) struct quota_book *b = NULL;
    TRY(quota_book_read(q->log_dir, diag, &b, &from));
    (void)pthread_mutex_lock(&q->lock);
    quota_book_free(q->entries);
    q->entries = MOVE(b);
    q->doubted = true;
    (void)pthread_mutex_unlock(&q->lock);
    return OK;
}

/* Both books have the same entries now. */
static struct status
settle(struct quotas *q, struct quota_book *believed, struct diag *diag)
{
    size_t differing = 0;
    struct status s = quota_book_correct(NULL, believed, q->counted, &differing);
    TRY(s);
    TRY(differing == 0 ? tell_right(q, diag) : OK);
    (void)pthread_mutex_lock(&q->lock);
    s = differing == 0 || !q->begun ? OK
                                    : quota_book_correct(q->book, believed, q->counted, &differing);
    if (status_ok(s)) {
        q->entries = MOVE(q->counted);
        q->doubted = q->begun = false;
        q->untold = differing;
        quota_book_free(believed);
    }
    (void)pthread_mutex_unlock(&q->lock);
    TRY(s);
    if (differing > 0) {
        log_event(LOG_WARN, "quotas.corrected",
                  "%llu counts that lay beside the log were not those of its entries",
                  (unsigned long long)differing);
    }
    return OK;
}

/* What follows from a correction, each step until it is done. Making the file writes an entry, so
 * that is tried once a minute. */
static struct status
tell_on(struct quotas *q, uint64_t published, struct diag *diag)
{
    const int64_t now = clock_mono_ns();
    TRY(q->untold > 0 ? tell_wrong(q, diag) : keep_alert(q, diag));
    if (q->unkept && !q->made && (q->kept_ns == 0 || now - q->kept_ns > REMAKE_NS)) {
        q->kept_ns = now;
        q->made = keep(q, q->entries, published);
    }
    if (q->unkept && q->made) {
        TRY(doubt_again(q, diag));
        q->unkept = false;
    }
    return OK;
}

static struct status
recount(struct quotas *q, struct quota_book *believed, uint64_t published, struct diag *diag)
{
    q->counted = q->counted == NULL ? quota_book_new() : q->counted;
    CHECK(q->counted != NULL, MEMORY);
    const uint64_t next = quota_book_entries(q->counted) + QUOTAS_RECOUNTED_AT_ONCE;
    TRY(quota_book_follow(q->counted, q->log_dir, next < published ? next : published, diag));
    if (next < published) {
        return OK;
    }
    TRY(quota_book_follow(believed, q->log_dir, published, diag));
    return settle(q, believed, diag);
}

/* Said once a minute, for what is tried again each second. */
static void
warn(struct quotas *q, struct status s, const struct diag *diag)
{
    char text[sizeof diag->text];
    const int64_t now = clock_mono_ns();
    if (!status_ok(s) && (q->warned_ns == 0 || now - q->warned_ns > 60 * NS_PER_S)) {
        q->warned_ns = now;
        diag_describe(diag, s, text, sizeof text);
        log_event(LOG_WARN, "quotas.doubted",
                  "the log cannot be counted again, or what that gave not be told; reason=\"%s\"",
                  text);
    }
}

static void
tick(void *ctx)
{
    struct quotas *q = ctx;
    (void)pthread_mutex_lock(&q->lock);
    struct quota_book *b = q->entries;
    const uint64_t kept = q->kept;
    const bool doubted = q->doubted;
    (void)pthread_mutex_unlock(&q->lock);
    const uint64_t published = b == NULL ? 0 : audit_published(q->workspace->audit);
    if (b == NULL || published < quota_book_entries(b)) {
        return;
    }
    struct diag diag = {0};
    if (doubted) {
        warn(q, recount(q, b, published, &diag), &diag);
    }
    if (q->untold > 0 || q->unkept || q->alert.unkept) {
        diag = (struct diag){0};
        warn(q, tell_on(q, published, &diag), &diag);
    } else if (!doubted && published - kept >= QUOTAS_KEPT_EVERY) {
        (void)keep(q, b, published);
    }
}

struct status
quotas_watch(struct quotas *q, struct workspace *w, struct diag *diag)
{
    q->workspace = w;
    TRY(alert_read(w, &q->alert, diag));
    q->doubted = q->doubted || (q->book != NULL && q->alert.open);
    return ticker_start(TICK_NS, tick, q, &q->ticker);
}

bool
quotas_alarmed(struct quotas *q)
{
    (void)pthread_mutex_lock(&q->lock);
    const bool open = q->alert.open || q->untold > 0;
    (void)pthread_mutex_unlock(&q->lock);
    return open;
}

json_t *
quotas_alert(struct quotas *q)
{
    (void)pthread_mutex_lock(&q->lock);
    struct alert a = q->alert;
    a.open = a.open || q->untold > 0;
    (void)pthread_mutex_unlock(&q->lock);
    return a.open || a.total > 0 || quotas_any(q) ? alert_json(&a) : NULL;
}

/* How often one of that name has refused goes on. */
static uint64_t
refused_before(const struct quotas *q, const char *name)
{
    for (size_t i = 0; i < q->count; i++) {
        if (strcmp(q->list[i].name, name) == 0) {
            return q->refused[i];
        }
    }
    return 0;
}

struct status
quotas_set(struct quotas *q, const struct quota *list, size_t count, struct diag *diag)
{
    uint64_t refused[QUOTAS] = {0};
    ASSERT(count <= QUOTAS);
    if (count > 0 && q->book == NULL) {
        TRY(read_book(q, diag));
    }
    (void)pthread_mutex_lock(&q->lock);
    for (size_t i = 0; i < count; i++) {
        refused[i] = refused_before(q, list[i].name);
    }
    if (count > 0) {
        memcpy(q->list, list, count * sizeof *list);
    }
    memcpy(q->refused, refused, sizeof refused);
    atomic_store(&q->count, count);
    (void)pthread_mutex_unlock(&q->lock);
    return OK;
}

/* ---- a call ---- */

static bool
falls_under(const struct quota *q, const struct quotas_call *c)
{
    if (*q->model != '\0' && strcmp(q->model, c->model) != 0) {
        return false;
    }
    if (q->of == QUOTA_OF_PRINCIPAL) {
        return strcmp(q->who, c->principal) == 0;
    }
    return q->of == QUOTA_OF_ALL || c->is_of(c->ctx, q);
}

/* Tokens are known when the answer is: before that there must be room for one. */
static uint64_t
asked_for(const struct quota *q, const struct quotas_call *c)
{
    return q->unit == QUOTA_ROWS ? c->rows : 1;
}

static uint64_t
charged(const struct quotas_charge *c, const struct quotas_part *p)
{
    return p->unit == QUOTA_ROWS ? c->rows : p->unit == QUOTA_TOKENS ? c->tokens : 1;
}

/* The time may be one before the window: then the clock was set back. */
static void
tell_full(const struct quota *q, const struct quota_count *n, const struct quotas_call *c,
          struct quotas_refusal *ret)
{
    DEFER(buf_done) struct buf what;
    DEFER(buf_done) struct buf until;
    buf_init(&what, 512);
    buf_init(&until, 64);
    char asks[48] = "";
    const int64_t end = quota_window_end(n->window), left = end - c->now_ns;
    if (q->unit != QUOTA_TOKENS) {
        (void)snprintf(asks, sizeof asks, ", this call asks for %llu",
                       (unsigned long long)asked_for(q, c));
    }
    quota_put(q, &what);
    clock_put_rfc3339(&until, end);
    text_copy(ret->name, sizeof ret->name, q->name);
    ret->retry_after_s = left > 0 ? (uint64_t)((left + NS_PER_S - 1) / NS_PER_S) : 1;
    (void)snprintf(ret->sentence, sizeof ret->sentence,
                   "quota %s (%.160s): %llu used%s; there is more from %.19sZ", q->name,
                   buf_str(&what), (unsigned long long)n->used, asks, buf_str(&until));
}

static void
tell_never(const struct quota *q, const struct quotas_call *c, struct quotas_refusal *ret)
{
    DEFER(buf_done) struct buf what;
    buf_init(&what, 512);
    quota_put(q, &what);
    text_copy(ret->name, sizeof ret->name, q->name);
    ret->retry_after_s = 0;
    (void)snprintf(ret->sentence, sizeof ret->sentence,
                   "quota %s (%.160s): this call asks for %llu at once, which is never allowed",
                   q->name, buf_str(&what), (unsigned long long)asked_for(q, c));
}

static enum quotas_answer
look_at(struct quotas *s, size_t i, const struct quotas_call *c, struct quotas_charge *charge,
        struct quotas_refusal *ret_refusal)
{
    const struct quota *q = &s->list[i];
    const uint64_t asks = asked_for(q, c);
    struct quotas_part *p = &charge->part[charge->count];
    char window[QUOTA_WINDOW_MAX];
    if (!falls_under(q, c)) {
        return QUOTAS_ROOM;
    }
    struct quota_count *n = quota_book_count(s->book, q->count, q->each ? c->principal : "");
    if (n == NULL) {
        return QUOTAS_FAILED;
    }
    quota_window(q->span, c->now_ns, window);
    quota_count_turn(n, window);
    if (asks > q->most || n->used > q->most - asks) {
        s->refused[i]++;
        if (asks > q->most) {
            tell_never(q, c, ret_refusal);
            return QUOTAS_NEVER;
        }
        tell_full(q, n, c, ret_refusal);
        return QUOTAS_FULL;
    }
    p->of = n;
    p->unit = q->unit;
    memcpy(p->window, n->window, sizeof p->window);
    charge->count++;
    return QUOTAS_ROOM;
}

enum quotas_answer
quotas_take(struct quotas *q, const struct quotas_call *c, struct quotas_charge *ret_charge,
            struct quotas_refusal *ret_refusal)
{
    enum quotas_answer answer = QUOTAS_ROOM;
    ret_charge->count = 0;
    ret_charge->rows = c->rows;
    ret_charge->tokens = 0;
    (void)pthread_mutex_lock(&q->lock);
    for (size_t i = 0; i < q->count && answer == QUOTAS_ROOM; i++) {
        answer = look_at(q, i, c, ret_charge, ret_refusal);
    }
    for (size_t i = 0; i < ret_charge->count && answer == QUOTAS_ROOM; i++) {
        ret_charge->part[i].of->used += charged(ret_charge, &ret_charge->part[i]);
    }
    (void)pthread_mutex_unlock(&q->lock);
    ret_charge->count = answer == QUOTAS_ROOM ? ret_charge->count : 0;
    return answer;
}

void
quotas_give_back(struct quotas *q, const struct quotas_charge *c)
{
    (void)pthread_mutex_lock(&q->lock);
    for (size_t i = 0; i < c->count; i++) {
        const struct quotas_part *p = &c->part[i];
        if (strcmp(p->of->window, p->window) == 0) {
            p->of->used -= charged(c, p);
        }
    }
    (void)pthread_mutex_unlock(&q->lock);
}

void
quotas_add_tokens(struct quotas *q, struct quotas_charge *c, uint64_t tokens)
{
    (void)pthread_mutex_lock(&q->lock);
    c->tokens += tokens;
    for (size_t i = 0; i < c->count; i++) {
        const struct quotas_part *p = &c->part[i];
        if (p->unit == QUOTA_TOKENS && strcmp(p->of->window, p->window) == 0) {
            p->of->used += tokens;
        }
    }
    (void)pthread_mutex_unlock(&q->lock);
}

void
quotas_put_charge(const struct quotas_charge *c, struct buf *ret_lines)
{
    for (size_t i = 0; i < c->count; i++) {
        buf_printf(ret_lines, "%s %s\n", c->part[i].of->of, c->part[i].window);
    }
}

/* ---- what is left ---- */

struct status
quotas_json(struct quotas *q, int64_t now_ns, json_t **ret_left)
{
    struct quota list[QUOTAS];
    struct status s = OK;
    DEFER(quota_book_freep) struct quota_book *copy = quota_book_new();
    CHECK(copy != NULL, MEMORY);
    (void)pthread_mutex_lock(&q->lock);
    const struct quota_book *b = q->book;
    const size_t count = q->count;
    memcpy(list, q->list, sizeof list);
    (void)pthread_mutex_unlock(&q->lock);
    for (size_t i = 0; b != NULL && i < QUOTA_BOOK_PARTS && status_ok(s); i++) {
        (void)pthread_mutex_lock(&q->lock);
        s = quota_book_copy_part(b, i, copy);
        (void)pthread_mutex_unlock(&q->lock);
    }
    TRY(s);
    return quota_book_json(copy, list, count, now_ns, ret_left);
}

/* ---- metrics ---- */

/* The most that one of its counts has used of the window that is now. */
static uint64_t
used_of(const struct quotas *q, const struct quota *of)
{
    char window[QUOTA_WINDOW_MAX];
    uint64_t most = 0;
    quota_window(of->span, clock_wall_ns(), window);
    for (const struct quota_count *n = quota_book_next(q->book, of, NULL); n != NULL;
         n = quota_book_next(q->book, of, n)) {
        most = strcmp(n->window, window) >= 0 && n->used > most ? n->used : most;
    }
    return most;
}

void
quotas_put_metrics(struct quotas *q, struct buf *ret_text)
{
    static const char *const help[] = {
        "What a quota allows in a window.",
        ("What was used of it in the window that is now; of one of each principal, by who used "
         "most."),
        "Calls that a quota refused."};
    static const char *const names[] = {"steward_quota_limit", "steward_quota_used",
                                        "steward_quota_refused_total"};
    (void)pthread_mutex_lock(&q->lock);
    for (size_t f = 0; f < 3 && q->count > 0; f++) {
        metrics_put_head(names[f], f == 2 ? "counter" : "gauge", help[f], ret_text);
        for (size_t i = 0; i < q->count; i++) {
            const uint64_t value = f == 0   ? q->list[i].most
                                   : f == 1 ? used_of(q, &q->list[i])
                                            : q->refused[i];
            buf_printf(ret_text, "%s{quota=\"%s\"} %llu\n", names[f], q->list[i].name,
                       (unsigned long long)value);
        }
    }
    (void)pthread_mutex_unlock(&q->lock);
}
