#include "govern/catalogue.h"

#include "base/clock.h"
#include "base/embedded.h"
#include "base/text.h"
#include "base/yaml.h"

#include <stdio.h>

#define ARENA_MAX (32u << 20)

struct reading {
    const char *file;
    struct arena *arena;
    struct diag *diag;
    const struct catalogue_property *properties;
    size_t property_count;
};

/* ---- members ---- */

static struct status
take_name(const struct reading *r, const struct yaml *o, const char *name, const char **ret_name)
{
    TRY(yaml_take_text(o, name, true, r->file, r->diag, ret_name));
    if (!text_is_name(*ret_name)) {
        return yaml_refuse(yaml_member(o, name), r->file, r->diag,
                           "\"%.60s\": %s are small letters, digits, \".\", \"_\" and \"-\"",
                           *ret_name, name);
    }
    return OK;
}

/* YYYY-MM-DD, a day that there is. */
static struct status
take_day(const struct reading *r, const struct yaml *o, bool needed, const char **ret_day)
{
    char at_noon[40];
    int64_t ns = 0;
    TRY(yaml_take_text(o, "applies_from", needed, r->file, r->diag, ret_day));
    if (*ret_day == NULL) {
        return OK;
    }
    (void)snprintf(at_noon, sizeof at_noon, "%.16sT12:00:00Z", *ret_day);
    if (strlen(*ret_day) != 10 || !status_ok(clock_from_rfc3339(view_str(at_noon), &ns))) {
        return yaml_refuse(yaml_member(o, "applies_from"), r->file, r->diag,
                           "\"%.40s\" is no day; write it as 2027-12-02", *ret_day);
    }
    return OK;
}

/* ---- a control ---- */

static struct status
take_checks(const struct reading *r, const struct yaml *o, struct catalogue_control *ret_control)
{
    const struct yaml *list = yaml_member(o, "checks");
    if (list == NULL || list->kind != YAML_LIST || list->count > CATALOGUE_CHECKS_MAX) {
        return yaml_refuse(list == NULL ? o : list, r->file, r->diag,
                           "a control needs \"checks\", a list of 0 to %u ids of policies",
                           CATALOGUE_CHECKS_MAX);
    }
    const char **ids = arena_alloc(r->arena, list->count + 1, sizeof *ids);
    CHECK(ids != NULL, LIMIT);
    size_t n = 0;
    for (const struct yaml *m = list->first; m != NULL; m = m->next) {
        if (m->kind != YAML_SCALAR || !text_is_name(m->text)) {
            return yaml_refuse(m, r->file, r->diag, "a check is the id of a policy");
        }
        for (size_t i = 0; i < n; i++) {
            if (strcmp(ids[i], m->text) == 0) {
                return yaml_refuse(m, r->file, r->diag, "check \"%.60s\" stands twice", m->text);
            }
        }
        ids[n++] = m->text;
    }
    ret_control->checks = ids;
    ret_control->check_count = n;
    return OK;
}

static const struct catalogue_property *
find_property(const struct reading *r, const char *id)
{
    for (size_t i = 0; i < r->property_count; i++) {
        if (strcmp(r->properties[i].id, id) == 0) {
            return &r->properties[i];
        }
    }
    return NULL;
}

static struct status
take_always(const struct reading *r, const struct yaml *o, struct catalogue_control *ret_control)
{
    const struct yaml *list = yaml_member(o, "always");
    if (list == NULL) {
        return OK;
    }
    if (list->kind != YAML_LIST || list->count > CATALOGUE_CHECKS_MAX) {
        return yaml_refuse(list, r->file, r->diag, "\"always\" is a list of at most %u ids",
                           CATALOGUE_CHECKS_MAX);
    }
    const struct catalogue_property **all = arena_alloc(r->arena, list->count + 1, sizeof *all);
    CHECK(all != NULL, LIMIT);
    for (const struct yaml *m = list->first; m != NULL; m = m->next) {
        const struct catalogue_property *p =
            m->kind == YAML_SCALAR ? find_property(r, m->text) : NULL;
        if (p == NULL) {
            return yaml_refuse(m, r->file, r->diag, "there is no such property (always.yaml)");
        }
        all[ret_control->always_count++] = p;
    }
    ret_control->always = all;
    return OK;
}

static struct status
take_level(const struct reading *r, const struct yaml *o, unsigned *ret_level)
{
    const struct yaml *m = yaml_member(o, "level");
    uint64_t level = 0;
    if (m != NULL &&
        (m->kind != YAML_SCALAR || !status_ok(text_to_u64(view_str(m->text), &level)) ||
         level == 0 || level > 9)) {
        return yaml_refuse(m, r->file, r->diag, "\"level\" must be 1 to 9");
    }
    *ret_level = (unsigned)level;
    return OK;
}

static struct status
take_control(const struct reading *r, const struct yaml *o, const char *applies_from,
             struct catalogue_control *ret_control)
{
    static const char *const known[] = {"id",           "title",  "text",  "by_hand",
                                        "applies_from", "checks", "level", "always"};
    TRY(yaml_check_members(o, "a control", known, sizeof known / sizeof *known, r->file, r->diag));
    TRY(take_name(r, o, "id", &ret_control->id));
    TRY(yaml_take_text(o, "title", true, r->file, r->diag, &ret_control->title));
    TRY(yaml_take_text(o, "text", true, r->file, r->diag, &ret_control->text));
    TRY(yaml_take_text(o, "by_hand", true, r->file, r->diag, &ret_control->by_hand));
    TRY(take_day(r, o, false, &ret_control->applies_from));
    TRY(take_checks(r, o, ret_control));
    TRY(take_always(r, o, ret_control));
    TRY(take_level(r, o, &ret_control->level));
    if (ret_control->applies_from == NULL) {
        ret_control->applies_from = applies_from;
    }
    return OK;
}

static struct status
take_controls(const struct reading *r, const struct yaml *root, struct catalogue *c)
{
    const struct yaml *list = yaml_member(root, "controls");
    if (list == NULL || list->kind != YAML_LIST || list->count == 0) {
        return yaml_refuse(list == NULL ? root : list, r->file, r->diag,
                           "a catalogue needs \"controls\", a list");
    }
    struct catalogue_control *controls = arena_alloc(r->arena, list->count, sizeof *controls);
    CHECK(controls != NULL, LIMIT);
    c->controls = controls;
    for (const struct yaml *m = list->first; m != NULL; m = m->next) {
        TRY(take_control(r, m, c->applies_from, &controls[c->count]));
        if (catalogue_find(c, controls[c->count].id) != NULL) {
            return yaml_refuse(m, r->file, r->diag, "control \"%.60s\" stands twice",
                               controls[c->count].id);
        }
        c->count++;
    }
    return OK;
}

/* ---- what always holds ---- */

static struct status
take_properties(struct reading *r)
{
    const struct yaml *root = NULL;
    struct reading own = *r;
    own.file = embedded_always->name;
    TRY(yaml_read(embedded_always->text, own.file, r->arena, r->diag, &root));
    const struct yaml *list = yaml_member(root, "properties");
    ASSERT(list != NULL); /* ours */
    struct catalogue_property *all = arena_alloc(r->arena, list->count, sizeof *all);
    CHECK(all != NULL, LIMIT);
    for (const struct yaml *m = list->first; m != NULL; m = m->next) {
        struct catalogue_property *p = &all[r->property_count++];
        TRY(take_name(&own, m, "id", &p->id));
        TRY(yaml_take_text(m, "says", true, own.file, own.diag, &p->says));
        TRY(yaml_take_text(m, "test", true, own.file, own.diag, &p->test));
    }
    r->properties = all;
    return OK;
}

/* ---- a catalogue ---- */

struct status
catalogue_read(struct view yaml, const char *file, struct diag *diag,
               struct catalogue **ret_catalogue)
{
    static const char *const known[] = {"catalogue", "title", "edition", "applies_from",
                                        "controls"};
    const struct yaml *root = NULL;
    DEFER(catalogue_freep) struct catalogue *c = calloc(1, sizeof *c);
    CHECK(c != NULL, MEMORY);
    c->arena = arena_new(ARENA_MAX);
    CHECK(c->arena != NULL, MEMORY);
    struct reading r = {.file = file, .arena = c->arena, .diag = diag};
    if (yaml.len > CATALOGUE_TEXT_MAX) {
        diag_set(diag, "%s is longer than %u KiB", file, CATALOGUE_TEXT_MAX >> 10);
        FAIL(LIMIT);
    }
    TRY(take_properties(&r));
    TRY(yaml_read(yaml, file, c->arena, diag, &root));
    TRY(yaml_check_members(root, "a catalogue", known, sizeof known / sizeof *known, file, diag));
    TRY(take_name(&r, root, "catalogue", &c->name));
    TRY(yaml_take_text(root, "title", true, file, diag, &c->title));
    TRY(yaml_take_text(root, "edition", true, file, diag, &c->edition));
    TRY(take_day(&r, root, true, &c->applies_from));
    TRY(take_controls(&r, root, c));
    digest_of(yaml, &c->digest);
    *ret_catalogue = MOVE(c);
    return OK;
}

void
catalogue_free(struct catalogue *c)
{
    if (c != NULL) {
        arena_free(c->arena);
        free(c);
    }
}

struct status
catalogue_built_in(const char *name, struct diag *diag, struct catalogue **ret_catalogue)
{
    struct view text;
    TRY(embedded_find(embedded_catalogues, "catalogue", name, diag, &text));
    return catalogue_read(text, name, diag, ret_catalogue);
}

const struct catalogue_control *
catalogue_find(const struct catalogue *c, const char *id)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->controls[i].id, id) == 0) {
            return &c->controls[i];
        }
    }
    return NULL;
}
