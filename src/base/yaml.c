#include "base/yaml.h"

#include "base/text.h"
/* libyaml's names begin with YAML_ and yaml_, too; ours are kept apart by their last word. */
#include "base/yaml_events.h"

#include <stdio.h>

struct reading {
    const char *file;
    struct arena *arena;
    struct diag *diag;
    struct yaml *open[YAML_MAX_DEPTH];
    struct yaml *last[YAML_MAX_DEPTH]; /* member of open[i] that was added last */
    const char *name;                  /* of the member that comes */
    unsigned name_line, name_column;
    size_t depth;
    struct yaml *root;
    bool document;
};

static struct status
refuse_line(const struct reading *r, size_t line, const char *what)
{
    return yaml_refuse_line(r->file, line, what, r->diag);
}

/* What stands at `line` becomes a member of the container that is open, or the root. */
static struct status
add_node(struct reading *r, enum yaml_kind kind, const yaml_mark_t *mark, struct yaml **ret_node)
{
    const size_t line = mark->line;
    struct yaml *node = arena_alloc(r->arena, 1, sizeof *node);
    CHECK(node != NULL, LIMIT);
    *node = (struct yaml){.kind = kind,
                          .line = (unsigned)line + 1,
                          .column = (unsigned)mark->column + 1,
                          .name = r->name,
                          .name_line = r->name_line,
                          .name_column = r->name_column};
    r->name = NULL;
    *ret_node = node;
    if (r->depth == 0) {
        r->root = node;
        return OK;
    }
    struct yaml *parent = r->open[r->depth - 1], *before = r->last[r->depth - 1];
    if (node->name != NULL && parent->count == YAML_MAX_MEMBERS) {
        return refuse_line(r, line, "more members than a mapping may have");
    }
    if (node->name != NULL && yaml_member(parent, node->name) != NULL) {
        diag_set(r->diag, "%s line %zu: \"%.60s\" stands twice", r->file, line + 1, node->name);
        FAIL(INPUT);
    }
    *(before == NULL ? &parent->first : &before->next) = node;
    r->last[r->depth - 1] = node;
    parent->count++;
    return OK;
}

static bool
name_is_due(const struct reading *r)
{
    return r->depth > 0 && r->open[r->depth - 1]->kind == YAML_MAPPING && r->name == NULL;
}

static struct status
take_scalar(struct reading *r, const yaml_event_t *e)
{
    const struct view word = view_of(e->data.scalar.value, e->data.scalar.length);
    const size_t line = e->start_mark.line;
    struct yaml *node = NULL;
    if (e->data.scalar.anchor != NULL || e->data.scalar.tag != NULL) {
        return refuse_line(r, line, "anchors and tags are not used here");
    }
    if (memchr(e->data.scalar.value, 0, word.len) != NULL || !text_is_utf8(word)) {
        return refuse_line(r, line, "not a text");
    }
    const char *text = arena_strdup(r->arena, word);
    CHECK(text != NULL, LIMIT);
    if (name_is_due(r)) {
        r->name = text;
        r->name_line = (unsigned)line + 1;
        r->name_column = (unsigned)e->start_mark.column + 1;
        return OK;
    }
    TRY(add_node(r, YAML_SCALAR, &e->start_mark, &node));
    node->text = text;
    node->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    node->empty = word.len == 0 && e->data.scalar.plain_implicit != 0 &&
                  e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return OK;
}

static struct status
take_start(struct reading *r, enum yaml_kind kind, const yaml_mark_t *mark, bool marked)
{
    const size_t line = mark->line;
    struct yaml *node = NULL;
    if (marked) {
        return refuse_line(r, line, "anchors and tags are not used here");
    }
    if (name_is_due(r)) {
        return refuse_line(r, line, "a member's name must be a word");
    }
    if (r->depth == YAML_MAX_DEPTH) {
        return refuse_line(r, line, "nested too deeply");
    }
    TRY(add_node(r, kind, mark, &node));
    r->open[r->depth] = node;
    r->last[r->depth] = NULL;
    r->depth++;
    return OK;
}

static struct status
take_event(void *ctx, const yaml_event_t *e)
{
    struct reading *r = ctx;
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return take_scalar(r, e);
    case YAML_MAPPING_START_EVENT:
        return take_start(r, YAML_MAPPING, &e->start_mark,
                          e->data.mapping_start.anchor != NULL ||
                              e->data.mapping_start.tag != NULL);
    case YAML_SEQUENCE_START_EVENT:
        return take_start(r, YAML_LIST, &e->start_mark,
                          e->data.sequence_start.anchor != NULL ||
                              e->data.sequence_start.tag != NULL);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        r->depth--;
        return OK;
    case YAML_ALIAS_EVENT:
        return refuse_line(r, e->start_mark.line, "aliases are not used here");
    case YAML_DOCUMENT_START_EVENT:
        if (r->document) {
            return refuse_line(r, e->start_mark.line, "a second document; one file holds one");
        }
        r->document = true;
        return OK;
    default:
        return OK;
    }
}

struct status
yaml_read(struct view text, const char *name, struct arena *arena, struct diag *diag,
          const struct yaml **ret_root)
{
    struct reading r = {.file = name, .arena = arena, .diag = diag};
    TRY(yaml_each_event(text, name, take_event, &r, diag));
    if (r.root == NULL || r.root->empty) {
        struct yaml *nothing = NULL;
        TRY(add_node(&r, YAML_MAPPING, &(yaml_mark_t){0}, &nothing));
    }
    *ret_root = r.root;
    return OK;
}

const struct yaml *
yaml_member(const struct yaml *mapping, const char *name)
{
    for (const struct yaml *m = mapping->first; m != NULL; m = m->next) {
        if (m->name != NULL && strcmp(m->name, name) == 0) {
            return m;
        }
    }
    return NULL;
}

struct status
yaml_refuse(const struct yaml *at, const char *file, struct diag *diag, const char *format, ...)
{
    char what[600];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    diag_set(diag, "%s line %u: %s", file, at->line, what);
    FAIL(INPUT);
}

static struct status
refuse_at(unsigned line, unsigned column, const char *file, struct diag *diag, const char *format,
          va_list args)
{
    char what[600];
    (void)vsnprintf(what, sizeof what, format, args);
    diag_set(diag, "%s line %u column %u: %s", file, line, column, what);
    FAIL(INPUT);
}

struct status
yaml_refuse_value(const struct yaml *at, const char *file, struct diag *diag, const char *format,
                  ...)
{
    va_list args;
    va_start(args, format);
    const struct status s = refuse_at(at->line, at->column, file, diag, format, args);
    va_end(args);
    return s;
}

struct status
yaml_refuse_name(const struct yaml *at, const char *file, struct diag *diag, const char *format,
                 ...)
{
    va_list args;
    const bool named = at->name != NULL;
    va_start(args, format);
    const struct status s =
        refuse_at(named ? at->name_line : at->line, named ? at->name_column : at->column, file,
                  diag, format, args);
    va_end(args);
    return s;
}

struct status
yaml_check_members(const struct yaml *o, const char *what, const char *const *known, size_t n,
                   const char *file, struct diag *diag)
{
    if (o->kind != YAML_MAPPING) {
        return yaml_refuse(o, file, diag, "%s holds members, each with its name", what);
    }
    for (const struct yaml *m = o->first; m != NULL; m = m->next) {
        bool found = false;
        for (size_t i = 0; i < n; i++) {
            found = found || strcmp(known[i], m->name) == 0;
        }
        if (!found) {
            const char *near = text_nearest(m->name, known, n);
            return yaml_refuse(m, file, diag, "%s has no \"%.60s\"%s%s%s", what, m->name,
                               near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
                               near == NULL ? "" : "\"?");
        }
    }
    return OK;
}

struct status
yaml_take_text(const struct yaml *o, const char *name, bool needed, const char *file,
               struct diag *diag, const char **ret_text)
{
    const struct yaml *m = yaml_member(o, name);
    *ret_text = NULL;
    if (m == NULL && !needed) {
        return OK;
    }
    if (m == NULL || m->kind != YAML_SCALAR || m->empty || *m->text == '\0') {
        return yaml_refuse(m == NULL ? o : m, file, diag, "\"%s\" must be a text", name);
    }
    *ret_text = m->text;
    return OK;
}
