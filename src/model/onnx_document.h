/* onnx_document: the protocol buffers of an ONNX file, and values of a node's attributes.
 * Untrusted: what unpacking takes of memory is limited by the file's length. Not for other folders.
 */
#ifndef STEWARD_MODEL_ONNX_DOCUMENT_H
#define STEWARD_MODEL_ONNX_DOCUMENT_H

#include "base/bytes.h"

#include <onnx.pb-c.h>

/* Unpacked fields are larger than packed ones: a byte becomes 8 in a list of numbers. */
#define ONNX_MEMORY_FACTOR 32u
#define ONNX_MEMORY_LEAST ((size_t)1 << 20)

struct onnx_document {
    Onnx__ModelProto *model; /* it has a graph */
};

struct status onnx_document_read(struct view bytes, struct diag *diag,
                                 struct onnx_document *ret_document);
void onnx_document_done(struct onnx_document *d);

/* NULL when the node has none of that name; INPUT when it has two. */
struct status onnx_attribute(const Onnx__NodeProto *node, const char *name, struct diag *diag,
                             const Onnx__AttributeProto **ret_attribute);
/* Lists are empty when absent. Integers and strings are borrowed from the node. */
struct onnx_integers {
    const int64_t *at;
    size_t n;
};
struct status onnx_integers(const Onnx__NodeProto *node, const char *name, struct diag *diag,
                            struct onnx_integers *ret_list);
struct status onnx_integer(const Onnx__NodeProto *node, const char *name, int64_t fallback,
                           struct diag *diag, int64_t *ret_value);
/* Fallback when absent. */
struct status onnx_string(const Onnx__NodeProto *node, const char *name, const char *fallback,
                          struct diag *diag, struct view *ret_text);
/* Numbers from the list `name`, the tensor `name`, or the tensor `name`_as_tensor; on malloc. */
struct onnx_doubles {
    double *at;
    size_t n;
};
struct status onnx_doubles(const Onnx__NodeProto *node, const char *name, struct diag *diag,
                           struct onnx_doubles *ret_list);
void onnx_doubles_done(struct onnx_doubles *l);

#endif
