#include "assess/interventional.h"

#include "assess/interventional_parts.h"
#include "base/threads.h"
#include "model/predictor.h"

#include <stdatomic.h>

#define PAIRS_ROWS 4u /* of a block: each is work enough */

struct interventional {
    const struct forest *forest;
    struct interventional_background background;
    enum interventional_engine engine;
    struct tables *tables;
    double *wide; /* tables of doubles; floats are in the tables themselves */
    double *expected;
};

void
interventional_defaults(struct interventional_options *ret_options)
{
    *ret_options = (struct interventional_options){
        .precision = EXPLAIN_FAST, .expected_rows = 1000000, .table_bytes_max = (size_t)512 << 20};
}

void
interventional_free(struct interventional *e)
{
    if (e != NULL) {
        tables_free(e->tables);
        free(e->wide);
        free(e->expected);
        free(e);
    }
}

enum interventional_engine
interventional_engine(const struct interventional *e)
{
    return e->engine;
}

void
interventional_expected(const struct interventional *e, double *ret_expected)
{
    memcpy(ret_expected, e->expected, e->forest->outputs * sizeof *ret_expected);
}

/* ---- building ---- */

#define MEAN_ROWS 4096u

/* Mean margins, summed in the order of the rows. */
static struct status
make_expected(struct interventional *e, unsigned threads)
{
    const struct forest *f = e->forest;
    const size_t rows = e->background.rows;
    DEFER(predictor_freep) struct predictor *p = NULL;
    DEFER(memory_freep) double *margin = malloc((size_t)MEAN_ROWS * f->outputs * sizeof *margin);
    e->expected = calloc(f->outputs, sizeof *e->expected);
    CHECK(margin != NULL && e->expected != NULL, MEMORY);
    TRY(predictor_new(f, &p));
    for (size_t first = 0; first < rows; first += MEAN_ROWS) {
        const size_t n = rows - first < MEAN_ROWS ? rows - first : MEAN_ROWS;
        predictor_margin(p, e->background.x + first * f->features, n, threads, margin);
        for (size_t i = 0; i < n * f->outputs; i++) {
            e->expected[i % f->outputs] += margin[i];
        }
    }
    for (uint32_t k = 0; k < f->outputs; k++) {
        e->expected[k] /= (double)rows;
    }
    return OK;
}

/* Nanoseconds on a Zen 3 core; what counts is their proportion. A pair: each tree and level.
 * Tables: each unit and background row; and each pattern, condition and quadrature node of the
 * filling. */
#define PAIR_NS 12.0
#define COUNT_NS 1.2
#define FILL_NS 4.0

static bool
tables_pay(const struct interventional *e, const struct tables *t, size_t rows)
{
    const double background = (double)e->background.rows;
    const double pair = PAIR_NS * e->forest->trees * (e->forest->depth + 1.0);
    return pair * (double)rows * background >
           COUNT_NS * (double)tables_units(t) * background + FILL_NS * tables_fill_work(t);
}

static struct status
take_tables(struct interventional *e, struct tables *t, const struct interventional_options *o)
{
    float *single = NULL;
    e->tables = t;
    e->engine = INTERVENTIONAL_TABLES;
    if (o->precision == EXPLAIN_RECORD) {
        e->wide = aligned_alloc(64, (t->floats + 16) / 16 * 16 * sizeof *e->wide);
    } else {
        single = t->value = aligned_alloc(64, (t->floats + 16) / 16 * 16 * sizeof *t->value);
    }
    CHECK(e->wide != NULL || single != NULL, MEMORY);
    return interventional_fill(t, &e->background, o->threads, single, e->wide);
}

static struct status
take_engine(struct interventional *e, const struct interventional_options *o)
{
    const size_t entry = o->precision == EXPLAIN_RECORD ? 2 : 1; /* in floats */
    DEFER(tables_freep) struct tables *t = NULL;
    e->engine = INTERVENTIONAL_PAIRS;
    if (o->engine == INTERVENTIONAL_PAIRS) {
        return OK;
    }
    const struct status s = tables_new(e->forest, o->table_bytes_max / entry, o->portable, &t);
    const bool refused = s.code == STATUS_UNSUPPORTED || s.code == STATUS_LIMIT;
    if (refused && o->engine == INTERVENTIONAL_CHOOSE) {
        return OK;
    }
    TRY(s);
    if (o->engine == INTERVENTIONAL_CHOOSE && !tables_pay(e, t, o->expected_rows)) {
        return OK;
    }
    return take_tables(e, MOVE(t), o);
}

struct status
interventional_new(const struct forest *f, const float *background, size_t rows,
                   const struct interventional_options *o, struct interventional **ret_explainer)
{
    ASSERT(rows > 0);
    DEFER(interventional_freep) struct interventional *e = calloc(1, sizeof *e);
    CHECK(e != NULL, MEMORY);
    e->forest = f;
    e->background = (struct interventional_background){.x = background, .rows = rows};
    TRY(make_expected(e, o->threads));
    TRY(take_engine(e, o));
    *ret_explainer = MOVE(e);
    return OK;
}

/* ---- rows ---- */

struct rows_job {
    const struct interventional *e;
    const float *x;
    size_t rows, block_rows, blocks;
    double *phi;
    uint8_t *scratch; /* workers * scratch_bytes */
    size_t scratch_bytes;
    _Atomic size_t next;
};

static void
pairs_block(const struct interventional *e, const float *x, size_t rows, void *scratch, double *phi)
{
    const struct forest *f = e->forest;
    const size_t width = (size_t)f->features * f->outputs;
    memset(phi, 0, rows * width * sizeof *phi);
    for (size_t i = 0; i < rows; i++) {
        for (size_t b = 0; b < e->background.rows; b++) {
            const struct interventional_pair pair = {x + i * f->features,
                                                     e->background.x + b * f->features};
            interventional_pair_add(f, pair, 1, scratch, phi + i * width);
        }
        for (size_t k = 0; k < width; k++) {
            phi[i * width + k] /= (double)e->background.rows;
        }
    }
}

static void
rows_worker(void *ctx, size_t worker)
{
    struct rows_job *j = ctx;
    const struct forest *f = j->e->forest;
    void *scratch = j->scratch + worker * j->scratch_bytes;
    for (;;) {
        const size_t block = atomic_fetch_add(&j->next, 1);
        if (block >= j->blocks) {
            return;
        }
        const size_t first = block * j->block_rows, left = j->rows - first;
        const size_t rows = left < j->block_rows ? left : j->block_rows;
        const float *x = j->x + first * f->features;
        double *phi = j->phi + first * f->features * f->outputs;
        if (j->e->engine == INTERVENTIONAL_PAIRS) {
            pairs_block(j->e, x, rows, scratch, phi);
        } else if (j->e->wide != NULL) {
            interventional_wide_rows(j->e->tables, j->e->wide, x, rows, scratch, phi);
        } else {
            tables_rows(j->e->tables, x, rows, scratch, phi, NULL);
        }
    }
}

static size_t
scratch_bytes(const struct interventional *e)
{
    const size_t bytes = e->engine == INTERVENTIONAL_PAIRS ? interventional_scratch_bytes(e->forest)
                         : e->wide != NULL                 ? interventional_wide_bytes(e->tables)
                                                           : tables_scratch_bytes(e->tables);
    return (bytes + 63) / 64 * 64;
}

struct status
interventional_rows(const struct interventional *e, const float *x, size_t rows, unsigned threads,
                    double *ret_phi)
{
    const bool pairs = e->engine == INTERVENTIONAL_PAIRS;
    struct rows_job j = {.e = e, .x = x, .rows = rows, .phi = ret_phi};
    j.block_rows = pairs ? PAIRS_ROWS : tables_block_rows(e->tables);
    j.blocks = (rows + j.block_rows - 1) / j.block_rows;
    j.scratch_bytes = scratch_bytes(e);
    size_t workers = threads == 0 ? threads_cores() : threads;
    workers = workers < j.blocks ? workers : j.blocks;
    DEFER(memory_freep) uint8_t *scratch = aligned_alloc(64, (workers + 1) * j.scratch_bytes);
    CHECK(scratch != NULL, MEMORY);
    memset(scratch, 0, pairs ? workers * j.scratch_bytes : 0); /* as pairs need it */
    j.scratch = scratch;
    threads_for(workers, (unsigned)workers, rows_worker, &j);
    return OK;
}
