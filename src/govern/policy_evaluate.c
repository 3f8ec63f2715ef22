#include "base/clock.h"
#include "base/text.h"
#include "govern/policy_parts.h"

#include <stdio.h>
#include <string.h>

#define FIRST_MAX (1u << 18) /* findings that room is made for at once */

static const char *const outcomes[POLICY_OUTCOMES] = {"compliant", "non-compliant", "exempt",
                                                      "not-applicable", "not-evaluable"};

const char *
policy_outcome_word(enum policy_outcome o)
{
    return outcomes[o];
}

/* ---- whom an assignment is about ---- */

static bool
scope_has(const char *scope, const struct policy_resource *r)
{
    bool found = false;
    if (strcmp(scope, "workspace") == 0) {
        return true;
    }
    const json_t *list = json_object_get(r->document, "scope");
    for (size_t i = 0; i < json_array_size(list) && !found; i++) {
        const char *s = json_string_value(json_array_get(list, i));
        found = s != NULL && strcmp(s, scope) == 0;
    }
    return found;
}

/* "TYPE/NAME" */
static bool
is_named(const char *text, const struct policy_resource *r)
{
    const char *type = r->type.first->type;
    const size_t n = strlen(type);
    return strncmp(text, type, n) == 0 && text[n] == '/' &&
           strcmp(text + n + 1, json_string_value(json_object_get(r->document, "name"))) == 0;
}

static const struct policy_exemption *
find_exemption(const struct policy_question *q, const struct policy_assignment *a,
               const struct policy_resource *r)
{
    const struct policy_exemption *found = NULL;
    for (size_t i = 0; i < q->exemption_count; i++) {
        const struct policy_exemption *e = &q->exemptions[i];
        const bool holds = q->now_ns < e->until_ns && strcmp(e->assignment, a->name) == 0 &&
                           (is_named(e->resource, r) || scope_has(e->resource, r));
        if (holds && (found == NULL || e->until_ns > found->until_ns)) {
            found = e;
        }
    }
    return found;
}

/* ---- findings ---- */

static enum policy_outcome
judge(const struct policy_assignment *a, const struct policy_cell *cells, int64_t now_ns)
{
    const struct policy *p = a->policy;
    const enum policy_truth applies =
        p->where == NULL ? POLICY_TRUE : policy_condition_holds(p->where, a->values, cells, now_ns);
    if (applies == POLICY_FALSE) {
        return POLICY_NOT_APPLICABLE;
    }
    const enum policy_truth wrong = policy_condition_holds(p->when, a->values, cells, now_ns);
    /* Where it is open whether it applies, only that it would comply is certain of both. */
    if (applies == POLICY_UNKNOWN || wrong == POLICY_UNKNOWN) {
        return POLICY_NOT_EVALUABLE;
    }
    return wrong == POLICY_TRUE ? POLICY_NON_COMPLIANT : POLICY_COMPLIANT;
}

struct gathering {
    struct policy_finding *all;
    size_t count, room, first;
};

static struct status
add(struct gathering *g, const struct policy_finding *f)
{
    if (g->count == g->room) {
        const size_t room = g->room == 0 ? g->first : 2 * g->room;
        struct policy_finding *grown = realloc(g->all, room * sizeof *grown);
        CHECK(grown != NULL, MEMORY);
        g->all = grown;
        g->room = room;
    }
    g->all[g->count++] = *f;
    return OK;
}

static struct status
evaluate_one(const struct policy_question *q, const struct policy_assignment *a,
             const struct policy_state *s, struct gathering *g)
{
    size_t found = 0;
    bool held = false;
    struct policy_type type;
    (void)policy_type_find(a->policy->type, &type);
    for (size_t i = 0; i < s->hold_count; i++) {
        held = held || s->holds[i].first == type.first;
    }
    for (size_t i = 0; held && i < s->count; i++) {
        const struct policy_resource *r = &s->resources[i];
        if (r->type.first != type.first || !scope_has(a->scope, r)) {
            continue;
        }
        struct policy_finding f = {
            .assignment = a, .resource = r->document, .outcome = judge(a, r->cells, q->now_ns)};
        const struct policy_exemption *e =
            f.outcome == POLICY_NON_COMPLIANT ? find_exemption(q, a, r) : NULL;
        if (e != NULL) {
            f.outcome = POLICY_EXEMPT;
            f.until_ns = e->until_ns;
        }
        TRY(add(g, &f));
        found++;
    }
    const struct policy_finding none = {
        .assignment = a, .outcome = held ? POLICY_NOT_APPLICABLE : POLICY_NOT_EVALUABLE};
    return found > 0 ? OK : add(g, &none);
}

struct status
policy_evaluate(const struct policy_question *q, const struct policy_state *state,
                struct policy_finding **ret_findings, size_t *ret_count)
{
    const size_t most = q->assignment_count * (state->count + 1) + 1;
    struct gathering g = {.first = most < FIRST_MAX ? most : FIRST_MAX};
    struct status s = OK;
    for (size_t i = 0; i < q->assignment_count && status_ok(s); i++) {
        if (q->assignments[i].effect != POLICY_DISABLED) {
            s = evaluate_one(q, &q->assignments[i], state, &g);
        }
    }
    if (!status_ok(s)) {
        free(g.all);
        return s;
    }
    *ret_findings = g.all;
    *ret_count = g.count;
    return OK;
}

/* ---- as people read them ---- */

struct seeing {
    const json_t *fields;
    json_t *seen, *missing;
    bool failed;
};

static void
see(void *ctx, const struct policy_field *field)
{
    struct seeing *s = ctx;
    json_t *v = json_object_get(s->fields, field->name);
    bool twice = v != NULL && json_object_get(s->seen, field->name) != NULL;
    for (size_t i = 0; v == NULL && i < json_array_size(s->missing); i++) {
        twice = twice || strcmp(json_string_value(json_array_get(s->missing, i)), field->name) == 0;
    }
    if (!twice) {
        s->failed |= v != NULL ? json_object_set(s->seen, field->name, v) != 0
                               : json_array_append_new(s->missing, json_string(field->name)) != 0;
    }
}

static struct status
put_seen(const struct policy_finding *f, json_t *o)
{
    struct seeing s = {json_object_get(f->resource, "fields"), json_object(), json_array(), false};
    TRY(js_set(o, "fields", s.seen));
    TRY(js_set(o, "missing", s.missing));
    if (f->resource != NULL) {
        policy_condition_each(f->assignment->policy->where, see, &s);
        policy_condition_each(f->assignment->policy->when, see, &s);
    }
    CHECK(!s.failed, MEMORY);
    return OK;
}

void
policy_finding_resource(const struct policy_finding *f, char ret_text[static POLICY_RESOURCE_MAX])
{
    (void)snprintf(ret_text, POLICY_RESOURCE_MAX, "%s/%s", f->assignment->policy->type,
                   json_string_value(json_object_get(f->resource, "name")));
}

struct status
policy_finding_to_json(const struct policy_finding *f, json_t **ret_object)
{
    const struct policy_assignment *a = f->assignment;
    const struct policy *p = a->policy;
    char name[POLICY_RESOURCE_MAX] = "";
    DEFER(js_freep)
    json_t *o = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "assignment", a->name, "policy",
        p->id, "policy_version", p->version, "policy_digest", p->digest_hex, "title", p->title,
        "severity", policy_severity_word(p->severity), "category", p->category, "scope", a->scope,
        "effect", policy_effect_word(a->effect), "type", p->type, "outcome", outcomes[f->outcome]);
    CHECK(o != NULL, MEMORY);
    if (f->resource != NULL) {
        policy_finding_resource(f, name);
    }
    TRY(js_set(o, "resource", f->resource == NULL ? json_null() : json_string(name)));
    if (f->outcome == POLICY_EXEMPT) {
        TRY(js_set(o, "until", js_time(f->until_ns)));
    }
    if (f->outcome == POLICY_EXEMPT || f->outcome == POLICY_NON_COMPLIANT) {
        TRY(js_set(o, "message", json_string(p->message)));
        TRY(p->remedy == NULL ? OK : js_set(o, "remedy", json_string(p->remedy)));
    }
    TRY(put_seen(f, o));
    *ret_object = MOVE(o);
    return OK;
}

#define SEEN_MAX 160u /* of one value in a sentence */

void
policy_finding_put(const struct policy_finding *f, struct buf *ret_text)
{
    DEFER(js_freep) json_t *o = json_object();
    const char *key = NULL;
    json_t *value = NULL;
    bool first = true;
    char name[POLICY_RESOURCE_MAX];
    policy_finding_resource(f, name);
    buf_printf(ret_text, "policy %s (assignment %s): %s; %s", f->assignment->policy->id,
               f->assignment->name, f->assignment->policy->message, name);
    if (o == NULL || !status_ok(put_seen(f, o))) {
        return;
    }
    json_object_foreach(json_object_get(o, "fields"), key, value)
    {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
        buf_printf(ret_text, "%s %s %.*s", first ? " has" : ",", key, (int)SEEN_MAX,
                   text == NULL ? "?" : text);
        free(text);
        first = false;
    }
}
