/* link_slope: a link's mean slope between two margins, by which attributions of the margin are
 * scaled to those of what the model answers (as shap's model_output="probability"): sum of phi
 * times g(m, b) is link(m) - link(b). */
#ifndef STEWARD_ASSESS_LINK_SLOPE_H
#define STEWARD_ASSESS_LINK_SLOPE_H

#include "model/link.h"

#include <stdbool.h>

struct slope {
    enum forest_link link;
    double scale; /* of the logistic link */
};

/* Links of which g is known: logistic, exp, identity. */
bool link_slope_known(enum forest_link link);
/* g(m, b) = (link(m) - link(b)) / (m - b); the link's derivative where both are the same. */
double link_slope(struct slope s, double m, double b);

#define INTERPOLATION_NODES_MAX 256u

/* g over margins b in [low, high] by values at nodes. */
struct interpolation {
    uint32_t nodes;
    double error; /* over the largest g, the worst row's */
    double at[INTERPOLATION_NODES_MAX];
    double weight[INTERPOLATION_NODES_MAX]; /* barycentric */
};

/* The fewest nodes whose error is at most `tolerance`: false when INTERPOLATION_NODES_MAX are not
 * enough. */
bool interpolation_new(struct slope s, double low, double high, double tolerance,
                       struct interpolation *ret);
/* L_r(b) */
double interpolation_weight(const struct interpolation *i, uint32_t r, double b);
/* All of them: ret_weight[nodes]. */
void interpolation_weights(const struct interpolation *i, double b, double *ret_weight);

#endif
