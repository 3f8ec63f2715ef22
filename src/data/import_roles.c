#include "data/import_roles.h"

#include "base/text.h"
#include "data/subject_table.h"
#include "data/table_build.h"

#include <string.h>

struct asked {
    const struct import_options *o;
    struct diag *diag;
    const char *shown;
};

static struct column *
find_column(struct table *t, const char *name)
{
    for (uint32_t i = 0; i < t->column_count; i++) {
        if (strcmp(t->columns[i].name, name) == 0) {
            return &t->columns[i];
        }
    }
    return NULL;
}

static struct status
need_column(const struct asked *m, struct table *t, const char *name, struct column **ret_column)
{
    *ret_column = find_column(t, name);
    if (*ret_column == NULL) {
        names_absent(m->diag, m->shown, name, t);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
set_subject(const struct asked *m, struct table *t)
{
    struct column *c = NULL;
    uint32_t subjects = 0;
    if (m->o->subject != NULL) {
        TRY(need_column(m, t, m->o->subject, &c));
        if (c->role == ROLE_LABEL || c->role == ROLE_SENSITIVE) {
            diag_set(m->diag, "%s: \"%s\" cannot be the subject and %s too", m->shown, c->name,
                     c->role == ROLE_LABEL ? "the label" : "sensitive");
            FAIL(INPUT);
        }
        c->role = ROLE_SUBJECT;
    }
    for (uint32_t i = 0; i < t->column_count; i++) {
        subjects += t->columns[i].role == ROLE_SUBJECT;
    }
    if (subjects > 1) {
        diag_set(m->diag, "%s: %u columns have the role subject; one has", m->shown, subjects);
        FAIL(INPUT);
    }
    return OK;
}

/* Rows that are nobody's could not be erased. */
static struct status
check_subject(const struct asked *m, const struct table *t)
{
    const struct column *c = table_subject(t);
    if (c == NULL || c->nulls == 0) {
        return OK;
    }
    uint64_t first = 0;
    while (!column_is_null(c, first)) {
        first++;
    }
    diag_set(m->diag,
             "%s: subject \"%s\": %llu rows have no value, the first is row %llu; every row needs "
             "whom it is about",
             m->shown, c->name, (unsigned long long)c->nulls, (unsigned long long)first + 1);
    FAIL(INPUT);
}

static struct status
set_roles(const struct asked *m, struct table *t)
{
    const struct import_options *o = m->o;
    struct column *c = NULL;
    for (uint32_t i = 0; i < t->column_count; i++) {
        c = &t->columns[i];
        c->role = c->type == COLUMN_TEXT   ? ROLE_IGNORED
                  : c->type == COLUMN_TIME ? ROLE_TIME
                                           : ROLE_FEATURE;
    }
    for (size_t i = 0; i < o->override_count; i++) {
        TRY(need_column(m, t, o->overrides[i].column, &c));
        c->role = o->overrides[i].has_role ? o->overrides[i].role : c->role;
    }
    for (size_t i = 0; i < o->sensitive_count; i++) {
        TRY(need_column(m, t, o->sensitive[i], &c));
        if (o->label != NULL && strcmp(o->label, c->name) == 0) {
            diag_set(m->diag, "%s: \"%s\" cannot be the label and sensitive too", m->shown,
                     c->name);
            FAIL(INPUT);
        }
        c->role = ROLE_SENSITIVE;
    }
    if (o->label != NULL) {
        TRY(need_column(m, t, o->label, &c));
        c->role = ROLE_LABEL;
    }
    TRY(set_subject(m, t));
    uint32_t labels = 0;
    for (uint32_t i = 0; i < t->column_count; i++) {
        c = &t->columns[i];
        c->is_feature =
            c->role == ROLE_FEATURE || (c->role == ROLE_SENSITIVE && o->sensitive_as_features);
        labels += c->role == ROLE_LABEL;
    }
    if (labels > 1) {
        diag_set(m->diag, "%s: %u columns have the role label; one has", m->shown, labels);
        FAIL(INPUT);
    }
    return OK;
}

/* The label's smallest and largest value as numbers (codes for levels); false when it has no value.
 */
static bool
label_range(const struct table *t, const struct column *c, double *ret_low, double *ret_high)
{
    bool any = false;
    for (uint64_t i = 0; i < t->rows; i++) {
        if (column_is_null(c, i)) {
            continue;
        }
        const double v = column_number(c, i);
        *ret_low = !any || v < *ret_low ? v : *ret_low;
        *ret_high = !any || v > *ret_high ? v : *ret_high;
        any = true;
    }
    return any;
}

static bool
has_positive(const struct table *t, const struct column *c, const char *positive)
{
    double wanted = 0;
    if (c->level_count == 0 && !status_ok(text_to_f64(view_str(positive), &wanted))) {
        return false;
    }
    for (uint64_t i = 0; i < t->rows; i++) {
        const bool same = c->level_count == 0 ? column_number(c, i) == wanted
                                              : !column_is_null(c, i) &&
                                                    strcmp(c->levels[c->code[i]], positive) == 0;
        if (same) {
            return true;
        }
    }
    return false;
}

static struct status
check_positive(const struct asked *m, const struct table *t, const struct column *c,
               const char *positive)
{
    if (has_positive(t, c, positive)) {
        return OK;
    }
    char shown[64], first[64];
    diag_set(m->diag, "%s: label \"%s\" never is \"%s\"%s%s%s", m->shown, c->name,
             name_shown(view_str(positive), shown), c->level_count >= 2 ? "; it is \"" : "",
             c->level_count >= 2 ? name_shown(view_str(c->levels[0]), first) : "",
             c->level_count >= 2 ? "\" or another of its values" : "");
    FAIL(INPUT);
}

static struct status
set_positive(const struct asked *m, struct table *t, const struct column *c)
{
    double low = 0, high = 0;
    if (c->type == COLUMN_TEXT || c->type == COLUMN_TIME) {
        diag_set(m->diag, "%s: label \"%s\" is a %s column; a label is boolean, category or number",
                 m->shown, c->name, column_type_word(c->type));
        FAIL(INPUT);
    }
    if (!label_range(t, c, &low, &high) || low >= high) {
        diag_set(m->diag,
                 "%s: label \"%s\" has one class only; there is nothing to learn or compare",
                 m->shown, c->name);
        FAIL(INPUT);
    }
    const char *positive = m->o->positive;
    if (positive == NULL && c->type == COLUMN_BOOLEAN) {
        positive = c->levels[1];
    } else if (positive == NULL && c->type == COLUMN_INTEGER && low >= 0 && high <= 1) {
        positive = "1";
    }
    if (positive == NULL) {
        if (c->type == COLUMN_CATEGORY && c->level_count == 2) {
            diag_set(m->diag,
                     "%s: label \"%s\": is \"%s\" or \"%s\" the positive value? say --positive",
                     m->shown, c->name, c->levels[0], c->levels[1]);
            FAIL(INPUT);
        }
        return OK; /* a number to regress on, or several classes */
    }
    TRY(check_positive(m, t, c, positive));
    t->positive = build_strdup(view_str(positive));
    CHECK(t->positive != NULL, MEMORY);
    return OK;
}

struct status
import_roles(const char *shown, const struct import_options *options, struct diag *diag,
             struct table *t)
{
    const struct asked m = {options, diag, shown};
    TRY(set_roles(&m, t));
    TRY(check_subject(&m, t));
    const struct column *label = table_label(t);
    if (label == NULL && options->positive != NULL) {
        diag_set(diag, "%s: a positive value, but no label column that could have it", shown);
        FAIL(INPUT);
    }
    return label == NULL ? OK : set_positive(&m, t, label);
}
