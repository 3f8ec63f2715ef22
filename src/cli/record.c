/* record: what laws want written down: answers to forms, and the documents made of them. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/embedded.h"
#include "base/file.h"
#include "base/json.h"
#include "report/html.h"
#include "report/record_document.h"
#include "workspace/models.h"
#include "workspace/record_facts.h"
#include "workspace/records.h"

#include <string.h>

#define ANSWERS_MAX (1u << 20)
#define FILE_MODE 0600
#define WORKSPACE "workspace" /* what answers of a form about it are kept under */

const struct cli_option cli_record_questions_options[] = {
    {"filled", NULL, "with the answers that the workspace keeps", NULL, CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_record_answer_options[] = {
    {"from", "FILE", "the answers: YAML as steward record questions writes it", NULL, CLI_ONCE,
     "@file"},
    {0},
};

const struct cli_option cli_record_show_options[] = {
    {"version", "N", "of the answers (default: the newest)", "0", CLI_ONCE, NULL},
    {"report", "FILE", "write it as a page (HTML) to FILE", NULL, CLI_ONCE, "@made"},
    {0},
};

/* The form of the first operand, and which record: of the model, or of the workspace. */
static struct status
take_form(struct cli *c, size_t model_operand, struct form **ret_form, const char **ret_name)
{
    TRY(form_built_in(c->operand[0], &c->diag, ret_form));
    const bool named = c->operands > model_operand;
    if (named != (*ret_form)->of_model) {
        diag_set(&c->diag,
                 named ? "form %s is about the workspace; leave the model out"
                       : "form %s is about a model; name one",
                 (*ret_form)->name);
        FAIL(INPUT);
    }
    *ret_name = named ? c->operand[model_operand] : WORKSPACE;
    return OK;
}

static struct status
check_model(struct cli *c, struct workspace *w, const struct form *f, const char *name)
{
    DEFER(js_freep) json_t *record = NULL;
    return f->of_model ? model_describe(w, name, 0, &c->diag, &record) : OK;
}

/* NULL when nothing was answered yet. */
static struct status
answers_of(struct cli *c, struct workspace *w, const struct form *f, const char *name,
           uint64_t version, json_t **ret_record)
{
    const struct status s = records_get(w, f->name, name, version, &c->diag, ret_record);
    if (s.code == STATUS_NOT_FOUND && version == 0) {
        c->diag.text[0] = '\0';
        return OK;
    }
    return s;
}

/* ---- questions ---- */

struct status
cli_record_questions(struct cli *c)
{
    const char *name = NULL;
    DEFER(form_freep) struct form *f = NULL;
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *record = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, 4 * ANSWERS_MAX);
    if (!cli_flag(c, "filled")) {
        TRY(form_built_in(c->operand[0], &c->diag, &f));
    } else {
        TRY(take_form(c, 1, &f, &name));
        TRY(cli_open(c, &w));
        TRY(answers_of(c, w, f, name, 0, &record));
    }
    form_put_template(f, json_object_get(record, "answers"), &text);
    TRY(buf_status(&text));
    (void)fwrite(text.ptr, 1, text.len, stdout);
    return OK;
}

/* ---- answer ---- */

static struct status
read_answers(struct cli *c, const struct form *f, const char *path, json_t **ret_answers)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, ANSWERS_MAX);
    TRY(file_read(path, ANSWERS_MAX, &c->diag, &text));
    return form_take_answers(f, buf_view(&text), path, &c->diag, ret_answers);
}

static struct status
print_answered(struct cli *c, const struct form *f, const json_t *record)
{
    const size_t open = form_open(f, json_object_get(record, "answers"));
    if (c->json) {
        return cli_print_json(record);
    }
    cli_say("%s: version %lld kept; %zu of its questions are open", f->title,
            (long long)json_integer_value(json_object_get(record, "version")), open);
    return OK;
}

struct status
cli_record_answer(struct cli *c)
{
    const char *name = NULL, *path = NULL;
    DEFER(form_freep) struct form *f = NULL;
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *answers = NULL;
    DEFER(js_freep) json_t *record = NULL;
    DEFER(buf_done) struct buf digest;
    buf_init(&digest, 128);
    TRY(take_form(c, 1, &f, &name));
    TRY(cli_need(c, "from", "FILE", &path));
    TRY(read_answers(c, f, path, &answers));
    TRY(cli_open(c, &w));
    TRY(check_model(c, w, f, name));
    digest_put_hex(&digest, &f->digest);
    json_t *members = json_pack("{s:O, s:s}", "answers", answers, "form_sha256", buf_str(&digest));
    TRY(records_put(w, f->name, name, members, "answers given", &c->diag, &record));
    return print_answered(c, f, record);
}

/* ---- show ---- */

static void
print_fact(const json_t *fact)
{
    size_t i, k;
    json_t *o = NULL, *cell = NULL;
    json_array_foreach(json_object_get(fact, "lines"), i, o)
    {
        (void)printf("    ");
        cli_put_wrapped(stdout, json_string_value(o), 4, 4);
    }
    const json_t *columns = json_object_get(fact, "columns");
    json_array_foreach(json_object_get(fact, "rows"), i, o)
    {
        bool first = true;
        DEFER(buf_done) struct buf text;
        buf_init(&text, 1u << 16);
        json_array_foreach(o, k, cell)
        {
            const char *value = json_string_value(cell);
            if (value != NULL && *value != '\0') {
                buf_printf(&text, "%s%s: %s", first ? "" : "; ",
                           json_string_value(json_array_get(columns, k)), value);
                first = false;
            }
        }
        (void)printf("    - ");
        cli_put_wrapped(stdout, buf_str(&text), 6, 6);
    }
}

/* An answer, whose lines are its own. */
static void
print_lines(const char *text)
{
    while (*text != '\0') {
        const size_t n = strcspn(text, "\n");
        DEFER(buf_done) struct buf line;
        buf_init(&line, FORM_ANSWER_MAX + 1);
        buf_put(&line, view_of(text, n));
        (void)printf("    ");
        cli_put_wrapped(stdout, buf_str(&line), 4, 4);
        text += n + (text[n] == '\n');
    }
}

static void
print_item(const json_t *item)
{
    const char *answer = json_string_value(json_object_get(item, "answer"));
    const json_t *fact = json_object_get(item, "fact");
    (void)printf("  ");
    cli_put_wrapped(stdout, json_string_value(json_object_get(item, "title")), 2, 2);
    if (fact != NULL) {
        print_fact(fact);
    } else if (answer != NULL) {
        print_lines(answer);
    } else {
        (void)printf("    OPEN: ");
        cli_put_wrapped(stdout, json_string_value(json_object_get(item, "question")), 10, 4);
    }
}

static void
print_document(const json_t *d)
{
    size_t i, k;
    json_t *section = NULL, *item = NULL;
    cli_say("%s of %s (%s)", json_string_value(json_object_get(d, "title")),
            json_string_value(json_object_get(d, "about")),
            json_string_value(json_object_get(d, "law")));
    cli_say("%lld questions are open", (long long)json_integer_value(json_object_get(d, "open")));
    json_array_foreach(json_object_get(d, "sections"), i, section)
    {
        (void)printf("\n");
        cli_say("%s", json_string_value(json_object_get(section, "title")));
        json_array_foreach(json_object_get(section, "items"), k, item)
        {
            print_item(item);
        }
    }
}

static struct status
write_page(struct cli *c, const json_t *document, const char *path)
{
    DEFER(buf_done) struct buf html;
    buf_init(&html, HTML_MAX_BYTES);
    TRY(html_record_page(document, &html));
    TRY(file_replace(path, buf_view(&html), FILE_MODE, &c->diag));
    (void)fprintf(stderr, "report: %s\n", path);
    return OK;
}

struct status
cli_record_show(struct cli *c)
{
    const char *name = NULL, *report = cli_value(c, "report");
    uint64_t version = 0;
    DEFER(form_freep) struct form *f = NULL;
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *record = NULL;
    DEFER(js_freep) json_t *facts = NULL;
    DEFER(js_freep) json_t *document = NULL;
    TRY(take_form(c, 1, &f, &name));
    TRY(cli_u64(c, "version", &version));
    TRY(cli_open(c, &w));
    TRY(answers_of(c, w, f, name, version, &record));
    TRY(record_facts(w, f, f->of_model ? name : NULL, &c->diag, &facts));
    const struct record_input in = {.form = f,
                                    .about = f->of_model ? name : w->origin,
                                    .record = record,
                                    .facts = facts,
                                    .now_ns = clock_wall_ns()};
    TRY(record_document(&in, &document));
    if (report != NULL) {
        TRY(write_page(c, document, report));
    }
    if (c->json) {
        return cli_print_json(document);
    }
    print_document(document);
    return OK;
}

/* ---- list ---- */

struct listing {
    const struct form *form;
    json_t *rows;
};

static struct status
add_row(void *ctx, const char *name, uint64_t version, const json_t *record)
{
    const struct listing *l = ctx;
    const size_t n = json_array_size(l->rows);
    json_t *row =
        json_pack("{s:s, s:s, s:I, s:I, s:O, s:O}", "form", l->form->name, "about", name, "version",
                  (json_int_t)version, "open",
                  (json_int_t)form_open(l->form, json_object_get(record, "answers")), "time",
                  json_object_get(record, "time"), "by", json_object_get(record, "by"));
    CHECK(row != NULL, MEMORY);
    /* Of each the newest, which comes last. */
    const int failed =
        version > 1 ? json_array_set_new(l->rows, n - 1, row) : json_array_append_new(l->rows, row);
    CHECK(failed == 0, MEMORY);
    return OK;
}

struct status
cli_record_list(struct cli *c)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 64u << 20);
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *rows = json_array();
    CHECK(rows != NULL, MEMORY);
    TRY(cli_open(c, &w));
    for (const struct embedded *e = embedded_forms; e->name != NULL; e++) {
        DEFER(form_freep) struct form *f = NULL;
        TRY(form_built_in(e->name, &c->diag, &f));
        struct listing l = {.form = f, .rows = rows};
        TRY(records_each(w, e->name, add_row, &l));
    }
    TRY(js_put(&text, rows));
    return cli_print_list(c, buf_view(&text),
                          "form:FORM about:ABOUT version:VERSION open:OPEN time:TIME by:BY");
}
