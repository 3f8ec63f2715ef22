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

/* Rows of the demo's, the third with a value of phist that was never there. */
static void
write_odd(struct room *m, const char *name)
{
    DEFER(buf_done) struct buf text;
    DEFER(buf_done) struct buf odd;
    testing_read(m->csv, &text);
    buf_init(&odd, 1u << 20);
    const char *at = buf_str(&text);
    for (size_t line = 0; *at != '\0'; line++) {
        const size_t n = strcspn(at, "\n") + 1;
        const char *phist = at;
        for (size_t i = 0; i < 6; i++) {
            phist = strchr(phist, ',') + 1;
        }
        const size_t before = (size_t)(phist - at), word = strcspn(phist, ",");
        buf_put(&odd, view_of(at, before));
        buf_put_str(&odd, line == 3 ? "perhaps" : "");
        const size_t from = line == 3 ? before + word : before;
        buf_put(&odd, view_of(at + from, n - from));
        at += n;
    }
    testing_write(in(m, name), buf_view(&odd));
}

#define ODD "column \"phist\": the model does not know \"perhaps\": 1 row"

/* The same sentence wherever the workspace's model answers for rows. */
static void
a_category_that_the_model_does_not_know_is_told_everywhere(void **state)
{
    struct room *m = *state;
    static const char *const verbs[] = {"fairness", "errors"};
    write_odd(m, "odd.csv");
    RUN(m, 0, "dataset", "add", "odd", m->path, CSV_OPTIONS);
    static const char *const plain[] = {"predict", "explain"};
    for (size_t i = 0; i < 2; i++) {
        RUN(m, 0, plain[i], "--model", "workspace:mortgage", "--data", in(m, "odd.csv"));
        ERR_HAS(m, ODD);
        RUN(m, 0, plain[i], "--model", "workspace:mortgage", "--data", "workspace:odd");
        ERR_HAS(m, ODD);
    }
    for (size_t i = 0; i < 2; i++) {
        RUN(m, 0, verbs[i], "--model", "workspace:mortgage", "--data", "workspace:odd", "--label",
            "deny", "--positive", "yes", "--json");
        OUT_HAS(m, "does not know");
    }
    RUN(m, 0, "certify", "--model", "workspace:mortgage", "--data", "workspace:odd", "--sensitive",
        "phist", "--json");
    OUT_HAS(m, "does not know");
    RUN(m, 0, "assess", "mortgage", "--data", "odd", "--bootstrap", "0", "--output",
        in(m, "a.json"));
    DEFER(js_freep) json_t *d = testing_read_json(m->path);
    DEFER(buf_done) struct buf text;
    testing_read(m->path, &text);
    assert_text_has(buf_str(&text), "does not know");
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        MODEL(what_is_wrong_is_told),
        MODEL(answers_are_those_of_the_files),
        MODEL(explains_parts_and_cohorts_by_name),
        MODEL(a_category_that_the_model_does_not_know_is_told_everywhere),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
