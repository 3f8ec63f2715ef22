#include "workspace/assessments.h"

#include "base/clock.h"
#include "base/file.h"
#include "data/cohort.h"
#include "num/quantile.h"
#include "report/assessment.h"
#include "vault/seal.h"
#include "workspace/registry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLLECTION "assessment"
#define DOCUMENT_MAX (64u << 20)
#define FACTOR_BINS 4u
#define INTERVAL_LEVEL 0.95
#define MIN_GROUP 30u

/* Everything that an assessment reads, gathered from the table for the rows that were chosen. */
struct gathered {
    struct model *model;
    struct table *table; /* the chosen rows only */
    struct dataset_info info;
    uint64_t dropped;     /* chosen, but without a label */
    uint64_t *row_number; /* of each chosen row in the dataset, the first is 1 */
    uint8_t *y;
    float *x;
    double *score;
    struct assessment_feature *features;
    struct assessment_factor *factors;
    uint32_t factor_count;
    char **made_levels; /* strings made here, for factors of numbers */
    size_t made_count;
};

static void
gathered_done(struct gathered *g)
{
    for (uint32_t i = 0; g->features != NULL && i < g->model->features.count; i++) {
        free((double *)(uintptr_t)g->features[i].value);
    }
    for (uint32_t i = 0; i < g->factor_count; i++) {
        free((int32_t *)(uintptr_t)g->factors[i].code);
        free((const char **)(uintptr_t)g->factors[i].levels);
    }
    for (size_t i = 0; i < g->made_count; i++) {
        free(g->made_levels[i]);
    }
    free(g->made_levels);
    free(g->features);
    free(g->factors);
    free(g->y);
    free(g->row_number);
    free(g->x);
    free(g->score);
    table_free(g->table);
    model_free(g->model);
}

/* ---- which rows ---- */

static struct status
select_cohort(const struct table *t, const char *cohort, struct diag *diag, uint8_t *selected)
{
    if (cohort == NULL) {
        return OK;
    }
    DEFER(memory_freep) uint8_t *in = calloc((size_t)t->rows + 1, 1);
    CHECK(in != NULL, MEMORY);
    TRY(cohort_select(t, cohort, diag, in));
    for (size_t i = 0; i < (size_t)t->rows; i++) {
        selected[i] &= in[i];
    }
    return OK;
}

/* Fails with a sentence when the label cannot be read as two classes in the *whole* table: a cohort
 * with one class only is a finding, not an error. */
static struct status
label_whole(struct gathered *g, struct diag *diag, uint8_t **ret_y)
{
    const struct column *label = table_column(g->table, g->model->label);
    if (label == NULL || label->role != ROLE_LABEL) {
        diag_set(diag, "dataset %s has no label column \"%s\", which model %s predicts",
                 g->info.name, g->model->label, g->model->name);
        FAIL(INPUT);
    }
    *ret_y = calloc((size_t)g->table->rows + 1, 1);
    CHECK(*ret_y != NULL, MEMORY);
    return table_binary_label(g->table, diag, *ret_y);
}

static struct status
keep_rows(struct gathered *g, const uint8_t *selected, const uint8_t *y, struct diag *diag)
{
    const size_t rows = (size_t)g->table->rows;
    DEFER(memory_freep) uint64_t *keep = calloc(rows + 1, sizeof *keep);
    g->y = calloc(rows + 1, 1);
    CHECK(keep != NULL && g->y != NULL, MEMORY);
    size_t n = 0;
    for (size_t i = 0; i < rows; i++) {
        g->dropped += selected[i] != 0 && y[i] > 1;
        if (selected[i] != 0 && y[i] <= 1) {
            g->y[n] = y[i];
            keep[n++] = i;
        }
    }
    if (n == 0) {
        diag_set(diag,
                 "no row to assess: the part and cohort that were asked for hold no labelled row");
        FAIL(INPUT);
    }
    struct table *chosen = NULL;
    TRY(table_select(g->table, keep, n, &chosen));
    for (size_t i = 0; i < n; i++) {
        keep[i]++;
    }
    g->row_number = MOVE(keep);
    table_free(g->table);
    g->table = chosen;
    return OK;
}

static struct status
choose_rows(struct gathered *g, const struct assess_options *o, struct diag *diag)
{
    DEFER(memory_freep) uint8_t *selected = calloc((size_t)g->table->rows + 1, 1);
    DEFER(memory_freep) uint8_t *y = NULL;
    CHECK(selected != NULL, MEMORY);
    TRY(label_whole(g, diag, &y));
    TRY(model_select(g->model, &g->info, o->part, diag, selected));
    TRY(select_cohort(g->table, o->cohort, diag, selected));
    return keep_rows(g, selected, y, diag);
}

/* ---- what the model reads ---- */

static struct status
score_rows(struct gathered *g, unsigned threads, struct diag *diag)
{
    const size_t rows = (size_t)g->table->rows, width = g->model->features.count;
    size_t cells = 0;
    CHECK(!__builtin_mul_overflow(rows, width, &cells), LIMIT);
    g->x = calloc(cells + 1, sizeof *g->x);
    g->score = calloc(rows + 1, sizeof *g->score);
    CHECK(g->x != NULL && g->score != NULL, MEMORY);
    TRY(matrix_from_table(g->table, &g->model->features, diag, g->x));
    model_predict(g->model, g->x, rows, threads, g->score);
    return OK;
}

static struct status
gather_feature(const struct gathered *g, const struct feature *f,
               struct assessment_feature *ret_feature)
{
    const struct column *c = table_column(g->table, f->name);
    ASSERT(c != NULL); /* matrix_from_table has read it */
    double *value = calloc((size_t)g->table->rows + 1, sizeof *value);
    CHECK(value != NULL, MEMORY);
    for (uint64_t i = 0; i < g->table->rows; i++) {
        value[i] = column_number(c, i);
    }
    const bool levels = c->type == COLUMN_CATEGORY || c->type == COLUMN_BOOLEAN;
    *ret_feature =
        (struct assessment_feature){.name = f->name,
                                    .value = value,
                                    .levels = levels ? (const char *const *)c->levels : NULL,
                                    .level_count = levels ? c->level_count : 0};
    return OK;
}

static struct status
gather_features(struct gathered *g)
{
    g->features = calloc(g->model->features.count, sizeof *g->features);
    CHECK(g->features != NULL, MEMORY);
    for (uint32_t i = 0; i < g->model->features.count; i++) {
        TRY(gather_feature(g, &g->model->features.items[i], &g->features[i]));
    }
    return OK;
}

/* ---- who the people are ---- */

static struct status
factor_from_levels(const struct gathered *g, const struct column *c, struct assessment_factor *f)
{
    const char **levels = calloc((size_t)c->level_count + 1, sizeof *levels);
    int32_t *code = calloc((size_t)g->table->rows + 1, sizeof *code);
    f->levels = levels;
    f->code = code;
    CHECK(levels != NULL && code != NULL, MEMORY);
    f->level_count = c->level_count;
    for (uint32_t i = 0; i < c->level_count; i++) {
        levels[i] = c->levels[i];
    }
    for (uint64_t i = 0; i < g->table->rows; i++) {
        code[i] = column_is_null(c, i) ? -1 : c->code[i];
    }
    return OK;
}

/* Ends of the bins of a number column: its quartiles over the chosen rows, each value once. Returns
 * how many bins. */
static uint32_t
bin_edges(const double *sorted, size_t n, double ret_edge[static FACTOR_BINS + 1])
{
    uint32_t bins = 0;
    ret_edge[0] = sorted[0];
    for (uint32_t b = 1; b <= FACTOR_BINS; b++) {
        const double end = quantile_sorted(sorted, n, (double)b / FACTOR_BINS);
        if (end > ret_edge[bins]) {
            ret_edge[++bins] = end;
        }
    }
    return bins == 0 ? 1 : bins;
}

static struct status
make_bin_names(struct gathered *g, const double *edge, uint32_t bins, const char **levels)
{
    char **grown = realloc(g->made_levels, (g->made_count + bins + 1) * sizeof *grown);
    CHECK(grown != NULL, MEMORY);
    g->made_levels = grown;
    for (uint32_t b = 0; b < bins; b++) {
        char *text = NULL;
        const bool last = b + 1 == bins;
        const double end = bins == 1 && !(edge[1] > edge[0]) ? edge[0] : edge[b + 1];
        CHECK(asprintf(&text, last ? "%.6g to %.6g" : "%.6g to under %.6g", edge[b], end) > 0,
              MEMORY);
        g->made_levels[g->made_count++] = text;
        levels[b] = text;
    }
    return OK;
}

static int32_t
bin_of(double v, const double *edge, uint32_t bins)
{
    if (isnan(v)) {
        return -1;
    }
    uint32_t b = 0;
    while (b + 1 < bins && v >= edge[b + 1]) {
        b++;
    }
    return (int32_t)b;
}

static struct status
factor_from_numbers(struct gathered *g, const struct column *c, struct assessment_factor *f)
{
    const size_t rows = (size_t)g->table->rows;
    DEFER(memory_freep) double *sorted = calloc(rows + 1, sizeof *sorted);
    const char **levels = calloc(FACTOR_BINS, sizeof *levels);
    int32_t *code = calloc(rows + 1, sizeof *code);
    f->levels = levels;
    f->code = code;
    CHECK(sorted != NULL && levels != NULL && code != NULL, MEMORY);
    for (size_t i = 0; i < rows; i++) {
        sorted[i] = column_number(c, i);
    }
    const size_t n = quantile_sort(sorted, rows);
    double edge[FACTOR_BINS + 1] = {0};
    f->level_count = n == 0 ? 0 : bin_edges(sorted, n, edge);
    for (size_t i = 0; i < rows; i++) {
        code[i] = n == 0 ? -1 : bin_of(column_number(c, i), edge, f->level_count);
    }
    return make_bin_names(g, edge, f->level_count, levels);
}

static struct status
gather_factors(struct gathered *g)
{
    g->factors = calloc((size_t)g->table->column_count + 1, sizeof *g->factors);
    CHECK(g->factors != NULL, MEMORY);
    for (uint32_t i = 0; i < g->table->column_count; i++) {
        const struct column *c = &g->table->columns[i];
        if (c->role != ROLE_SENSITIVE || c->type == COLUMN_TEXT) {
            continue;
        }
        struct assessment_factor *f = &g->factors[g->factor_count++];
        f->name = c->name;
        const bool levels = c->type == COLUMN_CATEGORY || c->type == COLUMN_BOOLEAN;
        TRY(levels ? factor_from_levels(g, c, f) : factor_from_numbers(g, c, f));
    }
    return OK;
}

/* ---- running and keeping ---- */

static struct status
gather(struct workspace *w, const struct assess_options *o, struct diag *diag, struct gathered *g)
{
    TRY(model_load(w, o->model, o->model_version, diag, &g->model));
    TRY(dataset_load(w, o->dataset, o->dataset_version, diag, &g->table, &g->info));
    TRY(choose_rows(g, o, diag));
    TRY(score_rows(g, o->threads, diag));
    TRY(gather_features(g));
    return gather_factors(g);
}

static struct status
put_selection(const struct assess_options *o, struct buf *ret_text)
{
    buf_put_str(ret_text, model_part_word(o->part));
    if (o->cohort != NULL) {
        buf_printf(ret_text, ", cohort: %s", o->cohort);
    }
    return buf_status(ret_text);
}

static struct status
run(const struct gathered *g, const struct assess_options *o, struct diag *diag,
    json_t **ret_document)
{
    DEFER(buf_done) struct buf model_hex;
    DEFER(buf_done) struct buf data_hex;
    DEFER(buf_done) struct buf selection;
    buf_init(&model_hex, 128);
    buf_init(&data_hex, 128);
    buf_init(&selection, COHORT_MAX_BYTES + 64);
    digest_put_hex(&model_hex, &g->model->digest);
    digest_put_hex(&data_hex, &g->info.digest);
    TRY(put_selection(o, &selection));
    const struct assessment_input in = {
        .model = g->model->name,
        .model_version = g->model->version,
        .model_digest_hex = buf_str(&model_hex),
        .dataset = g->info.name,
        .dataset_version = g->info.version,
        .dataset_digest_hex = buf_str(&data_hex),
        .selection = buf_str(&selection),
        .created_ns = clock_wall_ns(),
        .label = g->model->label,
        .positive = g->model->positive,
        .negative = g->model->negative,
        .threshold = g->model->threshold,
        .level = INTERVAL_LEVEL,
        .rows = (size_t)g->table->rows,
        .rows_dropped = g->dropped,
        .row_number = g->row_number,
        .y = g->y,
        .score = g->score,
        .x = g->x,
        .forest = g->model->forest,
        .features = g->features,
        .factors = g->factors,
        .factor_count = g->factor_count,
        .min_group = MIN_GROUP,
        .threads = o->threads,
        .progress = o->progress,
        .progress_ctx = o->progress_ctx,
    };
    return assessment_run(&in, diag, ret_document);
}

static struct status
record(struct workspace *w, const struct gathered *g, const struct assess_options *o,
       uint64_t version, const struct digest *digest, struct diag *diag)
{
    DEFER(js_freep) json_t *r = NULL;
    DEFER(buf_done) struct buf selection;
    buf_init(&selection, COHORT_MAX_BYTES + 64);
    TRY(put_selection(o, &selection));
    TRY(registry_record_new(g->model->name, version, digest, &r));
    TRY(js_set(r, "model_version", json_integer((json_int_t)g->model->version)));
    TRY(js_set(r, "dataset", json_string(g->info.name)));
    TRY(js_set(r, "dataset_version", json_integer((json_int_t)g->info.version)));
    TRY(js_set(r, "selection", json_string(buf_str(&selection))));
    TRY(js_set(r, "rows", json_integer((json_int_t)g->table->rows)));
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 128);
    digest_put_hex(&hex, digest);
    char resource[80], reason[192];
    (void)snprintf(resource, sizeof resource, "models/%s", g->model->name);
    (void)snprintf(reason, sizeof reason, "assessed: assessment %llu, sha256 %s",
                   (unsigned long long)version, buf_str(&hex));
    const struct workspace_act act = {.action = "model.assess",
                                      .resource = resource,
                                      .reason = reason,
                                      .version = g->model->version,
                                      .digest = &g->model->digest};
    return registry_put(w, COLLECTION, g->model->name, version, r, &act, diag);
}

static struct status
keep(struct workspace *w, const struct gathered *g, const struct assess_options *o,
     const json_t *document, struct diag *diag)
{
    DEFER(file_closep) int lock = -1;
    DEFER(buf_wipe) struct buf bytes;
    struct digest digest;
    uint64_t version = 0;
    buf_init(&bytes, DOCUMENT_MAX);
    TRY(js_put(&bytes, document));
    digest_of(buf_view(&bytes), &digest);
    TRY(workspace_lock(w, diag, &lock));
    TRY(registry_newest(w, COLLECTION, g->model->name, &version));
    version++;
    TRY(workspace_seal(w, COLLECTION, g->model->name, version, buf_view(&bytes), diag));
    return record(w, g, o, version, &digest, diag);
}

struct status
assessment_make(struct workspace *w, const struct assess_options *o, struct diag *diag,
                json_t **ret_document)
{
    DEFER(gathered_done) struct gathered g = {0};
    DEFER(js_freep) json_t *document = NULL;
    TRY(gather(w, o, diag, &g));
    TRY(run(&g, o, diag, &document));
    TRY(keep(w, &g, o, document, diag));
    *ret_document = MOVE(document);
    return OK;
}

struct status
assessment_load(struct workspace *w, const char *model, uint64_t version, struct diag *diag,
                json_t **ret_document)
{
    DEFER(js_freep) json_t *r = NULL;
    int64_t number = 0;
    TRY(registry_get(w, COLLECTION, model, version, diag, &r));
    TRY(js_need_i64(r, "version", diag, &number));
    DEFER(file_freep) char *object = workspace_object_path(w, COLLECTION, model, (uint64_t)number);
    DEFER(buf_wipe) struct buf bytes;
    struct digest digest;
    buf_init(&bytes, DOCUMENT_MAX);
    const struct seal_id id = {COLLECTION, model, (uint64_t)number};
    TRY(seal_open_file(w->vault, object, id, DOCUMENT_MAX, diag, &bytes));
    digest_of(buf_view(&bytes), &digest);
    TRY(registry_check_digest(r, &digest, diag));
    return js_parse(buf_view(&bytes), object, diag, ret_document);
}
