#include "cli/black_box.h"

#include "cli/workspace_files.h"

#include "base/file.h"
#include "base/text.h"
#include "num/rng.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FILE_BATCH 4096u
#define KEY_MAX 1024u

void
cli_black_box_done(struct cli_black_box *b)
{
    for (size_t f = 0; b->features != NULL && f < b->box.features; f++) {
        free((void *)(uintptr_t)b->features[f].levels);
    }
    free(b->features);
    free(b->column);
    free(b->outputs);
    free(b->names);
    free(b->x);
    free(b->background);
    free(b->row);
    free(b->sent);
    plain_rows_free(b->plain);
    plain_rows_free(b->plain_background);
    oip_close(b->client);
    door_free(b->door);
    model_file_free(b->model);
    remover_done(&b->remover);
    table_free(b->table);
    table_free(b->background_table);
    secret_done(&b->key);
    js_freep(&b->remarks);
}

/* ---- rows ---- */

/* 0 or more than there are: all. */
static struct status
draw_rows(uint64_t n, uint64_t want, uint64_t seed, const char *stream, uint64_t **ret_row,
          size_t *ret_n)
{
    struct rng r;
    const uint64_t take = want == 0 || want > n ? n : want;
    uint64_t *row = calloc(take > 0 ? take : 1, sizeof *row);
    CHECK(row != NULL, MEMORY);
    rng_init(&r, seed, stream);
    rng_subset(&r, n, take, row);
    *ret_row = row;
    *ret_n = (size_t)take;
    return OK;
}

static struct status
need_rows(struct cli_black_box *b, const struct table *t, const char *path)
{
    if (t->rows == 0) {
        diag_set(&b->c->diag, "%s: no rows", path);
        FAIL(INPUT);
    }
    return OK;
}

/* ---- a model in a file ---- */

static struct status
ask_file(void *ctx, const double *x, size_t rows, struct diag *diag, double *ret_score)
{
    const struct cli_black_box *b = ctx;
    (void)diag;
    DEFER(memory_freep) float *narrow = calloc(rows * b->box.features, sizeof *narrow);
    CHECK(narrow != NULL, MEMORY);
    for (size_t i = 0; i < rows * b->box.features; i++) {
        narrow[i] = (float)x[i];
    }
    model_file_margin(b->model, narrow, rows, 1, ret_score);
    if (!b->margin) {
        model_file_link_apply(b->model, ret_score, rows);
    }
    return OK;
}

static struct status
take_plain(const struct cli_black_box *b, const struct plain_rows *plain, const uint64_t *row,
           size_t n, double **ret_x)
{
    const size_t features = b->box.features;
    DEFER(memory_freep) float *one = calloc(features, sizeof *one);
    DEFER(memory_freep) double *x = calloc(n * features, sizeof *x);
    CHECK(one != NULL && x != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        plain_rows_fill(plain, row[i], 1, one);
        for (size_t f = 0; f < features; f++) {
            x[i * features + f] = (double)one[f];
        }
    }
    *ret_x = MOVE(x);
    return OK;
}

static struct status
name_file_outputs(struct cli_black_box *b)
{
    const char *what = b->margin ? "margin" : "prediction";
    b->outputs = calloc(b->box.outputs, sizeof *b->outputs);
    b->names = calloc(b->box.outputs, 32);
    CHECK(b->outputs != NULL && b->names != NULL, MEMORY);
    for (size_t k = 0; k < b->box.outputs; k++) {
        char *name = b->names + 32 * k;
        (void)snprintf(name, 32, b->box.outputs == 1 ? "%s" : "%s:%zu", what, k);
        b->outputs[k] = name;
    }
    return OK;
}

/* Names of a feature's categories: the model's own, or a truth value's two spellings. */
static struct status
name_levels(struct cli_black_box *b, size_t f)
{
    const struct column *c = b->column[f];
    const bool told = b->model->levels != NULL && b->model->levels[f].count > 0;
    const uint32_t n = told ? b->model->levels[f].count : c->type == COLUMN_BOOLEAN ? 2 : 0;
    const char *const *names = told ? b->model->levels[f].names : (const char *const *)c->levels;
    b->features[f].name = c->name;
    if (n == 0) {
        return OK;
    }
    const char **levels = calloc(n, sizeof *levels);
    CHECK(levels != NULL, MEMORY);
    memcpy(levels, names, n * sizeof *levels);
    b->features[f].levels = levels;
    b->features[f].level_count = n;
    return OK;
}

static struct status
open_file(struct cli_black_box *b, const char *path, const char *data)
{
    TRY(cli_read_model(b->c, path, &b->model, &b->remover));
    TRY(plain_rows_new(b->table, b->model, &b->remover, data, b->remarks, &b->c->diag, &b->plain));
    const size_t features = b->model->features;
    b->margin = cli_flag(b->c, "margin");
    b->box = (struct black_box){ask_file, b, features, b->model->outputs, FILE_BATCH};
    b->features = calloc(features, sizeof *b->features);
    b->column = calloc(features, sizeof *b->column);
    CHECK(b->features != NULL && b->column != NULL, MEMORY);
    for (size_t f = 0; f < features; f++) {
        b->column[f] = plain_rows_column(b->plain, (uint32_t)f);
        TRY(name_levels(b, f));
    }
    TRY(name_file_outputs(b));
    return take_plain(b, b->plain, b->row, b->rows, &b->x);
}

/* ---- a model behind a URL ---- */

static struct status
ask_endpoint(void *ctx, const double *x, size_t rows, struct diag *diag, double *ret_score)
{
    const struct cli_black_box *b = ctx;
    return oip_predict(b->client, x, rows, diag, ret_score);
}

static struct status
read_key(struct cli_black_box *b)
{
    const char *path = cli_value(b->c, "endpoint-key");
    DEFER(buf_wipe) struct buf text;
    buf_init(&text, KEY_MAX);
    if (path == NULL) {
        return OK;
    }
    TRY(file_read(path, KEY_MAX, &b->c->diag, &text));
    size_t n = text.len;
    while (n > 0 && (text.ptr[n - 1] == '\n' || text.ptr[n - 1] == '\r')) {
        n--;
    }
    return secret_from(view_of(text.ptr, n), &b->key);
}

static struct status
note_connection(struct workspace *w, const char *url, const char *refused, struct diag *diag)
{
    struct url u;
    char resource[300], reason[400];
    TRY(url_parse(view_str(url), diag, &u));
    (void)snprintf(resource, sizeof resource, "egress/black-box/%.253s:%u", u.host, u.port);
    (void)snprintf(reason, sizeof reason, "%.380s",
                   refused == NULL ? "explain sends rows to a model behind a URL" : refused);
    const struct workspace_act act = {.action = "network.connect",
                                      .resource = resource,
                                      .reason = reason,
                                      .refused = refused != NULL};
    return workspace_audit(w, &act, diag);
}

/* Where there is a workspace, whose network.egress it is that allows the connection: its log says
 * so before, and when it is refused. */
static struct status
open_noted(struct cli_black_box *b, const struct oip_options *o)
{
    struct workspace *w = NULL;
    struct diag other = {0};
    if (status_ok(workspace_check(b->c->dir, &other))) {
        TRY(cli_keep_open(b->c, &w));
        TRY(note_connection(w, o->endpoint, NULL, &b->c->diag));
    }
    const struct status s = oip_open(o, &b->c->diag, &b->client);
    if (w != NULL && s.code == STATUS_DENIED) {
        TRY(note_connection(w, o->endpoint, b->c->diag.text, &other));
    }
    return s;
}

static struct status
connect_endpoint(struct cli_black_box *b, const char *url)
{
    uint64_t batch = 0;
    int64_t timeout = 0;
    const char *text = cli_value(b->c, "timeout");
    TRY(cli_u64(b->c, "batch", &batch));
    if (batch == 0 || batch > 1000000 ||
        !status_ok(text_to_duration_ns(view_str(text), &timeout)) || timeout <= 0) {
        diag_set(&b->c->diag, "--batch: rows from 1 to 1000000; --timeout: such as 30s");
        FAIL(INPUT);
    }
    TRY(read_key(b));
    TRY(cli_door(b->c, &b->door));
    const struct oip_options o = {.door = b->door,
                                  .endpoint = url,
                                  .ca_file = cli_value(b->c, "endpoint-ca"),
                                  .key = b->key.len > 0 ? &b->key : NULL,
                                  .timeout_ns = timeout,
                                  .max_answer_bytes = (size_t)256 << 20,
                                  .rows = (size_t)batch};
    return open_noted(b, &o);
}

/* The endpoint's inputs by name; or, when it takes one matrix, --features or else every feature
 * column but the label, in the data's order. */
static struct status
find_columns(struct cli_black_box *b, const char *data)
{
    const struct oip_metadata *m = oip_metadata(b->client);
    const struct table *t = b->table;
    const char *label = cli_value(b->c, "label");
    const bool matrix =
        m->inputs == 1 && m->input[0].rank == 2 && table_column(t, m->input[0].name) == NULL;
    size_t n = 0;
    b->column = calloc(m->inputs + t->column_count, sizeof *b->column);
    CHECK(b->column != NULL, MEMORY);
    for (uint32_t i = 0; matrix && i < t->column_count; i++) {
        const struct column *c = &t->columns[i];
        if (c->is_feature && c->type != COLUMN_TEXT &&
            (label == NULL || strcmp(label, c->name) != 0)) {
            b->column[n++] = c;
        }
    }
    for (size_t i = 0; !matrix && i < m->inputs; i++) {
        const struct status s =
            table_need_column(t, NULL, m->input[i].name, &b->c->diag, &b->column[n++]);
        if (!status_ok(s)) {
            diag_prefix(&b->c->diag, "%s lacks a column that the endpoint's model reads", data);
            return s;
        }
    }
    b->box.features = n;
    return OK;
}

static struct status
describe_columns(struct cli_black_box *b)
{
    const size_t n = b->box.features;
    b->features = calloc(n, sizeof *b->features);
    b->sent = calloc(n, sizeof *b->sent);
    CHECK(n > 0 && b->features != NULL && b->sent != NULL, MEMORY);
    for (size_t f = 0; f < n; f++) {
        const struct column *c = b->column[f];
        struct black_box_feature *to = &b->features[f];
        to->name = c->name;
        if (c->type == COLUMN_TEXT) {
            diag_set(&b->c->diag, "column \"%.60s\" is free text, which cannot be explained",
                     c->name);
            FAIL(INPUT);
        }
        if (c->levels != NULL) {
            const char **levels = calloc(c->level_count, sizeof *levels);
            CHECK(levels != NULL, MEMORY);
            memcpy(levels, c->levels, c->level_count * sizeof *levels);
            to->levels = levels;
            to->level_count = c->level_count;
        }
        b->sent[f] =
            (struct oip_column){to->name, to->levels, to->level_count, c->type == COLUMN_BOOLEAN};
    }
    return OK;
}

static struct status
name_endpoint_outputs(struct cli_black_box *b)
{
    const struct oip_metadata *m = oip_metadata(b->client);
    const char *given = cli_value(b->c, "endpoint-output");
    const char *name = given;
    for (size_t i = 0; name == NULL && i < m->outputs; i++) { /* as oip_bind chooses */
        name = m->output[i].datatype[0] == 'F' ? m->output[i].name : NULL;
    }
    const size_t room = strlen(name) + 24;
    b->outputs = calloc(b->box.outputs, sizeof *b->outputs);
    b->names = calloc(b->box.outputs, room);
    CHECK(b->outputs != NULL && b->names != NULL, MEMORY);
    for (size_t k = 0; k < b->box.outputs; k++) {
        char *to = b->names + room * k;
        (void)snprintf(to, room, b->box.outputs == 1 ? "%s" : "%s:%zu", name, k);
        b->outputs[k] = to;
    }
    return OK;
}

static struct status
take_columns(const struct cli_black_box *b, const struct column *const *column, const uint64_t *row,
             size_t n, double **ret_x)
{
    const size_t features = b->box.features;
    DEFER(memory_freep) double *x = calloc(n * features, sizeof *x);
    CHECK(x != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        for (size_t f = 0; f < features; f++) {
            x[i * features + f] = column_number(column[f], row[i]);
        }
    }
    *ret_x = MOVE(x);
    return OK;
}

static struct status
open_endpoint(struct cli_black_box *b, const char *url, const char *data)
{
    TRY(connect_endpoint(b, url));
    TRY(find_columns(b, data));
    TRY(describe_columns(b));
    TRY(take_columns(b, b->column, b->row, b->rows, &b->x));
    TRY(oip_use(b->client, b->sent, b->box.features, cli_value(b->c, "endpoint-output"), b->x,
                &b->c->diag));
    uint64_t batch = 0;
    TRY(cli_u64(b->c, "batch", &batch));
    b->box =
        (struct black_box){ask_endpoint, b, b->box.features, oip_width(b->client), (size_t)batch};
    return name_endpoint_outputs(b);
}

/* ---- opening ---- */

static struct status
look_for_probabilities(struct cli_black_box *b)
{
    DEFER(memory_freep) double *score = calloc(b->rows * b->box.outputs, sizeof *score);
    const size_t n = b->rows < b->box.batch ? b->rows : b->box.batch;
    CHECK(score != NULL, MEMORY);
    TRY(black_box_predict(&b->box, b->x, n, &b->c->diag, score));
    b->probability = true;
    for (size_t i = 0; i < n * b->box.outputs; i++) {
        b->probability = b->probability && score[i] >= 0 && score[i] <= 1;
    }
    return OK;
}

struct status
cli_black_box_open(struct cli *c, struct cli_import *import, uint64_t rows, uint64_t seed,
                   struct cli_black_box *b)
{
    const char *url = cli_value(c, "endpoint"), *model = cli_value(c, "model"),
               *data = cli_value(c, "data");
    b->c = c;
    b->remarks = json_array();
    CHECK(b->remarks != NULL, MEMORY);
    if (data == NULL || (url == NULL) == (model == NULL)) {
        diag_set(&c->diag,
                 "explain: --data FILE is needed, and either --model FILE or --endpoint URL");
        FAIL(INPUT);
    }
    TRY(cli_read_rows(c, data, &import->options, &b->table));
    TRY(need_rows(b, b->table, data));
    TRY(draw_rows(b->table->rows, rows, seed, "explained rows", &b->row, &b->rows));
    TRY(url != NULL ? open_endpoint(b, url, data) : open_file(b, model, data));
    return look_for_probabilities(b);
}

/* ---- the background ---- */

/* The background's levels as the data's, new ones at the end of the list: ret_code[levels]. */
static struct status
merge_levels(struct cli_black_box *b, size_t f, const struct column *c, int32_t *ret_code)
{
    struct black_box_feature *to = &b->features[f];
    for (uint32_t l = 0; l < c->level_count; l++) {
        uint32_t at = 0;
        while (at < to->level_count && strcmp(to->levels[at], c->levels[l]) != 0) {
            at++;
        }
        if (at == to->level_count) {
            const char **more =
                realloc((void *)(uintptr_t)to->levels, (to->level_count + 1) * sizeof *more);
            CHECK(more != NULL, MEMORY);
            more[to->level_count++] = c->levels[l];
            to->levels = more;
        }
        ret_code[l] = (int32_t)at;
    }
    b->sent[f].levels = to->levels;
    b->sent[f].level_count = to->level_count;
    return OK;
}

static struct status
merge_column(struct cli_black_box *b, size_t f, const struct column *c, const uint64_t *row)
{
    const size_t features = b->box.features;
    if ((c->levels == NULL) != (b->features[f].levels == NULL)) {
        diag_set(&b->c->diag,
                 "column \"%.60s\" is of numbers in one of data and background and of categories "
                 "in the other: say what it is with --type",
                 c->name);
        FAIL(INPUT);
    }
    DEFER(memory_freep) int32_t *code = calloc(c->level_count + (size_t)1, sizeof *code);
    CHECK(code != NULL, MEMORY);
    if (c->levels != NULL) {
        TRY(merge_levels(b, f, c, code));
    }
    for (size_t i = 0; i < b->background_rows; i++) {
        const double v = column_number(c, row[i]);
        b->background[i * features + f] = c->levels == NULL || isnan(v) ? v : code[(size_t)v];
    }
    return OK;
}

static struct status
background_columns(struct cli_black_box *b, const char *path, const uint64_t *row)
{
    b->background = calloc(b->background_rows * b->box.features, sizeof *b->background);
    CHECK(b->background != NULL, MEMORY);
    for (size_t f = 0; f < b->box.features; f++) {
        const struct column *c = NULL;
        TRY(table_need_column(b->background_table, path, b->features[f].name, &b->c->diag, &c));
        if (c->type == COLUMN_TEXT) {
            diag_set(&b->c->diag, "%s: column \"%.60s\" is free text", path, c->name);
            FAIL(INPUT);
        }
        TRY(merge_column(b, f, c, row));
    }
    return OK;
}

struct status
cli_black_box_background(struct cli_black_box *b, struct cli_import *import, uint64_t rows,
                         uint64_t seed)
{
    const char *path = cli_value(b->c, "background");
    DEFER(memory_freep) uint64_t *row = NULL;
    const struct table *t = b->table;
    if (path != NULL) {
        TRY(cli_read_rows(b->c, path, &import->options, &b->background_table));
        TRY(need_rows(b, b->background_table, path));
        t = b->background_table;
    }
    b->background_of = t->rows;
    TRY(draw_rows(t->rows, rows, seed, "background rows", &row, &b->background_rows));
    if (b->model != NULL && path != NULL) {
        TRY(plain_rows_new(t, b->model, &b->remover, path, b->remarks, &b->c->diag,
                           &b->plain_background));
    }
    if (b->model != NULL) {
        return take_plain(b, path != NULL ? b->plain_background : b->plain, row, b->background_rows,
                          &b->background);
    }
    return path != NULL ? background_columns(b, path, row)
                        : take_columns(b, b->column, row, b->background_rows, &b->background);
}
