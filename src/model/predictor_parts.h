/* predictor_parts: what the files predictor*.c share. */
#ifndef STEWARD_MODEL_PREDICTOR_PARTS_H
#define STEWARD_MODEL_PREDICTOR_PARTS_H

#include "model/predictor.h"
#include "model/ranks.h"

#define PREDICTOR_DEPTH 8u    /* of a perfect tree at most: its leaves' numbers are bytes */
#define PREDICTOR_TILE 64u    /* rows whose columns stand together */
#define PREDICTOR_TOGETHER 8u /* walks side by side: what hides the latency of a load */

/* A node of a perfect tree for tiles: left when the byte at `at` of a row's tile < cut. Nodes are
 * in heap order: children of i are 2 i + 1 and 2 i + 2. */
struct predictor_split {
    uint32_t at;  /* bytes from the tile's begin */
    uint32_t cut; /* the same byte four times */
};

/* The same for a single row that stands ready (predictor_ready): left when row[column] < threshold.
 */
struct predictor_step {
    float threshold;
    uint32_t column;
};

/* A node of a tree as it is, for walks; a leaf is its own child. rule as in struct forest_step. */
struct predictor_node {
    float threshold;
    uint32_t rule;
    uint32_t left;
    uint32_t right;
};

/* A categorical split in a tile: the bit of a code in `right` tells that it goes right. */
struct predictor_question {
    uint32_t codes; /* column with the feature's codes, among the codes' columns */
    uint8_t right[32];
};
#define PREDICTOR_CATEGORIES 254u /* codes below are categories */
#define PREDICTOR_NO_CATEGORY 254u
#define PREDICTOR_MISSING 255u

/* Successive trees that are treated alike. */
struct predictor_run {
    uint32_t first, end; /* trees */
    bool by_tile;        /* perfect, with ranks: split[] is there */
    bool by_row;         /* perfect, and every split compares numbers: step[] is there */
    uint32_t depth;      /* of the perfect trees, 1 to PREDICTOR_DEPTH; otherwise of the deepest */
    struct ranks *ranks;
    struct predictor_split *split; /* trees x (2^depth - 1) */
    struct predictor_step *step;
    double *leaf; /* trees x 2^depth, weighted */
    /* columns of a tile: ranks, then codes, then the answers to the questions of one tree */
    uint32_t codes;
    uint32_t questions_most;  /* of one tree */
    uint32_t *code_feature;   /* codes */
    uint32_t *question_start; /* trees + 1 */
    struct predictor_question *question;
};

struct predictor {
    const struct forest *forest;
    bool avx2;
    uint32_t runs;
    struct predictor_run *run;
    /* a row that stands ready: the used features, each with -inf or +inf where it is missing */
    uint32_t ready;              /* columns */
    uint32_t *ready_feature;     /* columns */
    float *ready_missing;        /* columns */
    struct predictor_node *node; /* forest->nodes; NULL when no run walks */
    uint32_t *tree_depth;
    struct forest numeric; /* what ranks sees: categorical splits are leaves in it */
    int32_t *numeric_left;
};

/* More columns, and rows are walked as they are: the ready row stands on the stack. */
#define PREDICTOR_READY 4096u

/* predictor_row.c: adds all trees' values to margin[outputs], which begins as the base. */
void predictor_row(const struct predictor *p, const float *x, double *margin);
/* Adds the run's trees to margin[outputs][stride], walking. */
void predictor_walk(const struct predictor *p, const struct predictor_run *r, const float *x,
                    size_t rows, size_t stride, double *margin);
/* predictor_tile.c. Bytes of a tile's columns for this run. */
size_t predictor_tile_bytes(const struct predictor_run *r);
/* Adds the run's trees for `rows` rows; columns: room for each begun tile, aligned to 32 bytes;
 * margin[outputs][stride], stride a multiple of the tile. */
void predictor_tiles(const struct predictor *p, const struct predictor_run *r, const float *x,
                     size_t rows, uint8_t *columns, size_t stride, double *margin);

#endif
