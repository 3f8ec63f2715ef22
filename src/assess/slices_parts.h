/* slices_parts: what the slice finder's sources share. Not for other folders. */
#ifndef STEWARD_ASSESS_SLICES_PARTS_H
#define STEWARD_ASSESS_SLICES_PARTS_H

#include "assess/slices.h"
#include "num/bits.h"

#define SLICES_NO_CODE UINT16_MAX

/* One condition that has rows enough. In the order of features, then levels. */
struct slices_basic {
    uint32_t feature, level;
    uint64_t rows;
    const uint64_t *bits;
};

struct slices_table {
    size_t rows, words;
    uint64_t min_rows;
    uint32_t features, added;
    struct slices_basic *basic;
    uint32_t basics;
    uint32_t *first;  /* of a feature: its first basic; features + 1 entries */
    uint64_t **chunk; /* of a feature: the bits of its basics */
    uint16_t *code;   /* row * features + feature: basic - first[feature], or SLICES_NO_CODE */
};

struct slices_losses {
    uint32_t *row; /* of the i-th largest loss above zero */
    double *value; /* NULL when all are 1 */
    size_t count;
};

/* The rows with a loss above zero, largest loss first: all that errors depend on. */
struct slices_mistakes {
    size_t count, words;
    const double *loss; /* count; NULL: all are 1 */
    uint64_t *bits;     /* of basic b: bits + b * words */
    double *sum, *max;  /* of a basic */
    double total;
};

void slices_mistakes_done(struct slices_mistakes *m);
/* row[count]: which row has the i-th largest loss. */
struct status slices_mistakes_init(const struct slices_table *t, const uint32_t *row,
                                   const double *loss, size_t count,
                                   struct slices_mistakes *ret_mistakes);

/* A slice found, by its basics in rising order. */
struct slices_hit {
    double score;
    uint64_t rows;
    double error, max;
    uint32_t conditions;
    uint32_t basic[SLICES_MAX_LEVEL];
};

struct slices_top {
    uint32_t limit, count;
    bool same_rows;
    struct slices_hit *hit; /* limit; best first */
};

struct slices_run {
    const struct slices_table *table;
    const struct slices_mistakes *mistakes;
    double alpha;
    uint32_t level;
    bool same_rows;
    unsigned threads;
    size_t pair_bytes;
    double floor; /* slices that score less are of no interest */
};

/* Fills top (initialised, empty) with the best slices; counted: as in slices_result. */
struct status slices_search(const struct slices_run *run, struct slices_top *top,
                            uint64_t counted[static SLICES_MAX_LEVEL]);

/* Sets p_permutation, q and the number of permutations. */
struct status slices_permute(const struct slices_run *run, const struct slices_losses *l,
                             const struct slices_options *o, struct slices_result *r);

#endif
