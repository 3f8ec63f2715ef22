/* steward predict and explain with models and rows of the workspace, by their names. */
#include "cli/run.h"

static void
what_is_wrong_is_told(void **state)
{
    struct room *m = *state;
    RUN(m, 4, "predict", "--model", "workspace:nothing", "--data", m->csv);
    ERR_HAS(m, "nothing");
    RUN(m, 4, "predict", "--model", "workspace:mortgage", "--data", "workspace:nothing");
    RUN(m, 2, "predict", "--model", "workspace:mortgage@x", "--data", "workspace:lending");
    ERR_HAS(m, "NAME@VERSION");
    RUN(m, 2, "predict", "--model", "workspace:mortgage", "--data", "workspace:lending:best");
    ERR_HAS(m, "a part is test, train or all");
    RUN(m, 2, "predict", "--model", "workspace:mortgage", "--data", "workspace:lending", "--role",
        "deny=ignored");
    ERR_HAS(m, "--role, --type and --missing are of files");
    RUN(m, 2, "predict", "--model", m->csv, "--data", "workspace:lending:test");
    ERR_HAS(m, "hmda.csv: model:");
    RUN(m, 4, "explain", "--model", "workspace:mortgage", "--data", "workspace:lending", "--cohort",
        "slice-1");
    RUN(m, 0, "predict", "--model", "workspace:mortgage", "--data", "workspace:lending:test",
        "--output", in(m, "rows.csv"));
}

/* The file and the dataset that was made of it are the same rows; a part of them is fewer. */
static void
answers_are_those_of_the_files(void **state)
{
    struct room *m = *state;
    DEFER(buf_done) struct buf from_file;
    DEFER(buf_done) struct buf part;
    RUN(m, 0, "predict", "--model", "workspace:mortgage@1", "--data", m->csv, "--output",
        in(m, "a.csv"));
    testing_read(m->path, &from_file);
    RUN(m, 0, "predict", "--model", "workspace:mortgage", "--data", "workspace:lending@1");
    assert_string_equal(buf_str(&m->r.out), buf_str(&from_file));
    RUN(m, 0, "predict", "--model", "workspace:mortgage", "--data", "workspace:lending:test",
        "--output", in(m, "b.csv"));
    testing_read(m->path, &part);
    assert_true(part.len > 1000 && part.len < from_file.len / 2);
    RUN(m, 0, "audit", "show", "--last", "5");
    OUT_HAS(m, "rows of version 1 exported");
}

static void
explains_parts_and_cohorts_by_name(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "assess", "mortgage", "--data", "lending", "--bootstrap", "0");
    RUN(m, 0, "explain", "--model", "workspace:mortgage", "--data", "workspace:lending:test",
        "--cohort", "node-1", "--row", "1", "--background", "workspace:lending:train", "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    const json_t *cohort = json_array_get(json_object_get(d, "cohorts"), 0);
    assert_true(json_integer_value(json_object_get(cohort, "rows")) > 0);
    assert_string_equal(json_string_value(json_object_get(d, "model")), "workspace:mortgage");
    const json_t *local = json_array_get(json_object_get(d, "local"), 0),
                 *o = json_array_get(json_object_get(local, "outputs"), 0);
    double sum = json_number_value(
        json_object_get(json_array_get(json_object_get(d, "outputs"), 0), "base"));
    for (size_t f = 0; f < json_array_size(json_object_get(o, "phi")); f++) {
        sum += json_number_value(json_array_get(json_object_get(o, "phi"), f));
    }
    assert_near(sum, json_number_value(json_object_get(o, "margin")), 1e-5);
    RUN(m, 0, "explain", "--model", "workspace:mortgage", "--data", "workspace:lending:test",
        "--method", "permutation", "--rows", "2");
    OUT_HAS(m, "pirat");
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        MODEL(what_is_wrong_is_told),
        MODEL(answers_are_those_of_the_files),
        MODEL(explains_parts_and_cohorts_by_name),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
