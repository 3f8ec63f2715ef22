/* interventional: exact SHAP of a forest against a background data set: an unknown feature has the
 * value that it has in a background row, whatever the known ones are. phi is the mean over the
 * background rows of the Shapley values of the game that mixes the explained row with that one
 * (Lundberg et al., "From local explanations to global understanding with explainable AI for
 * trees", Nature Machine Intelligence 2020, feature_perturbation = interventional). Law, for each
 * row and output: sum of phi + expected = margin, expected being the background's mean margin.
 *
 * In a leaf that is reached over splits on some distinct features, let A be those whose splits the
 * row follows and the background row does not, B the contrary; the leaf counts when every feature
 * is followed by one of both. A leaf of value v then gives
 *     v (|A|-1)! |B|! / (|A|+|B|)!  to each feature in A,  -v |A|! (|B|-1)! / (|A|+|B|)!  to B.
 * What two features have together (the Shapley interaction index) is then of a leaf, for two of A
 * v (|A|-2)! |B|! / (|A|+|B|-1)!, for two of B v |A|! (|B|-2)! / (|A|+|B|-1)!, for one of each
 * -v (|A|-1)! (|B|-1)! / (|A|+|B|-1)!.
 * Engines:
 *     pairs   each pair of a row and a background row walked down each tree: O(rows * background),
 *             the plain reference, and for what tables refuse;
 *     tables  the units of explain_tables.h; the background enters as a histogram of the patterns
 * it meets in each unit, once, so that its size does not matter afterwards (the idea: Woodelf,
 * arXiv 2511.09376). With n features on the leaf's path and H the share of the background rows by
 * the set they follow, the table for a row that follows the set p is i in p:  v integral of
 * (1-t)^|B| (Z_t(p) - Z_t(p without i)) / t dt, others:  -v integral of (1-t)^(|B|-1) Z_t(p) dt, B
 * the complement of p, Z_t(p) = sum over A in p of t^|A| H(all without A), by a zeta transform;
 * Gauss-Legendre with ceil(n / 2) nodes is exact. Interactions are second differences of the same
 * Z_t(p), over t^2, t (1-t) or (1-t)^2. */
#ifndef STEWARD_ASSESS_INTERVENTIONAL_H
#define STEWARD_ASSESS_INTERVENTIONAL_H

#include "assess/explain.h"

enum interventional_engine { INTERVENTIONAL_CHOOSE, INTERVENTIONAL_PAIRS, INTERVENTIONAL_TABLES };

enum interventional_space { INTERVENTIONAL_MARGIN, INTERVENTIONAL_PROBABILITY };

struct interventional_options {
    enum interventional_space space;
    enum explain_precision precision; /* of tables: floats (2e-6 of the largest |phi|) or doubles */
    size_t expected_rows;             /* to be explained with this explainer in all */
    size_t table_bytes_max;
    bool interactions; /* for interventional_interactions instead of rows; always in doubles */
    enum interventional_engine engine; /* CHOOSE: by the cost of building and of the pairs */
    unsigned threads;                  /* of building; 0: one per core */
    bool portable;                     /* without AVX2 even where the processor has it */
};

struct interventional;

/* Margin, fast, 1,000,000 rows, 512 MiB, chosen. */
void interventional_defaults(struct interventional_options *ret_options);
/* Borrows forest and background[rows * features], rows > 0. The same digits for any number of
 * threads. STATUS_UNSUPPORTED: probability of a forest with several outputs or another link; or
 * tables were asked for and one tree has more than 255 thresholds of a feature. STATUS_LIMIT: they
 * were asked for and they, or the deep leaves' sets, would take more than table_bytes_max.
 * STATUS_MEMORY. */
struct status interventional_new(const struct forest *f, const float *background, size_t rows,
                                 const struct interventional_options *o,
                                 struct interventional **ret_explainer);
void interventional_free(struct interventional *e);
DEFINE_FREEP(interventional_free, struct interventional)
enum interventional_engine interventional_engine(const struct interventional *e);
/* Nodes of the interpolation, and its error over the largest g; 0 and 0 where nothing is
 * interpolated. */
uint32_t interventional_nodes(const struct interventional *e, double *ret_error);
/* Mean margin, or probability, of the background: ret_expected[outputs]. */
void interventional_expected(const struct interventional *e, double *ret_expected);
/* ret_phi[rows * outputs * features]. The same digits for any number of threads, and for a row
 * alone or among others. STATUS_MEMORY only. */
struct status interventional_rows(const struct interventional *e, const float *x, size_t rows,
                                  unsigned threads, double *ret_phi);
/* ret_pairs[rows * outputs * features * features], as explainer_pairs: off the diagonal half the
 * interaction index, on it the rest of the feature's phi. On probability each pair of rows is
 * scaled as its attributions are. The explainer was made with `interactions`. Its tables take at
 * most table_bytes_max, its shares of the background 2 KB a unit: what does not fit is made anew in
 * each call. The same digits for any number of threads, and for a row alone or among others.
 * STATUS_MEMORY only. */
struct status interventional_interactions(const struct interventional *e, const float *x,
                                          size_t rows, unsigned threads, double *ret_pairs);

/* Adds weight times the values of one pair to phi[outputs * features]. */
struct interventional_pair {
    const float *x;          /* features */
    const float *background; /* features */
};
/* Bytes of scratch that interventional_pair_add needs: zeroed before the first pair, and left so.
 */
size_t interventional_scratch_bytes(const struct forest *f);
void interventional_pair_add(const struct forest *f, struct interventional_pair pair, double weight,
                             uint8_t *scratch, double *phi);
/* The same of interactions, to pairs[outputs * features * features]: attributions on the diagonal,
 * half of what two features have together in one of their two places. */
void interventional_pair_add_interactions(const struct forest *f, struct interventional_pair pair,
                                          double weight, uint8_t *scratch, double *pairs);

#endif
