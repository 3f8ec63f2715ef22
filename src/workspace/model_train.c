/* Training of a model on a dataset's training part: what it learns is told by the label's kind. */
#include "assess/metric.h"
#include "base/clock.h"
#include "base/text.h"
#include "data/label.h"
#include "workspace/mitigation.h"
#include "workspace/models_parts.h"
#include "workspace/registry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct training {
    struct table *table;
    struct dataset_info info;
    struct feature_list features;
    enum model_task task;
    const char *objective;
    struct label_classes classes; /* of several classes */
    uint8_t *train;               /* table->rows */
    double *y;                    /* table->rows: 0 or 1, the class or the value; NaN missing */
    float *x;                     /* table->rows * features.count */
    float *label;                 /* rows that are trained on */
    size_t rows;                  /* trained on, at the front of x */
    uint64_t unlabelled;
    double mean; /* of their labels */
    struct remover remover;
    json_t *mitigation; /* what the manifest says of it; NULL: none */
    json_t *metrics;
    struct train_options used; /* as the library was told */
};

static void
training_done(struct training *t)
{
    json_decref(t->mitigation);
    json_decref(t->metrics);
    label_classes_done(&t->classes);
    remover_done(&t->remover);
    table_free(t->table);
    feature_list_done(&t->features);
    free(t->train);
    free(t->y);
    free(t->x);
    free(t->label);
}

static struct status
allocate_training(struct training *t, struct diag *diag)
{
    const size_t rows = (size_t)t->table->rows;
    size_t cells = 0;
    if (t->features.count == 0) {
        diag_set(diag,
                 "dataset %s has no column to train on: every one is label, sensitive, identifier, "
                 "text or ignored",
                 t->info.name);
        FAIL(INPUT);
    }
    CHECK(!__builtin_mul_overflow(rows, (size_t)t->features.count, &cells), LIMIT);
    t->train = calloc(rows + 1, 1);
    t->y = calloc(rows + 1, sizeof *t->y);
    t->label = calloc(rows + 1, sizeof *t->label);
    t->x = calloc(cells + 1, sizeof *t->x);
    CHECK(t->train != NULL && t->y != NULL && t->label != NULL && t->x != NULL, MEMORY);
    return OK;
}

/* Moves the rows to train on (in the training part, with a label) to the front of x. */
static void
gather(struct training *t)
{
    const size_t width = t->features.count;
    for (size_t i = 0; i < (size_t)t->table->rows; i++) {
        t->unlabelled += isnan(t->y[i]) ? 1 : 0;
        t->train[i] = t->train[i] != 0 && !isnan(t->y[i]);
        if (t->train[i] == 0) {
            continue;
        }
        memmove(t->x + t->rows * width, t->x + i * width, width * sizeof *t->x);
        t->mean += (t->y[i] - t->mean) / (double)(t->rows + 1);
        t->label[t->rows++] = (float)t->y[i];
    }
}

static bool
removes(const struct model_train_options *o)
{
    return o->mitigation != NULL && o->mitigation->method == MITIGATION_CORRELATION_REMOVER;
}

static struct remover_wish
remover_wish(const struct mitigation *m)
{
    return (struct remover_wish){m->sensitive, m->sensitive_count, m->alpha};
}

/* ---- what is learned ---- */

/* Two classes where the dataset tells the positive one, several of a label that has levels, else a
 * number. */
static const char *
objective_of(const struct table *t)
{
    const struct column *label = table_label(t);
    const bool levels = label->type == COLUMN_CATEGORY || label->type == COLUMN_BOOLEAN;
    return t->positive != NULL ? "binary:logistic" : levels ? "multi:softprob" : "reg:squarederror";
}

static struct status
read_binary(struct training *t, struct diag *diag)
{
    const size_t rows = (size_t)t->table->rows;
    DEFER(memory_freep) uint8_t *y = calloc(rows + 1, 1);
    CHECK(y != NULL, MEMORY);
    TRY(table_binary_label(t->table, diag, y));
    for (size_t i = 0; i < rows; i++) {
        t->y[i] = y[i] > 1 ? NAN : (double)y[i];
    }
    return OK;
}

static struct status
read_classes(struct training *t, struct diag *diag)
{
    const size_t rows = (size_t)t->table->rows;
    const struct column *label = table_label(t->table);
    DEFER(memory_freep) uint32_t *class = calloc(rows + 1, sizeof *class);
    CHECK(class != NULL, MEMORY);
    TRY(label_classes_of(t->table, label, diag, &t->classes));
    TRY(label_as_classes(t->table, label, (const char *const *)t->classes.names, t->classes.count,
                         diag, class));
    for (size_t i = 0; i < rows; i++) {
        t->y[i] = class[i] == LABEL_MISSING ? NAN : (double)class[i];
    }
    return OK;
}

static struct status
read_label(struct training *t, const struct model_train_options *o, struct diag *diag)
{
    const char *asked = o->train.objective;
    t->objective = asked == NULL ? objective_of(t->table) : asked;
    t->task = strncmp(t->objective, "binary:", 7) == 0  ? MODEL_BINARY
              : strncmp(t->objective, "multi:", 6) == 0 ? MODEL_CLASSES
                                                        : MODEL_NUMBER;
    if (o->mitigation != NULL) {
        TRY(mitigation_check(o->mitigation, t->objective, diag));
        t->objective = mitigation_objective(o->mitigation, t->objective);
    }
    return t->task == MODEL_BINARY ? read_binary(t, diag)
           : t->task == MODEL_CLASSES
               ? read_classes(t, diag)
               : label_as_numbers(t->table, table_label(t->table), diag, t->y);
}

static struct status
prepare(struct workspace *w, const struct model_train_options *o, struct diag *diag,
        struct training *t)
{
    TRY(dataset_load(w, o->dataset, o->dataset_version, diag, &t->table, &t->info));
    if (table_label(t->table) == NULL) {
        diag_set(diag, "dataset %s has no label column; add it again with --label COLUMN",
                 t->info.name);
        FAIL(INPUT);
    }
    TRY(feature_list_from_table(t->table, &t->features));
    if (removes(o)) {
        const struct remover_wish wish = remover_wish(o->mitigation);
        TRY(remover_leave_out(&wish, &t->features));
    }
    TRY(allocate_training(t, diag));
    TRY(read_label(t, o, diag));
    TRY(table_split(t->table, o->split, o->seed, t->train));
    TRY(matrix_from_table(t->table, &t->features, NULL, diag, t->x));
    gather(t);
    if (t->rows == 0) {
        diag_set(diag, "split %g leaves no labelled row to train on", o->split);
        FAIL(INPUT);
    }
    return OK;
}

/* Changes the rows that are trained on. */
static struct status
remove_correlation(struct training *t, const struct mitigation *m, struct diag *diag)
{
    const struct remover_wish wish = remover_wish(m);
    TRY(remover_fit(&wish, t->table, t->train, &t->features, t->x, t->rows, diag, &t->remover,
                    &t->mitigation));
    return js_set(t->mitigation, "based_on", json_integer((json_int_t)m->based_on));
}

static struct status
run_training(struct training *t, const struct model_train_options *given, struct diag *diag,
             struct buf *ret_model)
{
    DEFER(memory_freep) const char **names = calloc(t->features.count, sizeof *names);
    DEFER(memory_freep) uint8_t *category = calloc(t->features.count, 1);
    CHECK(names != NULL && category != NULL, MEMORY);
    for (uint32_t i = 0; i < t->features.count; i++) {
        names[i] = t->features.items[i].name;
        category[i] = t->features.items[i].type == COLUMN_CATEGORY;
    }
    struct train_options o = given->train;
    o.feature_names = names;
    o.feature_is_category = category;
    o.objective = t->objective;
    o.classes = t->classes.count;
    o.base_score = t->task == MODEL_NUMBER ? t->mean : 0.5;
    t->used = o;
    t->used.feature_names = NULL;
    t->used.feature_is_category = NULL;
    if (removes(given)) {
        TRY(remove_correlation(t, given->mitigation, diag));
    } else if (given->mitigation != NULL) {
        return mitigation_train(given->mitigation, t->table, t->train, t->x, t->rows,
                                t->features.count, t->label, &o, diag, ret_model, &t->mitigation);
    }
    return train_xgboost(t->x, t->rows, t->features.count, t->label, NULL, &o, diag, ret_model);
}

/* ---- how good it is on what it was trained on, and on the rest ---- */

static bool
fits(const struct metric *m, enum model_task task)
{
    return task == MODEL_NUMBER ? m->family == METRIC_VALUES
                                : m->family == METRIC_CLASSES ||
                                      (task == MODEL_BINARY && m->family == METRIC_BINARY);
}

/* y[rows], score[rows * outputs]. A metric that these rows do not have is left out. */
static struct status
put_metrics(const struct training *t, const double *y, const double *score, size_t rows,
            size_t outputs, json_t *o)
{
    struct diag why = {0};
    TRY(js_set(o, "rows", json_integer((json_int_t)rows)));
    for (const struct metric *m = metrics; m->name != NULL; m++) {
        double value = 0;
        if (fits(m, t->task)) {
            const struct status s = metric_of(m, y, score, rows, outputs, &why, &value);
            if (status_ok(s)) {
                TRY(js_set(o, m->name, js_real(value)));
            } else if (s.code != STATUS_INPUT) {
                return s;
            }
        }
    }
    return OK;
}

/* The rows of one part: those trained on, or the others that have a label. */
static struct status
measure_part(const struct training *t, const double *answer, size_t outputs, bool train,
             const char *key)
{
    const size_t all = (size_t)t->table->rows;
    DEFER(memory_freep) double *y = calloc(all + 1, sizeof *y);
    DEFER(memory_freep) double *score = calloc(all * outputs + 1, sizeof *score);
    CHECK(y != NULL && score != NULL, MEMORY);
    size_t rows = 0;
    for (size_t i = 0; i < all; i++) {
        if (isfinite(t->y[i]) && (t->train[i] != 0) == train) {
            memcpy(score + rows * outputs, answer + i * outputs, outputs * sizeof *score);
            y[rows++] = t->y[i];
        }
    }
    json_t *o = json_object();
    TRY(js_set(t->metrics, key, o));
    return put_metrics(t, y, score, rows, outputs, o);
}

static struct status
measure(struct training *t, struct view file, unsigned threads, struct diag *diag)
{
    const size_t rows = (size_t)t->table->rows;
    DEFER(model_file_freep) struct model_file *m = NULL;
    DEFER(memory_freep) double *answer = NULL;
    size_t cells = 0;
    uint64_t missing = 0;
    t->metrics = json_object();
    CHECK(t->metrics != NULL, MEMORY);
    TRY(model_file_load(file, diag, &m));
    CHECK(!__builtin_mul_overflow(rows, (size_t)m->outputs, &cells), LIMIT);
    answer = calloc(cells + 1, sizeof *answer);
    CHECK(answer != NULL, MEMORY);
    TRY(models_matrix(&t->features, &t->remover, t->table, NULL, diag, t->x,
                      &missing)); /* it was moved together */
    model_file_margin(m, t->x, rows, threads, answer);
    model_file_link_apply(m, answer, rows);
    TRY(measure_part(t, answer, m->outputs, true, "train"));
    return measure_part(t, answer, m->outputs, false, "test");
}

/* ---- the manifest ---- */

static struct status
set_json(json_t *o, const char *key, const struct buf *text)
{
    json_t *value = NULL;
    TRY(js_parse(buf_view(text), key, NULL, &value));
    return js_set(o, key, value);
}

static struct status
put_training_set(json_t *manifest, const struct training *t, const struct model_train_options *o)
{
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 128);
    digest_put_hex(&hex, &t->info.digest);
    json_t *d = json_object();
    TRY(js_set(manifest, "dataset", d));
    TRY(js_set(d, "name", json_string(t->info.name)));
    TRY(js_set(d, "version", json_integer((json_int_t)t->info.version)));
    TRY(js_set(d, "sha256", json_string(buf_str(&hex))));
    TRY(js_set(d, "split", js_real(o->split)));
    if (t->info.erased_rows > 0) {
        TRY(js_set(d, "erased_rows", json_integer((json_int_t)t->info.erased_rows)));
    }
    /* A 64-bit seed as text: JSON numbers lose digits in other people's readers. */
    char seed[24];
    (void)snprintf(seed, sizeof seed, "%llu", (unsigned long long)o->seed);
    TRY(js_set(d, "seed", json_string(seed)));
    TRY(js_set(d, "rows_trained", json_integer((json_int_t)t->rows)));
    return js_set(d, "rows_without_label", json_integer((json_int_t)t->unlabelled));
}

const char *
models_other_level(const struct column *label, const char *positive)
{
    for (uint32_t i = 0; label != NULL && i < label->level_count; i++) {
        if (strcmp(label->levels[i], positive) != 0) {
            return label->levels[i];
        }
    }
    return strcmp(positive, "1") == 0 ? "0" : "other";
}

static struct status
put_answers(const struct training *t, json_t *m)
{
    const struct column *label = table_label(t->table);
    TRY(js_set(m, "label", json_string(label->name)));
    if (t->task == MODEL_BINARY) {
        const char *positive = t->table->positive;
        TRY(js_set(m, "positive", json_string(positive)));
        TRY(js_set(m, "negative", json_string(models_other_level(label, positive))));
        return js_set(m, "threshold", js_real(0.5));
    }
    return t->task == MODEL_CLASSES
               ? models_put_classes((const char *const *)t->classes.names, t->classes.count, m)
               : OK;
}

/* Before a remover they are "inputs": a program that knows none finds no "features" and refuses the
 * model rather than to leave the remover out. */
static struct status
put_features(json_t *manifest, const struct training *t)
{
    json_t *remover = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, MODELS_JSON_MAX);
    TRY(feature_list_to_json(&t->features, &text));
    if (t->remover.by.count == 0) {
        return set_json(manifest, "features", &text);
    }
    TRY(set_json(manifest, "inputs", &text));
    TRY(remover_to_json(&t->remover, &t->features, &remover));
    return js_set(manifest, "remover", remover);
}

static struct status
make_manifest(const char *name, const struct training *t, const struct model_train_options *o,
              json_t **ret_manifest)
{
    DEFER(js_freep) json_t *m = json_object();
    CHECK(m != NULL, MEMORY);
    DEFER(buf_done) struct buf text;
    buf_init(&text, MODELS_JSON_MAX);
    TRY(js_set(m, "name", json_string(name)));
    TRY(put_answers(t, m));
    TRY(put_training_set(m, t, o));
    TRY(train_params_json(&t->used, &text));
    TRY(set_json(m, "training", &text));
    TRY(js_set(m, "metrics", json_incref(t->metrics)));
    TRY(put_features(m, t));
    buf_reset(&text);
    clock_put_rfc3339(&text, clock_wall_ns());
    TRY(js_set(m, "created", json_string(buf_str(&text))));
    if (t->mitigation != NULL) {
        TRY(js_set(m, "mitigation", json_incref(t->mitigation)));
    }
    *ret_manifest = MOVE(m);
    return OK;
}

struct status
model_train(struct workspace *w, const char *name, const struct model_train_options *o,
            struct diag *diag, struct model **ret_model)
{
    TRY(registry_check_name("model", name, diag));
    DEFER(training_done) struct training t = {0};
    DEFER(js_freep) json_t *manifest = NULL;
    DEFER(buf_wipe) struct buf file;
    buf_init(&file, MODELS_BUNDLE_MAX);
    TRY(prepare(w, o, diag, &t));
    TRY(run_training(&t, o, diag, &file));
    TRY(measure(&t, buf_view(&file), o->train.threads, diag));
    TRY(make_manifest(name, &t, o, &manifest));
    return models_register(w, name, manifest, buf_view(&file), "model trained and registered", diag,
                           ret_model);
}

/* ---- how it was trained ---- */

static struct status
read_parameter(const json_t *parameters, const char *key, struct diag *diag, double *ret_value)
{
    const char *text = NULL;
    TRY(js_need_string(parameters, key, diag, &text));
    return text_to_f64(view_str(text), ret_value);
}

/* As the trainer knows it; the manifest's is released. */
static const char *
objective_word(const char *text)
{
    static const char *const known[] = {"binary:logistic", "multi:softprob", "reg:squarederror",
                                        "reg:absoluteerror", "count:poisson"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i], text) == 0) {
            return known[i];
        }
    }
    return "binary:logistic";
}

struct status
model_training(const struct model *m, struct diag *diag, struct model_train_options *ret_options)
{
    DEFER(js_freep) json_t *kept = NULL;
    json_t *p = NULL;
    int64_t rounds = 0;
    double depth = 0;
    const char *seed = NULL;
    TRY(model_need_training(m, diag));
    struct model_train_options o = {.dataset = m->dataset,
                                    .dataset_version = m->dataset_version,
                                    .split = m->split,
                                    .seed = m->split_seed};
    train_defaults(&o.train);
    TRY(js_parse(view_str(m->params_json), "training", diag, &kept));
    TRY(js_need_i64(kept, "rounds", diag, &rounds));
    TRY(js_need_object(kept, "parameters", diag, &p));
    TRY(read_parameter(p, "max_depth", diag, &depth));
    TRY(read_parameter(p, "eta", diag, &o.train.learning_rate));
    TRY(read_parameter(p, "subsample", diag, &o.train.subsample));
    TRY(read_parameter(p, "min_child_weight", diag, &o.train.min_child_weight));
    TRY(read_parameter(p, "lambda", diag, &o.train.lambda));
    TRY(js_need_string(p, "objective", diag, &o.train.objective));
    TRY(js_need_string(p, "seed", diag, &seed));
    TRY(text_to_u64(view_str(seed), &o.train.seed));
    o.train.rounds = (uint32_t)rounds;
    o.train.max_depth = (uint32_t)depth;
    o.train.objective = objective_word(o.train.objective);
    *ret_options = o;
    return OK;
}
