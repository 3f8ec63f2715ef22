/* Tables that a statistic trips over, verb by verb: one class, no value, constant predictions,
 * scores that are none, weights, many groups, infinity, a model of other columns. Each is a
 * sentence on stderr, or a remark beside what could be told; no answer is a silent NaN. */
#include "cli/run.h"

#include <ctype.h>

#define ROWS 400u

/* The words stand between bars and are taken in turn, each `run` rows long; "#" is another one in
 * each row. */
struct cells {
    const char *words;
    unsigned run;
};

struct odd {
    struct cells y, yhat, p, sex, w;
};

static const struct odd usual = {
    {"yes|no|no", 1}, {"no|yes", 2}, {".2|.4|.9", 4}, {"F|M", 3}, {"1|2", 5}};

static void
put_cell(struct buf *b, struct cells c, unsigned row)
{
    unsigned count = 1;
    if (strcmp(c.words, "#") == 0) {
        buf_printf(b, "g%u", row % 200);
        return;
    }
    for (const char *at = c.words; *at != '\0'; at++) {
        count += *at == '|';
    }
    const char *at = c.words;
    for (unsigned k = row / c.run % count; k > 0; k--) {
        at = strchr(at, '|') + 1;
    }
    buf_put(b, view_of(at, strcspn(at, "|")));
}

static const char *
write_odd(struct room *m, const struct odd *o)
{
    DEFER(buf_done) struct buf csv;
    buf_init(&csv, 1u << 20);
    buf_put_str(&csv, "y,yhat,p,sex,w,age,empty\n");
    for (unsigned i = 0; i < ROWS; i++) {
        const struct cells cells[] = {o->y, o->yhat, o->p, o->sex, o->w, {"20|35|50|65", 7}};
        for (size_t k = 0; k < sizeof cells / sizeof *cells; k++) {
            put_cell(&csv, cells[k], i);
            buf_put_str(&csv, ",");
        }
        buf_put_str(&csv, "\n");
    }
    assert_ok(buf_status(&csv));
    testing_write(in(m, "odd.csv"), buf_view(&csv));
    return in(m, "odd.csv");
}

/* No number of the text is one that is none. */
static void
assert_no_nan(struct room *m)
{
    static const char *const none[] = {"nan", "inf"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        const char *text = buf_str(&m->r.out);
        for (const char *at = text; (at = strstr(at, none[i])) != NULL; at++) {
            if (strchr(" -:(", at == text ? ' ' : at[-1]) != NULL &&
                isalpha((unsigned char)at[3]) == 0) {
                fail_msg("\"%s\" in:\n%s", none[i], text);
            }
        }
    }
}

/* Code 2: on stderr, and nothing on stdout. */
static void
look(struct room *m, int line, int code, const char *says, const char *const *words)
{
    run(m, code, line, words);
    if (code == 0) {
        OUT_HAS(m, says);
        assert_no_nan(m);
    } else {
        ERR_HAS(m, says);
        assert_int_equal(m->r.out.len, 0);
    }
}

#define LOOK(CODE, SAYS, ...)                                                                      \
    look(m, __LINE__, CODE, SAYS, (const char *const[]){__VA_ARGS__, "--positive", "yes", NULL})
#define FAIRNESS(CODE, SAYS, ODD)                                                                  \
    LOOK(CODE, SAYS, "fairness", "--data", write_odd(m, ODD), "--label", "y", "--prediction",      \
         "yhat", "--score", "p", "--sensitive", "sex", "--weight", "w")
#define BIAS(CODE, SAYS, ODD)                                                                      \
    LOOK(CODE, SAYS, "bias", "--data", write_odd(m, ODD), "--label", "y", "--sensitive", "sex")
#define ERRORS(CODE, SAYS, ODD)                                                                    \
    LOOK(CODE, SAYS, "errors", "--data", write_odd(m, ODD), "--label", "y", "--prediction",        \
         "yhat", "--score", "p")

static void
a_label_of_one_class_or_of_none(void **state)
{
    struct room *m = *state;
    struct odd o = usual;
    o.y.words = "yes";
    o.yhat.words = "yes";
    FAIRNESS(0, "sex: 400 rows", &o);
    BIAS(2, "label \"y\": every row has the positive value", &o);
    ERRORS(2, "one class only", &o);
    o = usual;
    o.y.words = "";
    FAIRNESS(2, "no row has a label and a prediction", &o);
    BIAS(2, "label \"y\": free text, or no value at all", &o);
    ERRORS(2, "no row has both \"y\" and \"yhat\"", &o);
}

static void
a_sensitive_column_without_a_value_or_with_two_hundred(void **state)
{
    struct room *m = *state;
    struct odd o = usual;
    o.sex.words = "";
    FAIRNESS(0, "note: column \"sex\" has no value in any row: no group of it", &o);
    assert_null(strstr(buf_str(&m->r.out), "Observed over predicted")); /* of which group? */
    BIAS(0, "Note: sensitive column \"sex\" has no value in any row: it makes no groups.", &o);
    ERRORS(0, "Note: column \"sex\" has no value in any row and is not looked at.", &o);
    o.sex.words = "#";
    FAIRNESS(0, "* fewer than 30 rows: shown, not judged", &o);
    BIAS(0, "few", &o);
    ERRORS(0, "error_rate", &o);
}

static void
a_constant_prediction_and_a_score_that_is_no_probability(void **state)
{
    struct room *m = *state;
    struct odd o = usual;
    o.yhat.words = "no";
    o.p.words = ".2";
    FAIRNESS(0, "sex: 400 rows", &o);
    ERRORS(0, "Note: every row is decided alike, as \"no\"", &o);
    o = usual;
    o.p.words = ".2|1.4";
    FAIRNESS(2, "column \"p\" row 5: 1.4 is no probability: a score is from 0 to 1", &o);
    ERRORS(2, "column \"p\" row 5: 1.4 is no probability: a score is from 0 to 1", &o);
    o.p.words = ".2|-.001";
    FAIRNESS(2, "-0.001 is no probability", &o);
    ERRORS(2, "-0.001 is no probability", &o);
}

/* A row without a score is not assessed, by either of the verbs that read scores. */
static void
a_score_that_is_missing_or_not_a_number(void **state)
{
    static const char *const missing[] = {".2|nan", ".2|", ".2|NaN"};
    struct room *m = *state;
    struct odd o = usual;
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        o.p.words = missing[i];
        FAIRNESS(0, "200 of 400 rows assessed", &o);
        ERRORS(0, "yhat against y: 200 of 400 rows", &o);
        OUT_HAS(m, "left out, for want of a score, \"p\": 200 of the rows");
    }
    o.p.words = "";
    FAIRNESS(2, "no row has a label and a prediction", &o);
    ERRORS(2, "no row that is assessed has a score, \"p\": leave --score out", &o);
}

static void
weights_that_weigh_nothing_or_less(void **state)
{
    struct room *m = *state;
    struct odd o = usual;
    o.w.words = "0";
    FAIRNESS(2, "no row has a label and a prediction and a weight over 0", &o);
    o.w.words = "1|-1";
    FAIRNESS(2, "column \"w\" row 6: -1 is no weight", &o);
    o.w.words = "1|0";
    FAIRNESS(0, "200 of weight 0", &o);
    o.w.words = "1||2|nan";
    FAIRNESS(2, "column \"w\" row 6: no weight: write 0 for a row that is to count for nothing",
             &o);
}

/* A spelling of infinity among numbers is a mistake in the file, whoever reads it. */
static void
an_infinite_number(void **state)
{
    struct room *m = *state;
    struct odd o = usual;
    o.w =
        (struct cells){"1|2|3|4|5|6|7|8|9|10|11|12|13|14|15|16|17|18|19|20|21|22|23|24|25|inf", 4};
    FAIRNESS(2, "\"inf\" is not a finite number", &o);
    BIAS(2, "\"inf\" is not a finite number", &o);
    ERRORS(2, "\"inf\" is not a finite number", &o);
    o.w = (struct cells){"1|-Infinity|2|-nan", 4}; /* and were half of them so: no category */
    FAIRNESS(2, "\"-Infinity\" is not a finite number, as the column's others are", &o);
    BIAS(2, "\"-Infinity\" is not a finite number", &o);
    ERRORS(2, "\"-Infinity\" is not a finite number", &o);
}

/* A value of its own in each row: as a group, as a label and among the others. */
static void
a_million_categories(void **state)
{
    struct room *m = *state;
    DEFER(buf_done) struct buf csv;
    buf_init(&csv, 64u << 20);
    buf_put_str(&csv, "y,yhat,sex,who\n");
    for (unsigned i = 0; i < 1000000; i++) {
        buf_printf(&csv, "%s,%s,%s,person %u\n", i % 3 == 0 ? "yes" : "no",
                   i % 5 == 0 ? "yes" : "no", i % 2 == 0 ? "F" : "M", i);
    }
    testing_write(in(m, "who.csv"), buf_view(&csv));
    const char *data = in(m, "who.csv");
    LOOK(2, "column \"who\" has more than 1024 values: bring them together into groups", "fairness",
         "--data", data, "--label", "y", "--prediction", "yhat", "--sensitive", "who");
    LOOK(2, "sensitive column \"who\": too many different values, or free text", "bias", "--data",
         data, "--label", "y", "--sensitive", "who");
    LOOK(2, "column \"who\" of --label is text with too many different values", "errors", "--data",
         data, "--label", "who", "--prediction", "yhat");
    LOOK(0,
         "Note: not looked at as proxies, being free text or of too many different values:", "bias",
         "--data", data, "--label", "y", "--sensitive", "sex");
    LOOK(0, "column \"who\" is text with too many different values", "errors", "--data", data,
         "--label", "y", "--prediction", "yhat");
    /* And where the user insists. */
    LOOK(0, "1000000 rare categories of it are taken as one", "errors", "--data", data, "--label",
         "y", "--prediction", "yhat", "--type", "who=category");
    OUT_HAS(m, "  who                              0.00              p 1.000");
    LOOK(0, "who: no group of 30 rows or more: nothing to compare", "fairness", "--data", data,
         "--label", "y", "--prediction", "yhat", "--sensitive", "who", "--type", "who=category");
}

#define IN_PARQUET(CODE, SAYS, VERB, ...)                                                          \
    LOOK(CODE, SAYS, VERB, "--data", in(m, "d.parquet"), "--label", "y", __VA_ARGS__)

/* Doubles that are no numbers: NaN is a missing value, infinity a mistake. */
static void
nan_and_infinity_in_parquet(void **state)
{
    static const char query[] =
        "SELECT CASE WHEN i %% 3 = 0 THEN 'yes' ELSE 'no' END AS y, CASE WHEN i %% 2 = 0 THEN "
        "'yes' ELSE 'no' END AS yhat, CASE WHEN i %% 4 = 1 THEN 'nan'::DOUBLE ELSE 0.3 END AS p, "
        "CASE WHEN i = 7 THEN '%s'::%s ELSE i / 2 END AS z, "
        "CASE WHEN i %% 5 < 2 THEN 'F' ELSE 'M' END AS sex FROM range(200) r(i)";
    static const char *const odd[][2] = {{"nan", "DOUBLE"}, {"-inf", "DOUBLE"}, {"inf", "FLOAT"}};
    struct room *m = *state;
    char sql[1024];
    for (size_t k = 0; k < sizeof odd / sizeof *odd; k++) {
        const int code = k == 0 ? 0 : 2;
        const char *says = k == 0 ? "" : "inf\" is not a finite number; say --missing";
        (void)snprintf(sql, sizeof sql, query, odd[k][0], odd[k][1]);
        testing_parquet(in(m, "d.parquet"), sql);
        IN_PARQUET(code, k == 0 ? "150 of 200 rows assessed" : says, "fairness", "--prediction",
                   "yhat", "--score", "p", "--sensitive", "sex");
        IN_PARQUET(code, k == 0 ? "150 of 200 rows" : says, "errors", "--prediction", "yhat",
                   "--score", "p");
        IN_PARQUET(code, says, "bias", "--sensitive", "sex");
    }
}

/* What would be held against itself, in each verb. */
static void
a_column_that_plays_two_parts(void **state)
{
    static const struct {
        const char *verb, *option, *column, *says;
    } twice[] = {
        {"fairness", "--sensitive", "y", "--sensitive: \"y\" is the column of --label"},
        {"fairness", "--sensitive", "yhat", "--sensitive: \"yhat\" is the column of --prediction"},
        {"fairness", "--score", "y", "--score: \"y\" is the column of --label"},
        {"fairness", "--weight", "p", "is the column of --score"},
        {"fairness", "--control", "sex", "--control: \"sex\" is the column of --sensitive"},
        {"fairness", "--features", "age,y", "--features: \"y\" is the column of --label"},
        {"errors", "--prediction", "y", "--prediction: \"y\" is the column of --label"},
        {"errors", "--score", "yhat", "--score: \"yhat\" is the column of --prediction"},
        {"errors", "--features", "age,yhat", "--features: \"yhat\" is the column of --prediction"},
        {"bias", "--sensitive", "y", "--sensitive: \"y\" is the column of --label"},
        {"bias", "--strata", "sex", "--strata: \"sex\" is the column of --sensitive"},
    };
    struct room *m = *state;
    char data[600];
    (void)snprintf(data, sizeof data, "%s", write_odd(m, &usual));
    for (size_t i = 0; i < sizeof twice / sizeof *twice; i++) {
        const char *words[24] = {twice[i].verb, "--data",     data, "--label",
                                 "y",           "--positive", "yes"};
        size_t n = 7;
        static const char *const others[][2] = {
            {"--prediction", "yhat"}, {"--score", "p"}, {"--sensitive", "sex"}};
        for (size_t k = 0; k < 3; k++) {
            const bool has = k == 2 ? twice[i].verb[0] != 'e' : twice[i].verb[0] != 'b';
            if (has && strcmp(others[k][0], twice[i].option) != 0) {
                words[n++] = others[k][0];
                words[n++] = others[k][1];
            }
        }
        words[n++] = twice[i].option;
        words[n] = twice[i].column;
        look(m, __LINE__, 2, twice[i].says, words);
    }
}

static void
columns_of_one_name(void **state)
{
    struct room *m = *state;
    testing_write(in(m, "two.csv"), view_str("y,g,yhat,g\nyes,a,no,b\nno,b,no,a\n"));
    static const char *const verbs[] = {"fairness", "bias", "errors"};
    for (size_t i = 0; i < 3; i++) {
        const char *words[12] = {verbs[i], "--data", in(m, "two.csv"), "--label", "y"};
        size_t n = 5;
        words[n++] = i < 2 ? "--sensitive" : "--prediction";
        words[n++] = i < 2 ? "g" : "yhat";
        if (i == 0) {
            words[n++] = "--prediction";
            words[n] = "yhat";
        }
        look(m, __LINE__, 2, "two columns are called \"g\"", words);
    }
    testing_write(in(m, "two.json"), view_str("[{\"y\":1,\"y\":2}]"));
    RUN(m, 2, "errors", "--data", in(m, "two.json"), "--label", "y", "--prediction", "y");
}

/* ---- assess ---- */

#define CONSTANT                                                                                   \
    "{\"format\":\"steward-linear\",\"version\":1,\"link\":\"logistic\","                          \
    "\"features\":[\"age\"],\"mean\":[40],\"intercept\":[-3],\"coefficients\":[[0]]}"

static void
assessed(struct room *m, const struct odd *o, const char *model, int code, const char *says)
{
    RUN(m, 0, "dataset", "add", "odd", write_odd(m, o), "--label", "y", "--sensitive", "sex,empty",
        "--positive", "yes", "--role", "yhat=ignored", "--role", "w=ignored", "--role",
        "p=ignored");
    RUN(m, code, "assess", model, "--data", "odd", "--bootstrap", "50");
    if (code == 0) {
        OUT_HAS(m, says);
        assert_no_nan(m);
    } else {
        ERR_HAS(m, says);
    }
}

static void
assess_tells_what_cannot_be_compared(void **state)
{
    struct room *m = *state;
    struct odd o = usual;
    testing_write(in(m, "m.json"), view_str(CONSTANT));
    RUN(m, 0, "dataset", "add", "usual", write_odd(m, &o), "--label", "y", "--positive", "yes");
    RUN(m, 0, "model", "add", "same", "--file", in(m, "m.json"), "--data", "usual");
    assessed(m, &o, "same", 0, "No feature moves the model's answer: it is the same for every row");
    OUT_HAS(m, "same version 1 on odd version 1 (all): 400 rows.");
    OUT_HAS(m, "Note: sensitive column \"empty\" has no value in any row: it makes no groups");
    assert_null(strstr(buf_str(&m->r.out), "could not be looked for")); /* sex is compared */
    o.sex.words = "#";
    assessed(m, &o, "same", 0, "No sensitive column has two groups of 30 rows or more");
    o.sex.words = "";
    assessed(m, &o, "same", 0, "No sensitive column of the dataset makes groups.");
    o = usual;
    o.y.words = "yes|no||";
    assessed(m, &o, "same", 0, "200 rows; 200 more have no label and are");
    RUN(m, 0, "assess", "same", "--data", "odd", "--cohort", "y = 'yes'", "--bootstrap", "50");
    OUT_HAS(m, "Note: bias in the data could not be looked for: label \"y\": every row has the");
    assert_no_nan(m);
    RUN(m, 2, "assess", "same", "--data", "odd", "--cohort", "age > 99");
    ERR_HAS(m, "no row to assess: the part and cohort");
    RUN(m, 2, "dataset", "add", "self", write_odd(m, &usual), "--label", "y", "--sensitive", "y");
    ERR_HAS(m, "\"y\" cannot be the label and sensitive too");
}

static void
assess_refuses_a_dataset_that_lacks_what_the_model_reads(void **state)
{
    struct room *m = *state;
    testing_write(in(m, "m.json"), view_str(CONSTANT));
    RUN(m, 0, "dataset", "add", "usual", write_odd(m, &usual), "--label", "y", "--positive", "yes");
    RUN(m, 0, "model", "add", "same", "--file", in(m, "m.json"), "--data", "usual");
    testing_write(in(m, "other.csv"), view_str("y,agee\nyes,1\nno,2\nno,3\n"));
    RUN(m, 0, "dataset", "add", "other", in(m, "other.csv"), "--label", "y");
    RUN(m, 2, "assess", "same", "--data", "other");
    ERR_HAS(m, "no column \"age\"; did you mean \"agee\"?");
    testing_write(in(m, "words.csv"), view_str("y,age\nyes,old\nno,young\nno,old\n"));
    RUN(m, 0, "dataset", "add", "words", in(m, "words.csv"), "--label", "y");
    RUN(m, 2, "assess", "same", "--data", "words");
    ERR_HAS(m, "column \"age\" is category");
    testing_write(in(m, "none.csv"), view_str("y,age\nyes,\nno,\nno,\n"));
    RUN(m, 0, "dataset", "add", "none", in(m, "none.csv"), "--label", "y");
    RUN(m, 2, "assess", "same", "--data", "none");
    ERR_HAS(m, "3 of 3 rows, the first is row 1, miss a value");
}

#define OF_CATEGORIES                                                                              \
    "{\"version\":[1,7,4],\"learner\":{\"feature_names\":[\"c\"],\"learner_model_param\":"         \
    "{\"base_score\":\"0\",\"num_class\":\"0\",\"num_feature\":\"1\"},\"objective\":{\"name\":"    \
    "\"reg:squarederror\"},\"gradient_booster\":{\"name\":\"gbtree\",\"model\":"                   \
    "{\"gbtree_model_param\":{\"num_trees\":\"1\"},\"tree_info\":[0],\"trees\":[{"                 \
    "\"left_children\":[1,-1,-1],\"right_children\":[2,-1,-1],\"split_indices\":[0,0,0],"          \
    "\"split_conditions\":[0.5,1,2],\"default_left\":[1,0,0],\"sum_hessian\":[2,1,1],"             \
    "\"split_type\":[1,0,0],\"categories_nodes\":[0],\"categories_segments\":[0],"                 \
    "\"categories_sizes\":[1],\"categories\":[3]}]}}}}"

/* One rule for all: what is read of a number does not depend on the verb. */
static void
a_fraction_is_no_category_to_any_verb(void **state)
{
    static const char says[] = "row 2: column \"c\": 1.5 is not a category number, which is whole";
    struct room *m = *state;
    char model[600], data[600];
    (void)snprintf(model, sizeof model, "%s", in(m, "m.json"));
    (void)snprintf(data, sizeof data, "%s", in(m, "d.csv"));
    testing_write(model, view_str(OF_CATEGORIES));
    testing_write(data, view_str("y,c,sex\n1.25,3,f\n2.5,1.5,m\n3.75,2,f\n"));
    RUN(m, 0, "dataset", "add", "d", data, "--label", "y", "--sensitive", "sex");
    RUN(m, 0, "model", "add", "m", "--file", model, "--label", "y");
    RUN(m, 2, "predict", "--model", model, "--data", data);
    ERR_HAS(m, says);
    RUN(m, 2, "explain", "--model", model, "--data", data);
    ERR_HAS(m, says);
    RUN(m, 2, "assess", "m", "--data", "d");
    ERR_HAS(m, says);
    RUN(m, 2, "fairness", "--model", "workspace:m", "--data", "workspace:d");
    ERR_HAS(m, says);
    RUN(m, 2, "errors", "--model", "workspace:m", "--data", "workspace:d");
    ERR_HAS(m, says);
    RUN(m, 2, "explain", "--model", "workspace:m", "--data", "workspace:d");
    ERR_HAS(m, says);
}

#define GROWING                                                                                    \
    "{\"format\":\"steward-linear\",\"version\":1,\"link\":\"exp\",\"features\":[\"a\"],"          \
    "\"mean\":[0],\"intercept\":[0],\"coefficients\":[[1]]}"

/* e to the 800 is beyond a double: an answer, but none that means exist of. */
static void
a_model_whose_answer_is_infinite(void **state)
{
    struct room *m = *state;
    char model[600], data[600];
    (void)snprintf(model, sizeof model, "%s", in(m, "m.json"));
    (void)snprintf(data, sizeof data, "%s", in(m, "d.csv"));
    testing_write(model, view_str(GROWING));
    testing_write(data, view_str("y,a,sex\n1,0,f\n2.5,800,m\n3.75,1,f\n4,2,m\n"));
    RUN(m, 0, "dataset", "add", "d", data, "--label", "y", "--sensitive", "sex");
    RUN(m, 0, "model", "add", "m", "--file", model, "--label", "y");
    RUN(m, 2, "assess", "m", "--data", "d");
    ERR_HAS(m, "row 2: model m answers with an infinite number; assess a cohort without such rows");
    RUN(m, 0, "assess", "m", "--data", "d", "--cohort", "a < 700");
    assert_no_nan(m);
    RUN(m, 0, "assess", "m", "--data", "d", "--cohort", "a < 0.5"); /* one row */
    assert_no_nan(m);
    OUT_HAS(m, "off by 0 on average over 1 row. Always");
    RUN(m, 2, "fairness", "--model", "workspace:m", "--data", "workspace:d");
    ERR_HAS(m, "row 2: inf is infinite: means of it do not exist");
    RUN(m, 0, "errors", "--model", "workspace:m", "--data", "workspace:d");
    OUT_HAS(m, "left out, for want of a finite");
    RUN(m, 0, "explain", "--model", model, "--data", data);
    assert_no_nan(m);
    RUN(m, 2, "explain", "--model", model, "--data", data, "--background", data, "--output-space",
        "probability");
    ERR_HAS(m, "answers some of its rows with an infinite number, of which no mean exists");
    testing_write(in(m, "b.csv"), view_str("a\n0\n1\n"));
    RUN(m, 0, "explain", "--model", model, "--data", data, "--background", m->path,
        "--output-space", "probability");
    assert_no_nan(m);
    ERR_HAS(m, "the model answers 1 of 4 rows with an infinite number: they have no attributions");
    RUN(m, 2, "explain", "--model", model, "--data", data, "--method", "permutation");
    ERR_HAS(m, "the model answered infinity: an explanation needs finite numbers");
}

#define LINEAR                                                                                     \
    "{\"format\":\"steward-linear\",\"version\":1,\"link\":\"logistic\",\"features\":[\"%s\"],"    \
    "\"mean\":[40],\"intercept\":[0],\"coefficients\":[[1]]}"

static void
a_model_of_other_columns(void **state)
{
    struct room *m = *state;
    static const struct {
        const char *feature, *says;
    } wrong[] = {{"surface", "no column \"surface\" among the 7 columns"},
                 {"agee", "no column \"agee\"; did you mean \"age\"?"},
                 {"sex", "column \"sex\" is category (\"F\" in row 1); the model reads numbers"}};
    char model[600], data[600];
    (void)snprintf(data, sizeof data, "%s", write_odd(m, &usual));
    (void)snprintf(model, sizeof model, "%s", in(m, "m.json"));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[400];
        (void)snprintf(text, sizeof text, LINEAR, wrong[i].feature);
        testing_write(model, view_str(text));
        RUN(m, 2, "predict", "--model", model, "--data", data, "--output", in(m, "out.csv"));
        ERR_HAS(m, wrong[i].says);
        RUN(m, 2, "explain", "--model", model, "--data", data);
        ERR_HAS(m, wrong[i].says);
    }
}

static void
a_model_whose_only_feature_has_no_value(void **state)
{
    struct room *m = *state;
    char model[600], data[600], text[400];
    (void)snprintf(data, sizeof data, "%s", write_odd(m, &usual));
    (void)snprintf(model, sizeof model, "%s", in(m, "m.json"));
    (void)snprintf(text, sizeof text, LINEAR, "empty");
    testing_write(model, view_str(text));
    RUN(m, 0, "predict", "--model", model, "--data", data, "--output", in(m, "out.csv"));
    ERR_HAS(m, "no value in any row of \"empty\"");
    ERR_HAS(m, "no prediction for 400 rows");
}

/* Nine rows, and long names: what errors shows of them is to be read, not guessed. */
static void
few_rows_with_long_names(void **state)
{
    static const char few[] = "place,z,y,yhat,p\n"
                              "a very long name of a place,40,yes,no,.1\n,1000000,no,no,.2\n"
                              "north,40.5,yes,no,.3\nsouth,40,no,yes,.6\nx,40.5,no,no,.4\n"
                              "x,1000000,yes,yes,.9\nnorth,,no,no,.25\nsouth,40,no,no,.35\n"
                              ",1000000,no,no,.15\n";
    struct room *m = *state;
    testing_write(in(m, "few.csv"), view_str(few));
    RUN(m, 0, "errors", "--data", in(m, "few.csv"), "--label", "y", "--prediction", "yhat",
        "--score", "p");
    OUT_HAS(m, " 1 row   score 0.100");
    OUT_HAS(m, "\nNo slice has at least 32 rows.\n");
    OUT_HAS(m, "\n  1000000 ");
    OUT_HAS(m, "\n  (1) a very long name of a place\n");
    assert_null(strstr(buf_str(&m->r.out), "e+0"));
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        BARE(a_label_of_one_class_or_of_none),
        BARE(a_sensitive_column_without_a_value_or_with_two_hundred),
        BARE(a_constant_prediction_and_a_score_that_is_no_probability),
        BARE(a_score_that_is_missing_or_not_a_number),
        BARE(weights_that_weigh_nothing_or_less),
        BARE(an_infinite_number),
        BARE(a_million_categories),
        BARE(nan_and_infinity_in_parquet),
        BARE(a_column_that_plays_two_parts),
        BARE(columns_of_one_name),
        WORKSPACE(assess_tells_what_cannot_be_compared),
        WORKSPACE(assess_refuses_a_dataset_that_lacks_what_the_model_reads),
        WORKSPACE(a_fraction_is_no_category_to_any_verb),
        WORKSPACE(a_model_whose_answer_is_infinite),
        BARE(a_model_of_other_columns),
        BARE(few_rows_with_long_names),
        BARE(a_model_whose_only_feature_has_no_value),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
