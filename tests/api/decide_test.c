/* A stranger's program that trains, studies, certifies and assesses with arrays of its own: C11,
 * steward/assess.h and libsteward.so, nothing of ours besides. */
#include <steward/assess.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 2000
#define FEATURES 3
enum { SIDE, INCOME, AGE };

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

/* The number after the first such key from a place on; NaN when there is none. */
static double
number_after(const char *json, const char *key)
{
    const char *at = json == NULL ? NULL : strstr(json, key);
    const char *colon = at == NULL ? NULL : strchr(at + strlen(key), ':');
    return colon == NULL ? (double)NAN : strtod(colon + 1, NULL);
}

/* How much more the last number of the list after a key is than the first; NaN: no such list. */
static double
rise_of(const char *json, const char *key)
{
    const char *at = json == NULL ? NULL : strstr(json, key);
    const char *open = at == NULL ? NULL : strchr(at, '[');
    if (open == NULL) {
        return (double)NAN;
    }
    char *end = NULL;
    const double first = strtod(open + 1, &end);
    double last = first;
    while (*(end += strspn(end, " \n")) == ',') {
        last = strtod(end + 1, &end);
    }
    return last - first;
}

/* ---- rows ---- */

static struct {
    float x[ROWS * FEATURES];
    double side[ROWS], income[ROWS], age[ROWS], z[2 * ROWS];
    double weight[ROWS], decision[ROWS], chance[ROWS], score[ROWS];
    float y[ROWS];
    uint8_t label[ROWS], flipped[ROWS], young[ROWS];
    int32_t group[ROWS], outcome[ROWS];
} rows;

static const char *const groups[] = {"left", "right"}, *const outcomes[] = {"no", "yes"};
static const struct sw_factor side = {
    .name = "side", .code = rows.group, .levels = groups, .level_count = 2};
static const struct sw_factor outcome = {
    .name = "outcome", .code = rows.outcome, .levels = outcomes, .level_count = 2};
static const struct sw_feature features[] = {
    {"side", rows.side, groups, 2}, {"income", rows.income, NULL, 0}, {"age", rows.age, NULL, 0}};

static double
draw(void)
{
    static uint64_t state = 7;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 11) / 9007199254740992.0;
}

/* The right side is paid less and, beyond that, accepted less. */
static void
make_rows(void)
{
    for (int i = 0; i < ROWS; i++) {
        rows.group[i] = i % 2;
        rows.side[i] = i % 2;
        rows.income[i] = draw() - 0.1 * rows.group[i];
        rows.age[i] = draw();
        rows.label[i] = rows.income[i] + 0.3 * draw() - 0.25 * rows.group[i] > 0.55;
        rows.outcome[i] = rows.label[i];
        rows.y[i] = rows.label[i];
        rows.young[i] = rows.age[i] < 0.3;
        rows.x[i * FEATURES + SIDE] = (float)rows.side[i];
        rows.x[i * FEATURES + INCOME] = (float)rows.income[i];
        rows.x[i * FEATURES + AGE] = (float)rows.age[i];
    }
}

/* Share of a group's rows that are so. */
static double
share(const double *is, int32_t group)
{
    double sum = 0, n = 0;
    for (int i = 0; i < ROWS; i++) {
        sum += rows.group[i] == group ? is[i] : 0;
        n += rows.group[i] == group;
    }
    return sum / n;
}

/* ---- before and after training ---- */

static void
weigh(void)
{
    double of[2][2] = {{0}};
    uint32_t empty = 9;
    rows.group[4] = -1;
    check(sw_reweigh(&outcome, &side, ROWS, rows.weight, &empty, &error) == 0 && empty == 0 &&
              rows.weight[4] == 1,
          "weighs rows; one without a group by 1");
    rows.group[4] = 0;
    for (int i = 0; i < ROWS; i++) {
        of[rows.group[i]][rows.label[i]] += i == 4 ? 0 : rows.weight[i];
    }
    check(fabs(of[0][1] / (of[0][0] + of[0][1]) - of[1][1] / (of[1][0] + of[1][1])) < 1e-12,
          "so that outcome and group are independent");
    const struct sw_factor one = {
        .name = "side", .code = rows.group, .levels = groups, .level_count = 1};
    check(sw_reweigh(&outcome, &one, ROWS, rows.weight, NULL, &error) == SW_INPUT &&
              says("side, row 1: code 1 is none of its 1 levels"),
          "refuses a code without a level");
}

static void
remove_trace(void)
{
    double mean[2] = {0}, n[2] = {0};
    for (int i = 0; i < ROWS; i++) {
        rows.z[2 * i] = rows.income[i];
        rows.z[2 * i + 1] = rows.age[i];
    }
    check(sw_remove_correlation(rows.z, ROWS, 2, rows.side, 1, 1.5, rows.z, &error) == SW_INPUT &&
              says("alpha"),
          "refuses to remove more than all");
    check(sw_remove_correlation(rows.z, ROWS, 2, rows.side, 1, 1, rows.z, &error) == 0,
          "removes what is linear in the side");
    for (int i = 0; i < ROWS; i++) {
        mean[rows.group[i]] += rows.z[2 * i];
        n[rows.group[i]]++;
    }
    check(fabs(mean[0] / n[0] - mean[1] / n[1]) < 1e-12, "so that both sides earn the same");
    static double flat[ROWS], vast[ROWS];
    for (int i = 0; i < ROWS; i++) {
        vast[i] = i % 2 == 0 ? 1e200 : -1e200;
    }
    check(sw_remove_correlation(rows.z, ROWS, 2, flat, 1, 1, rows.z, &error) == SW_INPUT &&
              says("no column varies"),
          "refuses to remove what does not vary");
    check(sw_remove_correlation(rows.z, ROWS, 2, vast, 1, 1, rows.z, &error) == SW_INPUT &&
              says("their squares are infinite"),
          "refuses numbers whose squares are infinite");
}

static void
find_thresholds(void)
{
    char *json = NULL;
    double now[ROWS];
    struct sw_decisions d = {.rows = ROWS, .label = rows.label, .score = rows.score};
    struct sw_thresholds_options o = {.tolerance = 0.02};
    for (int i = 0; i < ROWS; i++) {
        rows.score[i] = 0.05 + 0.8 * fmin(fmax(rows.income[i], 0), 1);
        now[i] = rows.score[i] >= 0.5;
    }
    check(sw_thresholds(&d, &side, &o, rows.decision, rows.chance, &json, &error) == 0,
          "finds thresholds by group");
    check(fabs(share(now, 0) - share(now, 1)) > 0.05 &&
              fabs(share(rows.decision, 0) - share(rows.decision, 1)) <= 0.02 + 1e-12 &&
              fabs(share(rows.chance, 0) - share(rows.chance, 1)) <= 0.02 + 1e-9,
          "under which both sides are selected alike");
    const char *fixed = json == NULL ? NULL : strstr(json, "\"deterministic\"");
    check(fabs(number_after(fixed, "\"gap\"") -
               fabs(share(rows.decision, 0) - share(rows.decision, 1))) < 1e-9,
          "as the document tells");
    sw_text_free(json);
    json = NULL;
    o.grid = UINT32_MAX;
    check(sw_thresholds(&d, &side, &o, NULL, NULL, &json, &error) == SW_INPUT && says("grid: at"),
          "refuses a grid without end");
    o.grid = 0;
    rows.score[3] = -INFINITY;
    check(sw_thresholds(&d, &side, &o, NULL, NULL, &json, &error) == SW_INPUT &&
              says("score, row 3: -inf is no probability"),
          "refuses a score that is no probability");
    rows.score[3] = 0.5;
    o.constraint = "parity";
    check(sw_thresholds(&d, &side, &o, NULL, NULL, &json, &error) == SW_INPUT && json == NULL &&
              says("constraint \"parity\""),
          "refuses a constraint that is none");
    d.score = NULL;
    check(sw_thresholds(&d, &side, NULL, NULL, NULL, &json, &error) == SW_INPUT &&
              says("score: NULL"),
          "refuses decisions without scores");
}

/* ---- a model ---- */

static struct sw_predictor *
train(void)
{
    struct sw_gradient_options o = {.x = rows.x,
                                    .y = rows.y,
                                    .rows = ROWS,
                                    .features = FEATURES,
                                    .eps = 0.02,
                                    .iterations = 30,
                                    .trees = 20,
                                    .depth = 3,
                                    .threads = 1};
    struct sw_gradient_result r = {0};
    struct sw_predictor *predictor = NULL;
    char *model = NULL;
    size_t length = 0;
    struct sw_gradient_result told = {0};
    check(sw_exponentiated_gradient(&o, &side, &model, &length, &told, &error) == 0 &&
              told.iterations > 0 && told.met == (told.violation <= 0.02),
          "trains under demographic parity");
    check(sw_predictor_load(model, length, &predictor, &error) == 0, "to a model that loads");
    sw_text_free(model);
    model = NULL;
    o.constraint = "bounded_group_loss";
    check(sw_exponentiated_gradient(&o, &side, &model, &length, &r, &error) == SW_INPUT &&
              model == NULL && says("loss bound"),
          "refuses bounded group loss without a bound");
    o.constraint = NULL;
    rows.y[6] = 3;
    check(sw_exponentiated_gradient(&o, &side, &model, &length, &r, &error) == SW_INPUT &&
              says("row 6: a label of two classes is 0 or 1"),
          "refuses a third class");
    rows.y[6] = rows.label[6];
    double answer[ROWS], label[ROWS];
    int wrong = 0;
    check(sw_predictor_predict(predictor, rows.x, ROWS, 1, answer, &error) == 0, "and answers");
    for (int i = 0; i < ROWS; i++) {
        rows.decision[i] = answer[i] >= 0.5;
        label[i] = rows.label[i];
        wrong += rows.decision[i] != rows.label[i];
    }
    const double gap = fabs(share(rows.decision, 0) - share(rows.decision, 1));
    check(fabs(wrong / (double)ROWS - told.error) < 1e-9 && fabs(gap - told.gap) < 1e-9,
          "as well and as evenly as told");
    check(gap < fabs(share(label, 0) - share(label, 1)) / 2, "more evenly than its labels");
    return predictor;
}

static void
train_numbers(void)
{
    static float money[ROWS];
    struct sw_gradient_options o = {.x = rows.x,
                                    .y = money,
                                    .rows = ROWS,
                                    .features = FEATURES,
                                    .numbers = 1,
                                    .loss_bound = 4,
                                    .iterations = 10,
                                    .trees = 20,
                                    .depth = 3,
                                    .threads = 1};
    struct sw_gradient_result r = {0};
    struct sw_predictor *predictor = NULL;
    char *model = NULL;
    size_t length = 0;
    double answer[ROWS], loss[ROWS];
    for (int i = 0; i < ROWS; i++) {
        money[i] = (float)(10 * rows.income[i] - 2 * rows.group[i]);
    }
    check(sw_exponentiated_gradient(&o, &side, &model, &length, &r, &error) == 0 && r.met &&
              r.violation <= 4 && sw_predictor_load(model, length, &predictor, &error) == 0 &&
              sw_predictor_predict(predictor, rows.x, ROWS, 1, answer, &error) == 0,
          "trains numbers under bounded group loss");
    for (int i = 0; i < ROWS; i++) {
        loss[i] = (answer[i] - (double)money[i]) * (answer[i] - (double)money[i]);
    }
    check(fabs(fmax(share(loss, 0), share(loss, 1)) - r.violation) < 1e-4,
          "whose greatest loss of a group is the one told");
    o.constraint = "demographic_parity";
    sw_text_free(model);
    model = NULL;
    check(sw_exponentiated_gradient(&o, &side, &model, &length, &r, &error) == SW_INPUT &&
              says("of numbers, bounded_group_loss"),
          "refuses parity of numbers");
    sw_predictor_free(predictor);
}

static void
certify(const struct sw_predictor *predictor)
{
    static const float values[] = {0, 1};
    const struct sw_certify_options o = {.feature = SIDE, .values = values, .value_count = 2};
    struct sw_certificate c = {0};
    double answer[2];
    uint64_t flipped = 0;
    for (int i = 0; i < ROWS; i++) {
        float both[2 * FEATURES];
        memcpy(both, &rows.x[i * FEATURES], FEATURES * sizeof *both);
        memcpy(both + FEATURES, &rows.x[i * FEATURES], FEATURES * sizeof *both);
        both[SIDE] = 0;
        both[FEATURES + SIDE] = 1;
        (void)sw_predictor_predict(predictor, both, 2, 1, answer, &error);
        flipped += (answer[0] >= 0.5) != (answer[1] >= 0.5);
    }
    check(sw_predictor_certify(predictor, rows.x, ROWS, &o, &c, &error) == 0 && c.rows == ROWS &&
              c.rows_flipped == flipped && c.read == (c.upper > 0),
          "certifies: as many rows flip as do one by one");
    check(c.lower <= c.upper && c.upper - c.lower < 0.01 && c.boxes > 0,
          "and bounds the share of the space");
    struct sw_certify_options none = o;
    none.value_count = 1;
    check(sw_predictor_certify(predictor, rows.x, ROWS, &none, &c, &error) == SW_INPUT,
          "refuses a feature with nothing to change to");
}

static void
view(const struct sw_predictor *predictor)
{
    static const size_t local[] = {0, 9};
    static const uint32_t income = INCOME;
    const struct sw_cohort young = {"young", rows.young};
    struct sw_views_options o = {.read = features,
                                 .cohorts = &young,
                                 .cohort_count = 1,
                                 .dependence = &income,
                                 .dependence_count = 1,
                                 .local = local,
                                 .local_count = 2};
    char *json = NULL;
    double phi[ROWS * FEATURES], expected = 0, mean = 0, in = 0;
    for (int pairs = 0; pairs <= 1; pairs++) {
        o.interactions = pairs;
        check(sw_predictor_views(predictor, rows.x, ROWS, &o, &json, &error) == 0,
              pairs ? "views pairs" : "views all rows");
        check(json != NULL && strstr(json, "\"young\"") != NULL &&
                  strstr(json, "\"dependence\"") != NULL && strstr(json, "\"income\"") != NULL,
              "by cohort, and against values");
        sw_text_free(json);
        json = NULL;
    }
    const struct sw_explain_options record = {.precision = SW_RECORD};
    o = (struct sw_views_options){.explain = record, .cohorts = &young, .cohort_count = 1};
    check(sw_predictor_views(predictor, rows.x, ROWS, &o, &json, &error) == 0 &&
              sw_predictor_explain(predictor, rows.x, ROWS, &record, phi, &expected, &error) == 0,
          "views the same attributions as records");
    for (int i = 0; i < ROWS; i++) {
        mean += fabs(phi[i * FEATURES + SIDE]) / ROWS;
        in += rows.young[i];
    }
    const char *cohorts = json == NULL ? NULL : strstr(json, "\"cohorts\"");
    const char *first = json == NULL ? NULL : strstr(json, "\"feature\": \"f0\"");
    check(fabs(number_after(first, "\"mean_abs\"") - mean) < 1e-9,
          "whose mean size is that of the values");
    check(number_after(cohorts, "\"rows\"") == in, "and whose cohort has its rows");
    sw_text_free(json);
    json = NULL;
    static const size_t beyond = ROWS;
    o.local = &beyond;
    o.local_count = 1;
    check(sw_predictor_views(predictor, rows.x, ROWS, &o, &json, &error) == SW_INPUT &&
              json == NULL && says("local: row 2000 of 2000"),
          "refuses a row that is not there");
}

/* ---- studies ---- */

/* Twice the income, and the age above one half. */
static int
tell(void *context, const double *x, size_t n, double *ret_answer)
{
    (void)context;
    for (size_t i = 0; i < n; i++) {
        ret_answer[i] = 2 * x[i * FEATURES + INCOME] + (x[i * FEATURES + AGE] > 0.5);
    }
    return 0;
}

static char *
study(const struct sw_black_box *box, struct sw_study_options o, enum sw_study which)
{
    char *json = NULL;
    o.study = which;
    o.features = features;
    o.rows = ROWS;
    check(sw_black_box_study(box, &o, &json, &error) == 0, "studies any function");
    return json;
}

static void
study_a_function(void)
{
    static const uint32_t income = INCOME, age = AGE, nine = 9;
    const struct sw_black_box box = {tell, NULL, FEATURES, 1, 0};
    double truth[ROWS];
    for (int i = 0; i < ROWS; i++) {
        truth[i] = 2 * rows.income[i] + (rows.age[i] > 0.5);
    }
    const struct sw_black_box vast = {tell, NULL, FEATURES, 1, SIZE_MAX};
    char *json = study(&vast, (struct sw_study_options){.leaves = 32, .depth = 8}, SW_SURROGATE);
    check(number_after(json, "\"fidelity_r2\"") > 0.95, "in a batch of any size");
    sw_text_free(json);
    json = study(&box, (struct sw_study_options){.chosen = &age, .chosen_count = 1},
                 SW_PARTIAL_DEPENDENCE);
    check(fabs(rise_of(json, "\"mean\"") - 1) < 1e-9,
          "by partial dependence: from the least age to the greatest");
    sw_text_free(json);
    json = study(&box, (struct sw_study_options){.curves = 3, .chosen = &age, .chosen_count = 1},
                 SW_ICE);
    check(json != NULL && strstr(json, "\"curves\"") != NULL, "row by row");
    sw_text_free(json);
    json = study(&box, (struct sw_study_options){.chosen = &income, .chosen_count = 1}, SW_ALE);
    check(fabs(rise_of(json, "\"effect\"") - 2 * rise_of(json, "\"at\"")) < 1e-9,
          "by accumulated local effects: twice the income");
    sw_text_free(json);
    json = study(&box, (struct sw_study_options){.y = truth, .metric = "rmse"},
                 SW_PERMUTATION_IMPORTANCE);
    const char *importances = json == NULL ? NULL : strstr(json, "\"permutation_importance\"");
    check(fabs(number_after(importances, "\"baseline\"")) < 1e-12 &&
              fabs(number_after(importances, "\"importance\"")) < 1e-12,
          "by shuffling: nothing is lost without the side");
    sw_text_free(json);
    json = study(&box, (struct sw_study_options){.leaves = 32, .depth = 8}, SW_SURROGATE);
    check(number_after(json, "\"fidelity_r2\"") > 0.95, "by a tree that imitates it");
    sw_text_free(json);
    json = NULL;
    struct sw_study_options o = {
        .study = SW_ALE, .features = features, .rows = ROWS, .chosen = &nine, .chosen_count = 1};
    check(sw_black_box_study(&box, &o, &json, &error) == SW_INPUT && says("chosen: feature 9 of 3"),
          "refuses a feature that is not there");
    o = (struct sw_study_options){
        .study = SW_PERMUTATION_IMPORTANCE, .features = features, .rows = ROWS, .y = truth};
    check(sw_black_box_study(&box, &o, &json, &error) == SW_INPUT && says("metric: NULL"),
          "refuses importance without a metric");
    o.metric = "luck";
    check(sw_black_box_study(&box, &o, &json, &error) == SW_INPUT && says("metric \"luck\""),
          "refuses a metric that is none");
    o.repeats = 1;
    check(sw_black_box_study(&box, &o, &json, &error) == SW_INPUT && json == NULL &&
              says("out of range"),
          "refuses a single shuffle");
}

/* A predictor is a box like any other: its partial dependence on the side is the mean of its
 * answers when all are of one side. */
static void
study_a_predictor(const struct sw_predictor *predictor)
{
    static const uint32_t chosen = SIDE;
    const struct sw_black_box box = sw_predictor_box(predictor);
    static float moved[ROWS * FEATURES];
    double answer[ROWS], mean = 0;
    char *json =
        study(&box, (struct sw_study_options){.chosen = &chosen, .chosen_count = 1}, SW_ICE);
    memcpy(moved, rows.x, sizeof moved);
    for (int i = 0; i < ROWS; i++) {
        moved[i * FEATURES + SIDE] = 0;
    }
    (void)sw_predictor_predict(predictor, moved, ROWS, 1, answer, &error);
    for (int i = 0; i < ROWS; i++) {
        mean += answer[i] / ROWS;
    }
    const char *line = json == NULL ? NULL : strstr(json, "\"mean\"");
    const char *first = line == NULL ? NULL : strchr(line, '[');
    check(first != NULL && fabs(strtod(first + 1, NULL) - mean) < 1e-9,
          "studies a predictor: the mean of its answers");
    sw_text_free(json);
}

/* ---- all of it ---- */

static void
assess(const struct sw_predictor *predictor)
{
    const struct sw_bias_options bias = {.rows = ROWS,
                                         .label = outcome,
                                         .positive = 1,
                                         .sensitive = &side,
                                         .sensitive_count = 1,
                                         .replicates = 100};
    const struct sw_assessment_options o = {.model = "made here",
                                            .read = features,
                                            .features = features,
                                            .feature_count = FEATURES,
                                            .sensitive = &side,
                                            .sensitive_count = 1,
                                            .bias = &bias,
                                            .replicates = 100};
    struct sw_decisions truth = {.rows = ROWS, .label = rows.label};
    char *json = NULL;
    int right = 0, labelled = 0;
    rows.label[8] = 2;
    for (int i = 0; i < ROWS; i++) {
        right += rows.label[i] != 2 && rows.decision[i] == rows.label[i];
        labelled += rows.label[i] != 2;
    }
    check(sw_predictor_assess(predictor, rows.x, &truth, &o, &json, &error) == 0,
          "assesses a model");
    rows.label[8] = (uint8_t)rows.outcome[8];
    check(json != NULL && number_after(json, "\"rows\"") == labelled &&
              number_after(json, "\"rows_without_label\"") == 1 && strstr(json, "made here"),
          "on the rows that have a label");
    const char *accuracy = json == NULL ? NULL : strstr(json, "\"accuracy\"");
    check(accuracy != NULL &&
              (fabs(number_after(accuracy, "\"value\"") - right / (double)labelled) < 1e-9),
          "whose accuracy is that of its decisions");
    check(json != NULL && strstr(json, "\"demographic_parity_difference\"") != NULL &&
              strstr(json, "\"DPL\"") != NULL && strstr(json, "\"explanation\"") != NULL &&
              strstr(json, "\"slices\"") != NULL,
          "with fairness, bias, mistakes and explanations");
    sw_text_free(json);
    json = NULL;
    check(sw_predictor_assess(predictor, rows.x, &truth, NULL, &json, &error) == 0 &&
              json != NULL && strstr(json, "\"performance\"") != NULL,
          "and needs no options");
    sw_text_free(json);
    json = NULL;
    const struct sw_feature twice[] = {{"age", rows.age, NULL, 0}, {"Age", rows.income, NULL, 0}};
    struct sw_assessment_options odd = {.features = twice, .feature_count = 2};
    check(sw_predictor_assess(predictor, rows.x, &truth, &odd, &json, &error) == SW_INPUT &&
              says("features: \"Age\" is there twice"),
          "refuses two features of one name");
    odd = (struct sw_assessment_options){.threshold = NAN};
    check(sw_predictor_assess(predictor, rows.x, &truth, &odd, &json, &error) == SW_INPUT &&
              says("threshold: "),
          "refuses a threshold that is none");
    odd = (struct sw_assessment_options){.label = "Gr\xf6\xdf"};
    check(sw_predictor_assess(predictor, rows.x, &truth, &odd, &json, &error) == SW_INPUT &&
              says("label: not UTF-8 text"),
          "refuses a name that is no text");
    truth.kind = SW_NUMBERS;
    check(sw_predictor_assess(predictor, rows.x, &truth, &o, &json, &error) == SW_INPUT &&
              json == NULL && says("kind: the model answers with a probability"),
          "refuses truth of another kind");
    truth.kind = SW_BINARY;
    truth.label = NULL;
    check(sw_predictor_assess(predictor, rows.x, &truth, NULL, &json, &error) == SW_INPUT &&
              says("label: NULL"),
          "refuses no truth");
}

int
main(void)
{
    make_rows();
    weigh();
    remove_trace();
    find_thresholds();
    train_numbers();
    struct sw_predictor *predictor = train();
    if (predictor != NULL) {
        certify(predictor);
        view(predictor);
        study_a_predictor(predictor);
        assess(predictor);
    }
    study_a_function();
    sw_predictor_free(predictor);
    printf("1..%d\n", cases);
    return failures > 0;
}
