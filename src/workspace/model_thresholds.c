/* Thresholds by group for a model that was trained here: its next version. */
#include "base/clock.h"
#include "base/file.h"
#include "workspace/bundle.h"
#include "workspace/models_parts.h"
#include "workspace/registry.h"

#include <stdlib.h>

static struct status
choose_thresholds(struct workspace *w, const struct model *old, const struct thresholds_wish *wish,
                  unsigned threads, struct diag *diag, struct thresholds *ret_thresholds,
                  json_t **ret_note)
{
    DEFER(table_freep) struct table *table = NULL;
    struct dataset_info info;
    TRY(model_need_training(old, diag));
    TRY(dataset_load(w, old->dataset, old->dataset_version, diag, &table, &info));
    const size_t rows = (size_t)table->rows, width = old->features.count;
    size_t cells = 0;
    uint64_t missing = 0; /* the assessment tells */
    DEFER(js_freep) json_t *remarks = json_array();
    CHECK(!__builtin_mul_overflow(rows, width, &cells), LIMIT);
    DEFER(memory_freep) uint8_t *train = calloc(rows + 1, 1);
    DEFER(memory_freep) uint8_t *y = calloc(rows + 1, 1);
    DEFER(memory_freep) float *x = calloc(cells + 1, sizeof *x);
    DEFER(memory_freep) double *score = calloc(rows + 1, sizeof *score);
    CHECK(train != NULL && y != NULL && x != NULL && score != NULL && remarks != NULL, MEMORY);
    TRY(model_select(old, &info, table, PART_TRAIN, diag, train));
    TRY(table_binary_label(table, diag, y));
    TRY(model_matrix(old, table, remarks, diag, x, &missing));
    model_predict(old, x, rows, threads, score);
    TRY(thresholds_choose(wish, table, train, y, score, diag, ret_thresholds, ret_note));
    return json_array_size(remarks) == 0 ? OK : js_set(*ret_note, "remarks", json_incref(remarks));
}

/* What made the old one stays told: a model trained to be fairer may get thresholds, too. */
static struct status
note_origin(const json_t *manifest, uint64_t based_on, json_t *note)
{
    json_t *earlier = json_object_get(manifest, "mitigation");
    if (json_object_get(manifest, "thresholds") != NULL) {
        earlier = json_object_get(earlier, "earlier");
    }
    TRY(js_set(note, "based_on", json_integer((json_int_t)based_on)));
    return earlier == NULL ? OK : js_set(note, "earlier", json_incref(earlier));
}

/* The old manifest with another version, time and decision. */
static struct status
change_manifest(json_t *manifest, uint64_t version, const struct thresholds *thresholds,
                double otherwise, json_t *note)
{
    json_t *by = NULL;
    DEFER(buf_done) struct buf time;
    buf_init(&time, 64);
    clock_put_rfc3339(&time, clock_wall_ns());
    TRY(js_set(manifest, "version", json_integer((json_int_t)version)));
    TRY(js_set(manifest, "created", json_string(buf_str(&time))));
    TRY(js_set(manifest, "mitigation", json_incref(note)));
    TRY(thresholds_to_json(thresholds, otherwise, &by));
    TRY(js_set(manifest, "thresholds", by));
    (void)json_object_del(manifest, "threshold");
    return OK;
}

static struct status
need_probability(const struct model *m, struct diag *diag)
{
    if (!model_file_is_binary(m->file)) {
        diag_set(
            diag, "model %s: objective %s; thresholds are for a binary classifier; %s", m->name,
            m->file->objective,
            model_file_task(m->file) == MODEL_CLASSES
                ? "a model of several classes is mitigated by reweighing or "
                  "correlation-remover"
                : "a model of numbers is mitigated by exponentiated-gradient with --constraint "
                  "bounded_group_loss, or by correlation-remover");
        FAIL(UNSUPPORTED);
    }
    return OK;
}

struct status
model_set_thresholds(struct workspace *w, const struct model *old,
                     const struct thresholds_wish *wish, unsigned threads, struct diag *diag,
                     struct model **ret_model)
{
    DEFER(thresholds_done) struct thresholds chosen = {0};
    DEFER(js_freep) json_t *note = NULL;
    DEFER(js_freep) json_t *record = NULL;
    DEFER(js_freep) json_t *manifest = NULL;
    DEFER(buf_wipe) struct buf bytes;
    DEFER(file_closep) int lock = -1;
    uint8_t public_key[VAULT_PUBLIC_BYTES];
    struct view file = {0};
    uint64_t version = 0;
    buf_init(&bytes, MODELS_BUNDLE_MAX);
    TRY(need_probability(old, diag));
    TRY(choose_thresholds(w, old, wish, threads, diag, &chosen, &note));
    TRY(models_read_bundle(w, old->name, old->version, diag, &record, &version, &bytes));
    TRY(registry_check_digest(record, &old->digest, diag));
    vault_public_key(w->vault, public_key);
    TRY(bundle_open(public_key, buf_view(&bytes), diag, &manifest, &file));
    TRY(note_origin(manifest, old->version, note));
    TRY(models_next_version(w, old->name, diag, &lock, &version));
    TRY(change_manifest(manifest, version, &chosen, old->threshold, note));
    return models_register_bundle(w, old->name, version, manifest, file,
                                  "thresholds by group chosen, model registered", diag, ret_model);
}
