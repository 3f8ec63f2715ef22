/* Facets of several values and of numbers from a threshold on, in steward bias and steward
 * fairness: what is refused, and that every metric is Clarify's
 * (tests/assess/data/facet_sets.json).
 */
#include "cli/run.h"

#include <math.h>

#define BIAS_ROWS "--label", "y", "--sensitive", "race,age"
#define FAIRNESS_ROWS "--label", "y", "--prediction", "d", "--sensitive", "race,age"

static json_t *
read_pinned(struct room *m)
{
    DEFER(file_freep) char *path = testing_source("tests/assess/data/facet_sets.json");
    json_t *pinned = testing_read_json(path);
    testing_write(in(m, "d.csv"), view_str(json_string_value(json_object_get(pinned, "csv"))));
    return pinned;
}

static void
says_what_is_no_value_and_no_column(void **state)
{
    static const struct {
        const char *option, *text, *error;
    } wrong[] = {
        {"--facet", "race=black,pink", "column \"race\" has no value \"pink\""},
        {"--facet", "race=", "column \"race\" has no value \"\""},
        {"--facet", "race=black,", "column \"race\" has no value \"\""},
        {"--facet", "race=black,black", "value \"black\" of column \"race\" is named twice"},
        {"--facet", "race=his", "column \"race\" has no value \"his\""},
        {"--facet", "sex=f", "--facet sex=f: no such sensitive or control column"},
        {"--facet", "race", "no such sensitive or control column"},
        {"--intervals", "race=3", "column \"race\" is not of numbers"},
        {"--intervals", "age=", "numbers that ascend"},
        {"--intervals", "age=40,30", "numbers that ascend"},
        {"--intervals", "y=1", "no such sensitive or control column"},
    };
    struct room *m = *state;
    DEFER(js_freep) json_t *pinned = read_pinned(m);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        RUN(m, 2, "bias", "--data", in(m, "d.csv"), BIAS_ROWS, wrong[i].option, wrong[i].text);
        ERR_HAS(m, wrong[i].error);
        RUN(m, 2, "fairness", "--data", in(m, "d.csv"), FAIRNESS_ROWS, wrong[i].option,
            wrong[i].text);
        ERR_HAS(m, wrong[i].error);
    }
    RUN(m, 2, "bias", "--data", in(m, "d.csv"), BIAS_ROWS, "--facet", "race=black,white", "--facet",
        "race=asian,white");
    ERR_HAS(m, "value \"white\" of column \"race\" is named twice");
}

/* In `list` (factors or groupings), the group of that name. */
static const json_t *
group_named(const json_t *d, const char *list, size_t at, const char *name)
{
    size_t i = 0;
    json_t *g = NULL;
    json_array_foreach(json_object_get(json_array_get(json_object_get(d, list), at), "groups"), i,
                       g)
    {
        if (strcmp(json_string_value(json_object_get(g, "group")), name) == 0) {
            return g;
        }
    }
    fail_msg("no group \"%s\"", name);
    return NULL;
}

static size_t
compare(const json_t *pinned, const json_t *ours)
{
    const char *key = NULL;
    json_t *v = NULL;
    size_t compared = 0;
    json_object_foreach((json_t *)(uintptr_t)pinned, key, v)
    {
        const json_t *x = json_object_get(ours, strcmp(key, "DCA") == 0 ? "DCAcc" : key);
        if (json_is_null(v) || strcmp(key, "GE") == 0 || strcmp(key, "FT") == 0) {
            continue; /* needs strata, is of all rows, is of features */
        }
        assert_near(json_number_value(json_object_get(x, "value")), json_number_value(v), 1e-12);
        compared++;
    }
    return compared;
}

static void
facets_of_several_values_and_thresholds_are_clarifys(void **state)
{
    static const char *const names[2] = {"black, his, panic", ">= 40.05"};
    struct room *m = *state;
    DEFER(js_freep) json_t *pinned = read_pinned(m);
    char data[512];
    (void)snprintf(data, sizeof data, "%s", in(m, "d.csv"));
    RUN(m, 0, "bias", "--data", data, BIAS_ROWS, "--facet", "race=black,his, panic", "--intervals",
        "age=40.05", "--clarify", in(m, "analysis.json"), "--json");
    DEFER(js_freep) json_t *bias = out_json(m);
    RUN(m, 0, "fairness", "--data", in(m, "d.csv"), FAIRNESS_ROWS, "--facet",
        "race=black,his, panic", "--intervals", "age=40.05", "--json");
    DEFER(js_freep) json_t *fairness = out_json(m);
    DEFER(js_freep) json_t *analysis = testing_read_json(in(m, "analysis.json"));
    for (size_t i = 0; i < 2; i++) {
        const json_t *p = json_array_get(json_object_get(pinned, "facets"), i);
        const json_t *b = group_named(bias, "factors", i, names[i]);
        const json_t *f = group_named(fairness, "groupings", i, names[i]);
        assert_int_equal(compare(json_object_get(p, "pre_training"), json_object_get(b, "metrics")),
                         7);
        assert_int_equal(
            compare(json_object_get(p, "post_training"), json_object_get(f, "clarify")), 10);
    }
    const json_t *race = json_object_get(
        json_object_get(json_object_get(analysis, "pre_training_bias_metrics"), "facets"), "race");
    assert_int_equal(json_array_size(race), 3);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(race, 1), "value_or_threshold")),
        names[0]);
}

/* As if the file itself had the one name; in an order of numbers neighbours stay in order. */
static void
a_facet_is_the_column_with_one_name_in_its_place(void **state)
{
    struct room *m = *state;
    testing_write(in(m, "a.csv"), view_str("y,d,g,k\n1,1,u,1\n0,1,v,2\n1,0,w,3\n0,0,v,4\n1,1,w,1\n"
                                           "0,0,x,4\n1,0,x,3\n0,1,u,2\n"));
    testing_write(in(m, "b.csv"), view_str("y,d,g,k\n1,1,u,1\n0,1,\"v, x\",2\n1,0,w,3\n0,0,\"v, "
                                           "x\",4\n1,1,w,1\n0,0,\"v, x\",4\n1,0,\"v, "
                                           "x\",3\n0,1,u,2\n"));
    RUN(m, 0, "fairness", "--data", in(m, "a.csv"), "--label", "y", "--prediction", "d",
        "--sensitive", "g,k", "--facet", "g=x,v", "--min-group", "1", "--json");
    DEFER(js_freep) json_t *one = out_json(m);
    RUN(m, 0, "fairness", "--data", in(m, "b.csv"), "--label", "y", "--prediction", "d",
        "--sensitive", "g,k", "--min-group", "1", "--json");
    DEFER(js_freep) json_t *two = out_json(m);
    assert_int_equal(json_array_size(json_object_get(one, "groupings")), 3);
    for (size_t i = 0; i < 3; i++) {
        const json_t *x = json_array_get(json_object_get(one, "groupings"), i),
                     *y = json_array_get(json_object_get(two, "groupings"), i);
        assert_int_equal(json_array_size(json_object_get(x, "groups")),
                         json_array_size(json_object_get(y, "groups")));
        size_t k = 0;
        json_t *g = NULL;
        json_array_foreach(json_object_get(x, "groups"), k, g)
        {
            const char *name = json_string_value(json_object_get(g, "group"));
            assert_true(json_equal(g, group_named(two, "groupings", i, name)));
        }
        assert_true(json_equal(json_object_get(json_object_get(x, "gaps"), "selection_rate"),
                               json_object_get(json_object_get(y, "gaps"), "selection_rate")) ||
                    i == 2);
    }
    RUN(m, 0, "bias", "--data", in(m, "a.csv"), "--label", "y", "--sensitive", "k", "--facet",
        "k=2,3", "--min-group", "1", "--json");
    DEFER(js_freep) json_t *ordered = out_json(m);
    RUN(m, 0, "bias", "--data", in(m, "a.csv"), "--label", "y", "--sensitive", "k", "--facet",
        "k=1,3", "--min-group", "1", "--json");
    DEFER(js_freep) json_t *not = out_json(m);
    const json_t *x = json_object_get(json_array_get(json_object_get(ordered, "factors"), 0),
                                      "distribution"),
                 *y = json_object_get(json_array_get(json_object_get(not, "factors"), 0),
                                      "distribution");
    assert_string_equal(json_string_value(json_object_get(x, "wasserstein_ground")), "order");
    assert_string_equal(json_string_value(json_object_get(y, "wasserstein_ground")), "discrete");
}

#define BY_AGE                                                                                     \
    "{\"format\":\"steward-linear\",\"version\":1,\"link\":\"logistic\","                          \
    "\"features\":[\"x\"],\"mean\":[0],\"intercept\":[-1],\"coefficients\":[[0.5]]}"

static void
write_people(struct room *m)
{
    static const char *const race[] = {"black", "white", "asian"};
    DEFER(buf_done) struct buf csv;
    buf_init(&csv, 1u << 20);
    buf_put_str(&csv, "y,x,race,age\n");
    for (unsigned i = 0; i < 600; i++) {
        buf_printf(&csv, "%s,%u,%s,%u\n", i * 7 % 11 < 4 ? "yes" : "no", i * 5 % 7, race[i % 3],
                   18 + i * 13 % 60);
    }
    testing_write(in(m, "people.csv"), buf_view(&csv));
}

static void
assessments_group_as_fairness_does(void **state)
{
    static const char *const options[][6] = {
        {"--facet", "race=black,asian", "--intervals", "age=30,50", NULL},
        {"--bins", "2", NULL},
    };
    static const char *const names[][2] = {{"asian, black", "30 to < 50"}, {"asian", "18 to 47"}};
    struct room *m = *state;
    write_people(m);
    testing_write(in(m, "m.json"), view_str(BY_AGE));
    RUN(m, 0, "init", getenv("STEWARD_WORKSPACE"));
    RUN(m, 0, "dataset", "add", "people", in(m, "people.csv"), "--label", "y", "--positive", "yes",
        "--sensitive", "race,age");
    RUN(m, 0, "model", "add", "m", "--file", in(m, "m.json"), "--data", "people");
    for (size_t i = 0; i < 2; i++) {
        const char *const *o = options[i];
        const bool two = o[2] != NULL;
        RUN(m, 0, "assess", "m", "--data", "people", "--json", o[0], o[1], two ? o[2] : NULL,
            two ? o[3] : NULL);
        DEFER(js_freep) json_t *whole = out_json(m);
        RUN(m, 0, "fairness", "--data", "workspace:people", "--model", "workspace:m", "--json",
            o[0], o[1], two ? o[2] : NULL, two ? o[3] : NULL);
        DEFER(js_freep) json_t *alone = out_json(m);
        const json_t *in_whole = json_object_get(whole, "fairness");
        assert_true(json_equal(json_object_get(in_whole, "groupings"),
                               json_object_get(alone, "groupings")));
        for (size_t k = 0; k < 2; k++) {
            (void)group_named(in_whole, "groupings", k, names[i][k]);
            (void)group_named(json_object_get(whole, "bias"), "factors", k, names[i][k]);
        }
    }
    RUN(m, 2, "assess", "m", "--data", "people", "--intervals", "x=3");
    ERR_HAS(m, "--intervals x=3: no such sensitive or control column");
    RUN(m, 2, "assess", "m", "--data", "people", "--facet", "race=pink");
    ERR_HAS(m, "column \"race\" has no value \"pink\"");
    RUN(m, 2, "assess", "m", "--data", "people", "--bins", "1");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BARE(says_what_is_no_value_and_no_column),
        BARE(facets_of_several_values_and_thresholds_are_clarifys),
        BARE(a_facet_is_the_column_with_one_name_in_its_place),
        BARE(assessments_group_as_fairness_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
