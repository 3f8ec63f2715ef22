#include "base/clock.h"
#include "govern/policy_parts.h"

#include <stdio.h>
#include <string.h>

#define STATE_MAX ((size_t)1 << 30)

/* ---- one field's value ---- */

static struct status
refuse(const struct policy_field *f, struct diag *diag)
{
    diag_set(diag, "state: \"%s\" of a %s is not %s", f->name, f->type,
             f->kind >= POLICY_TEXTS ? "a list" : policy_kind_form(f->kind));
    FAIL(INPUT);
}

static struct status
take_scalar(const struct policy_field *f, enum policy_kind kind, const json_t *v, struct diag *diag,
            struct policy_cell *ret_cell)
{
    struct policy_value value = {.kind = kind, .parameter = -1};
    bool good = false;
    if (kind == POLICY_BOOLEAN) {
        good = json_is_boolean(v);
        value.truth = json_is_true(v);
    } else if (kind == POLICY_NUMBER || kind == POLICY_DURATION) {
        good = json_is_number(v);
        value.number = json_number_value(v);
    } else {
        good = json_is_string(v) && policy_value_from_text(json_string_value(v), kind, &value);
    }
    if (!good) {
        return refuse(f, diag);
    }
    *ret_cell = (struct policy_cell){.held = POLICY_HELD, .value = value};
    return OK;
}

static struct status take(const struct policy_field *f, const json_t *v, struct arena *arena,
                          struct diag *diag, struct policy_cell *ret_cell);

static struct status
take_texts(const struct policy_field *f, const json_t *list, struct arena *arena, struct diag *diag,
           struct policy_cell *ret_cell)
{
    const size_t n = json_array_size(list);
    struct policy_cell *items = arena_alloc(arena, n + 1, sizeof *items);
    CHECK(items != NULL, LIMIT);
    for (size_t i = 0; i < n; i++) {
        TRY(take_scalar(f, POLICY_TEXT, json_array_get(list, i), diag, &items[i]));
    }
    *ret_cell = (struct policy_cell){.held = POLICY_HELD, .items = items, .count = n};
    return OK;
}

static struct status
take_objects(const struct policy_field *f, const json_t *list, struct arena *arena,
             struct diag *diag, struct policy_cell *ret_cell)
{
    const size_t n = json_array_size(list), parts = policy_field_parts(f),
                 skip = strlen(f->name) + 1;
    struct policy_cell *items = arena_alloc(arena, n * parts + 1, sizeof *items);
    CHECK(items != NULL, LIMIT);
    for (size_t i = 0; i < n * parts; i++) {
        const struct policy_field *part = f + 1 + i % parts;
        TRY(take(part, json_object_get(json_array_get(list, i / parts), part->name + skip), arena,
                 diag, &items[i]));
    }
    *ret_cell = (struct policy_cell){.held = POLICY_HELD, .items = items, .count = n};
    return OK;
}

static struct status
take(const struct policy_field *f, const json_t *v, struct arena *arena, struct diag *diag,
     struct policy_cell *ret_cell)
{
    if (v == NULL || json_is_null(v)) {
        *ret_cell = (struct policy_cell){.held = v == NULL ? POLICY_ABSENT : POLICY_NULL};
        return OK;
    }
    if (f->kind < POLICY_TEXTS) {
        return take_scalar(f, f->kind, v, diag, ret_cell);
    }
    if (!json_is_array(v)) {
        return refuse(f, diag);
    }
    return (f->kind == POLICY_TEXTS ? take_texts : take_objects)(f, v, arena, diag, ret_cell);
}

/* A field of a list's objects, which does not stand beside the list. */
static bool
is_part(const struct policy_type *type, const struct policy_field *f)
{
    bool part = false;
    for (const struct policy_field *l = type->first; l < f; l++) {
        part = part || (l->kind == POLICY_OBJECTS && l + policy_field_parts(l) >= f);
    }
    return part;
}

/* Every member is a field. */
static struct status
check_fields(const struct policy_type *type, const json_t *document, size_t found,
             struct diag *diag)
{
    const char *key = NULL;
    json_t *value = NULL;
    if (json_object_size(document) == found) {
        return OK;
    }
    json_object_foreach((json_t *)(uintptr_t)document, key, value)
    {
        const struct policy_field *f = policy_field_find(type->first->type, key);
        if (f == NULL || is_part(type, f)) {
            diag_set(diag, "state: a %s has no field \"%.60s\"", type->first->type, key);
            FAIL(INPUT);
        }
    }
    return OK;
}

struct status
policy_cells_read(const struct policy_type *type, const json_t *document, struct arena *arena,
                  struct diag *diag, const struct policy_cell **ret_cells)
{
    struct policy_cell *cells = arena_alloc(arena, type->count, sizeof *cells);
    size_t found = 0;
    CHECK(cells != NULL, LIMIT);
    for (size_t i = 0; i < type->count; i++) {
        const struct policy_field *f = &type->first[i];
        const json_t *v = json_object_get(document, f->name);
        found += v != NULL;
        TRY(take(f, v, arena, diag, &cells[i]));
        i += policy_field_parts(f);
    }
    TRY(check_fields(type, document, found, diag));
    *ret_cells = cells;
    return OK;
}

/* ---- the document ---- */

static struct status
read_holds(struct policy_state *s, const json_t *document, struct diag *diag)
{
    json_t *list = NULL, *item = NULL;
    size_t i = 0;
    TRY(js_need_array(document, "holds", diag, &list));
    json_array_foreach(list, i, item)
    {
        const char *word = json_string_value(item);
        if (word == NULL || s->hold_count == POLICY_TYPES_MAX ||
            !policy_type_find(word, &s->holds[s->hold_count])) {
            diag_set(diag, "state: there is no type \"%.60s\"", word == NULL ? "" : word);
            FAIL(INPUT);
        }
        s->hold_count++;
    }
    return OK;
}

static struct status
read_resource(struct policy_state *s, const json_t *o, struct diag *diag,
              struct policy_resource *ret_resource)
{
    const char *type = NULL, *name = NULL;
    json_t *fields = NULL, *scope = NULL;
    TRY(js_need_string(o, "type", diag, &type));
    TRY(js_need_string(o, "name", diag, &name));
    TRY(js_need_array(o, "scope", diag, &scope));
    TRY(js_need_object(o, "fields", diag, &fields));
    ret_resource->document = o;
    for (size_t i = 0; i < s->hold_count; i++) {
        if (strcmp(s->holds[i].first->type, type) == 0) {
            ret_resource->type = s->holds[i];
            return policy_cells_read(&s->holds[i], fields, s->arena, diag, &ret_resource->cells);
        }
    }
    diag_set(diag, "state: \"holds\" does not name the type \"%.60s\"", type);
    FAIL(INPUT);
}

static struct status
read_document(struct policy_state *s, const json_t *document, struct diag *diag)
{
    json_t *list = NULL;
    TRY(read_holds(s, document, diag));
    TRY(js_need_array(document, "resources", diag, &list));
    s->count = json_array_size(list);
    s->resources = arena_alloc(s->arena, s->count + 1, sizeof *s->resources);
    CHECK(s->resources != NULL, LIMIT);
    for (size_t i = 0; i < s->count; i++) {
        TRY(read_resource(s, json_array_get(list, i), diag, &s->resources[i]));
    }
    return OK;
}

struct status
policy_state_read(const json_t *document, struct diag *diag, struct policy_state **ret_state)
{
    struct arena *arena = arena_new(STATE_MAX);
    struct policy_state *s = arena == NULL ? NULL : arena_alloc(arena, 1, sizeof *s);
    if (s == NULL) {
        arena_free(arena);
        FAIL(MEMORY);
    }
    s->arena = arena;
    const struct status read = read_document(s, document, diag);
    if (!status_ok(read)) {
        arena_free(arena);
        return read;
    }
    *ret_state = s;
    return OK;
}

void
policy_state_free(struct policy_state *s)
{
    if (s != NULL) {
        arena_free(s->arena);
    }
}
