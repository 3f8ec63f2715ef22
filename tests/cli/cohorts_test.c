/* Cohorts are the same in every view: fairness, bias, errors and explain, of files and of datasets
 * of the workspace. */
#include "cli/run.h"

#define OF_MODEL "--data", "workspace:lending", "--model", "workspace:mortgage"
#define OF_FILE "--label", "deny", "--positive", "yes", "--sensitive", "afam"

static void
refuses_what_is_no_predicate(void **state)
{
    static const char *const hostile[] = {"1 = 1; drop table t",        "exists (select 1)",
                                          "pirat > (select 0)",         "pirat",
                                          "length(getenv('HOME')) > 0", "nothing = 1"};
    struct room *m = *state;
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        RUN(m, 2, "fairness", "--data", m->csv, OF_FILE, "--prediction", "phist", "--cohort",
            hostile[i]);
        RUN(m, 2, "bias", "--data", m->csv, OF_FILE, "--cohort", hostile[i]);
        RUN(m, 2, "errors", "--data", m->csv, "--label", "deny", "--prediction", "phist",
            "--cohort", hostile[i]);
    }
    RUN(m, 2, "bias", "--data", m->csv, OF_FILE, "--cohort", "pirat > 100");
    ERR_HAS(m, "none of the 2380 rows is in it");
    RUN(m, 2, "bias", "--data", m->csv, OF_FILE, "--cohort", "slice-1");
    ERR_HAS(m, "name the workspace's model");
}

static void
refuses_what_does_not_go_together(void **state)
{
    struct room *m = *state;
    RUN(m, 4, "fairness", OF_MODEL, "--cohort", "slice-1"); /* no assessment yet */
    RUN(m, 2, "fairness", OF_MODEL, "--prediction", "phist");
    ERR_HAS(m, "one of them says what was decided");
    RUN(m, 2, "errors", OF_MODEL, "--threshold", "0.3");
    RUN(m, 2, "errors", "--data", "workspace:lending", "--model", m->csv);
    ERR_HAS(m, "steward predict");
    RUN(m, 2, "fairness", "--data", "workspace:lending");
    ERR_HAS(m, "which decides");
    RUN(m, 2, "errors", OF_MODEL, "--label", "chist");
    ERR_HAS(m, "decides between \"yes\" and \"no\"");
    RUN(m, 4, "bias", "--data", "workspace:nothing");
    RUN(m, 2, "bias", "--data", "workspace:lending:test");
    ERR_HAS(m, "--model workspace:NAME");
}

/* ---- the same rows everywhere ---- */

static const json_t *
first_of(const json_t *d, const char *list)
{
    return json_array_get(json_object_get(d, list), 0);
}

static void
assert_counts(const json_t *o, json_int_t rows)
{
    assert_int_equal(json_integer_value(json_object_get(o, "rows")), rows);
}

static void
a_slice_is_the_same_rows_in_every_view(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "assess", "mortgage", "--data", "lending", "--bootstrap", "0", "--json");
    DEFER(js_freep) json_t *assessment = out_json(m);
    const json_t *slices = json_object_get(json_object_get(assessment, "errors"), "slices");
    const json_t *slice = first_of(slices, "found");
    const char *predicate = json_string_value(json_object_get(slice, "cohort"));
    const json_int_t rows = json_integer_value(json_object_get(slice, "rows"));
    assert_true(rows > 0 && rows < 2380 && predicate != NULL);
    const char *const verbs[] = {"fairness", "bias"};
    for (size_t i = 0; i < 2; i++) {
        RUN(m, 0, verbs[i], OF_MODEL, "--cohort", "slice-1", "--json");
        DEFER(js_freep) json_t *d = out_json(m);
        const json_t *cohort = json_object_get(d, "cohort");
        assert_counts(cohort, rows);
        assert_counts(d, rows);
        assert_counts(json_object_get(d, "rest"), 2380 - rows);
        assert_string_equal(json_string_value(json_object_get(cohort, "predicate")), predicate);
    }
    RUN(m, 0, "errors", OF_MODEL, "--cohort", "slice-1@1", "--permutations", "0", "--json");
    DEFER(js_freep) json_t *errors = out_json(m);
    assert_counts(first_of(errors, "cohorts"), rows);
    RUN(m, 0, "errors", OF_MODEL, "--within", "slice-1", "--permutations", "0", "--json");
    OUT_HAS(m, "within is slice-1, ");
    DEFER(js_freep) json_t *within = out_json(m);
    assert_counts(within, rows);
    RUN(m, 0, "explain", OF_MODEL, "--cohort", "slice-1", "--json");
    DEFER(js_freep) json_t *explained = out_json(m);
    assert_counts(first_of(explained, "cohorts"), rows);
    RUN(m, 2, "bias", OF_MODEL, "--cohort", "slice-999");
    RUN(m, 0, "audit", "show", "--last", "3");
    OUT_HAS(m, "rows of version 1 exported");
}

static void
a_model_decides_as_in_its_assessment(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "assess", "mortgage", "--data", "lending:test", "--bootstrap", "0", "--json");
    DEFER(js_freep) json_t *assessment = out_json(m);
    RUN(m, 0, "errors", "--data", "workspace:lending:test", "--model", "workspace:mortgage",
        "--permutations", "0", "--json");
    DEFER(js_freep) json_t *errors = out_json(m);
    const json_t *of_assessment =
        json_object_get(json_object_get(assessment, "errors"), "confusion");
    assert_true(json_is_array(of_assessment) || json_is_object(of_assessment));
    assert_alike(of_assessment, json_object_get(errors, "confusion"), true, NULL);
    /* A file of the same rows as the dataset. */
    RUN(m, 0, "fairness", OF_MODEL, "--bootstrap", "0", "--json");
    DEFER(js_freep) json_t *dataset = out_json(m);
    RUN(m, 0, "fairness", "--data", m->csv, "--model", "workspace:mortgage", "--sensitive",
        "afam,single", "--bootstrap", "0", "--json");
    DEFER(js_freep) json_t *file = out_json(m);
    assert_alike(dataset, file, true, NULL);
}

/* Of every verb: those whom the model refused wrongly. */
static void
what_became_of_a_row_is_a_condition_in_every_view(void **state)
{
    static const char wrong[] = "outcome = 'false positive'";
    struct room *m = *state;
    RUN(m, 0, "errors", OF_MODEL, "--cohort", wrong, "--cohort", "error = 1 and prediction = 'yes'",
        "--cohort", "score >= 0.5", "--slices", "0", "--json");
    DEFER(js_freep) json_t *errors = out_json(m);
    const json_t *cohorts = json_object_get(errors, "cohorts");
    const json_t *of_no = first_of(errors, "confusion"); /* truth no, decided yes */
    const json_int_t rows = json_integer_value(json_array_get(of_no, 1));
    assert_true(rows > 10);
    assert_counts(json_array_get(cohorts, 0), rows);
    assert_counts(json_array_get(cohorts, 1), rows);
    RUN(m, 0, "fairness", OF_MODEL, "--cohort", wrong, "--json");
    DEFER(js_freep) json_t *fairness = out_json(m);
    assert_counts(fairness, rows);
    assert_counts(json_object_get(fairness, "rest"), 2380 - rows);
    RUN(m, 0, "bias", OF_MODEL, "--cohort", "score >= 0.5", "--json");
    DEFER(js_freep) json_t *bias = out_json(m);
    assert_counts(bias, json_integer_value(json_object_get(json_array_get(cohorts, 2), "rows")));
    RUN(m, 2, "bias", OF_MODEL, "--cohort", wrong); /* all their labels are no */
    ERR_HAS(m, "rows: label \"deny\": no row has the positive value");
    RUN(m, 0, "explain", OF_MODEL, "--cohort", wrong, "--json");
    DEFER(js_freep) json_t *explained = out_json(m);
    assert_counts(first_of(explained, "cohorts"), rows);
    RUN(m, 0, "assess", "mortgage", "--data", "lending", "--cohort", wrong, "--bootstrap", "0",
        "--json");
    DEFER(js_freep) json_t *assessment = out_json(m);
    assert_counts(json_object_get(assessment, "errors"), rows);
    RUN(m, 2, "bias", "--data", m->csv, OF_FILE, "--cohort", wrong);
    ERR_HAS(m, "here is no prediction");
}

/* ---- a file without the other rows ---- */

/* Lines of the file that end as `single` is `word`; it is the last column but one. */
static void
write_only(struct room *m, const char *word, const char *to)
{
    DEFER(buf_done) struct buf text;
    DEFER(buf_done) struct buf out;
    testing_read(m->csv, &text);
    buf_init(&out, text.len + 1);
    const char *at = buf_str(&text), *end = NULL;
    for (bool head = true; (end = strchr(at, '\n')) != NULL; at = end + 1, head = false) {
        const char *comma = end;
        for (int k = 0; k < 2; k++) {
            do {
                comma--;
            } while (*comma != ',');
        }
        if (head || strncmp(comma + 1, word, strlen(word)) == 0) {
            buf_put(&out, view_of(at, (size_t)(end - at) + 1));
        }
    }
    testing_write(in(m, to), buf_view(&out));
}

static void
a_cohort_is_as_a_file_of_its_rows(void **state)
{
    struct room *m = *state;
    char yes[512], no[512];
    write_only(m, "yes", "yes.csv");
    (void)snprintf(yes, sizeof yes, "%s", m->path);
    write_only(m, "no", "no.csv");
    (void)snprintf(no, sizeof no, "%s", m->path);
    RUN(m, 0, "fairness", "--data", m->csv, OF_FILE, "--prediction", "phist", "--cohort",
        "single = 'yes'", "--json");
    DEFER(js_freep) json_t *both = out_json(m);
    RUN(m, 0, "fairness", "--data", yes, OF_FILE, "--prediction", "phist", "--json");
    DEFER(js_freep) json_t *in_cohort = out_json(m);
    RUN(m, 0, "fairness", "--data", no, OF_FILE, "--prediction", "phist", "--json");
    DEFER(js_freep) json_t *others = out_json(m);
    assert_alike(json_object_get(both, "rest"), others, true, NULL);
    (void)json_object_del(both, "rest");
    (void)json_object_del(both, "cohort");
    assert_alike(both, in_cohort, true, NULL);
    RUN(m, 0, "bias", "--data", m->csv, OF_FILE, "--cohort", "single = 'yes'", "--json");
    DEFER(js_freep) json_t *bias = out_json(m);
    RUN(m, 0, "bias", "--data", yes, OF_FILE, "--json");
    DEFER(js_freep) json_t *filtered = out_json(m);
    assert_alike(json_object_get(first_of(bias, "factors"), "groups"),
                 json_object_get(first_of(filtered, "factors"), "groups"), true, NULL);
}

static void
text_and_page_tell_cohort_and_rest(void **state)
{
    struct room *m = *state;
    const char *const verbs[] = {"fairness", "bias"};
    for (size_t i = 0; i < 2; i++) {
        DEFER(buf_done) struct buf page;
        RUN(m, 0, verbs[i], OF_MODEL, "--cohort", "afam = 'yes'", "--report", in(m, "p.html"));
        OUT_HAS(m, "The cohort, 339 of 2380 rows, where afam = 'yes':");
        OUT_HAS(m, "The rest, 2041 rows:");
        testing_read(in(m, "p.html"), &page);
        assert_text_has(buf_str(&page), "The cohort and the rest");
        assert_text_has(buf_str(&page), "afam = &#39;yes&#39;");
        RUN(m, 0, verbs[i], OF_MODEL, "--cohort", "pirat < 100 or pirat is null");
        OUT_HAS(m, "the cohort is all rows");
    }
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        MODEL(refuses_what_does_not_go_together),
        BARE(refuses_what_is_no_predicate),
        MODEL(a_slice_is_the_same_rows_in_every_view),
        MODEL(what_became_of_a_row_is_a_condition_in_every_view),
        MODEL(a_model_decides_as_in_its_assessment),
        BARE(a_cohort_is_as_a_file_of_its_rows),
        MODEL(text_and_page_tell_cohort_and_rest),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
