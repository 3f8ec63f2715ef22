#include "workspace/mitigation.h"

#include "assess/bins.h"
#include "assess/mitigate.h"
#include "assess/mitigate_gradient.h"

#include <math.h>
#include <stdlib.h>

#define INTERVALS 4u
#define ETA 2 /* Fairlearn's step */

static const char *const method_words[] = {
    [MITIGATION_REWEIGHING] = "reweighing",
    [MITIGATION_EXPONENTIATED_GRADIENT] = "exponentiated-gradient",
    [MITIGATION_CORRELATION_REMOVER] = "correlation-remover",
};

struct status
mitigation_method_from_word(const char *word, enum mitigation_method *ret_method)
{
    for (unsigned i = 0; i < sizeof method_words / sizeof *method_words; i++) {
        if (strcmp(method_words[i], word) == 0) {
            *ret_method = (enum mitigation_method)i;
            return OK;
        }
    }
    FAIL(INPUT);
}

/* ---- groups ---- */

/* One column's codes over the rows in use; missing is one more level. */
struct coded {
    int32_t *codes;
    uint32_t levels;
};

static struct status
code_numbers(const struct table *t, const struct column *c, struct coded *r)
{
    DEFER(memory_freep) double *v = calloc(t->rows + 1, sizeof *v);
    struct bins bins;
    CHECK(v != NULL, MEMORY);
    for (uint64_t i = 0; i < t->rows; i++) {
        v[i] = column_number(c, i);
    }
    TRY(bins_make(v, t->rows, INTERVALS, &bins));
    for (uint64_t i = 0; i < t->rows; i++) {
        r->codes[i] = bins_code(&bins, column_number(c, i));
    }
    r->levels = bins.count;
    return OK;
}

static struct status
code_column(const struct table *t, const char *name, struct diag *diag, struct coded *r)
{
    const struct column *c = NULL;
    TRY(table_need_column(t, "sensitive", name, diag, &c));
    if (c->type == COLUMN_TEXT) {
        diag_set(diag, "sensitive column \"%s\" is free text: it makes no groups", name);
        FAIL(INPUT);
    }
    r->codes = calloc(t->rows + 1, sizeof *r->codes);
    CHECK(r->codes != NULL, MEMORY);
    if (c->type == COLUMN_CATEGORY || c->type == COLUMN_BOOLEAN) {
        r->levels = c->level_count;
        memcpy(r->codes, c->code, (size_t)t->rows * sizeof *r->codes);
    } else {
        TRY(code_numbers(t, c, r));
    }
    for (uint64_t i = 0; i < t->rows; i++) {
        r->codes[i] = column_is_null(c, i) ? (int32_t)r->levels : r->codes[i];
    }
    r->levels++;
    return OK;
}

/* Combinations that occur among the rows in use, numbered in the order of their first row. */
static struct status
number_groups(const int64_t *cell, size_t rows, struct diag *diag, int32_t *ret_group,
              uint32_t *ret_groups)
{
    int64_t known[GRADIENT_MAX_GROUPS];
    uint32_t n = 0;
    for (size_t i = 0; i < rows; i++) {
        uint32_t k = 0;
        while (k < n && known[k] != cell[i]) {
            k++;
        }
        if (k == GRADIENT_MAX_GROUPS) {
            diag_set(diag,
                     "the sensitive columns make more than %u groups: name fewer columns, or join "
                     "their values into fewer",
                     GRADIENT_MAX_GROUPS);
            FAIL(INPUT);
        }
        known[k] = cell[i];
        n += k == n;
        ret_group[i] = (int32_t)k;
    }
    if (n < 2) {
        diag_set(diag, "the rows to train on are all of one group: there is nothing to make fair");
        FAIL(INPUT);
    }
    *ret_groups = n;
    return OK;
}

static uint64_t
smallest_group(const int32_t *group, size_t rows, uint32_t groups)
{
    uint64_t count[GRADIENT_MAX_GROUPS] = {0}, least = rows;
    for (size_t i = 0; i < rows; i++) {
        count[group[i]]++;
    }
    for (uint32_t k = 0; k < groups; k++) {
        least = count[k] < least ? count[k] : least;
    }
    return least;
}

static struct status
make_groups(const struct mitigation *m, const struct table *t, const uint8_t *used, size_t rows,
            struct diag *diag, int32_t *ret_group, uint32_t *ret_groups)
{
    DEFER(memory_freep) int64_t *cell = calloc(rows + 1, sizeof *cell);
    CHECK(cell != NULL, MEMORY);
    if (m->sensitive_count == 0 || m->sensitive_count > MITIGATION_MAX_COLUMNS) {
        diag_set(diag, "from 1 to %u sensitive columns are needed", MITIGATION_MAX_COLUMNS);
        FAIL(INPUT);
    }
    for (size_t k = 0; k < m->sensitive_count; k++) {
        struct coded coded = {0};
        const struct status s = code_column(t, m->sensitive[k], diag, &coded);
        DEFER(memory_freep) int32_t *codes = coded.codes;
        TRY(s);
        for (size_t i = 0, at = 0; i < (size_t)t->rows; i++) {
            if (used[i] != 0) {
                cell[at] = cell[at] * coded.levels + codes[i];
                at++;
            }
        }
    }
    return number_groups(cell, rows, diag, ret_group, ret_groups);
}

/* ---- which method for whom ---- */

static bool
has_word(const char *objective, const char *first)
{
    return strncmp(objective, first, strlen(first)) == 0;
}

struct status
mitigation_check(const struct mitigation *m, const char *objective, struct diag *diag)
{
    const bool binary = has_word(objective, "binary:"), classes = has_word(objective, "multi:");
    const bool gradient = m->method == MITIGATION_EXPONENTIATED_GRADIENT;
    const char *wrong = NULL;
    if (gradient && classes) {
        wrong =
            "the exponentiated gradient is for decisions between two classes and for numbers; a "
            "model of several classes is mitigated by reweighing or correlation-remover";
    } else if (gradient && !binary && m->gradient.constraint != MOMENT_BOUNDED_GROUP_LOSS) {
        wrong = "a model of numbers decides nothing whose rates this constraint could compare; use "
                "--constraint bounded_group_loss --loss-bound X, or --method correlation-remover";
    } else if (m->method == MITIGATION_REWEIGHING && !binary && !classes) {
        wrong = "reweighing makes groups and outcomes independent by the counts of each outcome, "
                "which numbers do not have; a model of numbers is mitigated by "
                "exponentiated-gradient with --constraint bounded_group_loss, or by "
                "correlation-remover";
    }
    if (wrong != NULL) {
        diag_set(diag, "objective %s: %s", objective, wrong);
        FAIL(UNSUPPORTED);
    }
    return OK;
}

const char *
mitigation_objective(const struct mitigation *m, const char *objective)
{
    const bool numbers = !has_word(objective, "binary:") && !has_word(objective, "multi:");
    return numbers && m->method == MITIGATION_EXPONENTIATED_GRADIENT
               ? gradient_objective(objective, m->gradient.loss)
               : objective;
}

/* ---- the two methods ---- */

static struct status
train_reweighed(const int32_t *group, uint32_t groups, const float *x, size_t rows, size_t features,
                const float *y, const struct train_options *o, struct diag *diag,
                struct buf *ret_model, json_t *note)
{
    const uint32_t classes = o->classes > 0 ? o->classes : 2;
    const size_t cells = (size_t)groups * classes;
    uint32_t empty = 0;
    DEFER(memory_freep) uint64_t *count = calloc(cells, sizeof *count);
    DEFER(memory_freep) double *weight = calloc(cells, sizeof *weight);
    DEFER(memory_freep) float *w = calloc(rows + 1, sizeof *w);
    CHECK(count != NULL && weight != NULL && w != NULL, MEMORY);
    for (size_t i = 0; i < rows; i++) {
        count[(size_t)group[i] * classes + (size_t)y[i]]++;
    }
    reweigh(count, groups, classes, weight, &empty);
    for (size_t i = 0; i < rows; i++) {
        w[i] = (float)weight[(size_t)group[i] * classes + (size_t)y[i]];
    }
    TRY(js_set(note, "groups_without_an_outcome", json_integer(empty)));
    return train_xgboost(x, rows, features, y, w, o, diag, ret_model);
}

static json_t *
answer_json(const struct gradient_options *g, const struct gradient_answer *a)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "error", js_real(a->error),
                     g->constraint == MOMENT_BOUNDED_GROUP_LOSS ? "greatest_loss" : "violation",
                     js_real(a->violation), "gap", js_real(a->gap), "ratio", js_real(a->ratio));
}

static struct status
note_bounds(const struct gradient_options *g, json_t *note)
{
    TRY(js_set(note, "constraint", json_string(moment_constraint_word(g->constraint))));
    TRY(js_set(note, "eps", js_real(g->eps)));
    if (g->constraint == MOMENT_BOUNDED_GROUP_LOSS) {
        TRY(js_set(note, "loss", json_string(moment_loss_word(g->loss))));
        return js_set(note, "loss_bound", js_real(g->loss_bound));
    }
    if (g->ratio_bound > 0) {
        TRY(js_set(note, "ratio_bound", js_real(g->ratio_bound)));
        return js_set(note, "ratio_bound_slack", js_real(g->ratio_bound_slack));
    }
    return OK;
}

static struct status
train_gradient(const struct mitigation *m, const int32_t *group, uint32_t groups, const float *x,
               size_t rows, size_t features, const float *y, const struct train_options *o,
               struct diag *diag, struct buf *ret_model, json_t *note)
{
    struct gradient_options g = m->gradient;
    g.eta = ETA;
    g.train = *o;
    DEFER(memory_freep) struct gradient_result *r = calloc(1, sizeof *r);
    CHECK(r != NULL, MEMORY);
    TRY(gradient_mitigate(x, rows, features, y, group, groups, &g, diag, ret_model, r));
    TRY(note_bounds(&g, note));
    TRY(js_set(note, "iterations", json_integer(r->iterations)));
    TRY(js_set(note, "game_gap", js_real(r->game_gap)));
    TRY(js_set(note, "bound_met", json_boolean(r->met)));
    TRY(js_set(note, "kept", answer_json(&g, &r->answer[r->chosen])));
    return js_set(note, "mixture", answer_json(&g, &r->mixture));
}

struct status
mitigation_train(const struct mitigation *m, const struct table *t, const uint8_t *used,
                 const float *x, size_t rows, size_t features, const float *y,
                 const struct train_options *o, struct diag *diag, struct buf *ret_model,
                 json_t **ret_note)
{
    DEFER(memory_freep) int32_t *group = calloc(rows + 1, sizeof *group);
    DEFER(js_freep) json_t *note = json_pack("{s:s}", "method", method_words[m->method]);
    json_t *names = json_array();
    uint32_t groups = 0;
    CHECK(group != NULL && note != NULL, MEMORY);
    TRY(js_set(note, "sensitive", names));
    for (size_t k = 0; k < m->sensitive_count; k++) {
        CHECK(json_array_append_new(names, json_string(m->sensitive[k])) == 0, MEMORY);
    }
    TRY(make_groups(m, t, used, rows, diag, group, &groups));
    TRY(js_set(note, "groups", json_integer(groups)));
    TRY(js_set(note, "smallest_group",
               json_integer((json_int_t)smallest_group(group, rows, groups))));
    TRY(js_set(note, "based_on", json_integer((json_int_t)m->based_on)));
    if (m->method == MITIGATION_REWEIGHING) {
        TRY(train_reweighed(group, groups, x, rows, features, y, o, diag, ret_model, note));
    } else {
        TRY(train_gradient(m, group, groups, x, rows, features, y, o, diag, ret_model, note));
    }
    *ret_note = MOVE(note);
    return OK;
}
