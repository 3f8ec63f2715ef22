/* The document's label metrics as SageMaker Clarify's analysis.json, version 1.0: facets by column,
 * one object a group, metrics by name. */
#include "report/bias_parts.h"

#include "report/document.h"

/* In the order of their names, as Clarify sorts them. */
static const enum bias_metric order[BIAS_METRICS] = {
    BIAS_CDDL, BIAS_CI, BIAS_DPL, BIAS_JS, BIAS_KL, BIAS_KS, BIAS_LP, BIAS_TVD,
};

static struct status
put_metric(const json_t *group, enum bias_metric m, json_t *metrics)
{
    json_t *given = json_object_get(json_object_get(group, "metrics"), bias_metric_word(m));
    json_t *value = json_object_get(given, "value");
    json_t *o = json_pack("{s:s, s:s, s:O?}", "name", bias_metric_word(m), "description",
                          bias_metric_title(m), "value", value);
    CHECK(json_array_append_new(metrics, o) == 0, MEMORY);
    if (value != NULL && !json_is_null(value)) {
        return OK;
    }
    return js_set(o, "error",
                  json_string(given == NULL ? "Group variable is empty or not provided"
                                            : "Facet or negated facet set is empty, or the label "
                                              "has one value"));
}

static struct status
put_facet(const json_t *factor, json_t *facets)
{
    size_t i = 0;
    json_t *g = NULL, *list = json_array();
    TRY(js_set(facets, document_text(factor, "factor"), list));
    json_array_foreach(json_object_get(factor, "groups"), i, g)
    {
        json_t *metrics = json_array();
        json_t *o = json_pack("{s:s, s:o}", "value_or_threshold", document_text(g, "group"),
                              "metrics", metrics);
        CHECK(json_array_append_new(list, o) == 0, MEMORY);
        for (unsigned m = 0; m < BIAS_METRICS; m++) {
            TRY(put_metric(g, order[m], metrics));
        }
    }
    return OK;
}

struct status
bias_clarify(const json_t *document, json_t **ret_analysis)
{
    const json_t *label = json_object_get(document, "label");
    size_t i = 0;
    json_t *factor = NULL, *facets = json_object();
    DEFER(js_freep)
    json_t *a = json_pack("{s:s, s:{s:s, s:o, s:s}}", "version", "1.0", "pre_training_bias_metrics",
                          "label", document_text(label, "column"), "facets", facets,
                          "label_value_or_threshold", document_text(label, "positive"));
    CHECK(a != NULL, MEMORY);
    json_array_foreach(json_object_get(document, "factors"), i, factor)
    {
        TRY(put_facet(factor, facets));
    }
    *ret_analysis = MOVE(a);
    return OK;
}
