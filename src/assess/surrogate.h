/* surrogate: a small tree that imitates a black box's answers, with how well it does so. A
 * regression tree (Breiman et al. 1984, CART) on the answers, grown best first; fidelity is
 * measured on rows that it was not grown on. Below the floor there is no tree: what it would say
 * about the model is not so (Craven and Shavlik 1996; the mimic explainers of others show no
 * fidelity at all).
 *
 * Numbers are cut between distinct values, or, past SURROGATE_BINS of them, between that many
 * quantiles. Categories are parted by their mean answer (optimal for squared error: Fisher 1958);
 * past the most frequent SURROGATE_BINS - 1, the others go together. Missing values go where the
 * squared error is least, what a node never saw where more of its rows go. */
#ifndef STEWARD_ASSESS_SURROGATE_H
#define STEWARD_ASSESS_SURROGATE_H

#include "assess/black_box.h"
#include "num/moments.h"

#define SURROGATE_BINS 254u /* of a feature; one more for missing values */
#define SURROGATE_MOST_LEAVES 64u
#define SURROGATE_LEAST_ROWS 20u
#define SURROGATE_FLOOR 0.8

struct surrogate_options {
    const uint32_t *level_count; /* features: 0 for numbers */
    size_t leaves, depth;        /* at most; leaves within SURROGATE_MOST_LEAVES */
    size_t least;                /* rows of a leaf */
    double held_out;             /* share of the rows that fidelity is measured on; 0: on all. Who
                                  * is held out follows from the row and the seed, so that equal
                                  * rows stay together */
    double floor;                /* of the fidelity */
    double threshold;            /* of decisions, when the answer is a probability; else NaN */
    uint64_t seed;               /* of the held-out rows */
    unsigned threads;
};

/* A node; leaves have left 0. Node 0 is the root. */
struct surrogate_node {
    size_t feature;
    double threshold;    /* numbers: x <= threshold goes left */
    uint8_t *level_left; /* categories: level_count[feature] bytes, 1 goes left; else NULL */
    bool missing_left;
    bool missing_seen; /* there were missing values to decide by; if not they go where more rows go
                        */
    size_t left, right;
    uint64_t rows; /* grown on */
    double value;  /* mean answer of those */
};

struct surrogate {
    struct surrogate_node *node; /* nodes; none when refused */
    size_t nodes, leaves, depth;
    uint64_t grown_on, measured_on;
    double fidelity;  /* R2 against the answers; NaN when the answers are all the same */
    double agreement; /* share of equal decisions; NaN without a threshold */
    double spread;    /* standard deviation of the answers measured on */
    bool refused;     /* fidelity below the floor: no node */
};

/* How well it imitates the answers to rows, the same in any order and any split. Zeroed: to none.
 */
struct surrogate_fidelity {
    struct moments answer;
    struct sum off; /* squares of the differences */
    uint64_t same;  /* decisions */
};

void surrogate_fidelity_add(struct surrogate_fidelity *f, double mine, double theirs,
                            double threshold);
void surrogate_fidelity_merge(struct surrogate_fidelity *f, const struct surrogate_fidelity *other);
/* Sets measured_on, fidelity, agreement and spread. */
void surrogate_fidelity_finish(const struct surrogate_fidelity *f, double threshold,
                               struct surrogate *s);

void surrogate_done(struct surrogate *s);
/* Imitates one output of the box; x: rows * features, SURROGATE_LEAST_ROWS at least. */
struct status surrogate_grow(const struct black_box *box, const double *x, size_t rows,
                             size_t output, const struct surrogate_options *o, struct diag *diag,
                             struct surrogate *ret_surrogate);

/* Rows with the answers that are imitated, borrowed: one part, such as a machine's. */
struct surrogate_rows {
    const double *x;      /* rows * features */
    const double *answer; /* rows */
    size_t rows;
};

/* The same tree to the bit, however the rows are split and ordered: nothing passes between parts
 * but what merges. */
struct status surrogate_grow_parts(const struct surrogate_rows *part, size_t parts, size_t features,
                                   const struct surrogate_options *o, struct diag *diag,
                                   struct surrogate *ret_surrogate);
/* The tree's answer to a row. */
double surrogate_answer(const struct surrogate *s, const double *row);

#endif
