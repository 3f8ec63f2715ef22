/* mitigation: training that makes a model fairer: rows weighted so that group and outcome are
 * independent (assess/mitigate.h), the exponentiated gradient (assess/mitigate_gradient.h), or
 * features without linear trace of the sensitive columns (workspace/remover.h). By the first two
 * the result is a model like any other, which does not read the sensitive columns: serving it needs
 * nothing more; by the third each call must send them. */
#ifndef STEWARD_WORKSPACE_MITIGATION_H
#define STEWARD_WORKSPACE_MITIGATION_H

#include "assess/mitigate_gradient.h"
#include "base/digest.h"
#include "base/json.h"
#include "data/table.h"
#include "model/train.h"

#define MITIGATION_MAX_COLUMNS 4u

enum mitigation_method {
    MITIGATION_REWEIGHING,
    MITIGATION_EXPONENTIATED_GRADIENT,
    MITIGATION_CORRELATION_REMOVER
};

struct mitigation {
    enum mitigation_method method;
    const char *const *sensitive; /* columns; their combinations are the groups */
    size_t sensitive_count;
    struct gradient_options
        gradient;      /* of the exponentiated gradient; step and train are not read */
    double alpha;      /* of the correlation remover */
    uint64_t based_on; /* version of the same name that it is to replace; 0: none */
};

/* "reweighing", "exponentiated-gradient", "correlation-remover"; INPUT for another word. */
struct status mitigation_method_from_word(const char *word, enum mitigation_method *ret_method);
/* INPUT with a sentence, which names what does work, where a method or constraint is not for what
 * such an objective predicts. */
struct status mitigation_check(const struct mitigation *m, const char *objective,
                               struct diag *diag);
/* What the booster learns instead: the objective itself, but for bounded group loss. */
const char *mitigation_objective(const struct mitigation *m, const char *objective);
/* By one of the first two: as train_xgboost, on the rows of t with used[row] != 0, which x and y
 * hold in that order. *ret_note: what the manifest keeps under "mitigation". A missing sensitive
 * value is a group of its own; numbers are cut into four intervals. INPUT with a sentence: no such
 * column, free text, one group, over 64 groups. */
struct status mitigation_train(const struct mitigation *m, const struct table *t,
                               const uint8_t *used, const float *x, size_t rows, size_t features,
                               const float *y, const struct train_options *o, struct diag *diag,
                               struct buf *ret_model, json_t **ret_note);

#endif
