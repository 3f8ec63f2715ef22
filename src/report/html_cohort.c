/* A cohort beside the rest, on the pages of fairness and bias. */
#include "report/html_parts.h"

#include "report/document.h"

#include <math.h>
#include <string.h>

/* Where a document has its groups, and what is compared of them. */
struct compared {
    const char *list, *of; /* "metrics", or NULL: the value stands in the group itself */
    const char *value, *title;
    bool share;
};

static const struct compared kinds[] = {
    {"groupings", "metrics", "selection_rate", "selected", true},
    {"groupings", "metrics", "mean_prediction", "mean prediction", false},
    {"groupings", "metrics", "accuracy_score", "right", true},
    {"factors", NULL, "positive_rate", "positive", true},
};

static const json_t *
value_of(const json_t *group, const struct compared *k)
{
    const json_t *o = k->of == NULL ? group : json_object_get(group, k->of);
    return json_object_get(o, k->value);
}

static const struct compared *
kind_of(const json_t *document)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const json_t *first = json_array_get(json_object_get(document, kinds[i].list), 0);
        const json_t *group = json_array_get(json_object_get(first, "groups"), 0);
        if (value_of(group, &kinds[i]) != NULL) {
            return &kinds[i];
        }
    }
    return NULL;
}

static void
put_cells(const json_t *group, const struct compared *k, struct buf *b)
{
    const double rows = document_number(group, "n"),
                 v = document_number(value_of(group, k), "value");
    buf_put_str(b, "<td>");
    buf_printf(b, isnan(rows) ? "&ndash;" : "%.0f", rows);
    buf_put_str(b, "</td><td>");
    if (isnan(v)) {
        buf_put_str(b, "&ndash;");
    } else if (k->share) {
        buf_printf(b, "%.1f&thinsp;%%", 100 * v);
    } else {
        buf_printf(b, "%.4g", v);
    }
    buf_put_str(b, "</td>");
}

static void
put_grouping(const json_t *of, const json_t *rest, const struct compared *k, size_t i,
             struct buf *b)
{
    size_t g = 0;
    json_t *group = NULL;
    json_array_foreach(json_object_get(of, "groups"), g, group)
    {
        const char *name = document_text(group, "group");
        if (g == HTML_GROUPS) {
            break;
        }
        buf_put_str(b, "<tr><th>");
        html_put(b, name);
        buf_put_str(b, "</th>");
        put_cells(group, k, b);
        put_cells(document_group(json_array_get(json_object_get(rest, k->list), i), name), k, b);
        buf_put_str(b, "</tr>");
    }
}

static void
put_table(const json_t *document, const json_t *rest, const struct compared *k, struct buf *b)
{
    size_t i = 0;
    json_t *of = NULL;
    buf_printf(b,
               "<div class=\"card\"><table><thead><tr><th>group</th><th>rows</th><th>%s</th>"
               "<th>rows of the rest</th><th>%s</th></tr></thead><tbody>",
               k->title, k->title);
    json_array_foreach(json_object_get(document, k->list), i, of)
    {
        put_grouping(of, rest, k, i, b);
    }
    buf_put_str(b, "</tbody></table></div>");
}

void
html_cohort(const json_t *document, struct buf *b)
{
    const json_t *cohort = json_object_get(document, "cohort"),
                 *rest = json_object_get(document, "rest");
    const char *name = document_text(cohort, "cohort"),
               *predicate = document_text(cohort, "predicate");
    const struct compared *k = kind_of(document);
    if (cohort == NULL) {
        return;
    }
    html_section("cohort", "The cohort and the rest", b);
    buf_printf(b, "<p>This page is of %.0f rows, where <code>", document_number(cohort, "rows"));
    html_put(b, predicate);
    buf_put_str(b, "</code>");
    if (strcmp(name, predicate) != 0) {
        buf_put_str(b, " (");
        html_put(b, name);
        buf_put_str(b, ")");
    }
    buf_printf(b, "; the rest are %.0f", document_number(cohort, "rest_rows"));
    if (document_number(cohort, "rest_unknown") > 0) {
        buf_printf(b, ", %.0f of them with no answer to the condition, since a value is missing",
                   document_number(cohort, "rest_unknown"));
    }
    buf_put_str(b, ".</p>");
    if (json_is_object(rest) && k != NULL) {
        put_table(document, rest, k, b);
    } else {
        buf_put_str(b, "<p class=\"soft\">The rest is not shown: ");
        html_put_prose(b, document_text(cohort, "remark"));
        buf_put_str(b, "</p>");
    }
    buf_put_str(b, "</section>");
}
