#include "assess/attribution.h"

#include "assess/explain_answers.h"
#include "assess/explain_linear.h"
#include "assess/interventional.h"
#include "assess/link_slope.h"

#include <math.h>

struct attribution {
    const struct model_file *m;
    bool pairs;
    /* one of these */
    struct explainer *paths;
    struct interventional *background;
    struct explain_linear *linear;
    struct explain_answers *answers;
};

void
attribution_free(struct attribution *a)
{
    if (a != NULL) {
        explainer_free(a->paths);
        interventional_free(a->background);
        explain_linear_free(a->linear);
        explain_answers_free(a->answers);
        free(a);
    }
}

bool
attribution_needs_no_background(const struct model_file *m)
{
    return m->forest != NULL ? m->forest->has_cover : m->linear->has_mean;
}

static struct status
make_paths(struct attribution *a, const struct attribution_options *given)
{
    struct explainer_options o;
    explainer_defaults(&o);
    o.precision = given->precision;
    o.expected_rows = given->expected_rows;
    o.pairs = given->pairs;
    o.threads = given->threads;
    return explainer_new(a->m->forest, &o, &a->paths);
}

static struct status
make_interventional(struct attribution *a, const struct attribution_options *given)
{
    struct interventional_options o;
    interventional_defaults(&o);
    o.space = given->probability && a->m->link != FOREST_IDENTITY ? INTERVENTIONAL_PROBABILITY
                                                                  : INTERVENTIONAL_MARGIN;
    o.precision = given->precision;
    o.expected_rows = given->expected_rows;
    o.interactions = given->pairs;
    o.threads = given->threads;
    return interventional_new(a->m->forest, given->background, given->background_rows, &o,
                              &a->background);
}

/* Of a linear model each output has its own slope. */
bool
attribution_takes_coalitions(const struct model_file *m)
{
    if (m->link == FOREST_IDENTITY) {
        return false;
    }
    return !link_slope_known(m->link) || (m->forest != NULL && m->outputs > 1);
}

static struct status
make_answers(struct attribution *a, const struct attribution_options *given)
{
    const struct explain_answers_options o = {.background = given->background,
                                              .rows = given->background_rows,
                                              .evaluations = given->evaluations,
                                              .seed = given->seed,
                                              .threads = given->threads};
    return explain_answers_new(a->m, &o, &a->answers);
}

struct status
attribution_new(const struct model_file *m, const struct attribution_options *o,
                struct attribution **ret_attribution)
{
    ASSERT(o->background != NULL || (!o->probability && attribution_needs_no_background(m)));
    DEFER(attribution_freep) struct attribution *a = calloc(1, sizeof *a);
    CHECK(a != NULL, MEMORY);
    a->m = m;
    a->pairs = o->pairs;
    if (o->probability && attribution_takes_coalitions(m)) {
        TRY(make_answers(a, o));
    } else if (m->linear != NULL) {
        TRY(explain_linear_new(m->linear, o->background, o->background_rows, o->probability,
                               &a->linear));
    } else {
        TRY(o->background != NULL ? make_interventional(a, o) : make_paths(a, o));
    }
    *ret_attribution = MOVE(a);
    return OK;
}

const char *
attribution_method(const struct attribution *a)
{
    return a->answers != NULL  ? "interventional SHAP by coalitions of features"
           : a->linear != NULL ? "exact SHAP of a linear model"
           : a->paths != NULL  ? "exact path-dependent TreeSHAP"
                               : "exact interventional TreeSHAP";
}

void
attribution_expected(const struct attribution *a, double *ret_expected)
{
    if (a->answers != NULL) {
        explain_answers_expected(a->answers, ret_expected);
    } else if (a->linear != NULL) {
        explain_linear_expected(a->linear, ret_expected);
    } else if (a->paths != NULL) {
        explain_expected(a->m->forest, ret_expected);
    } else {
        interventional_expected(a->background, ret_expected);
    }
}

struct status
attribution_rows(const struct attribution *a, const float *x, size_t rows, unsigned threads,
                 double *ret_phi, double *ret_error)
{
    if (a->answers != NULL) {
        return explain_answers_rows(a->answers, x, rows, threads, ret_phi, ret_error);
    }
    if (ret_error != NULL) {
        memset(ret_error, 0, rows * a->m->outputs * a->m->features * sizeof *ret_error);
    }
    if (a->linear != NULL) {
        explain_linear_rows(a->linear, x, rows, threads, ret_phi);
        return OK;
    }
    return a->paths != NULL ? explainer_rows(a->paths, x, rows, threads, ret_phi)
                            : interventional_rows(a->background, x, rows, threads, ret_phi);
}

/* Each line has the one attribution that is its feature's. */
static struct status
linear_pairs(const struct attribution *a, const float *x, size_t rows, unsigned threads,
             double *ret_pairs)
{
    const size_t features = a->m->features, lines = rows * a->m->outputs * features;
    DEFER(memory_freep) double *phi = calloc(lines + 1, sizeof *phi);
    CHECK(phi != NULL, MEMORY);
    explain_linear_rows(a->linear, x, rows, threads, phi);
    for (size_t i = 0; i < lines; i++) {
        for (size_t j = 0; j < features; j++) {
            ret_pairs[i * features + j] = j == i % features || isnan(phi[i]) ? phi[i] : 0;
        }
    }
    return OK;
}

struct status
attribution_pairs(const struct attribution *a, const float *x, size_t rows, unsigned threads,
                  double *ret_pairs)
{
    if (a->linear != NULL) {
        return linear_pairs(a, x, rows, threads, ret_pairs);
    }
    return a->answers != NULL ? explain_answers_pairs(a->answers, x, rows, threads, ret_pairs)
           : a->paths != NULL
               ? explainer_pairs(a->paths, x, rows, threads, ret_pairs)
               : interventional_interactions(a->background, x, rows, threads, ret_pairs);
}

struct attribution_told
attribution_tell(const struct attribution *a)
{
    struct attribution_told t = {0};
    if (a->answers != NULL) {
        const struct explain_answers_told of = explain_answers_tell(a->answers);
        t.coalitions = true;
        t.exact_rows = of.exact_rows;
        t.drawn_rows = of.drawn_rows;
        t.evaluations = of.evaluations;
        t.players = of.players;
        t.largest_error = of.largest_error;
        t.left_out = of.left_out;
    } else if (a->linear != NULL) {
        t.no_pairs = a->pairs;
        t.nodes = explain_linear_nodes(a->linear, &t.error);
        t.left_out = explain_linear_left_out(a->linear);
    } else if (a->background != NULL) {
        t.pair_by_pair = interventional_engine(a->background) == INTERVENTIONAL_PAIRS;
        t.nodes = interventional_nodes(a->background, &t.error);
    }
    return t;
}
