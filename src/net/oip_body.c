#include "net/oip_body.h"

#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <math.h>

#define METADATA_MEMORY ((size_t)64 << 20)
#define ANSWER_MEMORY ((size_t)16 << 20) /* and this for each number asked for: */
#define NUMBER_MEMORY ((size_t)256)

enum kind { KIND_NONE, KIND_BOOL, KIND_INTEGER, KIND_FLOAT, KIND_BYTES };

static enum kind
kind_of(const char *datatype)
{
    static const struct {
        const char *word;
        enum kind kind;
    } kinds[] = {{"BOOL", KIND_BOOL},      {"UINT8", KIND_INTEGER},  {"UINT16", KIND_INTEGER},
                 {"UINT32", KIND_INTEGER}, {"UINT64", KIND_INTEGER}, {"INT8", KIND_INTEGER},
                 {"INT16", KIND_INTEGER},  {"INT32", KIND_INTEGER},  {"INT64", KIND_INTEGER},
                 {"FP16", KIND_FLOAT},     {"FP32", KIND_FLOAT},     {"FP64", KIND_FLOAT},
                 {"BYTES", KIND_BYTES}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].word, datatype) == 0) {
            return kinds[i].kind;
        }
    }
    return KIND_NONE;
}

static struct status
bad_answer(struct diag *diag, const char *what)
{
    diag_set(diag, "the endpoint's answer: %s", what);
    FAIL_OS(EPROTO);
}

/* ---- metadata ---- */

static void
tensors_free(struct oip_tensor *t, size_t n)
{
    for (size_t i = 0; t != NULL && i < n; i++) {
        free(t[i].name);
    }
    free(t);
}

void
oip_metadata_done(struct oip_metadata *m)
{
    free(m->name);
    tensors_free(m->input, m->inputs);
    tensors_free(m->output, m->outputs);
    *m = (struct oip_metadata){0};
}

static struct status
read_shape(const json_t *shape, struct oip_tensor *t, struct diag *diag)
{
    t->rank = json_array_size(shape);
    if (t->rank < 1 || t->rank > OIP_MOST_RANK) {
        return bad_answer(diag, "a tensor's shape has no or too many dimensions");
    }
    for (size_t i = 0; i < t->rank; i++) {
        const json_t *d = json_array_get(shape, i);
        if (!json_is_integer(d) || json_integer_value(d) < -1) {
            return bad_answer(diag, "a tensor's shape is not of whole numbers from -1");
        }
        t->shape[i] = json_integer_value(d);
    }
    return OK;
}

static struct status
read_tensor(const json_t *o, struct oip_tensor *t, struct diag *diag)
{
    const char *name = json_string_value(json_object_get(o, "name"));
    const char *datatype = json_string_value(json_object_get(o, "datatype"));
    if (name == NULL || strlen(name) > OIP_MOST_NAME || datatype == NULL ||
        kind_of(datatype) == KIND_NONE) {
        return bad_answer(diag, "a tensor without a name or with no known datatype");
    }
    t->name = strdup(name);
    CHECK(t->name != NULL, MEMORY);
    (void)strcpy(t->datatype, datatype); /* kind_of knows it: 6 letters at most */
    return read_shape(json_object_get(o, "shape"), t, diag);
}

static struct status
read_tensors(const json_t *o, const char *key, struct diag *diag, struct oip_tensor **ret_tensors,
             size_t *ret_n)
{
    const json_t *list = json_object_get(o, key);
    const size_t n = json_array_size(list);
    if (n < 1 || n > OIP_MOST_TENSORS) {
        diag_set(diag, "the endpoint's metadata: \"%s\" has none or too many", key);
        FAIL_OS(EPROTO);
    }
    *ret_tensors = calloc(n, sizeof **ret_tensors);
    CHECK(*ret_tensors != NULL, MEMORY);
    *ret_n = n;
    for (size_t i = 0; i < n; i++) {
        TRY(read_tensor(json_array_get(list, i), &(*ret_tensors)[i], diag));
    }
    return OK;
}

static struct status
parse(struct view json, size_t memory, struct diag *diag, json_t **ret_value)
{
    if (!status_ok(js_parse_within(json, memory, "the endpoint's answer", diag, ret_value))) {
        FAIL_OS(EPROTO);
    }
    return json_is_object(*ret_value) ? OK : bad_answer(diag, "not a JSON object");
}

struct status
oip_metadata_parse(struct view json, struct diag *diag, struct oip_metadata *ret_metadata)
{
    DEFER(js_freep) json_t *o = NULL;
    DEFER(oip_metadata_done) struct oip_metadata m = {0};
    TRY(parse(json, METADATA_MEMORY, diag, &o));
    const char *name = json_string_value(json_object_get(o, "name"));
    m.name = strdup(name == NULL || strlen(name) > OIP_MOST_NAME ? "" : name);
    CHECK(m.name != NULL, MEMORY);
    TRY(read_tensors(o, "inputs", diag, &m.input, &m.inputs));
    TRY(read_tensors(o, "outputs", diag, &m.output, &m.outputs));
    *ret_metadata = m;
    m = (struct oip_metadata){0};
    return OK;
}

/* ---- binding ---- */

static struct status
bind_output(const struct oip_metadata *m, const char *name, struct diag *diag,
            struct oip_binding *b)
{
    for (size_t i = 0; i < m->outputs; i++) {
        const enum kind kind = kind_of(m->output[i].datatype);
        const bool meant = name == NULL ? kind == KIND_FLOAT : strcmp(m->output[i].name, name) == 0;
        if (meant && (kind == KIND_FLOAT || kind == KIND_INTEGER)) {
            b->output = i;
            return OK;
        }
        if (meant) {
            diag_set(diag, "output \"%s\" is of %s: numbers can be explained", name,
                     m->output[i].datatype);
            FAIL(INPUT);
        }
    }
    diag_set(diag,
             name == NULL ? "the endpoint's model has no output of floats%s"
                          : "the endpoint's model has no output \"%s\"",
             name == NULL ? "" : name);
    FAIL(INPUT);
}

/* Whether a column can be sent as that datatype. */
static struct status
check_column(const struct oip_column *c, const struct oip_tensor *t, struct diag *diag)
{
    const enum kind kind = kind_of(t->datatype);
    const bool number = c->levels == NULL || c->boolean;
    if (kind == KIND_BYTES ? c->levels != NULL : number) {
        return OK;
    }
    diag_set(diag, "column \"%s\" is of %s; the endpoint's input \"%s\" is of %s", c->name,
             c->levels == NULL ? "numbers" : "categories", t->name, t->datatype);
    FAIL(INPUT);
}

static bool
takes_matrix(const struct oip_metadata *m, const struct oip_column *columns, size_t n)
{
    const struct oip_tensor *t = &m->input[0];
    const bool wide = m->inputs == 1 && t->rank == 2;
    return wide && (t->shape[1] == -1 || t->shape[1] == (int64_t)n) &&
           !(n == 1 && strcmp(columns[0].name, t->name) == 0);
}

struct status
oip_bind(const struct oip_metadata *m, const struct oip_column *columns, size_t n,
         const char *output, struct diag *diag, struct oip_binding *ret_binding)
{
    struct oip_binding b = {.metadata = m, .column = columns, .columns = n};
    TRY(bind_output(m, output, diag, &b));
    b.matrix = n > 0 && takes_matrix(m, columns, n);
    if (!b.matrix && n != m->inputs) {
        diag_set(diag, "the endpoint's model has %zu inputs; %zu columns were given", m->inputs, n);
        FAIL(INPUT);
    }
    for (size_t i = 0; i < n; i++) {
        const struct oip_tensor *t = &m->input[b.matrix ? 0 : i];
        if (!b.matrix && (strcmp(t->name, columns[i].name) != 0 || t->rank > 2 ||
                          (t->rank == 2 && t->shape[1] != 1 && t->shape[1] != -1))) {
            diag_set(diag, "input \"%s\" of the endpoint's model is not one column of that name",
                     t->name);
            FAIL(INPUT);
        }
        TRY(check_column(&columns[i], t, diag));
    }
    *ret_binding = b;
    return OK;
}

/* ---- the request ---- */

static struct status
put_value(const struct oip_column *c, const char *datatype, double v, struct diag *diag,
          struct buf *b)
{
    const enum kind kind = kind_of(datatype);
    const bool level = c->levels != NULL && v >= 0 && v < c->level_count;
    if (isnan(v)) {
        buf_put_str(b, "null");
    } else if (kind == KIND_BYTES && level) {
        js_put_string(b, view_str(c->levels[(size_t)v]));
    } else if (kind == KIND_BOOL && (v == 0 || v == 1)) {
        buf_put_str(b, v == 1 ? "true" : "false");
    } else if (kind == KIND_INTEGER && v == floor(v) && fabs(v) < 0x1p63) {
        buf_printf(b, "%.0f", v);
    } else if (kind == KIND_FLOAT && isfinite(v)) {
        js_put_f64(b, v);
    } else {
        diag_set(diag, "column \"%s\": %g cannot be sent as %s", c->name, v, datatype);
        FAIL(INPUT);
    }
    return OK;
}

static void
put_head(const struct oip_tensor *t, size_t rows, size_t columns, struct buf *b)
{
    buf_put_str(b, "{\"name\":");
    js_put_string(b, view_str(t->name));
    buf_printf(b, ",\"datatype\":\"%s\",\"shape\":[%zu", t->datatype, rows);
    if (t->rank == 2) {
        buf_printf(b, ",%zu", columns);
    }
    buf_put_str(b, "],\"data\":[");
}

static struct status
put_inputs(const struct oip_binding *b, const double *x, size_t rows, struct diag *diag,
           struct buf *json)
{
    const size_t tensors = b->matrix ? 1 : b->columns, width = b->matrix ? b->columns : 1;
    for (size_t t = 0; t < tensors; t++) {
        const struct oip_tensor *tensor = &b->metadata->input[t];
        buf_put_str(json, t == 0 ? "" : ",");
        put_head(tensor, rows, width, json);
        for (size_t i = 0; i < rows * width; i++) {
            const size_t column = t + i % width;
            buf_put_str(json, i == 0 ? "" : ",");
            TRY(put_value(&b->column[column], tensor->datatype, x[i / width * b->columns + column],
                          diag, json));
        }
        buf_put_str(json, "]}");
    }
    return OK;
}

struct status
oip_put_request(const struct oip_binding *b, const double *x, size_t rows, struct diag *diag,
                struct buf *ret_json)
{
    buf_put_str(ret_json, "{\"inputs\":[");
    TRY(put_inputs(b, x, rows, diag, ret_json));
    buf_put_str(ret_json, "],\"outputs\":[{\"name\":");
    js_put_string(ret_json, view_str(b->metadata->output[b->output].name));
    buf_put_str(ret_json, "}]}");
    return buf_status(ret_json);
}

/* ---- the answer ---- */

/* The output that was asked for, and its shape: [rows], [rows, width], or more dimensions of
 * which only the second is not one. */
static struct status
find_output(const struct oip_binding *b, const json_t *o, size_t rows, struct diag *diag,
            const json_t **ret_data, size_t *ret_width)
{
    const char *name = b->metadata->output[b->output].name;
    const json_t *outputs = json_object_get(o, "outputs"), *found = NULL;
    for (size_t i = 0; i < json_array_size(outputs) && found == NULL; i++) {
        const json_t *one = json_array_get(outputs, i);
        const char *is = json_string_value(json_object_get(one, "name"));
        found = is != NULL && strcmp(is, name) == 0 ? one : NULL;
    }
    struct oip_tensor t = {0};
    if (found == NULL) {
        return bad_answer(diag, "without the output that was asked for");
    }
    TRY(read_shape(json_object_get(found, "shape"), &t, diag));
    const int64_t width = t.rank > 1 ? t.shape[1] : 1;
    bool fits = t.shape[0] == (int64_t)rows && width >= 1 && width <= OIP_MOST_OUTPUTS;
    for (size_t i = 2; i < t.rank; i++) {
        fits = fits && t.shape[i] == 1;
    }
    *ret_data = json_object_get(found, "data");
    *ret_width = (size_t)width;
    return fits && json_is_array(*ret_data)
               ? OK
               : bad_answer(diag, "its shape is not of the rows that were sent");
}

struct reading {
    double *score;
    size_t at, n, width;
    struct diag *diag;
};

/* Flat, or nested as the shape is: either way in row-major order. */
static struct status
read_numbers(struct reading *r, const json_t *data, unsigned depth)
{
    for (size_t i = 0; i < json_array_size(data); i++) {
        const json_t *v = json_array_get(data, i);
        if (json_is_array(v) && depth < OIP_MOST_RANK) {
            TRY(read_numbers(r, v, depth + 1));
            continue;
        }
        if (r->at == r->n) {
            return bad_answer(r->diag, "more numbers than its shape says");
        }
        const double score = json_number_value(v);
        if (!json_is_number(v) || !isfinite(score)) {
            diag_set(r->diag, "the endpoint's answer: row %zu of %zu has no number",
                     r->at / r->width + 1, r->n / r->width);
            FAIL_OS(EPROTO);
        }
        r->score[r->at++] = score;
    }
    return OK;
}

struct status
oip_answer_width(const struct oip_binding *b, struct view json, size_t rows, struct diag *diag,
                 size_t *ret_width)
{
    DEFER(js_freep) json_t *o = NULL;
    const json_t *data = NULL;
    TRY(parse(json, ANSWER_MEMORY + rows * OIP_MOST_OUTPUTS * NUMBER_MEMORY, diag, &o));
    return find_output(b, o, rows, diag, &data, ret_width);
}

struct status
oip_answer_parse(const struct oip_binding *b, struct view json, size_t rows, struct diag *diag,
                 double *ret_score)
{
    DEFER(js_freep) json_t *o = NULL;
    const json_t *data = NULL;
    size_t width = 0;
    TRY(parse(json, ANSWER_MEMORY + rows * b->width * NUMBER_MEMORY, diag, &o));
    TRY(find_output(b, o, rows, diag, &data, &width));
    if (width != b->width) {
        return bad_answer(diag, "a row has another number of outputs than before");
    }
    struct reading r = {ret_score, 0, rows * width, width, diag};
    TRY(read_numbers(&r, data, 0));
    return r.at == r.n ? OK : bad_answer(diag, "fewer numbers than its shape says");
}

void
oip_error_text(struct view body, char ret_text[static 200])
{
    DEFER(js_freep) json_t *o = NULL;
    ret_text[0] = '\0';
    if (!status_ok(js_parse_within(body, ANSWER_MEMORY, NULL, NULL, &o))) {
        return;
    }
    const json_t *error = json_object_get(o, "error");
    const char *text = json_string_value(error);
    text = text == NULL ? json_string_value(json_object_get(error, "message")) : text;
    size_t n = 0;
    for (; text != NULL && text[n] != '\0' && n < 199; n++) {
        ret_text[n] = (unsigned char)text[n] < 0x20 || text[n] == 0x7f ? '?' : text[n];
    }
    while (n > 0 && n == 199 && (ret_text[n - 1] & 0x80) != 0) {
        n--; /* no half of a character */
    }
    ret_text[n] = '\0';
}
