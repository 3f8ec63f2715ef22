#include "assess/residuals.h"

#include <math.h>
#include <string.h>

#define TAIL 0.01 /* at either end, in the first and the last bin */

const double residuals_shares[RESIDUALS_QUANTILES] = {0.05, 0.25, 0.5, 0.75, 0.95};

static double
square(double v)
{
    return v * v;
}

/* ---- the first pass ---- */

void
residuals_values_done(struct residuals_values *v)
{
    counted_done(&v->truth);
    counted_done(&v->prediction);
    counted_done(&v->residual);
}

struct status
residuals_values_add(struct residuals_values *v, const double *truth, const double *prediction,
                     size_t rows)
{
    TRY(counted_add(&v->truth, truth, rows, 1));
    TRY(counted_add(&v->prediction, prediction, rows, 1));
    for (size_t i = 0; i < rows; i++) {
        const double off = prediction[i] - truth[i];
        TRY(counted_add(&v->residual, &off, 1, 1));
    }
    return OK;
}

struct status
residuals_values_merge(struct residuals_values *v, const struct residuals_values *other)
{
    TRY(counted_merge(&v->truth, &other->truth));
    TRY(counted_merge(&v->prediction, &other->prediction));
    return counted_merge(&v->residual, &other->residual);
}

struct status
residuals_values_settle(struct residuals_values *v)
{
    TRY(counted_settle(&v->truth));
    TRY(counted_settle(&v->prediction));
    return counted_settle(&v->residual);
}

/* ---- the second pass ---- */

void
residuals_begin(const struct residuals_values *all, struct residuals_steps *ret_steps)
{
    memset(ret_steps, 0, sizeof *ret_steps);
    bins_of(&all->prediction, RESIDUALS_STEPS, &ret_steps->bins);
}

void
residuals_add(struct residuals_steps *s, const double *truth, const double *prediction, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        const int32_t k = bins_code(&s->bins, prediction[i]);
        moments_add(&s->step[k].truth, truth[i]);
        sum_add(&s->step[k].prediction, prediction[i]);
        sum_add(&s->step[k].off, fabs(prediction[i] - truth[i]));
    }
}

void
residuals_merge(struct residuals_steps *s, const struct residuals_steps *other)
{
    ASSERT(s->bins.count == other->bins.count);
    for (uint32_t k = 0; k < s->bins.count; k++) {
        moments_merge(&s->step[k].truth, &other->step[k].truth);
        sum_merge(&s->step[k].prediction, &other->step[k].prediction);
        sum_merge(&s->step[k].off, &other->step[k].off);
    }
}

/* ---- what they come to ---- */

static void
describe_truth(const struct counted *truth, struct residuals *r)
{
    struct moments all = {0};
    struct sum off = {0};
    r->truth_median = counted_quantile(truth, 0.5);
    for (size_t k = 0; k < truth->n; k++) {
        const double v = truth->at[k].value;
        moments_add_times(&all, v, counted_times(truth, k));
        sum_add_times(&off, fabs(v - r->truth_median), counted_times(truth, k));
    }
    r->truth_mean = moments_mean(&all);
    r->truth_sd = sqrt(moments_variance(&all));
    r->truth_least = truth->at[0].value;
    r->truth_most = truth->at[truth->n - 1].value;
    r->baseline = sum_value(&off) / (double)all.n;
}

static void
fill_bins(const struct counted *residual, struct residuals *r)
{
    const double low = counted_quantile(residual, TAIL),
                 high = counted_quantile(residual, 1 - TAIL);
    r->bins = high > low ? RESIDUALS_BINS : 1;
    const double width = (high - low) / r->bins;
    for (uint32_t b = 0; b < r->bins; b++) {
        r->bin[b].from = b == 0 ? residual->at[0].value : low + width * b;
        r->bin[b].to =
            b + 1 == r->bins ? residual->at[residual->n - 1].value : low + width * (b + 1);
    }
    for (size_t k = 0; k < residual->n; k++) {
        const double at = width > 0 ? floor((residual->at[k].value - low) / width) : 0;
        r->bin[(size_t)fmin(fmax(at, 0), r->bins - 1.0)].rows += counted_times(residual, k);
    }
}

static void
fill_residuals(const struct counted *residual, struct residuals *r)
{
    struct sum squares = {0};
    for (size_t k = 0; k < residual->n; k++) {
        sum_add_times(&squares, square(residual->at[k].value), counted_times(residual, k));
    }
    r->rmse = sqrt(sum_value(&squares) / (double)counted_rows(residual));
    for (size_t q = 0; q < RESIDUALS_QUANTILES; q++) {
        r->quantile[q] = counted_quantile(residual, residuals_shares[q]);
    }
    fill_bins(residual, r);
}

static void
fill_steps(const struct residuals_steps *s, double level, struct residuals *r)
{
    r->steps = s->bins.count;
    for (uint32_t k = 0; k < r->steps; k++) {
        const struct moments *truth = &s->step[k].truth;
        const double n = (double)truth->n, mean = moments_mean(truth);
        r->step[k].rows = truth->n;
        r->step[k].from = s->bins.least[k];
        r->step[k].to = s->bins.most[k];
        r->step[k].mean_truth = mean;
        r->step[k].mean_prediction = sum_value(&s->step[k].prediction) / n;
        r->step[k].mean_absolute_error = sum_value(&s->step[k].off) / n;
        r->step[k].ci = interval_mean(mean, moments_squares(truth), n, level);
    }
}

void
residuals_finish(const struct residuals_values *v, const struct residuals_steps *s, double level,
                 struct residuals *ret_residuals)
{
    ASSERT(v->truth.n > 0);
    *ret_residuals = (struct residuals){0};
    describe_truth(&v->truth, ret_residuals);
    fill_residuals(&v->residual, ret_residuals);
    fill_steps(s, level, ret_residuals);
}

struct status
residuals_of(const double *truth, const double *prediction, size_t rows, double level,
             struct residuals *ret_residuals)
{
    DEFER(residuals_values_done) struct residuals_values v = {0};
    struct residuals_steps s;
    TRY(residuals_values_add(&v, truth, prediction, rows));
    TRY(residuals_values_settle(&v));
    residuals_begin(&v, &s);
    residuals_add(&s, truth, prediction, rows);
    residuals_finish(&v, &s, level, ret_residuals);
    return OK;
}
