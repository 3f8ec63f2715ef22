/* Request bodies of the Open Inference Protocol, against a model of four features. */
#include "testing/testing.h"

#include "base/text.h"
#include "serve/contributions.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_ROWS 100

static char *regions[] = {(char *)(uintptr_t) "north", (char *)(uintptr_t) "süd"};
static char *truths[] = {(char *)(uintptr_t) "no", (char *)(uintptr_t) "yes"};
static struct feature features[] = {
    {(char *)(uintptr_t) "age", COLUMN_INTEGER, NULL, 0},
    {(char *)(uintptr_t) "income", COLUMN_FLOAT, NULL, 0},
    {(char *)(uintptr_t) "region", COLUMN_CATEGORY, regions, 2},
    {(char *)(uintptr_t) "owner", COLUMN_BOOLEAN, truths, 2},
};
static struct forest forest = {.has_cover = true};
static struct model_file file = {.outputs = 1, .link = FOREST_LOGISTIC, .forest = &forest};
static const struct model model = {.name = "loans",
                                   .version = 3,
                                   .features = {features, 4},
                                   .file = &file,
                                   .threshold = 0.5,
                                   .positive = (char *)(uintptr_t) "deny",
                                   .negative = (char *)(uintptr_t) "grant"};

/* The same, deciding by a column that the forest does not read. */
static char *sexes[] = {(char *)(uintptr_t) "f", (char *)(uintptr_t) "m"};
static struct feature sex = {(char *)(uintptr_t) "sex", COLUMN_CATEGORY, sexes, 2};
static double at[] = {0.25, 0.75};
static const struct model by_group = {.name = "loans",
                                      .version = 4,
                                      .features = {features, 4},
                                      .file = &file,
                                      .threshold = 0.5,
                                      .thresholds = {{&sex, 1}, at},
                                      .positive = (char *)(uintptr_t) "deny",
                                      .negative = (char *)(uintptr_t) "grant"};

/* The same, behind a remover that reads that column and another, and changes the income. */
static struct feature sex_and_height[] = {
    {(char *)(uintptr_t) "sex", COLUMN_CATEGORY, sexes, 2},
    {(char *)(uintptr_t) "height", COLUMN_FLOAT, NULL, 0},
};
static uint32_t income = 1;
static double means[] = {0.5, 170}, weights[] = {2, 0.25};
static const struct model behind = {.name = "loans",
                                    .version = 5,
                                    .features = {features, 4},
                                    .file = &file,
                                    .remover = {.by = {sex_and_height, 2},
                                                .alpha = 1,
                                                .mean = means,
                                                .terms = 2,
                                                .feature = &income,
                                                .features = 1,
                                                .w = weights},
                                    .threshold = 0.5,
                                    .thresholds = {{&sex, 1}, at},
                                    .positive = (char *)(uintptr_t) "deny",
                                    .negative = (char *)(uintptr_t) "grant"};

static struct arena *arena;
static const char *rule; /* that the last parse was refused by */

static struct status
parse_for(const struct model *m, const char *body, struct diag *diag,
          struct infer_request *ret_request)
{
    arena_reset(arena);
    *diag = (struct diag){0};
    return infer_parse(view_str(body), m, MAX_ROWS, arena, diag, &rule, ret_request);
}

static struct status
parse(const char *body, struct diag *diag, struct infer_request *ret_request)
{
    return parse_for(&model, body, diag, ret_request);
}

#define INPUT(NAME, TYPE, SHAPE, DATA)                                                             \
    "{\"name\":\"" NAME "\",\"datatype\":\"" TYPE "\",\"shape\":" SHAPE ",\"data\":" DATA "}"
#define AGE INPUT("age", "INT64", "[1]", "[30]")
#define INCOME INPUT("income", "FP64", "[1]", "[1.5]")
#define REGION INPUT("region", "BYTES", "[1]", "[\"north\"]")
#define OWNER INPUT("owner", "BOOL", "[1]", "[true]")
#define BODY(INPUTS) "{\"inputs\":[" INPUTS "]}"
#define WITH(INPUT_TEXT) BODY(INPUT_TEXT "," INCOME "," REGION "," OWNER)
#define AGE_OF(TYPE, VALUE) WITH(INPUT("age", TYPE, "[1]", "[" VALUE "]"))

#define LETTERS "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"

static void
a_category_number_is_whole(void **state)
{
    (void)state;
    struct feature one = {.name = (char *)(uintptr_t) "c", .type = COLUMN_INTEGER, .whole = true};
    struct model m = model;
    m.features = (struct feature_list){&one, 1};
    struct infer_request q;
    struct diag diag = {0};
    assert_ok(parse_for(&m, BODY(INPUT("c", "FP64", "[2]", "[2.0,null]")), &diag, &q));
    assert_near(q.x[0], 2, 0);
    assert_true(isnan(q.x[1]));
    assert_status(parse_for(&m, BODY(INPUT("c", "FP64", "[1]", "[1.5]")), &diag, &q), INPUT);
    assert_says(&diag, "(feature \"c\"): 1.5 is not a category number, which is whole");
}

/* An answer is JSON: names are not cut in the middle of a letter. */
static void
refuses_long_names_in_whole_letters(void **state)
{
    (void)state;
    struct feature two[2] = {
        {(char *)(uintptr_t) "a" LETTERS LETTERS LETTERS "\u00e9", COLUMN_FLOAT, NULL, 0},
        {(char *)(uintptr_t) "other", COLUMN_FLOAT, NULL, 0}};
    struct model m = model;
    m.features = (struct feature_list){two, 2};
    struct infer_request q;
    struct diag diag = {0};
    const char *body = BODY(INPUT("b" LETTERS LETTERS LETTERS "\u00e9", "FP64", "[1]", "[1]"));
    assert_status(infer_parse(view_str(body), &m, MAX_ROWS, arena, &diag, &rule, &q), INPUT);
    assert_says(&diag, "did you mean \"a");
    assert_true(text_is_utf8(view_str(diag.text)));
}

static void
refuses_with_a_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *body, *says;
    } cases[] = {
        {"", "body line 1 column "},
        {"{\"inputs\":[]} x", "body line 1 column "},
        {"{\"inputs\":[],\"inputs\":[]}", "duplicate object key"},
        {"7", "the body must be a JSON object with \"inputs\""},
        {"{}", "inputs"},
        {BODY("7"), "name"},
        {BODY(AGE "," INCOME "," OWNER), "input \"region\" is missing; send null where"},
        {BODY(AGE "," AGE), "input \"age\": given twice"},
        {WITH(INPUT("agee", "INT64", "[1]", "[1]")), "did you mean \"age\"?"},
        {WITH(INPUT("quite another", "INT64", "[1]", "[1]")), "the model has no such feature"},
        {AGE_OF("FP16", "1"), "the protocol has no FP16 in JSON; send FP32"},
        {AGE_OF("BF16", "1"), "the protocol has no BF16 in JSON; send FP32"},
        {AGE_OF("fp32", "1"), "datatype \"fp32\" is none of BOOL, UINT8"},
        {AGE_OF("INT64", "1.5"), "element 0 (feature \"age\"): a whole number is needed"},
        {AGE_OF("INT64", "\"1\""), "a whole number is needed"},
        {AGE_OF("FP32", "true"), "a number is needed"},
        {AGE_OF("FP64", "1e39"), "1e+39 is beyond what models read (32-bit floats"},
        {AGE_OF("FP64", "1e999"), "body line 1 column "},
        {AGE_OF("INT8", "128"), "past the range of its datatype"},
        {AGE_OF("UINT8", "-1"), "past the range of its datatype"},
        {AGE_OF("INT16", "-32769"), "past the range of its datatype"},
        {AGE_OF("UINT32", "4294967296"), "past the range of its datatype"},
        {AGE_OF("UINT64", "-1"), "past the range of its datatype"},
        {AGE_OF("BYTES", "\"30\""), "a number is needed, not BYTES"},
        {AGE_OF("BYTES", "30"), "BYTES are strings"},
        {AGE_OF("BOOL", "1"), "BOOL is true or false"},
        {WITH(INPUT("age", "INT64", "[]", "[1]")), "its shape must be [rows] or [rows, columns]"},
        {WITH(INPUT("age", "INT64", "[1,1,1]", "[1]")), "its shape must be [rows]"},
        {WITH(INPUT("age", "INT64", "[0]", "[]")), "a dimension must be a whole number from 1"},
        {WITH(INPUT("age", "INT64", "[-1]", "[1]")), "a dimension must be a whole number from 1"},
        {WITH(INPUT("age", "INT64", "[1.0]", "[1]")), "a dimension must be a whole number from 1"},
        {WITH(INPUT("age", "INT64", "[1,4611686018427387905]", "[1]")), "the model reads 4"},
        {WITH(INPUT("age", "INT64", "[1,9223372036854775807]", "[1]")), "the model reads 4"},
        {WITH(INPUT("age", "INT64", "[1]", "[1,2]")), "more elements than its shape says"},
        {WITH(INPUT("age", "INT64", "[1]", "[]")), "fewer elements than its shape says"},
        {WITH(INPUT("age", "INT64", "[1]", "[[1,2]]")), "nested data must have the rows"},
        {WITH(INPUT("age", "INT64", "[1]", "[[[1]]]")), "nested data must have the rows"},
        {BODY(AGE "," INPUT("income", "FP64", "[2]", "[1,2]")), "not as many as the first"},
        {BODY(AGE "," INPUT("x", "FP64", "[1,4]", "[1,2,1,1]")), "stands beside other inputs"},
        {BODY(INPUT("x", "FP64", "[1,3]", "[1,2,1]")), "3 columns; the model reads 4"},
        {BODY(AGE "," INCOME "," OWNER "," INPUT("region", "BYTES", "[1]", "[\"east\"]")),
         "\"east\" is none of the values that the model knows"},
        {BODY(AGE "," INCOME "," OWNER "," INPUT("region", "INT64", "[1]", "[2]")),
         "a category is sent as BYTES, or as its index"},
        {BODY(AGE "," INCOME "," REGION "," INPUT("owner", "INT64", "[1]", "[2]")),
         "a truth value is 0 or 1"},
        {"{\"id\":7,\"inputs\":[]}", "\"id\" must be a string of at most 256 bytes"},
        {"{\"parameters\":7,\"inputs\":[]}", "\"parameters\" must be an object"},
        {"{\"outputs\":7,\"inputs\":[]}", "outputs"},
        {"{\"outputs\":[7],\"inputs\":[]}", "name"},
        {"{\"outputs\":[{\"name\":\"p\"}],\"inputs\":[]}",
         "output \"p\": the model has probability, decision, and contributions"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct infer_request q = {.rows = 77};
        struct diag diag;
        const struct status s = parse(cases[i].body, &diag, &q);
        if (s.code != STATUS_INPUT || strstr(diag.text, cases[i].says) == NULL) {
            print_error("%s\n: %s: %s\n", cases[i].body, status_word(s.code), diag.text);
            fail();
        }
        assert_int_equal(q.rows, 77); /* untouched */
    }
}

static void
limits_rows_and_memory(void **state)
{
    (void)state;
    struct infer_request q;
    struct diag diag;
    assert_status(parse(WITH(INPUT("age", "INT64", "[101]", "[1]")), &diag, &q), LIMIT);
    assert_says(&diag, "101 rows; a call may have 100");
    assert_status(parse(WITH(INPUT("age", "INT64", "[9223372036854775807]", "[1]")), &diag, &q),
                  LIMIT);
    struct arena *small = arena_new(1024);
    assert_status(infer_parse(view_str(WITH(INPUT("age", "INT64", "[100]", "[1]"))), &model,
                              MAX_ROWS, small, &diag, &rule, &q),
                  LIMIT);
    arena_free(small);
}

/* What the log may say of why, since it has no content. */
static void
says_which_check_refused(void **state)
{
    (void)state;
    static const struct {
        const char *body, *rule;
    } cases[] = {
        {"{", "body"},
        {"7", "body"},
        {BODY("7"), "body"},
        {"{\"outputs\":[7],\"inputs\":[]}", "outputs"},
        {"{\"outputs\":[{\"name\":\"p\"}],\"inputs\":[]}", "outputs"},
        {BODY(AGE "," INCOME "," OWNER), "columns"},
        {BODY(AGE "," AGE), "columns"},
        {WITH(INPUT("agee", "INT64", "[1]", "[1]")), "columns"},
        {AGE_OF("fp32", "1"), "datatype"},
        {AGE_OF("INT64", "1.5"), "value"},
        {AGE_OF("INT8", "128"), "value"},
        {WITH(INPUT("age", "INT64", "[]", "[1]")), "shape"},
        {WITH(INPUT("age", "INT64", "[1]", "[1,2]")), "shape"},
        {WITH(INPUT("age", "INT64", "[1]", "[]")), "shape"},
        {BODY(AGE "," INPUT("income", "FP64", "[2]", "[1,2]")), "shape"},
        {BODY(AGE ","
                  "{\"parameters\":7}"),
         "body"},
        {WITH(INPUT("age", "INT64", "[101]", "[1]")), "rows"},
        {BODY(AGE "," INCOME "," OWNER "," INPUT("region", "BYTES", "[1]", "[\"east\"]")),
         "unknown category"},
        {BODY(AGE "," INCOME "," OWNER "," INPUT("region", "INT64", "[1]", "[2]")), "value"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct infer_request q;
        struct diag diag;
        assert_false(status_ok(parse(cases[i].body, &diag, &q)));
        assert_string_equal(rule, cases[i].rule);
    }
}

static void
reads_each_datatype_at_the_ends_of_its_range(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        double value;
    } cases[] = {
        {AGE_OF("BOOL", "true"), 1},
        {AGE_OF("BOOL", "false"), 0},
        {AGE_OF("INT8", "-128"), -128},
        {AGE_OF("INT8", "127"), 127},
        {AGE_OF("UINT8", "255"), 255},
        {AGE_OF("INT16", "-32768"), -32768},
        {AGE_OF("UINT16", "65535"), 65535},
        {AGE_OF("INT32", "-2147483648"), -2147483648.0},
        {AGE_OF("UINT32", "4294967295"), 4294967296.0}, /* as a 32-bit float */
        {AGE_OF("INT64", "-9223372036854775808"), -9223372036854775808.0},
        {AGE_OF("UINT64", "9223372036854775807"), 9223372036854775808.0},
        {AGE_OF("FP32", "1"), 1},
        {AGE_OF("FP32", "-0.5"), -0.5},
        {AGE_OF("FP64", "1e-3"), 1e-3},
        {AGE_OF("FP64", "3e38"), 3e38},
        {AGE_OF("INT64", "null"), NAN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct infer_request q;
        struct diag diag;
        assert_ok(parse(cases[i].body, &diag, &q));
        assert_near(q.x[0], (float)cases[i].value, 0);
        assert_int_equal(q.rows, 1);
    }
}

static void
reads_a_tensor_a_column_or_one_matrix_alike(void **state)
{
    (void)state;
    static const float expected[] = {30, 1.5f, 1, 0, 31, NAN, NAN, 1};
    static const char *const bodies[] = {
        "{\"id\":\"a\\u00e4\",\"parameters\":{\"x\":1},\"inputs\":["
        "{\"name\":\"owner\",\"datatype\":\"BYTES\",\"shape\":[2],\"data\":[\"no\",\"yes\"]},"
        "{\"name\":\"region\",\"datatype\":\"BYTES\",\"shape\":[2,1],\"data\":[[\"süd\"],[null]]},"
        "{\"name\":\"income\",\"datatype\":\"FP32\",\"shape\":[2],\"data\":[1.5,null],"
        "\"parameters\":{}},{\"name\":\"age\",\"datatype\":\"UINT8\",\"shape\":[2],"
        "\"data\":[30,31]}]}",
        BODY(INPUT("any", "FP64", "[2,4]", "[30,1.5,1,0,31,null,null,1]")),
        BODY(INPUT("any", "FP64", "[2,4]", "[[30,1.5,1,0],[31,null,null,1]]")),
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct infer_request q;
        struct diag diag;
        assert_ok(parse(bodies[i], &diag, &q));
        assert_int_equal(q.rows, 2);
        for (size_t k = 0; k < 8; k++) {
            assert_near(q.x[k], expected[k], 0);
        }
        assert_true(i > 0 ? q.id == NULL : strcmp(q.id, "aä") == 0);
    }
}

static void
answers_the_outputs_that_were_asked_for(void **state)
{
    (void)state;
    static const double out[] = {0.5, 0.25};
    static const struct {
        const char *asked, *answer;
    } cases[] = {
        {"\"outputs\":[{\"name\":\"decision\"}],",
         "{\"model_name\":\"loans\",\"model_version\":\"3\",\"outputs\":[{\"name\":\"decision\","
         "\"datatype\":\"BYTES\",\"shape\":[1],\"data\":[\"deny\"]}]}"},
        {"\"id\":\"q\\\"\",\"outputs\":[{\"name\":\"probability\",\"parameters\":{}}],",
         "{\"model_name\":\"loans\",\"model_version\":\"3\",\"id\":\"q\\\"\",\"outputs\":[{"
         "\"name\":\"probability\",\"datatype\":\"FP64\",\"shape\":[1],\"data\":[0.5]}]}"},
        {"",
         "{\"model_name\":\"loans\",\"model_version\":\"3\",\"outputs\":[{\"name\":\"probability\","
         "\"datatype\":\"FP64\",\"shape\":[1],\"data\":[0.5]},{\"name\":\"decision\",\"datatype\":"
         "\"BYTES\",\"shape\":[1],\"data\":[\"deny\"]}]}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        DEFER(buf_done) struct buf body, answer;
        struct infer_request q;
        struct diag diag;
        buf_init(&body, 1 << 16);
        buf_init(&answer, 1 << 16);
        buf_printf(&body, "{%s\"inputs\":[" AGE "," INCOME "," REGION "," OWNER "]}",
                   cases[i].asked);
        assert_ok(parse(buf_str(&body), &diag, &q));
        infer_put_answer(&model, &q, out, &answer);
        assert_string_equal(buf_str(&answer), cases[i].answer);
    }
}

/* ---- thresholds by group ---- */

#define REST INCOME "," REGION "," OWNER
#define SEX_OF(TYPE, VALUE) BODY(AGE "," REST "," INPUT("sex", TYPE, "[1]", "[" VALUE "]"))

static void
a_group_is_needed_and_checked_as_a_feature_is(void **state)
{
    (void)state;
    static const struct {
        const char *body, *says;
    } cases[] = {
        {BODY(AGE "," REST), "input \"sex\" is missing: the model decides by it; send null where"},
        {BODY(INPUT("x", "FP64", "[1,4]", "[1,2,1,1]")), "input \"sex\" is missing"},
        {BODY(INPUT("x", "FP64", "[1,5]", "[1,2,1,1,1]")), "5 columns; the model reads 4"},
        {"{\"outputs\":[{\"name\":\"probability\"}],\"inputs\":[" AGE "," REST "]}",
         "input \"sex\" is missing"},
        {BODY(AGE "," REST "," INPUT("sexx", "BYTES", "[1]", "[\"f\"]")), "did you mean \"sex\"?"},
        {SEX_OF("BYTES", "\"x\""), "(feature \"sex\"): \"x\" is none of the values"},
        {SEX_OF("INT64", "2"), "a category is sent as BYTES, or as its index"},
        {SEX_OF("INT64", "-1"), "a category is sent as BYTES, or as its index"},
        {SEX_OF("FP64", "0.5"), "a category is sent as BYTES, or as its index"},
        {SEX_OF("BYTES", "\"f\",\"f\""), "more elements than its shape says"},
        {SEX_OF("BYTES", ""), "fewer elements than its shape says"},
        {BODY(INPUT("sex", "BYTES", "[2]", "[\"f\",\"m\"]") "," AGE), "not as many as the first"},
        {BODY(INPUT("sex", "BYTES", "[1]", "[\"f\"]") "," INPUT("sex", "BYTES", "[1]", "[\"f\"]")),
         "input \"sex\": given twice"},
        {BODY(INPUT("sex", "BYTES", "[1]", "[\"f\"]") "," AGE), "input \"income\" is missing"},
    };
    struct infer_request q;
    struct diag diag;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        q = (struct infer_request){.rows = 77};
        const struct status s = parse_for(&by_group, cases[i].body, &diag, &q);
        if (s.code != STATUS_INPUT || strstr(diag.text, cases[i].says) == NULL) {
            print_error("%s\n: %s: %s\n", cases[i].body, status_word(s.code), diag.text);
            fail();
        }
        assert_int_equal(q.rows, 77);
    }
    /* A model without groups knows no such input. */
    assert_status(parse(SEX_OF("BYTES", "\"f\""), &diag, &q), INPUT);
    assert_says(&diag, "the model has no such feature");
}

static void
the_group_decides_beside_the_probability(void **state)
{
    (void)state;
    static const double out[] = {0.3, 0.3, 0.3, 0.6, 0.6, 0.75};
    static const char *const bodies[] = {
        BODY(INPUT(
            "x", "FP64", "[6,4]",
            "[1,1,0,0,2,1,0,0,3,1,0,0,4,1,0,0,5,1,0,0,6,1,0,0]") "," INPUT("sex", "BYTES", "[6,1]",
                                                                           "[[\"f\"],[\"m\"],[null]"
                                                                           ",[\"m\"],[null],[\"m\"]"
                                                                           "]")),
        BODY(INPUT("sex", "INT64", "[6]", "[0,1,null,1,null,1]") "," INPUT(
            "x", "FP64", "[6,4]", "[1,1,0,0,2,1,0,0,3,1,0,0,4,1,0,0,5,1,0,0,6,1,0,0]")),
    };
    for (size_t i = 0; i < 2; i++) {
        DEFER(buf_done) struct buf answer;
        struct infer_request q;
        struct diag diag;
        buf_init(&answer, 1 << 16);
        assert_ok(parse_for(&by_group, bodies[i], &diag, &q));
        for (size_t k = 0; k < 6; k++) {
            assert_near(q.x[k * 4], (double)k + 1, 0);
            assert_near(q.x[k * 4 + 3], 0, 0);
        }
        infer_put_answer(&by_group, &q, out, &answer);
        assert_text_has(buf_str(&answer), "\"data\":[0.3,0.3,0.3,0.6,0.6,0.75]");
        assert_text_has(buf_str(&answer),
                        "\"data\":[\"deny\",\"grant\",\"grant\",\"grant\",\"deny\",\"deny\"]");
    }
}

/* The chance stands beside the decision; which it is follows from what is in the row alone. */
static void
a_drawn_decision_is_answered_with_its_chance(void **state)
{
    (void)state;
    static struct thresholds_chances chances[] = {{0.25, 0.75, {0, 0.5, 1}},
                                                  {0.25, 0.75, {0.125, 0.5, 0.875}}};
    static const double out[] = {0.1, 0.25, 0.75, 0.1, 0.5, 0.9, 0.5, NAN};
    struct model draws = by_group;
    struct infer_request q;
    struct diag diag;
    DEFER(buf_done) struct buf answer;
    DEFER(buf_done) struct buf metadata;
    DEFER(js_freep) json_t *o = NULL;
    draws.thresholds = (struct thresholds){.by = {&sex, 1}, .drawn = chances};
    hmac_key_of(view_str("seed"), &draws.thresholds.key);
    buf_init(&answer, 1 << 16);
    buf_init(&metadata, 1 << 16);
    assert_ok(parse_for(&draws,
                        BODY(INPUT("x", "FP64", "[8,4]",
                                   "[1,1,0,0,2,1,0,0,3,1,0,0,4,1,0,0,5,1,0,0,6,1,0,0,7,1,0,0,8,1,0,"
                                   "0]") "," INPUT("sex", "INT64", "[8]", "[0,0,0,1,1,1,null,0]")),
                        &diag, &q));
    infer_put_answer(&draws, &q, out, &answer);
    assert_text_has(buf_str(&answer), ",{\"name\":\"chance\",\"datatype\":\"FP64\",\"shape\":[8],"
                                      "\"data\":[0,0.5,1,0.125,0.5,0.875,1,null]}]}");
    assert_ok(js_parse(buf_view(&answer), NULL, NULL, &o));
    const json_t *decisions =
        json_object_get(json_array_get(json_object_get(o, "outputs"), 1), "data");
    for (uint32_t i = 0; i < 6; i++) {
        const struct decision d =
            thresholds_decide(&draws.thresholds, i / 3, q.x + (size_t)i * 4, 4, out[i]);
        assert_string_equal(json_string_value(json_array_get(decisions, i)),
                            d.positive ? "deny" : "grant");
    }
    assert_true(json_is_null(json_array_get(decisions, 7)));
    infer_put_metadata(&draws, (const bool[]){true, true, true, true, true}, &metadata);
    assert_text_has(buf_str(&metadata),
                    "{\"name\":\"chance\",\"datatype\":\"FP64\",\"shape\":[-1]}");
    /* By name alone, and of a model that draws only. */
    assert_ok(parse_for(&draws,
                        "{\"outputs\":[{\"name\":\"chance\"}],\"inputs\":[" AGE "," REST
                        "," INPUT("sex", "BYTES", "[1]", "[\"f\"]") "]}",
                        &diag, &q));
    assert_true(q.want_chance && !q.want_decision && !q.want_probability);
    assert_status(
        parse("{\"outputs\":[{\"name\":\"chance\"}],\"inputs\":[" AGE "," REST "]}", &diag, &q),
        INPUT);
    assert_says(&diag, "the model has probability, decision, and contributions");
}

static void
a_remover_needs_its_columns_and_changes_features(void **state)
{
    (void)state;
    static const char *const without[] = {
        BODY(AGE "," REST "," INPUT("height", "FP64", "[1]", "[170]")),
        BODY(AGE "," REST "," INPUT("sex", "BYTES", "[1]", "[\"m\"]")),
    };
    static const char *const says[] = {
        "input \"sex\" is missing: the model changes features by it; send null",
        "input \"height\" is missing: the model changes features by it; send null"};
    static const double out[] = {0.3, 0.3, 0.3, 0.3};
    struct infer_request q;
    struct diag diag;
    DEFER(buf_done) struct buf answer;
    buf_init(&answer, 1 << 16);
    for (size_t i = 0; i < 2; i++) {
        assert_status(parse_for(&behind, without[i], &diag, &q), INPUT);
        assert_says(&diag, says[i]);
    }
    assert_ok(parse_for(
        &behind,
        BODY(INPUT("sex", "BYTES", "[4]", "[\"f\",\"m\",null,\"m\"]") "," INPUT(
            "x", "FP64", "[4,4]",
            "[1,1000,0,0,2,1000,1,0,3,1000,0,0,4,null,0,0]") "," INPUT("height", "FP64", "[4]",
                                                                       "[180,170,160,null]")),
        &diag, &q));
    assert_near(q.x[1], 1000 - (2 * -0.5 + 0.25 * 10), 1e-3);
    assert_near(q.x[5], 1000 - 2 * 0.5, 1e-3);
    assert_near(q.x[9], 1000 - 0.25 * -10, 1e-3);
    assert_true(isnan(q.x[13]));
    assert_near(q.x[4], 2, 0);
    assert_near(q.x[6], 1, 0);
    /* The group is one of the two: sent once, it decides, too. */
    infer_put_answer(&behind, &q, out, &answer);
    assert_text_has(buf_str(&answer), "\"data\":[\"deny\",\"grant\",\"grant\",\"grant\"]");
    buf_reset(&answer);
    const bool none[6] = {false};
    infer_put_metadata(&behind, none, &answer);
    assert_text_has(buf_str(&answer),
                    "{\"name\":\"owner\",\"datatype\":\"BYTES\",\"shape\":[-1]},{\"name\":"
                    "\"sex\",\"datatype\":\"BYTES\",\"shape\":[-1]},{\"name\":\"height\","
                    "\"datatype\":\"FP64\",\"shape\":[-1]}],\"outputs\":");
}

static void
metadata_lists_the_group_last(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf one, two;
    buf_init(&one, 1 << 16);
    buf_init(&two, 1 << 16);
    const bool none[5] = {false};
    infer_put_metadata(&model, none, &one);
    infer_put_metadata(&by_group, none, &two);
    assert_null(strstr(buf_str(&one), "sex"));
    assert_text_has(buf_str(&two),
                    "{\"name\":\"owner\",\"datatype\":\"BYTES\",\"shape\":[-1]},{\"name\":"
                    "\"sex\",\"datatype\":\"BYTES\",\"shape\":[-1]}],\"outputs\":");
}

/* The values that a category may have are those of the training data. */
static void
metadata_tells_categories_of_unmasked_columns_alone(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf b;
    buf_init(&b, 1 << 16);
    const bool owner_and_sex[5] = {[3] = true, [4] = true};
    infer_put_metadata(&by_group, owner_and_sex, &b);
    assert_null(strstr(buf_str(&b), "north"));
    assert_text_has(buf_str(&b),
                    "\"shape\":[-1],\"parameters\":{\"categories\":[\"no\",\"yes\"]}}");
    assert_text_has(buf_str(&b), "\"parameters\":{\"categories\":[\"f\",\"m\"]}}");
    buf_reset(&b);
    const bool region_alone[5] = {[2] = true};
    infer_put_metadata(&by_group, region_alone, &b);
    assert_text_has(buf_str(&b), "{\"categories\":[\"north\",\"s\u00fcd\"]}");
    assert_null(strstr(buf_str(&b), "\"yes\""));
}

/* No sentence tells a value of a category that was not sent, however near. */
static void
refusals_tell_no_categories(void **state)
{
    (void)state;
    struct infer_request q;
    struct diag diag;
    const char *bodies[] = {
        BODY(AGE "," INCOME "," OWNER "," INPUT("region", "BYTES", "[1]", "[\"nort\"]")),
        BODY(AGE "," INCOME "," OWNER "," INPUT("region", "INT64", "[1]", "[7]")),
        BODY(AGE "," INCOME "," OWNER "," INPUT("region", "BYTES", "[1]", "[3]")),
        BODY(AGE "," INCOME "," OWNER "," INPUT("regio", "BYTES", "[1]", "[\"nort\"]")),
        BODY(AGE "," INCOME "," OWNER),
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        assert_status(parse(bodies[i], &diag, &q), INPUT);
        assert_null(strstr(diag.text, "north"));
        assert_null(strstr(diag.text, "s\u00fcd"));
    }
}

/* ---- contributions ---- */

/* Two outputs over the four features: w (x - mean) by hand. */
static const double intercept[] = {0.5, -1}, coefficient[] = {2, 0, 4, 1, 0, 8, -2, 0},
                    mean[] = {30, 1, 0, 1}, scale[] = {1, 2, 4, 1}, missing[] = {NAN, 1, 0, 1};
static struct linear linear = {.features = 4,
                               .outputs = 2,
                               .link = FOREST_IDENTITY,
                               .intercept = intercept,
                               .coefficient = coefficient,
                               .mean = mean,
                               .has_mean = true,
                               .scale = scale,
                               .missing = missing};
static struct model_file linear_file = {.outputs = 2, .link = FOREST_IDENTITY, .linear = &linear};
static const struct model scores = {
    .name = "scores", .version = 1, .features = {features, 4}, .file = &linear_file};

static void
put_contributions(const bool *visible, struct buf *b)
{
    struct infer_request q;
    struct diag diag;
    DEFER(attribution_freep) struct attribution *a = NULL;
    buf_reset(b);
    assert_ok(parse_for(&scores,
                        "{\"outputs\":[{\"name\":\"contributions\"}],\"inputs\":[" INPUT(
                            "x", "FP64", "[2,4]", "[33,3,1,0,null,1,0,1]") "]}",
                        &diag, &q));
    assert_true(q.want_contributions && q.named && !q.want_probability && !q.want_decision);
    assert_ok(contributions_new(&scores, &a));
    assert_ok(contributions_put(&scores, a, &q, visible, arena, b));
}

static void
contributions_of_a_linear_model_are_by_output_and_null_without_a_score(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf b;
    buf_init(&b, 1 << 16);
    const bool all[4] = {true, true, true, true}, some[4] = {false, true, false, true},
               none[4] = {false};
    put_contributions(all, &b);
    assert_text_has(buf_str(&b),
                    "\"shape\":[2,2,4],\"parameters\":{\"method\":\"exact SHAP of a linear "
                    "model\",\"of\":\"margin\",\"masked\":0},\"data\":[6,0,1,-1,"
                    "0,8,-0.5,0,null,null,null,null,null,null,null,null]}");
    assert_text_has(buf_str(&b), "\"shape\":[2],\"data\":[0.5,-1]}");
    assert_text_has(buf_str(&b),
                    "\"shape\":[4],\"data\":[\"age\",\"income\",\"region\",\"owner\"]}");
    put_contributions(some, &b);
    assert_text_has(buf_str(&b), "\"shape\":[2,2,3]");
    assert_text_has(buf_str(&b), "\"masked\":2},\"data\":[0,-1,7,8,0,-0.5,null,");
    assert_text_has(buf_str(&b), "\"data\":[\"income\",\"owner\",\"masked\"]}");
    put_contributions(none, &b);
    assert_text_has(buf_str(&b), "\"shape\":[2,2,1]");
    assert_text_has(buf_str(&b), "\"masked\":4},\"data\":[6,7.5,null,null]}");
    assert_text_has(buf_str(&b), "\"shape\":[1],\"data\":[\"masked\"]}");
}

static void
refuses_contributions_that_the_file_has_no_ground_for(void **state)
{
    (void)state;
    struct infer_request q;
    struct diag diag;
    DEFER(buf_done) struct buf b;
    struct linear bare = linear;
    bare.has_mean = false;
    struct model_file file_of_it = linear_file;
    file_of_it.linear = &bare;
    struct model m = scores;
    m.file = &file_of_it;
    assert_status(
        parse_for(&m, "{\"outputs\":[{\"name\":\"contributions\"}],\"inputs\":[]}", &diag, &q),
        INPUT);
    assert_says(&diag, "the model's file does not tell the features' means");
    const bool none[4] = {false};
    buf_init(&b, 1 << 16);
    infer_put_metadata(&m, none, &b);
    assert_null(strstr(buf_str(&b), "contributions"));
}

static int
set_up(void **state)
{
    (void)state;
    arena = arena_new(1 << 20);
    return arena == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_with_a_sentence),
        cmocka_unit_test(refuses_long_names_in_whole_letters),
        cmocka_unit_test(a_category_number_is_whole),
        cmocka_unit_test(limits_rows_and_memory),
        cmocka_unit_test(says_which_check_refused),
        cmocka_unit_test(reads_each_datatype_at_the_ends_of_its_range),
        cmocka_unit_test(reads_a_tensor_a_column_or_one_matrix_alike),
        cmocka_unit_test(answers_the_outputs_that_were_asked_for),
        cmocka_unit_test(a_group_is_needed_and_checked_as_a_feature_is),
        cmocka_unit_test(the_group_decides_beside_the_probability),
        cmocka_unit_test(a_drawn_decision_is_answered_with_its_chance),
        cmocka_unit_test(a_remover_needs_its_columns_and_changes_features),
        cmocka_unit_test(metadata_lists_the_group_last),
        cmocka_unit_test(metadata_tells_categories_of_unmasked_columns_alone),
        cmocka_unit_test(refusals_tell_no_categories),
        cmocka_unit_test(contributions_of_a_linear_model_are_by_output_and_null_without_a_score),
        cmocka_unit_test(refuses_contributions_that_the_file_has_no_ground_for),
    };
    return cmocka_run_group_tests_name("serve/infer", tests, set_up, tear_down);
}
