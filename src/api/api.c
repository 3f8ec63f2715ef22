/* api: the public C API, thin over the workspace. Everything here is sw_*, everything sw_* is here.
 */
#include "api/api_parts.h"

#include "base/json.h"
#include "base/secret.h"
#include "govern/audit.h"
#include "workspace/assessments.h"

#include <steward/steward.h>

#include <stdlib.h>
#include <string.h>

_Static_assert((int)SW_INPUT == STATUS_INPUT && (int)SW_AUTH == STATUS_AUTH &&
                   (int)SW_DENIED == STATUS_DENIED && (int)SW_NOT_FOUND == STATUS_NOT_FOUND &&
                   (int)SW_EXISTS == STATUS_EXISTS && (int)SW_INTEGRITY == STATUS_INTEGRITY &&
                   (int)SW_LIMIT == STATUS_LIMIT && (int)SW_IO == STATUS_IO &&
                   (int)SW_BUSY == STATUS_BUSY && (int)SW_MEMORY == STATUS_MEMORY &&
                   (int)SW_UNSUPPORTED == STATUS_UNSUPPORTED,
               "the public codes are the inner ones");

#define DOCUMENT_MAX (256u << 20)

struct sw_workspace {
    struct workspace *inner;
};

struct sw_model {
    struct model *inner;
};

int
api_result(struct status s, const struct diag *diag, struct sw_error *error)
{
    if (error != NULL) {
        error->code = s.code;
        error->text[0] = '\0';
        if (!status_ok(s)) {
            diag_describe(diag, s, error->text, sizeof error->text);
        }
    }
    return s.code;
}

struct status
api_need(const void *pointer, const char *what, struct diag *diag)
{
    if (pointer == NULL) {
        diag_set(diag, "%s: NULL was given", what);
        FAIL(INPUT);
    }
    return OK;
}

struct status
api_text(const json_t *document, char **ret_text)
{
    DEFER(buf_done) struct buf json;
    buf_init(&json, DOCUMENT_MAX);
    TRY(js_put_pretty(&json, document));
    char *copy = strdup(buf_str(&json));
    CHECK(copy != NULL, MEMORY);
    *ret_text = copy;
    return OK;
}

static struct status
take_passphrase(const char *text, struct diag *diag, struct secret *ret_passphrase)
{
    TRY(api_need(text, "passphrase", diag));
    if (*text == '\0') {
        diag_set(diag, "the passphrase is empty");
        FAIL(INPUT);
    }
    return secret_from(view_str(text), ret_passphrase);
}

const char *
sw_version(void)
{
    return STEWARD_VERSION;
}

void
sw_text_free(char *text)
{
    free(text);
}

/* ---- workspace ---- */

static struct status
init(const char *dir, const char *passphrase, struct diag *diag)
{
    DEFER(secret_done) struct secret secret = {0};
    TRY(api_need(dir, "dir", diag));
    TRY(take_passphrase(passphrase, diag, &secret));
    const struct workspace_init_options o = {
        .passphrase = &secret,
        .config = view_str("# \"steward config example\" prints every key with its default.\n")};
    return workspace_init(dir, &o, diag);
}

int
sw_workspace_init(const char *dir, const char *passphrase, struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(init(dir, passphrase, &diag), &diag, error);
}

static struct status
open_workspace(const char *dir, const char *passphrase, struct diag *diag,
               struct sw_workspace **ret_workspace)
{
    DEFER(secret_done) struct secret secret = {0};
    TRY(api_need(dir, "dir", diag));
    TRY(api_need(ret_workspace, "ret_workspace", diag));
    TRY(take_passphrase(passphrase, diag, &secret));
    DEFER(memory_freep) struct sw_workspace *made = calloc(1, sizeof *made);
    CHECK(made != NULL, MEMORY);
    const struct workspace_open_options o = {.passphrase = &secret, .reason = "libsteward"};
    TRY(workspace_open(dir, &o, diag, &made->inner));
    *ret_workspace = MOVE(made);
    return OK;
}

int
sw_workspace_open(const char *dir, const char *passphrase, struct sw_workspace **ret_workspace,
                  struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(open_workspace(dir, passphrase, &diag, ret_workspace), &diag, error);
}

void
sw_workspace_close(struct sw_workspace *workspace)
{
    if (workspace != NULL) {
        workspace_close(workspace->inner);
        free(workspace);
    }
}

/* ---- datasets ---- */

static struct status
add_dataset(struct sw_workspace *w, const char *name, const char *path,
            const struct sw_dataset_options *options, struct diag *diag, uint64_t *ret_version)
{
    TRY(api_need(w, "workspace", diag));
    TRY(api_need(name, "name", diag));
    TRY(api_need(path, "path", diag));
    struct import_options o = {0};
    if (options != NULL) {
        TRY(api_need(options->sensitive_count == 0 ? path : (const void *)options->sensitive,
                     "sensitive", diag));
        o.label = options->label;
        o.positive = options->positive;
        o.sensitive = options->sensitive;
        o.sensitive_count = options->sensitive_count;
    }
    struct dataset_info info;
    TRY(dataset_add(w->inner, name, path, &o, diag, &info));
    if (ret_version != NULL) {
        *ret_version = info.version;
    }
    return OK;
}

int
sw_dataset_add(struct sw_workspace *workspace, const char *name, const char *path,
               const struct sw_dataset_options *options, uint64_t *ret_version,
               struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(add_dataset(workspace, name, path, options, &diag, ret_version), &diag,
                      error);
}

/* ---- models ---- */

static struct status
train(struct sw_workspace *w, const char *name, const struct sw_train_options *options,
      struct diag *diag, uint64_t *ret_version)
{
    TRY(api_need(w, "workspace", diag));
    TRY(api_need(name, "name", diag));
    TRY(api_need(options, "options", diag));
    TRY(api_need(options->dataset, "options->dataset", diag));
    struct model_train_options o = {.dataset = options->dataset,
                                    .dataset_version = options->dataset_version,
                                    .split = options->split != 0 ? options->split : 0.7,
                                    .seed = options->seed};
    train_defaults(&o.train);
    o.train.objective = options->objective;
    if (!(o.split > 0 && o.split <= 1)) {
        diag_set(diag, "split %g: a share over 0, at most 1", o.split);
        FAIL(INPUT);
    }
    o.train.seed = options->seed;
    o.train.rounds = options->rounds != 0 ? options->rounds : 100;
    o.train.max_depth = options->depth != 0 ? options->depth : 4;
    o.train.learning_rate = options->learning_rate != 0 ? options->learning_rate : 0.1;
    o.train.threads = options->threads;
    DEFER(model_freep) struct model *m = NULL;
    TRY(model_train(w->inner, name, &o, diag, &m));
    if (ret_version != NULL) {
        *ret_version = m->version;
    }
    return OK;
}

int
sw_model_train(struct sw_workspace *workspace, const char *name,
               const struct sw_train_options *options, uint64_t *ret_version,
               struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(train(workspace, name, options, &diag, ret_version), &diag, error);
}

static struct status
load(struct sw_workspace *w, const char *name, uint64_t version, struct diag *diag,
     struct sw_model **ret_model)
{
    TRY(api_need(w, "workspace", diag));
    TRY(api_need(name, "name", diag));
    TRY(api_need(ret_model, "ret_model", diag));
    DEFER(memory_freep) struct sw_model *made = calloc(1, sizeof *made);
    CHECK(made != NULL, MEMORY);
    TRY(model_load(w->inner, name, version, diag, &made->inner));
    *ret_model = MOVE(made);
    return OK;
}

int
sw_model_load(struct sw_workspace *workspace, const char *name, uint64_t version,
              struct sw_model **ret_model, struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(load(workspace, name, version, &diag, ret_model), &diag, error);
}

void
sw_model_free(struct sw_model *model)
{
    if (model != NULL) {
        model_free(model->inner);
        free(model);
    }
}

uint64_t
sw_model_version(const struct sw_model *model)
{
    return model->inner->version;
}

size_t
sw_model_features(const struct sw_model *model)
{
    return model->inner->features.count;
}

const char *
sw_model_feature(const struct sw_model *model, size_t index)
{
    return index < model->inner->features.count ? model->inner->features.items[index].name : NULL;
}

static struct status
predict(const struct sw_model *model, const float *x, size_t rows, struct diag *diag,
        double *ret_probability)
{
    TRY(api_need(model, "model", diag));
    TRY(api_need(x, "x", diag));
    TRY(api_need(ret_probability, "ret_probability", diag));
    if (model->inner->file->outputs != 1) {
        diag_set(diag, "%s: a model of several outputs", model->inner->name);
        FAIL(UNSUPPORTED);
    }
    if (model->inner->remover.by.count > 0) {
        diag_set(diag, "%s: a correlation remover stands before it, which needs sensitive columns",
                 model->inner->name);
        FAIL(UNSUPPORTED);
    }
    model_predict(model->inner, x, rows, 1, ret_probability);
    return OK;
}

int
sw_model_predict(const struct sw_model *model, const float *x, size_t rows, double *ret_probability,
                 struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(predict(model, x, rows, &diag, ret_probability), &diag, error);
}

/* ---- assessment ---- */

static struct status
assess(struct sw_workspace *w, const struct assess_options *o, struct diag *diag, char **ret_json)
{
    DEFER(js_freep) json_t *document = NULL;
    TRY(api_need(w, "workspace", diag));
    TRY(api_need(o->model, "model", diag));
    TRY(api_need(o->dataset, "dataset", diag));
    TRY(api_need(ret_json, "ret_json", diag));
    TRY(assessment_make(w->inner, o, diag, &document));
    return api_text(document, ret_json);
}

int
sw_assess(struct sw_workspace *workspace, const char *model, uint64_t model_version,
          const char *dataset, uint64_t dataset_version, const char *part, const char *cohort,
          char **ret_json, struct sw_error *error)
{
    struct diag diag = {0};
    struct assess_options o;
    assess_defaults(&o);
    o.model = model;
    o.model_version = model_version;
    o.dataset = dataset;
    o.dataset_version = dataset_version;
    o.cohort = cohort;
    struct status s = model_part_from_word(part == NULL ? "" : part, &o.part);
    if (status_ok(s)) {
        s = assess(workspace, &o, &diag, ret_json);
    } else {
        diag_set(&diag, "part: all, train or test");
    }
    return api_result(s, &diag, error);
}

/* ---- audit log ---- */

int
sw_audit_verify(const char *audit_dir, const char *vkey, uint64_t *ret_entries,
                struct sw_error *error)
{
    struct diag diag = {0};
    struct audit_fault fault = {0};
    struct audit_report report = {0};
    struct status s = api_need(audit_dir, "audit_dir", &diag);
    if (status_ok(s)) {
        s = audit_verify(audit_dir, vkey, &fault, &report);
        diag_set(&diag, "%s", fault.text);
    }
    if (status_ok(s) && ret_entries != NULL) {
        *ret_entries = report.entries;
    }
    return api_result(s, &diag, error);
}
