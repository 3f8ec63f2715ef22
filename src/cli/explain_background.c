#include "cli/explain_background.h"

#include "assess/attribution.h"
#include "cli/workspace_files.h"
#include "num/rng.h"

#include <string.h>

void
explain_background_done(struct explain_background *b)
{
    free(b->x);
}

/* Options that only a black box reads are not passed over in silence. */
static struct status
refuse_black_box(struct cli *c)
{
    static const char *const options[] = {"rows",   "points", "curves", "repeats",
                                          "leaves", "depth",  "floor",  "metric"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (cli_is_given(c, options[i])) {
            diag_set(&c->diag,
                     "--%s: of a black box, with --method or --endpoint; a model that explains "
                     "itself is explained on every row",
                     options[i]);
            FAIL(INPUT);
        }
    }
    return OK;
}

struct status
explain_background_asked(struct cli *c, struct explain_background *ret_background)
{
    const bool probability = strcmp(cli_value(c, "output-space"), "probability") == 0;
    const char *path = cli_value(c, "background");
    TRY(refuse_black_box(c));
    if (probability && path == NULL) {
        diag_set(&c->diag, "--output-space probability: needs --background FILE; without one, "
                           "attributions are defined on the margin alone");
        FAIL(INPUT);
    }
    ret_background->path = path;
    ret_background->probability = probability;
    return OK;
}

/* Rows of the file that are taken; 0: all. */
static struct status
rows_wanted(struct cli *c, const struct model_file *m, const struct explain_background *b,
            uint64_t *ret_rows)
{
    *ret_rows = 0;
    if (b->probability && attribution_takes_coalitions(m)) {
        return cli_u64(c, "background-rows", ret_rows);
    }
    if (cli_is_given(c, "background-rows")) {
        diag_set(&c->diag, "--background-rows: of a black box, and of several classes on "
                           "probability; else every row of --background is taken");
        FAIL(INPUT);
    }
    return OK;
}

/* What the data's remarks do not say already is of the background. */
static struct status
tell_apart(const json_t *of_file, json_t *remarks)
{
    const size_t before = json_array_size(remarks);
    for (size_t i = 0; i < json_array_size(of_file); i++) {
        const json_t *one = json_array_get(of_file, i);
        size_t k = 0;
        while (k < before && !json_equal(json_array_get(remarks, k), one)) {
            k++;
        }
        TRY(k < before ? OK : plain_remark(remarks, "background: %s", json_string_value(one)));
    }
    return OK;
}

static struct status
draw(struct cli *c, const struct plain_rows *rows, uint32_t features, uint64_t want,
     struct explain_background *b)
{
    struct rng r;
    uint64_t seed = 0;
    b->rows = (size_t)want;
    DEFER(memory_freep) uint64_t *row = calloc(b->rows + 1, sizeof *row);
    b->x = calloc(b->rows * features + 1, sizeof *b->x);
    CHECK(row != NULL && b->x != NULL, MEMORY);
    TRY(cli_u64(c, "seed", &seed));
    rng_init(&r, seed, "background rows");
    rng_subset(&r, b->of, want, row);
    for (size_t i = 0; i < b->rows; i++) {
        plain_rows_fill(rows, row[i], 1, b->x + i * features);
    }
    return OK;
}

struct status
explain_background_load(struct cli *c, const struct model_file *m, const struct remover *remover,
                        json_t *remarks, struct explain_background *b)
{
    DEFER(cli_import_done) struct cli_import import = {0};
    DEFER(table_freep) struct table *table = NULL;
    DEFER(plain_rows_freep) struct plain_rows *rows = NULL;
    uint64_t want = 0;
    TRY(rows_wanted(c, m, b, &want));
    TRY(cli_import_options(c, &import));
    TRY(cli_read_rows(c, b->path, &import.options, &table));
    if (table->rows == 0) {
        diag_set(&c->diag, "%.300s: a background needs a row at least", b->path);
        FAIL(INPUT);
    }
    DEFER(js_freep) json_t *of_file = json_array();
    CHECK(of_file != NULL, MEMORY);
    TRY(plain_rows_new(table, m, remover, b->path, of_file, &c->diag, &rows));
    TRY(tell_apart(of_file, remarks));
    b->rows = b->of = table->rows;
    if (want > 0 && want < b->of) {
        return draw(c, rows, m->features, want, b);
    }
    return plain_rows_all(rows, &b->x);
}
