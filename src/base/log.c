#include "base/log.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 16384u
#define LINE_HEAD_BYTES 256u

static _Atomic int log_threshold = LOG_INFO;

void
log_set_level(enum log_level level)
{
    atomic_store(&log_threshold, (int)level);
}

/* ---- values ---- */

/* Where a text stands: between quotes of the format, alone after a '=', or among words. */
enum place { PLACE_QUOTED, PLACE_VALUE, PLACE_WORDS };

/* Bytes of UTF-8 that no line shows as they are: C1 controls (also a terminal's), the separators of
 * lines and paragraphs, and what turns the direction of writing. Their number; 0: none. */
static size_t
unseen_at(struct view v, size_t i)
{
    const uint8_t *p = v.ptr + i;
    if (v.len - i >= 2 && p[0] == 0xc2 && p[1] < 0xa0) {
        return 2;
    }
    const bool three = v.len - i >= 3;
    if (three && p[0] == 0xe2 && p[1] == 0x80 && p[2] >= 0xa8 && p[2] <= 0xae) {
        return 3;
    }
    return three && p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9 ? 3 : 0;
}

static bool
is_plain(uint8_t byte, enum place place, bool utf8)
{
    if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !utf8)) {
        return false;
    }
    return byte != '"' && byte != '\\' && (place != PLACE_VALUE || byte != ' ') &&
           (place != PLACE_WORDS || byte != '=');
}

static void
put_escaped(struct buf *b, struct view v, enum place place)
{
    const bool utf8 = text_is_utf8(v);
    for (size_t i = 0; i < v.len;) {
        size_t n = utf8 ? unseen_at(v, i) : 0;
        if (n == 0 && is_plain(v.ptr[i], place, utf8)) {
            buf_put_u8(b, v.ptr[i++]);
            continue;
        }
        for (n = n == 0 ? 1 : n; n > 0; n--) {
            buf_printf(b, "\\x%02x", v.ptr[i++]);
        }
    }
}

/* A whole value with blanks in it is put in quotes. */
static void
put_text(struct buf *b, struct view v, char before, char after)
{
    if (before == '"') {
        put_escaped(b, v, PLACE_QUOTED);
    } else if (before != '=') {
        put_escaped(b, v, PLACE_WORDS);
    } else if ((after == ' ' || after == '\0') && v.len > 0 && memchr(v.ptr, ' ', v.len) != NULL) {
        buf_put_u8(b, '"');
        put_escaped(b, v, PLACE_QUOTED);
        buf_put_u8(b, '"');
    } else {
        put_escaped(b, v, PLACE_VALUE);
    }
}

/* ---- the format ---- */

struct arguments {
    va_list list;
};

/* The conversions that log.h names; another is a caller's bug. Returns what follows it. */
static const char *
put_conversion(struct buf *b, const char *at, char before, struct arguments *a)
{
    int most = -1;
    at++;
    if (strncmp(at, ".*", 2) == 0) {
        most = va_arg(a->list, int);
        at += 2;
    }
    if (*at == 's') {
        const char *given = va_arg(a->list, const char *);
        const char *text = given == NULL ? "" : given;
        const size_t n = most >= 0 ? strnlen(text, (size_t)most) : strlen(text);
        put_text(b, view_of(text, n), before, at[1]);
    } else if (*at == 'u') {
        buf_printf(b, "%u", va_arg(a->list, unsigned));
    } else if (*at == 'd') {
        buf_printf(b, "%d", va_arg(a->list, int));
    } else if (strncmp(at, "llu", 3) == 0) {
        buf_printf(b, "%llu", va_arg(a->list, unsigned long long));
        return at + 3;
    } else if (strncmp(at, "lld", 3) == 0) {
        buf_printf(b, "%lld", va_arg(a->list, long long));
        return at + 3;
    } else {
        abort();
    }
    return at + 1;
}

static void
put_values(struct buf *b, const char *format, struct arguments *a)
{
    char before = ' ';
    for (const char *at = format; *at != '\0';) {
        if (*at == '%') {
            at = put_conversion(b, at, before, a);
            before = ' ';
        } else {
            before = *at;
            buf_put_u8(b, (uint8_t)*at++);
        }
    }
}

void
log_event(enum log_level level, const char *event, const char *format, ...)
{
    static const char *const words[] = {"error", "warn", "info", "debug"};
    if ((int)level > atomic_load(&log_threshold)) {
        return;
    }
    DEFER(buf_done) struct buf line;
    DEFER(buf_done) struct buf values;
    struct arguments a;
    buf_init(&line, LINE_MAX_BYTES);
    buf_init(&values, LINE_MAX_BYTES - LINE_HEAD_BYTES);
    va_start(a.list, format);
    put_values(&values, format, &a);
    va_end(a.list);
    if (values.failed != 0) {
        buf_reset(&values);
        buf_put_str(&values, "values=too-long");
    }
    clock_put_rfc3339(&line, clock_wall_ns());
    buf_printf(&line, " %s %s ", words[level], event);
    buf_put(&line, buf_view(&values));
    (void)fprintf(stderr, "%s\n", buf_str(&line));
}
