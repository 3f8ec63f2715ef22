#include "assess/errors.h"

#include "num/sum.h"
#include "num/tail.h"

#include <math.h>
#include <stdlib.h>

#define NOISE_LEVEL 0.05

void
errors_joint_done(struct errors_joint *j)
{
    free(j->count);
}

struct status
errors_joint_begin(const struct errors_axis *x, uint32_t level_count, const struct errors_axis *y,
                   struct errors_joint *ret_joint)
{
    struct errors_joint j = {.x = *x, .y = *y, .levels = level_count};
    j.x_bins = (level_count > 0 ? level_count : x->bins) + 1; /* categories each their own */
    j.y_bins = y->bins + 1;
    j.count = calloc((size_t)j.x_bins * j.y_bins, sizeof *j.count);
    CHECK(j.count != NULL, MEMORY);
    *ret_joint = j;
    return OK;
}

void
errors_joint_add(struct errors_joint *j, const double *value, const double *loss, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        const double v = value[i];
        const uint32_t x = isnan(v)        ? j->x_bins - 1
                           : j->levels > 0 ? (uint32_t)v
                                           : errors_axis_bin(&j->x, v);
        j->count[(size_t)x * j->y_bins + errors_axis_bin(&j->y, loss[i])]++;
    }
    j->rows += rows;
}

void
errors_joint_merge(struct errors_joint *j, const struct errors_joint *other)
{
    ASSERT(j->x_bins == other->x_bins && j->y_bins == other->y_bins);
    for (size_t k = 0; k < (size_t)j->x_bins * j->y_bins; k++) {
        j->count[k] += other->count[k];
    }
    j->rows += other->rows;
}

/* Sum of n log n over the cells with rows, and how many those are. */
static double
count_entropy(const uint64_t *count, size_t cells, uint32_t *ret_filled)
{
    struct sum s = {0};
    *ret_filled = 0;
    for (size_t i = 0; i < cells; i++) {
        if (count[i] > 0) {
            sum_add(&s, (double)count[i] * log((double)count[i]));
            *ret_filled += 1;
        }
    }
    return sum_value(&s);
}

static double
chi_square_quantile(double upper, double df)
{
    double low = 0, high = df + 20 * sqrt(2 * df) + 20;
    for (int i = 0; i < 100; i++) {
        const double middle = (low + high) / 2;
        if (tail_chi_square(middle, df) > upper) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return high;
}

/* Rows of a feature's bins, of a loss's, and of both: [x_bins], [y_bins], [x_bins * y_bins]. */
struct counts {
    uint32_t x_bins, y_bins;
    double rows;
    uint64_t *x, *y, *both;
};

static struct errors_mutual
mutual_of(const struct counts *c)
{
    uint32_t filled = 0, filled_x = 0, filled_y = 0;
    const double rows = c->rows;
    const double together = count_entropy(c->both, (size_t)c->x_bins * c->y_bins, &filled);
    const double apart =
        count_entropy(c->x, c->x_bins, &filled_x) + count_entropy(c->y, c->y_bins, &filled_y);
    struct errors_mutual m = {.p = 1};
    m.mutual_information = fmax(0, (together - apart) / rows + log(rows));
    const double bias = ((double)filled + 1 - filled_x - filled_y) / (2 * rows);
    m.corrected = fmax(0, m.mutual_information - bias);
    const double df = ((double)filled_x - 1) * ((double)filled_y - 1);
    if (df <= 0) {
        m.corrected = 0;
    } else {
        m.noise = chi_square_quantile(NOISE_LEVEL, df) / (2 * rows);
        m.p = tail_chi_square(2 * rows * m.mutual_information, df);
    }
    return m;
}

/* Rows that a category needs to stand alone: its expected count in the rarest bin of the loss is
 * then half the root of the number of categories. What G exceeds its chi-square by is about 1/6 of
 * one over that count a category, which then adds up to a quarter of its standard deviation. */
static double
least_alone(const struct counts *c)
{
    uint32_t filled = 0;
    double rarest = c->rows;
    for (uint32_t k = 0; k < c->x_bins; k++) {
        filled += c->x[k] > 0;
    }
    for (uint32_t k = 0; k < c->y_bins; k++) {
        rarest = c->y[k] > 0 ? fmin(rarest, (double)c->y[k]) : rarest;
    }
    return sqrt((double)filled) / 2 * c->rows / rarest;
}

/* Rare categories go to the place of the first of them; how many there are. By their rows alone, so
 * that unrelated features stay unrelated. */
static uint32_t
pool_rare(struct counts *c)
{
    const double least = least_alone(c);
    uint32_t pooled = 0, place = 0;
    for (uint32_t k = 0; k < c->x_bins; k++) {
        if (c->x[k] == 0 || (double)c->x[k] >= least) {
            continue;
        }
        if (pooled++ == 0) {
            place = k;
            continue;
        }
        c->x[place] += c->x[k];
        c->x[k] = 0;
        for (uint32_t b = 0; b < c->y_bins; b++) {
            c->both[(size_t)place * c->y_bins + b] += c->both[(size_t)k * c->y_bins + b];
            c->both[(size_t)k * c->y_bins + b] = 0;
        }
    }
    return pooled > 1 ? pooled : 0;
}

static void
take_counts(const struct errors_joint *j, struct counts *c)
{
    for (size_t k = 0; k < (size_t)j->x_bins * j->y_bins; k++) {
        c->both[k] = j->count[k];
        c->x[k / j->y_bins] += j->count[k];
        c->y[k % j->y_bins] += j->count[k];
    }
}

struct status
errors_joint_finish(const struct errors_joint *j, struct errors_mutual *ret_mutual)
{
    const size_t cells = (size_t)j->x_bins * j->y_bins;
    DEFER(memory_freep) uint64_t *x = calloc(j->x_bins, sizeof *x);
    DEFER(memory_freep) uint64_t *y = calloc(j->y_bins, sizeof *y);
    DEFER(memory_freep) uint64_t *both = calloc(cells, sizeof *both);
    CHECK(x != NULL && y != NULL && both != NULL, MEMORY);
    struct counts c = {j->x_bins, j->y_bins, (double)j->rows, x, y, both};
    struct errors_mutual m = {.p = 1};
    take_counts(j, &c);
    if (j->rows > 0) {
        m = mutual_of(&c);
    }
    if (j->levels > ERRORS_ALONE && j->rows > 0) {
        const double plain = m.mutual_information;
        const uint32_t pooled = pool_rare(&c);
        m = mutual_of(&c);
        m.mutual_information = plain;
        m.pooled = pooled;
    }
    *ret_mutual = m;
    return OK;
}

static struct status
one_feature(const struct errors_feature *f, const struct errors_axis *of_loss, const double *loss,
            size_t rows, struct errors_mutual *ret_mutual)
{
    struct errors_axis axis;
    DEFER(errors_joint_done) struct errors_joint j = {0};
    TRY(errors_axis_cut(f, rows, ERRORS_MAX_BINS, ERRORS_EQUAL_COUNT, &axis));
    TRY(errors_joint_begin(&axis, f->level_count, of_loss, &j));
    errors_joint_add(&j, f->value, loss, rows);
    return errors_joint_finish(&j, ret_mutual);
}

struct status
errors_mutual_of(const struct errors_feature *features, uint32_t feature_count, const double *loss,
                 size_t rows, struct errors_mutual *ret_mutual)
{
    const struct errors_feature of_loss = {loss, 0};
    struct errors_axis axis;
    TRY(errors_axis_cut(&of_loss, rows, ERRORS_LOSS_BINS, ERRORS_EQUAL_COUNT, &axis));
    for (uint32_t f = 0; f < feature_count; f++) {
        TRY(one_feature(&features[f], &axis, loss, rows, &ret_mutual[f]));
    }
    return OK;
}

static bool
tells_more(const struct errors_mutual *a, const struct errors_mutual *b)
{
    if (a->corrected > b->corrected || a->corrected < b->corrected) {
        return a->corrected > b->corrected;
    }
    return a->p < b->p || (a->p <= b->p && a->mutual_information > b->mutual_information);
}

/* Insertion: ties stay in the features' order. */
void
errors_mutual_order(const struct errors_mutual *m, uint32_t feature_count, uint32_t *ret_order)
{
    for (uint32_t f = 0; f < feature_count; f++) {
        uint32_t at = f;
        for (; at > 0 && tells_more(&m[f], &m[ret_order[at - 1]]); at--) {
            ret_order[at] = ret_order[at - 1];
        }
        ret_order[at] = f;
    }
}
