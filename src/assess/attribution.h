/* attribution: the explainer that a model has, behind one face: of trees by their paths
 * (explain.h) or against a background (interventional.h), of linear models (explain_linear.h), and
 * of answers that are no sums (explain_answers.h). */
#ifndef STEWARD_ASSESS_ATTRIBUTION_H
#define STEWARD_ASSESS_ATTRIBUTION_H

#include "assess/explain.h"
#include "model/model_file.h"

struct attribution_options {
    enum explain_precision precision;
    const float *background; /* background_rows * features; NULL: what the model file tells */
    size_t background_rows;
    bool probability;     /* of what the model answers, not of its margin; with a background */
    bool pairs;           /* for attribution_pairs instead of rows */
    size_t expected_rows; /* to be explained in all */
    size_t evaluations;   /* where coalitions are valued: of a row, at most; 0: shapley.h's */
    uint64_t seed;        /* of their draw */
    unsigned threads;     /* of making ready */
};

struct attribution;

/* True when the file tells enough: covers of trees, means of a linear model's features. */
bool attribution_needs_no_background(const struct model_file *m);
/* True when answers (options' probability) are explained by coalitions, with a cost of evaluations
 * times background rows predictions a row: several classes, or a link that is no known one. */
bool attribution_takes_coalitions(const struct model_file *m);
/* Borrows model and background. STATUS_LIMIT: too many features for pairs, or for coalitions;
 * STATUS_INPUT: no row of the background has a margin; MEMORY. */
struct status attribution_new(const struct model_file *m, const struct attribution_options *o,
                              struct attribution **ret_attribution);
void attribution_free(struct attribution *a);
DEFINE_FREEP(attribution_free, struct attribution)
const char *attribution_method(const struct attribution *a); /* "exact ..." */
/* ret_expected[outputs]: base + sum of phi is the margin, or the answer. */
void attribution_expected(const struct attribution *a, double *ret_expected);
/* ret_phi[rows * outputs * features]; NaN of a row that has no margin. ret_error: NULL, or of the
 * same shape standard errors, 0 where nothing is drawn. MEMORY; where coalitions are taken also
 * LIMIT, and INPUT: fewer evaluations than the row's features need. */
struct status attribution_rows(const struct attribution *a, const float *x, size_t rows,
                               unsigned threads, double *ret_phi, double *ret_error);
/* ret_pairs[rows * outputs * features * features], as explainer_pairs; where coalitions are taken
 * as explain_answers_pairs. A linear margin has no pairs, nor has an answer whose attributions are
 * those of the margin, scaled: the attributions on the diagonal, 0 beside it; all NaN of a row that
 * has no margin. */
struct status attribution_pairs(const struct attribution *a, const float *x, size_t rows,
                                unsigned threads, double *ret_pairs);

struct attribution_told {
    bool no_pairs;     /* asked for, and 0 beside the diagonal: of a linear model */
    bool pair_by_pair; /* time grows with rows times background rows */
    size_t nodes;      /* of the interpolation of the link's slope; 0: none */
    double error;      /* its, over the largest slope */
    size_t left_out;   /* rows of the background that have no margin */
    /* of coalitions, of all rows until now */
    bool coalitions;
    uint64_t exact_rows, drawn_rows;
    size_t evaluations;   /* of a row, the most */
    size_t players;       /* features that vary in a row, the most */
    double largest_error; /* standard error of an attribution */
};
struct attribution_told attribution_tell(const struct attribution *a);

#endif
