#include "model/predictor.h"

#include "base/threads.h"
#include "model/predictor_parts.h"

#include <math.h>

#define TILE PREDICTOR_TILE
#define BLOCK_TILES 8u
#define BLOCK_ROWS (BLOCK_TILES * TILE)
#define COLUMNS_BYTES ((size_t)64 << 10) /* tiles at once: as many as stay near the processor */
#define TILE_WORTH 16u                   /* fewer rows are faster one by one */
#define RUN_WORTH 4u                     /* fewer trees do not repay the ranks */
#define PADDING 16u        /* padded trees have at most so many places a node of their own, */
#define PADDING_FREE 4096u /* and as many on top */

static void
run_done(struct predictor_run *r)
{
    ranks_free(r->ranks);
    free(r->split);
    free(r->step);
    free(r->leaf);
    free(r->code_feature);
    free(r->question_start);
    free(r->question);
}

void
predictor_free(struct predictor *p)
{
    if (p == NULL) {
        return;
    }
    for (uint32_t i = 0; i < p->runs; i++) {
        run_done(&p->run[i]);
    }
    free(p->run);
    free(p->ready_feature);
    free(p->ready_missing);
    free(p->node);
    free(p->tree_depth);
    free(p->numeric_left);
    free(p);
}

/* ---- what a tree allows ---- */

static bool
is_comparison(const struct forest *f, uint32_t n)
{
    return forest_compares(f, n) && !isnan(f->threshold[n]);
}

/* A missing value that goes left becomes -inf, which must be below the threshold. */
static bool
is_step(const struct forest *f, uint32_t n)
{
    return is_comparison(f, n) && !(f->default_left[n] && f->threshold[n] == -INFINITY);
}

/* Lists are sorted: the last is the greatest. */
static bool
is_question(const struct forest *f, uint32_t n)
{
    const uint32_t count = f->category_count[n];
    const bool zero_missing = f->zero_missing != NULL && f->zero_missing[n] != 0;
    return count > 0 && !zero_missing &&
           f->categories[f->category_start[n] + count - 1] < PREDICTOR_CATEGORIES;
}

struct tree_kind {
    bool by_tile, by_row;
};

static struct tree_kind
kind_of(const struct predictor *p, uint32_t tree)
{
    const struct forest *f = p->forest;
    const bool perfect = p->tree_depth[tree] <= PREDICTOR_DEPTH;
    struct tree_kind k = {perfect && p->avx2, perfect && p->ready <= PREDICTOR_READY};
    for (uint32_t n = f->tree_start[tree]; n < f->tree_start[tree + 1]; n++) {
        if (f->left[n] >= 0) {
            k.by_tile = k.by_tile && (is_comparison(f, n) || is_question(f, n));
            k.by_row = k.by_row && is_step(f, n);
        }
    }
    return k;
}

/* Recursion is as deep as the tree, at most FOREST_MAX_DEPTH. */
static uint32_t
depth_below(const struct forest *f, uint32_t n)
{
    if (f->left[n] < 0) {
        return 0;
    }
    const uint32_t left = depth_below(f, (uint32_t)f->left[n]);
    const uint32_t right = depth_below(f, (uint32_t)f->right[n]);
    return 1 + (left > right ? left : right);
}

/* ---- the row that stands ready ---- */

/* Which (feature, default) the splits ask for: bit 0 right, bit 1 left. */
static struct status
find_asked(const struct forest *f, uint8_t **ret_asked, uint32_t *ret_columns)
{
    DEFER(memory_freep) uint8_t *asked = calloc((size_t)f->features + 1, 1);
    CHECK(asked != NULL, MEMORY);
    uint32_t columns = 0;
    for (uint32_t n = 0; n < f->nodes; n++) {
        if (f->left[n] >= 0 && is_step(f, n)) {
            const uint8_t bit = f->default_left[n] ? 2 : 1;
            columns += (asked[f->feature[n]] & bit) == 0;
            asked[f->feature[n]] |= bit;
        }
    }
    *ret_asked = MOVE(asked);
    *ret_columns = columns;
    return OK;
}

/* ret_column[2 * feature + default_left]. */
static struct status
plan_ready(struct predictor *p, uint32_t **ret_column)
{
    const struct forest *f = p->forest;
    DEFER(memory_freep) uint8_t *asked = NULL;
    uint32_t columns = 0;
    TRY(find_asked(f, &asked, &columns));
    DEFER(memory_freep) uint32_t *column = calloc(2 * (size_t)f->features + 1, sizeof *column);
    p->ready_feature = calloc((size_t)columns + 1, sizeof *p->ready_feature);
    p->ready_missing = calloc((size_t)columns + 1, sizeof *p->ready_missing);
    CHECK(column != NULL && p->ready_feature != NULL && p->ready_missing != NULL, MEMORY);
    for (uint32_t i = 0; i < 2 * f->features; i++) {
        if ((asked[i / 2] & 1u << i % 2) != 0) {
            p->ready_feature[p->ready] = i / 2;
            p->ready_missing[p->ready] = i % 2 == 1 ? -INFINITY : INFINITY;
            column[i] = p->ready++;
        }
    }
    *ret_column = MOVE(column);
    return OK;
}

/* ---- perfect trees ---- */

/* What filling needs besides the run. */
struct filling {
    const struct forest *f;
    const struct forest *numeric;
    const uint32_t *ready_column;
    uint32_t *code_of_feature; /* features: column of codes, or NO_CODE */
    struct predictor_run *r;
    uint32_t tree; /* in the run */
    uint32_t questions;
};

#define NO_CODE UINT32_MAX

static void
fill_question(struct filling *w, uint32_t n)
{
    const struct forest *f = w->f;
    struct predictor_question *q = &w->r->question[w->questions++];
    *q = (struct predictor_question){.codes = w->code_of_feature[f->feature[n]]};
    for (uint32_t i = 0; i < f->category_count[n]; i++) {
        const uint32_t c = f->categories[f->category_start[n] + i];
        q->right[c / 8] |= (uint8_t)(1u << c % 8);
    }
    if (!f->default_left[n]) {
        q->right[PREDICTOR_MISSING / 8] |= (uint8_t)(1u << PREDICTOR_MISSING % 8);
    }
}

/* The answers are 0 (right) and -1 (left) where ranks are compared with a cut: left when the byte
 * is less than 0, so the cut is 0. */
static struct predictor_split
make_split(struct filling *w, uint32_t n)
{
    const struct predictor_run *r = w->r;
    if (w->f->category_count[n] > 0) {
        const uint32_t nth = w->questions - r->question_start[w->tree];
        fill_question(w, n);
        return (struct predictor_split){(ranks_columns(r->ranks) + r->codes + nth) * TILE, 0};
    }
    const struct ranks_split s = ranks_split(r->ranks, n);
    return (struct predictor_split){s.column * TILE, (uint8_t)s.cut * 0x01010101u};
}

static struct predictor_step
make_step(const struct filling *w, uint32_t n)
{
    const uint32_t asked = 2 * w->f->feature[n] + (w->f->default_left[n] != 0);
    return (struct predictor_step){w->f->threshold[n], w->ready_column[asked]};
}

/* Node n stands at place `at`, `above` levels down. Below a leaf that is higher than the rest any
 * split will do, as all leaves there have its value. */
static void
fill_node(struct filling *w, uint32_t n, uint32_t at, uint32_t above)
{
    struct predictor_run *r = w->r;
    const size_t inner = ((size_t)1 << r->depth) - 1;
    const bool leaf = w->f->left[n] < 0;
    if (above == r->depth) {
        const double weight = w->f->tree_weight[r->first + w->tree];
        r->leaf[w->tree * (inner + 1) + at - inner] = weight * w->f->value[n];
        return;
    }
    if (!leaf && r->by_tile) {
        r->split[w->tree * inner + at] = make_split(w, n);
    }
    if (!leaf && r->by_row) {
        r->step[w->tree * inner + at] = make_step(w, n);
    }
    fill_node(w, leaf ? n : (uint32_t)w->f->left[n], 2 * at + 1, above + 1);
    fill_node(w, leaf ? n : (uint32_t)w->f->right[n], 2 * at + 2, above + 1);
}

/* Gives each feature that is asked about its column of codes. */
static void
plan_codes(struct filling *w)
{
    const struct forest *f = w->f;
    struct predictor_run *r = w->r;
    for (uint32_t n = f->tree_start[r->first]; n < f->tree_start[r->end]; n++) {
        if (f->left[n] >= 0 && f->category_count[n] > 0 &&
            w->code_of_feature[f->feature[n]] == NO_CODE) {
            w->code_of_feature[f->feature[n]] = r->codes;
            r->code_feature[r->codes++] = f->feature[n];
        }
    }
}

static void
forget_codes(struct filling *w)
{
    for (uint32_t i = 0; i < w->r->codes; i++) {
        w->code_of_feature[w->r->code_feature[i]] = NO_CODE;
    }
}

static struct status
make_tile_parts(struct filling *w, size_t splits)
{
    const struct forest *f = w->f;
    struct predictor_run *r = w->r;
    size_t questions = 0;
    for (uint32_t n = f->tree_start[r->first]; n < f->tree_start[r->end]; n++) {
        questions += f->left[n] >= 0 && f->category_count[n] > 0;
    }
    r->split = calloc(splits, sizeof *r->split);
    r->question = calloc(questions + 1, sizeof *r->question);
    r->code_feature = calloc(questions + 1, sizeof *r->code_feature);
    CHECK(r->split != NULL && r->question != NULL && r->code_feature != NULL, MEMORY);
    plan_codes(w);
    return ranks_new(w->numeric, r->first, r->end, false, &r->ranks);
}

static struct status
make_perfect(struct filling *w, struct predictor_run *r)
{
    const size_t trees = r->end - r->first, inner = ((size_t)1 << r->depth) - 1;
    w->r = r;
    w->questions = 0;
    r->leaf = calloc(trees * (inner + 1), sizeof *r->leaf);
    r->step = calloc(r->by_row ? trees * inner : 1, sizeof *r->step);
    r->question_start = calloc(trees + 1, sizeof *r->question_start);
    CHECK(r->leaf != NULL && r->step != NULL && r->question_start != NULL, MEMORY);
    if (r->by_tile) {
        TRY(make_tile_parts(w, trees * inner));
    }
    for (w->tree = 0; w->tree < trees; w->tree++) {
        const uint32_t before = w->questions;
        fill_node(w, w->f->tree_start[r->first + w->tree], 0, 0);
        const uint32_t of_tree = w->questions - before;
        r->question_start[w->tree + 1] = w->questions;
        r->questions_most = of_tree > r->questions_most ? of_tree : r->questions_most;
    }
    forget_codes(w);
    return OK;
}

/* ---- runs ---- */

/* Trees [first, end) of one kind. */
static struct predictor_run
plan_run(const struct predictor *p, uint32_t first)
{
    const struct forest *f = p->forest;
    const struct tree_kind kind = kind_of(p, first);
    struct predictor_run r = {.first = first, .end = first + 1, .depth = p->tree_depth[first]};
    for (; r.end < f->trees; r.end++) {
        const struct tree_kind k = kind_of(p, r.end);
        if (k.by_tile != kind.by_tile || k.by_row != kind.by_row) {
            break;
        }
        r.depth = p->tree_depth[r.end] > r.depth ? p->tree_depth[r.end] : r.depth;
    }
    r.depth = r.depth == 0 ? 1 : r.depth;
    const size_t nodes = f->tree_start[r.end] - f->tree_start[first];
    const bool dense = (kind.by_tile || kind.by_row) &&
                       (size_t)(r.end - first) << r.depth <= PADDING * nodes + PADDING_FREE;
    r.by_tile = kind.by_tile && dense && r.end - first >= RUN_WORTH;
    r.by_row = kind.by_row && dense;
    return r;
}

/* Ends the run where a feature has more thresholds than a byte tells apart. A tree alone fits: it
 * has 255 splits at most. */
static struct status
cut_run(const struct predictor *p, struct predictor_run *r)
{
    struct forest part = *p->forest;
    part.trees = r->end;
    return ranks_trees_that_fit(&part, r->first, RANKS_MOST8, &r->end);
}

/* All trees of a plan, in as many runs as their thresholds need. */
static struct status
make_planned(struct predictor *p, struct filling *w, const struct predictor_run *plan)
{
    for (uint32_t first = plan->first; first < plan->end; first = p->run[p->runs - 1].end) {
        struct predictor_run *r = &p->run[p->runs++];
        *r = *plan;
        r->first = first;
        if (r->by_tile) {
            TRY(cut_run(p, r));
        }
        if (r->by_tile || r->by_row) {
            TRY(make_perfect(w, r));
        }
    }
    return OK;
}

static struct status
make_runs(struct predictor *p, struct filling *w)
{
    p->run = calloc((size_t)p->forest->trees + 1, sizeof *p->run);
    CHECK(p->run != NULL, MEMORY);
    for (uint32_t first = 0; first < p->forest->trees;) {
        const struct predictor_run plan = plan_run(p, first);
        TRY(make_planned(p, w, &plan));
        first = plan.end;
    }
    return OK;
}

/* The forest as ranks sees it: a categorical split has no column there. */
static struct status
make_numeric(struct predictor *p)
{
    const struct forest *f = p->forest;
    p->numeric_left = malloc(((size_t)f->nodes + 1) * sizeof *p->numeric_left);
    CHECK(p->numeric_left != NULL, MEMORY);
    for (uint32_t n = 0; n < f->nodes; n++) {
        p->numeric_left[n] = f->category_count[n] > 0 ? -1 : f->left[n];
    }
    p->numeric = *f;
    p->numeric.left = p->numeric_left;
    return OK;
}

static void
filling_done(struct filling *w)
{
    free(w->code_of_feature);
}

static struct status
compile(struct predictor *p, const uint32_t *ready_column)
{
    const uint32_t features = p->forest->features;
    DEFER(filling_done)
    struct filling w = {.f = p->forest, .numeric = &p->numeric, .ready_column = ready_column};
    TRY(make_numeric(p));
    w.code_of_feature = malloc(((size_t)features + 1) * sizeof *w.code_of_feature);
    CHECK(w.code_of_feature != NULL, MEMORY);
    for (uint32_t i = 0; i < features; i++) {
        w.code_of_feature[i] = NO_CODE;
    }
    return make_runs(p, &w);
}

/* ---- walks ---- */

static bool
any_walks(const struct predictor *p)
{
    for (uint32_t i = 0; i < p->runs; i++) {
        if (!p->run[i].by_row || !p->run[i].by_tile) {
            return true;
        }
    }
    return false;
}

static struct status
make_nodes(struct predictor *p)
{
    const struct forest *f = p->forest;
    p->node = calloc((size_t)f->nodes + 1, sizeof *p->node);
    CHECK(p->node != NULL, MEMORY);
    for (uint32_t n = 0; n < f->nodes; n++) {
        const bool leaf = f->left[n] < 0;
        p->node[n] = (struct predictor_node){.left = leaf ? n : (uint32_t)f->left[n],
                                             .right = leaf ? n : (uint32_t)f->right[n]};
        if (!leaf) {
            p->node[n].threshold = f->threshold[n];
            p->node[n].rule = f->feature[n] | (f->default_left[n] ? FOREST_DEFAULT_LEFT : 0) |
                              (forest_compares(f, n) ? 0 : FOREST_BY_QUESTION);
        }
    }
    return OK;
}

struct status
predictor_new(const struct forest *f, struct predictor **ret_predictor)
{
    DEFER(predictor_freep) struct predictor *p = calloc(1, sizeof *p);
    DEFER(memory_freep) uint32_t *ready_column = NULL;
    CHECK(p != NULL, MEMORY);
    p->forest = f;
#ifdef __x86_64__
    p->avx2 = __builtin_cpu_supports("avx2");
#endif
    p->tree_depth = calloc((size_t)f->trees + 1, sizeof *p->tree_depth);
    CHECK(p->tree_depth != NULL, MEMORY);
    for (uint32_t t = 0; t < f->trees; t++) {
        p->tree_depth[t] = depth_below(f, f->tree_start[t]);
    }
    TRY(plan_ready(p, &ready_column));
    TRY(compile(p, ready_column));
    if (any_walks(p)) {
        TRY(make_nodes(p));
    }
    *ret_predictor = MOVE(p);
    return OK;
}

/* ---- blocks of rows ---- */

struct job {
    const struct predictor *p;
    const float *x;
    size_t rows;
    bool portable;
    double *margin;
};

/* One by one, which needs no memory. */
static void
predict_rows(const struct job *j, size_t first, size_t end)
{
    const struct forest *f = j->p->forest;
    for (size_t i = first; i < end; i++) {
        double *margin = j->margin + i * f->outputs;
        memcpy(margin, f->base, f->outputs * sizeof *margin);
        predictor_row(j->p, j->x + i * f->features, margin);
    }
}

/* As many tiles at once as their columns may take. */
static void
run_tiles(const struct job *j, const struct predictor_run *r, size_t first, size_t end,
          uint8_t *columns, double *sum)
{
    const size_t width = j->p->forest->features, fit = COLUMNS_BYTES / predictor_tile_bytes(r);
    const size_t step = TILE * (fit < 1 ? 1 : fit);
    for (size_t i = first; i < end; i += step) {
        const size_t n = end - i < step ? end - i : step;
        predictor_tiles(j->p, r, j->x + i * width, n, columns, BLOCK_ROWS, sum + (i - first));
    }
}

static size_t
columns_bytes(const struct predictor *p)
{
    size_t most = 0;
    for (uint32_t i = 0; i < p->runs; i++) {
        const size_t n = p->run[i].by_tile ? predictor_tile_bytes(&p->run[i]) : 0;
        most = n > most ? n : most;
    }
    return most > COLUMNS_BYTES ? most : COLUMNS_BYTES;
}

/* sum[outputs][BLOCK_ROWS] */
static void
predict_tiles(const struct job *j, size_t first, size_t end, uint8_t *columns, double *sum)
{
    const struct forest *f = j->p->forest;
    for (size_t i = 0; i < (size_t)f->outputs * BLOCK_ROWS; i++) {
        sum[i] = f->base[i / BLOCK_ROWS];
    }
    for (uint32_t i = 0; i < j->p->runs; i++) {
        const struct predictor_run *r = &j->p->run[i];
        if (r->by_tile) {
            run_tiles(j, r, first, end, columns, sum);
        } else {
            predictor_walk(j->p, r, j->x + first * f->features, end - first, BLOCK_ROWS, sum);
        }
    }
    for (size_t i = first; i < end; i++) {
        for (uint32_t k = 0; k < f->outputs; k++) {
            j->margin[i * f->outputs + k] = sum[k * BLOCK_ROWS + i - first];
        }
    }
}

static void
predict_block(void *ctx, size_t block)
{
    const struct job *j = ctx;
    const size_t first = block * BLOCK_ROWS, left = j->rows - first;
    const size_t end = first + (left < BLOCK_ROWS ? left : BLOCK_ROWS);
    if (j->portable || end - first < TILE_WORTH) {
        predict_rows(j, first, end);
        return;
    }
    DEFER(memory_freep) uint8_t *columns = aligned_alloc(TILE, columns_bytes(j->p));
    DEFER(memory_freep)
    double *sum = malloc((size_t)j->p->forest->outputs * BLOCK_ROWS * sizeof *sum);
    if (columns == NULL || sum == NULL) {
        predict_rows(j, first, end);
    } else {
        predict_tiles(j, first, end, columns, sum);
    }
}

static void
predict(struct job *j, unsigned threads)
{
    const size_t blocks = (j->rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    if (blocks <= 1 || threads == 1) {
        for (size_t b = 0; b < blocks; b++) {
            predict_block(j, b);
        }
        return;
    }
    threads_for(blocks, threads, predict_block, j);
}

void
predictor_margin(const struct predictor *p, const float *x, size_t rows, unsigned threads,
                 double *ret_margin)
{
    struct job j = {p, x, rows, !p->avx2, ret_margin};
    predict(&j, threads);
}

void
predictor_margin_portable(const struct predictor *p, const float *x, size_t rows, unsigned threads,
                          double *ret_margin)
{
    struct job j = {p, x, rows, true, ret_margin};
    predict(&j, threads);
}
