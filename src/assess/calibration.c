#include "assess/calibration.h"

#include "num/poisson_bootstrap.h"
#include "num/quantile.h"
#include "num/rng.h"
#include "num/sum.h"

#include <math.h>
#include <stdlib.h>

static uint32_t
bin_of(const double *edge, uint32_t bins, double score)
{
    uint32_t low = 0, high = bins - 1; /* the first bin whose upper edge is not below the score */
    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        if (edge[middle + 1] < score) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct status
cut(const double *score, size_t rows, uint32_t bins, bool equal_width, double *ret_edge)
{
    DEFER(memory_freep) double *sorted = NULL;
    if (!equal_width) {
        sorted = malloc(rows * sizeof *sorted);
        CHECK(sorted != NULL, MEMORY);
        memcpy(sorted, score, rows * sizeof *sorted);
        (void)quantile_sort(sorted, rows);
    }
    for (uint32_t b = 0; b <= bins; b++) {
        const double share = (double)b / bins;
        ret_edge[b] = equal_width ? share : quantile_sorted(sorted, rows, share);
    }
    return OK;
}

static void
fill(const uint8_t *y, const double *score, size_t rows, const double *edge, uint32_t bins,
     double level, struct calibration *c)
{
    struct sum sum[CALIBRATION_MAX_BINS] = {0};
    struct calibration_bin all[CALIBRATION_MAX_BINS] = {0};
    for (size_t i = 0; i < rows; i++) {
        const uint32_t b = bin_of(edge, bins, score[i]);
        sum_add(&sum[b], score[i]);
        all[b].rows++;
        all[b].positives += y[i];
    }
    for (uint32_t b = 0; b < bins; b++) {
        const double n = (double)all[b].rows, x = (double)all[b].positives;
        if (n > 0) {
            all[b].low = edge[b];
            all[b].high = edge[b + 1];
            all[b].mean_score = sum_value(&sum[b]) / n;
            all[b].observed = x / n;
            all[b].ci = interval_wilson(x, n, level);
            c->bin[c->bins++] = all[b];
        }
    }
}

/* With y true at its score, a bin's distance is about normal around 0, whose mean size is sqrt(2 /
 * pi) of its standard deviation. */
static void
measure(size_t rows, struct calibration *c)
{
    for (uint32_t b = 0; b < c->bins; b++) {
        const struct calibration_bin *k = &c->bin[b];
        const double n = (double)k->rows, weight = n / (double)rows;
        const double distance = fabs(k->observed - k->mean_score);
        c->ece += weight * distance;
        c->mce = fmax(c->mce, distance);
        c->ece_noise += weight * sqrt(M_2_PI * k->mean_score * (1 - k->mean_score) / n);
    }
}

static double
replicate_ece(const struct calibration *c, uint64_t seed, uint64_t replicate)
{
    double sum = 0, all = 0;
    for (uint32_t b = 0; b < c->bins; b++) {
        const struct calibration_bin *k = &c->bin[b];
        const double x =
            (double)poisson_bootstrap_count(seed, replicate, (uint64_t)2 * b, k->positives);
        const double rest = (double)poisson_bootstrap_count(seed, replicate, (uint64_t)2 * b + 1,
                                                            k->rows - k->positives);
        const double n = x + rest;
        sum += n > 0 ? fabs(x - n * k->mean_score) : 0;
        all += n;
    }
    return all > 0 ? sum / all : NAN;
}

/* What a perfectly calibrated model with these bins would have. */
static double
replicate_noise(const struct calibration *c, size_t rows, uint64_t seed, uint64_t replicate)
{
    struct rng g;
    double sum = 0;
    rng_init_at(&g, seed, "calibration.noise", replicate);
    for (uint32_t b = 0; b < c->bins; b++) {
        const struct calibration_bin *k = &c->bin[b];
        const double n = (double)k->rows;
        sum += fabs(rng_normal(&g)) * sqrt(n * k->mean_score * (1 - k->mean_score));
    }
    return sum / (double)rows;
}

static void
put_interval(size_t rows, uint64_t seed, double level, struct calibration *c)
{
    double value[CALIBRATION_REPLICATES], noise[CALIBRATION_REPLICATES];
    size_t kept = 0;
    for (uint64_t r = 0; r < CALIBRATION_REPLICATES; r++) {
        value[r] = replicate_ece(c, seed, r);
        noise[r] = replicate_noise(c, rows, seed, r);
    }
    const struct interval q =
        poisson_bootstrap_interval(value, CALIBRATION_REPLICATES, level, &kept);
    const struct interval by_chance =
        poisson_bootstrap_interval(noise, CALIBRATION_REPLICATES, level, &kept);
    c->ece_ci.low = c->ece > by_chance.high ? fmax(0, 2 * c->ece - q.high) : 0;
    c->ece_ci.high = fmin(1, fmax(0, 2 * c->ece - q.low));
}

struct status
calibration_of(const uint8_t *y, const double *score, size_t rows, uint32_t bins, bool equal_width,
               double level, uint64_t seed, struct calibration *ret_calibration)
{
    double edge[CALIBRATION_MAX_BINS + 1] = {0};
    CHECK(bins >= 1 && bins <= CALIBRATION_MAX_BINS, LIMIT);
    CHECK(rows > 0, INPUT);
    for (size_t i = 0; i < rows; i++) {
        CHECK(y[i] <= 1 && score[i] >= 0 && score[i] <= 1, INPUT);
    }
    TRY(cut(score, rows, bins, equal_width, edge));
    memset(ret_calibration, 0, sizeof *ret_calibration);
    fill(y, score, rows, edge, bins, level, ret_calibration);
    measure(rows, ret_calibration);
    put_interval(rows, seed, level, ret_calibration);
    return OK;
}
