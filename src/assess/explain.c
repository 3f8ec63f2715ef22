/* Explainers: which engine, and many rows through it. */
#include "assess/explain.h"

#include "assess/explain_lanes.h"
#include "assess/explain_tables.h"
#include "base/threads.h"

#define PLAIN_BLOCK_ROWS 64u

struct explainer {
    const struct forest *forest;
    enum explain_engine engine;
    bool pairs;
    struct lanes *lanes;
    struct tables *tables;
    uint32_t block_rows;
};

void
explainer_defaults(struct explainer_options *ret_options)
{
    *ret_options = (struct explainer_options){
        .precision = EXPLAIN_FAST, .expected_rows = 1000000, .table_bytes_max = (size_t)512 << 20};
}

void
explainer_free(struct explainer *e)
{
    if (e != NULL) {
        lanes_free(e->lanes);
        tables_free(e->tables);
        free(e);
    }
}

enum explain_engine
explainer_engine(const struct explainer *e)
{
    return e->engine;
}

/* ---- engines ---- */

/* Floats where they are exact enough; the doubles' engine otherwise. */
static struct status
take_lanes(struct explainer *e, const struct explainer_options *o)
{
    struct lanes_options lanes = {.doubles = o->precision == EXPLAIN_RECORD || o->pairs,
                                  .pairs = o->pairs,
                                  .portable = o->portable};
    TRY(lanes_new(e->forest, &lanes, &e->lanes));
    if (!lanes.doubles && lanes_nodes(e->lanes) > LANES_FLOAT_NODES) {
        lanes_free(MOVE(e->lanes));
        lanes.doubles = true;
        TRY(lanes_new(e->forest, &lanes, &e->lanes));
    }
    e->engine = EXPLAIN_LANES;
    e->block_rows = o->pairs ? LANES_PAIRS_ROWS : lanes_block_rows(e->lanes);
    return OK;
}

static void
take_plain(struct explainer *e)
{
    e->engine = EXPLAIN_PLAIN;
    e->block_rows = PLAIN_BLOCK_ROWS;
}

static struct status
take_tables(struct explainer *e, struct tables *t, unsigned threads)
{
    e->tables = t;
    e->engine = EXPLAIN_TABLES;
    e->block_rows = tables_block_rows(t);
    return tables_fill(t, threads);
}

/* Inner nodes times quadrature nodes, at most. */
static double
lanes_work(const struct forest *f)
{
    const double nodes = f->depth <= 2 ? 1.0 : (f->depth + 1) / 2;
    return f->nodes / 2.0 * nodes;
}

/* The cost model, in nanoseconds on a Zen 3 core with AVX2; what counts is their proportion. Lanes:
 * each inner node and quadrature node, a row of a full group. Tables: each unit, a row; and once,
 * each pattern, condition and quadrature node of the filling. */
#define LANES_NS 0.55
#define TABLES_NS 1.2
#define FILL_NS 2.9

static bool
tables_pay(const struct forest *f, const struct tables *t, size_t rows)
{
    const double saved = LANES_NS * lanes_work(f) - TABLES_NS * (double)tables_units(t);
    return saved * (double)rows > FILL_NS * tables_fill_work(t);
}

/* Tables for many rows in floats, where the forest and the memory allow; lanes otherwise. */
static struct status
choose(struct explainer *e, const struct explainer_options *o)
{
    if (o->precision == EXPLAIN_FAST) {
        DEFER(tables_freep) struct tables *t = NULL;
        const struct status cut = tables_new(e->forest, o->table_bytes_max, o->portable, &t);
        if (cut.code != STATUS_UNSUPPORTED && cut.code != STATUS_LIMIT) {
            TRY(cut);
            if (tables_pay(e->forest, t, o->expected_rows)) {
                return take_tables(e, MOVE(t), o->threads);
            }
        }
    }
    const struct status s = take_lanes(e, o);
    if (s.code == STATUS_UNSUPPORTED) {
        take_plain(e);
        return OK;
    }
    return s;
}

static struct status
force_tables(struct explainer *e, const struct explainer_options *o)
{
    DEFER(tables_freep) struct tables *t = NULL;
    CHECK(o->precision == EXPLAIN_FAST, UNSUPPORTED);
    TRY(tables_new(e->forest, o->table_bytes_max, o->portable, &t));
    return take_tables(e, MOVE(t), o->threads);
}

struct status
explainer_new(const struct forest *f, const struct explainer_options *o,
              struct explainer **ret_explainer)
{
    DEFER(explainer_freep) struct explainer *e = calloc(1, sizeof *e);
    CHECK(e != NULL, MEMORY);
    e->forest = f;
    e->pairs = o->pairs;
    switch (o->pairs ? EXPLAIN_LANES : o->engine) {
    case EXPLAIN_PLAIN:
        take_plain(e);
        break;
    case EXPLAIN_LANES:
        TRY(take_lanes(e, o));
        break;
    case EXPLAIN_TABLES:
        TRY(force_tables(e, o));
        break;
    default:
        TRY(choose(e, o));
    }
    *ret_explainer = MOVE(e);
    return OK;
}

static void
plain_rows(const struct explainer *e, const float *x, size_t rows, void *scratch, double *ret_phi,
           float *ret_single)
{
    const size_t width = (size_t)e->forest->outputs * e->forest->features;
    double *own = scratch;
    for (size_t i = 0; i < rows; i++) {
        double *phi = ret_phi != NULL ? ret_phi + i * width : own;
        explain_row_ref(e->forest, x + i * e->forest->features, own + width, phi);
        for (size_t k = 0; ret_phi == NULL && k < width; k++) {
            ret_single[i * width + k] = (float)phi[k];
        }
    }
}

/* Of a thread, for up to block_rows rows. */
static size_t
scratch_bytes(const struct explainer *e, size_t rows)
{
    const size_t width = (size_t)e->forest->outputs * e->forest->features;
    const size_t few = rows < e->block_rows ? rows : e->block_rows;
    switch (e->engine) {
    case EXPLAIN_TABLES:
        return tables_scratch_bytes(e->tables, few);
    case EXPLAIN_LANES:
        return lanes_scratch_bytes(e->lanes, few);
    default:
        return explain_scratch_bytes(e->forest) + width * sizeof(double);
    }
}

/* Up to block_rows rows, into one of the two; of an explainer of pairs, their pairs. */
static void
engine_rows(const struct explainer *e, const float *x, size_t rows, void *scratch, double *ret_phi,
            float *ret_single)
{
    if (e->pairs) {
        lanes_pairs(e->lanes, x, rows, scratch, ret_phi);
    } else if (e->engine == EXPLAIN_PLAIN) {
        plain_rows(e, x, rows, scratch, ret_phi, ret_single);
    } else if (e->engine == EXPLAIN_TABLES) {
        tables_rows(e->tables, x, rows, scratch, ret_phi, ret_single);
    } else {
        lanes_rows(e->lanes, x, rows, scratch, ret_phi, ret_single);
    }
}

/* ---- many rows ---- */

/* Workers take the next block until none is left; each has scratch of its own. */
struct pool {
    const struct explainer *e;
    unsigned workers;
    size_t scratch_bytes;
    uint8_t *scratch;
    _Atomic size_t next;
};

static void
pool_done(struct pool *p)
{
    free(p->scratch);
}

static struct status
pool_new(const struct explainer *e, unsigned threads, size_t blocks, size_t scratch_bytes,
         struct pool *ret_pool)
{
    const unsigned want = threads == 0 ? threads_cores() : threads;
    *ret_pool = (struct pool){.e = e, .workers = blocks < want ? (unsigned)blocks : want};
    ret_pool->workers += ret_pool->workers == 0;
    ret_pool->scratch_bytes = (scratch_bytes + 127) / 64 * 64;
    ret_pool->scratch = aligned_alloc(64, ret_pool->workers * ret_pool->scratch_bytes);
    CHECK(ret_pool->scratch != NULL, MEMORY);
    return OK;
}

static size_t
block_count(size_t rows, size_t block_rows)
{
    return rows / block_rows + (rows % block_rows != 0);
}

/* Numbers of a row's answer. */
static size_t
row_width(const struct explainer *e)
{
    const size_t features = e->forest->features;
    return e->forest->outputs * features * (e->pairs ? features : 1);
}

struct rows_job {
    struct pool pool;
    const float *x;
    size_t rows;
    double *phi;
    float *single;
};

static void
rows_worker(void *ctx, size_t worker)
{
    struct rows_job *job = ctx;
    const struct explainer *e = job->pool.e;
    const size_t blocks = block_count(job->rows, e->block_rows);
    const size_t width = row_width(e);
    void *scratch = job->pool.scratch + worker * job->pool.scratch_bytes;
    for (;;) {
        const size_t block = atomic_fetch_add(&job->pool.next, 1);
        if (block >= blocks) {
            return;
        }
        const size_t from = block * e->block_rows, left = job->rows - from;
        engine_rows(e, job->x + from * e->forest->features,
                    left < e->block_rows ? left : e->block_rows, scratch,
                    job->phi == NULL ? NULL : job->phi + from * width,
                    job->phi != NULL ? NULL : job->single + from * width);
    }
}

static void
rows_job_done(struct rows_job *job)
{
    pool_done(&job->pool);
}

static struct status
all_rows(const struct explainer *e, const float *x, size_t rows, unsigned threads, double *ret_phi,
         float *ret_single)
{
    DEFER(rows_job_done)
    struct rows_job job = {.x = x, .rows = rows, .phi = ret_phi, .single = ret_single};
    if (rows == 0) {
        return OK;
    }
    TRY(pool_new(e, threads, block_count(rows, e->block_rows), scratch_bytes(e, rows), &job.pool));
    threads_for(job.pool.workers, job.pool.workers, rows_worker, &job);
    return OK;
}

struct status
explainer_rows(const struct explainer *e, const float *x, size_t rows, unsigned threads,
               double *ret_phi)
{
    ASSERT(!e->pairs);
    return all_rows(e, x, rows, threads, ret_phi, NULL);
}

struct status
explainer_pairs(const struct explainer *e, const float *x, size_t rows, unsigned threads,
                double *ret_pairs)
{
    ASSERT(e->pairs);
    return all_rows(e, x, rows, threads, ret_pairs, NULL);
}

struct status
explainer_rows_float(const struct explainer *e, const float *x, size_t rows, unsigned threads,
                     float *ret_phi)
{
    ASSERT(!e->pairs);
    return all_rows(e, x, rows, threads, NULL, ret_phi);
}

struct status
explain_rows(const struct forest *f, const float *x, size_t rows, unsigned threads, double *ret_phi)
{
    struct explainer e = {.forest = f};
    take_plain(&e);
    return explainer_rows(&e, x, rows, threads, ret_phi);
}
