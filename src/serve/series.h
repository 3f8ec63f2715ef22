/* series: inference calls for Prometheus by principal, model and version. There are SERIES_MOST
 * triples; calls of later ones are counted as one, whose labels are "(other)", and how many those
 * were is told besides. Lock-free but for the first call of a triple; read while written. */
#ifndef STEWARD_SERVE_SERIES_H
#define STEWARD_SERVE_SERIES_H

#include "base/bytes.h"

#define SERIES_MOST 1000u
#define SERIES_NAME_MAX 64u

struct series;

struct series *series_new(void); /* NULL when memory is out */
void series_free(struct series *s);

enum series_outcome {
    SERIES_SUCCESS,
    SERIES_REFUSED, /* the call was denied, or was no good one: status under 500 */
    SERIES_ERROR,   /* it should have been answered */
    SERIES_OUTCOMES
};

struct series_call {
    const char *principal; /* names (text_is_name); "": nobody known */
    const char *model;     /* "": none that is served */
    uint64_t version;      /* 0: none */
    enum series_outcome outcome;
    uint64_t rows; /* predicted */
    int64_t duration_ns;
    uint64_t prompt_tokens, completion_tokens;
};
void series_note(struct series *s, const struct series_call *c);
void series_put(struct series *s, struct buf *ret_text);

#endif
