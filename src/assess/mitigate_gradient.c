#include "assess/mitigate_gradient.h"

#include "model/predictor.h"

#include <math.h>
#include <string.h>

#define MODEL_MAX ((size_t)1 << 30)
#define LEAST_ITERATIONS 5u
#define LEAST_UNIT 1e-3
#define SHRINK 0.8      /* of the step, when five answers brought the gap no nearer */
#define LEAST_STEP 0.02 /* of the first one, when prices swing between groups */

struct game {
    const float *x, *y;
    const int32_t *group;
    size_t rows, features;
    const struct gradient_options *o;
    struct moment moment;
    double theta[MOMENT_MAX], price[MOMENT_MAX];
    float *label, *weight; /* rows: what the booster is asked */
    double *margin;        /* rows; before that, what a positive decision is worth */
    double *decision;      /* rows: 0 or 1; of numbers the losses */
    double *sum;           /* rows: of those, over the answers of the mixture */
    uint32_t mixed;        /* answers in the mixture */
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

/* ---- rates ---- */

static struct moment_rates
rates_of(const struct game *g, const double *chance, double times)
{
    return moment_rates_of(&g->moment, g->y, g->group, g->rows, chance, times);
}

/* Least and greatest rate of an event. */
static void
answer_event(const struct moment_rates *r, uint32_t event, uint32_t groups,
             struct gradient_answer *a)
{
    double low = INFINITY, high = -INFINITY;
    for (uint32_t k = 0; k < groups; k++) {
        low = fmin(low, r->rate[event][k]);
        high = fmax(high, r->rate[event][k]);
    }
    a->gap = fmax(a->gap, high - low);
    a->ratio = fmin(a->ratio, high > 0 ? low / high : 1);
}

static struct gradient_answer
answer_of(const struct game *g, const struct moment_rates *r)
{
    const struct moment *m = &g->moment;
    struct gradient_answer a = {.error = r->error, .ratio = 1};
    for (uint32_t e = 0; e < m->events; e++) {
        answer_event(r, e, m->groups, &a);
        for (uint32_t k = 0; k < m->groups; k++) {
            for (uint32_t s = 0; s < m->sides; s++) {
                a.violation = fmax(a.violation, moment_gamma(m, r, e, k, s));
            }
        }
    }
    return a;
}

/* Error plus what the broken constraints cost at these prices. */
static double
lagrangian(const struct game *g, const struct moment_rates *r)
{
    const struct moment *m = &g->moment;
    double value = r->error;
    for (uint32_t e = 0; e < m->events; e++) {
        for (uint32_t k = 0; k < m->groups; k++) {
            for (uint32_t s = 0; s < m->sides; s++) {
                value +=
                    g->price[moment_index(m, e, k, s)] * (moment_gamma(m, r, e, k, s) - m->bound);
            }
        }
    }
    return value;
}

/* ---- prices ---- */

static void
set_prices(struct game *g)
{
    const size_t n = moment_count(&g->moment);
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
    /* No rate is too high and too low at once: taking the lesser price off both makes the
     * Lagrangian no smaller, whatever the answer, and bounds the game closer. */
    for (size_t i = 0; i < n && g->moment.sides == MOMENT_SIDES; i += MOMENT_SIDES) {
        const double both = fmin(g->price[i], g->price[i + 1]);
        g->price[i] -= both;
        g->price[i + 1] -= both;
    }
}

static void
raise_prices(struct game *g, const struct moment_rates *r, double eta)
{
    const struct moment *m = &g->moment;
    for (uint32_t e = 0; e < m->events; e++) {
        for (uint32_t k = 0; k < m->groups; k++) {
            for (uint32_t s = 0; s < m->sides; s++) {
                g->theta[moment_index(m, e, k, s)] +=
                    eta * (moment_gamma(m, r, e, k, s) - m->bound);
            }
        }
    }
}

/* What a positive decision of each row is worth becomes its label and weight. */
static void
ask(struct game *g)
{
    double sum = 0;
    moment_worth(&g->moment, g->price, g->y, g->group, g->rows, g->margin);
    for (size_t i = 0; i < g->rows; i++) {
        g->label[i] = g->moment.numbers ? (float)moment_clip(&g->moment, (double)g->y[i])
                                        : (float)(g->margin[i] > 0);
        sum += fabs(g->margin[i]);
    }
    for (size_t i = 0; i < g->rows; i++) {
        g->weight[i] = (float)(fabs(g->margin[i]) * (double)g->rows / sum);
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
    return !g->moment.numbers && (ones == 0 || ones == g->rows);
}

static struct status
reply(struct game *g, struct diag *diag, struct buf *ret_model, bool *ret_constant)
{
    *ret_constant = one_label(g);
    if (*ret_constant) {
        for (size_t i = 0; i < g->rows; i++) {
            g->decision[i] = g->label[i];
        }
        return OK;
    }
    DEFER(forest_freep) struct forest *f = NULL;
    DEFER(predictor_freep) struct predictor *p = NULL;
    TRY(train_xgboost(g->x, g->rows, g->features, g->label, g->weight, &g->o->train, diag,
                      ret_model));
    TRY(forest_load(buf_view(ret_model), diag, &f));
    TRY(predictor_new(f, &p));
    predictor_margin(p, g->x, g->rows, g->o->train.threads, g->margin);
    if (g->moment.numbers) {
        forest_link_apply(f, g->margin, g->rows);
    }
    for (size_t i = 0; i < g->rows; i++) {
        g->decision[i] = g->moment.numbers
                             ? moment_loss_of(&g->moment, (double)g->y[i], g->margin[i])
                             : g->margin[i] >= 0; /* probability >= 1/2 */
    }
    return OK;
}

/* ---- the game ---- */

static struct status
check(const struct gradient_options *o, struct diag *diag)
{
    if (!(o->eps > 0 && o->eps < 1) || !(o->eta > 0 && isfinite(o->eta)) || o->iterations == 0 ||
        o->iterations > GRADIENT_MAX_ITERATIONS) {
        diag_set(diag,
                 "eps %g between 0 and 1, step %g over 0, %u iterations from 1 to %u: out of range",
                 o->eps, o->eta, o->iterations, GRADIENT_MAX_ITERATIONS);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
start(struct game *g, uint32_t groups, struct diag *diag)
{
    const struct gradient_options *o = g->o;
    const struct moment_bounds bounds = {.difference = o->eps,
                                         .ratio = o->ratio_bound,
                                         .slack = o->ratio_bound_slack,
                                         .loss = o->loss_bound,
                                         .numbers =
                                             strcmp(o->train.objective, "binary:logistic") != 0,
                                         .kind = o->loss,
                                         .low = o->low,
                                         .high = o->high};
    TRY(check(o, diag));
    TRY(moment_init(&g->moment, o->constraint, &bounds, g->y, g->group, g->rows, groups, diag));
    g->label = calloc(g->rows, sizeof *g->label);
    g->weight = calloc(g->rows, sizeof *g->weight);
    g->margin = calloc(g->rows, sizeof *g->margin);
    g->decision = calloc(g->rows, sizeof *g->decision);
    g->sum = calloc(g->rows, sizeof *g->sum);
    CHECK(g->label != NULL && g->weight != NULL && g->margin != NULL && g->decision != NULL &&
              g->sum != NULL,
          MEMORY);
    return OK;
}

static bool
better(const struct gradient_answer *a, const struct gradient_answer *b, double bound)
{
    const bool fair_a = a->violation <= bound, fair_b = b->violation <= bound;
    return fair_a != fair_b ? fair_a : fair_a ? a->error < b->error : a->violation < b->violation;
}

/* Keeps the model when it is the best single one so far. */
static void
keep(double bound, uint32_t t, struct buf *model, struct buf *best, bool *kept_any,
     struct gradient_result *r)
{
    if (r->answer[t].constant ||
        (*kept_any && !better(&r->answer[t], &r->answer[r->chosen], bound))) {
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
    const struct moment_rates mixed = rates_of(g, g->sum, 1 / (double)g->mixed);
    r->mixture = answer_of(g, &mixed);
    return r->mixture.error + fmax(r->mixture.violation - g->moment.bound, 0) / g->o->eps;
}

/* One question and its answer. */
static struct status
play(struct game *g, struct diag *diag, struct buf *ret_model, struct moment_rates *ret_rates,
     struct gradient_answer *ret_answer)
{
    bool constant = false;
    set_prices(g);
    ask(g);
    buf_reset(ret_model);
    TRY(reply(g, diag, ret_model, &constant));
    *ret_rates = rates_of(g, g->decision, 1);
    *ret_answer = answer_of(g, ret_rates);
    ret_answer->constant = constant;
    for (size_t i = 0; i < g->rows; i++) {
        g->sum[i] += g->decision[i];
    }
    g->mixed++;
    return OK;
}

/* From one unit of losses to another. */
static void
scale_answer(struct gradient_answer *a, double times)
{
    a->error *= times;
    a->violation *= times;
    a->gap *= times;
}

static void
scale_result(struct gradient_result *r, double times)
{
    r->game_gap *= times;
    scale_answer(&r->mixture, times);
    for (uint32_t t = 0; t < r->iterations; t++) {
        scale_answer(&r->answer[t], times);
    }
}

/* The mean loss of the plain answer, unless it is next to none, becomes the unit: steps are then as
 * long for a model that tells nearly all as for one that tells little. */
static void
take_unit(struct game *g, struct gradient_result *r)
{
    const double unit = fmax(r->answer[0].error, LEAST_UNIT);
    g->moment.unit *= unit;
    g->moment.bound /= unit;
    scale_result(r, 1 / unit);
}

static void
set_thetas(struct game *g, double to)
{
    for (size_t i = 0; i < moment_count(&g->moment); i++) {
        g->theta[i] = to;
    }
}

/* Of numbers: the answer to no prices. Where it keeps the bound there is none better; else it is no
 * part of the mixture, and prices start near what the mean loss itself weighs. */
static struct status
play_plain(struct game *g, struct diag *diag, struct buf *best, struct gradient_result *r,
           bool *ret_kept)
{
    struct moment_rates now;
    DEFER(buf_done) struct buf model;
    buf_init(&model, MODEL_MAX);
    set_thetas(g, -INFINITY);
    TRY(play(g, diag, &model, &now, &r->answer[0]));
    r->iterations = 1;
    keep(g->moment.bound, 0, &model, best, ret_kept, r);
    r->game_gap = upper_value(g, r) - lagrangian(g, &now);
    g->mixed = 0;
    memset(g->sum, 0, g->rows * sizeof *g->sum);
    take_unit(g, r);
    set_thetas(g, log(g->o->eps));
    return OK;
}

/* How far prices move after an answer. */
struct pace {
    double eta;
    uint32_t nearer; /* the last answer that brought the gap nearer, or that was acted upon */
    uint32_t worst;  /* group of the greatest loss */
};

static uint32_t
worst_group(const struct game *g, const struct moment_rates *r)
{
    uint32_t worst = 0;
    for (uint32_t k = 1; k < g->moment.groups; k++) {
        worst = r->rate[0][k] > r->rate[0][worst] ? k : worst;
    }
    return worst;
}

/* Steps were too long when no answer came nearer; of numbers also when they have made another group
 * the worst one, between which prices would swing for ever where no answer keeps the bound. */
static void
set_pace(const struct game *g, const struct moment_rates *now, uint32_t t, struct pace *p)
{
    const uint32_t worst = worst_group(g, now);
    const bool swings = g->moment.numbers && worst != p->worst && p->eta > LEAST_STEP * g->o->eta;
    if (swings || t >= p->nearer + LEAST_ITERATIONS) {
        p->eta *= SHRINK;
        p->nearer = t;
    }
    p->worst = worst;
}

static struct status
play_all(struct game *g, struct diag *diag, struct buf *best, struct gradient_result *r,
         bool *ret_kept)
{
    const struct gradient_options *o = g->o;
    /* Where there is no price for too low to weigh against, steps times eps hardly move the
     * groups' prices apart. */
    struct pace pace = {.eta = o->eta * (g->moment.sides == 1 ? 1 : o->eps)};
    double lower = -INFINITY;
    DEFER(buf_done) struct buf model;
    buf_init(&model, MODEL_MAX);
    r->game_gap = INFINITY;
    if (g->moment.numbers) {
        TRY(play_plain(g, diag, best, r, ret_kept));
        if (r->answer[0].violation <= g->moment.bound) {
            return OK;
        }
        lower = r->answer[0].error;
    }
    for (uint32_t t = r->iterations; t < o->iterations; t++) {
        struct moment_rates now;
        TRY(play(g, diag, &model, &now, &r->answer[t]));
        r->iterations = t + 1;
        keep(g->moment.bound, t, &model, best, ret_kept, r);
        lower = fmax(lower, lagrangian(g, &now));
        const double gap = upper_value(g, r) - lower;
        pace.nearer = gap < r->game_gap ? t : pace.nearer;
        r->game_gap = gap;
        /* Nearer than the data can tell; but one answer alone is to be fair enough, too. */
        if (r->iterations >= LEAST_ITERATIONS && gap < 0.5 / sqrt((double)g->rows) && *ret_kept &&
            r->answer[r->chosen].violation <= g->moment.bound) {
            break;
        }
        set_pace(g, &now, t, &pace);
        raise_prices(g, &now, pace.eta);
    }
    return OK;
}

static void
finish(const struct game *g, struct gradient_result *r)
{
    r->met = r->answer[r->chosen].violation <= g->moment.bound;
    scale_result(r, g->moment.unit);
}

const char *
gradient_objective(const char *objective, enum moment_loss loss)
{
    const bool means = strcmp(objective, "reg:absoluteerror") != 0;
    return loss != MOMENT_SQUARE_LOSS ? "reg:absoluteerror"
           : means                    ? objective
                                      : "reg:squarederror";
}

struct status
gradient_mitigate(const float *x, size_t rows, size_t features, const float *y,
                  const int32_t *group, uint32_t groups, const struct gradient_options *o,
                  struct diag *diag, struct buf *ret_model, struct gradient_result *ret_result)
{
    DEFER(game_done)
    struct game g = {.x = x, .y = y, .group = group, .rows = rows, .features = features, .o = o};
    DEFER(buf_done) struct buf best;
    DEFER(memory_freep) struct gradient_result *r = calloc(1, sizeof *r);
    bool kept = false;
    buf_init(&best, MODEL_MAX);
    CHECK(r != NULL, MEMORY);
    TRY(start(&g, groups, diag));
    TRY(play_all(&g, diag, &best, r, &kept));
    if (!kept) {
        diag_set(diag, "no trees answer these constraints: only the same decision for all does");
        FAIL(INPUT);
    }
    finish(&g, r);
    buf_put(ret_model, buf_view(&best));
    *ret_result = *r;
    return buf_status(ret_model);
}
