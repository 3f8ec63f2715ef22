#include "base/text.h"
#include "govern/policy_parts.h"

#include <stdio.h>
#include <string.h>

#define ARENA_MAX (32u << 20)

static const char *const effects[] = {"audit", "deny", "modify", "deploy-if-missing", "disabled"};
#define EFFECTS (sizeof effects / sizeof *effects)
static const char *const severities[] = {"low", "medium", "high"};

const char *
policy_effect_word(enum policy_effect e)
{
    return effects[e];
}

const char *
policy_severity_word(enum policy_severity s)
{
    return severities[s];
}

/* ---- members ---- */

static struct status
take_text(const struct policy_reading *r, const struct yaml *o, const char *name, bool needed,
          const char **ret_text)
{
    const struct yaml *m = yaml_member(o, name);
    *ret_text = NULL;
    if (m == NULL && !needed) {
        return OK;
    }
    if (m == NULL) {
        return yaml_refuse_value(o, r->file, r->diag, "\"%s\" is needed", name);
    }
    if (m->kind != YAML_SCALAR || m->empty || strlen(m->text) > POLICY_TEXT_VALUE_MAX) {
        return yaml_refuse_value(m, r->file, r->diag, "\"%s\" must be a text of at most %u bytes",
                                 name, POLICY_TEXT_VALUE_MAX);
    }
    *ret_text = m->text;
    return OK;
}

static struct status
take_word(const struct policy_reading *r, const struct yaml *o, const char *name,
          const char *const *words, size_t n, unsigned *ret_word)
{
    const char *text = NULL;
    TRY(take_text(r, o, name, true, &text));
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(words[i], text) == 0) {
            *ret_word = i;
            return OK;
        }
    }
    const char *near = text_nearest(text, words, n);
    return yaml_refuse_value(yaml_member(o, name), r->file, r->diag,
                             "there is no %s \"%.60s\"%s%s%s", name, text,
                             near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
                             near == NULL ? "" : "\"?");
}

static struct status
take_identity(const struct policy_reading *r, const struct yaml *root)
{
    struct policy *p = r->policy;
    unsigned severity = 0;
    struct policy_value version;
    struct policy_type type;
    TRY(take_text(r, root, "id", true, &p->id));
    if (!text_is_name(p->id)) {
        return yaml_refuse_value(yaml_member(root, "id"), r->file, r->diag,
                                 "an id is 1 to 63 of a-z, 0-9, '.', '_', '-'");
    }
    TRY(take_text(r, root, "version", true, &p->version));
    if (!policy_value_from_text(p->version, POLICY_VERSION, &version)) {
        return yaml_refuse_value(yaml_member(root, "version"), r->file, r->diag,
                                 "needed is a version such as 1.0");
    }
    TRY(take_text(r, root, "title", true, &p->title));
    TRY(take_text(r, root, "about", false, &p->about));
    TRY(take_text(r, root, "category", true, &p->category));
    TRY(take_word(r, root, "severity", severities, 3, &severity));
    p->severity = (enum policy_severity)severity;
    TRY(take_text(r, root, "resource", true, &p->type));
    if (!policy_type_find(p->type, &type)) {
        const char *words[POLICY_TYPES_MAX];
        const size_t n = policy_type_words(words, POLICY_TYPES_MAX);
        unsigned ignored = 0;
        return take_word(r, root, "resource", words, n, &ignored);
    }
    return OK;
}

/* ---- parameters ---- */

static bool
is_allowed(const struct policy_parameter *p, const struct policy_value *v)
{
    bool found = p->allowed_count == 0;
    for (size_t i = 0; i < p->allowed_count && !found; i++) {
        found = policy_value_equal(v, &p->allowed[i]);
    }
    return found;
}

static bool
all_allowed(const struct policy_parameter *p, const struct policy_value *v)
{
    bool all = p->list || is_allowed(p, v);
    for (size_t i = 0; p->list && i < v->count; i++) {
        all = all && is_allowed(p, &v->items[i]);
    }
    return all;
}

static struct status
take_parameter(const struct policy_reading *r, const struct yaml *o)
{
    static const char *const known[] = {"type", "list", "default", "allowed", "about"};
    struct policy_parameter p = {.name = o->name};
    const char *type = NULL, *list = NULL;
    struct policy_value allowed = {0};
    TRY(policy_members_check(r, o, "a parameter", known, 5));
    if (!text_is_name(o->name)) {
        return yaml_refuse_name(o, r->file, r->diag, "a parameter's name is a word");
    }
    TRY(take_text(r, o, "type", true, &type));
    TRY(take_text(r, o, "about", false, &p.about));
    TRY(take_text(r, o, "list", false, &list));
    if (!policy_kind_by_word(type, &p.kind)) {
        return yaml_refuse_value(yaml_member(o, "type"), r->file, r->diag,
                                 "a type is boolean, number, duration, time, version or text");
    }
    p.list = list != NULL && strcmp(list, "true") == 0;
    const struct yaml *a = yaml_member(o, "allowed"), *d = yaml_member(o, "default");
    if (a != NULL) {
        TRY(policy_operand_read(r, a, p.kind, true, &allowed));
        p.allowed = allowed.items;
        p.allowed_count = allowed.count;
    }
    if (d != NULL) {
        p.has_default = true;
        TRY(policy_operand_read(r, d, p.kind, p.list, &p.initial));
        if (p.initial.parameter >= 0 || !all_allowed(&p, &p.initial)) {
            return yaml_refuse_value(d, r->file, r->diag, "the default is not allowed");
        }
    }
    r->policy->parameters[r->policy->parameter_count++] = p;
    return OK;
}

static struct status
take_parameters(const struct policy_reading *r, const struct yaml *root)
{
    const struct yaml *o = yaml_member(root, "parameters");
    if (o == NULL) {
        return OK;
    }
    if (o->kind != YAML_MAPPING || o->count > POLICY_PARAMETERS_MAX) {
        return yaml_refuse_value(o, r->file, r->diag, "needed are at most %u parameters",
                                 POLICY_PARAMETERS_MAX);
    }
    for (const struct yaml *m = o->first; m != NULL; m = m->next) {
        TRY(take_parameter(r, m));
    }
    return OK;
}

/* ---- then ---- */

/* What a field becomes: of a time it is how far from now. */
static struct status
take_set(const struct policy_reading *r, const struct yaml *o)
{
    static const char *const known[] = {"field", "to"};
    struct policy_set *s = &r->policy->sets[r->policy->set_count];
    const char *name = NULL;
    TRY(policy_members_check(r, o, "set", known, 2));
    TRY(take_text(r, o, "field", true, &name));
    s->field = policy_field_find(r->policy->type, name);
    if (s->field == NULL || s->field->settable == POLICY_FIXED) {
        return yaml_refuse_value(yaml_member(o, "field"), r->file, r->diag,
                                 s->field == NULL ? "%s has no field \"%.60s\""
                                                  : "of a %s \"%.60s\" cannot be set",
                                 r->policy->type, name);
    }
    if (yaml_member(o, "to") == NULL) {
        return yaml_refuse_value(o, r->file, r->diag, "\"to\" is needed: the value");
    }
    r->policy->set_count++;
    return policy_operand_read(r, yaml_member(o, "to"),
                               s->field->kind == POLICY_TIME ? POLICY_DURATION : s->field->kind,
                               false, &s->to);
}

static struct status
take_sets(const struct policy_reading *r, const struct yaml *list)
{
    if (list->kind != YAML_LIST || list->count == 0 || list->count > POLICY_SETS_MAX) {
        return yaml_refuse_value(list, r->file, r->diag, "\"set\" is a list of 1 to %u",
                                 POLICY_SETS_MAX);
    }
    for (const struct yaml *m = list->first; m != NULL; m = m->next) {
        TRY(take_set(r, m));
    }
    return OK;
}

/* A word, or a parameter of type text that allows only such words. */
static struct status
take_effect(const struct policy_reading *r, const struct yaml *then)
{
    const struct yaml *m = yaml_member(then, "effect");
    struct policy_value v;
    unsigned word = 0;
    r->policy->effect_parameter = -1;
    if (m == NULL || m->kind != YAML_MAPPING) {
        TRY(take_word(r, then, "effect", effects, EFFECTS, &word));
        r->policy->effect = (enum policy_effect)word;
        return OK;
    }
    TRY(policy_operand_read(r, m, POLICY_TEXT, false, &v));
    const struct policy_parameter *p = &r->policy->parameters[v.parameter];
    bool words = p->allowed_count > 0;
    for (size_t i = 0; i < p->allowed_count; i++) {
        bool found = false;
        for (size_t k = 0; k < EFFECTS; k++) {
            found = found || strcmp(effects[k], p->allowed[i].text) == 0;
        }
        words = words && found;
    }
    if (!words) {
        return yaml_refuse_value(m, r->file, r->diag,
                                 "parameter \"%s\" must have \"allowed\": effects", p->name);
    }
    r->policy->effect_parameter = v.parameter;
    return OK;
}

static bool
may_have_effect(const struct policy *p, enum policy_effect e)
{
    if (p->effect_parameter < 0) {
        return p->effect == e;
    }
    const struct policy_parameter *q = &p->parameters[p->effect_parameter];
    bool found = false;
    for (size_t i = 0; i < q->allowed_count; i++) {
        found = found || strcmp(q->allowed[i].text, effects[e]) == 0;
    }
    return found;
}

static struct status
take_deploy(const struct policy_reading *r, const struct yaml *o)
{
    static const char *const known[] = {"assignment"};
    TRY(policy_members_check(r, o, "deploy", known, 1));
    return take_text(r, o, "assignment", true, &r->policy->deploy_policy);
}

static struct status
take_then(const struct policy_reading *r, const struct yaml *root)
{
    static const char *const known[] = {"effect", "message", "remedy", "set", "deploy"};
    const struct yaml *then = yaml_member(root, "then");
    struct policy *p = r->policy;
    if (then == NULL) {
        return yaml_refuse_value(root, r->file, r->diag, "\"then\" is needed");
    }
    TRY(policy_members_check(r, then, "then", known, 5));
    TRY(take_text(r, then, "message", true, &p->message));
    TRY(take_text(r, then, "remedy", false, &p->remedy));
    TRY(take_effect(r, then));
    if (yaml_member(then, "set") != NULL) {
        TRY(take_sets(r, yaml_member(then, "set")));
    }
    if (yaml_member(then, "deploy") != NULL) {
        TRY(take_deploy(r, yaml_member(then, "deploy")));
    }
    if (may_have_effect(p, POLICY_MODIFY) && p->set_count == 0) {
        return yaml_refuse_value(then, r->file, r->diag, "modify needs \"set\": what becomes what");
    }
    if (may_have_effect(p, POLICY_DEPLOY) && p->set_count == 0 && p->deploy_policy == NULL) {
        return yaml_refuse_value(then, r->file, r->diag,
                                 "deploy-if-missing needs \"set\" or \"deploy\"");
    }
    return OK;
}

/* ---- examples ---- */

static struct status example_value(const struct policy_reading *r, const struct yaml *y,
                                   const struct policy_field *f, json_t **ret_value);

static struct status
example_scalar(const struct policy_reading *r, const struct yaml *y, enum policy_kind kind,
               json_t **ret_value)
{
    struct policy_value v;
    if (y->kind == YAML_SCALAR && !y->quoted && (y->empty || strcmp(y->text, "null") == 0)) {
        *ret_value = json_null();
        return OK;
    }
    TRY(policy_operand_read(r, y, kind, false, &v));
    if (v.parameter >= 0) {
        return yaml_refuse_value(y, r->file, r->diag, "an example holds values");
    }
    *ret_value = kind == POLICY_BOOLEAN                             ? json_boolean(v.truth)
                 : kind == POLICY_NUMBER || kind == POLICY_DURATION ? json_real(v.number)
                                                                    : json_string(v.text);
    CHECK(*ret_value != NULL, MEMORY);
    return OK;
}

static struct status
example_object(const struct policy_reading *r, const struct yaml *y,
               const struct policy_field *list, json_t **ret_value)
{
    const size_t parts = policy_field_parts(list), skip = strlen(list->name) + 1;
    DEFER(js_freep) json_t *o = json_object();
    CHECK(o != NULL, MEMORY);
    for (const struct yaml *m = y->first; m != NULL; m = m->next) {
        const struct policy_field *f = NULL;
        for (size_t i = 0; i < parts && y->kind == YAML_MAPPING; i++) {
            f = strcmp(list[1 + i].name + skip, m->name) == 0 ? &list[1 + i] : f;
        }
        if (f == NULL) {
            return yaml_refuse_value(m, r->file, r->diag, "\"%s\" has no such field", list->name);
        }
        json_t *v = NULL;
        TRY(example_value(r, m, f, &v));
        TRY(js_set(o, m->name, v));
    }
    *ret_value = MOVE(o);
    return OK;
}

static struct status
example_value(const struct policy_reading *r, const struct yaml *y, const struct policy_field *f,
              json_t **ret_value)
{
    if (f->kind < POLICY_TEXTS || y->kind == YAML_SCALAR) {
        if (f->kind >= POLICY_TEXTS && !(y->empty || strcmp(y->text, "null") == 0)) {
            return yaml_refuse_value(y, r->file, r->diag, "\"%s\" is a list", f->name);
        }
        return example_scalar(r, y, f->kind, ret_value);
    }
    DEFER(js_freep) json_t *list = json_array();
    CHECK(list != NULL, MEMORY);
    if (y->kind != YAML_LIST) {
        return yaml_refuse_value(y, r->file, r->diag, "\"%s\" is a list", f->name);
    }
    for (const struct yaml *m = y->first; m != NULL; m = m->next) {
        json_t *v = NULL;
        TRY(f->kind == POLICY_TEXTS ? example_scalar(r, m, POLICY_TEXT, &v)
                                    : example_object(r, m, f, &v));
        CHECK(json_array_append_new(list, v) == 0, MEMORY);
    }
    *ret_value = MOVE(list);
    return OK;
}

static struct status
example_fields(const struct policy_reading *r, const struct yaml *o, json_t *ret_fields)
{
    if (o->kind != YAML_MAPPING) {
        return yaml_refuse_value(o, r->file, r->diag, "\"fields\" holds fields");
    }
    for (const struct yaml *m = o->first; m != NULL; m = m->next) {
        const struct policy_field *f = policy_field_find(r->policy->type, m->name);
        json_t *v = NULL;
        if (f == NULL) {
            return yaml_refuse_name(m, r->file, r->diag, "%s has no field \"%.60s\"",
                                    r->policy->type, m->name);
        }
        TRY(example_value(r, m, f, &v));
        TRY(js_set(ret_fields, m->name, v));
    }
    return OK;
}

/* Values as texts: policy_assign reads them. */
static struct status
example_parameters(const struct policy_reading *r, const struct yaml *o, json_t *ret_values)
{
    for (const struct yaml *m = o->first; m != NULL; m = m->next) {
        json_t *v = m->kind == YAML_SCALAR ? json_string(m->text) : json_array();
        if (o->kind != YAML_MAPPING || m->kind == YAML_MAPPING) {
            json_decref(v);
            return yaml_refuse_value(m, r->file, r->diag, "needed is NAME: VALUE");
        }
        TRY(js_set(ret_values, m->name, v));
        for (const struct yaml *i = m->first; i != NULL; i = i->next) {
            CHECK(json_array_append_new(v, json_string(i->text == NULL ? "" : i->text)) == 0,
                  MEMORY);
        }
    }
    return OK;
}

static struct status
take_example(const struct policy_reading *r, const struct yaml *y, json_t *list)
{
    static const char *const known[] = {"name", "outcome", "time", "fields", "parameters"};
    static const char *const outcomes[] = {"compliant", "non-compliant", "not-applicable",
                                           "not-evaluable"};
    const char *name = NULL, *time = NULL;
    unsigned outcome = 0;
    struct policy_value at;
    TRY(policy_members_check(r, y, "an example", known, 5));
    TRY(take_text(r, y, "name", true, &name));
    TRY(take_text(r, y, "time", false, &time));
    TRY(take_word(r, y, "outcome", outcomes, 4, &outcome));
    if (time != NULL && !policy_value_from_text(time, POLICY_TIME, &at)) {
        return yaml_refuse_value(yaml_member(y, "time"), r->file, r->diag, "needed is %s",
                                 policy_kind_form(POLICY_TIME));
    }
    json_t *o = json_pack("{s:s, s:s, s:{}, s:{}}", "name", name, "outcome", outcomes[outcome],
                          "fields", "parameters");
    CHECK(json_array_append_new(list, o) == 0, MEMORY);
    if (time != NULL) {
        TRY(js_set(o, "time", json_string(time)));
    }
    const struct yaml *fields = yaml_member(y, "fields"), *p = yaml_member(y, "parameters");
    if (fields == NULL) {
        return yaml_refuse_value(y, r->file, r->diag, "\"fields\" is needed");
    }
    TRY(example_fields(r, fields, json_object_get(o, "fields")));
    return p == NULL ? OK : example_parameters(r, p, json_object_get(o, "parameters"));
}

static struct status
take_examples(const struct policy_reading *r, const struct yaml *root)
{
    const struct yaml *list = yaml_member(root, "examples");
    r->policy->kept = json_array();
    r->policy->examples = r->policy->kept;
    CHECK(r->policy->kept != NULL, MEMORY);
    if (list == NULL) {
        return OK;
    }
    if (list->kind != YAML_LIST || list->count > POLICY_EXAMPLES_MAX) {
        return yaml_refuse_value(list, r->file, r->diag, "needed is a list of at most %u examples",
                                 POLICY_EXAMPLES_MAX);
    }
    for (const struct yaml *m = list->first; m != NULL; m = m->next) {
        TRY(take_example(r, m, r->policy->kept));
    }
    return OK;
}

/* ---- the whole ---- */

static struct status
read_all(const struct policy_reading *r, struct view yaml)
{
    static const char *const known[] = {"id",       "version",  "title",      "about",
                                        "category", "severity", "parameters", "resource",
                                        "where",    "if",       "then",       "examples"};
    const struct yaml *root = NULL;
    TRY(yaml_read(yaml, r->file, r->policy->arena, r->diag, &root));
    TRY(policy_members_check(r, root, "a policy", known, sizeof known / sizeof *known));
    TRY(take_identity(r, root));
    TRY(take_parameters(r, root));
    const struct yaml *where = yaml_member(root, "where"), *when = yaml_member(root, "if");
    if (when == NULL) {
        return yaml_refuse_value(root, r->file, r->diag,
                                 "\"if\" is needed: what it is true of does not comply");
    }
    if (where != NULL) {
        TRY(policy_condition_read(r, where, &r->policy->where));
    }
    TRY(policy_condition_read(r, when, &r->policy->when));
    TRY(take_then(r, root));
    return take_examples(r, root);
}

static void
put_digest(struct policy *p, struct view yaml)
{
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 2 * DIGEST_BYTES + 1);
    digest_of(yaml, &p->digest);
    digest_put_hex(&hex, &p->digest);
    text_copy(p->digest_hex, sizeof p->digest_hex, buf_str(&hex));
}

struct status
policy_read(struct view yaml, const char *file, struct diag *diag, struct policy **ret_policy)
{
    if (yaml.len > POLICY_TEXT_MAX) {
        diag_set(diag, "%s: a policy has at most %u bytes", file, POLICY_TEXT_MAX);
        FAIL(INPUT);
    }
    struct arena *arena = arena_new(ARENA_MAX);
    DEFER(policy_freep) struct policy *p = arena == NULL ? NULL : arena_alloc(arena, 1, sizeof *p);
    if (p == NULL) {
        arena_free(arena);
        FAIL(MEMORY);
    }
    p->arena = arena;
    const struct policy_reading r = {file, diag, p};
    TRY(read_all(&r, yaml));
    put_digest(p, yaml);
    *ret_policy = MOVE(p);
    return OK;
}

void
policy_free(struct policy *p)
{
    if (p != NULL) {
        json_decref(p->kept);
        arena_free(p->arena);
    }
}
