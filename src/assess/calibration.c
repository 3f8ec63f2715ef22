#include "assess/calibration.h"

#include "num/poisson_bootstrap.h"
#include "num/rng.h"

#include <math.h>

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

struct status
calibration_begin(uint32_t bins, const struct counted *scores, struct calibration_state *ret_state)
{
    CHECK(bins >= 1 && bins <= CALIBRATION_MAX_BINS, LIMIT);
    memset(ret_state, 0, sizeof *ret_state);
    ret_state->bins = bins;
    for (uint32_t b = 0; b <= bins; b++) {
        const double share = (double)b / bins;
        ret_state->edge[b] = scores == NULL ? share : counted_quantile(scores, share);
    }
    return OK;
}

struct status
calibration_add(struct calibration_state *s, const uint8_t *y, const double *score, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        CHECK(y[i] <= 1 && score[i] >= 0 && score[i] <= 1, INPUT);
    }
    for (size_t i = 0; i < rows; i++) {
        const uint32_t b = bin_of(s->edge, s->bins, score[i]);
        s->bin[b].rows++;
        s->bin[b].positives += y[i];
        sum_add(&s->bin[b].score, score[i]);
    }
    return OK;
}

void
calibration_merge(struct calibration_state *s, const struct calibration_state *other)
{
    ASSERT(s->bins == other->bins);
    for (uint32_t b = 0; b < s->bins; b++) {
        s->bin[b].rows += other->bin[b].rows;
        s->bin[b].positives += other->bin[b].positives;
        sum_merge(&s->bin[b].score, &other->bin[b].score);
    }
}

/* Returns the rows. */
static size_t
fill(const struct calibration_state *s, double level, struct calibration *c)
{
    size_t rows = 0;
    for (uint32_t b = 0; b < s->bins; b++) {
        const double n = (double)s->bin[b].rows, x = (double)s->bin[b].positives;
        rows += s->bin[b].rows;
        if (n > 0) {
            c->bin[c->bins++] = (struct calibration_bin){s->edge[b],
                                                         s->edge[b + 1],
                                                         s->bin[b].rows,
                                                         s->bin[b].positives,
                                                         sum_value(&s->bin[b].score) / n,
                                                         x / n,
                                                         interval_wilson(x, n, level)};
        }
    }
    return rows;
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
calibration_finish(const struct calibration_state *s, double level, uint64_t seed,
                   struct calibration *ret_calibration)
{
    memset(ret_calibration, 0, sizeof *ret_calibration);
    const size_t rows = fill(s, level, ret_calibration);
    CHECK(rows > 0, INPUT);
    measure(rows, ret_calibration);
    put_interval(rows, seed, level, ret_calibration);
    return OK;
}

struct status
calibration_of(const uint8_t *y, const double *score, size_t rows, uint32_t bins, bool equal_width,
               double level, uint64_t seed, struct calibration *ret_calibration)
{
    DEFER(counted_done) struct counted scores = {0};
    struct calibration_state s;
    if (!equal_width) {
        TRY(counted_add(&scores, score, rows, 1));
        TRY(counted_settle(&scores));
    }
    TRY(calibration_begin(bins, equal_width ? NULL : &scores, &s));
    TRY(calibration_add(&s, y, score, rows));
    return calibration_finish(&s, level, seed, ret_calibration);
}
