/* A model file of another library, registered: its features from the file, told apart by the
 * columns of a dataset where one is given. */
#include "base/clock.h"
#include "base/file.h"
#include "data/label.h"
#include "workspace/models_parts.h"
#include "workspace/registry.h"

#include <stdio.h>
#include <string.h>

struct adding {
    const struct model_add_options *o;
    struct diag *diag;
    struct model_file *file;
    struct table *table; /* of the dataset; NULL: none */
    struct dataset_info info;
    struct feature_list features;
    const char *label, *positive, *negative; /* borrowed */
    struct label_classes classes;            /* that are not the file's; or none */
};

static void
adding_done(struct adding *a)
{
    feature_list_done(&a->features);
    table_free(a->table);
    model_file_free(a->file);
    label_classes_done(&a->classes);
}

/* ---- features ---- */

static struct status
refuse_column(const struct adding *a, const struct column *c, const char *reads)
{
    diag_set(a->diag, "dataset %s: column \"%.60s\" is %s; the model reads %s there", a->info.name,
             c->name, column_type_word(c->type), reads);
    FAIL(INPUT);
}

/* Words of truth are 0 and 1, in the dataset's own spelling. */
static struct status
take_truth(const struct column *c, struct feature *f)
{
    f->type = COLUMN_BOOLEAN;
    f->levels = calloc(2, sizeof *f->levels);
    CHECK(f->levels != NULL, MEMORY);
    for (uint32_t k = 0; k < 2; k++) {
        f->levels[k] = strdup(c->levels[k]);
        CHECK(f->levels[k] != NULL, MEMORY);
        f->level_count = k + 1;
    }
    return OK;
}

/* c: the dataset's column, or NULL. */
static struct status
take_type(const struct adding *a, uint32_t i, const struct column *c, struct feature *f)
{
    const struct model_file *m = a->file;
    const bool number = c == NULL || c->type == COLUMN_FLOAT || c->type == COLUMN_INTEGER;
    if (m->levels != NULL && m->levels[i].count > 0) {
        f->type = COLUMN_CATEGORY;
        TRY(feature_set_levels(f, m->levels[i].names, m->levels[i].count, a->diag));
        return c == NULL || c->type == COLUMN_CATEGORY || c->type == COLUMN_BOOLEAN
                   ? OK
                   : refuse_column(a, c, "categories by their names (--type COLUMN=category)");
    }
    if (c != NULL && c->type == COLUMN_BOOLEAN && m->categorical[i] == 0) {
        return take_truth(c, f);
    }
    f->type = m->categorical[i] != 0 ? COLUMN_INTEGER : COLUMN_FLOAT;
    return number ? OK
                  : refuse_column(a, c, m->categorical[i] != 0 ? "category numbers" : "numbers");
}

static struct status
take_feature(struct adding *a, uint32_t i, const char *name, const struct column *c)
{
    struct feature *f = &a->features.items[i];
    f->name = strdup(c != NULL ? c->name : name);
    CHECK(f->name != NULL, MEMORY);
    a->features.count = i + 1;
    return take_type(a, i, c, f);
}

static struct status
take_named(struct adding *a)
{
    for (uint32_t i = 0; i < a->file->features; i++) {
        const char *name = a->file->feature_names[i];
        const struct column *c = a->table == NULL ? NULL : table_column_spaced(a->table, name);
        if (a->table != NULL && c == NULL) {
            TRY(table_need_column(a->table, a->info.name, name, a->diag, &c));
        }
        TRY(take_feature(a, i, name, c));
    }
    return OK;
}

/* In the order of the dataset's features, which must be as many. */
static struct status
take_in_order(struct adding *a)
{
    uint32_t n = 0;
    if (a->table == NULL) {
        diag_set(a->diag,
                 "the model file names no features: --data DATASET tells whose columns, in "
                 "their order, it reads");
        FAIL(INPUT);
    }
    for (uint32_t i = 0; i < a->table->column_count; i++) {
        const struct column *c = &a->table->columns[i];
        if (c->is_feature && n < a->file->features) {
            TRY(take_feature(a, n, c->name, c));
        }
        n += c->is_feature;
    }
    if (n != a->file->features) {
        diag_set(a->diag,
                 "dataset %s has %u feature columns; the model file reads %u and names none, so "
                 "that they are taken in order",
                 a->info.name, n, a->file->features);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
take_features(struct adding *a)
{
    if (a->file->features > IMPORT_MAX_COLUMNS) {
        diag_set(a->diag, "the model file reads %u features; %u at most here", a->file->features,
                 IMPORT_MAX_COLUMNS);
        FAIL(LIMIT);
    }
    a->features.items = calloc((size_t)a->file->features + 1, sizeof *a->features.items);
    CHECK(a->features.items != NULL, MEMORY);
    return a->file->feature_names != NULL ? take_named(a) : take_in_order(a);
}

/* ---- what it answers ---- */

static struct status
copy_classes(struct adding *a)
{
    const struct model_add_options *o = a->o;
    if (o->class_count != a->file->outputs) {
        diag_set(a->diag, "%zu classes are named; the model has %u outputs", o->class_count,
                 a->file->outputs);
        FAIL(INPUT);
    }
    a->classes.names = calloc(o->class_count + 1, sizeof *a->classes.names);
    CHECK(a->classes.names != NULL, MEMORY);
    for (size_t i = 0; i < o->class_count; i++) {
        a->classes.names[i] = strdup(o->classes[i]);
        CHECK(a->classes.names[i] != NULL, MEMORY);
        a->classes.count++;
    }
    return OK;
}

/* What libraries train on are the label's classes in order: where the file names none and the
 * label has as many, they are taken for these. */
static struct status
take_classes(struct adding *a)
{
    struct diag why = {0};
    const struct column *label =
        a->table == NULL || a->label == NULL ? NULL : table_column(a->table, a->label);
    if (a->o->class_count > 0) {
        return copy_classes(a);
    }
    if (model_file_task(a->file) != MODEL_CLASSES || a->file->output_names != NULL ||
        label == NULL) {
        return OK;
    }
    const struct status s = label_classes_of(a->table, label, &why, &a->classes);
    if (s.code == STATUS_MEMORY) {
        return s;
    }
    if (!status_ok(s) || a->classes.count != a->file->outputs) {
        label_classes_done(&a->classes);
    }
    return OK;
}

static struct status
take_words(struct adding *a)
{
    const struct column *label = a->table == NULL ? NULL : table_label(a->table);
    const char *const *classes = a->file->two_classes;
    const struct model_add_options *o = a->o;
    a->label = o->label != NULL ? o->label : label != NULL ? label->name : NULL;
    if (!model_file_is_binary(a->file)) {
        return take_classes(a);
    }
    if (a->label == NULL) {
        diag_set(a->diag, "say what the model predicts: --label COLUMN, or --data DATASET with a "
                          "label");
        FAIL(INPUT);
    }
    label = a->table == NULL ? NULL : table_column(a->table, a->label);
    a->positive = o->positive != NULL          ? o->positive
                  : classes != NULL            ? classes[1]
                  : label == NULL              ? "1"
                  : a->table->positive != NULL ? a->table->positive
                                               : "1";
    a->negative = o->negative != NULL ? o->negative
                  : classes != NULL   ? classes[0]
                                      : models_other_level(label, a->positive);
    if (strcmp(a->positive, a->negative) == 0) {
        diag_set(a->diag, "positive and negative value are both \"%.60s\"", a->positive);
        FAIL(INPUT);
    }
    return OK;
}

/* ---- the manifest ---- */

static struct status
put_dataset(const struct adding *a, json_t *origin)
{
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 128);
    if (a->table == NULL) {
        return OK;
    }
    digest_put_hex(&hex, &a->info.digest);
    return js_set(origin, "checked_against",
                  json_pack("{s:s, s:I, s:s}", "name", a->info.name, "version",
                            (json_int_t)a->info.version, "sha256", buf_str(&hex)));
}

static struct status
put_origin(const struct adding *a, json_t *manifest)
{
    json_t *origin = json_object();
    TRY(js_set(manifest, "origin", origin));
    TRY(js_set(origin, "file", js_sentence(a->o->file_name)));
    TRY(js_set(origin, "format", json_string(a->file->format)));
    TRY(js_set(origin, "objective", js_sentence(a->file->objective)));
    return put_dataset(a, origin);
}

static struct status
put_words(const struct adding *a, json_t *manifest)
{
    if (a->label != NULL) {
        TRY(js_set(manifest, "label", json_string(a->label)));
    }
    if (a->positive != NULL) {
        TRY(js_set(manifest, "positive", json_string(a->positive)));
        TRY(js_set(manifest, "negative", json_string(a->negative)));
    }
    return js_set(manifest, "threshold", js_real(a->o->threshold));
}

/* As they were told, as the file names them, or as the dataset's label has as many. */
static struct status
put_classes(const struct adding *a, json_t *manifest)
{
    const struct model_file *m = a->file;
    const char *const *names =
        a->classes.names != NULL ? (const char *const *)a->classes.names : m->output_names;
    return names == NULL ? OK : models_put_classes(names, m->outputs, manifest);
}

static struct status
make_manifest(const struct adding *a, const char *name, json_t **ret_manifest)
{
    json_t *features = NULL;
    DEFER(js_freep) json_t *m = json_object();
    DEFER(buf_done) struct buf text;
    buf_init(&text, MODELS_JSON_MAX);
    CHECK(m != NULL, MEMORY);
    TRY(js_set(m, "name", json_string(name)));
    clock_put_rfc3339(&text, clock_wall_ns());
    TRY(js_set(m, "created", json_string(buf_str(&text))));
    buf_reset(&text);
    TRY(feature_list_to_json(&a->features, &text));
    TRY(js_parse(buf_view(&text), "features", NULL, &features));
    TRY(js_set(m, "features", features));
    TRY(put_words(a, m));
    TRY(put_classes(a, m));
    TRY(put_origin(a, m));
    *ret_manifest = MOVE(m);
    return OK;
}

struct status
model_add(struct workspace *w, const char *name, const struct model_add_options *o,
          struct diag *diag, struct model **ret_model)
{
    DEFER(adding_done) struct adding a = {.o = o, .diag = diag};
    DEFER(js_freep) json_t *manifest = NULL;
    TRY(registry_check_name("model", name, diag));
    TRY(model_file_load(o->file, diag, &a.file));
    if (o->dataset != NULL) {
        TRY(dataset_load(w, o->dataset, o->dataset_version, diag, &a.table, &a.info));
    }
    TRY(take_features(&a));
    TRY(take_words(&a));
    TRY(make_manifest(&a, name, &manifest));
    return models_register(w, name, manifest, o->file, "model added from a file", diag, ret_model);
}
