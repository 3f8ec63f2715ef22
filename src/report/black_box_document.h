/* black_box_document: what the methods of assess/ find about a model of which only the answers are
 * known, as one JSON object (docs/spec/assessment-explain.md). Pure but for the model's answers. */
#ifndef STEWARD_REPORT_BLACK_BOX_DOCUMENT_H
#define STEWARD_REPORT_BLACK_BOX_DOCUMENT_H

#include "assess/black_box.h"
#include "assess/explain_columns.h"
#include "assess/metric.h"
#include "base/json.h"

#define BLACK_BOX_FORMAT "steward-black-box-1"
#define BLACK_BOX_ROWS_LISTED 100u   /* explained rows that stand in the document, the first ones */
#define BLACK_BOX_LEVELS_ORDERED 64u /* past these, categories keep their order */
#define BLACK_BOX_LEVELS_MOST 1000u  /* of a feature that is profiled */

enum black_box_method {
    BLACK_BOX_KERNEL,
    BLACK_BOX_PERMUTATION,
    BLACK_BOX_PARTIAL_DEPENDENCE,
    BLACK_BOX_ICE,
    BLACK_BOX_ALE,
    BLACK_BOX_IMPORTANCE,
    BLACK_BOX_SURROGATE,
    BLACK_BOX_METHODS
};

const char *black_box_method_word(enum black_box_method m); /* "kernel", "ale", ... */
/* False when it is none of those words. */
bool black_box_method_from_word(const char *word, enum black_box_method *ret_method);

struct black_box_feature {
    const char *name;
    const char *const *levels; /* NULL: numbers */
    uint32_t level_count;
};

struct black_box_input {
    enum black_box_method method;
    const char *model; /* file or URL */
    const struct black_box *box;
    const struct black_box_feature *features; /* box->features */
    const char *const *outputs;               /* box->outputs names */
    const double *x;                          /* rows * features */
    size_t rows;
    const uint64_t *row_number; /* rows: in the data, from 1 */
    uint64_t rows_in_data;
    const double *background; /* background_rows * features; attributions only */
    size_t background_rows;
    uint64_t background_of;                /* rows that they were drawn from */
    const struct explain_columns *columns; /* attributions only; NULL: each feature is one */
    const char *const *column_names, *const *feature_names;
    const size_t *chosen; /* chosen_count: features that are profiled */
    size_t chosen_count;
    size_t evaluations;           /* attributions: see shapley.h */
    size_t points, curves;        /* profiles; ALE: bins */
    const double *y;              /* importance: rows */
    const struct metric *metric;  /* importance */
    size_t repeats;               /* importance */
    size_t output, leaves, depth; /* surrogate */
    double floor;                 /* surrogate */
    bool probability;             /* the answers are probabilities: decisions are at 1/2 */
    double level;                 /* of the intervals */
    uint64_t seed;
    unsigned threads;
    json_t *remarks; /* sentences; borrowed; may be NULL */
    /* Each row's attributions as they come, [outputs * columns]; may be NULL. */
    void (*row)(void *ctx, size_t row, const double *base, const double *phi, const double *error);
    void (*progress)(void *ctx, size_t done, size_t of); /* may be NULL */
    void *ctx;
};

struct status black_box_document(const struct black_box_input *in, struct diag *diag,
                                 json_t **ret_document);
/* The document as a section of a page, and as a page of its own. */
struct status html_black_box(const json_t *document, struct buf *ret_html);
struct status html_black_box_page(const json_t *document, struct buf *ret_html);

#endif
