#include "workspace/erasure_replay.h"

#include "base/json.h"
#include "base/text.h"
#include "govern/note.h"
#include "workspace/dataset_subjects.h"
#include "workspace/erasure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMED_MOST 4194304u /* as many as one list may have */

struct named {
    char dataset[64];
    struct digest subject;
};

struct reading {
    struct named *named;
    size_t count, room;
    struct diag *diag;
};

static void
reading_done(struct reading *r)
{
    free(r->named);
}

/* ---- the log ---- */

/* "subject=HEX rows=N erasure begins" or "... erased already", as erasure.c writes them: in both
 * cases who it is has been erased. */
static bool
read_reason(const char *reason, struct digest *ret_subject)
{
    static const char before[] = "subject=", between[] = " rows=";
    const char *hex = reason + strlen(before);
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, DIGEST_BYTES);
    if (strncmp(reason, before, strlen(before)) != 0 || strlen(hex) < 2 * DIGEST_BYTES ||
        !status_ok(text_from_hex(view_of(hex, 2 * DIGEST_BYTES), &bytes)) ||
        bytes.len != DIGEST_BYTES ||
        strncmp(hex + 2 * DIGEST_BYTES, between, strlen(between)) != 0) {
        return false;
    }
    const char *rest = hex + 2 * DIGEST_BYTES + strlen(between);
    rest += strspn(rest, "0123456789");
    memcpy(ret_subject->bytes, bytes.ptr, DIGEST_BYTES);
    return strcmp(rest, " erasure begins") == 0 || strcmp(rest, " erased already") == 0;
}

static struct status
add_named(struct reading *r, const char *dataset, const struct digest *subject)
{
    if (r->count == r->room) {
        const size_t room = r->room == 0 ? 64 : 2 * r->room;
        CHECK(room <= NAMED_MOST, LIMIT);
        struct named *more = realloc(r->named, room * sizeof *more);
        CHECK(more != NULL, MEMORY);
        r->named = more;
        r->room = room;
    }
    text_copy(r->named[r->count].dataset, sizeof r->named->dataset, dataset);
    r->named[r->count++].subject = *subject;
    return OK;
}

static struct status
take_entry(void *ctx, uint64_t index, struct view entry)
{
    struct reading *r = ctx;
    struct digest subject;
    DEFER(js_freep) json_t *e = NULL;
    (void)index;
    TRY(js_parse(entry, "entry", r->diag, &e));
    const char *action = json_string_value(json_object_get(e, "action"));
    const char *decision = json_string_value(json_object_get(e, "decision"));
    const char *resource = json_string_value(json_object_get(e, "resource"));
    const char *reason = json_string_value(json_object_get(e, "reason"));
    const bool erasure = action != NULL && strcmp(action, ERASURE_ACTION) == 0 &&
                         decision != NULL && strcmp(decision, "allow") == 0 && reason != NULL &&
                         resource != NULL && strncmp(resource, "datasets/", 9) == 0 &&
                         text_is_name(resource + 9);
    return erasure && read_reason(reason, &subject) ? add_named(r, resource + 9, &subject) : OK;
}

/* Signed by this workspace, whole, and long enough. */
static struct status
check_log(struct workspace *w, const char *log, uint64_t least, struct diag *diag,
          struct audit_report *ret_report)
{
    uint8_t public_key[VAULT_PUBLIC_BYTES];
    struct note_key key;
    struct audit_fault fault = {0};
    DEFER(buf_done) struct buf vkey;
    buf_init(&vkey, 512);
    vault_public_key(w->vault, public_key);
    TRY(note_key_make(w->origin, public_key, diag, &key));
    note_put_vkey(&key, &vkey);
    const struct status s = audit_verify(log, buf_str(&vkey), &fault, ret_report);
    if (!status_ok(s)) {
        diag_set(diag, "%s: not a log that this workspace signed, or a changed one: %s", log,
                 fault.text);
        return s;
    }
    if (ret_report->entries + ret_report->pending < least) {
        diag_set(diag,
                 "%s ends after %llu entries, before the backup was made (%llu): erasures after "
                 "that are not in it; give a later copy",
                 log, (unsigned long long)(ret_report->entries + ret_report->pending),
                 (unsigned long long)least);
        FAIL(INPUT);
    }
    return OK;
}

static int
compare(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    const int order = strcmp(x->dataset, y->dataset);
    return order != 0 ? order : memcmp(x->subject.bytes, y->subject.bytes, DIGEST_BYTES);
}

/* Sorted, each once. */
static void
sort(struct reading *r)
{
    size_t kept = 0;
    if (r->count > 0) {
        qsort(r->named, r->count, sizeof *r->named, compare);
    }
    for (size_t i = 0; i < r->count; i++) {
        if (kept == 0 || compare(&r->named[kept - 1], &r->named[i]) != 0) {
            r->named[kept++] = r->named[i];
        }
    }
    r->count = kept;
}

/* ---- erasing ---- */

static struct status
erase_of(struct workspace *w, const struct named *named, size_t count, struct diag *diag,
         uint64_t *erased)
{
    bool exist = false;
    DEFER(memory_freep) struct digest *subjects = calloc(count, sizeof *subjects);
    CHECK(subjects != NULL, MEMORY);
    TRY(dataset_subjects_exist(w, named->dataset, &exist));
    for (size_t i = 0; i < count; i++) {
        subjects[i] = named[i].subject;
    }
    for (size_t at = 0; exist && at < count; at += ERASURE_MOST) {
        const size_t n = count - at < ERASURE_MOST ? count - at : ERASURE_MOST;
        uint64_t now = 0;
        TRY(erasure_again(w, named->dataset, subjects + at, n, diag, &now));
        *erased += now;
    }
    return OK;
}

static struct status
tell(struct workspace *w, const struct audit_report *report, const struct erasures *done,
     struct diag *diag)
{
    char reason[256];
    DEFER(buf_done) struct buf root;
    buf_init(&root, 128);
    digest_put_hex(&root, &report->root);
    (void)snprintf(reason, sizeof reason,
                   "erasures of a log of %llu entries, root %.64s: persons named %llu, erased here "
                   "again %llu",
                   (unsigned long long)done->entries, buf_str(&root),
                   (unsigned long long)done->named, (unsigned long long)done->erased);
    const struct workspace_act act = {
        .action = ERASURE_ACTION, .resource = "datasets", .reason = reason};
    return workspace_audit(w, &act, diag);
}

struct status
erasure_replay(struct workspace *w, const char *log, uint64_t least, struct diag *diag,
               struct erasures *ret_done)
{
    DEFER(reading_done) struct reading r = {.diag = diag};
    struct audit_report report = {0};
    TRY(check_log(w, log, least, diag, &report));
    const uint64_t entries = report.entries + report.pending;
    TRY(audit_each(log, 0, entries, take_entry, &r, diag));
    sort(&r);
    struct erasures done = {.entries = entries, .named = r.count};
    for (size_t at = 0, n = 0; at < r.count; at += n) {
        for (n = 1; at + n < r.count && strcmp(r.named[at].dataset, r.named[at + n].dataset) == 0;
             n++) {
        }
        TRY(erase_of(w, &r.named[at], n, diag, &done.erased));
    }
    TRY(tell(w, &report, &done, diag));
    *ret_done = done;
    return OK;
}
