/* slices: the K worst slices of a table, exactly. A slice is a conjunction of at most
 * SLICES_MAX_LEVEL conditions "feature = level", one a feature, that at least min_rows rows fulfil.
 * Sagadeeva and Boehm, "SliceLine: Fast, Linear-Algebra-based Slice Finding for ML Model Debugging"
 * (SIGMOD 2021): a slice S of |S| rows with the losses e_S has the score
 *
 *   a (e_S / |S| / (e / n) - 1) - (1 - a) (n / |S| - 1),
 *
 * above zero where it is worse than the whole by more than its smallness excuses. No slice is left
 * out unless the bounds of equation 3 and of all its known parents say that it cannot be among the
 * K best. Sets of rows are bits; candidates are tried depth first and never all held. The same
 * answer for any number of threads.
 *
 * Many slices are looked at, and the worst of many looks bad by luck alone: each found one carries
 * an interval and p-values that hold for all candidates at once (below), and a q for control of the
 * false-discovery rate.
 *
 * q. With the j-th best slice's score s_j, and V_b(s) slices that score s or more in the b-th of B
 * random orders of the losses, the share of false ones among the first j is estimated as the mean
 * over the orders and the data themselves of min(V_b(s_j), j) / j: no more than j of j are false,
 * all slices are taken for innocent, and how slices overlap is in the orders. q of the k-th is the
 * least of these over j >= k (step-up). Since a least of many is small by luck, it is held against
 * the same least of every random order: q is at least the share of orders, the data among them,
 * whose own is as small. So where nothing is wrong some q is at most a with probability at most a,
 * exactly; where something is, the tests simulate the share of false ones. Random orders of which
 * ten times as many would be false settle a slice (as Besag and Clifford's), and it keeps that q.
 * Without permutations: Benjamini and Yekutieli's over all candidates. */
#ifndef STEWARD_ASSESS_SLICES_H
#define STEWARD_ASSESS_SLICES_H

#include "base/status.h"
#include "num/interval.h"

#define SLICES_MAX_LEVEL 4u
#define SLICES_MAX_FOUND 1000u
#define SLICES_SETTLED 10u /* permutations that beat a slice, after which its p is known enough */

/* Rows as sets: one for each level of a feature that has rows enough. */
struct slices_table;

/* Slices of fewer than min_rows (>= 1) rows do not count. STATUS_LIMIT over 2^32 - 1 rows. */
struct status slices_table_new(size_t rows, uint32_t features, uint64_t min_rows,
                               struct slices_table **ret_table);
void slices_table_free(struct slices_table *t);
DEFINE_FREEP(slices_table_free, struct slices_table)
/* The next feature: code[rows], each below levels. A missing value is a level like the others.
 * STATUS_LIMIT when more than 65534 levels have rows enough. */
struct status slices_table_add(struct slices_table *t, const uint32_t *code, uint32_t levels);
/* The same where the rows lie in parts, as on several machines; the table has them one part after
 * the other, and so has slices_find's loss. What it finds is the same to the bit for any split and
 * any order of the rows: which levels have rows enough follows from counts that are added up, and
 * what is found from the rows as a set. A part's state are its codes and losses. */
struct slices_rows {
    const uint32_t *code;
    size_t rows;
};
struct status slices_table_add_parts(struct slices_table *t, const struct slices_rows *part,
                                     size_t parts, uint32_t levels);

struct slices_options {
    double alpha;   /* in (0, 1]; the paper's 0.95 */
    uint32_t level; /* conditions at most: 1 to SLICES_MAX_LEVEL */
    uint32_t found; /* K: 1 to SLICES_MAX_FOUND */
    bool same_rows; /* also slices that hold the very rows of one with fewer conditions, or with
                     * as many of earlier features */
    uint32_t permutations; /* 0: none */
    uint64_t seed;         /* of the permutations */
    double confidence;     /* 0.95 */
    unsigned threads;
    size_t pair_bytes; /* for the table of pairs that three levels and more are bounded by: without
                        * it the search is slower, its answer the same */
};

struct slices_condition {
    uint32_t feature, level;
};

struct slice {
    uint32_t conditions;
    struct slices_condition condition[SLICES_MAX_LEVEL]; /* by feature */
    uint64_t rows;
    uint64_t mistakes; /* rows with a loss above zero */
    double error;      /* sum of losses */
    double error_max;  /* largest loss */
    double score;
    double mean, rest_mean; /* of the loss, in the slice and outside; NaN when nothing is outside */
    double coverage;        /* share of the whole error */
    struct interval ci;     /* of the mean, as if it had been the only slice looked at */
    struct interval ci_all; /* the same, at a level that holds for all candidates at once */
    double p;             /* one-sided, against the rest: Fisher's exact test for losses of 0 and 1,
                           * otherwise normal, by the mean and variance under permutation */
    double p_bonferroni;  /* p times the number of candidates, at most 1 */
    double p_permutation; /* share of random orders of the losses whose best slice scores as high
                           * (max-T of Westfall and Young 1993, sequential as in Besag and Clifford
                           * 1991); NaN without permutations */
    double
        q; /* the share of false ones to be expected among this slice and those before it: below */
};

struct slices_result {
    uint32_t found;
    bool is_binary; /* losses are 0 or 1: means are error rates */
    uint64_t rows, mistakes;
    double error, mean;
    uint64_t basic;    /* levels with rows enough */
    double candidates; /* conjunctions of at most `level` of them: what the p-values allow for */
    uint64_t counted[SLICES_MAX_LEVEL];   /* candidates of that level whose losses were counted; the
                                           * others were bounded away */
    uint32_t permutations;                /* done */
    struct slice slice[SLICES_MAX_FOUND]; /* worst first */
};

/* loss[rows]: finite and not negative (STATUS_INPUT). Slices need a score above zero, so that less
 * than K may be found. Intervals: Wilson for rates, normal for other losses. */
struct status slices_find(const struct slices_table *t, const double *loss,
                          const struct slices_options *o, struct slices_result *ret_result);

/* The score above; NaN without rows. */
double slices_score(double alpha, double rows, double error, double all_rows, double all_error);

#endif
