#include "report/html_fairness.h"

#include "assess/group_metric.h"
#include "report/html_parts.h"
#include "report/html_svg.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LEFT 8.0
#define WIDTH 454.0
#define ROW 42

struct shown {
    const char *key, *title;
    bool share;
};

static const struct shown of_decisions[] = {
    {"selection_rate", "Predicted positive", true},
    {"true_positive_rate", "Found, of the truly positive (TPR)", true},
    {"false_positive_rate", "Wrongly predicted, of the truly negative (FPR)", true},
    {"precision_score", "Right, of those predicted positive", true},
};
static const struct shown of_numbers[] = {
    {"mean_prediction", "Mean prediction", false},
    {"mean_absolute_error", "Mean absolute error", false},
    {"overprediction", "Mean overprediction", false},
    {"underprediction", "Mean underprediction", false},
};

static const struct shown of_classes[] = {
    {"accuracy_score", "Right predictions", true},
    {"recall_macro", "Mean recall of the classes", true},
    {"precision_macro", "Mean precision of the classes", true},
    {"f1_macro", "Mean F1 of the classes", true},
};

#define CHARTS 4u

enum kind { DECISIONS, NUMBERS, CLASSES };

static const struct shown *const charts[] = {
    [DECISIONS] = of_decisions, [NUMBERS] = of_numbers, [CLASSES] = of_classes};

/* ---- definitions, one click away ---- */

static const char *const definitions[][2] = {
    {"selection rate", "share of the rows for which the positive value is predicted"},
    {"TPR, FPR, TNR, FNR",
     "true positive rate, tp / (tp + fn), and the other three: of the rows with that truth, the "
     "share with that prediction"},
    {"difference, ratio", "largest less smallest value of the judged groups, and smallest over "
                          "largest; to overall: of each group and all rows"},
    {"demographic parity", "the difference or ratio of selection rates"},
    {"equalized odds", "the worse of the differences (or ratios) of TPR and FPR"},
    {"equal opportunity", "the difference or ratio of TPR"},
    {"four-fifths rule", "the rate of the good outcome in the worst-off group is at least 0.8 of "
                         "that in the best-off: a rule of thumb, no law of nature"},
    {"interval", "analytic (Wilson, Newcombe, Donner and Zou, Student, DeLong); of several groups "
                 "such that those of all pairs hold together; of distances to overall, each group "
                 "against the rest of the rows, times the rest's share; of means and their roots "
                 "the value with the largest deviation of bootstrap replicates around it"},
    {"adjusted p", "of no difference, adjusted for the number of comparisons on this page "
                   "(Benjamini and Hochberg)"},
    {"conditional acceptance, rejection",
     "observed over predicted positives, (tp + fn) / (tp + fp), and observed over predicted "
     "negatives: 1 where as many are predicted as there are"},
    {"DPPL, DI, DCAcc, DCR, DAR, DRR, RD, SD, AD, TE, CDDPL, GE",
     "SageMaker Clarify's post-training metrics, of the group against all others"},
};

/* ---- a chart of one metric ---- */

static const json_t *
metric_of(const json_t *group, const char *key)
{
    return json_object_get(json_object_get(group, "metrics"), key);
}

struct scale {
    double low, high;
};

static struct scale
scale_of(const json_t *const *groups, size_t n, const struct shown *s)
{
    struct scale k = {0, s->share ? 0.05 : 0};
    for (size_t i = 0; i < n; i++) {
        const json_t *m = metric_of(groups[i], s->key);
        const double v = document_number(m, "value"), high = document_end(m, "ci", 1);
        const double low = document_end(m, "ci", 0);
        if (isfinite(v)) {
            k.high = fmax(k.high, isfinite(high) ? high : v);
            k.low = fmin(k.low, isfinite(low) ? low : v);
        }
    }
    k.high = s->share ? fmin(1, k.high) : k.high > k.low ? k.high : k.low + 1;
    return k;
}

static double
place_of(const struct scale *k, double v)
{
    return LEFT + WIDTH * fmin(1, fmax(0, (v - k->low) / (k->high - k->low)));
}

static void
put_row(const json_t *g, const struct shown *s, const struct scale *k, double y, struct buf *b)
{
    const json_t *m = metric_of(g, s->key);
    const bool judged = json_is_true(json_object_get(g, "judged"));
    const double v = document_number(m, "value"), low = document_end(m, "ci", 0),
                 high = document_end(m, "ci", 1);
    char text[96];
    svg_label(b, LEFT + 6, y, "start", judged ? "" : "s", 36, document_text(g, "group"));
    if (!isfinite(v)) {
        svg_label(b, LEFT + WIDTH, y, "end", "s", 40, "no such rows");
        return;
    }
    if (s->share && isfinite(document_number(m, "n"))) {
        (void)snprintf(text, sizeof text, "%.1f %%  (%.0f of %.0f)%s", 100 * v,
                       document_number(m, "x"), document_number(m, "n"), judged ? "" : ", few");
    } else if (s->share) { /* a mean over classes */
        (void)snprintf(text, sizeof text, "%.1f %%  (%.0f rows)%s", 100 * v,
                       document_number(g, "n"), judged ? "" : ", few");
    } else {
        (void)snprintf(text, sizeof text, "%.4g  (%.0f rows)%s", v, document_number(g, "n"),
                       judged ? "" : ", few");
    }
    svg_label(b, LEFT + WIDTH, y, "end", judged ? "" : "s", 40, text);
    if (isfinite(low) && isfinite(high)) {
        svg_line(b, judged ? "ci" : "ci2", place_of(k, low), y + 14, place_of(k, high), y + 14);
    }
    svg_dot(b, judged ? "b" : "weak", place_of(k, v), y + 14, 5.5);
}

static void
put_chart(const json_t *const *groups, size_t n, const struct shown *s, struct buf *b)
{
    const struct scale k = scale_of(groups, n, s);
    char title[160];
    (void)snprintf(title, sizeof title, "%s by group, with intervals", s->title);
    buf_printf(b, "<div class=\"card\"><h4>%s</h4>", s->title);
    svg_open(b, (int)(2 * LEFT + WIDTH), (int)n * ROW + 10, false, title);
    svg_line(b, "a", place_of(&k, 0), 0, place_of(&k, 0), (double)(n * ROW));
    for (size_t i = 0; i < n; i++) {
        put_row(groups[i], s, &k, (double)(i * ROW) + 15, b);
    }
    svg_close(b);
    buf_put_str(b, "</div>");
}

/* ---- tables ---- */

static void
put_cell(const json_t *number, bool share, struct buf *b)
{
    const double v = document_number(number, "value"), low = document_end(number, "ci", 0),
                 high = document_end(number, "ci", 1);
    buf_put_str(b, "<td>");
    if (!isfinite(v) && json_object_get(number, "remark") != NULL) {
        buf_put_str(b, "<span class=\"ci\">");
        html_put(b, document_text(number, "remark"));
        buf_put_str(b, "</span>");
    } else if (!isfinite(v)) {
        buf_put_str(b, "&ndash;");
    } else if (share) {
        html_put_percent(b, v, 1);
    } else {
        buf_printf(b, "%.3g", v);
    }
    if (isfinite(v) && isfinite(low) && isfinite(high)) {
        buf_printf(b,
                   share ? "<span class=\"ci\">%.1f to %.1f</span>"
                         : "<span class=\"ci\">%.3g to %.3g</span>",
                   share ? 100 * low : low, share ? 100 * high : high);
    }
    buf_put_str(b, "</td>");
}

static void
put_group_table(const json_t *const *groups, size_t n, enum kind kind, struct buf *b)
{
    static const struct shown decisions[] = {
        {"selection_rate", "selected", true}, {"true_positive_rate", "TPR", true},
        {"false_positive_rate", "FPR", true}, {"precision_score", "precision", true},
        {"accuracy_score", "accuracy", true}, {"f1_score", "F1", true},
        {"roc_auc_score", "AUC", false}};
    static const struct shown numbers[] = {
        {"mean_prediction", "mean", false},         {"mean_absolute_error", "MAE", false},
        {"root_mean_squared_error", "RMSE", false}, {"r2_score", "R&sup2;", false},
        {"overprediction", "over", false},          {"underprediction", "under", false}};
    static const struct shown classes[] = {{"accuracy_score", "right", true},
                                           {"recall_macro", "mean recall", true},
                                           {"precision_macro", "mean precision", true},
                                           {"f1_macro", "mean F1", true}};
    const struct shown *shown = kind == NUMBERS ? numbers : kind == DECISIONS ? decisions : classes;
    const size_t columns = kind == NUMBERS     ? sizeof numbers / sizeof *numbers
                           : kind == DECISIONS ? sizeof decisions / sizeof *decisions
                                               : sizeof classes / sizeof *classes;
    buf_put_str(b, "<div class=\"card\"><table><thead><tr><th>group</th><th>rows</th>");
    for (size_t k = 0; k < columns; k++) {
        buf_printf(b, "<th>%s</th>", shown[k].title);
    }
    buf_put_str(b, "</tr></thead><tbody>");
    for (size_t i = 0; i < n; i++) {
        const bool judged = json_is_true(json_object_get(groups[i], "judged"));
        buf_printf(b, "<tr%s><th>", judged ? "" : " class=\"few\"");
        html_put(b, document_text(groups[i], "group"));
        buf_printf(b, "</th><td>%.0f</td>", document_number(groups[i], "n"));
        for (size_t k = 0; k < columns; k++) {
            put_cell(metric_of(groups[i], shown[k].key), shown[k].share, b);
        }
        buf_put_str(b, "</tr>");
    }
    buf_put_str(b, "</tbody></table></div>");
}

static void
put_gap_row(const char *name, const json_t *gap, struct buf *b)
{
    const double p = document_number(gap, "p_adjusted");
    buf_put_str(b, "<tr><th>");
    for (; *name != '\0'; name++) {
        buf_put_u8(b, *name == '_' ? ' ' : (uint8_t)*name);
    }
    buf_put_str(b, "</th>");
    put_cell(json_object_get(gap, "difference"), false, b);
    put_cell(json_object_get(gap, "ratio"), false, b);
    put_cell(json_object_get(gap, "group_min"), false, b);
    put_cell(json_object_get(gap, "group_max"), false, b);
    if (isfinite(p)) {
        buf_printf(b, p < 1e-4 ? "<td>&lt; 0.0001</td></tr>" : "<td>%.4f</td></tr>", p);
    } else {
        buf_put_str(b, "<td>&ndash;</td></tr>");
    }
}

static void
put_gaps(const json_t *grouping, struct buf *b)
{
    const json_t *gaps = json_object_get(grouping, "gaps");
    buf_put_str(b, "<details><summary>Every metric's differences and ratios</summary><div "
                   "class=\"card\"><table><thead><tr><th>metric</th><th>difference</th><th>ratio"
                   "</th><th>least</th><th>most</th><th>adjusted p</th></tr></thead><tbody>");
    for (unsigned m = 0; m < GROUP_METRICS; m++) {
        const char *name = group_metric_word((enum group_metric)m);
        if (json_object_get(gaps, name) != NULL) {
            put_gap_row(name, json_object_get(gaps, name), b);
        }
    }
    buf_put_str(b, "</tbody></table></div></details>");
}

static void
put_clarify(const json_t *const *groups, size_t n, struct buf *b)
{
    static const char *const keys[] = {"DPPL", "DI", "DCAcc", "DCR", "DAR",   "DRR",
                                       "RD",   "SD", "AD",    "TE",  "CDDPL", "FT"};
    buf_put_str(b, "<details><summary>Clarify's metrics, each group against all others</summary>"
                   "<div class=\"card\"><table><thead><tr><th>group</th><th>conditional "
                   "acceptance</th><th>conditional rejection</th>");
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        buf_printf(b, "<th>%s</th>", keys[k]);
    }
    buf_put_str(b, "</tr></thead><tbody>");
    for (size_t i = 0; i < n; i++) {
        const json_t *c = json_object_get(groups[i], "clarify");
        if (c == NULL) {
            continue;
        }
        buf_put_str(b, "<tr><th>");
        html_put(b, document_text(groups[i], "group"));
        buf_put_str(b, "</th>");
        const json_t *quotients = json_object_get(groups[i], "quotients");
        put_cell(json_object_get(quotients, "conditional_acceptance"), false, b);
        put_cell(json_object_get(quotients, "conditional_rejection"), false, b);
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            put_cell(json_object_get(c, keys[k]), false, b);
        }
        buf_put_str(b, "</tr>");
    }
    buf_put_str(b, "</tbody></table></div></details>");
}

/* ---- a grouping ---- */

static void
put_sentences(const json_t *grouping, const struct shown *shown, struct buf *b)
{
    buf_put_str(b, "<ul>");
    for (size_t i = 0; i < CHARTS; i++) {
        const json_t *gap = json_object_get(json_object_get(grouping, "gaps"), shown[i].key);
        if (json_is_string(json_object_get(gap, "sentence"))) {
            buf_put_str(b, "<li>");
            html_put_prose(b, document_text(gap, "sentence"));
            buf_put_str(b, "</li>");
        }
    }
    buf_put_str(b, "</ul>");
}

static void
put_odds(const json_t *grouping, struct buf *b)
{
    static const char *const keys[][2] = {
        {"demographic_parity_difference", "demographic parity difference"},
        {"demographic_parity_ratio", "ratio"},
        {"equalized_odds_difference", "equalized odds difference"},
        {"equalized_odds_ratio", "ratio"},
        {"equal_opportunity_difference", "equal opportunity difference"},
    };
    buf_put_str(b, "<p class=\"soft small numbers\">");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *x = json_object_get(grouping, keys[i][0]);
        const double low = document_end(x, "ci", 0);
        if (isfinite(document_number(x, "value"))) {
            buf_printf(b, "<span>%s <b>%.3f</b>", keys[i][1], document_number(x, "value"));
            if (isfinite(low)) {
                buf_printf(b, " (%.3f to %.3f)", low, document_end(x, "ci", 1));
            }
            buf_put_str(b, "</span>");
        }
    }
    buf_put_str(b, "</p>");
}

static void
put_heading(const json_t *grouping, const char *stratum, struct buf *b)
{
    buf_put_str(b, "<h3>");
    html_put_columns(b, json_object_get(grouping, "columns"));
    if (stratum != NULL) {
        buf_put_str(b, " <span class=\"soft\">where ");
        html_put(b, stratum);
        buf_put_str(b, "</span>");
    }
    buf_put_str(b, "</h3>");
}

static struct status
put_grouping(const json_t *grouping, const char *stratum, enum kind kind, struct buf *b)
{
    const json_t *groups[HTML_GROUPS];
    const struct shown *shown = charts[kind];
    size_t n = 0;
    TRY(html_groups(grouping, groups, &n));
    const size_t all = json_array_size(json_object_get(grouping, "groups")) +
                       (size_t)document_number(grouping, "groups_not_listed");
    put_heading(grouping, stratum, b);
    put_sentences(grouping, shown, b);
    put_odds(grouping, b);
    buf_put_str(b, "<div class=\"two\">");
    for (size_t i = 0; i < CHARTS; i++) {
        put_chart(groups, n, &shown[i], b);
    }
    buf_put_str(b, "</div>");
    put_group_table(groups, n, kind, b);
    if (all > n) {
        buf_printf(b, "<p class=\"soft small\">The %zu largest of %zu groups.</p>", n, all);
    }
    put_gaps(grouping, b);
    if (kind == DECISIONS) {
        put_clarify(groups, n, b);
    }
    return buf_status(b);
}

struct drawing {
    struct buf *b;
    enum kind kind;
    size_t drawn, left_out;
};

static struct status
put_groupings(struct drawing *d, const json_t *list, const char *stratum)
{
    size_t i = 0;
    json_t *g = NULL;
    json_array_foreach((json_t *)(uintptr_t)list, i, g)
    {
        if (d->drawn == HTML_FAIRNESS_GROUPINGS) {
            d->left_out++;
            continue;
        }
        d->drawn++;
        TRY(put_grouping(g, stratum, d->kind, d->b));
    }
    return OK;
}

static struct status
put_analysis(struct drawing *d, const json_t *analysis)
{
    size_t i = 0;
    json_t *s = NULL;
    TRY(put_groupings(d, json_object_get(analysis, "groupings"), NULL));
    json_array_foreach(json_object_get(analysis, "conditional"), i, s)
    {
        TRY(put_groupings(d, json_object_get(s, "groupings"), document_text(s, "stratum")));
    }
    return OK;
}

static void
put_about(const json_t *document, struct buf *b)
{
    buf_printf(b,
               "<p class=\"soft\">%.0f of %.0f rows; %.0f without a label, %.0f without a "
               "prediction. Bars and small figures are %.4g&thinsp;%% intervals; groups with fewer "
               "than %.0f rows are shown in grey and not judged.</p>",
               document_number(document, "rows_assessed"), document_number(document, "rows"),
               document_number(document, "rows_without_label"),
               document_number(document, "rows_without_prediction"),
               100 * document_number(document, "level"), document_number(document, "min_group"));
}

/* Rows that are not assessed for want of something that most documents do not ask for. */
static void
put_left_out(const json_t *document, const char *key, const char *what, struct buf *b)
{
    const double rows = document_number(document, key);
    if (rows > 0) {
        buf_printf(b, "<li>%.0f rows %s are not assessed.</li>", rows, what);
    }
}

static void
put_remarks(const json_t *document, size_t left_out, struct buf *b)
{
    size_t i = 0;
    json_t *v = NULL;
    buf_put_str(b, "<ul class=\"soft small\">");
    put_left_out(document, "rows_without_score", "without a score", b);
    put_left_out(document, "rows_without_weight", "of weight 0", b);
    json_array_foreach(json_object_get(document, "remarks"), i, v)
    {
        buf_put_str(b, "<li>");
        html_put_prose(b, json_string_value(v));
        buf_put_str(b, "</li>");
    }
    if (left_out > 0) {
        buf_printf(b, "<li>%zu groupings more are in the JSON document alone.</li>", left_out);
    }
    buf_put_str(b, "</ul>");
}

struct status
html_fairness(const json_t *document, struct buf *b)
{
    struct drawing d = {.b = b};
    const char *task = document_text(document, "task");
    d.kind = strcmp(task, "numeric") == 0   ? NUMBERS
             : strcmp(task, "classes") == 0 ? CLASSES
                                            : DECISIONS;
    size_t i = 0;
    json_t *v = NULL;
    html_section("fairness", "Fairness", b);
    put_about(document, b);
    html_definitions(definitions, sizeof definitions / sizeof *definitions, b);
    TRY(put_analysis(&d, document));
    d.kind = d.kind == CLASSES ? DECISIONS : d.kind;
    json_array_foreach(json_object_get(document, "classes"), i, v)
    {
        buf_put_str(b, "<div class=\"class\"><h3>Class ");
        html_put(b, document_text(v, "class"));
        buf_put_str(b, " against the others</h3>");
        TRY(put_analysis(&d, v));
        buf_put_str(b, "</div>");
    }
    put_remarks(document, d.left_out, b);
    buf_put_str(b, "</section>");
    return buf_status(b);
}

struct status
html_fairness_page(const json_t *document, struct buf *ret_html)
{
    DEFER(buf_done) struct buf title;
    buf_init(&title, 1024);
    buf_printf(&title, "Fairness of %.500s", document_text(document, "prediction"));
    html_open(buf_str(&title), ret_html);
    buf_put_str(ret_html, "<header><div class=\"kind\">Fairness</div><h1>");
    html_put(ret_html, document_text(document, "prediction"));
    buf_put_str(ret_html, " <span class=\"soft\">against ");
    html_put(ret_html, document_text(document, "label"));
    buf_put_str(ret_html, "</span></h1></header>");
    html_main(ret_html);
    html_cohort(document, ret_html);
    TRY(html_fairness(document, ret_html));
    html_close(ret_html);
    return buf_status(ret_html);
}
