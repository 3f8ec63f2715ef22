#include "cli/explain_background.h"

#include "cli/workspace_files.h"

#include <string.h>

void
explain_background_done(struct explain_background *b)
{
    free(b->x);
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
    if (path != NULL && cli_is_given(c, "background-rows")) {
        diag_set(&c->diag, "--background-rows: of a black box; a model that explains itself takes "
                           "every row of --background");
        FAIL(INPUT);
    }
    ret_background->path = path;
    ret_background->probability = probability;
    return OK;
}

struct status
explain_background_load(struct cli *c, const struct model_file *m, const struct remover *remover,
                        json_t *remarks, struct explain_background *b)
{
    DEFER(cli_import_done) struct cli_import import = {0};
    DEFER(table_freep) struct table *table = NULL;
    DEFER(plain_rows_freep) struct plain_rows *rows = NULL;
    TRY(cli_import_options(c, &import));
    TRY(cli_read_rows(c, b->path, &import.options, &table));
    if (table->rows == 0) {
        diag_set(&c->diag, "%.300s: a background needs a row at least", b->path);
        FAIL(INPUT);
    }
    TRY(plain_rows_new(table, m, remover, b->path, remarks, &c->diag, &rows));
    b->rows = table->rows;
    return plain_rows_all(rows, &b->x);
}
