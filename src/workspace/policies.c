#include "workspace/policies_parts.h"

#include "base/clock.h"
#include "base/embedded.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define ARENA_MAX (256u << 20)
#define RECORD_MAX (512u << 10)

/* ---- built-in definitions ---- */

const char *
policy_built_in(const char *id)
{
    for (const struct embedded *e = embedded_policies; e->name != NULL; e++) {
        if (strcmp(e->name, id) == 0) {
            return (const char *)e->text.ptr;
        }
    }
    return NULL;
}

/* ---- reading what is kept ---- */

/* {"policy", "text", "scope", "parameters", "by", "why", "assigned"} under the assignment's name.
 */
static struct status
read_assignment(struct policies *p, const char *id, json_t *record)
{
    const char *text = NULL, *scope = NULL;
    struct policy *policy = NULL;
    TRY(js_need_string(record, "text", p->diag, &text));
    TRY(js_need_string(record, "scope", p->diag, &scope));
    if (p->count == p->room) {
        const size_t room = p->room == 0 ? 16 : 2 * p->room;
        struct policy_assignment *all = realloc(p->assignments, room * sizeof *all);
        CHECK(all != NULL, MEMORY);
        p->assignments = all;
        json_t **records = realloc(p->records, room * sizeof *records);
        CHECK(records != NULL, MEMORY);
        p->records = records;
        p->room = room;
    }
    TRY(policy_read(view_str(text), id, p->diag, &policy));
    const struct status s = policy_assign(policy, id, scope, json_object_get(record, "parameters"),
                                          p->arena, p->diag, &p->assignments[p->count]);
    if (!status_ok(s)) {
        policy_free(policy);
        return s;
    }
    p->records[p->count++] = json_incref(record);
    return OK;
}

static struct status
take_assignment(void *ctx, const char *id, struct view value)
{
    struct policies *p = ctx;
    DEFER(js_freep) json_t *record = NULL;
    TRY(js_parse(value, id, p->diag, &record));
    return read_assignment(p, id, record);
}

/* {"assignment", "resource", "until", "by", "why", "made"} */
static struct status
take_exemption(void *ctx, const char *id, struct view value)
{
    struct policies *p = ctx;
    json_t *record = NULL;
    const char *assignment = NULL, *resource = NULL, *until = NULL;
    struct policy_exemption e = {0};
    TRY(js_parse(value, id, p->diag, &record));
    CHECK(json_array_append_new(p->exempted, record) == 0, MEMORY);
    TRY(js_need_string(record, "assignment", p->diag, &assignment));
    TRY(js_need_string(record, "resource", p->diag, &resource));
    TRY(js_need_string(record, "until", p->diag, &until));
    TRY(clock_from_rfc3339(view_str(until), &e.until_ns));
    text_copy(e.assignment, sizeof e.assignment, assignment);
    text_copy(e.resource, sizeof e.resource, resource);
    if (p->exemption_count == p->exemption_room) {
        const size_t room = p->exemption_room == 0 ? 16 : 2 * p->exemption_room;
        struct policy_exemption *all = realloc(p->exemptions, room * sizeof *all);
        CHECK(all != NULL, MEMORY);
        p->exemptions = all;
        p->exemption_room = room;
    }
    p->exemptions[p->exemption_count++] = e;
    return OK;
}

void
policies_free(struct policies *p)
{
    if (p == NULL) {
        return;
    }
    for (size_t i = 0; i < p->count; i++) {
        policy_free((struct policy *)(uintptr_t)p->assignments[i].policy);
        json_decref(p->records[i]);
    }
    free(p->assignments);
    free(p->records);
    free(p->exemptions);
    json_decref(p->exempted);
    arena_free(p->arena);
    free(p);
}

struct status
policies_read(struct workspace *w, struct diag *diag, struct policies **ret_policies)
{
    DEFER(policies_freep) struct policies *p = calloc(1, sizeof *p);
    CHECK(p != NULL, MEMORY);
    p->arena = arena_new(ARENA_MAX);
    p->exempted = json_array();
    p->diag = diag;
    CHECK(p->arena != NULL && p->exempted != NULL, MEMORY);
    TRY(store_each(w->store, POLICY_ASSIGNMENTS, take_assignment, p, diag));
    TRY(store_each(w->store, POLICY_EXEMPTIONS, take_exemption, p, diag));
    p->diag = NULL;
    *ret_policies = MOVE(p);
    return OK;
}

const char *
policies_stamp(const struct policies *p, const struct policy_assignment *a)
{
    const char *text =
        json_string_value(json_object_get(p->records[a - p->assignments], "assigned"));
    return text == NULL ? "" : text;
}

/* ---- evaluating ---- */

void
policies_found_done(struct policies_found *f)
{
    free(f->all);
    policy_state_free(f->state);
    json_decref(f->document);
}

struct status
policies_evaluate(const struct policies *p, json_t *document, struct diag *diag,
                  struct policies_found *ret_found)
{
    DEFER(policies_found_done) struct policies_found f = {.document = document};
    const struct policy_question q = {.assignments = p->assignments,
                                      .assignment_count = p->count,
                                      .exemptions = p->exemptions,
                                      .exemption_count = p->exemption_count,
                                      .now_ns = clock_wall_ns()};
    TRY(policy_state_read(document, diag, &f.state));
    TRY(policy_evaluate(&q, f.state, &f.all, &f.count));
    *ret_found = f;
    f = (struct policies_found){0};
    return OK;
}

static struct status
put_counts(const struct policies_found *f, json_t *report)
{
    size_t of[POLICY_OUTCOMES] = {0};
    json_t *counts = json_object();
    TRY(js_set(report, "counts", counts));
    for (size_t i = 0; i < f->count; i++) {
        of[f->all[i].outcome]++;
    }
    for (unsigned o = 0; o < POLICY_OUTCOMES; o++) {
        TRY(js_set(counts, policy_outcome_word((enum policy_outcome)o),
                   json_integer((json_int_t)of[o])));
    }
    return OK;
}

/* kept: of the assignment of the finding before; they stand side by side. */
static struct status
add_finding(struct workspace *w, const struct policies *p, const struct policies_found *f, size_t i,
            json_t **kept, json_t *findings, struct diag *diag)
{
    json_t *o = NULL;
    if (i == 0 || f->all[i].assignment != f->all[i - 1].assignment) {
        json_decref(*kept);
        *kept = NULL;
        TRY(policies_kept(w, p, f->all[i].assignment, diag, kept));
    }
    TRY(policy_finding_to_json(&f->all[i], &o));
    CHECK(json_array_append_new(findings, o) == 0, MEMORY);
    return policies_put_since(*kept, &f->all[i], o);
}

struct status
policies_check(struct workspace *w, const json_t *also, struct diag *diag, json_t **ret_report)
{
    DEFER(policies_freep) struct policies *p = NULL;
    DEFER(policies_found_done) struct policies_found f = {0};
    DEFER(js_freep) json_t *kept = NULL;
    json_t *document = NULL, *findings = json_array();
    DEFER(js_freep) json_t *report = json_pack("{s:o}", "findings", findings);
    CHECK(report != NULL, MEMORY);
    TRY(policies_read(w, diag, &p));
    TRY(policy_gather(w, also, diag, &document));
    TRY(policies_evaluate(p, document, diag, &f));
    for (size_t i = 0; i < f.count; i++) {
        TRY(add_finding(w, p, &f, i, &kept, findings, diag));
    }
    TRY(js_set(report, "time", js_time(clock_wall_ns())));
    TRY(js_set(report, "assignments", json_integer((json_int_t)p->count)));
    TRY(put_counts(&f, report));
    *ret_report = MOVE(report);
    return OK;
}

struct status
policy_note_backup(struct workspace *w, struct diag *diag)
{
    DEFER(buf_done) struct buf value;
    DEFER(js_freep) json_t *o = json_object();
    buf_init(&value, RECORD_MAX);
    CHECK(o != NULL, MEMORY);
    TRY(js_set(o, "made", js_time(clock_wall_ns())));
    TRY(js_put(&value, o));
    return store_put(w->store, POLICY_NOTES, "backup", buf_view(&value), STORE_ANY, diag);
}

/* ---- assigning ---- */

static struct status
check_why(const char *why, struct diag *diag)
{
    if (why != NULL && (strlen(why) > POLICIES_WHY_MAX || !text_is_utf8(view_str(why)))) {
        diag_set(diag, "the reason: a text of at most %u bytes", POLICIES_WHY_MAX);
        FAIL(INPUT);
    }
    return OK;
}

struct status
policies_put(struct workspace *w, const struct policy_assignment *a, struct view text,
             const json_t *parameters, const char *why, struct diag *diag)
{
    DEFER(buf_done) struct buf value;
    buf_init(&value, RECORD_MAX);
    DEFER(js_freep)
    json_t *o =
        json_pack("{s:s, s:s%, s:s, s:s, s:s*, s:o, s:O*}", "policy", a->policy->id, "text",
                  (const char *)text.ptr, text.len, "scope", a->scope, "by", w->principal, "why",
                  why, "assigned", js_time(clock_wall_ns()), "parameters", parameters);
    CHECK(o != NULL, MEMORY);
    TRY(js_put(&value, o));
    return store_put(w->store, POLICY_ASSIGNMENTS, a->name, buf_view(&value), STORE_ANY, diag);
}

/* Those that are there, but the one that is replaced, and the new one do not set each other off. */
static struct status
check_cycles(const struct policies *p, const struct policy_assignment *a, struct diag *diag)
{
    DEFER(memory_freep)
    struct policy_assignment *all = calloc(p->count + 1, sizeof *all);
    size_t n = 0;
    CHECK(all != NULL, MEMORY);
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->assignments[i].name, a->name) != 0) {
            all[n++] = p->assignments[i];
        }
    }
    all[n++] = *a;
    if (n > POLICIES_MAX) {
        diag_set(diag, "more than %u policies are assigned", POLICIES_MAX);
        FAIL(LIMIT);
    }
    return policy_check_cycles(all, n, diag);
}

struct status
policies_assign(struct workspace *w, const struct policies_assign_options *o, struct diag *diag)
{
    DEFER(policy_freep) struct policy *policy = NULL;
    DEFER(policies_freep) struct policies *p = NULL;
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct policy_assignment a;
    char resource[96], reason[640];
    CHECK(arena != NULL, MEMORY);
    TRY(check_why(o->why, diag));
    TRY(policy_read(o->text, o->file, diag, &policy));
    TRY(policy_assign(policy, o->name == NULL ? policy->id : o->name,
                      o->scope == NULL ? "workspace" : o->scope, o->parameters, arena, diag, &a));
    (void)snprintf(resource, sizeof resource, "policies/%.63s", a.name);
    (void)snprintf(reason, sizeof reason, "policy %s %s sha256 %.16s on %s, effect %s%s%s",
                   policy->id, policy->version, policy->digest_hex, a.scope,
                   policy_effect_word(a.effect), o->why == NULL ? "" : ": ",
                   o->why == NULL ? "" : o->why);
    const struct workspace_act act = {
        .action = "policy.assign", .resource = resource, .reason = reason};
    TRY(workspace_begin(w, diag));
    struct status s = policies_read(w, diag, &p);
    s = status_ok(s) ? check_cycles(p, &a, diag) : s;
    s = status_ok(s) ? policies_put(w, &a, o->text, o->parameters, o->why, diag) : s;
    return workspace_settle(w, s, &act, diag);
}

/* ---- unassigning, exempting ---- */

/* One record for an assignment and a resource: its id is a digest, since the resource is longer
 * than an id may be. */
static void
exemption_id(const char *assignment, const char *resource, char ret_id[static 65])
{
    struct digest d;
    DEFER(buf_done) struct buf text;
    DEFER(buf_done) struct buf hex;
    buf_init(&text, 1024);
    buf_init(&hex, 128);
    buf_printf(&text, "%s\n%s", assignment, resource);
    digest_of(buf_view(&text), &d);
    digest_put_hex(&hex, &d);
    (void)snprintf(ret_id, 65, "%s", buf_str(&hex));
}

static struct status
need_assignment(const struct policies *p, const char *name, struct diag *diag,
                const struct policy_assignment **ret_assignment)
{
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->assignments[i].name, name) == 0) {
            *ret_assignment = &p->assignments[i];
            return OK;
        }
    }
    diag_set(diag, "no assignment \"%.63s\"; \"steward policy list\" shows them", name);
    FAIL(NOT_FOUND);
}

static struct status
remove_all(struct workspace *w, const struct policies *p, const char *name, struct diag *diag)
{
    const struct policy_assignment *a = NULL;
    TRY(need_assignment(p, name, diag, &a));
    TRY(store_delete(w->store, POLICY_ASSIGNMENTS, name, diag));
    for (size_t i = 0; i < p->exemption_count; i++) {
        char id[65];
        exemption_id(p->exemptions[i].assignment, p->exemptions[i].resource, id);
        TRY(strcmp(p->exemptions[i].assignment, name) == 0
                ? store_delete(w->store, POLICY_EXEMPTIONS, id, diag)
                : OK);
    }
    return policies_untrack(w, p, a, diag);
}

struct status
policies_unassign(struct workspace *w, const char *name, const char *why, struct diag *diag)
{
    DEFER(policies_freep) struct policies *p = NULL;
    char resource[96], reason[320];
    TRY(check_why(why, diag));
    (void)snprintf(resource, sizeof resource, "policies/%.63s", name);
    (void)snprintf(reason, sizeof reason, "no longer assigned%s%s", why == NULL ? "" : ": ",
                   why == NULL ? "" : why);
    const struct workspace_act act = {
        .action = "policy.unassign", .resource = resource, .reason = reason};
    TRY(workspace_begin(w, diag));
    struct status s = policies_read(w, diag, &p);
    s = status_ok(s) ? remove_all(w, p, name, diag) : s;
    return workspace_settle(w, s, &act, diag);
}

static struct status
put_exemption(struct workspace *w, const char *name, const char *resource, int64_t until_ns,
              const char *why, struct diag *diag)
{
    char id[65];
    DEFER(policies_freep) struct policies *p = NULL;
    DEFER(buf_done) struct buf value;
    buf_init(&value, RECORD_MAX);
    const struct policy_assignment *a = NULL;
    TRY(policies_read(w, diag, &p));
    TRY(need_assignment(p, name, diag, &a));
    DEFER(js_freep)
    json_t *o = json_pack("{s:s, s:s, s:o, s:s, s:s, s:o}", "assignment", name, "resource",
                          resource, "until", js_time(until_ns), "by", w->principal, "why", why,
                          "made", js_time(clock_wall_ns()));
    CHECK(o != NULL, MEMORY);
    exemption_id(name, resource, id);
    TRY(js_put(&value, o));
    return store_put(w->store, POLICY_EXEMPTIONS, id, buf_view(&value), STORE_ANY, diag);
}

struct status
policies_exempt(struct workspace *w, const char *name, const char *resource, int64_t until_ns,
                const char *why, struct diag *diag)
{
    char about[96], reason[800];
    DEFER(buf_done) struct buf until;
    buf_init(&until, 64);
    TRY(check_why(why, diag));
    if (why == NULL || strlen(why) < 10) {
        diag_set(diag, "an exemption needs a reason of 10 to %u bytes", POLICIES_WHY_MAX);
        FAIL(INPUT);
    }
    if (strlen(resource) >= POLICY_RESOURCE_MAX || !text_is_utf8(view_str(resource)) ||
        (strchr(resource, '/') == NULL && strcmp(resource, "workspace") != 0)) {
        diag_set(diag, "resource \"%.80s\": TYPE/NAME as findings have it, or workspace", resource);
        FAIL(INPUT);
    }
    clock_put_rfc3339(&until, until_ns);
    (void)snprintf(about, sizeof about, "policies/%.63s", name);
    (void)snprintf(reason, sizeof reason, "%s exempt until %.19sZ: %s", resource, buf_str(&until),
                   why);
    const struct workspace_act act = {
        .action = "policy.exempt", .resource = about, .reason = reason};
    TRY(workspace_begin(w, diag));
    return workspace_settle(w, put_exemption(w, name, resource, until_ns, why, diag), &act, diag);
}

/* ---- the list ---- */

static const char *
origin_of(const struct policy *p)
{
    struct digest d;
    const char *text = policy_built_in(p->id);
    if (text == NULL) {
        return "own";
    }
    digest_of(view_str(text), &d);
    return memcmp(d.bytes, p->digest.bytes, sizeof d.bytes) == 0 ? "current" : "older";
}

static struct status
list_one(const struct policies *p, size_t i, json_t *list)
{
    const struct policy_assignment *a = &p->assignments[i];
    const json_t *r = p->records[i], *e = NULL;
    json_t *exemptions = json_array();
    size_t k = 0;
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "assignment", a->name,
                          "policy", a->policy->id, "version", a->policy->version, "digest",
                          a->policy->digest_hex, "title", a->policy->title, "scope", a->scope,
                          "effect", policy_effect_word(a->effect), "built_in", origin_of(a->policy),
                          "exemptions", exemptions);
    CHECK(json_array_append_new(list, o) == 0, MEMORY);
    static const char *const members[] = {"parameters", "by", "why", "assigned"};
    for (size_t m = 0; m < sizeof members / sizeof *members; m++) {
        json_t *v = json_object_get(r, members[m]);
        TRY(js_set(o, members[m], v == NULL ? json_null() : json_incref(v)));
    }
    json_array_foreach(p->exempted, k, e)
    {
        if (strcmp(json_string_value(json_object_get(e, "assignment")), a->name) == 0) {
            CHECK(json_array_append(exemptions, (json_t *)(uintptr_t)e) == 0, MEMORY);
        }
    }
    return OK;
}

struct status
policies_list(struct workspace *w, struct diag *diag, json_t **ret_list)
{
    DEFER(policies_freep) struct policies *p = NULL;
    DEFER(js_freep) json_t *list = json_array();
    CHECK(list != NULL, MEMORY);
    TRY(policies_read(w, diag, &p));
    for (size_t i = 0; i < p->count; i++) {
        TRY(list_one(p, i, list));
    }
    *ret_list = MOVE(list);
    return OK;
}
