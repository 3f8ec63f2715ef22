/* Records in the store: docs/spec/access.md. A role that cannot be read is no role: what it would
 * allow is not allowed, and where it is forbidden everything is. */
#include "protect/access_parts.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define REFRESH_NS (NS_PER_S / 4)
#define ARENA_MAX ((size_t)512 << 20)
#define EVERY_ACTION ((1u << ACCESS_ACTIONS) - 1)

struct role {
    const char *name;
    const struct access_role_rule *rules;
    size_t count;
};

struct holders {
    struct access_holder *holder;
    struct holders *next;
};

/* A group's members, until every principal is known. */
struct membership {
    const struct access_holder *group;
    const char *member;
    struct membership *next;
};

struct loading {
    struct access_snapshot *s;
    struct role *roles; /* by name, as the store gives them */
    size_t role_count, role_room;
    struct holders *holders;
    size_t holder_count;
    struct membership *memberships;
    struct access_rule *rules; /* chained by next */
    size_t key_room, link_room, use_at;
    bool group;             /* what load_holder reads */
    struct digest_run *run; /* over what rules are made of */
};

static uint64_t
hash_bytes(uint64_t h, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        h = (h ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
    }
    return h;
}

#define HASH_START UINT64_C(0xcbf29ce484222325)
#define HASH_STAR UINT64_C(0x9ae16a3b2f90404f) /* any number that no segment is likely to have */

static size_t
place(uint64_t h, size_t mask)
{
    return (size_t)((h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9) >> 20) & mask;
}

/* ---- paths and shapes ---- */

void
access_path_of(const char *resource, struct access_path *ret_path)
{
    ret_path->text = resource;
    ret_path->count = 0;
    for (const char *at = resource; ret_path->count < ACCESS_SEGMENTS; at++) {
        const size_t n = strcspn(at, "/");
        ret_path->segment[ret_path->count++] = hash_bytes(HASH_START, at, n);
        at += n;
        if (*at == '\0') {
            return;
        }
    }
}

static void
shape_of(const char *pattern, struct access_shape *ret_shape)
{
    *ret_shape = (struct access_shape){0};
    for (const char *at = pattern;; at++) {
        const size_t n = strcspn(at, "/");
        if (n == 2 && at[0] == '*' && at[1] == '*') {
            ret_shape->rest = true;
            return;
        }
        ret_shape->stars |= n == 1 && *at == '*' ? UINT64_C(1) << ret_shape->count : 0;
        ret_shape->count++;
        at += n;
        if (*at == '\0') {
            return;
        }
    }
}

uint64_t
access_rule_key(uint32_t holder, const struct access_path *p, const struct access_shape *shape)
{
    uint64_t h = HASH_START ^ ((uint64_t)holder << 8 | shape->count) ^ (shape->rest ? 1u << 7 : 0);
    for (size_t i = 0; i < shape->count; i++) {
        const uint64_t part = (shape->stars >> i & 1) != 0 ? HASH_STAR : p->segment[i];
        h = (h ^ part) * UINT64_C(0x9fb21c651e98df25);
        h ^= h >> 32;
    }
    return h;
}

/* ---- building ---- */

static const struct role *
find_role(const struct loading *l, const char *name)
{
    for (size_t low = 0, high = l->role_count; low < high;) {
        const size_t middle = low + (high - low) / 2;
        const int c = strcmp(l->roles[middle].name, name);
        if (c == 0) {
            return &l->roles[middle];
        }
        low = c < 0 ? middle + 1 : low;
        high = c < 0 ? high : middle;
    }
    return NULL;
}

/* Room for one more of an array on the arena, which doubles. */
static void *
one_more(struct arena *arena, void *items, size_t count, size_t *room, size_t size)
{
    if (count < *room) {
        return items;
    }
    const size_t grown = *room == 0 ? 4 : 2 * *room;
    void *more = arena_alloc(arena, grown, size);
    if (more != NULL && count > 0) {
        memcpy(more, items, count * size);
    }
    *room = more == NULL ? *room : grown;
    return more;
}

static struct status
add_shape(const struct loading *l, struct access_holder *h, const struct access_shape *shape)
{
    for (size_t i = 0; i < h->shape_count; i++) {
        const struct access_shape *s = &h->shapes[i];
        if (s->stars == shape->stars && s->count == shape->count && s->rest == shape->rest) {
            return OK;
        }
    }
    struct access_shape *shapes =
        one_more(l->s->arena, h->shapes, h->shape_count, &h->shape_room, sizeof *shapes);
    CHECK(shapes != NULL, LIMIT);
    h->shapes = shapes;
    shapes[h->shape_count++] = *shape;
    return OK;
}

/* What the log says when this rule decides. */
static const char *
text_of(const struct loading *l, const struct access_holder *h, const json_t *grant, bool known,
        bool deny)
{
    char text[512];
    const char *reason = json_string_value(json_object_get(grant, "emergency"));
    (void)snprintf(text, sizeof text, "%s%srole %s%s on %s%s%s%s%s%s",
                   reason == NULL ? "" : "BREAK-GLASS ", deny ? "deny " : "",
                   json_string_value(json_object_get(grant, "role")), known ? "" : " (unknown)",
                   json_string_value(json_object_get(grant, "resource")),
                   h->group ? " (group " : "", h->group ? h->name : "", h->group ? ")" : "",
                   reason == NULL ? "" : ": ", reason == NULL ? "" : reason);
    char cut[sizeof((struct access_decision *)0)->rule];
    text_copy(cut, sizeof cut, text);
    return arena_strdup(l->s->arena, view_str(cut));
}

static struct status
add_rule(struct loading *l, struct access_holder *h, const struct access_rule *like,
         const char *grant_resource, const char *role_resource)
{
    struct access_rule *r = arena_alloc(l->s->arena, 1, sizeof *r);
    struct access_shape shape;
    struct access_path path;
    const bool by_role = strcmp(grant_resource, "**") == 0;
    CHECK(r != NULL, LIMIT);
    *r = *like;
    r->pattern = by_role ? role_resource : grant_resource;
    r->second = by_role || strcmp(role_resource, "**") == 0 ? NULL : role_resource;
    shape_of(r->pattern, &shape);
    access_path_of(r->pattern, &path);
    TRY(add_shape(l, h, &shape));
    r->key = access_rule_key(h->id, &path, &shape);
    r->next = l->rules;
    l->rules = r;
    l->s->rule_count++;
    return OK;
}

static struct status
add_grant(struct loading *l, struct access_holder *h, const json_t *g)
{
    const char *role = json_string_value(json_object_get(g, "role"));
    const char *resource = json_string_value(json_object_get(g, "resource"));
    CHECK(role != NULL && resource != NULL && access_pattern_valid(resource), INTEGRITY);
    const struct role *known = find_role(l, role);
    const struct access_role *built_in = access_role_built_in(role);
    struct access_rule like = {.order = h->grants++,
                               .deny = !json_is_true(json_object_get(g, "allow")),
                               .break_glass = json_object_get(g, "emergency") != NULL};
    struct access_role_rule *own = arena_alloc(l->s->arena, 1, sizeof *own);
    static const char *const everywhere[] = {"**"};
    CHECK(own != NULL, LIMIT);
    const struct access_role_rule *rules = own;
    size_t count = 1;
    if (built_in != NULL) {
        access_role_rule_of(built_in, own);
    } else if (known != NULL) {
        rules = known->rules;
        count = known->count;
    } else {
        *own = (struct access_role_rule){
            .actions = like.deny ? EVERY_ACTION : 0, .resources = everywhere, .resource_count = 1};
    }
    TRY(access_when_read(json_object_get(g, "when"), l->s->arena, NULL, &like.when[1]));
    like.text = text_of(l, h, g, built_in != NULL || known != NULL, like.deny);
    const char *kept = arena_strdup(l->s->arena, view_str(resource));
    CHECK(like.text != NULL && kept != NULL, LIMIT);
    for (size_t i = 0; i < count; i++) {
        like.actions = rules[i].actions;
        like.when[0] = rules[i].when;
        like.rights = &rules[i].rights;
        for (size_t k = 0; k < rules[i].resource_count; k++) {
            TRY(add_rule(l, h, &like, kept, rules[i].resources[k]));
        }
    }
    return OK;
}

/* ---- the records ---- */

static struct status
load_role(void *ctx, const char *id, struct view value)
{
    struct loading *l = ctx;
    DEFER(js_freep) json_t *o = NULL;
    json_t *rules = NULL;
    TRY(js_parse(value, id, NULL, &o));
    if (!status_ok(js_need_array(o, "rules", NULL, &rules))) {
        return OK;
    }
    const size_t n = json_array_size(rules);
    struct role *roles =
        one_more(l->s->arena, l->roles, l->role_count, &l->role_room, sizeof *roles);
    struct access_role_rule *read = arena_alloc(l->s->arena, n + 1, sizeof *read);
    const char *name = arena_strdup(l->s->arena, view_str(id));
    CHECK(roles != NULL && read != NULL && name != NULL, LIMIT);
    l->roles = roles;
    for (size_t i = 0; i < n; i++) {
        const struct status s =
            access_role_rule_read(json_array_get(rules, i), l->s->arena, NULL, &read[i]);
        CHECK(s.code != STATUS_LIMIT, LIMIT);
        if (!status_ok(s)) {
            return OK;
        }
    }
    roles[l->role_count++] = (struct role){name, read, n};
    return OK;
}

static struct status
load_members(struct loading *l, const struct access_holder *group, const json_t *o)
{
    const json_t *members = json_object_get(o, "members");
    for (size_t i = 0; i < json_array_size(members); i++) {
        const char *name = json_string_value(json_array_get(members, i));
        struct membership *m = arena_alloc(l->s->arena, 1, sizeof *m);
        CHECK(name != NULL, INTEGRITY);
        const char *kept = arena_strdup(l->s->arena, view_str(name));
        CHECK(m != NULL && kept != NULL, LIMIT);
        *m = (struct membership){group, kept, l->memberships};
        l->memberships = m;
    }
    return OK;
}

static struct status
load_holder(void *ctx, const char *id, struct view value)
{
    struct loading *l = ctx;
    DEFER(js_freep) json_t *o = NULL;
    json_t *grants = NULL, *g = NULL;
    size_t i = 0;
    TRY(js_parse(value, id, NULL, &o));
    TRY(js_need_array(o, "grants", NULL, &grants));
    struct access_holder *h = arena_alloc(l->s->arena, 1, sizeof *h);
    struct holders *link = arena_alloc(l->s->arena, 1, sizeof *link);
    const char *name = arena_strdup(l->s->arena, view_str(id));
    CHECK(h != NULL && link != NULL && name != NULL, LIMIT);
    *h = (struct access_holder){.name = name, .group = l->group, .id = (uint32_t)l->holder_count++};
    *link = (struct holders){h, l->holders};
    l->holders = link;
    json_array_foreach(grants, i, g)
    {
        TRY(add_grant(l, h, g));
    }
    return l->group ? load_members(l, h, o) : OK;
}

static struct status
read_mac(const json_t *o, uint8_t *ret_mac)
{
    const char *hex = NULL;
    DEFER(buf_done) struct buf raw;
    buf_init(&raw, 32);
    TRY(js_need_string(o, "mac", NULL, &hex));
    TRY(text_from_hex(view_str(hex), &raw));
    CHECK(raw.len == 32, INTEGRITY);
    memcpy(ret_mac, raw.ptr, 32);
    return OK;
}

static struct status
load_key(void *ctx, const char *id, struct view value)
{
    struct loading *l = ctx;
    DEFER(js_freep) json_t *o = NULL;
    const char *expires = NULL, *principal = NULL;
    struct access_key_row *keys =
        one_more(l->s->arena, l->s->keys, l->s->key_count, &l->key_room, sizeof *keys);
    CHECK(keys != NULL, LIMIT);
    l->s->keys = keys;
    struct access_key_row *row = &keys[l->s->key_count];
    memset(row, 0, sizeof *row);
    TRY(js_parse(value, id, NULL, &o));
    TRY(js_need_string(o, "expires", NULL, &expires));
    TRY(js_need_string(o, "principal", NULL, &principal));
    TRY(clock_from_rfc3339(view_str(expires), &row->expires_ns));
    TRY(read_mac(o, row->mac));
    CHECK(strlen(id) < sizeof row->id && strlen(principal) < sizeof row->principal, INTEGRITY);
    text_copy(row->id, sizeof row->id, id);
    text_copy(row->principal, sizeof row->principal, principal);
    row->revoked = !json_is_false(json_object_get(o, "revoked"));
    l->s->key_count++;
    return OK;
}

/* Uses come in order of the keys' ids, as the keys did. */
static struct status
load_use(void *ctx, const char *id, struct view value)
{
    struct loading *l = ctx;
    DEFER(js_freep) json_t *o = NULL;
    const char *last = NULL;
    while (l->use_at < l->s->key_count && strcmp(l->s->keys[l->use_at].id, id) < 0) {
        l->use_at++;
    }
    if (l->use_at == l->s->key_count || strcmp(l->s->keys[l->use_at].id, id) != 0) {
        return OK;
    }
    TRY(js_parse(value, id, NULL, &o));
    TRY(js_need_string(o, "last_used", NULL, &last));
    return clock_from_rfc3339(view_str(last), &l->s->keys[l->use_at].noted_ns);
}

static struct status
load_link(void *ctx, const char *id, struct view value)
{
    struct loading *l = ctx;
    DEFER(js_freep) json_t *o = NULL;
    const char *identity = NULL, *principal = NULL;
    struct access_link *links =
        one_more(l->s->arena, l->s->links, l->s->link_count, &l->link_room, sizeof *links);
    CHECK(links != NULL, LIMIT);
    l->s->links = links;
    TRY(js_parse(value, id, NULL, &o));
    TRY(js_need_string(o, "identity", NULL, &identity));
    TRY(js_need_string(o, "principal", NULL, &principal));
    struct access_link *row = &links[l->s->link_count];
    row->identity = arena_strdup(l->s->arena, view_str(identity));
    CHECK(row->identity != NULL, LIMIT);
    text_copy(row->principal, sizeof row->principal, principal);
    l->s->link_count++;
    return OK;
}

/* An issuer that cannot be read issues nothing. */
static struct status
load_issuer(void *ctx, const char *id, struct view value)
{
    struct loading *l = ctx;
    DEFER(js_freep) json_t *o = NULL;
    struct access_snapshot *s = l->s;
    TRY(js_parse(value, id, NULL, &o));
    if (s->issuer_count == ACCESS_ISSUERS_MAX) {
        return OK;
    }
    const struct status read = access_issuer_read(o, s->arena, NULL, &s->issuers[s->issuer_count]);
    s->issuer_count += status_ok(read);
    return OK;
}

static int
compare_links(const void *a, const void *b)
{
    return strcmp(((const struct access_link *)a)->identity,
                  ((const struct access_link *)b)->identity);
}

const char *
access_link_find(const struct access_snapshot *s, const char *identity)
{
    const struct access_link wanted = {.identity = identity};
    const struct access_link *found = s->link_count == 0 ? NULL
                                                         : bsearch(&wanted, s->links, s->link_count,
                                                                   sizeof *s->links, compare_links);
    return found == NULL ? NULL : found->principal;
}

/* ---- the tables ---- */

static size_t
mask_for(size_t n)
{
    size_t size = 16;
    while (size < 2 * n) {
        size *= 2;
    }
    return size - 1;
}

static uint64_t
name_hash(const char *name, bool group)
{
    return hash_bytes(HASH_START ^ (group ? 1 : 0), name, strlen(name));
}

static struct status
index_names(const struct loading *l)
{
    struct access_snapshot *s = l->s;
    s->name_mask = mask_for(l->holder_count);
    s->names = arena_alloc(s->arena, s->name_mask + 1, sizeof(void *));
    CHECK(s->names != NULL, LIMIT);
    for (const struct holders *i = l->holders; i != NULL; i = i->next) {
        const size_t at = place(name_hash(i->holder->name, i->holder->group), s->name_mask);
        i->holder->next = s->names[at];
        s->names[at] = i->holder;
    }
    return OK;
}

static struct status
index_rules(const struct loading *l)
{
    struct access_snapshot *s = l->s;
    s->rule_mask = mask_for(s->rule_count);
    s->rules = arena_alloc(s->arena, s->rule_mask + 1, sizeof(void *));
    CHECK(s->rules != NULL, LIMIT);
    for (struct access_rule *r = l->rules, *next = NULL; r != NULL; r = next) {
        next = r->next;
        const size_t at = place(r->key, s->rule_mask);
        r->next = s->rules[at];
        s->rules[at] = r;
    }
    return OK;
}

/* A member that is no principal (any more) is passed over. */
static struct status
join_groups(const struct loading *l)
{
    for (const struct membership *m = l->memberships; m != NULL; m = m->next) {
        struct access_holder *h =
            (struct access_holder *)(uintptr_t)access_holder_find(l->s, m->member, false);
        if (h == NULL) {
            continue;
        }
        const struct access_holder **groups =
            one_more(l->s->arena, h->groups, h->group_count, &h->group_room, sizeof(void *));
        CHECK(groups != NULL, LIMIT);
        h->groups = groups;
        groups[h->group_count++] = m->group;
    }
    return OK;
}

const struct access_holder *
access_holder_find(const struct access_snapshot *s, const char *name, bool group)
{
    const struct access_holder *h = s->names[place(name_hash(name, group), s->name_mask)];
    while (h != NULL && (h->group != group || strcmp(h->name, name) != 0)) {
        h = h->next;
    }
    return h;
}

const struct access_rule *
access_rules_at(const struct access_snapshot *s, uint64_t key)
{
    return s->rules[place(key, s->rule_mask)];
}

/* Length first, so that no two lists of records have one digest. */
static void
add_length(struct loading *l, const char *what, size_t n)
{
    char length[64];
    const int letters = snprintf(length, sizeof length, "%s %zu\n", what, n);
    digest_run_add(l->run, view_of(length, (size_t)letters));
}

static void
count_in(struct loading *l, const char *what, const char *id, struct view value)
{
    add_length(l, what, strlen(id));
    digest_run_add(l->run, view_str(id));
    add_length(l, "value", value.len);
    digest_run_add(l->run, value);
}

static struct status
load_counted_role(void *ctx, const char *id, struct view value)
{
    count_in(ctx, "role", id, value);
    return load_role(ctx, id, value);
}

static struct status
load_counted_holder(void *ctx, const char *id, struct view value)
{
    struct loading *l = ctx;
    count_in(l, l->group ? "group" : "principal", id, value);
    return load_holder(l, id, value);
}

static void
end_version(struct loading *l)
{
    struct digest d;
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 128);
    digest_run_end(l->run, &d);
    text_put_hex(&hex, view_of(d.bytes, (ACCESS_VERSION_MAX - 1) / 2));
    text_copy(l->s->version, sizeof l->s->version, buf_str(&hex));
}

static struct status
load_all(struct store *store, struct loading *l)
{
    digest_run_add(l->run, view_str("steward rules v1 " STEWARD_VERSION "\n")); /* built-in roles */
    TRY(store_each(store, ACCESS_ROLES, load_counted_role, l, NULL));
    TRY(store_each(store, ACCESS_PRINCIPALS, load_counted_holder, l, NULL));
    l->group = true;
    TRY(store_each(store, ACCESS_GROUPS, load_counted_holder, l, NULL));
    end_version(l);
    TRY(store_each(store, ACCESS_KEYS, load_key, l, NULL));
    TRY(store_each(store, ACCESS_KEY_USES, load_use, l, NULL));
    TRY(store_each(store, ACCESS_LINKS, load_link, l, NULL));
    TRY(store_each(store, ACCESS_ISSUERS, load_issuer, l, NULL));
    if (l->s->link_count > 0) {
        qsort(l->s->links, l->s->link_count, sizeof *l->s->links, compare_links);
    }
    TRY(index_names(l));
    TRY(index_rules(l));
    return join_groups(l);
}

struct status
access_snapshot_load(struct store *store, struct access_snapshot **ret_snapshot)
{
    DEFER(access_snapshot_releasep) struct access_snapshot *s = calloc(1, sizeof *s);
    CHECK(s != NULL, MEMORY);
    atomic_store(&s->references, 1);
    s->arena = arena_new(ARENA_MAX);
    CHECK(s->arena != NULL, MEMORY);
    s->change = store_change(store); /* read first: what changes meanwhile is loaded again */
    DEFER(digest_run_freep) struct digest_run *run = digest_run_new();
    CHECK(run != NULL, MEMORY);
    struct loading l = {.s = s, .run = run};
    TRY(load_all(store, &l));
    *ret_snapshot = MOVE(s);
    return OK;
}

void
access_snapshot_release(struct access_snapshot *s)
{
    if (s != NULL && atomic_fetch_sub(&s->references, 1) == 1) {
        for (size_t i = 0; i < s->issuer_count; i++) {
            jwks_free(s->issuers[i].keys);
        }
        for (size_t i = 0; i < ACCESS_SLICES; i++) {
            free(atomic_load(&s->slices[i]));
        }
        arena_free(s->arena);
        free(s);
    }
}

/* ---- the current one ---- */

/* What is not written yet goes over to the newer snapshot. Both are in order of ids. */
static void
keep_uses(const struct access_snapshot *old, struct access_snapshot *fresh)
{
    size_t k = 0;
    for (size_t i = 0; i < old->key_count; i++) {
        while (k < fresh->key_count && strcmp(fresh->keys[k].id, old->keys[i].id) < 0) {
            k++;
        }
        if (k < fresh->key_count && strcmp(fresh->keys[k].id, old->keys[i].id) == 0) {
            atomic_store(&fresh->keys[k].used_ns, atomic_load(&old->keys[i].used_ns));
        }
    }
}

static void
refresh_locked(struct access *a, int64_t now)
{
    a->checked_ns = now;
    if (a->current != NULL && store_change(a->store) == a->current->change) {
        return;
    }
    struct access_snapshot *fresh = NULL;
    const struct status s = access_snapshot_load(a->store, &fresh);
    /* Records that were changed, that the workspace's key may not open now, or a failing disk:
     * nobody is known, everything is denied. */
    if (status_ok(s) && a->current != NULL) {
        keep_uses(a->current, fresh);
    }
    access_snapshot_release(a->current);
    a->current = status_ok(s) ? fresh : NULL;
    a->tampered = s.code == STATUS_INTEGRITY;
}

struct access_snapshot *
access_snapshot_take(struct access *a)
{
    const int64_t now = clock_mono_ns();
    (void)pthread_mutex_lock(&a->lock);
    if (atomic_exchange(&a->stale, false) || now - a->checked_ns > REFRESH_NS) {
        refresh_locked(a, now);
    }
    struct access_snapshot *s = a->current;
    if (s != NULL) {
        (void)atomic_fetch_add(&s->references, 1);
    }
    (void)pthread_mutex_unlock(&a->lock);
    return s;
}

void
access_snapshot_forget(struct access *a)
{
    atomic_store(&a->stale, true);
}
