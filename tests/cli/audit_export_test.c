/* audit export through the program: to a file that was cut off, and to a receiver of syslog over
 * TLS (GnuTLS, a certificate made here) that takes half of a batch and goes away. */
#include "cli/run.h"

#include "base/text.h"
#include "net/syslog.h"

static void
allow(struct room *m, const char *rules)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 16);
    buf_printf(&text, "network:\n  egress: [%s]\n", rules);
    testing_write(in(m, "w/steward.yaml"), buf_view(&text));
}

static void
a_receiver_that_goes_away_gets_all_of_it_again_in_order(void **state)
{
    struct room *m = *state;
    char to[64], rule[64], ca[600];
    int64_t index[256];
    for (int i = 0; i < 12; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "desk-%d", i);
        RUN(m, 0, "principal", "add", name, "--role", "caller");
    }
    struct syslog *receiver = syslog_new(in(m, "ca.pem"));
    syslog_start(receiver, 2500, false);
    (void)snprintf(to, sizeof to, "127.0.0.1:%u", syslog_port(receiver));
    (void)snprintf(rule, sizeof rule, "\"export 127.0.0.1 %u\"", syslog_port(receiver));
    (void)snprintf(ca, sizeof ca, "%s", in(m, "ca.pem"));
    /* Not without a rule; nothing is sent, and nothing counts as sent. */
    allow(m, "");
    RUN(m, 3, "audit", "export", "--to", to, "--ca", ca, "--destination", "siem");
    ERR_HAS(m, "no line of network.egress allows it");
    allow(m, rule);
    /* Its certificate is of nobody whom the system trusts. */
    RUN(m, 3, "audit", "export", "--to", to, "--destination", "siem");
    assert_int_equal(syslog_connections(receiver), 0);
    /* Half of it is taken: the run fails, and nothing of it counts. */
    RUN(m, 1, "audit", "export", "--to", to, "--ca", ca, "--destination", "siem");
    ERR_HAS(m, "127.0.0.1");
    assert_false(file_exists(in(m, "w/audit/export/siem")));
    RUN(m, 0, "audit", "export", "--to", to, "--ca", ca, "--destination", "siem");
    assert_true(file_exists(in(m, "w/audit/export/siem")));
    syslog_stop(receiver);
    assert_int_equal(syslog_connections(receiver), 2);
    const size_t half = syslog_read(receiver, 0, index, 256);
    assert_true(half > 0 && half < 12);
    assert_true(syslog_whole(receiver) > 24);
    /* The second began at the first entry again. */
    assert_true(syslog_read(receiver, 1, index, 256) > 24);
    assert_int_equal(index[0], 0);
    syslog_free(receiver);
}

static void
a_file_that_was_cut_off_goes_on_whole(void **state)
{
    struct room *m = *state;
    char out[600];
    DEFER(buf_done) struct buf first;
    DEFER(buf_done) struct buf cut;
    DEFER(buf_done) struct buf again;
    buf_init(&cut, 1u << 20);
    (void)snprintf(out, sizeof out, "%s", in(m, "events"));
    RUN(m, 2, "audit", "export", "--destination", "siem");
    ERR_HAS(m, "--destination needs --output FILE or --to");
    RUN(m, 0, "audit", "export", "--destination", "siem", "--output", out);
    testing_read(out, &first);
    buf_put(&cut, buf_view(&first));
    buf_put_str(&cut, "{\"index\":2,\"lo"); /* as a run that was killed leaves it */
    testing_write(out, buf_view(&cut));
    RUN(m, 0, "principal", "add", "later", "--role", "caller");
    RUN(m, 0, "audit", "export", "--destination", "siem", "--output", out);
    testing_read(out, &again);
    assert_memory_equal(again.ptr, first.ptr, first.len);
    json_int_t next = 0;
    for (const char *at = buf_str(&again); *at != '\0'; at = strchr(at, '\n') + 1) {
        DEFER(js_freep) json_t *o = NULL;
        assert_ok(js_parse(text_first_line(view_str(at)), "event", NULL, &o));
        assert_int_equal(json_integer_value(json_object_get(o, "index")), next++);
    }
    assert_true(next > 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_that_was_cut_off_goes_on_whole, room_with_workspace,
                                        room_done),
        cmocka_unit_test_setup_teardown(a_receiver_that_goes_away_gets_all_of_it_again_in_order,
                                        room_with_workspace, room_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
