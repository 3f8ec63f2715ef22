/* What did not comply at the last look, by assignment, in the store: {"stamp", "compliant_since",
 * "resources": {"TYPE/NAME": {"outcome", "since"}}}. So that a change of it is told once, whoever
 * looks. */
#include "workspace/policies_parts.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define RECORD_MAX (4u << 20)
#define RESOURCES_MAX 10000u /* that are kept of one assignment */
#define ENTRIES_MAX 100u     /* of one assignment at one look */
#define SENTENCE_MAX 900u

struct tracking {
    struct workspace *w;
    const struct policies *policies;
    const struct policy_assignment *assignment;
    struct diag *diag;
    void (*told)(void *ctx, bool drifted, const char *sentence);
    void *ctx;
    json_t *old, *fresh; /* resources */
    bool known;          /* it has been looked at before */
    bool dry;
    size_t changed, drifted, entries;
};

static json_t *
now_text(void)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 64);
    clock_put_rfc3339(&text, clock_wall_ns());
    return json_string(buf_str(&text));
}

/* ---- one change ---- */

static struct status
tell(struct tracking *t, const char *resource, const char *before, const char *now,
     const struct policy_finding *f)
{
    char about[96];
    DEFER(buf_done) struct buf text;
    buf_init(&text, SENTENCE_MAX); /* what does not fit is cut */
    const bool drifted = t->known && strcmp(now, "non-compliant") == 0;
    t->changed++;
    t->drifted += drifted;
    if (t->dry || t->entries++ >= ENTRIES_MAX) {
        return OK;
    }
    buf_printf(&text, "%s: %s, before %s", resource, now, t->known ? before : "not looked at");
    if (f != NULL && strcmp(now, "compliant") != 0) {
        buf_put_str(&text, "; ");
        policy_finding_put(f, &text);
    }
    (void)snprintf(about, sizeof about, "policies/%.63s", t->assignment->name);
    const struct workspace_act act = {
        .action = "policy.state", .resource = about, .reason = buf_str(&text)};
    TRY(workspace_audit(t->w, &act, t->diag));
    if (t->told != NULL) {
        t->told(t->ctx, drifted, buf_str(&text));
    }
    return OK;
}

static const char *
outcome_of(const json_t *entry)
{
    const char *o = json_string_value(json_object_get(entry, "outcome"));
    return o == NULL ? "compliant" : o;
}

static struct status
take(struct tracking *t, const struct policy_finding *f)
{
    char name[POLICY_RESOURCE_MAX];
    const char *now = policy_outcome_word(f->outcome);
    policy_finding_resource(f, name);
    json_t *entry = json_object_get(t->old, name);
    if (f->outcome == POLICY_NOT_EVALUABLE) { /* what was known of it stands */
        CHECK(entry == NULL || json_object_set(t->fresh, name, entry) == 0, MEMORY);
        return OK;
    }
    const bool wrong = f->outcome == POLICY_NON_COMPLIANT || f->outcome == POLICY_EXEMPT;
    if (!wrong) {
        return entry == NULL ? OK : tell(t, name, outcome_of(entry), now, f);
    }
    if (entry != NULL && strcmp(outcome_of(entry), now) == 0) {
        CHECK(json_object_set(t->fresh, name, entry) == 0, MEMORY);
        return OK;
    }
    if (json_object_size(t->fresh) < RESOURCES_MAX) {
        TRY(js_set(t->fresh, name, json_pack("{s:s, s:o}", "outcome", now, "since", now_text())));
    }
    return tell(t, name, outcome_of(entry), now, f);
}

/* ---- one assignment ---- */

static struct status
read_old(struct tracking *t, json_t **ret_record)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, RECORD_MAX);
    const struct status s =
        store_get(t->w->store, POLICY_STATES, t->assignment->name, t->diag, &text, NULL);
    if (s.code == STATUS_NOT_FOUND) {
        *ret_record = json_object();
        CHECK(*ret_record != NULL, MEMORY);
        return OK;
    }
    TRY(s);
    return js_parse(buf_view(&text), t->assignment->name, t->diag, ret_record);
}

static struct status
write_fresh(const struct tracking *t, const json_t *record)
{
    const bool all = json_object_size(t->fresh) == 0,
               before = t->known && json_object_size(t->old) == 0;
    json_t *since = json_object_get(record, "compliant_since");
    DEFER(buf_done) struct buf value;
    buf_init(&value, RECORD_MAX);
    DEFER(js_freep)
    json_t *o = json_pack("{s:s, s:O, s:o}", "stamp", policies_stamp(t->policies, t->assignment),
                          "resources", t->fresh, "compliant_since",
                          !all                      ? json_null()
                          : before && since != NULL ? json_incref(since)
                                                    : now_text());
    CHECK(o != NULL, MEMORY);
    TRY(js_put(&value, o));
    return store_put(t->w->store, POLICY_STATES, t->assignment->name, buf_view(&value), STORE_ANY,
                     t->diag);
}

/* Where the state holds none of the type, what was known stands. */
static bool
is_open(const struct policy_finding *f)
{
    return f->resource == NULL && f->outcome == POLICY_NOT_EVALUABLE;
}

static struct status
track_one(struct tracking *t, const struct policy_finding *all, size_t n)
{
    DEFER(js_freep) json_t *record = NULL;
    DEFER(js_freep) json_t *none = json_object();
    DEFER(js_freep) json_t *fresh = json_object();
    CHECK(none != NULL && fresh != NULL, MEMORY);
    TRY(read_old(t, &record));
    const char *stamp = json_string_value(json_object_get(record, "stamp"));
    t->known = stamp != NULL && strcmp(stamp, policies_stamp(t->policies, t->assignment)) == 0;
    json_t *old = t->known ? json_object_get(record, "resources") : NULL;
    t->old = old == NULL ? none : old;
    t->fresh = fresh;
    t->entries = 0;
    if (is_open(&all[0])) {
        return OK;
    }
    const size_t before = t->changed;
    for (size_t i = 0; i < n; i++) {
        TRY(all[i].resource == NULL ? OK : take(t, &all[i]));
    }
    const bool same =
        t->known && t->changed == before && json_object_size(t->fresh) == json_object_size(t->old);
    t->changed += !same && t->changed == before;
    return same || t->dry ? OK : write_fresh(t, record);
}

struct status
policies_track(struct workspace *w, const struct policies *p, const struct policies_found *f,
               void (*told)(void *ctx, bool drifted, const char *sentence), void *ctx,
               struct diag *diag, size_t *ret_changed, size_t *ret_drifted, bool dry)
{
    struct tracking t = {.w = w, .policies = p, .diag = diag, .told = told, .ctx = ctx, .dry = dry};
    for (size_t i = 0, n = 0; i < f->count; i += n) {
        for (n = 1; i + n < f->count && f->all[i + n].assignment == f->all[i].assignment; n++) {
        }
        t.assignment = f->all[i].assignment;
        TRY(track_one(&t, &f->all[i], n));
    }
    *ret_changed = t.changed;
    *ret_drifted = t.drifted;
    return OK;
}

/* ---- a look ---- */

static void
count(const struct policies_found *f, struct policies_tally *ret_tally)
{
    for (size_t i = 0; i < f->count; i++) {
        ret_tally->of[f->all[i].outcome]++;
    }
}

/* Another may have looked meanwhile: what is kept is read again, within the transaction. */
static struct status
keep(struct workspace *w, const struct policies *p, const struct policies_found *f,
     void (*told)(void *ctx, bool drifted, const char *sentence), void *ctx, struct diag *diag,
     size_t *ret_drifted)
{
    size_t changed = 0;
    TRY(store_begin(w->store, diag));
    const struct status s = policies_track(w, p, f, told, ctx, diag, &changed, ret_drifted, false);
    if (!status_ok(s)) {
        store_rollback(w->store);
        return s;
    }
    return store_commit(w->store, diag);
}

struct status
policies_look(struct workspace *w, const json_t *also,
              void (*told)(void *ctx, bool drifted, const char *sentence), void *ctx,
              struct diag *diag, struct policies_tally *ret_tally)
{
    DEFER(policies_freep) struct policies *p = NULL;
    DEFER(policies_found_done) struct policies_found f = {0};
    struct policies_tally tally = {0};
    size_t changed = 0;
    json_t *document = NULL;
    TRY(policies_read(w, diag, &p));
    if (p->count > 0) {
        TRY(policy_gather(w, also, diag, &document));
        TRY(policies_evaluate(p, document, diag, &f));
        count(&f, &tally);
        TRY(policies_track(w, p, &f, NULL, NULL, diag, &changed, &tally.drifted, true));
    }
    if (changed > 0) {
        TRY(keep(w, p, &f, told, ctx, diag, &tally.drifted));
    }
    *ret_tally = tally;
    return OK;
}
