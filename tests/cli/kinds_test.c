/* Models of several classes and of numbers in a workspace, trained there and added: what fairness
 * and errors say of them. */
#include "cli/run.h"

#include "testing/houses.h"

#define SEVERAL                                                                                    \
    "{\"format\":\"steward-linear\",\"version\":1,\"link\":\"identity\",\"features\":[\"area\"],"  \
    "\"intercept\":[0,1],\"coefficients\":[[1],[2]]}"
#define TWO                                                                                        \
    "x,g,y\n1,a,yes\n2,b,no\n3,a,yes\n4,b,no\n5,a,no\n6,b,yes\n7,a,no\n8,b,yes\n9,a,yes\n"         \
    "10,b,no\n11,a,no\n12,b,yes\n"
#define CLASSES                                                                                    \
    "{\"format\":\"steward-linear\",\"version\":1,\"link\":\"softmax\",\"features\":[\"area\"],"   \
    "\"classes\":[\"mid\",\"dear\",\"cheap\"],\"intercept\":[0,-6,7],"                             \
    "\"coefficients\":[[0],[0.05],[-0.08]]}"

static int
room_with_houses(void **state)
{
    (void)room_with_workspace(state);
    struct room *m = *state;
    DEFER(buf_done) struct buf csv;
    buf_init(&csv, 1u << 20);
    houses_put(1500, &csv);
    testing_write(in(m, "houses.csv"), buf_view(&csv));
    RUN(m, 0, "dataset", "add", "price", in(m, "houses.csv"), "--label", "price", "--sensitive",
        "owner", "--role", "kind=ignored");
    RUN(m, 0, "dataset", "add", "kind", in(m, "houses.csv"), "--label", "kind", "--sensitive",
        "owner", "--role", "price=ignored");
    RUN(m, 0, "model", "train", "price", "--data", "price", "--rounds", "30");
    OUT_HAS(m, "it predicts price: reg:squarederror");
    RUN(m, 0, "model", "train", "kind", "--data", "kind", "--rounds", "30");
    OUT_HAS(m, "it predicts kind: multi:softprob");
    return 0;
}

static void
refuses_several_numbers_and_objectives_that_do_not_fit(void **state)
{
    struct room *m = *state;
    testing_write(in(m, "m.json"), view_str(SEVERAL));
    RUN(m, 0, "model", "add", "several", "--file", in(m, "m.json"), "--data", "price");
    RUN(m, 1, "errors", "--data", "workspace:price", "--model", "workspace:several");
    ERR_HAS(m, "answers with 2 numbers");
    RUN(m, 1, "assess", "several", "--data", "price");
    ERR_HAS(m, "answers with 2 numbers; an assessment needs one number, or classes");
    RUN(m, 2, "assess", "kind", "--data", "price");
    ERR_HAS(m, "dataset price has no label column \"kind\"");
    RUN(m, 2, "model", "train", "price", "--data", "kind", "--objective", "reg:squarederror");
    ERR_HAS(m, "is a category column");
    RUN(m, 2, "errors", "--data", "workspace:price", "--model", "workspace:price", "--score",
        "age");
    ERR_HAS(m, "one of them says what was decided");
}

/* The test part's metrics, as they were kept when the model was trained. */
static json_t *
kept_metrics(struct room *m, const char *model)
{
    RUN(m, 0, "model", "show", model, "--json");
    DEFER(js_freep) json_t *record = out_json(m);
    json_t *manifest = json_object_get(record, "manifest");
    return json_incref(json_object_get(json_object_get(manifest, "metrics"), "test"));
}

static double
value_of(const json_t *document, const char *metric)
{
    const json_t *o = json_object_get(json_object_get(document, "metrics"), metric);
    assert_non_null(o);
    return json_number_value(json_object_get(o, "value"));
}

static void
assert_kept(const json_t *kept, const char *key, double value)
{
    assert_non_null(json_object_get(kept, key));
    assert_near(json_number_value(json_object_get(kept, key)), value, 1e-9 * fabs(value));
}

static void
assert_task(const json_t *document, const char *task)
{
    assert_string_equal(json_string_value(json_object_get(document, "task")), task);
}

static void
a_number_has_the_errors_and_the_fairness_of_its_rows(void **state)
{
    struct room *m = *state;
    DEFER(js_freep) json_t *kept = kept_metrics(m, "price");
    RUN(m, 0, "errors", "--data", "workspace:price:test", "--model", "workspace:price", "--json");
    DEFER(js_freep) json_t *errors = out_json(m);
    RUN(m, 0, "fairness", "--data", "workspace:price:test", "--model", "workspace:price", "--json");
    DEFER(js_freep) json_t *fairness = out_json(m);
    const json_t *overall = json_object_get(fairness, "overall");
    assert_task(errors, "numeric");
    assert_task(fairness, "numeric");
    assert_kept(kept, "mae", value_of(errors, "mean_absolute_error"));
    assert_kept(kept, "mse", value_of(errors, "mean_squared_error"));
    assert_kept(kept, "r2", value_of(errors, "r2_score"));
    assert_kept(kept, "mae", value_of(overall, "mean_absolute_error"));
    assert_kept(kept, "rmse", value_of(overall, "root_mean_squared_error"));
    assert_kept(kept, "r2", value_of(overall, "r2_score"));
    assert_true(json_array_size(json_object_get(fairness, "groupings")) == 1);
}

static void
classes_have_the_errors_and_the_fairness_of_their_rows(void **state)
{
    struct room *m = *state;
    DEFER(js_freep) json_t *kept = kept_metrics(m, "kind");
    RUN(m, 0, "errors", "--data", "workspace:kind:test", "--model", "workspace:kind", "--json");
    DEFER(js_freep) json_t *errors = out_json(m);
    RUN(m, 0, "fairness", "--data", "workspace:kind:test", "--model", "workspace:kind", "--json");
    DEFER(js_freep) json_t *fairness = out_json(m);
    assert_task(errors, "classes");
    assert_task(fairness, "classes");
    assert_int_equal(json_array_size(json_object_get(errors, "classes")), 3);
    assert_kept(kept, "accuracy", value_of(errors, "accuracy_score"));
    assert_kept(kept, "accuracy", value_of(json_object_get(fairness, "overall"), "accuracy_score"));
    assert_int_equal(json_array_size(json_object_get(fairness, "classes")), 3);
}

/* Its classes are not in the order of the label's: they are found by name. */
static void
an_added_models_classes_are_found_by_name(void **state)
{
    struct room *m = *state;
    testing_write(in(m, "m.json"), view_str(CLASSES));
    RUN(m, 0, "model", "add", "by-area", "--file", in(m, "m.json"), "--data", "kind");
    RUN(m, 0, "errors", "--data", "workspace:kind", "--model", "workspace:by-area", "--json");
    DEFER(js_freep) json_t *errors = out_json(m);
    assert_int_equal(json_array_size(json_object_get(errors, "classes")), 3);
    assert_true(value_of(errors, "accuracy_score") > 0.6); /* a wrong order is right for few */
}

/* ---- the whole assessment ---- */

/* The members of both that are named ("a b c") are equal to the last digit. */
static void
assert_same_members(const json_t *a, const json_t *b, const char *keys)
{
    while (*keys != '\0') {
        char key[64];
        const size_t n = strcspn(keys, " ");
        (void)snprintf(key, sizeof key, "%.*s", (int)n, keys);
        const json_t *one = json_object_get(a, key), *other = json_object_get(b, key);
        assert_non_null(one);
        if (!json_equal(one, other)) {
            fail_msg("\"%s\" differs", key);
        }
        keys += n + (keys[n] == ' ');
    }
}

/* What the verbs say alone of the same rows: all but the slices' permutations, whose number
 * differs, and intervals that are drawn by the row, for the rows without a label are not counted
 * here. */
static void
assert_as_the_verbs_alone(struct room *m, const char *model, const json_t *d)
{
    char data[80], name[80];
    (void)snprintf(data, sizeof data, "workspace:%s:test", model);
    (void)snprintf(name, sizeof name, "workspace:%s", model);
    RUN(m, 0, "errors", "--data", data, "--model", name, "--json");
    DEFER(js_freep) json_t *errors = out_json(m);
    assert_same_members(json_object_get(d, "errors"), errors,
                        "task classes metrics features tree map rows rows_wrong level");
    RUN(m, 0, "fairness", "--data", data, "--model", name, "--json");
    DEFER(js_freep) json_t *fairness = out_json(m);
    const json_t *own = json_object_get(d, "fairness");
    assert_same_members(own, fairness, "task overall rows_assessed level bootstrap");
    const json_t *a = json_array_get(json_object_get(own, "groupings"), 0),
                 *b = json_array_get(json_object_get(fairness, "groupings"), 0);
    assert_same_members(a, b, "columns groups groups_judged count");
}

static void
assert_explained_as_alone(struct room *m, const char *model, const json_t *d)
{
    char data[80], name[80], row[32];
    (void)snprintf(data, sizeof data, "workspace:%s", model);
    (void)snprintf(name, sizeof name, "workspace:%s", model);
    const json_t *local =
        json_array_get(json_object_get(json_object_get(d, "explanation"), "local"), 0);
    (void)snprintf(row, sizeof row, "%lld",
                   (long long)json_integer_value(json_object_get(local, "row")));
    RUN(m, 0, "explain", "--data", data, "--model", name, "--record", "--row", row, "--json");
    DEFER(js_freep) json_t *alone = out_json(m);
    assert_true(json_equal(local, json_array_get(json_object_get(alone, "local"), 0)));
}

static json_t *
assess(struct room *m, const char *model)
{
    char data[80], page[600];
    (void)snprintf(data, sizeof data, "%s:test", model);
    (void)snprintf(page, sizeof page, "%s", in(m, "assessment.html"));
    RUN(m, 0, "assess", model, "--data", data, "--report", page, "--json");
    return out_json(m);
}

static void
assert_remark(const json_t *d, const char *text)
{
    size_t i = 0;
    json_t *remark = NULL;
    bool is = false;
    json_array_foreach(json_object_get(d, "remarks"), i, remark)
    {
        is |= strstr(json_string_value(remark), text) != NULL;
    }
    assert_true(is);
}

/* By the probability of the truth, the least first. */
static void
assert_worst_in_order(const json_t *d)
{
    const json_t *worst = json_object_get(json_object_get(d, "errors"), "worst_predictions");
    double before = 0;
    size_t i = 0;
    json_t *row = NULL;
    assert_true(json_array_size(worst) > 2);
    json_array_foreach((json_t *)(uintptr_t)worst, i, row)
    {
        const double score = json_number_value(json_object_get(row, "score"));
        assert_true(score >= before && score < 0.5);
        assert_near(json_number_value(json_object_get(row, "loss")), 1 - score, 1e-15);
        before = score;
    }
    assert_true(before > 0);
}

static void
an_assessment_of_classes_says_what_the_verbs_say_alone(void **state)
{
    struct room *m = *state;
    DEFER(js_freep) json_t *d = assess(m, "kind");
    DEFER(js_freep) json_t *kept = kept_metrics(m, "kind");
    assert_task(d, "classes");
    assert_as_the_verbs_alone(m, "kind", d);
    assert_explained_as_alone(m, "kind", d);
    assert_worst_in_order(d);
    const json_t *p = json_object_get(d, "performance");
    assert_kept(kept, "accuracy",
                json_number_value(json_object_get(json_object_get(p, "accuracy"), "value")));
    assert_kept(kept, "log_loss", json_number_value(json_object_get(p, "log_loss")));
    assert_true(json_is_object(json_object_get(d, "bias")));
    assert_remark(d, "bias in the data: the positive class is the most frequent one, \"mid\"");
    RUN(m, 0, "assess", "kind", "--data", "kind:test");
    OUT_HAS(m, "The model's class is right for ");
    OUT_HAS(m, "mean size of what a feature adds to the margin of dear:");
    RUN(m, 0, "errors", "--data", "workspace:kind:test", "--model", "workspace:kind", "--cohort",
        "node-1");
    RUN(m, 0, "assess", "kind", "--data", "kind:test", "--cohort", "prediction = 'mid'");
    RUN(m, 2, "assess", "kind", "--data", "kind:test", "--cohort", "score > 0.5");
    ERR_HAS(m, "here is no score");
}

static void
an_assessment_of_numbers_says_what_the_verbs_say_alone(void **state)
{
    struct room *m = *state;
    DEFER(js_freep) json_t *d = assess(m, "price");
    DEFER(js_freep) json_t *kept = kept_metrics(m, "price");
    assert_task(d, "numeric");
    assert_as_the_verbs_alone(m, "price", d);
    assert_explained_as_alone(m, "price", d);
    const json_t *p = json_object_get(d, "performance");
    const json_t *rmse = json_object_get(p, "root_mean_squared_error");
    const json_t *square = json_object_get(p, "mean_squared_error");
    assert_kept(kept, "rmse", json_number_value(json_object_get(rmse, "value")));
    for (size_t end = 0; end < 2; end++) {
        const double root = json_number_value(json_array_get(json_object_get(rmse, "ci"), end));
        assert_near(root * root,
                    json_number_value(json_array_get(json_object_get(square, "ci"), end)), 1e-9);
    }
    assert_remark(d, "bias in the data: the label is a number and is cut at its median");
    const json_t *list = json_object_get(d, "findings");
    size_t i = 0, wild = 0;
    json_t *f = NULL;
    json_array_foreach((json_t *)(uintptr_t)list, i, f)
    {
        const char *text = json_string_value(json_object_get(f, "text"));
        wild += strstr(text, "It fails most where ") != NULL && strstr(text, "zone: west") != NULL;
    }
    assert_int_equal(wild, 1); /* the slice in which prices are wild */
    RUN(m, 0, "assess", "price", "--data", "price:test", "--cohort", "error > 10");
    OUT_HAS(m, "The model's number is off by ");
}

/* ---- explanations ---- */

static size_t
places_of(const struct buf *html, const char *text)
{
    size_t n = 0;
    for (const char *at = strstr(buf_str(html), text); at != NULL; at = strstr(at + 1, text)) {
        n++;
    }
    return n;
}

static void
the_page_of_an_explanation_shows_every_class(void **state)
{
    struct room *m = *state;
    char page[600];
    DEFER(buf_done) struct buf html;
    (void)snprintf(page, sizeof page, "%s", in(m, "page.html"));
    RUN(m, 0, "explain", "--data", "workspace:kind:test", "--model", "workspace:kind", "--row", "3",
        "--report", page);
    testing_read(page, &html);
    static const char *const classes[] = {"cheap", "dear", "mid"};
    for (size_t k = 0; k < 3; k++) {
        char text[64];
        (void)snprintf(text, sizeof text, "<summary>Output %s, expected ", classes[k]);
        assert_int_equal(places_of(&html, text), 1);
    }
    assert_int_equal(places_of(&html, "One decision: row 3<"), 3);
    assert_int_equal(places_of(&html, " open=\"\""), 1);
    RUN(m, 0, "explain", "--data", "workspace:price:test", "--model", "workspace:price", "--report",
        page);
    DEFER(buf_done) struct buf one;
    testing_read(page, &one);
    assert_int_equal(places_of(&one, "<summary>Output "), 0);
}

/* ---- cohorts ---- */

/* The same rows in each view. */
static void
assert_cohort(const json_t *document, json_int_t rows)
{
    assert_int_equal(json_integer_value(json_object_get(document, "rows")), rows);
}

static void
what_became_of_a_row_is_known_of_classes_and_of_numbers(void **state)
{
    struct room *m = *state;
    static const char wrong[] = "error = 1 and prediction = 'dear'", under[] = "error < -5";
    RUN(m, 0, "errors", "--data", "workspace:kind", "--model", "workspace:kind", "--cohort",
        "outcome = 'incorrect' and prediction = 'dear'", "--json");
    DEFER(js_freep) json_t *errors = out_json(m);
    const json_t *cohort = json_array_get(json_object_get(errors, "cohorts"), 0);
    const json_int_t rows = json_integer_value(json_object_get(cohort, "rows"));
    assert_true(rows > 0 && rows < 700);
    RUN(m, 0, "fairness", "--data", "workspace:kind", "--model", "workspace:kind", "--cohort",
        wrong, "--json");
    DEFER(js_freep) json_t *fairness = out_json(m);
    assert_cohort(json_object_get(fairness, "cohort"), rows);
    RUN(m, 0, "explain", "--data", "workspace:kind", "--model", "workspace:kind", "--cohort", wrong,
        "--json");
    DEFER(js_freep) json_t *explained = out_json(m);
    assert_cohort(json_array_get(json_object_get(explained, "cohorts"), 0), rows);
    RUN(m, 0, "bias", "--data", "workspace:kind", "--model", "workspace:kind", "--positive", "dear",
        "--cohort", "prediction = 'dear'", "--json");
    DEFER(js_freep) json_t *bias = out_json(m);
    RUN(m, 0, "explain", "--data", "workspace:kind", "--model", "workspace:kind", "--cohort",
        "prediction = 'dear'", "--json");
    DEFER(js_freep) json_t *dear = out_json(m);
    assert_cohort(json_array_get(json_object_get(dear, "cohorts"), 0),
                  json_integer_value(json_object_get(json_object_get(bias, "cohort"), "rows")));
    RUN(m, 2, "errors", "--data", "workspace:kind", "--model", "workspace:kind", "--cohort",
        "score > 0.5");
    ERR_HAS(m, "here is no score");
    RUN(m, 0, "fairness", "--data", "workspace:price", "--model", "workspace:price", "--cohort",
        under, "--json");
    DEFER(js_freep) json_t *numbers = out_json(m);
    RUN(m, 0, "explain", "--data", "workspace:price", "--model", "workspace:price", "--cohort",
        under, "--json");
    DEFER(js_freep) json_t *told = out_json(m);
    assert_cohort(json_array_get(json_object_get(told, "cohorts"), 0),
                  json_integer_value(json_object_get(json_object_get(numbers, "cohort"), "rows")));
}

/* ---- mitigation ---- */

#define GRADIENT "--method", "exponentiated-gradient", "--sensitive", "owner"
#define OF_ZONE                                                                                    \
    "--method", "exponentiated-gradient", "--sensitive", "zone", "--constraint",                   \
        "bounded_group_loss"
#define LOSS GRADIENT, "--constraint", "bounded_group_loss"

/* Each refusal names what does work, which the tests below show. */
static void
a_method_that_is_not_for_a_model_names_what_is(void **state)
{
    struct room *m = *state;
    static const char *const parities[] = {"demographic_parity", "equalized_odds",
                                           "true_positive_rate_parity",
                                           "false_positive_rate_parity", "error_rate_parity"};
    for (size_t i = 0; i < sizeof parities / sizeof *parities; i++) {
        RUN(m, 1, "mitigate", "price", GRADIENT, "--constraint", parities[i]);
        ERR_HAS(m, "use --constraint bounded_group_loss --loss-bound X");
        RUN(m, 1, "mitigate", "kind", GRADIENT, "--constraint", parities[i]);
        ERR_HAS(m, "several classes is mitigated by reweighing or correlation-remover");
    }
    RUN(m, 1, "mitigate", "kind", LOSS, "--loss-bound", "0.1");
    ERR_HAS(m, "several classes is mitigated by reweighing or correlation-remover");
    RUN(m, 1, "mitigate", "price", "--method", "reweighing", "--sensitive", "owner");
    ERR_HAS(m, "exponentiated-gradient with --constraint bounded_group_loss");
    RUN(m, 1, "mitigate", "price", "--method", "threshold", "--sensitive", "owner");
    ERR_HAS(m, "thresholds are for a binary classifier; a model of numbers is mitigated by");
    RUN(m, 1, "mitigate", "kind", "--method", "threshold", "--sensitive", "owner");
    ERR_HAS(m, "a model of several classes is mitigated by reweighing or correlation-remover");
    RUN(m, 4, "model", "show", "price@2"); /* nothing was registered */
    RUN(m, 4, "model", "show", "kind@2");
    /* Two values to predict do not make the scores of several outputs one probability. */
    testing_write(in(m, "two.csv"), view_str(TWO));
    RUN(m, 0, "dataset", "add", "two", in(m, "two.csv"), "--label", "y", "--sensitive", "g");
    RUN(m, 0, "model", "train", "two", "--data", "two", "--objective", "multi:softprob", "--rounds",
        "2");
    RUN(m, 1, "mitigate", "two", "--method", "threshold", "--sensitive", "g");
    ERR_HAS(m, "thresholds are for a binary classifier");
}

static void
bounds_of_losses_that_are_none_are_refused(void **state)
{
    struct room *m = *state;
    RUN(m, 2, "mitigate", "price", LOSS);
    ERR_HAS(m, "bounded_group_loss needs a loss bound over 0");
    RUN(m, 2, "mitigate", "price", LOSS, "--loss-bound", "-3");
    ERR_HAS(m, "--loss-bound -3: over 0");
    RUN(m, 2, "mitigate", "price", LOSS, "--loss-bound", "nan");
    RUN(m, 2, "mitigate", "price", LOSS, "--loss-bound", "inf");
    RUN(m, 2, "mitigate", "price", LOSS, "--loss-bound", "1", "--loss", "huber");
    ERR_HAS(m, "--loss huber: square, absolute or zero_one");
    RUN(m, 2, "mitigate", "price", LOSS, "--loss-bound", "1", "--clip", "9,3");
    ERR_HAS(m, "--clip 9,3: two numbers with a comma between, the lower one first");
    RUN(m, 2, "mitigate", "price", LOSS, "--loss-bound", "1", "--clip", "9");
    RUN(m, 2, "mitigate", "price", LOSS, "--loss-bound", "1", "--clip", "1e8,1e9");
    ERR_HAS(m, "the label is the same in all 1048 rows: there is no loss to bound");
    RUN(m, 2, "mitigate", "price", LOSS, "--loss-bound", "1", "--ratio-bound", "0.8");
    ERR_HAS(m, "a ratio bound does not go with bounded_group_loss");
    RUN(m, 4, "model", "show", "price@2");
}

/* ---- old and new beside each other ---- */

/* What is shown beside the new version is what steward fairness says of either. */
static void
assert_as_fairness_says(struct room *m, const json_t *document, const char *data, const char *model,
                        const char *metric)
{
    RUN(m, 0, "fairness", "--data", data, "--model", model, "--json");
    DEFER(js_freep) json_t *fairness = out_json(m);
    const json_t *own = json_object_get(document, "fairness");
    const json_t *groups =
        json_object_get(json_array_get(json_object_get(own, "groupings"), 0), "groups");
    const json_t *other =
        json_object_get(json_array_get(json_object_get(fairness, "groupings"), 0), "groups");
    assert_true(json_array_size(groups) >= 2);
    assert_int_equal(json_array_size(groups), json_array_size(other));
    for (size_t i = 0; i < json_array_size(groups); i++) {
        assert_near(value_of(json_array_get(groups, i), metric),
                    value_of(json_array_get(other, i), metric), 1e-12);
    }
}

/* Both documents, as they are kept, and the comparison as both tell it. */
static void
assert_compared(const json_t *d, const char *metric, const char *overall)
{
    static const char *const sides[] = {"before", "after"};
    const json_t *all = json_array_get(json_object_get(d, "comparison"), 0),
                 *by = json_array_get(json_object_get(d, "comparison"), 1);
    const json_t *first = json_array_get(json_object_get(all, "figures"), 0);
    assert_string_equal(json_string_value(json_object_get(by, "groups_by")), metric);
    assert_string_equal(json_string_value(json_object_get(first, "name")), overall);
    for (size_t k = 0; k < 2; k++) {
        const json_t *own = json_object_get(json_object_get(d, sides[k]), "fairness");
        const json_t *g =
            json_object_get(json_array_get(json_object_get(own, "groupings"), 0), "groups");
        const json_t *rows = json_object_get(by, "groups");
        assert_near(json_number_value(json_object_get(first, sides[k])),
                    value_of(json_object_get(own, "overall"), overall), 0);
        assert_int_equal(json_array_size(rows), json_array_size(g));
        for (size_t i = 0; i < json_array_size(g); i++) {
            assert_near(json_number_value(json_object_get(json_array_get(rows, i), sides[k])),
                        value_of(json_array_get(g, i), metric), 0);
        }
    }
}

static void
a_remover_is_shown_with_the_assessments_before_and_after(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "mitigate", "price", "--method", "correlation-remover", "--sensitive", "owner");
    OUT_HAS(m, "price version 2, made from version 1; both assessed on test, 448 rows");
    OUT_HAS(m, "by owner\n  mean_absolute_error, difference");
    OUT_HAS(m, "A remover stands before the model file");
    RUN(m, 0, "mitigate", "price@1", "--method", "correlation-remover", "--sensitive", "owner",
        "--json");
    DEFER(js_freep) json_t *price = out_json(m);
    assert_as_fairness_says(m, json_object_get(price, "before"), "workspace:price:test",
                            "workspace:price@1", "mean_absolute_error");
    assert_as_fairness_says(m, json_object_get(price, "after"), "workspace:price:test",
                            "workspace:price@3", "mean_absolute_error");
    assert_compared(price, "mean_absolute_error", "root_mean_squared_error");
    RUN(m, 0, "mitigate", "kind@1", "--method", "correlation-remover", "--sensitive", "owner",
        "--json");
    DEFER(js_freep) json_t *kind = out_json(m);
    assert_as_fairness_says(m, json_object_get(kind, "after"), "workspace:kind:test",
                            "workspace:kind@2", "accuracy_score");
    assert_compared(kind, "accuracy_score", "accuracy_score");
}

static const json_t *
note_of(const json_t *d)
{
    return json_object_get(json_object_get(json_object_get(d, "model"), "manifest"), "mitigation");
}

static void
reweighing_is_for_several_classes_too(void **state)
{
    struct room *m = *state;
    char page[512];
    (void)snprintf(page, sizeof page, "%s", in(m, "kind.html"));
    RUN(m, 0, "mitigate", "kind@1", "--method", "reweighing", "--sensitive", "owner", "--report",
        page, "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    assert_string_equal(json_string_value(json_object_get(note_of(d), "method")), "reweighing");
    assert_int_equal(json_integer_value(json_object_get(note_of(d), "groups_without_an_outcome")),
                     0);
    assert_compared(d, "accuracy_score", "accuracy_score");
    DEFER(buf_done) struct buf html;
    testing_read(page, &html);
    assert_text_has(buf_str(&html), "<h2>Before and after</h2>");
    assert_text_has(buf_str(&html), "<h2>By owner</h2>");
    assert_text_has(buf_str(&html), "dear: selection rate, difference");
    /* Both assessments are kept: each is an entry, the new version's the last one. */
    RUN(m, 0, "audit", "show", "--last", "1000");
    DEFER(buf_done) struct buf log;
    buf_init(&log, 1u << 22);
    buf_put(&log, buf_view(&m->r.out));
    assert_text_has(buf_str(&log), "assessed: assessment ");
    RUN(m, 0, "mitigate", "kind@1", "--method", "reweighing", "--sensitive", "zone");
    OUT_HAS(m, "\nby zone\n"); /* which the dataset does not call sensitive */
    RUN(m, 0, "audit", "show", "--last", "1000");
    assert_int_equal(places_of(&m->r.out, "assessed: assessment ") -
                         places_of(&log, "assessed: assessment "),
                     2);
    RUN(m, 0, "audit", "verify");
}

/* The greatest loss of the training rows is within the bound, and its group is better off; what no
 * training reaches is said, with what was. */
static void
a_bounded_group_loss_of_numbers_is_a_version(void **state)
{
    struct room *m = *state;
    char bound[40];
    RUN(m, 0, "mitigate", "price@1", OF_ZONE, "--loss-bound", "1e12", "--json");
    DEFER(js_freep) json_t *loose = out_json(m);
    const double plain = json_number_value(
        json_object_get(json_object_get(note_of(loose), "kept"), "greatest_loss"));
    assert_int_equal(json_integer_value(json_object_get(note_of(loose), "iterations")), 1);
    assert_true(plain > 0);
    (void)snprintf(bound, sizeof bound, "%.9g", plain * 0.9);
    RUN(m, 0, "mitigate", "price@1", OF_ZONE, "--loss-bound", bound, "--iterations", "25",
        "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    const json_t *kept = json_object_get(note_of(d), "kept");
    assert_true(json_is_true(json_object_get(note_of(d), "bound_met")));
    assert_true(json_number_value(json_object_get(kept, "greatest_loss")) <= plain * 0.9);
    assert_compared(d, "mean_squared_error", "root_mean_squared_error");
    RUN(m, 0, "mitigate", "price@1", OF_ZONE, "--loss-bound", "0.001", "--loss", "absolute",
        "--iterations", "3", "--report", in(m, "price.html"));
    OUT_HAS(m, "None of 3 trainings kept the absolute loss of every group at 0.001");
    OUT_HAS(m, "is the least that one of them reached");
    assert_null(strstr(buf_str(&m->r.out), "nan"));
    DEFER(buf_done) struct buf html;
    testing_read(in(m, "price.html"), &html);
    assert_text_has(buf_str(&html), "None of 3 trainings kept");
    /* It is a model like any other: the old one's data, its own objective. */
    RUN(m, 0, "model", "show", "price", "--json");
    DEFER(js_freep) json_t *shown = out_json(m);
    const json_t *training = json_object_get(json_object_get(shown, "manifest"), "training");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(training, "parameters"), "objective")),
        "reg:absoluteerror");
    RUN(m, 0, "mitigate", "price", OF_ZONE, "--loss-bound", "1e12", "--json");
    DEFER(js_freep) json_t *again = out_json(m);
    training =
        json_object_get(json_object_get(json_object_get(again, "model"), "manifest"), "training");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(training, "parameters"), "objective")),
        "reg:squarederror");
    RUN(m, 0, "audit", "verify");
}

/* One room for all: training is what takes time. */
int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_several_numbers_and_objectives_that_do_not_fit),
        cmocka_unit_test(a_number_has_the_errors_and_the_fairness_of_its_rows),
        cmocka_unit_test(classes_have_the_errors_and_the_fairness_of_their_rows),
        cmocka_unit_test(what_became_of_a_row_is_known_of_classes_and_of_numbers),
        cmocka_unit_test(an_added_models_classes_are_found_by_name),
        cmocka_unit_test(an_assessment_of_classes_says_what_the_verbs_say_alone),
        cmocka_unit_test(an_assessment_of_numbers_says_what_the_verbs_say_alone),
        cmocka_unit_test(the_page_of_an_explanation_shows_every_class),
        cmocka_unit_test(a_method_that_is_not_for_a_model_names_what_is),
        cmocka_unit_test(bounds_of_losses_that_are_none_are_refused),
        cmocka_unit_test(a_remover_is_shown_with_the_assessments_before_and_after),
        cmocka_unit_test(reweighing_is_for_several_classes_too),
        cmocka_unit_test(a_bounded_group_loss_of_numbers_is_a_version),
    };
    return cmocka_run_group_tests(tests, room_with_houses, room_done);
}
