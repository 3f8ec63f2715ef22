#include "model/link.h"

#include <math.h>

static void
softmax(double *v, uint32_t n)
{
    double most = v[0], sum = 0;
    for (uint32_t k = 1; k < n; k++) {
        most = v[k] > most ? v[k] : most;
    }
    for (uint32_t k = 0; k < n; k++) {
        v[k] = exp(v[k] - most);
        sum += v[k];
    }
    for (uint32_t k = 0; k < n; k++) {
        v[k] /= sum;
    }
}

static double
linked(enum forest_link link, double scale, double m)
{
    switch (link) {
    case FOREST_LOGISTIC:
        return 1 / (1 + exp(-scale * m));
    case FOREST_EXP:
        return exp(m);
    case FOREST_SIGNED_SQUARE:
        return m < 0 ? -m * m : m * m;
    case FOREST_LOG1P_EXP:
        return m > 0 ? m + log1p(exp(-m)) : log1p(exp(m));
    case FOREST_IDENTITY:
    case FOREST_SOFTMAX:
        break;
    }
    return m;
}

const char *
link_word(enum forest_link link)
{
    static const char *const words[] = {[FOREST_IDENTITY] = "identity",
                                        [FOREST_LOGISTIC] = "logistic",
                                        [FOREST_SOFTMAX] = "softmax",
                                        [FOREST_EXP] = "exp",
                                        [FOREST_SIGNED_SQUARE] = "signed square",
                                        [FOREST_LOG1P_EXP] = "log1p exp"};
    return words[link];
}

void
link_apply(enum forest_link link, double scale, uint32_t outputs, double *margin, size_t rows)
{
    if (link == FOREST_SOFTMAX) {
        for (size_t r = 0; r < rows; r++) {
            softmax(margin + r * outputs, outputs);
        }
        return;
    }
    for (size_t i = 0; i < rows * outputs; i++) {
        margin[i] = linked(link, scale, margin[i]);
    }
}
