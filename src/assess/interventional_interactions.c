/* Interactions against a background: a table for each unit as for attributions, with an entry for
 * each pair of its features, in doubles. Where tables fit in the memory they are filled once; else
 * as many at a time as fit, anew for each call. */
#include "assess/interventional_parts.h"

#include "base/threads.h"

#include <stdatomic.h>

#define ENTRY_MOST ((size_t)TABLES_FEATURES * (TABLES_FEATURES + 1) / 2)

struct interactions {
    const struct tables *t;
    struct unit_rules rules;
    double *share; /* units * UNIT_PATTERNS */
    size_t *place; /* units + 1: of each unit's table */
    double *table; /* of all units; NULL: filled as they are needed */
    size_t numbers_max;
};

/* Entries are the upper triangle of the unit's features: on the diagonal the attribution. */
static uint32_t
entry_size(const struct tables_unit *u)
{
    return u->features * (u->features + 1u) / 2;
}

static uint32_t
entry_of(const struct tables_unit *u, uint32_t k, uint32_t l)
{
    const uint32_t low = k < l ? k : l, high = k < l ? l : k;
    return low * u->features - low * (low + 1) / 2 + high;
}

void
interactions_free(struct interactions *i)
{
    if (i != NULL) {
        free(i->share);
        free(i->place);
        free(i->table);
        free(i);
    }
}

/* ---- one unit ---- */

struct unit_pairs {
    const struct interactions *of;
    const struct tables_unit *u;
    const double *share;
    struct unit_game game;
    double value[ENTRY_MOST][UNIT_PATTERNS]; /* of the leaf's features, by set */
    double *table;                           /* [pattern][entry_size] */
};

/* The powers of t and 1 - t of one node, by the size of the row's set: as the pair, or the single
 * feature, is in it or not. */
struct node_factors {
    double in[TABLES_FEATURES + 1], out[TABLES_FEATURES + 1];
    double both[TABLES_FEATURES + 1], one[TABLES_FEATURES + 1], none[TABLES_FEATURES + 1];
};

static void
make_factors(uint32_t n, double t, double rest, double weight, struct node_factors *f)
{
    double power = weight; /* times rest^|B|, |B| = n - size */
    for (uint32_t size = n + 1; size-- > 0;) {
        f->in[size] = power / t;
        f->out[size] = -power / rest;
        f->both[size] = power / (2 * t * t);
        f->one[size] = -power / (2 * t * rest);
        f->none[size] = power / (2 * rest * rest);
        power *= rest;
    }
}

/* Half the interaction index of the set's features i and j: z's differences are the sums over the A
 * that hold both, or the one that the row follows. */
static double
pair_value(const struct unit_game *g, const struct node_factors *f, uint32_t p, uint32_t i,
           uint32_t j)
{
    const uint32_t size = (uint32_t)__builtin_popcount(p), bi = 1u << i, bj = 1u << j;
    const double *z = g->z;
    if ((p & bi) != 0 && (p & bj) != 0) {
        return f->both[size] * (z[p] - z[p ^ bi] - z[p ^ bj] + z[p ^ bi ^ bj]);
    }
    if ((p & (bi | bj)) != 0) {
        return f->one[size] * (z[p] - z[p & ~(bi | bj)]);
    }
    return f->none[size] * z[p];
}

static double
single_value(const struct unit_game *g, const struct node_factors *f, uint32_t p, uint32_t i)
{
    const uint32_t size = (uint32_t)__builtin_popcount(p);
    return (p >> i & 1) != 0 ? f->in[size] * (g->z[p] - g->z[p ^ 1u << i]) : f->out[size] * g->z[p];
}

static void
add_node(struct unit_pairs *w, double t, double rest, double weight)
{
    struct unit_game *g = &w->game;
    struct node_factors f;
    make_factors(g->n, t, rest, weight, &f);
    unit_game_zeta(g, t);
    for (uint32_t i = 0, at = 0; i < g->n; i++) {
        for (uint32_t j = i; j < g->n; j++, at++) {
            for (uint32_t p = 0; p < 1u << g->n; p++) {
                w->value[at][p] += i == j ? single_value(g, &f, p, i) : pair_value(g, &f, p, i, j);
            }
        }
    }
}

static void
fill_leaf(void *ctx, const struct unit_leaf *leaf)
{
    struct unit_pairs *w = ctx;
    struct unit_game *g = &w->game;
    const uint32_t size = entry_size(w->u);
    unit_game_begin(w->u, w->share, leaf, g);
    const struct unit_rule *r = &w->of->rules.of[g->n];
    for (uint32_t at = 0; at < g->n * (g->n + 1) / 2; at++) {
        memset(w->value[at], 0, sizeof w->value[at][0] << g->n);
    }
    for (uint32_t k = 0; k < (g->n + 1) / 2; k++) {
        add_node(w, r->t[k], r->rest[k], r->weight[k]);
    }
    for (uint32_t i = 0, at = 0; i < g->n; i++) {
        for (uint32_t j = i; j < g->n; j++, at++) {
            double *to = w->table + entry_of(w->u, g->feature[i], g->feature[j]);
            for (uint32_t p = 0; p < 1u << w->u->bits; p++, to += size) {
                *to += leaf->value * w->value[at][g->set[p]];
            }
        }
    }
}

static void
fill_unit(const struct interactions *i, size_t unit, double *table)
{
    const struct tables_unit *u = &i->t->unit[unit];
    struct unit_pairs w = {
        .of = i, .u = u, .share = i->share + unit * UNIT_PATTERNS, .table = table};
    memset(table, 0, (i->place[unit + 1] - i->place[unit]) * sizeof *table);
    unit_leaves(i->t, u, fill_leaf, &w);
}

/* ---- building ---- */

struct batch { /* of units */
    const struct interactions *i;
    size_t first, end;
    double *table; /* from the first one's on */
};

static void
fill_one(void *ctx, size_t unit)
{
    const struct batch *b = ctx;
    const size_t at = b->first + unit;
    fill_unit(b->i, at, b->table + (b->i->place[at] - b->i->place[b->first]));
}

static void
keep_share(void *ctx, size_t unit, const double *share)
{
    const struct interactions *i = ctx;
    memcpy(i->share + unit * UNIT_PATTERNS, share, UNIT_PATTERNS * sizeof *share);
}

size_t
interactions_bytes(const struct tables *t)
{
    return t->units * UNIT_PATTERNS * sizeof(double);
}

struct status
interactions_new(const struct tables *t, const struct interventional_background *background,
                 size_t bytes_max, unsigned threads, struct interactions **ret_interactions)
{
    DEFER(interactions_freep) struct interactions *i = calloc(1, sizeof *i);
    CHECK(i != NULL, MEMORY);
    i->t = t;
    unit_rules_make(&i->rules);
    i->share = calloc(t->units * UNIT_PATTERNS + 1, sizeof *i->share);
    i->place = calloc(t->units + 1, sizeof *i->place);
    CHECK(i->share != NULL && i->place != NULL, MEMORY);
    for (size_t u = 0; u < t->units; u++) {
        i->place[u + 1] = i->place[u] + ((size_t)entry_size(&t->unit[u]) << t->unit[u].bits);
    }
    i->numbers_max = bytes_max / sizeof *i->table;
    TRY(unit_shares(t, background, threads, keep_share, i));
    if (i->place[t->units] <= i->numbers_max) {
        i->table = malloc((i->place[t->units] + 1) * sizeof *i->table);
        CHECK(i->table != NULL, MEMORY);
        struct batch all = {i, 0, t->units, i->table};
        threads_for(t->units, threads, fill_one, &all);
    }
    *ret_interactions = MOVE(i);
    return OK;
}

/* ---- rows ---- */

struct rows_job {
    const struct batch *batch;
    const float *x;
    size_t rows;
    const double *factor;
    double *pairs;
    size_t blocks;
    uint8_t *scratch; /* workers * scratch_bytes */
    _Atomic size_t next;
};

static size_t
scratch_bytes(const struct tables *t)
{
    return (size_t)TABLES_ROWS * (t->columns + (size_t)2);
}

static void
add_unit(const struct rows_job *j, size_t unit, uint32_t output, const uint8_t *pattern,
         size_t first, size_t rows)
{
    const struct interactions *i = j->batch->i;
    const struct tables *t = i->t;
    const struct tables_unit *u = &t->unit[unit];
    const size_t features = t->forest->features, outputs = t->forest->outputs;
    const double *table = j->batch->table + (i->place[unit] - i->place[j->batch->first]);
    const uint32_t size = entry_size(u);
    size_t feature[TABLES_FEATURES];
    for (uint32_t k = 0; k < u->features; k++) {
        feature[k] = t->feature_of_slot[u->slot[k]];
    }
    for (size_t row = 0; row < rows; row++) {
        const double *from = table + (size_t)pattern[row] * size;
        const double factor = j->factor == NULL ? 1 : j->factor[first + row];
        double *to = j->pairs + ((first + row) * outputs + output) * features * features;
        for (uint32_t k = 0; k < u->features; k++) {
            double *line = to + feature[k] * features;
            for (uint32_t l = k; l < u->features; l++) {
                line[feature[l]] += factor * *from++;
            }
        }
    }
}

static void
add_block(const struct rows_job *j, size_t first, size_t rows, uint8_t *scratch)
{
    const struct tables *t = j->batch->i->t;
    int8_t *ranks = (int8_t *)scratch;
    uint8_t *pattern = scratch + (size_t)TABLES_ROWS * (t->columns + (size_t)1);
    for (uint32_t k = 0; k < t->sections; k++) {
        const struct tables_section *s = &t->section[k];
        if (s->run[t->forest->outputs] <= j->batch->first || s->run[0] >= j->batch->end) {
            continue;
        }
        ranks_rows8(s->ranks, j->x + first * t->forest->features, rows, TABLES_ROWS, ranks);
        for (uint32_t o = 0; o < t->forest->outputs; o++) {
            size_t unit = s->run[o] < j->batch->first ? j->batch->first : s->run[o];
            for (; unit < s->run[o + 1] && unit < j->batch->end; unit++) {
                tables_patterns(t, &t->unit[unit], ranks, TABLES_ROWS, rows, pattern);
                add_unit(j, unit, o, pattern, first, rows);
            }
        }
    }
}

static void
rows_worker(void *ctx, size_t worker)
{
    struct rows_job *j = ctx;
    for (;;) {
        const size_t block = atomic_fetch_add(&j->next, 1);
        if (block >= j->blocks) {
            return;
        }
        const size_t first = block * TABLES_ROWS, left = j->rows - first;
        add_block(j, first, left < TABLES_ROWS ? left : TABLES_ROWS,
                  j->scratch + worker * scratch_bytes(j->batch->i->t));
    }
}

/* Units that are filled at once, one at least. */
static void
next_batch(struct batch *b)
{
    const struct interactions *i = b->i;
    const size_t most = i->table != NULL ? SIZE_MAX : i->numbers_max;
    b->first = b->end;
    while (b->end < i->t->units &&
           (b->end == b->first || i->place[b->end + 1] - i->place[b->first] <= most)) {
        b->end++;
    }
}

struct status
interactions_add(const struct interactions *i, const float *x, size_t rows, const double *factor,
                 unsigned threads, double *pairs)
{
    struct batch b = {.i = i, .table = i->table};
    struct rows_job j = {.batch = &b, .x = x, .rows = rows, .factor = factor, .pairs = pairs};
    j.blocks = (rows + TABLES_ROWS - 1) / TABLES_ROWS;
    size_t workers = threads == 0 ? threads_cores() : threads;
    workers = workers < j.blocks ? workers : j.blocks;
    const size_t most =
        i->numbers_max < i->place[i->t->units] ? i->numbers_max : i->place[i->t->units];
    DEFER(memory_freep) uint8_t *scratch = aligned_alloc(64, (workers + 1) * scratch_bytes(i->t));
    DEFER(memory_freep)
    double *table =
        i->table != NULL ? NULL : malloc((most + (ENTRY_MOST << TABLES_BITS)) * sizeof *table);
    CHECK(scratch != NULL && (table != NULL || i->table != NULL), MEMORY);
    j.scratch = scratch;
    b.table = i->table != NULL ? i->table : table;
    for (next_batch(&b); b.first < b.end; next_batch(&b)) {
        if (i->table == NULL) {
            threads_for(b.end - b.first, threads, fill_one, &b);
        }
        atomic_store(&j.next, 0);
        threads_for(workers, (unsigned)workers, rows_worker, &j);
    }
    return OK;
}

/* ---- the matrix ---- */

void
interactions_finish(size_t matrices, size_t features, double *pairs)
{
    for (size_t m = 0; m < matrices; m++) {
        double *to = pairs + m * features * features;
        for (size_t a = 0; a < features; a++) {
            for (size_t b = a + 1; b < features; b++) {
                double *one = to + a * features + b, *other = to + b * features + a;
                *one = *other = *one + *other;
                to[a * features + a] -= *one;
                to[b * features + b] -= *one;
            }
        }
    }
}
