/* The order of operations for single rows. A tape goes down and up again node by node, each waiting
 * for the one before; here all of a tree's nodes go down, level by level, then up, so that those of
 * a level wait for nothing, and a run of one kind needs no jumps. Each node has a place of its own,
 * and gains are kept until they are added in the tape's order, which the digits are of. */
#include "assess/explain_lanes_parts.h"

#define PLACES_MAX 2048u /* of a tree: beyond, they would not stay in the cache */

struct order {
    struct lanes *l;
    struct lanes_op *node; /* of one tree, in the tape's order */
    uint8_t *level;
    uint32_t nodes, places;
    uint32_t place_of[2 * (FOREST_MAX_DEPTH + 2)]; /* of a place of the tape, at the moment */
    uint32_t open[FOREST_MAX_DEPTH + 2];           /* the node of a level that is not yet up */
};

static void
order_done(struct order *o)
{
    free(o->node);
    free(o->level);
}

static void
put_gain(struct order *o, struct lanes_tree *tree, struct lanes_op *node)
{
    o->l->gain_slot[tree->gain + tree->gains] = node->slot;
    node->slot = tree->gains++;
}

static void
put_op(struct order *o, struct lanes_tree *tree, const struct lanes_op *op)
{
    const uint32_t level = op->place / 2u;
    if (op->kind == LANES_UP) {
        put_gain(o, tree, &o->node[o->open[level]]);
        return;
    }
    struct lanes_op *node = &o->node[o->nodes];
    *node = *op;
    node->place = (uint16_t)o->place_of[op->place];
    node->before = (uint16_t)o->place_of[op->before];
    if (op->kind == LANES_DOWN) {
        node->below = (uint16_t)o->places;
        o->place_of[op->below] = o->places++;
        o->place_of[op->below + 1u] = o->places++;
        o->open[level] = o->nodes;
    } else if (op->kind == LANES_BOTTOM) {
        put_gain(o, tree, node);
    }
    o->level[o->nodes++] = (uint8_t)level;
}

/* Appends the nodes of that kind; returns how many. level: UINT32_MAX for all. */
static uint32_t
take(const struct order *o, enum lanes_kind kind, bool again, uint32_t level, uint32_t *at)
{
    const uint32_t first = *at;
    for (uint32_t i = 0; i < o->nodes; i++) {
        const struct lanes_op *node = &o->node[i];
        const bool same = kind != LANES_BOTTOM || node->again == again;
        if (node->kind == kind && same && (level == UINT32_MAX || o->level[i] == level)) {
            o->l->row_op[(*at)++] = *node;
        }
    }
    return *at - first;
}

/* false: the tree has too many places. */
static bool
order_tree(struct order *o, struct lanes_tree *tree, uint32_t *at)
{
    o->nodes = 0;
    o->places = 1;
    o->place_of[0] = 0;
    tree->row = *at;
    for (uint32_t i = tree->op; i < tree->op_end; i++) {
        if (o->places > PLACES_MAX) {
            return false;
        }
        put_op(o, tree, &o->l->op[i]);
    }
    for (uint32_t level = 0; level < o->l->levels; level++) {
        tree->downs += take(o, LANES_DOWN, false, level, at);
    }
    tree->leaves = take(o, LANES_LEAF, false, UINT32_MAX, at);
    tree->bottoms = take(o, LANES_BOTTOM, false, UINT32_MAX, at);
    tree->bottoms_again = take(o, LANES_BOTTOM, true, UINT32_MAX, at);
    o->l->row_places = o->places > o->l->row_places ? o->places : o->l->row_places;
    o->l->row_gains = tree->gains > o->l->row_gains ? tree->gains : o->l->row_gains;
    return true;
}

struct status
lanes_row_order(struct lanes *l, uint32_t trees)
{
    DEFER(order_done) struct order o = {.l = l};
    uint32_t ops = 0, most = 0, at = 0, gain = 0;
    for (uint32_t t = 0; t < trees; t++) {
        const uint32_t own = l->tree[t].op_end - l->tree[t].op;
        ops += own;
        most = own > most ? own : most;
    }
    l->row_op = malloc(((size_t)ops + 1) * sizeof *l->row_op);
    l->gain_slot = malloc(((size_t)ops + 1) * sizeof *l->gain_slot);
    o.node = malloc(((size_t)most + 1) * sizeof *o.node);
    o.level = malloc((size_t)most + 1);
    CHECK(l->row_op != NULL && l->gain_slot != NULL && o.node != NULL && o.level != NULL, MEMORY);
    for (uint32_t t = 0; t < trees; t++) {
        l->tree[t].gain = gain;
        if (!order_tree(&o, &l->tree[t], &at)) {
            free(MOVE(l->row_op));
            return OK;
        }
        gain += l->tree[t].gains;
    }
    return OK;
}
