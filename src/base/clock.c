#include "base/clock.h"

#include <string.h>
#include <time.h>

static int64_t
read_clock(clockid_t id)
{
    struct timespec t;
    ASSERT(clock_gettime(id, &t) == 0);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t
clock_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t
clock_mono_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t
clock_thread_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

int64_t
clock_process_ns(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static void
put_digits(struct buf *b, int value, int width)
{
    uint8_t digits[8];
    for (int i = width; i-- > 0;) {
        digits[i] = (uint8_t)('0' + value % 10);
        value /= 10;
    }
    buf_put(b, view_of(digits, (size_t)width));
}

void
clock_put_rfc3339(struct buf *b, int64_t wall_ns)
{
    int64_t seconds = wall_ns / NS_PER_S, rest = wall_ns % NS_PER_S;
    if (rest < 0) {
        rest += NS_PER_S;
        seconds--;
    }
    const time_t t = (time_t)seconds;
    struct tm tm;
    ASSERT(gmtime_r(&t, &tm) != NULL);
    const int parts[] = {tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,        tm.tm_hour,
                         tm.tm_min,         tm.tm_sec,     (int)(rest / 1000)};
    static const char ends[] = "--T::.Z";
    static const int widths[] = {4, 2, 2, 2, 2, 2, 6};
    for (int i = 0; i < 7; i++) {
        put_digits(b, parts[i], widths[i]);
        buf_put_u8(b, (uint8_t)ends[i]);
    }
}

/* n digits at *at, which moves on; -1 when one is no digit. */
static int
take_digits(struct reader *r, int n)
{
    int value = 0;
    for (int i = 0; i < n; i++) {
        const uint8_t c = reader_u8(r);
        if (c < '0' || c > '9') {
            return -1;
        }
        value = value * 10 + (c - '0');
    }
    return value;
}

/* ".123456" of any length from 1 to 9 digits, in ns; -1 when malformed. Leaves the reader at what
 * follows. */
static int64_t
take_fraction(struct reader *r)
{
    int64_t value = 0, scale = NS_PER_S;
    int digits = 0;
    while (reader_left(r) > 0 && r->v.ptr[r->pos] >= '0' && r->v.ptr[r->pos] <= '9') {
        scale /= 10;
        value += (reader_u8(r) - '0') * scale;
        digits++;
    }
    return digits >= 1 && digits <= 9 ? value : -1;
}

#define DAYS_TO_2370 (719162 + 146097) /* from the year 1; 1970 is 400 years before */

static bool
is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int
days_of_month(int year, int month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

/* In the Gregorian calendar, of a year from 0 on: its days repeat after 400 years. timegm does the
 * same, and looks for a time zone under a lock first. */
static int64_t
days_since_1970(int year, int month, int day)
{
    static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    const int64_t past = year + 400 - 1, leap_days = past / 4 - past / 100 + past / 400;
    return past * 365 + leap_days + before[month - 1] + (month > 2 && is_leap(year)) + day - 1 -
           DAYS_TO_2370;
}

struct status
clock_from_rfc3339(struct view text, int64_t *ret_wall_ns)
{
    static const char separators[] = "--T::";
    static const int widths[] = {4, 2, 2, 2, 2, 2};
    int part[6];
    struct reader r = reader_of(text);
    for (int i = 0; i < 6; i++) {
        part[i] = take_digits(&r, widths[i]);
        CHECK(part[i] >= 0, INPUT);
        CHECK(i == 5 || reader_u8(&r) == (uint8_t)separators[i], INPUT);
    }
    CHECK(part[1] >= 1 && part[1] <= 12 && part[2] >= 1, INPUT);
    CHECK(part[2] <= days_of_month(part[0], part[1]), INPUT);
    CHECK(part[3] <= 23 && part[4] <= 59 && part[5] <= 59, INPUT);
    uint8_t next = reader_u8(&r);
    int64_t fraction = 0;
    if (next == '.') {
        fraction = take_fraction(&r);
        CHECK(fraction >= 0, INPUT);
        next = reader_u8(&r);
    }
    CHECK(!r.bad && next == 'Z' && reader_left(&r) == 0, INPUT);
    const int64_t t = days_since_1970(part[0], part[1], part[2]) * 86400 + part[3] * 3600 +
                      part[4] * 60 + part[5];
    CHECK(t > INT64_MIN / NS_PER_S && t < INT64_MAX / NS_PER_S, INPUT);
    *ret_wall_ns = t * NS_PER_S + fraction;
    return OK;
}
