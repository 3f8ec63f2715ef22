#include "cli/cli.h"

#include "cli/plain_files.h"
#include "cli/workspace_files.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DIGITS 9
#define BLOCK_CELLS ((size_t)1 << 22) /* of the rows in memory as floats at a time */

struct predicting {
    const struct model_file *model;
    const struct plain_rows *rows;
    uint64_t count;
    unsigned threads;
    size_t block; /* rows */
    float *x;
    double *margin, *answer;
    uint64_t without; /* rows that have no margin */
};

static void
predicting_done(struct predicting *p)
{
    free(p->x);
    free(p->margin);
    free(p->answer);
}

/* "margin", or "LABEL:margin" for output k of several. */
static void
put_name(const struct model_file *m, uint32_t k, const char *word, struct plain_csv *out)
{
    DEFER(buf_done) struct buf name;
    buf_init(&name, SIZE_MAX / 2);
    if (m->outputs > 1 && m->output_names != NULL) {
        buf_printf(&name, "%s:", m->output_names[k]);
    } else if (m->outputs > 1) {
        buf_printf(&name, "%u:", k);
    }
    buf_put_str(&name, word);
    plain_csv_text(out, buf_str(&name));
}

static void
put_header(const struct model_file *m, struct plain_csv *out)
{
    for (uint32_t k = 0; k < m->outputs; k++) {
        put_name(m, k, "margin", out);
        put_name(m, k, "prediction", out);
    }
    plain_csv_end_row(out);
}

static void
put_block(struct predicting *p, uint64_t first, struct plain_csv *out)
{
    const size_t n = p->count - first < p->block ? (size_t)(p->count - first) : p->block;
    const size_t outputs = p->model->outputs;
    plain_rows_fill(p->rows, first, n, p->x);
    model_file_margin(p->model, p->x, n, p->threads, p->margin);
    memcpy(p->answer, p->margin, n * outputs * sizeof *p->answer);
    model_file_link_apply(p->model, p->answer, n);
    for (size_t i = 0; i < n; i++) {
        p->without += isnan(p->margin[i * outputs]) ? 1 : 0;
        for (size_t k = 0; k < outputs; k++) {
            plain_csv_number(out, p->margin[i * outputs + k]);
            plain_csv_number(out, p->answer[i * outputs + k]);
        }
        plain_csv_end_row(out);
    }
}

static struct status
predict(struct cli *c, const struct model_file *m, const struct table *t,
        const struct plain_rows *rows, unsigned threads, json_t *remarks)
{
    const size_t width = m->features > m->outputs ? m->features : m->outputs;
    DEFER(predicting_done)
    struct predicting p = {.model = m, .rows = rows, .count = t->rows, .threads = threads};
    p.block = BLOCK_CELLS / width < t->rows ? BLOCK_CELLS / width : (size_t)t->rows;
    p.x = calloc(p.block * m->features, sizeof *p.x);
    p.margin = calloc(p.block * m->outputs, sizeof *p.margin);
    p.answer = calloc(p.block * m->outputs, sizeof *p.answer);
    CHECK(p.x != NULL && p.margin != NULL && p.answer != NULL, MEMORY);
    DEFER(plain_csv_done) struct plain_csv out = {0};
    TRY(plain_csv_open(cli_value(c, "output"), DIGITS, &c->diag, &out));
    put_header(m, &out);
    for (uint64_t first = 0; first < t->rows; first += p.block) {
        put_block(&p, first, &out);
    }
    TRY(plain_csv_keep(&out));
    return p.without == 0
               ? OK
               : plain_remark(remarks,
                              "no prediction for %llu rows: the model has no value for what is "
                              "missing there; their cells are empty",
                              (unsigned long long)p.without);
}

struct status
cli_predict(struct cli *c)
{
    const char *model_path = NULL, *data_path = NULL;
    unsigned threads = 0;
    DEFER(cli_import_done) struct cli_import import = {0};
    DEFER(model_file_freep) struct model_file *m = NULL;
    DEFER(remover_done) struct remover remover = {0};
    DEFER(table_freep) struct table *t = NULL;
    DEFER(plain_rows_freep) struct plain_rows *rows = NULL;
    DEFER(js_freep) json_t *remarks = json_array();
    CHECK(remarks != NULL, MEMORY);
    TRY(cli_need(c, "model", "FILE", &model_path));
    TRY(cli_need(c, "data", "FILE", &data_path));
    TRY(cli_threads(c, &threads));
    TRY(cli_import_options(c, &import));
    TRY(cli_read_model(c, model_path, &m, &remover));
    TRY(cli_read_rows(c, data_path, &import.options, &t));
    TRY(plain_rows_new(t, m, &remover, data_path, remarks, &c->diag, &rows));
    TRY(predict(c, m, t, rows, threads, remarks));
    plain_print_remarks(remarks);
    return OK;
}
