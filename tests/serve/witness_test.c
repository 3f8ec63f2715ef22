/* A log and its witnesses, as processes: two of `steward witness serve` and a server whose
 * checkpoints they cosign; one that is gone, a log that was put back, one that was forked, and a
 * witness that signs another tree. */
#include "govern/cosigner.h"
#include "govern/fixture.h"
#include "govern/witness_key.h"
#include "net/fake.h"
#include "room.h"

#include "base/clock.h"
#include "base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PASSPHRASE "correct horse battery staple"
#define WAIT_NS (60 * NS_PER_S)

static struct room it;

static struct {
    char *dir, *log;
    char vkey[4096];
    uint16_t port;
    pid_t pid;
} w[2];

static char log_vkey[512];
static char *policy, *saved, *audit;

static void
rest(void)
{
    const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
    (void)nanosleep(&pause, NULL);
}

static void
read_line(const char *path, char *to, size_t size)
{
    DEFER(buf_done) struct buf text;
    testing_read(path, &text);
    (void)snprintf(to, size, "%.*s", (int)strcspn(buf_str(&text), "\n"), buf_str(&text));
}

/* ---- the witnesses ---- */

static void
start_witness(size_t i)
{
    char listen[64], port[16];
    DEFER(file_freep) char *port_file = file_join(w[i].dir, "port");
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", w[i].port);
    char *const argv[] = {(char *)(uintptr_t)testing_binary(),
                          (char *)(uintptr_t) "witness",
                          (char *)(uintptr_t) "serve",
                          w[i].dir,
                          (char *)(uintptr_t) "--log",
                          log_vkey,
                          (char *)(uintptr_t) "--listen",
                          listen,
                          (char *)(uintptr_t) "--port-file",
                          port_file,
                          NULL};
    const int64_t until = clock_mono_ns() + WAIT_NS;
    (void)unlink(port_file);
    w[i].pid = testing_start(argv, w[i].log);
    while (!file_exists(port_file) && clock_mono_ns() < until) {
        rest();
    }
    read_line(port_file, port, sizeof port);
    w[i].port = (uint16_t)strtoul(port, NULL, 10);
}

static void
make_witness(size_t i)
{
    char name[32];
    (void)snprintf(name, sizeof name, "w%zu", i + 1);
    w[i].dir = file_join(it.root, name);
    DEFER(file_freep) char *vkey = file_join(w[i].dir, "vkey");
    (void)strcat(name, ".log");
    w[i].log = file_join(it.root, name);
    (void)snprintf(name, sizeof name, "w%zu.example/t", i + 1);
    const bool can = witness_key_type_ok(NOTE_COSIGNATURE_MLDSA);
    char *type = (char *)(uintptr_t)(i == 1 && can ? "ml-dsa-44" : "ed25519");
    assert_steward("witness", "key", w[i].dir, "--name", name, "--type", type);
    read_line(vkey, w[i].vkey, sizeof w[i].vkey);
    start_witness(i);
}

/* ---- the log ---- */

static void
configure_some(size_t count, const char *ca, const char *extra)
{
    DEFER(file_freep) char *file = file_join(it.dir, "steward.yaml");
    DEFER(buf_done) struct buf yaml;
    buf_init(&yaml, 1 << 16);
    buf_put_str(&yaml, "audit:\n  publish: 200ms\n  witnesses:\n");
    for (size_t i = 0; i < count; i++) {
        buf_printf(&yaml, "    - \"https://127.0.0.1:%u/ %s 2s ca-file=%s/%s\"\n", w[i].port,
                   w[i].vkey, w[i].dir, ca);
    }
    buf_printf(&yaml, "%snetwork:\n  egress: [\"witness 127.0.0.1 1-65535 http\"]\n", extra);
    testing_write(file, buf_view(&yaml));
}

static void
configure(const char *extra)
{
    configure_some(2, "tls/cert.pem", extra);
}

static void
stop_server(void)
{
    assert_int_equal(testing_stop(it.pid), 0);
    it.pid = 0;
}

static void
call(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        room_answers(&it, "POST", ROOM_INFER, it.caller, 200, "\"outputs\"");
    }
}

/* Until what the program prints has that text. */
static void
await(const char *text, char *a, char *b, char *c, char *d)
{
    const int64_t until = clock_mono_ns() + WAIT_NS;
    struct testing_run r = {0};
    do {
        testing_run_done(&r);
        rest();
        testing_steward(&r, "audit", a, b, c, d, NULL);
    } while (strstr(buf_str(&r.out), text) == NULL && clock_mono_ns() < until);
    if (strstr(buf_str(&r.out), text) == NULL) {
        DEFER(buf_done) struct buf said;
        testing_read(it.log, &said);
        print_error("%s\n%s\nserver: %s\n", buf_str(&r.out), buf_str(&r.err),
                    said.len > 700 ? buf_str(&said) + said.len - 700 : buf_str(&said));
    }
    assert_text_has(buf_str(&r.out), text);
    testing_run_done(&r);
}

static void
await_verified(const char *text)
{
    await(text, (char *)(uintptr_t) "verify", audit, (char *)(uintptr_t) "--policy", policy);
}

static void
await_entry(const char *text)
{
    await(text, (char *)(uintptr_t) "show", (char *)(uintptr_t) "--action",
          (char *)(uintptr_t) "witness.cosign", NULL);
}

static void
await_metric(const char *line)
{
    const int64_t until = clock_mono_ns() + WAIT_NS;
    char request[512];
    bool found = false;
    (void)snprintf(request, sizeof request,
                   "GET /metrics HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %s\r\n\r\n",
                   it.watcher);
    while (!found && clock_mono_ns() < until) {
        struct reply r;
        assert_int_equal(client_ask(it.port, request, &r), 200);
        found = strstr(buf_str(&r.body), line) != NULL;
        reply_done(&r);
        rest();
    }
    assert_true(found);
}

static uint64_t
metric(const char *name)
{
    struct reply r;
    char request[512];
    (void)snprintf(request, sizeof request,
                   "GET /metrics HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %s\r\n\r\n",
                   it.watcher);
    assert_int_equal(client_ask(it.port, request, &r), 200);
    const char *at = strstr(buf_str(&r.body), name);
    assert_non_null(at);
    const uint64_t value = strtoull(at + strlen(name), NULL, 10);
    reply_done(&r);
    return value;
}

/* Until both witnesses have seen all that the log has now. */
static void
await_all_witnessed(void)
{
    const int64_t until = clock_mono_ns() + WAIT_NS;
    const uint64_t entries = metric("\nsteward_audit_entries ");
    while ((metric("\nsteward_witness_entries{witness=\"w1.example/t\"} ") < entries ||
            metric("\nsteward_witness_entries{witness=\"w2.example/t\"} ") < entries) &&
           clock_mono_ns() < until) {
        rest();
    }
    assert_true(metric("\nsteward_witness_entries{witness=\"w2.example/t\"} ") >= entries);
}

static int
set_up(void **state)
{
    (void)state;
    char text[16384];
    (void)setenv("STEWARD_PASSPHRASE", PASSPHRASE, 1);
    room_init(&it);
    room_make(&it, "passphrase", "");
    audit = file_join(it.dir, "audit");
    saved = file_join(it.root, "saved");
    policy = file_join(it.root, "policy");
    DEFER(file_freep) char *vkey = file_join(audit, "vkey");
    read_line(vkey, log_vkey, sizeof log_vkey);
    make_witness(0);
    make_witness(1);
    (void)snprintf(text, sizeof text,
                   "log %s\nwitness one %s\nwitness two %s\ngroup both 2 one two\nquorum both\n",
                   log_vkey, w[0].vkey, w[1].vkey);
    testing_write(policy, view_str(text));
    configure("");
    room_start(&it);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    int ended = 0;
    for (size_t i = 0; i < 2; i++) {
        ended |= w[i].pid == 0 ? 0 : testing_stop(w[i].pid);
        free(w[i].dir);
        free(w[i].log);
    }
    free(policy);
    free(saved);
    free(audit);
    return room_done(&it) | ended;
}

/* ---- the tests, which build on one another ---- */

static void
a_checkpoint_is_cosigned_by_both_and_satisfies_the_policy(void **state)
{
    (void)state;
    DEFER(file_freep) char *proof = file_join(it.root, "proof");
    DEFER(file_freep) char *entry = file_join(it.root, "entry");
    struct testing_run r;
    call(5);
    await_verified("witnessed: 2 of 2 witnesses, a quorum of them since");
    await_metric("steward_witness_checkpoints_behind 0\n");
    await_metric("steward_witness_entries_behind 0\n");
    await_metric("steward_witness_cosigns{witness=\"w2.example/t\"} 1\n");
    stop_server(); /* whose last entries no witness has seen; what it has seen is kept */
    await_verified("are not witnessed yet");
    room_start(&it);
    await_all_witnessed();
    assert_steward("audit", "prove", "0", audit, "--output", proof);
    testing_steward(&r, "audit", "show", "--from", "0", "--last", "1", "--json", NULL);
    json_t *list = NULL;
    assert_ok(js_parse(buf_view(&r.out), "stdout", NULL, &list));
    const char *raw = json_string_value(json_object_get(json_array_get(list, 0), "raw"));
    testing_write(entry, view_str(raw));
    json_decref(list);
    testing_run_done(&r);
    assert_steward("audit", "check", proof, entry, "--policy", policy);
}

/* Without a server: a verb that writes an entry has its checkpoint cosigned when it has ended. */
static void
a_verb_has_what_it_published_cosigned(void **state)
{
    (void)state;
    struct testing_run r;
    stop_server();
    testing_steward(&r, "audit", "cosign", NULL); /* what the server published last */
    assert_int_equal(r.exit_code, 0);
    assert_text_has(buf_str(&r.out), "cosigned by 2 of 2 witnesses; 2 are needed\n"
                                     "  w1.example/t cosigns\n  w2.example/t cosigns\n");
    testing_run_done(&r);
    assert_steward("principal", "add", "someone", "--role", "caller");
    testing_steward(&r, "audit", "verify", "--policy", policy, NULL);
    assert_int_equal(r.exit_code, 0);
    assert_text_has(buf_str(&r.out), "witnessed: 2 of 2");
    assert_null(strstr(buf_str(&r.out), "not witnessed yet"));
    testing_run_done(&r);
    /* One is gone: the verb is done all the same, and says who has not cosigned. */
    assert_int_equal(testing_stop(w[1].pid), 0);
    testing_steward(&r, "principal", "add", "another", "--role", "caller", NULL);
    assert_int_equal(r.exit_code, 0);
    assert_text_has(buf_str(&r.err), "note: witness w2.example/t: ");
    testing_run_done(&r);
    testing_steward(&r, "audit", "cosign", "--json", NULL);
    assert_int_equal(r.exit_code, 1);
    assert_text_has(buf_str(&r.out), "\"is absent\"");
    testing_run_done(&r);
    start_witness(1);
    room_start(&it);
    await_all_witnessed();
}

/* Who takes a verb over may write the configuration: what connects for it has read that before. */
static void
a_rule_that_is_written_while_a_verb_runs_is_none_for_it(void **state)
{
    (void)state;
    DEFER(file_freep) char *yaml = file_join(it.dir, "steward.yaml");
    DEFER(file_freep) char *pipe = file_join(it.root, "pipe");
    DEFER(file_freep) char *log = file_join(it.root, "verb.log");
    DEFER(buf_done) struct buf config;
    DEFER(buf_done) struct buf said;
    char *const argv[] = {(char *)(uintptr_t)testing_binary(),
                          (char *)(uintptr_t) "principal",
                          (char *)(uintptr_t) "add",
                          (char *)(uintptr_t) "third",
                          (char *)(uintptr_t) "--role",
                          (char *)(uintptr_t) "caller",
                          (char *)(uintptr_t) "--passphrase-file",
                          pipe,
                          NULL};
    stop_server();
    testing_read(yaml, &config);
    const char *rules = strstr(buf_str(&config), "network:");
    assert_non_null(rules);
    testing_write(yaml, view_of(config.ptr, (size_t)(rules - buf_str(&config))));
    assert_int_equal(mkfifo(pipe, 0600), 0);
    const pid_t pid = testing_start(argv, log);
    const int64_t until = clock_mono_ns() + WAIT_NS;
    int fd = -1;
    while ((fd = open(pipe, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0 && clock_mono_ns() < until) {
        rest();
    }
    const int same = open(yaml, O_WRONLY | O_TRUNC | O_CLOEXEC); /* the file that it may read */
    assert_ok(file_write_all(same, buf_view(&config), yaml, NULL));
    assert_int_equal(close(same), 0);
    assert_int_equal(write(fd, PASSPHRASE "\n", strlen(PASSPHRASE) + 1), strlen(PASSPHRASE) + 1);
    assert_int_equal(close(fd), 0);
    int ended = -1;
    assert_int_equal(waitpid(pid, &ended, 0), pid);
    assert_int_equal(ended, 0);
    testing_read(log, &said);
    assert_text_has(buf_str(&said), "note: witness w1.example/t: ");
    assert_text_has(buf_str(&said), "no line of network.egress");
    room_start(&it);
    await_all_witnessed();
}

static void
a_witness_that_is_gone_stops_no_call(void **state)
{
    (void)state;
    assert_int_equal(testing_stop(w[1].pid), 0);
    w[1].pid = 0;
    call(5);
    await_metric("steward_witness_cosigns{witness=\"w2.example/t\"} 0\n");
    await_metric("steward_witness_cosigns{witness=\"w1.example/t\"} 1\n");
    await_verified("are not witnessed yet");
    call(5);
    start_witness(1);
    await_metric("steward_witness_checkpoints_behind 0\n");
    await_metric("steward_witness_entries_behind 0\n");
    DEFER(buf_done) struct buf said;
    testing_read(it.log, &said);
    assert_text_has(buf_str(&said), "witness.silent witness=w2.example/t state=\"is absent\"");
}

static void
reload(void)
{
    assert_int_equal(kill(it.pid, SIGHUP), 0);
}

static void
await_configured(const char *text)
{
    await(text, (char *)(uintptr_t) "show", (char *)(uintptr_t) "--action",
          (char *)(uintptr_t) "witness.configure", NULL);
}

/* Each call makes a checkpoint, sooner or later. */
static void
call_until_health(unsigned status)
{
    const int64_t until = clock_mono_ns() + WAIT_NS;
    unsigned is = 0;
    do {
        call(1);
        rest();
        is = room_asks(&it, "/v2/health/witness", it.watcher);
    } while (is != status && clock_mono_ns() < until);
    assert_int_equal(is, status);
}

static void
a_list_that_changes_holds_from_the_next_look_on(void **state)
{
    (void)state;
    assert_int_equal(testing_stop(w[1].pid), 0);
    w[1].pid = 0;
    call_until_health(503); /* both are needed */
    configure_some(1, "tls/cert.pem", "");
    reload();
    await_configured("1 witnesses, 1 needed: w1.example/t");
    call_until_health(200);
    await_metric("steward_witness_checkpoints_behind 0\n");
    configure_some(1, "none.pem", ""); /* a file that nobody has read */
    reload();
    await("the configuration is wrong", (char *)(uintptr_t) "show", (char *)(uintptr_t) "--action",
          (char *)(uintptr_t) "network.configure", NULL);
    DEFER(buf_done) struct buf said;
    testing_read(it.log, &said);
    assert_text_has(buf_str(&said), "/none.pem was not read when the server started: restart it");
    start_witness(1);
    configure("  quorum: 2\n");
    reload();
    await_configured("2 witnesses, 2 needed: w1.example/t, w2.example/t");
    await_all_witnessed();
    configure("");
    reload();
    await_metric("steward_witness_cosigns{witness=\"w2.example/t\"} 1\n");
    await_all_witnessed();
}

static void
a_second_process_of_a_witness_is_refused(void **state)
{
    (void)state;
    struct testing_run r;
    testing_steward(&r, "witness", "serve", w[0].dir, "--log", log_vkey, "--listen", "127.0.0.1:0",
                    NULL);
    assert_int_equal(r.exit_code, 5);
    assert_text_has(buf_str(&r.err), "another process is this witness; stop it first");
    testing_run_done(&r);
    testing_steward(&r, "witness", "serve", w[0].dir, NULL);
    assert_int_equal(r.exit_code, 2);
    assert_text_has(buf_str(&r.err), "of which logs?");
    testing_run_done(&r);
    testing_steward(&r, "witness", "key", w[0].dir, "--name", "other", NULL);
    assert_int_equal(r.exit_code, 5);
    testing_run_done(&r);
    testing_steward(&r, "witness", "key", w[0].dir, "--name", "other", "--type", "rsa", NULL);
    assert_int_equal(r.exit_code, 2);
    assert_text_has(buf_str(&r.err), "there are ed25519 and ml-dsa-44");
    testing_run_done(&r);
}

/* On the wire: statuses and types. */
static void
the_witness_answers_as_the_specification_says(void **state)
{
    (void)state;
    static const char malformed[] =
        "POST /add-checkpoint HTTP/1.1\r\nhost: a\r\ncontent-length: 7\r\n\r\nnothing";
    struct reply r;
    char request[4096], type[256];
    DEFER(file_freep) char *path = file_join(audit, "checkpoint");
    DEFER(buf_done) struct buf note;
    assert_int_equal(client_ask(w[0].port, malformed, &r), 400);
    reply_done(&r);
    assert_int_equal(client_ask(w[0].port, "GET /add-checkpoint HTTP/1.1\r\nhost: a\r\n\r\n", &r),
                     405);
    reply_done(&r);
    assert_int_equal(client_ask(w[0].port, "GET / HTTP/1.1\r\nhost: a\r\n\r\n", &r), 404);
    reply_done(&r);
    testing_read(path, &note);
    (void)snprintf(request, sizeof request,
                   "POST /add-checkpoint HTTP/1.1\r\nhost: a\r\ncontent-length: %zu\r\n\r\n"
                   "old 0\n\n%s",
                   note.len + 7, buf_str(&note));
    assert_int_equal(client_ask(w[0].port, request, &r), 409);
    reply_header(&r, "content-type", type);
    assert_string_equal(type, "text/x.tlog.size");
    assert_true(strtoull(buf_str(&r.body), NULL, 10) > 0);
    reply_done(&r);

    struct digest d;
    char origin[256];
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 128);
    (void)snprintf(origin, sizeof origin, "%.*s", (int)strcspn(log_vkey, "+"), log_vkey);
    digest_of(view_str(origin), &d);
    digest_put_hex(&hex, &d);
    (void)snprintf(request, sizeof request, "GET /%s/checkpoint HTTP/1.1\r\nhost: a\r\n\r\n",
                   buf_str(&hex));
    assert_int_equal(client_ask(w[0].port, request, &r), 200);
    assert_text_has(buf_str(&r.body), "w1.example/t ");
    reply_done(&r);
}

static void
a_log_that_was_put_back_is_found_by_the_witness(void **state)
{
    (void)state;
    stop_server();
    testing_copy_dir(audit, saved);
    room_start(&it);
    call(20);
    await_all_witnessed();
    stop_server();
    testing_copy_dir(saved, audit);
    struct testing_run r;
    testing_steward(&r, "audit", "cosign", NULL);
    assert_int_equal(r.exit_code, 6);
    assert_text_has(buf_str(&r.out), "knows a larger log");
    testing_run_done(&r);
    room_start(&it);
    await_entry("entries of this log, which has");
    await_entry("now: the log was rolled back, or the witness lies");
    await_entry("deny ");
}

static void
a_log_that_was_forked_is_found_by_the_witness(void **state)
{
    (void)state;
    call(60); /* longer than the one that the witnesses have seen */
    stop_server();
    room_start(&it);
    await_entry("it has cosigned another tree than this log's first");
    struct testing_run r;
    testing_steward(&r, "audit", "verify", audit, "--policy", policy, NULL);
    assert_text_has(buf_str(&r.out), "are not witnessed yet"); /* since it was put back */
    testing_run_done(&r);
}

/* ---- a witness that signs another tree ---- */

static struct cosigner liar;

static void
sign_another_tree(void *ctx, const struct fake_request *q, struct buf *out)
{
    (void)ctx, (void)q;
    DEFER(buf_done) struct buf other;
    DEFER(buf_done) struct buf line;
    cosigned_checkpoint(5, &other);
    buf_init(&line, 4096);
    cosigner_put_of(&liar, buf_view(&other), &line, (uint64_t)(clock_wall_ns() / NS_PER_S));
    fake_put(out, 200, "content-type: text/plain\r\n", buf_str(&line));
}

static void
a_witness_that_signs_another_tree_is_not_taken(void **state)
{
    (void)state;
    char extra[1024];
    cosigner_make(&liar, "liar.example", 77);
    struct fake *server = fake_start(sign_another_tree, NULL);
    stop_server();
    (void)snprintf(extra, sizeof extra, "    - \"http://127.0.0.1:%u %s 2s\"\n  quorum: 1\n",
                   fake_port(server), liar.vkey);
    configure(extra);
    room_start(&it);
    await_entry("it answered with no cosignature of the checkpoint with");
    DEFER(file_freep) char *path = file_join(audit, "checkpoint");
    DEFER(buf_done) struct buf note;
    testing_read(path, &note);
    assert_null(strstr(buf_str(&note), "liar.example"));
    call(3);
    stop_server();
    fake_stop(server);
    assert_steward("audit", "verify", audit);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_checkpoint_is_cosigned_by_both_and_satisfies_the_policy),
        cmocka_unit_test(a_verb_has_what_it_published_cosigned),
        cmocka_unit_test(a_rule_that_is_written_while_a_verb_runs_is_none_for_it),
        cmocka_unit_test(a_witness_that_is_gone_stops_no_call),
        cmocka_unit_test(a_list_that_changes_holds_from_the_next_look_on),
        cmocka_unit_test(a_second_process_of_a_witness_is_refused),
        cmocka_unit_test(the_witness_answers_as_the_specification_says),
        cmocka_unit_test(a_log_that_was_put_back_is_found_by_the_witness),
        cmocka_unit_test(a_log_that_was_forked_is_found_by_the_witness),
        cmocka_unit_test(a_witness_that_signs_another_tree_is_not_taken),
    };
    return cmocka_run_group_tests(cases, set_up, tear_down);
}
