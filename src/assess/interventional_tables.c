/* Filling the units' tables from the background's patterns, and rows through tables of doubles.
 *
 * Cost of filling, for each unit: a byte looked up and counted for each background row, and for
 * each leaf of n features about n 2^n ceil(n / 2) multiplications. */
#include "assess/interventional_parts.h"

#include "assess/explain_lanes.h"
#include "base/threads.h"

#include <math.h>

#define CHUNK 4096u     /* background rows whose patterns are made at once */
#define GROUP_UNITS 16u /* that a thread takes at once */

/* What is filled. */
struct fill_job {
    const struct tables *t;
    struct unit_rules rules;
    float *single;
    double *wide;
};

/* ---- one leaf ---- */

void
unit_game_begin(const struct tables_unit *u, const double *share, const struct unit_leaf *leaf,
                struct unit_game *g)
{
    g->n = 0;
    for (uint32_t k = 0; k < u->features; k++) {
        if (leaf->mask[k] != 0) {
            g->feature[g->n++] = (uint8_t)k;
        }
    }
    memset(g->share, 0, sizeof *g->share << g->n);
    for (uint32_t p = 0; p < 1u << u->bits; p++) {
        uint32_t set = 0;
        for (uint32_t i = 0; i < g->n; i++) {
            const uint32_t k = g->feature[i];
            set |= (uint32_t)((p & leaf->mask[k]) == leaf->want[k]) << i;
        }
        g->set[p] = (uint8_t)set;
        g->share[set] += share[p];
    }
}

void
unit_game_zeta(struct unit_game *g, double t)
{
    const uint32_t sets = 1u << g->n;
    double power[TABLES_FEATURES + 1] = {1};
    for (uint32_t i = 0; i < g->n; i++) {
        power[i + 1] = power[i] * t;
    }
    for (uint32_t p = 0; p < sets; p++) {
        g->z[p] = power[__builtin_popcount(p)] * g->share[sets - 1 - p];
    }
    for (uint32_t half = 1; half < sets; half *= 2) {
        for (uint32_t base = 0; base < sets; base += 2 * half) {
            for (uint32_t p = base; p < base + half; p++) {
                g->z[p + half] += g->z[p];
            }
        }
    }
}

/* Attributions of one leaf, and of a unit. */
struct unit_phi {
    const struct fill_job *job;
    const struct tables_unit *u;
    const double *share;
    struct unit_game game;
    double phi[TABLES_FEATURES][UNIT_PATTERNS];   /* of the leaf's features, by set */
    double entry[UNIT_PATTERNS][TABLES_FEATURES]; /* of the unit's, by pattern */
};

/* One node of the quadrature: what it adds to every set's phi. */
static void
add_node(struct unit_phi *w, double t, double rest, double weight)
{
    struct unit_game *g = &w->game;
    const uint32_t sets = 1u << g->n;
    double gain[TABLES_FEATURES + 1], loss[TABLES_FEATURES + 1]; /* by features of the row's set */
    double power = weight;
    for (uint32_t size = g->n + 1; size-- > 0;) { /* |B| = n - size */
        gain[size] = power / t;
        loss[size] = power / rest;
        power *= rest;
    }
    unit_game_zeta(g, t);
    for (uint32_t i = 0; i < g->n; i++) {
        for (uint32_t p = 0; p < sets; p++) {
            const uint32_t size = (uint32_t)__builtin_popcount(p);
            w->phi[i][p] += (p >> i & 1) != 0 ? gain[size] * (g->z[p] - g->z[p ^ 1u << i])
                                              : -loss[size] * g->z[p];
        }
    }
}

static void
fill_leaf(void *ctx, const struct unit_leaf *leaf)
{
    struct unit_phi *w = ctx;
    struct unit_game *g = &w->game;
    unit_game_begin(w->u, w->share, leaf, g);
    const struct unit_rule *r = &w->job->rules.of[g->n];
    for (uint32_t i = 0; i < g->n; i++) {
        memset(w->phi[i], 0, sizeof w->phi[i][0] << g->n);
    }
    for (uint32_t k = 0; k < (g->n + 1) / 2; k++) {
        add_node(w, r->t[k], r->rest[k], r->weight[k]);
    }
    for (uint32_t p = 0; p < 1u << w->u->bits; p++) {
        for (uint32_t i = 0; i < g->n; i++) {
            w->entry[p][g->feature[i]] += leaf->value * w->phi[i][g->set[p]];
        }
    }
}

/* ---- the leaves of a unit ---- */

struct unit_walk {
    const struct forest *f;
    const struct tables *t;
    const struct tables_unit *u;
    uint32_t steps;             /* conditions of the path */
    uint32_t node[TABLES_BITS]; /* inner nodes of the subtree */
    double scale, mean;
    void (*take)(void *ctx, const struct unit_leaf *leaf);
    void *ctx;
};

static uint32_t
unit_feature(const struct unit_walk *w, uint32_t n)
{
    const uint32_t slot = w->t->slot_of_feature[w->f->feature[n]];
    uint32_t k = 0;
    while (w->u->slot[k] != slot) {
        k++;
    }
    return k;
}

/* The first condition is the pattern's most significant bit. */
static uint8_t
bit_of(const struct tables_unit *u, uint32_t condition)
{
    return (uint8_t)(1u << (u->bits - 1 - condition));
}

/* Values are taken less the tree's mean, which attributes nothing: smaller numbers in the floats.
 */
static void
walk_below(struct unit_walk *w, uint32_t n, struct unit_leaf leaf)
{
    if (w->f->left[n] < 0) {
        leaf.value = w->scale * (w->f->value[n] - w->mean);
        w->take(w->ctx, &leaf);
        return;
    }
    uint32_t i = 0;
    while (w->node[i] != n) {
        i++;
    }
    const uint32_t k = unit_feature(w, n), condition = w->steps + i;
    const uint8_t bit = bit_of(w->u, condition);
    const bool inverted = (w->u->inverted >> condition & 1) != 0;
    leaf.mask[k] |= bit;
    struct unit_leaf met = leaf;
    met.want[k] |= bit;
    walk_below(w, (uint32_t)w->f->left[n], inverted ? leaf : met);
    walk_below(w, (uint32_t)w->f->right[n], inverted ? met : leaf);
}

void
unit_leaves(const struct tables *t, const struct tables_unit *u,
            void (*take)(void *ctx, const struct unit_leaf *leaf), void *ctx)
{
    const struct forest *f = t->forest;
    const uint32_t tree = interventional_tree(f, u->node);
    struct unit_walk w = {.f = f, .t = t, .u = u, .take = take, .ctx = ctx};
    struct unit_leaf leaf = {0};
    uint32_t nodes = 0;
    tables_list_inner(f, u->node, w.node, &nodes);
    w.steps = u->bits - nodes;
    w.scale = f->tree_weight[tree];
    w.mean = explain_expected_below(f, f->tree_start[tree]);
    for (uint32_t i = 0; i < w.steps; i++) { /* the path's features come first, as conditions */
        const bool inverted = (u->inverted >> i & 1) != 0;
        leaf.mask[i] = bit_of(u, i);
        leaf.want[i] = inverted ? 0 : leaf.mask[i];
    }
    walk_below(&w, u->node, leaf);
}

uint32_t
interventional_tree(const struct forest *f, uint32_t n)
{
    uint32_t low = 0, high = f->trees;
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (f->tree_start[middle] <= n) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* ---- all units ---- */

struct count_job {
    const struct tables *t;
    const struct tables_section *section;
    const struct interventional_background *background;
    size_t first, rows; /* the part of the background that is ranked */
    int8_t *ranks;      /* of it: [columns][padded] */
    size_t padded;
    double (*share)[UNIT_PATTERNS]; /* of the section's units: counts, or sums of weights */
    void (*take)(void *ctx, size_t unit, const double *share);
    void *ctx;
};

static void
rank_chunk(void *ctx, size_t chunk)
{
    const struct count_job *j = ctx;
    const size_t from = chunk * CHUNK, rows = j->rows - from < CHUNK ? j->rows - from : CHUNK;
    ranks_rows8(j->section->ranks, j->background->x + (j->first + from) * j->t->forest->features,
                rows, j->padded, j->ranks + from);
}

/* Two counters a pattern: successive rows with the same one need not wait for each other. */
static void
count_patterns(const uint8_t *pattern, size_t n, uint32_t count[static 2][UNIT_PATTERNS])
{
    for (size_t i = 0; i + 1 < n; i += 2) {
        count[0][pattern[i]]++;
        count[1][pattern[i + 1]]++;
    }
    if (n % 2 == 1) {
        count[0][pattern[n - 1]]++;
    }
}

/* Adds what the ranked part of the background weighs, row after row. */
static void
unit_count(const struct count_job *j, const struct tables_unit *u,
           double share[static UNIT_PATTERNS])
{
    const double *weight = j->background->weight;
    uint8_t pattern[CHUNK];
    uint32_t count[2][UNIT_PATTERNS] = {0};
    for (size_t from = 0; from < j->rows; from += CHUNK) {
        const size_t n = j->rows - from < CHUNK ? j->rows - from : CHUNK;
        tables_patterns(j->t, u, j->ranks + from, j->padded, n, pattern);
        if (weight == NULL) {
            count_patterns(pattern, n, count);
        }
        for (size_t i = 0; weight != NULL && i < n; i++) {
            share[pattern[i]] += weight[j->first + from + i];
        }
    }
    for (uint32_t p = 0; weight == NULL && p < UNIT_PATTERNS; p++) {
        share[p] += (double)count[0][p] + count[1][p];
    }
}

/* Units [*ret_first, end) of a group of the section. */
static size_t
group_units(const struct count_job *j, size_t group, size_t *ret_first)
{
    const size_t units = j->section->run[j->t->forest->outputs];
    *ret_first = j->section->run[0] + group * GROUP_UNITS;
    return *ret_first + GROUP_UNITS < units ? *ret_first + GROUP_UNITS : units;
}

static void
count_group(void *ctx, size_t group)
{
    const struct count_job *j = ctx;
    size_t i = 0;
    const size_t end = group_units(j, group, &i);
    for (; i < end; i++) {
        unit_count(j, &j->t->unit[i], j->share[i - j->section->run[0]]);
    }
}

static void
take_group(void *ctx, size_t group)
{
    const struct count_job *j = ctx;
    const struct interventional_background *b = j->background;
    size_t i = 0;
    const size_t end = group_units(j, group, &i);
    for (; i < end; i++) {
        double *share = j->share[i - j->section->run[0]];
        for (uint32_t p = 0; b->weight == NULL && p < UNIT_PATTERNS; p++) {
            share[p] /= (double)b->rows;
        }
        j->take(j->ctx, i, share);
    }
}

#define RANKS_BYTES ((size_t)64 << 20) /* of the background that is ranked at once */

static struct status
count_section(struct count_job *j, unsigned threads)
{
    const size_t units = j->section->run[j->t->forest->outputs] - j->section->run[0];
    const size_t groups = (units + GROUP_UNITS - 1) / GROUP_UNITS;
    DEFER(memory_freep) void *share = calloc(units + 1, sizeof *j->share);
    CHECK(share != NULL, MEMORY);
    j->share = share;
    for (j->first = 0; j->first < j->background->rows; j->first += j->padded) {
        const size_t left = j->background->rows - j->first;
        j->rows = left < j->padded ? left : j->padded;
        threads_for((j->rows + CHUNK - 1) / CHUNK, threads, rank_chunk, j);
        threads_for(groups, threads, count_group, j);
    }
    threads_for(groups, threads, take_group, j);
    return OK;
}

struct status
unit_shares(const struct tables *t, const struct interventional_background *background,
            unsigned threads, void (*take)(void *ctx, size_t unit, const double *share), void *ctx)
{
    const size_t columns = (size_t)t->columns + 1;
    const size_t fit = RANKS_BYTES / columns / CHUNK + 1, chunks = (background->rows - 1) / CHUNK;
    const size_t padded = (fit < chunks + 1 ? fit : chunks + 1) * CHUNK;
    DEFER(memory_freep) int8_t *ranks = aligned_alloc(64, padded * columns);
    CHECK(ranks != NULL, MEMORY);
    struct count_job j = {.t = t,
                          .background = background,
                          .ranks = ranks,
                          .padded = padded,
                          .take = take,
                          .ctx = ctx};
    for (uint32_t s = 0; s < t->sections; s++) {
        j.section = &t->section[s];
        TRY(count_section(&j, threads));
    }
    return OK;
}

void
unit_rules_make(struct unit_rules *ret_rules)
{
    for (uint32_t n = 1; n <= TABLES_FEATURES; n++) {
        struct unit_rule *r = &ret_rules->of[n];
        lanes_gauss((n + 1) / 2, r->t, r->rest, r->weight);
    }
}

/* ---- filling ---- */

static void
unit_store(const struct unit_phi *w)
{
    const struct fill_job *j = w->job;
    const uint32_t entry = tables_entry(w->u);
    for (uint32_t p = 0; p < 1u << w->u->bits; p++) {
        for (uint32_t k = 0; k < entry; k++) {
            const double v = k < w->u->features ? w->entry[p][k] : 0;
            const size_t to = w->u->table + (size_t)p * entry + k;
            if (j->wide != NULL) {
                j->wide[to] = v;
            } else {
                j->single[to] = (float)v;
            }
        }
    }
}

static void
fill_unit(void *ctx, size_t unit, const double *share)
{
    const struct fill_job *j = ctx;
    struct unit_phi w = {.job = j, .u = &j->t->unit[unit], .share = share};
    unit_leaves(j->t, w.u, fill_leaf, &w);
    unit_store(&w);
}

struct status
interventional_fill(const struct tables *t, const struct interventional_background *background,
                    unsigned threads, float *single, double *wide)
{
    struct fill_job j = {.t = t, .single = single, .wide = wide};
    unit_rules_make(&j.rules);
    return unit_shares(t, background, threads, fill_unit, &j);
}

/* ---- rows through doubles ---- */

struct wide_scratch {
    int8_t *ranks;    /* [columns][padded] */
    uint8_t *pattern; /* [padded] */
    double *sums;     /* [slots][padded] */
};

static size_t
padded_rows(size_t rows)
{
    return (rows + TABLES_ROWS - 1) / TABLES_ROWS * TABLES_ROWS;
}

static size_t
ranks_bytes(const struct tables *t, size_t rows)
{
    return padded_rows(rows) * (t->columns + (size_t)1);
}

static size_t
sums_place(const struct tables *t, size_t rows)
{
    return (ranks_bytes(t, rows) + padded_rows(rows) + 63) / 64 * 64;
}

size_t
interventional_wide_bytes(const struct tables *t, size_t rows)
{
    return (sums_place(t, rows) + rows * t->slots * sizeof(double) + 63) / 64 * 64;
}

static void
wide_add(const struct tables_unit *u, const double *wide, const struct wide_scratch *s, size_t rows)
{
    const uint32_t entry = tables_entry(u);
    for (size_t i = 0; i < rows; i++) {
        const double *from = wide + u->table + (size_t)s->pattern[i] * entry;
        for (uint32_t k = 0; k < u->features; k++) {
            s->sums[u->slot[k] * rows + i] += from[k];
        }
    }
}

void
interventional_wide_rows(const struct tables *t, const double *wide, const float *x, size_t rows,
                         void *scratch, double *ret_phi)
{
    const struct forest *f = t->forest;
    const size_t width = (size_t)f->features * f->outputs;
    const size_t padded = padded_rows(rows);
    uint8_t *at = scratch;
    const struct wide_scratch s = {(int8_t *)at, at + ranks_bytes(t, rows),
                                   (void *)(at + sums_place(t, rows))};
    memset(ret_phi, 0, rows * width * sizeof *ret_phi);
    for (uint32_t o = 0; o < f->outputs; o++) {
        memset(s.sums, 0, t->slots * rows * sizeof *s.sums);
        for (uint32_t k = 0; k < t->sections; k++) {
            const struct tables_section *section = &t->section[k];
            if (o == 0 || t->sections > 1) {
                ranks_rows8(section->ranks, x, rows, padded, s.ranks);
            }
            for (size_t i = section->run[o]; i < section->run[o + 1]; i++) {
                tables_patterns(t, &t->unit[i], s.ranks, padded, rows, s.pattern);
                wide_add(&t->unit[i], wide, &s, rows);
            }
        }
        for (size_t i = 0; i < rows; i++) {
            for (uint32_t k = 0; k < t->slots; k++) {
                ret_phi[i * width + o * f->features + t->feature_of_slot[k]] = s.sums[k * rows + i];
            }
        }
    }
}
