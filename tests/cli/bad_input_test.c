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
    BIAS(2, "sensitive column \"sex\": no value in any row: it makes no groups", &o);
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
    FAIRNESS(2, "column \"p\" row 5: 1.4 is no probability", &o);
    ERRORS(0, "Note: \"p\" is missing or outside 0..1 in 200 rows", &o);
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
a_hundred_thousand_categories(void **state)
{
    struct room *m = *state;
    DEFER(buf_done) struct buf csv;
    buf_init(&csv, 16u << 20);
    buf_put_str(&csv, "y,yhat,sex,who\n");
    for (unsigned i = 0; i < 100000; i++) {
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
        BARE(weights_that_weigh_nothing_or_less),
        BARE(an_infinite_number),
        BARE(a_hundred_thousand_categories),
        BARE(a_model_of_other_columns),
        BARE(few_rows_with_long_names),
        BARE(a_model_whose_only_feature_has_no_value),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
