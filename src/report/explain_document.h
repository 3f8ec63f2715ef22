/* explain_document: the attributions of a model that explains itself as one JSON object
 * (docs/spec/assessment-explain.md): global, by cohort against the rest, dependence in bins, rows
 * side by side, pairs. Its size depends on features and what is asked for, not on rows. */
#ifndef STEWARD_REPORT_EXPLAIN_DOCUMENT_H
#define STEWARD_REPORT_EXPLAIN_DOCUMENT_H

#include "assess/explain_columns.h"
#include "assess/explain_summary.h"
#include "base/json.h"

#define EXPLAIN_FORMAT "steward-explain-1"
#define EXPLAIN_DEPENDENCE 6u /* features, the largest, unless they are named */
#define EXPLAIN_PAIRS 20u     /* that are listed, the largest */

struct explain_feature { /* or a column of several (assess/explain_columns.h) */
    const char *name;
    bool several;              /* and no single value */
    const char *const *levels; /* NULL: numbers */
    uint32_t level_count;
};

struct explain_local { /* one row that is shown */
    uint64_t row;      /* in the data, from 1 */
    const float *x;
    const double *phi;                 /* outputs * features */
    const double *margin, *prediction; /* outputs */
    const double *error;               /* standard errors of phi; NULL: exact */
};

struct explain_input {
    const char *model, *method;
    bool record;
    const char *background; /* file; NULL: path-dependent values */
    uint64_t background_rows;
    bool probability; /* attributions are of the probability, not of the margin */
    bool coalitions;  /* were valued (assess/explain_answers.h), and then: */
    uint64_t exact_rows, drawn_rows;
    size_t evaluations;
    double largest_error;
    const struct explain_feature *features; /* as many as the summary's */
    const struct explain_columns *columns;  /* what they are grouped from; NULL: nothing */
    const char *const *feature_names, *const *column_names;
    const char *const *outputs; /* names */
    const double *base;         /* outputs */
    const struct explain_summary *summary;
    const char *const *cohorts;    /* summary->cohorts: conditions, or names of such */
    const char *const *predicates; /* of each its condition; NULL: they are conditions */
    const uint32_t *chosen;        /* dependence: chosen_count features; none: the largest */
    size_t chosen_count;
    const struct explain_local *local;
    size_t local_count;
    json_t *remarks; /* borrowed */
};

struct status explain_document(const struct explain_input *in, json_t **ret_document);
/* The document as a section of a page, and as a page of its own (html_explain.c). */
struct status html_explain(const json_t *document, struct buf *ret_html);
struct status html_explain_page(const json_t *document, struct buf *ret_html);

#endif
