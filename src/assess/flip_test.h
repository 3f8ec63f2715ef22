/* flip_test: the flip test (Black, Yeom and Fredrikson, FAT* 2020) as SageMaker Clarify
 * approximates it: would the people of a group be decided otherwise if they were among the others?
 * For each row of the group, the vote of its nearest rows among the others on the model's decision.
 */
#ifndef STEWARD_ASSESS_FLIP_TEST_H
#define STEWARD_ASSESS_FLIP_TEST_H

#include "base/status.h"
#include "num/interval.h"

#define FLIP_TEST_NEIGHBOURS 5u
#define FLIP_TEST_FEW 9u /* with as few others or fewer, the nearest one alone (Clarify) */

struct flip_test_part { /* of the rows, such as a machine's */
    size_t rows;
    const double *x;         /* rows * features, row-major; a row with a NaN takes no part */
    const uint8_t *decision; /* 0, 1, else no part */
    const int32_t *group;    /* negative: no part */
};

struct flip_test_rows {
    const struct flip_test_part *part;
    size_t parts;
    uint32_t features;
    /* Each feature over its standard deviation; without it, as in smclarify, the feature with the
     * largest unit decides who is near. */
    bool scaled;
};

struct flip_test_result {
    double value; /* (decided positive, their like negative - the reverse) / rows; NaN with none */
    struct interval
        ci; /* normal, of a difference of two shares of the same rows; given the others */
    uint64_t rows, others, positive, negative, left_out;
};

/* Distances worked out: rows of the group times the others. Doubles: may be large. */
double flip_test_pairs(const struct flip_test_rows *r, int32_t facet);
/* Exact, by all pairs. Rows that are as far as the farthest that votes share the votes that are
 * left: however the rows are split and ordered, the same. STATUS_MEMORY. */
struct status flip_test_run(const struct flip_test_rows *r, int32_t facet, double level,
                            unsigned threads, struct flip_test_result *ret_result);

#endif
