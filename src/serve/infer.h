/* infer: the bodies of the Open Inference Protocol v2 (REST): a request into the matrix that a
 * model reads, predictions into an answer. Untrusted bytes; fuzzed. */
#ifndef STEWARD_SERVE_INFER_H
#define STEWARD_SERVE_INFER_H

#include "base/arena.h"
#include "workspace/models.h"

struct infer_request {
    const char *id; /* as sent; NULL when none */
    size_t rows;
    float *x;      /* rows * features, on the arena: as the model file reads them */
    float *beside; /* rows * model_besides, as sent; NULL when that is 0 */
    float *group;  /* rows: as model_decide takes it; NULL: one threshold for all */
    bool want_probability, want_decision, want_chance;
    bool want_contributions;   /* only by name */
    struct view contributions; /* outputs made already, as they stand in the answer */
    bool named;                /* the request names the outputs it wants */
    uint8_t digits;            /* numbers are rounded to so many behind the point; 0: as they are */
};

/* The columns of model_beside are needed as further inputs. STATUS_INPUT with a sentence (400);
 * STATUS_LIMIT when there are more rows than max_rows, or the
 * body's values or what is made of them do not fit the arena (413). ret_rule: which check it was
 * that refused, one of the words of docs/spec/audit-entry.md (static). */
struct status infer_parse(struct view body, const struct model *m, size_t max_rows,
                          struct arena *arena, struct diag *diag, const char **ret_rule,
                          struct infer_request *ret_request);
/* Whether the model answers with a probability and a decision; else with "output". */
bool infer_decides(const struct model *m);
/* Whether decisions may be drawn, and are answered with their chance. */
bool infer_draws(const struct model *m);
/* out[rows * outputs], as model_predict gives it. */
void infer_put_answer(const struct model *m, const struct infer_request *q, const double *out,
                      struct buf *ret_json);
/* Model metadata: names, datatypes and shapes of inputs and outputs; of the inputs that are seen
 * unmasked (visible[features, then model_besides]) also their categories. */
void infer_put_metadata(const struct model *m, const bool *visible, struct buf *ret_json);
/* The names of what is sent, the features and those beside: ret_names[infer_columns]. */
uint32_t infer_columns(const struct model *m);
void infer_column_names(const struct model *m, const char **ret_names);

/* The request that sends all rows of a table: one tensor a feature, and those beside. Fails with a
 * sentence when such a column is absent or of another type. */
struct status infer_put_request(const struct model *m, const struct table *t, struct diag *diag,
                                struct buf *ret_json);

#endif
