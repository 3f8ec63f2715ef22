#include "cli/plain_files.h"

#include "base/text.h"
#include "data/matrix.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define CSV_BLOCK (1u << 20)
#define CSV_MODE 0600              /* values of people: the maker's to hand on */
#define FLOAT_WHOLE_END 16777216.0 /* whole numbers to here are floats */
#define NAMES_SHOWN 5u

/* ---- remarks ---- */

struct status
plain_remark(json_t *remarks, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    CHECK(json_array_append_new(remarks, js_sentence(text)) == 0, MEMORY);
    return OK;
}

void
plain_print_remarks(const json_t *remarks)
{
    size_t i;
    json_t *text;
    json_array_foreach(remarks, i, text)
    {
        (void)fprintf(stderr, "note: ");
        for (const char *p = json_string_value(text); *p != '\0'; p++) {
            (void)fputc((unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p, stderr);
        }
        (void)fputc('\n', stderr);
    }
}

/* ---- models ---- */

struct status
plain_model(const char *path, struct diag *diag, struct model_file **ret_model)
{
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, FOREST_MAX_BYTES);
    TRY(file_read(path, FOREST_MAX_BYTES, diag, &bytes));
    const struct status s = model_file_load(buf_view(&bytes), diag, ret_model);
    if (!status_ok(s)) {
        diag_prefix(diag, "%s", path);
    }
    return s;
}

/* ---- rows ---- */

/* A category of the model that is a number in the data. */
struct number_level {
    double value;
    float category;
};

struct plain_feature {
    const struct column *column;
    float *level;                /* by code: what the model reads; NULL for numbers */
    struct number_level *number; /* sorted; NULL: the number itself is read */
    uint32_t numbers;
};

struct plain_rows {
    const struct table *table;
    const struct model_file *model;
    struct plain_feature *features;
    const struct remover *remover;
    float *beside; /* table->rows * remover->by.count */
};

/* What is being bound, and whom to tell. */
struct binding {
    const struct table *t;
    const struct model_file *m;
    const char *data;
    json_t *remarks;
    struct diag *diag;
    struct plain_rows *rows;
};

void
plain_rows_free(struct plain_rows *r)
{
    if (r == NULL) {
        return;
    }
    for (uint32_t i = 0; r->features != NULL && i < r->model->features; i++) {
        free(r->features[i].level);
        free(r->features[i].number);
    }
    free(r->features);
    free(r->beside);
    free(r);
}

/* "a, b, c and 7 more": names of columns for which wanted is 1. */
static void
list_names(const struct table *t, const uint8_t *wanted, char *ret_text, size_t room)
{
    uint32_t n = 0;
    size_t used = 0;
    ret_text[0] = '\0';
    for (uint32_t i = 0; i < t->column_count; i++) {
        if (wanted[i] == 0) {
            continue;
        }
        if (n < NAMES_SHOWN && used + 80 < room) {
            used += (size_t)snprintf(ret_text + used, room - used, "%s\"%.60s\"",
                                     n == 0 ? "" : ", ", t->columns[i].name);
        }
        n++;
    }
    if (n > NAMES_SHOWN) {
        (void)snprintf(ret_text + used, room - used, " and %u more", n - NAMES_SHOWN);
    }
}

static struct status
remark_unread(const struct binding *b)
{
    char names[480];
    uint32_t n = 0;
    DEFER(memory_freep) uint8_t *unread = malloc((size_t)b->t->column_count + 1);
    CHECK(unread != NULL, MEMORY);
    memset(unread, 1, b->t->column_count);
    for (uint32_t i = 0; i < b->m->features; i++) {
        unread[b->rows->features[i].column - b->t->columns] = 0;
    }
    for (uint32_t i = 0; i < b->rows->remover->by.count; i++) {
        unread[table_column(b->t, b->rows->remover->by.items[i].name) - b->t->columns] = 0;
    }
    for (uint32_t i = 0; i < b->t->column_count; i++) {
        n += unread[i];
    }
    if (n == 0) {
        return OK;
    }
    list_names(b->t, unread, names, sizeof names);
    return plain_remark(b->remarks,
                        n == 1 ? "the model does not read the column %s"
                               : "the model does not read the columns %s",
                        names);
}

/* missing: the first of them, by their place in the model. */
static struct status
refuse_missing(const struct binding *b, const uint32_t *missing, uint32_t n)
{
    const char *const *names = b->m->feature_names;
    const struct column *none = NULL;
    DEFER(buf_done) struct buf place;
    buf_init(&place, 1u << 12);
    const struct status s = table_need_column(b->t, NULL, names[missing[0]], b->diag, &none);
    if (n == 1) {
        diag_prefix(b->diag, "%.300s lacks a column that the model reads", b->data);
        return s;
    }
    buf_printf(&place, "%.300s lacks %u of the %u columns that the model reads (", b->data, n,
               b->m->features);
    for (uint32_t i = 0; i < n && i < NAMES_SHOWN; i++) {
        buf_printf(&place, "%s\"%.60s\"", i == 0 ? "" : ", ", names[missing[i]]);
    }
    if (n > NAMES_SHOWN) {
        buf_printf(&place, " and %u more", n - NAMES_SHOWN);
    }
    buf_put_str(&place, ")");
    diag_prefix(b->diag, "%s", buf_str(&place));
    return s;
}

static struct status
bind_by_name(const struct binding *b)
{
    uint32_t n = 0, missing[NAMES_SHOWN];
    for (uint32_t i = 0; i < b->m->features; i++) {
        const struct column *c = table_column_spaced(b->t, b->m->feature_names[i]);
        if (c == NULL && n < NAMES_SHOWN) {
            missing[n] = i;
        }
        n += c == NULL;
        b->rows->features[i].column = c;
    }
    return n == 0 ? OK : refuse_missing(b, missing, n);
}

static struct status
bind_in_order(const struct binding *b)
{
    uint32_t n = 0, text = 0;
    for (uint32_t i = 0; i < b->t->column_count; i++) {
        const struct column *c = &b->t->columns[i];
        text += c->type == COLUMN_TEXT;
        if (c->is_feature && n < b->m->features) {
            b->rows->features[n].column = c;
        }
        n += c->is_feature;
    }
    if (n != b->m->features) {
        diag_set(b->diag,
                 "%s has %u column%s that can be features%s; the model reads %u and names none, so "
                 "that they are taken in order: %s",
                 b->data, n, n == 1 ? "" : "s", text > 0 ? " (text is none)" : "", b->m->features,
                 n > b->m->features
                     ? "leave the others out, or give them a role (--role COLUMN=ignored)"
                     : "the file must have all of them");
        FAIL(INPUT);
    }
    return plain_remark(b->remarks,
                        "the model names no features: the columns are taken in order, \"%.60s\" as "
                        "the first and \"%.60s\" as the last of %u",
                        b->rows->features[0].column->name, b->rows->features[n - 1].column->name,
                        n);
}

/* The column's first value that is no number, as a person reads it. */
static void
first_word(const struct binding *b, const struct column *c, struct buf *ret_text)
{
    for (uint64_t i = 0; i < b->t->rows; i++) {
        double v = 0;
        buf_reset(ret_text);
        column_put_text(c, i, ret_text);
        if (!column_is_null(c, i) && !status_ok(text_to_f64(buf_view(ret_text), &v))) {
            char row[40];
            (void)snprintf(row, sizeof row, "\" in row %llu", (unsigned long long)i + 1);
            buf_cut(ret_text, ret_text->len < 60 ? ret_text->len : 60);
            buf_put_str(ret_text, row);
            return;
        }
    }
}

/* An infinite number, or one past the range of doubles, makes a column of words. */
static bool
says_infinite(const struct column *c, const char *word)
{
    char *end = NULL;
    return c->type == COLUMN_CATEGORY && word[0] != '\0' && isinf(strtod(word, &end)) &&
           *end == '"';
}

static struct status
refuse_words(const struct binding *b, uint32_t i)
{
    const struct column *c = b->rows->features[i].column;
    DEFER(buf_done) struct buf word;
    buf_init(&word, 1u << 26);
    first_word(b, c, &word);
    if (says_infinite(c, buf_str(&word))) {
        diag_set(b->diag,
                 "%s: column \"%.60s\": \"%s is infinite, or beyond what a number holds; the model "
                 "reads finite numbers: leave the cell empty where a value is not known",
                 b->data, c->name, buf_str(&word));
        FAIL(INPUT);
    }
    diag_set(b->diag, "%s: column \"%.60s\" is %s (\"%s); the model reads %s there", b->data,
             c->name, column_type_word(c->type), buf_str(&word),
             b->m->categorical[i] ? "category numbers and does not say which word has which number"
                                  : "numbers");
    FAIL(INPUT);
}

/* false is 0, true 1. */
static struct status
bind_boolean(const struct binding *b, uint32_t i)
{
    struct plain_feature *f = &b->rows->features[i];
    f->level = calloc(2, sizeof *f->level);
    CHECK(f->level != NULL, MEMORY);
    f->level[1] = 1.0f;
    return plain_remark(b->remarks, "column \"%.60s\": \"%.40s\" is read as 0, \"%.40s\" as 1",
                        f->column->name, f->column->levels[0], f->column->levels[1]);
}

static struct status
check_number(const struct binding *b, uint32_t i, uint64_t row, double v)
{
    const char *why = matrix_refuses(v, b->m->categorical[i] != 0);
    if (why != NULL) {
        diag_set(b->diag, "%s row %llu: column \"%.60s\": %g %s", b->data,
                 (unsigned long long)row + 1, b->rows->features[i].column->name, v, why);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
bind_numbers(const struct binding *b, uint32_t i)
{
    const struct column *c = b->rows->features[i].column;
    uint64_t rounded = 0;
    for (uint64_t row = 0; row < b->t->rows; row++) {
        const double v = column_number(c, row);
        if (!isnan(v)) {
            TRY(check_number(b, i, row, v));
            rounded += fabs(v) > FLOAT_WHOLE_END && (double)(float)v != v && v == floor(v);
        }
    }
    return rounded == 0
               ? OK
               : plain_remark(
                     b->remarks,
                     "column \"%.60s\": whole numbers over 16777216 (%llu of them) are rounded to "
                     "32-bit floats, as the model's own library does",
                     c->name, (unsigned long long)rounded);
}

/* ---- categories that the model knows by name ---- */

static int
compare_number(const void *a, const void *b)
{
    const double x = ((const struct number_level *)a)->value,
                 y = ((const struct number_level *)b)->value;
    return (x > y) - (x < y);
}

/* NaN for a value that is none of the model's. */
static float
category_of(const struct plain_feature *f, double v)
{
    const struct number_level key = {.value = v};
    const struct number_level *found =
        f->numbers == 0 ? NULL
                        : bsearch(&key, f->number, f->numbers, sizeof *f->number, compare_number);
    return found == NULL ? NAN : found->category;
}

static float
feature_value(const struct plain_feature *f, uint64_t row)
{
    const struct column *c = f->column;
    if (column_is_null(c, row)) {
        return NAN;
    }
    if (f->level != NULL) {
        return f->level[c->code[row]];
    }
    return f->number != NULL ? category_of(f, column_number(c, row)) : (float)column_number(c, row);
}

/* As pandas reads a category that was not there at training: missing. */
static struct status
remark_unknown(const struct binding *b, uint32_t i)
{
    const struct plain_feature *f = &b->rows->features[i];
    struct unknown unknown = {0};
    DEFER(buf_done) struct buf word;
    buf_init(&word, 1u << 26);
    for (uint64_t row = 0; row < b->t->rows; row++) {
        if (!column_is_null(f->column, row) && isnan(feature_value(f, row))) {
            buf_reset(&word);
            column_put_text(f->column, row, &word);
            unknown_add(&unknown, row, buf_view(&word));
        }
    }
    return unknown_remark(&unknown, f->column->name, b->remarks);
}

static struct status
match_numbers(const struct forest_levels *levels, struct plain_feature *f)
{
    f->number = calloc((size_t)levels->count + 1, sizeof *f->number);
    CHECK(f->number != NULL, MEMORY);
    for (uint32_t k = 0; k < levels->count; k++) {
        struct number_level *n = &f->number[f->numbers];
        if (status_ok(text_to_f64(view_str(levels->names[k]), &n->value))) {
            n->category = (float)k;
            f->numbers++;
        }
    }
    qsort(f->number, f->numbers, sizeof *f->number, compare_number);
    return OK;
}

/* By spelling; "True" in a CSV file is JSON's true. */
static struct status
match_words(const struct forest_levels *levels, struct plain_feature *f)
{
    const struct column *c = f->column;
    f->level = calloc((size_t)c->level_count + 1, sizeof *f->level);
    CHECK(f->level != NULL, MEMORY);
    for (uint32_t i = 0; i < c->level_count; i++) {
        f->level[i] = NAN;
        for (uint32_t k = 0; k < levels->count; k++) {
            const bool same = c->type == COLUMN_BOOLEAN
                                  ? strcasecmp(c->levels[i], levels->names[k]) == 0
                                  : strcmp(c->levels[i], levels->names[k]) == 0;
            f->level[i] = same ? (float)k : f->level[i];
        }
    }
    return OK;
}

static struct status
bind_categories(const struct binding *b, uint32_t i)
{
    struct plain_feature *f = &b->rows->features[i];
    switch (f->column->type) {
    case COLUMN_FLOAT:
    case COLUMN_INTEGER:
        TRY(match_numbers(&b->m->levels[i], f));
        return remark_unknown(b, i);
    case COLUMN_BOOLEAN:
    case COLUMN_CATEGORY:
        TRY(match_words(&b->m->levels[i], f));
        return remark_unknown(b, i);
    default:
        diag_set(b->diag, "%s: column \"%.60s\" is %s; the model reads categories there%s", b->data,
                 f->column->name, column_type_word(f->column->type),
                 f->column->type == COLUMN_TEXT
                     ? ", and there are too many distinct values to be some: is it the column that "
                       "the model was trained on?"
                     : "");
        FAIL(INPUT);
    }
}

static struct status
bind_column(const struct binding *b, uint32_t i)
{
    if (b->m->levels != NULL && b->m->levels[i].count > 0) {
        return bind_categories(b, i);
    }
    switch (b->rows->features[i].column->type) {
    case COLUMN_FLOAT:
    case COLUMN_INTEGER:
        return bind_numbers(b, i);
    case COLUMN_BOOLEAN:
        return bind_boolean(b, i);
    default:
        return refuse_words(b, i);
    }
}

static bool
has_a_value(const struct column *c, uint64_t rows)
{
    for (uint64_t i = 0; i < rows; i++) {
        if (!column_is_null(c, i)) {
            return true;
        }
    }
    return rows == 0;
}

static struct status
remark_missing(const struct binding *b)
{
    char names[480];
    uint32_t n = 0;
    DEFER(memory_freep) uint8_t *missing = calloc((size_t)b->t->column_count + 1, 1);
    CHECK(missing != NULL, MEMORY);
    for (uint32_t i = 0; i < b->m->features; i++) {
        const struct column *c = b->rows->features[i].column;
        if (!has_a_value(c, b->t->rows)) {
            missing[c - b->t->columns] = 1;
            n++;
        }
    }
    if (n == 0) {
        return OK;
    }
    list_names(b->t, missing, names, sizeof names);
    return plain_remark(
        b->remarks, "no value in any row of %s: the model answers as for missing values", names);
}

/* After the features: their names are the model's that the remover tells of. */
static struct status
bind_remover(const struct binding *b)
{
    uint64_t missing = 0;
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 16);
    if (b->rows->remover->by.count == 0) {
        return OK;
    }
    TRY(remover_read(b->rows->remover, b->t, b->remarks, b->diag, &b->rows->beside, &missing));
    remover_describe(b->rows->remover, b->m->feature_names, missing, &text);
    TRY(buf_status(&text));
    return plain_remark(b->remarks, "%s", buf_str(&text));
}

struct status
plain_rows_new(const struct table *t, const struct model_file *m, const struct remover *remover,
               const char *data, json_t *remarks, struct diag *diag, struct plain_rows **ret_rows)
{
    DEFER(plain_rows_freep) struct plain_rows *r = calloc(1, sizeof *r);
    CHECK(r != NULL, MEMORY);
    *r = (struct plain_rows){.table = t, .model = m, .remover = remover};
    r->features = calloc(m->features, sizeof *r->features);
    CHECK(r->features != NULL, MEMORY);
    const struct binding b = {t, m, data, remarks, diag, r};
    TRY(m->feature_names != NULL ? bind_by_name(&b) : bind_in_order(&b));
    for (uint32_t i = 0; i < m->features; i++) {
        TRY(bind_column(&b, i));
    }
    TRY(bind_remover(&b));
    TRY(remark_unread(&b));
    TRY(remark_missing(&b));
    *ret_rows = MOVE(r);
    return OK;
}

const struct column *
plain_rows_column(const struct plain_rows *r, uint32_t i)
{
    return r->features[i].column;
}

void
plain_rows_fill(const struct plain_rows *r, uint64_t first, size_t n, float *ret_x)
{
    const size_t stride = r->model->features;
    for (size_t i = 0; i < stride; i++) {
        const struct plain_feature *f = &r->features[i];
        for (size_t k = 0; k < n; k++) {
            ret_x[k * stride + i] = feature_value(f, first + k);
        }
    }
    if (r->beside != NULL) {
        const uint32_t besides = r->remover->by.count;
        remover_apply(r->remover, r->beside + first * besides, besides, n, r->model->features,
                      ret_x);
    }
}

struct status
plain_rows_all(const struct plain_rows *r, float **ret_x)
{
    size_t cells = 0;
    CHECK(!__builtin_mul_overflow((size_t)r->table->rows, (size_t)r->model->features, &cells),
          LIMIT);
    DEFER(memory_freep) float *x = calloc(cells, sizeof *x);
    CHECK(x != NULL, MEMORY);
    plain_rows_fill(r, 0, (size_t)r->table->rows, x);
    *ret_x = MOVE(x);
    return OK;
}

/* ---- CSV out ---- */

void
plain_csv_done(struct plain_csv *w)
{
    file_draft_done(&w->draft);
    buf_done(&w->block);
}

struct status
plain_csv_open(const char *path, int digits, struct diag *diag, struct plain_csv *ret_csv)
{
    struct plain_csv w = {.path = path, .digits = digits, .diag = diag};
    if (path == NULL || strcmp(path, "-") == 0) {
        w.path = "standard output";
        (void)fflush(stdout);
    } else {
        TRY(file_draft_open(path, CSV_MODE, diag, &w.draft));
    }
    buf_init(&w.block, SIZE_MAX / 2);
    *ret_csv = w;
    return OK;
}

static void
flush_block(struct plain_csv *w)
{
    const int fd = w->draft.path == NULL ? STDOUT_FILENO : w->draft.fd;
    struct status s = buf_status(&w->block);
    if (status_ok(s)) {
        s = file_write_all(fd, buf_view(&w->block), w->path, w->diag);
    }
    w->failed = s;
    buf_reset(&w->block);
}

static void
begin_cell(struct plain_csv *w)
{
    if (w->in_row) {
        buf_put_u8(&w->block, ',');
    }
    w->in_row = true;
}

void
plain_csv_text(struct plain_csv *w, const char *text)
{
    begin_cell(w);
    const size_t n = strlen(text);
    if (strpbrk(text, ",\"\r\n") != NULL || (n > 0 && (text[0] == ' ' || text[n - 1] == ' '))) {
        text_put_quoted(&w->block, '"', text);
    } else {
        buf_put_str(&w->block, text);
    }
}

void
plain_csv_number(struct plain_csv *w, double v)
{
    begin_cell(w);
    if (!isnan(v)) {
        text_put_digits(&w->block, v, w->digits);
    }
}

void
plain_csv_end_row(struct plain_csv *w)
{
    buf_put_u8(&w->block, '\n');
    w->in_row = false;
    if (w->block.len >= CSV_BLOCK && status_ok(w->failed)) {
        flush_block(w);
    }
    if (!status_ok(w->failed)) {
        buf_reset(&w->block);
    }
}

struct status
plain_csv_keep(struct plain_csv *w)
{
    if (status_ok(w->failed)) {
        flush_block(w);
    }
    TRY(w->failed);
    return w->draft.path == NULL ? OK : file_draft_keep(&w->draft, w->diag);
}
