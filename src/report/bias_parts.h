/* bias_parts: what the writers of the bias document share. Not for other folders. */
#ifndef STEWARD_REPORT_BIAS_PARTS_H
#define STEWARD_REPORT_BIAS_PARTS_H

#include "assess/bias.h"
#include "report/bias_document.h"

/* A number; null when it does not exist; "Infinity" or "-Infinity". */
json_t *bias_number(double v);
json_t *bias_interval(struct interval ci);
/* {"value", "x", "n", "ci"}; Wilson */
json_t *bias_rate(uint64_t x, uint64_t n, double level);
/* {"value", "ci"} */
json_t *bias_value_json(const struct bias_value *v);
/* Sets "p_adjusted" of each of the n objects from its "p_value" (Benjamini and Hochberg). */
struct status bias_adjust_p(json_t *const *objects, size_t n);
/* One sensitive column: rows by group (and, where the label is known, by class). */
struct bias_factor {
    const struct bias_input *in;
    const struct bias_column *column;
    uint64_t *rows_of; /* levels: all rows, with or without a label */
    uint64_t *count;   /* strata * levels * 2: outcome 0 or 1 */
    uint64_t *classes; /* levels * classes */
    uint64_t without_group, without_label;
    uint32_t strata;
};
bool bias_judged(const struct bias_factor *f, uint32_t group);
struct status bias_put_missingness(const struct bias_factor *f, json_t *o);
struct status bias_put_proxies(const struct bias_factor *f, json_t *o);
struct status bias_put_distribution(const struct bias_factor *f, struct diag *diag, json_t *o);
/* The groups' rates in each stratum. */
struct status bias_put_strata(const struct bias_factor *f, json_t *o);
struct status bias_put_findings(json_t *d);

#endif
