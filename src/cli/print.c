/* print: text, tables and bars on a terminal. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 80

/* Bytes of the character at text, 1 when it is not UTF-8; *ret_control: a C0 or C1 control or DEL.
 */
static size_t
character(const char *text, bool *ret_control)
{
    const unsigned char c = (unsigned char)*text, next = c == 0 ? 0 : (unsigned char)text[1];
    size_t n = 1;
    while (c >= 0xc0 && n < 4 && ((unsigned char)text[n] & 0xc0) == 0x80) {
        n++;
    }
    *ret_control = c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next < 0xa0) ||
                   (c >= 0x80 && n == 1);
    return n;
}

static void
put_clean_part(FILE *out, const char *text, size_t len)
{
    for (size_t i = 0, n = 0; i < len; i += n) {
        bool control = false;
        n = character(text + i, &control);
        (void)fprintf(out, "%.*s", control ? 1 : (int)n, control ? "?" : text + i);
    }
}

void
cli_put_clean(FILE *out, const char *text)
{
    put_clean_part(out, text, strlen(text));
}

void
cli_put_columns(FILE *out, const json_t *columns)
{
    size_t i = 0;
    json_t *name = NULL;
    json_array_foreach((json_t *)(uintptr_t)columns, i, name)
    {
        (void)fputs(i == 0 ? "" : " and ", out);
        cli_put_clean(out, json_string_value(name));
    }
}

void
cli_put_name(FILE *out, const char *name, int width)
{
    char cut[64];
    size_t n = strlen(name), room = (size_t)width;
    if (n > room) { /* not within a character */
        for (n = room - 1; n > 0 && ((unsigned char)name[n] & 0xc0) == 0x80; n--) {
        }
    }
    (void)snprintf(cut, sizeof cut, "%.*s%s", (int)n, name, n < strlen(name) ? "~" : "");
    cli_put_clean(out, cut);
    for (size_t i = strlen(cut); i < room; i++) {
        (void)fputc(' ', out);
    }
}

/* Columns of text[len] on a terminal, each character one. */
static int
columns_of(const char *text, size_t len)
{
    int columns = 0;
    bool control = false;
    for (size_t i = 0; i < len; i += character(text + i, &control)) {
        columns++;
    }
    return columns;
}

/* Bytes up to a space where a line may end: not between a number and its per cent. */
static size_t
word_length(const char *text)
{
    size_t n = strcspn(text, " ");
    while (text[n] == ' ' && text[n + 1] == '%') {
        n += 1 + strcspn(text + n + 1, " ");
    }
    return n;
}

void
cli_put_wrapped(FILE *out, const char *text, int at, int indent)
{
    bool first = true;
    while (*text != '\0') {
        const size_t n = word_length(text);
        const int wide = columns_of(text, n);
        if (!first && at + 1 + wide > WIDTH) {
            (void)fprintf(out, "\n%*s", indent, "");
            at = indent;
            first = true;
        }
        (void)fputs(first ? "" : " ", out);
        put_clean_part(out, text, n);
        at += wide + (first ? 0 : 1);
        first = false;
        text += n + (text[n] == ' ');
    }
    (void)fputc('\n', out);
}

void
cli_say(const char *format, ...)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 20);
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    cli_put_wrapped(stdout, buf_str(&text), 0, 2);
}

void
cli_note_erased(uint64_t rows)
{
    if (rows > 0) {
        (void)fprintf(stderr, "note: %llu rows of the dataset are of persons who were erased\n",
                      (unsigned long long)rows);
    }
}

struct status
cli_print_json(const json_t *value)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 256u << 20);
    TRY(js_put_pretty(&text, value));
    (void)fwrite(text.ptr, 1, text.len, stdout);
    (void)fputc('\n', stdout);
    return OK;
}

#define CELL_MAX 48
#define COLUMNS_MAX 12

struct columns {
    size_t count;
    char key[COLUMNS_MAX][32];
    char title[COLUMNS_MAX][32];
    int width[COLUMNS_MAX];
};

static void
read_columns(const char *text, struct columns *ret_columns)
{
    ret_columns->count = 0;
    while (*text != '\0' && ret_columns->count < COLUMNS_MAX) {
        const size_t n = strcspn(text, " "), key = strcspn(text, ":");
        (void)snprintf(ret_columns->key[ret_columns->count], 32, "%.*s", (int)key, text);
        (void)snprintf(ret_columns->title[ret_columns->count], 32, "%.*s", (int)(n - key - 1),
                       text + key + 1);
        ret_columns->width[ret_columns->count] = (int)(n - key - 1);
        ret_columns->count++;
        text += n + (text[n] == ' ');
    }
}

/* A time to the minute, as people read it; other text cut before a character that does not fit. */
static void
format_text(const char *text, char ret_text[static CELL_MAX])
{
    int64_t ns = 0;
    if (status_ok(clock_from_rfc3339(view_str(text), &ns))) {
        (void)snprintf(ret_text, CELL_MAX, "%.10s %.5sZ", text, text + 11);
        return;
    }
    size_t len = 0;
    bool control = false;
    while (text[len] != '\0' && len + character(text + len, &control) < CELL_MAX) {
        len += character(text + len, &control);
    }
    (void)snprintf(ret_text, CELL_MAX, "%.*s", (int)len, text);
}

static void
format_cell(const json_t *value, char ret_text[static CELL_MAX])
{
    if (json_is_string(value)) {
        format_text(json_string_value(value), ret_text);
    } else if (json_is_integer(value)) {
        (void)snprintf(ret_text, CELL_MAX, "%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        (void)snprintf(ret_text, CELL_MAX, "%.6g", json_real_value(value));
    } else if (json_is_boolean(value)) {
        (void)snprintf(ret_text, CELL_MAX, "%s", json_is_true(value) ? "yes" : "no");
    } else {
        (void)snprintf(ret_text, CELL_MAX, "-");
    }
}

static void
put_cell(const char *text, int width, bool last)
{
    cli_put_clean(stdout, text);
    (void)printf("%*s%s", last ? 0 : width - columns_of(text, strlen(text)), "",
                 last ? "\n" : "  ");
}

void
cli_print_table(const json_t *rows, const char *columns)
{
    struct columns cols;
    char cell[CELL_MAX];
    size_t i;
    const json_t *row;
    read_columns(columns, &cols);
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        for (size_t k = 0; k < cols.count; k++) {
            format_cell(json_object_get(row, cols.key[k]), cell);
            const int n = columns_of(cell, strlen(cell));
            cols.width[k] = n > cols.width[k] ? n : cols.width[k];
        }
    }
    for (size_t k = 0; k < cols.count; k++) {
        put_cell(cols.title[k], cols.width[k], k + 1 == cols.count);
    }
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        for (size_t k = 0; k < cols.count; k++) {
            format_cell(json_object_get(row, cols.key[k]), cell);
            put_cell(cell, cols.width[k], k + 1 == cols.count);
        }
    }
}

struct status
cli_print_list(struct cli *c, struct view json, const char *columns)
{
    DEFER(js_freep) json_t *list = NULL;
    TRY(js_parse(json, NULL, &c->diag, &list));
    if (c->json) {
        return cli_print_json(list);
    }
    cli_print_table(list, columns);
    return OK;
}

/* ---- bars ---- */

/* Of the environment: the program never calls setlocale, whose decimal comma would reach numbers.
 */
static bool
locale_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && *value != '\0') {
            return strcasestr(value, "utf-8") != NULL || strcasestr(value, "utf8") != NULL;
        }
    }
    return false;
}

void
cli_put_bar(FILE *out, double share, int width)
{
    static const char *const part[] = {"",       "\u258f", "\u258e", "\u258d",
                                       "\u258c", "\u258b", "\u258a", "\u2589"};
    const bool fine = locale_is_utf8();
    const double full = isnan(share) ? 0 : fmin(fmax(share, 0), 1) * width;
    const int eighths = (int)lround(fine ? 8 * full : 8 * round(full)), whole = eighths / 8;
    for (int i = 0; i < whole; i++) {
        (void)fputs(fine ? "\u2588" : "#", out);
    }
    (void)fputs(part[eighths % 8], out);
    (void)fprintf(out, "%*s", width - whole - (eighths % 8 > 0), "");
}
