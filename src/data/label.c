#include "data/label.h"

#include "base/text.h"
#include "num/quantile.h"

#include <math.h>
#include <stdlib.h>

static bool
has_levels(const struct column *c)
{
    return c->type == COLUMN_CATEGORY || c->type == COLUMN_BOOLEAN;
}

static bool
is_number(const struct column *c)
{
    return c->type == COLUMN_FLOAT || c->type == COLUMN_INTEGER;
}

static struct status
check_type(const struct column *label, struct diag *diag)
{
    if (!has_levels(label) && !is_number(label)) {
        diag_set(diag, "label \"%s\" is a %s column; classes are of a boolean, category or number",
                 label->name, column_type_word(label->type));
        FAIL(INPUT);
    }
    return OK;
}

/* ---- which classes there are ---- */

void
label_classes_done(struct label_classes *c)
{
    for (uint32_t i = 0; c->names != NULL && i < c->count; i++) {
        free(c->names[i]);
    }
    free(c->names);
    *c = (struct label_classes){0};
}

static struct status
add_class(struct label_classes *c, const char *name)
{
    c->names[c->count] = strdup(name);
    CHECK(c->names[c->count] != NULL, MEMORY);
    c->count++;
    return OK;
}

static struct status
check_count(const struct column *label, size_t count, struct diag *diag)
{
    if (count > LABEL_MAX_CLASSES || count < 2) {
        diag_set(diag, "label \"%s\" has %s; from 2 to %u make classes", label->name,
                 count < 2 ? "one value only" : "too many values", LABEL_MAX_CLASSES);
        FAIL(INPUT);
    }
    return OK;
}

/* values[n] ascending; their distinct ones to the front. */
static size_t
distinct(double *values, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || values[i] > values[kept - 1]) {
            values[kept++] = values[i];
        }
    }
    return kept;
}

static struct status
add_numbers(const struct table *t, const struct column *label, struct diag *diag,
            struct label_classes *c)
{
    DEFER(memory_freep) double *v = calloc((size_t)t->rows + 1, sizeof *v);
    CHECK(v != NULL, MEMORY);
    for (uint64_t i = 0; i < t->rows; i++) {
        v[i] = column_number(label, i) + 0.0; /* -0 is 0 */
    }
    const size_t n = distinct(v, quantile_sort(v, (size_t)t->rows));
    TRY(check_count(label, n, diag));
    for (size_t i = 0; i < n; i++) {
        DEFER(buf_done) struct buf name;
        buf_init(&name, 64);
        text_put_f64(&name, v[i]);
        TRY(buf_status(&name));
        TRY(add_class(c, buf_str(&name)));
    }
    return OK;
}

static struct status
add_all(const struct table *t, const struct column *label, struct diag *diag,
        struct label_classes *c)
{
    if (is_number(label)) {
        return add_numbers(t, label, diag, c);
    }
    TRY(check_count(label, label->level_count, diag));
    for (uint32_t i = 0; i < label->level_count; i++) {
        TRY(add_class(c, label->levels[i]));
    }
    return OK;
}

struct status
label_classes_of(const struct table *t, const struct column *label, struct diag *diag,
                 struct label_classes *ret_classes)
{
    DEFER(label_classes_done) struct label_classes c = {0};
    TRY(check_type(label, diag));
    c.names = calloc(LABEL_MAX_CLASSES, sizeof *c.names);
    CHECK(c.names != NULL, MEMORY);
    TRY(add_all(t, label, diag, &c));
    *ret_classes = c;
    c = (struct label_classes){0};
    return OK;
}

/* ---- rows as classes ---- */

static uint32_t
find_name(const char *const *names, uint32_t count, const char *name)
{
    for (uint32_t k = 0; k < count; k++) {
        if (strcmp(names[k], name) == 0) {
            return k;
        }
    }
    return LABEL_OTHER;
}

static struct status
classes_by_level(const struct table *t, const struct column *label, const char *const *names,
                 uint32_t count, uint32_t *ret_class)
{
    DEFER(memory_freep) uint32_t *of = calloc((size_t)label->level_count + 1, sizeof *of);
    CHECK(of != NULL, MEMORY);
    for (uint32_t i = 0; i < label->level_count; i++) {
        of[i] = find_name(names, count, label->levels[i]);
    }
    for (uint64_t i = 0; i < t->rows; i++) {
        ret_class[i] = column_is_null(label, i) ? LABEL_MISSING : of[label->code[i]];
    }
    return OK;
}

/* Class numbers are few: they are looked through, the last one first. */
static struct status
classes_by_value(const struct table *t, const struct column *label, const char *const *names,
                 uint32_t count, uint32_t *ret_class)
{
    DEFER(memory_freep) double *value = calloc((size_t)count + 1, sizeof *value);
    CHECK(value != NULL, MEMORY);
    uint32_t last = 0;
    for (uint32_t k = 0; k < count; k++) {
        if (!status_ok(text_to_f64(view_str(names[k]), &value[k]))) {
            value[k] = NAN;
        }
    }
    for (uint64_t i = 0; i < t->rows; i++) {
        const double v = column_number(label, i);
        for (uint32_t k = 0; k < count && !(value[last] == v); k++) {
            last = value[k] == v ? k : last;
        }
        ret_class[i] = isnan(v) ? LABEL_MISSING : value[last] == v ? last : LABEL_OTHER;
    }
    return OK;
}

struct status
label_as_classes(const struct table *t, const struct column *label, const char *const *names,
                 uint32_t count, struct diag *diag, uint32_t *ret_class)
{
    TRY(check_type(label, diag));
    return has_levels(label) ? classes_by_level(t, label, names, count, ret_class)
                             : classes_by_value(t, label, names, count, ret_class);
}

/* ---- rows as numbers ---- */

struct status
label_as_numbers(const struct table *t, const struct column *label, struct diag *diag,
                 double *ret_value)
{
    if (!is_number(label) && label->type != COLUMN_BOOLEAN) {
        diag_set(diag, "label \"%s\" is a %s column; the model answers with a number", label->name,
                 column_type_word(label->type));
        FAIL(INPUT);
    }
    for (uint64_t i = 0; i < t->rows; i++) {
        ret_value[i] = column_number(label, i);
    }
    return OK;
}
