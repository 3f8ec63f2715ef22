/* explain: exact path-dependent SHAP of a forest on its margin, the explanation that Lundberg et
 * al., "Consistent individualized feature attribution for tree ensembles" (arXiv 1802.03888),
 * define: a split on an unknown feature is followed both ways, in the shares of the training rows.
 * Law: for each row and output, sum of phi + expected = margin.
 *
 * An explainer holds a forest made ready; it is made once and used by any number of threads. Its
 * engine is one of
 *     lanes   (explain_lanes.h)  quadrature, a row in each vector lane: any depth, few rows; the
 *                                engine of records;
 *     tables  (explain_tables.h) pattern tables of bottom subtrees: many rows of shallow trees;
 *     plain                      algorithm 2 of the paper in double, O(trees * leaves * depth^2) a
 *                                row: the oracle, and for the rare forest that lanes refuse. */
#ifndef STEWARD_ASSESS_EXPLAIN_H
#define STEWARD_ASSESS_EXPLAIN_H

#include "model/forest.h"

enum explain_precision {
    EXPLAIN_FAST,   /* error at most 2e-6 of the row's largest |phi| */
    EXPLAIN_RECORD, /* 1e-12 of it: what is kept when a decision about a person is explained */
};

enum explain_engine { EXPLAIN_CHOOSE, EXPLAIN_PLAIN, EXPLAIN_LANES, EXPLAIN_TABLES };

struct explainer_options {
    enum explain_precision precision;
    size_t expected_rows;       /* to be explained with this explainer in all */
    size_t table_bytes_max;     /* memory that tables may take */
    enum explain_engine engine; /* CHOOSE: by the cost of building and of the expected rows */
    bool pairs;                 /* for explainer_pairs instead of rows; always of records */
    bool portable;              /* without AVX2 even where the processor has it */
    unsigned threads;           /* that fill tables; 0: one per core */
};

struct explainer;

/* Fast, 1,000,000 rows, 512 MiB, chosen. */
void explainer_defaults(struct explainer_options *ret_options);
/* Borrows the forest. STATUS_UNSUPPORTED when the engine asked for cannot do this forest; what is
 * chosen always can. STATUS_MEMORY. */
struct status explainer_new(const struct forest *f, const struct explainer_options *o,
                            struct explainer **ret_explainer);
void explainer_free(struct explainer *e);
DEFINE_FREEP(explainer_free, struct explainer)
enum explain_engine explainer_engine(const struct explainer *e);
/* phi of all rows: ret_phi[rows * outputs * features], x row-major. The same digits for any number
 * of threads (0: one per core), and for a row alone or among others. STATUS_MEMORY only. */
struct status explainer_rows(const struct explainer *e, const float *x, size_t rows,
                             unsigned threads, double *ret_phi);
struct status explainer_rows_float(const struct explainer *e, const float *x, size_t rows,
                                   unsigned threads, float *ret_phi);

#define EXPLAIN_PAIRS_FEATURES 2048u /* that splits use, at most */
/* Interactions: ret_pairs[rows * outputs * features * features]. Off the diagonal half the Shapley
 * interaction index of the two features, on it the rest of the feature's phi: symmetric, and each
 * line sums to the feature's phi, as XGBoost's pred_interactions. The explainer was made with
 * `pairs` (explainer_new: STATUS_LIMIT when splits use more features). STATUS_MEMORY only. */
struct status explainer_pairs(const struct explainer *e, const float *x, size_t rows,
                              unsigned threads, double *ret_pairs);

/* The share of the training rows at inner node n that go left, by cover; 0.5 where no row is. */
double explain_left_share(const struct forest *f, uint32_t n);
/* The cover-weighted mean of the leaves below n, without the tree's weight. */
double explain_expected_below(const struct forest *f, uint32_t n);
/* Expected margin per output (base + cover-weighted mean of each tree): ret_expected[outputs]. */
void explain_expected(const struct forest *f, double *ret_expected);
/* Bytes of scratch that explain_row_ref needs for this forest. */
size_t explain_scratch_bytes(const struct forest *f);
/* phi of one row: ret_phi[outputs * features]. scratch: explain_scratch_bytes, aligned for double.
 */
void explain_row_ref(const struct forest *f, const float *x, void *scratch, double *ret_phi);
/* All rows with the plain engine. STATUS_MEMORY only. */
struct status explain_rows(const struct forest *f, const float *x, size_t rows, unsigned threads,
                           double *ret_phi);

#endif
