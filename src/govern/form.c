#include "govern/form.h"

#include "base/embedded.h"
#include "base/text.h"
#include "base/yaml.h"

#define ARENA_MAX (8u << 20)
#define TEXT_MAX (1u << 20)

struct reading {
    const char *file;
    struct arena *arena;
    struct diag *diag;
};

static struct status
take_list(const struct reading *r, const struct yaml *o, const char *name,
          const struct yaml **ret_list)
{
    const struct yaml *m = yaml_member(o, name);
    if (m == NULL || m->kind != YAML_LIST || m->count == 0) {
        return yaml_refuse(m == NULL ? o : m, r->file, r->diag, "\"%s\" must be a list", name);
    }
    *ret_list = m;
    return OK;
}

/* ---- items ---- */

static const struct form_item *
find_item(const struct form *f, const char *id)
{
    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->items[i].id, id) == 0) {
            return &f->items[i];
        }
    }
    return NULL;
}

static struct status
take_item(const struct reading *r, const struct yaml *o, const char *section, struct form *f,
          struct form_item *ret_item)
{
    ret_item->section = section;
    TRY(yaml_take_text(o, "id", true, r->file, r->diag, &ret_item->id));
    TRY(yaml_take_text(o, "title", true, r->file, r->diag, &ret_item->title));
    TRY(yaml_take_text(o, "ask", false, r->file, r->diag, &ret_item->ask));
    TRY(yaml_take_text(o, "state", false, r->file, r->diag, &ret_item->fact));
    if (!text_is_name(ret_item->id) || find_item(f, ret_item->id) != NULL) {
        return yaml_refuse(o, r->file, r->diag, "\"%.60s\" is no name, or stands twice",
                           ret_item->id);
    }
    if ((ret_item->ask == NULL) == (ret_item->fact == NULL)) {
        return yaml_refuse(o, r->file, r->diag, "an item has \"ask\" or \"state\"");
    }
    return OK;
}

static struct status
take_sections(const struct reading *r, const struct yaml *root, struct form *f)
{
    const struct yaml *sections = NULL, *items = NULL;
    size_t n = 0;
    TRY(take_list(r, root, "sections", &sections));
    for (const struct yaml *s = sections->first; s != NULL; s = s->next) {
        TRY(take_list(r, s, "items", &items));
        n += items->count;
    }
    struct form_item *all = arena_alloc(r->arena, n, sizeof *all);
    CHECK(all != NULL, LIMIT);
    f->items = all;
    for (const struct yaml *s = sections->first; s != NULL; s = s->next) {
        const char *title = NULL;
        TRY(yaml_take_text(s, "title", true, r->file, r->diag, &title));
        TRY(take_list(r, s, "items", &items));
        for (const struct yaml *m = items->first; m != NULL; m = m->next, f->count++) {
            TRY(take_item(r, m, title, f, &all[f->count]));
        }
    }
    return OK;
}

/* ---- a form ---- */

struct status
form_read(struct view yaml, const char *file, struct diag *diag, struct form **ret_form)
{
    const struct yaml *root = NULL;
    const char *about = NULL;
    DEFER(form_freep) struct form *f = calloc(1, sizeof *f);
    CHECK(f != NULL, MEMORY);
    f->arena = arena_new(ARENA_MAX);
    CHECK(f->arena != NULL, MEMORY);
    const struct reading r = {.file = file, .arena = f->arena, .diag = diag};
    TRY(yaml_read(yaml, file, f->arena, diag, &root));
    if (root->kind != YAML_MAPPING) {
        return yaml_refuse(root, file, diag, "a form holds members, each with its name");
    }
    TRY(yaml_take_text(root, "form", true, file, diag, &f->name));
    TRY(yaml_take_text(root, "title", true, file, diag, &f->title));
    TRY(yaml_take_text(root, "law", true, file, diag, &f->law));
    TRY(yaml_take_text(root, "about", true, file, diag, &about));
    f->of_model = strcmp(about, "model") == 0;
    if (!f->of_model && strcmp(about, "workspace") != 0) {
        return yaml_refuse(root, file, diag, "\"about\" is model or workspace");
    }
    TRY(take_sections(&r, root, f));
    digest_of(yaml, &f->digest);
    *ret_form = MOVE(f);
    return OK;
}

void
form_free(struct form *f)
{
    if (f != NULL) {
        arena_free(f->arena);
        free(f);
    }
}

struct status
form_built_in(const char *name, struct diag *diag, struct form **ret_form)
{
    struct view text;
    TRY(embedded_find(embedded_forms, "form", name, diag, &text));
    return form_read(text, name, diag, ret_form);
}

/* ---- answers ---- */

static const char *
answer_of(const json_t *answers, const char *id)
{
    return json_string_value(json_object_get(answers, id));
}

size_t
form_open(const struct form *f, const json_t *answers)
{
    size_t n = 0;
    for (size_t i = 0; i < f->count; i++) {
        n += f->items[i].ask != NULL && answer_of(answers, f->items[i].id) == NULL;
    }
    return n;
}

/* As comment lines of at most 96 letters. */
static void
put_comment(struct buf *b, const char *text)
{
    size_t at = 0;
    while (*text != '\0') {
        const size_t n = strcspn(text, " ");
        if (at == 0 || at + n > 92) {
            buf_printf(b, "%s  #", at == 0 ? "" : "\n");
            at = 3;
        }
        buf_printf(b, " %.*s", (int)n, text);
        at += n + 1;
        text += n + (text[n] == ' ');
    }
    buf_put_str(b, "\n");
}

/* A literal block, whose lines are the answer's. */
static void
put_answer(struct buf *b, const struct form_item *item, const char *answer)
{
    if (answer == NULL) {
        buf_printf(b, "  %s:\n", item->id);
        return;
    }
    buf_printf(b, "  %s: |2-\n", item->id);
    while (*answer != '\0') {
        const size_t n = strcspn(answer, "\n");
        buf_printf(b, "%s%.*s\n", n == 0 ? "" : "    ", (int)n, answer);
        answer += n + (answer[n] == '\n');
    }
}

void
form_put_template(const struct form *f, const json_t *answers, struct buf *ret_yaml)
{
    const char *section = "";
    buf_printf(ret_yaml, "# %s (%s)\nform: %s\nanswers:\n", f->title, f->law, f->name);
    for (size_t i = 0; i < f->count; i++) {
        const struct form_item *item = &f->items[i];
        if (item->ask == NULL) {
            continue;
        }
        if (strcmp(section, item->section) != 0) {
            buf_printf(ret_yaml, "\n  # ---- %s ----\n", item->section);
            section = item->section;
        }
        put_comment(ret_yaml, item->ask);
        put_answer(ret_yaml, item, answer_of(answers, item->id));
    }
}

/* What a block of YAML gives back as it was: no control characters but tab and newline, none of
 * Unicode's line ends. */
static bool
is_plain(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        const bool control =
            (*p < 0x20 && *p != '\n' && *p != '\t') || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0);
        const bool line_end = *p == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9);
        if (control || line_end || (*p == 0xef && p[1] == 0xbb && p[2] == 0xbf)) {
            return false;
        }
    }
    return true;
}

/* Without the white space at its end. */
static json_t *
trimmed(const char *text)
{
    size_t n = strlen(text);
    while (n > 0 && strchr(" \t\n", text[n - 1]) != NULL) {
        n--;
    }
    return json_stringn(text, n);
}

static struct status
take_answer(const struct form *f, const struct reading *r, const struct yaml *m, json_t *answers)
{
    const struct form_item *item = find_item(f, m->name);
    if (item == NULL || item->ask == NULL) {
        return yaml_refuse(m, r->file, r->diag,
                           "form %s does not ask for \"%.60s\"; steward record questions %s lists "
                           "what it asks",
                           f->name, m->name, f->name);
    }
    if (m->kind != YAML_SCALAR || strlen(m->text) > FORM_ANSWER_MAX || !is_plain(m->text)) {
        return yaml_refuse(m, r->file, r->diag,
                           "an answer is a text of at most %u KiB without control characters",
                           FORM_ANSWER_MAX >> 10);
    }
    json_t *answer = trimmed(m->text);
    if (m->empty || json_string_length(answer) == 0) {
        json_decref(answer);
        return OK;
    }
    return js_set(answers, m->name, answer);
}

struct status
form_take_answers(const struct form *f, struct view yaml, const char *file, struct diag *diag,
                  json_t **ret_answers)
{
    const struct yaml *root = NULL;
    const char *name = NULL;
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    DEFER(js_freep) json_t *answers = json_object();
    CHECK(arena != NULL && answers != NULL, MEMORY);
    const struct reading r = {.file = file, .arena = arena, .diag = diag};
    if (yaml.len > TEXT_MAX) {
        diag_set(diag, "%s is longer than %u KiB", file, TEXT_MAX >> 10);
        FAIL(LIMIT);
    }
    TRY(yaml_read(yaml, file, arena, diag, &root));
    if (root->kind != YAML_MAPPING) {
        return yaml_refuse(root, file, diag, "answers are \"form: %s\" and \"answers:\"", f->name);
    }
    TRY(yaml_take_text(root, "form", true, file, diag, &name));
    const struct yaml *all = yaml_member(root, "answers");
    if (strcmp(name, f->name) != 0) {
        return yaml_refuse(yaml_member(root, "form"), file, diag,
                           "these are answers to form \"%.60s\", not to %s", name, f->name);
    }
    if (all == NULL || all->kind != YAML_MAPPING) {
        return yaml_refuse(all == NULL ? root : all, file, diag,
                           "\"answers\" must be a mapping from questions to texts");
    }
    for (const struct yaml *m = all->first; m != NULL; m = m->next) {
        TRY(take_answer(f, &r, m, answers));
    }
    *ret_answers = MOVE(answers);
    return OK;
}
