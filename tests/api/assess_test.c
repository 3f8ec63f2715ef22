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

static struct sw_predictor *
load(const char *path)
{
    struct sw_predictor *predictor = NULL;
    FILE *file = fopen(path, "rb");
    char *bytes = malloc(16 << 20);
    const size_t n = file == NULL || bytes == NULL ? 0 : fread(bytes, 1, 16 << 20, file);
    check(sw_predictor_load(NULL, 1, &predictor, &error) == SW_INPUT && says("bytes: NULL"),
          "refuses bytes that are not there");
    check(sw_predictor_load(bytes, n / 2, &predictor, &error) == SW_INPUT && predictor == NULL,
          "refuses half a model");
    check(n > 0 && sw_predictor_load(bytes, n, &predictor, &error) == 0, "loads a model");
    free(bytes);
    if (file != NULL) {
        (void)fclose(file);
    }
    return predictor;
}

/* All features but the first as one column, which stands first. */
static void
explain_columns(const struct sw_predictor *predictor, const float *x)
{
    const size_t features = sw_predictor_features(predictor);
    uint32_t *column = calloc(features, sizeof *column);
    double *phi = calloc(2 * features, sizeof *phi);
    double sum[4], expected = 0, whole = 0;
    const struct sw_explain_options apart = {.precision = SW_RECORD},
                                    grouped = {
                                        .precision = SW_RECORD, .column = column, .columns = 2};
    column[0] = 2;
    check(sw_predictor_explain(predictor, x, 2, &grouped, sum, &expected, &error) == SW_INPUT &&
              says("feature 0: its column is 2 of 2"),
          "refuses a column that is not there");
    column[0] = 1;
    check(sw_predictor_explain(predictor, x, 2, &apart, phi, &expected, &error) == 0 &&
              sw_predictor_explain(predictor, x, 2, &grouped, sum, &expected, &error) == 0,
          "explains by columns");
    for (size_t f = 1; f < features; f++) {
        whole += phi[features + f];
    }
    check(fabs(sum[2] - whole) < 1e-12 && fabs(sum[3] - phi[features]) < 1e-12,
          "a column has the sum of its features");
    free(column);
    free(phi);
}

/* phi: of the first row against the second. */
static void
explain_pairs_against(const struct sw_predictor *predictor, const float *x, const double *margin,
                      const double *phi, double *pairs)
{
    const size_t features = sw_predictor_features(predictor);
    struct sw_explain_options o = {.background = x + features, .background_rows = 1};
    double expected = 0, line = 0, all = 0, answer[2];
    check(sw_predictor_interactions(predictor, x, 1, &o, pairs, &expected, &error) == 0 &&
              fabs(expected - margin[1]) < 1e-9,
          "explains pairs against a background");
    for (size_t f = 0; f < features; f++) {
        line += pairs[f];
    }
    check(fabs(line - phi[0]) < 1e-9, "whose line is the feature's value against it");
    o.probability = 1;
    check(sw_predictor_predict(predictor, x, 2, 1, answer, &error) == 0 &&
              sw_predictor_interactions(predictor, x, 1, &o, pairs, &expected, &error) == 0,
          "explains pairs on probability");
    for (size_t f = 0; f < features * features; f++) {
        all += pairs[f];
    }
    check(fabs(all + expected - answer[0]) < 1e-9, "whose sum is the probability");
    o.background = NULL;
    check(sw_predictor_interactions(predictor, x, 1, &o, pairs, &expected, &error) == SW_INPUT &&
              says("need a background"),
          "refuses pairs on probability without a background");
}

/* Of two rows, one with a missing value: margin, values and interactions add up. */
static void
explain(const struct sw_predictor *predictor)
{
    const size_t features = sw_predictor_features(predictor);
    float *x = calloc(2 * features, sizeof *x);
    double *phi = calloc(2 * features, sizeof *phi),
           *pairs = calloc(2 * features * features, sizeof *pairs);
    double margin[2], expected = 0, sum = 0, pair_sum = 0, line = 0;
    const struct sw_explain_options record = {.precision = SW_RECORD};
    for (size_t i = 0; i < 2 * features; i++) {
        x[i] = (float)(i % 3);
    }
    x[1] = NAN;
    check(sw_predictor_outputs(predictor) == 1 &&
              strcmp(sw_predictor_feature(predictor, 1), "debt") == 0 &&
              sw_predictor_feature(predictor, features) == NULL,
          "tells outputs and the names of features");
    check(sw_predictor_margin(predictor, NULL, 2, 1, margin, &error) == SW_INPUT && says("x: NULL"),
          "refuses rows that are not there");
    check(sw_predictor_margin(predictor, x, 2, 1, margin, &error) == 0, "predicts");
    check(sw_predictor_explain(predictor, x, 2, &record, phi, &expected, &error) == 0, "explains");
    for (size_t f = 0; f < features; f++) {
        sum += phi[f];
    }
    check(fabs(sum + expected - margin[0]) < 1e-9, "values add up to the margin");
    check(sw_predictor_interactions(predictor, x, 2, NULL, pairs, &expected, &error) == 0,
          "explains pairs");
    for (size_t f = 0; f < features * features; f++) {
        pair_sum += pairs[f];
        line += f < features ? pairs[f] : 0;
    }
    check(fabs(pair_sum + expected - margin[0]) < 1e-9 && fabs(line - phi[0]) < 1e-9,
          "pairs add up to the values");
    const struct sw_explain_options against = {
        .precision = SW_RECORD, .background = x + features, .background_rows = 1};
    check(sw_predictor_explain(predictor, x, 1, &against, phi, &expected, &error) == 0 &&
              fabs(expected - margin[1]) < 1e-9,
          "against one other row, that row's margin is expected");
    explain_pairs_against(predictor, x, margin, phi, pairs);
    const struct sw_explain_options none = {.probability = 1};
    check(sw_predictor_explain(predictor, x, 1, &none, phi, &expected, &error) == SW_INPUT &&
              says("need a background"),
          "refuses probability without a background");
    explain_columns(predictor, x);
    free(x);
    free(phi);
    free(pairs);
}

/* 0.5 + 2 (a - 1) - (b - 2), and the means 1 and 2 are told. */
static void
explain_a_linear_model(void)
{
    static const char file[] =
        "{\"format\":\"steward-linear\",\"version\":1,\"link\":\"logistic\",\"features\":[\"a\","
        "\"b\"],\"intercept\":[0.5],\"coefficients\":[[2,-1]],\"mean\":[1,2]}";
    struct sw_predictor *linear = NULL;
    const float x[] = {3, 1};
    double phi[2], pairs[4], expected = 0, answer = 0, margin = 0;
    check(sw_predictor_load(file, sizeof file - 1, &linear, &error) == 0, "loads a linear model");
    if (linear == NULL) {
        return;
    }
    check(sw_predictor_margin(linear, x, 1, 1, &margin, &error) == 0 &&
              fabs(margin - 5.5) < 1e-12 &&
              sw_predictor_predict(linear, x, 1, 1, &answer, &error) == 0 &&
              fabs(answer - 1 / (1 + exp(-5.5))) < 1e-12,
          "tells margin and probability of a linear model");
    check(sw_predictor_explain(linear, x, 1, NULL, phi, &expected, &error) == 0 &&
              fabs(phi[0] - 4) < 1e-12 && fabs(phi[1] - 1) < 1e-12 && fabs(expected - 0.5) < 1e-12,
          "explains a linear model from the means that it tells");
    const float other[] = {3, 5};
    const struct sw_explain_options o = {.background = other, .background_rows = 1};
    check(sw_predictor_explain(linear, x, 1, &o, phi, &expected, &error) == 0 && phi[0] == 0 &&
              fabs(phi[1] - 4) < 1e-12 && fabs(expected - 1.5) < 1e-12,
          "and against a background");
    check(sw_predictor_interactions(linear, x, 1, NULL, pairs, &expected, &error) == 0 &&
              fabs(pairs[0] - 4) < 1e-12 && pairs[1] == 0 && pairs[2] == 0 &&
              fabs(pairs[3] - 1) < 1e-12,
          "has no pairs on the margin of a linear model");
    const struct sw_explain_options p = {
        .background = other, .background_rows = 1, .probability = 1};
    check(sw_predictor_explain(linear, x, 1, &p, phi, &expected, &error) == 0 &&
              sw_predictor_interactions(linear, x, 1, &p, pairs, &expected, &error) == 0 &&
              pairs[0] == phi[0] && pairs[1] == 0 && pairs[2] == 0 && pairs[3] == phi[1] &&
              fabs(phi[1]) > 0.01,
          "nor on its probability, where attributions are scaled");
    sw_predictor_free(linear);
}

/* x0 * x1 + 10 x2: against zeros the product is shared equally. */
static int
multiply(void *context, const double *x, size_t n, double *ret_answer)
{
    const int *code = context;
    for (size_t i = 0; i < n; i++) {
        ret_answer[i] = x[i * 3] * x[i * 3 + 1] + 10 * x[i * 3 + 2];
    }
    return *code;
}

static void
explain_a_function(void)
{
    static const double zeros[3], row[3] = {2, 3, 1};
    int code = 0;
    double phi[3], sd[3], expected = 1;
    const struct sw_black_box box = {multiply, &code, 3, 1, 0};
    struct sw_black_box_options o = {.background_rows = 1, .threads = 1};
    check(sw_black_box_explain(&box, row, 1, &o, phi, sd, &expected, &error) == SW_INPUT &&
              says("background: NULL"),
          "refuses a function without a background");
    o.background = zeros;
    for (int method = SW_KERNEL; method <= SW_PERMUTATION; method++) {
        o.method = (enum sw_shapley)method;
        check(sw_black_box_explain(&box, row, 1, &o, phi, sd, &expected, &error) == 0 &&
                  fabs(phi[0] - 3) < 1e-9 && fabs(phi[1] - 3) < 1e-9 && fabs(phi[2] - 10) < 1e-9 &&
                  sd[0] == 0 && expected == 0,
              "explains any function exactly where all coalitions fit");
    }
    code = 7;
    check(sw_black_box_explain(&box, row, 1, &o, phi, sd, &expected, &error) == SW_INPUT &&
              says("predict: failed with 7"),
          "tells when the function fails");
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
    const struct sw_factor side = {
        .name = "side", .code = rows.group, .levels = groups, .level_count = 2};
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
    const struct sw_factor odd = {
        .name = "side", .code = rows.group, .levels = cut, .level_count = 2};
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

static const char *const colours[] = {"red", "green", "blue"};

static void
take_classes(void)
{
    static int32_t label[ROWS], decision[ROWS];
    char *json = NULL;
    const struct sw_factor side = {
        .name = "side", .code = rows.group, .levels = groups, .level_count = 2};
    const struct sw_feature feature = {"value", rows.value, NULL, 0};
    const struct sw_fairness_options fair = {
        .sensitive = &side, .sensitive_count = 1, .replicates = 200};
    const struct sw_errors_options where = {.features = &feature, .feature_count = 1};
    for (int i = 0; i < ROWS; i++) {
        label[i] = i % 3;
        decision[i] = rows.value[i] > 0.9 ? (i + 1) % 3 : i % 3;
    }
    label[5] = -1;
    struct sw_decisions d = {.kind = SW_CLASSES,
                             .rows = ROWS,
                             .label_class = label,
                             .decision_class = decision,
                             .classes = colours,
                             .class_count = 3};
    check(sw_fairness(&d, &fair, &json, &error) == 0 && strstr(json, "green") != NULL,
          "compares groups by classes");
    sw_text_free(json);
    json = NULL;
    check(sw_errors(&d, &where, &json, &error) == 0 && strstr(json, "value > 0.9") != NULL,
          "finds the mistakes among classes");
    sw_text_free(json);
    json = NULL;
    decision[9] = 3;
    check(sw_errors(&d, &where, &json, &error) == SW_INPUT && json == NULL &&
              says("row 9: a code is none of the 3 classes"),
          "refuses a class that is none");
    d.class_count = 1;
    check(sw_fairness(&d, &fair, &json, &error) == SW_INPUT && says("class_count: 2 to"),
          "refuses one class");
}

static void
take_numbers(void)
{
    static double value[ROWS], predicted[ROWS], weight[ROWS];
    char *json = NULL;
    const struct sw_factor side = {
        .name = "side", .code = rows.group, .levels = groups, .level_count = 2};
    const struct sw_feature feature = {"value", rows.value, NULL, 0};
    struct sw_fairness_options fair = {
        .sensitive = &side, .sensitive_count = 1, .replicates = 200, .weight = weight};
    const struct sw_errors_options where = {.features = &feature, .feature_count = 1};
    for (int i = 0; i < ROWS; i++) {
        value[i] = i % 17;
        predicted[i] = value[i] + (rows.value[i] > 0.9 ? 5 : 0.1);
        weight[i] = 1;
    }
    value[5] = NAN;
    const struct sw_decisions d = {
        .kind = SW_NUMBERS, .rows = ROWS, .value = value, .predicted = predicted};
    check(sw_fairness(&d, &fair, &json, &error) == 0 && strstr(json, "mean_absolute_error") != NULL,
          "compares groups by numbers");
    sw_text_free(json);
    json = NULL;
    check(sw_errors(&d, &where, &json, &error) == 0 && strstr(json, "value > 0.9") != NULL,
          "finds where numbers are far off");
    sw_text_free(json);
    json = NULL;
    weight[3] = -1;
    check(sw_fairness(&d, &fair, &json, &error) == SW_INPUT && says("no weight"),
          "refuses a weight below zero");
    predicted[3] = INFINITY;
    check(sw_errors(&d, &where, &json, &error) == SW_INPUT && json == NULL && says("row 3: "),
          "refuses a number that is not finite");
}

static void
look_at_data(void)
{
    static const char *const outcome[] = {"paid", "not"};
    static int32_t label[ROWS], third[ROWS];
    char *json = NULL;
    for (int i = 0; i < ROWS; i++) {
        label[i] = rows.decision[i];
        third[i] = i % 3;
    }
    const struct sw_factor
        side = {.name = "side", .code = rows.group, .levels = groups, .level_count = 2},
        colour = {.name = "colour", .code = third, .levels = colours, .level_count = 3};
    struct sw_bias_options o = {
        .rows = ROWS,
        .label = {.name = "outcome", .code = label, .levels = outcome, .level_count = 2},
        .positive = 1,
        .sensitive = &side,
        .sensitive_count = 1,
        .strata = &colour,
        .replicates = 200};
    check(sw_bias(&o, &json, &error) == 0 && strstr(json, "\"DPL\"") != NULL &&
              strstr(json, "colour") != NULL,
          "tells what is uneven in data");
    sw_text_free(json);
    json = NULL;
    o.positive = 2;
    check(sw_bias(&o, &json, &error) == SW_INPUT && says("positive: 2 is none"),
          "refuses a positive value that the label has not");
    o.positive = 1;
    o.sensitive_count = 0;
    check(sw_bias(&o, &json, &error) == SW_INPUT && json == NULL, "refuses no sensitive column");
}

int
main(int argc, char **argv)
{
    struct sw_predictor *predictor = load(argc > 1 ? argv[1] : "");
    if (predictor != NULL) {
        explain(predictor);
    }
    sw_predictor_free(predictor);
    sw_predictor_free(NULL);
    explain_a_linear_model();
    explain_a_function();
    make_rows();
    const struct sw_decisions d = {.rows = ROWS, .label = rows.label, .decision = rows.decision};
    compare(d);
    look_for_errors(d);
    take_classes();
    take_numbers();
    look_at_data();
    printf("1..%d\n", cases);
    return failures > 0;
}
