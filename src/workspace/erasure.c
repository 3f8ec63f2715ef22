/* In this order, under workspace_lock, each step durable before the next: (1) the log names each
 * person by their keyed hash and says that their erasure begins; (2) the store says that they are
 * erased: from now on nobody reads their rows; (3) their keys are overwritten in their place and
 * synced; (4) the log says that it is done. A cut after 2 is finished by whoever changes the list
 * next, or by erasing them again. */
#include "workspace/erasure.h"

#include "base/clock.h"
#include "base/file.h"
#include "data/subject_table.h"
#include "workspace/dataset_subjects.h"
#include "workspace/datasets.h"
#include "workspace/policies.h"
#include "workspace/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum state { STATE_UNKNOWN, STATE_NEW, STATE_ALREADY };
static const char *const state_words[] = {
    [STATE_UNKNOWN] = "unknown", [STATE_NEW] = "erased", [STATE_ALREADY] = "already"};

struct item {
    struct digest hash;
    uint32_t slot;
    enum state state;
    uint64_t rows;
};

struct erasing {
    struct workspace *w;
    struct diag *diag;
    const char *name;
    char resource[80];
    struct dataset_subjects subjects;
    const struct digest *hashes; /* who is asked for, by hash; NULL: by value */
    struct item *items;
    size_t count, states[3];
    uint32_t *item_of; /* by slot: 1 + item; 0: none */
    uint64_t rows;     /* of those who are erased now */
    uint64_t *version_rows, versions;
    uint64_t *version_had; /* of whoever was asked for, erased before or now */
};

static void
erasing_done(struct erasing *e)
{
    dataset_subjects_done(&e->subjects);
    free(e->items);
    free(e->item_of);
    free(e->version_rows);
    free(e->version_had);
}

/* ---- who ---- */

/* Only who has a key: what was said of the others stands in another log. */
static void
find_hashes(struct erasing *e)
{
    size_t kept = 0;
    for (size_t i = 0; i < e->count; i++) {
        struct item p = {.hash = e->hashes[i], .state = STATE_NEW};
        if (subjects_find(e->subjects.keys, &p.hash, &p.slot) && !e->subjects.erased[p.slot] &&
            e->item_of[p.slot] == 0) {
            e->items[kept] = p;
            e->item_of[p.slot] = (uint32_t)++kept;
        }
    }
    e->count = kept;
    e->states[STATE_NEW] = kept;
}

static struct status
find_persons(struct erasing *e, const struct view *values)
{
    e->item_of = calloc((size_t)e->subjects.slots + 1, sizeof *e->item_of);
    e->items = calloc(e->count + 1, sizeof *e->items);
    CHECK(e->item_of != NULL && e->items != NULL, MEMORY);
    if (e->hashes != NULL) {
        find_hashes(e);
        return OK;
    }
    for (size_t i = 0; i < e->count; i++) {
        struct item *p = &e->items[i];
        TRY(dataset_subjects_hash(e->w, e->name, values[i], &p->hash));
        if (subjects_find(e->subjects.keys, &p->hash, &p->slot)) {
            const bool again = e->item_of[p->slot] != 0; /* twice in one list */
            p->state = again || e->subjects.erased[p->slot] ? STATE_ALREADY : STATE_NEW;
            e->item_of[p->slot] = again ? e->item_of[p->slot] : (uint32_t)i + 1;
        }
        e->states[p->state]++;
    }
    return OK;
}

/* ---- how many rows ---- */

struct counting {
    struct erasing *e;
    uint64_t version;
};

static struct status
count_person(void *ctx, uint32_t slot, uint32_t rows)
{
    const struct counting *c = ctx;
    struct erasing *e = c->e;
    CHECK(slot < e->subjects.slots, INTEGRITY);
    const uint32_t item = e->item_of[slot];
    if (item != 0) {
        e->items[item - 1].rows += rows;
        e->version_had[c->version] += rows;
        if (e->items[item - 1].state == STATE_NEW) {
            e->version_rows[c->version] += rows;
            e->rows += rows;
        }
    }
    return OK;
}

static struct status
count_rows(struct erasing *e)
{
    TRY(registry_newest(e->w, "dataset", e->name, &e->versions));
    e->version_rows = calloc((size_t)e->versions + 1, sizeof *e->version_rows);
    e->version_had = calloc((size_t)e->versions + 1, sizeof *e->version_had);
    CHECK(e->version_rows != NULL && e->version_had != NULL, MEMORY);
    for (uint64_t v = 1; v <= e->versions; v++) {
        DEFER(buf_wipe) struct buf bytes = {0};
        struct counting c = {e, v};
        TRY(dataset_open_bytes(e->w, e->name, v, e->diag, &bytes));
        TRY(subject_table_each(buf_view(&bytes), count_person, &c, e->diag, NULL));
    }
    return OK;
}

/* ---- telling ---- */

static struct status
tell(struct erasing *e, const char *reason, bool refused)
{
    const struct workspace_act act = {
        .action = ERASURE_ACTION, .resource = e->resource, .reason = reason, .refused = refused};
    return workspace_audit(e->w, &act, e->diag);
}

static void
put_person(const struct item *p, char *ret_text, size_t size)
{
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 128);
    digest_put_hex(&hex, &p->hash);
    (void)snprintf(ret_text, size, "subject=%s rows=%llu %s", buf_str(&hex),
                   (unsigned long long)p->rows,
                   p->state == STATE_NEW       ? "erasure begins"
                   : p->state == STATE_ALREADY ? "erased already"
                                               : "not in this dataset");
}

/* All of them in one batch of the log, and none left out of it. */
static struct status
tell_persons(struct erasing *e)
{
    DEFER(memory_freep) uint64_t *tickets = calloc(e->count + 1, sizeof *tickets);
    char reason[160];
    CHECK(tickets != NULL, MEMORY);
    for (size_t i = 0; i < e->count; i++) {
        put_person(&e->items[i], reason, sizeof reason);
        const struct workspace_act act = {.action = ERASURE_ACTION,
                                          .resource = e->resource,
                                          .reason = reason,
                                          .refused = e->items[i].state == STATE_UNKNOWN};
        TRY(workspace_audit_queue(e->w, &act, &tickets[i]));
    }
    (void)snprintf(reason, sizeof reason, "persons to be erased: %zu", e->states[STATE_NEW]);
    TRY(tell(e, reason, false));
    for (size_t i = 0; i < e->count; i++) {
        if (audit_fate(e->w->audit, tickets[i]) != AUDIT_DURABLE) {
            diag_set(e->diag, "the log could not be written; nothing was erased");
            FAIL(IO);
        }
    }
    return OK;
}

/* ---- the act ---- */

static struct status
add_rows_erased(struct erasing *e)
{
    for (uint64_t v = 1; v <= e->versions; v++) {
        char key[24];
        (void)snprintf(key, sizeof key, "%llu", (unsigned long long)v);
        const json_int_t before = json_integer_value(json_object_get(e->subjects.rows, key));
        TRY(js_set(e->subjects.rows, key, json_integer(before + (json_int_t)e->version_rows[v])));
    }
    return OK;
}

static struct status
tell_store(struct erasing *e)
{
    DEFER(buf_done) struct buf record;
    buf_init(&record, DATASET_SUBJECTS_RECORD_MAX);
    for (size_t i = 0; i < e->count; i++) {
        if (e->items[i].state == STATE_NEW) {
            e->subjects.erased[e->items[i].slot] = 1;
            e->subjects.gone++;
        }
    }
    TRY(add_rows_erased(e));
    TRY(dataset_subjects_put(&e->subjects, &record));
    return store_put(e->w->store, DATASET_SUBJECTS_COLLECTION, e->name, buf_view(&record),
                     STORE_ANY, e->diag);
}

static struct status
destroy_keys(struct erasing *e)
{
    for (size_t i = 0; i < e->count; i++) {
        if (e->items[i].state == STATE_NEW) {
            TRY(subjects_destroy(e->subjects.keys, e->items[i].slot, e->diag));
        }
    }
    return subjects_sync(e->subjects.keys, e->diag);
}

static struct status
run(struct erasing *e)
{
    char reason[160];
    TRY(tell_persons(e));
    if (e->states[STATE_NEW] == 0) {
        return OK;
    }
    TRY(tell_store(e));
    TRY(destroy_keys(e));
    (void)snprintf(reason, sizeof reason,
                   "persons erased: %zu, of %llu rows; their keys are destroyed",
                   e->states[STATE_NEW], (unsigned long long)e->rows);
    return tell(e, reason, false);
}

/* ---- the answer ---- */

struct traces {
    const struct erasing *e;
    json_t *list;
};

/* Of that dataset, in a version that had rows of whoever was asked for. */
static bool
has_had(const struct traces *t, const char *dataset, json_int_t version)
{
    return dataset != NULL && strcmp(dataset, t->e->name) == 0 && version >= 1 &&
           (uint64_t)version <= t->e->versions && t->e->version_had[version] > 0;
}

static struct status
note_model(void *ctx, const char *name, uint64_t version, const json_t *record)
{
    const struct traces *t = ctx;
    const json_t *d = json_object_get(json_object_get(record, "manifest"), "dataset");
    const json_int_t of = json_integer_value(json_object_get(d, "version"));
    if (!has_had(t, json_string_value(json_object_get(d, "name")), of)) {
        return OK;
    }
    json_t *o = json_pack("{s:s, s:I, s:I}", "model", name, "version", (json_int_t)version,
                          "dataset_version", of);
    CHECK(o != NULL && json_array_append_new(t->list, o) == 0, MEMORY);
    return OK;
}

static struct status
note_assessment(void *ctx, const char *name, uint64_t version, const json_t *record)
{
    const struct traces *t = ctx;
    const json_int_t of = json_integer_value(json_object_get(record, "dataset_version"));
    if (!has_had(t, json_string_value(json_object_get(record, "dataset")), of)) {
        return OK;
    }
    json_t *o = json_pack("{s:s, s:I, s:I}", "model", name, "assessment", (json_int_t)version,
                          "dataset_version", of);
    CHECK(o != NULL && json_array_append_new(t->list, o) == 0, MEMORY);
    return OK;
}

static struct status
list_traces(struct erasing *e, json_t *answer)
{
    struct traces models = {e, json_array()}, assessments = {e, json_array()};
    TRY(js_set(answer, "models", models.list));
    TRY(js_set(answer, "assessments", assessments.list));
    TRY(registry_each(e->w, "model", note_model, &models));
    return registry_each(e->w, "assessment", note_assessment, &assessments);
}

static struct status
list_versions(const struct erasing *e, json_t *answer)
{
    json_t *list = json_array();
    TRY(js_set(answer, "versions", list));
    for (uint64_t v = 1; v <= e->versions; v++) {
        if (e->version_rows[v] > 0) {
            json_t *o = json_pack("{s:I, s:I}", "version", (json_int_t)v, "rows",
                                  (json_int_t)e->version_rows[v]);
            CHECK(o != NULL && json_array_append_new(list, o) == 0, MEMORY);
        }
    }
    return OK;
}

static struct status
list_persons(const struct erasing *e, json_t *answer)
{
    json_t *list = json_array();
    TRY(js_set(answer, "subjects", list));
    for (size_t i = 0; i < e->count; i++) {
        DEFER(buf_done) struct buf hex;
        buf_init(&hex, 128);
        digest_put_hex(&hex, &e->items[i].hash);
        json_t *o = json_pack("{s:s, s:s, s:I}", "subject", buf_str(&hex), "state",
                              state_words[e->items[i].state], "rows", (json_int_t)e->items[i].rows);
        CHECK(o != NULL && json_array_append_new(list, o) == 0, MEMORY);
    }
    return OK;
}

static struct status
make_answer(struct erasing *e, json_t **ret_answer)
{
    DEFER(js_freep)
    json_t *o =
        json_pack("{s:s, s:I, s:I, s:I, s:I}", "dataset", e->name, "erased",
                  (json_int_t)e->states[STATE_NEW], "already", (json_int_t)e->states[STATE_ALREADY],
                  "unknown", (json_int_t)e->states[STATE_UNKNOWN], "rows", (json_int_t)e->rows);
    CHECK(o != NULL, MEMORY);
    TRY(list_versions(e, o));
    TRY(list_persons(e, o));
    TRY(list_traces(e, o));
    *ret_answer = MOVE(o);
    return OK;
}

static struct status
prepare(struct erasing *e, const struct view *values)
{
    bool exist = false;
    TRY(dataset_subjects_exist(e->w, e->name, &exist));
    if (!exist) {
        DEFER(js_freep) json_t *record = NULL;
        TRY(registry_get(e->w, "dataset", e->name, 0, e->diag, &record));
        diag_set(e->diag,
                 "dataset %s has no subject column, so no person can be erased from it; add it "
                 "under another name with --subject COLUMN",
                 e->name);
        FAIL(INPUT);
    }
    TRY(dataset_subjects_change(e->w, e->name, false, e->diag, &e->subjects));
    TRY(find_persons(e, values));
    return count_rows(e);
}

/* The policies see the dataset as it will be; erasures that a backup did not have yet were decided
 * when they were done. */
static struct status
foresee(struct erasing *e)
{
    const struct workspace_act act = {.action = ERASURE_ACTION, .resource = e->resource};
    DEFER(js_freep)
    json_t *fields =
        json_pack("{s:I}", "erased", (json_int_t)(e->subjects.gone + e->states[STATE_NEW]));
    CHECK(fields != NULL, MEMORY);
    return e->hashes != NULL || e->states[STATE_NEW] == 0
               ? OK
               : policies_foresee(e->w, "dataset", e->name, fields, &act, e->diag);
}

static struct status
find_and_run(struct erasing *e, const struct view *values)
{
    DEFER(file_closep) int lock = -1;
    (void)snprintf(e->resource, sizeof e->resource, "datasets/%.60s", e->name);
    CHECK(e->count > 0 && e->count <= ERASURE_MOST, LIMIT);
    TRY(registry_check_name("dataset", e->name, e->diag));
    TRY(workspace_lock(e->w, e->diag, &lock));
    TRY(workspace_tell_failure(e->w, ERASURE_ACTION, e->resource, prepare(e, values), e->diag));
    TRY(foresee(e));
    return e->count == 0
               ? OK
               : workspace_tell_failure(e->w, ERASURE_ACTION, e->resource, run(e), e->diag);
}

struct status
erasure_again(struct workspace *w, const char *dataset, const struct digest *subjects, size_t count,
              struct diag *diag, uint64_t *ret_erased)
{
    DEFER(erasing_done)
    struct erasing e = {.w = w, .diag = diag, .name = dataset, .count = count, .hashes = subjects};
    TRY(find_and_run(&e, NULL));
    *ret_erased = e.states[STATE_NEW];
    return OK;
}

struct status
erasure_run(struct workspace *w, const char *dataset, const struct view *values, size_t count,
            struct diag *diag, json_t **ret_answer)
{
    DEFER(erasing_done)
    struct erasing e = {.w = w, .diag = diag, .name = dataset, .count = count};
    TRY(find_and_run(&e, values));
    if (e.states[STATE_UNKNOWN] == count) {
        diag_set(diag,
                 "dataset %s: nobody of that name in the subject column (names are "
                 "compared letter by letter)",
                 dataset);
        FAIL(NOT_FOUND);
    }
    return make_answer(&e, ret_answer);
}
