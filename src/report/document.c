#include "report/document.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const tasks[] = {
    [MODEL_BINARY] = "binary", [MODEL_CLASSES] = "classes", [MODEL_NUMBER] = "numeric"};

const char *
document_task_word(enum model_task task)
{
    return tasks[task];
}

enum model_task
document_task(const json_t *document)
{
    const char *word = document_text(document, "task");
    for (size_t k = 0; k < sizeof tasks / sizeof *tasks; k++) {
        if (strcmp(tasks[k], word) == 0) {
            return (enum model_task)k;
        }
    }
    return MODEL_BINARY;
}

const char *
document_text(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text == NULL ? "" : text;
}

double
document_number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

double
document_end(const json_t *o, const char *key, size_t i)
{
    const json_t *v = json_array_get(json_object_get(o, key), i);
    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

const json_t *
document_group(const json_t *grouping, const char *name)
{
    size_t i = 0;
    json_t *group = NULL;
    json_array_foreach(json_object_get(grouping, "groups"), i, group)
    {
        if (strcmp(document_text(group, "group"), name) == 0) {
            return group;
        }
    }
    return NULL;
}

static int
compare_ranked(const void *a, const void *b)
{
    const struct document_ranked *x = a, *y = b;
    const int c = (y->size > x->size) - (y->size < x->size);
    return c != 0 ? c : (x->place > y->place) - (x->place < y->place);
}

struct status
document_rank(const json_t *items, const char *key, enum document_order order,
              struct document_ranked **ret_ranked)
{
    const size_t n = json_array_size(items);
    struct document_ranked *r = calloc(n + 1, sizeof *r);
    CHECK(r != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(items, i);
        const double v = document_number(item, key);
        r[i] = (struct document_ranked){item, order == DOCUMENT_LARGEST ? v : fabs(v), i};
    }
    if (n > 1) {
        qsort(r, n, sizeof *r, compare_ranked);
    }
    *ret_ranked = r;
    return OK;
}

void
document_put_chances(const json_t *group, struct buf *ret_text)
{
    const double from[] = {0, document_number(group, "low"), document_number(group, "high")};
    double before = 0;
    size_t told = 0;
    for (size_t i = 0; i < 3; i++) {
        const double chance = document_end(group, "chances", i);
        if (chance == before || (i == 1 && from[1] == from[2])) {
            continue;
        }
        buf_printf(ret_text, "%s%.4g %%", told++ == 0 ? "" : ", ", 100 * chance);
        if (i > 0) {
            buf_printf(ret_text, " from %.6g on", from[i]);
        }
        before = chance;
    }
    buf_put_str(ret_text, told == 0 ? "0 %" : "");
}

static void
put_draws(const json_t *by, struct buf *b)
{
    buf_printf(b,
               "; %.0f rows had a chance between 0 and 1 and were drawn, each by what is in it: "
               "%.0f came out so, %.1f were to be expected",
               document_number(by, "rows_drawn"), document_number(by, "drawn_positive"),
               document_number(by, "expected_positive"));
}

static void
put_group(const json_t *g, bool drawn, struct buf *b)
{
    buf_printf(b, "%s ", document_text(g, "group"));
    if (drawn) {
        document_put_chances(g, b);
    } else {
        buf_printf(b, "from %.6g", document_number(g, "threshold"));
    }
}

void
document_put_thresholds(const json_t *document, struct buf *ret_text)
{
    const json_t *by = json_object_get(document, "thresholds");
    size_t i = 0;
    json_t *g = NULL;
    if (by == NULL) {
        buf_printf(ret_text, "at a probability of %g and over",
                   document_number(document, "threshold"));
        return;
    }
    const bool drawn = json_object_get(by, "rows_drawn") != NULL;
    buf_printf(ret_text, "%s that depends on %s: ", drawn ? "with a chance" : "at a probability",
               document_text(by, "column"));
    json_array_foreach(json_object_get(by, "groups"), i, g)
    {
        buf_put_str(ret_text, i == 0 ? "" : drawn ? "; " : ", ");
        put_group(g, drawn, ret_text);
    }
    buf_printf(ret_text,
               "; rows without a group (%.0f) or of one without a threshold (%.0f) from %g",
               document_number(by, "rows_without_group"),
               document_number(by, "rows_of_other_groups"), document_number(by, "default"));
    if (drawn) {
        put_draws(by, ret_text);
    }
}

/* ---- columns that features are of ---- */

static bool
is_grouped(const struct explain_columns *c, uint32_t k, const char *name,
           const char *const *features)
{
    return c->members[k] > 1 || strcmp(name, features[c->first[k]]) != 0;
}

struct status
document_add_without_groups(json_t *list, const char *column, const char *reason)
{
    json_t *item = json_pack("{s:s, s:s}", "column", column, "reason", reason);
    CHECK(item != NULL && json_array_append_new(list, item) == 0, MEMORY);
    return OK;
}

void
document_put_without_groups(const json_t *item, struct buf *ret_text)
{
    buf_printf(ret_text, "sensitive column \"%.100s\" %s: it makes no groups",
               document_text(item, "column"), document_text(item, "reason"));
}

struct status
document_put_groups(json_t *document, const struct explain_columns *c, const char *const *names,
                    const char *const *features)
{
    json_t *list = json_array();
    TRY(js_set(document, "groups", list));
    for (uint32_t k = 0; k < c->columns; k++) {
        if (!is_grouped(c, k, names[k], features)) {
            continue;
        }
        json_t *o = json_object(), *of = json_array();
        CHECK(json_array_append_new(list, o) == 0, MEMORY);
        TRY(js_set(o, "column", json_string(names[k])));
        TRY(js_set(o, "features", of));
        for (uint32_t f = c->first[k]; f < c->features; f++) {
            CHECK(c->column[f] != k || json_array_append_new(of, json_string(features[f])) == 0,
                  MEMORY);
        }
    }
    return OK;
}
