/* fairness_parts: what the sources of the fairness document share. Not for others. */
#ifndef STEWARD_REPORT_FAIRNESS_PARTS_H
#define STEWARD_REPORT_FAIRNESS_PARTS_H

#include "assess/facet.h"
#include "assess/group_gap.h"
#include "report/fairness_document.h"

/* Metrics of all classes at once. */
#define FAIRNESS_OF_CLASSES                                                                        \
    (1u << GROUP_ACCURACY | 1u << GROUP_ZERO_ONE_LOSS | 1u << GROUP_PRECISION_MACRO |              \
     1u << GROUP_RECALL_MACRO | 1u << GROUP_F1_MACRO)

/* Everything of one analysis (a binary or numeric outcome, or a class against the others). */
struct fairness_work {
    const struct fairness_input *in;
    const char *positive;         /* of this analysis: "deny = yes" */
    const uint8_t *y, *decision;  /* or NULL */
    struct group_columns columns; /* sensitive, then control */
    uint32_t cells;
    struct group_tally *tally; /* cells */
    uint32_t *cell;            /* rows; NULL when counts suffice */
    uint32_t *order;           /* of sorted; NULL when counts suffice */
    struct group_rows sorted;  /* the rows in the order of group_rows_order */
    bool ranked;               /* scores have an area under the curve */
    uint32_t metrics;          /* bits */
    double centre;
    uint32_t replicates;
    json_t *remarks;
    bool of_classes; /* several at once: y is 1, decision whether the prediction is right */
};

/* One way to group the rows, of all or of a stratum. */
struct fairness_grouping {
    uint32_t mask;   /* of sensitive columns */
    int64_t stratum; /* of the control columns; -1: all rows */
    uint32_t
        groups; /* that have rows, in the order of their levels; judged ones first in `judged` */
    int64_t *level; /* groups */
    struct group_tally *tally;
    struct group_tally overall; /* of the rows that have a group or not, in the stratum */
    struct group_tally grouped; /* of those that have one */
    struct group_tally *rest;   /* groups: of the others that have one, what does not add */
    int32_t *of_cell;           /* cells: group or -1 */
    uint32_t judged;
    uint32_t *judged_at;              /* judged: index of group */
    struct group_tally *judged_tally; /* judged */
    struct group_set set;
    struct group_replicates *replicates;
};

struct status fairness_grouping_make(const struct fairness_work *w, uint32_t mask, int64_t stratum,
                                     struct fairness_grouping *g);
void fairness_grouping_done(struct fairness_grouping *g);
/* "F", "sex = F, race = Black": of the group's level; named: "sex = F" for one column, too. */
void fairness_put_named(const struct fairness_work *w, uint32_t mask, int64_t level, struct buf *b);
void fairness_put_group(const struct fairness_work *w, uint32_t mask, int64_t level, struct buf *b);
void fairness_put_stratum(const struct fairness_work *w, int64_t stratum, struct buf *b);
/* Draws the replicates of all groupings. */
struct status fairness_replicate(const struct fairness_work *w, struct fairness_grouping *list,
                                 size_t n);

/* p-values of a family, and where their adjusted ones go ("p_adjusted" of an object). */
struct fairness_family {
    size_t n, room;
    double *p;
    json_t **where;
};
void fairness_family_done(struct fairness_family *f);
/* Sets "p"; borrows `where` until fairness_family_adjust. */
struct status fairness_family_add(struct fairness_family *f, double p, json_t *where);
struct status fairness_family_adjust(struct fairness_family *f);

/* A sentence into the document's remarks. */
struct status fairness_remark(const struct fairness_work *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Combinations of the control columns' levels; 0 without any. */
uint32_t fairness_strata(const struct fairness_work *w);
/* Everything that follows from the tallies, into o. */
struct status fairness_analyse(struct fairness_work *w, json_t *o);
json_t *fairness_number(double value, struct interval ci);
/* The sentence for a gap, the document's object with difference, ratio, p, p_adjusted, of the
 * extreme groups by names that stand alone ("race = Black"). */
struct status fairness_put_sentence(const struct fairness_work *w,
                                    const struct fairness_grouping *g, enum group_metric m,
                                    const struct group_estimate *high,
                                    const struct group_estimate *low, const char *high_name,
                                    const char *low_name, json_t *gap);

#endif
