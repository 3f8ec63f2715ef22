#include "base/text.h"
#include "cli/cohort_rows.h"
#include "cli/workspace_files.h"
#include "workspace/answers.h"
#include "workspace/gather.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 120u

/* ---- what options are when they were not given ---- */

static struct status
suppose(struct cli *c, struct cohort_rows *r, const char *option, const char *value)
{
    CHECK(r->word_count < CLI_MAX_REPEATS, LIMIT);
    char *word = strdup(value);
    CHECK(word != NULL, MEMORY);
    r->words[r->word_count++] = word;
    return cli_suppose(c, option, word);
}

static struct status
suppose_label(struct cli *c, struct cohort_rows *r, const char *label, const char *positive)
{
    if (label == NULL || cli_value(c, "label") != NULL) {
        return OK;
    }
    TRY(suppose(c, r, "label", label));
    return positive == NULL || cli_value(c, "positive") != NULL
               ? OK
               : suppose(c, r, "positive", positive);
}

static struct status
suppose_roles(struct cli *c, struct cohort_rows *r)
{
    const struct table *t = r->table;
    const struct column *label = table_label(t);
    TRY(suppose_label(c, r, label == NULL ? NULL : label->name, t->positive));
    if (!cli_takes(c, "sensitive") || cli_value(c, "sensitive") != NULL) {
        return OK;
    }
    for (uint32_t i = 0; i < t->column_count; i++) {
        if (t->columns[i].role == ROLE_SENSITIVE) {
            TRY(suppose(c, r, "sensitive", t->columns[i].name));
        }
    }
    return OK;
}

/* ---- what a model decides ---- */

static struct status
check_deciding(struct cli *c, const char *model)
{
    static const char *const others[] = {"prediction", "score", "threshold"};
    if (!cli_is_of_workspace(model)) {
        diag_set(
            &c->diag,
            "--model %.200s: one of the workspace, workspace:NAME; what a file's model answers "
            "is written by steward predict",
            model);
        FAIL(INPUT);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (cli_is_given(c, others[i])) {
            diag_set(&c->diag, "--%s and --model: one of them says what was decided", others[i]);
            FAIL(INPUT);
        }
    }
    return OK;
}

/* The model decides between two values: a third would be a mistake whatever it decides. */
static struct status
check_label(struct cli *c, const struct table *t, const struct model *m)
{
    const struct column *label = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 20);
    TRY(table_need_column(t, "--label", cli_value(c, "label"), &c->diag, &label));
    for (uint64_t i = 0; i < t->rows; i++) {
        buf_reset(&text);
        column_put_text(label, i, &text);
        TRY(buf_status(&text));
        if (!column_is_null(label, i) && !text_is_same_value(buf_str(&text), m->positive) &&
            !text_is_same_value(buf_str(&text), m->negative)) {
            diag_set(&c->diag,
                     "label \"%.60s\": row %llu has \"%.40s\"; model %s decides between \"%.40s\" "
                     "and \"%.40s\"",
                     label->name, (unsigned long long)i + 1, buf_str(&text), m->name, m->positive,
                     m->negative);
            FAIL(INPUT);
        }
    }
    return OK;
}

static struct status
name_column(struct column *col, const struct model *m, const char *what)
{
    char name[NAME_BYTES];
    (void)snprintf(name, sizeof name, "%s of %s@%llu", what, m->name,
                   (unsigned long long)m->version);
    col->name = strdup(name);
    CHECK(col->name != NULL, MEMORY);
    return OK;
}

/* The answer, and of a binary classifier its probability. */
static struct status
put_answers(struct gathered *g, uint64_t rows, struct column *col)
{
    static const char *const what[] = {
        [MODEL_BINARY] = "decision", [MODEL_CLASSES] = "class", [MODEL_NUMBER] = "prediction"};
    const enum model_task task = model_file_task(g->model->file);
    TRY(answers_column(g->model, g->score, g->decision, rows, &col[0]));
    TRY(name_column(&col[0], g->model, what[task]));
    if (task != MODEL_BINARY) {
        return OK;
    }
    col[1].type = COLUMN_FLOAT;
    col[1].role = ROLE_IGNORED;
    col[1].f = MOVE(g->score);
    return name_column(&col[1], g->model, "probability");
}

/* The gathered table with what is answered: a decision and its probability, a class, or a number.
 */
static struct status
widen(struct gathered *g, struct table **ret_table)
{
    struct table *t = g->table;
    const uint32_t n = t->column_count;
    const uint32_t added = model_file_is_binary(g->model->file) ? 2 : 1;
    DEFER(table_freep) struct table *wide = table_new(t->rows, n + added);
    CHECK(wide != NULL, MEMORY);
    memcpy(wide->columns, t->columns, n * sizeof *t->columns);
    wide->positive = MOVE(t->positive);
    t->column_count = 0;
    TRY(put_answers(g, wide->rows, &wide->columns[n]));
    *ret_table = MOVE(wide);
    return OK;
}

static struct status
add_decisions(struct cli *c, const char *model, struct cohort_rows *r)
{
    unsigned threads = 0;
    struct model *m = NULL;
    DEFER(gathered_done) struct gathered g = {0};
    TRY(cli_threads(c, &threads));
    TRY(cli_load_model(c, model, &m));
    TRY(gather_decisions(m, MOVE(r->table), threads, &c->diag, &g));
    TRY(suppose_label(c, r, m->label, m->positive));
    const enum model_task task = model_file_task(m->file);
    if (task == MODEL_BINARY) {
        TRY(check_label(c, g.table, m));
    }
    const uint32_t n = g.table->column_count;
    TRY(widen(&g, &r->table));
    r->remarks = MOVE(g.remarks);
    TRY(suppose(c, r, "prediction", r->table->columns[n].name));
    if (task == MODEL_BINARY) {
        return suppose(c, r, "score", r->table->columns[n + 1].name);
    }
    return cli_value(c, "task") != NULL
               ? OK
               : suppose(c, r, "task", task == MODEL_CLASSES ? "classes" : "numeric");
}

bool
cohort_rows_may_tell_columns(const struct cli *c)
{
    return cli_is_of_workspace(cli_value(c, "data")) || cli_value(c, "model") != NULL;
}

struct status
cohort_rows_read(struct cli *c, bool decides, struct cohort_rows *r)
{
    const char *data = cli_value(c, "data"), *model = cli_value(c, "model");
    DEFER(cli_import_done) struct cli_import import = {0};
    if (decides && model != NULL) {
        TRY(check_deciding(c, model));
    }
    TRY(cli_import_options(c, &import));
    TRY(cli_read_rows(c, data, &import.options, &r->table));
    if (cli_is_of_workspace(data)) {
        TRY(suppose_roles(c, r));
    }
    return decides && model != NULL ? add_decisions(c, model, r) : OK;
}
