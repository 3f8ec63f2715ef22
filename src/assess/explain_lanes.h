/* explain_lanes: path-dependent TreeSHAP by quadrature, one row a vector lane; any depth. One or
 * two rows alone have quadrature nodes in the lanes instead, and the same digits.
 *
 * A leaf with value v, reached over splits on d distinct features, is a product game: with z_i the
 * share of the training rows that follow feature i's splits and o_i whether the row follows them,
 *     phi_j = v (o_j - z_j) integral over t in [0,1] of product over i != j of (t o_i + (1-t) z_i),
 * a polynomial of degree d - 1 in t, for which Gauss-Legendre with K = ceil(D / 2) nodes is exact
 * (D: most distinct features on a path of the tree). Pairs: Phi_jl = v/2 (o_j - z_j)(o_l - z_l)
 * times the integral of the product without both (the Shapley interaction index, halved, as in
 * XGBoost). Equations and the idea of rows in lanes: Quadrature-TreeSHAP (arXiv 2605.04497).
 *
 * The product P over the path goes down the tree, U, the sum over the leaves below a node of value
 * times the factors below it, comes up. At a node that splits on a feature whose factor above is F
 * (with state o, z; 1 when it is new) and below F_c = t o_c + (1-t) z_c:
 *     P_c = P F_c / F,  U = (F_l U_l + F_r U_r) / F,
 *     phi += sum over k of P (o_l z - o z_l) (U_l - U_r) / F^2,
 * the last because the two children's shares of the gain, (o_c - z_c) / F - (o - z) F_c / F^2, are
 * each other's negative. Values are taken less the tree's mean, which attributes nothing.
 * No factor exceeds 1 and none is divided by where it could vanish (F = 0 only where o = z = 0, and
 * then nothing below counts: 1 / F is set to 0), so that zero covers and depth 64 are exact.
 *
 * O(nodes K) a row. Doubles for records; floats where K <= LANES_FLOAT_NODES, summed in double over
 * every LANES_FLUSH_TREES trees: error about 1e-6 of a row's largest |phi|. */
#ifndef STEWARD_ASSESS_EXPLAIN_LANES_H
#define STEWARD_ASSESS_EXPLAIN_LANES_H

#include "model/forest.h"

#define LANES_BLOCK_ROWS 256u
#define LANES_FLOAT_NODES 8u /* quadrature nodes up to which floats are exact enough: D <= 16 */
#define LANES_FLUSH_TREES 32u
#define LANES_PAIRS_ROWS 4u
#define LANES_NODES_MAX ((FOREST_MAX_DEPTH + 1) / 2)

struct lanes;

struct lanes_options {
    bool doubles;
    bool pairs;    /* also interactions; only with doubles */
    bool portable; /* not AVX2 even where the processor has it */
};

/* Borrows the forest. STATUS_UNSUPPORTED: a single tree has more than 65,535 distinct thresholds of
 * a feature. STATUS_LIMIT: pairs of more than EXPLAIN_PAIRS_FEATURES. STATUS_MEMORY. */
struct status lanes_new(const struct forest *f, const struct lanes_options *o,
                        struct lanes **ret_lanes);
void lanes_free(struct lanes *l);
DEFINE_FREEP(lanes_free, struct lanes)
/* Quadrature nodes of the tree that needs most. */
uint32_t lanes_nodes(const struct lanes *l);
/* Rows of a block: LANES_BLOCK_ROWS, or fewer when there are very many features. */
uint32_t lanes_block_rows(const struct lanes *l);
/* Scratch that so many rows need, in bytes, to be aligned to 64. */
size_t lanes_scratch_bytes(const struct lanes *l, size_t rows);
/* Up to a block of rows. ret_phi[rows * outputs * features]; of the two the one that is not NULL.
 */
void lanes_rows(const struct lanes *l, const float *x, size_t rows, void *scratch, double *ret_phi,
                float *ret_single);
/* Up to LANES_PAIRS_ROWS rows, with lanes made with `pairs`: ret_pairs[rows * outputs * features *
 * features], symmetric; the diagonal is what is left of phi, so that each line of a matrix sums to
 * the feature's phi. */
void lanes_pairs(const struct lanes *l, const float *x, size_t rows, void *scratch,
                 double *ret_pairs);

/* Nodes and weights of Gauss-Legendre on [0,1]; n <= LANES_NODES_MAX. ret_rest: 1 - t. */
void lanes_gauss(uint32_t n, double *ret_t, double *ret_rest, double *ret_weight);

#endif
