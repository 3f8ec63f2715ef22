/* Columns and decisions of a caller's own, include/steward/assess.h: what is given is checked here,
 * and made what the analyses take. */
#include "api/api_columns.h"

#include "base/text.h"

#include <math.h>
#include <stdlib.h>

#define MOST_DRAWS 100000u /* replicates or permutations */

struct status
api_need_text(const char *text, const char *what, struct diag *diag)
{
    TRY(api_need(text, what, diag));
    if (!text_is_utf8(view_str(text))) {
        diag_set(diag, "%.100s: not UTF-8 text", what);
        FAIL(INPUT);
    }
    return OK;
}

struct status
api_need_texts(const char *const *levels, uint32_t level_count, const char *what, struct diag *diag)
{
    for (uint32_t k = 0; k < level_count; k++) {
        TRY(api_need_text(levels[k], what, diag));
    }
    return OK;
}

struct status
api_check_draws(uint32_t draws, const char *what, struct diag *diag)
{
    if (draws > MOST_DRAWS) {
        diag_set(diag, "%s: at most %u", what, MOST_DRAWS);
        FAIL(INPUT);
    }
    return OK;
}

/* ---- decisions ---- */

static struct status
check_two(const struct sw_decisions *d, struct diag *diag)
{
    TRY(api_need(d->label, "label", diag));
    TRY(api_need(d->decision, "decision", diag));
    for (size_t i = 0; i < d->rows; i++) {
        if (d->label[i] > 2 || d->decision[i] > 2) {
            diag_set(diag, "row %zu: labels and decisions are 0, 1, or 2 for missing", i);
            FAIL(INPUT);
        }
    }
    return OK;
}

static struct status
check_classes(const struct sw_decisions *d, uint32_t most, struct diag *diag)
{
    TRY(api_need(d->label_class, "label_class", diag));
    TRY(api_need(d->decision_class, "decision_class", diag));
    TRY(api_need(d->classes, "classes", diag));
    if (d->class_count < 2 || d->class_count > most) {
        diag_set(diag, "class_count: 2 to %u", most);
        FAIL(INPUT);
    }
    TRY(api_need_texts(d->classes, d->class_count, "classes", diag));
    for (size_t i = 0; i < d->rows; i++) {
        const int64_t label = d->label_class[i], decision = d->decision_class[i];
        if (label < -1 || label >= d->class_count || decision < -1 || decision >= d->class_count) {
            diag_set(diag, "row %zu: a code is none of the %u classes, nor -1", i, d->class_count);
            FAIL(INPUT);
        }
    }
    return OK;
}

static struct status
check_numbers(const struct sw_decisions *d, struct diag *diag)
{
    TRY(api_need(d->value, "value", diag));
    TRY(api_need(d->predicted, "predicted", diag));
    for (size_t i = 0; i < d->rows; i++) {
        if (isinf(d->value[i]) || isinf(d->predicted[i])) {
            diag_set(diag, "row %zu: a number that is not finite", i);
            FAIL(INPUT);
        }
    }
    return OK;
}

struct status
api_check_decisions(const struct sw_decisions *d, uint32_t most, struct diag *diag)
{
    TRY(api_need(d, "decisions", diag));
    switch (d->kind) {
    case SW_BINARY:
        return check_two(d, diag);
    case SW_CLASSES:
        return check_classes(d, most, diag);
    case SW_NUMBERS:
        return check_numbers(d, diag);
    }
    diag_set(diag, "kind: SW_BINARY, SW_CLASSES or SW_NUMBERS");
    FAIL(INPUT);
}

struct status
api_check_truth(const struct sw_decisions *d, uint32_t most, struct diag *diag)
{
    TRY(api_need(d, "truth", diag));
    struct sw_decisions said = *d;
    said.decision = d->label;
    said.decision_class = d->label_class;
    said.predicted = d->value;
    return api_check_decisions(&said, most, diag);
}

bool
api_is_whole(const struct sw_decisions *d, size_t row)
{
    switch (d->kind) {
    case SW_BINARY:
        return d->label[row] != 2 && d->decision[row] != 2;
    case SW_CLASSES:
        return d->label_class[row] >= 0 && d->decision_class[row] >= 0;
    case SW_NUMBERS:
        break;
    }
    return !isnan(d->value[row]) && !isnan(d->predicted[row]);
}

/* ---- columns ---- */

struct status
api_check_factor(const struct sw_factor *f, size_t rows, struct diag *diag)
{
    TRY(api_need_text(f->name, "name of a factor", diag));
    TRY(api_need(f->code, f->name, diag));
    TRY(api_need(f->levels, f->name, diag));
    TRY(api_need_texts(f->levels, f->level_count, f->name, diag));
    for (size_t i = 0; i < rows; i++) {
        if (f->code[i] < -1 || f->code[i] >= (int64_t)f->level_count) {
            diag_set(diag, "%.100s, row %zu: code %d is none of its %u levels, nor -1", f->name, i,
                     f->code[i], f->level_count);
            FAIL(INPUT);
        }
    }
    return OK;
}

struct status
api_check_factors(const struct sw_factor *factors, uint32_t n, size_t rows, struct diag *diag)
{
    if (n > 0) {
        TRY(api_need(factors, "factors", diag));
    }
    for (uint32_t i = 0; i < n; i++) {
        TRY(api_check_factor(&factors[i], rows, diag));
    }
    return OK;
}

/* As the analyses take them. *ret_factors: the caller's to free. */
struct status
api_take_factors(const struct sw_factor *factors, uint32_t n, size_t rows, struct diag *diag,
                 struct assessment_factor **ret_factors)
{
    DEFER(memory_freep) struct assessment_factor *made = calloc((size_t)n + 1, sizeof *made);
    CHECK(made != NULL, MEMORY);
    TRY(api_check_factors(factors, n, rows, diag));
    for (uint32_t i = 0; i < n; i++) {
        made[i] = (struct assessment_factor){factors[i].name, factors[i].code, factors[i].levels,
                                             factors[i].level_count};
    }
    *ret_factors = MOVE(made);
    return OK;
}

static bool
is_level(double v, uint32_t levels)
{
    return isnan(v) || (v >= 0 && v < levels && v == floor(v));
}

struct status
api_check_feature(const struct sw_feature *f, size_t rows, struct diag *diag)
{
    TRY(api_need_text(f->name, "name of a feature", diag));
    TRY(api_need(f->value, f->name, diag));
    TRY(api_need_texts(f->levels, f->levels == NULL ? 0 : f->level_count, f->name, diag));
    for (size_t i = 0; i < rows; i++) {
        if (isinf(f->value[i])) {
            diag_set(diag, "%.100s, row %zu: a number that is not finite", f->name, i);
            FAIL(INPUT);
        }
        if (f->levels != NULL && !is_level(f->value[i], f->level_count)) {
            diag_set(diag, "%.100s, row %zu: %g is none of its %u levels, nor missing", f->name, i,
                     f->value[i], f->level_count);
            FAIL(INPUT);
        }
    }
    return OK;
}

uint32_t
api_or_default(uint32_t value, uint32_t fallback)
{
    return value == 0 ? fallback : value;
}

struct status
api_check_level(double level, struct diag *diag)
{
    if (!(level > 0 && level < 1)) {
        diag_set(diag, "level: over 0 and under 1");
        FAIL(INPUT);
    }
    return OK;
}
