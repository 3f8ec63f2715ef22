/* Building the tapes, and the blocks of rows that are run through them. */
#include "assess/explain_lanes_parts.h"

#include "assess/explain.h"
#include "assess/explain_tape.h"

struct build {
    struct lanes *l;
    const struct ranks *ranks;
    uint32_t *slot_of_feature;
    struct tape tape;
};

static void
build_done(struct build *b)
{
    free(b->slot_of_feature);
    tape_done(&b->tape);
}

static struct ranks_split
split_of(const void *context, uint32_t n)
{
    return ranks_split(*(const struct ranks *const *)context, n);
}

/* ---- sections ---- */

static struct status
section_new(struct build *b, uint32_t first, uint32_t end, struct lanes_section *s)
{
    const struct forest *f = b->l->forest;
    TRY(ranks_new(f, first, end, true, &s->ranks));
    b->ranks = s->ranks;
    const uint32_t columns = ranks_columns(s->ranks);
    b->l->columns = columns > b->l->columns ? columns : b->l->columns;
    s->run = calloc((size_t)f->outputs + 1, sizeof *s->run);
    CHECK(s->run != NULL, MEMORY);
    uint32_t at = first;
    for (uint32_t o = 0; o < f->outputs; o++) {
        s->run[o] = at;
        for (uint32_t t = first; t < end; t++) {
            if (f->tree_output[t] == o) {
                struct lanes_tree *to = &b->l->tree[at++];
                TRY(tape_tree(&b->tape, t, to));
                b->l->nodes = to->nodes > b->l->nodes ? to->nodes : b->l->nodes;
            }
        }
    }
    s->run[f->outputs] = at;
    return OK;
}

static struct status
sections_new(struct build *b)
{
    const struct forest *f = b->l->forest;
    for (uint32_t first = 0; first < f->trees;) {
        uint32_t end = first;
        TRY(ranks_trees_that_fit(f, first, RANKS_MOST16, &end));
        CHECK(end > first, UNSUPPORTED);
        struct lanes_section *more =
            realloc(b->l->section, (b->l->sections + 1) * sizeof *b->l->section);
        CHECK(more != NULL, MEMORY);
        b->l->section = more;
        b->l->section[b->l->sections] = (struct lanes_section){0};
        TRY(section_new(b, first, end, &b->l->section[b->l->sections++]));
        first = end;
    }
    return OK;
}

static struct status
slots_new(struct build *b)
{
    const struct forest *f = b->l->forest;
    b->slot_of_feature = calloc((size_t)f->features + 1, sizeof *b->slot_of_feature);
    b->l->feature_of_slot = calloc((size_t)f->features + 1, sizeof *b->l->feature_of_slot);
    CHECK(b->slot_of_feature != NULL && b->l->feature_of_slot != NULL, MEMORY);
    for (uint32_t n = 0; n < f->nodes; n++) {
        if (f->left[n] >= 0) {
            b->slot_of_feature[f->feature[n]] = 1;
        }
    }
    for (uint32_t i = 0; i < f->features; i++) {
        if (b->slot_of_feature[i] != 0) {
            b->l->feature_of_slot[b->l->slots] = i;
            b->slot_of_feature[i] = b->l->slots++;
        }
    }
    return OK;
}

static struct status
constants_keep(struct build *b)
{
    struct lanes *l = b->l;
    TRY(tape_ones(&b->tape));
    if (l->doubles) {
        l->wide = b->tape.constant.at;
        b->tape.constant.at = NULL;
        return OK;
    }
    l->narrow = malloc((b->tape.constant.n + 1) * sizeof *l->narrow);
    CHECK(l->narrow != NULL, MEMORY);
    const double *from = b->tape.constant.at;
    for (size_t i = 0; i < b->tape.constant.n; i++) {
        l->narrow[i] = (float)from[i];
    }
    return OK;
}

#define BLOCK_BYTES ((size_t)8 << 20) /* of a block's columns and accumulators, about */

static uint32_t
block_rows(const struct lanes *l)
{
    const size_t row = ((size_t)l->columns + l->slots + 1) * 16;
    const size_t fit = BLOCK_BYTES / row / RANKS_ROWS * RANKS_ROWS;
    return fit < RANKS_ROWS ? RANKS_ROWS
                            : (uint32_t)(fit < LANES_BLOCK_ROWS ? fit : LANES_BLOCK_ROWS);
}

struct status
lanes_new(const struct forest *f, const struct lanes_options *o, struct lanes **ret_lanes)
{
    ASSERT(o->doubles || !o->pairs);
    DEFER(lanes_freep) struct lanes *l = calloc(1, sizeof *l);
    CHECK(l != NULL, MEMORY);
    DEFER(build_done) struct build b = {.l = l};
    *l = (struct lanes){.forest = f, .doubles = o->doubles, .pairs = o->pairs, .nodes = 1};
    l->levels = f->depth + 1;
    l->avx2 = !o->portable && lanes_avx2();
    l->tree = calloc((size_t)f->trees + 1, sizeof *l->tree);
    CHECK(l->tree != NULL, MEMORY);
    TRY(slots_new(&b));
    CHECK(!o->pairs || l->slots <= EXPLAIN_PAIRS_FEATURES, LIMIT);
    b.tape.f = f;
    b.tape.pairs = o->pairs;
    b.tape.slot_of_feature = b.slot_of_feature;
    b.tape.split = split_of;
    b.tape.context = &b.ranks;
    TRY(tape_ones(&b.tape));
    TRY(sections_new(&b));
    TRY(constants_keep(&b));
    l->op = MOVE(b.tape.op.at);
    l->partner = MOVE(b.tape.partner.at);
    if (!o->pairs) {
        TRY(lanes_row_order(l, f->trees));
    }
    l->block_rows = block_rows(l);
    *ret_lanes = MOVE(l);
    return OK;
}

void
lanes_free(struct lanes *l)
{
    if (l == NULL) {
        return;
    }
    for (uint32_t i = 0; i < l->sections; i++) {
        ranks_free(l->section[i].ranks);
        free(l->section[i].run);
    }
    free(l->section);
    free(l->feature_of_slot);
    free(l->tree);
    free(l->op);
    free(l->row_op);
    free(l->gain_slot);
    free(l->partner);
    free(l->wide);
    free(l->narrow);
    free(l);
}

uint32_t
lanes_nodes(const struct lanes *l)
{
    return l->nodes;
}

uint32_t
lanes_block_rows(const struct lanes *l)
{
    return l->block_rows;
}

/* ---- rows ---- */

/* The parts of a thread's scratch, each aligned to a cache line. */
struct scratch {
    int16_t *ranks; /* [columns][rows, padded] */
    void *x;        /* [groups][columns][lanes] */
    void *phi;      /* [groups][slots][lanes] */
    double *total;  /* the same, doubles; only with floats */
    double *pairs;  /* [slots][slots][lanes], one group */
    void *levels;
    void *gains; /* of one tree and row */
};

#define FEW_ROWS 2u /* that are quicker one by one than in a group */

static uint32_t
group_lanes(const struct lanes *l)
{
    return LANES_VECTOR / (l->doubles ? 8u : 4u);
}

/* Rows in a group of those at hand. */
static uint32_t
lanes_for(const struct lanes *l, size_t rows)
{
    return rows <= FEW_ROWS && l->row_op != NULL ? 1 : group_lanes(l);
}

static size_t
aligned(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static size_t
padded(size_t rows)
{
    return (rows + RANKS_ROWS - 1) / RANKS_ROWS * RANKS_ROWS;
}

/* Places the parts for so many rows from `at`, which may be NULL; returns the bytes. */
static size_t
scratch_place(const struct lanes *l, size_t count, uint8_t *at, struct scratch *ret)
{
    const size_t rows = padded(count), real = l->doubles ? sizeof(double) : sizeof(float);
    const size_t group =
        (size_t)(l->levels + 1) * 2 * LANES_VECTOR * lanes_place_vectors(l->nodes, l->pairs);
    const size_t row = 4 * real * l->row_places * lanes_place_vectors((l->nodes + 3) / 4, false);
    const size_t sizes[] = {
        aligned(rows * l->columns * sizeof(int16_t)),
        aligned(rows * l->columns * real),
        aligned(rows * l->slots * real),
        l->doubles ? 0 : aligned(rows * l->slots * sizeof(double)),
        l->pairs ? aligned((size_t)l->slots * l->slots * LANES_VECTOR) : 0,
        aligned(group > row ? group : row),
        aligned(l->row_gains * real),
    };
    uint8_t *part[7];
    size_t offset = 0;
    for (size_t i = 0; i < 7; i++) {
        part[i] = at == NULL ? NULL : at + offset;
        offset += sizes[i];
    }
    *ret = (struct scratch){(void *)part[0], part[1], part[2], (void *)part[3],
                            (void *)part[4], part[5], part[6]};
    return offset;
}

size_t
lanes_scratch_bytes(const struct lanes *l, size_t rows)
{
    struct scratch s;
    return scratch_place(l, rows, NULL, &s);
}

/* Ranks of a section, from columns of rows to groups of lanes. */
static void
load_rows(const struct lanes *l, const struct lanes_section *s, const float *x, size_t rows,
          uint32_t lanes, const struct scratch *scratch)
{
    const uint32_t columns = ranks_columns(s->ranks);
    const size_t stride = padded(rows);
    ranks_rows16(s->ranks, x, rows, stride, scratch->ranks);
    for (size_t group = 0; group * lanes < rows; group++) {
        for (uint32_t c = 0; c < columns; c++) {
            const int16_t *from = scratch->ranks + c * stride + group * lanes;
            const size_t to = (group * columns + c) * lanes;
            for (uint32_t i = 0; i < lanes; i++) {
                if (l->doubles) {
                    ((double *)scratch->x)[to + i] = from[i];
                } else {
                    ((float *)scratch->x)[to + i] = from[i];
                }
            }
        }
    }
}

/* Adds what the floats have gathered to the doubles. */
static void
flush(float *phi, double *total, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        total[i] += (double)phi[i];
        phi[i] = 0.0f;
    }
}

static void
run_trees(const struct lanes *l, const struct lanes_section *s, uint32_t output, uint32_t groups,
          size_t cells, bool one_by_one, const struct scratch *scratch)
{
    lanes_kernel *kernel = one_by_one ? lanes_row_kernel_of(l) : lanes_kernel_of(l);
    const struct lanes_work w = {.lanes = l,
                                 .columns = ranks_columns(s->ranks),
                                 .x = scratch->x,
                                 .phi = scratch->phi,
                                 .pairs = scratch->pairs,
                                 .levels = scratch->levels,
                                 .gains = scratch->gains};
    for (uint32_t t = s->run[output]; t < s->run[output + 1]; t++) {
        kernel(&w, &l->tree[t], groups);
        const bool last = t + 1 == s->run[output + 1];
        if (!l->doubles &&
            (last || (t - s->run[output]) % LANES_FLUSH_TREES == LANES_FLUSH_TREES - 1)) {
            flush(scratch->phi, scratch->total, cells);
        }
    }
}

static void
store_rows(const struct lanes *l, uint32_t output, size_t rows, uint32_t lanes,
           const struct scratch *scratch, double *ret_phi, float *ret_single)
{
    const double *total = l->doubles ? scratch->phi : scratch->total;
    const size_t features = l->forest->features, width = features * l->forest->outputs;
    for (size_t i = 0; i < rows; i++) {
        const size_t to = i * width + output * features;
        const double *from = total + i / lanes * l->slots * lanes + i % lanes;
        if (ret_phi != NULL) {
            memset(ret_phi + to, 0, features * sizeof *ret_phi);
            for (uint32_t s = 0; s < l->slots; s++) {
                ret_phi[to + l->feature_of_slot[s]] = from[(size_t)s * lanes];
            }
        } else {
            memset(ret_single + to, 0, features * sizeof *ret_single);
            for (uint32_t s = 0; s < l->slots; s++) {
                ret_single[to + l->feature_of_slot[s]] = (float)from[(size_t)s * lanes];
            }
        }
    }
}

/* All sections' trees of one output. The ranks of a lone section stay from output to output. */
static void
run_output(const struct lanes *l, uint32_t output, const float *x, size_t rows,
           const struct scratch *scratch)
{
    const uint32_t lanes = lanes_for(l, rows);
    const size_t groups = (rows + lanes - 1) / lanes, cells = groups * l->slots * lanes;
    memset(scratch->phi, 0, cells * (l->doubles ? sizeof(double) : sizeof(float)));
    if (!l->doubles) {
        memset(scratch->total, 0, cells * sizeof *scratch->total);
    }
    for (uint32_t i = 0; i < l->sections; i++) {
        if (output == 0 || l->sections > 1) {
            load_rows(l, &l->section[i], x, rows, lanes, scratch);
        }
        run_trees(l, &l->section[i], output, (uint32_t)groups, cells, lanes == 1, scratch);
    }
}

void
lanes_rows(const struct lanes *l, const float *x, size_t rows, void *scratch, double *ret_phi,
           float *ret_single)
{
    ASSERT(rows <= l->block_rows && !l->pairs);
    struct scratch s;
    scratch_place(l, rows, scratch, &s);
    for (uint32_t o = 0; o < l->forest->outputs; o++) {
        run_output(l, o, x, rows, &s);
        store_rows(l, o, rows, lanes_for(l, rows), &s, ret_phi, ret_single);
    }
}

/* ---- pairs ---- */

/* The kernel has added each pair at [later split's slot][earlier one's]. */
static void
store_pairs(const struct lanes *l, size_t row, const struct scratch *scratch, double *ret)
{
    const uint32_t lanes = group_lanes(l);
    const size_t features = l->forest->features;
    const double *phi = scratch->phi;
    memset(ret, 0, features * features * sizeof *ret);
    for (uint32_t a = 0; a < l->slots; a++) {
        const size_t fa = l->feature_of_slot[a];
        double own = phi[(size_t)a * lanes + row];
        for (uint32_t b = 0; b < l->slots; b++) {
            if (a != b) {
                const double *pairs = scratch->pairs + row;
                const double half = 0.5 * (pairs[((size_t)a * l->slots + b) * lanes] +
                                           pairs[((size_t)b * l->slots + a) * lanes]);
                ret[fa * features + l->feature_of_slot[b]] = half;
                own -= half;
            }
        }
        ret[fa * features + fa] = own;
    }
}

void
lanes_pairs(const struct lanes *l, const float *x, size_t rows, void *scratch, double *ret_pairs)
{
    const size_t features = l->forest->features, outputs = l->forest->outputs;
    ASSERT(rows <= group_lanes(l) && l->pairs);
    struct scratch s;
    scratch_place(l, rows, scratch, &s);
    for (uint32_t o = 0; o < outputs; o++) {
        memset(s.pairs, 0, (size_t)l->slots * l->slots * LANES_VECTOR);
        run_output(l, o, x, rows, &s);
        for (size_t i = 0; i < rows; i++) {
            store_pairs(l, i, &s, ret_pairs + (i * outputs + o) * features * features);
        }
    }
}
