#include "workspace/record_facts.h"

#include "base/file.h"
#include "vault/provider.h"
#include "workspace/assessments.h"
#include "workspace/dataset_subjects.h"
#include "workspace/datasets.h"
#include "workspace/models.h"

#include <stdio.h>
#include <string.h>

#define JSON_MAX (64u << 20)
#define MANY 12 /* names in one cell */

struct gathering {
    struct workspace *w;
    const char *model; /* NULL: of a form about the workspace */
    struct diag *diag;
    json_t *record;     /* of the model's newest version */
    json_t *assessment; /* its newest; NULL: none */
};

/* ---- a fact ---- */

__attribute__((format(printf, 2, 3))) static struct status
say(json_t *fact, const char *format, ...)
{
    DEFER(buf_done) struct buf text;
    va_list args;
    buf_init(&text, 1u << 16);
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    TRY(buf_status(&text));
    json_t *lines = json_object_get(fact, "lines");
    if (lines == NULL) {
        lines = json_array();
        TRY(js_set(fact, "lines", lines));
    }
    CHECK(json_array_append_new(lines, js_sentence(buf_str(&text))) == 0, MEMORY);
    return OK;
}

/* columns: titles with bars between. */
static struct status
head(json_t *fact, const char *columns)
{
    json_t *list = json_array();
    TRY(js_set(fact, "columns", list));
    TRY(js_set(fact, "rows", json_array()));
    for (const char *at = columns; *at != '\0';
         at += strcspn(at, "|") + (strchr(at, '|') != NULL)) {
        CHECK(json_array_append_new(list, json_stringn(at, strcspn(at, "|"))) == 0, MEMORY);
    }
    return OK;
}

/* The values of keys of o as a row: texts as they are, whole numbers in digits. */
static struct status
row(json_t *fact, const json_t *o, const char *const *keys, size_t n)
{
    json_t *cells = json_array();
    CHECK(json_array_append_new(json_object_get(fact, "rows"), cells) == 0, MEMORY);
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_object_get(o, keys[i]);
        char digits[32] = "";
        if (json_is_integer(v)) {
            (void)snprintf(digits, sizeof digits, "%lld", (long long)json_integer_value(v));
        }
        CHECK(json_array_append_new(
                  cells, json_string(json_is_string(v) ? json_string_value(v) : digits)) == 0,
              MEMORY);
    }
    return OK;
}

/* The names of those that pass, at most MANY: "sex, race and 3 more". */
static json_t *
names_of(const json_t *list, bool (*passes)(const json_t *o))
{
    size_t i, seen = 0;
    json_t *o = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 14);
    json_array_foreach(list, i, o)
    {
        if (!passes(o)) {
            continue;
        }
        const char *name = json_string_value(json_object_get(o, "name"));
        if (seen++ < MANY) {
            buf_printf(&text, "%s%.80s", seen == 1 ? "" : ", ", name == NULL ? "?" : name);
        }
    }
    if (seen > MANY) {
        buf_printf(&text, " and %zu more", seen - MANY);
    }
    return js_sentence(buf_str(&text));
}

static bool
is_sensitive(const json_t *column)
{
    const char *role = json_string_value(json_object_get(column, "role"));
    return role != NULL && strcmp(role, "sensitive") == 0;
}

static struct status
parse_list(struct status put, const struct buf *text, json_t **ret_list)
{
    TRY(put);
    return js_parse(buf_view(text), NULL, NULL, ret_list);
}

/* ---- of the workspace ---- */

static struct status
datasets(struct gathering *g, json_t *fact)
{
    static const char *const keys[] = {"name",    "version",   "rows",
                                       "columns", "sensitive", "created"};
    size_t i;
    json_t *o = NULL;
    DEFER(buf_done) struct buf text;
    DEFER(js_freep) json_t *list = NULL;
    buf_init(&text, JSON_MAX);
    TRY(parse_list(dataset_put_list(g->w, &text), &text, &list));
    if (json_array_size(list) == 0) {
        return say(fact, "No dataset is kept.");
    }
    TRY(head(fact, "Dataset|Version|Rows|Columns|Sensitive columns|Kept since"));
    json_array_foreach(list, i, o)
    {
        TRY(js_set(
            o, "sensitive",
            names_of(json_object_get(json_object_get(o, "schema"), "columns"), is_sensitive)));
        TRY(row(fact, o, keys, 6));
    }
    return OK;
}

static struct status
flatten(json_t *record)
{
    const json_t *manifest = json_object_get(record, "manifest");
    const json_t *d = json_object_get(manifest, "dataset");
    const char *method =
        json_string_value(json_object_get(json_object_get(manifest, "mitigation"), "method"));
    if (d != NULL) {
        const char *name = json_string_value(json_object_get(d, "name"));
        TRY(js_set(record, "dataset",
                   json_sprintf("%s@%lld", name == NULL ? "?" : name,
                                (long long)json_integer_value(json_object_get(d, "version")))));
        TRY(js_set(record, "trained", json_copy(json_object_get(d, "rows_trained"))));
    }
    return js_set(record, "mitigation", json_string(method == NULL ? "" : method));
}

/* Versions of all models, or of one. */
static struct status
put_models(struct gathering *g, const char *only, json_t *fact)
{
    static const char *const keys[] = {"name",    "version",    "dataset",
                                       "trained", "mitigation", "created"};
    size_t i;
    json_t *o = NULL;
    DEFER(buf_done) struct buf text;
    DEFER(js_freep) json_t *list = NULL;
    buf_init(&text, JSON_MAX);
    TRY(parse_list(model_put_list(g->w, &text), &text, &list));
    if (json_array_size(list) == 0) {
        return say(fact, "No model is kept.");
    }
    TRY(head(fact, "Model|Version|Trained on|Rows|Mitigation|Made"));
    json_array_foreach(list, i, o)
    {
        const char *name = json_string_value(json_object_get(o, "name"));
        if (only == NULL || (name != NULL && strcmp(name, only) == 0)) {
            TRY(flatten(o));
            TRY(row(fact, o, keys, 6));
        }
    }
    return OK;
}

static struct status
models(struct gathering *g, json_t *fact)
{
    return put_models(g, NULL, fact);
}

static struct status
principals(struct gathering *g, json_t *fact)
{
    static const char *const keys[] = {"principal", "role", "resource"};
    size_t i, k;
    json_t *o = NULL, *grant = NULL;
    DEFER(buf_done) struct buf text;
    DEFER(js_freep) json_t *list = NULL;
    buf_init(&text, JSON_MAX);
    TRY(parse_list(access_put_principals(g->w->access, &text), &text, &list));
    if (json_array_size(list) == 0) {
        return say(fact, "Nobody has rights but who can open the workspace on its machine.");
    }
    TRY(head(fact, "Principal|Role|On"));
    json_array_foreach(list, i, o)
    {
        json_array_foreach(json_object_get(o, "grants"), k, grant)
        {
            TRY(js_set(grant, "principal", json_copy(json_object_get(o, "name"))));
            TRY(row(fact, grant, keys, 3));
        }
    }
    return OK;
}

struct persons {
    struct gathering *g;
    json_t *fact;
    char last[64];
    size_t without;
};

static struct status
tell_persons(struct persons *p, const char *name)
{
    bool exist = false;
    TRY(dataset_subjects_exist(p->g->w, name, &exist));
    return say(p->fact,
               exist ? "Dataset %s: each person has a key; destroying it makes the person's rows "
                       "unreadable in every version and copy."
                     : "Dataset %s: its rows are not tied to persons; nobody can be erased from it "
                       "by a key.",
               name);
}

static struct status
erasure(struct gathering *g, json_t *fact)
{
    size_t i;
    json_t *o = NULL;
    struct persons p = {.g = g, .fact = fact};
    DEFER(buf_done) struct buf text;
    DEFER(js_freep) json_t *list = NULL;
    buf_init(&text, JSON_MAX);
    TRY(parse_list(dataset_put_list(g->w, &text), &text, &list));
    json_array_foreach(list, i, o)
    {
        const char *name = json_string_value(json_object_get(o, "name"));
        if (name != NULL && strcmp(name, p.last) != 0) {
            (void)snprintf(p.last, sizeof p.last, "%.63s", name);
            TRY(tell_persons(&p, name));
        }
    }
    return json_array_size(list) > 0 ? OK : say(fact, "No dataset is kept.");
}

static struct status
measures(struct gathering *g, json_t *fact)
{
    TRY(say(fact,
            "Datasets, models and assessments are encrypted with a data key each (AES-256-GCM), "
            "wrapped by the workspace's key, which is held by: %.200s.",
            provider_target(g->w->provider)));
    TRY(say(fact, "Models are signed, and verified whenever they are loaded."));
    TRY(say(fact, "Calls are taken over TLS 1.2 or 1.3 only, from who proves who they are; every "
                  "action needs a grant, and a refusal beats it."));
    TRY(say(fact,
            "Every call and every act that changes the workspace is an entry in the "
            "tamper-evident log %.200s, written before the answer leaves.",
            g->w->origin));
    return say(fact, "The process that reads the network holds no long-lived key.");
}

static struct status
tell_log(struct gathering *g, json_t *fact)
{
    uint64_t entries = 0;
    DEFER(file_freep) char *dir = file_join(g->w->dir, "audit");
    TRY(audit_count(dir, &entries, g->diag));
    TRY(say(fact,
            "The log %.200s has %llu entries. Each call is one: when, who, with which right, "
            "model, version and digest, digests of request, response and explanation, and how "
            "long it took; never the content.",
            g->w->origin, (unsigned long long)entries));
    return say(fact,
               "steward audit show reads it, steward audit verify checks it, and steward audit "
               "prove gives a receipt for one entry that others can check. Entries are not "
               "deleted.");
}

/* ---- of a model ---- */

static struct status
model_versions(struct gathering *g, json_t *fact)
{
    const json_t *manifest = json_object_get(g->record, "manifest");
    const char *sha256 = json_string_value(json_object_get(g->record, "sha256"));
    const char *label = json_string_value(json_object_get(manifest, "label"));
    TRY(say(fact, "Version %lld, SHA-256 %.64s; it answers \"%.200s\".",
            (long long)json_integer_value(json_object_get(g->record, "version")),
            sha256 == NULL ? "?" : sha256, label == NULL ? "?" : label));
    return put_models(g, g->model, fact);
}

static struct status
training_data(struct gathering *g, json_t *fact)
{
    static const char *const keys[] = {"name", "version", "sha256", "rows_trained"};
    const json_t *d = json_object_get(json_object_get(g->record, "manifest"), "dataset");
    if (d == NULL) {
        return say(fact, "The model was made elsewhere; the workspace does not know its training "
                         "data.");
    }
    TRY(head(fact, "Dataset|Version|SHA-256|Rows trained on"));
    return row(fact, d, keys, 4);
}

static struct status
inputs(struct gathering *g, json_t *fact)
{
    size_t i;
    json_t *f = NULL;
    static const char *const keys[] = {"name", "type", "values"};
    const json_t *manifest = json_object_get(g->record, "manifest");
    const json_t *features = json_object_get(manifest, "features");
    features = features == NULL ? json_object_get(manifest, "inputs") : features;
    TRY(head(fact, "Feature|Type|Categories"));
    json_array_foreach(features, i, f)
    {
        const json_t *levels = json_object_get(f, "levels");
        if (levels != NULL) {
            TRY(js_set(f, "values", json_integer((json_int_t)json_array_size(levels))));
        }
        TRY(row(fact, f, keys, 3));
    }
    return OK;
}

/* What the newest assessment says of one kind. */
static struct status
tell_assessed(struct gathering *g, const char *kind, json_t *fact)
{
    static const char *const lists[] = {"summary", "findings"};
    size_t i, told = 0;
    json_t *o = NULL;
    if (g->assessment == NULL) {
        return say(fact, "Not assessed yet: steward assess %s.", g->model);
    }
    const json_t *d = json_object_get(g->assessment, "dataset");
    const char *dataset = json_string_value(json_object_get(d, "name"));
    const char *created = json_string_value(json_object_get(g->assessment, "created"));
    TRY(say(fact, "Assessed at %.40s on dataset %.63s, %lld rows, version %lld of the model.",
            created == NULL ? "?" : created, dataset == NULL ? "?" : dataset,
            (long long)json_integer_value(json_object_get(g->assessment, "rows")),
            (long long)json_integer_value(
                json_object_get(json_object_get(g->assessment, "model"), "version"))));
    for (size_t k = 0; k < 2; k++) {
        json_array_foreach(json_object_get(g->assessment, lists[k]), i, o)
        {
            const char *of = json_string_value(json_object_get(o, "kind"));
            if (of != NULL && strcmp(of, kind) == 0) {
                TRY(say(fact, "%s", json_string_value(json_object_get(o, "text"))));
                told++;
            }
        }
    }
    return told > 0 ? OK : say(fact, "Nothing of it held at the false-discovery rate.");
}

static struct status
performance(struct gathering *g, json_t *fact)
{
    return tell_assessed(g, "performance", fact);
}

static struct status
fairness(struct gathering *g, json_t *fact)
{
    return tell_assessed(g, "fairness", fact);
}

static struct status
bias(struct gathering *g, json_t *fact)
{
    return tell_assessed(g, "bias", fact);
}

static struct status
explanation(struct gathering *g, json_t *fact)
{
    return tell_assessed(g, "explanation", fact);
}

/* ---- all ---- */

static const struct {
    const char *name;
    struct status (*tell)(struct gathering *g, json_t *fact);
} known[] = {
    {"datasets", datasets},       {"models", models},
    {"principals", principals},   {"erasure", erasure},
    {"measures", measures},       {"log", tell_log},
    {"model", model_versions},    {"training-data", training_data},
    {"inputs", inputs},           {"performance", performance},
    {"fairness", fairness},       {"bias", bias},
    {"explanation", explanation},
};

static struct status
add_fact(struct gathering *g, const char *name, json_t *facts)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, name) == 0) {
            json_t *fact = json_object();
            TRY(js_set(facts, name, fact));
            return known[i].tell(g, fact);
        }
    }
    diag_set(g->diag, "form: there is no fact \"%.60s\"", name);
    FAIL(UNSUPPORTED);
}

struct status
record_facts(struct workspace *w, const struct form *f, const char *model, struct diag *diag,
             json_t **ret_facts)
{
    struct gathering g = {.w = w, .model = model, .diag = diag};
    DEFER(js_freep) json_t *record = NULL;
    DEFER(js_freep) json_t *assessment = NULL;
    DEFER(js_freep) json_t *facts = json_object();
    CHECK(facts != NULL, MEMORY);
    if (model != NULL) {
        TRY(model_describe(w, model, 0, diag, &record));
        const struct status s = assessment_load(w, model, 0, NULL, &assessment);
        CHECK(status_ok(s) || s.code == STATUS_NOT_FOUND, INTEGRITY);
        g.record = record;
        g.assessment = assessment;
    }
    for (size_t i = 0; i < f->count; i++) {
        if (f->items[i].fact != NULL && json_object_get(facts, f->items[i].fact) == NULL) {
            TRY(add_fact(&g, f->items[i].fact, facts));
        }
    }
    *ret_facts = MOVE(facts);
    return OK;
}
