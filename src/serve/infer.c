#include "serve/infer.h"

#include "base/json.h"
#include "base/json_flat.h"
#include "base/text.h"
#include "serve/contributions.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- datatypes ---- */

enum kind { KIND_BOOL, KIND_INTEGER, KIND_FLOAT, KIND_BYTES };

static const struct datatype {
    const char *word;
    enum kind kind;
    double low, high; /* of integers */
} datatypes[] = {
    {"FP64", KIND_FLOAT, 0, 0}, /* what is sent most comes first */
    {"BYTES", KIND_BYTES, 0, 0},
    {"INT64", KIND_INTEGER, -9223372036854775808.0, 9223372036854775807.0},
    {"BOOL", KIND_BOOL, 0, 0},
    {"FP32", KIND_FLOAT, 0, 0},
    {"INT32", KIND_INTEGER, -2147483648.0, 2147483647.0},
    {"INT16", KIND_INTEGER, -32768, 32767},
    {"INT8", KIND_INTEGER, -128, 127},
    {"UINT64", KIND_INTEGER, 0, 18446744073709551615.0},
    {"UINT32", KIND_INTEGER, 0, 4294967295.0},
    {"UINT16", KIND_INTEGER, 0, 65535},
    {"UINT8", KIND_INTEGER, 0, 255},
};

static const struct datatype *
find_datatype(const char *word)
{
    for (size_t i = 0; i < sizeof datatypes / sizeof *datatypes; i++) {
        if (*datatypes[i].word == *word && strcmp(datatypes[i].word, word) == 0) {
            return &datatypes[i];
        }
    }
    return NULL;
}

/* ---- one request ---- */

bool
infer_decides(const struct model *m)
{
    return model_file_is_binary(m->file);
}

bool
infer_draws(const struct model *m)
{
    return m->thresholds.drawn != NULL;
}

struct parser {
    const struct model *m;
    struct arena *arena;
    struct diag *diag;
    size_t max_rows;
    struct infer_request *q;
    uint8_t *given;    /* features, then those beside */
    const char **rule; /* what is checked now */
};

/* One input tensor. */
struct tensor {
    const char *name;
    const struct datatype *type;
    size_t rows, width;            /* shape [rows] is width 1 */
    size_t at;                     /* elements read so far */
    const struct feature *feature; /* of its columns: width of them */
    float *into;                   /* its place in the first row */
    size_t stride;                 /* from row to row */
};

/* Names and values that were sent are shown short and printable. */
static const char *
shown(const char *text, char ret_text[static 48])
{
    size_t n = strlen(text);
    n = n > 40 ? 40 : n;
    while (n > 0 && (text[n] & 0xc0) == 0x80) {
        n--;
    }
    for (size_t i = 0; i < n; i++) {
        ret_text[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
    }
    (void)strcpy(ret_text + n, text[n] == '\0' ? "" : "...");
    return ret_text;
}

static struct status
refuse(const struct parser *p, const struct tensor *t, const char *what)
{
    char name[48];
    diag_set(p->diag, "input \"%s\": %s", shown(t->name, name), what);
    FAIL(INPUT);
}

/* Which element, of which feature, and what is wrong with it. */
static struct status
refuse_value(const struct parser *p, const struct tensor *t, const char *what)
{
    char name[48], feature[48];
    const char *read_as = t->feature[t->at % t->width].name;
    *p->rule = "value";
    diag_set(p->diag, "input \"%s\" element %zu (feature \"%s\"): %s", shown(t->name, name), t->at,
             shown(read_as, feature), what);
    FAIL(INPUT);
}

static struct status
level_value(const struct parser *p, const struct tensor *t, const struct feature *f,
            const char *text, float *ret_value)
{
    const int32_t k = feature_level(f, text);
    if (k >= 0) {
        *ret_value = (float)k;
        return OK;
    }
    char level[48], what[160];
    (void)snprintf(what, sizeof what, "\"%s\" is none of the values that the model knows",
                   shown(text, level));
    const struct status s = refuse_value(p, t, what);
    *p->rule = "unknown category";
    return s;
}

static struct status
number_value(const struct parser *p, const struct tensor *t, const struct feature *f, double v,
             float *ret_value)
{
    if (f->type == COLUMN_BOOLEAN && v != 0 && v != 1) {
        return refuse_value(p, t,
                            "a truth value is 0 or 1, true or false, or one of its two spellings");
    }
    if (f->type == COLUMN_CATEGORY && !(v >= 0 && v < f->level_count && v == floor(v))) {
        return refuse_value(p, t,
                            "a category is sent as BYTES, or as its index in the model's list");
    }
    const char *why = matrix_refuses(v, f->whole);
    if (why != NULL) {
        char what[160];
        (void)snprintf(what, sizeof what, "%g %s", v, why);
        return refuse_value(p, t, what);
    }
    *ret_value = (float)v;
    return OK;
}

/* One element by the tensor's datatype and its feature's type; null is a missing value. */
static struct status
element_value(const struct parser *p, const struct tensor *t, const struct js_node *v,
              float *ret_value)
{
    const struct feature *f = &t->feature[t->at % t->width];
    if (v->kind == JS_NULL) {
        *ret_value = NAN;
        return OK;
    }
    if (t->type->kind == KIND_BYTES) {
        if (v->kind != JS_STRING) {
            return refuse_value(p, t, "BYTES are strings");
        }
        return f->level_count > 0 ? level_value(p, t, f, v->text, ret_value)
                                  : refuse_value(p, t, "a number is needed, not BYTES");
    }
    if (t->type->kind == KIND_BOOL) {
        if (v->kind != JS_TRUE && v->kind != JS_FALSE) {
            return refuse_value(p, t, "BOOL is true or false");
        }
        return number_value(p, t, f, v->kind == JS_TRUE ? 1 : 0, ret_value);
    }
    if (v->kind != JS_INTEGER && (v->kind != JS_REAL || t->type->kind == KIND_INTEGER)) {
        return refuse_value(p, t,
                            t->type->kind == KIND_INTEGER ? "a whole number is needed"
                                                          : "a number is needed");
    }
    const double number = js_flat_number(v);
    if (t->type->kind == KIND_INTEGER && (number < t->type->low || number > t->type->high)) {
        return refuse_value(p, t, "past the range of its datatype");
    }
    return number_value(p, t, f, number, ret_value);
}

/* Data may be flat or nested as the shape is; either way in row-major order. */
static struct status
read_data(const struct parser *p, struct tensor *t, const struct js_node *data, unsigned depth)
{
    const struct js_node *v = js_flat_first(data);
    for (uint32_t i = 0; i < data->size; i++, v = js_flat_next(v)) {
        if (v->kind == JS_ARRAY) {
            if (depth == 0 || v->size != t->width) {
                return refuse(p, t, "nested data must have the rows of its shape");
            }
            TRY(read_data(p, t, v, depth - 1));
            continue;
        }
        if (t->at == t->rows * t->width) {
            return refuse(p, t, "more elements than its shape says");
        }
        TRY(element_value(p, t, v, &t->into[t->at / t->width * t->stride + t->at % t->width]));
        t->at++;
    }
    return OK;
}

/* ---- shapes ---- */

static struct status
read_shape(const struct parser *p, const struct js_node *input, struct tensor *t)
{
    const struct js_node *shape = NULL;
    *p->rule = "shape";
    TRY(js_flat_need_array(input, "shape", p->diag, &shape));
    size_t dims[2] = {0, 1};
    if (shape->size < 1 || shape->size > 2) {
        return refuse(p, t, "its shape must be [rows] or [rows, columns]");
    }
    const struct js_node *d = js_flat_first(shape);
    for (uint32_t i = 0; i < shape->size; i++, d = js_flat_next(d)) {
        if (d->kind != JS_INTEGER || d->integer < 1) {
            return refuse(p, t, "a dimension must be a whole number from 1");
        }
        dims[i] = (size_t)d->integer;
    }
    t->rows = dims[0];
    t->width = dims[1];
    if (t->rows > p->max_rows) {
        *p->rule = "rows";
        diag_set(p->diag, "%zu rows; a call may have %zu", t->rows, p->max_rows);
        FAIL(LIMIT);
    }
    return OK;
}

/* All inputs have the same rows; the first one makes the matrix, and room for what stands beside.
 */
static struct status
take_rows(const struct parser *p, const struct tensor *t)
{
    if (p->q->x == NULL) {
        const size_t beside = model_besides(p->m);
        const bool by_group = model_group(p->m) != NULL;
        struct infer_request *q = p->q;
        q->rows = t->rows;
        q->x = arena_alloc(p->arena, t->rows * p->m->features.count, sizeof *q->x);
        q->beside = beside ? arena_alloc(p->arena, t->rows * beside, sizeof *q->beside) : NULL;
        q->group = by_group ? arena_alloc(p->arena, t->rows, sizeof *q->group) : NULL;
        if (q->x == NULL || (beside && q->beside == NULL) || (by_group && q->group == NULL)) {
            *p->rule = "rows";
            diag_set(p->diag, "%zu rows of %u features: more than a call may have", t->rows,
                     p->m->features.count);
            FAIL(LIMIT);
        }
    }
    return t->rows == p->q->rows ? OK
                                 : refuse(p, t, "its rows are not as many as the first input's");
}

static struct status
unknown_input(const struct parser *p, const struct tensor *t)
{
    const struct feature_list *l = &p->m->features;
    const uint32_t besides = model_besides(p->m);
    const char **names = arena_alloc(p->arena, (size_t)l->count + besides, sizeof *names);
    CHECK(names != NULL, LIMIT);
    infer_column_names(p->m, names);
    const char *near = text_nearest(t->name, names, l->count + besides);
    char what[200], feature[48];
    if (near == NULL) {
        return refuse(p, t, "the model has no such feature");
    }
    (void)snprintf(what, sizeof what, "the model has no such feature; did you mean \"%s\"?",
                   shown(near, feature));
    return refuse(p, t, what);
}

static void
place_features(const struct parser *p, struct tensor *t, uint32_t first)
{
    t->feature = &p->m->features.items[first];
    t->into = p->q->x + first;
    t->stride = p->m->features.count;
}

/* A column that is sent beside the features. Returns its number; as many as there are: the tensor
 * is none. */
static uint32_t
place_beside(const struct parser *p, struct tensor *t)
{
    const uint32_t n = model_besides(p->m);
    uint32_t i = t->width == 1 ? 0 : n;
    while (i < n && strcmp(model_beside(p->m, i)->name, t->name) != 0) {
        i++;
    }
    if (i < n) {
        t->feature = model_beside(p->m, i);
        t->into = p->q->beside + i;
        t->stride = n;
    }
    return i;
}

/* A tensor of one column is the feature of its name, or one beside; one that is as wide as the
 * model is the whole matrix of features. */
static struct status
place_tensor(struct parser *p, struct tensor *t, uint32_t expected)
{
    const struct feature_list *l = &p->m->features;
    const uint32_t beside = place_beside(p, t);
    if (beside < model_besides(p->m)) {
        return p->given[l->count + beside]++ == 0 ? OK : refuse(p, t, "given twice");
    }
    for (uint32_t k = 0; k < l->count && t->width == 1; k++) {
        const uint32_t i = (expected + k) % l->count; /* mostly in the model's order */
        if (strcmp(l->items[i].name, t->name) == 0) {
            place_features(p, t, i);
            return p->given[i]++ == 0 ? OK : refuse(p, t, "given twice");
        }
    }
    if (t->width != l->count) {
        char what[120];
        if (t->width == 1) {
            return unknown_input(p, t);
        }
        (void)snprintf(what, sizeof what, "%zu columns; the model reads %u", t->width, l->count);
        return refuse(p, t, what);
    }
    for (uint32_t i = 0; i < l->count; i++) {
        if (p->given[i]++ != 0) {
            return refuse(p, t, "a matrix of all features stands beside other inputs");
        }
    }
    place_features(p, t, 0);
    return OK;
}

static struct status
refuse_datatype(const struct parser *p, const struct tensor *t, const char *type)
{
    char text[48], what[160];
    if (strcmp(type, "FP16") == 0 || strcmp(type, "BF16") == 0) {
        (void)snprintf(what, sizeof what, "the protocol has no %s in JSON; send FP32", type);
    } else {
        (void)snprintf(what, sizeof what,
                       "datatype \"%s\" is none of BOOL, UINT8 to UINT64, INT8 to INT64, FP32, "
                       "FP64, BYTES",
                       shown(type, text));
    }
    return refuse(p, t, what);
}

static struct status
read_input(struct parser *p, const struct js_node *input, uint32_t number)
{
    struct tensor t = {.name = ""};
    const char *type = NULL;
    const struct js_node *data = NULL;
    TRY(js_flat_need_string(input, "name", p->diag, &t.name));
    TRY(js_flat_need_string(input, "datatype", p->diag, &type));
    *p->rule = "datatype";
    t.type = find_datatype(type);
    if (t.type == NULL) {
        return refuse_datatype(p, &t, type);
    }
    TRY(read_shape(p, input, &t));
    TRY(js_flat_need_array(input, "data", p->diag, &data));
    TRY(take_rows(p, &t));
    *p->rule = "columns";
    TRY(place_tensor(p, &t, number));
    *p->rule = "shape";
    TRY(read_data(p, &t, data, 1));
    return t.at == t.rows * t.width ? OK : refuse(p, &t, "fewer elements than its shape says");
}

static struct status
check_complete(const struct parser *p)
{
    *p->rule = "columns";
    for (uint32_t i = 0; i < p->m->features.count; i++) {
        if (p->given[i] == 0) {
            diag_set(p->diag, "input \"%s\" is missing; send null where a value is not known",
                     p->m->features.items[i].name);
            FAIL(INPUT);
        }
    }
    for (uint32_t i = 0; i < model_besides(p->m); i++) {
        if (p->given[p->m->features.count + i] == 0) {
            diag_set(p->diag,
                     "input \"%s\" is missing: the model %s by it; send null where it is not known",
                     model_beside(p->m, i)->name,
                     i < p->m->remover.by.count ? "changes features" : "decides");
            FAIL(INPUT);
        }
    }
    return OK;
}

/* Parameters are taken as the protocol has them (an object); none has a meaning here. */
static struct status
check_parameters(const struct parser *p, const struct js_node *o)
{
    const struct js_node *parameters =
        o->kind == JS_OBJECT ? js_flat_member(o, "parameters") : NULL;
    if (parameters != NULL && parameters->kind != JS_OBJECT) {
        diag_set(p->diag, "\"parameters\" must be an object");
        FAIL(INPUT);
    }
    return OK;
}

static struct status
ask_contributions(const struct parser *p)
{
    if (!contributions_possible(p->m)) {
        diag_set(p->diag,
                 "output \"contributions\": the model's file does not tell %s, which they rest on",
                 p->m->file->forest != NULL ? "how many training rows went each way"
                                            : "the features' means");
        FAIL(INPUT);
    }
    p->q->want_contributions = true;
    return OK;
}

/* One output that is asked for. */
static struct status
read_output(const struct parser *p, const struct js_node *o, bool binary)
{
    const char *name = NULL;
    TRY(check_parameters(p, o));
    TRY(js_flat_need_string(o, "name", p->diag, &name));
    if (strcmp(name, "contributions") == 0) {
        return ask_contributions(p);
    }
    if (infer_draws(p->m) && strcmp(name, "chance") == 0) {
        p->q->want_chance = true;
        return OK;
    }
    const bool decision = binary && strcmp(name, "decision") == 0;
    if (!decision && strcmp(name, binary ? "probability" : "output") != 0) {
        char text[48];
        diag_set(p->diag, "output \"%s\": the model has %s, and contributions", shown(name, text),
                 infer_draws(p->m) ? "probability, decision, chance"
                 : binary          ? "probability, decision"
                                   : "output");
        FAIL(INPUT);
    }
    p->q->want_decision = p->q->want_decision || decision;
    p->q->want_probability = p->q->want_probability || !decision;
    return OK;
}

/* Without a list, or with an empty one: all there are. */
static struct status
read_outputs(const struct parser *p, const struct js_node *body)
{
    const bool binary = infer_decides(p->m);
    const struct js_node *outputs = NULL;
    if (js_flat_member(body, "outputs") != NULL) {
        TRY(js_flat_need_array(body, "outputs", p->diag, &outputs));
    }
    const uint32_t n = outputs == NULL ? 0 : outputs->size;
    p->q->named = n > 0;
    p->q->want_probability = n == 0;
    p->q->want_decision = n == 0 && binary;
    p->q->want_chance = n == 0 && infer_draws(p->m);
    const struct js_node *o = n == 0 ? NULL : js_flat_first(outputs);
    for (uint32_t i = 0; i < n; i++, o = js_flat_next(o)) {
        TRY(read_output(p, o, binary));
    }
    return OK;
}

static struct status
read_id(const struct parser *p, const struct js_node *body)
{
    const struct js_node *id = js_flat_member(body, "id");
    if (id != NULL && (id->kind != JS_STRING || strlen(id->text) > 256)) {
        diag_set(p->diag, "\"id\" must be a string of at most 256 bytes");
        FAIL(INPUT);
    }
    p->q->id = id == NULL ? NULL : id->text;
    return OK;
}

static struct status
read_inputs(struct parser *p, const struct js_node *body)
{
    const struct js_node *inputs = NULL;
    TRY(js_flat_need_array(body, "inputs", p->diag, &inputs));
    const struct js_node *input = js_flat_first(inputs);
    for (uint32_t i = 0; i < inputs->size; i++, input = js_flat_next(input)) {
        *p->rule = "body";
        TRY(check_parameters(p, input));
        TRY(read_input(p, input, i));
    }
    return check_complete(p);
}

struct status
infer_parse(struct view body, const struct model *m, size_t max_rows, struct arena *arena,
            struct diag *diag, const char **ret_rule, struct infer_request *ret_request)
{
    struct infer_request q = {0};
    struct parser p = {
        .m = m, .arena = arena, .diag = diag, .max_rows = max_rows, .q = &q, .rule = ret_rule};
    const struct js_node *o = NULL;
    *ret_rule = "body";
    p.given = arena_alloc(arena, (size_t)m->features.count + model_besides(m), 1);
    CHECK(p.given != NULL, LIMIT);
    TRY(js_flat(body, "body", arena, diag, &o));
    if (o->kind != JS_OBJECT) {
        diag_set(diag, "the body must be a JSON object with \"inputs\"");
        FAIL(INPUT);
    }
    TRY(read_id(&p, o));
    TRY(check_parameters(&p, o));
    *ret_rule = "outputs";
    TRY(read_outputs(&p, o));
    *ret_rule = "body";
    TRY(read_inputs(&p, o));
    model_prepare(m, q.beside, q.rows, q.x, q.group);
    *ret_request = q;
    return OK;
}

/* ---- answers ---- */

/* Decisions are made before: a rounded number may lie on the other side of a threshold. */
static double
rounded(double v, uint8_t digits)
{
    static const double scales[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    return digits == 0 ? v : round(v * scales[digits]) / scales[digits];
}

static void
put_probability(const struct model *m, const struct infer_request *q, const double *out,
                struct buf *b)
{
    const uint32_t width = m->file->outputs;
    const bool binary = infer_decides(m);
    buf_put_str(b, binary ? "{\"name\":\"probability" : "{\"name\":\"output");
    buf_put_str(b, "\",\"datatype\":\"FP64\",\"shape\":[");
    text_put_u64(b, q->rows);
    if (width > 1) {
        buf_put_str(b, ",");
        text_put_u64(b, width);
    }
    buf_put_str(b, "],\"data\":[");
    for (size_t i = 0; i < q->rows * width; i++) {
        buf_put_str(b, i == 0 ? "" : ",");
        js_put_f64(b, rounded(out[i], q->digits));
    }
    buf_put_str(b, "]}");
}

static struct decision
decide(const struct model *m, const struct infer_request *q, const double *out, size_t i)
{
    return model_decide(m, q->group == NULL ? NAN : q->group[i], q->x + i * m->features.count,
                        out[i]);
}

/* Of the decision that is answered: how often rows of that group and such a probability are decided
 * positive. */
static void
put_chance(const struct model *m, const struct infer_request *q, const double *out, struct buf *b)
{
    buf_put_str(b, "{\"name\":\"chance\",\"datatype\":\"FP64\",\"shape\":[");
    text_put_u64(b, q->rows);
    buf_put_str(b, "],\"data\":[");
    for (size_t i = 0; i < q->rows; i++) {
        buf_put_str(b, i == 0 ? "" : ",");
        js_put_f64(b, isnan(out[i]) ? (double)NAN : decide(m, q, out, i).chance);
    }
    buf_put_str(b, "]}");
}

static void
put_decision(const struct model *m, const struct infer_request *q, const double *out, struct buf *b)
{
    buf_put_str(b, "{\"name\":\"decision\",\"datatype\":\"BYTES\",\"shape\":[");
    text_put_u64(b, q->rows);
    buf_put_str(b, "],\"data\":[");
    for (size_t i = 0; i < q->rows; i++) {
        buf_put_str(b, i == 0 ? "" : ",");
        if (isnan(out[i])) { /* a linear model, a value missing that it has none for */
            buf_put_str(b, "null");
            continue;
        }
        js_put_string(b, view_str(decide(m, q, out, i).positive ? m->positive : m->negative));
    }
    buf_put_str(b, "]}");
}

void
infer_put_answer(const struct model *m, const struct infer_request *q, const double *out,
                 struct buf *ret_json)
{
    buf_put_str(ret_json, "{\"model_name\":");
    js_put_string(ret_json, view_str(m->name));
    buf_put_str(ret_json, ",\"model_version\":\"");
    text_put_u64(ret_json, m->version);
    buf_put_str(ret_json, "\"");
    if (q->id != NULL) {
        buf_put_str(ret_json, ",\"id\":");
        js_put_string(ret_json, view_str(q->id));
    }
    buf_put_str(ret_json, ",\"outputs\":[");
    if (q->want_probability) {
        put_probability(m, q, out, ret_json);
    }
    if (q->want_decision) {
        buf_put_str(ret_json, q->want_probability ? "," : "");
        put_decision(m, q, out, ret_json);
    }
    if (q->want_chance) {
        buf_put_str(ret_json, q->want_probability || q->want_decision ? "," : "");
        put_chance(m, q, out, ret_json);
    }
    if (q->contributions.len > 0) {
        buf_put_str(ret_json, q->want_probability || q->want_decision || q->want_chance ? "," : "");
        buf_put(ret_json, q->contributions);
    }
    buf_put_str(ret_json, "]}");
}

static const char *
datatype_of(const struct feature *f)
{
    switch (f->type) {
    case COLUMN_BOOLEAN:
    case COLUMN_CATEGORY:
        return "BYTES";
    case COLUMN_INTEGER:
        return "INT64";
    default:
        return "FP64";
    }
}

static const struct feature *
column_of(const struct model *m, uint32_t i)
{
    return i < m->features.count ? &m->features.items[i] : model_beside(m, i - m->features.count);
}

uint32_t
infer_columns(const struct model *m)
{
    return m->features.count + model_besides(m);
}

void
infer_column_names(const struct model *m, const char **ret_names)
{
    for (uint32_t i = 0; i < infer_columns(m); i++) {
        ret_names[i] = column_of(m, i)->name;
    }
}

static void
put_categories(const struct feature *f, struct buf *ret_json)
{
    buf_put_str(ret_json, ",\"parameters\":{\"categories\":[");
    for (uint32_t i = 0; i < f->level_count; i++) {
        buf_put_str(ret_json, i == 0 ? "" : ",");
        js_put_string(ret_json, view_str(f->levels[i]));
    }
    buf_put_str(ret_json, "]}");
}

static void
put_input(const struct feature *f, bool visible, struct buf *ret_json)
{
    buf_put_str(ret_json, "{\"name\":");
    js_put_string(ret_json, view_str(f->name));
    buf_printf(ret_json, ",\"datatype\":\"%s\",\"shape\":[-1]", datatype_of(f));
    if (visible && f->level_count > 0) {
        put_categories(f, ret_json);
    }
    buf_put_str(ret_json, "}");
}

static void
put_outputs(const struct model *m, struct buf *ret_json)
{
    const uint32_t outputs = m->file->outputs;
    if (infer_decides(m)) {
        buf_put_str(ret_json, "{\"name\":\"probability\",\"datatype\":\"FP64\",\"shape\":[-1]},"
                              "{\"name\":\"decision\",\"datatype\":\"BYTES\",\"shape\":[-1]}");
        if (infer_draws(m)) {
            buf_put_str(ret_json, ",{\"name\":\"chance\",\"datatype\":\"FP64\",\"shape\":[-1]}");
        }
    } else {
        buf_printf(ret_json, "{\"name\":\"output\",\"datatype\":\"FP64\",\"shape\":[-1,%u]}",
                   outputs);
    }
    if (contributions_possible(m)) {
        buf_printf(ret_json,
                   ",{\"name\":\"contributions\",\"datatype\":\"FP64\",\"shape\":[-1,%s-1]}",
                   outputs > 1 ? "-1," : "");
    }
}

void
infer_put_metadata(const struct model *m, const bool *visible, struct buf *ret_json)
{
    buf_put_str(ret_json, "{\"name\":");
    js_put_string(ret_json, view_str(m->name));
    buf_printf(ret_json, ",\"versions\":[\"%llu\"],\"platform\":\"steward_%s\",\"inputs\":[",
               (unsigned long long)m->version, m->file->linear != NULL ? "linear" : "forest");
    for (uint32_t i = 0; i < infer_columns(m); i++) {
        buf_put_str(ret_json, i == 0 ? "" : ",");
        put_input(column_of(m, i), visible[i], ret_json);
    }
    buf_put_str(ret_json, "],\"outputs\":[");
    put_outputs(m, ret_json);
    buf_put_str(ret_json, "]}");
}

/* ---- a client's request ---- */

static void
put_value(const struct column *c, uint64_t row, struct buf *ret_json)
{
    if (column_is_null(c, row)) {
        buf_put_str(ret_json, "null");
    } else if (c->type == COLUMN_INTEGER || c->type == COLUMN_TIME) {
        buf_printf(ret_json, "%lld", (long long)c->i[row]);
    } else if (c->type == COLUMN_FLOAT) {
        js_put_f64(ret_json, c->f[row]);
    } else {
        js_put_string(ret_json, view_str(c->levels[c->code[row]]));
    }
}

static struct status
put_tensor(const struct feature *f, const struct table *t, struct diag *diag, struct buf *ret_json)
{
    const struct column *c = table_column(t, f->name);
    if (c == NULL || !feature_fits(t, c, f)) {
        diag_set(diag, "feature \"%s\": the table has no %s column of that name", f->name,
                 column_type_word(f->type));
        FAIL(INPUT);
    }
    buf_put_str(ret_json, "{\"name\":");
    js_put_string(ret_json, view_str(f->name));
    buf_printf(ret_json, ",\"datatype\":\"%s\",\"shape\":[%llu],\"data\":[", datatype_of(f),
               (unsigned long long)t->rows);
    for (uint64_t i = 0; i < t->rows; i++) {
        buf_put_str(ret_json, i == 0 ? "" : ",");
        put_value(c, i, ret_json);
    }
    buf_put_str(ret_json, "]}");
    return buf_status(ret_json);
}

struct status
infer_put_request(const struct model *m, const struct table *t, struct diag *diag,
                  struct buf *ret_json)
{
    buf_put_str(ret_json, "{\"inputs\":[");
    for (uint32_t i = 0; i < m->features.count; i++) {
        buf_put_str(ret_json, i == 0 ? "" : ",");
        TRY(put_tensor(&m->features.items[i], t, diag, ret_json));
    }
    for (uint32_t i = 0; i < model_besides(m); i++) {
        buf_put_str(ret_json, ",");
        TRY(put_tensor(model_beside(m, i), t, diag, ret_json));
    }
    buf_put_str(ret_json, "]}");
    return buf_status(ret_json);
}
