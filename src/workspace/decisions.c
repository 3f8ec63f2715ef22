#include "workspace/decisions.h"

#include <math.h>
#include <stdlib.h>

struct without { /* rows that fall to the default */
    uint64_t missing, other;
};

static struct status
need_column(const struct model *m, const struct table *t, struct diag *diag,
            const struct column **ret_column)
{
    const struct feature *f = model_group(m);
    const struct column *c = table_column(t, f->name);
    if (c == NULL || c->type != f->type) {
        diag_set(diag,
                 "model %s version %llu decides by \"%s\": the table has no %s column of that name",
                 m->name, (unsigned long long)m->version, f->name, column_type_word(f->type));
        FAIL(INPUT);
    }
    *ret_column = c;
    return OK;
}

static struct status
decide_by_group(const struct model *m, const struct table *t, const struct column *c,
                const double *probability, uint8_t *ret_decision, struct without *ret_without)
{
    const struct feature *f = model_group(m);
    struct without w = {0};
    DEFER(memory_freep) float *level = calloc((size_t)c->level_count + 1, sizeof *level);
    CHECK(level != NULL, MEMORY);
    for (uint32_t i = 0; i < c->level_count; i++) {
        const int32_t k = feature_level(f, c->levels[i]);
        level[i] = k < 0 ? NAN : (float)k;
    }
    for (size_t i = 0; i < (size_t)t->rows; i++) {
        const bool null = column_is_null(c, i);
        const float of = null ? NAN : level[c->code[i]];
        w.missing += null;
        w.other += !null && isnan(of);
        ret_decision[i] = probability[i] >= model_threshold(m, of);
    }
    *ret_without = w;
    return OK;
}

static struct status
describe(const struct model *m, const struct without *w, json_t **ret_thresholds)
{
    const struct feature *f = model_group(m);
    json_t *groups = json_array();
    DEFER(js_freep)
    json_t *o = json_pack("{s:s, s:o, s:o, s:I, s:I}", "column", f->name, "groups", groups,
                          "default", js_real(m->threshold), "rows_without_group",
                          (json_int_t)w->missing, "rows_of_other_groups", (json_int_t)w->other);
    CHECK(o != NULL, MEMORY);
    for (uint32_t i = 0; i < f->level_count; i++) {
        json_t *g = json_pack("{s:s, s:o}", "group", f->levels[i], "threshold",
                              js_real(m->thresholds.at[i]));
        CHECK(json_array_append_new(groups, g) == 0, MEMORY);
    }
    *ret_thresholds = MOVE(o);
    return OK;
}

struct status
decisions_make(const struct model *m, const struct table *t, const double *probability,
               struct diag *diag, uint8_t *ret_decision, json_t **ret_thresholds)
{
    const struct column *c = NULL;
    struct without without = {0};
    if (model_group(m) == NULL) {
        for (size_t i = 0; i < (size_t)t->rows; i++) {
            ret_decision[i] = probability[i] >= m->threshold;
        }
        *ret_thresholds = NULL;
        return OK;
    }
    TRY(need_column(m, t, diag, &c));
    TRY(decide_by_group(m, t, c, probability, ret_decision, &without));
    return describe(m, &without, ret_thresholds);
}
