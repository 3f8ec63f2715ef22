#include "data/matrix.h"

#include "base/json.h"
#include "data/import.h"
#include "data/table_build.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define US_PER_DAY 86400e6

static bool
has_levels(enum column_type type)
{
    return type == COLUMN_CATEGORY || type == COLUMN_BOOLEAN;
}

void
feature_list_done(struct feature_list *l)
{
    for (uint32_t i = 0; i < l->count; i++) {
        struct feature *f = &l->items[i];
        for (uint32_t k = 0; f->levels != NULL && k < f->level_count; k++) {
            free(f->levels[k]);
        }
        free(f->levels);
        free(f->code);
        free(f->name);
    }
    free(l->items);
    *l = (struct feature_list){0};
}

struct status
feature_from_column(const struct column *c, struct feature *f)
{
    f->type = c->type;
    f->name = build_strdup(view_str(c->name));
    f->levels = build_alloc(c->level_count, sizeof *f->levels);
    CHECK(f->name != NULL && f->levels != NULL, MEMORY);
    f->level_count = c->level_count;
    for (uint32_t k = 0; k < c->level_count; k++) {
        f->levels[k] = build_strdup(view_str(c->levels[k]));
        CHECK(f->levels[k] != NULL, MEMORY);
    }
    return OK;
}

struct status
feature_list_from_table(const struct table *t, struct feature_list *ret_list)
{
    DEFER(feature_list_done) struct feature_list l = {0};
    l.items = build_alloc(t->column_count, sizeof *l.items);
    CHECK(l.items != NULL, MEMORY);
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct column *c = &t->columns[i];
        if (c->is_feature && c->type != COLUMN_TEXT) {
            l.count++;
            TRY(feature_from_column(c, &l.items[l.count - 1]));
        }
    }
    *ret_list = l;
    l = (struct feature_list){0};
    return OK;
}

static void
put_codes(const struct feature *f, struct buf *ret_json)
{
    for (uint32_t k = 0; f->code != NULL && k < f->level_count; k++) {
        buf_printf(ret_json, "%s%u", k > 0 ? "," : ",\"codes\":[", f->code[k]);
    }
    buf_put_str(ret_json, f->code != NULL && f->level_count > 0 ? "]" : "");
}

struct status
feature_list_to_json(const struct feature_list *l, struct buf *ret_json)
{
    buf_put_str(ret_json, "[");
    for (uint32_t i = 0; i < l->count; i++) {
        const struct feature *f = &l->items[i];
        buf_put_str(ret_json, i > 0 ? ",{\"name\":" : "{\"name\":");
        js_put_string(ret_json, view_str(f->name));
        buf_printf(ret_json, ",\"type\":\"%s\"", column_type_word(f->type));
        if (has_levels(f->type)) {
            buf_put_str(ret_json, ",\"levels\":[");
            for (uint32_t k = 0; k < f->level_count; k++) {
                buf_put_str(ret_json, k > 0 ? "," : "");
                js_put_string(ret_json, view_str(f->levels[k]));
            }
            buf_put_str(ret_json, "]");
        }
        put_codes(f, ret_json);
        buf_put_str(ret_json, "}");
    }
    buf_put_str(ret_json, "]");
    return buf_status(ret_json);
}

static struct status
check_level_order(const struct feature *f, uint32_t k, struct diag *diag)
{
    const int order = k == 0 ? -1 : strcmp(f->levels[k - 1], f->levels[k]);
    if (order < 0 || (f->type == COLUMN_BOOLEAN && order != 0)) {
        return OK;
    }
    diag_set(diag, "feature \"%s\": its levels are not distinct and sorted", f->name);
    FAIL(INPUT);
}

static struct status
levels_from_json(const json_t *o, struct diag *diag, struct feature *f)
{
    json_t *levels = NULL;
    TRY(js_need_array(o, "levels", diag, &levels));
    const size_t n = json_array_size(levels);
    if (n > TABLE_MAX_LEVELS || (f->type == COLUMN_BOOLEAN && n != 2)) {
        diag_set(diag, "feature \"%s\": %zu levels are not possible here", f->name, n);
        FAIL(INPUT);
    }
    f->levels = build_alloc(n, sizeof *f->levels);
    CHECK(f->levels != NULL, MEMORY);
    for (uint32_t k = 0; k < n; k++) {
        const char *text = json_string_value(json_array_get(levels, k));
        if (text == NULL) {
            diag_set(diag, "feature \"%s\": level %u is not a string", f->name, k);
            FAIL(INPUT);
        }
        f->level_count = k + 1;
        f->levels[k] = build_strdup(view_str(text));
        CHECK(f->levels[k] != NULL, MEMORY);
        TRY(check_level_order(f, k, diag));
    }
    return OK;
}

/* Each number below the number of levels, once. */
static struct status
codes_from_json(const json_t *o, struct diag *diag, struct feature *f)
{
    const json_t *codes = json_object_get(o, "codes");
    if (codes == NULL) {
        return OK;
    }
    DEFER(memory_freep) uint8_t *seen = build_alloc(f->level_count, 1);
    f->code = build_alloc(f->level_count, sizeof *f->code);
    CHECK(seen != NULL && f->code != NULL, MEMORY);
    for (uint32_t k = 0; k < f->level_count; k++) {
        const json_t *v = json_array_get(codes, k);
        const json_int_t code = json_is_integer(v) ? json_integer_value(v) : -1;
        if (f->type != COLUMN_CATEGORY || json_array_size(codes) != f->level_count || code < 0 ||
            code >= (json_int_t)f->level_count || seen[code]++ != 0) {
            diag_set(diag, "feature \"%s\": its codes are not those of its levels", f->name);
            FAIL(INPUT);
        }
        f->code[k] = (uint32_t)code;
    }
    return OK;
}

static struct status
feature_from_json(const json_t *o, struct diag *diag, struct feature *f)
{
    const char *name = NULL;
    const char *word = NULL;
    TRY(js_need_string(o, "name", diag, &name));
    TRY(js_need_string(o, "type", diag, &word));
    f->name = build_strdup(view_str(name));
    CHECK(f->name != NULL, MEMORY);
    enum column_type type = COLUMN_TEXT;
    if (!status_ok(column_type_from_word(word, &type)) || type == COLUMN_TEXT) {
        diag_set(diag, "feature \"%.60s\": \"%.30s\" is not a feature's type", name, word);
        FAIL(INPUT);
    }
    f->type = type;
    if (has_levels(type)) {
        TRY(levels_from_json(o, diag, f));
    }
    return codes_from_json(o, diag, f);
}

static struct status
items_from_json(const json_t *array, struct diag *diag, struct feature_list *l)
{
    for (uint32_t i = 0; i < json_array_size(array); i++) {
        const json_t *o = json_array_get(array, i);
        if (!json_is_object(o)) {
            diag_set(diag, "feature %u is not an object", i);
            FAIL(INPUT);
        }
        l->count = i + 1;
        TRY(feature_from_json(o, diag, &l->items[i]));
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(l->items[k].name, l->items[i].name) == 0) {
                diag_set(diag, "feature \"%.60s\" stands there twice", l->items[i].name);
                FAIL(INPUT);
            }
        }
    }
    return OK;
}

struct status
feature_list_from_json(struct view json, struct diag *diag, struct feature_list *ret_list)
{
    DEFER(js_freep) json_t *array = NULL;
    TRY(js_parse(json, "features", diag, &array));
    if (!json_is_array(array) || json_array_size(array) > IMPORT_MAX_COLUMNS) {
        diag_set(diag, "features: not a list of at most %u features", IMPORT_MAX_COLUMNS);
        FAIL(INPUT);
    }
    DEFER(feature_list_done) struct feature_list l = {0};
    l.items = build_alloc(json_array_size(array), sizeof *l.items);
    CHECK(l.items != NULL, MEMORY);
    TRY(items_from_json(array, diag, &l));
    *ret_list = l;
    l = (struct feature_list){0};
    return OK;
}

static int
compare_level(const void *key, const void *item)
{
    return strcmp(key, *(char *const *)item);
}

int32_t
feature_level(const struct feature *f, const char *level)
{
    if (f->type == COLUMN_CATEGORY) {
        char **found = f->level_count == 0 ? NULL
                                           : bsearch(level, f->levels, f->level_count,
                                                     sizeof *f->levels, compare_level);
        const int32_t place = found == NULL ? -1 : (int32_t)(found - f->levels);
        return place < 0 || f->code == NULL ? place : (int32_t)f->code[place];
    }
    for (uint32_t k = 0; k < f->level_count; k++) {
        if (strcmp(f->levels[k], level) == 0) {
            return (int32_t)k;
        }
    }
    return -1;
}

struct spelled {
    const char *name;
    uint32_t code;
};

static int
compare_spelled(const void *a, const void *b)
{
    return strcmp(((const struct spelled *)a)->name, ((const struct spelled *)b)->name);
}

struct status
feature_set_levels(struct feature *f, const char *const *names, uint32_t n, struct diag *diag)
{
    DEFER(memory_freep) struct spelled *s = build_alloc(n, sizeof *s);
    f->levels = build_alloc(n, sizeof *f->levels);
    f->code = build_alloc(n, sizeof *f->code);
    CHECK(s != NULL && f->levels != NULL && f->code != NULL, MEMORY);
    for (uint32_t k = 0; k < n; k++) {
        s[k] = (struct spelled){names[k], k};
    }
    qsort(s, n, sizeof *s, compare_spelled);
    for (uint32_t k = 0; k < n; k++) {
        if (k > 0 && strcmp(s[k - 1].name, s[k].name) == 0) {
            diag_set(diag, "feature \"%s\": two of its categories are called \"%.60s\"", f->name,
                     s[k].name);
            FAIL(INPUT);
        }
        f->levels[k] = build_strdup(view_str(s[k].name));
        CHECK(f->levels[k] != NULL, MEMORY);
        f->level_count = k + 1;
        f->code[k] = s[k].code;
    }
    return OK;
}

void
unknown_add(struct unknown *u, uint64_t row, struct view value)
{
    char shown[64];
    u->first = u->rows == 0 ? row : u->first;
    u->rows++;
    (void)name_shown(value, shown);
    for (uint32_t i = 0; i < u->shown; i++) {
        if (strncmp(u->value[i], shown, sizeof u->value[i] - 1) == 0) {
            return;
        }
    }
    u->more = u->shown == UNKNOWN_SHOWN;
    if (!u->more) {
        (void)snprintf(u->value[u->shown++], sizeof u->value[0], "%.47s", shown);
    }
}

struct status
unknown_remark(const struct unknown *u, const char *column, json_t *remarks)
{
    DEFER(buf_done) struct buf b;
    buf_init(&b, 1u << 16);
    if (u->rows == 0) {
        return OK;
    }
    buf_printf(&b, "column \"%.60s\": the model does not know ", column);
    for (uint32_t i = 0; i < u->shown; i++) {
        buf_printf(&b, "%s\"%s\"",
                   i == 0                          ? ""
                   : i + 1 == u->shown && !u->more ? " and "
                                                   : ", ",
                   u->value[i]);
    }
    buf_printf(&b, "%s: %llu row%s, the first is %llu; read as missing",
               u->more ? " and others" : "", (unsigned long long)u->rows, u->rows == 1 ? "" : "s",
               (unsigned long long)u->first + 1);
    TRY(buf_status(&b));
    CHECK(json_array_append_new(remarks, js_sentence(buf_str(&b))) == 0, MEMORY);
    return OK;
}

static struct status
refuse_level(const struct column *c, uint64_t row, struct diag *diag)
{
    char shown[64];
    diag_set(diag, "row %llu: column \"%s\": the model does not know the value \"%s\"",
             (unsigned long long)row + 1, c->name,
             name_shown(view_str(c->levels[c->code[row]]), shown));
    FAIL(INPUT);
}

static struct status
fill_levels(const struct table *t, const struct column *c, const struct feature *f, size_t stride,
            json_t *remarks, struct diag *diag, float *x)
{
    struct unknown unknown = {0};
    DEFER(memory_freep) int32_t *map = build_alloc(c->level_count, sizeof *map);
    CHECK(map != NULL, MEMORY);
    for (uint32_t k = 0; k < c->level_count; k++) {
        map[k] = feature_level(f, c->levels[k]);
    }
    for (uint64_t i = 0; i < t->rows; i++) {
        const int32_t code = column_is_null(c, i) ? -1 : map[c->code[i]];
        x[i * stride] = code < 0 ? NAN : (float)code;
        if (code < 0 && !column_is_null(c, i)) {
            TRY(remarks == NULL ? refuse_level(c, i, diag) : OK);
            unknown_add(&unknown, i, view_str(c->levels[c->code[i]]));
        }
    }
    return remarks == NULL ? OK : unknown_remark(&unknown, c->name, remarks);
}

const char *
matrix_refuses(double v, bool whole)
{
    return whole && v != floor(v) && !isnan(v) ? "is not a category number, which is whole"
           : isinf((float)v) ? "is beyond what models read (32-bit floats, at most 3.4e38)"
                             : NULL;
}

static struct status
fill_numbers(const struct table *t, const struct column *c, bool whole, size_t stride,
             struct diag *diag, float *x)
{
    const double unit = c->type == COLUMN_TIME ? US_PER_DAY : 1;
    for (uint64_t i = 0; i < t->rows; i++) {
        const double v = column_number(c, i) / unit;
        const char *why = matrix_refuses(v, whole);
        if (why != NULL) {
            diag_set(diag, "row %llu: column \"%.60s\": %g %s", (unsigned long long)i + 1, c->name,
                     v, why);
            FAIL(INPUT);
        }
        x[i * stride] = (float)v;
    }
    return OK;
}

bool
feature_fits(const struct table *t, const struct column *c, const struct feature *f)
{
    const bool number = f->type == COLUMN_FLOAT || f->type == COLUMN_INTEGER;
    const bool is_number = c->type == COLUMN_FLOAT || c->type == COLUMN_INTEGER;
    return c->type == f->type || (number && is_number) ||
           (has_levels(f->type) && has_levels(c->type)) ||
           (c->nulls == t->rows && c->type == COLUMN_FLOAT);
}

static struct status
fill_feature(const struct table *t, const struct feature *f, size_t stride, json_t *remarks,
             struct diag *diag, float *x)
{
    const struct column *c = table_column(t, f->name);
    if (c == NULL) {
        names_absent(diag, "a feature of the model is missing", f->name, t);
        FAIL(INPUT);
    }
    if (!feature_fits(t, c, f)) {
        diag_set(diag, "column \"%s\" is %s; the model was trained with %s", c->name,
                 column_type_word(c->type), column_type_word(f->type));
        FAIL(INPUT);
    }
    if (has_levels(c->type)) {
        return fill_levels(t, c, f, stride, remarks, diag, x);
    }
    return fill_numbers(t, c, f->whole, stride, diag, x);
}

struct status
matrix_from_table(const struct table *t, const struct feature_list *list, json_t *remarks,
                  struct diag *diag, float *ret_x)
{
    for (uint32_t i = 0; i < list->count; i++) {
        TRY(fill_feature(t, &list->items[i], list->count, remarks, diag, ret_x + i));
    }
    return OK;
}
