/* Who may connect: the server's listeners and their lists, by real addresses of a network of the
 * test's own, IPv4 and IPv6. */
#include "client.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "serve/server.h"
#include "testing/schema.h"
#include "testing/space.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PASSPHRASE "correct horse battery staple"
#define NEAR4 "10.9.0.1"
#define FAR4 "10.8.0.1"
#define NEAR6 "fd00:9::1"
#define FAR6 "fd00:8::1"
#define WAIT_NS (120 * NS_PER_S) /* ends early */

static struct {
    bool possible;
    char *root, *dir;
    struct workspace *workspace;
    struct server *server;
} it;

static struct server_options
options(void)
{
    const int64_t s = NS_PER_S;
    return (struct server_options){
        .http = {.address = "::", /* takes IPv4 too, as mapped addresses */
                 .second = {"::", 0, 8, 2},
                 .third = {"::", 0, 8, 2},
                 .loops = 2,
                 .limits = {16384, 64, 1 << 20, 60 * s, 60 * s, 60 * s, 60 * s, 60 * s, 64, 64},
                 .arena_bytes = 8 << 20},
        .max_rows = 10,
        .refusals_per_minute = 40,
        .grace_ns = s};
}

static int
set_up(void **state)
{
    (void)state;
    struct testing_run r;
    struct diag diag = {0};
    static const char *const addresses[] = {NEAR4, FAR4, NEAR6, FAR6, "10.9.0.2", "10.9.0.3"};
    (void)signal(SIGPIPE, SIG_IGN);
    it.root = testing_dir();
    it.dir = file_join(it.root, "ws");
    it.possible = space_enter();
    if (!it.possible) {
        return 0;
    }
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        space_take(addresses[i]);
    }
    (void)setenv("STEWARD_WORKSPACE", it.dir, 1);
    (void)setenv("STEWARD_PASSPHRASE", PASSPHRASE, 1);
    testing_steward(&r, "init", it.dir, NULL);
    assert_int_equal(r.exit_code, 0);
    testing_run_done(&r);
    DEFER(secret_done) struct secret passphrase = {0};
    assert_ok(secret_from(view_str(PASSPHRASE), &passphrase));
    const struct workspace_open_options w = {.passphrase = &passphrase};
    assert_ok(workspace_open(it.dir, &w, &diag, &it.workspace));
    const struct server_options o = options();
    assert_ok(server_start(it.workspace, &o, &diag, &it.server));
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    if (it.server != NULL) {
        server_stop(it.server);
        workspace_close(it.workspace);
        DEFER(file_freep) char *audit = file_join(it.dir, "audit");
        DEFER(js_freep) json_t *actions = json_object();
        assert_true(schema_check_log(audit, actions) > 0);
        assert_non_null(json_object_get(actions, "network.connect"));
    }
    free(it.dir);
    testing_dirp(&it.root);
    return 0;
}

#define NEEDS_SPACE()                                                                              \
    if (!it.possible) {                                                                            \
        print_message("# skipped: a network namespace cannot be made here\n");                     \
        skip();                                                                                    \
    }

/* Lists with commas; "" for none. */
static void
add_blocks(const char *list, struct cidr_set *set)
{
    while (*list != '\0') {
        struct cidr b;
        const size_t n = strcspn(list, ",");
        assert_ok(cidr_parse(view_of(list, n), NULL, &b));
        assert_ok(cidr_set_add(set, &b));
        list += n + (list[n] == ',');
    }
}

static void
rules(const char *data_allow, const char *data_deny, const char *management_allow,
      const char *management_deny)
{
    struct ingress made[HTTP_LISTENERS] = {0};
    add_blocks(data_allow, &made[SERVER_DATA].allow);
    add_blocks(data_deny, &made[SERVER_DATA].deny);
    add_blocks(management_allow, &made[SERVER_MANAGEMENT].allow);
    add_blocks(management_deny, &made[SERVER_MANAGEMENT].deny);
    server_set_ingress(it.server, made);
}

static bool
open_from(const char *from, unsigned listener, struct client *ret_client)
{
    return client_open_between(from, strchr(from, ':') != NULL ? "::1" : "127.0.0.1",
                               server_port(it.server, listener), ret_client);
}

static bool
admitted(const char *from, unsigned listener)
{
    struct client c;
    const bool yes = open_from(from, listener, &c);
    client_close(&c);
    return yes;
}

static unsigned
ask(struct client *c, const char *path)
{
    char text[256];
    struct reply r;
    (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nhost: a\r\n\r\n", path);
    assert_true(client_send_text(c, text));
    client_take(c, &r);
    const unsigned status = r.status;
    reply_done(&r);
    return status;
}

/* ---- lists ---- */

static void
an_allow_list_is_all_there_is(void **state)
{
    (void)state;
    NEEDS_SPACE();
    rules("10.9.0.0/16", "", "", "");
    assert_true(admitted(NEAR4, SERVER_DATA));
    assert_false(admitted(FAR4, SERVER_DATA));
    assert_false(admitted("127.0.0.1", SERVER_DATA));
    assert_false(admitted(NEAR6, SERVER_DATA));
    assert_false(admitted("::1", SERVER_DATA));
    assert_true(admitted(FAR4, SERVER_MANAGEMENT)); /* has lists of its own */
    rules("fd00:9::/32", "", "", "");
    assert_true(admitted(NEAR6, SERVER_DATA));
    assert_false(admitted(FAR6, SERVER_DATA));
    assert_false(admitted(NEAR4, SERVER_DATA));
    rules("::/0", "", "", ""); /* IPv6, and no IPv4 behind its mapped form */
    assert_true(admitted(FAR6, SERVER_DATA));
    assert_false(admitted(NEAR4, SERVER_DATA));
    rules("", "", "", "");
    assert_true(admitted(FAR4, SERVER_DATA));
    assert_true(admitted(FAR6, SERVER_DATA));
}

static void
deny_beats_allow_whichever_is_narrower(void **state)
{
    (void)state;
    NEEDS_SPACE();
    rules("10.9.0.1/32,fd00:9::/32", "10.9.0.0/16,fd00:9::1", "", "");
    assert_false(admitted(NEAR4, SERVER_DATA));
    assert_false(admitted(NEAR6, SERVER_DATA));
    rules("", "10.8.0.0/16", "", "");
    assert_true(admitted(NEAR4, SERVER_DATA));
    assert_false(admitted(FAR4, SERVER_DATA));
    rules("", "::ffff:10.8.0.0/112", "", ""); /* the same block, as it may be written too */
    assert_false(admitted(FAR4, SERVER_DATA));
    assert_true(admitted(FAR6, SERVER_DATA));
    rules("", "0.0.0.0/0,::/0", "", "");
    assert_false(admitted("127.0.0.1", SERVER_DATA));
    assert_false(admitted("::1", SERVER_DATA));
    rules("", "", "", "");
}

static void
each_listener_has_its_lists_its_routes_and_its_room(void **state)
{
    (void)state;
    NEEDS_SPACE();
    struct client data, management, second, third;
    rules("10.9.0.0/16", "", "10.8.0.0/16", "10.8.0.2");
    assert_true(open_from(NEAR4, SERVER_DATA, &data));
    assert_true(open_from(FAR4, SERVER_MANAGEMENT, &management));
    assert_false(admitted(NEAR4, SERVER_MANAGEMENT));
    assert_int_equal(ask(&data, "/v2/health/live"), 200);
    assert_int_equal(ask(&management, "/v2/health/live"), 200);
    assert_int_equal(ask(&data, "/v2"), 401);
    assert_int_equal(ask(&management, "/v2"), 404);
    assert_int_equal(ask(&data, "/metrics"), 404);
    assert_int_equal(ask(&management, "/metrics"), 401);
    assert_int_equal(ask(&management, "/v2/health/alerts"), 200); /* for who may come here at all */
    assert_int_equal(ask(&data, "/v2/health/alerts"), 404);
    assert_int_equal(ask(&data, "/v2/usage"), 404);
    assert_int_equal(ask(&management, "/v2/usage"), 401);
    assert_true(open_from(FAR4, SERVER_MANAGEMENT, &second));
    assert_false(open_from(FAR4, SERVER_MANAGEMENT, &third)); /* the third of two */
    client_close(&third);
    assert_true(open_from(NEAR4, SERVER_DATA, &third));
    client_close(&data);
    client_close(&management);
    client_close(&second);
    client_close(&third);
    rules("", "", "", "");
}

static void
the_console_has_its_lists_and_its_room(void **state)
{
    (void)state;
    NEEDS_SPACE();
    struct client first, second, third;
    struct ingress made[HTTP_LISTENERS] = {0};
    add_blocks("10.9.0.0/16", &made[SERVER_DATA].deny);
    add_blocks("10.9.0.0/16,fd00:9::/32", &made[SERVER_CONSOLE].allow);
    add_blocks("10.9.0.2", &made[SERVER_CONSOLE].deny);
    server_set_ingress(it.server, made);
    assert_true(open_from(NEAR4, SERVER_CONSOLE, &first));
    assert_false(admitted(NEAR4, SERVER_DATA));
    assert_false(admitted(FAR4, SERVER_CONSOLE)); /* a list exists: the rest is denied */
    assert_false(admitted("127.0.0.1", SERVER_CONSOLE));
    assert_false(admitted("10.9.0.2", SERVER_CONSOLE));
    assert_true(admitted(NEAR6, SERVER_CONSOLE));
    assert_false(admitted(FAR6, SERVER_CONSOLE));
    assert_int_equal(ask(&first, "/"), 401);
    assert_int_equal(ask(&first, "/v2/health/live"), 404);
    assert_true(open_from(NEAR4, SERVER_CONSOLE, &second));
    assert_false(open_from(NEAR4, SERVER_CONSOLE, &third)); /* the third of two */
    client_close(&third);
    rules("", "", "", "");
    assert_true(admitted(FAR4, SERVER_CONSOLE));
    client_close(&first);
    client_close(&second);
}

/* ---- changes ---- */

static void
a_change_ends_the_connections_that_it_denies_and_no_others(void **state)
{
    (void)state;
    NEEDS_SPACE();
    struct client near4, near6, far4, half, other;
    assert_true(open_from(NEAR4, SERVER_DATA, &near4));
    assert_true(open_from(NEAR6, SERVER_DATA, &near6));
    assert_true(open_from(FAR4, SERVER_DATA, &far4));
    assert_true(open_from(NEAR4, SERVER_DATA, &half));
    assert_true(open_from(NEAR4, SERVER_MANAGEMENT, &other));
    assert_int_equal(ask(&near4, "/v2/health/live"), 200);
    assert_true(client_send_text(&half, "POST /v2/models/a/infer HTTP/1.1\r\nhost: a\r\ncontent-"));
    rules("", "10.9.0.0/16,fd00:9::/32", "", "");
    assert_true(client_ended(&near4, CLIENT_WAIT_MS));
    assert_true(client_ended(&near6, CLIENT_WAIT_MS));
    assert_true(client_ended(&half, CLIENT_WAIT_MS));
    assert_int_equal(ask(&far4, "/v2/health/live"), 200);
    assert_int_equal(ask(&other, "/v2/health/live"), 200);
    assert_false(admitted(NEAR4, SERVER_DATA));
    rules("", "", "", "");
    assert_true(admitted(NEAR4, SERVER_DATA));
    client_close(&near4);
    client_close(&near6);
    client_close(&far4);
    client_close(&half);
    client_close(&other);
}

/* ---- the record ---- */

struct seen {
    const char *address, *action;
    unsigned count;
    char first[512], last[512];
};

static struct status
note(void *ctx, uint64_t index, struct view entry)
{
    struct seen *s = ctx;
    (void)index;
    DEFER(js_freep) json_t *o = NULL;
    TRY(js_parse(entry, "entry", NULL, &o));
    const char *action = json_string_value(json_object_get(o, "action")),
               *address = json_string_value(json_object_get(o, "address"));
    if (action != NULL && strcmp(action, s->action) == 0 &&
        (s->address == NULL || (address != NULL && strstr(address, s->address) != NULL))) {
        s->count++;
        if (s->count == 1) {
            (void)snprintf(s->first, sizeof s->first, "%.*s", (int)entry.len,
                           (const char *)entry.ptr);
        }
        (void)snprintf(s->last, sizeof s->last, "%.*s", (int)entry.len, (const char *)entry.ptr);
    }
    return OK;
}

static struct seen
entries(const char *dir, const char *action, const char *address)
{
    DEFER(file_freep) char *audit = file_join(dir, "audit");
    struct seen s = {.action = action, .address = address};
    struct diag diag = {0};
    uint64_t n = 0;
    assert_ok(audit_count(audit, &n, &diag));
    assert_ok(audit_each(audit, 0, n, note, &s, &diag));
    return s;
}

static void
refused_connections_are_recorded_within_the_room_of_their_address(void **state)
{
    (void)state;
    NEEDS_SPACE();
    rules("", "10.9.0.2,10.9.0.3", "", "");
    const int64_t began = clock_mono_ns();
    for (unsigned i = 0; i < 60; i++) {
        assert_false(admitted("10.9.0.2", SERVER_DATA));
    }
    assert_false(admitted("10.9.0.3", SERVER_DATA));
    /* Room for 40 at once, and for one more each second and a half. */
    const unsigned most = 40 + (unsigned)((clock_mono_ns() - began) * 40 / (60 * NS_PER_S));
    struct seen two = {0}, three = {0};
    const int64_t until = clock_mono_ns() + WAIT_NS;
    while ((two.count < 40 || three.count < 1) && clock_mono_ns() < until) {
        const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000}; /* a commit, not a time */
        (void)nanosleep(&pause, NULL);
        two = entries(it.dir, "network.connect", "10.9.0.2");
        three = entries(it.dir, "network.connect", "10.9.0.3");
    }
    assert_in_range(two.count, 40, most);
    assert_int_equal(three.count, 1);
    assert_text_has(three.last, "listeners/data");
    rules("", "", "", "");
}

/* ---- the program ---- */

static void
wait_for_text(const char *path, const char *text)
{
    const int64_t until = clock_mono_ns() + WAIT_NS;
    while (clock_mono_ns() < until) {
        const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};
        DEFER(buf_done) struct buf said = {0};
        if (file_exists(path)) {
            testing_read(path, &said);
        }
        if (said.len > 0 && strstr(buf_str(&said), text) != NULL) {
            return;
        }
        (void)nanosleep(&pause, NULL);
    }
    fail_msg("%s does not say %s", path, text);
}

static bool
program_admits(uint16_t port, const char *from)
{
    struct client c;
    const bool yes = client_open_between(from, "127.0.0.1", port, &c);
    client_close(&c);
    return yes;
}

static void
a_signal_puts_the_file_s_lists_into_force_and_a_wrong_file_changes_nothing(void **state)
{
    (void)state;
    NEEDS_SPACE();
    DEFER(testing_dirp) char *root = testing_dir();
    DEFER(file_freep)
    char *dir = file_join(root, "ws"), *log = file_join(root, "log"),
         *config = file_join(dir, "steward.yaml"), *port_file = file_join(root, "port");
    struct testing_run r;
    testing_steward(&r, "init", dir, NULL);
    assert_int_equal(r.exit_code, 0);
    testing_run_done(&r);
    testing_write(config, view_str("network:\n  data_allow: [10.9.0.0/16]\n"
                                   "  egress: [jwks a.example 443]\n"
                                   "  management_listen: 127.0.0.1:0\n"
                                   "  console_listen: 127.0.0.1:0\n"));
    char *argv[] = {(char *)(uintptr_t)testing_binary(),
                    (char *)(uintptr_t) "serve",
                    (char *)(uintptr_t) "--workspace",
                    dir,
                    (char *)(uintptr_t) "--listen",
                    (char *)(uintptr_t) "0.0.0.0:0",
                    (char *)(uintptr_t) "--port-file",
                    port_file,
                    NULL};
    const pid_t pid = testing_start(argv, log);
    wait_for_text(log, "serve.started");
    struct buf text;
    testing_read(port_file, &text);
    const uint16_t port = (uint16_t)atoi(buf_str(&text));
    buf_done(&text);
    assert_true(program_admits(port, NEAR4));
    assert_false(program_admits(port, FAR4));
    testing_write(config, view_str("network:\n  data_allow: [10.8.0.0/16]\n"
                                   "  egress: [jwks b.example 443, jwks c.example 443, "
                                   "transit d.example 443]\n"
                                   "limits:\n  rows: 7\n"));
    assert_int_equal(kill(pid, SIGHUP), 0);
    wait_for_text(log, "network.changed");
    assert_false(program_admits(port, NEAR4));
    assert_true(program_admits(port, FAR4));
    testing_write(config, view_str("network:\n  data_allow: [10.9.0.1/16]\n"));
    assert_int_equal(kill(pid, SIGHUP), 0);
    wait_for_text(log, "write 10.9.0.0/16 for that block");
    assert_true(program_admits(port, FAR4));
    assert_int_equal(testing_stop(pid), 0);
    testing_read(log, &text);
    assert_text_has(buf_str(&text), "key=limits.rows");
    assert_text_has(buf_str(&text), "key=network.management_listen");
    assert_null(strstr(buf_str(&text), "key=network.egress")); /* the fetcher has them */
    assert_text_has(buf_str(&text), "key=network.console_listen");
    buf_done(&text);
    /* Started with it, nothing is. */
    DEFER(testing_run_done) struct testing_run wrong = {0};
    testing_run(argv, &wrong);
    assert_int_equal(wrong.exit_code, 2);
    assert_text_has(buf_str(&wrong.err), "write 10.9.0.0/16 for that block");
    const struct seen started = entries(dir, "server.operate", NULL);
    assert_text_has(started.last, "server not started: ");
    assert_text_has(started.last, "steward.yaml line 2: network.data_allow: ");
    const struct seen changes = entries(dir, "network.configure", NULL);
    assert_int_equal(changes.count, 2);
    assert_text_has(changes.first, "egress 3; lists sha256 ");
    assert_text_has(changes.last, "nothing was changed");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allow_list_is_all_there_is),
        cmocka_unit_test(deny_beats_allow_whichever_is_narrower),
        cmocka_unit_test(each_listener_has_its_lists_its_routes_and_its_room),
        cmocka_unit_test(the_console_has_its_lists_and_its_room),
        cmocka_unit_test(a_change_ends_the_connections_that_it_denies_and_no_others),
        cmocka_unit_test(refused_connections_are_recorded_within_the_room_of_their_address),
        cmocka_unit_test(
            a_signal_puts_the_file_s_lists_into_force_and_a_wrong_file_changes_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
