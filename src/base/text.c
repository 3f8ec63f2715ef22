#include "base/text.h"

#include <limits.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers ---- */

struct status
text_to_u64(struct view text, uint64_t *ret_value)
{
    uint64_t value = 0;
    CHECK(text.len > 0, INPUT);
    for (size_t i = 0; i < text.len; i++) {
        CHECK(text.ptr[i] >= '0' && text.ptr[i] <= '9', INPUT);
        CHECK(!__builtin_mul_overflow(value, 10u, &value), INPUT);
        CHECK(!__builtin_add_overflow(value, (uint64_t)(text.ptr[i] - '0'), &value), INPUT);
    }
    *ret_value = value;
    return OK;
}

struct status
text_to_i64(struct view text, int64_t *ret_value)
{
    const bool negative = text.len > 0 && text.ptr[0] == '-';
    uint64_t size = 0;
    TRY(text_to_u64(negative ? view_of(text.ptr + 1, text.len - 1) : text, &size));
    CHECK(size <= (uint64_t)INT64_MAX + (negative ? 1 : 0), INPUT);
    *ret_value = negative ? (int64_t)(0 - size) : (int64_t)size;
    return OK;
}

/* [+-]digits[.digits][e[+-]digits], at least one digit before the exponent. */
static bool
is_decimal(struct view t)
{
    size_t i = 0, digits = 0;
    i += t.len > 0 && (t.ptr[0] == '-' || t.ptr[0] == '+');
    for (; i < t.len && t.ptr[i] >= '0' && t.ptr[i] <= '9'; i++) {
        digits++;
    }
    i += i < t.len && t.ptr[i] == '.';
    for (; i < t.len && t.ptr[i] >= '0' && t.ptr[i] <= '9'; i++) {
        digits++;
    }
    if (digits == 0 || i == t.len) {
        return digits > 0;
    }
    if (t.ptr[i] != 'e' && t.ptr[i] != 'E') {
        return false;
    }
    i++;
    i += i < t.len && (t.ptr[i] == '-' || t.ptr[i] == '+');
    const size_t start = i;
    while (i < t.len && t.ptr[i] >= '0' && t.ptr[i] <= '9') {
        i++;
    }
    return i == t.len && i > start;
}

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void
make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

struct status
text_to_f64(struct view text, double *ret_value)
{
    char copy[512];
    CHECK(text.len < sizeof copy && is_decimal(text), INPUT);
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    (void)pthread_once(&c_locale_once, make_c_locale);
    char *end = NULL;
    const double v = c_locale == (locale_t)0 ? strtod(copy, &end) : strtod_l(copy, &end, c_locale);
    CHECK(end == copy + text.len && isfinite(v), INPUT);
    *ret_value = v;
    return OK;
}

bool
text_is_same_value(const char *a, const char *b)
{
    double x = 0, y = 0;
    return strcmp(a, b) == 0 || (status_ok(text_to_f64(view_str(a), &x)) &&
                                 status_ok(text_to_f64(view_str(b), &y)) && x == y);
}

bool
text_means_yes(const char *text)
{
    static const char *const usual[] = {"1", "yes", "true", "Yes", "True", "YES", "TRUE"};
    bool means = false;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        means |= strcmp(text, usual[i]) == 0;
    }
    return means;
}

struct unit {
    const char *word;
    uint64_t factor;
};

/* digits followed by one of the units. */
static struct status
with_unit(struct view text, const struct unit *units, size_t n, uint64_t *ret_value)
{
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9') {
        digits++;
    }
    uint64_t value = 0;
    TRY(text_to_u64(view_of(text.ptr, digits), &value));
    const struct view word = view_of(text.ptr + digits, text.len - digits);
    for (size_t i = 0; i < n; i++) {
        if (view_equal_str(word, units[i].word)) {
            CHECK(!__builtin_mul_overflow(value, units[i].factor, &value), INPUT);
            *ret_value = value;
            return OK;
        }
    }
    FAIL(INPUT);
}

struct status
text_to_duration_ns(struct view text, int64_t *ret_ns)
{
    static const struct unit units[] = {
        {"ns", 1},
        {"us", 1000},
        {"ms", 1000000},
        {"s", UINT64_C(1000000000)},
        {"m", UINT64_C(60000000000)},
        {"h", UINT64_C(3600000000000)},
        {"d", UINT64_C(86400000000000)},
    };
    uint64_t ns = 0;
    TRY(with_unit(text, units, sizeof units / sizeof *units, &ns));
    CHECK(ns <= INT64_MAX, INPUT);
    *ret_ns = (int64_t)ns;
    return OK;
}

struct status
text_to_size(struct view text, uint64_t *ret_bytes)
{
    static const struct unit units[] = {
        {"", 1}, {"B", 1}, {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30}};
    return with_unit(text, units, sizeof units / sizeof *units, ret_bytes);
}

/* ---- letters ---- */

/* Length of the UTF-8 sequence at p (n bytes left), 0 when it is none: shortest forms, no
 * surrogates, up to U+10FFFF. */
static size_t
utf8_length(const uint8_t *p, size_t n)
{
    if (p[0] < 0x80) {
        return 1;
    }
    const size_t len = p[0] >= 0xc2 && p[0] < 0xe0   ? 2
                       : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
                       : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                                     : 0;
    if (len == 0 || len > n) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    const bool wrong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) ||
                       (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90);
    return wrong ? 0 : len;
}

static bool
is_ascii(const uint8_t eight[static 8])
{
    uint64_t all;
    memcpy(&all, eight, sizeof all);
    return (all & UINT64_C(0x8080808080808080)) == 0;
}

bool
text_is_utf8(struct view text)
{
    for (size_t i = 0; i < text.len;) {
        if (text.len - i >= 8 && is_ascii(text.ptr + i)) {
            i += 8;
            continue;
        }
        const size_t n = utf8_length(text.ptr + i, text.len - i);
        if (n == 0) {
            return false;
        }
        i += n;
    }
    return true;
}

bool
text_is_name(const char *text)
{
    const size_t n = strlen(text);
    return n >= 1 && n <= 63 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-") == n &&
           *text != '.' && *text != '_' && *text != '-' && strstr(text, "..") == NULL;
}

/* U+200E, U+200F, U+202A to U+202E and U+2066 to U+2069: three bytes each. */
static bool
turns_direction(const uint8_t *t)
{
    if (t[0] != 0xe2 || t[1] == 0 || (t[1] != 0x80 && t[1] != 0x81)) {
        return false;
    }
    return t[1] == 0x80 ? t[2] == 0x8e || t[2] == 0x8f || (t[2] >= 0xaa && t[2] <= 0xae)
                        : t[2] >= 0xa6 && t[2] <= 0xa9;
}

void
text_put_html(struct buf *b, const char *text)
{
    for (; *text != '\0'; text++) {
        const bool turns = turns_direction((const uint8_t *)text);
        if (turns || (uint8_t)*text < 0x20 || *text == 0x7f) {
            buf_put_str(b, "\xef\xbf\xbd");
            text += turns ? 2 : 0;
            continue;
        }
        const char *entity = *text == '&'    ? "&amp;"
                             : *text == '<'  ? "&lt;"
                             : *text == '>'  ? "&gt;"
                             : *text == '"'  ? "&quot;"
                             : *text == '\'' ? "&#39;"
                                             : NULL;
        if (entity != NULL) {
            buf_put_str(b, entity);
        } else {
            buf_put_u8(b, (uint8_t)*text);
        }
    }
}

void
text_put_quoted(struct buf *b, char mark, const char *text)
{
    buf_put_u8(b, (uint8_t)mark);
    for (; *text != '\0'; text++) {
        if (*text == mark) {
            buf_put_u8(b, (uint8_t)mark);
        }
        buf_put_u8(b, (uint8_t)*text);
    }
    buf_put_u8(b, (uint8_t)mark);
}

void
text_copy(char *to, size_t size, const char *text)
{
    const size_t n = strnlen(text, size - 1);
    memcpy(to, text, n);
    to[n] = '\0';
}

struct view
text_next_word(struct view *rest)
{
    size_t from = 0, to = 0;
    while (from < rest->len && rest->ptr[from] == ' ') {
        from++;
    }
    for (to = from; to < rest->len && rest->ptr[to] != ' '; to++) {
    }
    const struct view word = view_of(rest->ptr + from, to - from);
    *rest = view_of(rest->ptr + to, rest->len - to);
    return word;
}

bool
text_copy_view(char *to, size_t size, struct view word)
{
    if (word.len >= size || memchr(word.ptr, '\0', word.len) != NULL) {
        return false;
    }
    memcpy(to, word.ptr, word.len);
    to[word.len] = '\0';
    return true;
}

void
text_put_u64(struct buf *b, uint64_t v)
{
    uint8_t digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (uint8_t)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    buf_put(b, view_of(digits + at, sizeof digits - at));
}

#define DIGITS_MAX 17
#define FIVES 21 /* of which the last is 5^20 */

/* "-0.00123": sign, the point at its place, no zeros at the end. */
static size_t
lay_out(bool negative, uint64_t whole, int digits, int e, char ret_text[static 32])
{
    char digit[DIGITS_MAX];
    size_t n = 0;
    int used = 0;
    for (int i = digits - 1; i >= 0; i--, whole /= 10) {
        digit[i] = (char)('0' + whole % 10);
        used = used == 0 && digit[i] != '0' ? i + 1 : used;
    }
    ret_text[n] = '-';
    n += negative;
    /* The ones stand e places after the first digit: before it, as a zero, when e is negative. */
    for (int i = e < 0 ? e : 0; i < used || i <= e; i++) {
        ret_text[n++] = i < 0 || i >= used ? '0' : digit[i];
        if (i == e && i + 1 < used) {
            ret_text[n++] = '.';
        }
    }
    return n;
}

/* v = mantissa * 2^exponent as a decimal of 17 digits before the point: scaled / 2^shift. With
 * five = 5^q, v * 10^q = mantissa * five * 2^(exponent + q): everything is a whole number. */
struct exact {
    unsigned __int128 scaled;
    int shift;
    uint64_t five, mantissa;
    int tens; /* power of ten of the first digit */
};

static bool
exact_of(double a, struct exact *ret_exact)
{
    static const double power[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    static const uint64_t fives[FIVES] = {1,
                                          5,
                                          25,
                                          125,
                                          625,
                                          3125,
                                          15625,
                                          78125,
                                          390625,
                                          1953125,
                                          9765625,
                                          48828125,
                                          244140625,
                                          1220703125,
                                          6103515625,
                                          30517578125,
                                          152587890625,
                                          762939453125,
                                          3814697265625,
                                          19073486328125,
                                          95367431640625};
    struct exact x = {.tens = a >= 1 ? 0 : -1};
    int exponent = 0;
    x.mantissa = (uint64_t)ldexp(frexp(a, &exponent), 53);
    while (x.tens >= 0 && a >= power[x.tens + 1]) {
        x.tens++;
    }
    while (x.tens < 0 && x.tens > -4 && a * power[-x.tens] < 1) {
        x.tens--;
    }
    const int q = DIGITS_MAX - 1 - x.tens;
    x.five = fives[q];
    x.scaled = (unsigned __int128)x.mantissa * x.five;
    x.shift = -(exponent - 53 + q);
    *ret_exact = x;
    return x.shift > 0 && x.mantissa != (uint64_t)1 << 52; /* whose neighbours are unequally far */
}

/* To nearest and from a tie to even, as printf; does that read back as the same double? A tie is
 * read as the even one. */
static bool
round_exact(const struct exact *x, int digits, uint64_t *ret_whole)
{
    static const uint64_t units[] = {1, 10, 100};
    const uint64_t unit = units[DIGITS_MAX - digits], whole = (uint64_t)(x->scaled >> x->shift),
                   mask = ((uint64_t)1 << x->shift) - 1;
    const uint64_t rest = (whole % unit) << x->shift | ((uint64_t)x->scaled & mask),
                   all = unit << x->shift, other = all - rest;
    const bool up = rest > other || (rest == other && whole / unit % 2 == 1);
    const uint64_t off = 2 * (up ? other : rest);
    *ret_whole = whole / unit + up;
    return digits == DIGITS_MAX || off < x->five || (off == x->five && x->mantissa % 2 == 0);
}

/* False when it cannot tell. */
static bool
put_shortest(struct buf *b, double v)
{
    static const uint64_t least[] = {100000000000000, 1000000000000000, 10000000000000000};
    char text[40];
    struct exact x;
    uint64_t whole = 0;
    int digits = 15;
    const double a = fabs(v);
    if (!(a >= 1e-4 && a < 1e15) || !exact_of(a, &x)) {
        return false;
    }
    while (!round_exact(&x, digits, &whole)) {
        digits++;
    }
    if (whole < least[digits - 15] || whole >= 10 * least[digits - 15]) {
        return false; /* the first digit is another's */
    }
    buf_put(b, view_of(text, lay_out(signbit(v), whole, digits, x.tens, text)));
    return true;
}

void
text_put_f64(struct buf *b, double v)
{
    char text[40];
    if (put_shortest(b, v)) {
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, v);
        if (digits == 17 || strtod(text, NULL) == v) {
            break;
        }
    }
    buf_put_str(b, text);
}

#define FAST_DIGITS 9   /* and fewer: the scaled number is far below 2^53 */
#define FAST_SHIFT 13   /* powers of ten that doubles hold exactly, and the product's error small */
#define HALF_WIDTH 1e-5 /* nearer to a half than this, the product's error could decide */

/* a as digits (a whole number of that many) and its first one's power of ten, rounded to nearest;
 * false when one product cannot tell. a is at least 1e-4. */
static bool
round_to_digits(double a, int digits, uint64_t *ret_digits, int *ret_exponent)
{
    static const double power[FAST_SHIFT + 1] = {1e0, 1e1, 1e2, 1e3,  1e4,  1e5,  1e6,
                                                 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13};
    int e = a >= 1 ? 0 : -1;
    if (a >= power[digits]) {
        return false;
    }
    while (e >= 0 && e + 1 < digits && a >= power[e + 1]) {
        e++;
    }
    while (e < 0 && e > -4 && a * power[-e] < 1) {
        e--;
    }
    const double scaled = a * power[digits - 1 - e];
    uint64_t whole = (uint64_t)scaled;
    const double part = scaled - (double)whole;
    if (fabs(part - 0.5) < HALF_WIDTH) {
        return false;
    }
    whole += part > 0.5;
    if (whole == (uint64_t)power[digits]) {
        whole /= 10;
        e++;
    }
    *ret_digits = whole;
    *ret_exponent = e;
    return whole >= (uint64_t)power[digits - 1] && e < digits;
}

void
text_put_digits(struct buf *b, double v, int digits)
{
    char text[40];
    uint64_t whole = 0;
    int e = 0;
    const double a = fabs(v);
    if (v == 0) {
        buf_put_str(b, signbit(v) ? "-0" : "0");
    } else if (digits <= FAST_DIGITS && a >= 1e-4 && round_to_digits(a, digits, &whole, &e)) {
        buf_put(b, view_of(text, lay_out(signbit(v), whole, digits, e, text)));
    } else {
        (void)snprintf(text, sizeof text, "%.*g", digits, v);
        buf_put_str(b, text);
    }
}

/* ---- hex and base64 ---- */

void
text_put_hex(struct buf *b, struct view v)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *at = v.len > SIZE_MAX / 2 ? NULL : buf_extend(b, v.len * 2);
    for (size_t i = 0; at != NULL && i < v.len; i++) {
        at[2 * i] = (uint8_t)digits[v.ptr[i] >> 4];
        at[2 * i + 1] = (uint8_t)digits[v.ptr[i] & 15];
    }
}

int
text_hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

struct status
text_from_hex(struct view text, struct buf *ret_bytes)
{
    CHECK(text.len % 2 == 0, INPUT);
    for (size_t i = 0; i < text.len; i++) {
        CHECK(text_hex_digit(text.ptr[i]) >= 0, INPUT);
    }
    for (size_t i = 0; i < text.len; i += 2) {
        buf_put_u8(ret_bytes,
                   (uint8_t)(text_hex_digit(text.ptr[i]) << 4 | text_hex_digit(text.ptr[i + 1])));
    }
    return buf_status(ret_bytes);
}

static const char base64_letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct view
text_first_line(struct view text)
{
    const uint8_t *end = text.len == 0 ? NULL : memchr(text.ptr, '\n', text.len);
    size_t n = end == NULL ? text.len : (size_t)(end - text.ptr);
    n -= n > 0 && text.ptr[n - 1] == '\r';
    return view_of(text.ptr, n);
}

void
text_put_base64(struct buf *b, struct view v)
{
    for (size_t i = 0; i < v.len; i += 3) {
        const size_t n = v.len - i < 3 ? v.len - i : 3;
        const uint32_t group = (uint32_t)v.ptr[i] << 16 |
                               (n > 1 ? (uint32_t)v.ptr[i + 1] << 8 : 0) |
                               (n > 2 ? (uint32_t)v.ptr[i + 2] : 0);
        uint8_t out[4] = {'=', '=', '=', '='};
        for (size_t k = 0; k <= n; k++) {
            out[k] = (uint8_t)base64_letters[group >> (18 - 6 * k) & 63];
        }
        buf_put(b, view_of(out, 4));
    }
}

static int
base64_value(uint8_t c)
{
    const char *at = c == 0 ? NULL : strchr(base64_letters, c);
    return at == NULL ? -1 : (int)(at - base64_letters);
}

/* Four letters, the last one or two of which may be '=' when they end the text. */
static struct status
base64_group(const uint8_t *p, bool last, struct buf *ret_bytes)
{
    const size_t pad = last ? (size_t)(p[3] == '=') + (p[3] == '=' && p[2] == '=') : 0;
    uint32_t group = 0;
    for (size_t k = 0; k < 4; k++) {
        const int v = k >= 4 - pad ? 0 : base64_value(p[k]);
        CHECK(v >= 0, INPUT);
        group = group << 6 | (uint32_t)v;
    }
    /* The bits that the padding leaves over must be zero: one text for each value. */
    CHECK(pad == 0 || (group & ((1u << (8 * pad)) - 1)) == 0, INPUT);
    for (size_t k = 0; k < 3 - pad; k++) {
        buf_put_u8(ret_bytes, (uint8_t)(group >> (16 - 8 * k)));
    }
    return OK;
}

struct status
text_from_base64(struct view text, struct buf *ret_bytes)
{
    CHECK(text.len % 4 == 0, INPUT);
    const size_t before = ret_bytes->len;
    for (size_t i = 0; i < text.len; i += 4) {
        const struct status s = base64_group(text.ptr + i, i + 4 == text.len, ret_bytes);
        if (!status_ok(s)) {
            buf_cut(ret_bytes, before);
            return s;
        }
    }
    return buf_status(ret_bytes);
}

/* ---- nearest word ---- */

#define WORD_MAX 64u

/* Levenshtein distance; words longer than WORD_MAX are far from everything. */
static size_t
distance(const char *a, const char *b)
{
    const size_t n = strlen(a), m = strlen(b);
    size_t row[WORD_MAX + 1];
    if (n > WORD_MAX || m > WORD_MAX) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= m; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            const size_t replace = diagonal + (a[i - 1] != b[j - 1]);
            const size_t insert = row[j - 1] + 1, drop = row[j] + 1;
            diagonal = row[j];
            row[j] = replace < insert ? replace : insert;
            row[j] = row[j] < drop ? row[j] : drop;
        }
    }
    return row[m];
}

const char *
text_nearest(const char *word, const char *const *candidates, size_t n)
{
    const char *nearest = NULL;
    size_t least = 4;
    for (size_t i = 0; i < n; i++) {
        const size_t d = distance(word, candidates[i]);
        /* Three edits in a word of three letters are another word. */
        if (d < least && d < strlen(candidates[i]) && d < strlen(word)) {
            least = d;
            nearest = candidates[i];
        }
    }
    return nearest;
}
