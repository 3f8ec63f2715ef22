#include "base/log.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#define LINE_MAX_BYTES 16384u

static _Atomic int log_threshold = LOG_INFO;

void
log_set_level(enum log_level level)
{
    atomic_store(&log_threshold, (int)level);
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
    buf_init(&line, LINE_MAX_BYTES);
    buf_init(&values, LINE_MAX_BYTES / 8);
    va_list args;
    va_start(args, format);
    buf_vprintf(&values, format, args);
    va_end(args);
    if (values.failed != 0) {
        buf_reset(&values);
        buf_put_str(&values, "values=too-long");
    }
    clock_put_rfc3339(&line, clock_wall_ns());
    buf_printf(&line, " %s %s ", words[level], event);
    /* One event, one line: control bytes are escaped. */
    for (size_t i = 0; i < values.len; i++) {
        if (values.ptr[i] < 0x20 || values.ptr[i] == 0x7f) {
            buf_printf(&line, "\\x%02x", values.ptr[i]);
        } else {
            buf_put_u8(&line, values.ptr[i]);
        }
    }
    (void)fprintf(stderr, "%s\n", buf_str(&line));
}
