/* What a gap means, said in a sentence that stands alone. */
#include "report/fairness_parts.h"

#include <math.h>

/* Before and after the positive answer ("deny = yes"): what happens to a share of the rows. */
static const char *const happenings[GROUP_METRICS][2] = {
    [GROUP_SELECTION_RATE] = {"", " is predicted"},
    [GROUP_TPR] = {"where ", " is true, it is predicted"},
    [GROUP_RECALL] = {"where ", " is true, it is predicted"},
    [GROUP_FPR] = {"where ", " is not true, it is predicted all the same"},
    [GROUP_TNR] = {"where ", " is not true, it is not predicted"},
    [GROUP_FNR] = {"where ", " is true, it is missed"},
    [GROUP_ACCURACY] = {"predictions of ", " are right"},
    [GROUP_ZERO_ONE_LOSS] = {"predictions of ", " are wrong"},
    [GROUP_PRECISION] = {"where ", " is predicted, it is true"},
    [GROUP_FALSE_DISCOVERY_RATE] = {"where ", " is predicted, it is not true"},
    [GROUP_NPV] = {"where ", " is not predicted, it is not true"},
    [GROUP_FALSE_OMISSION_RATE] = {"where ", " is not predicted, it is true all the same"},
    [GROUP_BASE_RATE] = {"", " is true"},
};

static const char *const quantities[GROUP_METRICS] = {
    [GROUP_BALANCED_ACCURACY] = "balanced accuracy",
    [GROUP_F1] = "F1",
    [GROUP_ROC_AUC] = "the area under the ROC curve",
    [GROUP_LOG_LOSS] = "the log loss",
    [GROUP_PRECISION_MACRO] = "the mean precision of the classes",
    [GROUP_RECALL_MACRO] = "the mean recall of the classes",
    [GROUP_F1_MACRO] = "the mean F1 of the classes",
    [GROUP_BALANCED_RMSE] = "the balanced root mean squared error",
    [GROUP_MEAN_PREDICTION] = "the mean prediction",
    [GROUP_MAE] = "the mean absolute error",
    [GROUP_MSE] = "the mean squared error",
    [GROUP_RMSE] = "the root mean squared error",
    [GROUP_R2] = "R squared",
    [GROUP_OVERPREDICTION] = "the mean overprediction",
    [GROUP_UNDERPREDICTION] = "the mean underprediction",
};

struct said {
    const struct fairness_work *w;
    enum group_metric m;
    const struct group_estimate *high, *low;
    const char *high_name, *low_name;
    const struct fairness_grouping *g;
    const json_t *gap;
    struct buf *b;
};

static double
number_of(const struct said *s, const char *key)
{
    const json_t *v = json_object_get(json_object_get(s->gap, key), "value");
    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

static double
end_of(const struct said *s, const char *key, size_t end)
{
    const json_t *v = json_array_get(json_object_get(json_object_get(s->gap, key), "ci"), end);
    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

static void
put_ends(const struct said *s, double low, double high, const char *unit)
{
    if (isnan(low) || isnan(high)) {
        return;
    }
    buf_printf(s->b, "; %.3g %% ", 100 * s->w->in->level);
    if (isinf(high)) {
        buf_printf(s->b, "above %.3g%s", low, unit);
    } else {
        buf_printf(s->b, "between %.3g and %.3g%s", low, high, unit);
    }
}

static void
put_rates(const struct said *s)
{
    const double ratio = number_of(s, "ratio");
    buf_put_str(s->b, happenings[s->m][0]);
    buf_put_str(s->b, s->w->positive);
    buf_put_str(s->b, happenings[s->m][1]);
    if (s->high->value == s->low->value) {
        buf_printf(s->b, " as often for %s as for %s", s->high_name, s->low_name);
    } else if (ratio > 0) {
        buf_printf(s->b, " %.3g times as often for %s as for %s", 1 / ratio, s->high_name,
                   s->low_name);
    } else {
        buf_printf(s->b, " for %s and never for %s", s->high_name, s->low_name);
    }
    buf_printf(s->b, " (%.1f %% and %.1f %%)", 100 * s->high->value, 100 * s->low->value);
    if (ratio > 0) {
        put_ends(s, 1 / end_of(s, "ratio", 1), 1 / end_of(s, "ratio", 0), "");
    } else {
        put_ends(s, 100 * end_of(s, "difference", 0), 100 * end_of(s, "difference", 1),
                 " percentage points");
    }
}

static void
put_quantity(const struct said *s)
{
    buf_printf(s->b, "%s is %.4g for %s and %.4g for %s, %.3g more", quantities[s->m],
               s->high->value, s->high_name, s->low->value, s->low_name,
               number_of(s, "difference"));
    put_ends(s, end_of(s, "difference", 0), end_of(s, "difference", 1), "");
}

/* Of the ratio of the rates at which the good thing happens. */
static struct status
put_four_fifths(const struct said *s)
{
    struct group_number x = {.value = number_of(s, "ratio"),
                             .ci = {end_of(s, "ratio", 0), end_of(s, "ratio", 1)}};
    if (s->w->in->adverse) {
        TRY(group_gap_other(&s->g->set, &x));
    }
    if (isnan(x.value)) {
        return OK;
    }
    const bool fails = x.value < 0.8, sure = fails ? x.ci.high < 0.8 : x.ci.low >= 0.8;
    if (s->w->in->adverse) {
        buf_printf(s->b, "; for the good outcome the ratio is %.2f", x.value);
    }
    buf_printf(s->b, "; the four-fifths rule %s%s", fails ? "fails" : "holds",
               sure    ? ""
               : fails ? ", but the interval reaches over 0.8"
                       : ", but the interval reaches under 0.8");
    return OK;
}

/* The interval goes with p; what is said goes with p among all comparisons. */
static void
put_judgement(const struct said *s)
{
    const json_t *p = json_object_get(s->gap, "p"),
                 *adjusted = json_object_get(s->gap, "p_adjusted");
    const double q = s->w->in->q, alone = 1 - s->w->in->level;
    if (!json_is_number(adjusted)) {
        buf_put_str(s->b, ".");
        return;
    }
    buf_printf(s->b, "; %s",
               json_number_value(adjusted) <= q ? "more than chance explains"
               : json_number_value(p) <= alone
                   ? "taken alone more than chance explains, among all that was compared not"
                   : "no more than chance explains");
    buf_printf(s->b, " (adjusted p %s%.2g).", json_number_value(adjusted) < 1e-4 ? "below " : "",
               fmax(1e-4, json_number_value(adjusted)));
}

static void
capitalise(struct buf *b)
{
    if (b->len > 0 && b->ptr[0] >= 'a' && b->ptr[0] <= 'z') {
        b->ptr[0] = (uint8_t)(b->ptr[0] - 'a' + 'A');
    }
}

struct status
fairness_put_sentence(const struct fairness_work *w, const struct fairness_grouping *g,
                      enum group_metric m, const struct group_estimate *high,
                      const struct group_estimate *low, const char *high_name, const char *low_name,
                      json_t *gap)
{
    DEFER(buf_done) struct buf b;
    buf_init(&b, 1u << 16);
    const struct said s = {w, m, high, low, high_name, low_name, g, gap, &b};
    if (happenings[m][0] != NULL) {
        const bool begins = *happenings[m][0] == '\0'; /* with the user's own word */
        put_rates(&s);
        begins ? (void)0 : capitalise(&b);
    } else {
        put_quantity(&s);
        capitalise(&b);
    }
    if (m == GROUP_SELECTION_RATE) {
        TRY(put_four_fifths(&s));
    }
    put_judgement(&s);
    TRY(buf_status(&b));
    return js_set(gap, "sentence", json_string(buf_str(&b)));
}
