#include "serve/series.h"

#include "serve/metrics.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 2048u /* more than twice the triples */

_Static_assert(SLOTS >= 2 * SERIES_MOST, "a free slot is always found");

/* Of one triple. What it is of does not change once others can see it. */
struct one {
    char principal[SERIES_NAME_MAX], model[SERIES_NAME_MAX];
    uint64_t version, hash;
    _Atomic uint64_t calls[SERIES_OUTCOMES], rows, prompt_tokens, completion_tokens, duration_ns;
    _Atomic uint64_t bucket[METRICS_BUCKETS + 1];
};

struct series {
    pthread_mutex_t lock; /* to add one */
    _Atomic(struct one *) slot[SLOTS];
    struct one *ones[SERIES_MOST];
    _Atomic size_t count;
    struct one other;
};

struct series *
series_new(void)
{
    struct series *s = calloc(1, sizeof *s);
    if (s == NULL || pthread_mutex_init(&s->lock, NULL) != 0) {
        free(s);
        return NULL;
    }
    memcpy(s->other.principal, "(other)", sizeof "(other)");
    memcpy(s->other.model, "(other)", sizeof "(other)");
    return s;
}

void
series_free(struct series *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->count; i++) {
        free(s->ones[i]);
    }
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

/* ---- finding ---- */

static uint64_t
hash_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++) {
        hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    }
    return (hash ^ 0xff) * UINT64_C(0x100000001b3);
}

static uint64_t
hash_of(const struct series_call *c)
{
    const uint64_t names =
        hash_text(hash_text(UINT64_C(0xcbf29ce484222325), c->principal), c->model);
    return (names ^ c->version) * UINT64_C(0x9e3779b97f4a7c15);
}

static bool
is_of(const struct one *o, const struct series_call *c, uint64_t hash)
{
    return o->hash == hash && o->version == c->version && strcmp(o->principal, c->principal) == 0 &&
           strcmp(o->model, c->model) == 0;
}

/* Its slot, or the free one where it would be. */
static size_t
slot_of(struct series *s, const struct series_call *c, uint64_t hash, struct one **ret_one)
{
    size_t at = (size_t)(hash >> 32) % SLOTS;
    struct one *o = atomic_load_explicit(&s->slot[at], memory_order_acquire);
    while (o != NULL && !is_of(o, c, hash)) {
        at = (at + 1) % SLOTS;
        o = atomic_load_explicit(&s->slot[at], memory_order_acquire);
    }
    *ret_one = o;
    return at;
}

static struct one *
one_new(const struct series_call *c, uint64_t hash)
{
    struct one *o = calloc(1, sizeof *o);
    if (o != NULL) {
        (void)strncpy(o->principal, c->principal, sizeof o->principal - 1);
        (void)strncpy(o->model, c->model, sizeof o->model - 1);
        o->version = c->version;
        o->hash = hash;
    }
    return o;
}

/* Under the lock. NULL: there are as many as there may be, or memory is out. */
static struct one *
add(struct series *s, const struct series_call *c, uint64_t hash)
{
    struct one *o = NULL;
    const size_t n = s->count, at = slot_of(s, c, hash, &o);
    if (o != NULL || n == SERIES_MOST) {
        return o;
    }
    o = one_new(c, hash);
    if (o != NULL) {
        s->ones[n] = o;
        atomic_store(&s->count, n + 1);
        atomic_store_explicit(&s->slot[at], o, memory_order_release);
    }
    return o;
}

static struct one *
find(struct series *s, const struct series_call *c)
{
    struct one *o = NULL;
    const uint64_t hash = hash_of(c);
    (void)slot_of(s, c, hash, &o);
    if (o == NULL && s->count < SERIES_MOST) {
        (void)pthread_mutex_lock(&s->lock);
        o = add(s, c, hash);
        (void)pthread_mutex_unlock(&s->lock);
    }
    return o != NULL ? o : &s->other;
}

/* ---- counting ---- */

static void
count(_Atomic uint64_t *n, uint64_t more)
{
    (void)atomic_fetch_add_explicit(n, more, memory_order_relaxed);
}

void
series_note(struct series *s, const struct series_call *c)
{
    struct one *o = find(s, c);
    count(&o->calls[c->outcome], 1);
    count(&o->bucket[metrics_bucket(c->duration_ns)], 1);
    count(&o->duration_ns, c->duration_ns > 0 ? (uint64_t)c->duration_ns : 0);
    if (c->rows > 0) {
        count(&o->rows, c->rows);
    }
    if (c->prompt_tokens + c->completion_tokens > 0) {
        count(&o->prompt_tokens, c->prompt_tokens);
        count(&o->completion_tokens, c->completion_tokens);
    }
}

/* ---- telling ---- */

static uint64_t
calls_of(const struct one *o)
{
    uint64_t n = 0;
    for (size_t i = 0; i < SERIES_OUTCOMES; i++) {
        n += o->calls[i];
    }
    return n;
}

static void
put_labels(const struct one *o, struct buf *b)
{
    buf_printf(b, "model=\"%s\",version=\"", o->model);
    if (o->version > 0) {
        buf_printf(b, "%llu", (unsigned long long)o->version);
    }
    buf_printf(b, "\",principal=\"%s\"", o->principal);
}

static void
put_successes(const struct one *o, struct buf *b)
{
    buf_put_str(b, "steward_inference_request_success_total{");
    put_labels(o, b);
    buf_printf(b, "} %llu\n", (unsigned long long)o->calls[SERIES_SUCCESS]);
}

static void
put_failures(const struct one *o, struct buf *b)
{
    static const char *const reasons[SERIES_OUTCOMES] = {
        [SERIES_REFUSED] = "refused", [SERIES_ERROR] = "error"};
    for (size_t i = SERIES_REFUSED; i < SERIES_OUTCOMES; i++) {
        buf_put_str(b, "steward_inference_request_failure_total{");
        put_labels(o, b);
        buf_printf(b, ",reason=\"%s\"} %llu\n", reasons[i], (unsigned long long)o->calls[i]);
    }
}

static void
put_rows(const struct one *o, struct buf *b)
{
    buf_put_str(b, "steward_inference_count_total{");
    put_labels(o, b);
    buf_printf(b, "} %llu\n", (unsigned long long)o->rows);
}

/* None of a model that counts none. */
static void
put_tokens(const struct one *o, struct buf *b)
{
    const struct {
        const char *type;
        uint64_t count;
    } kinds[] = {{"prompt", o->prompt_tokens}, {"completion", o->completion_tokens}};
    for (size_t i = 0; i < 2 && kinds[0].count + kinds[1].count > 0; i++) {
        buf_put_str(b, "steward_inference_tokens_total{");
        put_labels(o, b);
        buf_printf(b, ",type=\"%s\"} %llu\n", kinds[i].type, (unsigned long long)kinds[i].count);
    }
}

static void
put_durations(const struct one *o, struct buf *b)
{
    DEFER(buf_done) struct buf labels;
    buf_init(&labels, 512);
    put_labels(o, &labels);
    metrics_put_histogram("steward_inference_request_duration_seconds", buf_str(&labels), o->bucket,
                          &o->duration_ns, b);
}

static const struct family {
    const char *name, *type, *help;
    void (*put)(const struct one *o, struct buf *b);
} families[] = {
    {"steward_inference_request_success_total", "counter",
     "Inference calls that were answered with predictions.", put_successes},
    {"steward_inference_request_failure_total", "counter",
     "Inference calls that were not; refused: by a rule, a limit or for what they asked; error: "
     "they should have been answered.",
     put_failures},
    {"steward_inference_count_total", "counter", "Rows predicted.", put_rows},
    {"steward_inference_tokens_total", "counter",
     "Tokens that models which count them read (type prompt) and wrote (type completion).",
     put_tokens},
    {"steward_inference_request_duration_seconds", "histogram",
     "Time from an inference call's head until its answer was sent.", put_durations},
};

void
series_put(struct series *s, struct buf *ret_text)
{
    const size_t n = s->count;
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        metrics_put_head(families[f].name, families[f].type, families[f].help, ret_text);
        for (size_t i = 0; i < n; i++) {
            families[f].put(s->ones[i], ret_text);
        }
        if (calls_of(&s->other) > 0) {
            families[f].put(&s->other, ret_text);
        }
    }
    metrics_put_head("steward_inference_series", "gauge",
                     "Triples of model, version and principal that have series of their own; there "
                     "are 1000 at most.",
                     ret_text);
    buf_printf(ret_text, "steward_inference_series %zu\n", n);
    metrics_put_head("steward_inference_series_folded_total", "counter",
                     "Calls of further ones, which are counted together as \"(other)\".", ret_text);
    buf_printf(ret_text, "steward_inference_series_folded_total %llu\n",
               (unsigned long long)calls_of(&s->other));
}
