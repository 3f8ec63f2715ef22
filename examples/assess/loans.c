/* libsteward's analyses on arrays of a program's own: no files, no network, no workspace.
 *
 *     cc loans.c $(pkg-config --cflags --libs libsteward) -lm -o loans && ./loans
 *
 * 4,000 made-up applicants in two groups apply for a loan. A small tree ensemble scores them. The
 * program explains one applicant's score and all scores, compares the groups, finds where the score
 * is wrong most often, what thresholds by group would cost, and a small tree that imitates it. */
#include <steward/assess.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 4000
#define FEATURES 2
enum { INCOME, DEBT };

/* Two trees as XGBoost writes them: on income (in thousands), and on debt as a share of it. */
static const char model[] =
    "{\"learner\":{\"feature_names\":[\"income\",\"debt\"],\"learner_model_param\":{"
    "\"base_score\":\"5E-1\",\"num_class\":\"0\",\"num_feature\":\"2\"},\"objective\":{\"name\":"
    "\"binary:logistic\"},\"gradient_booster\":{\"name\":\"gbtree\",\"model\":{"
    "\"gbtree_model_param\":{\"num_trees\":\"2\"},\"tree_info\":[0,0],\"trees\":["
    "{\"left_children\":[1,-1,-1],\"right_children\":[2,-1,-1],\"split_indices\":[0,0,0],"
    "\"split_conditions\":[45,1.2,-0.8],\"split_type\":[0,0,0],\"default_left\":[1,0,0],"
    "\"sum_hessian\":[1000,500,500],\"base_weights\":[0,0,0],\"parents\":[2147483647,0,0],"
    "\"categories\":[],\"categories_nodes\":[],\"categories_segments\":[],"
    "\"categories_sizes\":[],\"loss_changes\":[1,0,0],\"id\":0,\"tree_param\":{\"num_nodes\":"
    "\"3\",\"num_feature\":\"2\",\"size_leaf_vector\":\"0\",\"num_deleted\":\"0\"}},"
    "{\"left_children\":[1,-1,-1],\"right_children\":[2,-1,-1],\"split_indices\":[1,0,0],"
    "\"split_conditions\":[0.4,-0.5,0.9],\"split_type\":[0,0,0],\"default_left\":[0,0,0],"
    "\"sum_hessian\":[1000,600,400],\"base_weights\":[0,0,0],\"parents\":[2147483647,0,0],"
    "\"categories\":[],\"categories_nodes\":[],\"categories_segments\":[],"
    "\"categories_sizes\":[],\"loss_changes\":[1,0,0],\"id\":1,\"tree_param\":{\"num_nodes\":"
    "\"3\",\"num_feature\":\"2\",\"size_leaf_vector\":\"0\",\"num_deleted\":\"0\"}}]}}},"
    "\"version\":[1,7,4]}";

static struct sw_error error;

static void
need(int code)
{
    if (code != SW_OK) {
        (void)fprintf(stderr, "loans: %s\n", error.text);
        exit(1);
    }
}

/* The same numbers on every machine. */
static double
draw(void)
{
    static uint64_t state = 42;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 11) / 9007199254740992.0;
}

static struct {
    float x[ROWS * FEATURES]; /* what the model reads */
    double margin[ROWS], income[ROWS], debt[ROWS];
    int32_t group[ROWS];
    double risk[ROWS], refuse[ROWS];
    uint8_t defaulted[ROWS], refused[ROWS];
} loans;

/* Group "b" earns less; the young of it pay back better than the model thinks. */
static void
make_applicants(void)
{
    for (int i = 0; i < ROWS; i++) {
        loans.group[i] = draw() < 0.3;
        loans.income[i] = 25 + 50 * draw() - (loans.group[i] ? 8 : 0);
        loans.debt[i] = 0.8 * draw();
        loans.x[i * FEATURES + INCOME] = (float)loans.income[i];
        loans.x[i * FEATURES + DEBT] = (float)loans.debt[i];
        const double risk = 0.1 + 0.5 * (loans.debt[i] > 0.4) + 0.3 * (loans.income[i] < 35);
        loans.defaulted[i] = draw() < risk;
    }
}

static void
explain(const struct sw_predictor *predictor, int row)
{
    double phi[FEATURES], expected;
    const struct sw_explain_options record = {.precision = SW_RECORD};
    need(sw_predictor_explain(predictor, &loans.x[row * FEATURES], 1, &record, phi, &expected,
                              &error));
    (void)printf("applicant %d: margin %.3f = %.3f expected", row, loans.margin[row], expected);
    for (int f = 0; f < FEATURES; f++) {
        (void)printf(" %+.3f %s", phi[f], sw_predictor_feature(predictor, (size_t)f));
    }
    (void)printf("\n");
}

/* The documents are JSON; a program would parse them. Here: whether it is there, and how long. */
static void
show(const char *what, char *json)
{
    (void)printf("%s: %zu bytes of JSON\n", what, strlen(json));
    sw_text_free(json);
}

int
main(void)
{
    static const char *const groups[] = {"a", "b"};
    struct sw_predictor *predictor = NULL;
    char *json = NULL;
    make_applicants();
    need(sw_predictor_load(model, sizeof model - 1, &predictor, &error));
    need(sw_predictor_margin(predictor, loans.x, ROWS, 0, loans.margin, &error));
    for (int i = 0; i < ROWS; i++) {
        loans.refused[i] = loans.margin[i] >= 0;
    }
    explain(predictor, 0);

    const struct sw_decisions decisions = {
        .rows = ROWS, .label = loans.defaulted, .decision = loans.refused, .adverse = 1};
    const struct sw_factor group = {
        .name = "group", .code = loans.group, .levels = groups, .level_count = 2};
    const struct sw_fairness_options fair = {.sensitive = &group, .sensitive_count = 1, .seed = 1};
    need(sw_fairness(&decisions, &fair, &json, &error));
    show("fairness", json);

    static const struct sw_feature features[] = {{"income", loans.income, NULL, 0},
                                                 {"debt", loans.debt, NULL, 0}};
    const struct sw_errors_options where = {
        .features = features, .feature_count = FEATURES, .seed = 1};
    need(sw_errors(&decisions, &where, &json, &error));
    show("errors", json);

    need(sw_predictor_predict(predictor, loans.x, ROWS, 0, loans.risk, &error));
    const struct sw_decisions scored = {
        .rows = ROWS, .label = loans.defaulted, .score = loans.risk};
    need(sw_thresholds(&scored, &group, NULL, loans.refuse, NULL, &json, &error));
    show("thresholds by group", json);

    need(sw_predictor_views(predictor, loans.x, ROWS, NULL, &json, &error));
    show("all scores explained", json);

    const struct sw_black_box box = sw_predictor_box(predictor);
    const struct sw_study_options imitate = {
        .study = SW_SURROGATE, .features = features, .rows = ROWS, .probability = 1};
    need(sw_black_box_study(&box, &imitate, &json, &error));
    show("a tree that imitates them", json);

    const struct sw_assessment_options all = {.features = features,
                                              .feature_count = FEATURES,
                                              .sensitive = &group,
                                              .sensitive_count = 1,
                                              .adverse = 1};
    need(sw_predictor_assess(predictor, loans.x, &decisions, &all, &json, &error));
    show("all of it, as steward assess has it", json);
    sw_predictor_free(predictor);
    return 0;
}
