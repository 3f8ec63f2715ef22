/* What policies do about a change. Before it (within its transaction) what does not comply is
 * noted; after it what does not comply and did, or was not there, is the change's doing. An
 * assignment that was not there before, or another then, refuses nothing: the state was not
 * measured by it. */
#include "workspace/policies_parts.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define ROUNDS_MAX 8u /* in which what is modified and deployed must come to rest */

/* ---- what is noted ---- */

static void
key_of(const struct policy_finding *f, char ret_key[static POLICY_NAME_MAX + POLICY_RESOURCE_MAX])
{
    char name[POLICY_RESOURCE_MAX];
    policy_finding_resource(f, name);
    (void)snprintf(ret_key, POLICY_NAME_MAX + POLICY_RESOURCE_MAX, "%s %s", f->assignment->name,
                   name);
}

static bool
is_wrong(const struct policy_finding *f)
{
    return f->outcome == POLICY_NON_COMPLIANT && f->resource != NULL;
}

/* {"assigned": {NAME: stamp}, "wrong": {"NAME TYPE/NAME": true}} */
static struct status
note(const struct policies *p, const struct policies_found *f, json_t **ret_note)
{
    json_t *assigned = json_object(), *wrong = json_object();
    DEFER(js_freep)
    json_t *o = json_pack("{s:o, s:o}", "assigned", assigned, "wrong", wrong);
    CHECK(o != NULL, MEMORY);
    for (size_t i = 0; i < p->count; i++) {
        TRY(js_set(assigned, p->assignments[i].name,
                   json_string(policies_stamp(p, &p->assignments[i]))));
    }
    for (size_t i = 0; i < f->count; i++) {
        char key[POLICY_NAME_MAX + POLICY_RESOURCE_MAX];
        if (is_wrong(&f->all[i])) {
            key_of(&f->all[i], key);
            TRY(js_set(wrong, key, json_true()));
        }
    }
    *ret_note = MOVE(o);
    return OK;
}

static bool
is_new(const struct policies *p, const json_t *before, const struct policy_finding *f)
{
    char key[POLICY_NAME_MAX + POLICY_RESOURCE_MAX];
    const char *stamp = json_string_value(
        json_object_get(json_object_get(before, "assigned"), f->assignment->name));
    if (!is_wrong(f) || stamp == NULL || strcmp(stamp, policies_stamp(p, f->assignment)) != 0) {
        return false;
    }
    key_of(f, key);
    return json_object_get(json_object_get(before, "wrong"), key) == NULL;
}

struct status
policies_before(struct workspace *w, struct diag *diag)
{
    DEFER(policies_freep) struct policies *p = NULL;
    DEFER(policies_found_done) struct policies_found f = {0};
    json_t *document = NULL;
    policies_forget(w);
    TRY(policies_read(w, diag, &p));
    if (p->count == 0) {
        return OK;
    }
    TRY(policy_gather(w, NULL, diag, &document));
    TRY(policies_evaluate(p, document, diag, &f));
    return note(p, &f, &w->before);
}

void
policies_forget(struct workspace *w)
{
    json_decref(w->before);
    w->before = NULL;
}

/* ---- deny ---- */

static struct status
refuse(const struct policy_finding *f, struct diag *diag)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, sizeof diag->text - 32); /* what does not fit is cut */
    policy_finding_put(f, &text);
    diag_set(diag, "denied by %s", buf_str(&text));
    FAIL(DENIED);
}

static struct status
refuse_new(const struct policies *p, const json_t *before, const struct policies_found *f,
           struct diag *diag)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->all[i].assignment->effect == POLICY_DENY && is_new(p, before, &f->all[i])) {
            return refuse(&f->all[i], diag);
        }
    }
    return OK;
}

/* ---- modify ---- */

static const struct policy_value *
value_of(const struct policy_assignment *a, const struct policy_set *s)
{
    return s->to.parameter < 0 ? &s->to : &a->values[s->to.parameter];
}

static struct status
tell(struct workspace *w, const char *action, const struct policy_finding *f, const char *what,
     struct diag *diag)
{
    char resource[96], reason[512];
    (void)snprintf(resource, sizeof resource, "policies/%.63s", f->assignment->name);
    (void)snprintf(reason, sizeof reason, "%s: policy %s: %.200s", what, f->assignment->policy->id,
                   f->assignment->policy->message);
    const struct workspace_act act = {.action = action, .resource = resource, .reason = reason};
    TRY(workspace_audit(w, &act, diag));
    if (w->tell != NULL) {
        w->tell(w->tell_ctx, false, reason);
    }
    return OK;
}

/* The fields of the store that can be set: a row each. */
static struct status
set_expires(struct workspace *w, const char *id, const json_t *fields,
            const struct policy_value *to, struct diag *diag)
{
    const char *issued = NULL;
    int64_t from_ns = 0;
    TRY(js_need_string(fields, "issued", diag, &issued));
    TRY(clock_from_rfc3339(view_str(issued), &from_ns));
    return access_key_expire(w->access, id, from_ns + (int64_t)(to->number * 1e9), diag);
}

static const struct {
    const char *type, *field;
    struct status (*set)(struct workspace *w, const char *name, const json_t *fields,
                         const struct policy_value *to, struct diag *diag);
} records[] = {{"api-key", "expires", set_expires}};

static struct status
modify(struct workspace *w, const struct policy_finding *f, struct diag *diag)
{
    const struct policy *p = f->assignment->policy;
    char name[POLICY_RESOURCE_MAX], what[POLICY_RESOURCE_MAX + 160];
    policy_finding_resource(f, name);
    for (size_t i = 0; i < p->set_count; i++) {
        const struct policy_value *to = value_of(f->assignment, &p->sets[i]);
        for (size_t k = 0; k < sizeof records / sizeof *records; k++) {
            if (strcmp(records[k].type, p->type) == 0 &&
                strcmp(records[k].field, p->sets[i].field->name) == 0) {
                TRY(records[k].set(w, name + strlen(p->type) + 1,
                                   json_object_get(f->resource, "fields"), to, diag));
                (void)snprintf(what, sizeof what, "%s of %s set to %.100s", records[k].field, name,
                               to->text);
                TRY(tell(w, "policy.modify", f, what, diag));
            }
        }
    }
    return OK;
}

/* ---- deploy ---- */

static bool
is_assigned(const struct policies *p, const char *id)
{
    bool found = false;
    for (size_t i = 0; i < p->count; i++) {
        found = found || strcmp(p->assignments[i].policy->id, id) == 0;
    }
    return found;
}

/* The built-in policy of that id, with its defaults, at the same scope. */
static struct status
deploy(struct workspace *w, const struct policies *p, const struct policy_finding *f,
       struct diag *diag, bool *ret_changed)
{
    const char *id = f->assignment->policy->deploy_policy, *text = policy_built_in(id);
    DEFER(policy_freep) struct policy *policy = NULL;
    DEFER(arena_freep) struct arena *arena = arena_new(1u << 20);
    struct policy_assignment a;
    char what[200];
    CHECK(arena != NULL, MEMORY);
    if (is_assigned(p, id)) {
        return OK;
    }
    if (text == NULL) {
        diag_set(diag, "policy %s deploys \"%.60s\": there is no built-in policy of that id",
                 f->assignment->policy->id, id);
        FAIL(INPUT);
    }
    TRY(policy_read(view_str(text), id, diag, &policy));
    TRY(policy_assign(policy, id, f->assignment->scope, NULL, arena, diag, &a));
    TRY(policies_put(w, &a, view_str(text), NULL, "deployed by a policy", diag));
    (void)snprintf(what, sizeof what, "policy %s assigned on %s", id, a.scope);
    *ret_changed = true;
    return tell(w, "policy.deploy", f, what, diag);
}

/* ---- after a change ---- */

static struct status
act_on(struct workspace *w, const struct policies *p, const struct policies_found *f,
       struct diag *diag, bool *ret_changed)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct policy_finding *at = &f->all[i];
        const bool wrong = is_wrong(at);
        if (wrong && at->assignment->effect == POLICY_DEPLOY &&
            at->assignment->policy->deploy_policy != NULL) {
            TRY(deploy(w, p, at, diag, ret_changed));
        }
        if (at->assignment->effect == POLICY_MODIFY && is_new(p, w->before, at) &&
            at->assignment->policy->sets[0].field->settable == POLICY_RECORD) {
            TRY(modify(w, at, diag));
            *ret_changed = true;
        }
    }
    return OK;
}

/* One round; *ret_changed: something was set or deployed, and it must be looked at again. */
static struct status
go_round(struct workspace *w, struct diag *diag, bool *ret_changed)
{
    DEFER(policies_freep) struct policies *p = NULL;
    DEFER(policies_found_done) struct policies_found f = {0};
    json_t *document = NULL;
    struct policies_tracked tracked = {0};
    TRY(policies_read(w, diag, &p));
    if (p->count == 0) {
        return OK;
    }
    TRY(policy_gather(w, NULL, diag, &document));
    TRY(policies_evaluate(p, document, diag, &f));
    TRY(act_on(w, p, &f, diag, ret_changed));
    if (*ret_changed) {
        return OK;
    }
    TRY(refuse_new(p, w->before, &f, diag));
    return policies_track(w, p, &f, w->tell, w->tell_ctx, diag, false, &tracked);
}

struct status
policies_after(struct workspace *w, struct diag *diag)
{
    bool changed = true;
    for (unsigned i = 0; i < ROUNDS_MAX && changed; i++) {
        changed = false;
        TRY(go_round(w, diag, &changed));
    }
    if (changed) {
        diag_set(diag,
                 "the policies do not come to rest: what one sets, another sets anew, or what "
                 "is set does not comply; nothing was changed");
        FAIL(DENIED);
    }
    return OK;
}

/* ---- what is not the store's ---- */

struct foreseen {
    const char *type, *name;
    const json_t *fields;
};

static bool
is_foreseen(const struct foreseen *f, const json_t *resource)
{
    const char *name = json_string_value(json_object_get(resource, "name"));
    const size_t n = strlen(f->name);
    return strcmp(json_string_value(json_object_get(resource, "type")), f->type) == 0 &&
           strncmp(name, f->name, n) == 0 && (name[n] == '\0' || name[n] == '@');
}

static struct status
patch(json_t *document, const struct foreseen *f)
{
    json_t *r = NULL;
    size_t i = 0;
    json_array_foreach(json_object_get(document, "resources"), i, r)
    {
        if (is_foreseen(f, r)) {
            CHECK(json_object_update(json_object_get(r, "fields"),
                                     (json_t *)(uintptr_t)f->fields) == 0,
                  MEMORY);
        }
    }
    return OK;
}

static struct status
foresee(struct workspace *w, const struct foreseen *of, struct diag *diag)
{
    DEFER(policies_freep) struct policies *p = NULL;
    DEFER(policies_found_done) struct policies_found old = {0}, now = {0};
    DEFER(js_freep) json_t *before = NULL;
    json_t *document = NULL, *changed = NULL;
    TRY(policies_read(w, diag, &p));
    if (p->count == 0) {
        return OK;
    }
    TRY(policy_gather(w, NULL, diag, &document));
    changed = json_deep_copy(document);
    TRY(policies_evaluate(p, document, diag, &old));
    TRY(note(p, &old, &before));
    TRY(patch(changed, of));
    TRY(policies_evaluate(p, changed, diag, &now));
    return refuse_new(p, before, &now, diag);
}

struct status
policies_foresee(struct workspace *w, const char *type, const char *name, const json_t *fields,
                 const struct workspace_act *act, struct diag *diag)
{
    const struct foreseen f = {type, name, fields};
    return workspace_tell_failure(w, act->action, act->resource, foresee(w, &f, diag), diag);
}

/* ---- the configuration ---- */

static struct status
look(struct workspace *w, const json_t *also, struct diag *diag, struct policies **ret_policies,
     struct policies_found *ret_found)
{
    json_t *document = NULL;
    TRY(policies_read(w, diag, ret_policies));
    if ((*ret_policies)->count == 0) {
        return OK;
    }
    TRY(policy_gather(w, also, diag, &document));
    return policies_evaluate(*ret_policies, document, diag, ret_found);
}

static void
put_setting(const struct policy_finding *f, const struct policy_set *s,
            struct policies_setting *ret_setting)
{
    const struct policy_value *to = value_of(f->assignment, s);
    text_copy(ret_setting->key, sizeof ret_setting->key, s->field->name);
    text_copy(ret_setting->value, sizeof ret_setting->value, to->text);
    (void)snprintf(ret_setting->sentence, sizeof ret_setting->sentence,
                   "%s set to %.100s: policy %s (assignment %s): %.200s", s->field->name, to->text,
                   f->assignment->policy->id, f->assignment->name, f->assignment->policy->message);
}

struct status
policies_settings(struct workspace *w, const json_t *also, struct diag *diag,
                  struct policies_setting *ret_settings, size_t *ret_count)
{
    DEFER(policies_freep) struct policies *p = NULL;
    DEFER(policies_found_done) struct policies_found f = {0};
    size_t n = 0;
    TRY(look(w, also, diag, &p, &f));
    for (size_t i = 0; i < f.count; i++) {
        const struct policy_assignment *a = f.all[i].assignment;
        const bool sets = a->effect == POLICY_MODIFY || a->effect == POLICY_DEPLOY;
        for (size_t k = 0; is_wrong(&f.all[i]) && sets && k < a->policy->set_count; k++) {
            if (a->policy->sets[k].field->settable == POLICY_SETTING && n < POLICIES_SETTINGS_MAX) {
                put_setting(&f.all[i], &a->policy->sets[k], &ret_settings[n++]);
            }
        }
    }
    *ret_count = n;
    return OK;
}

static bool
is_of(const json_t *also, const struct policy_finding *f)
{
    const json_t *r = NULL;
    size_t i = 0;
    json_array_foreach(json_object_get(also, "resources"), i, r)
    {
        if (r == f->resource) {
            return true;
        }
    }
    return false;
}

struct status
policies_allow(struct workspace *w, const json_t *also, struct diag *diag)
{
    DEFER(policies_freep) struct policies *p = NULL;
    DEFER(policies_found_done) struct policies_found f = {0};
    TRY(look(w, also, diag, &p, &f));
    for (size_t i = 0; i < f.count; i++) {
        if (is_wrong(&f.all[i]) && f.all[i].assignment->effect == POLICY_DENY &&
            is_of(also, &f.all[i])) {
            return refuse(&f.all[i], diag);
        }
    }
    return OK;
}
