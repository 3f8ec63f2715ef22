/* oip_body: the JSON of the Open Inference Protocol v2 as a client writes and reads it: a model's
 * metadata, a request for some rows, the answer. Answers come from a stranger; fuzzed. */
#ifndef STEWARD_NET_OIP_BODY_H
#define STEWARD_NET_OIP_BODY_H

#include "base/bytes.h"

#define OIP_MOST_TENSORS 65536u
#define OIP_MOST_OUTPUTS 1024u /* numbers that a row is answered with */
#define OIP_MOST_RANK 8u
#define OIP_MOST_NAME 256u

struct oip_tensor {
    char *name;
    char datatype[8]; /* "FP64", "BYTES", ... */
    size_t rank;
    int64_t shape[OIP_MOST_RANK]; /* -1: any */
};

struct oip_metadata {
    char *name;
    struct oip_tensor *input, *output;
    size_t inputs, outputs;
};

void oip_metadata_done(struct oip_metadata *m);
struct status oip_metadata_parse(struct view json, struct diag *diag,
                                 struct oip_metadata *ret_metadata);

/* A feature as the rows have it: a number, or the index of a level. Borrowed. */
struct oip_column {
    const char *name;
    const char *const *levels; /* NULL: a number */
    uint32_t level_count;
    bool boolean; /* its two levels may be sent as truth values or as 0 and 1 */
};

/* How rows are sent and answered. */
struct oip_binding {
    const struct oip_metadata *metadata;
    const struct oip_column *column; /* columns, in the inputs' order */
    size_t columns;
    bool matrix;   /* one input of all columns, instead of one an input */
    size_t output; /* index into the metadata's */
    size_t width;  /* numbers a row of it; 0 until known */
};

/* Either each input is a column of its name, or the only input takes all columns as a matrix of
 * numbers. output NULL: the first that is of floats. INPUT with a sentence when they do not fit. */
struct status oip_bind(const struct oip_metadata *m, const struct oip_column *columns, size_t n,
                       const char *output, struct diag *diag, struct oip_binding *ret_binding);
/* x[rows * columns], NaN sent as null. INPUT when a value is none of the input's datatype. */
struct status oip_put_request(const struct oip_binding *b, const double *x, size_t rows,
                              struct diag *diag, struct buf *ret_json);
/* How many numbers a row is answered with. */
struct status oip_answer_width(const struct oip_binding *b, struct view json, size_t rows,
                               struct diag *diag, size_t *ret_width);
/* ret_score[rows * b->width]. IO (EPROTO) with a sentence when the answer is not what was asked:
 * another shape, too few or too many numbers, something that is no finite number. */
struct status oip_answer_parse(const struct oip_binding *b, struct view json, size_t rows,
                               struct diag *diag, double *ret_score);
/* What an error's body says, printable, cut; "" when it says nothing. */
void oip_error_text(struct view body, char ret_text[static 200]);

#endif
