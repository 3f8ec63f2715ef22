/* Trees become tapes: constants are worked out here in double, once. */
#include "assess/explain_tape.h"

#include "assess/explain.h"

#include <math.h>

/* Newton's method on the Legendre polynomial from Tricomi's first guess; both halves from one, so
 * that t and 1 - t are exact mirrors. */
void
lanes_gauss(uint32_t n, double *ret_t, double *ret_rest, double *ret_weight)
{
    ASSERT(n >= 1 && n <= LANES_NODES_MAX);
    for (uint32_t i = 0; i < (n + 1) / 2; i++) {
        double x = cos(M_PI * (i + 0.75) / (n + 0.5)), slope = 1.0;
        for (int round = 0; round < 12; round++) {
            double before = 1.0, at = x;
            for (uint32_t k = 2; k <= n; k++) {
                const double next = ((2.0 * k - 1.0) * x * at - (k - 1.0) * before) / k;
                before = at;
                at = next;
            }
            slope = n * (x * at - before) / (x * x - 1.0);
            x -= at / slope;
        }
        x = n % 2 == 1 && i == n / 2 ? 0.0 : x;
        ret_t[i] = ret_rest[n - 1 - i] = (1.0 - x) / 2.0;
        ret_rest[i] = ret_t[n - 1 - i] = (1.0 + x) / 2.0;
        ret_weight[i] = ret_weight[n - 1 - i] = 1.0 / ((1.0 - x * x) * slope * slope);
    }
}

/* Room for n more; NULL when memory or 32-bit indices run out. */
static void *
list_more(struct tape_list *l, size_t n, size_t size)
{
    if (l->n + n > UINT32_MAX) {
        return NULL;
    }
    if (l->n + n > l->room) {
        const size_t room = 2 * (l->n + n) + 64;
        void *at = realloc(l->at, room * size);
        if (at == NULL) {
            return NULL;
        }
        l->at = at;
        l->room = room;
    }
    l->n += n;
    return (uint8_t *)l->at + (l->n - n) * size;
}

static struct status
constants_new(struct tape *b, size_t n, uint32_t *ret_index, double **ret_c)
{
    *ret_index = (uint32_t)b->constant.n;
    *ret_c = list_more(&b->constant, n, sizeof **ret_c);
    CHECK(*ret_c != NULL, MEMORY);
    return OK;
}

static bool
is_leaf(const struct forest *f, int32_t n)
{
    return f->left[n] < 0;
}

/* Most distinct features on a path below n. */
static uint32_t
most_distinct(const struct forest *f, uint32_t n, uint32_t *path, uint32_t count)
{
    if (f->left[n] < 0) {
        return count;
    }
    uint32_t i = 0;
    while (i < count && path[i] != f->feature[n]) {
        i++;
    }
    path[i] = f->feature[n];
    count += i == count;
    const uint32_t left = most_distinct(f, (uint32_t)f->left[n], path, count);
    const uint32_t right = most_distinct(f, (uint32_t)f->right[n], path, count);
    return left > right ? left : right;
}

/* 1 / F for a feature with that zero: where the row does not follow its splits, and where it does.
 */
static void
put_inverse(const struct tape *b, double zero, double *off, double *on)
{
    for (uint32_t k = 0; k < b->nodes; k++) {
        off[k] = zero > 0.0 ? 1.0 / (b->rest[k] * zero) : 0.0;
        on[k] = 1.0 / (b->t[k] + b->rest[k] * zero);
    }
}

static double
leaf_value(const struct tape *b, uint32_t n)
{
    return b->scale * (b->f->value[n] - b->mean);
}

static struct status
put_leaf(struct tape *b, uint32_t n, uint32_t place)
{
    double *c;
    struct lanes_op op = {.kind = LANES_LEAF, .place = (uint16_t)place};
    TRY(constants_new(b, b->nodes, &op.constants, &c));
    for (uint32_t k = 0; k < b->nodes; k++) {
        c[k] = leaf_value(b, n) * b->weight[k];
    }
    struct lanes_op *to = list_more(&b->op, 1, sizeof *to);
    CHECK(to != NULL, MEMORY);
    *to = op;
    return OK;
}

static struct status
put_partners(struct tape *b, const struct tape_step *self, uint32_t count, struct lanes_op *op)
{
    op->partner = (uint32_t)b->partner.n;
    for (uint32_t i = 0; b->pairs && i < count; i++) {
        if (&b->path[i] != self) {
            struct lanes_partner *p = list_more(&b->partner, 1, sizeof *p);
            CHECK(p != NULL, MEMORY);
            *p = (struct lanes_partner){b->path[i].slot, b->path[i].place};
            op->partners++;
        }
    }
    return OK;
}

/* Constants of an inner node; `bottom`: both children are leaves. */
static struct status
put_constants(struct tape *b, uint32_t n, bool bottom, double above, double left, double right,
              struct lanes_op *op)
{
    const uint32_t k = b->nodes;
    const bool pairs = b->pairs && !bottom;
    double *c;
    TRY(constants_new(b, 2 + (bottom ? 2 : 2 * k) + (pairs ? 4 * k : 0), &op->constants, &c));
    *c++ = left;
    *c++ = right;
    if (bottom) {
        *c++ = leaf_value(b, (uint32_t)b->f->left[n]);
        *c++ = leaf_value(b, (uint32_t)b->f->right[n]);
    } else {
        for (uint32_t i = 0; i < k; i++) {
            c[i] = b->rest[i] * left;
            c[k + i] = b->rest[i] * right;
        }
        c += 2 * k;
    }
    if (pairs) {
        put_inverse(b, left, c, c + k);
        put_inverse(b, right, c + 2 * k, c + 3 * k);
    }
    op->above = b->ones;
    if (op->again) {
        TRY(constants_new(b, 1 + 2 * k, &op->above, &c));
        *c = above;
        put_inverse(b, above, c + 1, c + 1 + k);
    }
    return OK;
}

/* The subtree of n; `count` distinct features above. Recursion is as deep as the tree. */
static struct status
put_node(struct tape *b, uint32_t n, uint32_t place, uint32_t count)
{
    const struct forest *f = b->f;
    if (f->left[n] < 0) {
        return put_leaf(b, n, place);
    }
    const bool bottom = is_leaf(f, f->left[n]) && is_leaf(f, f->right[n]);
    uint32_t i = 0;
    while (i < count && b->path[i].feature != f->feature[n]) {
        i++;
    }
    const struct tape_step before =
        i < count ? b->path[i]
                  : (struct tape_step){f->feature[n], b->slot_of_feature[f->feature[n]], 0, 1.0};
    const double share = explain_left_share(f, n);
    const struct ranks_split split = b->split(b->context, n);
    struct lanes_op op = {.kind = bottom ? LANES_BOTTOM : LANES_DOWN,
                          .again = i < count,
                          .place = (uint16_t)place,
                          .below = (uint16_t)lanes_below(place),
                          .before = (uint16_t)before.place,
                          .slot = before.slot,
                          .column = split.column,
                          .cut = (float)split.cut};
    TRY(put_constants(b, n, bottom, before.zero, before.zero * share, before.zero * (1.0 - share),
                      &op));
    TRY(put_partners(b, &b->path[i], count, &op));
    struct lanes_op *to = list_more(&b->op, 1, sizeof *to);
    CHECK(to != NULL, MEMORY);
    *to = op;
    if (bottom) {
        return OK;
    }
    const uint32_t distinct = i < count ? count : count + 1, below = lanes_below(place);
    b->path[i] = (struct tape_step){before.feature, before.slot, below, before.zero * share};
    TRY(put_node(b, (uint32_t)f->left[n], below, distinct));
    b->path[i] =
        (struct tape_step){before.feature, before.slot, below + 1, before.zero * (1.0 - share)};
    TRY(put_node(b, (uint32_t)f->right[n], below + 1, distinct));
    b->path[i] = before;
    to = list_more(&b->op, 1, sizeof *to);
    CHECK(to != NULL, MEMORY);
    *to = op;
    to->kind = LANES_UP;
    return OK;
}

#define ONES (1 + 2 * LANES_NODES_MAX + 3) /* a quad reads up to three more */

struct status
tape_begin(struct tape *b, uint32_t distinct, double scale, double mean,
           struct lanes_tree *ret_tree)
{
    double *c;
    b->nodes = distinct <= 2 ? 1 : (distinct + 1) / 2;
    b->scale = scale;
    b->mean = mean;
    lanes_gauss(b->nodes, b->t, b->rest, b->weight);
    *ret_tree = (struct lanes_tree){.nodes = b->nodes};
    TRY(constants_new(b, 3 * (size_t)b->nodes, &ret_tree->constants, &c));
    memcpy(c, b->t, b->nodes * sizeof *c);
    memcpy(c + b->nodes, b->rest, b->nodes * sizeof *c);
    memcpy(c + 2 * b->nodes, b->weight, b->nodes * sizeof *c);
    ret_tree->op = ret_tree->op_end = (uint32_t)b->op.n;
    return OK;
}

struct status
tape_tree(struct tape *b, uint32_t tree, struct lanes_tree *ret_tree)
{
    const uint32_t root = b->f->tree_start[tree];
    uint32_t path[FOREST_MAX_DEPTH + 1];
    TRY(tape_begin(b, most_distinct(b->f, root, path, 0), b->f->tree_weight[tree],
                   explain_expected_below(b->f, root), ret_tree));
    if (b->f->left[root] >= 0) { /* a tree of one leaf attributes nothing */
        TRY(put_node(b, root, 0, 0));
    }
    ret_tree->op_end = (uint32_t)b->op.n;
    return OK;
}

/* Link i and what hangs on it. */
static struct status
put_chain(struct tape *b, const struct tape_link *link, uint32_t links, uint32_t i, uint32_t n)
{
    if (i == links) {
        return put_node(b, n, 2 * i, i);
    }
    double *c;
    struct lanes_op op = {.kind = LANES_DOWN,
                          .place = (uint16_t)(2 * i),
                          .below = (uint16_t)(2 * i + 2),
                          .slot = link[i].slot,
                          .column = link[i].column,
                          .cut = 1.0f};
    TRY(put_constants(b, 0, false, 1.0, link[i].zero, 1.0 - link[i].zero, &op));
    struct lanes_op *to = list_more(&b->op, 1, sizeof *to);
    CHECK(to != NULL, MEMORY);
    *to = op;
    b->path[i] = (struct tape_step){link[i].feature, link[i].slot, (i + 1) * 2, link[i].zero};
    TRY(put_chain(b, link, links, i + 1, n));
    struct lanes_op nothing = {.kind = LANES_LEAF, .place = (uint16_t)(2 * i + 3)};
    TRY(constants_new(b, b->nodes, &nothing.constants, &c));
    memset(c, 0, b->nodes * sizeof *c);
    to = list_more(&b->op, 2, sizeof *to);
    CHECK(to != NULL, MEMORY);
    to[0] = nothing;
    to[1] = op;
    to[1].kind = LANES_UP;
    return OK;
}

struct status
tape_chain(struct tape *b, const struct tape_link *link, uint32_t links, uint32_t n,
           struct lanes_tree *tree)
{
    TRY(put_chain(b, link, links, 0, n));
    tree->op_end = (uint32_t)b->op.n;
    return OK;
}

struct status
tape_ones(struct tape *b)
{
    double *c;
    TRY(constants_new(b, ONES, &b->ones, &c));
    for (uint32_t i = 0; i < ONES; i++) {
        c[i] = 1.0;
    }
    return OK;
}

void
tape_reset(struct tape *b)
{
    b->op.n = b->partner.n = b->constant.n = 0;
}

void
tape_done(struct tape *b)
{
    free(b->op.at);
    free(b->partner.at);
    free(b->constant.at);
}
