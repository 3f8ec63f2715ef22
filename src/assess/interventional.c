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
    bool probability, record, interactions;
    struct predictor *predictor;
    double *margin; /* of the background, with `probability`: rows */
    struct interpolation interpolation;
    struct tables *tables;
    double *wide; /* tables of doubles; floats are in the tables themselves */
    struct slope slope;
    struct deep *deep;           /* NULL where units have all leaves */
    size_t bytes_max;            /* that tables, and deep leaves' sets, may take */
    struct interactions **pairs; /* of each node, one on the margin; NULL: made for each call */
    double *expected;
};

void
interventional_defaults(struct interventional_options *ret_options)
{
    *ret_options = (struct interventional_options){
        .precision = EXPLAIN_FAST, .expected_rows = 1000000, .table_bytes_max = (size_t)512 << 20};
}

/* Times that tables are filled. */
static uint32_t
nodes_of(const struct interventional *e)
{
    return e->probability ? e->interpolation.nodes : 1;
}

void
interventional_free(struct interventional *e)
{
    if (e != NULL) {
        deep_free(e->deep);
        for (uint32_t r = 0; e->pairs != NULL && r < nodes_of(e); r++) {
            interactions_free(e->pairs[r]);
        }
        free(e->pairs);
        tables_free(e->tables);
        predictor_free(e->predictor);
        free(e->margin);
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

uint32_t
interventional_nodes(const struct interventional *e, double *ret_error)
{
    *ret_error = e->interpolation.error;
    return e->interpolation.nodes;
}

/* ---- building ---- */

#define MEAN_ROWS 4096u

/* Means in the order of the rows. */
static struct status
make_expected(struct interventional *e, unsigned threads)
{
    const struct forest *f = e->forest;
    const size_t rows = e->background.rows;
    DEFER(memory_freep) double *margin = malloc((size_t)MEAN_ROWS * f->outputs * sizeof *margin);
    e->margin = malloc((e->probability ? rows : 1) * sizeof *e->margin);
    e->expected = calloc(f->outputs, sizeof *e->expected);
    CHECK(margin != NULL && e->margin != NULL && e->expected != NULL, MEMORY);
    TRY(predictor_new(f, &e->predictor));
    for (size_t first = 0; first < rows; first += MEAN_ROWS) {
        const size_t n = rows - first < MEAN_ROWS ? rows - first : MEAN_ROWS;
        predictor_margin(e->predictor, e->background.x + first * f->features, n, threads, margin);
        if (e->probability) {
            memcpy(e->margin + first, margin, n * sizeof *margin);
            forest_link_apply(f, margin, n);
        }
        for (size_t i = 0; i < n * f->outputs; i++) {
            e->expected[i % f->outputs] += margin[i];
        }
    }
    for (uint32_t k = 0; k < f->outputs; k++) {
        e->expected[k] /= (double)rows;
    }
    return OK;
}

#define TOLERANCE_FAST 1e-6
#define TOLERANCE_RECORD 1e-11

static bool
interpolate(struct interventional *e)
{
    double low = e->margin[0], high = e->margin[0];
    for (size_t i = 1; i < e->background.rows; i++) {
        low = e->margin[i] < low ? e->margin[i] : low;
        high = e->margin[i] > high ? e->margin[i] : high;
    }
    return interpolation_new(e->slope, low, high, e->record ? TOLERANCE_RECORD : TOLERANCE_FAST,
                             &e->interpolation);
}

/* Nanoseconds on a Zen 3 core; what counts is their proportion. A pair: each tree and level.
 * Tables: each unit and background row; each pattern, condition and quadrature node of the filling;
 * and for each deep leaf each row of either kind. */
#define PAIR_NS 12.0
#define COUNT_NS 1.2
#define FILL_NS 4.0
#define DEEP_NS 60.0
#define INTERACTIONS 4.0 /* entries of a table are pairs of features */

static bool
tables_pay(const struct interventional *e, const struct tables *t, size_t rows)
{
    const double background = (double)e->background.rows;
    const double pair = PAIR_NS * e->forest->trees * (e->forest->depth + 1.0);
    const double times = nodes_of(e), entries = e->interactions ? INTERACTIONS : 1;
    const double deep = DEEP_NS * (double)deep_leaves(t) * (background + (double)rows);
    return pair * (double)rows * background >
           times * (COUNT_NS * (double)tables_units(t) * background +
                    entries * FILL_NS * tables_fill_work(t) + deep);
}

/* Room for a set of tables, in floats or in doubles. */
static struct status
tables_room(const struct interventional *e, float **ret_single, double **ret_wide)
{
    const size_t n = (e->tables->floats + 16) / 16 * 16;
    if (e->record) {
        *ret_wide = aligned_alloc(64, n * sizeof **ret_wide);
    } else {
        *ret_single = aligned_alloc(64, n * sizeof **ret_single);
    }
    CHECK(*ret_wide != NULL || *ret_single != NULL, MEMORY);
    return OK;
}

/* The background as one node weighs it; weight[rows] is the caller's room. */
static struct interventional_background
node_background(const struct interventional *e, uint32_t node, double *weight)
{
    struct interventional_background b = e->background;
    for (size_t i = 0; i < b.rows; i++) {
        weight[i] = interpolation_weight(&e->interpolation, node, e->margin[i]) / (double)b.rows;
    }
    b.weight = weight;
    return b;
}

static struct status
make_interactions(const struct interventional *e, uint32_t node, size_t bytes_max, unsigned threads,
                  struct interactions **ret)
{
    struct interventional_background background = e->background;
    DEFER(memory_freep) double *weight = NULL;
    if (e->probability) {
        weight = malloc(background.rows * sizeof *weight);
        CHECK(weight != NULL, MEMORY);
        background = node_background(e, node, weight);
    }
    return interactions_new(e->tables, &background, bytes_max, threads, ret);
}

/* Each node's, when there is room for what they keep in any case. */
static struct status
take_interactions(struct interventional *e, unsigned threads)
{
    const size_t kept = interactions_bytes(e->tables);
    const uint32_t nodes = nodes_of(e);
    if (e->probability && kept > e->bytes_max / nodes) {
        return OK;
    }
    e->pairs = calloc(nodes, sizeof *e->pairs);
    CHECK(e->pairs != NULL, MEMORY);
    for (uint32_t r = 0; r < nodes; r++) {
        TRY(make_interactions(e, r, e->bytes_max / nodes, threads, &e->pairs[r]));
    }
    return OK;
}

/* On probability tables are filled anew for each node, when there are rows. */
static struct status
take_tables(struct interventional *e, struct tables *t, unsigned threads)
{
    e->tables = t;
    e->engine = INTERVENTIONAL_TABLES;
    if (!e->probability && t->rests > 0) {
        TRY(deep_new(t, &e->background, e->bytes_max, threads, &e->deep));
    }
    if (e->interactions) {
        return take_interactions(e, threads);
    }
    if (e->probability) {
        return OK;
    }
    TRY(tables_room(e, &t->value, &e->wide));
    return interventional_fill(t, &e->background, threads, t->value, e->wide);
}

/* Where the deep leaves take too much memory after all. */
static void
leave_tables(struct interventional *e)
{
    tables_free(MOVE(e->tables));
    e->engine = INTERVENTIONAL_PAIRS;
    e->interpolation = (struct interpolation){0};
}

static struct status
take_engine(struct interventional *e, const struct interventional_options *o)
{
    const size_t entry = e->record ? 2 : 1; /* in floats */
    const size_t bytes = e->interactions ? SIZE_MAX : o->table_bytes_max / entry;
    DEFER(tables_freep) struct tables *t = NULL;
    e->engine = INTERVENTIONAL_PAIRS;
    if (o->engine == INTERVENTIONAL_PAIRS) {
        return OK;
    }
    const struct status s = tables_new_partial(e->forest, bytes, o->portable, &t);
    const bool refused = s.code == STATUS_UNSUPPORTED || s.code == STATUS_LIMIT;
    if (refused && o->engine == INTERVENTIONAL_CHOOSE) {
        return OK;
    }
    TRY(s);
    const bool smooth = !e->probability || interpolate(e);
    CHECK(smooth || o->engine == INTERVENTIONAL_CHOOSE, UNSUPPORTED);
    if (!smooth || (o->engine == INTERVENTIONAL_CHOOSE && !tables_pay(e, t, o->expected_rows))) {
        e->interpolation = (struct interpolation){0};
        return OK;
    }
    const struct status taken = take_tables(e, MOVE(t), o->threads);
    if (taken.code == STATUS_LIMIT && o->engine == INTERVENTIONAL_CHOOSE) {
        leave_tables(e);
        return OK;
    }
    return taken;
}

struct status
interventional_new(const struct forest *f, const float *background, size_t rows,
                   const struct interventional_options *o, struct interventional **ret_explainer)
{
    ASSERT(rows > 0);
    DEFER(interventional_freep) struct interventional *e = calloc(1, sizeof *e);
    CHECK(e != NULL, MEMORY);
    e->forest = f;
    e->interactions = o->interactions;
    e->record = o->precision == EXPLAIN_RECORD || o->interactions;
    e->bytes_max = o->table_bytes_max;
    e->probability = o->space == INTERVENTIONAL_PROBABILITY;
    e->slope = (struct slope){f->link, f->link_scale};
    CHECK(!e->probability || (f->outputs == 1 && link_slope_known(f->link)), UNSUPPORTED);
    e->background = (struct interventional_background){.x = background, .rows = rows};
    TRY(make_expected(e, o->threads));
    TRY(take_engine(e, o));
    *ret_explainer = MOVE(e);
    return OK;
}

/* ---- rows ---- */

struct rows_job {
    const struct interventional *e;
    const struct tables *tables; /* filled */
    const double *wide;
    const float *x;
    size_t rows, block_rows, blocks;
    const double *margin; /* of the rows, on probability */
    uint32_t node;        /* of the interpolation */
    double *phi;
    uint8_t *scratch; /* workers * scratch_bytes */
    size_t scratch_bytes;
    _Atomic size_t next;
};

static size_t
row_width(const struct interventional *e)
{
    return (size_t)e->forest->features * e->forest->outputs;
}

static void
pairs_block(const struct rows_job *j, size_t first, size_t rows, void *scratch)
{
    const struct interventional *e = j->e;
    const size_t features = e->forest->features,
                 width = row_width(e) * (e->interactions ? features : 1);
    void (*add)(const struct forest *, struct interventional_pair, double, uint8_t *, double *) =
        e->interactions ? interventional_pair_add_interactions : interventional_pair_add;
    memset(j->phi + first * width, 0, rows * width * sizeof *j->phi);
    for (size_t i = first; i < first + rows; i++) {
        double *phi = j->phi + i * width;
        for (size_t b = 0; b < e->background.rows; b++) {
            const struct interventional_pair pair = {j->x + i * features,
                                                     e->background.x + b * features};
            const double g = e->probability ? link_slope(e->slope, j->margin[i], e->margin[b]) : 1;
            add(e->forest, pair, g, scratch, phi);
        }
        for (size_t k = 0; k < width; k++) {
            phi[k] /= (double)e->background.rows;
        }
    }
}

static void
tables_block(const struct rows_job *j, const float *x, size_t rows, void *scratch, double *phi)
{
    if (j->wide != NULL) {
        interventional_wide_rows(j->tables, j->wide, x, rows, scratch, phi);
    } else {
        tables_rows(j->tables, x, rows, scratch, phi, NULL);
    }
}

/* Adds one node's part. */
static void
node_block(const struct rows_job *j, size_t first, size_t rows, void *scratch)
{
    const struct interventional *e = j->e;
    const size_t width = row_width(e);
    double *part = scratch;
    tables_block(j, j->x + first * e->forest->features, rows, part + j->block_rows * width, part);
    for (size_t i = 0; i < rows; i++) {
        const double g = link_slope(e->slope, j->margin[first + i], e->interpolation.at[j->node]);
        for (size_t k = 0; k < width; k++) {
            j->phi[(first + i) * width + k] += g * part[i * width + k];
        }
    }
}

static void
rows_worker(void *ctx, size_t worker)
{
    struct rows_job *j = ctx;
    void *scratch = j->scratch + worker * j->scratch_bytes;
    for (;;) {
        const size_t block = atomic_fetch_add(&j->next, 1);
        if (block >= j->blocks) {
            return;
        }
        const size_t first = block * j->block_rows, left = j->rows - first;
        const size_t rows = left < j->block_rows ? left : j->block_rows;
        if (j->e->engine == INTERVENTIONAL_PAIRS) {
            pairs_block(j, first, rows, scratch);
        } else if (j->e->probability) {
            node_block(j, first, rows, scratch);
        } else {
            tables_block(j, j->x + first * j->e->forest->features, rows, scratch,
                         j->phi + first * row_width(j->e));
        }
    }
}

static size_t
scratch_bytes(const struct rows_job *j)
{
    const struct interventional *e = j->e;
    if (e->engine == INTERVENTIONAL_PAIRS) {
        return (interventional_scratch_bytes(e->forest) + 63) / 64 * 64;
    }
    const size_t part = e->probability ? j->block_rows * row_width(e) * sizeof(double) : 0;
    const size_t engine = e->record ? interventional_wide_bytes(e->tables, j->block_rows)
                                    : tables_scratch_bytes(e->tables, j->block_rows);
    return (part + engine + 63) / 64 * 64;
}

/* The rows' blocks with the tables as they are. */
static void
run_blocks(struct rows_job *j, size_t workers)
{
    atomic_store(&j->next, 0);
    threads_for(workers, (unsigned)workers, rows_worker, j);
}

struct node_tables {      /* filled for one node */
    struct tables tables; /* a view of the explainer's, but for the values */
    double *wide;
    double *weight; /* of the background's rows */
};

static void
node_tables_done(struct node_tables *n)
{
    free(n->tables.value);
    free(n->wide);
    free(n->weight);
}

/* One node's part of the deep leaves. */
static struct status
add_deep(const struct rows_job *j, const struct interventional_background *background,
         unsigned threads)
{
    const struct interventional *e = j->e;
    DEFER(deep_freep) struct deep *deep = NULL;
    DEFER(memory_freep) double *g = malloc((j->rows + 1) * sizeof *g);
    CHECK(g != NULL, MEMORY);
    if (e->tables->rests == 0) {
        return OK;
    }
    for (size_t i = 0; i < j->rows; i++) {
        g[i] = link_slope(e->slope, j->margin[i], e->interpolation.at[j->node]);
    }
    TRY(deep_new(e->tables, background, SIZE_MAX, threads, &deep));
    return deep_add(deep, j->x, j->rows, g, threads, j->phi);
}

static struct status
run_nodes(struct rows_job *j, size_t workers, unsigned threads)
{
    const struct interventional *e = j->e;
    DEFER(node_tables_done) struct node_tables n = {.tables = *e->tables};
    struct interventional_background background = e->background;
    TRY(tables_room(e, &n.tables.value, &n.wide));
    n.weight = malloc(background.rows * sizeof *n.weight);
    CHECK(n.weight != NULL, MEMORY);
    memset(j->phi, 0, j->rows * row_width(e) * sizeof *j->phi);
    j->tables = &n.tables;
    j->wide = n.wide;
    for (j->node = 0; j->node < e->interpolation.nodes; j->node++) {
        background = node_background(e, j->node, n.weight);
        TRY(interventional_fill(&n.tables, &background, threads, n.tables.value, n.wide));
        run_blocks(j, workers);
        TRY(add_deep(j, &background, threads));
    }
    return OK;
}

/* Blocks of rows, on the margins of the rows where they are needed. */
static struct status
run_rows(struct rows_job *j, unsigned threads)
{
    const struct interventional *e = j->e;
    const bool pairs = e->engine == INTERVENTIONAL_PAIRS;
    j->block_rows = pairs ? PAIRS_ROWS : tables_block_rows(e->tables);
    j->block_rows = j->rows < j->block_rows ? j->rows : j->block_rows;
    j->blocks = j->rows == 0 ? 0 : (j->rows + j->block_rows - 1) / j->block_rows;
    j->scratch_bytes = scratch_bytes(j);
    size_t workers = threads == 0 ? threads_cores() : threads;
    workers = workers < j->blocks ? workers : j->blocks;
    DEFER(memory_freep) uint8_t *scratch = aligned_alloc(64, (workers + 1) * j->scratch_bytes);
    CHECK(scratch != NULL, MEMORY);
    memset(scratch, 0, pairs ? workers * j->scratch_bytes : 0); /* as pairs need it */
    j->scratch = scratch;
    if (e->probability && !pairs) {
        return run_nodes(j, workers, threads);
    }
    run_blocks(j, workers);
    return OK;
}

/* Margins of rows, on probability. */
static struct status
row_margins(const struct interventional *e, const float *x, size_t rows, unsigned threads,
            double **ret_margin)
{
    if (e->probability) {
        *ret_margin = malloc((rows + 1) * sizeof **ret_margin);
        CHECK(*ret_margin != NULL, MEMORY);
        predictor_margin(e->predictor, x, rows, threads, *ret_margin);
    }
    return OK;
}

struct status
interventional_rows(const struct interventional *e, const float *x, size_t rows, unsigned threads,
                    double *ret_phi)
{
    ASSERT(!e->interactions);
    DEFER(memory_freep) double *margin = NULL;
    TRY(row_margins(e, x, rows, threads, &margin));
    struct rows_job j = {.e = e,
                         .tables = e->tables,
                         .wide = e->wide,
                         .x = x,
                         .rows = rows,
                         .margin = margin,
                         .phi = ret_phi};
    TRY(run_rows(&j, threads));
    return e->deep == NULL ? OK : deep_add(e->deep, x, rows, NULL, threads, ret_phi);
}

/* ---- interactions ---- */

/* One node's part; factor is NULL on the margin. */
static struct status
add_interactions(const struct interventional *e, const float *x, size_t rows, uint32_t node,
                 const double *factor, unsigned threads, double *pairs)
{
    DEFER(interactions_freep) struct interactions *made = NULL;
    DEFER(deep_freep) struct deep *deep = NULL;
    const struct interactions *of = e->pairs != NULL ? e->pairs[node] : NULL;
    if (of == NULL) {
        TRY(make_interactions(e, node, e->bytes_max, threads, &made));
        of = made;
    }
    TRY(interactions_add(of, x, rows, factor, threads, pairs));
    if (e->probability && e->tables->rests > 0) {
        DEFER(memory_freep) double *weight = malloc(e->background.rows * sizeof *weight);
        CHECK(weight != NULL, MEMORY);
        const struct interventional_background background = node_background(e, node, weight);
        TRY(deep_new(e->tables, &background, SIZE_MAX, threads, &deep));
    }
    const struct deep *below = deep != NULL ? deep : e->deep;
    return below == NULL ? OK : deep_add_interactions(below, x, rows, factor, threads, pairs);
}

static struct status
interactions_of_tables(const struct interventional *e, const float *x, size_t rows,
                       const double *margin, unsigned threads, double *pairs)
{
    DEFER(memory_freep) double *factor = NULL;
    if (e->probability) {
        factor = malloc((rows + 1) * sizeof *factor);
        CHECK(factor != NULL, MEMORY);
    }
    memset(pairs, 0, rows * row_width(e) * e->forest->features * sizeof *pairs);
    for (uint32_t node = 0; node < nodes_of(e); node++) {
        for (size_t i = 0; e->probability && i < rows; i++) {
            factor[i] = link_slope(e->slope, margin[i], e->interpolation.at[node]);
        }
        TRY(add_interactions(e, x, rows, node, factor, threads, pairs));
    }
    return OK;
}

struct status
interventional_interactions(const struct interventional *e, const float *x, size_t rows,
                            unsigned threads, double *ret_pairs)
{
    ASSERT(e->interactions);
    DEFER(memory_freep) double *margin = NULL;
    TRY(row_margins(e, x, rows, threads, &margin));
    if (e->engine == INTERVENTIONAL_PAIRS) {
        struct rows_job j = {.e = e, .x = x, .rows = rows, .margin = margin, .phi = ret_pairs};
        TRY(run_rows(&j, threads));
    } else {
        TRY(interactions_of_tables(e, x, rows, margin, threads, ret_pairs));
    }
    interactions_finish(rows * e->forest->outputs, e->forest->features, ret_pairs);
    return OK;
}
