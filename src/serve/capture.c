#include "serve/capture.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "serve/ticker.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_NS NS_PER_S
#define EXPIRE_EVERY 30 /* ticks; and once at the start */
#define EXPIRED_AT_ONCE 10000u
#define WARN_NS (60 * NS_PER_S)
#define WHOLE (UINT64_C(1) << 32)

/* ---- rules ---- */

static struct status
refuse(struct diag *diag, const char *why)
{
    diag_set(diag,
             "%s; it is written: ENDPOINT off|full|PERCENT%% [keep=DURATION] "
             "[fail=closed|open]",
             why);
    FAIL(INPUT);
}

static struct status
parse_share(struct view word, struct capture_rule *r, struct diag *diag)
{
    double percent = 0;
    const bool off = view_equal_str(word, "off"), full = view_equal_str(word, "full");
    if (off || full) {
        r->below = full ? WHOLE : 0;
        return OK;
    }
    if (word.len < 2 || word.ptr[word.len - 1] != '%' ||
        !status_ok(text_to_f64(view_of(word.ptr, word.len - 1), &percent)) || !(percent > 0) ||
        percent > 100) {
        return refuse(diag, "how many? off, full, or a share such as 5% or 0.1%");
    }
    r->below = (uint64_t)(percent / 100 * (double)WHOLE);
    return r->below > 0 ? OK : refuse(diag, "so small a share captures nothing");
}

static bool
has_prefix(struct view *word, const char *prefix)
{
    const size_t n = strlen(prefix);
    const bool yes = word->len > n && memcmp(word->ptr, prefix, n) == 0;
    *word = yes ? view_of(word->ptr + n, word->len - n) : *word;
    return yes;
}

static struct status
parse_rest(struct view word, struct capture_rule *r, struct diag *diag)
{
    if (has_prefix(&word, "keep=")) {
        return status_ok(text_to_duration_ns(word, &r->keep_ns)) && r->keep_ns >= NS_PER_S
                   ? OK
                   : refuse(diag, "keep= is a duration of a second or more, such as 30d");
    }
    if (has_prefix(&word, "fail=") &&
        (view_equal_str(word, "open") || view_equal_str(word, "closed"))) {
        r->open = view_equal_str(word, "open");
        return OK;
    }
    return refuse(diag, "behind the share there may be keep= and fail=closed or fail=open");
}

/* "mortgage", "mortgage@3", "*" */
static struct status
parse_endpoint(struct view word, struct capture_rule *r, struct diag *diag)
{
    const uint8_t *at = word.len == 0 ? NULL : memchr(word.ptr, '@', word.len);
    const size_t n = at == NULL ? word.len : (size_t)(at - word.ptr);
    const bool named = text_copy_view(r->model, sizeof r->model, view_of(word.ptr, n));
    const bool every = named && at == NULL && strcmp(r->model, "*") == 0;
    if (!every && (!named || !text_is_name(r->model))) {
        return refuse(diag,
                      "of which endpoint? a model's name, MODEL@VERSION, or * for all others");
    }
    if (at != NULL && (!status_ok(text_to_u64(view_of(at + 1, word.len - n - 1), &r->version)) ||
                       r->version == 0)) {
        return refuse(diag, "behind @ stands a version: a whole number from 1");
    }
    return OK;
}

struct status
capture_parse(struct view item, struct diag *diag, struct capture_rule *ret_rule)
{
    struct capture_rule r = {.open = false};
    TRY(parse_endpoint(text_next_word(&item), &r, diag));
    TRY(parse_share(text_next_word(&item), &r, diag));
    for (struct view word = text_next_word(&item); word.len > 0; word = text_next_word(&item)) {
        TRY(parse_rest(word, &r, diag));
    }
    if (r.version > 0 && r.keep_ns > 0) {
        return refuse(diag, "how long captures of a model are kept is said in the line of the "
                            "model, or of *: no keep= behind MODEL@VERSION");
    }
    *ret_rule = r;
    return OK;
}

bool
capture_same_endpoint(const struct capture_rule *a, const struct capture_rule *b)
{
    return a->version == b->version && strcmp(a->model, b->model) == 0;
}

/* The line of the version's route, of the model's, or of all others. */
static const struct capture_rule *
find(const struct capture_rules *rules, const char *model, uint64_t version)
{
    const struct capture_rule *of_model = NULL, *others = NULL;
    for (size_t i = 0; i < rules->count; i++) {
        const struct capture_rule *r = &rules->of[i];
        const bool same = strcmp(r->model, model) == 0;
        if (same && version > 0 && r->version == version) {
            return r;
        }
        of_model = same && r->version == 0 ? r : of_model;
        others = strcmp(r->model, "*") == 0 ? r : others;
    }
    return of_model != NULL ? of_model : others;
}

const struct capture_rule *
capture_rule_of(const struct capture_rules *rules, const char *model, uint64_t version)
{
    const struct capture_rule *r = find(rules, model, version);
    return r == NULL || r->below == 0 ? NULL : r;
}

int64_t
capture_keeps_ns(const struct capture_rules *rules, const char *model)
{
    const struct capture_rule *r = find(rules, model, 0);
    return r == NULL || r->keep_ns == 0 ? rules->keep_ns : r->keep_ns;
}

bool
capture_samples(const struct capture_rule *rule, const char *call_id)
{
    char digits[9];
    text_copy(digits, sizeof digits, call_id);
    return strtoull(digits, NULL, 16) < rule->below;
}

/* ---- the server's ---- */

struct capture {
    const struct capture_rules *rules;
    struct workspace *workspace;
    struct ticker *ticker;
    unsigned ticks;
    _Atomic uint64_t last;                   /* the newest object's number */
    _Atomic int64_t failed_ns, unexpired_ns; /* when that was told last */
    _Atomic uint64_t kept, failed, bytes, expired;
};

/* No two captures have one number, whatever the clock does while the server runs. */
static uint64_t
next_number(struct capture *c)
{
    uint64_t last = atomic_load(&c->last), now = 0;
    do {
        now = (uint64_t)clock_wall_ns();
        now = now > last ? now : last + 1;
    } while (!atomic_compare_exchange_weak(&c->last, &last, now));
    return now;
}

static void
warn(_Atomic int64_t *told_ns, const char *event, const char *model, struct status s,
     const struct diag *diag)
{
    char text[sizeof diag->text];
    const int64_t now = clock_mono_ns();
    int64_t before = atomic_load(told_ns);
    if (now - before < WARN_NS || !atomic_compare_exchange_strong(told_ns, &before, now)) {
        return;
    }
    diag_describe(diag, s, text, sizeof text);
    log_event(LOG_ERROR, event, "model=%s; told once a minute; reason=\"%s\"", model, text);
}

enum capture_outcome
capture_take(struct capture *c, const char *model, uint64_t version, const struct capture_of *of,
             char ret_id[static CAPTURE_ID_MAX])
{
    struct diag diag = {0};
    struct capture_id id;
    const struct capture_rule *rule = c == NULL ? NULL : capture_rule_of(c->rules, model, version);
    if (rule == NULL || !capture_samples(rule, of->call)) {
        return CAPTURE_NOT;
    }
    text_copy(id.model, sizeof id.model, model);
    id.at = next_number(c);
    const struct status s = capture_write(c->workspace, &id, of, &diag);
    if (status_ok(s)) {
        capture_put_id(&id, ret_id);
        (void)atomic_fetch_add(&c->kept, 1);
        (void)atomic_fetch_add(&c->bytes, of->request.len + of->response.len);
        return CAPTURE_KEPT;
    }
    (void)atomic_fetch_add(&c->failed, 1);
    warn(&c->failed_ns, "capture.failed", model, s, &diag);
    (void)strcpy(ret_id, "failed");
    return rule->open ? CAPTURE_FAILED : CAPTURE_CLOSED;
}

/* ---- retention ---- */

static struct status
tell(struct capture *c, const char *model, size_t count, int64_t keep_ns)
{
    char resource[96], reason[160];
    if (count == 0) {
        return OK;
    }
    (void)atomic_fetch_add(&c->expired, count);
    (void)snprintf(resource, sizeof resource, "captures/%s", model);
    (void)snprintf(reason, sizeof reason,
                   "%zu captures destroyed with their keys: older than the %lld s that they are "
                   "kept",
                   count, (long long)(keep_ns / NS_PER_S));
    const struct workspace_act act = {
        .action = "capture.erase", .resource = resource, .reason = reason};
    return workspace_audit(c->workspace, &act, NULL);
}

static struct status
expire_model(void *ctx, const char *model)
{
    struct capture *c = ctx;
    struct diag diag = {0};
    size_t count = 0;
    const int64_t keep_ns = capture_keeps_ns(c->rules, model);
    const struct status s = captures_expire(c->workspace->dir, model, clock_wall_ns() - keep_ns,
                                            EXPIRED_AT_ONCE, &diag, &count);
    if (!status_ok(s)) {
        warn(&c->unexpired_ns, "capture.unexpired", model, s, &diag);
    }
    const struct status told = tell(c, model, count, keep_ns);
    if (!status_ok(told)) {
        log_event(LOG_ERROR, "capture.unrecorded", "model=%s count=%zu", model, count);
    }
    return OK; /* the other models' all the same */
}

static void
tick(void *ctx)
{
    struct capture *c = ctx;
    struct diag diag = {0};
    if (c->ticks++ % EXPIRE_EVERY == 0) {
        const struct status s = captures_models(c->workspace->dir, expire_model, c, &diag);
        if (!status_ok(s)) {
            warn(&c->unexpired_ns, "capture.unexpired", "*", s, &diag);
        }
    }
}

struct status
capture_start(const struct capture_rules *rules, struct workspace *w, struct capture **ret_capture)
{
    DEFER(file_freep) char *folder = file_join(w->dir, CAPTURES_FOLDER);
    if (rules == NULL || (rules->count == 0 && !file_exists(folder))) {
        return OK;
    }
    struct capture *c = calloc(1, sizeof *c);
    CHECK(c != NULL, MEMORY);
    c->rules = rules;
    c->workspace = w;
    c->failed_ns = c->unexpired_ns = -WARN_NS;
    const struct status s = ticker_start(TICK_NS, tick, c, &c->ticker);
    if (!status_ok(s)) {
        free(c);
        return s;
    }
    *ret_capture = c;
    return OK;
}

void
capture_stop(struct capture *c)
{
    if (c != NULL) {
        ticker_stop(c->ticker);
        free(c);
    }
}

void
capture_put_metrics(const struct capture *c, struct buf *b)
{
    if (c == NULL) {
        return;
    }
    const struct {
        const char *name, *help;
        uint64_t value;
    } series[] = {
        {"steward_captures_total", "Calls whose bodies were captured.", atomic_load(&c->kept)},
        {"steward_captures_failed_total", "Calls that should have been and could not.",
         atomic_load(&c->failed)},
        {"steward_captures_bytes_total", "Bytes of the captured bodies.", atomic_load(&c->bytes)},
        {"steward_captures_expired_total", "Captures destroyed when their time was over.",
         atomic_load(&c->expired)},
    };
    for (size_t i = 0; i < sizeof series / sizeof *series; i++) {
        buf_printf(b, "# HELP %s %s\n# TYPE %s counter\n%s %llu\n", series[i].name, series[i].help,
                   series[i].name, series[i].name, (unsigned long long)series[i].value);
    }
}
