#include "data/import_infer.h"

#include "base/text.h"
#include "data/table_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Fewer values than this say nothing about what the others should have been. */
#define SUSPECT_VALUES 20u
#define SUSPECT_SHARE 0.95

static struct view
text_at(const struct texts *t, uint64_t row)
{
    return view_of(t->bytes + t->offset[row], (size_t)(t->offset[row + 1] - t->offset[row]));
}

/* ---- what a text may be ---- */

/* "007" is a code, not the number 7. */
static bool
has_leading_zero(struct view v)
{
    const size_t sign = v.len > 0 && (v.ptr[0] == '-' || v.ptr[0] == '+');
    return v.len > sign + 1 && v.ptr[sign] == '0' && v.ptr[sign + 1] >= '0' &&
           v.ptr[sign + 1] <= '9';
}

static bool
is_integer(struct view v, int64_t *ret_value)
{
    return !has_leading_zero(v) && status_ok(text_to_i64(v, ret_value));
}

static bool
is_float(struct view v, double *ret_value)
{
    return !has_leading_zero(v) && status_ok(text_to_f64(v, ret_value));
}

/* As programs write what is infinite or no number: inf, -Infinity, -nan. */
static bool
is_not_finite(struct view v)
{
    static const char *const words[] = {"inf", "infinity", "nan"};
    const size_t sign = v.len > 0 && (v.ptr[0] == '-' || v.ptr[0] == '+');
    for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
        if (v.len - sign == strlen(words[k]) &&
            strncasecmp((const char *)v.ptr + sign, words[k], v.len - sign) == 0) {
            return true;
        }
    }
    return false;
}

/* Spellings of false and true, canonical ones first in each family. */
static const char *const spellings[][2] = {
    {"no", "yes"}, {"false", "true"}, {"n", "y"}, {"f", "t"}};

/* Family of a spelling and its truth; -1: none. */
static int
boolean_family(struct view v, int *ret_truth)
{
    for (int k = 0; k < (int)(sizeof spellings / sizeof *spellings); k++) {
        for (int truth = 0; truth < 2; truth++) {
            const char *word = spellings[k][truth];
            if (v.len == strlen(word) && strncasecmp((const char *)v.ptr, word, v.len) == 0) {
                *ret_truth = truth;
                return k;
            }
        }
    }
    return -1;
}

struct census {
    uint64_t values, integers, floats, not_finite, times, booleans;
    uint64_t first_not_float; /* row */
    int family;               /* of all booleans so far; -2: none yet */
};

static void
count_one(struct census *c, uint64_t row, struct view v)
{
    int64_t i = 0;
    double f = 0;
    int truth = 0;
    c->values++;
    const bool integer = is_integer(v, &i), number = integer || is_float(v, &f);
    c->integers += integer;
    if (!number && c->first_not_float == UINT64_MAX) {
        c->first_not_float = row;
    }
    c->floats += number;
    c->not_finite += !number && is_not_finite(v);
    c->times += !number && time_parse(v, &i);
    const int family = number ? -1 : boolean_family(v, &truth);
    if (family >= 0 && (c->family == -2 || c->family == family)) {
        c->family = family;
        c->booleans++;
    }
}

static struct census
take_census(const struct texts *t)
{
    struct census c = {.family = -2, .first_not_float = UINT64_MAX};
    for (uint64_t row = 0; row < t->rows; row++) {
        if (t->null[row] == 0) {
            count_one(&c, row, text_at(t, row));
        }
    }
    return c;
}

/* ---- messages ---- */

/* 'hmda.csv line 17: column "pirat": "abc"' */
static void
put_place(const struct infer_request *q, uint64_t row, struct view v, char ret_text[static 320])
{
    char column[64], value[64];
    (void)snprintf(ret_text, 320, "%.120s %s %llu: column \"%s\": \"%s\"", q->shown,
                   q->lines_are_rows ? "line" : "row",
                   (unsigned long long)(row + (q->lines_are_rows ? 2 : 1)),
                   name_shown(view_str(q->column), column), name_shown(v, value));
}

static struct status
refuse_value(const struct texts *t, const struct infer_request *q, uint64_t row, const char *what,
             struct diag *diag)
{
    char place[320];
    put_place(q, row, text_at(t, row), place);
    diag_set(diag, "%s is not %s", place, what);
    FAIL(INPUT);
}

/* All are numbers or infinite: not categories, but nothing that a mean exists of. */
static struct status
check_not_finite(const struct texts *t, const struct infer_request *q, const struct census *c,
                 struct diag *diag)
{
    return c->floats > 0 && c->not_finite > 0 && c->floats + c->not_finite == c->values
               ? refuse_value(t, q, c->first_not_float,
                              "a finite number, as the column's others are; say --missing for a "
                              "spelling of \"no value\"",
                              diag)
               : OK;
}

/* Nearly all are numbers: one slip must not turn a number column into a category in silence. */
static struct status
check_suspect(const struct texts *t, const struct infer_request *q, const struct census *c,
              struct diag *diag)
{
    if (c->values < SUSPECT_VALUES || (double)c->floats < SUSPECT_SHARE * (double)c->values) {
        return OK;
    }
    char place[320], column[64];
    const struct view v = text_at(t, c->first_not_float);
    put_place(q, c->first_not_float, v, place);
    (void)name_shown(view_str(q->column), column);
    diag_set(diag,
             "%s is not a number, but %llu of the column's %llu values are; say --missing for a "
             "spelling of \"no value\", or --type %s=category",
             place, (unsigned long long)c->floats, (unsigned long long)c->values, column);
    FAIL(INPUT);
}

/* ---- levels ---- */

struct level {
    struct view text;
    uint32_t hash_next; /* index + 1 of the next in its bucket */
};

struct level_set {
    struct level *items;
    uint32_t count, capacity;
    uint32_t *buckets; /* index + 1 */
    uint32_t bucket_count;
};

static void
level_set_done(struct level_set *s)
{
    free(s->items);
    free(s->buckets);
}

static uint32_t
hash_of(struct view v, uint32_t buckets)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < v.len; i++) {
        h = (h ^ v.ptr[i]) * UINT64_C(0x100000001b3);
    }
    return (uint32_t)((h ^ h >> 32) % buckets);
}

/* Distinct texts, at most `most` of them; returns false when there are more. */
static struct status
find_levels(const struct texts *t, uint32_t most, struct level_set *s, bool *ret_fits)
{
    s->capacity = most;
    s->bucket_count = most * 2 + 1;
    s->items = build_alloc(most, sizeof *s->items);
    s->buckets = build_alloc(s->bucket_count, sizeof *s->buckets);
    CHECK(s->items != NULL && s->buckets != NULL, MEMORY);
    *ret_fits = true;
    for (uint64_t row = 0; row < t->rows; row++) {
        if (t->null[row] != 0) {
            continue;
        }
        const struct view v = text_at(t, row);
        uint32_t *bucket = &s->buckets[hash_of(v, s->bucket_count)];
        uint32_t k = *bucket;
        while (k != 0 && !view_equal(s->items[k - 1].text, v)) {
            k = s->items[k - 1].hash_next;
        }
        if (k == 0) {
            if (s->count == most) {
                *ret_fits = false;
                return OK;
            }
            s->items[s->count] = (struct level){v, *bucket};
            *bucket = ++s->count;
        }
    }
    return OK;
}

static int
compare_levels(const void *a, const void *b)
{
    return view_compare(((const struct level *)a)->text, ((const struct level *)b)->text);
}

static int32_t
level_code(const struct level_set *s, struct view v)
{
    const struct level wanted = {.text = v};
    const struct level *found =
        bsearch(&wanted, s->items, s->count, sizeof *s->items, compare_levels);
    ASSERT(found != NULL);
    return (int32_t)(found - s->items);
}

static struct status
take_level_names(const struct level_set *s, struct column *c)
{
    c->levels = build_alloc(s->count, sizeof *c->levels);
    CHECK(c->levels != NULL, MEMORY);
    for (uint32_t i = 0; i < s->count; i++) {
        c->levels[i] = build_strdup(s->items[i].text);
        CHECK(c->levels[i] != NULL, MEMORY);
        c->level_count++;
    }
    return OK;
}

/* ---- filling ---- */

static struct status
fill_numbers(const struct texts *t, const struct infer_request *q, struct diag *diag,
             struct column *c)
{
    static const char *const what[COLUMN_TYPES] = {[COLUMN_FLOAT] = "a number",
                                                   [COLUMN_INTEGER] = "a whole number",
                                                   [COLUMN_TIME] =
                                                       "a date or time (2024-02-29T10:20:30Z)"};
    for (uint64_t row = 0; row < t->rows; row++) {
        if (t->null[row] != 0) {
            continue;
        }
        const struct view v = text_at(t, row);
        const bool good = c->type == COLUMN_FLOAT     ? status_ok(text_to_f64(v, &c->f[row]))
                          : c->type == COLUMN_INTEGER ? status_ok(text_to_i64(v, &c->i[row]))
                                                      : time_parse(v, &c->i[row]);
        if (!good) {
            return refuse_value(t, q, row, what[c->type], diag);
        }
    }
    return OK;
}

/* Boolean spelled as it is in the file when it is spelled one way, otherwise as its family's
 * canonical words; 0 and 1 too, when asked for. */
static struct status
fill_boolean(const struct texts *t, const struct infer_request *q, struct diag *diag,
             struct column *c)
{
    struct view seen[2] = {{0}, {0}};
    bool mixed = false;
    int family = -2, truth = 0;
    for (uint64_t row = 0; row < t->rows; row++) {
        if (t->null[row] != 0) {
            continue;
        }
        const struct view v = text_at(t, row);
        const bool digit = v.len == 1 && (v.ptr[0] == '0' || v.ptr[0] == '1');
        const int k = digit ? 100 : boolean_family(v, &truth);
        truth = digit ? v.ptr[0] - '0' : truth;
        if (k < 0 || (family != -2 && k != family)) {
            return refuse_value(
                t, q, row, "one of the column's two truth values (yes/no, true/false, 1/0)", diag);
        }
        family = k;
        mixed = mixed || (seen[truth].ptr != NULL && !view_equal(seen[truth], v));
        seen[truth] = v;
        c->code[row] = truth;
    }
    c->levels = build_alloc(2, sizeof *c->levels);
    CHECK(c->levels != NULL, MEMORY);
    for (int k = 0; k < 2; k++) {
        const char *canonical =
            family == 100 ? (k == 0 ? "0" : "1") : spellings[family < 0 ? 0 : family][k];
        c->levels[k] = build_strdup(mixed || seen[k].ptr == NULL ? view_str(canonical) : seen[k]);
        CHECK(c->levels[k] != NULL, MEMORY);
        c->level_count++;
    }
    return OK;
}

static struct status
fill_text(const struct texts *t, struct column *c)
{
    const uint64_t total = t->offset[t->rows];
    memcpy(c->offset, t->offset, ((size_t)t->rows + 1) * sizeof *c->offset);
    c->bytes = build_alloc(total, 1);
    CHECK(c->bytes != NULL, MEMORY);
    if (total > 0) {
        memcpy(c->bytes, t->bytes, (size_t)total);
    }
    return OK;
}

static struct status
fill_category(const struct texts *t, struct level_set *s, struct column *c)
{
    if (s->count > 0) {
        qsort(s->items, s->count, sizeof *s->items, compare_levels);
    }
    TRY(take_level_names(s, c));
    for (uint64_t row = 0; row < t->rows; row++) {
        if (t->null[row] == 0) {
            c->code[row] = level_code(s, text_at(t, row));
        }
    }
    return OK;
}

static struct status
fill_nulls(const struct texts *t, struct column *c)
{
    for (uint64_t row = 0; row < t->rows; row++) {
        if (t->null[row] != 0) {
            TRY(column_set_null(c, t->rows, row));
        }
    }
    return OK;
}

/* A category, or text when it has too many levels and the user did not ask for a category. */
static struct status
make_category(const struct texts *t, const struct infer_request *q, struct diag *diag,
              struct column *c)
{
    DEFER(level_set_done) struct level_set s = {0};
    bool fits = false;
    TRY(find_levels(t, q->has_type ? TABLE_MAX_LEVELS : q->max_levels, &s, &fits));
    if (fits) {
        TRY(column_alloc(c, COLUMN_CATEGORY, t->rows));
        return fill_category(t, &s, c);
    }
    if (q->has_type) {
        diag_set(diag, "%s: column \"%s\": more than %u different values; a category has fewer",
                 q->shown, q->column, TABLE_MAX_LEVELS);
        FAIL(LIMIT);
    }
    TRY(column_alloc(c, COLUMN_TEXT, t->rows));
    return fill_text(t, c);
}

static enum column_type
choose_type(const struct census *c, bool is_text)
{
    if (c->values == 0) {
        return COLUMN_FLOAT; /* nothing but missing values: any type holds them */
    }
    if (!is_text && c->integers == c->values) {
        return COLUMN_INTEGER;
    }
    if (!is_text && c->floats == c->values) {
        return COLUMN_FLOAT;
    }
    if (c->times == c->values) {
        return COLUMN_TIME;
    }
    return c->booleans == c->values ? COLUMN_BOOLEAN : COLUMN_CATEGORY;
}

static struct status
fill(const struct texts *t, const struct infer_request *q, enum column_type type, struct diag *diag,
     struct column *c)
{
    if (type == COLUMN_CATEGORY) {
        return make_category(t, q, diag, c);
    }
    TRY(column_alloc(c, type, t->rows));
    return type == COLUMN_BOOLEAN ? fill_boolean(t, q, diag, c)
           : type == COLUMN_TEXT  ? fill_text(t, c)
                                  : fill_numbers(t, q, diag, c);
}

struct status
infer_column(const struct texts *t, const struct infer_request *q, struct diag *diag,
             struct column *ret_column)
{
    enum column_type type = q->type;
    if (!q->has_type) {
        const struct census census = take_census(t);
        type = choose_type(&census, q->is_text);
        if (q->is_number && census.floats < census.values) {
            return refuse_value(t, q, census.first_not_float,
                                "a finite number; say --missing for a spelling of \"no value\"",
                                diag);
        }
        if (type == COLUMN_CATEGORY && !q->is_text) {
            TRY(check_not_finite(t, q, &census, diag));
            TRY(check_suspect(t, q, &census, diag));
        }
    }
    DEFER(column_done) struct column c = {0};
    TRY(fill(t, q, type, diag, &c));
    TRY(fill_nulls(t, &c));
    *ret_column = c;
    c = (struct column){0};
    return OK;
}
