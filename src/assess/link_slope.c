/* The link's mean slope g(m, b) = (link(m) - link(b)) / (m - b), and its interpolation in b:
 * Chebyshev nodes of the first kind, barycentric (Berrut and Trefethen, "Barycentric Lagrange
 * interpolation", SIAM Review 2004). The logistic g has its nearest poles at +-i pi whatever m is,
 * so that the error falls as rho^-R, rho = y + sqrt(1 + y^2), y = pi / half the span of the
 * margins. */
#include "assess/link_slope.h"

#include <math.h>
#include <string.h>

bool
link_slope_known(enum forest_link link)
{
    return link == FOREST_LOGISTIC || link == FOREST_EXP || link == FOREST_IDENTITY;
}

/* sinh(h) / h */
static double
sinhc(double h)
{
    return fabs(h) < 1e-4 ? 1 + h * h / 6 : sinh(h) / h;
}

/* Nothing is lost to cancellation: for close margins by sinh(d/2) / (2 cosh(m/2) cosh(b/2)), else
 * by the probabilities of the rarer class. */
static double
logistic_slope(double m, double b)
{
    const double d = m - b;
    if (fabs(d) < 1) {
        const double e = exp(-(fabs(m) + fabs(b)) / 2);
        return sinhc(d / 2) * e / ((1 + exp(-fabs(m))) * (1 + exp(-fabs(b))));
    }
    return m + b > 0 ? (1 / (1 + exp(b)) - 1 / (1 + exp(m))) / d
                     : (1 / (1 + exp(-m)) - 1 / (1 + exp(-b))) / d;
}

double
link_slope(struct slope s, double m, double b)
{
    switch (s.link) {
    case FOREST_LOGISTIC:
        return s.scale * logistic_slope(s.scale * m, s.scale * b);
    case FOREST_EXP:
        return exp((m + b) / 2) * sinhc((m - b) / 2);
    case FOREST_IDENTITY:
    case FOREST_SOFTMAX:
    case FOREST_SIGNED_SQUARE:
    case FOREST_LOG1P_EXP:
        break;
    }
    return 1;
}

double
interpolation_weight(const struct interpolation *i, uint32_t r, double b)
{
    double sum = 0;
    for (uint32_t s = 0; s < i->nodes; s++) {
        const double d = b - i->at[s];
        if (d == 0) {
            return s == r;
        }
        sum += i->weight[s] / d;
    }
    return i->weight[r] / (b - i->at[r]) / sum;
}

void
interpolation_weights(const struct interpolation *i, double b, double *ret_weight)
{
    double sum = 0;
    for (uint32_t r = 0; r < i->nodes; r++) {
        const double d = b - i->at[r];
        if (d == 0) {
            memset(ret_weight, 0, i->nodes * sizeof *ret_weight);
            ret_weight[r] = 1;
            return;
        }
        ret_weight[r] = i->weight[r] / d;
        sum += ret_weight[r];
    }
    for (uint32_t r = 0; r < i->nodes; r++) {
        ret_weight[r] /= sum;
    }
}

static void
place_nodes(struct interpolation *i, uint32_t nodes, double low, double high)
{
    i->nodes = nodes;
    for (uint32_t r = 0; r < nodes; r++) {
        const double angle = (2 * r + 1) * M_PI / (2.0 * nodes);
        i->at[r] = (low + high) / 2 + (high - low) / 2 * cos(angle);
        i->weight[r] = r % 2 == 0 ? sin(angle) : -sin(angle);
    }
}

#define GRID 97u /* margins of the background at which the error is looked at */
#define FAR 12.0 /* rows are looked at up to so far outside the background's margins */
#define ROWS 33u

/* Over the largest g of a row with margin m. */
static double
error_of(struct slope s, const struct interpolation *i, double m, double low, double high)
{
    double most = 0, error = 0, value[INTERPOLATION_NODES_MAX];
    for (uint32_t r = 0; r < i->nodes; r++) {
        value[r] = link_slope(s, m, i->at[r]);
    }
    for (uint32_t k = 0; k < GRID; k++) {
        const double b = low + (high - low) * k / (GRID - 1), g = link_slope(s, m, b);
        double sum = 0, total = 0;
        bool at_node = false;
        for (uint32_t r = 0; r < i->nodes; r++) {
            const double d = b - i->at[r], w = d == 0 ? 0 : i->weight[r] / d;
            at_node = at_node || d == 0;
            sum += w * value[r];
            total += w;
        }
        most = fabs(g) > most ? fabs(g) : most;
        error = !at_node && fabs(sum / total - g) > error ? fabs(sum / total - g) : error;
    }
    return error / most;
}

static double
worst_error(struct slope s, const struct interpolation *i, double low, double high)
{
    const double far = s.link == FOREST_LOGISTIC ? FAR / s.scale : FAR;
    double worst = 0;
    for (uint32_t k = 0; k < ROWS; k++) {
        const double m = low - far + (high - low + 2 * far) * k / (ROWS - 1);
        const double error = error_of(s, i, m, low, high);
        worst = error > worst ? error : worst;
    }
    return worst;
}

bool
interpolation_new(struct slope s, double low, double high, double tolerance,
                  struct interpolation *ret)
{
    if (low == high || s.link == FOREST_IDENTITY) { /* one value of g */
        *ret = (struct interpolation){.nodes = 1, .at = {low}, .weight = {1}};
        return true;
    }
    for (uint32_t nodes = 4; nodes <= INTERPOLATION_NODES_MAX; nodes += 2 + nodes / 10) {
        place_nodes(ret, nodes, low, high);
        ret->error = worst_error(s, ret, low, high);
        if (ret->error <= tolerance) {
            return true;
        }
    }
    return false;
}
