#include "workspace/assessments.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "data/cohort.h"
#include "report/document.h"
#include "workspace/gather.h"
#include "workspace/key_use.h"
#include "workspace/registry.h"

#include <stdio.h>
#include <string.h>

#define COLLECTION "assessment"
#define DOCUMENT_MAX (64u << 20)

void
assess_defaults(struct assess_options *ret_options)
{
    *ret_options = (struct assess_options){.part = PART_ALL, .facets = {.bins = FACETS_INTERVALS}};
    assessment_defaults(&ret_options->settings);
}

/* ---- cohorts by name ---- */

/* "slice-3", "node-12", "slice-3@7": of that assessment of the model, or of its newest. */
static bool
is_cohort_name(const char *text, size_t *ret_name_bytes, uint64_t *ret_version)
{
    const bool slice = strncmp(text, "slice-", 6) == 0, node = strncmp(text, "node-", 5) == 0;
    const size_t word = slice ? 6 : 5,
                 digits = strspn(text + (slice || node ? word : 0), "0123456789");
    *ret_version = 0;
    if ((!slice && !node) || digits == 0) {
        return false;
    }
    *ret_name_bytes = word + digits;
    const char *rest = text + word + digits;
    return *rest == '\0' ||
           (*rest == '@' && status_ok(text_to_u64(view_str(rest + 1), ret_version)));
}

bool
assessment_names_cohort(const char *text)
{
    size_t bytes = 0;
    uint64_t version = 0;
    return is_cohort_name(text, &bytes, &version);
}

static const char *
cohort_named(const json_t *document, const char *name, size_t bytes)
{
    const json_t *errors = json_object_get(document, "errors");
    const json_t *lists[] = {json_object_get(errors, "tree"),
                             json_object_get(json_object_get(errors, "slices"), "found")};
    for (size_t l = 0; l < 2; l++) {
        size_t i = 0;
        json_t *item = NULL;
        json_array_foreach((json_t *)(uintptr_t)lists[l], i, item)
        {
            const char *own = document_text(item, "name"), *cohort = document_text(item, "cohort");
            if (strlen(own) == bytes && strncmp(own, name, bytes) == 0 && *cohort != '\0') {
                return cohort;
            }
        }
    }
    return NULL;
}

struct status
assessment_cohort(struct workspace *w, const char *model, const char *text, struct diag *diag,
                  struct buf *ret_predicate)
{
    DEFER(js_freep) json_t *document = NULL;
    size_t bytes = 0;
    uint64_t version = 0;
    if (!is_cohort_name(text, &bytes, &version)) {
        buf_put_str(ret_predicate, text);
        return buf_status(ret_predicate);
    }
    TRY(assessment_load(w, model, version, diag, &document));
    const char *cohort = cohort_named(document, text, bytes);
    if (cohort == NULL) {
        diag_set(diag, "cohort: the assessment of %.64s has no \"%.*s\"", model, (int)bytes, text);
        FAIL(INPUT);
    }
    buf_put_str(ret_predicate, cohort);
    return buf_status(ret_predicate);
}

/* ---- running and keeping ---- */

static struct status
put_selection(const struct assess_options *o, const char *predicate, struct buf *ret_text)
{
    buf_put_str(ret_text, model_part_word(o->part));
    if (o->cohort != NULL) {
        buf_printf(ret_text, ", cohort: %s", predicate);
    }
    if (o->cohort != NULL && strcmp(o->cohort, predicate) != 0) {
        buf_printf(ret_text, " (%s)", o->cohort);
    }
    return buf_status(ret_text);
}

static struct status
select_rows(void *ctx, const char *cohort, struct diag *diag, uint8_t *ret_in)
{
    const struct gathered *g = ctx;
    return cohort_select(g->table, NULL, cohort, diag, ret_in, NULL);
}

static struct status
run(struct gathered *g, const struct assess_options *o, const char *selection, struct diag *diag,
    json_t **ret_document)
{
    DEFER(buf_done) struct buf model_hex;
    DEFER(buf_done) struct buf data_hex;
    buf_init(&model_hex, 128);
    buf_init(&data_hex, 128);
    digest_put_hex(&model_hex, &g->model->digest);
    digest_put_hex(&data_hex, &g->info.digest);
    const struct assessment_input in = {
        .model = g->model->name,
        .model_version = g->model->version,
        .model_digest_hex = buf_str(&model_hex),
        .dataset = g->info.name,
        .dataset_version = g->info.version,
        .dataset_digest_hex = buf_str(&data_hex),
        .selection = selection,
        .created_ns = clock_wall_ns(),
        .label = g->model->label,
        .positive = g->model->positive,
        .negative = g->model->negative,
        .threshold = g->model->threshold,
        .rows = (size_t)g->table->rows,
        .rows_dropped = g->dropped,
        .row_number = g->row_number,
        .y = g->y,
        .truth_class = g->truth_class,
        .classes = g->classes,
        .class_count = g->class_count,
        .truth = g->truth,
        .score = g->score,
        .decision = g->decision,
        .thresholds = g->thresholds,
        .x = g->x,
        .file = g->model->file,
        .read = g->read,
        .features = g->features,
        .feature_count = g->feature_count,
        .factors = g->factors,
        .factor_count = g->factor_count,
        .without_groups = g->without_groups,
        .bias = g->bias,
        .remarks = g->remarks,
        .settings = o->settings,
        .select = select_rows,
        .select_ctx = g,
        .threads = o->threads,
        .progress = o->progress,
        .progress_ctx = o->progress_ctx,
    };
    return assessment_run(&in, diag, ret_document);
}

static struct status
record(struct workspace *w, const struct gathered *g, const char *selection, uint64_t version,
       const struct digest *digest, struct diag *diag)
{
    DEFER(js_freep) json_t *r = NULL;
    TRY(registry_record_new(g->model->name, version, digest, &r));
    TRY(js_set(r, "model_version", json_integer((json_int_t)g->model->version)));
    TRY(js_set(r, "dataset", json_string(g->info.name)));
    TRY(js_set(r, "dataset_version", json_integer((json_int_t)g->info.version)));
    TRY(js_set(r, "selection", json_string(selection)));
    TRY(js_set(r, "rows", json_integer((json_int_t)g->table->rows)));
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 128);
    digest_put_hex(&hex, digest);
    char resource[80], reason[192];
    (void)snprintf(resource, sizeof resource, "models/%s", g->model->name);
    (void)snprintf(reason, sizeof reason, "assessed: assessment %llu, sha256 %s",
                   (unsigned long long)version, buf_str(&hex));
    const struct workspace_act act = {.action = "model.assess",
                                      .resource = resource,
                                      .reason = reason,
                                      .version = g->model->version,
                                      .digest = &g->model->digest};
    return registry_put(w, COLLECTION, g->model->name, version, r, &act, diag);
}

static struct status
keep(struct workspace *w, const struct gathered *g, const char *selection, const json_t *document,
     struct diag *diag)
{
    DEFER(file_closep) int lock = -1;
    DEFER(buf_wipe) struct buf bytes;
    struct digest digest;
    uint64_t version = 0;
    buf_init(&bytes, DOCUMENT_MAX);
    TRY(js_put(&bytes, document));
    digest_of(buf_view(&bytes), &digest);
    TRY(workspace_lock(w, diag, &lock));
    TRY(registry_newest(w, COLLECTION, g->model->name, &version));
    version++;
    TRY(workspace_seal(w, COLLECTION, g->model->name, version, buf_view(&bytes), diag));
    return record(w, g, selection, version, &digest, diag);
}

struct status
assessment_make(struct workspace *w, const struct assess_options *o, struct diag *diag,
                json_t **ret_document)
{
    DEFER(gathered_done) struct gathered g = {0};
    DEFER(js_freep) json_t *document = NULL;
    DEFER(buf_done) struct buf predicate;
    DEFER(buf_done) struct buf selection;
    buf_init(&predicate, COHORT_MAX_BYTES + 1);
    buf_init(&selection, 2 * COHORT_MAX_BYTES + 64);
    if (o->cohort != NULL) {
        TRY(assessment_cohort(w, o->model, o->cohort, diag, &predicate));
    }
    TRY(put_selection(o, buf_str(&predicate), &selection));
    const struct gather_options rows = {.model = o->model,
                                        .model_version = o->model_version,
                                        .dataset = o->dataset,
                                        .dataset_version = o->dataset_version,
                                        .part = o->part,
                                        .cohort = o->cohort == NULL ? NULL : buf_str(&predicate),
                                        .sensitive = o->sensitive,
                                        .sensitive_count = o->sensitive_count,
                                        .facets = &o->facets,
                                        .settings = &o->settings,
                                        .threads = o->threads,
                                        .progress = o->progress,
                                        .progress_ctx = o->progress_ctx};
    TRY(gather(w, &rows, diag, &g));
    TRY(run(&g, o, buf_str(&selection), diag, &document));
    TRY(keep(w, &g, buf_str(&selection), document, diag));
    *ret_document = MOVE(document);
    return OK;
}

struct status
assessment_load(struct workspace *w, const char *model, uint64_t version, struct diag *diag,
                json_t **ret_document)
{
    DEFER(js_freep) json_t *r = NULL;
    int64_t number = 0;
    TRY(registry_get(w, COLLECTION, model, version, diag, &r));
    TRY(js_need_i64(r, "version", diag, &number));
    DEFER(file_freep) char *object = workspace_object_path(w, COLLECTION, model, (uint64_t)number);
    DEFER(buf_wipe) struct buf bytes;
    struct digest digest;
    buf_init(&bytes, DOCUMENT_MAX);
    const struct seal_id id = {COLLECTION, model, (uint64_t)number};
    TRY(key_use_read(w, id, DOCUMENT_MAX, diag, &bytes));
    digest_of(buf_view(&bytes), &digest);
    TRY(registry_check_digest(r, &digest, diag));
    return js_parse(buf_view(&bytes), object, diag, ret_document);
}
