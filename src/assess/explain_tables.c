/* Cutting trees into units and filling their tables. */
#include "assess/explain_tables_parts.h"

#include "assess/explain.h"
#include "assess/explain_tape.h"
#include "base/threads.h"

#define NO_BIT UINT8_MAX

/* The path down to a node, while cutting. */
struct cutting {
    struct tables *t;
    const struct ranks *ranks;
    uint32_t *inner_below; /* nodes: inner nodes of the subtree */
    uint32_t depth;
    uint32_t split[FOREST_MAX_DEPTH + 1]; /* nodes on the path */
    bool right[FOREST_MAX_DEPTH + 1];     /* and which way it goes there */
    uint32_t distinct;
    uint32_t feature[TABLES_FEATURES + 1];
};

/* ---- cutting ---- */

static void *
more(void *at, size_t n, size_t *room, size_t size)
{
    if (n <= *room) {
        return at;
    }
    void *grown = realloc(at, 2 * n * size);
    if (grown != NULL) {
        *room = 2 * n;
    }
    return grown;
}

static struct status
put_compare(struct tables *t, struct tables_compare c)
{
    struct tables_compare *at =
        more(t->compare, t->compares + 1, &t->compare_room, sizeof *t->compare);
    CHECK(at != NULL, MEMORY);
    t->compare = at;
    t->compare[t->compares++] = c;
    return OK;
}

static struct tables_compare
compare_at(const struct cutting *c, uint32_t n, bool right)
{
    const struct ranks_split s = ranks_split(c->ranks, n);
    return (struct tables_compare){s.column, (int8_t)s.cut, right};
}

/* Of comparisons of the same column with the same outcome only the tightest says anything. */
static struct status
put_condition(struct cutting *c, uint32_t feature, struct tables_unit *u)
{
    const size_t first = c->t->compares;
    for (uint32_t d = 0; d < c->depth; d++) {
        if (c->t->forest->feature[c->split[d]] != feature) {
            continue;
        }
        const struct tables_compare new = compare_at(c, c->split[d], c->right[d]);
        struct tables_compare *same = NULL;
        for (size_t i = first; i < c->t->compares; i++) {
            struct tables_compare *old = &c->t->compare[i];
            const bool alike = old->column == new.column && old->right == new.right;
            same = alike ? old : same;
        }
        if (same == NULL) {
            TRY(put_compare(c->t, new));
        } else if (new.right ? new.cut > same->cut : new.cut < same->cut) {
            same->cut = new.cut;
        }
    }
    u->parts[u->bits++] = (uint8_t)(c->t->compares - first);
    if (c->t->compares == first + 1 && c->t->compare[first].right) {
        c->t->compare[first].right = 0;
        u->inverted |= (uint8_t)(1u << (u->bits - 1));
    }
    return OK;
}

void
tables_list_inner(const struct forest *f, uint32_t n, uint32_t *node, uint32_t *count)
{
    if (f->left[n] >= 0) {
        node[(*count)++] = n;
        tables_list_inner(f, (uint32_t)f->left[n], node, count);
        tables_list_inner(f, (uint32_t)f->right[n], node, count);
    }
}

/* Path features first, then those that only the subtree has: false when there are too many. */
static bool
list_features(const struct cutting *c, const uint32_t *node, uint32_t nodes, uint32_t *feature,
              uint32_t *ret_count)
{
    uint32_t count = c->distinct;
    memcpy(feature, c->feature, count * sizeof *feature);
    for (uint32_t i = 0; i < nodes; i++) {
        uint32_t k = 0;
        while (k < count && feature[k] != c->t->forest->feature[node[i]]) {
            k++;
        }
        if (k == count) {
            if (count == TABLES_FEATURES) {
                return false;
            }
            feature[count++] = c->t->forest->feature[node[i]];
        }
    }
    *ret_count = count;
    return true;
}

/* Quadrature nodes for a unit of that many features. */
static uint32_t
unit_nodes(uint32_t features)
{
    return features <= 2 ? 1 : (features + 1) / 2;
}

static struct status
put_unit(struct cutting *c, uint32_t n, const uint32_t *node, uint32_t nodes,
         const uint32_t *feature, uint32_t features)
{
    struct tables *t = c->t;
    struct tables_unit *at = more(t->unit, t->units + 1, &t->unit_room, sizeof *t->unit);
    CHECK(at != NULL, MEMORY);
    t->unit = at;
    struct tables_unit u = {
        .node = n, .compare = t->compares, .features = (uint8_t)features, .table = t->floats};
    for (uint32_t i = 0; i < features; i++) {
        u.slot[i] = t->slot_of_feature[feature[i]];
    }
    for (uint32_t i = 0; i < c->distinct; i++) {
        TRY(put_condition(c, c->feature[i], &u));
    }
    for (uint32_t i = 0; i < nodes; i++) {
        TRY(put_compare(t, compare_at(c, node[i], false)));
        u.parts[u.bits++] = 1;
    }
    t->floats += ((size_t)tables_entry(&u) << u.bits) + 15;
    t->floats -= t->floats % 16;
    t->fill_work += (double)(1u << u.bits) * u.bits * unit_nodes(features);
    t->unit[t->units++] = u;
    return OK;
}

static struct status
put_rest(struct tables *t, uint32_t n)
{
    uint32_t *at = more(t->rest, t->rests + 1, &t->rest_room, sizeof *t->rest);
    CHECK(at != NULL, MEMORY);
    t->rest = at;
    t->rest[t->rests++] = n;
    return OK;
}

/* The subtree of n as one unit if it fits, else both halves of it. */
static struct status
cut_below(struct cutting *c, uint32_t n)
{
    const struct forest *f = c->t->forest;
    uint32_t node[TABLES_BITS], feature[TABLES_FEATURES], nodes = 0, features = 0;
    if (c->distinct + c->inner_below[n] <= TABLES_BITS) {
        tables_list_inner(f, n, node, &nodes);
        if (list_features(c, node, nodes, feature, &features)) {
            return features == 0 ? OK : put_unit(c, n, node, nodes, feature, features);
        }
    }
    CHECK(f->left[n] >= 0 && c->distinct <= TABLES_FEATURES, UNSUPPORTED);
    const uint32_t distinct = c->distinct;
    uint32_t k = 0;
    while (k < distinct && c->feature[k] != f->feature[n]) {
        k++;
    }
    if (k == TABLES_FEATURES) {
        CHECK(c->t->partial, UNSUPPORTED);
        return put_rest(c->t, n);
    }
    c->feature[k] = f->feature[n];
    c->distinct += k == distinct;
    c->split[c->depth] = n;
    c->right[c->depth++] = false;
    TRY(cut_below(c, (uint32_t)f->left[n]));
    c->right[c->depth - 1] = true;
    TRY(cut_below(c, (uint32_t)f->right[n]));
    c->depth--;
    c->distinct = distinct;
    return OK;
}

static struct status
section_new(struct cutting *c, uint32_t first, uint32_t end, size_t bytes_max,
            struct tables_section *s)
{
    struct tables *t = c->t;
    const struct forest *f = t->forest;
    TRY(ranks_new(f, first, end, false, &s->ranks));
    c->ranks = s->ranks;
    t->columns = ranks_columns(s->ranks) > t->columns ? ranks_columns(s->ranks) : t->columns;
    s->run = calloc((size_t)f->outputs + 1, sizeof *s->run);
    s->rest_run = calloc((size_t)f->outputs + 1, sizeof *s->rest_run);
    CHECK(s->run != NULL && s->rest_run != NULL, MEMORY);
    for (uint32_t o = 0; o < f->outputs; o++) {
        s->run[o] = t->units;
        s->rest_run[o] = t->rests;
        for (uint32_t tree = first; tree < end; tree++) {
            if (f->tree_output[tree] == o) {
                t->tree[tree].first = t->units;
                TRY(cut_below(c, f->tree_start[tree]));
                t->tree[tree].units = t->units - t->tree[tree].first;
                CHECK(t->floats <= bytes_max / sizeof(float), LIMIT);
            }
        }
    }
    s->run[f->outputs] = t->units;
    s->rest_run[f->outputs] = t->rests;
    return OK;
}

static struct status
sections_new(struct cutting *c, size_t bytes_max)
{
    struct tables *t = c->t;
    for (uint32_t first = 0; first < t->forest->trees;) {
        uint32_t end = first;
        TRY(ranks_trees_that_fit(t->forest, first, RANKS_MOST8, &end));
        CHECK(end > first, UNSUPPORTED);
        struct tables_section *at = realloc(t->section, (t->sections + 1) * sizeof *at);
        CHECK(at != NULL, MEMORY);
        t->section = at;
        t->section[t->sections] = (struct tables_section){0};
        TRY(section_new(c, first, end, bytes_max, &t->section[t->sections++]));
        first = end;
    }
    return OK;
}

/* Features that some split uses have slots; children come after their parents. */
static void
count_below(struct cutting *c)
{
    struct tables *t = c->t;
    const struct forest *f = t->forest;
    for (uint32_t n = f->nodes; n-- > 0;) {
        if (f->left[n] >= 0) {
            c->inner_below[n] = 1 + c->inner_below[f->left[n]] + c->inner_below[f->right[n]];
            t->slot_of_feature[f->feature[n]] = 1;
        }
    }
    for (uint32_t i = 0; i < f->features; i++) {
        if (t->slot_of_feature[i] != 0) {
            t->feature_of_slot[t->slots] = i;
            t->slot_of_feature[i] = t->slots++;
        }
    }
}

#define SMALL_TABLES ((size_t)3 << 20) /* floats */
#define BLOCK_SMALL 768u               /* rows: sums and ranks stay in the second-level cache */
#define BLOCK_LARGE 4096u              /* rows for which a table that comes from memory pays */
#define BLOCK_BYTES ((size_t)32 << 20)

static uint32_t
block_rows(const struct tables *t)
{
    const size_t row = ((size_t)t->slots + 1) * 12 + t->columns;
    const uint32_t want = t->floats <= SMALL_TABLES ? BLOCK_SMALL : BLOCK_LARGE;
    const size_t fit = BLOCK_BYTES / row / TABLES_ROWS * TABLES_ROWS;
    return fit < TABLES_ROWS ? TABLES_ROWS : (uint32_t)(fit < want ? fit : want);
}

static struct status
new_tables(const struct forest *f, size_t bytes_max, bool portable, bool partial,
           struct tables **ret_tables)
{
    DEFER(tables_freep) struct tables *t = calloc(1, sizeof *t);
    CHECK(t != NULL, MEMORY);
    t->forest = f;
    t->partial = partial;
    t->avx2 = !portable && lanes_avx2();
    DEFER(memory_freep) uint32_t *inner = calloc((size_t)f->nodes + 1, sizeof *inner);
    t->feature_of_slot = calloc((size_t)f->features + 1, sizeof *t->feature_of_slot);
    t->slot_of_feature = calloc((size_t)f->features + 1, sizeof *t->slot_of_feature);
    t->tree = calloc((size_t)f->trees + 1, sizeof *t->tree);
    CHECK(t->tree != NULL && inner != NULL && t->feature_of_slot != NULL &&
              t->slot_of_feature != NULL,
          MEMORY);
    struct cutting c = {.t = t, .inner_below = inner};
    count_below(&c);
    TRY(sections_new(&c, bytes_max));
    t->block_rows = block_rows(t);
    *ret_tables = MOVE(t);
    return OK;
}

struct status
tables_new(const struct forest *f, size_t bytes_max, bool portable, struct tables **ret_tables)
{
    return new_tables(f, bytes_max, portable, false, ret_tables);
}

struct status
tables_new_partial(const struct forest *f, size_t bytes_max, bool portable,
                   struct tables **ret_tables)
{
    return new_tables(f, bytes_max, portable, true, ret_tables);
}

void
tables_free(struct tables *t)
{
    if (t == NULL) {
        return;
    }
    for (uint32_t i = 0; i < t->sections; i++) {
        ranks_free(t->section[i].ranks);
        free(t->section[i].run);
        free(t->section[i].rest_run);
    }
    free(t->section);
    free(t->feature_of_slot);
    free(t->slot_of_feature);
    free(t->unit);
    free(t->tree);
    free(t->rest);
    free(t->compare);
    free(t->value);
    free(t);
}

size_t
tables_units(const struct tables *t)
{
    return t->units;
}

double
tables_fill_work(const struct tables *t)
{
    return t->fill_work;
}

uint32_t
tables_block_rows(const struct tables *t)
{
    return t->block_rows;
}

/* ---- filling ---- */

#define PATTERNS (1u << TABLES_BITS)
#define LANES 4u /* patterns of a group: doubles of a vector */
/* Column b: bit b of the pattern clear; TABLES_BITS + b: set, for bits that are stored inverted. */
#define COLUMNS (2 * TABLES_BITS)
#define LEVELS (2 * TABLES_BITS + 2)

/* The kernel's view of a unit: its patterns are the rows, its conditions the columns (0: met). */
struct filling {
    const struct tables *t;
    struct tape tape;
    struct lanes lanes;
    uint8_t *column_of_node;
    uint32_t *slot_of_feature; /* within the unit */
    double *x;                 /* [group][column][lane] */
    double *phi;               /* [group][feature][lane] */
    double *levels;
};

static void
filling_done(struct filling *f)
{
    tape_done(&f->tape);
    free(f->column_of_node);
    free(f->slot_of_feature);
    free(f->x);
    free(f->phi);
    free(f->levels);
}

static struct ranks_split
column_of(const void *context, uint32_t n)
{
    const struct filling *f = context;
    return (struct ranks_split){f->column_of_node[n], 1};
}

static struct status
filling_new(const struct tables *t, struct filling *f)
{
    const size_t level = (size_t)lanes_place_vectors(TABLES_FEATURES / 2, false) * 2 * LANES_VECTOR;
    f->t = t;
    f->column_of_node = calloc((size_t)t->forest->nodes + 1, 1);
    f->slot_of_feature = calloc((size_t)t->forest->features + 1, sizeof *f->slot_of_feature);
    f->x = aligned_alloc(64, (size_t)PATTERNS * COLUMNS * sizeof *f->x);
    f->phi = aligned_alloc(64, (size_t)PATTERNS * TABLES_FEATURES * sizeof *f->phi);
    f->levels = aligned_alloc(64, LEVELS * level);
    CHECK(f->column_of_node != NULL && f->slot_of_feature != NULL && f->x != NULL, MEMORY);
    CHECK(f->phi != NULL && f->levels != NULL, MEMORY);
    for (uint32_t pattern = 0; pattern < PATTERNS; pattern++) {
        double *x = f->x + (size_t)(pattern / LANES) * COLUMNS * LANES + pattern % LANES;
        for (uint32_t bit = 0; bit < TABLES_BITS; bit++) {
            x[(size_t)bit * LANES] = (pattern >> bit & 1) != 0 ? 0.0 : 1.0;
            x[(size_t)(TABLES_BITS + bit) * LANES] = (pattern >> bit & 1) != 0 ? 1.0 : 0.0;
        }
    }
    f->tape.f = t->forest;
    f->tape.slot_of_feature = f->slot_of_feature;
    f->tape.split = column_of;
    f->tape.context = f;
    f->lanes = (struct lanes){
        .forest = t->forest, .doubles = true, .avx2 = t->avx2, .slots = TABLES_FEATURES};
    return OK;
}

/* The first condition is the pattern's most significant bit. */
static uint32_t
condition_column(const struct tables_unit *u, uint32_t condition)
{
    const bool inverted = (u->inverted >> condition & 1) != 0;
    return u->bits - 1 - condition + (inverted ? TABLES_BITS : 0);
}

/* The tape of a unit: the path's features as links, then the subtree. path: from the root. */
static struct status
unit_tape(struct filling *f, const struct tables_unit *u, const struct tables_step *path,
          uint32_t steps, double scale, double mean, struct lanes_tree *ret_tree)
{
    const struct forest *forest = f->t->forest;
    struct tape_link link[TABLES_FEATURES];
    uint32_t node[TABLES_BITS], nodes = 0;
    for (uint32_t i = 0; i < u->features; i++) {
        f->slot_of_feature[f->t->feature_of_slot[u->slot[i]]] = i;
    }
    for (uint32_t i = 0; i < steps; i++) {
        link[i] = (struct tape_link){path[i].feature, i, condition_column(u, i), path[i].zero};
    }
    tables_list_inner(forest, u->node, node, &nodes);
    for (uint32_t i = 0; i < nodes; i++) {
        f->column_of_node[node[i]] = (uint8_t)condition_column(u, steps + i);
    }
    tape_reset(&f->tape);
    TRY(tape_begin(&f->tape, u->features, scale, mean, ret_tree));
    return tape_chain(&f->tape, link, steps, u->node, ret_tree);
}

static struct status
fill_unit(struct filling *f, const struct tables_unit *u, const struct tables_step *path,
          uint32_t steps, double scale, double mean)
{
    struct lanes_tree tree;
    TRY(unit_tape(f, u, path, steps, scale, mean, &tree));
    f->lanes.op = f->tape.op.at;
    f->lanes.wide = f->tape.constant.at;
    const uint32_t patterns = 1u << u->bits, groups = (patterns + LANES - 1) / LANES;
    memset(f->phi, 0, (size_t)groups * TABLES_FEATURES * LANES * sizeof *f->phi);
    const struct lanes_work w = {
        .lanes = &f->lanes, .columns = COLUMNS, .x = f->x, .phi = f->phi, .levels = f->levels};
    lanes_kernel_of (&f->lanes)(&w, &tree, groups);
    const uint32_t entry = tables_entry(u);
    float *to = f->t->value + u->table;
    for (uint32_t p = 0; p < patterns; p++) {
        const double *from = f->phi + (size_t)(p / LANES) * TABLES_FEATURES * LANES + p % LANES;
        for (uint32_t i = 0; i < entry; i++) {
            to[(size_t)p * entry + i] = i < u->features ? (float)from[(size_t)i * LANES] : 0.0f;
        }
    }
    return OK;
}

struct walk {
    struct filling *f;
    const struct tables_unit *next; /* units come in the order in which they were cut */
    const struct tables_unit *end;
    struct tables_step path[TABLES_FEATURES + 1];
    double scale, mean;
};

/* Follows the cut again, with the shares of the path. */
static struct status
fill_below(struct walk *w, uint32_t n, uint32_t steps)
{
    const struct forest *f = w->f->t->forest;
    if (w->next < w->end && w->next->node == n) {
        return fill_unit(w->f, w->next++, w->path, steps, w->scale, w->mean);
    }
    if (f->left[n] < 0) {
        return OK; /* a tree of one leaf */
    }
    uint32_t k = 0;
    while (k < steps && w->path[k].feature != f->feature[n]) {
        k++;
    }
    const struct tables_step before =
        k < steps ? w->path[k] : (struct tables_step){f->feature[n], 1.0};
    const double share = explain_left_share(f, n);
    const uint32_t below = k < steps ? steps : steps + 1;
    w->path[k] = (struct tables_step){before.feature, before.zero * share};
    TRY(fill_below(w, (uint32_t)f->left[n], below));
    w->path[k].zero = before.zero * (1.0 - share);
    TRY(fill_below(w, (uint32_t)f->right[n], below));
    w->path[k] = before;
    return OK;
}

static struct status
fill_tree(struct filling *f, uint32_t tree)
{
    const struct tables *t = f->t;
    const uint32_t root = t->forest->tree_start[tree];
    struct walk w = {.f = f,
                     .next = t->unit + t->tree[tree].first,
                     .scale = t->forest->tree_weight[tree],
                     .mean = explain_expected_below(t->forest, root)};
    w.end = w.next + t->tree[tree].units;
    TRY(fill_below(&w, root, 0));
    ASSERT(w.next == w.end);
    return OK;
}

/* Workers take the next tree until none is left. */
struct fill_job {
    const struct tables *t;
    _Atomic uint32_t next;
    struct status *of_worker;
};

static struct status
fill_trees(struct fill_job *job)
{
    DEFER(filling_done) struct filling f = {0};
    TRY(filling_new(job->t, &f));
    for (;;) {
        const uint32_t tree = atomic_fetch_add(&job->next, 1);
        if (tree >= job->t->forest->trees) {
            return OK;
        }
        TRY(fill_tree(&f, tree));
    }
}

static void
fill_worker(void *ctx, size_t worker)
{
    struct fill_job *job = ctx;
    job->of_worker[worker] = fill_trees(job);
}

struct status
tables_fill(struct tables *t, unsigned threads)
{
    const unsigned want = threads == 0 ? threads_cores() : threads;
    const unsigned workers = t->forest->trees < want ? t->forest->trees : want;
    DEFER(memory_freep) struct status *status = calloc((size_t)workers + 1, sizeof *status);
    t->value = aligned_alloc(64, (t->floats + 16) / 16 * 16 * sizeof *t->value);
    CHECK(t->value != NULL && status != NULL, MEMORY);
    struct fill_job job = {.t = t, .of_worker = status};
    threads_for(workers, workers, fill_worker, &job);
    for (unsigned i = 0; i < workers; i++) {
        TRY(status[i]);
    }
    return OK;
}
