#include "assess/mitigate_gradient.h"

#include "model/predictor.h"

#include <math.h>

#define EVENTS 2u                                  /* equalized odds: label 0, label 1 */
#define PRICES (2u * EVENTS * GRADIENT_MAX_GROUPS) /* a rate may be too high, or too low */
#define MODEL_MAX ((size_t)1 << 30)
#define LEAST_ITERATIONS 5u
#define SHRINK 0.8 /* of the step, when five answers brought the gap no nearer */

struct game {
    const float *x, *y;
    const int32_t *group;
    size_t rows, features;
    uint32_t groups, events;
    const struct gradient_options *o;
    double share[EVENTS][GRADIENT_MAX_GROUPS], all[EVENTS]; /* of the rows */
    double theta[PRICES], price[PRICES];
    float *label, *weight; /* rows: what the booster is asked */
    double *margin;
    uint8_t *decision; /* rows */
    double *sum;       /* rows: decisions for, over the answers */
};

static void
game_done(struct game *g)
{
    free(g->label);
    free(g->weight);
    free(g->margin);
    free(g->decision);
    free(g->sum);
}

static uint32_t
event_of(const struct game *g, size_t row)
{
    return g->events == 1 ? 0 : g->y[row] > 0;
}

static size_t
price_of(const struct game *g, uint32_t event, uint32_t group, bool low)
{
    return ((size_t)event * g->groups + group) * 2 + low;
}

/* ---- rates ---- */

struct rates {
    double error, rate[EVENTS][GRADIENT_MAX_GROUPS], all[EVENTS];
};

static struct rates
rates_of(const struct game *g, const double *chance, const uint8_t *decision, double times)
{
    struct rates r = {0};
    const double n = (double)g->rows;
    for (size_t i = 0; i < g->rows; i++) {
        const double p = decision != NULL ? decision[i] : chance[i] * times;
        const uint32_t e = event_of(g, i), k = (uint32_t)g->group[i];
        r.error += (g->y[i] > 0 ? 1 - p : p) / n;
        r.rate[e][k] += p / (n * g->share[e][k]);
        r.all[e] += p / (n * g->all[e]);
    }
    return r;
}

static struct gradient_answer
answer_of(const struct game *g, const struct rates *r)
{
    struct gradient_answer a = {.error = r->error};
    for (uint32_t e = 0; e < g->events; e++) {
        double low = INFINITY, high = -INFINITY;
        for (uint32_t k = 0; k < g->groups; k++) {
            low = fmin(low, r->rate[e][k]);
            high = fmax(high, r->rate[e][k]);
            a.violation = fmax(a.violation, fabs(r->rate[e][k] - r->all[e]));
        }
        a.gap = fmax(a.gap, high - low);
    }
    return a;
}

/* Error plus what the broken constraints cost at these prices; of a rate too high and too low only
 * the difference of the prices, which asks the same of the booster and bounds the game closer. */
static double
lagrangian(const struct game *g, const struct rates *r)
{
    double value = r->error;
    for (uint32_t e = 0; e < g->events; e++) {
        for (uint32_t k = 0; k < g->groups; k++) {
            const double over = r->rate[e][k] - r->all[e];
            const double net =
                g->price[price_of(g, e, k, false)] - g->price[price_of(g, e, k, true)];
            value += net * over - fabs(net) * g->o->eps;
        }
    }
    return value;
}

/* ---- prices ---- */

static void
set_prices(struct game *g)
{
    const size_t n = (size_t)g->events * g->groups * 2;
    double most = 0, total = 0;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, g->theta[i]);
    }
    for (size_t i = 0; i < n; i++) {
        total += exp(g->theta[i] - most);
    }
    for (size_t i = 0; i < n; i++) {
        g->price[i] = exp(g->theta[i] - most) / (exp(-most) + total) / g->o->eps;
    }
}

static void
raise_prices(struct game *g, const struct rates *r, double eta)
{
    for (uint32_t e = 0; e < g->events; e++) {
        for (uint32_t k = 0; k < g->groups; k++) {
            const double over = r->rate[e][k] - r->all[e];
            g->theta[price_of(g, e, k, false)] += eta * (over - g->o->eps);
            g->theta[price_of(g, e, k, true)] += eta * (-over - g->o->eps);
        }
    }
}

/* What a positive decision of each row is worth becomes its label and weight. */
static void
ask(struct game *g)
{
    double net[EVENTS][GRADIENT_MAX_GROUPS], total[EVENTS] = {0}, sum = 0;
    for (uint32_t e = 0; e < g->events; e++) {
        for (uint32_t k = 0; k < g->groups; k++) {
            net[e][k] = g->price[price_of(g, e, k, false)] - g->price[price_of(g, e, k, true)];
            total[e] += net[e][k];
        }
    }
    for (size_t i = 0; i < g->rows; i++) {
        const uint32_t e = event_of(g, i), k = (uint32_t)g->group[i];
        const double worth =
            (g->y[i] > 0 ? 1 : -1) - net[e][k] / g->share[e][k] + total[e] / g->all[e];
        g->label[i] = worth > 0;
        g->weight[i] = (float)fabs(worth);
        sum += fabs(worth);
    }
    for (size_t i = 0; i < g->rows; i++) {
        g->weight[i] = (float)((double)g->weight[i] * (double)g->rows / sum);
    }
}

/* ---- the booster's answer ---- */

static bool
one_label(const struct game *g)
{
    size_t ones = 0;
    for (size_t i = 0; i < g->rows; i++) {
        ones += g->label[i] > 0;
    }
    return ones == 0 || ones == g->rows;
}

static struct status
reply(struct game *g, struct diag *diag, struct buf *ret_model, bool *ret_constant)
{
    *ret_constant = one_label(g);
    if (*ret_constant) {
        memset(g->decision, g->label[0] > 0, g->rows);
        return OK;
    }
    DEFER(forest_freep) struct forest *f = NULL;
    DEFER(predictor_freep) struct predictor *p = NULL;
    TRY(train_xgboost(g->x, g->rows, g->features, g->label, g->weight, &g->o->train, diag,
                      ret_model));
    TRY(forest_load(buf_view(ret_model), diag, &f));
    TRY(predictor_new(f, &p));
    predictor_margin(p, g->x, g->rows, g->o->train.threads, g->margin);
    for (size_t i = 0; i < g->rows; i++) {
        g->decision[i] = g->margin[i] >= 0; /* probability >= 1/2 */
    }
    return OK;
}

/* ---- the game ---- */

static struct status
check(const struct game *g, struct diag *diag)
{
    const struct gradient_options *o = g->o;
    if (!(o->eps > 0 && o->eps < 1) || !(o->eta > 0 && isfinite(o->eta)) || o->iterations == 0 ||
        o->iterations > GRADIENT_MAX_ITERATIONS) {
        diag_set(diag,
                 "eps %g between 0 and 1, step %g over 0, %u iterations from 1 to %u: out of range",
                 o->eps, o->eta, o->iterations, GRADIENT_MAX_ITERATIONS);
        FAIL(INPUT);
    }
    for (uint32_t e = 0; e < g->events; e++) {
        for (uint32_t k = 0; k < g->groups; k++) {
            if (g->share[e][k] == 0) {
                diag_set(diag, "group %u: no rows%s to train on", k,
                         g->events == 1 ? ""
                         : e == 0       ? " with the negative label"
                                        : " with the positive label");
                FAIL(INPUT);
            }
        }
    }
    return OK;
}

static struct status
start(struct game *g, struct diag *diag)
{
    if (g->groups < 2 || g->groups > GRADIENT_MAX_GROUPS) {
        diag_set(diag, "%u groups: from 2 to %u", g->groups, GRADIENT_MAX_GROUPS);
        FAIL(INPUT);
    }
    for (size_t i = 0; i < g->rows; i++) {
        const uint32_t e = event_of(g, i);
        ASSERT(g->group[i] >= 0 && (uint32_t)g->group[i] < g->groups);
        g->share[e][g->group[i]] += 1 / (double)g->rows;
        g->all[e] += 1 / (double)g->rows;
    }
    TRY(check(g, diag));
    g->label = calloc(g->rows, sizeof *g->label);
    g->weight = calloc(g->rows, sizeof *g->weight);
    g->margin = calloc(g->rows, sizeof *g->margin);
    g->decision = calloc(g->rows, 1);
    g->sum = calloc(g->rows, sizeof *g->sum);
    CHECK(g->label != NULL && g->weight != NULL && g->margin != NULL && g->decision != NULL &&
              g->sum != NULL,
          MEMORY);
    return OK;
}

static bool
better(const struct gradient_answer *a, const struct gradient_answer *b, double eps)
{
    const bool fair_a = a->violation <= eps, fair_b = b->violation <= eps;
    return fair_a != fair_b ? fair_a : fair_a ? a->error < b->error : a->violation < b->violation;
}

/* Keeps the model when it is the best single one so far. */
static void
keep(const struct gradient_options *o, uint32_t t, struct buf *model, struct buf *best,
     bool *kept_any, struct gradient_result *r)
{
    if (r->answer[t].constant ||
        (*kept_any && !better(&r->answer[t], &r->answer[r->chosen], o->eps))) {
        return;
    }
    *kept_any = true;
    r->chosen = t;
    const struct buf other = *best;
    *best = *model;
    *model = other;
}

/* Error of the mixture under the worst prices. */
static double
upper_value(const struct game *g, struct gradient_result *r)
{
    const struct rates mixed = rates_of(g, g->sum, NULL, 1 / (double)r->iterations);
    r->mixture = answer_of(g, &mixed);
    return r->mixture.error + fmax(r->mixture.violation - g->o->eps, 0) / g->o->eps;
}

/* One question and its answer. */
static struct status
play(struct game *g, struct diag *diag, struct buf *ret_model, struct rates *ret_rates,
     struct gradient_answer *ret_answer)
{
    bool constant = false;
    set_prices(g);
    ask(g);
    buf_reset(ret_model);
    TRY(reply(g, diag, ret_model, &constant));
    *ret_rates = rates_of(g, NULL, g->decision, 1);
    *ret_answer = answer_of(g, ret_rates);
    ret_answer->constant = constant;
    for (size_t i = 0; i < g->rows; i++) {
        g->sum[i] += g->decision[i];
    }
    return OK;
}

static struct status
play_all(struct game *g, struct diag *diag, struct buf *best, struct gradient_result *r,
         bool *ret_kept)
{
    const struct gradient_options *o = g->o;
    double lower = -INFINITY, eta = o->eta * o->eps;
    uint32_t nearer = 0;
    DEFER(buf_done) struct buf model;
    buf_init(&model, MODEL_MAX);
    r->game_gap = INFINITY;
    for (uint32_t t = 0; t < o->iterations; t++) {
        struct rates now;
        TRY(play(g, diag, &model, &now, &r->answer[t]));
        r->iterations = t + 1;
        keep(o, t, &model, best, ret_kept, r);
        lower = fmax(lower, lagrangian(g, &now));
        const double gap = upper_value(g, r) - lower;
        nearer = gap < r->game_gap ? t : nearer;
        r->game_gap = gap;
        /* Nearer than the data can tell; but one answer alone is to be fair enough, too. */
        if (r->iterations >= LEAST_ITERATIONS && gap < 0.5 / sqrt((double)g->rows) && *ret_kept &&
            r->answer[r->chosen].violation <= o->eps) {
            break;
        }
        if (t >= nearer + LEAST_ITERATIONS) {
            eta *= SHRINK;
            nearer = t;
        }
        raise_prices(g, &now, eta);
    }
    return OK;
}

struct status
gradient_mitigate(const float *x, size_t rows, size_t features, const float *y,
                  const int32_t *group, uint32_t groups, const struct gradient_options *o,
                  struct diag *diag, struct buf *ret_model, struct gradient_result *ret_result)
{
    DEFER(game_done)
    struct game g = {.x = x,
                     .y = y,
                     .group = group,
                     .rows = rows,
                     .features = features,
                     .groups = groups,
                     .events = o->equalized_odds ? EVENTS : 1,
                     .o = o};
    DEFER(buf_done) struct buf best;
    DEFER(memory_freep) struct gradient_result *r = calloc(1, sizeof *r);
    bool kept = false;
    buf_init(&best, MODEL_MAX);
    CHECK(r != NULL, MEMORY);
    TRY(start(&g, diag));
    TRY(play_all(&g, diag, &best, r, &kept));
    if (!kept) {
        diag_set(diag, "no trees answer these constraints: only the same decision for all does");
        FAIL(INPUT);
    }
    buf_put(ret_model, buf_view(&best));
    *ret_result = *r;
    return buf_status(ret_model);
}
