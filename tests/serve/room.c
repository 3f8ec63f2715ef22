#include "room.h"

#include "base/clock.h"
#include "base/file.h"
#include "govern/audit.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BODY                                                                                       \
    "{\"inputs\":[{\"name\":\"income\",\"datatype\":\"INT64\",\"shape\":[1],\"data\":[30]}]}"
#define ROWS                                                                                       \
    "{\"inputs\":[{\"name\":\"income\",\"datatype\":\"INT64\",\"shape\":[3],\"data\":[1,2,3]}]}"
#define WAIT_NS (60 * NS_PER_S)

static void
issue_key(char *name, char *role, char ret_key[static 128])
{
    assert_steward("principal", "add", name, "--role", role);
    testing_issue_key(name, ret_key);
}

static void
rest(void)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    (void)nanosleep(&pause, NULL);
}

void
room_start(struct room *r)
{
    DEFER(file_freep) char *port_file = file_join(r->root, "port");
    char *const argv[] = {(char *)(uintptr_t)testing_binary(),
                          (char *)(uintptr_t) "serve",
                          (char *)(uintptr_t) "--listen",
                          (char *)(uintptr_t) "127.0.0.1:0",
                          (char *)(uintptr_t) "--port-file",
                          port_file,
                          NULL};
    const int64_t until = clock_mono_ns() + WAIT_NS;
    (void)unlink(port_file);
    r->pid = testing_start(argv, r->log);
    while (!file_exists(port_file) && clock_mono_ns() < until) {
        rest();
    }
    struct buf text;
    testing_read(port_file, &text);
    r->port = (uint16_t)strtoul(buf_str(&text), NULL, 10);
    buf_done(&text);
}

void
room_make(struct room *r, const char *provider, const char *config)
{
    DEFER(file_freep) char *csv = file_join(r->root, "loans.csv");
    DEFER(file_freep) char *file = file_join(r->dir, "steward.yaml");
    DEFER(buf_done) struct buf rows;
    buf_init(&rows, 1 << 16);
    buf_put_str(&rows, "income,paid\n");
    for (int i = 0; i < 200; i++) {
        buf_printf(&rows, "%d,%s\n", i, i % 2 == 0 ? "yes" : "no");
    }
    testing_write(csv, buf_view(&rows));
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setenv("STEWARD_WORKSPACE", r->dir, 1);
    assert_steward("init", r->dir, "--provider", (char *)(uintptr_t)provider);
    testing_write(file, view_str(config));
    assert_steward("dataset", "add", "loans", csv, "--label", "paid", "--positive", "yes");
    assert_steward("model", "train", "loans", "--data", "loans", "--rounds", "3");
    issue_key("desk", "caller", r->caller);
    issue_key("watcher", "operator", r->watcher);
}

void
room_init(struct room *r)
{
    *r = (struct room){.root = testing_dir()};
    r->dir = file_join(r->root, "ws");
    r->log = file_join(r->root, "serve.log");
}

int
room_done(struct room *r)
{
    const int ended = r->pid == 0 ? 0 : testing_stop(r->pid);
    testing_dirp(&r->root);
    free(r->dir);
    free(r->log);
    return ended;
}

/* ---- the processes ---- */

void
room_field(pid_t pid, const char *name, char ret_value[static 64])
{
    char path[64], line[256];
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "re");
    *ret_value = '\0';
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':') {
            (void)sscanf(line + strlen(name) + 1, " %63[^\n]", ret_value);
        }
    }
    if (f != NULL) {
        (void)fclose(f);
    }
}

size_t
room_children(const struct room *r, pid_t parent, const char *name, pid_t *ret_last)
{
    size_t n = 0;
    DIR *d = opendir("/proc");
    assert_non_null(d);
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        const pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        char found[64], above[64], state[64];
        room_field(pid, "Name", found);
        room_field(pid, "PPid", above);
        room_field(pid, "State", state);
        if (pid > 0 && strtol(above, NULL, 10) == parent && strcmp(found, name) == 0) {
            /* An act that is done is one until it is waited for, in a moment. */
            assert_true(parent != r->pid || state[0] != 'Z');
            *ret_last = pid;
            n++;
        }
    }
    (void)closedir(d);
    return n;
}

/* ---- asking ---- */

void
room_put_request(struct buf *b, const char *method, const char *path, const char *key,
                 const char *body)
{
    buf_printf(b, "%s %s HTTP/1.1\r\nhost: localhost\r\n", method, path);
    if (key != NULL) {
        buf_printf(b, "authorization: Bearer %s\r\n", key);
    }
    buf_printf(b, "content-length: %zu\r\n\r\n%s", strlen(body), body);
}

static unsigned
send_request(const struct room *r, const char *method, const char *path, const char *key,
             const char *body, struct reply *ret_reply)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1 << 16);
    room_put_request(&text, method, path, key, body);
    return client_ask(r->port, buf_str(&text), ret_reply);
}

static unsigned
ask(const struct room *r, const char *method, const char *path, const char *key,
    struct reply *ret_reply)
{
    return send_request(r, method, path, key, strcmp(method, "POST") == 0 ? BODY : "", ret_reply);
}

unsigned
room_get(const struct room *r, const char *path, const char *key, struct reply *ret_reply)
{
    return ask(r, "GET", path, key, ret_reply);
}

unsigned
room_asks(const struct room *r, const char *path, const char *key)
{
    struct reply got;
    const unsigned status = room_get(r, path, key, &got);
    reply_done(&got);
    return status;
}

void
room_answers(const struct room *r, const char *method, const char *path, const char *key,
             unsigned status, const char *says)
{
    struct reply got;
    const unsigned answered = ask(r, method, path, key, &got);
    if (answered != status || strstr(buf_str(&got.body), says) == NULL) {
        print_error("%s: %u, not %u %s: %s\n", path, answered, status, says, buf_str(&got.body));
    }
    assert_int_equal(answered, status);
    assert_text_has(buf_str(&got.body), says);
    reply_done(&got);
}

void
room_call_with_rows(const struct room *r)
{
    struct reply got;
    assert_int_equal(send_request(r, "POST", ROOM_INFER, r->caller, ROWS, &got), 200);
    reply_done(&got);
}

/* Without its key the keeper opens no record of who calls. Those read before serve until the store
 * is written to, which the server does itself now and then; after that this is the answer, until
 * the key is back. */
static bool
knows_nobody(unsigned status, const struct reply *r)
{
    return status == 503 && strstr(buf_str(&r->body), "cannot be verified now") != NULL;
}

bool
room_says(const struct reply *r, const char *why)
{
    if (knows_nobody(503, r)) {
        return false;
    }
    assert_text_has(buf_str(&r->body), why);
    return true;
}

void
room_answers_known(const struct room *r, const char *method, const char *path, const char *key,
                   unsigned status, const char *says)
{
    struct reply got;
    const unsigned answered = ask(r, method, path, key, &got);
    if (!knows_nobody(answered, &got)) {
        assert_int_equal(answered, status);
        assert_text_has(buf_str(&got.body), says);
    }
    reply_done(&got);
}

void
room_await(const struct room *r, unsigned before, unsigned after, struct reply *ret_reply)
{
    const int64_t until = clock_mono_ns() + WAIT_NS;
    unsigned status = ask(r, "POST", ROOM_INFER, r->caller, ret_reply);
    unsigned more = 20; /* few: who is not known is counted as a stranger */
    while ((status == before || (knows_nobody(status, ret_reply) && more-- > 0)) &&
           clock_mono_ns() < until) {
        if (status != before) {
            const struct timespec pause = {.tv_nsec = 150 * 1000 * 1000};
            (void)nanosleep(&pause, NULL);
        }
        reply_done(ret_reply);
        rest();
        status = ask(r, "POST", ROOM_INFER, r->caller, ret_reply);
    }
    assert_int_equal(status, after);
}

/* ---- what the log has ---- */

static bool
is_text(const json_t *o, const char *key, const char *text)
{
    const char *has = json_string_value(json_object_get(o, key));
    return has != NULL && text != NULL && strcmp(has, text) == 0;
}

static struct status
look_at(void *ctx, uint64_t index, struct view entry)
{
    struct room_seen *s = ctx;
    DEFER(js_freep) json_t *o = NULL;
    (void)index;
    TRY(js_parse(entry, "entry", NULL, &o));
    s->suspended += is_text(o, "action", "key.suspend");
    s->resumed += is_text(o, "action", "key.resume");
    if (is_text(o, "id", s->id)) {
        const char *reason = json_string_value(json_object_get(o, "reason"));
        assert_non_null(reason);
        assert_text_has(reason, "not served since ");
        assert_true(is_text(o, "decision", "deny"));
        assert_int_equal(json_integer_value(json_object_get(o, "http_status")), 503);
        s->refused++;
    }
    return OK;
}

struct room_seen
room_entries(const struct room *r, const char *id)
{
    struct room_seen s = {.id = id};
    struct diag diag = {0};
    DEFER(file_freep) char *audit = file_join(r->dir, "audit");
    assert_ok(audit_each(audit, 0, UINT64_MAX, look_at, &s, &diag));
    return s;
}

int64_t
room_log_length(void)
{
    struct testing_run r;
    json_t *o = NULL;
    testing_steward(&r, "audit", "verify", "--json", NULL);
    assert_int_equal(r.exit_code, 0);
    assert_ok(js_parse(buf_view(&r.out), "stdout", NULL, &o));
    const int64_t n = json_integer_value(json_object_get(o, "entries")) +
                      json_integer_value(json_object_get(o, "pending"));
    assert_true(n > 10);
    json_decref(o);
    testing_run_done(&r);
    return n;
}

int64_t
room_take_as_of(json_t *answer)
{
    const json_t *as_of = json_object_get(answer, "as_of");
    const json_int_t entries = json_integer_value(json_object_get(as_of, "entries"));
    assert_true(json_is_string(json_object_get(as_of, "time")));
    assert_int_equal(json_object_del(answer, "as_of"), 0);
    return entries;
}
