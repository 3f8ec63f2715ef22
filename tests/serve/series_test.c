#include "testing/testing.h"

#include "serve/series.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the text format 0.0.4, read strictly ---- */

struct sample {
    char name[96], labels[256];
    double value;
};

/* A label's value has no quote, backslash or line break in it here, so none is escaped. */
static const char *
read_labels(const char *at, char ret_labels[static 256])
{
    const char *from = at;
    if (*at != '{') {
        *ret_labels = '\0';
        return at;
    }
    do {
        at++;
        const size_t name = strspn(at, "abcdefghijklmnopqrstuvwxyz_");
        assert_true(name > 0 && at[name] == '=' && at[name + 1] == '"');
        at += name + 2;
        at += strcspn(at, "\"\\\n");
        assert_int_equal(*at++, '"');
    } while (*at == ',');
    assert_int_equal(*at++, '}');
    assert_true(at - from < 256);
    memcpy(ret_labels, from, (size_t)(at - from));
    ret_labels[at - from] = '\0';
    return at;
}

static const char *
read_sample(const char *line, struct sample *ret_sample)
{
    char *end = NULL;
    const size_t n = strspn(line, "abcdefghijklmnopqrstuvwxyz_");
    assert_true(n > 0 && n < sizeof ret_sample->name);
    memcpy(ret_sample->name, line, n);
    ret_sample->name[n] = '\0';
    const char *at = read_labels(line + n, ret_sample->labels);
    assert_int_equal(*at++, ' ');
    ret_sample->value = strtod(at, &end);
    assert_true(end > at && *end == '\n' && ret_sample->value >= 0);
    return end + 1;
}

struct family {
    char name[96], type[16];
};

static bool
belongs(const struct family *f, const char *name)
{
    static const char *const histogram[] = {"_bucket", "_sum", "_count"};
    const size_t n = strlen(f->name);
    bool yes = strcmp(f->type, "histogram") != 0 && strcmp(name, f->name) == 0;
    for (size_t i = 0; i < 3 && strcmp(f->type, "histogram") == 0; i++) {
        yes = yes || (strncmp(name, f->name, n) == 0 && strcmp(name + n, histogram[i]) == 0);
    }
    return yes;
}

/* HELP, TYPE, and then the samples of that family, which comes once; a bucket is no less than the
 * one before it, and the last is the count. Gives the value of one sample, -1: there is none. */
static double
value_of(const char *text, const char *name, const char *labels)
{
    char seen[4096] = "";
    struct family f = {0};
    struct sample s = {0}, before = {0};
    double found = -1;
    while (*text != '\0') {
        if (*text == '#') {
            char help[98];
            assert_int_equal(sscanf(text, "# HELP %95[a-z_] ", help), 1);
            text = strchr(text, '\n') + 1;
            assert_int_equal(sscanf(text, "# TYPE %95[a-z_] %15[a-z]\n", f.name, f.type), 2);
            assert_string_equal(help, f.name);
            text = strchr(text, '\n') + 1;
            (void)strcat(help, " ");
            assert_null(strstr(seen, help));
            assert_true(strlen(seen) + strlen(help) < sizeof seen);
            (void)strcat(seen, help);
            assert_int_equal(strcmp(f.type, "counter") == 0,
                             strlen(f.name) > 6 &&
                                 strcmp(f.name + strlen(f.name) - 6, "_total") == 0);
            continue;
        }
        before = s;
        text = read_sample(text, &s);
        assert_true(belongs(&f, s.name));
        if (strstr(s.name, "_bucket") != NULL && strstr(s.labels, "le=\"0.0001\"") == NULL) {
            assert_true(s.value >= before.value);
        }
        if (strstr(s.name, "_seconds_count") != NULL) {
            assert_true(s.value > 0);
        }
        if (strcmp(s.name, name) == 0 && strcmp(s.labels, labels) == 0) {
            assert_true(found < 0); /* once */
            found = s.value;
        }
    }
    return found;
}

static double
told(struct series *s, const char *name, const char *labels)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 16u << 20);
    series_put(s, &text);
    assert_ok(buf_status(&text));
    return value_of(buf_str(&text), name, labels);
}

/* ---- */

static void
calls_rows_and_durations_are_those_of_their_triple(void **state)
{
    (void)state;
    static const char desk[] = "{model=\"loans\",version=\"2\",principal=\"desk\"}";
    struct series *s = series_new();
    assert_non_null(s);
    assert_near(told(s, "steward_inference_series", ""), 0, 0);
    for (int i = 0; i < 5; i++) {
        series_note(s, &(struct series_call){.principal = "desk",
                                             .model = "loans",
                                             .version = 2,
                                             .outcome = SERIES_SUCCESS,
                                             .rows = 7,
                                             .duration_ns = 250 * 1000});
    }
    series_note(s, &(struct series_call){"desk", "loans", 2, SERIES_ERROR, 0, 250 * 1000 + 1});
    series_note(s, &(struct series_call){"desk", "loans", 3, SERIES_SUCCESS, 100, 1});
    series_note(s, &(struct series_call){"", "", 0, SERIES_REFUSED, 0, INT64_C(11) * 1000000000});
    assert_near(told(s, "steward_inference_request_success_total", desk), 5, 0);
    assert_near(told(s, "steward_inference_count_total", desk), 35, 0);
    assert_near(told(s, "steward_inference_request_failure_total",
                     "{model=\"loans\",version=\"2\",principal=\"desk\",reason=\"error\"}"),
                1, 0);
    assert_near(told(s, "steward_inference_request_failure_total",
                     "{model=\"\",version=\"\",principal=\"\",reason=\"refused\"}"),
                1, 0);
    assert_near(told(s, "steward_inference_request_duration_seconds_bucket",
                     "{model=\"loans\",version=\"2\",principal=\"desk\",le=\"0.00025\"}"),
                5, 0);
    assert_near(told(s, "steward_inference_request_duration_seconds_bucket",
                     "{model=\"loans\",version=\"2\",principal=\"desk\",le=\"0.0005\"}"),
                6, 0);
    assert_near(told(s, "steward_inference_request_duration_seconds_bucket",
                     "{model=\"\",version=\"\",principal=\"\",le=\"10\"}"),
                0, 0);
    assert_near(told(s, "steward_inference_request_duration_seconds_count", desk), 6, 0);
    assert_near(told(s, "steward_inference_request_duration_seconds_sum", desk), 0.001500001, 1e-9);
    assert_near(told(s, "steward_inference_series", ""), 3, 0);
    series_free(s);
}

static void
tokens_are_told_of_those_that_count_them(void **state)
{
    (void)state;
    struct series *s = series_new();
    const struct series_call row = {"desk", "loans", 2, SERIES_SUCCESS, 1, 1000, 0, 0},
                             text = {"desk", "talk", 1, SERIES_SUCCESS, 0, 1000, 70, 5};
    series_note(s, &row);
    series_note(s, &text);
    series_note(s, &text);
    assert_near(told(s, "steward_inference_tokens_total",
                     "{model=\"talk\",version=\"1\",principal=\"desk\",type=\"prompt\"}"),
                140, 0);
    assert_near(told(s, "steward_inference_tokens_total",
                     "{model=\"talk\",version=\"1\",principal=\"desk\",type=\"completion\"}"),
                10, 0);
    assert_near(told(s, "steward_inference_tokens_total",
                     "{model=\"loans\",version=\"2\",principal=\"desk\",type=\"prompt\"}"),
                -1, 0);
    series_free(s);
}

static void
note_of(struct series *s, unsigned principal)
{
    char name[SERIES_NAME_MAX];
    (void)snprintf(name, sizeof name, "p%u", principal);
    series_note(s, &(struct series_call){name, "loans", 1, SERIES_SUCCESS, 2, 1000});
}

static void
what_comes_above_the_bound_is_counted_together_and_told(void **state)
{
    (void)state;
    static const char other[] = "{model=\"(other)\",version=\"\",principal=\"(other)\"}";
    struct series *s = series_new();
    for (unsigned i = 0; i < SERIES_MOST; i++) {
        note_of(s, i);
    }
    assert_near(told(s, "steward_inference_request_success_total", other), -1, 0);
    assert_near(told(s, "steward_inference_series_folded_total", ""), 0, 0);
    for (unsigned i = 0; i < SERIES_MOST + 50; i++) {
        note_of(s, i);
    }
    assert_near(told(s, "steward_inference_series", ""), SERIES_MOST, 0);
    assert_near(told(s, "steward_inference_series_folded_total", ""), 50, 0);
    assert_near(told(s, "steward_inference_request_success_total", other), 50, 0);
    assert_near(told(s, "steward_inference_count_total", other), 100, 0);
    assert_near(told(s, "steward_inference_request_success_total",
                     "{model=\"loans\",version=\"1\",principal=\"p999\"}"),
                2, 0);
    series_free(s);
}

/* Each of these threads is the first with some of the triples. */
static void *
note_many(void *ctx)
{
    for (unsigned i = 0; i < 20000; i++) {
        note_of(ctx, i * 7 % 60);
    }
    return NULL;
}

static void
no_call_is_lost_between_threads(void **state)
{
    (void)state;
    struct series *s = series_new();
    pthread_t thread[4];
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, note_many, s), 0);
    }
    for (int i = 0; i < 4; i++) {
        (void)pthread_join(thread[i], NULL);
    }
    for (unsigned i = 0; i < 60; i++) {
        char labels[96];
        (void)snprintf(labels, sizeof labels, "{model=\"loans\",version=\"1\",principal=\"p%u\"}",
                       i);
        sum += told(s, "steward_inference_request_success_total", labels);
    }
    assert_near(sum, 80000, 0);
    assert_near(told(s, "steward_inference_series", ""), 60, 0);
    series_free(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_rows_and_durations_are_those_of_their_triple),
        cmocka_unit_test(tokens_are_told_of_those_that_count_them),
        cmocka_unit_test(what_comes_above_the_bound_is_counted_together_and_told),
        cmocka_unit_test(no_call_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
