#include "cli/cli.h"

#include "base/file.h"
#include "base/json.h"
#include "cli/cohort_rows.h"
#include "cli/data_options.h"
#include "cli/facet_options.h"
#include "cli/fairness_input.h"
#include "cli/plain_files.h"
#include "cli/workspace_files.h"
#include "report/document.h"
#include "report/html.h"
#include "report/html_fairness.h"

#include <math.h>
#include <string.h>

#define FILE_MODE 0644
#define GROUPS_PRINTED 20u
#define BAR 10

const struct cli_option cli_fairness_options[] = {
    {"data", "FILE",
     "rows with label and prediction: .csv .tsv .csv.gz .parquet .json .jsonl; or " CLI_OF_WORKSPACE
     ", whose roles tell label and sensitive columns",
     NULL, CLI_ONCE, "@table"},
    {"label", "COLUMN", "what is true", NULL, CLI_ONCE, NULL},
    CLI_DECIDING_MODEL,
    CLI_COHORT_OPTION,
    {"prediction", "COLUMN", "what was decided or predicted, spelled as the label is", NULL,
     CLI_ONCE, NULL},
    {"score", "COLUMN", "probability of the positive value", NULL, CLI_ONCE, NULL},
    {"threshold", "P", "without --prediction: positive where the score is P or more", "0.5",
     CLI_ONCE, NULL},
    {"sensitive", "COLUMNS", "whose values make the groups, separated by commas", NULL, CLI_COMMAS,
     NULL},
    {"control", "COLUMNS", "compared within each of their values, too", NULL, CLI_COMMAS, NULL},
    {"positive", "VALUE", "the label's positive value (inferred for yes/no, true/false, 0/1)", NULL,
     CLI_ONCE, NULL},
    {"adverse", NULL, "the positive value is bad for the person: denied, flagged", NULL, CLI_ONCE,
     NULL},
    {"task", "KIND", "binary, classes or numeric (default: found out)", NULL, CLI_ONCE,
     "binary classes numeric"},
    {"features", "COLUMNS",
     "numeric columns for Clarify's flip test (FT): would the group's rows be decided otherwise "
     "among the others?",
     NULL, CLI_COMMAS, NULL},
    {"weight", "COLUMN", "of each row: inverse of the probability that it was sampled", NULL,
     CLI_ONCE, NULL},
    CLI_FACET_OPTIONS,
    {"min-group", "N", "groups with fewer rows are shown, not judged", "30", CLI_ONCE, NULL},
    {"level", "P", "confidence of the intervals", "0.95", CLI_ONCE, NULL},
    {"fdr", "SHARE", "false-discovery rate: what an adjusted p must be under", "0.05", CLI_ONCE,
     NULL},
    {"bootstrap", "N", "replicates; 0: none", "1000", CLI_ONCE, NULL},
    {"seed", "N", "of the bootstrap", "1", CLI_ONCE, NULL},
    {"report", "FILE", "write a page (HTML) to FILE", NULL, CLI_ONCE, "@made"},
    CLI_DATA_FILE_OPTIONS,
    {"threads", "N", "0: one per core (default: analysis.threads of the configuration)", NULL,
     CLI_ONCE, NULL},
    {0},
};

/* ---- what is printed ---- */

struct shown {
    const char *metric, *title;
    bool share;
};

/* One column of bars and the others as figures. */
static const struct shown of_decisions[] = {{"selection_rate", "selected", true},
                                            {"true_positive_rate", "TPR", true},
                                            {"false_positive_rate", "FPR", true},
                                            {"accuracy_score", "accuracy", true},
                                            {NULL, NULL, false}};
static const struct shown of_classes[] = {{"accuracy_score", "accuracy", true},
                                          {"recall_macro", "recall", true},
                                          {"precision_macro", "precision", true},
                                          {"f1_macro", "F1", true},
                                          {NULL, NULL, false}};
static const struct shown of_numbers[] = {{"mean_absolute_error", "MAE", false},
                                          {"mean_prediction", "mean", false},
                                          {"r2_score", "R2", false},
                                          {NULL, NULL, false}};

static double
metric_of(const json_t *group, const char *metric)
{
    return document_number(json_object_get(json_object_get(group, "metrics"), metric), "value");
}

static void
put_value(double v, bool share, int width)
{
    if (isnan(v)) {
        (void)printf(" %*s", width, "-");
    } else if (share) {
        (void)printf(" %*.1f%%", width - 1, 100 * v);
    } else {
        (void)printf(" %*.4g", width, v);
    }
}

static void
put_row(const json_t *group, const struct shown *shown, double most)
{
    const double v = metric_of(group, shown[0].metric);
    cli_put_name(stdout, document_text(group, "group"), 22);
    (void)printf(" %9.0f%s ", document_number(group, "count"),
                 json_is_true(json_object_get(group, "judged")) ? " " : "*");
    cli_put_bar(stdout, shown[0].share ? v : v / most, BAR);
    for (const struct shown *s = shown; s->metric != NULL; s++) {
        put_value(metric_of(group, s->metric), s->share, 8);
    }
    (void)fputc('\n', stdout);
}

static void
print_groups(const json_t *grouping, const struct shown *shown)
{
    size_t i = 0;
    json_t *g = NULL;
    double most = 0;
    const json_t *groups = json_object_get(grouping, "groups");
    json_array_foreach((json_t *)(uintptr_t)groups, i, g)
    {
        most = fmax(most, metric_of(g, shown[0].metric));
    }
    (void)printf("%-22s %9s  %-*s", "group", "rows", BAR, "");
    for (const struct shown *s = shown; s->metric != NULL; s++) {
        (void)printf(" %8s", s->title);
    }
    (void)fputc('\n', stdout);
    json_array_foreach((json_t *)(uintptr_t)groups, i, g)
    {
        if (i < GROUPS_PRINTED) {
            put_row(g, shown, most > 0 ? most : 1);
        }
    }
    if (i > GROUPS_PRINTED) {
        (void)printf("and %zu groups more; --json has them\n", i - GROUPS_PRINTED);
    }
}

static void
print_sentences(const json_t *grouping, bool numeric)
{
    static const char *const told[][7] = {
        {"selection_rate", "true_positive_rate", "false_positive_rate", "precision_score",
         "accuracy_score", "roc_auc_score", NULL},
        {"mean_prediction", "mean_absolute_error", "overprediction", "underprediction", NULL},
    };
    for (const char *const *key = told[numeric]; *key != NULL; key++) {
        const json_t *gap = json_object_get(json_object_get(grouping, "gaps"), *key);
        const char *text = json_string_value(json_object_get(gap, "sentence"));
        if (text != NULL) {
            (void)fputs("- ", stdout);
            cli_put_wrapped(stdout, text, 2, 2);
        }
    }
}

static void
print_odds(const json_t *grouping)
{
    const json_t *o = json_object_get(grouping, "equalized_odds_difference");
    const double v = document_number(o, "value"), low = document_end(o, "ci", 0);
    char text[160], ends[48] = "";
    if (isnan(v)) {
        return;
    }
    if (!isnan(low)) {
        (void)snprintf(ends, sizeof ends, " (%.3f to %.3f)", low, document_end(o, "ci", 1));
    }
    (void)snprintf(
        text, sizeof text, "Equalized odds difference %.3f%s, demographic parity difference %.3f.",
        v, ends,
        document_number(json_object_get(grouping, "demographic_parity_difference"), "value"));
    (void)fputs("- ", stdout);
    cli_put_wrapped(stdout, text, 2, 2);
}

/* Clarify's quotients, of the groups that are printed. */
static void
print_quotient(const json_t *grouping, const char *key, const char *of)
{
    size_t i = 0;
    json_t *g = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 16);
    buf_printf(&text, "Observed over predicted %s:", of);
    json_array_foreach(json_object_get(grouping, "groups"), i, g)
    {
        const json_t *x = json_object_get(json_object_get(g, "quotients"), key);
        if (x == NULL || i >= GROUPS_PRINTED) {
            return;
        }
        const double v = document_number(x, "value");
        buf_printf(&text, "%s %s ", i == 0 ? "" : ",", document_text(g, "group"));
        if (isnan(v)) {
            buf_printf(&text, "(%s)", document_text(x, "remark"));
        } else {
            buf_printf(&text, "%.3g (%.3g to %.3g)", v, document_end(x, "ci", 0),
                       document_end(x, "ci", 1));
        }
    }
    buf_put_str(&text, ".");
    (void)fputs("- ", stdout);
    cli_put_wrapped(stdout, buf_str(&text), 2, 2);
}

static void
print_groupings(const json_t *list, const struct shown *shown)
{
    size_t i = 0;
    json_t *g = NULL;
    json_array_foreach((json_t *)(uintptr_t)list, i, g)
    {
        (void)fputc('\n', stdout);
        cli_put_columns(stdout, json_object_get(g, "columns"));
        (void)printf(": %.0f rows, %.0f without a group\n", document_number(g, "count"),
                     document_number(g, "rows_without_group"));
        if (json_array_size(json_object_get(g, "groups")) == 0) {
            continue;
        }
        print_groups(g, shown);
        print_sentences(g, shown == of_numbers);
        print_odds(g);
        print_quotient(g, "conditional_acceptance", "positives (conditional acceptance)");
        print_quotient(g, "conditional_rejection", "negatives (conditional rejection)");
    }
}

static void
print_analysis(const json_t *d, const struct shown *shown)
{
    size_t i = 0;
    json_t *s = NULL;
    print_groupings(json_object_get(d, "groupings"), shown);
    json_array_foreach(json_object_get(d, "conditional"), i, s)
    {
        (void)fputs("\nwhere ", stdout);
        cli_put_clean(stdout, document_text(s, "stratum"));
        (void)fputc('\n', stdout);
        print_groupings(json_object_get(s, "groupings"), shown);
    }
}

static void
print_document(const json_t *d)
{
    const bool numeric = strcmp(document_text(d, "task"), "numeric") == 0;
    const struct shown *shown = numeric ? of_numbers : of_decisions;
    size_t i = 0;
    json_t *class = NULL, *text = NULL;
    cli_say("%.0f of %.0f rows assessed: %.0f without a label, %.0f without a prediction, %.0f "
            "without a score, %.0f of weight 0",
            document_number(d, "rows_assessed"), document_number(d, "rows"),
            document_number(d, "rows_without_label"), document_number(d, "rows_without_prediction"),
            document_number(d, "rows_without_score"), document_number(d, "rows_without_weight"));
    const bool classes = json_object_get(d, "classes") != NULL;
    print_analysis(d, classes ? of_classes : shown);
    json_array_foreach(json_object_get(d, "classes"), i, class)
    {
        (void)fputs("\nclass ", stdout);
        cli_put_clean(stdout, document_text(class, "class"));
        (void)fputs(" against the others\n", stdout);
        print_analysis(class, shown);
    }
    (void)fputc('\n', stdout);
    cli_say("* fewer than %.0f rows: shown, not judged. p adjusted for all comparisons "
            "(Benjamini-Hochberg).",
            document_number(d, "min_group"));
    json_array_foreach(json_object_get(d, "remarks"), i, text)
    {
        (void)fputs("note: ", stdout);
        cli_put_wrapped(stdout, json_string_value(text), 6, 6);
    }
}

/* ---- the verb ---- */

static struct status
share_of(struct cli *c, const char *option, double *ret_share)
{
    TRY(cli_f64(c, option, ret_share));
    if (!(*ret_share > 0 && *ret_share < 1)) {
        diag_set(&c->diag, "--%s %s: over 0 and under 1", option, cli_value(c, option));
        FAIL(INPUT);
    }
    return OK;
}

static struct status
read_settings(struct cli *c, struct fairness_input *in)
{
    uint64_t least = 0, replicates = 0;
    TRY(share_of(c, "level", &in->level));
    TRY(share_of(c, "fdr", &in->q));
    TRY(cli_whole(c, "min-group", 1, UINT32_MAX, &least));
    TRY(cli_whole(c, "bootstrap", 0, 100000, &replicates));
    TRY(cli_u64(c, "seed", &in->seed));
    in->min_group = (uint32_t)least;
    in->replicates = (uint32_t)replicates;
    in->adverse = cli_flag(c, "adverse");
    return cli_threads(c, &in->threads);
}

struct making {
    struct cli *c;
    const json_t *remarks; /* about the rows; NULL: none */
};

static struct status
make_document(void *ctx, const struct table *t, json_t **ret_document)
{
    const struct making *k = ctx;
    struct cli *c = k->c;
    DEFER(fairness_arrays_done) struct fairness_arrays a = {0};
    DEFER(js_freep) json_t *d = NULL;
    TRY(read_settings(c, &a.in));
    TRY(fairness_arrays_read(c, t, &a));
    TRY(fairness_document(&a.in, &c->diag, &d));
    json_t *remarks = json_object_get(d, "remarks");
    CHECK(json_array_extend(remarks, a.notes) == 0, MEMORY);
    if (k->remarks != NULL) {
        CHECK(json_array_extend(remarks, (json_t *)(uintptr_t)k->remarks) == 0, MEMORY);
    }
    *ret_document = MOVE(d);
    return OK;
}

static struct status
write_files(struct cli *c, const json_t *d)
{
    const char *page = cli_value(c, "report");
    DEFER(buf_done) struct buf html;
    buf_init(&html, HTML_MAX_BYTES);
    if (page == NULL) {
        return OK;
    }
    TRY(html_fairness_page(d, &html));
    return file_replace(page, buf_view(&html), FILE_MODE, &c->diag);
}

/* Options that the dataset's roles or the model may tell, too. */
static struct status
need_columns(struct cli *c)
{
    TRY(cli_need(c, "label", NULL, NULL));
    TRY(cli_need(c, "sensitive", NULL, NULL));
    if (cli_value(c, "prediction") == NULL && cli_value(c, "score") == NULL) {
        diag_set(&c->diag, "fairness: --prediction or --score is needed, or --model " CLI_WORKSPACE
                           "NAME, which decides");
        FAIL(INPUT);
    }
    return OK;
}

struct status
cli_fairness(struct cli *c)
{
    struct fairness_input settings;
    bool numeric = false;
    DEFER(cohort_rows_done) struct cohort_rows rows = {0};
    DEFER(js_freep) json_t *d = NULL;
    TRY(cli_need(c, "data", NULL, NULL));
    if (!cohort_rows_may_tell_columns(c)) {
        TRY(need_columns(c));
    }
    TRY(read_settings(c, &settings));
    TRY(cohort_rows_read(c, true, &rows));
    TRY(need_columns(c));
    TRY(fairness_is_numeric(c, rows.table, &numeric));
    TRY(cohort_rows_part(c, &rows, numeric));
    struct making k = {c, rows.remarks};
    TRY(cohort_rows_document(c, &rows, make_document, &k, &d));
    TRY(write_files(c, d));
    if (c->json) {
        return cli_print_json(d);
    }
    cohort_rows_print(d, print_document);
    return OK;
}
