#include "cli/explain_outcome.h"

#include "cli/workspace_files.h"
#include "data/table_build.h"
#include "workspace/answers.h"
#include "workspace/decisions.h"

#include <math.h>
#include <stdlib.h>

#define THRESHOLD 0.5 /* of a model file, which has none */

void
explain_outcome_done(struct explain_outcome *e)
{
    column_done(&e->prediction);
    column_done(&e->score);
    outcome_done(&e->outcome);
}

/* What the model reads, and rows * outputs on the scale of the answer: NaN where it has none. */
static struct status
answer(const struct explain_outcome *e, float **ret_x, double **ret_answer)
{
    const size_t rows = (size_t)e->outcome.table->rows;
    float *x = NULL;
    TRY(plain_rows_all(e->rows, &x));
    *ret_x = x;
    *ret_answer = calloc(rows * e->model->outputs + 1, sizeof **ret_answer);
    CHECK(*ret_answer != NULL, MEMORY);
    model_file_margin(e->model, x, rows, e->threads, *ret_answer);
    model_file_link_apply(e->model, *ret_answer, rows);
    return OK;
}

static struct status
take_nulls(struct column *c, const double *answer, size_t stride, size_t rows)
{
    c->null = calloc(rows + 1, 1);
    CHECK(c->null != NULL, MEMORY);
    for (size_t i = 0; i < rows; i++) {
        const bool none = isnan(answer[i * stride]);
        c->null[i] = none;
        c->nulls += none;
    }
    return OK;
}

static struct status
take_numbers(struct column *c, double **answer, size_t rows)
{
    c->type = COLUMN_FLOAT;
    c->f = MOVE(*answer);
    return take_nulls(c, c->f, 1, rows);
}

static struct status
take_classes(struct explain_outcome *e, const double *answer, size_t rows)
{
    TRY(answers_classes(e->classes, e->model->outputs, answer, rows, &e->prediction));
    return take_nulls(&e->prediction, answer, e->model->outputs, rows);
}

static struct status
decide(struct explain_outcome *e, const float *x, struct outcome *o)
{
    const size_t rows = (size_t)o->table->rows;
    DEFER(model_freep) struct model *m = NULL;
    DEFER(memory_freep) uint8_t *decision = calloc(rows + 1, 1);
    DEFER(js_freep) json_t *thresholds = NULL;
    CHECK(decision != NULL, MEMORY);
    TRY(cli_load_model(e->c, e->path, &m));
    TRY(decisions_make(m, o->table, x, e->score.f, &e->c->diag, decision, &thresholds));
    TRY(answers_column(m, e->score.f, decision, rows, &e->prediction));
    TRY(take_nulls(&e->prediction, e->score.f, 1, rows));
    o->prediction = &e->prediction;
    return OK;
}

static struct status
tell(void *ctx, struct diag *diag, struct outcome *o)
{
    struct explain_outcome *e = ctx;
    const size_t rows = (size_t)o->table->rows;
    DEFER(memory_freep) float *x = NULL;
    DEFER(memory_freep) double *values = NULL;
    (void)diag; /* it is the verb's */
    TRY(answer(e, &x, &values));
    if (model_file_is_binary(e->model)) {
        TRY(take_numbers(&e->score, &values, rows));
        o->score = &e->score;
        return cli_is_of_workspace(e->path) ? decide(e, x, o) : OK;
    }
    o->prediction = &e->prediction;
    o->numeric = e->model->outputs == 1;
    return o->numeric ? take_numbers(&e->prediction, &values, rows) : take_classes(e, values, rows);
}

void
explain_outcome_begin(struct explain_outcome *e, const struct table *t)
{
    e->outcome = (struct outcome){.table = t,
                                  .label = table_label(t),
                                  .positive = t->positive,
                                  .threshold = THRESHOLD,
                                  .tell = tell,
                                  .ctx = e};
}

/* ---- decisions that are drawn ---- */

static struct status
tell_draw(struct cli *c, const struct model *m, const struct table *t,
          const struct plain_rows *rows, uint64_t row, float *x, json_t *remarks)
{
    double p = 0;
    struct decision d;
    plain_rows_fill(rows, row - 1, 1, x);
    model_predict(m, x, 1, 1, &p);
    if (isnan(p)) {
        return OK;
    }
    TRY(decisions_of_row(m, t, row - 1, x, p, &c->diag, &d));
    const char *word = d.positive ? m->positive : m->negative;
    return d.drawn ? plain_remark(remarks,
                                  "row %llu is decided %.100s by a draw that what is in the row "
                                  "fixes; its chance of %.100s was %.4g %%",
                                  (unsigned long long)row, word, m->positive, 100 * d.chance)
                   : plain_remark(remarks, "row %llu is decided %.100s; that was not drawn",
                                  (unsigned long long)row, word);
}

struct status
explain_outcome_draws(struct cli *c, const char *path, const struct table *t,
                      const struct plain_rows *rows, const uint64_t *row, size_t count,
                      json_t *remarks)
{
    DEFER(model_freep) struct model *m = NULL;
    if (count == 0 || !cli_is_of_workspace(path)) {
        return OK;
    }
    TRY(cli_load_model(c, path, &m));
    if (m->thresholds.drawn == NULL) {
        return OK;
    }
    if (table_column(t, model_group(m)->name) == NULL) {
        return plain_remark(
            remarks,
            "%.200s draws decisions by \"%.100s\", which the rows do not have: what "
            "it decides of them is not told",
            path, model_group(m)->name);
    }
    DEFER(memory_freep) float *x = calloc((size_t)m->features.count + 1, sizeof *x);
    CHECK(x != NULL, MEMORY);
    for (size_t i = 0; i < count; i++) {
        TRY(tell_draw(c, m, t, rows, row[i], x, remarks));
    }
    return OK;
}
