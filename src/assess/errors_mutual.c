#include "assess/errors.h"

#include "num/sum.h"
#include "num/tail.h"

#include <math.h>
#include <stdlib.h>

#define NOISE_LEVEL 0.05

/* Rows of each pair of a feature's bin and a loss's bin. */
struct joint {
    uint32_t x, y; /* bins */
    uint64_t *count;
    double rows;
};

static struct status
code_feature(const struct errors_feature *f, size_t rows, uint32_t bins, uint32_t *ret_code,
             uint32_t *ret_bins)
{
    struct errors_axis axis;
    if (f->level_count == 0) {
        TRY(errors_axis_cut(f, rows, bins, ERRORS_EQUAL_COUNT, &axis));
    }
    const uint32_t last = f->level_count > 0 ? f->level_count : axis.bins;
    for (size_t i = 0; i < rows; i++) {
        const double v = f->value[i];
        ret_code[i] = isnan(v)             ? last
                      : f->level_count > 0 ? (uint32_t)v
                                           : errors_axis_bin(&axis, v);
    }
    *ret_bins = last + 1;
    return OK;
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

static struct errors_mutual
mutual_of(const struct joint *j, const uint64_t *x, const uint64_t *y)
{
    uint32_t filled = 0, filled_x = 0, filled_y = 0;
    const double together = count_entropy(j->count, (size_t)j->x * j->y, &filled);
    const double apart = count_entropy(x, j->x, &filled_x) + count_entropy(y, j->y, &filled_y);
    struct errors_mutual m = {.p = 1};
    m.mutual_information = fmax(0, (together - apart) / j->rows + log(j->rows));
    const double bias = ((double)filled + 1 - filled_x - filled_y) / (2 * j->rows);
    m.corrected = fmax(0, m.mutual_information - bias);
    const double df = ((double)filled_x - 1) * ((double)filled_y - 1);
    if (df > 0) {
        m.noise = chi_square_quantile(NOISE_LEVEL, df) / (2 * j->rows);
        m.p = tail_chi_square(2 * j->rows * m.mutual_information, df);
    }
    return m;
}

static struct status
one_feature(const struct errors_feature *f, const uint32_t *loss_code, uint32_t loss_bins,
            size_t rows, uint32_t *code, struct errors_mutual *ret_mutual)
{
    struct joint j = {.y = loss_bins, .rows = (double)rows};
    TRY(code_feature(f, rows, ERRORS_MAX_BINS, code, &j.x));
    DEFER(memory_freep) uint64_t *count = calloc((size_t)j.x * j.y + 1, sizeof *count);
    DEFER(memory_freep) uint64_t *x = calloc((size_t)j.x + 1, sizeof *x);
    DEFER(memory_freep) uint64_t *y = calloc((size_t)j.y + 1, sizeof *y);
    CHECK(count != NULL && x != NULL && y != NULL, MEMORY);
    for (size_t i = 0; i < rows; i++) {
        count[(size_t)code[i] * j.y + loss_code[i]]++;
        x[code[i]]++;
        y[loss_code[i]]++;
    }
    j.count = count;
    *ret_mutual = mutual_of(&j, x, y);
    return OK;
}

struct status
errors_mutual_of(const struct errors_feature *features, uint32_t feature_count, const double *loss,
                 size_t rows, struct errors_mutual *ret_mutual)
{
    DEFER(memory_freep) uint32_t *code = calloc(rows + 1, sizeof *code);
    DEFER(memory_freep) uint32_t *loss_code = calloc(rows + 1, sizeof *loss_code);
    CHECK(code != NULL && loss_code != NULL, MEMORY);
    uint32_t loss_bins = 0;
    const struct errors_feature of_loss = {loss, 0};
    TRY(code_feature(&of_loss, rows, ERRORS_LOSS_BINS, loss_code, &loss_bins));
    for (uint32_t f = 0; f < feature_count; f++) {
        ret_mutual[f] = (struct errors_mutual){.p = 1};
        if (rows > 0) {
            TRY(one_feature(&features[f], loss_code, loss_bins, rows, code, &ret_mutual[f]));
        }
    }
    return OK;
}

static bool
tells_more(const struct errors_mutual *a, const struct errors_mutual *b)
{
    if (a->corrected > b->corrected || a->corrected < b->corrected) {
        return a->corrected > b->corrected;
    }
    return a->mutual_information > b->mutual_information;
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
