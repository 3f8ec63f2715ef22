/* Thresholds by group as a page: the front between accuracy and fairness, and the rules. */
#include "report/mitigate_document.h"

#include "report/html_parts.h"
#include "report/html_svg.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LEFT 56.0
#define TOP 12.0
#define WIDE 400.0
#define HIGH 240.0

static const char *const definitions[][2] = {
    {"difference", "of the rates that the constraint names, between the group where they are "
                   "greatest and the one where they are least; of equalized odds the greater one "
                   "of true and false positive rates"},
    {"accuracy", "share of the rows that are decided rightly"},
    {"goal", "what the thresholds were to make as large as the bound on the difference lets them"},
    {"selected", "share of the group's rows that are decided positive"},
    {"TPR, FPR", "true and false positive rate: the share decided positive of the group's rows "
                 "that are, and that are not"},
    {"at random", "each row is decided by the one or the other threshold, drawn anew, or by a "
                  "coin: so the constraint can be kept where no fixed thresholds keep it"},
    {"held back", "the rows are parted in five; each part is decided by thresholds that were "
                  "chosen on the other four"},
    {"interval", "95 %: what samples of so many rows would show by chance"},
};

/* ---- the front ---- */

struct scale {
    double x0, x1, y0, y1;
};

static double
at_x(const struct scale *s, double v)
{
    return LEFT + WIDE * (v - s->x0) / (s->x1 - s->x0);
}

static double
at_y(const struct scale *s, double v)
{
    return TOP + HIGH * (1 - (v - s->y0) / (s->y1 - s->y0));
}

static void
stretch(struct scale *s, const json_t *point, const char *key)
{
    s->x1 = fmax(s->x1, document_number(point, "gap"));
    s->y0 = fmin(s->y0, document_number(point, key));
    s->y1 = fmax(s->y1, document_number(point, key));
}

static void
put_axes(const struct scale *s, struct buf *b)
{
    for (unsigned i = 0; i <= 4; i++) {
        char text[32];
        const double x = s->x0 + (s->x1 - s->x0) * i / 4, y = s->y0 + (s->y1 - s->y0) * i / 4;
        svg_line(b, "g", at_x(s, x), TOP, at_x(s, x), TOP + HIGH);
        svg_line(b, "g", LEFT, at_y(s, y), LEFT + WIDE, at_y(s, y));
        (void)snprintf(text, sizeof text, "%.2f", x);
        svg_label(b, at_x(s, x), TOP + HIGH + 18, "middle", "s", 12, text);
        (void)snprintf(text, sizeof text, "%.3f", y);
        svg_label(b, LEFT - 6, at_y(s, y) + 4, "end", "s", 12, text);
    }
    svg_label(b, LEFT + WIDE / 2, TOP + HIGH + 38, "middle", "s", 60,
              "accuracy, by the greatest difference between groups");
}

static void
put_figure(const json_t *p, const char *key, const char *ci, struct buf *b)
{
    buf_printf(b, "<td>%.3f <span class=\"soft small\">%.3f\xe2\x80\x93%.3f</span></td>",
               document_number(p, key), document_end(p, ci, 0), document_end(p, ci, 1));
}

/* Now, and what can be had, side by side. */
static void
put_plans(const json_t *d, struct buf *b)
{
    static const char *const plans[][2] = {{"before", "now: one threshold for all"},
                                           {"deterministic", "one threshold for each group"},
                                           {"held_back", "the same, held back"},
                                           {"randomised", "the best at random"}};
    buf_put_str(b, "<div class=\"card\"><table><thead><tr><th>decided by</th><th>difference</th>"
                   "<th>accuracy</th></tr></thead><tbody>");
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        const json_t *plan = json_object_get(d, plans[i][0]);
        if (json_is_number(json_object_get(plan, "gap"))) {
            buf_printf(b, "<tr><th>%s</th>", plans[i][1]);
            put_figure(plan, "gap", "gap_ci", b);
            put_figure(plan, "accuracy", "accuracy_ci", b);
            buf_put_str(b, "</tr>");
        }
    }
    buf_put_str(b, "</tbody></table></div>");
}

static bool
is_same(const json_t *p, const json_t *q)
{
    static const char *const keys[] = {"gap", "accuracy", "objective"};
    size_t same = 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        same += document_number(p, keys[i]) == document_number(q, keys[i]);
    }
    return same == sizeof keys / sizeof *keys;
}

/* Where a wider bound changes nothing, one row stands for all. */
static void
put_front_table(const json_t *front, bool goal, struct buf *b)
{
    const json_t *last = NULL;
    size_t i = 0;
    json_t *p = NULL;
    buf_printf(b,
               "<p class=\"soft small\"><span class=\"key b\"></span> one threshold for each "
               "group, <span class=\"key r\"></span> the one threshold of now. The same as a "
               "table, where a bound that changes nothing has no row of its own:</p><table><thead>"
               "<tr><th>differ by at most</th><th>difference</th><th>accuracy</th>%s</tr></thead>"
               "<tbody>",
               goal ? "<th>goal</th>" : "");
    json_array_foreach((json_t *)(uintptr_t)front, i, p)
    {
        if (last != NULL && is_same(last, p)) {
            continue;
        }
        last = p;
        buf_printf(b, "<tr><th>%.3g</th>", document_number(p, "tolerance"));
        put_figure(p, "gap", "gap_ci", b);
        put_figure(p, "accuracy", "accuracy_ci", b);
        if (goal) {
            put_figure(p, "objective", "objective_ci", b);
        }
        buf_put_str(b, "</tr>");
    }
    buf_put_str(b, "</tbody></table>");
}

static void
put_front(const json_t *d, struct buf *b)
{
    const json_t *front = json_object_get(d, "front"), *before = json_object_get(d, "before");
    struct scale s = {0, 0.01, INFINITY, -INFINITY};
    size_t i = 0;
    json_t *p = NULL;
    json_array_foreach((json_t *)(uintptr_t)front, i, p)
    {
        stretch(&s, p, "accuracy");
    }
    stretch(&s, before, "accuracy");
    s.y1 = s.y1 - s.y0 < 0.01 ? s.y0 + 0.01 : s.y1;
    svg_open(b, 470, 300, false,
             "Accuracy against the greatest difference between groups: what one threshold for each "
             "group can reach, and where one threshold for all is");
    put_axes(&s, b);
    buf_put_str(b, "<path class=\"bl\" d=\"");
    json_array_foreach((json_t *)(uintptr_t)front, i, p)
    {
        buf_printf(b, "%c%.1f %.1f", i == 0 ? 'M' : 'L', at_x(&s, document_number(p, "gap")),
                   at_y(&s, document_number(p, "accuracy")));
    }
    buf_put_str(b, "\"/>");
    json_array_foreach((json_t *)(uintptr_t)front, i, p)
    {
        svg_dot(b, "b", at_x(&s, document_number(p, "gap")),
                at_y(&s, document_number(p, "accuracy")), 4);
    }
    svg_dot(b, "r", at_x(&s, document_number(before, "gap")),
            at_y(&s, document_number(before, "accuracy")), 6);
    svg_close(b);
    put_front_table(front, strcmp(document_text(d, "goal"), "accuracy_score") != 0, b);
}

/* ---- the rules ---- */

static void
put_threshold(const json_t *rule, struct buf *b)
{
    const json_t *at = json_object_get(rule, "threshold");
    const bool turned = strcmp(document_text(rule, "operator"), "<") == 0;
    if (json_is_number(at)) {
        buf_printf(b, "score %s %.6g", turned ? "&lt;" : "&gt;", json_number_value(at));
        return;
    }
    const bool above_all = json_is_string(at) && *json_string_value(at) == 'I';
    buf_put_str(b, above_all == turned ? "always" : "never");
}

static void
put_row(const json_t *g, const char *key, struct buf *b)
{
    buf_put_str(b, "<td>");
    html_put_percent(b, document_number(g, key), 1);
    buf_put_str(b, "</td>");
}

static void
put_draw(const json_t *g, struct buf *b)
{
    const double first = document_number(g, "p0");
    if (first < 1) {
        buf_printf(b, "%.4g&thinsp;%% of the times ", 100 * first);
    }
    put_threshold(json_object_get(g, "operation0"), b);
    if (first < 1) {
        buf_put_str(b, ", else ");
        put_threshold(json_object_get(g, "operation1"), b);
    }
}

static void
put_rules(const json_t *plan, bool random, struct buf *b)
{
    size_t i = 0;
    json_t *g = NULL;
    buf_put_str(b, "<table><thead><tr><th>group</th><th>positive when</th><th>selected</th>"
                   "<th>TPR</th><th>FPR</th></tr></thead><tbody>");
    json_array_foreach(json_object_get(plan, "groups"), i, g)
    {
        buf_put_str(b, "<tr><th>");
        html_put(b, document_text(g, "group"));
        buf_put_str(b, "</th><td class=\"wrap\">");
        if (!random) {
            put_threshold(json_object_get(g, "rule"), b);
        } else {
            put_draw(g, b);
            if (document_number(g, "p_ignore") > 0) {
                buf_printf(b,
                           "; but %.3g&thinsp;%% of the rows by a coin, positive for "
                           "%.3g&thinsp;%% of them",
                           100 * document_number(g, "p_ignore"),
                           100 * document_number(g, "prediction_constant"));
            }
        }
        buf_put_str(b, "</td>");
        put_row(g, "selection_rate", b);
        put_row(g, "true_positive_rate", b);
        put_row(g, "false_positive_rate", b);
        buf_put_str(b, "</tr>");
    }
    buf_put_str(b, "</tbody></table>");
}

struct status
html_mitigate_page(const json_t *d, struct buf *ret_html)
{
    struct buf *b = ret_html;
    html_open("Thresholds by group", b);
    buf_put_str(b, "<header><div class=\"kind\">Mitigation</div><h1>Thresholds by ");
    html_put(b, document_text(d, "sensitive"));
    buf_put_str(b, "</h1><div class=\"facts\"><span>positive <b>");
    html_put(b, document_text(d, "label"));
    buf_put_str(b, " = ");
    html_put(b, document_text(d, "positive"));
    buf_put_str(b, "</b></span><span>constraint <b>");
    html_put(b, document_text(d, "constraint"));
    buf_put_str(b, "</b></span><span>goal <b>");
    html_put(b, document_text(d, "goal"));
    buf_printf(b, "</b></span><span><b>%.0f</b> rows</span></div></header>",
               document_number(d, "rows") - document_number(d, "rows_left_out"));
    html_main(b);
    buf_put_str(b, "<section><h2>What fairness costs</h2>");
    put_plans(d, b);
    buf_put_str(b, "<div class=\"card\">");
    put_front(d, b);
    buf_put_str(b, "</div>");
    html_definitions(definitions, sizeof definitions / sizeof *definitions, b);
    buf_put_str(b, "</section><section><h2>One threshold for each group</h2><div "
                   "class=\"card\">");
    put_rules(json_object_get(d, "deterministic"), false, b);
    buf_put_str(b, "</div></section><section><h2>The best at random</h2><p class=\"soft\">One "
                   "of two thresholds is drawn for each row: the same person may be answered "
                   "differently twice.</p><div "
                   "class=\"card\">");
    put_rules(json_object_get(d, "randomised"), true, b);
    buf_put_str(b, "</div></section>");
    html_close(b);
    return buf_status(b);
}
