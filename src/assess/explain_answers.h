/* explain_answers: SHAP of what a model answers where answers are no sums: several classes that
 * share a softmax, and links that link_slope.h does not know. The game is that of black_box.h on
 * the model's own fast prediction: an unknown feature has the value that it has in each background
 * row in turn. Exact where all coalitions of the features that differ fit in the evaluations, else
 * the paired sampling of shapley.h with its standard error. Law, for each row and output: sum of
 * phi + expected = answer, sampled or not, to rounding. */
#ifndef STEWARD_ASSESS_EXPLAIN_ANSWERS_H
#define STEWARD_ASSESS_EXPLAIN_ANSWERS_H

#include "assess/shapley.h"
#include "model/model_file.h"

struct explain_answers;

struct explain_answers_options {
    const float *background; /* rows * features */
    size_t rows;
    size_t evaluations; /* coalitions of a row; 0: as in shapley.h */
    uint64_t seed;
    unsigned threads; /* of making ready */
};

/* Copies the background, borrows the model. Rows of the background that have no margin are left
 * out. STATUS_INPUT: none is left; STATUS_LIMIT: the model reads more than SHAPLEY_MOST_PLAYERS
 * features, or so many evaluations are too many. MEMORY. */
struct status explain_answers_new(const struct model_file *m,
                                  const struct explain_answers_options *o,
                                  struct explain_answers **ret_explainer);
void explain_answers_free(struct explain_answers *e);
DEFINE_FREEP(explain_answers_free, struct explain_answers)
/* Mean answer of the background: ret_expected[outputs]. */
void explain_answers_expected(const struct explain_answers *e, double *ret_expected);
/* ret_phi[rows * outputs * features], and where it is not NULL ret_error of the same shape: the
 * standard error of the draw, 0 where nothing was drawn. All NaN of a row that has no margin. The
 * same digits for any number of threads, and for a row alone or among others: draws are keyed by
 * what is in the row. MEMORY. */
struct status explain_answers_rows(struct explain_answers *e, const float *x, size_t rows,
                                   unsigned threads, double *ret_phi, double *ret_error);

/* ret_pairs[rows * outputs * features^2]: interaction values as shapley_pairs.h has them, exact or
 * drawn, keyed as the attributions are. LIMIT: some row differs from the background in too many
 * features (told as players); INPUT: the evaluations are too few for them; MEMORY. */
struct status explain_answers_pairs(struct explain_answers *e, const float *x, size_t rows,
                                    unsigned threads, double *ret_pairs);

struct explain_answers_told { /* of all rows until now */
    uint64_t exact_rows, drawn_rows;
    size_t evaluations;   /* coalitions of a row, the most */
    size_t players;       /* features that differ from the background in a row, the most */
    double largest_error; /* standard error of an attribution, or of an interaction */
    size_t left_out;      /* rows of the background */
};
struct explain_answers_told explain_answers_tell(const struct explain_answers *e);

#endif
