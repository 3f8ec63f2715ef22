#include "testing/testing.h"

#include "base/file.h"
#include "cli/config.h"

#include <stdlib.h>
#include <string.h>

static struct status
parse(const char *yaml, struct diag *diag, struct config *config)
{
    *diag = (struct diag){0};
    config_defaults(config);
    return config_parse(view_str(yaml), "steward.yaml", diag, config);
}

/* Each text is refused as input, says that, and leaves the configuration as it was. */
struct refusal {
    const char *yaml, *says;
};

static void
check_refusals(const struct refusal *r, size_t n)
{
    struct config before, config;
    struct diag diag;
    config_defaults(&before);
    for (size_t i = 0; i < n; i++) {
        assert_status(parse(r[i].yaml, &diag, &config), INPUT);
        assert_says(&diag, r[i].says);
        assert_memory_equal(&before, &config, sizeof config);
    }
}
#define CHECK_REFUSALS(LIST) check_refusals(LIST, sizeof(LIST) / sizeof *(LIST))

static void
refuses_wrong_keys_with_line_and_the_nearest_right_one(void **state)
{
    (void)state;
    static const struct refusal list[] = {
        {"listen:\n  adress: 127.0.0.1\n",
         "steward.yaml line 2: listen has no key \"adress\"; did you mean \"address\"?"},
        {"\n\nlimit:\n  rows: 1\n",
         "steward.yaml line 3: the configuration has no key \"limit\"; did you mean \"limits\"?"},
        {"limits:\n  rows: 1\n  zzzzzzzzzzzz: 1\n",
         "steward.yaml line 3: limits has no key \"zzzzzzzzzzzz\""},
        {"limits:\n  address: 127.0.0.1\n", "line 2: limits has no key \"address\""},
        {"limits:\n  \"ro\\x1b[31mws\": 1\n", "limits has no key \"ro?[31mws\""},
    };
    CHECK_REFUSALS(list);
}

static void
takes_receivers_of_the_log_as_they_are_written(void **state)
{
    (void)state;
    static const struct refusal list[] = {
        {"audit:\n  export: [\"Siem syslog://a:1\"]\n", "line 2: audit.export: a receiver's name"},
        {"audit:\n  export: [siem]\n", "there is no kind of receiver but"},
        {"audit:\n  export: [\"siem http://a:1\"]\n", "there is no kind of receiver but"},
        {"audit:\n  export: [\"page https://a/x\"]\n", "a webhook needs a secret-file"},
        {"audit:\n  export: [\"page https:// secret-file=/s\"]\n", "a host and a path"},
        {"audit:\n  export: [\"page https://me@a/x secret-file=/s\"]\n", "audit.export: "},
        {"audit:\n  export: [\"page https://a/x cef secret-file=/s\"]\n", "a webhook gets JSON"},
        {"audit:\n  export: [\"siem syslog://a:1 secret-file=/s\"]\n", "FORMAT is jsonl"},
        {"audit:\n  export: [\"siem syslog://a:1 only=some\"]\n", "only= is followed by alerts"},
        {"audit:\n  export: [\"siem syslog://a\"]\n", "a host, a colon and a port"},
        {"audit:\n  export: [\"siem syslog://a:1/x\"]\n", "a host, a colon and a port"},
        {"audit:\n  export: [\"siem syslog://a:99999\"]\n", "audit.export: "},
        {"audit:\n  export: [\"siem syslog://me@a:1\"]\n", "audit.export: "},
        {"audit:\n  export: [\"siem syslog://a:1 xml\"]\n",
         "FORMAT is jsonl, ocsf, cef or cloudevents"},
        {"audit:\n  export: [\"siem syslog://a:1 ca-file=\"]\n", "ca-file= without a path"},
        {"audit:\n  export: [\"siem syslog://a:1,b:1\"]\n", "a host, a colon and a port"},
        {"audit:\n  export: [\"k kafka://a:1\"]\n", "a slash and the topic"},
        {"audit:\n  export: [\"k kafka://a:1/..\"]\n", "a slash and the topic"},
        {"audit:\n  export: [\"k kafka://a:1/t/u\"]\n", "a slash and the topic"},
        {"audit:\n  export: [\"k kafka:///t\"]\n", "a host, a colon and a port"},
        {"audit:\n  export: [\"k kafka://a:1,/t\"]\n", "a host, a colon and a port"},
        {"audit:\n  export: [\"k kafka://a:1,b:x/t\"]\n", "audit.export: "},
        {"audit:\n  export: [\"siem syslog://a:1 ca-file=/a b\"]\n", "FORMAT is jsonl"},
        {"audit:\n  export:\n    - a syslog://a:1\n    - a syslog://b:1\n",
         "line 4: audit.export: two receivers named a"},
        {"audit:\n  export: [a syslog://a:1, b syslog://a:1, c syslog://a:1, d syslog://a:1,\n"
         "    e syslog://a:1, f syslog://a:1, g syslog://a:1, h syslog://a:1, i syslog://a:1]\n",
         "more than 8 receivers"},
    };
    struct config config;
    struct diag diag = {0};
    struct receiver r[RECEIVERS];
    CHECK_REFUSALS(list);
    config_defaults(&config);
    assert_ok(config_parse(view_str("audit:\n  export:\n    - siem syslog://[::1]:6514\n"
                                    "    - \"lake  syslog://l.example:1 ocsf ca-file=/a\"\n"
                                    "    - k kafka-plain://a:1,[::1]:2/T.1\n"
                                    "    - page https://a/x,y?z=1 secret-file=/s ocsf\n"
                                    "    - few syslog://a:1 only=alerts\n"),
                           "steward.yaml", &diag, &config));
    assert_int_equal(config_receivers(&config, r), 5);
    assert_true(!r[0].alerts_only && r[3].alerts_only && r[4].alerts_only);
    assert_int_equal(r[3].kind, RECEIVER_WEBHOOK);
    assert_int_equal(r[3].format, EXPORT_OCSF);
    assert_string_equal(r[3].hosts, "a/x,y?z=1");
    assert_string_equal(r[3].secret_file, "/s");
    assert_int_equal(r[2].kind, RECEIVER_KAFKA_PLAIN);
    assert_int_equal(r[2].format, EXPORT_JSONL);
    assert_string_equal(r[2].hosts, "a:1,[::1]:2");
    assert_string_equal(r[2].topic, "T.1");
    assert_string_equal(r[0].name, "siem");
    assert_string_equal(r[0].hosts, "[::1]:6514");
    assert_int_equal(r[0].format, EXPORT_CEF);
    assert_string_equal(r[0].ca_file, "");
    assert_string_equal(r[1].hosts, "l.example:1");
    assert_int_equal(r[1].format, EXPORT_OCSF);
    assert_string_equal(r[1].ca_file, "/a");
}

static void
refuses_values_that_are_not_of_the_key_s_form(void **state)
{
    (void)state;
    static const struct refusal list[] = {
        {"listen:\n  port: https\n", "line 2: listen.port: \"https\": a whole number is needed"},
        {"listen:\n  port: 1.5\n", "a whole number is needed"},
        {"listen:\n  port: -1\n", "a whole number is needed"},
        {"listen:\n  port: ' 1'\n", "a whole number is needed"},
        {"listen:\n  port:\n", "listen.port: \"\": a whole number is needed"},
        {"listen:\n  address: localhost\n", "\"localhost\": an IPv4 or IPv6 address is needed"},
        {"listen:\n  address: 127.0.0.1:8443\n", "an IPv4 or IPv6 address is needed"},
        {"listen:\n  address: \"127.0.0.1\\0x\"\n", "an IPv4 or IPv6 address is needed"},
        {"listen:\n  address: ''\n", "an IPv4 or IPv6 address is needed"},
        {"limits:\n  body_bytes: 16 MB\n", "a size is needed, such as 64KiB or 16MiB"},
        {"limits:\n  body_bytes: 10s\n", "a size is needed"},
        {"limits:\n  idle: 60\n", "a duration is needed, such as 500ms, 10s or 5m"},
        {"limits:\n  idle: 60KiB\n", "a duration is needed"},
        {"limits:\n  rows: [1]\n", "line 2: a list has no place here"},
        {"log:\n  level: loud\n", "it must be error, warn, info or debug"},
    };
    CHECK_REFUSALS(list);
}

static void
refuses_lists_with_wrong_items_and_tells_the_item_s_line(void **state)
{
    (void)state;
    static const struct refusal list[] = {
        {"network:\n  egress: jwks a.example 443\n", "network.egress is a list: each item"},
        {"network:\n  egress:\n    - jwks a.example 443\n    - jwk b.example 443\n",
         "line 4: network.egress: \"jwk\" is no purpose"},
        {"network:\n  egress: [[jwks a.example 443]]\n", "a list has no place here"},
        {"network:\n  egress:\n    - a: b\n", "nested deeper"},
        {"network:\n  egress: &a []\n", "anchors and tags are not used here"},
        {"network:\n  egress: []\n  egress: []\n", "line 3: this key stands twice"},
        {"network: [egress]\n", "a list has no place here"},
        {"network:\n  egress: [jwks 10.0.0.1/8 443]\n", "write 10.0.0.0/8"},
    };
    CHECK_REFUSALS(list);
    DEFER(buf_done) struct buf yaml;
    struct config config;
    struct diag diag;
    buf_init(&yaml, 1 << 20);
    buf_put_str(&yaml, "network:\n  egress:\n");
    for (unsigned i = 0; i < 2000; i++) {
        buf_printf(&yaml, "    - jwks host-%u.example 443\n", i);
    }
    assert_status(parse(buf_str(&yaml), &diag, &config), INPUT);
    assert_says(&diag, "longer than 32768 bytes");
}

static void
refuses_values_out_of_range_and_tells_the_range(void **state)
{
    (void)state;
    static const struct refusal list[] = {
        {"listen:\n  port: 65536\n", "\"65536\": it must be from 0 to 65535"},
        {"listen:\n  port: 18446744073709551616\n", "a whole number is needed"},
        {"limits:\n  header_bytes: 1023\n", "it must be from 1KiB to 1MiB"},
        {"limits:\n  header_bytes: 1048577\n", "it must be from 1KiB to 1MiB"},
        {"limits:\n  body_bytes: 2GiB\n", "it must be from 1KiB to 1GiB"},
        {"limits:\n  rows: 0\n", "it must be from 1 to 10000000"},
        {"limits:\n  idle: 9ms\n", "it must be from 10ms to 1h"},
        {"limits:\n  idle: 61m\n", "it must be from 10ms to 1h"},
        {"server:\n  grace: 2h\n", "it must be from 0s to 1h"},
        {"server:\n  loops: 65\n", "it must be from 0 to 64"},
        {"analysis:\n  threads: 4294967297\n", "it must be from 0 to 1024"},
    };
    CHECK_REFUSALS(list);
}

static void
refuses_what_yaml_has_and_a_configuration_has_not(void **state)
{
    (void)state;
    static const struct refusal list[] = {
        {"listen:\n  port: 1\n  port: 2\n", "line 3: this key stands twice"},
        {"listen:\n  port: 1\nlisten:\n  address: ::1\n", "line 3: this section stands twice"},
        {"listen: &a\n  port: 1\n", "anchors and tags are not used here"},
        {"listen:\n  port: &a 1\n", "anchors and tags are not used here"},
        {"listen:\n  port: *a\n", "aliases are not used here"},
        {"listen:\n  port: !!int 1\n", "anchors and tags are not used here"},
        {"listen: !!map\n  port: 1\n", "anchors and tags are not used here"},
        {"!!python/object:os.system {}\n", "anchors and tags are not used here"},
        {"listen:\n  <<: {port: 1}\n", "listen has no key \"<<\""},
        {"listen:\n  port:\n    deep: 1\n", "line 3: nested deeper than section and key"},
        {"? {a: b}\n: c\n", "nested deeper than section and key"},
        {"- listen\n", "a list has no place here"},
        {"listen\n", "sections with keys are needed"},
        {"listen: 8443\n", "a section holds keys, each on its own line"},
        {"listen:\n  port: 1\n---\nlog:\n  level: info\n", "line 3: a second document"},
        {"listen:\n\tport: 1\n", "line 2: "},
        {"listen: {port: 1\n", "line 2: "},
        {"listen:\n port: 1\n  address: ::1\n", "line 2: listen.port: \"1 address"},
    };
    CHECK_REFUSALS(list);
}

static void
refuses_bytes_that_are_no_text_and_names_their_line(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *says;
    } list[] = {
        {"listen:\n  port: 1\0\n", 19, "line 2: control characters are not allowed"},
        {"listen:\n  # \xff\n", 14, "line 2: invalid leading UTF-8 octet"},
        {"listen:\n\n  # \xc3(\n", 16, "line 3: invalid trailing UTF-8 octet"},
        {"\xff\xfel\0i\0s\0", 8, "line 1: "}, /* UTF-16 with its mark */
        {"\x7f"
         "ELF\x02\x01\x01\0\0\0",
         10, "line 1: control characters are not allowed"},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        struct config config;
        struct diag diag = {0};
        config_defaults(&config);
        assert_status(config_parse(view_of(list[i].bytes, list[i].len), "c", &diag, &config),
                      INPUT);
        assert_says(&diag, list[i].says);
    }
}

/* Each of these would cost gigabytes or minutes, or the stack, in a loader that builds a tree. */
static void
refuses_a_billion_laughs_and_a_million_brackets(void **state)
{
    (void)state;
    struct config config;
    struct diag diag;
    assert_status(parse("a: &a [lol,lol]\nb: &b [*a,*a]\nc: [*b,*b]\n", &diag, &config), INPUT);
    static const char *const units[] = {"[", "{", "- ", "? ", "a: {"};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        DEFER(buf_done) struct buf text;
        buf_init(&text, 1u << 20);
        buf_put_str(&text, i % 2 == 0 ? "listen: " : "listen:\n  port: ");
        while (text.len < (900u << 10)) {
            buf_put_str(&text, units[i]);
        }
        config_defaults(&config);
        assert_status(config_parse(buf_view(&text), "c", &diag, &config), INPUT);
    }
}

static void
refuses_a_file_of_ten_megabytes_and_one_that_is_absent(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    char path[512];
    struct config config;
    struct diag diag = {0};
    DEFER(buf_done) struct buf text;
    buf_init(&text, 11u << 20);
    while (text.len < (10u << 20)) {
        buf_put_str(&text, "# nothing, but a lot of it, in a comment that goes on and on and on\n");
    }
    (void)snprintf(path, sizeof path, "%s/c.yaml", dir);
    testing_write(path, buf_view(&text));
    config_defaults(&config);
    assert_status(config_load(path, &diag, &config), LIMIT);
    assert_says(&diag, "c.yaml: longer than 1048576 bytes");
    (void)snprintf(path, sizeof path, "%s/absent.yaml", dir);
    assert_status(config_load(path, &diag, &config), NOT_FOUND);
    assert_says(&diag, "absent.yaml: No such file");
}

static void
reads_a_value_of_each_form(void **state)
{
    (void)state;
    struct config c;
    struct diag diag;
    assert_ok(parse("listen: {address: \"::1\", port: 0}\n"
                    "limits:\n  body_bytes: 1GiB\n  rows: 7\n  idle: 1500ms\n  header: 1h\n"
                    "server:\n  grace: 0s\n"
                    "log:\n  level: debug # loud\n",
                    &diag, &c));
    assert_string_equal(c.listen_address, "::1");
    assert_int_equal(c.listen_port, 0);
    assert_int_equal(c.server.http.limits.body_bytes, 1 << 30);
    assert_int_equal(c.server.max_rows, 7);
    assert_int_equal(c.server.http.limits.idle_ns, 1500000000);
    assert_int_equal(c.server.http.limits.header_ns, INT64_C(3600000000000));
    assert_int_equal(c.server.grace_ns, 0);
    assert_int_equal(c.log_level, 3);
    assert_int_equal(c.server.http.limits.header_count, 64); /* not named: the default */
}

static void
reads_emptiness_as_the_defaults(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "\n",
                                        "# only a comment",
                                        "---\n",
                                        "--- {}\n...\n",
                                        "\xef\xbb\xbflisten:\n",
                                        "listen:\nlimits:\n\nlog: {}\r\n"};
    struct config defaults, config;
    struct diag diag;
    config_defaults(&defaults);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_ok(parse(texts[i], &diag, &config));
        assert_memory_equal(&defaults, &config, sizeof config);
    }
}

static void
the_example_file_is_the_table_byte_for_byte_and_reads_as_the_defaults(void **state)
{
    (void)state;
    DEFER(file_freep) char *path = testing_source("steward.example.yaml");
    struct config defaults, config;
    struct diag diag = {0};
    DEFER(buf_done) struct buf file;
    DEFER(buf_done) struct buf made;
    testing_read(path, &file);
    buf_init(&made, 1u << 20);
    config_put_example(&made);
    assert_true(view_equal(buf_view(&file), buf_view(&made)));
    config_defaults(&defaults);
    assert_ok(parse(buf_str(&file), &diag, &config));
    assert_memory_equal(&defaults, &config, sizeof config);
}

static void
what_is_shown_reads_back_as_the_same(void **state)
{
    (void)state;
    struct config c, again;
    struct diag diag;
    DEFER(js_freep) json_t *rows = NULL;
    DEFER(buf_done) struct buf yaml;
    buf_init(&yaml, 65536);
    assert_ok(parse("listen: {address: \"::\", port: 9}\nlimits: {body_bytes: 1025, idle: 90s, "
                    "header: 1500ms}\nnetwork: {egress: [\"jwks a.example 443\", jwks b.example "
                    "1]}\nlog: {level: warn}\n",
                    &diag, &c));
    assert_ok(config_to_json(&c, &rows));
    size_t i;
    json_t *row;
    char section[64] = "";
    json_array_foreach(rows, i, row)
    {
        const char *key = json_string_value(json_object_get(row, "key")), *dot = strchr(key, '.');
        if (strncmp(section, key, (size_t)(dot - key)) != 0) {
            (void)snprintf(section, sizeof section, "%.*s", (int)(dot - key), key);
            buf_printf(&yaml, "%s:\n", section);
        }
        const char *value = json_string_value(json_object_get(row, "value"));
        buf_printf(&yaml, *value == '[' ? "  %s: %s\n" : "  %s: \"%s\"\n", dot + 1, value);
    }
    assert_ok(parse(buf_str(&yaml), &diag, &again));
    assert_memory_equal(&c, &again, sizeof c);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_wrong_keys_with_line_and_the_nearest_right_one),
        cmocka_unit_test(takes_receivers_of_the_log_as_they_are_written),
        cmocka_unit_test(refuses_values_that_are_not_of_the_key_s_form),
        cmocka_unit_test(refuses_lists_with_wrong_items_and_tells_the_item_s_line),
        cmocka_unit_test(refuses_values_out_of_range_and_tells_the_range),
        cmocka_unit_test(refuses_what_yaml_has_and_a_configuration_has_not),
        cmocka_unit_test(refuses_bytes_that_are_no_text_and_names_their_line),
        cmocka_unit_test(refuses_a_billion_laughs_and_a_million_brackets),
        cmocka_unit_test(refuses_a_file_of_ten_megabytes_and_one_that_is_absent),
        cmocka_unit_test(reads_a_value_of_each_form),
        cmocka_unit_test(reads_emptiness_as_the_defaults),
        cmocka_unit_test(the_example_file_is_the_table_byte_for_byte_and_reads_as_the_defaults),
        cmocka_unit_test(what_is_shown_reads_back_as_the_same),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
