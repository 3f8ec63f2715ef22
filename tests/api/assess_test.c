/* A stranger's program with arrays of its own: C11, steward/assess.h and libsteward.so, nothing of
 * ours besides. usage: assess-test MODEL.json (XGBoost, binary logistic) */
#include <steward/assess.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 2000

static int cases, failures;
static struct sw_error error;

static void
check(int holds, const char *what)
{
    printf("%s %d - %s\n", holds ? "ok" : "not ok", ++cases, what);
    if (!holds) {
        printf("# last error: %d %s\n", error.code, error.text);
        failures++;
    }
}

static int
says(const char *words)
{
    return strstr(error.text, words) != NULL;
}

/* ---- tree ensembles ---- */

static struct sw_forest *
load(const char *path)
{
    struct sw_forest *forest = NULL;
    FILE *file = fopen(path, "rb");
    char *bytes = malloc(16 << 20);
    const size_t n = file == NULL || bytes == NULL ? 0 : fread(bytes, 1, 16 << 20, file);
    check(sw_forest_load(NULL, 1, &forest, &error) == SW_INPUT && says("bytes: NULL"),
          "refuses bytes that are not there");
    check(sw_forest_load(bytes, n / 2, &forest, &error) == SW_INPUT && forest == NULL,
          "refuses half a model");
    check(n > 0 && sw_forest_load(bytes, n, &forest, &error) == 0, "loads a model");
    free(bytes);
    if (file != NULL) {
        (void)fclose(file);
    }
    return forest;
}

/* All features but the first as one column, which stands first. */
static void
explain_columns(const struct sw_forest *forest, const float *x)
{
    const size_t features = sw_forest_features(forest);
    uint32_t *column = calloc(features, sizeof *column);
    double *phi = calloc(2 * features, sizeof *phi);
    double sum[4], expected = 0, whole = 0;
    const struct sw_explain_options apart = {.precision = SW_RECORD},
                                    grouped = {
                                        .precision = SW_RECORD, .column = column, .columns = 2};
    column[0] = 2;
    check(sw_forest_explain(forest, x, 2, &grouped, sum, &expected, &error) == SW_INPUT &&
              says("feature 0: its column is 2 of 2"),
          "refuses a column that is not there");
    column[0] = 1;
    check(sw_forest_explain(forest, x, 2, &apart, phi, &expected, &error) == 0 &&
              sw_forest_explain(forest, x, 2, &grouped, sum, &expected, &error) == 0,
          "explains by columns");
    for (size_t f = 1; f < features; f++) {
        whole += phi[features + f];
    }
    check(fabs(sum[2] - whole) < 1e-12 && fabs(sum[3] - phi[features]) < 1e-12,
          "a column has the sum of its features");
    free(column);
    free(phi);
}

/* Of two rows, one with a missing value: margin, values and interactions add up. */
static void
explain(const struct sw_forest *forest)
{
    const size_t features = sw_forest_features(forest);
    float *x = calloc(2 * features, sizeof *x);
    double *phi = calloc(2 * features, sizeof *phi),
           *pairs = calloc(2 * features * features, sizeof *pairs);
    double margin[2], expected = 0, sum = 0, pair_sum = 0, line = 0;
    const struct sw_explain_options record = {.precision = SW_RECORD};
    for (size_t i = 0; i < 2 * features; i++) {
        x[i] = (float)(i % 3);
    }
    x[1] = NAN;
    check(sw_forest_outputs(forest) == 1 && strcmp(sw_forest_feature(forest, 1), "debt") == 0 &&
              sw_forest_feature(forest, features) == NULL,
          "tells outputs and the names of features");
    check(sw_forest_margin(forest, NULL, 2, 1, margin, &error) == SW_INPUT && says("x: NULL"),
          "refuses rows that are not there");
    check(sw_forest_margin(forest, x, 2, 1, margin, &error) == 0, "predicts");
    check(sw_forest_explain(forest, x, 2, &record, phi, &expected, &error) == 0, "explains");
    for (size_t f = 0; f < features; f++) {
        sum += phi[f];
    }
    check(fabs(sum + expected - margin[0]) < 1e-9, "values add up to the margin");
    check(sw_forest_interactions(forest, x, 2, 1, pairs, &error) == 0, "explains pairs");
    for (size_t f = 0; f < features * features; f++) {
        pair_sum += pairs[f];
        line += f < features ? pairs[f] : 0;
    }
    check(fabs(pair_sum + expected - margin[0]) < 1e-9 && fabs(line - phi[0]) < 1e-9,
          "pairs add up to the values");
    const struct sw_explain_options against = {
        .precision = SW_RECORD, .background = x + features, .background_rows = 1};
    check(sw_forest_explain(forest, x, 1, &against, phi, &expected, &error) == 0 &&
              fabs(expected - margin[1]) < 1e-9,
          "against one other row, that row's margin is expected");
    const struct sw_explain_options none = {.probability = 1};
    check(sw_forest_explain(forest, x, 1, &none, phi, &expected, &error) == SW_INPUT &&
              says("need a background"),
          "refuses probability without a background");
    explain_columns(forest, x);
    free(x);
    free(phi);
    free(pairs);
}

/* ---- decisions ---- */

static struct {
    uint8_t label[ROWS], decision[ROWS];
    int32_t group[ROWS];
    double value[ROWS];
} rows;

static const char *const groups[] = {"left", "right"};

/* Selected: 60 % of the left, 30 % of the right; all mistakes are where the value is over 0.9. */
static void
make_rows(void)
{
    for (int i = 0; i < ROWS; i++) {
        rows.group[i] = i % 2;
        rows.value[i] = (i / 2 % 100) / 100.0;
        rows.decision[i] = i / 2 % 10 < (i % 2 == 0 ? 6 : 3);
        rows.label[i] = rows.value[i] > 0.9 ? !rows.decision[i] : rows.decision[i];
    }
}

static void
compare(struct sw_decisions d)
{
    char *json = NULL;
    const struct sw_factor side = {"side", rows.group, groups, 2};
    struct sw_fairness_options o = {.sensitive = &side, .sensitive_count = 1, .replicates = 200};
    check(sw_fairness(NULL, &o, &json, &error) == SW_INPUT && says("decisions: NULL"),
          "refuses decisions that are not there");
    check(sw_fairness(&d, &o, &json, &error) == 0 && strstr(json, "\"demographic_parity_differ") &&
              strstr(json, "right") != NULL,
          "compares groups");
    sw_text_free(json);
    json = NULL;
    rows.group[7] = 2;
    check(sw_fairness(&d, &o, &json, &error) == SW_INPUT && json == NULL &&
              says("side, row 7: code 2 is none of its 2 levels"),
          "refuses a code without a level");
    rows.group[7] = 1;
    rows.label[3] = 9;
    check(sw_fairness(&d, &o, &json, &error) == SW_INPUT && says("row 3: labels and decisions are"),
          "refuses a label that is none");
    rows.label[3] = rows.decision[3];
    const char *const cut[] = {"left", "\xc3"};
    const struct sw_factor odd = {"side", rows.group, cut, 2};
    o.sensitive = &odd;
    check(sw_fairness(&d, &o, &json, &error) == SW_INPUT && says("side: not UTF-8 text"),
          "refuses a level that is no text");
    o.sensitive = &side;
    o.replicates = 4000000000u;
    check(sw_fairness(&d, &o, &json, &error) == SW_INPUT && says("replicates: at most"),
          "refuses replicates that would take days");
}

static void
look_for_errors(struct sw_decisions d)
{
    char *json = NULL;
    const struct sw_feature feature = {"value", rows.value, NULL, 0};
    struct sw_errors_options o = {.features = &feature, .feature_count = 1};
    check(sw_errors(&d, &o, &json, &error) == 0 && strstr(json, "value > 0.9") != NULL,
          "finds where the mistakes are");
    sw_text_free(json);
    json = NULL;
    o.slice_level = 9;
    check(sw_errors(&d, &o, &json, &error) == SW_INPUT && json == NULL, "refuses nine levels");
    o.slice_level = 0;
    o.permutations = 4000000000u;
    check(sw_errors(&d, &o, &json, &error) == SW_INPUT && says("permutations: at most"),
          "refuses permutations that would take days");
    o.permutations = 0;
    double score[ROWS] = {[5] = 1.5};
    d.score = score;
    check(sw_errors(&d, &o, &json, &error) == SW_INPUT && says("score, row 5: 1.5 is no probab"),
          "refuses a score that is no probability");
    d.score = NULL;
    d.rows = 0;
    check(sw_errors(&d, &o, &json, &error) != 0 && json == NULL, "refuses no rows");
}

int
main(int argc, char **argv)
{
    struct sw_forest *forest = load(argc > 1 ? argv[1] : "");
    if (forest != NULL) {
        explain(forest);
    }
    sw_forest_free(forest);
    sw_forest_free(NULL);
    make_rows();
    const struct sw_decisions d = {.rows = ROWS, .label = rows.label, .decision = rows.decision};
    compare(d);
    look_for_errors(d);
    printf("1..%d\n", cases);
    return failures > 0;
}
