#include "assess/explain_answers.h"

#include "assess/shapley_pairs.h"
#include "base/threads.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#define BATCH 4096u

struct explain_answers {
    const struct model_file *m;
    struct black_box box;
    double *background; /* rows * features */
    size_t rows;
    bool *used;   /* features that the model reads; the others are nowhere different */
    double *base; /* outputs */
    size_t evaluations;
    uint64_t seed;
    pthread_mutex_t lock; /* of what is told */
    struct explain_answers_told told;
    struct status failed;
};

void
explain_answers_free(struct explain_answers *e)
{
    if (e != NULL) {
        (void)pthread_mutex_destroy(&e->lock);
        free(e->background);
        free(e->used);
        free(e->base);
        free(e);
    }
}

/* ---- making ready ---- */

static struct status
ask(void *ctx, const double *x, size_t rows, struct diag *diag, double *ret_score)
{
    const struct explain_answers *e = ctx;
    const size_t cells = rows * e->m->features;
    DEFER(memory_freep) float *narrow = malloc(cells * sizeof *narrow);
    (void)diag;
    CHECK(narrow != NULL, MEMORY);
    for (size_t i = 0; i < cells; i++) {
        narrow[i] = (float)x[i];
    }
    model_file_margin(e->m, narrow, rows, 1, ret_score);
    model_file_link_apply(e->m, ret_score, rows);
    return OK;
}

static size_t
find_used(const struct model_file *m, bool *used)
{
    size_t n = 0;
    for (uint32_t k = 0; m->forest != NULL && k < m->forest->nodes; k++) {
        used[m->forest->feature[k]] |= m->forest->left[k] >= 0;
    }
    for (uint32_t i = 0; i < m->features; i++) {
        used[i] = used[i] || m->linear != NULL;
        n += used[i];
    }
    return n;
}

/* As doubles; what the model does not read is 0 in all rows. */
static void
widen(const struct explain_answers *e, const float *x, double *ret_x)
{
    for (uint32_t i = 0; i < e->m->features; i++) {
        ret_x[i] = e->used[i] ? (double)x[i] : 0;
    }
}

/* The rows that have a margin. */
static struct status
take_background(struct explain_answers *e, const struct explain_answers_options *o)
{
    const size_t features = e->m->features, outputs = e->m->outputs;
    DEFER(memory_freep) double *margin = malloc(o->rows * outputs * sizeof *margin);
    e->background = malloc(o->rows * features * sizeof *e->background);
    CHECK(margin != NULL && e->background != NULL, MEMORY);
    model_file_margin(e->m, o->background, o->rows, o->threads, margin);
    for (size_t i = 0; i < o->rows; i++) {
        if (isnan(margin[i * outputs])) {
            e->told.left_out++;
        } else {
            widen(e, o->background + i * features, e->background + e->rows++ * features);
        }
    }
    CHECK(e->rows > 0, INPUT);
    return OK;
}

struct status
explain_answers_new(const struct model_file *m, const struct explain_answers_options *o,
                    struct explain_answers **ret_explainer)
{
    ASSERT(o->rows > 0);
    struct diag diag = {0};
    DEFER(explain_answers_freep) struct explain_answers *e = calloc(1, sizeof *e);
    CHECK(e != NULL, MEMORY);
    (void)pthread_mutex_init(&e->lock, NULL);
    e->m = m;
    e->evaluations = o->evaluations;
    e->seed = o->seed;
    e->used = calloc((size_t)m->features + 1, sizeof *e->used);
    e->base = calloc(m->outputs, sizeof *e->base);
    CHECK(e->used != NULL && e->base != NULL, MEMORY);
    CHECK(find_used(m, e->used) <= SHAPLEY_MOST_PLAYERS && o->evaluations <= SHAPLEY_MOST, LIMIT);
    TRY(take_background(e, o));
    e->box = (struct black_box){ask, e, m->features, m->outputs, BATCH};
    TRY(shapley_base(&e->box, e->background, e->rows, o->threads, &diag, e->base));
    *ret_explainer = MOVE(e);
    return OK;
}

void
explain_answers_expected(const struct explain_answers *e, double *ret_expected)
{
    memcpy(ret_expected, e->base, e->m->outputs * sizeof *ret_expected);
}

struct explain_answers_told
explain_answers_tell(const struct explain_answers *e)
{
    return e->told;
}

/* ---- rows ---- */

struct rows_job {
    struct explain_answers *e;
    const float *x;
    double *phi, *error;
};

/* Of the row's numbers (FNV-1a over their bits, each missing value the same). */
static uint64_t
key_of(const double *row, size_t features)
{
    uint64_t key = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < features; i++) {
        const float v = isnan(row[i]) ? NAN : (float)row[i];
        uint32_t bits = 0;
        memcpy(&bits, &v, sizeof bits);
        bits = isnan(v) ? UINT32_C(0x7fc00000) : bits;
        for (unsigned b = 0; b < 32; b += 8) {
            key = (key ^ (bits >> b & 0xff)) * UINT64_C(0x100000001b3);
        }
    }
    return key;
}

/* error[n] */
static void
tell_row(struct explain_answers *e, const struct shapley_told *row, const double *error, size_t n)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, error[i]);
    }
    (void)pthread_mutex_lock(&e->lock);
    e->told.players = row->players > e->told.players ? row->players : e->told.players;
    *(row->exact ? &e->told.exact_rows : &e->told.drawn_rows) += 1;
    e->told.evaluations =
        row->evaluations > e->told.evaluations ? row->evaluations : e->told.evaluations;
    e->told.largest_error = fmax(e->told.largest_error, largest);
    (void)pthread_mutex_unlock(&e->lock);
}

static struct status
explain_row(const struct rows_job *j, size_t row)
{
    struct explain_answers *e = j->e;
    const size_t features = e->m->features, outputs = e->m->outputs, width = features * outputs;
    double *phi = j->phi + row * width;
    struct diag diag = {0};
    struct shapley_told told;
    DEFER(memory_freep) double *x = malloc((features + width + outputs) * sizeof *x);
    CHECK(x != NULL, MEMORY);
    double *error = j->error != NULL ? j->error + row * width : x + features;
    model_file_margin(e->m, j->x + row * features, 1, 1, x + features + width);
    if (isnan(x[features + width])) {
        for (size_t i = 0; i < width; i++) {
            phi[i] = error[i] = NAN;
        }
        return OK;
    }
    widen(e, j->x + row * features, x);
    const struct shapley_options o = {.method = SHAPLEY_KERNEL,
                                      .evaluations = e->evaluations,
                                      .seed = e->seed,
                                      .row = key_of(x, features),
                                      .threads = 1};
    TRY(shapley_row(&e->box, x, e->background, e->rows, e->base, &o, &diag, phi, error, &told));
    tell_row(e, &told, error, width);
    return OK;
}

static void
fail(struct explain_answers *e, struct status s)
{
    if (!status_ok(s)) {
        (void)pthread_mutex_lock(&e->lock);
        e->failed = s;
        (void)pthread_mutex_unlock(&e->lock);
    }
}

static void
explain_one(void *ctx, size_t row)
{
    const struct rows_job *j = ctx;
    fail(j->e, explain_row(j, row));
}

struct status
explain_answers_rows(struct explain_answers *e, const float *x, size_t rows, unsigned threads,
                     double *ret_phi, double *ret_error)
{
    struct rows_job j = {e, x, ret_phi, ret_error};
    e->failed = OK;
    threads_for(rows, threads, explain_one, &j);
    return e->failed;
}

/* ---- pairs ---- */

struct pairs_job {
    struct explain_answers *e;
    const float *x;
    double *pairs;
};

static struct status
pair_row(const struct pairs_job *j, size_t row)
{
    struct explain_answers *e = j->e;
    const size_t features = e->m->features, outputs = e->m->outputs;
    const size_t width = outputs * features * features;
    struct diag diag = {0};
    struct shapley_told told = {0};
    double error = 0;
    DEFER(memory_freep) double *x = malloc((features + outputs) * sizeof *x);
    CHECK(x != NULL, MEMORY);
    model_file_margin(e->m, j->x + row * features, 1, 1, x + features);
    if (isnan(x[features])) {
        for (size_t i = 0; i < width; i++) {
            j->pairs[row * width + i] = NAN;
        }
        return OK;
    }
    widen(e, j->x + row * features, x);
    const struct shapley_options o = {
        .evaluations = e->evaluations, .seed = e->seed, .row = key_of(x, features), .threads = 1};
    const struct status s = shapley_pairs(&e->box, x, e->background, e->rows, &o, &diag,
                                          j->pairs + row * width, &error, &told);
    tell_row(e, &told, &error, 1);
    return s;
}

static void
pair_one(void *ctx, size_t row)
{
    const struct pairs_job *j = ctx;
    fail(j->e, pair_row(j, row));
}

struct status
explain_answers_pairs(struct explain_answers *e, const float *x, size_t rows, unsigned threads,
                      double *ret_pairs)
{
    struct pairs_job j = {e, x, ret_pairs};
    e->failed = OK;
    threads_for(rows, threads, pair_one, &j);
    return e->failed;
}
