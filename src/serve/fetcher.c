#include "serve/fetcher.h"

#include "base/clock.h"
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
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX 1100u
#define BODY_MAX (1u << 20)
#define FETCH_NS (10 * NS_PER_S)
#define QUESTIONS_FD 3
#define RULES_FD 4

/* Followed by ca_len bytes of PEM: the authorities; 0: the system's. */
struct question {
    char url[TEXT_MAX]; /* terminated */
    uint32_t ca_len;
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

static struct status
get(struct door *door, const struct question *q, const char *ca_file, struct diag *diag,
    struct buf *ret_body)
{
    const struct door_request request = {.purpose = "jwks",
                                         .url = q->url,
                                         .ca_file = ca_file,
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

/* The gateway wrote it, which may be anybody's by now. */
static struct status
read_question(int fd, struct question *ret_question, struct buf *ret_ca)
{
    CHECK(read_all(fd, ret_question, sizeof *ret_question), IO);
    ret_question->url[TEXT_MAX - 1] = '\0';
    CHECK(ret_question->ca_len <= FETCHER_CA_MAX, LIMIT);
    CHECK(ret_question->max > 0 && ret_question->max <= BODY_MAX, LIMIT);
    uint8_t *at = buf_extend(ret_ca, ret_question->ca_len);
    CHECK(at != NULL, MEMORY);
    CHECK(read_all(fd, at, ret_question->ca_len), IO);
    return OK;
}

/* libcurl over GnuTLS takes authorities from a file only: one that is in memory, and never written
 * again. */
static struct status
make_ca_file(struct view ca, struct diag *diag, char ret_path[static 32])
{
    const int fd = memfd_create("authorities", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    const bool made = fd >= 0 && write(fd, ca.ptr, ca.len) == (ssize_t)ca.len &&
                      fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) == 0;
    (void)snprintf(ret_path, 32, "/proc/self/fd/%d", fd);
    if (!made || access(ret_path, R_OK) != 0) {
        diag_set(diag, "the authorities of the issuer cannot be kept in memory: %s",
                 strerror(errno));
        FAIL(IO);
    }
    return OK;
}

static bool
send_answer(int fd, struct status s, const char *sentence, struct view body)
{
    const struct view text = status_ok(s) ? body : view_str(sentence);
    const struct answer a = {s.code, (uint32_t)text.len};
    return write_all(fd, &a, sizeof a) && write_all(fd, text.ptr, text.len);
}

/* Takes rules. */
static struct status
answer_within(int fd, struct egress *rules, struct diag *diag, struct buf *ret_body)
{
    struct question q;
    struct sandbox_told told;
    char ca_file[32];
    DEFER(buf_done) struct buf ca;
    DEFER(door_freep) struct door *door = NULL;
    buf_init(&ca, FETCHER_CA_MAX);
    TRY(read_question(fd, &q, &ca));
    if (ca.len > 0) {
        TRY(make_ca_file(buf_view(&ca), diag, ca_file));
    }
    TRY(confine_fetcher(diag, &told));
    TRY(door_new(rules, NULL, &door));
    return get(door, &q, ca.len > 0 ? ca_file : NULL, diag, ret_body);
}

_Noreturn static void
answer_one(struct egress *rules)
{
    struct diag diag = {0};
    char text[sizeof diag.text];
    DEFER(buf_done) struct buf body;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)close(RULES_FD);
    buf_init(&body, BODY_MAX);
    const struct status s = answer_within(QUESTIONS_FD, rules, &diag, &body);
    diag_describe(&diag, s, text, sizeof text);
    _exit(send_answer(QUESTIONS_FD, s, text, buf_view(&body)) ? 0 : 1);
}

/* ---- the process that waits for them ---- */

/* What reads the network ends with it. False when nobody asks any more. */
static bool
take_question(struct egress *rules)
{
    char first;
    int ended = 0;
    if (recv(QUESTIONS_FD, &first, 1, MSG_PEEK) != 1) {
        return false;
    }
    const pid_t pid = fork();
    if (pid == 0) {
        answer_one(rules);
    }
    if (pid < 0 || waitpid(pid, &ended, 0) != pid) {
        return false;
    }
    return !WIFSIGNALED(ended) ||
           send_answer(QUESTIONS_FD, FAILURE(IO), "what fetches keys crashed over this answer",
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
wait_for_questions(const struct fetcher_rules *source)
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
            on = take_question(rules);
        } else {
            on = errno == EINTR;
        }
    }
}

/* The rest of what the parent has open is not this one's. */
_Noreturn static void
live(int questions, int rules, const struct fetcher_rules *source)
{
    struct diag diag = {0};
    secret_shield_process();
    sandbox_wipe_environment();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int high[2] = {fcntl(questions, F_DUPFD, RULES_FD + 1),
                         fcntl(rules, F_DUPFD, RULES_FD + 1)};
    if (dup2(high[0], QUESTIONS_FD) >= 0 && dup2(high[1], RULES_FD) >= 0 &&
        close_range(RULES_FD + 1, ~0u, 0) == 0 && status_ok(sandbox_driver(&diag))) {
        wait_for_questions(source);
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
        live(questions[1], rules[1], source);
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
fetcher_start(const struct fetcher_rules *rules, struct diag *diag, struct fetcher **ret_fetcher)
{
    struct fetcher *f = calloc(1, sizeof *f);
    CHECK(f != NULL, MEMORY);
    const struct status s = start(f, rules);
    if (!status_ok(s)) {
        free(f);
        diag_set(diag, "the process that fetches keys: %s", strerror(s.os));
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
ask(struct fetcher *f, const struct question *q, struct view ca, int32_t *ret_code,
    struct buf *ret_text)
{
    struct answer a;
    (void)pthread_mutex_lock(&f->lock);
    const bool asked = write_all(f->fd, q, sizeof *q) && write_all(f->fd, ca.ptr, ca.len) &&
                       read_all(f->fd, &a, sizeof a);
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
    char good = 0;
    (void)pthread_mutex_lock(&f->lock);
    const bool told = write_all(f->rules, "?", 1) && read_all(f->rules, &good, 1);
    (void)pthread_mutex_unlock(&f->lock);
    return told && good == 1;
}

struct status
fetcher_get(struct fetcher *f, const char *url, struct view ca_pem, size_t max, struct diag *diag,
            struct buf *ret_body)
{
    struct question q = {.max = max, .ca_len = (uint32_t)ca_pem.len};
    int32_t code = STATUS_OK;
    DEFER(buf_done) struct buf body;
    buf_init(&body, BODY_MAX);
    if (*url == '\0' || strlen(url) >= TEXT_MAX || ca_pem.len > FETCHER_CA_MAX) {
        diag_set(diag, "%.100s...: no URL, or too long", url);
        FAIL(INPUT);
    }
    text_copy(q.url, sizeof q.url, url);
    if (!status_ok(ask(f, &q, ca_pem, &code, &body))) {
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
