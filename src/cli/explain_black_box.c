/* `steward explain` of a model of which only the answers are known: --method or --endpoint. */
#include "assess/permutation_importance.h"
#include "assess/shapley.h"
#include "assess/surrogate.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/black_box.h"
#include "cli/explain_groups.h"
#include "report/html.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ROWS_EXPLAINED 100u /* attributions, unless --rows says otherwise */
#define PERSONAL_MODE 0600  /* attributions and curves of single rows are persons' */
#define DIGITS 9
#define NAMES_MAX 1024u

struct explaining {
    struct cli_black_box box;
    struct explain_groups groups;
    struct black_box_input in;
    size_t *chosen;
    double *y;
    uint64_t *row_number;
    struct plain_csv csv;
    bool writes, all_rows;
    struct cli_progress progress;
};

static void
explaining_done(struct explaining *e)
{
    plain_csv_done(&e->csv);
    free(e->chosen);
    free(e->y);
    free(e->row_number);
    explain_groups_done(&e->groups);
    cli_black_box_done(&e->box);
}

/* ---- options ---- */

static struct status
whole_number(struct cli *c, const char *option, uint64_t low, uint64_t high, size_t *ret_value)
{
    uint64_t v = 0;
    TRY(cli_whole(c, option, low, high, &v));
    *ret_value = (size_t)v;
    return OK;
}

static struct status
take_method(struct cli *c, struct explaining *e)
{
    const char *word = cli_value(c, "method");
    const char *known[BLACK_BOX_METHODS];
    word = word == NULL ? "kernel" : word;
    for (unsigned i = 0; i < BLACK_BOX_METHODS; i++) {
        known[i] = black_box_method_word((enum black_box_method)i);
    }
    if (!black_box_method_from_word(word, &e->in.method)) {
        const char *near = text_nearest(word, known, BLACK_BOX_METHODS);
        diag_set(&c->diag,
                 "--method %s: it is kernel, permutation, partial-dependence, ice, ale, "
                 "permutation-importance or surrogate%s%s%s",
                 word, near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
                 near == NULL ? "" : "\"?");
        FAIL(INPUT);
    }
    return OK;
}

static struct status
take_numbers(struct cli *c, struct explaining *e)
{
    struct black_box_input *in = &e->in;
    TRY(whole_number(c, "evaluations", 0, SHAPLEY_MOST, &in->evaluations));
    TRY(whole_number(c, "points", 2, 1000, &in->points));
    TRY(whole_number(c, "curves", 1, 1000, &in->curves));
    TRY(whole_number(c, "repeats", 2, PERMUTATION_MOST_REPEATS, &in->repeats));
    TRY(whole_number(c, "leaves", 2, SURROGATE_MOST_LEAVES, &in->leaves));
    TRY(whole_number(c, "depth", 1, 16, &in->depth));
    TRY(cli_f64(c, "floor", &in->floor));
    TRY(cli_f64(c, "level", &in->level));
    if (!(in->level > 0 && in->level < 1)) {
        diag_set(&c->diag, "--level %s: a number between 0 and 1", cli_value(c, "level"));
        FAIL(INPUT);
    }
    TRY(cli_u64(c, "seed", &in->seed));
    return cli_threads(c, &in->threads);
}

static bool
explains_rows(const struct explaining *e)
{
    return e->in.method == BLACK_BOX_KERNEL || e->in.method == BLACK_BOX_PERMUTATION;
}

static struct status
rows_wanted(struct cli *c, const struct explaining *e, uint64_t *ret_rows)
{
    if (cli_value(c, "rows") != NULL) {
        return cli_u64(c, "rows", ret_rows);
    }
    *ret_rows = explains_rows(e)                   ? ROWS_EXPLAINED
                : cli_value(c, "endpoint") != NULL ? CLI_BLACK_BOX_ROWS_ASKED
                                                   : 0;
    return OK;
}

static bool
follows_features(const struct explaining *e)
{
    return e->in.method == BLACK_BOX_PARTIAL_DEPENDENCE || e->in.method == BLACK_BOX_ICE ||
           e->in.method == BLACK_BOX_ALE;
}

/* --features, by name; without it all of them. */
static struct status
choose_features(struct cli *c, struct explaining *e)
{
    const struct cli_black_box *b = &e->box;
    const char *names[CLI_MAX_REPEATS];
    DEFER(memory_freep) char *memory = NULL;
    size_t n = 0;
    TRY(cli_list(c, "features", names, CLI_MAX_REPEATS, &n, &memory));
    if (n > 0 && !follows_features(e)) {
        TRY(plain_remark(b->remarks,
                         "--features is for partial-dependence, ice and ale: %s is of all features",
                         black_box_method_word(e->in.method)));
    }
    DEFER(memory_freep) const char **known = calloc(b->box.features, sizeof *known);
    e->chosen = calloc(b->box.features + n, sizeof *e->chosen);
    CHECK(e->chosen != NULL && known != NULL, MEMORY);
    for (size_t f = 0; f < b->box.features; f++) {
        known[f] = b->features[f].name;
        e->chosen[f] = f;
    }
    for (size_t i = 0; i < n; i++) {
        size_t f = 0;
        while (f < b->box.features && strcmp(known[f], names[i]) != 0) {
            f++;
        }
        if (f == b->box.features) {
            const char *near = text_nearest(names[i], known, b->box.features);
            diag_set(&c->diag, "--features: the model reads no \"%s\"%s%s%s", names[i],
                     near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
                     near == NULL ? "" : "\"?");
            FAIL(INPUT);
        }
        e->chosen[i] = f;
    }
    e->in.chosen = e->chosen;
    e->in.chosen_count = n > 0 ? n : b->box.features;
    return OK;
}

/* --group: of attributions. */
static struct status
take_groups(struct cli *c, struct explaining *e)
{
    const struct cli_black_box *b = &e->box;
    DEFER(memory_freep) const char **name = calloc(b->box.features + 1, sizeof *name);
    CHECK(name != NULL, MEMORY);
    for (size_t f = 0; f < b->box.features; f++) {
        name[f] = b->features[f].name;
    }
    TRY(explain_groups_take(c, name, (uint32_t)b->box.features, &e->groups));
    if (e->groups.columns != NULL && !explains_rows(e)) {
        diag_set(&c->diag,
                 "--group: of attributions; %s is of the features as the model reads them",
                 black_box_method_word(e->in.method));
        FAIL(INPUT);
    }
    e->in.columns = e->groups.columns;
    e->in.column_names = e->groups.name;
    e->in.feature_names = e->groups.feature;
    return OK;
}

static size_t
columns_of(const struct explaining *e)
{
    return e->groups.columns == NULL ? e->box.box.features : e->groups.columns->columns;
}

/* ---- the label ---- */

static struct status
take_metric(struct cli *c, struct explaining *e, const struct column *label)
{
    const char *name = cli_value(c, "metric");
    const bool two = label->type == COLUMN_BOOLEAN || cli_value(c, "positive") != NULL ||
                     (label->levels == NULL && e->box.probability);
    if (name == NULL) {
        name = e->box.box.outputs > 1 ? "log_loss" : two ? "roc_auc" : "rmse";
    }
    e->in.metric = metric_find(name);
    if (e->in.metric == NULL) {
        DEFER(buf_done) struct buf names;
        buf_init(&names, NAMES_MAX);
        metric_put_names(&names);
        diag_set(&c->diag, "--metric %s: it is %s", name, buf_str(&names));
        FAIL(INPUT);
    }
    return OK;
}

/* The level, or the number, that --positive names; of truth values the true one. */
static struct status
find_positive(struct cli *c, const struct column *label, double *ret_value)
{
    const char *word = cli_value(c, "positive");
    *ret_value = 1;
    if (word == NULL && (label->type == COLUMN_BOOLEAN || label->levels == NULL)) {
        return OK;
    }
    if (label->levels == NULL && status_ok(text_to_f64(view_str(word), ret_value))) {
        return OK;
    }
    for (uint32_t l = 0; word != NULL && l < label->level_count; l++) {
        if (strcmp(label->levels[l], word) == 0) {
            *ret_value = l;
            return OK;
        }
    }
    diag_set(&c->diag, "label \"%.60s\": %s", label->name,
             word == NULL ? "say which value is the positive one with --positive VALUE"
                          : "no value is the one of --positive");
    FAIL(INPUT);
}

/* y of the rows that have one; the others are dropped, and told. */
static struct status
fill_label(struct explaining *e, const struct column *label, bool is, double positive)
{
    struct cli_black_box *b = &e->box;
    const size_t features = b->box.features;
    size_t kept = 0;
    e->y = calloc(b->rows, sizeof *e->y);
    CHECK(e->y != NULL, MEMORY);
    for (size_t i = 0; i < b->rows; i++) {
        const double v = column_number(label, b->row[i]);
        if (isnan(v)) {
            continue;
        }
        memmove(b->x + kept * features, b->x + i * features, features * sizeof *b->x);
        b->row[kept] = b->row[i];
        e->y[kept++] = is ? (v == positive ? 1 : 0) : v;
    }
    if (kept < b->rows) {
        TRY(plain_remark(b->remarks, "%zu of %zu rows have no label and are left out",
                         b->rows - kept, b->rows));
    }
    b->rows = kept;
    e->in.y = e->y;
    return OK;
}

static struct status
remark_classes(const struct explaining *e, const struct column *label)
{
    DEFER(buf_done) struct buf names;
    buf_init(&names, 1u << 16);
    for (uint32_t l = 0; l < label->level_count && l < 20; l++) {
        buf_printf(&names, "%s%.60s", l == 0 ? "" : ", ", label->levels[l]);
    }
    return plain_remark(e->box.remarks,
                        "the model's outputs are taken as the classes, in order: "
                        "%s",
                        buf_str(&names));
}

static struct status
take_label(struct cli *c, struct explaining *e)
{
    const char *name = cli_value(c, "label");
    const struct column *label = NULL;
    double positive = 1;
    if (e->in.method != BLACK_BOX_IMPORTANCE) {
        return OK;
    }
    if (name == NULL) {
        diag_set(&c->diag, "explain: permutation importance needs --label COLUMN");
        FAIL(INPUT);
    }
    TRY(table_need_column(e->box.table, "--label", name, &c->diag, &label));
    if (label->type == COLUMN_TEXT) {
        diag_set(&c->diag, "label \"%.60s\" is free text", name);
        FAIL(INPUT);
    }
    TRY(take_metric(c, e, label));
    const bool two = e->in.metric->family != METRIC_VALUES && e->box.box.outputs == 1;
    if (two) {
        TRY(find_positive(c, label, &positive));
    } else if (label->levels != NULL && e->in.metric->family == METRIC_CLASSES &&
               label->level_count == e->box.box.outputs) {
        TRY(remark_classes(e, label));
    } else if (label->levels != NULL) {
        diag_set(&c->diag, "label \"%.60s\" is of %u categories: %s cannot be taken of it", name,
                 label->level_count, e->in.metric->name);
        FAIL(INPUT);
    }
    return fill_label(e, label, two, positive);
}

/* ---- results ---- */

static void
put_csv_head(struct explaining *e)
{
    const struct cli_black_box *b = &e->box;
    char name[512];
    for (size_t k = 0; k < b->box.outputs; k++) {
        for (size_t f = 0; f <= columns_of(e); f++) {
            const char *feature = f == columns_of(e)          ? "base"
                                  : e->groups.columns == NULL ? b->features[f].name
                                                              : e->groups.name[f];
            (void)snprintf(name, sizeof name, "%s%s%s", b->box.outputs == 1 ? "" : b->outputs[k],
                           b->box.outputs == 1 ? "" : ":", feature);
            plain_csv_text(&e->csv, name);
        }
    }
    if (!e->all_rows) {
        plain_csv_text(&e->csv, "row");
    }
    plain_csv_end_row(&e->csv);
}

static void
put_csv_row(void *ctx, size_t row, const double *base, const double *phi, const double *error)
{
    struct explaining *e = ctx;
    (void)error;
    for (size_t k = 0; k < e->box.box.outputs; k++) {
        for (size_t f = 0; f < columns_of(e); f++) {
            plain_csv_number(&e->csv, phi[k * columns_of(e) + f]);
        }
        plain_csv_number(&e->csv, base[k]);
    }
    if (!e->all_rows) {
        plain_csv_number(&e->csv, (double)e->row_number[row]);
    }
    plain_csv_end_row(&e->csv);
}

static void
show_progress(void *ctx, size_t done, size_t of)
{
    struct explaining *e = ctx;
    cli_progress_show(&e->progress, "explaining %zu of %zu", done, of);
}

static struct status
fill_input(struct cli *c, struct explaining *e)
{
    struct cli_black_box *b = &e->box;
    struct black_box_input *in = &e->in;
    e->row_number = calloc(b->rows + 1, sizeof *e->row_number);
    CHECK(e->row_number != NULL, MEMORY);
    for (size_t i = 0; i < b->rows; i++) {
        e->row_number[i] = b->row[i] + 1;
    }
    in->model = cli_value(c, b->client != NULL ? "endpoint" : "model");
    in->box = &b->box;
    in->features = b->features;
    in->outputs = b->outputs;
    in->x = b->x;
    in->rows = b->rows;
    in->row_number = e->row_number;
    in->rows_in_data = b->table->rows;
    in->background = b->background;
    in->background_rows = b->background_rows;
    in->background_of = b->background_of;
    in->probability = b->probability;
    in->remarks = b->remarks;
    in->progress = show_progress;
    in->ctx = e;
    e->all_rows = b->rows == b->table->rows;
    return OK;
}

static struct status
make_document(struct cli *c, struct explaining *e, json_t **ret_document)
{
    const char *output = cli_value(c, "output");
    e->writes = output != NULL && explains_rows(e);
    if (output != NULL && !e->writes) {
        diag_set(&c->diag, "--output: only kernel and permutation write contributions; see --json");
        FAIL(INPUT);
    }
    if (e->writes) {
        TRY(plain_csv_open(output, DIGITS, &c->diag, &e->csv));
        put_csv_head(e);
        e->in.row = put_csv_row;
    }
    cli_progress_start(&e->progress, "explaining");
    const struct status s = black_box_document(&e->in, &c->diag, ret_document);
    cli_progress_stop(&e->progress);
    TRY(s);
    return e->writes ? plain_csv_keep(&e->csv) : OK;
}

static struct status
write_page(struct cli *c, const json_t *document)
{
    const char *report = cli_value(c, "report");
    if (report == NULL) {
        return OK;
    }
    DEFER(buf_done) struct buf html;
    buf_init(&html, HTML_MAX_BYTES);
    TRY(html_black_box_page(document, &html));
    return file_replace(report, buf_view(&html), PERSONAL_MODE, &c->diag);
}

struct status
cli_explain_black_box(struct cli *c)
{
    uint64_t rows = 0, background = 0;
    DEFER(cli_import_done) struct cli_import import = {0};
    DEFER(explaining_done) struct explaining e = {0};
    DEFER(js_freep) json_t *document = NULL;
    TRY(take_method(c, &e));
    TRY(take_numbers(c, &e));
    TRY(rows_wanted(c, &e, &rows));
    TRY(cli_u64(c, "background-rows", &background));
    TRY(cli_import_options(c, &import));
    TRY(cli_black_box_open(c, &import, rows, e.in.seed, &e.box));
    if (explains_rows(&e)) {
        TRY(cli_black_box_background(&e.box, &import, background, e.in.seed));
    }
    TRY(choose_features(c, &e));
    TRY(take_groups(c, &e));
    TRY(take_label(c, &e));
    TRY(fill_input(c, &e));
    TRY(make_document(c, &e, &document));
    TRY(write_page(c, document));
    if (c->json) {
        return cli_print_json(document);
    }
    if (!e.writes || strcmp(cli_value(c, "output"), "-") != 0) {
        cli_print_black_box(document);
    }
    return OK;
}
