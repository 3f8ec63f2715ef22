#include "base/clock.h"
#include "base/text.h"
#include "govern/policy_parts.h"

#include <stdio.h>
#include <string.h>

#define BLOCK 32u /* resources */

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

/* Some resources that an assignment is about. */
struct some {
    const struct policy_resource *resources[BLOCK];
    const struct policy_cell *cells[BLOCK];
    size_t count;
};

static void
judge(const struct policy_assignment *a, const struct some *s, int64_t now_ns,
      enum policy_outcome ret_outcomes[static BLOCK])
{
    const struct policy *p = a->policy;
    const uint64_t all = s->count < 64 ? (UINT64_C(1) << s->count) - 1 : UINT64_MAX;
    const struct policy_truths applies =
        p->where == NULL ? (struct policy_truths){all, 0}
                         : policy_condition_holds_of(p->where, a->values, s->cells, all, now_ns);
    /* Where it is open whether it applies, only that it would comply is certain of both. */
    const struct policy_truths wrong =
        policy_condition_holds_of(p->when, a->values, s->cells, applies.yes, now_ns);
    for (size_t i = 0; i < s->count; i++) {
        const uint64_t bit = UINT64_C(1) << i;
        ret_outcomes[i] = (applies.no & bit) != 0  ? POLICY_NOT_APPLICABLE
                          : (wrong.yes & bit) != 0 ? POLICY_NON_COMPLIANT
                          : (wrong.no & bit) != 0  ? POLICY_COMPLIANT
                                                   : POLICY_NOT_EVALUABLE;
    }
}

/* An assignment with its place among the findings. */
struct placed {
    const struct policy_assignment *assignment;
    struct policy_type type;
    bool held;                   /* the state has all resources of the type */
    bool everywhere;             /* its scope is the workspace */
    size_t count;                /* findings of resources */
    struct policy_finding *next; /* where its next one goes */
};

static bool
is_about(const struct placed *p, const struct policy_resource *r)
{
    return p->held && r->type.first == p->type.first &&
           (p->everywhere || scope_has(p->assignment->scope, r));
}

/* Whatever the state has: most are about all of the workspace. */
static bool
is_about_same(const struct placed *a, const struct placed *b)
{
    return a->everywhere && b->everywhere && a->type.first == b->type.first;
}

/* before: the one before it, if there is one. */
static void
place_one(const struct policy_assignment *a, const struct policy_state *s,
          const struct placed *before, struct placed *ret_placed)
{
    struct placed p = {.assignment = a, .everywhere = strcmp(a->scope, "workspace") == 0};
    (void)policy_type_find(a->policy->type, &p.type);
    for (size_t i = 0; i < s->hold_count; i++) {
        p.held = p.held || s->holds[i].first == p.type.first;
    }
    if (before != NULL && is_about_same(before, &p)) {
        p.count = before->count;
    } else {
        for (size_t i = 0; i < s->count; i++) {
            p.count += is_about(&p, &s->resources[i]);
        }
    }
    *ret_placed = p;
}

static struct policy_finding
find(const struct policy_question *q, const struct policy_assignment *a,
     const struct policy_resource *r, enum policy_outcome outcome)
{
    struct policy_finding f = {.assignment = a, .resource = r->document, .outcome = outcome};
    const struct policy_exemption *e =
        f.outcome == POLICY_NON_COMPLIANT ? find_exemption(q, a, r) : NULL;
    if (e != NULL) {
        f.outcome = POLICY_EXEMPT;
        f.until_ns = e->until_ns;
    }
    return f;
}

/* Those that it is about among resources from..to. */
static void
gather(const struct placed *p, const struct policy_resource *from, const struct policy_resource *to,
       struct some *ret_some)
{
    size_t n = 0;
    for (const struct policy_resource *r = from; r < to; r++) {
        if (is_about(p, r)) {
            ret_some->resources[n] = r;
            ret_some->cells[n++] = r->cells;
        }
    }
    ret_some->count = n;
}

/* Of one block. */
static void
find_some(const struct policy_question *q, const struct policy_resource *from,
          const struct policy_resource *to, struct placed *placed, size_t n)
{
    struct some some = {.count = 0};
    const struct placed *before = NULL;
    for (size_t k = 0; k < n; k++) {
        struct placed *p = &placed[k];
        enum policy_outcome found[BLOCK];
        if (!p->held) {
            continue;
        }
        if (before == NULL || !is_about_same(before, p)) {
            gather(p, from, to, &some);
        }
        before = p;
        judge(p->assignment, &some, q->now_ns, found);
        for (size_t i = 0; i < some.count; i++) {
            *p->next++ = find(q, p->assignment, some.resources[i], found[i]);
        }
    }
}

/* Resources some at a time, so that their cells are in the cache for every assignment. */
static void
find_all(const struct policy_question *q, const struct policy_state *s, struct placed *placed,
         size_t n)
{
    for (size_t from = 0; from < s->count; from += BLOCK) {
        const size_t to = from + BLOCK < s->count ? from + BLOCK : s->count;
        find_some(q, s->resources + from, s->resources + to, placed, n);
    }
}

/* The places of all findings; of an assignment without a resource there is one. */
static size_t
place_all(const struct policy_question *q, const struct policy_state *s, struct placed *ret_placed,
          size_t *ret_findings)
{
    size_t n = 0, findings = 0;
    for (size_t i = 0; i < q->assignment_count; i++) {
        if (q->assignments[i].effect != POLICY_DISABLED) {
            place_one(&q->assignments[i], s, n > 0 ? &ret_placed[n - 1] : NULL, &ret_placed[n]);
            findings += ret_placed[n].count > 0 ? ret_placed[n].count : 1;
            n++;
        }
    }
    *ret_findings = findings;
    return n;
}

struct status
policy_evaluate(const struct policy_question *q, const struct policy_state *state,
                struct policy_finding **ret_findings, size_t *ret_count)
{
    size_t count = 0;
    DEFER(memory_freep) struct placed *placed = calloc(q->assignment_count + 1, sizeof *placed);
    CHECK(placed != NULL, MEMORY);
    const size_t n = place_all(q, state, placed, &count);
    struct policy_finding *all = malloc((count + 1) * sizeof *all), *next = all;
    CHECK(all != NULL, MEMORY);
    for (size_t k = 0; k < n; k++) {
        struct placed *p = &placed[k];
        p->next = next;
        next += p->count > 0 ? p->count : 1;
        if (p->count == 0) {
            *p->next = (struct policy_finding){.assignment = p->assignment,
                                               .outcome = p->held ? POLICY_NOT_APPLICABLE
                                                                  : POLICY_NOT_EVALUABLE};
        }
    }
    find_all(q, state, placed, n);
    *ret_findings = all;
    *ret_count = count;
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
