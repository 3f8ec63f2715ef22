/* Leaves with more features on their path than tables have, up to FOREST_MAX_DEPTH.
 *
 * For each leaf the distinct sets of features that background rows follow are kept with their
 * weights; of the rows to be explained each distinct set p is looked at once: the leaf counts with
 * every background set q that has all that p lacks. What grows is not rows times background but
 * distinct p times distinct q of each leaf. */
#include "assess/interventional_parts.h"

#include "base/threads.h"

#include <stdatomic.h>

#define CHUNK 4096u      /* background rows ranked at once */
#define BLOCK_ROWS 8192u /* rows whose distinct sets are shared */
#define BLOCK_ROWS_PAIRS 512u
#define SIZES (FOREST_MAX_DEPTH + 1)

struct deep_compare {
    struct tables_compare of;
    uint8_t bit; /* the feature, in the leaf's sets */
};

struct deep_leaf {
    double value; /* weighted, less the tree's mean */
    uint32_t node;
    uint32_t features;
    uint32_t feature[FOREST_MAX_DEPTH];
    struct deep_compare *compare;
    uint32_t compares;
    size_t sets; /* distinct, of the background */
    uint64_t *set;
    double *weight;
};

struct deep {
    const struct tables *t;
    struct deep_leaf *leaf;
    size_t leaves;
    size_t *run; /* sections * (outputs + 1): into leaf[] */
    double share[SIZES][SIZES];
};

void
deep_free(struct deep *d)
{
    if (d == NULL) {
        return;
    }
    for (size_t i = 0; i < d->leaves; i++) {
        free(d->leaf[i].compare);
        free(d->leaf[i].set);
        free(d->leaf[i].weight);
    }
    free(d->leaf);
    free(d->run);
    free(d);
}

/* ---- distinct sets ---- */

/* Successive numbers for what comes, by open addressing. */
struct distinct {
    uint64_t *key;  /* by number */
    uint32_t *slot; /* number + 1; 0: free */
    uint32_t n, shift;
    size_t slots;
};

static void
distinct_done(struct distinct *d)
{
    free(d->key);
    free(d->slot);
}

static struct status
distinct_new(size_t most, struct distinct *d)
{
    d->shift = 60;
    while (((size_t)1 << (64 - d->shift)) < 2 * most) {
        d->shift--;
    }
    d->slots = (size_t)1 << (64 - d->shift);
    d->key = malloc((most + 1) * sizeof *d->key);
    d->slot = calloc(d->slots, sizeof *d->slot);
    CHECK(d->key != NULL && d->slot != NULL, MEMORY);
    return OK;
}

static void
distinct_clear(struct distinct *d)
{
    memset(d->slot, 0, d->slots * sizeof *d->slot);
    d->n = 0;
}

static uint32_t
distinct_number(struct distinct *d, uint64_t key)
{
    size_t at = key * UINT64_C(0x9e3779b97f4a7c15) >> d->shift;
    while (d->slot[at] != 0 && d->key[d->slot[at] - 1] != key) {
        at = (at + 1) & (d->slots - 1);
    }
    if (d->slot[at] == 0) {
        d->key[d->n] = key;
        d->slot[at] = ++d->n;
    }
    return d->slot[at] - 1;
}

static uint64_t
all_of(const struct deep_leaf *l)
{
    return l->features == 64 ? UINT64_MAX : (UINT64_C(1) << l->features) - 1;
}

/* The sets of features that rows follow. */
static void
make_sets(const struct deep_leaf *l, const int8_t *ranks, size_t stride, size_t rows,
          uint64_t *ret_set)
{
    for (size_t i = 0; i < rows; i++) {
        ret_set[i] = all_of(l);
    }
    for (uint32_t c = 0; c < l->compares; c++) {
        const struct tables_compare of = l->compare[c].of;
        const int8_t *rank = ranks + of.column * stride;
        for (size_t i = 0; i < rows; i++) {
            const uint64_t failed = (uint64_t)(rank[i] < of.cut) ^ of.right ^ 1;
            ret_set[i] &= ~(failed << l->compare[c].bit);
        }
    }
}

/* ---- building ---- */

/* The leaf's conditions, from it up to the root. */
static struct status
read_path(const struct tables *t, const struct ranks *ranks, const uint32_t *parent,
          struct deep_leaf *l)
{
    const struct forest *f = t->forest;
    l->compare = calloc(FOREST_MAX_DEPTH, sizeof *l->compare);
    CHECK(l->compare != NULL, MEMORY);
    for (uint32_t n = l->node; parent[n] != n; n = parent[n]) {
        const uint32_t above = parent[n], feature = f->feature[above];
        const struct ranks_split s = ranks_split(ranks, above);
        uint32_t k = 0;
        while (k < l->features && l->feature[k] != feature) {
            k++;
        }
        l->feature[k] = feature;
        l->features += k == l->features;
        l->compare[l->compares++] = (struct deep_compare){
            {s.column, (int8_t)s.cut, (uint32_t)f->right[above] == n}, (uint8_t)k};
    }
    return OK;
}

struct listing {
    struct deep *d;
    const struct ranks *ranks;
    const uint32_t *parent; /* nodes; a root is its own */
    double scale, mean;     /* of the tree */
};

/* Recursion is as deep as the tree. */
static struct status
list_leaves(struct listing *w, uint32_t n)
{
    const struct forest *f = w->d->t->forest;
    if (f->left[n] >= 0) {
        TRY(list_leaves(w, (uint32_t)f->left[n]));
        return list_leaves(w, (uint32_t)f->right[n]);
    }
    struct deep_leaf *l = &w->d->leaf[w->d->leaves++];
    *l = (struct deep_leaf){.value = w->scale * (f->value[n] - w->mean), .node = n};
    return read_path(w->d->t, w->ranks, w->parent, l);
}

static struct status
list_section(struct listing *w, uint32_t section)
{
    const struct tables *t = w->d->t;
    const struct forest *f = t->forest;
    const struct tables_section *s = &t->section[section];
    size_t *run = w->d->run + (size_t)section * (f->outputs + 1);
    w->ranks = s->ranks;
    for (uint32_t o = 0; o < f->outputs; o++) {
        run[o] = w->d->leaves;
        for (size_t i = s->rest_run[o]; i < s->rest_run[o + 1]; i++) {
            const uint32_t tree = interventional_tree(f, t->rest[i]);
            w->scale = f->tree_weight[tree];
            w->mean = explain_expected_below(f, f->tree_start[tree]);
            TRY(list_leaves(w, t->rest[i]));
        }
    }
    run[f->outputs] = w->d->leaves;
    return OK;
}

static size_t
leaves_below(const struct forest *f, uint32_t n)
{
    return f->left[n] < 0
               ? 1
               : leaves_below(f, (uint32_t)f->left[n]) + leaves_below(f, (uint32_t)f->right[n]);
}

size_t
deep_leaves(const struct tables *t)
{
    size_t leaves = 0;
    for (size_t i = 0; i < t->rests; i++) {
        leaves += leaves_below(t->forest, t->rest[i]);
    }
    return leaves;
}

static struct status
list_all(struct deep *d)
{
    const struct forest *f = d->t->forest;
    DEFER(memory_freep) uint32_t *parent = malloc(((size_t)f->nodes + 1) * sizeof *parent);
    d->leaf = calloc(deep_leaves(d->t) + 1, sizeof *d->leaf);
    d->run = calloc((size_t)d->t->sections * (f->outputs + (size_t)1) + 1, sizeof *d->run);
    CHECK(parent != NULL && d->leaf != NULL && d->run != NULL, MEMORY);
    for (uint32_t n = 0; n < f->nodes; n++) {
        parent[n] = n;
    }
    for (uint32_t n = 0; n < f->nodes; n++) {
        if (f->left[n] >= 0) {
            parent[f->left[n]] = parent[f->right[n]] = n;
        }
    }
    struct listing w = {.d = d, .parent = parent};
    for (uint32_t s = 0; s < d->t->sections; s++) {
        TRY(list_section(&w, s));
    }
    return OK;
}

/* ---- the background ---- */

struct count_job {
    const struct deep *d;
    const struct interventional_background *background;
    const struct ranks *ranks;
    int8_t *rank; /* [columns][padded] */
    size_t padded;
    struct deep_leaf *leaf;
    size_t bytes_max;
    _Atomic size_t bytes;
    _Atomic bool no_memory;
};

static void
rank_chunk(void *ctx, size_t chunk)
{
    const struct count_job *j = ctx;
    const struct interventional_background *b = j->background;
    const size_t first = chunk * CHUNK, rows = b->rows - first < CHUNK ? b->rows - first : CHUNK;
    ranks_rows8(j->ranks, b->x + first * j->d->t->forest->features, rows, j->padded,
                j->rank + first);
}

static struct status
count_sets(struct count_job *j, struct deep_leaf *l)
{
    const struct interventional_background *b = j->background;
    DEFER(distinct_done) struct distinct distinct = {0};
    DEFER(memory_freep) uint64_t *set = malloc(b->rows * sizeof *set);
    CHECK(set != NULL, MEMORY);
    TRY(distinct_new(b->rows, &distinct));
    make_sets(l, j->rank, j->padded, b->rows, set);
    for (size_t i = 0; i < b->rows; i++) {
        set[i] = distinct_number(&distinct, set[i]);
    }
    l->sets = distinct.n;
    if (atomic_fetch_add(&j->bytes, l->sets * 16) > j->bytes_max) {
        return OK; /* said at the end */
    }
    l->set = malloc(l->sets * sizeof *l->set);
    l->weight = calloc(l->sets, sizeof *l->weight);
    CHECK(l->set != NULL && l->weight != NULL, MEMORY);
    memcpy(l->set, distinct.key, l->sets * sizeof *l->set);
    for (size_t i = 0; i < b->rows; i++) {
        l->weight[set[i]] += b->weight != NULL ? b->weight[i] : 1;
    }
    for (size_t i = 0; b->weight == NULL && i < l->sets; i++) {
        l->weight[i] /= (double)b->rows;
    }
    return OK;
}

static void
count_leaf(void *ctx, size_t leaf)
{
    struct count_job *j = ctx;
    if (atomic_load(&j->bytes) <= j->bytes_max && !status_ok(count_sets(j, &j->leaf[leaf]))) {
        atomic_store(&j->no_memory, true);
    }
}

static struct status
count_all(struct deep *d, const struct interventional_background *background, size_t bytes_max,
          unsigned threads)
{
    const size_t chunks = (background->rows + CHUNK - 1) / CHUNK, padded = chunks * CHUNK;
    const size_t outputs = d->t->forest->outputs;
    CHECK(padded <= bytes_max / (d->t->columns + (size_t)1), LIMIT);
    DEFER(memory_freep) int8_t *rank = aligned_alloc(64, padded * (d->t->columns + (size_t)1));
    CHECK(rank != NULL, MEMORY);
    struct count_job j = {
        .d = d, .background = background, .rank = rank, .padded = padded, .bytes_max = bytes_max};
    for (uint32_t s = 0; s < d->t->sections; s++) {
        const size_t *run = d->run + s * (outputs + 1);
        j.ranks = d->t->section[s].ranks;
        j.leaf = d->leaf + run[0];
        threads_for(chunks, threads, rank_chunk, &j);
        threads_for(run[outputs] - run[0], threads, count_leaf, &j);
    }
    CHECK(!atomic_load(&j.no_memory), MEMORY);
    CHECK(atomic_load(&j.bytes) <= bytes_max, LIMIT);
    return OK;
}

struct status
deep_new(const struct tables *t, const struct interventional_background *background,
         size_t bytes_max, unsigned threads, struct deep **ret_deep)
{
    DEFER(deep_freep) struct deep *d = calloc(1, sizeof *d);
    CHECK(d != NULL, MEMORY);
    d->t = t;
    for (uint32_t p = 0; p < SIZES; p++) {
        for (uint32_t q = 0; q < SIZES; q++) {
            d->share[p][q] = interventional_share(p, q);
        }
    }
    TRY(list_all(d));
    TRY(count_all(d, background, bytes_max, threads));
    *ret_deep = MOVE(d);
    return OK;
}

/* ---- rows ---- */

/* The leaf's values for rows that follow the set p: ret[features]. */
static void
leaf_values(const struct deep *d, const struct deep_leaf *l, uint64_t p, double *ret)
{
    const uint64_t lacks = all_of(l) & ~p;
    const uint32_t b = (uint32_t)__builtin_popcountll(lacks);
    double loss = 0;
    memset(ret, 0, l->features * sizeof *ret);
    for (size_t i = 0; i < l->sets; i++) {
        if ((lacks & ~l->set[i]) != 0) {
            continue;
        }
        const uint64_t alone = p & ~l->set[i];
        const uint32_t a = (uint32_t)__builtin_popcountll(alone);
        const double gain = a > 0 ? l->weight[i] * d->share[a - 1][b] : 0;
        loss += b > 0 ? l->weight[i] * d->share[a][b - 1] : 0;
        for (uint64_t left = alone; left != 0; left &= left - 1) {
            ret[__builtin_ctzll(left)] += gain;
        }
    }
    for (uint32_t k = 0; k < l->features; k++) {
        ret[k] = l->value * ((p >> k & 1) != 0 ? ret[k] : -loss);
    }
}

/* The upper triangle of the leaf's features: attributions on the diagonal, beside it half of what
 * two have together: ret[features * (features + 1) / 2]. */
static void
leaf_pairs(const struct deep *d, const struct deep_leaf *l, uint64_t p, double *ret)
{
    const uint64_t lacks = all_of(l) & ~p;
    const uint32_t n = l->features, b = (uint32_t)__builtin_popcountll(lacks);
    memset(ret, 0, (size_t)n * (n + 1) / 2 * sizeof *ret);
    for (size_t s = 0; s < l->sets; s++) {
        if ((lacks & ~l->set[s]) != 0) {
            continue;
        }
        const uint64_t alone = p & ~l->set[s], met = alone | lacks;
        const uint32_t a = (uint32_t)__builtin_popcountll(alone);
        const double v = l->value * l->weight[s];
        const double single[2] = {a > 0 ? v * d->share[a - 1][b] : 0,
                                  b > 0 ? -v * d->share[a][b - 1] : 0};
        const double both = a > 1 ? v / 2 * d->share[a - 2][b] : 0,
                     none = b > 1 ? v / 2 * d->share[a][b - 2] : 0,
                     one = a > 0 && b > 0 ? -v / 2 * d->share[a - 1][b - 1] : 0;
        for (uint64_t i = met; i != 0; i &= i - 1) {
            const uint32_t k = (uint32_t)__builtin_ctzll(i);
            const bool in = (alone >> k & 1) != 0;
            double *line = ret + (size_t)k * n - (size_t)k * (k + 1) / 2;
            line[k] += single[!in];
            for (uint64_t j = i & (i - 1); j != 0; j &= j - 1) {
                const uint32_t m = (uint32_t)__builtin_ctzll(j);
                const bool other = (alone >> m & 1) != 0;
                line[m] += in && other ? both : in || other ? one : none;
            }
        }
    }
}

struct add_job {
    const struct deep *d;
    const float *x;
    size_t rows;
    const double *factor;
    double *phi;
    bool pairs; /* phi is matrices */
    size_t block_rows;
    _Atomic bool no_memory;
};

struct add_room {
    int8_t *rank; /* [columns][BLOCK_ROWS] */
    uint64_t *set;
    double *value; /* of one leaf: [sets][features] */
    struct distinct distinct;
};

static void
add_room_done(struct add_room *r)
{
    free(r->rank);
    free(r->set);
    free(r->value);
    distinct_done(&r->distinct);
}

static void
add_value(const struct add_job *j, const struct deep_leaf *l, size_t row, uint32_t output,
          const double *value)
{
    const size_t features = j->d->t->forest->features, outputs = j->d->t->forest->outputs;
    const double factor = j->factor == NULL ? 1 : j->factor[row];
    double *phi = j->phi + (row * outputs + output) * features * (j->pairs ? features : 1);
    for (uint32_t k = 0; k < l->features; k++) {
        if (!j->pairs) {
            phi[l->feature[k]] += factor * value[k];
        }
        for (uint32_t m = k; j->pairs && m < l->features; m++) {
            phi[l->feature[k] * features + l->feature[m]] += factor * *value++;
        }
    }
}

static void
add_leaf(const struct add_job *j, const struct deep_leaf *l, size_t first, size_t rows,
         uint32_t output, struct add_room *r)
{
    const size_t n = l->features, width = j->pairs ? n * (n + 1) / 2 : n;
    make_sets(l, r->rank, j->block_rows, rows, r->set);
    distinct_clear(&r->distinct);
    for (size_t i = 0; i < rows; i++) {
        const uint32_t known = r->distinct.n;
        const uint32_t number = distinct_number(&r->distinct, r->set[i]);
        double *value = r->value + number * width;
        if (number == known) {
            (j->pairs ? leaf_pairs : leaf_values)(j->d, l, r->set[i], value);
        }
        add_value(j, l, first + i, output, value);
    }
}

static struct status
add_rows(const struct add_job *j, size_t first, size_t rows)
{
    const struct tables *t = j->d->t;
    const size_t outputs = t->forest->outputs;
    DEFER(add_room_done) struct add_room r = {0};
    const size_t most = FOREST_MAX_DEPTH, width = j->pairs ? most * (most + 1) / 2 : most;
    r.rank = aligned_alloc(64, j->block_rows * (t->columns + (size_t)1));
    r.set = malloc(rows * sizeof *r.set);
    r.value = malloc(rows * width * sizeof *r.value);
    CHECK(r.rank != NULL && r.set != NULL && r.value != NULL, MEMORY);
    TRY(distinct_new(rows, &r.distinct));
    for (uint32_t s = 0; s < t->sections; s++) {
        const size_t *run = j->d->run + s * (outputs + 1);
        ranks_rows8(t->section[s].ranks, j->x + first * t->forest->features, rows, j->block_rows,
                    r.rank);
        for (uint32_t o = 0; o < outputs; o++) {
            for (size_t i = run[o]; i < run[o + 1]; i++) {
                add_leaf(j, &j->d->leaf[i], first, rows, o, &r);
            }
        }
    }
    return OK;
}

static void
add_block(void *ctx, size_t block)
{
    struct add_job *j = ctx;
    const size_t first = block * j->block_rows, left = j->rows - first;
    if (!status_ok(add_rows(j, first, left < j->block_rows ? left : j->block_rows))) {
        atomic_store(&j->no_memory, true);
    }
}

static struct status
add_all(struct add_job *j, unsigned threads)
{
    threads_for((j->rows + j->block_rows - 1) / j->block_rows, threads, add_block, j);
    CHECK(!atomic_load(&j->no_memory), MEMORY);
    return OK;
}

struct status
deep_add(const struct deep *d, const float *x, size_t rows, const double *factor, unsigned threads,
         double *phi)
{
    struct add_job j = {
        .d = d, .x = x, .rows = rows, .factor = factor, .phi = phi, .block_rows = BLOCK_ROWS};
    return add_all(&j, threads);
}

struct status
deep_add_interactions(const struct deep *d, const float *x, size_t rows, const double *factor,
                      unsigned threads, double *pairs)
{
    struct add_job j = {.d = d,
                        .x = x,
                        .rows = rows,
                        .factor = factor,
                        .phi = pairs,
                        .pairs = true,
                        .block_rows = BLOCK_ROWS_PAIRS};
    return add_all(&j, threads);
}
