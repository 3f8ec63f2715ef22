/* What did not comply at the last look, by assignment, in the store: {"stamp", "compliant_since",
 * "alerts", "resources": {"TYPE/NAME": {"outcome", "since", "alert"?}}}. So that a change of it is
 * told once, whoever looks. "alert": one is open; "alerts": how many were raised. */
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
    json_t *open;        /* of old, those with an alert that were not come by yet */
    bool known;          /* it has been looked at before */
    bool dry;
    size_t changed, drifted, entries;
    size_t raised, unsaid; /* alerts: now, of this assignment; and resources that share one */
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
tell_alert(struct tracking *t, bool raised, const char *resource, const char *sentence)
{
    char about[96];
    const struct policy *p = t->assignment->policy;
    const struct audit_alert alert = {policy_severity_word(p->severity), p->id, p->version,
                                      resource};
    (void)snprintf(about, sizeof about, "policies/%.63s", t->assignment->name);
    const struct workspace_act act = {.action = raised ? AUDIT_ALERT_RAISE : AUDIT_ALERT_CLEAR,
                                      .resource = about,
                                      .reason = sentence,
                                      .alert = &alert};
    return workspace_audit(t->w, &act, t->diag);
}

/* sentence: of the state that it is in now. */
static struct status
settle_alert(struct tracking *t, const char *resource, bool drifted, const char *sentence)
{
    const bool open = json_object_get(t->open, resource) != NULL;
    t->raised += drifted;
    if (t->dry || (!open && !drifted)) {
        return OK;
    }
    return tell_alert(t, drifted, resource, sentence);
}

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
    if (t->entries++ >= ENTRIES_MAX) {
        t->unsaid += drifted;
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
    TRY(t->dry ? OK : workspace_audit(t->w, &act, t->diag));
    TRY(settle_alert(t, resource, drifted, buf_str(&text)));
    if (t->told != NULL && !t->dry) {
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

/* It is in another state of those that do not comply than it was. */
static struct status
take_anew(struct tracking *t, const char *name, const json_t *entry, const struct policy_finding *f)
{
    const size_t raised = t->raised;
    const char *now = policy_outcome_word(f->outcome);
    TRY(tell(t, name, outcome_of(entry), now, f));
    json_t *o = json_pack("{s:s, s:o}", "outcome", now, "since", now_text());
    TRY(js_set(t->fresh, name, o));
    return t->raised > raised ? js_set(o, "alert", json_true()) : OK;
}

static struct status
take_known(struct tracking *t, const char *name, const struct policy_finding *f)
{
    const char *now = policy_outcome_word(f->outcome);
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
    return json_object_size(t->fresh) < RESOURCES_MAX ? take_anew(t, name, entry, f) : OK;
}

static struct status
take(struct tracking *t, const struct policy_finding *f)
{
    char name[POLICY_RESOURCE_MAX];
    policy_finding_resource(f, name);
    TRY(take_known(t, name, f));
    (void)json_object_del(t->open, name);
    return OK;
}

/* Those that are left of open. */
static struct status
clear_all(struct tracking *t, const char *why)
{
    const char *name = NULL;
    json_t *entry = NULL;
    char sentence[POLICY_RESOURCE_MAX + 80];
    json_object_foreach(t->open, name, entry)
    {
        (void)snprintf(sentence, sizeof sentence, "%s: %s", name, why);
        TRY(t->dry ? OK : tell_alert(t, false, name, sentence));
        t->changed++;
    }
    CHECK(json_object_clear(t->open) == 0, MEMORY);
    return OK;
}

/* More than there are entries of at one look have one together. */
static struct status
tell_unsaid(struct tracking *t)
{
    char sentence[200];
    if (t->unsaid == 0) {
        return OK;
    }
    t->raised++;
    (void)snprintf(sentence, sizeof sentence,
                   "%zu more resources no longer comply; steward policy check shows them",
                   t->unsaid);
    return t->dry ? OK : tell_alert(t, true, NULL, sentence);
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

/* How many were raised since the assignment was made. */
static size_t
alerts_of(const struct tracking *t, const json_t *record)
{
    const json_int_t before = t->known ? json_integer_value(json_object_get(record, "alerts")) : 0;
    return (size_t)before + t->raised;
}

static size_t
open_alerts(const json_t *resources)
{
    const char *name = NULL;
    json_t *entry = NULL;
    size_t n = 0;
    json_object_foreach((json_t *)(uintptr_t)resources, name, entry)
    {
        n += json_object_get(entry, "alert") != NULL;
    }
    return n;
}

static struct status
put_alerts(const struct tracking *t, const json_t *record, json_t *list)
{
    const struct policy *p = t->assignment->policy;
    CHECK(list == NULL ||
              json_array_append_new(
                  list, json_pack("{s:s, s:s, s:s, s:I, s:I}", "assignment", t->assignment->name,
                                  "policy", p->id, "severity", policy_severity_word(p->severity),
                                  "open", (json_int_t)open_alerts(t->fresh), "total",
                                  (json_int_t)alerts_of(t, record))) == 0,
          MEMORY);
    return OK;
}

/* Those of the resources that have an alert. */
static struct status
copy_open(const json_t *resources, json_t *ret_open)
{
    const char *name = NULL;
    json_t *entry = NULL;
    json_object_foreach((json_t *)(uintptr_t)resources, name, entry)
    {
        const bool open = json_object_get(entry, "alert") != NULL;
        CHECK(!open || json_object_set(ret_open, name, entry) == 0, MEMORY);
    }
    return OK;
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
    json_t *o = json_pack("{s:s, s:O, s:I, s:o}", "stamp",
                          policies_stamp(t->policies, t->assignment), "resources", t->fresh,
                          "alerts", (json_int_t)alerts_of(t, record), "compliant_since",
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
take_all(struct tracking *t, const struct policy_finding *all, size_t n)
{
    if (is_open(&all[0])) {
        CHECK(json_object_update(t->fresh, t->old) == 0, MEMORY);
        return OK;
    }
    for (size_t i = 0; i < n; i++) {
        TRY(all[i].resource == NULL ? OK : take(t, &all[i]));
    }
    TRY(clear_all(t, "it is not there any more"));
    return tell_unsaid(t);
}

static struct status
track_one(struct tracking *t, const struct policy_finding *all, size_t n, json_t *alerts)
{
    DEFER(js_freep) json_t *record = NULL;
    DEFER(js_freep) json_t *none = json_object();
    DEFER(js_freep) json_t *fresh = json_object();
    DEFER(js_freep) json_t *open = json_object();
    CHECK(none != NULL && fresh != NULL && open != NULL, MEMORY);
    TRY(read_old(t, &record));
    const char *stamp = json_string_value(json_object_get(record, "stamp"));
    t->known = stamp != NULL && strcmp(stamp, policies_stamp(t->policies, t->assignment)) == 0;
    json_t *old = t->known ? json_object_get(record, "resources") : NULL;
    t->old = old == NULL ? none : old;
    t->fresh = fresh;
    t->open = open;
    t->entries = t->raised = t->unsaid = 0;
    const size_t before = t->changed;
    TRY(copy_open(json_object_get(record, "resources"), open));
    TRY(t->known ? OK : clear_all(t, "its policy was assigned anew"));
    TRY(take_all(t, all, n));
    TRY(put_alerts(t, record, alerts));
    const bool same = (t->known || is_open(&all[0])) && t->changed == before &&
                      json_object_size(t->fresh) == json_object_size(t->old);
    t->changed += !same && t->changed == before;
    return same || t->dry ? OK : write_fresh(t, record);
}

struct status
policies_track(struct workspace *w, const struct policies *p, const struct policies_found *f,
               void (*told)(void *ctx, bool drifted, const char *sentence), void *ctx,
               struct diag *diag, bool dry, struct policies_tracked *tracked)
{
    struct tracking t = {.w = w, .policies = p, .diag = diag, .told = told, .ctx = ctx, .dry = dry};
    for (size_t i = 0, n = 0; i < f->count; i += n) {
        for (n = 1; i + n < f->count && f->all[i + n].assignment == f->all[i].assignment; n++) {
        }
        t.assignment = f->all[i].assignment;
        TRY(track_one(&t, &f->all[i], n, tracked->alerts));
    }
    tracked->changed = t.changed;
    tracked->drifted = t.drifted;
    return OK;
}

struct status
policies_kept(struct workspace *w, const struct policies *p, const struct policy_assignment *a,
              struct diag *diag, json_t **ret_record)
{
    DEFER(js_freep) json_t *record = NULL;
    struct tracking t = {.w = w, .policies = p, .assignment = a, .diag = diag};
    TRY(read_old(&t, &record));
    const char *stamp = json_string_value(json_object_get(record, "stamp"));
    if (stamp == NULL || strcmp(stamp, policies_stamp(p, a)) != 0) {
        CHECK(json_object_clear(record) == 0, MEMORY);
    }
    *ret_record = MOVE(record);
    return OK;
}

struct status
policies_put_since(const json_t *kept, const struct policy_finding *f, json_t *finding)
{
    char name[POLICY_RESOURCE_MAX];
    if (f->resource == NULL) {
        return OK;
    }
    policy_finding_resource(f, name);
    const json_t *entry = json_object_get(json_object_get(kept, "resources"), name);
    const bool wrong = f->outcome == POLICY_NON_COMPLIANT || f->outcome == POLICY_EXEMPT;
    json_t *since = wrong ? json_object_get(entry, "since")
                    : f->outcome == POLICY_COMPLIANT
                        ? json_object_get(kept, "compliant_since") /* all of them */
                        : NULL;
    TRY(json_is_string(since) ? js_set(finding, "since", json_incref(since)) : OK);
    return wrong && json_object_get(entry, "alert") != NULL ? js_set(finding, "alert", json_true())
                                                            : OK;
}

struct status
policies_untrack(struct workspace *w, const struct policies *p, const struct policy_assignment *a,
                 struct diag *diag)
{
    DEFER(js_freep) json_t *record = NULL;
    DEFER(js_freep) json_t *open = json_object();
    struct tracking t = {.w = w, .policies = p, .assignment = a, .diag = diag, .open = open};
    CHECK(open != NULL, MEMORY);
    TRY(read_old(&t, &record));
    TRY(copy_open(json_object_get(record, "resources"), open));
    TRY(clear_all(&t, "its policy is no longer assigned"));
    const struct status s = store_delete(w->store, POLICY_STATES, a->name, diag);
    return s.code == STATUS_NOT_FOUND ? OK : s;
}

/* ---- a look ---- */

static void
count(const struct policies_found *f, struct policies_tally *ret_tally)
{
    for (size_t i = 0; i < f->count; i++) {
        ret_tally->of[f->all[i].outcome]++;
    }
}

void
policies_tally_done(struct policies_tally *t)
{
    json_decref(t->alerts);
    t->alerts = NULL;
}

/* Another may have looked meanwhile: what is kept is read again, within the transaction. */
static struct status
keep(struct workspace *w, const struct policies *p, const struct policies_found *f,
     void (*told)(void *ctx, bool drifted, const char *sentence), void *ctx, struct diag *diag,
     struct policies_tracked *tracked)
{
    CHECK(json_array_clear(tracked->alerts) == 0, MEMORY);
    TRY(store_begin(w->store, diag));
    const struct status s = policies_track(w, p, f, told, ctx, diag, false, tracked);
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
    DEFER(policies_tally_done) struct policies_tally tally = {.alerts = json_array()};
    struct policies_tracked tracked = {.alerts = tally.alerts};
    json_t *document = NULL;
    CHECK(tally.alerts != NULL, MEMORY);
    TRY(policies_read(w, diag, &p));
    if (p->count > 0) {
        TRY(policy_gather(w, also, diag, &document));
        TRY(policies_evaluate(p, document, diag, &f));
        count(&f, &tally);
        TRY(policies_track(w, p, &f, NULL, NULL, diag, true, &tracked));
    }
    if (tracked.changed > 0) {
        TRY(keep(w, p, &f, told, ctx, diag, &tracked));
    }
    tally.drifted = tracked.drifted;
    *ret_tally = tally;
    tally.alerts = NULL;
    return OK;
}
