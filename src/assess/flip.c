#include "assess/flip.h"

#include <math.h>
#include <stdlib.h>

#define OTHER (FLIP_MAX_CATEGORY + 1) /* every category that no split lists: left everywhere */
#define CATEGORIES (OTHER + 1)

/* A feature's atoms: intervals between its thresholds, or its categories; and the missing value. */
struct axis {
    bool read, categorical;
    float *cuts; /* thresholds, ascending: atom i holds cuts[i-1] <= v < cuts[i] */
    uint32_t cut_count;
    double *before;            /* weight of the atoms before i; numeric: cut_count + 2 of them */
    double weight[CATEGORIES]; /* categorical */
    double missing;
};

/* Values of one feature in a box. */
struct side {
    union {
        struct {
            uint32_t low, high; /* atoms low..high-1 */
        };
        uint64_t mask; /* categories */
    };
    bool missing;
};

struct box {
    double mass;
    struct side *side; /* features */
};

struct search {
    const struct forest *f;
    const struct flip_options *o;
    struct axis *axis; /* features */
    uint32_t *rank;    /* nodes: index of the threshold in its axis */
    uint64_t *listed;  /* nodes: categories that go right */
    uint32_t *same;    /* nodes: the first one that asks the same */
    double *score;     /* nodes: what questions like this leave undecided; 0 between boxes */
    uint32_t *asked;   /* trees * values: workspace of judge */
    struct box *heap;  /* largest first */
    size_t heap_count, heap_room;
    struct side *spare; /* features */
    double flips, fair; /* mass proven */
};

static void
search_done(struct search *s)
{
    for (uint32_t j = 0; s->axis != NULL && j < s->f->features; j++) {
        free(s->axis[j].cuts);
        free(s->axis[j].before);
    }
    for (size_t i = 0; i < s->heap_count; i++) {
        free(s->heap[i].side);
    }
    free(s->axis);
    free(s->rank);
    free(s->listed);
    free(s->same);
    free(s->score);
    free(s->heap);
    free(s->spare);
    free(s->asked);
}

/* ---- the axes ---- */

static bool
is_inner(const struct forest *f, uint32_t n)
{
    return f->left[n] >= 0;
}

static int
by_value(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static struct status
count_cuts(struct search *s, struct diag *diag)
{
    const struct forest *f = s->f;
    for (uint32_t n = 0; n < f->nodes; n++) {
        if (!is_inner(f, n)) {
            continue;
        }
        struct axis *a = &s->axis[f->feature[n]];
        const bool categorical = f->category_count[n] > 0;
        if (f->feature[n] != s->o->feature && !categorical && !forest_compares(f, n)) {
            diag_set(diag, "feature %u has splits that take zero for missing", f->feature[n]);
            FAIL(UNSUPPORTED);
        }
        if (a->read && a->categorical != categorical) {
            diag_set(diag, "feature %u is split both by threshold and by category", f->feature[n]);
            FAIL(UNSUPPORTED);
        }
        a->read = true;
        a->categorical = categorical;
        a->cut_count += !categorical;
        for (uint32_t k = 0; k < f->category_count[n]; k++) {
            const uint32_t c = f->categories[f->category_start[n] + k];
            if (c > FLIP_MAX_CATEGORY) {
                diag_set(diag, "feature %u has more than %u categories", f->feature[n],
                         FLIP_MAX_CATEGORY + 1);
                FAIL(UNSUPPORTED);
            }
            s->listed[n] |= UINT64_C(1) << c;
        }
    }
    return OK;
}

static void
sort_cuts(struct axis *a)
{
    uint32_t kept = 0;
    if (a->cut_count > 1) {
        qsort(a->cuts, a->cut_count, sizeof *a->cuts, by_value);
    }
    for (uint32_t i = 0; i < a->cut_count; i++) {
        if (kept == 0 || a->cuts[i] != a->cuts[kept - 1]) {
            a->cuts[kept++] = a->cuts[i];
        }
    }
    a->cut_count = kept;
}

/* The first cut above v: the atom that v is in. */
static uint32_t
atom_of(const struct axis *a, float v)
{
    uint32_t low = 0, high = a->cut_count;
    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        if (v < a->cuts[middle]) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static struct status
make_cuts(struct search *s)
{
    const struct forest *f = s->f;
    for (uint32_t j = 0; j < f->features; j++) {
        struct axis *a = &s->axis[j];
        a->cuts = calloc(a->cut_count + (size_t)1, sizeof *a->cuts);
        a->before = calloc(a->cut_count + (size_t)2, sizeof *a->before);
        CHECK(a->cuts != NULL && a->before != NULL, MEMORY);
        a->cut_count = 0;
    }
    for (uint32_t n = 0; n < f->nodes; n++) {
        if (is_inner(f, n) && f->category_count[n] == 0) {
            struct axis *a = &s->axis[f->feature[n]];
            a->cuts[a->cut_count++] = f->threshold[n];
        }
    }
    for (uint32_t j = 0; j < f->features; j++) {
        sort_cuts(&s->axis[j]);
    }
    for (uint32_t n = 0; n < f->nodes; n++) {
        if (is_inner(f, n) && f->category_count[n] == 0) {
            s->rank[n] = atom_of(&s->axis[f->feature[n]], f->threshold[n]) - 1;
        }
    }
    return OK;
}

struct question {
    uint32_t feature, rank, node;
    bool missing_left;
    uint64_t listed;
};

static int
by_question(const void *a, const void *b)
{
    const struct question *p = a, *q = b;
    if (p->feature != q->feature) {
        return p->feature < q->feature ? -1 : 1;
    }
    if (p->rank != q->rank) {
        return p->rank < q->rank ? -1 : 1;
    }
    if (p->listed != q->listed) {
        return p->listed < q->listed ? -1 : 1;
    }
    if (p->missing_left != q->missing_left) {
        return p->missing_left ? 1 : -1;
    }
    return (p->node > q->node) - (p->node < q->node);
}

/* Many nodes of many trees ask the same. */
static struct status
find_same(struct search *s)
{
    const struct forest *f = s->f;
    DEFER(memory_freep) struct question *q = calloc(f->nodes, sizeof *q);
    size_t n = 0;
    CHECK(q != NULL, MEMORY);
    for (uint32_t i = 0; i < f->nodes; i++) {
        if (is_inner(f, i)) {
            q[n++] = (struct question){.feature = f->feature[i],
                                       .rank = s->rank[i],
                                       .node = i,
                                       .missing_left = f->default_left[i] != 0,
                                       .listed = s->listed[i]};
        }
    }
    if (n > 1) {
        qsort(q, n, sizeof *q, by_question);
    }
    for (size_t i = 0; i < n; i++) {
        const bool first = i == 0 || q[i].feature != q[i - 1].feature ||
                           q[i].rank != q[i - 1].rank || q[i].listed != q[i - 1].listed ||
                           q[i].missing_left != q[i - 1].missing_left;
        s->same[q[i].node] = first ? q[i].node : s->same[q[i - 1].node];
    }
    return OK;
}

/* ---- their measure ---- */

static uint32_t
category_of(float v)
{
    return v >= 0 && v < (float)OTHER ? (uint32_t)v : OTHER;
}

static void
measure_rows(const struct search *s, struct axis *a, const float *x, size_t rows, uint32_t j)
{
    const double each = 1 / (double)rows;
    for (size_t i = 0; i < rows; i++) {
        const float v = x[i * s->f->features + j];
        if (isnan(v)) {
            a->missing += each;
        } else if (a->categorical) {
            a->weight[category_of(v)] += each;
        } else {
            a->before[atom_of(a, v) + 1] += each;
        }
    }
}

static struct status
measure_range(const struct search *s, struct axis *a, const float *x, size_t rows, uint32_t j,
              struct diag *diag)
{
    double low = INFINITY, high = -INFINITY, kinds = 0;
    for (size_t i = 0; i < rows; i++) {
        const float v = x[i * s->f->features + j];
        if (isfinite(v)) {
            low = fmin(low, (double)v);
            high = fmax(high, (double)v);
            a->weight[category_of(v)] = a->categorical;
        }
    }
    if (low > high) {
        diag_set(diag, "feature %u has no finite value: it covers no range", j);
        FAIL(INPUT);
    }
    for (uint32_t i = 0; i <= a->cut_count && !a->categorical; i++) {
        const double from = i == 0 ? low : fmax(low, (double)a->cuts[i - 1]);
        const double to = i == a->cut_count ? high : fmin(high, (double)a->cuts[i]);
        a->before[i + 1] = high > low ? fmax(to - from, 0) / (high - low) : 0;
    }
    if (high == low && !a->categorical) {
        a->before[atom_of(a, (float)low) + 1] = 1;
    }
    for (uint32_t k = 0; k < CATEGORIES; k++) {
        kinds += a->weight[k];
    }
    for (uint32_t k = 0; k < CATEGORIES && a->categorical; k++) {
        a->weight[k] /= kinds;
    }
    return OK;
}

static struct status
measure_all(struct search *s, const float *x, size_t rows, struct diag *diag)
{
    for (uint32_t j = 0; j < s->f->features; j++) {
        struct axis *a = &s->axis[j];
        if (!a->read || j == s->o->feature) {
            continue;
        }
        if (s->o->measure == FLIP_EMPIRICAL) {
            measure_rows(s, a, x, rows, j);
        } else {
            TRY(measure_range(s, a, x, rows, j, diag));
        }
        for (uint32_t i = 0; i <= a->cut_count; i++) {
            a->before[i + 1] += a->before[i];
        }
    }
    return OK;
}

static double
weight_of(const struct axis *a, const struct side *side)
{
    double w = side->missing ? a->missing : 0;
    if (!a->categorical) {
        return w + (side->high > side->low ? a->before[side->high] - a->before[side->low] : 0);
    }
    for (uint32_t k = 0; k < CATEGORIES; k++) {
        w += (side->mask >> k & 1) != 0 ? a->weight[k] : 0;
    }
    return w;
}

/* ---- bounds in a box ---- */

/* The part of `side` that goes left at node n, and the part that goes right. */
static void
part(const struct search *s, uint32_t n, const struct side *side, struct side *left,
     struct side *right)
{
    const struct axis *a = &s->axis[s->f->feature[n]];
    *left = *right = *side;
    left->missing = side->missing && s->f->default_left[n] != 0;
    right->missing = side->missing && s->f->default_left[n] == 0;
    if (a->categorical) {
        left->mask = side->mask & ~s->listed[n];
        right->mask = side->mask & s->listed[n];
        return;
    }
    const uint32_t at = s->rank[n] + 1; /* atoms below go left */
    left->high = side->high < at ? side->high : at;
    right->low = side->low > at ? side->low : at;
}

static bool
has_any(const struct search *s, uint32_t feature, const struct side *side)
{
    const struct axis *a = &s->axis[feature];
    return side->missing || (a->categorical ? side->mask != 0 : side->low < side->high);
}

struct range {
    double low, high;
    uint32_t split; /* an inner node whose test the box does not decide; UINT32_MAX: none */
};

/* The leaves of a tree that the box can reach. */
static struct range
reach(const struct search *s, uint32_t n, struct side *side, float value)
{
    const struct forest *f = s->f;
    while (is_inner(f, n)) {
        const uint32_t j = f->feature[n];
        if (j == s->o->feature) {
            n = forest_step(f, n, value);
            continue;
        }
        struct side left, right;
        part(s, n, &side[j], &left, &right);
        const bool l = has_any(s, j, &left), r = has_any(s, j, &right);
        if (l && r) {
            const struct side whole = side[j];
            side[j] = left;
            const struct range a = reach(s, (uint32_t)f->left[n], side, value);
            side[j] = right;
            const struct range b = reach(s, (uint32_t)f->right[n], side, value);
            side[j] = whole;
            return (struct range){fmin(a.low, b.low), fmax(a.high, b.high), n};
        }
        n = (uint32_t)(l ? f->left[n] : f->right[n]);
    }
    return (struct range){f->value[n], f->value[n], UINT32_MAX};
}

enum verdict { OPEN, FLIPS, FAIR };

/* The first undecided questions of the trees, each by how much its trees leave undecided: the one
 * that leaves most is asked next. Scores are wiped for the next box. */
struct vote {
    uint32_t *asked; /* trees * values */
    size_t count;
};

static uint32_t
count_votes(struct search *s, const struct vote *v)
{
    uint32_t best = UINT32_MAX;
    double most = -1;
    for (size_t i = 0; i < v->count; i++) {
        const double score = s->score[v->asked[i]];
        if (score > most) {
            most = score;
            best = v->asked[i];
        }
    }
    for (size_t i = 0; i < v->count; i++) {
        s->score[v->asked[i]] = 0;
    }
    return best;
}

/* How far a tree's leaf for `value` can lie above that for the first value, in the same point of
 * the box. */
static struct range
change(const struct search *s, uint32_t n, struct side *side, float value)
{
    const struct forest *f = s->f;
    while (is_inner(f, n)) {
        const uint32_t j = f->feature[n];
        struct side left, right;
        if (j == s->o->feature) {
            const uint32_t was = forest_step(f, n, s->o->values[0]), is = forest_step(f, n, value);
            if (was != is) {
                const struct range a = reach(s, was, side, s->o->values[0]);
                const struct range b = reach(s, is, side, value);
                return (struct range){b.low - a.high, b.high - a.low, UINT32_MAX};
            }
            n = was;
            continue;
        }
        part(s, n, &side[j], &left, &right);
        const bool l = has_any(s, j, &left), r = has_any(s, j, &right);
        if (l && r) {
            const struct side whole = side[j];
            side[j] = left;
            const struct range a = change(s, (uint32_t)f->left[n], side, value);
            side[j] = right;
            const struct range b = change(s, (uint32_t)f->right[n], side, value);
            side[j] = whole;
            return (struct range){fmin(a.low, b.low), fmax(a.high, b.high), n};
        }
        n = (uint32_t)(l ? f->left[n] : f->right[n]);
    }
    return (struct range){0, 0, UINT32_MAX};
}

/* The margin for one value, and how far it is from that for the first. */
struct bounds {
    double low, high;
    double down, up; /* of the change: at most so far below and above */
    double size;     /* of all that is added, for the rounding of `down` and `up` */
    bool changes;    /* some tree can answer otherwise */
};

static struct bounds
bound(struct search *s, const struct box *box, uint32_t v, struct vote *votes)
{
    const struct forest *f = s->f;
    struct bounds sum = {.low = f->base[0], .high = f->base[0], .size = fabs(f->base[0])};
    for (uint32_t t = 0; t < f->trees; t++) {
        const uint32_t root = f->tree_start[t];
        const struct range r = reach(s, root, box->side, s->o->values[v]);
        const struct range c =
            v == 0 ? (struct range){0, 0, UINT32_MAX} : change(s, root, box->side, s->o->values[v]);
        const double w = f->tree_weight[t], a = w * r.low, b = w * r.high;
        sum.low += fmin(a, b);
        sum.high += fmax(a, b);
        sum.down += fmin(w * c.low, w * c.high);
        sum.up += fmax(w * c.low, w * c.high);
        sum.size += fmax(fabs(a), fabs(b)) + fabs(w) * fmax(fabs(c.low), fabs(c.high));
        sum.changes |= c.low != 0 || c.high != 0;
        if (r.split != UINT32_MAX) {
            const uint32_t n = s->same[r.split];
            s->score[n] += fabs(b - a);
            votes->asked[votes->count++] = n;
        }
    }
    return sum;
}

/* Whether a point of the box may be decided otherwise than with the first value. Where no tree can
 * change, both margins are the same sum, however it is rounded; else the change is known to the
 * rounding of the sums. */
static bool
may_flip(const struct search *s, const struct bounds *first, const struct bounds *b)
{
    const double at = s->o->margin;
    const double slack = 4 * (double)(s->f->trees + 1) * 0x1p-52 * (first->size + b->size);
    const bool rises = first->low < at && b->high >= at && first->high >= at - b->up - slack;
    const bool falls = first->high >= at && b->low < at && first->low < at - b->down + slack;
    return b->changes && (rises || falls);
}

/* *ret_split: where to cut a box that is open. */
static enum verdict
judge(struct search *s, const struct box *box, uint32_t *ret_split)
{
    struct vote votes = {.asked = s->asked};
    const struct bounds first = bound(s, box, 0, &votes);
    const double at = s->o->margin;
    bool positive = first.low >= at, negative = first.high < at, open = false;
    for (uint32_t v = 1; v < s->o->value_count; v++) {
        const struct bounds b = bound(s, box, v, &votes);
        positive |= b.low >= at;
        negative |= b.high < at;
        open |= may_flip(s, &first, &b);
    }
    *ret_split = count_votes(s, &votes);
    return positive && negative ? FLIPS : open ? OPEN : FAIR;
}

/* ---- largest first ---- */

static struct status
push(struct search *s, const struct side *side, double mass)
{
    if (s->heap_count == s->heap_room) {
        const size_t room = s->heap_room == 0 ? 256 : 2 * s->heap_room;
        struct box *heap = realloc(s->heap, room * sizeof *heap);
        CHECK(heap != NULL, MEMORY);
        s->heap = heap;
        s->heap_room = room;
    }
    struct side *own = calloc(s->f->features, sizeof *own);
    CHECK(own != NULL, MEMORY);
    memcpy(own, side, s->f->features * sizeof *own);
    size_t i = s->heap_count++;
    for (; i > 0 && s->heap[(i - 1) / 2].mass < mass; i = (i - 1) / 2) {
        s->heap[i] = s->heap[(i - 1) / 2];
    }
    s->heap[i] = (struct box){mass, own};
    return OK;
}

static struct box
pop(struct search *s)
{
    const struct box top = s->heap[0], last = s->heap[--s->heap_count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < s->heap_count; i = child) {
        child += child + 1 < s->heap_count && s->heap[child + 1].mass > s->heap[child].mass;
        if (s->heap[child].mass <= last.mass) {
            break;
        }
        s->heap[i] = s->heap[child];
    }
    s->heap[i] = last;
    return top;
}

static struct status
split(struct search *s, const struct box *box, uint32_t n)
{
    const uint32_t j = s->f->feature[n];
    const struct axis *a = &s->axis[j];
    struct side half[2];
    const double whole = weight_of(a, &box->side[j]);
    part(s, n, &box->side[j], &half[0], &half[1]);
    memcpy(s->spare, box->side, s->f->features * sizeof *s->spare);
    for (unsigned k = 0; k < 2; k++) {
        const double mass = box->mass * (weight_of(a, &half[k]) / whole);
        if (mass > 0) { /* what has no measure adds nothing */
            s->spare[j] = half[k];
            TRY(push(s, s->spare, mass));
        }
    }
    return OK;
}

static struct status
look(struct search *s, const struct box *box)
{
    uint32_t at = UINT32_MAX;
    switch (judge(s, box, &at)) {
    case FLIPS:
        s->flips += box->mass;
        return OK;
    case FAIR:
        s->fair += box->mass;
        return OK;
    default:
        ASSERT(at != UINT32_MAX); /* without one, every margin is a single number */
        return split(s, box, at);
    }
}

static struct status
run(struct search *s, struct flip_result *r)
{
    while (s->heap_count > 0 && r->boxes < s->o->boxes) {
        const struct box box = pop(s);
        r->boxes++;
        const struct status done = look(s, &box);
        free(box.side);
        TRY(done);
    }
    double open = 0;
    for (size_t i = 0; i < s->heap_count; i++) {
        open += s->heap[i].mass;
    }
    const double whole = s->flips + s->fair + open;
    r->exact = s->heap_count == 0;
    r->lower = whole > 0 ? s->flips / whole : 0;
    r->upper = whole > 0 ? (s->flips + open) / whole : 0;
    return OK;
}

/* ---- the rows ---- */

static struct status
count_rows(const struct search *s, const float *x, size_t rows, struct flip_result *r)
{
    const size_t width = s->f->features;
    DEFER(memory_freep) float *row = calloc(width, sizeof *row);
    CHECK(row != NULL, MEMORY);
    for (size_t i = 0; i < rows; i++) {
        double margin = 0;
        forest_margin_ref(s->f, x + i * width, 1, &margin);
        const bool decided = margin >= s->o->margin;
        bool flips = false;
        memcpy(row, x + i * width, width * sizeof *row);
        for (uint32_t v = 0; v < s->o->value_count && !flips; v++) {
            row[s->o->feature] = s->o->values[v];
            forest_margin_ref(s->f, row, 1, &margin);
            flips = (margin >= s->o->margin) != decided;
        }
        r->flipped += flips;
    }
    r->rows = rows;
    return OK;
}

static struct status
check(const struct forest *f, size_t rows, const struct flip_options *o, struct diag *diag)
{
    if (f->outputs != 1) {
        diag_set(diag, "a model of %u outputs: one margin is needed", f->outputs);
        FAIL(UNSUPPORTED);
    }
    if (rows == 0 || o->feature >= f->features || o->value_count < 2 ||
        o->value_count > FLIP_MAX_VALUES || !isfinite(o->margin) || o->boxes == 0 ||
        o->boxes > FLIP_MAX_BOXES) {
        diag_set(diag, "%zu rows, feature %u of %u, %u values, %zu boxes: out of range", rows,
                 o->feature, f->features, o->value_count, o->boxes);
        FAIL(INPUT);
    }
    return OK;
}

struct status
flip_certificate(const struct forest *f, const float *x, size_t rows, const struct flip_options *o,
                 struct diag *diag, struct flip_result *ret_result)
{
    DEFER(search_done) struct search s = {.f = f, .o = o};
    struct flip_result r = {0};
    TRY(check(f, rows, o, diag));
    s.axis = calloc(f->features, sizeof *s.axis);
    s.rank = calloc(f->nodes, sizeof *s.rank);
    s.listed = calloc(f->nodes, sizeof *s.listed);
    s.spare = calloc(f->features, sizeof *s.spare);
    s.same = calloc(f->nodes, sizeof *s.same);
    s.score = calloc(f->nodes, sizeof *s.score);
    s.asked = calloc((size_t)f->trees * o->value_count + 1, sizeof *s.asked);
    CHECK(s.axis != NULL && s.rank != NULL && s.listed != NULL && s.spare != NULL &&
              s.same != NULL && s.score != NULL && s.asked != NULL,
          MEMORY);
    TRY(count_cuts(&s, diag));
    TRY(make_cuts(&s));
    TRY(find_same(&s));
    TRY(measure_all(&s, x, rows, diag));
    for (uint32_t j = 0; j < f->features; j++) {
        if (s.axis[j].categorical) {
            s.spare[j].mask = UINT64_MAX;
        } else {
            s.spare[j].high = s.axis[j].cut_count + 1;
        }
        s.spare[j].missing = true;
    }
    r.read = s.axis[o->feature].read;
    TRY(push(&s, s.spare, 1));
    TRY(run(&s, &r));
    TRY(count_rows(&s, x, rows, &r));
    *ret_result = r;
    return OK;
}
