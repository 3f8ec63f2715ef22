#include "assess/surrogate.h"

#include "assess/surrogate_histogram.h"
#include "num/order.h"
#include "num/whole.h"

#include <math.h>

#define LEAST_GAIN 1e-12 /* of the whole sum of squares: below is rounding */
#define NODES (2 * SURROGATE_MOST_LEAVES)

/* A part's rows: row[0] to row[grown - 1] are grown on, each leaf's next to each other; the others
 * are held out. */
struct part {
    struct surrogate_rows in;
    size_t *row, grown;
    uint8_t *code;  /* features * in.rows */
    int64_t *whole; /* in.rows: answers less the mean, in whole numbers */
    struct {
        size_t first, n;
    } of_node[NODES];
};

struct leaf { /* while growing */
    size_t node, n, depth;
    double sum;
    struct surrogate_part part;
};

struct growth {
    const struct surrogate_options *o;
    struct part *part;
    size_t parts, features;
    struct surrogate_bins bins;
    double mean; /* of the answers */
    int shift;   /* of the whole numbers */
    double least_gain;
};

static void
growth_done(struct growth *g)
{
    for (size_t p = 0; g->part != NULL && p < g->parts; p++) {
        free(g->part[p].row);
        free(g->part[p].code);
        free(g->part[p].whole);
    }
    free(g->part);
    surrogate_bins_done(&g->bins);
}

/* ---- one leaf ---- */

struct search {
    const struct growth *growth;
    const struct leaf *leaf;
    struct surrogate_part *part; /* features */
};

static struct status
search_feature(void *ctx, size_t feature, struct diag *diag)
{
    const struct search *s = ctx;
    (void)diag;
    const struct growth *g = s->growth;
    struct surrogate_histogram all = {0};
    for (size_t p = 0; p < g->parts; p++) {
        const struct part *one = &g->part[p];
        struct surrogate_histogram own = {0};
        surrogate_histogram_add(&own, one->code + feature * one->in.rows,
                                one->row + one->of_node[s->leaf->node].first,
                                one->of_node[s->leaf->node].n, one->whole);
        surrogate_histogram_merge(&all, &own);
    }
    s->part[feature].gain = g->least_gain;
    s->part[feature].feature = g->features;
    surrogate_histogram_finish(&all, feature, g->bins.count[feature],
                               g->bins.level[feature] != NULL, g->o->least, g->shift,
                               &s->part[feature]);
    return OK;
}

/* The best part of a leaf; gain 0 when there is none. The first feature wins ties. */
static struct status
search_leaf(const struct growth *g, struct leaf *leaf)
{
    const size_t features = g->features;
    leaf->part.gain = 0;
    if (leaf->depth == g->o->depth || leaf->n < 2 * g->o->least) {
        return OK;
    }
    DEFER(memory_freep) struct surrogate_part *part = calloc(features, sizeof *part);
    CHECK(part != NULL, MEMORY);
    struct search s = {g, leaf, part};
    const unsigned threads = leaf->n * features < 100000 ? 1 : g->o->threads;
    TRY(black_box_blocks(features, threads, search_feature, &s, NULL));
    for (size_t f = 0; f < features; f++) {
        if (part[f].feature == f && part[f].gain > leaf->part.gain) {
            leaf->part = part[f];
        }
    }
    return OK;
}

/* A node's rows to its children, those that go left first, each side in the order it had. */
static struct status
part_rows(const struct surrogate_part *by, size_t node, const struct surrogate_node *children,
          struct part *p)
{
    const uint8_t *code = p->code + by->feature * p->in.rows;
    const size_t first = p->of_node[node].first, n = p->of_node[node].n;
    size_t *row = p->row + first, left = 0, right = 0;
    DEFER(memory_freep) size_t *later = calloc(n + 1, sizeof *later);
    CHECK(later != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        if (by->left[code[row[i]]] != 0) {
            row[left++] = row[i];
        } else {
            later[right++] = row[i];
        }
    }
    memcpy(row + left, later, right * sizeof *later);
    p->of_node[children->left].first = first;
    p->of_node[children->left].n = left;
    p->of_node[children->right].first = first + left;
    p->of_node[children->right].n = right;
    return OK;
}

static struct status
put_split(const struct growth *g, const struct surrogate_part *part, struct surrogate_node *node)
{
    const size_t f = part->feature;
    node->feature = f;
    node->missing_left = part->left[MISSING_BIN] != 0;
    node->missing_seen = part->missing_seen;
    node->threshold = g->bins.cut[f * 256 + part->last];
    if (g->bins.level[f] != NULL) {
        const uint32_t levels = g->bins.level_count[f];
        node->level_left = calloc(levels, 1);
        CHECK(node->level_left != NULL, MEMORY);
        for (uint32_t l = 0; l < levels; l++) {
            node->level_left[l] = part->left[g->bins.level[f][l]];
        }
    }
    return OK;
}

static struct leaf
make_leaf(const struct growth *g, size_t node, size_t depth)
{
    struct leaf leaf = {.node = node, .depth = depth};
    struct sum all = {0};
    for (size_t p = 0; p < g->parts; p++) {
        const struct part *one = &g->part[p];
        struct sum own = {0};
        for (size_t i = 0; i < one->of_node[node].n; i++) {
            sum_add(&own, one->in.answer[one->row[one->of_node[node].first + i]] - g->mean);
        }
        leaf.n += one->of_node[node].n;
        sum_merge(&all, &own);
    }
    leaf.sum = sum_value(&all);
    return leaf;
}

/* ---- the tree ---- */

static struct status
split_leaf(const struct growth *g, struct surrogate *s, struct leaf *leaves, size_t best)
{
    struct leaf *old = &leaves[best];
    struct surrogate_node *node = &s->node[old->node];
    TRY(put_split(g, &old->part, node));
    node->left = s->nodes++;
    node->right = s->nodes++;
    for (size_t p = 0; p < g->parts; p++) {
        TRY(part_rows(&old->part, old->node, node, &g->part[p]));
    }
    struct leaf one = make_leaf(g, node->left, old->depth + 1);
    struct leaf two = make_leaf(g, node->right, old->depth + 1);
    TRY(search_leaf(g, &one));
    TRY(search_leaf(g, &two));
    s->depth = one.depth > s->depth ? one.depth : s->depth;
    leaves[best] = one;
    leaves[s->leaves++] = two;
    return OK;
}

static struct status
grow(const struct growth *g, struct surrogate *s)
{
    DEFER(memory_freep) struct leaf *leaves = calloc(g->o->leaves, sizeof *leaves);
    s->node = calloc(2 * g->o->leaves, sizeof *s->node);
    CHECK(leaves != NULL && s->node != NULL, MEMORY);
    leaves[0] = make_leaf(g, 0, 0);
    s->grown_on = leaves[0].n;
    s->nodes = s->leaves = 1;
    TRY(search_leaf(g, &leaves[0]));
    while (s->leaves < g->o->leaves) {
        size_t best = 0;
        for (size_t i = 1; i < s->leaves; i++) {
            best = leaves[i].part.gain > leaves[best].part.gain ? i : best;
        }
        if (leaves[best].part.gain <= 0) {
            break;
        }
        TRY(split_leaf(g, s, leaves, best));
    }
    for (size_t i = 0; i < s->leaves; i++) {
        s->node[leaves[i].node].value = g->mean + leaves[i].sum / (double)leaves[i].n;
        s->node[leaves[i].node].rows = leaves[i].n;
    }
    for (size_t i = s->nodes; i-- > 0;) { /* children come after their parent */
        struct surrogate_node *n = &s->node[i];
        if (n->left != 0) {
            const struct surrogate_node *l = &s->node[n->left], *r = &s->node[n->right];
            n->rows = l->rows + r->rows;
            n->value = (l->value * (double)l->rows + r->value * (double)r->rows) / (double)n->rows;
        }
    }
    return OK;
}

double
surrogate_answer(const struct surrogate *s, const double *row)
{
    const struct surrogate_node *n = &s->node[0];
    while (n->left != 0) {
        const double v = row[n->feature];
        const bool left = isnan(v)                ? n->missing_left
                          : n->level_left != NULL ? n->level_left[(size_t)v] != 0
                                                  : v <= n->threshold;
        n = &s->node[left ? n->left : n->right];
    }
    return n->value;
}

/* ---- fidelity ---- */

void
surrogate_fidelity_add(struct surrogate_fidelity *f, double mine, double theirs, double threshold)
{
    moments_add(&f->answer, theirs);
    sum_add(&f->off, (mine - theirs) * (mine - theirs));
    f->same += (mine >= threshold) == (theirs >= threshold);
}

void
surrogate_fidelity_merge(struct surrogate_fidelity *f, const struct surrogate_fidelity *other)
{
    moments_merge(&f->answer, &other->answer);
    sum_merge(&f->off, &other->off);
    f->same += other->same;
}

void
surrogate_fidelity_finish(const struct surrogate_fidelity *f, double threshold, struct surrogate *s)
{
    const double spread = moments_squares(&f->answer);
    s->measured_on = f->answer.n;
    s->spread = sqrt(moments_variance(&f->answer));
    s->fidelity = spread > 0 ? 1 - sum_value(&f->off) / spread : (double)NAN;
    s->agreement = isnan(threshold) ? (double)NAN : (double)f->same / (double)f->answer.n;
}

/* On those held out, or where there are none on those it was grown on. */
static void
measure(const struct growth *g, bool held_out, struct surrogate *s)
{
    struct surrogate_fidelity all = {0};
    for (size_t p = 0; p < g->parts; p++) {
        const struct part *one = &g->part[p];
        const size_t end = held_out ? one->in.rows : one->grown;
        struct surrogate_fidelity own = {0};
        for (size_t i = held_out ? one->grown : 0; i < end; i++) {
            const size_t row = one->row[i];
            surrogate_fidelity_add(&own, surrogate_answer(s, one->in.x + row * g->features),
                                   one->in.answer[row], g->o->threshold);
        }
        surrogate_fidelity_merge(&all, &own);
    }
    surrogate_fidelity_finish(&all, g->o->threshold, s);
    s->refused = s->fidelity < g->o->floor;
}

/* ---- who is held out ---- */

/* A row's place between 0 and 1, by its values and the seed. */
static double
place_of(const double *row, size_t features, uint64_t seed)
{
    uint64_t hash = order_hash(0, seed);
    for (size_t f = 0; f < features; f++) {
        const double v = isnan(row[f]) ? (double)NAN : row[f] + 0.0; /* -0 is 0 */
        uint64_t bits;
        memcpy(&bits, &v, sizeof bits);
        hash = order_hash(hash, bits);
    }
    return (double)(hash >> 11) * 0x1p-53;
}

/* The place up to which rows are held out: as near to `want` of them as equal rows allow, and never
 * all. Below 0: none. */
static double
border(const struct counted *places, uint64_t want)
{
    const uint64_t rows = counted_rows(places);
    double at = -1;
    uint64_t held = 0;
    for (size_t k = 0; k < places->n && places->at[k].upto < rows; k++) {
        const uint64_t upto = places->at[k].upto;
        if (upto > want && upto - want > want - held) {
            break;
        }
        at = places->at[k].value;
        held = upto;
        if (upto >= want) {
            break;
        }
    }
    return want > 0 ? at : -1;
}

static struct status
hold_out(struct growth *g)
{
    DEFER(counted_done) struct counted places = {0};
    for (size_t p = 0; p < g->parts; p++) {
        DEFER(counted_done) struct counted own = {0};
        for (size_t i = 0; i < g->part[p].in.rows; i++) {
            const double at = place_of(g->part[p].in.x + i * g->features, g->features, g->o->seed);
            TRY(counted_add(&own, &at, 1, 1));
        }
        TRY(counted_settle(&own));
        TRY(counted_merge(&places, &own));
    }
    TRY(counted_settle(&places));
    const double to = border(&places, (uint64_t)((double)counted_rows(&places) * g->o->held_out));
    for (size_t p = 0; p < g->parts; p++) {
        struct part *one = &g->part[p];
        size_t end = one->in.rows;
        for (size_t i = 0; i < one->in.rows; i++) {
            if (place_of(one->in.x + i * g->features, g->features, g->o->seed) <= to) {
                one->row[--end] = i;
            } else {
                one->row[one->grown++] = i;
            }
        }
        one->of_node[0].n = one->grown;
    }
    return OK;
}

/* ---- all ---- */

static struct status
begin(const struct surrogate_rows *part, size_t parts, struct growth *g)
{
    g->part = calloc(parts, sizeof *g->part);
    CHECK(g->part != NULL, MEMORY);
    for (size_t p = 0; p < parts; p++) {
        struct part *one = &g->part[p];
        one->in = part[p];
        one->row = calloc(part[p].rows + 1, sizeof *one->row);
        one->code = malloc(g->features * part[p].rows + 1);
        one->whole = calloc(part[p].rows + 1, sizeof *one->whole);
        CHECK(one->row != NULL && one->code != NULL && one->whole != NULL, MEMORY);
    }
    return OK;
}

/* Mean and spread of the answers, then each less the mean in whole numbers. */
static void
take_answers(struct growth *g)
{
    struct moments all = {0};
    double most = 0;
    for (size_t p = 0; p < g->parts; p++) {
        struct moments own = {0};
        for (size_t i = 0; i < g->part[p].grown; i++) {
            moments_add(&own, g->part[p].in.answer[g->part[p].row[i]]);
        }
        moments_merge(&all, &own);
    }
    g->mean = moments_mean(&all);
    g->least_gain = LEAST_GAIN * moments_squares(&all);
    for (size_t p = 0; p < g->parts; p++) {
        for (size_t i = 0; i < g->part[p].grown; i++) {
            most = fmax(most, fabs(g->part[p].in.answer[g->part[p].row[i]] - g->mean));
        }
    }
    if (most <= 0 || !isfinite(most)) {
        return;
    }
    g->shift = whole_shift(most, all.n);
    for (size_t p = 0; p < g->parts; p++) {
        struct part *one = &g->part[p];
        for (size_t i = 0; i < one->grown; i++) {
            one->whole[one->row[i]] = whole_of(one->in.answer[one->row[i]] - g->mean, g->shift);
        }
    }
}

static struct status
make_bins(struct growth *g)
{
    DEFER(memory_freep) struct surrogate_picked *picked = calloc(g->parts, sizeof *picked);
    CHECK(picked != NULL, MEMORY);
    for (size_t p = 0; p < g->parts; p++) {
        const struct part *one = &g->part[p];
        picked[p] =
            (struct surrogate_picked){one->in.x, one->row, one->grown, one->code, one->in.rows};
    }
    return surrogate_bins_make(picked, g->parts, g->features, g->o->level_count, g->o->threads,
                               &g->bins);
}

static void
drop_tree(struct surrogate *s)
{
    for (size_t i = 0; i < s->nodes; i++) {
        free(s->node[i].level_left);
    }
    free(s->node);
    s->node = NULL;
    s->nodes = 0;
}

void
surrogate_done(struct surrogate *s)
{
    drop_tree(s);
}

struct status
surrogate_grow_parts(const struct surrogate_rows *part, size_t parts, size_t features,
                     const struct surrogate_options *o, struct diag *diag,
                     struct surrogate *ret_surrogate)
{
    ASSERT(o->leaves >= 1 && o->leaves <= SURROGATE_MOST_LEAVES && o->least >= 1);
    ASSERT(o->held_out >= 0 && o->held_out < 1);
    size_t rows = 0;
    for (size_t p = 0; p < parts; p++) {
        rows += part[p].rows;
    }
    if (rows < SURROGATE_LEAST_ROWS) {
        diag_set(diag, "%zu rows: a surrogate needs %u", rows, SURROGATE_LEAST_ROWS);
        FAIL(INPUT);
    }
    DEFER(surrogate_done) struct surrogate s = {0};
    DEFER(growth_done) struct growth g = {.o = o, .parts = parts, .features = features};
    TRY(begin(part, parts, &g));
    TRY(hold_out(&g));
    take_answers(&g);
    TRY(make_bins(&g));
    TRY(grow(&g, &s));
    measure(&g, s.grown_on < rows, &s);
    if (s.refused) {
        drop_tree(&s);
    }
    *ret_surrogate = s;
    s = (struct surrogate){0};
    return OK;
}

struct status
surrogate_grow(const struct black_box *box, const double *x, size_t rows, size_t output,
               const struct surrogate_options *o, struct diag *diag,
               struct surrogate *ret_surrogate)
{
    ASSERT(output < box->outputs);
    DEFER(memory_freep) double *score = calloc(rows * box->outputs + 1, sizeof *score);
    DEFER(memory_freep) double *answer = calloc(rows + 1, sizeof *answer);
    CHECK(score != NULL && answer != NULL, MEMORY);
    TRY(black_box_predict_all(box, x, rows, o->threads, diag, score));
    for (size_t i = 0; i < rows; i++) {
        answer[i] = score[i * box->outputs + output];
    }
    const struct surrogate_rows all = {x, answer, rows};
    return surrogate_grow_parts(&all, 1, box->features, o, diag, ret_surrogate);
}
