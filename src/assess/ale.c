#include "assess/ale.h"

#include "num/counted.h"
#include "num/moments.h"

#include <math.h>

/* Rows belong to a place: numeric, the bin; category, the level's place in the order. Each step,
 * from point s to s + 1, is asked of the rows of one place (numeric: s + 1) or two (s, s + 1). */
struct steps {
    const struct black_box *box;
    const struct ale_input *in;
    const struct black_box_rows *part;
    const double *at; /* points */
    size_t points;
    /* blocks * places * outputs: differences of the step to the place, from it, and both added:
     * the covariance of the two follows from the three. */
    struct moments *moments;
};

enum { TO, FROM, SUM, KINDS };

void
ale_done(struct ale *a)
{
    free(a->at);
    free(a->count);
    free(a->effect);
    free(a->error);
}

/* The place of a value: points when it has none. */
static size_t
place_of(const struct steps *s, double v)
{
    if (s->in->order != NULL) {
        size_t p = 0;
        while (p < s->points && s->at[p] != v) {
            p++;
        }
        return p;
    }
    if (isnan(v)) {
        return s->points;
    }
    size_t low = 1, high = s->points - 1; /* the first edge that is not below v */
    while (low < high) {
        const size_t mid = (low + high) / 2;
        if (s->at[mid] < v) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* ---- points ---- */

static struct status
numeric_points(const struct ale_input *in, size_t stride, struct ale *a)
{
    DEFER(counted_done) struct counted values = {0};
    a->at = calloc(in->bins + 1, sizeof *a->at);
    CHECK(a->at != NULL, MEMORY);
    for (size_t p = 0; p < in->parts; p++) {
        DEFER(counted_done) struct counted own = {0};
        TRY(counted_add(&own, in->part[p].x + in->feature, in->part[p].rows, stride));
        TRY(counted_merge(&values, &own));
    }
    TRY(counted_settle(&values));
    const uint64_t n = counted_rows(&values);
    a->rows = n;
    a->missing = values.missing;
    for (size_t i = 0; n > 0 && i <= in->bins; i++) {
        const uint64_t rank = (n * i + in->bins - 1) / in->bins;
        const double edge = values.at[counted_place(&values, rank > 0 ? rank - 1 : 0)].value;
        if (a->points == 0 || edge > a->at[a->points - 1]) {
            a->at[a->points++] = edge;
        }
    }
    return OK;
}

static struct status
level_points(const struct ale_input *in, size_t stride, struct ale *a)
{
    DEFER(memory_freep) uint64_t *count = calloc(in->levels, sizeof *count);
    a->at = calloc(in->levels, sizeof *a->at);
    CHECK(count != NULL && a->at != NULL, MEMORY);
    for (size_t p = 0; p < in->parts; p++) {
        for (size_t i = 0; i < in->part[p].rows; i++) {
            const double v = in->part[p].x[i * stride + in->feature];
            if (v >= 0 && v < (double)in->levels && v == floor(v)) {
                count[(size_t)v]++;
                a->rows++;
            } else {
                a->missing++;
            }
        }
    }
    for (size_t k = 0; k < in->levels; k++) {
        if (count[in->order[k]] > 0) {
            a->at[a->points++] = (double)in->order[k];
        }
    }
    return OK;
}

/* ---- differences ---- */

/* Of the block, the rows that have a place. */
static size_t
rows_placed(const struct steps *s, size_t first, size_t n, size_t *ret_row, size_t *ret_place)
{
    size_t kept = 0;
    for (size_t i = first; i < first + n; i++) {
        ret_place[kept] = place_of(s, s->part->x[i * s->box->features + s->in->feature]);
        ret_row[kept] = i;
        kept += ret_place[kept] < s->points;
    }
    return kept;
}

/* Those rows with the feature at their place's point `ahead` of it. */
static void
set_rows(const struct steps *s, const size_t *row, const size_t *place, size_t n, int ahead,
         double *x)
{
    const size_t features = s->box->features;
    for (size_t i = 0; i < n; i++) {
        const size_t to = place[i] + (size_t)ahead;
        memcpy(x + i * features, s->part->x + row[i] * features, features * sizeof *x);
        if (to < s->points) {
            x[i * features + s->in->feature] = s->at[to];
        }
    }
}

static void
add_row(const struct steps *s, size_t place, const double *here, const double *before,
        const double *after, struct moments *m)
{
    const size_t outputs = s->box->outputs;
    for (size_t o = 0; o < outputs; o++) {
        struct moments *cell = m + (place * outputs + o) * KINDS;
        const double to = place > 0 ? here[o] - before[o] : 0;
        const double from = after != NULL && place + 1 < s->points ? after[o] - here[o] : 0;
        moments_add(&cell[TO], to);
        moments_add(&cell[FROM], from);
        moments_add(&cell[SUM], to + from);
    }
}

static struct status
step_block(void *ctx, size_t block, struct diag *diag)
{
    const struct steps *s = ctx;
    const size_t outputs = s->box->outputs, first = block * BLACK_BOX_BLOCK;
    const size_t left = s->part->rows - first,
                 all = left < BLACK_BOX_BLOCK ? left : BLACK_BOX_BLOCK;
    size_t row[BLACK_BOX_BLOCK], place[BLACK_BOX_BLOCK];
    DEFER(memory_freep) double *x = calloc(all * s->box->features, sizeof *x);
    DEFER(memory_freep) double *score = calloc(3 * all * outputs, sizeof *score);
    CHECK(x != NULL && score != NULL, MEMORY);
    const size_t n = rows_placed(s, first, all, row, place);
    const bool levels = s->in->order != NULL;
    for (int ahead = levels ? 1 : 0; ahead >= -1; ahead--) {
        set_rows(s, row, place, n, ahead, x);
        TRY(black_box_predict(s->box, x, n, diag, score + (size_t)(ahead + 1) * n * outputs));
    }
    for (size_t i = 0; i < n; i++) {
        const double *before = score + i * outputs, *here = before + n * outputs;
        add_row(s, place[i], here, before, levels ? here + n * outputs : NULL,
                s->moments + block * s->points * outputs * KINDS);
    }
    return OK;
}

/* ---- the effect ---- */

/* Rows that step s (to point s) was asked of. */
static double
asked_of(const struct ale *a, bool levels, size_t s)
{
    return (double)a->count[s] + (levels ? (double)a->count[s - 1] : 0);
}

/* Rows that lie behind step s (numeric: a bin's rows count half for each of its edges). */
static void
put_behind(const struct ale *a, bool levels, double *ret_behind)
{
    double behind = 0;
    for (size_t s = a->points; s-- > 0;) {
        ret_behind[s] = behind + (double)a->count[s] / (levels ? 1 : 2);
        behind += (double)a->count[s];
    }
}

/* Of step s in the centred effect at a point, for each row that the step was asked of. */
static double
step_weight(const struct ale *a, bool levels, const double *behind, size_t s, size_t point)
{
    return ((point >= s ? 1 : 0) - behind[s] / (double)a->rows) / asked_of(a, levels, s);
}

/* Rows of one place bear on the step to it and on the one from it: their covariance counts. */
static void
put_effect(const struct ale *a, bool levels, const double *behind, size_t outputs,
           const struct moments *m, double *ret_effect, double *ret_error)
{
    for (size_t point = 0; point < a->points; point++) {
        double effect = 0, variance = 0;
        for (size_t p = 0; p < a->points; p++) {
            const struct moments *cell = m + p * outputs * KINDS;
            const bool more = levels && p + 1 < a->points;
            const double n = (double)a->count[p];
            const double to = p > 0 ? step_weight(a, levels, behind, p, point) : 0;
            const double from = more ? step_weight(a, levels, behind, p + 1, point) : 0;
            if (n > 0) {
                const double v1 = moments_variance(&cell[TO]), v2 = moments_variance(&cell[FROM]);
                const double twice = moments_variance(&cell[SUM]) - v1 - v2;
                effect += n * (to * moments_mean(&cell[TO]) + from * moments_mean(&cell[FROM]));
                variance += n * (to * to * v1 + from * from * v2 + to * from * twice);
            }
        }
        ret_effect[point] = effect;
        ret_error[point] = variance < 0 ? 0 : sqrt(variance);
    }
}

/* The part's differences, to all[points * outputs * KINDS]. */
static struct status
accumulate(struct steps *s, struct diag *diag, struct moments *all)
{
    const size_t blocks = (s->part->rows + BLACK_BOX_BLOCK - 1) / BLACK_BOX_BLOCK;
    const size_t cells = s->points * s->box->outputs * KINDS;
    DEFER(memory_freep) struct moments *m = calloc(blocks * cells + 1, sizeof *m);
    CHECK(m != NULL, MEMORY);
    s->moments = m;
    TRY(black_box_blocks(blocks, s->in->threads, step_block, s, diag));
    for (size_t k = 0; k < blocks * cells; k++) {
        moments_merge(&all[k % cells], &m[k]);
    }
    return OK;
}

static struct status
put_effects(const struct black_box *box, const struct ale_input *in, struct diag *diag,
            struct ale *a)
{
    const size_t cells = a->points * box->outputs * KINDS;
    DEFER(memory_freep) struct moments *m = calloc(cells, sizeof *m);
    DEFER(memory_freep) double *behind = calloc(a->points, sizeof *behind);
    CHECK(m != NULL && behind != NULL, MEMORY);
    for (size_t p = 0; p < in->parts; p++) {
        struct steps s = {box, in, &in->part[p], a->at, a->points, NULL};
        TRY(accumulate(&s, diag, m));
    }
    for (size_t p = 0; p < a->points; p++) {
        a->count[p] = m[p * box->outputs * KINDS].n;
    }
    put_behind(a, in->order != NULL, behind);
    for (size_t o = 0; o < box->outputs; o++) {
        put_effect(a, in->order != NULL, behind, box->outputs, m + o * KINDS,
                   a->effect + o * a->points, a->error + o * a->points);
    }
    return OK;
}

struct status
ale_feature(const struct black_box *box, const struct ale_input *in, struct diag *diag,
            struct ale *ret_ale)
{
    ASSERT(in->feature < box->features);
    ASSERT(in->order != NULL ? in->levels > 0 : in->bins > 0);
    DEFER(ale_done) struct ale a = {0};
    TRY(in->order != NULL ? level_points(in, box->features, &a)
                          : numeric_points(in, box->features, &a));
    a.count = calloc(a.points + 1, sizeof *a.count);
    a.effect = calloc(a.points * box->outputs + 1, sizeof *a.effect);
    a.error = calloc(a.points * box->outputs + 1, sizeof *a.error);
    CHECK(a.count != NULL && a.effect != NULL && a.error != NULL, MEMORY);
    if (a.points > 1) {
        TRY(put_effects(box, in, diag, &a));
    } else if (a.points == 1) {
        a.count[0] = a.rows;
    }
    *ret_ale = a;
    a = (struct ale){0};
    return OK;
}
