#include "workspace/models.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "workspace/bundle.h"
#include "workspace/key_use.h"
#include "workspace/models_parts.h"
#include "workspace/registry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
model_free(struct model *m)
{
    if (m == NULL) {
        return;
    }
    feature_list_done(&m->features);
    remover_done(&m->remover);
    thresholds_done(&m->thresholds);
    model_file_free(m->file);
    free(m->label);
    free(m->positive);
    free(m->negative);
    free(m->dataset);
    free(m->params_json);
    free(m);
}

/* ---- the manifest ---- */

static struct status
copy_text(const json_t *o, const char *key, struct diag *diag, char **ret_text)
{
    const char *text = NULL;
    TRY(js_need_string(o, key, diag, &text));
    *ret_text = strdup(text);
    CHECK(*ret_text != NULL, MEMORY);
    return OK;
}

static struct status
read_digest(const json_t *o, struct diag *diag, struct digest *ret_digest)
{
    const char *hex = NULL;
    TRY(js_need_string(o, "sha256", diag, &hex));
    DEFER(buf_done) struct buf raw;
    buf_init(&raw, DIGEST_BYTES);
    TRY(text_from_hex(view_str(hex), &raw));
    CHECK(raw.len == DIGEST_BYTES, INPUT);
    memcpy(ret_digest->bytes, raw.ptr, DIGEST_BYTES);
    return OK;
}

static struct status
read_training_set(const json_t *manifest, struct diag *diag, struct model *m)
{
    json_t *d = NULL;
    int64_t version = 0;
    const char *seed = NULL;
    TRY(js_need_object(manifest, "dataset", diag, &d));
    TRY(copy_text(d, "name", diag, &m->dataset));
    TRY(js_need_i64(d, "version", diag, &version));
    TRY(js_need_f64(d, "split", diag, &m->split));
    TRY(js_need_string(d, "seed", diag, &seed));
    TRY(text_to_u64(view_str(seed), &m->split_seed));
    m->dataset_version = (uint64_t)version;
    return read_digest(d, diag, &m->dataset_digest);
}

/* A signature holds for one place in the registry. */
static struct status
check_identity(const json_t *manifest, struct diag *diag, const struct model *m)
{
    const char *name = NULL;
    int64_t version = 0;
    TRY(js_need_string(manifest, "name", diag, &name));
    TRY(js_need_i64(manifest, "version", diag, &version));
    if (strcmp(name, m->name) != 0 || version < 0 || (uint64_t)version != m->version) {
        diag_set(diag, "model %s version %llu: its signed manifest is of %s version %lld", m->name,
                 (unsigned long long)m->version, name, (long long)version);
        FAIL(INTEGRITY);
    }
    return OK;
}

/* One threshold, or thresholds by group. A program that knows the first only finds none in a
 * manifest of the second, and refuses the model rather than to decide otherwise. */
static struct status
read_thresholds(const json_t *manifest, struct diag *diag, struct model *m)
{
    json_t *by = NULL;
    if (json_object_get(manifest, "thresholds") == NULL) {
        return m->positive == NULL ? OK : js_need_f64(manifest, "threshold", diag, &m->threshold);
    }
    if (json_object_get(manifest, "threshold") != NULL) {
        diag_set(diag, "its manifest has both one threshold and thresholds by group");
        FAIL(INTEGRITY);
    }
    TRY(js_need_object(manifest, "thresholds", diag, &by));
    return thresholds_from_json(by, &m->features, m->label, diag, &m->thresholds, &m->threshold);
}

static struct status
read_features(const json_t *manifest, struct diag *diag, struct model *m)
{
    json_t *list = NULL, *remover = NULL;
    const bool removes = json_object_get(manifest, "remover") != NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, MODELS_JSON_MAX);
    if (json_object_get(manifest, removes ? "features" : "inputs") != NULL) {
        diag_set(diag, "its manifest has features before a remover, or inputs without one");
        FAIL(INTEGRITY);
    }
    TRY(js_need_array(manifest, removes ? "inputs" : "features", diag, &list));
    TRY(js_put(&text, list));
    TRY(feature_list_from_json(buf_view(&text), diag, &m->features));
    if (removes) {
        TRY(js_need_object(manifest, "remover", diag, &remover));
        TRY(remover_from_json(remover, &m->features, m->label, diag, &m->remover));
    }
    return OK;
}

/* Whether a binary classifier's are there is seen when the model file is. */
static struct status
copy_word(const json_t *manifest, const char *key, struct diag *diag, char **ret_text)
{
    return json_object_get(manifest, key) == NULL ? OK : copy_text(manifest, key, diag, ret_text);
}

static struct status
read_training(const json_t *manifest, struct diag *diag, struct model *m)
{
    json_t *part = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, MODELS_JSON_MAX);
    TRY(read_training_set(manifest, diag, m));
    TRY(js_need_object(manifest, "training", diag, &part));
    TRY(js_put(&text, part));
    m->params_json = strdup(buf_str(&text));
    CHECK(m->params_json != NULL, MEMORY);
    return OK;
}

static struct status
read_manifest(const json_t *manifest, struct diag *diag, struct model *m)
{
    const char *created = NULL;
    const bool added = json_object_get(manifest, "origin") != NULL;
    TRY(check_identity(manifest, diag, m));
    TRY(copy_word(manifest, "label", diag, &m->label));
    TRY(copy_word(manifest, "positive", diag, &m->positive));
    TRY(copy_word(manifest, "negative", diag, &m->negative));
    TRY(js_need_string(manifest, "created", diag, &created));
    TRY(clock_from_rfc3339(view_str(created), &m->created_ns));
    TRY(read_features(manifest, diag, m));
    TRY(read_thresholds(manifest, diag, m));
    return added ? OK : read_training(manifest, diag, m);
}

/* ---- bundle to model ---- */

/* The names of the outputs; where nobody told them they are numbers. */
static struct status
tell_classes(const json_t *manifest, struct diag *diag, struct model *m)
{
    const uint32_t n = m->file->outputs;
    json_t *list = json_object_get(manifest, "classes");
    const bool numbers = list == NULL;
    if (model_file_task(m->file) != MODEL_CLASSES || (numbers && m->file->output_names != NULL)) {
        return OK;
    }
    if (!numbers && json_array_size(list) != n) {
        diag_set(diag, "the model file has %u outputs, its manifest names %zu classes", n,
                 json_array_size(list));
        FAIL(INTEGRITY);
    }
    DEFER(memory_freep) const char **names = calloc((size_t)n + 1, sizeof *names);
    DEFER(memory_freep) char(*number)[12] = calloc((size_t)n + 1, sizeof *number);
    CHECK(names != NULL && number != NULL, MEMORY);
    for (uint32_t k = 0; k < n; k++) {
        (void)snprintf(number[k], sizeof number[k], "%u", k);
        names[k] = numbers ? number[k] : json_string_value(json_array_get(list, k));
        CHECK(names[k] != NULL, INTEGRITY);
    }
    return model_file_tell_outputs(m->file, names);
}

static struct status
check_fits(const struct model *m, struct diag *diag)
{
    if (m->file->features != m->features.count) {
        diag_set(diag, "the model file reads %u features, its manifest lists %u", m->file->features,
                 m->features.count);
        FAIL(INTEGRITY);
    }
    if (model_file_is_binary(m->file) &&
        (m->label == NULL || m->positive == NULL || m->negative == NULL)) {
        diag_set(diag, "its manifest does not say what a binary classifier answers");
        FAIL(INTEGRITY);
    }
    if (model_group(m) != NULL && !model_file_is_binary(m->file)) {
        diag_set(diag, "thresholds by group: the model file is not of a binary classifier");
        FAIL(INTEGRITY);
    }
    if (!model_group_fits(m)) {
        diag_set(diag, "thresholds by group: the remover reads that column as numbers");
        FAIL(INTEGRITY);
    }
    return OK;
}

/* What only the file tells: which numbers are those of categories. */
static void
mark_categories(struct model *m)
{
    for (uint32_t i = 0; i < m->features.count; i++) {
        struct feature *f = &m->features.items[i];
        f->whole = m->file->categorical[i] != 0 && f->level_count == 0;
    }
}

static struct status
model_from_bundle(const struct vault *v, struct view bytes, const char *name, uint64_t version,
                  struct diag *diag, struct model **ret_model)
{
    uint8_t public_key[VAULT_PUBLIC_BYTES];
    vault_public_key(v, public_key);
    DEFER(js_freep) json_t *manifest = NULL;
    struct view file = {0};
    TRY(bundle_open(public_key, bytes, diag, &manifest, &file));
    DEFER(model_freep) struct model *m = calloc(1, sizeof *m);
    CHECK(m != NULL, MEMORY);
    (void)snprintf(m->name, sizeof m->name, "%s", name);
    m->version = version;
    digest_of(bytes, &m->digest);
    TRY(read_manifest(manifest, diag, m));
    TRY(model_file_load(file, diag, &m->file));
    TRY(tell_classes(manifest, diag, m));
    TRY(check_fits(m, diag));
    mark_categories(m);
    *ret_model = MOVE(m);
    return OK;
}

struct status
models_read_bundle(struct workspace *w, const char *name, uint64_t version, struct diag *diag,
                   json_t **ret_record, uint64_t *ret_version, struct buf *ret_bytes)
{
    DEFER(js_freep) json_t *record = NULL;
    int64_t number = 0;
    TRY(registry_get(w, MODELS_COLLECTION, name, version, diag, &record));
    TRY(js_need_i64(record, "version", diag, &number));
    const struct seal_id id = {MODELS_COLLECTION, name, (uint64_t)number};
    TRY(key_use_read(w, id, MODELS_BUNDLE_MAX, diag, ret_bytes));
    *ret_version = (uint64_t)number;
    *ret_record = MOVE(record);
    return OK;
}

struct status
model_load(struct workspace *w, const char *name, uint64_t version, struct diag *diag,
           struct model **ret_model)
{
    DEFER(js_freep) json_t *record = NULL;
    DEFER(buf_wipe) struct buf bytes;
    DEFER(model_freep) struct model *m = NULL;
    uint64_t number = 0;
    buf_init(&bytes, MODELS_BUNDLE_MAX);
    TRY(models_read_bundle(w, name, version, diag, &record, &number, &bytes));
    TRY(model_from_bundle(w->vault, buf_view(&bytes), name, number, diag, &m));
    TRY(registry_check_digest(record, &m->digest, diag));
    *ret_model = MOVE(m);
    return OK;
}

/* ---- registering ---- */

/* What is shown of a version, to many: not what its draws are foretold with. */
static struct status
manifest_to_show(const json_t *manifest, json_t **ret_manifest)
{
    json_t *copy = json_deep_copy(manifest);
    CHECK(copy != NULL, MEMORY);
    *ret_manifest = copy;
    return thresholds_hide_seed(json_object_get(copy, "thresholds"));
}

static struct status
record_model(struct workspace *w, const struct model *m, json_t *manifest, const char *reason,
             struct diag *diag)
{
    DEFER(js_freep) json_t *record = NULL;
    DEFER(js_freep) json_t *shown = NULL;
    TRY(registry_record_new(m->name, m->version, &m->digest, &record));
    TRY(manifest_to_show(manifest, &shown));
    TRY(js_set(record, "manifest", json_incref(shown)));
    if (m->file->forest != NULL) {
        TRY(js_set(record, "trees", json_integer(m->file->forest->trees)));
    }
    char resource[80];
    (void)snprintf(resource, sizeof resource, "models/%s", m->name);
    const struct workspace_act act = {.action = "model.write",
                                      .resource = resource,
                                      .reason = reason,
                                      .version = m->version,
                                      .digest = &m->digest};
    return registry_put(w, MODELS_COLLECTION, m->name, m->version, record, &act, diag);
}

struct status
models_next_version(struct workspace *w, const char *name, struct diag *diag, int *ret_lock,
                    uint64_t *ret_version)
{
    TRY(workspace_lock(w, diag, ret_lock));
    TRY(registry_newest(w, MODELS_COLLECTION, name, ret_version));
    (*ret_version)++;
    return OK;
}

static struct status
tell_signing(struct workspace *w, const char *name, uint64_t version, struct diag *diag)
{
    char resource[80], which[32];
    (void)snprintf(resource, sizeof resource, "models/%s", name);
    (void)snprintf(which, sizeof which, "version=%llu", (unsigned long long)version);
    const struct key_use use = {
        .resource = resource, .act = "sign", .key = "signing", .purpose = "model", .which = which};
    return key_use_tell(w, &use, diag);
}

struct status
models_register_bundle(struct workspace *w, const char *name, uint64_t version, json_t *manifest,
                       struct view file, const char *reason, struct diag *diag,
                       struct model **ret_model)
{
    DEFER(buf_wipe) struct buf bundle;
    DEFER(model_freep) struct model *m = NULL;
    buf_init(&bundle, MODELS_BUNDLE_MAX);
    TRY(tell_signing(w, name, version, diag));
    TRY(bundle_put(w->vault, manifest, file, &bundle));
    TRY(model_from_bundle(w->vault, buf_view(&bundle), name, version, diag, &m));
    TRY(workspace_seal(w, MODELS_COLLECTION, name, version, buf_view(&bundle), diag));
    TRY(record_model(w, m, manifest, reason, diag));
    *ret_model = MOVE(m);
    return OK;
}

struct status
models_put_classes(const char *const *names, uint32_t count, json_t *manifest)
{
    json_t *list = json_array();
    TRY(js_set(manifest, "classes", list));
    for (uint32_t k = 0; k < count; k++) {
        CHECK(json_array_append_new(list, js_sentence(names[k])) == 0, MEMORY);
    }
    return OK;
}

struct status
models_register(struct workspace *w, const char *name, json_t *manifest, struct view file,
                const char *reason, struct diag *diag, struct model **ret_model)
{
    DEFER(file_closep) int lock = -1;
    uint64_t version = 0;
    TRY(models_next_version(w, name, diag, &lock, &version));
    TRY(js_set(manifest, "version", json_integer((json_int_t)version)));
    return models_register_bundle(w, name, version, manifest, file, reason, diag, ret_model);
}

/* ---- reading the registry ---- */

struct status
model_describe(struct workspace *w, const char *name, uint64_t version, struct diag *diag,
               json_t **ret_record)
{
    return registry_get(w, MODELS_COLLECTION, name, version, diag, ret_record);
}

struct status
model_put_list(struct workspace *w, struct buf *ret_json)
{
    return registry_put_list(w, MODELS_COLLECTION, ret_json);
}

struct newest {
    struct status (*each)(void *ctx, const char *name, uint64_t version);
    void *ctx;
    char name[64];
    uint64_t version;
};

/* Records come by name, then version: a name is complete when the next one begins. */
static struct status
pass_newest(void *ctx, const char *name, uint64_t version, const json_t *record)
{
    (void)record;
    struct newest *n = ctx;
    if (n->version != 0 && strcmp(n->name, name) != 0) {
        TRY(n->each(n->ctx, n->name, n->version));
    }
    (void)snprintf(n->name, sizeof n->name, "%s", name);
    n->version = version;
    return OK;
}

struct status
model_each(struct workspace *w,
           struct status (*each)(void *ctx, const char *name, uint64_t version), void *ctx)
{
    struct newest n = {.each = each, .ctx = ctx};
    TRY(registry_each(w, MODELS_COLLECTION, pass_newest, &n));
    return n.version == 0 ? OK : each(ctx, n.name, n.version);
}

/* ---- using a model ---- */

bool
model_is_added(const struct model *m)
{
    return m->dataset == NULL;
}

struct status
model_need_training(const struct model *m, struct diag *diag)
{
    if (model_is_added(m)) {
        diag_set(diag,
                 "%s version %llu was added from a file: which rows it was trained on, and how, is "
                 "not known here",
                 m->name, (unsigned long long)m->version);
        FAIL(INPUT);
    }
    return OK;
}

void
model_predict(const struct model *m, const float *x, size_t rows, unsigned threads, double *ret_out)
{
    model_file_margin(m->file, x, rows, threads, ret_out);
    model_file_link_apply(m->file, ret_out, rows);
}

const struct feature *
model_group(const struct model *m)
{
    return m->thresholds.by.count == 0 ? NULL : &m->thresholds.by.items[0];
}

struct decision
model_decide(const struct model *m, float level, const float *x, double p)
{
    if (model_group(m) != NULL && !isnan(level)) {
        return thresholds_decide(&m->thresholds, (uint32_t)level, x, m->features.count, p);
    }
    const bool positive = p >= m->threshold;
    return (struct decision){.positive = positive, .chance = positive};
}
