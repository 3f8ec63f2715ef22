/* All rows: fairness, bias and errors of more rows than one block of theirs has. Every count is
 * that of the whole file (the RAI dashboard takes the first 5,000 rows), blocks and threads change
 * no digit, and a cohort and its rest add up to the whole. That the order of rows changes nothing
 * is in fairness_test.c, bias_test.c and errors_test.c. */
#include "cli/run.h"

#include "num/rng.h"

#define ROWS 70000u /* a block of group_tally is 65,536 rows */
#define EARLY 5000u
#define GROUPS 3u

struct counts {
    double tp, fp, tn, fn;
};

/* Alike in the first rows; later g2 has other labels, and decisions are wrong where x is 7. */
static void
write_rows(struct room *m, struct counts ret_group[static GROUPS])
{
    struct rng r;
    DEFER(buf_done) struct buf b;
    rng_init(&r, 4, "cli.rows");
    buf_init(&b, 4u << 20);
    buf_put_str(&b, "y,d,g,p,x,c\n");
    for (unsigned i = 0; i < ROWS; i++) {
        const bool late = i >= EARLY;
        const unsigned g = (unsigned)rng_below(&r, GROUPS), x = (unsigned)rng_below(&r, 10);
        const bool y = rng_unit(&r) < (late && g == 2 ? 0.3 : 0.5);
        const bool wrong = rng_unit(&r) < (late && x == 7 ? 0.6 : 0.1), d = y != wrong;
        const double p = (d ? 0.5 : 0) + rng_unit(&r) / 2;
        buf_printf(&b, "%d,%d,g%u,%.4f,%u,c%u\n", y, d, g, p, x, (unsigned)rng_below(&r, 4));
        struct counts *c = &ret_group[g];
        *(y ? d ? &c->tp : &c->fn : d ? &c->fp : &c->tn) += 1;
    }
    testing_write(in(m, "d.csv"), buf_view(&b));
}

static void
run_verb(struct room *m, size_t verb, const char *threads, const char *cohort)
{
    const char *data = in(m, "d.csv"), *option = cohort == NULL ? NULL : "--cohort";
    switch (verb) {
    case 0:
        RUN(m, 0, "fairness", "--data", data, "--label", "y", "--prediction", "d", "--score", "p",
            "--sensitive", "g,c", "--bootstrap", "4", "--threads", threads, "--json", option,
            cohort);
        return;
    case 1:
        RUN(m, 0, "bias", "--data", data, "--label", "y", "--sensitive", "g", "--threads", threads,
            "--json", option, cohort);
        return;
    default:
        RUN(m, 0, "errors", "--data", data, "--label", "y", "--prediction", "d", "--slices", "1",
            "--level", "1", "--permutations", "19", "--threads", threads, "--json", option, cohort);
    }
}

static double
at(const json_t *o, const char *a, const char *b)
{
    const json_t *v = json_object_get(json_object_get(o, a), b);
    assert_true(json_is_number(v));
    return json_number_value(v);
}

static const json_t *
groups_of(const json_t *d, const char *list)
{
    return json_object_get(json_array_get(json_object_get(d, list), 0), "groups");
}

static void
every_row_counts_not_the_first_five_thousand(void **state)
{
    struct room *m = *state;
    struct counts expected[GROUPS] = {0};
    write_rows(m, expected);
    run_verb(m, 0, "2", NULL);
    DEFER(js_freep) json_t *fairness = out_json(m);
    run_verb(m, 1, "2", NULL);
    DEFER(js_freep) json_t *bias = out_json(m);
    double wrong = 0;
    for (size_t g = 0; g < GROUPS; g++) {
        const struct counts *e = &expected[g];
        const json_t *f = json_array_get(groups_of(fairness, "groupings"), g);
        const json_t *rate = json_array_get(groups_of(bias, "factors"), g);
        assert_near(at(f, "counts", "tp"), e->tp, 0);
        assert_near(at(f, "counts", "fp"), e->fp, 0);
        assert_near(at(f, "counts", "tn"), e->tn, 0);
        assert_near(at(f, "counts", "fn"), e->fn, 0);
        assert_near(at(rate, "positive_rate", "x"), e->tp + e->fn, 0);
        assert_near(at(rate, "positive_rate", "n"), e->tp + e->fn + e->fp + e->tn, 0);
        wrong += e->fp + e->fn;
    }
    run_verb(m, 2, "2", NULL);
    DEFER(js_freep) json_t *errors = out_json(m);
    assert_near(json_number_value(json_object_get(errors, "rows")), ROWS, 0);
    assert_near(json_number_value(json_object_get(errors, "rows_wrong")), wrong, 0);
    const json_t *worst =
        json_array_get(json_object_get(json_object_get(errors, "slices"), "found"), 0);
    assert_text_has(json_string_value(json_object_get(worst, "cohort")), "x");
}

static void
blocks_and_threads_change_no_digit(void **state)
{
    struct room *m = *state;
    struct counts ignored[GROUPS] = {0};
    write_rows(m, ignored);
    for (size_t verb = 0; verb < 3; verb++) {
        DEFER(buf_done) struct buf one;
        buf_init(&one, 32u << 20);
        run_verb(m, verb, "1", NULL);
        buf_put(&one, buf_view(&m->r.out));
        run_verb(m, verb, "3", NULL);
        assert_string_equal(buf_str(&one), buf_str(&m->r.out));
    }
}

static void
a_cohort_and_its_rest_add_up_to_the_whole(void **state)
{
    static const char *const cells[] = {"tp", "fp", "tn", "fn"};
    struct room *m = *state;
    struct counts expected[GROUPS] = {0};
    write_rows(m, expected);
    run_verb(m, 0, "1", "x < 4");
    DEFER(js_freep) json_t *fairness = out_json(m);
    run_verb(m, 1, "1", "x < 4");
    DEFER(js_freep) json_t *bias = out_json(m);
    for (size_t g = 0; g < GROUPS; g++) {
        const double whole[] = {expected[g].tp, expected[g].fp, expected[g].tn, expected[g].fn};
        const json_t *a = json_array_get(groups_of(fairness, "groupings"), g);
        const json_t *b =
            json_array_get(groups_of(json_object_get(fairness, "rest"), "groupings"), g);
        for (size_t k = 0; k < 4; k++) {
            assert_true(at(a, "counts", cells[k]) > 0);
            assert_near(at(a, "counts", cells[k]) + at(b, "counts", cells[k]), whole[k], 0);
        }
        a = json_array_get(groups_of(bias, "factors"), g);
        b = json_array_get(groups_of(json_object_get(bias, "rest"), "factors"), g);
        assert_near(at(a, "positive_rate", "x") + at(b, "positive_rate", "x"), whole[0] + whole[3],
                    0);
    }
}

/* The first hundred rows say 0, the others 300: shap keeps a hundred of them unless told. */
static void
every_row_of_a_background_counts(void **state)
{
    struct room *m = *state;
    DEFER(buf_done) struct buf b;
    buf_init(&b, 1u << 16);
    buf_put_str(&b, "x\n");
    for (unsigned i = 0; i < 150; i++) {
        buf_put_str(&b, i < 100 ? "0\n" : "300\n");
    }
    testing_write(in(m, "background.csv"), buf_view(&b));
    testing_write(in(m, "one.csv"), view_str("x\n7\n"));
    testing_write(in(m, "line.json"),
                  view_str("{\"format\":\"steward-linear\",\"version\":1,\"link\":\"identity\","
                           "\"features\":[\"x\"],\"intercept\":[0],\"coefficients\":[[1]]}"));
    char model[300], data[300], output[300];
    (void)snprintf(model, sizeof model, "%s", in(m, "line.json"));
    (void)snprintf(data, sizeof data, "%s", in(m, "one.csv"));
    (void)snprintf(output, sizeof output, "%s", in(m, "contributions.csv"));
    RUN(m, 0, "explain", "--model", model, "--data", data, "--background", in(m, "background.csv"),
        "--output", output);
    DEFER(buf_done) struct buf got;
    buf_init(&got, 1u << 10);
    testing_read(output, &got);
    assert_string_equal(buf_str(&got), "x,base\n-93,100\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BARE(every_row_counts_not_the_first_five_thousand),
        BARE(blocks_and_threads_change_no_digit),
        BARE(a_cohort_and_its_rest_add_up_to_the_whole),
        BARE(every_row_of_a_background_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
