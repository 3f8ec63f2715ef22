#include "assess/surrogate.h"

#include "assess/surrogate_histogram.h"
#include "num/order.h"
#include "num/rng.h"
#include "num/whole.h"

#include <math.h>

#define LEAST_GAIN 1e-12 /* of the whole sum of squares: below is rounding */

struct leaf { /* while growing */
    size_t node, first, n, depth;
    double sum;
    struct surrogate_part part;
};

struct growth {
    const struct surrogate_input *in;
    const struct surrogate_bins *bins;
    double *answer; /* bins->rows, less their mean */
    int64_t *whole; /* the same in whole numbers */
    int shift;      /* of those */
    size_t *row;    /* the leaves' rows, one after the other */
    double least_gain;
};

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
    const struct surrogate_bins *bins = g->bins;
    struct surrogate_histogram h = {0};
    s->part[feature].gain = g->least_gain;
    s->part[feature].feature = bins->features;
    surrogate_histogram_add(&h, bins->code + feature * bins->rows, g->row + s->leaf->first,
                            s->leaf->n, g->whole);
    surrogate_histogram_finish(&h, feature, bins->count[feature], bins->level[feature] != NULL,
                               g->in->least, g->shift, &s->part[feature]);
    return OK;
}

/* The best part of a leaf; gain 0 when there is none. The first feature wins ties. */
static struct status
search_leaf(const struct growth *g, struct leaf *leaf)
{
    const size_t features = g->bins->features;
    leaf->part.gain = 0;
    if (leaf->depth == g->in->depth || leaf->n < 2 * g->in->least) {
        return OK;
    }
    DEFER(memory_freep) struct surrogate_part *part = calloc(features, sizeof *part);
    CHECK(part != NULL, MEMORY);
    struct search s = {g, leaf, part};
    const unsigned threads = leaf->n * features < 100000 ? 1 : g->in->threads;
    TRY(black_box_blocks(features, threads, search_feature, &s, NULL));
    for (size_t f = 0; f < features; f++) {
        if (part[f].feature == f && part[f].gain > leaf->part.gain) {
            leaf->part = part[f];
        }
    }
    return OK;
}

/* Its rows, those that go left first, each side in the order it had. */
static struct status
part_rows(const struct growth *g, const struct leaf *leaf, size_t *ret_left)
{
    const uint8_t *code = g->bins->code + leaf->part.feature * g->bins->rows;
    size_t *row = g->row + leaf->first, left = 0, right = 0;
    DEFER(memory_freep) size_t *later = calloc(leaf->n, sizeof *later);
    CHECK(later != NULL, MEMORY);
    for (size_t i = 0; i < leaf->n; i++) {
        if (leaf->part.left[code[row[i]]] != 0) {
            row[left++] = row[i];
        } else {
            later[right++] = row[i];
        }
    }
    memcpy(row + left, later, right * sizeof *later);
    *ret_left = left;
    return OK;
}

static struct status
put_split(const struct growth *g, const struct surrogate_part *part, struct surrogate_node *node)
{
    const size_t f = part->feature;
    node->feature = f;
    node->missing_left = part->left[MISSING_BIN] != 0;
    node->missing_seen = part->missing_seen;
    node->threshold = g->bins->cut[f * 256 + part->last];
    if (g->bins->level[f] != NULL) {
        const uint32_t levels = g->bins->level_count[f];
        node->level_left = calloc(levels, 1);
        CHECK(node->level_left != NULL, MEMORY);
        for (uint32_t l = 0; l < levels; l++) {
            node->level_left[l] = part->left[g->bins->level[f][l]];
        }
    }
    return OK;
}

static struct leaf
make_leaf(const struct growth *g, size_t node, size_t first, size_t n, size_t depth)
{
    struct leaf leaf = {.node = node, .first = first, .n = n, .depth = depth};
    struct sum sum = {0};
    for (size_t i = first; i < first + n; i++) {
        sum_add(&sum, g->answer[g->row[i]]);
    }
    leaf.sum = sum_value(&sum);
    return leaf;
}

/* ---- the tree ---- */

static struct status
split_leaf(const struct growth *g, struct surrogate *s, struct leaf *leaves, size_t best)
{
    struct leaf *old = &leaves[best];
    struct surrogate_node *node = &s->node[old->node];
    size_t left = 0;
    TRY(part_rows(g, old, &left));
    TRY(put_split(g, &old->part, node));
    node->left = s->nodes++;
    node->right = s->nodes++;
    struct leaf one = make_leaf(g, node->left, old->first, left, old->depth + 1);
    struct leaf two = make_leaf(g, node->right, old->first + left, old->n - left, old->depth + 1);
    TRY(search_leaf(g, &one));
    TRY(search_leaf(g, &two));
    s->depth = one.depth > s->depth ? one.depth : s->depth;
    leaves[best] = one;
    leaves[s->leaves++] = two;
    return OK;
}

static struct status
grow(const struct growth *g, double mean, struct surrogate *s)
{
    DEFER(memory_freep) struct leaf *leaves = calloc(g->in->leaves, sizeof *leaves);
    s->node = calloc(2 * g->in->leaves, sizeof *s->node);
    CHECK(leaves != NULL && s->node != NULL, MEMORY);
    leaves[0] = make_leaf(g, 0, 0, g->bins->rows, 0);
    s->nodes = s->leaves = 1;
    TRY(search_leaf(g, &leaves[0]));
    while (s->leaves < g->in->leaves) {
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
        s->node[leaves[i].node].value = mean + leaves[i].sum / (double)leaves[i].n;
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

static void
measure(const struct surrogate_input *in, const size_t *row, size_t n, size_t features,
        const double *answer, struct surrogate *s)
{
    struct surrogate_fidelity f = {0};
    for (size_t i = 0; i < n; i++) {
        surrogate_fidelity_add(&f, surrogate_answer(s, in->x + row[i] * features), answer[row[i]],
                               in->threshold);
    }
    surrogate_fidelity_finish(&f, in->threshold, s);
    s->refused = s->fidelity < in->floor;
}

static struct status
grow_on(const struct surrogate_input *in, size_t features, const size_t *row, size_t n,
        const double *answer, struct surrogate *s)
{
    DEFER(surrogate_bins_done) struct surrogate_bins bins = {0};
    DEFER(memory_freep) double *mine = calloc(n, sizeof *mine);
    DEFER(memory_freep) size_t *place = calloc(n, sizeof *place);
    CHECK(mine != NULL && place != NULL, MEMORY);
    DEFER(memory_freep) int64_t *whole = calloc(n, sizeof *whole);
    CHECK(whole != NULL, MEMORY);
    struct moments all = {0};
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        moments_add(&all, answer[row[i]]);
    }
    const double mean = moments_mean(&all);
    for (size_t i = 0; i < n; i++) {
        mine[i] = answer[row[i]] - mean;
        most = fmax(most, fabs(mine[i]));
        place[i] = i;
    }
    const int shift = most > 0 && isfinite(most) ? whole_shift(most, n) : 0;
    for (size_t i = 0; i < n && most > 0 && isfinite(most); i++) {
        whole[i] = whole_of(mine[i], shift);
    }
    TRY(surrogate_bins_make(in->x, row, n, features, in->level_count, in->threads, &bins));
    const struct growth g = {
        in, &bins, mine, whole, shift, place, LEAST_GAIN * moments_squares(&all)};
    s->grown_on = n;
    return grow(&g, mean, s);
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

/* The answers of the output that is imitated. */
static struct status
ask(const struct black_box *box, const struct surrogate_input *in, struct diag *diag,
    double *ret_answer)
{
    DEFER(memory_freep) double *score = calloc(in->rows * box->outputs, sizeof *score);
    CHECK(score != NULL, MEMORY);
    TRY(black_box_predict_all(box, in->x, in->rows, in->threads, diag, score));
    for (size_t i = 0; i < in->rows; i++) {
        ret_answer[i] = score[i * box->outputs + in->output];
    }
    return OK;
}

struct status
surrogate_grow(const struct black_box *box, const struct surrogate_input *in, struct diag *diag,
               struct surrogate *ret_surrogate)
{
    ASSERT(in->leaves >= 1 && in->leaves <= SURROGATE_MOST_LEAVES && in->least >= 1);
    ASSERT(in->held_out >= 0 && in->held_out < 1 && in->output < box->outputs);
    if (in->rows < SURROGATE_LEAST_ROWS) {
        diag_set(diag, "%zu rows: a surrogate needs %u", in->rows, SURROGATE_LEAST_ROWS);
        FAIL(INPUT);
    }
    DEFER(surrogate_done) struct surrogate s = {0};
    DEFER(memory_freep) double *answer = calloc(in->rows, sizeof *answer);
    DEFER(memory_freep) size_t *row = calloc(in->rows, sizeof *row);
    DEFER(memory_freep) uint32_t *place = calloc(in->rows, sizeof *place);
    CHECK(answer != NULL && row != NULL && place != NULL, MEMORY);
    TRY(ask(box, in, diag, answer));
    TRY(order_rows(in->x, in->rows, box->features, NULL, place));
    struct rng r;
    rng_init(&r, in->seed, "surrogate");
    for (size_t i = 0; i < in->rows; i++) {
        row[i] = place[i]; /* so that who is held out follows from the rows as a set */
    }
    rng_shuffle(&r, row, in->rows);
    const size_t held = (size_t)((double)in->rows * in->held_out);
    TRY(grow_on(in, box->features, row + held, in->rows - held, answer, &s));
    measure(in, row, held > 0 ? held : in->rows, box->features, answer, &s);
    if (s.refused) {
        drop_tree(&s);
    }
    *ret_surrogate = s;
    s = (struct surrogate){0};
    return OK;
}
