#include "cli/cli.h"

#include "base/file.h"
#include "base/json.h"
#include "report/document.h"
#include "workspace/models.h"

#include <string.h>

#define JSON_MAX (256u << 20)

static void
show_round(void *ctx, uint32_t round, uint32_t rounds)
{
    cli_progress_show(ctx, "training: tree %u of %u", round + 1, rounds);
}

static struct status
read_u32(struct cli *c, const char *name, uint32_t *ret_value)
{
    uint64_t v = 0;
    TRY(cli_u64(c, name, &v));
    if (v > UINT32_MAX) {
        diag_set(&c->diag, "--%s %s: too large", name, cli_value(c, name));
        FAIL(INPUT);
    }
    *ret_value = (uint32_t)v;
    return OK;
}

static struct status
read_options(struct cli *c, char *dataset, struct model_train_options *o)
{
    const char *data = cli_value(c, "data");
    if (data == NULL) {
        diag_set(&c->diag, "model train: --data DATASET is needed");
        FAIL(INPUT);
    }
    train_defaults(&o->train);
    TRY(cli_name_version(c, data, dataset, &o->dataset_version));
    o->dataset = dataset;
    TRY(cli_f64(c, "split", &o->split));
    if (!(o->split > 0 && o->split <= 1)) {
        diag_set(&c->diag, "--split %s: a share over 0, at most 1", cli_value(c, "split"));
        FAIL(INPUT);
    }
    TRY(cli_u64(c, "seed", &o->seed));
    TRY(read_u32(c, "rounds", &o->train.rounds));
    TRY(read_u32(c, "depth", &o->train.max_depth));
    TRY(cli_threads(c, &o->train.threads));
    TRY(cli_f64(c, "learning-rate", &o->train.learning_rate));
    o->train.seed = o->seed;
    o->train.objective = cli_value(c, "objective");
    return OK;
}

/* "train 70 rows: rmse 1.2, mae 0.9, r2 0.8" */
static void
print_metrics(const json_t *manifest)
{
    const char *part = NULL, *name = NULL;
    json_t *of = NULL, *v = NULL;
    json_object_foreach(json_object_get(manifest, "metrics"), part, of)
    {
        DEFER(buf_done) struct buf line;
        buf_init(&line, 1024);
        buf_printf(&line, "%s %lld rows", part,
                   (long long)json_integer_value(json_object_get(of, "rows")));
        json_object_foreach(of, name, v)
        {
            if (json_is_real(v)) {
                buf_printf(&line, "%s %s %.4g", strchr(buf_str(&line), ':') == NULL ? ":" : ",",
                           name, json_real_value(v));
            }
        }
        cli_say("%s", buf_str(&line));
    }
}

static struct status
print_trained(struct cli *c, struct workspace *w, const struct model *m)
{
    DEFER(js_freep) json_t *record = NULL;
    TRY(model_describe(w, m->name, m->version, &c->diag, &record));
    const json_t *data = json_object_get(json_object_get(record, "manifest"), "dataset");
    cli_note_erased((uint64_t)json_integer_value(json_object_get(data, "erased_rows")));
    if (c->json) {
        return cli_print_json(record);
    }
    cli_say("trained %s version %llu on %s version %llu: %u trees, %u feature%s; sealed and signed",
            m->name, (unsigned long long)m->version, m->dataset,
            (unsigned long long)m->dataset_version, m->file->forest->trees, m->features.count,
            m->features.count == 1 ? "" : "s");
    if (!model_file_is_binary(m->file)) {
        cli_say("it predicts %s: %s", m->label, m->file->objective);
    }
    print_metrics(json_object_get(record, "manifest"));
    return OK;
}

struct status
cli_model_train(struct cli *c)
{
    char dataset[64];
    struct model_train_options o = {0};
    struct cli_progress progress;
    TRY(read_options(c, dataset, &o));
    o.train.progress = show_round;
    o.train.progress_ctx = &progress;
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(model_freep) struct model *m = NULL;
    TRY(cli_open(c, &w));
    cli_progress_start(&progress, "training");
    const struct status s = model_train(w, c->operand[0], &o, &c->diag, &m);
    cli_progress_stop(&progress);
    TRY(s);
    return print_trained(c, w, m);
}

/* ---- model add ---- */

static struct status
print_added(struct cli *c, struct workspace *w, const struct model *m)
{
    if (c->json) {
        DEFER(js_freep) json_t *record = NULL;
        TRY(model_describe(w, m->name, m->version, &c->diag, &record));
        return cli_print_json(record);
    }
    cli_say("added %s version %llu from %s: %s, %s, %u feature%s; sealed and signed", m->name,
            (unsigned long long)m->version, cli_value(c, "file"), m->file->format,
            m->file->objective, m->features.count, m->features.count == 1 ? "" : "s");
    if (model_file_is_binary(m->file)) {
        cli_say("its probability is taken for that of %s = %s, positive from %.6g on", m->label,
                m->positive, m->threshold);
    }
    return OK;
}

static struct status
read_add_options(struct cli *c, char *dataset, struct buf *bytes, const char **classes,
                 char **memory, struct model_add_options *o)
{
    const char *path = cli_value(c, "file"), *data = cli_value(c, "data");
    if (path == NULL) {
        diag_set(&c->diag, "model add: --file FILE is needed");
        FAIL(INPUT);
    }
    o->label = cli_value(c, "label");
    o->positive = cli_value(c, "positive");
    o->negative = cli_value(c, "negative");
    o->classes = classes;
    TRY(cli_list(c, "classes", classes, CLI_MAX_REPEATS, &o->class_count, memory));
    TRY(cli_f64(c, "threshold", &o->threshold));
    if (!(o->threshold >= 0 && o->threshold <= 1)) {
        diag_set(&c->diag, "--threshold %s: a probability", cli_value(c, "threshold"));
        FAIL(INPUT);
    }
    if (data != NULL) {
        TRY(cli_name_version(c, data, dataset, &o->dataset_version));
        o->dataset = dataset;
    }
    TRY(file_read(path, FOREST_MAX_BYTES, &c->diag, bytes));
    const char *slash = strrchr(path, '/');
    o->file_name = slash == NULL ? path : slash + 1;
    o->file = buf_view(bytes);
    return OK;
}

struct status
cli_model_add(struct cli *c)
{
    char dataset[64];
    const char *classes[CLI_MAX_REPEATS];
    DEFER(memory_freep) char *memory = NULL;
    struct model_add_options o = {0};
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(model_freep) struct model *m = NULL;
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, FOREST_MAX_BYTES);
    TRY(read_add_options(c, dataset, &bytes, classes, &memory, &o));
    TRY(cli_open(c, &w));
    TRY(model_add(w, c->operand[0], &o, &c->diag, &m));
    return print_added(c, w, m);
}

struct status
cli_model_list(struct cli *c)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, JSON_MAX);
    TRY(cli_open(c, &w));
    TRY(model_put_list(w, &text));
    return cli_print_list(c, buf_view(&text),
                          "name:NAME version:VERSION trees:TREES created:CREATED");
}

/* And what stands before the model. */
static void
print_features(const json_t *manifest)
{
    size_t i = 0;
    json_t *column = NULL;
    const json_t *remover = json_object_get(manifest, "remover");
    cli_print_table(json_object_get(manifest, remover == NULL ? "features" : "inputs"),
                    "name:FEATURE type:TYPE");
    json_array_foreach(json_object_get(remover, "columns"), i, column)
    {
        cli_say("%zu of them lose %.0f %% of their linear trace of %s, which each call sends",
                json_array_size(json_object_get(remover, "features")),
                100 * json_number_value(json_object_get(remover, "alpha")),
                json_string_value(json_object_get(column, "name")));
    }
}

static void
print_chances(const json_t *by, const char *column)
{
    const json_t *groups = json_object_get(by, "groups");
    cli_say("positive with a chance by %s, which each call sends beside the features, drawn by "
            "what is in the row; from a probability of %.6g on where it is missing",
            column, json_number_value(json_object_get(by, "default")));
    for (size_t i = 0; i < json_array_size(groups); i++) {
        const json_t *g = json_array_get(groups, i);
        DEFER(buf_done) struct buf text;
        buf_init(&text, 1u << 10);
        document_put_chances(g, &text);
        cli_say("  %s: %s", document_text(g, "group"), buf_str(&text));
    }
}

/* What decides beside the features, where thresholds are by group. */
static void
print_thresholds(const json_t *manifest)
{
    const json_t *by = json_object_get(manifest, "thresholds"), *at = json_object_get(by, "at"),
                 *column = json_array_get(json_object_get(by, "columns"), 0),
                 *levels = json_object_get(column, "levels");
    if (by == NULL) {
        cli_say("positive from a probability of %.6g on",
                json_number_value(json_object_get(manifest, "threshold")));
        return;
    }
    if (json_object_get(by, "groups") != NULL) {
        print_chances(by, json_string_value(json_object_get(column, "name")));
        return;
    }
    cli_say("positive from a probability by %s, which each call sends beside the features; from "
            "%.6g on where it is missing",
            json_string_value(json_object_get(column, "name")),
            json_number_value(json_object_get(by, "default")));
    for (size_t i = 0; i < json_array_size(at); i++) {
        cli_say("  %s: from %.6g on", json_string_value(json_array_get(levels, i)),
                json_number_value(json_array_get(at, i)));
    }
}

/* "deny = yes", "species: setosa, versicolor, virginica" or "price" */
static void
print_answers(const json_t *manifest)
{
    const json_t *label = json_object_get(manifest, "label"),
                 *positive = json_object_get(manifest, "positive"),
                 *classes = json_object_get(manifest, "classes");
    DEFER(buf_done) struct buf list;
    buf_init(&list, 1u << 16);
    for (size_t i = 0; i < json_array_size(classes); i++) {
        buf_printf(&list, "%s%s", i == 0 ? ": " : ", ",
                   json_string_value(json_array_get(classes, i)));
    }
    if (positive != NULL) {
        cli_say("predicts %s = %s", json_string_value(label), json_string_value(positive));
        print_thresholds(manifest);
    } else if (label != NULL) {
        cli_say("predicts %s%s", json_string_value(label), buf_str(&list));
    }
}

static void
print_origin(const json_t *manifest)
{
    const json_t *origin = json_object_get(manifest, "origin"),
                 *data = json_object_get(origin, "checked_against");
    cli_say("added from %s: %s, %s", json_string_value(json_object_get(origin, "file")),
            json_string_value(json_object_get(origin, "format")),
            json_string_value(json_object_get(origin, "objective")));
    if (data != NULL) {
        cli_say("features found in %s version %lld",
                json_string_value(json_object_get(data, "name")),
                (long long)json_integer_value(json_object_get(data, "version")));
    }
    print_answers(manifest);
    print_features(manifest);
}

struct status
cli_model_show(struct cli *c)
{
    char name[64];
    uint64_t version = 0;
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *record = NULL;
    TRY(cli_name_version(c, c->operand[0], name, &version));
    TRY(cli_open(c, &w));
    TRY(model_describe(w, name, version, &c->diag, &record));
    if (c->json) {
        return cli_print_json(record);
    }
    const json_t *manifest = json_object_get(record, "manifest"),
                 *data = json_object_get(manifest, "dataset");
    cli_say("%s version %lld, sha256 %s", name,
            (long long)json_integer_value(json_object_get(record, "version")),
            json_string_value(json_object_get(record, "sha256")));
    if (json_object_get(manifest, "origin") != NULL) {
        print_origin(manifest);
        return OK;
    }
    print_answers(manifest);
    cli_say("trained on %s version %lld, %lld rows (split %.6g, seed %s)",
            json_string_value(json_object_get(data, "name")),
            (long long)json_integer_value(json_object_get(data, "version")),
            (long long)json_integer_value(json_object_get(data, "rows_trained")),
            json_number_value(json_object_get(data, "split")),
            json_string_value(json_object_get(data, "seed")));
    print_metrics(manifest);
    print_features(manifest);
    return OK;
}
