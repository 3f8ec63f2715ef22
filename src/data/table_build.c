#include "data/table_build.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define US_PER_S INT64_C(1000000)
#define S_PER_DAY INT64_C(86400)

void *
build_alloc(uint64_t n, size_t size)
{
    return n > SIZE_MAX / 2 / size ? NULL : calloc(n == 0 ? 1 : (size_t)n, size);
}

char *
build_strdup(struct view text)
{
    char *copy = build_alloc((uint64_t)text.len + 1, 1);
    if (copy != NULL && text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    return copy;
}

static struct status
alloc_codes(struct column *c, uint64_t rows)
{
    c->code = build_alloc(rows, sizeof *c->code);
    CHECK(c->code != NULL, MEMORY);
    for (uint64_t i = 0; i < rows; i++) {
        c->code[i] = -1;
    }
    return OK;
}

struct status
column_alloc(struct column *c, enum column_type type, uint64_t rows)
{
    c->type = type;
    switch (type) {
    case COLUMN_FLOAT:
        c->f = build_alloc(rows, sizeof *c->f);
        CHECK(c->f != NULL, MEMORY);
        return OK;
    case COLUMN_INTEGER:
    case COLUMN_TIME:
        c->i = build_alloc(rows, sizeof *c->i);
        CHECK(c->i != NULL, MEMORY);
        return OK;
    case COLUMN_CATEGORY:
    case COLUMN_BOOLEAN:
        return alloc_codes(c, rows);
    case COLUMN_TEXT:
        c->offset = build_alloc(rows + 1, sizeof *c->offset);
        CHECK(c->offset != NULL, MEMORY);
        return OK;
    case COLUMN_TYPES:
        break;
    }
    status_abort(STATUS_HERE, "column type");
}

void
column_done(struct column *c)
{
    for (uint32_t i = 0; c->levels != NULL && i < c->level_count; i++) {
        free(c->levels[i]);
    }
    free(c->levels);
    free(c->name);
    free(c->null);
    free(c->f);
    free(c->i);
    free(c->code);
    free(c->offset);
    free(c->bytes);
    *c = (struct column){0};
}

struct status
column_set_null(struct column *c, uint64_t rows, uint64_t row)
{
    if (c->null == NULL) {
        c->null = build_alloc(rows, 1);
        CHECK(c->null != NULL, MEMORY);
    }
    c->nulls += c->null[row] == 0;
    c->null[row] = 1;
    return OK;
}

struct view
column_text(const struct column *c, uint64_t row)
{
    ASSERT(c->type == COLUMN_TEXT);
    const uint64_t from = c->offset[row];
    return view_of(c->bytes == NULL ? "" : c->bytes + from, (size_t)(c->offset[row + 1] - from));
}

/* Days from civil and back: Howard Hinnant's chrono algorithms, proleptic Gregorian. */
static int64_t
days_from_civil(int64_t year, int64_t month, int64_t day)
{
    const int64_t y = year - (month <= 2);
    const int64_t era = (y >= 0 ? y : y - 399) / 400;
    const int64_t yoe = y - era * 400;
    const int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void
civil_from_days(int64_t days, int64_t ret_ymd[static 3])
{
    const int64_t z = days + 719468;
    const int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    const int64_t doe = z - era * 146097;
    const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    const int64_t mp = (5 * doy + 2) / 153;
    ret_ymd[2] = doy - (153 * mp + 2) / 5 + 1;
    ret_ymd[1] = mp < 10 ? mp + 3 : mp - 9;
    ret_ymd[0] = yoe + era * 400 + (ret_ymd[1] <= 2);
}

/* Exactly n digits; *ok becomes false when they are not there. */
static int64_t
take_digits(struct reader *r, size_t n, bool *ok)
{
    int64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        const uint8_t c = reader_u8(r);
        *ok = *ok && !r->bad && c >= '0' && c <= '9';
        value = value * 10 + (c - '0');
    }
    return value;
}

static bool
peek_is(const struct reader *r, uint8_t c)
{
    return reader_left(r) > 0 && r->v.ptr[r->pos] == c;
}

static int64_t
take_fraction(struct reader *r, bool *ok)
{
    int64_t us = 0;
    int64_t unit = US_PER_S;
    size_t digits = 0;
    while (reader_left(r) > 0 && r->v.ptr[r->pos] >= '0' && r->v.ptr[r->pos] <= '9') {
        unit /= 10;
        us += unit * (reader_u8(r) - '0');
        digits++;
    }
    *ok = *ok && digits >= 1 && digits <= 9;
    return us;
}

static int64_t
take_zone(struct reader *r, bool *ok)
{
    if (reader_left(r) == 0) {
        return 0;
    }
    const uint8_t sign = reader_u8(r);
    if (sign == 'Z') {
        return 0;
    }
    *ok = *ok && (sign == '+' || sign == '-');
    const int64_t hours = take_digits(r, 2, ok);
    const bool colon = peek_is(r, ':');
    if (colon) {
        (void)reader_u8(r);
    }
    const int64_t minutes = colon || reader_left(r) > 0 ? take_digits(r, 2, ok) : 0;
    *ok = *ok && hours <= 14 && minutes < 60;
    return (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

static int64_t
take_clock(struct reader *r, bool *ok)
{
    const uint8_t gap = reader_u8(r);
    *ok = *ok && (gap == 'T' || gap == ' ');
    const int64_t hour = take_digits(r, 2, ok);
    *ok = *ok && reader_u8(r) == ':';
    const int64_t minute = take_digits(r, 2, ok);
    int64_t second = 0;
    int64_t us = 0;
    if (peek_is(r, ':')) {
        (void)reader_u8(r);
        second = take_digits(r, 2, ok);
        if (peek_is(r, '.')) {
            (void)reader_u8(r);
            us = take_fraction(r, ok);
        }
    }
    *ok = *ok && hour < 24 && minute < 60 && second < 60;
    return (hour * 3600 + minute * 60 + second - take_zone(r, ok)) * US_PER_S + us;
}

bool
time_parse(struct view text, int64_t *ret_us)
{
    static const uint8_t month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct reader r = reader_of(text);
    bool ok = true;
    const int64_t year = take_digits(&r, 4, &ok);
    ok = ok && reader_u8(&r) == '-';
    const int64_t month = take_digits(&r, 2, &ok);
    ok = ok && reader_u8(&r) == '-';
    const int64_t day = take_digits(&r, 2, &ok);
    if (!ok || year < 1 || month < 1 || month > 12 || day < 1) {
        return false;
    }
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > month_days[month - 1] + (month == 2 && leap)) {
        return false;
    }
    int64_t us = days_from_civil(year, month, day) * S_PER_DAY * US_PER_S;
    us += reader_left(&r) > 0 ? take_clock(&r, &ok) : 0;
    if (!ok || r.bad || reader_left(&r) > 0 || us < TIME_MIN_US || us > TIME_MAX_US) {
        return false;
    }
    *ret_us = us;
    return true;
}

void
time_put(struct buf *b, int64_t us)
{
    const int64_t day_us = S_PER_DAY * US_PER_S;
    const int64_t days = us >= 0 ? us / day_us : -((-us + day_us - 1) / day_us);
    const int64_t rest = us - days * day_us;
    int64_t ymd[3];
    civil_from_days(days, ymd);
    buf_printf(b, "%04d-%02d-%02d", (int)ymd[0], (int)ymd[1], (int)ymd[2]);
    if (rest == 0) {
        return;
    }
    const int seconds = (int)(rest / US_PER_S);
    const int micros = (int)(rest % US_PER_S);
    buf_printf(b, "T%02d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if (micros != 0) {
        buf_printf(b, ".%06d", micros);
    }
    buf_put_u8(b, 'Z');
}

struct view
view_trimmed(struct view v)
{
    while (v.len > 0 && (v.ptr[0] == ' ' || v.ptr[0] == '\t')) {
        v = view_of(v.ptr + 1, v.len - 1);
    }
    while (v.len > 0 && (v.ptr[v.len - 1] == ' ' || v.ptr[v.len - 1] == '\t')) {
        v.len--;
    }
    return v;
}

const char *
name_shown(struct view name, char ret_text[static 64])
{
    size_t n = name.len < 60 ? name.len : 60;
    while (n > 0 && n < name.len && (name.ptr[n] & 0xC0) == 0x80) {
        n--; /* not in the middle of a character */
    }
    for (size_t i = 0; i < n; i++) {
        const uint8_t c = name.ptr[i];
        ret_text[i] = c < 0x20 || c == 0x7F ? '?' : (char)c;
    }
    memcpy(ret_text + n, n < name.len ? "..." : "", n < name.len ? 4 : 1);
    return ret_text;
}

void
names_absent(struct diag *diag, const char *place, const char *word, const struct table *t)
{
    const char **names = build_alloc(t->column_count, sizeof *names);
    for (uint32_t i = 0; names != NULL && i < t->column_count; i++) {
        names[i] = t->columns[i].name;
    }
    const char *near = names == NULL ? NULL : text_nearest(word, names, t->column_count);
    char shown[64];
    char near_shown[64];
    (void)name_shown(view_str(word), shown);
    if (near != NULL) {
        diag_set(diag, "no column \"%s\"; did you mean \"%s\"?", shown,
                 name_shown(view_str(near), near_shown));
    } else {
        diag_set(diag, "no column \"%s\" among the %u columns", shown, t->column_count);
    }
    if (place != NULL) {
        diag_prefix(diag, "%s", place);
    }
    free(names);
}
