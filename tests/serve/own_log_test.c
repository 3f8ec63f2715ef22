/* What the server writes about itself, when everything that it is sent is hostile. */
#include "room.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct room it;

static int
set_up(void **state)
{
    (void)state;
    (void)setenv("STEWARD_PASSPHRASE", "correct horse battery staple", 1);
    room_init(&it);
    room_make(&it, "passphrase", "limits:\n  refusals_per_minute: 10000\n");
    room_start(&it);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    return room_done(&it);
}

/* Marked so that what was sent would be found again. */
#define EVIL "Qz\x1b[31m\x07\xff\xc3\x28\"=\\ level=info event=forged"

static void
send_plain(const char *text)
{
    const int fd = client_socket(it.port);
    assert_true(fd >= 0);
    (void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    char byte;
    while (recv(fd, &byte, 1, 0) > 0) {
    }
    (void)close(fd);
}

static void
send_evil(const char *key)
{
    static const char *const shapes[] = {
        "GET /%s HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %s\r\n\r\n",
        "%s /v2 HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %s\r\n\r\n",
        "GET /v2/models/%s HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %s\r\n\r\n",
        "GET /v2/usage?by=%s HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %s\r\n\r\n",
        "GET /v2 HTTP/1.1\r\nhost: %s\r\nauthorization: Bearer %s\r\n\r\n",
        "GET /v2 HTTP/1.1\r\nhost: a\r\nsteward-purpose: %s\r\nauthorization: Bearer %s\r\n\r\n",
        "GET /v2 HTTP/1.1\r\nhost: a\r\n%s: x\r\nauthorization: Bearer %s\r\n\r\n",
        "POST " ROOM_INFER " HTTP/1.1\r\nhost: a\r\nx: %s\r\nauthorization: Bearer %s\r\n"
        "content-length: 3\r\n\r\n{\x01\xff",
    };
    char text[1024];
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct reply r;
        (void)snprintf(text, sizeof text, shapes[i], EVIL, key);
        (void)client_ask(it.port, text, &r);
        reply_done(&r);
    }
}

static void
assert_printable(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c != '\n' && (c < 0x20 || c > 0x7e)) {
            fail_msg("byte %zu of the log is %#x, after \"%.*s\"", i, c, (int)(i < 80 ? i : 80),
                     text + (i < 80 ? 0 : i - 80));
        }
    }
}

static void
nothing_that_was_sent_makes_a_line_or_a_byte_of_the_server_s_own_log(void **state)
{
    (void)state;
    struct buf log;
    send_evil(it.caller);
    send_evil(it.watcher);
    send_evil("sw_" EVIL);
    send_plain(EVIL "\r\n\r\n");
    send_plain("\x16\x03\x01\x7f\xff" EVIL);
    room_answers(&it, "POST", ROOM_INFER, it.caller, 200, "\"outputs\""); /* it lives */
    testing_read(it.log, &log);
    assert_true(log.len > 0);
    assert_printable(buf_str(&log), log.len);
    assert_null(strstr(buf_str(&log), "event=forged"));
    assert_null(strstr(buf_str(&log), "forged\n"));
    assert_null(strstr(buf_str(&log), it.caller)); /* nor a key that came */
    for (const char *line = buf_str(&log); *line != '\0'; line = strchr(line, '\n') + 1) {
        assert_memory_equal(line, "20", 2); /* each begins with its time */
        assert_non_null(strchr(line, '\n'));
    }
    buf_done(&log);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_that_was_sent_makes_a_line_or_a_byte_of_the_server_s_own_log),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
