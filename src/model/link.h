/* link: from a model's margin to what it answers. */
#ifndef STEWARD_MODEL_LINK_H
#define STEWARD_MODEL_LINK_H

#include <stddef.h>
#include <stdint.h>

enum forest_link {
    FOREST_IDENTITY,
    FOREST_LOGISTIC, /* 1 / (1 + exp(-scale m)), each output for itself */
    FOREST_SOFTMAX,
    FOREST_EXP,
    FOREST_SIGNED_SQUARE, /* sign(m) m^2 */
    FOREST_LOG1P_EXP      /* log(1 + exp(m)) */
};

/* "identity", "logistic", ... */
const char *link_word(enum forest_link link);
/* In place, margin[rows * outputs]. */
void link_apply(enum forest_link link, double scale, uint32_t outputs, double *margin, size_t rows);

#endif
