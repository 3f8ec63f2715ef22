#include "model/onnx_document.h"

#include <stdio.h>

/* ---- memory within a limit ---- */

struct budget {
    size_t left;
};

static void *
take(void *ctx, size_t n)
{
    struct budget *b = ctx;
    if (n > b->left) {
        return NULL;
    }
    b->left -= n;
    return malloc(n);
}

/* What is given back is not taken again: the limit is on all that was asked for. */
static void
give(void *ctx, void *p)
{
    (void)ctx;
    free(p);
}

void
onnx_document_done(struct onnx_document *d)
{
    ProtobufCAllocator allocator = {.alloc = take, .free = give};
    if (d->model != NULL) {
        onnx__model_proto__free_unpacked(d->model, &allocator);
    }
    d->model = NULL;
}

struct status
onnx_document_read(struct view bytes, struct diag *diag, struct onnx_document *ret_document)
{
    struct budget budget = {bytes.len * ONNX_MEMORY_FACTOR + ONNX_MEMORY_LEAST};
    ProtobufCAllocator allocator = {take, give, &budget};
    DEFER(onnx_document_done)
    struct onnx_document d = {onnx__model_proto__unpack(&allocator, bytes.len, bytes.ptr)};
    if (d.model == NULL) {
        diag_set(diag, "ONNX: the file is no protocol buffer of a model, or is cut, or takes more "
                       "memory than its length allows for");
        FAIL(INPUT);
    }
    if (d.model->graph == NULL) {
        diag_set(diag, "ONNX: the model has no graph");
        FAIL(INPUT);
    }
    *ret_document = d;
    d.model = NULL;
    return OK;
}

/* ---- attributes ---- */

struct status
onnx_attribute(const Onnx__NodeProto *node, const char *name, struct diag *diag,
               const Onnx__AttributeProto **ret_attribute)
{
    const Onnx__AttributeProto *found = NULL;
    for (size_t i = 0; i < node->n_attribute; i++) {
        const Onnx__AttributeProto *a = node->attribute[i];
        if (a->name == NULL || strcmp(a->name, name) != 0) {
            continue;
        }
        if (found != NULL) {
            diag_set(diag, "\"%s\" stands there twice", name);
            FAIL(INPUT);
        }
        found = a;
    }
    *ret_attribute = found;
    return OK;
}

struct status
onnx_integers(const Onnx__NodeProto *node, const char *name, struct diag *diag,
              struct onnx_integers *ret_list)
{
    const Onnx__AttributeProto *a = NULL;
    TRY(onnx_attribute(node, name, diag, &a));
    *ret_list = a == NULL ? (struct onnx_integers){0} : (struct onnx_integers){a->ints, a->n_ints};
    return OK;
}

struct status
onnx_integer(const Onnx__NodeProto *node, const char *name, int64_t fallback, struct diag *diag,
             int64_t *ret_value)
{
    const Onnx__AttributeProto *a = NULL;
    TRY(onnx_attribute(node, name, diag, &a));
    *ret_value = a == NULL ? fallback : a->i;
    return OK;
}

struct status
onnx_string(const Onnx__NodeProto *node, const char *name, const char *fallback, struct diag *diag,
            struct view *ret_text)
{
    const Onnx__AttributeProto *a = NULL;
    TRY(onnx_attribute(node, name, diag, &a));
    *ret_text = a == NULL       ? view_str(fallback)
                : a->s.len == 0 ? view_str("")
                                : view_of(a->s.data, a->s.len);
    return OK;
}

/* ---- numbers ---- */

enum { TENSOR_FLOAT = 1, TENSOR_UINT8 = 2, TENSOR_DOUBLE = 11 };

void
onnx_doubles_done(struct onnx_doubles *l)
{
    free(l->at);
    *l = (struct onnx_doubles){0};
}

static struct status
allocate(size_t n, struct onnx_doubles *l)
{
    l->at = calloc(n + 1, sizeof *l->at);
    CHECK(l->at != NULL, MEMORY);
    l->n = n;
    return OK;
}

static double
raw_number(struct reader *r, int32_t type)
{
    if (type == TENSOR_DOUBLE) {
        return reader_f64le(r);
    }
    if (type == TENSOR_UINT8) {
        return (double)reader_u8(r);
    }
    const uint32_t bits = reader_u32le(r);
    float v = 0;
    memcpy(&v, &bits, sizeof v);
    return (double)v;
}

static struct status
read_raw(const Onnx__TensorProto *t, const char *name, struct diag *diag, struct onnx_doubles *l)
{
    const size_t size = t->data_type == TENSOR_DOUBLE ? 8 : t->data_type == TENSOR_UINT8 ? 1 : 4;
    if (t->raw_data.len % size != 0) {
        diag_set(diag, "\"%s\": %zu bytes are no whole number of values", name, t->raw_data.len);
        FAIL(INPUT);
    }
    TRY(allocate(t->raw_data.len / size, l));
    struct reader r = reader_of(view_of(t->raw_data.data, t->raw_data.len));
    for (size_t i = 0; i < l->n; i++) {
        l->at[i] = raw_number(&r, t->data_type);
    }
    return OK;
}

static struct status
read_tensor(const Onnx__TensorProto *t, const char *name, struct diag *diag, struct onnx_doubles *l)
{
    const int32_t type = t->data_type;
    if ((type != TENSOR_FLOAT && type != TENSOR_UINT8 && type != TENSOR_DOUBLE) ||
        t->data_location != 0) {
        diag_set(diag, "\"%s\" must be a tensor of floats, doubles or bytes within the file", name);
        FAIL(UNSUPPORTED);
    }
    if (t->has_raw_data) {
        return read_raw(t, name, diag, l);
    }
    TRY(allocate(type == TENSOR_FLOAT    ? t->n_float_data
                 : type == TENSOR_DOUBLE ? t->n_double_data
                                         : t->n_int32_data,
                 l));
    for (size_t i = 0; i < l->n; i++) {
        l->at[i] = type == TENSOR_FLOAT    ? (double)t->float_data[i]
                   : type == TENSOR_DOUBLE ? t->double_data[i]
                                           : (double)t->int32_data[i];
    }
    return OK;
}

struct status
onnx_doubles(const Onnx__NodeProto *node, const char *name, struct diag *diag,
             struct onnx_doubles *ret_list)
{
    char other[80];
    const Onnx__AttributeProto *a = NULL, *tensor = NULL;
    (void)snprintf(other, sizeof other, "%s_as_tensor", name);
    TRY(onnx_attribute(node, name, diag, &a));
    TRY(onnx_attribute(node, other, diag, &tensor));
    if (a != NULL && a->n_floats > 0 && tensor != NULL) {
        diag_set(diag, "both \"%s\" and \"%s\"", name, other);
        FAIL(INPUT);
    }
    if (a != NULL && a->t != NULL) {
        return read_tensor(a->t, name, diag, ret_list);
    }
    if (tensor != NULL && tensor->t != NULL) {
        return read_tensor(tensor->t, other, diag, ret_list);
    }
    TRY(allocate(a == NULL ? 0 : a->n_floats, ret_list));
    for (size_t i = 0; i < ret_list->n; i++) {
        ret_list->at[i] = (double)a->floats[i];
    }
    return OK;
}
