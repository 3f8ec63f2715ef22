#include "cli/cli.h"

#include "assess/slices.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/cohort_rows.h"
#include "cli/data_options.h"
#include "cli/errors_input.h"
#include "cli/errors_print.h"
#include "cli/plain_files.h"
#include "cli/workspace_files.h"
#include "data/cohort.h"
#include "report/html.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS_MAX CLI_MAX_REPEATS
#define PERSONAL_MODE 0600 /* the worst predictions are persons' rows */
#define LEAST_SUPPORT 32u
#define SUPPORT_SHARE 100u

const struct cli_option cli_errors_options[] = {
    {"data", "FILE",
     "scored rows: .csv .tsv .csv.gz .parquet .json .jsonl .ndjson; or " CLI_OF_WORKSPACE
     ", whose roles tell the label",
     NULL, CLI_ONCE, "@table"},
    {"label", "COLUMN", "the truth", NULL, CLI_ONCE, NULL},
    CLI_DECIDING_MODEL,
    {"prediction", "COLUMN", "what the model decided, or predicted as a number", NULL, CLI_ONCE,
     NULL},
    {"score", "COLUMN", "probability of the positive class", NULL, CLI_ONCE, NULL},
    {"threshold", "X", "without --prediction: positive where the score is X or more", "0.5",
     CLI_ONCE, NULL},
    {"positive", "VALUE", "the positive class (inferred for yes/no, true/false, 0/1)", NULL,
     CLI_ONCE, NULL},
    {"task", "KIND", "binary, classes or numeric (default: told from the columns)", NULL, CLI_ONCE,
     "binary classes numeric"},
    {"features", "COLUMNS", "look at these columns only, separated by commas", NULL, CLI_COMMAS,
     NULL},
    {"within", "PREDICATE", "look at these rows only; as --cohort", NULL, CLI_ONCE, NULL},
    {"cohort", "PREDICATE",
     "compare these rows with the rest: a predicate, or slice-1 or node-3 of the newest assessment "
     "of --model (slice-1@2: of its second); may be repeated",
     NULL, CLI_REPEATED, NULL},
    {"metric", "METRIC", "shown in the error tree, e.g. recall_score", NULL, CLI_ONCE, NULL},
    {"map", "COLUMNS", "one or two columns of the heat map (default: those that tell most)", NULL,
     CLI_COMMAS, NULL},
    {"bins", "N", "of a column of numbers, 2 to 16", "8", CLI_ONCE, NULL},
    {"cut", "HOW", "bins of equal-count or equal-width", "equal-count", CLI_ONCE,
     "equal-count equal-width"},
    {"depth", "N", "of the error tree, 1 to 8", "3", CLI_ONCE, NULL},
    {"leaves", "N", "of the error tree, at most", "31", CLI_ONCE, NULL},
    {"min-size", "N", "least rows of a leaf", "20", CLI_ONCE, NULL},
    {"slices", "N", "worst slices to find; 0: none", "10", CLI_ONCE, NULL},
    {"level", "N", "conditions of a slice at most, 1 to 4", "2", CLI_ONCE, NULL},
    {"support", "N", "least rows of a slice (default: a hundredth, at least 32)", NULL, CLI_ONCE,
     NULL},
    {"alpha", "X", "weight of a slice's error against its size (the paper: 0.95)", "0.99", CLI_ONCE,
     NULL},
    {"permutations", "N", "random orders that a slice is held against", "99", CLI_ONCE, NULL},
    {"seed", "N", "of those", "1", CLI_ONCE, NULL},
    {"worst", "N", "worst predictions to list", "10", CLI_ONCE, NULL},
    {"report", "FILE", "write the page (HTML) to FILE", NULL, CLI_ONCE, "@made"},
    CLI_DATA_FILE_OPTIONS,
    {"threads", "N", "0: one per core (default: analysis.threads of the configuration)", NULL,
     CLI_ONCE, NULL},
    {0},
};

/* ---- options ---- */

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

/* Conditions by the names that the model's assessments gave them. */
struct conditions {
    const char *given[COLUMNS_MAX + 1]; /* of --cohort, then that of --within */
    struct buf text[COLUMNS_MAX + 1];
    const char *predicate[COLUMNS_MAX + 1], *name[COLUMNS_MAX + 1];
    char *memory;
};

static void
conditions_done(struct conditions *k)
{
    for (size_t i = 0; i <= COLUMNS_MAX; i++) {
        buf_done(&k->text[i]);
    }
    free(k->memory);
}

static struct status
resolve(struct cli *c, struct conditions *k, size_t i)
{
    buf_init(&k->text[i], COHORT_MAX_BYTES + 1);
    TRY(cli_resolve_cohort(c, cli_value(c, "model"), k->given[i], &k->text[i]));
    k->predicate[i] = buf_str(&k->text[i]);
    k->name[i] = strcmp(k->predicate[i], k->given[i]) == 0 ? NULL : k->given[i];
    return OK;
}

static struct status
take_conditions(struct cli *c, struct conditions *k, struct errors_request *q)
{
    const size_t within = COLUMNS_MAX;
    TRY(cli_list(c, "cohort", k->given, COLUMNS_MAX, &q->cohort_count, &k->memory));
    for (size_t i = 0; i < q->cohort_count; i++) {
        TRY(resolve(c, k, i));
    }
    q->cohorts = k->predicate;
    q->cohort_names = k->name;
    k->given[within] = cli_value(c, "within");
    if (k->given[within] != NULL) {
        TRY(resolve(c, k, within));
        q->within = k->predicate[within];
        q->within_name = k->name[within];
    }
    return OK;
}

static struct status
take_columns(struct cli *c, struct errors_request *q)
{
    static const char *const parts[] = {"label", "prediction", "score", "features", NULL};
    TRY(cli_need(c, "label", "COLUMN", &q->label));
    TRY(cli_distinct(c, parts));
    q->prediction = cli_value(c, "prediction");
    q->score = cli_value(c, "score");
    q->positive = cli_value(c, "positive");
    q->kind = cli_value(c, "task");
    return cli_f64(c, "threshold", &q->threshold);
}

struct status
cli_errors(struct cli *c)
{
    const char *features[COLUMNS_MAX];
    struct errors_request q = {.features = features};
    struct errors_input in = {0};
    DEFER(memory_freep) char *feature_memory = NULL;
    DEFER(conditions_done) struct conditions conditions = {0};
    DEFER(cohort_rows_done) struct cohort_rows rows = {0};
    DEFER(js_freep) json_t *remarks = json_array();
    DEFER(js_freep) json_t *document = NULL;
    CHECK(remarks != NULL, MEMORY);
    in.remarks = remarks;
    TRY(cli_need(c, "data", "FILE", &q.path));
    if (!cohort_rows_may_tell_columns(c)) {
        TRY(take_columns(c, &q));
    }
    TRY(cli_list(c, "features", features, COLUMNS_MAX, &q.feature_count, &feature_memory));
    TRY(take_numbers(c, &in));
    TRY(cohort_rows_read(c, true, &rows));
    TRY(take_columns(c, &q));
    TRY(take_conditions(c, &conditions, &q));
    if (rows.remarks != NULL) {
        CHECK(json_array_extend(remarks, rows.remarks) == 0, MEMORY);
    }
    TRY(examine(c, rows.table, &q, &in, &document));
    return show(c, document);
}
