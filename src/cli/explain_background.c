#include "cli/explain_background.h"

#include <string.h>

void
explain_background_done(struct explain_background *b)
{
    interventional_free(b->explainer);
    free(b->x);
}

static bool
is_given(const struct cli *c, const char *name)
{
    for (size_t i = 0; i < c->givens; i++) {
        if (strcmp(c->given[i].option->name, name) == 0) {
            return true;
        }
    }
    return false;
}

struct status
explain_background_asked(struct cli *c, struct explain_background *ret_background)
{
    const bool probability = strcmp(cli_value(c, "output-space"), "probability") == 0;
    const char *path = cli_value(c, "background");
    if (probability && path == NULL) {
        diag_set(&c->diag, "--output-space probability: needs --background FILE; without one, "
                           "attributions are defined on the margin alone");
        FAIL(INPUT);
    }
    if (path != NULL && cli_flag(c, "interactions")) {
        diag_set(&c->diag, "--interactions: of a model of trees without --background");
        FAIL(INPUT);
    }
    if (path != NULL && is_given(c, "background-rows")) {
        diag_set(&c->diag, "--background-rows: a model of trees takes every row of --background");
        FAIL(INPUT);
    }
    ret_background->path = path;
    ret_background->probability = probability;
    return OK;
}

static struct status
read_rows(struct cli *c, const struct model_file *m, json_t *remarks, struct explain_background *b)
{
    DEFER(cli_import_done) struct cli_import import = {0};
    DEFER(table_freep) struct table *table = NULL;
    DEFER(plain_rows_freep) struct plain_rows *rows = NULL;
    TRY(cli_import_options(c, &import));
    TRY(cli_read_table(c, b->path, &import.options, &table));
    if (table->rows == 0) {
        diag_set(&c->diag, "%.300s: a background needs a row at least", b->path);
        FAIL(INPUT);
    }
    TRY(plain_rows_new(table, m, b->path, remarks, &c->diag, &rows));
    b->rows = table->rows;
    return plain_rows_all(rows, &b->x);
}

static struct status
tell(const struct explain_background *b, json_t *remarks)
{
    double error = 0;
    const uint32_t nodes = interventional_nodes(b->explainer, &error);
    if (interventional_engine(b->explainer) == INTERVENTIONAL_PAIRS) {
        TRY(plain_remark(remarks,
                         "each row was held against each of the %zu background rows, one "
                         "pair after another: the time grows with both",
                         b->rows));
    }
    if (nodes > 1) {
        TRY(plain_remark(remarks,
                         "on probability: how the link scales a pair of rows is interpolated over "
                         "the background's margins in %u nodes, with an error of at most %.1e of "
                         "the largest scale",
                         nodes, error));
    }
    return OK;
}

struct status
explain_background_load(struct cli *c, const struct model_file *m, bool record, unsigned threads,
                        size_t rows, json_t *remarks, struct explain_background *b)
{
    struct interventional_options o;
    TRY(read_rows(c, m, remarks, b));
    interventional_defaults(&o);
    o.space = b->probability ? INTERVENTIONAL_PROBABILITY : INTERVENTIONAL_MARGIN;
    o.precision = record ? EXPLAIN_RECORD : EXPLAIN_FAST;
    o.expected_rows = rows;
    o.threads = threads;
    const struct status s = interventional_new(m->forest, b->x, b->rows, &o, &b->explainer);
    if (s.code == STATUS_UNSUPPORTED) {
        diag_set(&c->diag, "--output-space probability: of models with one output and a logistic "
                           "or exponential link; on the margin this model can be explained");
        FAIL(INPUT);
    }
    TRY(s);
    return tell(b, remarks);
}
