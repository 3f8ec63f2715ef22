#include "cli/cli.h"

#include "assess/slices.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/errors_input.h"
#include "cli/errors_print.h"
#include "cli/plain_files.h"
#include "report/html.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS_MAX CLI_MAX_REPEATS
#define PERSONAL_MODE 0600 /* the worst predictions are persons' rows */
#define LEAST_SUPPORT 32u
#define SUPPORT_SHARE 100u

/* ---- options ---- */

static struct status
need(struct cli *c, const char *option, const char *what, const char **ret_value)
{
    *ret_value = cli_value(c, option);
    if (*ret_value == NULL) {
        diag_set(&c->diag, "errors: --%s %s is needed", option, what);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
take_cut(struct cli *c, enum errors_cut *ret_cut)
{
    const char *word = cli_value(c, "cut");
    *ret_cut = strcmp(word, "equal-width") == 0 ? ERRORS_EQUAL_WIDTH : ERRORS_EQUAL_COUNT;
    if (*ret_cut == ERRORS_EQUAL_COUNT && strcmp(word, "equal-count") != 0) {
        diag_set(&c->diag, "--cut %s: equal-count or equal-width", word);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
take_numbers(struct cli *c, struct errors_input *in)
{
    uint32_t seed = 0;
    in->level = 0.95;
    TRY(cli_f64(c, "alpha", &in->alpha));
    if (!(in->alpha > 0 && in->alpha <= 1)) {
        diag_set(&c->diag, "--alpha %s: above 0, at most 1", cli_value(c, "alpha"));
        FAIL(INPUT);
    }
    TRY(cli_whole32(c, "bins", 2, ERRORS_MAX_BINS, &in->bins));
    TRY(cli_whole32(c, "depth", 1, ERRORS_MAX_DEPTH, &in->tree.max_depth));
    TRY(cli_whole32(c, "leaves", 2, ERRORS_MAX_NODES, &in->tree.max_leaves));
    TRY(cli_whole32(c, "min-size", 1, UINT32_MAX, &in->tree.min_rows));
    TRY(cli_whole32(c, "slices", 0, SLICES_MAX_FOUND, &in->slices));
    TRY(cli_whole32(c, "level", 1, SLICES_MAX_LEVEL, &in->slice_level));
    TRY(cli_whole32(c, "permutations", 0, 100000, &in->permutations));
    TRY(cli_whole32(c, "worst", 0, 1000, &in->worst));
    TRY(cli_whole32(c, "seed", 0, UINT32_MAX, &seed));
    in->seed = seed;
    TRY(take_cut(c, &in->cut));
    return cli_threads(c, &in->threads);
}

/* The paper's default: a hundredth of the rows, at least 32. */
static struct status
take_support(struct cli *c, struct errors_input *in)
{
    uint32_t given = 0;
    const size_t share = in->outcome.rows / SUPPORT_SHARE;
    in->slice_rows = share > LEAST_SUPPORT ? share : LEAST_SUPPORT;
    if (cli_value(c, "support") != NULL) {
        TRY(cli_whole32(c, "support", 1, UINT32_MAX, &given));
        in->slice_rows = given;
    }
    return OK;
}

static struct status
take_metric(struct cli *c, struct errors_input *in)
{
    const char *word = cli_value(c, "metric");
    const enum errors_kind kind = in->outcome.kind;
    in->metric = kind == ERRORS_NUMERIC ? ERRORS_MAE : ERRORS_RATE;
    if (word == NULL || errors_metric_from_word(word, kind, &in->metric)) {
        return OK;
    }
    DEFER(buf_done) struct buf words;
    buf_init(&words, 1024);
    for (int m = 0; m < ERRORS_METRICS; m++) {
        if (errors_metric_fits((enum errors_metric)m, kind)) {
            buf_printf(&words, "%s%s", words.len > 0 ? ", " : "",
                       errors_metric_word((enum errors_metric)m));
        }
    }
    diag_set(&c->diag, "--metric %s: here one of %s", word, buf_str(&words));
    FAIL(INPUT);
}

static struct status
find_feature(struct cli *c, const struct errors_input *in, const char *name, uint32_t *ret_feature)
{
    for (uint32_t f = 0; f < in->feature_count; f++) {
        if (strcmp(in->features[f].name, name) == 0) {
            *ret_feature = f;
            return OK;
        }
    }
    diag_set(&c->diag, "--map %s: not one of the columns that are looked at", name);
    FAIL(INPUT);
}

static struct status
take_map(struct cli *c, struct errors_input *in)
{
    const char *names[COLUMNS_MAX];
    size_t n = 0;
    DEFER(memory_freep) char *memory = NULL;
    in->map[0] = in->map[1] = ERRORS_NO_FEATURE;
    TRY(cli_list(c, "map", names, COLUMNS_MAX, &n, &memory));
    if (n > 2) {
        diag_set(&c->diag, "--map: one column or two, not %zu", n);
        FAIL(INPUT);
    }
    for (size_t i = 0; i < n; i++) {
        TRY(find_feature(c, in, names[i], &in->map[i]));
    }
    in->map[1] = n == 1 ? in->map[0] : in->map[1];
    return OK;
}

/* ---- results ---- */

static struct status
write_report(struct cli *c, const json_t *document, const char *path)
{
    DEFER(buf_done) struct buf html;
    buf_init(&html, HTML_MAX_BYTES);
    TRY(html_errors_page(document, &html));
    return file_replace(path, buf_view(&html), PERSONAL_MODE, &c->diag);
}

static struct status
show(struct cli *c, const json_t *document)
{
    const char *report = cli_value(c, "report");
    if (report != NULL) {
        TRY(write_report(c, document, report));
    }
    if (c->json) {
        return cli_print_json(document);
    }
    errors_print(document);
    if (report != NULL) {
        (void)printf("\nreport: %s\n", report);
    }
    return OK;
}

static struct status
examine(struct cli *c, const struct table *t, const struct errors_request *q,
        struct errors_input *in, json_t **ret_document)
{
    struct cli_progress progress;
    DEFER(errors_data_done) struct errors_data data = {0};
    cli_progress_start(&progress, "looking for mistakes");
    struct status s = errors_data_take(t, q, &c->diag, &data, in);
    s = status_ok(s) ? take_metric(c, in) : s;
    s = status_ok(s) ? take_support(c, in) : s;
    s = status_ok(s) ? take_map(c, in) : s;
    s = status_ok(s) ? errors_document(in, &c->diag, ret_document) : s;
    cli_progress_stop(&progress);
    return s;
}

struct status
cli_errors(struct cli *c)
{
    const char *features[COLUMNS_MAX], *cohorts[COLUMNS_MAX];
    struct errors_request q = {.features = features, .cohorts = cohorts};
    struct errors_input in = {0};
    DEFER(cli_import_done) struct cli_import import = {0};
    DEFER(memory_freep) char *feature_memory = NULL;
    DEFER(memory_freep) char *cohort_memory = NULL;
    DEFER(table_freep) struct table *t = NULL;
    DEFER(js_freep) json_t *remarks = json_array();
    DEFER(js_freep) json_t *document = NULL;
    CHECK(remarks != NULL, MEMORY);
    in.remarks = remarks;
    TRY(need(c, "data", "FILE", &q.path));
    TRY(need(c, "label", "COLUMN", &q.label));
    q.prediction = cli_value(c, "prediction");
    q.score = cli_value(c, "score");
    q.positive = cli_value(c, "positive");
    q.kind = cli_value(c, "task");
    q.within = cli_value(c, "within");
    TRY(cli_f64(c, "threshold", &q.threshold));
    TRY(cli_list(c, "features", features, COLUMNS_MAX, &q.feature_count, &feature_memory));
    TRY(cli_list(c, "cohort", cohorts, COLUMNS_MAX, &q.cohort_count, &cohort_memory));
    TRY(take_numbers(c, &in));
    TRY(cli_import_options(c, &import));
    TRY(cli_read_table(c, q.path, &import.options, &t));
    TRY(examine(c, t, &q, &in, &document));
    return show(c, document);
}
