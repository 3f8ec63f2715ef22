#include "cli/cli.h"

#include "assess/flip.h"
#include "base/text.h"
#include "cli/plain_files.h"
#include "cli/workspace_files.h"
#include "data/import.h"
#include "num/interval.h"
#include "report/document.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LEVEL 0.95

/* The sensitive feature: its column, and the values that the rows have. */
struct sensitive {
    const struct column *column;
    uint32_t feature;
    float values[FLIP_MAX_VALUES];
    uint64_t row[FLIP_MAX_VALUES]; /* one that has it */
    uint32_t count;
};

static struct status
find_feature(struct cli *c, const struct model_file *m, const struct plain_rows *rows,
             struct sensitive *s)
{
    const char *name = NULL;
    TRY(cli_need(c, "sensitive", NULL, &name));
    for (uint32_t i = 0; i < m->features; i++) {
        if (strcmp(plain_rows_column(rows, i)->name, name) == 0) {
            s->feature = i;
            s->column = plain_rows_column(rows, i);
            return OK;
        }
    }
    diag_set(&c->diag, "--sensitive %s: not a feature of the model, so it cannot flip a decision",
             name);
    FAIL(INPUT);
}

static struct status
find_values(struct cli *c, const float *x, uint64_t rows, uint32_t features, struct sensitive *s)
{
    for (uint64_t i = 0; i < rows; i++) {
        const float v = x[i * features + s->feature];
        uint32_t k = 0;
        while (k < s->count && !(s->values[k] == v || (isnan(v) && isnan(s->values[k])))) {
            k++;
        }
        if (k < s->count) {
            continue;
        }
        if (k == FLIP_MAX_VALUES) {
            diag_set(&c->diag,
                     "--sensitive %s: more than %u values, to each of which every row would be "
                     "changed in turn: a certificate is of a feature with few values",
                     s->column->name, FLIP_MAX_VALUES);
            FAIL(INPUT);
        }
        s->values[s->count] = v;
        s->row[s->count++] = i;
    }
    if (s->count < 2) {
        diag_set(&c->diag, "--sensitive %s: %s: there is nothing to change it to", s->column->name,
                 rows == 0             ? "there are no rows"
                 : isnan(s->values[0]) ? "it is missing in all rows"
                                       : "all rows have the same value");
        FAIL(INPUT);
    }
    return OK;
}

/* The threshold on the margin: what the model answers it for. NaN: it never does. */
static double
margin_of(const struct forest *f, double answer)
{
    switch (f->link) {
    case FOREST_LOGISTIC:
        return answer > 0 && answer < 1 ? log(answer / (1 - answer)) / f->link_scale : (double)NAN;
    case FOREST_EXP:
        return answer > 0 ? log(answer) : (double)NAN;
    case FOREST_SIGNED_SQUARE:
        return copysign(sqrt(fabs(answer)), answer);
    case FOREST_LOG1P_EXP:
        return answer > 0 ? log(expm1(answer)) : (double)NAN;
    default:
        return answer;
    }
}

static struct status
read_options(struct cli *c, const struct model_file *m, struct flip_options *o)
{
    double threshold = 0;
    uint64_t boxes = 0;
    const char *measure = cli_value(c, "measure");
    TRY(cli_f64(c, "threshold", &threshold));
    TRY(cli_u64(c, "boxes", &boxes));
    if (boxes == 0 || boxes > FLIP_MAX_BOXES) {
        diag_set(&c->diag, "--boxes %s: from 1 to %zu", cli_value(c, "boxes"), FLIP_MAX_BOXES);
        FAIL(INPUT);
    }
    if (m->forest == NULL || m->outputs != 1) {
        diag_set(&c->diag, "%s: a tree ensemble of one output is needed", cli_value(c, "model"));
        FAIL(INPUT);
    }
    o->margin = margin_of(m->forest, threshold);
    if (!isfinite(o->margin)) {
        diag_set(&c->diag, "--threshold %s: not an answer of this model%s",
                 cli_value(c, "threshold"),
                 m->forest->link == FOREST_LOGISTIC ? "; a probability between 0 and 1" : "");
        FAIL(INPUT);
    }
    if (strcmp(measure, "empirical") != 0 && strcmp(measure, "even") != 0) {
        diag_set(&c->diag, "--measure %s: empirical or even", measure);
        FAIL(INPUT);
    }
    o->measure = strcmp(measure, "even") == 0 ? FLIP_EVEN : FLIP_EMPIRICAL;
    o->boxes = (size_t)boxes;
    return OK;
}

static struct status
make_json(struct cli *c, const struct sensitive *s, const struct flip_result *r, json_t *remarks,
          json_t **ret_json)
{
    double threshold = 0;
    TRY(cli_f64(c, "threshold", &threshold));
    const struct interval ci = interval_wilson((double)r->flipped, (double)r->rows, LEVEL);
    json_t *values = json_array();
    DEFER(js_freep)
    json_t *o =
        json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:b, s:b, s:I, s:I, s:I, s:o, s:O}",
                  "format", "steward-certificate-1", "sensitive", s->column->name, "values", values,
                  "threshold", js_real(threshold), "measure", cli_value(c, "measure"), "lower",
                  js_real(r->lower), "upper", js_real(r->upper), "exact", r->exact, "read_by_model",
                  r->read, "boxes", (json_int_t)r->boxes, "rows", (json_int_t)r->rows,
                  "rows_flipped", (json_int_t)r->flipped, "rows_flipped_ci",
                  json_pack("[o, o]", js_real(ci.low), js_real(ci.high)), "remarks", remarks);
    CHECK(o != NULL, MEMORY);
    for (uint32_t k = 0; k < s->count; k++) {
        DEFER(buf_done) struct buf text;
        buf_init(&text, 1u << 16);
        column_put_text(s->column, s->row[k], &text);
        TRY(buf_status(&text));
        json_t *value = isnan(s->values[k]) ? json_null() : json_string(buf_str(&text));
        CHECK(json_array_append_new(values, value) == 0, MEMORY);
    }
    *ret_json = MOVE(o);
    return OK;
}

/* Per cent of three digits that never claim more than the bound. */
static double
rounded_down(double share)
{
    return floor(share * 1e5) / 1e3;
}

static double
rounded_up(double share)
{
    return ceil(share * 1e5) / 1e3;
}

#define SHOWN 12u

/* What the feature is changed to: "no, yes, missing". */
static struct status
print_values(const json_t *o)
{
    const json_t *values = json_object_get(o, "values");
    const size_t n = json_array_size(values);
    DEFER(buf_done) struct buf b;
    buf_init(&b, 1u << 20);
    for (size_t k = 0; k < n && k < SHOWN; k++) {
        const char *text = json_string_value(json_array_get(values, k));
        double number = 0;
        buf_put_str(&b, k == 0 ? "" : ", ");
        if (text != NULL && status_ok(text_to_f64(view_str(text), &number))) {
            buf_printf(&b, "%.6g", number);
        } else {
            buf_printf(&b, "%.40s", text == NULL ? "missing" : text);
        }
    }
    TRY(buf_status(&b));
    if (n > SHOWN) {
        cli_say("%s is changed to each of %zu values: %s, ...", document_text(o, "sensitive"), n,
                buf_str(&b));
    } else {
        cli_say("%s is changed to each of: %s", document_text(o, "sensitive"), buf_str(&b));
    }
    return OK;
}

static struct status
print(struct cli *c, const json_t *o)
{
    const bool even = strcmp(document_text(o, "measure"), "even") == 0;
    if (c->json) {
        return cli_print_json(o);
    }
    plain_print_remarks(json_object_get(o, "remarks"));
    TRY(print_values(o));
    if (!json_is_true(json_object_get(o, "read_by_model"))) {
        cli_say("no tree splits on it: changing it alone changes no decision, of any row");
        return OK;
    }
    const double n = document_number(o, "rows"), x = document_number(o, "rows_flipped");
    const double low = document_number(o, "lower"), high = document_number(o, "upper");
    cli_say(json_is_true(json_object_get(o, "exact"))
                ? "changing %s alone changes the decision on %.3f %% of the input space"
                : "changing %s alone changes the decision on at least %.3f %% of the input space",
            document_text(o, "sensitive"),
            json_is_true(json_object_get(o, "exact")) ? 100 * low : rounded_down(low));
    if (!json_is_true(json_object_get(o, "exact"))) {
        cli_say("and on at most %.3f %%: %.0f boxes were looked at; --boxes looks at more",
                rounded_up(high), document_number(o, "boxes"));
    }
    cli_say("and for %.0f of %.0f rows (%.2f %%; 95 %% between %.2f and %.2f)", x, n, 100 * x / n,
            100 * document_end(o, "rows_flipped_ci", 0),
            100 * document_end(o, "rows_flipped_ci", 1));
    cli_say("the input space: every other feature %s, independently of the others",
            even ? "evenly over its range" : "distributed as in the rows");
    cli_say("decided positive from %.6g on", document_number(o, "threshold"));
    return OK;
}

struct status
cli_certify(struct cli *c)
{
    const char *model_path = NULL, *data_path = NULL;
    DEFER(cli_import_done) struct cli_import import = {0};
    DEFER(model_file_freep) struct model_file *m = NULL;
    DEFER(remover_done) struct remover remover = {0};
    DEFER(table_freep) struct table *t = NULL;
    DEFER(plain_rows_freep) struct plain_rows *rows = NULL;
    DEFER(js_freep) json_t *remarks = json_array();
    DEFER(js_freep) json_t *o = NULL;
    DEFER(memory_freep) float *x = NULL;
    struct sensitive s = {0};
    struct flip_options options = {0};
    struct flip_result r = {0};
    CHECK(remarks != NULL, MEMORY);
    TRY(cli_need(c, "model", NULL, &model_path));
    TRY(cli_need(c, "data", NULL, &data_path));
    TRY(cli_import_options(c, &import));
    TRY(cli_read_model(c, model_path, &m, &remover));
    if (remover.by.count > 0) {
        diag_set(&c->diag,
                 "%.300s: a correlation remover stands before the model: changing a sensitive "
                 "column changes several features at once, which no certificate tells of",
                 model_path);
        FAIL(INPUT);
    }
    TRY(read_options(c, m, &options));
    TRY(cli_read_rows(c, data_path, &import.options, &t));
    TRY(plain_rows_new(t, m, &remover, data_path, remarks, &c->diag, &rows));
    TRY(find_feature(c, m, rows, &s));
    TRY(plain_rows_all(rows, &x));
    TRY(find_values(c, x, t->rows, m->features, &s));
    options.feature = s.feature;
    options.values = s.values;
    options.value_count = s.count;
    TRY(flip_certificate(m->forest, x, (size_t)t->rows, &options, &c->diag, &r));
    TRY(make_json(c, &s, &r, remarks, &o));
    return print(c, o);
}
