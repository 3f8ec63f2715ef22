#include "testing/testing.h"

#include "report/sample.h"

#include "base/text.h"
#include "model/train.h"
#include "num/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct sample_names sample_plain = {
    .feature = {"income", "history", "purpose", "insured"},
    .purpose = {"car", "house", "other"},
    .insured = {"no", "yes"},
    .factor = {"origin", "sex"},
    .group = {"a", "b", "c"},
    .sex = {"f", "m"},
    .label = "deny",
    .positive = "yes",
    .negative = "no",
    .model = "mortgage",
    .dataset = "lending",
};

/* Denied more often with little income, a bad history, and by group b; the model does not see the
 * group, but the income depends on it. Where the purpose is "other" the answer is a coin's. */
static void
fill_row(struct sample *s, size_t i, struct rng *g)
{
    s->code[0][i] = rng_below(g, 200) == 0 ? 2 : rng_below(g, 3) == 0;
    s->code[1][i] = rng_below(g, 25) == 0 ? -1 : (int32_t)rng_below(g, 2);
    s->value[0][i] = rng_below(g, 12) == 0 ? NAN : 2 + rng_normal(g) - 0.8 * (s->code[0][i] == 1);
    s->value[1][i] = 1 + (double)rng_below(g, 6);
    s->value[2][i] = rng_below(g, 15) == 0 ? NAN : (double)rng_below(g, 3);
    s->value[3][i] = (double)rng_below(g, 2);
    const double income = isnan(s->value[0][i]) ? 1.5 : s->value[0][i];
    const double margin = 0.8 * s->value[1][i] - 1.2 * income - 2;
    const bool coin = s->value[2][i] >= 2;
    s->y[i] = coin ? rng_below(g, 2) == 1 : rng_unit(g) < 1 / (1 + exp(-margin));
    s->row_number[i] = 3 * i + 7;
    for (size_t k = 0; k < SAMPLE_FEATURES; k++) {
        s->x[i * SAMPLE_FEATURES + k] = (float)s->value[k][i];
    }
}

static void *
zeroed(size_t n, size_t size)
{
    void *p = calloc(n, size);
    assert_non_null(p);
    return p;
}

/* y[rows]: of the objective. Scores all rows. */
static void
train_on(struct sample *s, const float *y, const char *objective, uint32_t classes, double base)
{
    struct train_options o;
    struct diag diag = {0};
    DEFER(buf_done) struct buf model;
    const size_t rows = s->rows < 2000 ? s->rows : 2000;
    train_defaults(&o);
    o.objective = objective;
    o.classes = classes;
    o.base_score = base;
    o.rounds = 8;
    o.max_depth = 3;
    o.threads = 1;
    buf_init(&model, 1u << 24);
    assert_ok(train_xgboost(s->x, rows, SAMPLE_FEATURES, y, NULL, &o, &diag, &model));
    assert_ok(model_file_load(buf_view(&model), &diag, &s->file));
    s->score = zeroed(s->rows * s->file->outputs, sizeof *s->score);
    model_file_margin(s->file, s->x, s->rows, 1, s->score);
    model_file_link_apply(s->file, s->score, s->rows);
}

static void
train(struct sample *s)
{
    DEFER(memory_freep) float *y = zeroed(s->rows, sizeof *y);
    for (size_t i = 0; i < s->rows; i++) {
        y[i] = s->y[i];
    }
    train_on(s, y, "binary:logistic", 0, 0.5);
}

static void
describe(struct sample *s)
{
    const struct sample_names *n = s->names;
    for (size_t k = 0; k < SAMPLE_FEATURES; k++) {
        s->features[k] = (struct assessment_feature){.name = n->feature[k], .value = s->value[k]};
    }
    s->features[2].levels = n->purpose;
    s->features[2].level_count = 3;
    s->features[3].levels = n->insured;
    s->features[3].level_count = 2;
    for (size_t k = 0; k < SAMPLE_FACTORS_MAX; k++) {
        const bool first = k % 2 == 0;
        s->factors[k] = (struct assessment_factor){.name = n->factor[k % 2],
                                                   .code = s->code[k % 2],
                                                   .levels = first ? n->group : n->sex,
                                                   .level_count = first ? 3 : 2};
    }
}

static struct assessment_input
input_of(const struct sample *s)
{
    const struct sample_names *n = s->names;
    return (struct assessment_input){
        .model = n->model,
        .model_digest_hex = "0a1b",
        .dataset = n->dataset,
        .dataset_digest_hex = "2c3d",
        .selection = "test",
        .model_version = 1,
        .dataset_version = 2,
        .created_ns = INT64_C(1790000000000000000),
        .label = n->label,
        .positive = n->positive,
        .negative = n->negative,
        .threshold = 0.5,
        .rows = s->rows,
        .row_number = s->row_number,
        .rows_dropped = 3,
        .y = s->y,
        .score = s->score,
        .x = s->x,
        .file = s->file,
        .read = s->features,
        .features = s->features,
        .feature_count = SAMPLE_FEATURES,
        .factors = s->factors,
        .factor_count = 2,
        .remarks = s->remarks,
        .without_groups = s->without_groups,
        .threads = 1,
    };
}

void
sample_make(const struct sample_names *names, size_t rows, struct sample *s)
{
    struct rng g;
    rng_init(&g, 77, "sample");
    *s = (struct sample){.names = names, .rows = rows};
    for (size_t k = 0; k < SAMPLE_FEATURES; k++) {
        s->value[k] = zeroed(rows, sizeof **s->value);
    }
    s->code[0] = zeroed(rows, sizeof **s->code);
    s->code[1] = zeroed(rows, sizeof **s->code);
    s->x = zeroed(rows * SAMPLE_FEATURES, sizeof *s->x);
    s->y = zeroed(rows, 1);
    s->row_number = zeroed(rows, sizeof *s->row_number);
    for (size_t i = 0; i < rows; i++) {
        fill_row(s, i, &g);
    }
    train(s);
    describe(s);
    s->remarks = json_array();
    s->without_groups = json_pack("[{s:s, s:s}]", "column", "region", "reason", "is free text");
    assert_true(s->remarks != NULL && s->without_groups != NULL);
    s->in = input_of(s);
    assessment_defaults(&s->in.settings);
    s->in.settings.replicates = 100;
}

/* Another model in the place of the first. */
static void
retrain(struct sample *s, const float *y, const char *objective, uint32_t classes, double base)
{
    model_file_free(s->file);
    free(s->score);
    train_on(s, y, objective, classes, base);
    s->in.file = s->file;
    s->in.score = s->score;
    s->in.y = NULL;
    s->in.positive = s->in.negative = NULL;
}

void
sample_classes(size_t rows, struct sample *s)
{
    static const char *const classes[] = {"later", "no", "yes", "never"};
    sample_make(&sample_plain, rows, s);
    DEFER(memory_freep) float *y = zeroed(rows, sizeof *y);
    s->truth_class = zeroed(rows, sizeof *s->truth_class);
    for (size_t i = 0; i < rows; i++) {
        const bool later = s->y[i] == 0 && s->value[1][i] > 3;
        y[i] = later ? 0 : (float)(1 + s->y[i]);
        s->truth_class[i] = i % 300 == 17 ? 3 : (uint32_t)y[i];
    }
    retrain(s, y, "multi:softprob", 3, 0.5);
    s->in.truth_class = s->truth_class;
    s->in.classes = classes;
    s->in.class_count = 4;
}

void
sample_numbers(size_t rows, struct sample *s)
{
    sample_make(&sample_plain, rows, s);
    DEFER(memory_freep) float *y = zeroed(rows, sizeof *y);
    s->truth = zeroed(rows, sizeof *s->truth);
    for (size_t i = 0; i < rows; i++) {
        const double income = isnan(s->value[0][i]) ? 1.5 : s->value[0][i];
        s->truth[i] = 10 * income + 3 * s->value[1][i] + (s->y[i] == 0 ? -4 : 4) +
                      (s->code[0][i] == 1 ? 3 : 0);
        y[i] = (float)s->truth[i];
    }
    retrain(s, y, "reg:squarederror", 0, 26);
    s->in.truth = s->truth;
}

void
sample_done(struct sample *s)
{
    for (size_t k = 0; k < SAMPLE_FEATURES; k++) {
        free(s->value[k]);
    }
    free(s->code[0]);
    free(s->code[1]);
    free(s->x);
    free(s->y);
    free(s->truth_class);
    free(s->truth);
    free(s->score);
    free(s->row_number);
    model_file_free(s->file);
    json_decref(s->remarks);
    json_decref(s->without_groups);
}

json_t *
sample_assess(const struct sample *s)
{
    struct diag diag = {0};
    json_t *document = NULL;
    const struct status done = assessment_run(&s->in, &diag, &document);
    if (!status_ok(done)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(done);
    return document;
}

static void
put_quoted(struct buf *b, const char *text)
{
    buf_put_u8(b, '"');
    for (; *text != '\0'; text++) {
        buf_put_str(b, *text == '"' ? "\"" : "");
        buf_put_u8(b, (uint8_t)*text);
    }
    buf_put_u8(b, '"');
}

void
sample_put_csv(const struct sample *s, struct buf *b)
{
    for (size_t k = 0; k < SAMPLE_FEATURES; k++) {
        put_quoted(b, s->features[k].name);
        buf_put_str(b, k + 1 < SAMPLE_FEATURES ? "," : "\n");
    }
    for (size_t i = 0; i < s->rows; i++) {
        for (size_t k = 0; k < SAMPLE_FEATURES; k++) {
            const double v = s->value[k][i];
            if (!isnan(v) && s->features[k].levels != NULL) {
                put_quoted(b, s->features[k].levels[(size_t)v]);
            } else if (!isnan(v)) {
                text_put_f64(b, v);
            }
            buf_put_str(b, k + 1 < SAMPLE_FEATURES ? "," : "\n");
        }
    }
}
