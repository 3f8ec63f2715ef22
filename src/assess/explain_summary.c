#include "assess/explain_summary.h"

#include <math.h>

#define BINS (EXPLAIN_BINS + 1)

void
explain_summary_free(struct explain_summary *s)
{
    if (s == NULL) {
        return;
    }
    for (uint32_t g = 0; s->group != NULL && g <= s->cohorts; g++) {
        free(s->group[g].absolute);
    }
    free(s->group);
    free(s->bin);
    free(s->pairs);
    free(s);
}

struct status
explain_summary_new(uint32_t outputs, uint32_t features, uint32_t cohorts, const struct bins *bins,
                    bool pairs, struct explain_summary **ret_summary)
{
    const size_t width = (size_t)outputs * features;
    CHECK(bins == NULL || width * BINS <= EXPLAIN_SUMMARY_CELLS, LIMIT);
    CHECK(!pairs || width * features <= EXPLAIN_SUMMARY_PAIRS, LIMIT);
    DEFER(explain_summary_freep) struct explain_summary *s = calloc(1, sizeof *s);
    CHECK(s != NULL, MEMORY);
    *s = (struct explain_summary){
        .outputs = outputs, .features = features, .cohorts = cohorts, .bins = bins};
    s->group = calloc((size_t)cohorts + 1, sizeof *s->group);
    CHECK(s->group != NULL, MEMORY);
    for (uint32_t g = 0; g <= cohorts; g++) {
        s->group[g].absolute = calloc(2 * width + 1, sizeof(struct sum));
        CHECK(s->group[g].absolute != NULL, MEMORY);
        s->group[g].with_sign = s->group[g].absolute + width;
    }
    s->bin = bins == NULL ? NULL : calloc(width * BINS + 1, sizeof *s->bin);
    s->pairs = pairs ? calloc(width * features + 1, sizeof *s->pairs) : NULL;
    CHECK((bins == NULL || s->bin != NULL) && (!pairs || s->pairs != NULL), MEMORY);
    *ret_summary = MOVE(s);
    return OK;
}

static void
add_to_group(struct explain_group *g, const double *phi, size_t width)
{
    g->rows++;
    for (size_t k = 0; k < width; k++) {
        sum_add(&g->absolute[k], fabs(phi[k]));
        sum_add(&g->with_sign[k], phi[k]);
    }
}

static void
add_to_bin(struct explain_bin *b, double phi)
{
    b->least = b->rows == 0 ? phi : fmin(b->least, phi);
    b->most = b->rows == 0 ? phi : fmax(b->most, phi);
    b->rows++;
    sum_add(&b->sum, phi);
    sum_add(&b->squares, phi * phi);
}

static void
add_dependence(struct explain_summary *s, const float *x, const double *phi)
{
    for (uint32_t f = 0; f < s->features; f++) {
        const int32_t code = bins_code(&s->bins[f], (double)x[f]);
        const size_t bin = code < 0 ? EXPLAIN_MISSING : (size_t)code;
        for (uint32_t o = 0; o < s->outputs; o++) {
            const size_t cell = (size_t)o * s->features + f;
            add_to_bin(&s->bin[cell * BINS + bin], phi[cell]);
        }
    }
}

void
explain_summary_add(struct explain_summary *s, const float *x, const double *phi,
                    const uint8_t *const *cohort, size_t rows)
{
    const size_t width = (size_t)s->outputs * s->features;
    for (size_t i = 0; i < rows; i++) {
        const double *row = phi + i * width;
        add_to_group(&s->group[0], row, width);
        for (uint32_t c = 0; c < s->cohorts; c++) {
            if (cohort[c][i] != 0) {
                add_to_group(&s->group[c + 1], row, width);
            }
        }
        if (s->bin != NULL) {
            add_dependence(s, x + i * s->features, row);
        }
    }
}

void
explain_summary_add_pairs(struct explain_summary *s, const double *pairs, size_t rows)
{
    const size_t features = s->features, square = features * features;
    for (size_t i = 0; i < rows * s->outputs; i++) {
        const double *matrix = pairs + i * square;
        struct sum *sums = s->pairs + i % s->outputs * square;
        for (size_t a = 0; a < features; a++) {
            for (size_t b = a + 1; b < features; b++) {
                sum_add(&sums[a * features + b], 2.0 * fabs(matrix[a * features + b]));
            }
        }
    }
}

static void
merge_sums(struct sum *s, const struct sum *other, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        sum_merge(&s[k], &other[k]);
    }
}

static void
merge_bin(struct explain_bin *b, const struct explain_bin *other)
{
    if (other->rows == 0) {
        return;
    }
    b->least = b->rows == 0 ? other->least : fmin(b->least, other->least);
    b->most = b->rows == 0 ? other->most : fmax(b->most, other->most);
    b->rows += other->rows;
    sum_merge(&b->sum, &other->sum);
    sum_merge(&b->squares, &other->squares);
}

void
explain_summary_merge(struct explain_summary *s, const struct explain_summary *other)
{
    const size_t width = (size_t)s->outputs * s->features;
    ASSERT(s->outputs == other->outputs && s->features == other->features &&
           s->cohorts == other->cohorts && (s->bin == NULL) == (other->bin == NULL) &&
           (s->pairs == NULL) == (other->pairs == NULL));
    for (uint32_t g = 0; g <= s->cohorts; g++) {
        s->group[g].rows += other->group[g].rows;
        merge_sums(s->group[g].absolute, other->group[g].absolute, 2 * width); /* with_sign, too */
    }
    for (size_t k = 0; s->bin != NULL && k < width * BINS; k++) {
        merge_bin(&s->bin[k], &other->bin[k]);
    }
    merge_sums(s->pairs, other->pairs, s->pairs == NULL ? 0 : width * s->features);
}
