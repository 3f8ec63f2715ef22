#include "cli/cli.h"

#include "base/file.h"
#include "serve/infer.h"

#define REQUEST_MAX ((size_t)1 << 30)

static struct status
put_out(struct cli *c, struct view request)
{
    const char *path = cli_value(c, "output");
    if (path != NULL) {
        return file_replace(path, request, 0600, &c->diag);
    }
    (void)fwrite(request.ptr, 1, request.len, stdout);
    return OK;
}

/* What --as may not see becomes missing. */
static struct status
mask(struct cli *c, struct workspace *w, const char *dataset, struct table *t)
{
    const char **names = calloc(t->column_count + 1, sizeof *names);
    bool *visible = calloc(t->column_count + 1, sizeof *visible);
    struct status s = names == NULL || visible == NULL ? FAILURE(MEMORY) : OK;
    for (uint32_t i = 0; status_ok(s) && i < t->column_count; i++) {
        names[i] = t->columns[i].name;
    }
    if (status_ok(s)) {
        s = cli_visible(c, w, dataset, names, t->column_count, visible);
    }
    for (uint32_t i = 0; status_ok(s) && i < t->column_count; i++) {
        struct column *column = &t->columns[i];
        if (!visible[i] && column->null == NULL) {
            column->null = malloc(t->rows + 1);
            s = column->null == NULL ? FAILURE(MEMORY) : OK;
        }
        if (!visible[i] && status_ok(s)) {
            memset(column->null, 1, t->rows);
        }
    }
    free(names);
    free(visible);
    return s;
}

struct status
cli_model_request(struct cli *c)
{
    char name[64], dataset[64];
    uint64_t version = 0, dataset_version = 0;
    enum model_part part = PART_ALL;
    TRY(cli_name_version(c, c->operand[0], name, &version));
    TRY(cli_data(c, dataset, &dataset_version, &part));
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(model_freep) struct model *m = NULL;
    DEFER(table_freep) struct table *t = NULL;
    DEFER(buf_wipe) struct buf request;
    buf_init(&request, REQUEST_MAX);
    TRY(cli_open(c, &w));
    TRY(model_load(w, name, version, &c->diag, &m));
    TRY(model_export(w, m, dataset, dataset_version, part, &c->diag, &t));
    cli_note_erased(t->erased);
    TRY(mask(c, w, dataset, t));
    TRY(infer_put_request(m, t, &c->diag, &request));
    buf_put_u8(&request, '\n');
    TRY(buf_status(&request));
    return put_out(c, buf_view(&request));
}
