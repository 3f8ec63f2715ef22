/* The hot path: may they, and why. docs/spec/access.md. */
#include "protect/access_parts.h"

#include "base/text.h"

#include <stdlib.h>

/* ---- may they? ---- */

typedef void rule_visitor(void *ctx, const struct access_holder *h, const struct access_rule *r);

static void
each_of_holder(const struct access_snapshot *s, const struct access_holder *h,
               const struct access_path *path, enum access_action action, rule_visitor *each,
               void *ctx)
{
    for (size_t i = 0; i < h->shape_count; i++) {
        const struct access_shape *shape = &h->shapes[i];
        if (shape->rest ? path->count < shape->count : path->count != shape->count) {
            continue;
        }
        const uint64_t key = access_rule_key(h->id, path, shape);
        for (const struct access_rule *r = access_rules_at(s, key); r != NULL; r = r->next) {
            if (r->key == key && (r->actions >> action & 1) != 0 &&
                access_pattern_matches(r->pattern, path->text, '/') &&
                (r->second == NULL || access_pattern_matches(r->second, path->text, '/'))) {
                each(ctx, h, r);
            }
        }
    }
}

/* Own rules, and those of the groups that the store puts the principal in. */
static void
each_of_principal(const struct access_snapshot *s, const struct access_holder *own,
                  const struct access_request *q, rule_visitor *each, void *ctx)
{
    struct access_path path;
    access_path_of(q->resource, &path);
    each_of_holder(s, own, &path, q->action, each, ctx);
    for (size_t i = 0; i < own->group_count; i++) {
        each_of_holder(s, own->groups[i], &path, q->action, each, ctx);
    }
}

/* ---- slices ---- */

struct slicing {
    struct access_slice_rule rules[ACCESS_SLICE_RULES];
    size_t count;
};

static void
note_rule(void *ctx, const struct access_holder *h, const struct access_rule *r)
{
    struct slicing *c = ctx;
    if (c->count < ACCESS_SLICE_RULES) {
        c->rules[c->count] = (struct access_slice_rule){h, r};
    }
    c->count++;
}

static struct access_slice *_Atomic *
slice_place(struct access_snapshot *s, const struct access_holder *own,
            const struct access_request *q, size_t *ret_length)
{
    uint64_t h = ((uint64_t)own->id << 8 | (unsigned)q->action) * UINT64_C(0x9fb21c651e98df25);
    size_t n = 0;
    for (; q->resource[n] != '\0'; n++) {
        h = (h ^ (uint8_t)q->resource[n]) * UINT64_C(0x100000001b3);
    }
    *ret_length = n;
    return &s->slices[(h ^ h >> 32) % ACCESS_SLICES];
}

/* NULL: its place is another's, or it is too long to keep. */
static const struct access_slice *
make_slice(struct access_snapshot *s, const struct access_holder *own,
           const struct access_request *q, size_t length, struct access_slice *_Atomic *place)
{
    struct slicing c = {.count = 0};
    struct access_slice *none = NULL;
    if (atomic_load(place) != NULL || length >= sizeof none->resource) {
        return NULL;
    }
    each_of_principal(s, own, q, note_rule, &c);
    struct access_slice *made =
        c.count > ACCESS_SLICE_RULES ? NULL : malloc(sizeof *made + c.count * sizeof *c.rules);
    if (made == NULL) {
        return NULL;
    }
    made->of = own;
    made->action = q->action;
    memcpy(made->resource, q->resource, length + 1);
    made->count = c.count;
    memcpy(made->rules, c.rules, c.count * sizeof *c.rules);
    if (!atomic_compare_exchange_strong(place, &none, made)) {
        free(made);
        return NULL;
    }
    return made;
}

static const struct access_slice *
slice_of(struct access_snapshot *s, const struct access_holder *own, const struct access_request *q)
{
    size_t length = 0;
    struct access_slice *_Atomic *place = slice_place(s, own, q, &length);
    const struct access_slice *slice = atomic_load_explicit(place, memory_order_acquire);
    return slice == NULL ? make_slice(s, own, q, length, place)
           : slice->of == own && slice->action == q->action &&
                   strcmp(slice->resource, q->resource) == 0
               ? slice
               : NULL;
}

void
access_rules_each(struct access_snapshot *s, const struct access_request *q, rule_visitor *each,
                  void *ctx)
{
    const struct access_holder *own = access_holder_find(s, q->caller->principal, false);
    const struct access_slice *slice = own == NULL ? NULL : slice_of(s, own, q);
    for (size_t i = 0; slice != NULL && i < slice->count; i++) {
        each(ctx, slice->rules[i].holder, slice->rules[i].rule);
    }
    if (own != NULL && slice == NULL) {
        each_of_principal(s, own, q, each, ctx);
    }
    for (size_t i = 0; i < q->caller->group_count; i++) {
        const struct access_holder *group = access_holder_find(s, q->caller->groups[i], true);
        struct access_path path;
        access_path_of(q->resource, &path);
        if (group != NULL) {
            each_of_holder(s, group, &path, q->action, each, ctx);
        }
    }
}

/* ---- the decision ---- */

struct deciding {
    const struct access_request *q;
    const struct access_rule *deny, *allow,
        *emergency;              /* the first of each in its holder's order */
    struct access_rights rights; /* without those of emergencies */
    struct access_rights broken; /* of emergencies */
};

static const char *
fails(const struct access_rule *r, const struct access_request *q)
{
    const char *why = access_when_fails(r->when[0], q, r->deny);
    return why != NULL ? why : access_when_fails(r->when[1], q, r->deny);
}

static void
keep_first(const struct access_rule **kept, const struct access_rule *r)
{
    if (*kept == NULL || r->order < (*kept)->order) {
        *kept = r;
    }
}

static void
weigh(void *ctx, const struct access_holder *h, const struct access_rule *r)
{
    struct deciding *d = ctx;
    (void)h;
    if (fails(r, d->q) != NULL) {
        return;
    }
    keep_first(r->deny ? &d->deny : r->break_glass ? &d->emergency : &d->allow, r);
    if (!r->deny) {
        access_rights_add(r->break_glass ? &d->broken : &d->rights, r->rights);
    }
}

/* What decides. What is seen of a prediction rests on an emergency as soon as one adds to it. */
static const struct access_rule *
settle(struct deciding *d)
{
    const struct access_rights own = d->rights;
    access_rights_add(&d->rights, &d->broken);
    const bool finer = d->rights.output == ACCESS_OUTPUT_ROUNDED && d->rights.digits != own.digits;
    const bool more =
        d->q->action == ACCESS_MODEL_INFER &&
        (d->rights.output != own.output || finer || d->rights.explanations != own.explanations);
    return d->deny != NULL ? d->deny : d->allow != NULL && !more ? d->allow : d->emergency;
}

void
access_decide(struct access *a, const struct access_request *q,
              struct access_decision *ret_decision)
{
    DEFER(access_snapshot_releasep) struct access_snapshot *s = access_snapshot_take(a);
    struct deciding d = {.q = q};
    ret_decision->allow = false;
    ret_decision->denied = s == NULL;
    ret_decision->output = ACCESS_OUTPUT_NONE;
    ret_decision->digits = 0;
    ret_decision->explanations = ret_decision->break_glass = false;
    ret_decision->version[0] = '\0';
    if (s == NULL) {
        text_copy(ret_decision->rule, sizeof ret_decision->rule,
                  "default deny: the grants cannot be read");
        return;
    }
    memcpy(ret_decision->version, s->version, sizeof s->version);
    access_rules_each(s, q, weigh, &d);
    const struct access_rule *by = settle(&d);
    text_copy(ret_decision->rule, sizeof ret_decision->rule,
              by == NULL ? "default deny" : by->text);
    ret_decision->denied = by != NULL && by->deny;
    if (by != NULL && !by->deny) {
        ret_decision->allow = true;
        ret_decision->output = d.rights.output;
        ret_decision->digits = d.rights.digits;
        ret_decision->explanations = d.rights.explanations;
        ret_decision->break_glass = by->break_glass;
    }
}

/* ---- of what it is ---- */

bool
access_in_group(struct access *a, const struct access_caller *caller, const char *group)
{
    DEFER(access_snapshot_releasep) struct access_snapshot *s = access_snapshot_take(a);
    const struct access_holder *own =
        s == NULL ? NULL : access_holder_find(s, caller->principal, false);
    bool is = false;
    for (size_t i = 0; own != NULL && i < own->group_count; i++) {
        is = is || strcmp(own->groups[i]->name, group) == 0;
    }
    for (size_t i = 0; i < caller->group_count; i++) {
        is = is || strcmp(caller->groups[i], group) == 0;
    }
    return is;
}

struct naming {
    const struct access_request *q;
    const char *role;
    bool found;
};

/* A rule's text names its role: "role caller on models/mortgage". */
static void
look_for_role(void *ctx, const struct access_holder *h, const struct access_rule *r)
{
    struct naming *n = ctx;
    const size_t letters = strlen(n->role);
    const char *role = r->text + strlen("role ");
    (void)h;
    n->found = n->found || (!r->deny && !r->break_glass && fails(r, n->q) == NULL &&
                            strncmp(role, n->role, letters) == 0 && role[letters] == ' ');
}

bool
access_by_role(struct access *a, const struct access_request *q, const char *role)
{
    DEFER(access_snapshot_releasep) struct access_snapshot *s = access_snapshot_take(a);
    struct naming n = {.q = q, .role = role};
    if (s != NULL) {
        access_rules_each(s, q, look_for_role, &n);
    }
    return n.found;
}

/* ---- which columns ---- */

struct showing {
    const struct access_request *q;
    const char *const *columns;
    size_t n;
    bool *visible;
    bool denied;
};

static void
show(void *ctx, const struct access_holder *h, const struct access_rule *r)
{
    struct showing *w = ctx;
    (void)h;
    if (fails(r, w->q) != NULL) {
        return;
    }
    w->denied = w->denied || r->deny;
    for (size_t i = 0; !r->deny && i < w->n; i++) {
        w->visible[i] = w->visible[i] || access_rights_column(r->rights, w->columns[i]);
    }
}

void
access_columns(struct access *a, const struct access_request *q, const char *const *columns,
               size_t n, bool *ret_visible)
{
    DEFER(access_snapshot_releasep) struct access_snapshot *s = access_snapshot_take(a);
    struct showing w = {.q = q, .columns = columns, .n = n, .visible = ret_visible};
    memset(ret_visible, 0, n * sizeof *ret_visible);
    if (s != NULL) {
        access_rules_each(s, q, show, &w);
    }
    if (w.denied) {
        memset(ret_visible, 0, n * sizeof *ret_visible);
    }
}

/* ---- why ---- */

struct explaining {
    const struct access_request *q;
    json_t *considered;
    bool failed;
};

static void
tell(void *ctx, const struct access_holder *h, const struct access_rule *r)
{
    struct explaining *e = ctx;
    const char *why = fails(r, e->q);
    json_t *o = json_pack("{s:o, s:o, s:s, s:b, s:s}", "of", js_sentence(h->name), "rule",
                          js_sentence(r->text), "effect", r->deny ? "deny" : "allow", "holds",
                          why == NULL, "why", why == NULL ? "all conditions hold" : why);
    e->failed = e->failed || o == NULL ||
                json_object_set_new(o, "group", json_boolean(h->group)) != 0 ||
                json_array_append_new(e->considered, o) != 0;
}

struct status
access_explain(struct access *a, const struct access_request *q, json_t **ret_object)
{
    struct access_decision d;
    DEFER(js_freep) json_t *considered = json_array();
    struct explaining e = {.q = q, .considered = considered};
    CHECK(considered != NULL, MEMORY);
    access_decide(a, q, &d);
    DEFER(access_snapshot_releasep) struct access_snapshot *s = access_snapshot_take(a);
    if (s != NULL) {
        access_rules_each(s, q, tell, &e);
    }
    CHECK(!e.failed, MEMORY);
    json_t *o = json_pack("{s:s, s:s, s:s, s:b, s:o, s:s, s:s, s:i, s:b, s:b, s:O}", "principal",
                          q->caller->principal, "action", access_action_word(q->action), "resource",
                          q->resource, "allow", d.allow, "rule", js_sentence(d.rule),
                          "rules_version", d.version, "output", access_output_word(d.output),
                          "digits", (int)d.digits, "explanations", d.explanations, "break_glass",
                          d.break_glass, "considered", considered);
    CHECK(o != NULL, MEMORY);
    *ret_object = o;
    return OK;
}
