/* The client of the Open Inference Protocol against right and hostile answers, over real sockets.
 * Against our own server: tests/cli/endpoint_test.c. */
#include "net/fake.h"

#include "net/oip_client.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define METADATA                                                                                   \
    "{\"name\":\"m\",\"inputs\":[{\"name\":\"a\",\"datatype\":\"FP64\",\"shape\":[-1]},"           \
    "{\"name\":\"b\",\"datatype\":\"BYTES\",\"shape\":[-1,1]},"                                    \
    "{\"name\":\"c\",\"datatype\":\"INT64\",\"shape\":[-1]}],"                                     \
    "\"outputs\":[{\"name\":\"label\",\"datatype\":\"BYTES\",\"shape\":[-1]},"                     \
    "{\"name\":\"p\",\"datatype\":\"FP32\",\"shape\":[-1]}]}"
#define MATRIX                                                                                     \
    "{\"name\":\"m\",\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1,2]}],"        \
    "\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP64\",\"shape\":[-1,2]}]}"

static const char *const levels[] = {"no\"", "yes"};
static const struct oip_column columns[] = {
    {"a", NULL, 0, false}, {"b", levels, 2, false}, {"c", NULL, 0, false}};

/* What the fake does: a canned answer to POST, or one made from the request. */
struct script {
    const char *metadata, *answer, *fields;
    int status;
    bool silent, by_rows;
    size_t most_rows; /* 413 past this; 0: none */
    _Atomic int busy; /* so many times 429 */
    _Atomic int posts;
    char body[4096], head[4096]; /* of the last POST */
};

static size_t
rows_asked(const char *body)
{
    const char *shape = strstr(body, "\"shape\":[");
    return shape == NULL ? 0 : (size_t)atol(shape + 9);
}

/* Row i is answered with i. */
static void
put_rows(struct buf *out, size_t rows)
{
    DEFER(buf_done) struct buf body;
    buf_init(&body, 1 << 20);
    buf_printf(&body,
               "{\"outputs\":[{\"name\":\"p\",\"datatype\":\"FP32\",\"shape\":[%zu],\"data\":[",
               rows);
    for (size_t i = 0; i < rows; i++) {
        buf_printf(&body, "%s%zu", i == 0 ? "" : ",", i);
    }
    buf_put_str(&body, "]}]}");
    fake_put(out, 200, "", buf_str(&body));
}

static void
play(void *ctx, const struct fake_request *q, struct buf *out)
{
    struct script *s = ctx;
    if (strcmp(q->method, "GET") == 0) {
        fake_put(out, 200, "", s->metadata);
        return;
    }
    s->posts++;
    (void)snprintf(s->body, sizeof s->body, "%s", q->body);
    (void)snprintf(s->head, sizeof s->head, "%.*s", (int)(q->body - q->head), q->head);
    const size_t rows = rows_asked(q->body);
    if (s->silent) {
        return;
    }
    if (s->busy > 0) {
        s->busy--;
        fake_put(out, 429, "Retry-After: 0\r\n", "{\"error\":\"slower\"}");
    } else if (s->most_rows > 0 && rows > s->most_rows) {
        fake_put(out, 413, "", "{\"error\":\"too many rows\"}");
    } else if (s->by_rows) {
        put_rows(out, rows);
    } else {
        fake_put(out, s->status == 0 ? 200 : s->status, s->fields == NULL ? "" : s->fields,
                 s->answer);
    }
}

static struct door *door;

/* This machine, any port, http too. */
static int
open_door(void **state)
{
    (void)state;
    struct egress *rules = egress_new();
    assert_ok(egress_add(rules, view_str("black-box 127.0.0.0/8 1-65535 http"), NULL));
    assert_ok(door_new(rules, NULL, &door));
    return 0;
}

static int
close_door(void **state)
{
    (void)state;
    door_free(door);
    return 0;
}

static struct oip_options
options(const struct fake *f, char ret_url[static 128])
{
    (void)snprintf(ret_url, 128, "http://127.0.0.1:%u/v2/models/m", fake_port(f));
    return (struct oip_options){.door = door,
                                .endpoint = ret_url,
                                .timeout_ns = (int64_t)20 * 1000000000,
                                .max_answer_bytes = 1 << 20,
                                .rows = 100};
}

#define GOOD "{\"outputs\":[{\"name\":\"p\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[0.25]}]}"

/* Opens, binds and asks about one row. */
static struct status
ask_one(struct script *s, struct diag *diag, double *ret_score)
{
    char url[128];
    const double row[] = {1.5, 0, 3};
    struct fake *f = fake_start(play, s);
    const struct oip_options o = options(f, url);
    struct oip_client *c = NULL;
    struct status st = oip_open(&o, diag, &c);
    if (status_ok(st)) {
        st = oip_use(c, columns, 3, NULL, row, diag);
    }
    if (status_ok(st)) {
        st = oip_predict(c, row, 1, diag, ret_score);
    }
    oip_close(c);
    fake_stop(f);
    return st;
}

/* ---- misuse ---- */

static void
refuses_addresses_that_are_none(void **state)
{
    (void)state;
    static const struct {
        const char *url, *says;
    } cases[] = {{"", "must begin"},
                 {"host", "must begin"},
                 {"ftp://h/v2/models/m", "must begin"},
                 {"https://h/v2/models/", "path must be"},
                 {"https://h/v2/models/m/", "path must be"},
                 {"https://h/v2/models/m/infer", "path must be"},
                 {"https://h/v1/models/m", "path must be"},
                 {"https://u:p@h/v2/models/m", "no place"},
                 {"https://h/v2/models/m?x=1", "no query"},
                 {"https://h/v2/models/m#f", "no place"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct diag diag = {0};
        struct oip_client *c = NULL;
        const struct oip_options o = {.door = door,
                                      .endpoint = cases[i].url,
                                      .timeout_ns = 1000000000,
                                      .max_answer_bytes = 1000,
                                      .rows = 1};
        assert_status(oip_open(&o, &diag, &c), INPUT);
        assert_says(&diag, cases[i].says);
    }
}

static void
refuses_what_the_door_does_not_allow(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "http://example.org/v2/models/m", "https://8.8.8.8/v2/models/m",
        "http://127.0.0.1.evil.org/v2/models/m", "https://[::1]/v2/models/m"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct diag diag = {0};
        struct oip_client *c = NULL;
        const struct oip_options o = {.door = door,
                                      .endpoint = cases[i],
                                      .timeout_ns = 1000000000,
                                      .max_answer_bytes = 1000,
                                      .rows = 1};
        assert_status(oip_open(&o, &diag, &c), DENIED);
        assert_says(&diag, "no line of network.egress allows it; \"black-box ");
    }
}

static void
nobody_there_is_told(void **state)
{
    (void)state;
    struct script s = {.metadata = METADATA, .answer = GOOD};
    struct fake *f = fake_start(play, &s);
    char url[128];
    const struct oip_options o = options(f, url);
    struct diag diag = {0};
    struct oip_client *c = NULL;
    fake_stop(f);
    assert_status(oip_open(&o, &diag, &c), IO);
    assert_says(&diag, url);
}

static void
a_key_with_a_line_break_is_refused(void **state)
{
    (void)state;
    DEFER(secret_done) struct secret key = {0};
    assert_ok(secret_from(view_str("sw_a\r\nHost: evil"), &key));
    const struct oip_options o = {.door = door,
                                  .endpoint = "http://127.0.0.1:1/v2/models/m",
                                  .key = &key,
                                  .timeout_ns = 1000000000,
                                  .max_answer_bytes = 1000,
                                  .rows = 1};
    struct diag diag = {0};
    struct oip_client *c = NULL;
    assert_status(oip_open(&o, &diag, &c), INPUT);
    assert_says(&diag, "one word");
}

static void
columns_that_do_not_fit_are_named(void **state)
{
    (void)state;
    DEFER(oip_metadata_done) struct oip_metadata m = {0};
    struct oip_binding b;
    struct diag diag = {0};
    assert_ok(oip_metadata_parse(view_str(METADATA), &diag, &m));
    assert_status(oip_bind(&m, columns, 2, NULL, &diag, &b), INPUT);
    assert_says(&diag, "3 inputs; 2 columns");
    struct oip_column wrong[] = {columns[0], columns[1], columns[2]};
    wrong[1].levels = NULL;
    assert_status(oip_bind(&m, wrong, 3, NULL, &diag, &b), INPUT);
    assert_says(&diag, "\"b\" is of numbers");
    wrong[1] = columns[1];
    wrong[2].name = "d";
    assert_status(oip_bind(&m, wrong, 3, NULL, &diag, &b), INPUT);
    assert_says(&diag, "\"c\"");
    assert_status(oip_bind(&m, columns, 3, "q", &diag, &b), INPUT);
    assert_says(&diag, "no output \"q\"");
    assert_status(oip_bind(&m, columns, 3, "label", &diag, &b), INPUT);
    assert_says(&diag, "numbers can be explained");
    assert_ok(oip_bind(&m, columns, 3, NULL, &diag, &b));
    assert_int_equal(b.output, 1);
    DEFER(buf_done) struct buf json;
    buf_init(&json, 1000);
    const double half[] = {1, 1, 0.5}, wild[] = {(double)INFINITY, 1, 2}, no_level[] = {1, 2, 3};
    assert_status(oip_put_request(&b, half, 1, &diag, &json), INPUT);
    assert_says(&diag, "0.5 cannot be sent as INT64");
    assert_status(oip_put_request(&b, wild, 1, &diag, &json), INPUT);
    assert_status(oip_put_request(&b, no_level, 1, &diag, &json), INPUT);
}

/* ---- hostile answers ---- */

static void
wrong_answers_are_refused(void **state)
{
    (void)state;
#define P "{\"outputs\":[{\"name\":\"p\",\"datatype\":\"FP32\","
    static const struct {
        const char *answer, *says;
    } cases[] = {
        {"", "answer"},
        {"nonsense", "answer"},
        {"[]", "not a JSON object"},
        {"{}", "without the output"},
        {"{\"outputs\":{}}", "without the output"},
        {"{\"outputs\":[{\"name\":\"q\",\"shape\":[1],\"data\":[1]}]}", "without the output"},
        {P "\"shape\":[2],\"data\":[1,2]}]}", "shape"},
        {P "\"shape\":[],\"data\":[1]}]}", "dimensions"},
        {P "\"shape\":[1,1,1,1,1,1,1,1,1],\"data\":[1]}]}", "dimensions"},
        {P "\"shape\":[1,99999999],\"data\":[1]}]}", "shape"},
        {P "\"shape\":[1,0],\"data\":[]}]}", "shape"},
        {P "\"shape\":[1,-1],\"data\":[1]}]}", "shape"},
        {P "\"shape\":[1.5],\"data\":[1]}]}", "whole numbers"},
        {P "\"shape\":[1,1,2],\"data\":[1,2]}]}", "shape"},
        {P "\"shape\":[1],\"data\":[]}]}", "fewer numbers"},
        {P "\"shape\":[1],\"data\":[1,2]}]}", "more numbers"},
        {P "\"shape\":[1],\"data\":\"abc\"}]}", "shape"},
        {P "\"shape\":[1],\"data\":[null]}]}", "row 1 of 1 has no number"},
        {P "\"shape\":[1],\"data\":[NaN]}]}", "answer"},
        {P "\"shape\":[1],\"data\":[1e999]}]}", "answer"},
        {P "\"shape\":[1],\"data\":[\"1\"]}]}", "no number"},
        {P "\"shape\":[1],\"data\":[[[[[[[[[[[1]]]]]]]]]]]}]}", "no number"},
    };
#undef P
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct script s = {.metadata = METADATA, .answer = cases[i].answer};
        struct diag diag = {0};
        double score = 0;
        const struct status st = ask_one(&s, &diag, &score);
        if (st.code != STATUS_IO || st.os != EPROTO) {
            print_error("%s\n", cases[i].answer);
        }
        assert_int_equal(st.code, STATUS_IO);
        assert_int_equal(st.os, EPROTO);
        assert_says(&diag, cases[i].says);
    }
}

static void
wrong_metadata_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "{}",
        "{\"inputs\":[],\"outputs\":[]}",
        "{\"inputs\":[1],\"outputs\":[1]}",
        "{\"inputs\":[{\"name\":\"a\",\"datatype\":\"FP64\"}],\"outputs\":[]}",
        "{\"inputs\":[{\"name\":\"a\",\"datatype\":\"FLOAT\",\"shape\":[-1]}],\"outputs\":[]}",
        "{\"inputs\":[{\"name\":\"a\",\"datatype\":\"FP64\",\"shape\":[-2]}],\"outputs\":[]}"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct script s = {.metadata = cases[i], .answer = GOOD};
        struct diag diag = {0};
        double score = 0;
        assert_int_equal(ask_one(&s, &diag, &score).code, STATUS_IO);
        assert_true(diag.text[0] != '\0');
    }
}

static void
refusals_keep_their_meaning(void **state)
{
    (void)state;
    static const struct {
        int status;
        int32_t code;
    } cases[] = {{400, STATUS_INPUT},     {401, STATUS_AUTH},  {403, STATUS_DENIED},
                 {404, STATUS_NOT_FOUND}, {413, STATUS_LIMIT}, {503, STATUS_BUSY},
                 {500, STATUS_IO},        {204, STATUS_IO},    {302, STATUS_IO}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct script s = {.metadata = METADATA,
                           .status = cases[i].status,
                           .fields = "Location: http://127.0.0.1:1/\r\nRetry-After: 3600\r\n",
                           .answer = "{\"error\":\"because\\u001b[31m\"}"};
        struct diag diag = {0};
        double score = 0;
        assert_int_equal(ask_one(&s, &diag, &score).code, cases[i].code);
        assert_int_equal(s.posts, 1);
        assert_says(&diag, cases[i].status == 204 ? "204" : "because?[31m");
    }
}

static void
a_long_answer_a_cut_one_and_silence_end_in_time(void **state)
{
    (void)state;
    char url[128];
    const double row[] = {1.5, 0, 3};
    struct script s = {.metadata = METADATA, .answer = GOOD};
    struct fake *f = fake_start(play, &s);
    struct oip_options o = options(f, url);
    struct diag diag = {0};
    DEFER(oip_closep) struct oip_client *c = NULL, *d = NULL, *e = NULL;
    assert_ok(oip_open(&o, &diag, &c));
    s.answer = "";
    s.fields = "Content-Length: 100000\r\n"; /* two lengths, and then fewer bytes */
    assert_status(oip_use(c, columns, 3, NULL, row, &diag), IO);
    s.fields = NULL;
    s.silent = true;
    o.timeout_ns = 200 * 1000000;
    assert_ok(oip_open(&o, &diag, &d));
    assert_status(oip_use(d, columns, 3, NULL, row, &diag), IO);
    assert_says(&diag, "timed out");
    s.silent = false;
    s.answer = METADATA;
    o.timeout_ns = (int64_t)20 * 1000000000;
    o.max_answer_bytes = strlen(METADATA) - 1;
    assert_status(oip_open(&o, &diag, &e), LIMIT);
    assert_says(&diag, "longer than");
    fake_stop(f);
}

/* ---- what is sent and read ---- */

static void
a_request_is_the_protocols(void **state)
{
    (void)state;
    struct script s = {.metadata = METADATA, .answer = GOOD};
    struct diag diag = {0};
    double score = 0;
    assert_ok(ask_one(&s, &diag, &score));
    assert_near(score, 0.25, 0);
    assert_string_equal(
        s.body, "{\"inputs\":[{\"name\":\"a\",\"datatype\":\"FP64\",\"shape\":[1],\"data\":[1.5]},"
                "{\"name\":\"b\",\"datatype\":\"BYTES\",\"shape\":[1,1],\"data\":[\"no\\\"\"]},"
                "{\"name\":\"c\",\"datatype\":\"INT64\",\"shape\":[1],\"data\":[3]}],"
                "\"outputs\":[{\"name\":\"p\"}]}");
    assert_text_has(s.head, "POST /v2/models/m/infer HTTP/1.1");
    assert_null(strcasestr(s.head, "authorization"));
}

static void
the_key_is_sent_and_the_environments_proxy_is_not_asked(void **state)
{
    (void)state;
    char url[128];
    const double row[] = {(double)NAN, 1, (double)NAN};
    DEFER(secret_done) struct secret key = {0};
    assert_ok(secret_from(view_str("sw_key"), &key));
    (void)setenv("http_proxy", "http://127.0.0.1:1", 1);
    (void)setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    struct script s = {.metadata = METADATA, .answer = GOOD};
    struct fake *f = fake_start(play, &s);
    struct oip_options o = options(f, url);
    o.key = &key;
    struct diag diag = {0};
    DEFER(oip_closep) struct oip_client *c = NULL;
    assert_ok(oip_open(&o, &diag, &c));
    assert_ok(oip_use(c, columns, 3, NULL, row, &diag));
    assert_text_has(s.head, "Authorization: Bearer sw_key\r\n");
    assert_text_has(s.body, "\"data\":[null]");
    (void)unsetenv("http_proxy");
    (void)unsetenv("ALL_PROXY");
    fake_stop(f);
}

static void
a_matrix_and_several_outputs_are_row_major(void **state)
{
    (void)state;
    const struct oip_column two[] = {{"u", NULL, 0, false}, {"v", levels, 2, true}};
    const double rows[] = {1, 0, 2, 1};
    DEFER(oip_metadata_done) struct oip_metadata m = {0};
    DEFER(buf_done) struct buf json;
    struct oip_binding b;
    struct diag diag = {0};
    double score[4];
    buf_init(&json, 1000);
    assert_ok(oip_metadata_parse(view_str(MATRIX), &diag, &m));
    assert_ok(oip_bind(&m, two, 2, NULL, &diag, &b));
    assert_true(b.matrix);
    assert_ok(oip_put_request(&b, rows, 2, &diag, &json));
    assert_string_equal(buf_str(&json),
                        "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[2,2],"
                        "\"data\":[1,0,2,1]}],\"outputs\":[{\"name\":\"y\"}]}");
    const char *nested = "{\"outputs\":[{\"name\":\"y\",\"shape\":[2,2],\"data\":[[1,2],[3,4]]}]}";
    assert_ok(oip_answer_width(&b, view_str(nested), 2, &diag, &b.width));
    assert_int_equal(b.width, 2);
    assert_ok(oip_answer_parse(&b, view_str(nested), 2, &diag, score));
    assert_true(score[0] == 1 && score[1] == 2 && score[2] == 3 && score[3] == 4);
    const char *narrow = "{\"outputs\":[{\"name\":\"y\",\"shape\":[2],\"data\":[1,2]}]}";
    assert_status(oip_answer_parse(&b, view_str(narrow), 2, &diag, score), IO);
    assert_says(&diag, "another number");
    assert_status(oip_bind(&m, columns, 3, NULL, &diag, &b), INPUT); /* three into two */
}

static void
a_batch_too_large_is_halved_and_a_busy_endpoint_asked_again(void **state)
{
    (void)state;
    char url[128];
    static double rows[250 * 3];
    double score[250];
    struct script s = {.metadata = METADATA, .by_rows = true, .most_rows = 30, .busy = 2};
    struct fake *f = fake_start(play, &s);
    const struct oip_options o = options(f, url);
    struct diag diag = {0};
    DEFER(oip_closep) struct oip_client *c = NULL;
    assert_ok(oip_open(&o, &diag, &c));
    assert_ok(oip_use(c, columns, 3, NULL, rows, &diag));
    assert_int_equal(oip_width(c), 1);
    assert_int_equal(s.posts, 3); /* busy, busy, answered */
    assert_ok(oip_predict(c, rows, 250, &diag, score));
    assert_int_equal(s.posts, 3 + 2 + 10); /* 100, 50, then tens of 25 */
    for (size_t i = 0; i < 250; i++) {
        assert_near(score[i], (double)(i % 25), 0);
    }
    s.busy = 100;
    assert_status(oip_predict(c, rows, 1, &diag, score), BUSY);
    assert_int_equal(s.busy, 100 - (int)OIP_TRIES);
    uint64_t requests = 0, sent = 0;
    oip_told(c, &requests, &sent);
    assert_true(requests == 1 + 15 + OIP_TRIES && sent == 251);
    fake_stop(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_addresses_that_are_none),
        cmocka_unit_test(refuses_what_the_door_does_not_allow),
        cmocka_unit_test(nobody_there_is_told),
        cmocka_unit_test(a_key_with_a_line_break_is_refused),
        cmocka_unit_test(columns_that_do_not_fit_are_named),
        cmocka_unit_test(wrong_answers_are_refused),
        cmocka_unit_test(wrong_metadata_is_refused),
        cmocka_unit_test(refusals_keep_their_meaning),
        cmocka_unit_test(a_long_answer_a_cut_one_and_silence_end_in_time),
        cmocka_unit_test(a_request_is_the_protocols),
        cmocka_unit_test(the_key_is_sent_and_the_environments_proxy_is_not_asked),
        cmocka_unit_test(a_matrix_and_several_outputs_are_row_major),
        cmocka_unit_test(a_batch_too_large_is_halved_and_a_busy_endpoint_asked_again),
    };
    return cmocka_run_group_tests(tests, open_door, close_door);
}
