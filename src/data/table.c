#include "data/table.h"

#include "base/json.h"
#include "base/text.h"
#include "data/split.h"
#include "data/table_build.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const type_words[COLUMN_TYPES] = {
    [COLUMN_FLOAT] = "float",     [COLUMN_INTEGER] = "integer", [COLUMN_CATEGORY] = "category",
    [COLUMN_BOOLEAN] = "boolean", [COLUMN_TIME] = "time",       [COLUMN_TEXT] = "text",
};

static const char *const role_words[COLUMN_ROLES] = {
    [ROLE_FEATURE] = "feature",       [ROLE_LABEL] = "label",     [ROLE_SENSITIVE] = "sensitive",
    [ROLE_IDENTIFIER] = "identifier", [ROLE_IGNORED] = "ignored", [ROLE_TIME] = "time",
    [ROLE_SUBJECT] = "subject",
};

struct table *
table_new(uint64_t rows, uint32_t columns)
{
    struct table *t = calloc(1, sizeof *t);
    struct column *list = build_alloc(columns, sizeof *list);
    if (t == NULL || list == NULL) {
        free(t);
        free(list);
        return NULL;
    }
    *t = (struct table){.rows = rows, .column_count = columns, .columns = list};
    return t;
}

void
table_free(struct table *t)
{
    if (t == NULL) {
        return;
    }
    for (uint32_t i = 0; i < t->column_count; i++) {
        column_done(&t->columns[i]);
    }
    free(t->columns);
    free(t->positive);
    free(t->number);
    free(t);
}

const struct column *
table_column(const struct table *t, const char *name)
{
    for (uint32_t i = 0; i < t->column_count; i++) {
        if (strcmp(t->columns[i].name, name) == 0) {
            return &t->columns[i];
        }
    }
    return NULL;
}

const struct column *
table_column_folded(const struct table *t, const char *name)
{
    const struct column *found = table_column(t, name);
    for (uint32_t i = 0; found == NULL && i < t->column_count; i++) {
        if (strcasecmp(t->columns[i].name, name) == 0) {
            found = &t->columns[i];
        }
    }
    return found;
}

const struct column *
table_column_spaced(const struct table *t, const char *name)
{
    const struct column *exact = table_column(t, name);
    for (uint32_t i = 0; exact == NULL && i < t->column_count; i++) {
        const char *p = t->columns[i].name, *q = name;
        while (*p != '\0' && (*p == *q || (*p == ' ' && *q == '_'))) {
            p++;
            q++;
        }
        if (*p == '\0' && *q == '\0') {
            return &t->columns[i];
        }
    }
    return exact;
}

struct status
table_need_column(const struct table *t, const char *place, const char *name, struct diag *diag,
                  const struct column **ret_column)
{
    const struct column *c = table_column(t, name);
    if (c == NULL) {
        names_absent(diag, place, name, t);
        FAIL(INPUT);
    }
    *ret_column = c;
    return OK;
}

const struct column *
table_label(const struct table *t)
{
    for (uint32_t i = 0; i < t->column_count; i++) {
        if (t->columns[i].role == ROLE_LABEL) {
            return &t->columns[i];
        }
    }
    return NULL;
}

bool
column_is_null(const struct column *c, uint64_t row)
{
    return c->null != NULL && c->null[row] != 0;
}

double
column_number(const struct column *c, uint64_t row)
{
    ASSERT(c->type != COLUMN_TEXT);
    if (column_is_null(c, row)) {
        return NAN;
    }
    if (c->type == COLUMN_FLOAT) {
        return c->f[row];
    }
    return c->code != NULL ? (double)c->code[row] : (double)c->i[row];
}

void
column_put_text(const struct column *c, uint64_t row, struct buf *b)
{
    if (column_is_null(c, row)) {
        return;
    }
    switch (c->type) {
    case COLUMN_FLOAT:
        text_put_f64(b, c->f[row]);
        break;
    case COLUMN_INTEGER:
        buf_printf(b, "%lld", (long long)c->i[row]);
        break;
    case COLUMN_TIME:
        time_put(b, c->i[row]);
        break;
    case COLUMN_TEXT:
        buf_put(b, column_text(c, row));
        break;
    default:
        buf_put_str(b, c->levels[c->code[row]]);
        break;
    }
}

const char *
column_type_word(enum column_type type)
{
    ASSERT(type < COLUMN_TYPES);
    return type_words[type];
}

const char *
column_role_word(enum column_role role)
{
    ASSERT(role < COLUMN_ROLES);
    return role_words[role];
}

struct status
column_type_from_word(const char *word, enum column_type *ret_type)
{
    for (unsigned i = 0; i < COLUMN_TYPES; i++) {
        if (strcmp(word, type_words[i]) == 0) {
            *ret_type = (enum column_type)i;
            return OK;
        }
    }
    FAIL(INPUT);
}

struct status
column_role_from_word(const char *word, enum column_role *ret_role)
{
    for (unsigned i = 0; i < COLUMN_ROLES; i++) {
        if (strcmp(word, role_words[i]) == 0) {
            *ret_role = (enum column_role)i;
            return OK;
        }
    }
    FAIL(INPUT);
}

static struct status
copy_levels(const struct column *from, struct column *to)
{
    if (from->level_count == 0) {
        return OK;
    }
    to->levels = build_alloc(from->level_count, sizeof *to->levels);
    CHECK(to->levels != NULL, MEMORY);
    to->level_count = from->level_count;
    for (uint32_t i = 0; i < from->level_count; i++) {
        to->levels[i] = build_strdup(view_str(from->levels[i]));
        CHECK(to->levels[i] != NULL, MEMORY);
    }
    return OK;
}

static struct status
select_text(const struct column *from, const uint64_t *rows, uint64_t n, struct column *to)
{
    uint64_t total = 0;
    for (uint64_t k = 0; k < n; k++) {
        total += from->offset[rows[k] + 1] - from->offset[rows[k]];
        to->offset[k + 1] = total;
    }
    to->bytes = build_alloc(total, 1);
    CHECK(to->bytes != NULL, MEMORY);
    for (uint64_t k = 0; k < n; k++) {
        const struct view v = column_text(from, rows[k]);
        if (v.len > 0) {
            memcpy(to->bytes + to->offset[k], v.ptr, v.len);
        }
    }
    return OK;
}

static struct status
select_column(const struct column *from, const uint64_t *rows, uint64_t n, struct column *to)
{
    to->role = from->role;
    to->is_feature = from->is_feature;
    to->name = build_strdup(view_str(from->name));
    CHECK(to->name != NULL, MEMORY);
    TRY(copy_levels(from, to));
    TRY(column_alloc(to, from->type, n));
    for (uint64_t k = 0; k < n; k++) {
        if (column_is_null(from, rows[k])) {
            TRY(column_set_null(to, n, k));
        }
        if (to->f != NULL) {
            to->f[k] = from->f[rows[k]];
        } else if (to->i != NULL) {
            to->i[k] = from->i[rows[k]];
        } else if (to->code != NULL) {
            to->code[k] = from->code[rows[k]];
        }
    }
    return to->type == COLUMN_TEXT ? select_text(from, rows, n, to) : OK;
}

struct status
table_select(const struct table *t, const uint64_t *rows, uint64_t n, struct table **ret_table)
{
    for (uint64_t k = 0; k < n; k++) {
        ASSERT(rows[k] < t->rows);
    }
    DEFER(table_freep) struct table *out = table_new(n, t->column_count);
    CHECK(out != NULL, MEMORY);
    for (uint32_t i = 0; i < t->column_count; i++) {
        TRY(select_column(&t->columns[i], rows, n, &out->columns[i]));
    }
    if (t->positive != NULL) {
        out->positive = build_strdup(view_str(t->positive));
        CHECK(out->positive != NULL, MEMORY);
    }
    *ret_table = MOVE(out);
    return OK;
}

uint64_t
table_row_number(const struct table *t, uint64_t row)
{
    return (t->number == NULL ? row : t->number[row]) + 1;
}

struct status
table_split(const struct table *t, double fraction, uint64_t seed, uint8_t *ret_train)
{
    const uint64_t all = t->rows + t->erased;
    DEFER(memory_freep) uint8_t *train = build_alloc(all, 1);
    CHECK(train != NULL, MEMORY);
    TRY(split_assign(all, fraction, seed, train));
    for (uint64_t i = 0; i < t->rows; i++) {
        ret_train[i] = train[table_row_number(t, i) - 1];
    }
    return OK;
}

struct status
table_select_marked(const struct table *t, const uint8_t *mark, uint8_t value,
                    struct table **ret_table)
{
    uint64_t n = 0;
    DEFER(memory_freep) uint64_t *row = calloc((size_t)t->rows + 1, sizeof *row);
    CHECK(row != NULL, MEMORY);
    for (uint64_t i = 0; i < t->rows; i++) {
        row[n] = i;
        n += mark[i] == value;
    }
    return table_select(t, row, n, ret_table);
}

/* The number that stands for the positive class in column_number's terms. */
static struct status
positive_number(const struct table *t, const struct column *c, struct diag *diag, double *ret_value)
{
    if (t->positive == NULL) {
        diag_set(diag, "label \"%s\": which value is the positive one is not known; name it",
                 c->name);
        FAIL(INPUT);
    }
    if (c->level_count == 0) {
        if (status_ok(text_to_f64(view_str(t->positive), ret_value))) {
            return OK;
        }
        diag_set(diag, "label \"%s\": positive \"%s\" is not a number", c->name, t->positive);
        FAIL(INPUT);
    }
    for (uint32_t k = 0; k < c->level_count; k++) {
        if (strcmp(c->levels[k], t->positive) == 0) {
            *ret_value = k;
            return OK;
        }
    }
    diag_set(diag, "label \"%s\": positive \"%s\" is not one of its values", c->name, t->positive);
    FAIL(INPUT);
}

static struct status
check_both_classes(const struct column *c, const uint64_t counts[static 3], struct diag *diag)
{
    if (counts[0] > 0 && counts[1] > 0) {
        return OK;
    }
    diag_set(diag, "label \"%s\" has one class only: %llu rows, all %s; both classes are needed",
             c->name, (unsigned long long)(counts[0] + counts[1]),
             counts[0] + counts[1] == 0 ? "without a value"
             : counts[1] > 0            ? "positive"
                                        : "negative");
    FAIL(INPUT);
}

struct status
table_binary_label(const struct table *t, struct diag *diag, uint8_t *ret_y)
{
    const struct column *c = table_label(t);
    if (c == NULL) {
        diag_set(diag, "the table has no label column");
        FAIL(INPUT);
    }
    if (c->type == COLUMN_TEXT || c->type == COLUMN_TIME) {
        diag_set(diag, "label \"%s\" is a %s column; a label is boolean, category or number",
                 c->name, column_type_word(c->type));
        FAIL(INPUT);
    }
    double positive = 0;
    TRY(positive_number(t, c, diag, &positive));
    uint64_t counts[3] = {0};
    for (uint64_t i = 0; i < t->rows; i++) {
        counts[column_is_null(c, i) ? 2 : column_number(c, i) == positive]++;
    }
    TRY(check_both_classes(c, counts, diag));
    for (uint64_t i = 0; i < t->rows; i++) {
        ret_y[i] = column_is_null(c, i) ? 2 : column_number(c, i) == positive;
    }
    return OK;
}

static void
put_column_schema(const struct column *c, struct buf *b)
{
    buf_put_str(b, "{\"name\":");
    js_put_string(b, view_str(c->name));
    buf_printf(b, ",\"type\":\"%s\",\"role\":\"%s\",\"feature\":%s,\"nulls\":%llu",
               column_type_word(c->type), column_role_word(c->role),
               c->is_feature ? "true" : "false", (unsigned long long)c->nulls);
    for (uint32_t k = 0; k < c->level_count; k++) {
        buf_put_str(b, k == 0 ? ",\"levels\":[" : ",");
        js_put_string(b, view_str(c->levels[k]));
    }
    buf_put_str(b, c->level_count > 0 ? "]}" : "}");
}

struct status
table_put_schema(const struct table *t, struct buf *ret_json)
{
    buf_printf(ret_json, "{\"rows\":%llu,\"positive\":", (unsigned long long)t->rows);
    if (t->positive != NULL) {
        js_put_string(ret_json, view_str(t->positive));
    } else {
        buf_put_str(ret_json, "null");
    }
    buf_put_str(ret_json, ",\"columns\":[");
    for (uint32_t i = 0; i < t->column_count; i++) {
        buf_put_str(ret_json, i > 0 ? "," : "");
        put_column_schema(&t->columns[i], ret_json);
    }
    buf_put_str(ret_json, "]}");
    return buf_status(ret_json);
}
