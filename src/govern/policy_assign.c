#include "base/clock.h"
#include "base/text.h"
#include "govern/policy_parts.h"

#include <stdio.h>
#include <string.h>

/* ---- scopes ---- */

struct status
policy_scope_check(const char *scope, struct diag *diag)
{
    const bool model = strncmp(scope, "model/", 6) == 0,
               endpoint = strncmp(scope, "endpoint/", 9) == 0;
    if (strcmp(scope, "workspace") == 0 || (model && text_is_name(scope + 6)) ||
        (endpoint && text_is_name(scope + 9))) {
        return OK;
    }
    diag_set(diag, "scope \"%.80s\": write workspace, model/NAME or endpoint/NAME", scope);
    FAIL(INPUT);
}

/* An endpoint has its model's name. */
static bool
scopes_meet(const char *a, const char *b)
{
    const char *x = strchr(a, '/'), *y = strchr(b, '/');
    return x == NULL || y == NULL || strcmp(x, y) == 0;
}

/* ---- parameters ---- */

struct binding {
    const struct policy *policy;
    const struct policy_parameter *parameter;
    struct arena *arena;
    struct diag *diag;
};

static struct status
refuse_value(const struct binding *b, const char *text)
{
    diag_set(b->diag, "policy %s: parameter \"%s\": \"%.60s\" is not %s%s", b->policy->id,
             b->parameter->name, text, b->parameter->list ? "a list of values, each " : "",
             policy_kind_form(b->parameter->kind));
    FAIL(INPUT);
}

static struct status
refuse_choice(const struct binding *b, const char *text)
{
    DEFER(buf_done) struct buf all;
    buf_init(&all, 400); /* a list that does not fit is cut: it is a hint */
    for (size_t i = 0; i < b->parameter->allowed_count; i++) {
        buf_printf(&all, "%s%s", i == 0 ? "" : ", ", b->parameter->allowed[i].text);
    }
    diag_set(b->diag, "policy %s: parameter \"%s\": \"%.60s\" is not allowed; there is: %s",
             b->policy->id, b->parameter->name, text, buf_str(&all));
    FAIL(INPUT);
}

static struct status
bind_one(const struct binding *b, const json_t *v, struct policy_value *ret_value)
{
    char number[64] = "";
    const struct policy_parameter *p = b->parameter;
    const char *text = json_is_boolean(v)  ? (json_is_true(v) ? "true" : "false")
                       : json_is_string(v) ? json_string_value(v)
                                           : number;
    if (json_is_number(v)) {
        (void)snprintf(number, sizeof number, "%.17g", json_number_value(v));
    }
    text = arena_strdup(b->arena, view_str(text));
    CHECK(text != NULL, LIMIT);
    if (!policy_value_from_text(text, p->kind, ret_value)) {
        return refuse_value(b, text);
    }
    bool allowed = p->allowed_count == 0;
    for (size_t i = 0; i < p->allowed_count; i++) {
        allowed = allowed || policy_value_equal(ret_value, &p->allowed[i]);
    }
    return allowed ? OK : refuse_choice(b, text);
}

/* A list may be given as one text. */
static struct status
bind_list(const struct binding *b, const json_t *v, struct policy_value *ret_value)
{
    const size_t n = json_is_array(v) ? json_array_size(v) : 1;
    if (n == 0 || n > POLICY_LIST_MAX) {
        return refuse_value(b, "");
    }
    struct policy_value *items = arena_alloc(b->arena, n, sizeof *items);
    CHECK(items != NULL, LIMIT);
    for (size_t i = 0; i < n; i++) {
        TRY(bind_one(b, json_is_array(v) ? json_array_get(v, i) : v, &items[i]));
    }
    *ret_value = (struct policy_value){
        .kind = b->parameter->kind, .items = items, .count = n, .parameter = -1};
    return OK;
}

static struct status
bind(const struct binding *b, const json_t *parameters, struct policy_value *ret_value)
{
    const json_t *v = json_object_get(parameters, b->parameter->name);
    if (v != NULL) {
        return (b->parameter->list ? bind_list : bind_one)(b, v, ret_value);
    }
    if (!b->parameter->has_default) {
        diag_set(b->diag, "policy %s needs parameter \"%s\" (%s): %s", b->policy->id,
                 b->parameter->name, policy_kind_form(b->parameter->kind),
                 b->parameter->about == NULL ? "it has no default" : b->parameter->about);
        FAIL(INPUT);
    }
    *ret_value = b->parameter->initial;
    return OK;
}

static struct status
check_names(const struct policy *p, const json_t *parameters, struct diag *diag)
{
    const char *names[POLICY_PARAMETERS_MAX], *key = NULL;
    json_t *value = NULL;
    for (size_t i = 0; i < p->parameter_count; i++) {
        names[i] = p->parameters[i].name;
    }
    json_object_foreach((json_t *)(uintptr_t)parameters, key, value)
    {
        bool found = false;
        for (size_t i = 0; i < p->parameter_count; i++) {
            found = found || strcmp(names[i], key) == 0;
        }
        if (!found) {
            const char *near = text_nearest(key, names, p->parameter_count);
            diag_set(diag, "policy %s has no parameter \"%.60s\"%s%s%s", p->id, key,
                     near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
                     near == NULL ? "" : "\"?");
            FAIL(INPUT);
        }
    }
    return OK;
}

static enum policy_effect
effect_of(const char *word)
{
    enum policy_effect e = POLICY_AUDIT;
    while (strcmp(policy_effect_word(e), word) != 0) {
        e++;
    }
    return e;
}

struct status
policy_assign(const struct policy *p, const char *name, const char *scope, const json_t *parameters,
              struct arena *arena, struct diag *diag, struct policy_assignment *ret_assignment)
{
    struct policy_assignment a = {.policy = p, .effect = p->effect};
    if (!text_is_name(name)) {
        diag_set(diag, "assignment \"%.80s\": a name is 1 to 63 of a-z, 0-9, '.', '_', '-'", name);
        FAIL(INPUT);
    }
    TRY(policy_scope_check(scope, diag));
    TRY(check_names(p, parameters, diag));
    text_copy(a.name, sizeof a.name, name);
    text_copy(a.scope, sizeof a.scope, scope);
    for (size_t i = 0; i < p->parameter_count; i++) {
        const struct binding b = {p, &p->parameters[i], arena, diag};
        TRY(bind(&b, parameters, &a.values[i]));
    }
    if (p->effect_parameter >= 0) {
        a.effect = effect_of(a.values[p->effect_parameter].text);
    }
    *ret_assignment = a;
    return OK;
}

/* ---- cycles ---- */

struct looking {
    const struct policy_field *field;
    bool found;
};

static void
look(void *ctx, const struct policy_field *field)
{
    struct looking *l = ctx;
    l->found = l->found || field == l->field;
}

bool
policy_reads(const struct policy *p, const struct policy_field *field)
{
    struct looking l = {field, false};
    policy_condition_each(p->where, look, &l);
    policy_condition_each(p->when, look, &l);
    return l.found;
}

static bool
sets(const struct policy_assignment *a)
{
    return a->effect == POLICY_MODIFY || (a->effect == POLICY_DEPLOY && a->policy->set_count > 0);
}

static const struct policy_value *
value_of(const struct policy_assignment *a, const struct policy_set *s)
{
    return s->to.parameter < 0 ? &s->to : &a->values[s->to.parameter];
}

/* What a sets may make b act: b reads the field, and does not just set it to the same value. */
static bool
triggers(const struct policy_assignment *a, const struct policy_assignment *b)
{
    bool found = false;
    for (size_t i = 0; i < a->policy->set_count; i++) {
        const struct policy_set *s = &a->policy->sets[i];
        bool same = false;
        for (size_t k = 0; k < b->policy->set_count; k++) {
            const struct policy_set *t = &b->policy->sets[k];
            same = same ||
                   (t->field == s->field && policy_value_equal(value_of(a, s), value_of(b, t)));
        }
        found = found || (!same && policy_reads(b->policy, s->field));
    }
    return found && scopes_meet(a->scope, b->scope);
}

/* Two that set one field to two values would undo each other. */
static const struct policy_field *
quarrel(const struct policy_assignment *a, const struct policy_assignment *b)
{
    for (size_t i = 0; i < a->policy->set_count; i++) {
        for (size_t k = 0; k < b->policy->set_count; k++) {
            const struct policy_set *s = &a->policy->sets[i], *t = &b->policy->sets[k];
            if (s->field == t->field && !policy_value_equal(value_of(a, s), value_of(b, t))) {
                return s->field;
            }
        }
    }
    return NULL;
}

struct walk {
    const struct policy_assignment *all;
    size_t n;
    uint8_t *seen; /* 0: not yet; 1: on the way; 2: done */
    struct diag *diag;
};

static struct status
visit(const struct walk *w, size_t at)
{
    w->seen[at] = 1;
    for (size_t i = 0; i < w->n; i++) {
        if (i == at || !sets(&w->all[i]) || !triggers(&w->all[at], &w->all[i])) {
            continue;
        }
        if (w->seen[i] == 1) {
            diag_set(w->diag,
                     "assignments %s and %s set each other off: what one sets, the other reads and "
                     "sets anew",
                     w->all[i].name, w->all[at].name);
            FAIL(INPUT);
        }
        TRY(w->seen[i] == 0 ? visit(w, i) : OK);
    }
    w->seen[at] = 2;
    return OK;
}

static struct status
check_quarrels(const struct policy_assignment *all, size_t n, struct diag *diag)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = i + 1; k < n; k++) {
            const bool both =
                sets(&all[i]) && sets(&all[k]) && scopes_meet(all[i].scope, all[k].scope);
            const struct policy_field *f = both ? quarrel(&all[i], &all[k]) : NULL;
            if (f != NULL) {
                diag_set(diag, "assignments %s and %s set \"%s\" of a %s to two values",
                         all[i].name, all[k].name, f->name, f->type);
                FAIL(INPUT);
            }
        }
    }
    return OK;
}

struct status
policy_check_cycles(const struct policy_assignment *all, size_t n, struct diag *diag)
{
    DEFER(memory_freep) uint8_t *seen = calloc(n + 1, 1);
    CHECK(seen != NULL, MEMORY);
    const struct walk w = {all, n, seen, diag};
    TRY(check_quarrels(all, n, diag));
    for (size_t i = 0; i < n; i++) {
        TRY(sets(&all[i]) && seen[i] == 0 ? visit(&w, i) : OK);
    }
    return OK;
}

/* ---- examples ---- */

/* What such a resource would be called; scopes are not what examples are about. */
static struct status
make_state(const struct policy *p, const json_t *example, json_t **ret_document)
{
    *ret_document = json_pack("{s:[s], s:[{s:s, s:s, s:[], s:O}]}", "holds", p->type, "resources",
                              "type", p->type, "name", "example", "scope", "fields",
                              json_object_get(example, "fields"));
    CHECK(*ret_document != NULL, MEMORY);
    return OK;
}

static struct status
run_example(const struct policy *p, const json_t *example, int64_t now_ns, struct diag *diag,
            struct policy_example_result *ret_result)
{
    DEFER(arena_freep) struct arena *arena = arena_new(POLICY_TEXT_MAX * 4);
    DEFER(js_freep) json_t *document = NULL;
    DEFER(policy_state_freep) struct policy_state *state = NULL;
    DEFER(memory_freep) struct policy_finding *findings = NULL;
    struct policy_assignment a;
    size_t n = 0;
    const char *time = json_string_value(json_object_get(example, "time"));
    struct policy_question q = {.assignments = &a, .assignment_count = 1, .now_ns = now_ns};
    CHECK(arena != NULL, MEMORY);
    TRY(time == NULL ? OK : clock_from_rfc3339(view_str(time), &q.now_ns));
    TRY(policy_assign(p, "example", "workspace", json_object_get(example, "parameters"), arena,
                      diag, &a));
    a.effect = POLICY_AUDIT; /* what is looked at is the condition */
    TRY(make_state(p, example, &document));
    TRY(policy_state_read(document, diag, &state));
    TRY(policy_evaluate(&q, state, &findings, &n));
    ASSERT(n == 1);
    *ret_result = (struct policy_example_result){
        .name = json_string_value(json_object_get(example, "name")),
        .expected = json_string_value(json_object_get(example, "outcome")),
        .outcome = findings[0].outcome};
    ret_result->passed =
        strcmp(ret_result->expected, policy_outcome_word(ret_result->outcome)) == 0;
    return OK;
}

struct status
policy_examples_run(const struct policy *p, int64_t now_ns, struct diag *diag,
                    struct policy_example_result *ret_results, size_t *ret_count)
{
    const json_t *example = NULL;
    size_t i = 0;
    json_array_foreach(p->examples, i, example)
    {
        const struct status s = run_example(p, example, now_ns, diag, &ret_results[i]);
        if (!status_ok(s)) {
            diag_prefix(diag, "policy %s, example \"%s\"", p->id,
                        json_string_value(json_object_get(example, "name")));
            return s;
        }
    }
    *ret_count = i;
    return OK;
}

/* ---- as people read it ---- */

static json_t *
value_to_json(const struct policy_value *v)
{
    if (v->items == NULL) {
        return json_string(v->text);
    }
    json_t *list = json_array();
    for (size_t i = 0; i < v->count && list != NULL; i++) {
        (void)json_array_append_new(list, json_string(v->items[i].text));
    }
    return list;
}

static json_t *
parameter_to_json(const struct policy_parameter *p)
{
    json_t *o = json_pack("{s:s, s:b, s:s*}", "type", policy_kind_word(p->kind), "list", p->list,
                          "about", p->about);
    if (o != NULL && p->has_default) {
        (void)json_object_set_new(o, "default", value_to_json(&p->initial));
    }
    if (o != NULL && p->allowed_count > 0) {
        const struct policy_value all = {.items = p->allowed, .count = p->allowed_count};
        (void)json_object_set_new(o, "allowed", value_to_json(&all));
    }
    return o;
}

struct status
policy_describe(const struct policy *p, json_t **ret_object)
{
    json_t *parameters = json_object();
    DEFER(js_freep)
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s*, s:s, s:s, s:s, s:s*, s:o}", "id", p->id,
                          "version", p->version, "title", p->title, "severity",
                          policy_severity_word(p->severity), "category", p->category, "about",
                          p->about, "resource", p->type, "message", p->message, "digest",
                          p->digest_hex, "remedy", p->remedy, "parameters", parameters);
    CHECK(o != NULL, MEMORY);
    for (size_t i = 0; i < p->parameter_count; i++) {
        TRY(js_set(parameters, p->parameters[i].name, parameter_to_json(&p->parameters[i])));
    }
    const char *effect = p->effect_parameter < 0 ? policy_effect_word(p->effect)
                         : p->parameters[p->effect_parameter].has_default
                             ? p->parameters[p->effect_parameter].initial.text
                             : "by parameter";
    TRY(js_set(o, "effect", json_string(effect)));
    TRY(js_set(o, "examples", json_integer((json_int_t)json_array_size(p->examples))));
    *ret_object = MOVE(o);
    return OK;
}
