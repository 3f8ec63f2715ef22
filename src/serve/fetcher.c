#include "serve/fetcher.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/sandbox.h"
#include "base/secret.h"
#include "base/text.h"
#include "net/door.h"
#include "serve/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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
#define MOST_NS (60 * NS_PER_S)
#define QUESTIONS_FD 3
#define RULES_FD 4

/* Followed by ca_len bytes of PEM: the authorities; 0: the system's; and by body_len of what is
 * posted; 0: it is got. */
struct question {
    char url[TEXT_MAX]; /* terminated */
    uint32_t ca_len, body_len;
    uint64_t max;
    int64_t timeout_ns;
};

/* Followed by length bytes: the body, or a sentence when code is not 0. */
struct answer {
    int32_t code;
    uint32_t status; /* of HTTP */
    uint32_t length;
};

struct fetcher {
    pthread_mutex_t lock; /* one question at a time */
    const char *purpose;
    pid_t pid;
    int fd;    /* questions */
    int rules; /* a byte asks for them to be read anew, one answers: 1 when they hold */
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

/* ---- one question, in a process of its own ---- */

/* What a question becomes in the process that answers it. */
struct task {
    const char *purpose;
    struct question q;
    struct buf ca, body;
    unsigned status; /* of HTTP */
    struct buf answer;
};

static struct status
fetch(struct door *door, struct task *t, const char *ca_file, struct diag *diag)
{
    static const struct door_header plain = {"content-type", {(const uint8_t *)"text/plain", 10}};
    const bool posts = t->body.len > 0;
    const struct door_request request = {.purpose = t->purpose,
                                         .url = t->q.url,
                                         .header = posts ? &plain : NULL,
                                         .headers = posts ? 1 : 0,
                                         .body = posts ? buf_view(&t->body) : (struct view){0},
                                         .ca_file = ca_file,
                                         .timeout_ns = t->q.timeout_ns,
                                         .max_bytes = t->q.max};
    DEFER(door_answer_done) struct door_answer a = {0};
    TRY(door_fetch(door, &request, diag, &a));
    t->status = a.status;
    buf_put(&t->answer, buf_view(&a.body));
    return buf_status(&t->answer);
}

static struct status
read_into(int fd, size_t n, struct buf *ret_bytes)
{
    uint8_t *at = buf_extend(ret_bytes, n);
    CHECK(at != NULL, MEMORY);
    CHECK(read_all(fd, at, n), IO);
    return OK;
}

/* The gateway wrote it, which may be anybody's by now. */
static struct status
read_question(int fd, struct task *t)
{
    struct question *q = &t->q;
    CHECK(read_all(fd, q, sizeof *q), IO);
    q->url[TEXT_MAX - 1] = '\0';
    CHECK(q->ca_len <= FETCHER_CA_MAX && q->body_len <= FETCHER_BODY_MAX, LIMIT);
    CHECK(q->max > 0 && q->max <= BODY_MAX, LIMIT);
    CHECK(q->timeout_ns > 0 && q->timeout_ns <= MOST_NS, LIMIT);
    TRY(read_into(fd, q->ca_len, &t->ca));
    return read_into(fd, q->body_len, &t->body);
}

static bool
send_answer(int fd, struct status s, const char *sentence, unsigned status, struct view body)
{
    const struct view text = status_ok(s) ? body : view_str(sentence);
    const struct answer a = {s.code, status, (uint32_t)text.len};
    return write_all(fd, &a, sizeof a) && write_all(fd, text.ptr, text.len);
}

/* Takes rules. */
static struct status
answer_within(int fd, struct egress *rules, struct task *t, struct diag *diag)
{
    struct sandbox_told told;
    char ca_file[32];
    DEFER(door_freep) struct door *door = NULL;
    TRY(read_question(fd, t));
    /* libcurl over GnuTLS takes authorities from a file only. */
    if (t->ca.len > 0) {
        TRY(file_memory("authorities", buf_view(&t->ca), diag, ca_file));
    }
    TRY(confine_fetcher(diag, &told));
    TRY(door_new(rules, NULL, &door));
    return fetch(door, t, t->ca.len > 0 ? ca_file : NULL, diag);
}

_Noreturn static void
answer_one(struct egress *rules, const char *purpose)
{
    struct diag diag = {0};
    char text[sizeof diag.text];
    struct task t = {.purpose = purpose};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)close(RULES_FD);
    buf_init(&t.ca, FETCHER_CA_MAX);
    buf_init(&t.body, FETCHER_BODY_MAX);
    buf_init(&t.answer, BODY_MAX);
    const struct status s = answer_within(QUESTIONS_FD, rules, &t, &diag);
    diag_describe(&diag, s, text, sizeof text);
    _exit(send_answer(QUESTIONS_FD, s, text, t.status, buf_view(&t.answer)) ? 0 : 1);
}

/* ---- the process that waits for them ---- */

/* What reads the network ends with it. False when nobody asks any more. */
static bool
take_question(struct egress *rules, const char *purpose)
{
    char first;
    int ended = 0;
    if (recv(QUESTIONS_FD, &first, 1, MSG_PEEK) != 1) {
        return false;
    }
    const pid_t pid = fork();
    if (pid == 0) {
        answer_one(rules, purpose);
    }
    if (pid < 0 || waitpid(pid, &ended, 0) != pid) {
        return false;
    }
    return !WIFSIGNALED(ended) ||
           send_answer(QUESTIONS_FD, FAILURE(IO), "what fetches it crashed over this answer", 0,
                       (struct view){0});
}

static bool
reread(const struct fetcher_rules *source, struct egress **rules)
{
    char asked = 0, good = 1;
    if (recv(RULES_FD, &asked, 1, 0) != 1) {
        return false;
    }
    struct egress *now = source->read(source->ctx);
    if (now == NULL) {
        good = 0; /* what was, stays */
    } else {
        egress_free(*rules);
        *rules = now;
    }
    return write_all(RULES_FD, &good, 1);
}

/* Who waits reads one byte of the gateway's, and nothing of the network. */
static void
wait_for_questions(const struct fetcher_rules *source, const char *purpose)
{
    DEFER(egress_freep) struct egress *rules = source->read(source->ctx);
    struct pollfd p[2] = {{.fd = RULES_FD, .events = POLLIN},
                          {.fd = QUESTIONS_FD, .events = POLLIN}};
    bool on = rules != NULL;
    while (on) {
        const int n = poll(p, 2, -1);
        if (n > 0 && p[0].revents != 0) {
            on = reread(source, &rules);
        } else if (n > 0) {
            on = take_question(rules, purpose);
        } else {
            on = errno == EINTR;
        }
    }
}

/* The rest of what the parent has open is not this one's. */
_Noreturn static void
live(int questions, int rules, const struct fetcher_rules *source, const char *purpose)
{
    struct diag diag = {0};
    secret_shield_process();
    sandbox_wipe_environment();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int high[2] = {fcntl(questions, F_DUPFD, RULES_FD + 1),
                         fcntl(rules, F_DUPFD, RULES_FD + 1)};
    if (dup2(high[0], QUESTIONS_FD) >= 0 && dup2(high[1], RULES_FD) >= 0 &&
        close_range(RULES_FD + 1, ~0u, 0) == 0 && status_ok(sandbox_calls(SANDBOX_HOUSE, &diag))) {
        wait_for_questions(source, purpose);
    }
    _exit(0);
}

/* ---- the gateway's side ---- */

static void
close_pair(const int pair[2])
{
    (void)close(pair[0]);
    (void)close(pair[1]);
}

static struct status
start(struct fetcher *f, const struct fetcher_rules *source)
{
    int questions[2], rules[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, questions) != 0) {
        FAIL_OS(errno);
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, rules) != 0) {
        const int err = errno;
        close_pair(questions);
        FAIL_OS(err);
    }
    f->pid = fork();
    if (f->pid == 0) {
        live(questions[1], rules[1], source, f->purpose);
    }
    if (f->pid < 0) {
        const int err = errno;
        close_pair(questions);
        close_pair(rules);
        FAIL_OS(err);
    }
    (void)close(questions[1]);
    (void)close(rules[1]);
    f->fd = questions[0];
    f->rules = rules[0];
    return OK;
}

struct status
fetcher_start(const struct fetcher_rules *rules, const char *purpose, struct diag *diag,
              struct fetcher **ret_fetcher)
{
    struct fetcher *f = calloc(1, sizeof *f);
    CHECK(f != NULL, MEMORY);
    f->purpose = purpose;
    const struct status s = start(f, rules);
    if (!status_ok(s)) {
        free(f);
        diag_set(diag, "the process that connects for %s: %s", purpose, strerror(s.os));
        return s;
    }
    (void)pthread_mutex_init(&f->lock, NULL);
    *ret_fetcher = f;
    return OK;
}

void
fetcher_stop(struct fetcher *f)
{
    if (f != NULL) {
        (void)close(f->fd); /* it ends when it reads that */
        (void)close(f->rules);
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
exchange(struct fetcher *f, const struct question *q, struct view ca, struct view body,
         struct answer *ret_answer, struct buf *ret_text)
{
    struct answer *a = ret_answer;
    (void)pthread_mutex_lock(&f->lock);
    const bool asked = write_all(f->fd, q, sizeof *q) && write_all(f->fd, ca.ptr, ca.len) &&
                       write_all(f->fd, body.ptr, body.len) && read_all(f->fd, a, sizeof *a);
    uint8_t *at = asked && a->length <= BODY_MAX ? buf_extend(ret_text, a->length) : NULL;
    const bool whole = at != NULL && read_all(f->fd, at, a->length);
    (void)pthread_mutex_unlock(&f->lock);
    CHECK(whole, IO);
    return OK;
}

bool
fetcher_reread(struct fetcher *f)
{
    char good = 0;
    (void)pthread_mutex_lock(&f->lock);
    const bool told = write_all(f->rules, "?", 1) && read_all(f->rules, &good, 1);
    (void)pthread_mutex_unlock(&f->lock);
    return told && good == 1;
}

/* q: but for the URL and the lengths. */
static struct status
ask(struct fetcher *f, const char *url, struct view ca_pem, struct view body, struct question *q,
    struct diag *diag, unsigned *ret_status, struct buf *ret_body)
{
    struct answer a = {0};
    DEFER(buf_done) struct buf text;
    buf_init(&text, BODY_MAX);
    if (*url == '\0' || strlen(url) >= TEXT_MAX || ca_pem.len > FETCHER_CA_MAX ||
        body.len > FETCHER_BODY_MAX) {
        diag_set(diag, "%.100s...: no URL, or too long", url);
        FAIL(INPUT);
    }
    text_copy(q->url, sizeof q->url, url);
    q->ca_len = (uint32_t)ca_pem.len;
    q->body_len = (uint32_t)body.len;
    if (!status_ok(exchange(f, q, ca_pem, body, &a, &text))) {
        diag_set(diag, "the process that connects for %s is gone; start the server again",
                 f->purpose);
        FAIL(IO);
    }
    if (a.code != STATUS_OK) {
        diag_set(diag, "%s", buf_str(&text));
        FAIL(IO);
    }
    CHECK(text.len <= q->max, LIMIT);
    *ret_status = a.status;
    buf_put(ret_body, buf_view(&text));
    return buf_status(ret_body);
}

struct status
fetcher_get(struct fetcher *f, const char *url, struct view ca_pem, size_t max, struct diag *diag,
            struct buf *ret_body)
{
    struct question q = {.max = max, .timeout_ns = FETCH_NS};
    unsigned status = 0;
    DEFER(buf_done) struct buf body;
    buf_init(&body, BODY_MAX);
    TRY(ask(f, url, ca_pem, (struct view){0}, &q, diag, &status, &body));
    if (status != 200) {
        diag_set(diag, "%s: answered %u", url, status);
        FAIL(IO);
    }
    buf_put(ret_body, buf_view(&body));
    return buf_status(ret_body);
}

struct status
fetcher_post(struct fetcher *f, const char *url, struct view ca_pem, struct view body,
             int64_t timeout_ns, struct diag *diag, unsigned *ret_status, struct buf *ret_body)
{
    struct question q = {.max = ret_body->max < BODY_MAX ? ret_body->max : BODY_MAX,
                         .timeout_ns = timeout_ns < MOST_NS ? timeout_ns : MOST_NS};
    ASSERT(body.len > 0);
    return ask(f, url, ca_pem, body, &q, diag, ret_status, ret_body);
}
