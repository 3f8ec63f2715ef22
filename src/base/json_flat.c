#include "base/json_flat.h"

#include "base/json.h"
#include "base/text.h"

#include <endian.h>
#include <string.h>

#define TEXT_MAX (1u << 30) /* so that counts fit 32 bits */

struct flat {
    const uint8_t *from, *at, *end;
    struct js_node *nodes;
    uint32_t used;
    char *letters; /* where the next string goes */
    const char *name;
    struct diag *diag;
};

/* ---- errors ---- */

/* Line and column, both from 1 and in characters, of where reading stopped. */
static struct status
refuse(const struct flat *f, const char *what)
{
    size_t line = 1, column = 1;
    for (const uint8_t *p = f->from; p < f->at; p++) {
        column += (*p & 0xc0) != 0x80;
        if (*p == '\n') {
            line++;
            column = 1;
        }
    }
    diag_set(f->diag, "%s%sline %zu column %zu: %s", f->name == NULL ? "" : f->name,
             f->name == NULL ? "" : " ", line, column, what);
    FAIL(INPUT);
}

/* ---- strings ---- */

/* Four hexadecimal digits at `at`, which is moved behind them. */
static struct status
take_unit(struct flat *f, uint32_t *ret_unit)
{
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        const int digit = f->at < f->end ? text_hex_digit(*f->at) : -1;
        if (digit < 0) {
            return refuse(f, "invalid escape");
        }
        unit = unit << 4 | (uint32_t)digit;
        f->at++;
    }
    *ret_unit = unit;
    return OK;
}

static void
put_letter(struct flat *f, uint32_t c)
{
    char *to = f->letters;
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    f->letters = to;
}

/* Behind "\u": one character, from one unit or a pair of surrogates. */
static struct status
take_unicode(struct flat *f)
{
    uint32_t c = 0, low = 0;
    TRY(take_unit(f, &c));
    if (c >= 0xd800 && c < 0xdc00) {
        if (f->end - f->at < 2 || f->at[0] != '\\' || f->at[1] != 'u') {
            return refuse(f, "invalid Unicode escape: half of a surrogate pair");
        }
        f->at += 2;
        TRY(take_unit(f, &low));
        if (low < 0xdc00 || low > 0xdfff) {
            return refuse(f, "invalid Unicode escape: half of a surrogate pair");
        }
        c = 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
    } else if (c >= 0xdc00 && c < 0xe000) {
        return refuse(f, "invalid Unicode escape: half of a surrogate pair");
    }
    if (c == 0) {
        return refuse(f, "\\u0000 is not allowed");
    }
    put_letter(f, c);
    return OK;
}

static struct status
take_escape(struct flat *f)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    f->at++;
    const uint8_t c = f->at < f->end ? *f->at : 0;
    const char *place = c == 0 ? NULL : strchr(from, c);
    if (place != NULL) {
        *f->letters++ = to[place - from];
        f->at++;
        return OK;
    }
    if (c != 'u') {
        return refuse(f, "invalid escape");
    }
    f->at++;
    return take_unicode(f);
}

/* Eight letters at once: the lowest bit of each byte's highest is set where one ends the run, and
 * perhaps in bytes above that (Anderson, "Bit Twiddling Hacks": what borrows goes upwards). */
static uint64_t
ends_of(uint64_t letters)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    const uint64_t quote = letters ^ (ones * '"'), escape = letters ^ (ones * '\\');
    const uint64_t low = (letters - ones * 0x20) & ~letters;
    return (low | ((quote - ones) & ~quote) | ((escape - ones) & ~escape)) & tops;
}

/* Letters that stand for themselves. They go to where they are kept eight at a time, also those
 * behind the end: there is room for them, and what comes next is written over them. */
static void
take_plain(struct flat *f)
{
    const uint8_t *at = f->at;
    char *to = f->letters;
    uint64_t eight = 0, ends = 0;
    while (ends == 0 && f->end - at >= 8) {
        memcpy(&eight, at, 8);
        eight = le64toh(eight);
        ends = ends_of(eight);
        memcpy(to, at, 8);
        const size_t n = ends == 0 ? 8 : (size_t)__builtin_ctzll(ends) / 8;
        at += n;
        to += n;
    }
    while (ends == 0 && at < f->end && *at >= 0x20 && *at != '"' && *at != '\\') {
        *to++ = (char)*at++;
    }
    f->at = at;
    f->letters = to;
}

/* From the opening quote; never longer than its text, quotes included, with its NUL. */
static struct status
take_string(struct flat *f, struct js_node *n)
{
    *n = (struct js_node){.kind = JS_STRING, .span = 1, .text = f->letters};
    f->at++;
    take_plain(f);
    while (f->at < f->end && *f->at != '"') {
        if (*f->at < 0x20) {
            return refuse(f, "control character in a string");
        }
        TRY(take_escape(f));
        take_plain(f);
    }
    if (f->at == f->end) {
        return refuse(f, "premature end of input");
    }
    f->at++;
    *f->letters++ = '\0';
    return OK;
}

/* ---- numbers ---- */

/* A number's digits as they are read: their value, as far as it is exact, and how many there are.
 */
struct digits {
    uint64_t value;
    size_t count, decimals;
};

static void
take_digits(struct flat *f, struct digits *d)
{
    const uint8_t *at = f->at;
    for (; at < f->end && (uint8_t)(*at - '0') <= 9; at++) {
        d->value = d->value * 10 + (uint8_t)(*at - '0');
    }
    d->count += (size_t)(at - f->at);
    f->at = at;
}

static bool
take_fraction(struct flat *f, struct digits *d)
{
    if (f->at < f->end && *f->at == '.') {
        const size_t before = d->count;
        f->at++;
        take_digits(f, d);
        d->decimals = d->count - before;
        return d->decimals > 0;
    }
    return true;
}

static bool
take_exponent(struct flat *f)
{
    if (f->at < f->end && (*f->at == 'e' || *f->at == 'E')) {
        struct digits d = {0};
        f->at++;
        f->at += f->at < f->end && (*f->at == '+' || *f->at == '-');
        take_digits(f, &d);
        return d.count > 0;
    }
    return true;
}

/* At most 15 digits and a power of ten that doubles hold exactly: one rounding, so the nearest
 * (Clinger, "How to read floating point numbers accurately", 1990). */
static bool
read_short(const struct digits *d, bool negative, double *ret_value)
{
    static const double power[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    if (d->count > 15) {
        return false;
    }
    const double v = (double)d->value / power[d->decimals];
    *ret_value = negative ? -v : v;
    return true;
}

static struct status
take_number(struct flat *f, struct js_node *n)
{
    const uint8_t *start = f->at;
    const bool negative = *f->at == '-';
    struct digits d = {0};
    f->at += negative;
    const bool zero = f->at < f->end && *f->at == '0';
    take_digits(f, &d);
    if (d.count == 0 || (zero && d.count > 1)) {
        return refuse(f, "invalid token");
    }
    const uint8_t *whole = f->at;
    if (!take_fraction(f, &d)) {
        return refuse(f, "invalid token");
    }
    const uint8_t *plain = f->at;
    if (!take_exponent(f)) {
        return refuse(f, "invalid token");
    }
    const struct view all = view_of(start, (size_t)(f->at - start));
    *n = (struct js_node){.kind = JS_INTEGER, .span = 1};
    if (f->at == whole) {
        n->integer = negative ? -(int64_t)d.value : (int64_t)d.value;
        return d.count <= 18 || status_ok(text_to_i64(all, &n->integer))
                   ? OK
                   : refuse(f, "too big integer");
    }
    n->kind = JS_REAL;
    if ((f->at == plain && read_short(&d, negative, &n->real)) ||
        status_ok(text_to_f64(all, &n->real))) {
        return OK;
    }
    return refuse(f, "real number overflow, or longer than 511 characters");
}

/* ---- containers ---- */

static void
skip_blanks(struct flat *f)
{
    while (f->at < f->end &&
           (*f->at == ' ' || *f->at == '\t' || *f->at == '\n' || *f->at == '\r')) {
        f->at++;
    }
}

static struct status
take_word(struct flat *f, const char *word, struct js_node *n, enum js_kind kind)
{
    const size_t len = strlen(word);
    if ((size_t)(f->end - f->at) < len || memcmp(f->at, word, len) != 0) {
        return refuse(f, "invalid token");
    }
    f->at += len;
    *n = (struct js_node){.kind = kind, .span = 1};
    return OK;
}

static struct status
take_scalar(struct flat *f)
{
    struct js_node *n = &f->nodes[f->used++];
    switch (*f->at) {
    case '"':
        return take_string(f, n);
    case 'n':
        return take_word(f, "null", n, JS_NULL);
    case 't':
        return take_word(f, "true", n, JS_TRUE);
    case 'f':
        return take_word(f, "false", n, JS_FALSE);
    default:
        return take_number(f, n);
    }
}

/* The name of the next member, and its colon. */
static struct status
take_name(struct flat *f, struct js_node *object)
{
    skip_blanks(f);
    if (f->at == f->end || *f->at != '"') {
        return refuse(f, f->at == f->end ? "premature end of input" : "string or '}' expected");
    }
    struct js_node *n = &f->nodes[f->used];
    TRY(take_string(f, n));
    if (js_flat_member(object, n->text) != NULL) {
        return refuse(f, "duplicate object key");
    }
    f->used++;
    skip_blanks(f);
    if (f->at == f->end || *f->at != ':') {
        return refuse(f, "':' expected");
    }
    f->at++;
    if (object->size == JS_FLAT_MEMBERS) {
        return refuse(f, "an object with more than 256 members");
    }
    return OK;
}

/* Containers that are open, from the outermost. */
struct nest {
    struct js_node *open[JS_MAX_DEPTH];
    size_t depth;
};

static struct status
open_container(struct flat *f, struct nest *nest)
{
    if (nest->depth == JS_MAX_DEPTH) {
        diag_set(f->diag, "%s%snested deeper than %d", f->name == NULL ? "" : f->name,
                 f->name == NULL ? "" : " ", JS_MAX_DEPTH);
        FAIL(INPUT);
    }
    struct js_node *n = &f->nodes[f->used++];
    *n = (struct js_node){.kind = *f->at++ == '[' ? JS_ARRAY : JS_OBJECT};
    nest->open[nest->depth++] = n;
    return OK;
}

/* Behind a value: closes what ends here, until there is a comma or nothing is open. */
static struct status
close_containers(struct flat *f, struct nest *nest)
{
    while (nest->depth > 0) {
        struct js_node *n = nest->open[nest->depth - 1];
        skip_blanks(f);
        const uint8_t c = f->at < f->end ? *f->at : 0;
        f->at += c == ',';
        if (c == ',') {
            return OK;
        }
        if (c != (n->kind == JS_ARRAY ? ']' : '}')) {
            return refuse(f, f->at == f->end       ? "premature end of input"
                             : n->kind == JS_ARRAY ? "']' expected"
                                                   : "'}' expected");
        }
        f->at++;
        n->span = (uint32_t)(&f->nodes[f->used] - n);
        nest->depth--;
    }
    return OK;
}

/* An empty container has no value before its end. */
static bool
is_at_end_of_empty(struct flat *f, const struct nest *nest)
{
    const struct js_node *n = nest->depth == 0 ? NULL : nest->open[nest->depth - 1];
    if (n == NULL || n->size > 0 || n != &f->nodes[f->used - 1]) {
        return false;
    }
    skip_blanks(f);
    return f->at < f->end && *f->at == (n->kind == JS_ARRAY ? ']' : '}');
}

static struct status
take_value(struct flat *f, struct nest *nest)
{
    struct js_node *in = nest->depth == 0 ? NULL : nest->open[nest->depth - 1];
    if (in != NULL && in->kind == JS_OBJECT) {
        TRY(take_name(f, in));
    }
    skip_blanks(f);
    if (f->at == f->end) {
        return refuse(f, "premature end of input");
    }
    if (in != NULL) {
        in->size++;
    }
    if (*f->at != '[' && *f->at != '{') {
        TRY(take_scalar(f));
        return close_containers(f, nest);
    }
    TRY(open_container(f, nest));
    return is_at_end_of_empty(f, nest) ? close_containers(f, nest) : OK;
}

static struct status
take_all(struct flat *f)
{
    struct nest nest = {.depth = 0};
    do {
        TRY(take_value(f, &nest));
    } while (nest.depth > 0);
    skip_blanks(f);
    return f->at == f->end ? OK : refuse(f, "end of file expected");
}

/* Not more nodes than that: each but the first stands behind one of these, in or out of strings.
 * By pieces whose count fits a byte, which compilers do sixteen bytes at a time. */
static size_t
nodes_at_most(struct view text)
{
    enum { PIECE = 255 };
    size_t n = 1;
    for (size_t from = 0; from < text.len; from += PIECE) {
        const size_t len = text.len - from < PIECE ? text.len - from : PIECE;
        uint8_t count = 0;
        for (size_t i = 0; i < len; i++) {
            const uint8_t c = text.ptr[from + i];
            count = (uint8_t)(count + ((c == ',') | (c == ':') | (c == '[') | (c == '{')));
        }
        n += count;
    }
    return n;
}

struct status
js_flat(struct view text, const char *name, struct arena *arena, struct diag *diag,
        const struct js_node **ret_root)
{
    struct flat f = {.from = text.ptr, .at = text.ptr, .name = name, .diag = diag};
    f.end = text.len == 0 ? text.ptr : text.ptr + text.len;
    CHECK(text.len <= TEXT_MAX, LIMIT);
    f.nodes = arena_alloc(arena, nodes_at_most(text), sizeof *f.nodes);
    f.letters = arena_alloc(arena, text.len + 8, 1); /* take_plain */
    if (f.nodes == NULL || f.letters == NULL) {
        diag_set(diag, "%s%sits values would take more memory than a call may have",
                 name == NULL ? "" : name, name == NULL ? "" : " ");
        FAIL(LIMIT);
    }
    if (!text_is_utf8(text)) {
        return refuse(&f, "invalid UTF-8");
    }
    TRY(take_all(&f));
    *ret_root = f.nodes;
    return OK;
}

/* ---- reading ---- */

const struct js_node *
js_flat_first(const struct js_node *container)
{
    return container + 1;
}

const struct js_node *
js_flat_next(const struct js_node *n)
{
    return n + n->span;
}

/* Names are short, and mostly differ early. */
static bool
is_same(const char *a, const char *b)
{
    while (*a == *b && *a != '\0') {
        a++;
        b++;
    }
    return *a == *b;
}

const struct js_node *
js_flat_member(const struct js_node *object, const char *key)
{
    const struct js_node *n = object + 1;
    for (uint32_t i = 0; i < object->size; i++) {
        if (is_same(n->text, key)) {
            return n + 1;
        }
        n = js_flat_next(n + 1);
    }
    return NULL;
}

double
js_flat_number(const struct js_node *n)
{
    return n->kind == JS_INTEGER ? (double)n->integer : n->real;
}

static struct status
need(const struct js_node *object, const char *key, enum js_kind kind, const char *what,
     struct diag *diag, const struct js_node **ret_value)
{
    const struct js_node *n = object->kind == JS_OBJECT ? js_flat_member(object, key) : NULL;
    if (n == NULL) {
        diag_set(diag, "\"%s\" is missing", key);
        FAIL(INPUT);
    }
    if (n->kind != kind) {
        diag_set(diag, "\"%s\" must be %s", key, what);
        FAIL(INPUT);
    }
    *ret_value = n;
    return OK;
}

struct status
js_flat_need_array(const struct js_node *object, const char *key, struct diag *diag,
                   const struct js_node **ret_array)
{
    return need(object, key, JS_ARRAY, "an array", diag, ret_array);
}

struct status
js_flat_need_string(const struct js_node *object, const char *key, struct diag *diag,
                    const char **ret_text)
{
    const struct js_node *n = NULL;
    TRY(need(object, key, JS_STRING, "a string", diag, &n));
    *ret_text = n->text;
    return OK;
}
