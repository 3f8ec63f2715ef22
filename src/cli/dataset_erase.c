/* dataset subjects, dataset erase: the persons of a dataset. */
#include "cli/cli.h"

#include "base/file.h"
#include "workspace/dataset_subjects.h"
#include "workspace/datasets.h"
#include "workspace/erasure.h"

#include <string.h>

#define LIST_MAX (64u << 20)

struct status
cli_dataset_subjects(struct cli *c)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *o = NULL;
    DEFER(js_freep) json_t *record = NULL;
    const char *name = c->operand[0];
    bool exist = false;
    TRY(cli_open(c, &w));
    TRY(dataset_describe(w, name, 0, &c->diag, &record));
    TRY(dataset_subjects_exist(w, name, &exist));
    if (!exist) {
        diag_set(&c->diag, "dataset %s has no subject column (steward dataset add --subject)",
                 name);
        FAIL(INPUT);
    }
    TRY(dataset_subjects_describe(w, name, &c->diag, &o));
    if (c->json) {
        return cli_print_json(o);
    }
    cli_say("%s is about %lld persons, of whom %lld were erased", name,
            (long long)json_integer_value(json_object_get(o, "persons")),
            (long long)json_integer_value(json_object_get(o, "erased")));
    return OK;
}

/* ---- who ---- */

struct list {
    struct view *items;
    size_t count;
};

static void
list_done(struct list *l)
{
    free(l->items);
}

static struct status
add(struct list *l, struct view value)
{
    struct view *more = l->items;
    if ((l->count & (l->count - 1)) == 0) { /* full: none, or a power of two */
        more = realloc(l->items, (l->count == 0 ? 1 : 2 * l->count) * sizeof *more);
        CHECK(more != NULL, MEMORY);
    }
    l->items = more;
    l->items[l->count++] = value;
    return OK;
}

/* A line a person; nothing is trimmed but a carriage return. */
static struct status
add_lines(struct view text, struct list *l)
{
    while (text.len > 0) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        const size_t n = end == NULL ? text.len : (size_t)(end - text.ptr);
        const size_t kept = n > 0 && text.ptr[n - 1] == '\r' ? n - 1 : n;
        if (kept > 0) {
            TRY(add(l, view_of(text.ptr, kept)));
        }
        text = end == NULL ? view_of(NULL, 0) : view_of(end + 1, text.len - n - 1);
    }
    return OK;
}

static struct status
read_persons(struct cli *c, struct buf *text, struct list *l)
{
    const char *file = cli_value(c, "from-file");
    for (size_t i = 0; i < c->givens; i++) {
        if (strcmp(c->given[i].option->name, "subject") == 0) {
            TRY(add(l, view_str(c->given[i].value)));
        }
    }
    if (file != NULL) {
        TRY(file_read(file, LIST_MAX, &c->diag, text));
        TRY(add_lines(buf_view(text), l));
    }
    if (l->count == 0) {
        diag_set(&c->diag, "dataset erase: who? --subject VALUE, or --from-file FILE");
        FAIL(INPUT);
    }
    if (l->count > ERASURE_MOST) {
        diag_set(&c->diag, "%zu persons: at most %u at once; split the file", l->count,
                 ERASURE_MOST);
        FAIL(LIMIT);
    }
    return OK;
}

/* ---- what was done ---- */

static long long
number(const json_t *o, const char *key)
{
    return (long long)json_integer_value(json_object_get(o, key));
}

static void
put_list(const json_t *list, const char *format, const char *key, struct buf *ret_text)
{
    size_t i = 0;
    const json_t *o = NULL;
    json_array_foreach((json_t *)(uintptr_t)list, i, o)
    {
        const char *model = json_string_value(json_object_get(o, "model"));
        buf_put_str(ret_text, i > 0 ? ", " : "");
        if (model != NULL) {
            buf_printf(ret_text, format, model, number(o, key));
        } else {
            buf_printf(ret_text, "%lld", number(o, key));
        }
    }
}

static void
print_traces(const json_t *answer, const char *what, const char *format, const char *key)
{
    const json_t *list = json_object_get(answer, what);
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 16);
    put_list(list, format, key, &text);
    if (json_array_size(list) > 0) {
        cli_say("  %s: %s", what, buf_str(&text));
    }
}

static void
print_answer(const json_t *a)
{
    DEFER(buf_done) struct buf versions;
    buf_init(&versions, 1u << 16);
    put_list(json_object_get(a, "versions"), "", "version", &versions);
    cli_say("erased from %s: %lld person%s, %lld rows%s%s",
            json_string_value(json_object_get(a, "dataset")), number(a, "erased"),
            number(a, "erased") == 1 ? "" : "s", number(a, "rows"),
            versions.len > 0 ? " of version " : "", buf_str(&versions));
    if (number(a, "already") > 0) {
        cli_say("erased already: %lld", number(a, "already"));
    }
    if (number(a, "unknown") > 0) {
        cli_say("not in this dataset: %lld", number(a, "unknown"));
    }
    if (json_array_size(json_object_get(a, "models")) > 0) {
        cli_say("what may still hold traces, since it was made of this dataset:");
        print_traces(a, "models", "%s@%lld", "version");
        print_traces(a, "assessments", "%s/%lld", "assessment");
    }
    cli_say("backups and other copies of the folder subjects/ from before still have the keys: "
            "destroy them; \"backup restore --erasures\" erases again");
}

struct status
cli_dataset_erase(struct cli *c)
{
    DEFER(list_done) struct list persons = {0};
    DEFER(buf_wipe) struct buf text;
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *answer = NULL;
    buf_init(&text, LIST_MAX);
    TRY(read_persons(c, &text, &persons));
    TRY(cli_open(c, &w));
    TRY(erasure_run(w, c->operand[0], persons.items, persons.count, &c->diag, &answer));
    if (c->json) {
        return cli_print_json(answer);
    }
    print_answer(answer);
    return OK;
}
