#include "cli/mitigate.h"

#include "base/file.h"
#include "cli/facet_options.h"
#include "cli/plain_files.h"
#include "data/import.h"
#include "report/document.h"
#include "report/html.h"
#include "report/mitigate_document.h"
#include "workspace/plain_codes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DIGITS 17
#define LABEL_VALUES 64u
#define FILE_MODE 0644

/* A data file and its columns that the methods read. */
struct work {
    struct cli *c;
    const struct table *t;
    struct plain_codes label, group;
    uint8_t *y; /* rows: 0, 1, 2 missing */
};

static void
work_done(struct work *w)
{
    plain_codes_done(&w->label);
    plain_codes_done(&w->group);
    free(w->y);
}

/* ---- columns ---- */

static struct status
positive_level(struct work *w, const struct column *c, uint32_t *ret_level)
{
    const char *word = cli_value(w->c, "positive");
    const bool zero_one = w->label.levels == 2 && strcmp(w->label.names[0], "0") == 0 &&
                          strcmp(w->label.names[1], "1") == 0;
    for (uint32_t i = 0; word != NULL && i < w->label.levels; i++) {
        if (strcmp(w->label.names[i], word) == 0) {
            *ret_level = i;
            return OK;
        }
    }
    if (word == NULL && (zero_one || (c->type == COLUMN_BOOLEAN && w->label.levels == 2))) {
        *ret_level = 1;
        return OK;
    }
    diag_set(&w->c->diag, "label \"%s\": %s", w->label.name,
             word != NULL ? "no value is the one of --positive"
                          : "say which value is the positive one with --positive VALUE");
    FAIL(INPUT);
}

static struct status
take_label(struct work *w)
{
    const char *name = NULL;
    const struct column *c = NULL;
    uint32_t positive = 0;
    TRY(cli_need(w->c, "label", "COLUMN", &name));
    TRY(table_need_column(w->t, "--label", name, &w->c->diag, &c));
    TRY(plain_codes_of(w->t, c, LABEL_VALUES, &w->label));
    TRY(positive_level(w, c, &positive));
    w->y = calloc(w->t->rows + 1, 1);
    CHECK(w->y != NULL, MEMORY);
    for (uint64_t i = 0; i < w->t->rows; i++) {
        const int32_t code = w->label.codes[i];
        w->y[i] = code < 0 ? 2 : code == (int32_t)positive;
    }
    return OK;
}

static struct status
take_group(struct work *w)
{
    const char *name = NULL;
    const struct column *c = NULL;
    struct facets facets;
    bool by_edges = false;
    TRY(cli_need(w->c, "sensitive", "COLUMN", &name));
    TRY(table_need_column(w->t, "--sensitive", name, &w->c->diag, &c));
    TRY(cli_facets(w->c, &facets));
    TRY(facets_codes(&facets, w->t, c, &w->c->diag, &w->group, &by_edges));
    TRY(facets_check(&facets, &w->group, 1, &w->c->diag));
    if (w->group.levels < 2 || w->group.levels > MITIGATE_MAX_GROUPS) {
        diag_set(&w->c->diag, "sensitive column \"%s\": %u groups; from 2 to %u are needed: %s",
                 name, w->group.levels, MITIGATE_MAX_GROUPS,
                 w->group.levels > 1 ? "join its values into fewer"
                                     : "name a column with more values, or read it as categories "
                                       "(--type COLUMN=category)");
        FAIL(INPUT);
    }
    return OK;
}

/* ---- thresholds ---- */

struct status
mitigate_threshold_options(struct cli *c, struct threshold_options *ret_options)
{
    const char *constraint = cli_value(c, "constraint"), *goal = cli_value(c, "goal");
    if (!status_ok(threshold_constraint_from_word(constraint, &ret_options->constraint))) {
        diag_set(&c->diag, "--constraint %s: not one of those that --help names for thresholds",
                 constraint);
        FAIL(INPUT);
    }
    if (!status_ok(threshold_objective_from_word(goal, &ret_options->objective))) {
        diag_set(&c->diag, "--goal %s: not one of those that --help names", goal);
        FAIL(INPUT);
    }
    TRY(cli_f64(c, "tolerance", &ret_options->tolerance));
    if (!(ret_options->tolerance >= 0 && ret_options->tolerance <= 1)) {
        diag_set(&c->diag, "--tolerance %s: from 0 to 1", cli_value(c, "tolerance"));
        FAIL(INPUT);
    }
    ret_options->flip = cli_flag(c, "flip");
    return OK;
}

struct status
mitigate_alpha(struct cli *c, double *ret_alpha)
{
    double alpha = 0;
    TRY(cli_f64(c, "alpha", &alpha));
    if (!(alpha >= 0 && alpha <= 1)) {
        diag_set(&c->diag, "--alpha %s: from 0 to 1", cli_value(c, "alpha"));
        FAIL(INPUT);
    }
    *ret_alpha = alpha;
    return OK;
}

static struct status
read_scores(struct work *w, double **ret_score)
{
    const char *name = NULL;
    const struct column *c = NULL;
    TRY(cli_need(w->c, "score", "COLUMN", &name));
    TRY(table_need_column(w->t, "--score", name, &w->c->diag, &c));
    if (c->type != COLUMN_FLOAT && c->type != COLUMN_INTEGER && c->type != COLUMN_BOOLEAN) {
        diag_set(&w->c->diag, "--score: column \"%s\" is not of numbers", name);
        FAIL(INPUT);
    }
    double *score = calloc(w->t->rows + 1, sizeof *score);
    CHECK(score != NULL, MEMORY);
    *ret_score = score;
    for (uint64_t i = 0; i < w->t->rows; i++) {
        score[i] = column_number(c, i);
    }
    return OK;
}

static void
print_plan(const json_t *d, const char *key, const char *title)
{
    const json_t *plan = json_object_get(d, key);
    cli_say("%s: accuracy %.4f, groups differ by %.4f", title, document_number(plan, "accuracy"),
            document_number(plan, "gap"));
    cli_say("  (95 %%: %.4f to %.4f; %.4f to %.4f)", document_end(plan, "accuracy_ci", 0),
            document_end(plan, "accuracy_ci", 1), document_end(plan, "gap_ci", 0),
            document_end(plan, "gap_ci", 1));
}

static void
print_rules(const json_t *d)
{
    size_t i = 0;
    json_t *g = NULL;
    cli_say("%s: %s = %s by \"%s\"", document_text(d, "constraint"), document_text(d, "label"),
            document_text(d, "positive"), document_text(d, "sensitive"));
    print_plan(d, "before", "now, one threshold for all");
    print_plan(d, "deterministic", "one threshold for each group");
    json_array_foreach(json_object_get(json_object_get(d, "deterministic"), "groups"), i, g)
    {
        const json_t *rule = json_object_get(g, "rule"), *at = json_object_get(rule, "threshold");
        const double selected = document_number(g, "selection_rate");
        const char *sign = document_text(rule, "operator");
        if (json_is_number(at)) {
            cli_say("  %s: positive when the score is %s %.6g; %.1f %% selected",
                    document_text(g, "group"), sign, json_number_value(at), 100 * selected);
        } else {
            cli_say("  %s: %s selected", document_text(g, "group"),
                    selected > 0.5 ? "everybody" : "nobody");
        }
    }
    print_plan(d, "randomised", "the best at random, by one of two thresholds drawn for each row");
    cli_say("all of this on the rows that the thresholds were chosen on");
    if (json_is_number(json_object_get(json_object_get(d, "held_back"), "gap"))) {
        print_plan(d, "held_back", "thresholds chosen without the rows they decide");
    }
}

/* "decision" by the one threshold, "probability" of the rule at random. */
static struct status
write_decisions(struct work *w, const double *score, const struct threshold_rule *fixed,
                const struct threshold_rule *random)
{
    const char *path = cli_value(w->c, "output");
    if (path == NULL) {
        return OK;
    }
    DEFER(plain_csv_done) struct plain_csv out = {0};
    TRY(plain_csv_open(path, DIGITS, &w->c->diag, &out));
    plain_csv_text(&out, "decision");
    plain_csv_text(&out, "probability");
    plain_csv_end_row(&out);
    for (uint64_t i = 0; i < w->t->rows; i++) {
        const int32_t g = w->group.codes[i];
        const bool known = g >= 0 && !isnan(score[i]);
        plain_csv_number(&out, known ? threshold_decide(&fixed[g], score[i]) : (double)NAN);
        plain_csv_number(&out, known ? threshold_decide(&random[g], score[i]) : (double)NAN);
        plain_csv_end_row(&out);
    }
    return plain_csv_keep(&out);
}

static struct status
write_page(struct cli *c, const json_t *d)
{
    const char *path = cli_value(c, "report");
    if (path == NULL) {
        return OK;
    }
    DEFER(buf_done) struct buf html;
    buf_init(&html, HTML_MAX_BYTES);
    TRY(html_mitigate_page(d, &html));
    return file_replace(path, buf_view(&html), FILE_MODE, &c->diag);
}

/* The kernel knows groups by number. */
static void
name_group(struct work *w)
{
    unsigned g = 0;
    char rest[600];
    if (sscanf(w->c->diag.text, "group %u: %599[^\n]", &g, rest) == 2 && g < w->group.levels) {
        diag_set(&w->c->diag, "%s = %s: %s", w->group.name, w->group.names[g], rest);
    }
}

static struct status
find_thresholds(struct work *w)
{
    struct mitigate_input in = {.rows = (size_t)w->t->rows};
    DEFER(memory_freep) double *score = NULL;
    DEFER(js_freep) json_t *d = NULL;
    struct threshold_rule fixed[MITIGATE_MAX_GROUPS], random[MITIGATE_MAX_GROUPS];
    TRY(mitigate_threshold_options(w->c, &in.options));
    TRY(take_label(w));
    TRY(take_group(w));
    TRY(read_scores(w, &score));
    TRY(cli_f64(w->c, "threshold", &in.before));
    in.score = score;
    in.y = w->y;
    in.group = w->group.codes;
    in.names = w->group.names;
    in.groups = w->group.levels;
    in.label = w->label.name;
    in.positive = cli_value(w->c, "positive") != NULL ? cli_value(w->c, "positive") : "1";
    in.sensitive = w->group.name;
    const struct status s = mitigate_document(&in, &w->c->diag, fixed, random, &d);
    if (!status_ok(s)) {
        name_group(w);
        return s;
    }
    TRY(write_decisions(w, score, fixed, random));
    TRY(write_page(w->c, d));
    if (w->c->json) {
        return cli_print_json(d);
    }
    print_rules(d);
    return OK;
}

/* ---- reweighing ---- */

/* The outcomes that groups are to have alike: the two of --positive, or each of a label's values.
 */
struct outcomes {
    bool several;
    uint32_t n;
};

static struct status
take_outcomes(struct work *w, struct outcomes *ret_outcomes)
{
    const char *name = NULL;
    const struct column *c = NULL;
    TRY(cli_need(w->c, "label", "COLUMN", &name));
    TRY(table_need_column(w->t, "--label", name, &w->c->diag, &c));
    if (cli_value(w->c, "positive") == NULL) {
        DEFER(plain_codes_done) struct plain_codes codes = {0};
        TRY(plain_codes_of(w->t, c, LABEL_VALUES, &codes));
        if (codes.cut || codes.levels > LABEL_VALUES) {
            diag_set(
                &w->c->diag,
                "label \"%s\" has more than %u values: reweighing goes by the counts of each "
                "outcome; say with --positive which value is the positive one, or bin it first",
                name, LABEL_VALUES);
            FAIL(INPUT);
        }
        if (codes.levels < 2) {
            diag_set(&w->c->diag,
                     "label \"%s\" has %u values: reweighing needs two outcomes at least, which it "
                     "makes independent of the groups",
                     name, codes.levels);
            FAIL(INPUT);
        }
        if (codes.levels > 2) {
            *ret_outcomes = (struct outcomes){true, codes.levels};
            return plain_codes_of(w->t, c, LABEL_VALUES, &w->label);
        }
    }
    *ret_outcomes = (struct outcomes){false, 2};
    return take_label(w);
}

/* -1: missing. */
static int32_t
outcome_of(const struct work *w, const struct outcomes *o, uint64_t row)
{
    return o->several ? w->label.codes[row] : w->y[row] > 1 ? -1 : w->y[row];
}

static struct status
put_weights(struct work *w, const struct outcomes *o, const double *weight)
{
    DEFER(plain_csv_done) struct plain_csv out = {0};
    TRY(plain_csv_open(cli_value(w->c, "output"), DIGITS, &w->c->diag, &out));
    plain_csv_text(&out, "weight");
    plain_csv_end_row(&out);
    for (uint64_t i = 0; i < w->t->rows; i++) {
        const int32_t g = w->group.codes[i], y = outcome_of(w, o, i);
        plain_csv_number(&out, g < 0 || y < 0 ? 1 : weight[(uint32_t)g * o->n + (uint32_t)y]);
        plain_csv_end_row(&out);
    }
    return plain_csv_keep(&out);
}

/* A weight of 0 is that of no row. */
static void
put_weight(struct buf *b, const char *outcome, double weight)
{
    buf_put_str(b, outcome);
    if (weight > 0) {
        buf_printf(b, " %.4f", weight);
    } else {
        buf_put_str(b, " (no row)");
    }
}

static struct status
print_weights(const struct work *w, const struct outcomes *o, const double *weight)
{
    DEFER(buf_done) struct buf line;
    buf_init(&line, 1u << 20);
    for (uint32_t g = 0; g < w->group.levels; g++) {
        const double *of = weight + (size_t)g * o->n;
        buf_reset(&line);
        buf_printf(&line, "%s = %s: weight where %s is ", w->group.name, w->group.names[g],
                   w->label.name);
        if (!o->several) {
            put_weight(&line, "positive", of[1]);
            put_weight(&line, ", where not", of[0]);
        }
        for (uint32_t y = 0; o->several && y < o->n; y++) {
            buf_put_str(&line, y == 0 ? "" : ", ");
            put_weight(&line, w->label.names[y], of[y]);
        }
        TRY(buf_status(&line));
        cli_put_wrapped(stdout, buf_str(&line), 0, 2);
    }
    return OK;
}

static struct status
weigh(struct work *w)
{
    struct outcomes o = {0};
    uint64_t left = 0;
    uint32_t empty = 0;
    const char *output = NULL;
    TRY(cli_need(w->c, "output", "FILE", &output));
    TRY(take_outcomes(w, &o));
    TRY(take_group(w));
    const size_t cells = (size_t)w->group.levels * o.n;
    DEFER(memory_freep) uint64_t *count = calloc(cells, sizeof *count);
    DEFER(memory_freep) double *weight = calloc(cells, sizeof *weight);
    CHECK(count != NULL && weight != NULL, MEMORY);
    for (uint64_t i = 0; i < w->t->rows; i++) {
        const int32_t g = w->group.codes[i], y = outcome_of(w, &o, i);
        if (g < 0 || y < 0) {
            left++;
        } else {
            count[(uint32_t)g * o.n + (uint32_t)y]++;
        }
    }
    reweigh(count, w->group.levels, o.n, weight, &empty);
    TRY(put_weights(w, &o, weight));
    if (strcmp(output, "-") == 0) {
        return OK;
    }
    TRY(print_weights(w, &o, weight));
    if (left > 0) {
        cli_say("%llu rows without label or group have weight 1", (unsigned long long)left);
    }
    if (empty > 0) {
        cli_say("%u groups lack an outcome, which no weight can mend", empty);
    }
    return OK;
}

/* ---- correlation remover ---- */

static bool
is_number(const struct column *c)
{
    return c->type == COLUMN_FLOAT || c->type == COLUMN_INTEGER;
}

/* The features that change: numbers that are neither label nor sensitive and miss nothing. */
static size_t
choose_features(const struct work *w, const struct column *sensitive, uint32_t *ret_index)
{
    const char *label = cli_value(w->c, "label");
    size_t n = 0;
    for (uint32_t i = 0; i < w->t->column_count; i++) {
        const struct column *c = &w->t->columns[i];
        if (is_number(c) && c != sensitive && c->nulls == 0 &&
            (label == NULL || strcmp(label, c->name) != 0)) {
            ret_index[n++] = i;
        }
    }
    return n;
}

/* A column for each group but the first; one of the values when it is a number. */
static struct status
sensitive_matrix(struct work *w, const struct column *c, double **ret_s, size_t *ret_columns)
{
    const size_t rows = (size_t)w->t->rows;
    const size_t columns = is_number(c) ? 1 : w->group.levels - 1;
    double *s = calloc(rows * columns + 1, sizeof *s);
    CHECK(s != NULL, MEMORY);
    *ret_s = s;
    *ret_columns = columns;
    for (size_t i = 0; i < rows; i++) {
        if (w->group.codes[i] < 0) {
            diag_set(&w->c->diag, "sensitive column \"%s\": row %zu has no value", c->name, i + 1);
            FAIL(INPUT);
        }
        if (is_number(c)) {
            s[i] = column_number(c, i);
        } else if (w->group.codes[i] > 0) {
            s[i * columns + (size_t)w->group.codes[i] - 1] = 1;
        }
    }
    return OK;
}

static struct status
put_table(struct work *w, const double *z, const uint32_t *index, size_t features)
{
    DEFER(plain_csv_done) struct plain_csv out = {0};
    DEFER(buf_done) struct buf text;
    buf_init(&text, 64u << 20);
    TRY(plain_csv_open(cli_value(w->c, "output"), DIGITS, &w->c->diag, &out));
    for (uint32_t j = 0; j < w->t->column_count; j++) {
        plain_csv_text(&out, w->t->columns[j].name);
    }
    plain_csv_end_row(&out);
    for (uint64_t i = 0; i < w->t->rows; i++) {
        for (uint32_t j = 0, k = 0; j < w->t->column_count; j++) {
            if (k < features && index[k] == j) {
                plain_csv_number(&out, z[i * features + k++]);
                continue;
            }
            buf_reset(&text);
            column_put_text(&w->t->columns[j], i, &text);
            TRY(buf_status(&text));
            plain_csv_text(&out, buf_str(&text));
        }
        plain_csv_end_row(&out);
    }
    return plain_csv_keep(&out);
}

static struct status
remove_correlation(struct work *w)
{
    const char *output = NULL, *name = NULL;
    const struct column *sensitive = NULL;
    DEFER(memory_freep) uint32_t *index = calloc(w->t->column_count + (size_t)1, sizeof *index);
    DEFER(memory_freep) double *s = NULL;
    size_t columns = 0, rank = 0;
    double alpha = 0;
    CHECK(index != NULL, MEMORY);
    TRY(cli_need(w->c, "output", "FILE", &output));
    TRY(cli_need(w->c, "sensitive", "COLUMN", &name));
    TRY(table_need_column(w->t, "--sensitive", name, &w->c->diag, &sensitive));
    TRY(mitigate_alpha(w->c, &alpha));
    TRY(take_group(w));
    TRY(sensitive_matrix(w, sensitive, &s, &columns));
    const size_t features = choose_features(w, sensitive, index), rows = (size_t)w->t->rows;
    DEFER(memory_freep) double *z = calloc(rows * features + 1, sizeof *z);
    CHECK(z != NULL, MEMORY);
    for (size_t i = 0; i < rows; i++) {
        for (size_t k = 0; k < features; k++) {
            z[i * features + k] = column_number(&w->t->columns[index[k]], i);
        }
    }
    TRY(correlation_remove(z, rows, features, s, columns, alpha, &w->c->diag, &rank));
    TRY(put_table(w, z, index, features));
    if (strcmp(output, "-") != 0) {
        cli_say("%zu columns of numbers without values missing changed, %u others as they were; "
                "what is not linear in %s may still be told by them: see `steward bias`",
                features, w->t->column_count - (uint32_t)features, name);
    }
    return OK;
}

/* ---- the verb ---- */

static const struct {
    const char *name;
    struct status (*run)(struct work *w);
} methods[] = {
    {"threshold", find_thresholds},
    {"reweighing", weigh},
    {"correlation-remover", remove_correlation},
};

struct status
cli_mitigate(struct cli *c)
{
    const char *method = NULL, *path = NULL;
    if (c->operands > 0) {
        return mitigate_model(c);
    }
    DEFER(cli_import_done) struct cli_import import = {0};
    DEFER(table_freep) struct table *t = NULL;
    DEFER(work_done) struct work w = {.c = c};
    TRY(cli_need(c, "method", "METHOD", &method));
    if (cli_flag(c, "randomised")) {
        diag_set(&c->diag, "--randomised: of a model of the workspace; on a file the rules of "
                           "chance are told beside the others");
        FAIL(INPUT);
    }
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(methods[i].name, method) == 0) {
            TRY(cli_need(c, "data", "FILE", &path));
            if (cli_value(c, "report") != NULL && methods[i].run != find_thresholds) {
                diag_set(&c->diag,
                         "--report: on a file only --method threshold has a page; what %s does is "
                         "in --output, and steward fairness and bias have pages of it",
                         method);
                FAIL(INPUT);
            }
            TRY(cli_import_options(c, &import));
            TRY(cli_read_table(c, path, &import.options, &t));
            w.t = t;
            return methods[i].run(&w);
        }
    }
    diag_set(
        &c->diag, "--method %s: on a file, threshold, reweighing or correlation-remover%s", method,
        strcmp(method, "exponentiated-gradient") == 0 ? "; name a model of the workspace" : "");
    FAIL(INPUT);
}
