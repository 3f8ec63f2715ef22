#include "workspace/reviews.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>

static struct status
check_word(const char *what, const char *word, const char *const *words, size_t n,
           struct diag *diag)
{
    DEFER(buf_done) struct buf all;
    buf_init(&all, 128);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(words[i], word) == 0) {
            return OK;
        }
        buf_printf(&all, "%s%s", i == 0 ? "" : ", ", words[i]);
    }
    diag_set(diag, "%s \"%.40s\": it is one of %s", what, word, buf_str(&all));
    FAIL(INPUT);
}

static struct status
check(const struct review *r, struct diag *diag)
{
    static const char *const grounds[] = {"override", "contest", "check"};
    static const char *const outcomes[] = {"kept", "changed"};
    TRY(check_word("ground", r->ground, grounds, 3, diag));
    TRY(check_word("outcome", r->outcome, outcomes, 2, diag));
    TRY(records_check_text("the reviewer", r->reviewer, diag));
    TRY(records_check_text("the reason", r->reason, diag));
    const bool changed = strcmp(r->outcome, "changed") == 0;
    if (changed != (r->decision != NULL)) {
        diag_set(diag, changed ? "a decision that was changed needs what was decided instead"
                               : "what was decided instead belongs to an outcome \"changed\"");
        FAIL(INPUT);
    }
    return changed ? records_check_text("the decision", r->decision, diag) : OK;
}

/* ---- the call ---- */

static struct status
take_entry(void *ctx, uint64_t index, struct view entry)
{
    (void)index;
    return js_parse(entry, "entry", NULL, ctx);
}

static struct status
find_call(const struct workspace *w, const struct review *r, struct diag *diag, json_t **ret_entry)
{
    DEFER(file_freep) char *dir = file_join(w->dir, "audit");
    DEFER(js_freep) json_t *entry = NULL;
    uint64_t entries = 0;
    TRY(audit_count(dir, &entries, diag));
    if (r->entry >= entries) {
        diag_set(diag, "the log has no entry %llu; it has %llu", (unsigned long long)r->entry,
                 (unsigned long long)entries);
        FAIL(NOT_FOUND);
    }
    TRY(audit_each(dir, r->entry, r->entry + 1, take_entry, &entry, diag));
    const char *action = json_string_value(json_object_get(entry, "action"));
    const json_int_t status = json_integer_value(json_object_get(entry, "http_status"));
    const json_int_t rows = json_integer_value(json_object_get(entry, "rows"));
    if (action == NULL || strcmp(action, "model.infer") != 0 || status != 200) {
        diag_set(diag, "entry %llu is no call of a model that was answered",
                 (unsigned long long)r->entry);
        FAIL(INPUT);
    }
    if (r->row > (uint64_t)rows) {
        diag_set(diag, "the call of entry %llu has %lld rows", (unsigned long long)r->entry,
                 (long long)rows);
        FAIL(INPUT);
    }
    *ret_entry = MOVE(entry);
    return OK;
}

/* What the entry says about the call, beside the review. */
static struct status
copy_call(const json_t *entry, json_t *record)
{
    static const struct {
        const char *from, *to;
    } members[] = {{"id", "call"},
                   {"time", "call_time"},
                   {"resource", "resource"},
                   {"model_version", "model_version"},
                   {"model_sha256", "model_sha256"},
                   {"request_sha256", "request_sha256"},
                   {"response_sha256", "response_sha256"},
                   {"explanation_sha256", "explanation_sha256"}};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        json_t *value = json_object_get(entry, members[i].from);
        if (value != NULL) {
            TRY(js_set(record, members[i].to, json_incref(value)));
        }
    }
    return OK;
}

struct status
review_add(struct workspace *w, const struct review *r, struct diag *diag, json_t **ret_review)
{
    char name[32], reason[128];
    DEFER(js_freep) json_t *entry = NULL;
    TRY(check(r, diag));
    TRY(find_call(w, r, diag, &entry));
    DEFER(js_freep)
    json_t *record = json_pack("{s:I, s:s, s:s, s:s, s:s, s:s*}", "entry", (json_int_t)r->entry,
                               "ground", r->ground, "outcome", r->outcome, "reviewer", r->reviewer,
                               "reason", r->reason, "decision", r->decision);
    CHECK(record != NULL, MEMORY);
    if (r->row > 0) {
        TRY(js_set(record, "row", json_integer((json_int_t)r->row)));
    }
    TRY(copy_call(entry, record));
    /* Names sort as the entries do. */
    (void)snprintf(name, sizeof name, "%020llu", (unsigned long long)r->entry);
    (void)snprintf(reason, sizeof reason, "decision of entry %llu reviewed: %s, %s",
                   (unsigned long long)r->entry, r->ground, r->outcome);
    return records_put(w, RECORD_REVIEW, name, json_incref(record), reason, diag, ret_review);
}

/* ---- list ---- */

struct listing {
    const char *model;
    json_t *list;
};

static struct status
take_review(void *ctx, const char *name, uint64_t version, const json_t *record)
{
    (void)name, (void)version;
    const struct listing *l = ctx;
    const char *resource = json_string_value(json_object_get(record, "resource"));
    const bool is_of =
        l->model == NULL || (resource != NULL && strncmp(resource, "models/", 7) == 0 &&
                             strcmp(resource + 7, l->model) == 0);
    CHECK(!is_of || json_array_append_new(l->list, json_deep_copy(record)) == 0, MEMORY);
    return OK;
}

struct status
review_list(struct workspace *w, const char *model, json_t **ret_list)
{
    DEFER(js_freep) json_t *list = json_array();
    CHECK(list != NULL, MEMORY);
    struct listing l = {.model = model, .list = list};
    TRY(records_each(w, RECORD_REVIEW, take_review, &l));
    *ret_list = MOVE(list);
    return OK;
}
