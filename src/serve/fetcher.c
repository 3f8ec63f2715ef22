#include "serve/fetcher.h"

#include "base/clock.h"
#include "base/sandbox.h"
#include "net/door.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX 1100u
#define BODY_MAX (1u << 20)
#define FETCH_NS (10 * NS_PER_S)

/* An empty url: the rules are to be read anew. */
struct question {
    char url[TEXT_MAX], ca_file[TEXT_MAX]; /* terminated; ca_file "": the system's */
    uint64_t max;
};

/* Followed by length bytes: the body, or a sentence when code is not 0. */
struct answer {
    int32_t code;
    uint32_t length;
};

struct fetcher {
    pthread_mutex_t lock; /* one question at a time */
    pid_t pid;
    int fd;
};

static bool
read_all(int fd, void *to, size_t n)
{
    for (size_t done = 0; done < n;) {
        const ssize_t got = recv(fd, (char *)to + done, n - done, 0);
        if (got <= 0 && !(got < 0 && errno == EINTR)) {
            return false;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static bool
write_all(int fd, const void *from, size_t n)
{
    for (size_t done = 0; done < n;) {
        const ssize_t put = send(fd, (const char *)from + done, n - done, MSG_NOSIGNAL);
        if (put <= 0 && !(put < 0 && errno == EINTR)) {
            return false;
        }
        done += put > 0 ? (size_t)put : 0;
    }
    return true;
}

/* ---- the process ---- */

static struct status
get(struct door *door, const struct question *q, struct diag *diag, struct buf *ret_body)
{
    const struct door_request request = {.purpose = "jwks",
                                         .url = q->url,
                                         .ca_file = *q->ca_file == '\0' ? NULL : q->ca_file,
                                         .timeout_ns = FETCH_NS,
                                         .max_bytes = q->max};
    DEFER(door_answer_done) struct door_answer a = {0};
    TRY(door_fetch(door, &request, diag, &a));
    if (a.status != 200) {
        diag_set(diag, "%s: answered %u", q->url, a.status);
        FAIL(IO);
    }
    buf_put(ret_body, buf_view(&a.body));
    return buf_status(ret_body);
}

static struct status
reread(struct door *door, const struct fetcher_rules *rules, struct diag *diag)
{
    struct egress *now = rules->read(rules->ctx);
    if (now == NULL) {
        diag_set(diag, "the rules are wrong; what was, stays");
        FAIL(INPUT);
    }
    door_set_rules(door, now);
    return OK;
}

static void
answer_for_ever(int fd, struct door *door, const struct fetcher_rules *rules)
{
    struct question q;
    while (read_all(fd, &q, sizeof q)) {
        struct diag diag = {0};
        DEFER(buf_done) struct buf body;
        char text[sizeof diag.text];
        buf_init(&body, BODY_MAX);
        q.url[TEXT_MAX - 1] = q.ca_file[TEXT_MAX - 1] = '\0';
        q.max = q.max > BODY_MAX ? BODY_MAX : q.max;
        const struct status s =
            *q.url == '\0' ? reread(door, rules, &diag) : get(door, &q, &diag, &body);
        diag_describe(&diag, s, text, sizeof text);
        const struct answer a = {s.code, (uint32_t)(status_ok(s) ? body.len : strlen(text))};
        if (!write_all(fd, &a, sizeof a) ||
            !write_all(fd, status_ok(s) ? (const void *)buf_str(&body) : text, a.length)) {
            return;
        }
    }
}

/* The rest of what the parent has open is not this one's. */
_Noreturn static void
live(int fd, const struct fetcher_rules *rules)
{
    struct door *door = NULL;
    sandbox_wipe_environment();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(fd, STDIN_FILENO);
    (void)close_range(STDERR_FILENO + 1, ~0u, 0);
    struct egress *first = rules->read(rules->ctx);
    if (status_ok(door_new(first, NULL, &door))) {
        answer_for_ever(STDIN_FILENO, door, rules);
        door_free(door);
    }
    _exit(0);
}

/* ---- the gateway's side ---- */

struct status
fetcher_start(const struct fetcher_rules *rules, struct diag *diag, struct fetcher **ret_fetcher)
{
    int pair[2];
    struct fetcher *f = calloc(1, sizeof *f);
    if (f == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        const int err = errno;
        free(f);
        diag_set(diag, "the process that fetches keys: %s", strerror(err));
        FAIL_OS(err);
    }
    f->pid = fork();
    if (f->pid == 0) {
        live(pair[1], rules);
    }
    (void)close(pair[1]);
    (void)pthread_mutex_init(&f->lock, NULL);
    f->fd = pair[0];
    if (f->pid < 0) {
        const int err = errno;
        (void)close(pair[0]);
        free(f);
        diag_set(diag, "the process that fetches keys: %s", strerror(err));
        FAIL_OS(err);
    }
    *ret_fetcher = f;
    return OK;
}

void
fetcher_stop(struct fetcher *f)
{
    if (f != NULL) {
        (void)close(f->fd); /* it ends when it reads that */
        (void)waitpid(f->pid, NULL, 0);
        (void)pthread_mutex_destroy(&f->lock);
        free(f);
    }
}

pid_t
fetcher_pid(const struct fetcher *f)
{
    return f == NULL ? 0 : f->pid;
}

/* OK when an answer came, whatever its code: its text in ret_text. */
static struct status
ask(struct fetcher *f, const struct question *q, int32_t *ret_code, struct buf *ret_text)
{
    struct answer a;
    (void)pthread_mutex_lock(&f->lock);
    const bool asked = write_all(f->fd, q, sizeof *q) && read_all(f->fd, &a, sizeof a);
    uint8_t *at = asked && a.length <= BODY_MAX ? buf_extend(ret_text, a.length) : NULL;
    const bool whole = at != NULL && read_all(f->fd, at, a.length);
    (void)pthread_mutex_unlock(&f->lock);
    CHECK(whole, IO);
    *ret_code = a.code;
    return OK;
}

bool
fetcher_reread(struct fetcher *f)
{
    const struct question q = {0};
    int32_t code = STATUS_IO;
    DEFER(buf_done) struct buf text;
    buf_init(&text, BODY_MAX);
    return status_ok(ask(f, &q, &code, &text)) && code == STATUS_OK;
}

struct status
fetcher_get(struct fetcher *f, const char *url, const char *ca_file, size_t max, struct diag *diag,
            struct buf *ret_body)
{
    struct question q = {.max = max};
    int32_t code = STATUS_OK;
    DEFER(buf_done) struct buf body;
    buf_init(&body, BODY_MAX);
    if (*url == '\0' || strlen(url) >= TEXT_MAX ||
        (ca_file != NULL && strlen(ca_file) >= TEXT_MAX)) {
        diag_set(diag, "%.100s...: no URL, or too long", url);
        FAIL(INPUT);
    }
    (void)strcpy(q.url, url);
    (void)strcpy(q.ca_file, ca_file == NULL ? "" : ca_file);
    if (!status_ok(ask(f, &q, &code, &body))) {
        diag_set(diag, "the process that fetches keys is gone; start the server again");
        FAIL(IO);
    }
    if (code != STATUS_OK) {
        diag_set(diag, "%s", buf_str(&body));
        FAIL(IO);
    }
    CHECK(body.len <= max, LIMIT);
    buf_put(ret_body, buf_view(&body));
    return buf_status(ret_body);
}
