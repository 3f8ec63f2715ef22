#include "workspace/decisions.h"

#include <math.h>
#include <stdlib.h>

struct counts {
    uint64_t missing, other;  /* rows that fall to the default */
    uint64_t drawn, positive; /* rows whose decision was drawn, and came out positive */
    double expected;          /* of those: the sum of their chances */
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
                const float *x, const double *probability, uint8_t *ret_decision,
                struct counts *ret_counts)
{
    const struct feature *f = model_group(m);
    struct counts n = {0};
    DEFER(memory_freep) float *level = calloc((size_t)c->level_count + 1, sizeof *level);
    CHECK(level != NULL, MEMORY);
    for (uint32_t i = 0; i < c->level_count; i++) {
        const int32_t k = feature_level(f, c->levels[i]);
        level[i] = k < 0 ? NAN : (float)k;
    }
    for (size_t i = 0; i < (size_t)t->rows; i++) {
        const bool null = column_is_null(c, i);
        const float of = null ? NAN : level[c->code[i]];
        const struct decision d = model_decide(m, of, x + i * m->features.count, probability[i]);
        n.missing += null;
        n.other += !null && isnan(of);
        n.drawn += d.drawn;
        n.positive += d.drawn && d.positive;
        n.expected += d.drawn ? d.chance : 0;
        ret_decision[i] = d.positive;
    }
    *ret_counts = n;
    return OK;
}

static struct status
describe_draws(const struct counts *n, json_t *o)
{
    TRY(js_set(o, "rows_drawn", json_integer((json_int_t)n->drawn)));
    TRY(js_set(o, "drawn_positive", json_integer((json_int_t)n->positive)));
    return js_set(o, "expected_positive", js_real(n->expected));
}

static struct status
describe_group(const struct model *m, uint32_t level, json_t **ret_group)
{
    const char *name = model_group(m)->levels[level];
    if (m->thresholds.drawn != NULL) {
        return thresholds_chances_to_json(&m->thresholds.drawn[level], name, ret_group);
    }
    *ret_group =
        json_pack("{s:s, s:o}", "group", name, "threshold", js_real(m->thresholds.at[level]));
    CHECK(*ret_group != NULL, MEMORY);
    return OK;
}

static struct status
describe(const struct model *m, const struct counts *n, json_t **ret_thresholds)
{
    const struct feature *f = model_group(m);
    json_t *groups = json_array();
    DEFER(js_freep)
    json_t *o = json_pack("{s:s, s:o, s:o, s:I, s:I}", "column", f->name, "groups", groups,
                          "default", js_real(m->threshold), "rows_without_group",
                          (json_int_t)n->missing, "rows_of_other_groups", (json_int_t)n->other);
    CHECK(o != NULL, MEMORY);
    for (uint32_t i = 0; i < f->level_count; i++) {
        json_t *g = NULL;
        TRY(describe_group(m, i, &g));
        CHECK(json_array_append_new(groups, g) == 0, MEMORY);
    }
    TRY(m->thresholds.drawn == NULL ? OK : describe_draws(n, o));
    *ret_thresholds = MOVE(o);
    return OK;
}

struct status
decisions_make(const struct model *m, const struct table *t, const float *x,
               const double *probability, struct diag *diag, uint8_t *ret_decision,
               json_t **ret_thresholds)
{
    const struct column *c = NULL;
    struct counts counts = {0};
    if (model_group(m) == NULL) {
        for (size_t i = 0; i < (size_t)t->rows; i++) {
            ret_decision[i] = model_decide(m, NAN, x, probability[i]).positive;
        }
        *ret_thresholds = NULL;
        return OK;
    }
    TRY(need_column(m, t, diag, &c));
    TRY(decide_by_group(m, t, c, x, probability, ret_decision, &counts));
    return describe(m, &counts, ret_thresholds);
}

struct status
decisions_of_row(const struct model *m, const struct table *t, uint64_t row, const float *x,
                 double p, struct diag *diag, struct decision *ret_decision)
{
    const struct column *c = NULL;
    int32_t level = -1;
    if (model_group(m) != NULL) {
        TRY(need_column(m, t, diag, &c));
        level =
            column_is_null(c, row) ? -1 : feature_level(model_group(m), c->levels[c->code[row]]);
    }
    *ret_decision = model_decide(m, level < 0 ? NAN : (float)level, x, p);
    return OK;
}
