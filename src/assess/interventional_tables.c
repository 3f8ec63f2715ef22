/* Filling the units' tables from the background's patterns, and rows through tables of doubles.
 *
 * Cost of filling, for each unit: a byte looked up and counted for each background row, and for
 * each leaf of n features about n 2^n ceil(n / 2) multiplications. */
#include "assess/interventional_parts.h"

#include "assess/explain_lanes.h"
#include "base/threads.h"

#include <math.h>

#define PATTERNS (1u << TABLES_BITS)
#define CHUNK 4096u     /* background rows whose patterns are made at once */
#define GROUP_UNITS 16u /* that a thread takes at once */
#define NODES ((TABLES_FEATURES + 1) / 2)

/* ---- one leaf ---- */

/* The conditions of a leaf, by the unit's features: it is followed where pattern and mask == want.
 */
struct leaf {
    double value;
    uint8_t mask[TABLES_FEATURES];
    uint8_t want[TABLES_FEATURES];
};

/* Quadrature for a leaf of n features. */
struct rule {
    double t[NODES], rest[NODES], weight[NODES];
};

struct unit_work {
    const struct tables *t;
    const struct rule *rules; /* by n */
    const struct tables_unit *u;
    uint32_t steps;             /* conditions of the path */
    uint8_t bit[TABLES_BITS];   /* of each condition, in the stored pattern */
    uint32_t node[TABLES_BITS]; /* inner nodes of the subtree */
    double scale, mean;
    double share[PATTERNS]; /* of the background, by pattern */
    double entry[PATTERNS][TABLES_FEATURES];
};

/* The leaf's own view: only the features that it has conditions on. */
struct leaf_game {
    uint32_t n;
    uint8_t feature[TABLES_FEATURES]; /* of the unit */
    uint8_t set[PATTERNS];            /* unit pattern -> the features that it follows */
    double share[PATTERNS];           /* of the background, by that set */
    double z[PATTERNS];
    double phi[TABLES_FEATURES][PATTERNS];
};

static void
game_begin(const struct unit_work *w, const struct leaf *leaf, struct leaf_game *g)
{
    g->n = 0;
    for (uint32_t k = 0; k < w->u->features; k++) {
        if (leaf->mask[k] != 0) {
            g->feature[g->n++] = (uint8_t)k;
        }
    }
    const uint32_t sets = 1u << g->n;
    memset(g->share, 0, sets * sizeof *g->share);
    for (uint32_t p = 0; p < 1u << w->u->bits; p++) {
        uint32_t set = 0;
        for (uint32_t i = 0; i < g->n; i++) {
            const uint32_t k = g->feature[i];
            set |= (uint32_t)((p & leaf->mask[k]) == leaf->want[k]) << i;
        }
        g->set[p] = (uint8_t)set;
        g->share[set] += w->share[p];
    }
    for (uint32_t i = 0; i < g->n; i++) {
        memset(g->phi[i], 0, sets * sizeof *g->phi[i]);
    }
}

/* z[p] = sum over A in p of t^|A| share(all without A). */
static void
zeta(struct leaf_game *g, double t)
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

/* One node of the quadrature: what it adds to every set's phi. */
static void
game_add(struct leaf_game *g, double t, double rest, double weight)
{
    const uint32_t sets = 1u << g->n;
    double gain[TABLES_FEATURES + 1], loss[TABLES_FEATURES + 1]; /* by features of the row's set */
    double power = weight;
    for (uint32_t size = g->n + 1; size-- > 0;) { /* |B| = n - size */
        gain[size] = power / t;
        loss[size] = power / rest;
        power *= rest;
    }
    zeta(g, t);
    for (uint32_t i = 0; i < g->n; i++) {
        for (uint32_t p = 0; p < sets; p++) {
            const uint32_t size = (uint32_t)__builtin_popcount(p);
            g->phi[i][p] += (p >> i & 1) != 0 ? gain[size] * (g->z[p] - g->z[p ^ 1u << i])
                                              : -loss[size] * g->z[p];
        }
    }
}

static void
fill_leaf(struct unit_work *w, const struct leaf *leaf)
{
    struct leaf_game g;
    game_begin(w, leaf, &g);
    const struct rule *r = &w->rules[g.n];
    for (uint32_t k = 0; k < (g.n + 1) / 2; k++) {
        game_add(&g, r->t[k], r->rest[k], r->weight[k]);
    }
    for (uint32_t p = 0; p < 1u << w->u->bits; p++) {
        for (uint32_t i = 0; i < g.n; i++) {
            w->entry[p][g.feature[i]] += leaf->value * g.phi[i][g.set[p]];
        }
    }
}

/* ---- one unit ---- */

static uint32_t
unit_feature(const struct unit_work *w, uint32_t n)
{
    const uint32_t slot = w->t->slot_of_feature[w->t->forest->feature[n]];
    uint32_t k = 0;
    while (w->u->slot[k] != slot) {
        k++;
    }
    return k;
}

/* Values are taken less the tree's mean, which attributes nothing: smaller numbers in the floats.
 */
static void
fill_below(struct unit_work *w, uint32_t n, struct leaf leaf)
{
    const struct forest *f = w->t->forest;
    if (f->left[n] < 0) {
        leaf.value = w->scale * (f->value[n] - w->mean);
        fill_leaf(w, &leaf);
        return;
    }
    uint32_t i = 0;
    while (w->node[i] != n) {
        i++;
    }
    const uint32_t k = unit_feature(w, n), condition = w->steps + i;
    const uint8_t bit = (uint8_t)(1u << w->bit[condition]);
    const bool inverted = (w->u->inverted >> condition & 1) != 0;
    leaf.mask[k] |= bit;
    struct leaf met = leaf;
    met.want[k] |= bit;
    fill_below(w, (uint32_t)f->left[n], inverted ? leaf : met);
    fill_below(w, (uint32_t)f->right[n], inverted ? met : leaf);
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

static void
unit_begin(struct unit_work *w)
{
    const struct tables_unit *u = w->u;
    const uint32_t tree = interventional_tree(w->t->forest, u->node);
    uint32_t nodes = 0;
    tables_list_inner(w->t->forest, u->node, w->node, &nodes);
    w->steps = u->bits - nodes;
    for (uint32_t i = 0; i < u->bits; i++) {
        w->bit[i] = (uint8_t)(u->bits - 1 - i);
    }
    w->scale = w->t->forest->tree_weight[tree];
    w->mean = explain_expected_below(w->t->forest, w->t->forest->tree_start[tree]);
    memset(w->entry, 0, sizeof w->entry);
}

static void
unit_fill(struct unit_work *w)
{
    struct leaf leaf = {0};
    for (uint32_t i = 0; i < w->steps; i++) { /* the path's features come first, as conditions */
        const bool inverted = (w->u->inverted >> i & 1) != 0;
        leaf.mask[i] = (uint8_t)(1u << w->bit[i]);
        leaf.want[i] = inverted ? 0 : leaf.mask[i];
    }
    fill_below(w, w->u->node, leaf);
}

/* ---- all units ---- */

struct fill_job {
    const struct tables *t;
    const struct tables_section *section;
    const struct interventional_background *background;
    struct rule rules[TABLES_FEATURES + 1];
    size_t first, rows; /* the part of the background that is ranked */
    int8_t *ranks;      /* of it: [columns][padded] */
    size_t padded;
    double (*share)[PATTERNS]; /* of the section's units: counts, or sums of weights */
    float *single;
    double *wide;
};

static void
rank_chunk(void *ctx, size_t chunk)
{
    const struct fill_job *j = ctx;
    const size_t from = chunk * CHUNK, rows = j->rows - from < CHUNK ? j->rows - from : CHUNK;
    ranks_rows8(j->section->ranks, j->background->x + (j->first + from) * j->t->forest->features,
                rows, j->padded, j->ranks + from);
}

/* Two counters a pattern: successive rows with the same one need not wait for each other. */
static void
count_patterns(const uint8_t *pattern, size_t n, uint32_t count[static 2][PATTERNS])
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
unit_count(const struct fill_job *j, const struct tables_unit *u, double share[static PATTERNS])
{
    const double *weight = j->background->weight;
    uint8_t pattern[CHUNK];
    uint32_t count[2][PATTERNS] = {0};
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
    for (uint32_t p = 0; weight == NULL && p < PATTERNS; p++) {
        share[p] += (double)count[0][p] + count[1][p];
    }
}

static void
unit_store(const struct fill_job *j, const struct unit_work *w)
{
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

/* Units [*ret_first, end) of a group of the section. */
static size_t
group_units(const struct fill_job *j, size_t group, size_t *ret_first)
{
    const size_t units = j->section->run[j->t->forest->outputs];
    *ret_first = j->section->run[0] + group * GROUP_UNITS;
    return *ret_first + GROUP_UNITS < units ? *ret_first + GROUP_UNITS : units;
}

static void
count_group(void *ctx, size_t group)
{
    const struct fill_job *j = ctx;
    size_t i = 0;
    const size_t end = group_units(j, group, &i);
    for (; i < end; i++) {
        unit_count(j, &j->t->unit[i], j->share[i - j->section->run[0]]);
    }
}

static void
fill_group(void *ctx, size_t group)
{
    const struct fill_job *j = ctx;
    const struct interventional_background *b = j->background;
    size_t i = 0;
    const size_t end = group_units(j, group, &i);
    for (; i < end; i++) {
        struct unit_work w = {.t = j->t, .rules = j->rules, .u = &j->t->unit[i]};
        for (uint32_t p = 0; p < PATTERNS; p++) {
            const double share = j->share[i - j->section->run[0]][p];
            w.share[p] = b->weight == NULL ? share / (double)b->rows : share;
        }
        unit_begin(&w);
        unit_fill(&w);
        unit_store(j, &w);
    }
}

#define RANKS_BYTES ((size_t)64 << 20) /* of the background that is ranked at once */

static struct status
fill_section(struct fill_job *j, unsigned threads)
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
    threads_for(groups, threads, fill_group, j);
    return OK;
}

struct status
interventional_fill(const struct tables *t, const struct interventional_background *background,
                    unsigned threads, float *single, double *wide)
{
    const size_t columns = (size_t)t->columns + 1;
    const size_t fit = RANKS_BYTES / columns / CHUNK + 1, chunks = (background->rows - 1) / CHUNK;
    const size_t padded = (fit < chunks + 1 ? fit : chunks + 1) * CHUNK;
    DEFER(memory_freep) int8_t *ranks = aligned_alloc(64, padded * columns);
    CHECK(ranks != NULL, MEMORY);
    struct fill_job j = {.t = t,
                         .background = background,
                         .ranks = ranks,
                         .padded = padded,
                         .single = single,
                         .wide = wide};
    for (uint32_t n = 1; n <= TABLES_FEATURES; n++) {
        lanes_gauss((n + 1) / 2, j.rules[n].t, j.rules[n].rest, j.rules[n].weight);
    }
    for (uint32_t s = 0; s < t->sections; s++) {
        j.section = &t->section[s];
        TRY(fill_section(&j, threads));
    }
    return OK;
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
