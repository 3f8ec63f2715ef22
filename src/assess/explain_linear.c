/* What the background comes to. With nodes r of an interpolation in the background's margins,
 * g(m, b) = sum of L_r(b) g(m, at_r), so that a row needs of the background only
 *     share_r = mean of L_r(b)  and  moment_rj = mean of L_r(b) (b_j - E[x_j]):
 * phi_j = w_j sum of g(m, at_r) (share_r (x_j - E[x_j]) - moment_rj). Few rows, or margins that lie
 * too far apart to be interpolated, are nodes themselves: share 1 / rows, exact. */
#include "assess/explain_linear.h"

#include "assess/link_slope.h"
#include "base/threads.h"

#include <math.h>

#define TOLERANCE 1e-11
#define ROWS_AS_NODES 64u
#define BLOCK_ROWS 256u

struct nodes { /* of one output */
    size_t count;
    double *at, *share; /* count */
    double *moment;     /* count * features */
    double error;
};

struct explain_linear {
    const struct linear *m;
    bool probability;
    size_t left_out;
    double *mean;        /* features, in the features' own units */
    double *expected;    /* outputs */
    struct nodes *nodes; /* outputs; probability only */
};

void
explain_linear_free(struct explain_linear *e)
{
    if (e == NULL) {
        return;
    }
    for (uint32_t k = 0; e->nodes != NULL && k < e->m->outputs; k++) {
        free(e->nodes[k].at);
        free(e->nodes[k].share);
        free(e->nodes[k].moment);
    }
    free(e->nodes);
    free(e->mean);
    free(e->expected);
    free(e);
}

size_t
explain_linear_left_out(const struct explain_linear *e)
{
    return e->left_out;
}

size_t
explain_linear_nodes(const struct explain_linear *e, double *ret_error)
{
    size_t most = 0;
    *ret_error = 0;
    for (uint32_t k = 0; e->nodes != NULL && k < e->m->outputs; k++) {
        if (e->nodes[k].error > 0) {
            most = e->nodes[k].count > most ? e->nodes[k].count : most;
            *ret_error = fmax(*ret_error, e->nodes[k].error);
        }
    }
    return most;
}

void
explain_linear_expected(const struct explain_linear *e, double *ret_expected)
{
    memcpy(ret_expected, e->expected, e->m->outputs * sizeof *ret_expected);
}

/* ---- values ---- */

/* What the model reads: a missing value has the one that stands for it. */
static double
value_of(const struct linear *m, const float *row, uint32_t j)
{
    return isnan(row[j]) ? m->missing[j] : (double)row[j];
}

/* w_j: what a unit of the feature is worth. */
static double
worth(const struct linear *m, size_t output, uint32_t j)
{
    return m->coefficient[output * m->features + j] / m->scale[j];
}

/* ---- the background ---- */

/* The rows that have a margin, at the front of ret_row; margins beside them. */
static struct status
take_background(struct explain_linear *e, const float *background, size_t rows, size_t **ret_row,
                double **ret_margin, size_t *ret_rows)
{
    const size_t outputs = e->m->outputs;
    DEFER(memory_freep) size_t *row = calloc(rows + 1, sizeof *row);
    DEFER(memory_freep) double *margin = calloc(rows * outputs + 1, sizeof *margin);
    size_t kept = 0;
    CHECK(row != NULL && margin != NULL, MEMORY);
    linear_margin(e->m, background, rows, 1, margin);
    for (size_t i = 0; i < rows; i++) {
        if (!isnan(margin[i * outputs])) {
            memmove(margin + kept * outputs, margin + i * outputs, outputs * sizeof *margin);
            row[kept++] = i;
        }
    }
    e->left_out = rows - kept;
    CHECK(kept > 0, INPUT);
    *ret_row = MOVE(row);
    *ret_margin = MOVE(margin);
    *ret_rows = kept;
    return OK;
}

/* From the first value on, so that what never varies is nothing. */
static void
make_means(struct explain_linear *e, const float *background, const size_t *row, size_t rows)
{
    const struct linear *m = e->m;
    for (uint32_t j = 0; j < m->features; j++) {
        const double first = value_of(m, background + row[0] * m->features, j);
        double sum = 0;
        for (size_t i = 0; i < rows; i++) {
            sum += value_of(m, background + row[i] * m->features, j) - first;
        }
        e->mean[j] = first + sum / (double)rows;
    }
}

static void
expect_margin(struct explain_linear *e)
{
    const struct linear *m = e->m;
    for (uint32_t k = 0; k < m->outputs; k++) {
        e->expected[k] = m->intercept[k];
        for (uint32_t j = 0; j < m->features; j++) {
            e->expected[k] += worth(m, k, j) * (e->mean[j] - m->mean[j]);
        }
    }
}

static void
expect_answer(struct explain_linear *e, const double *margin, size_t rows)
{
    const uint32_t outputs = e->m->outputs;
    for (size_t i = 0; i < rows * outputs; i++) {
        double answer = margin[i];
        link_apply(e->m->link, 1, 1, &answer, 1);
        e->expected[i % outputs] += answer;
    }
    for (uint32_t k = 0; k < outputs; k++) {
        e->expected[k] /= (double)rows;
    }
}

/* ---- nodes ---- */

struct background {
    const float *x;
    const size_t *row;
    const double *margin; /* rows * outputs */
    size_t rows;
};

static struct status
nodes_room(struct nodes *n, size_t count, uint32_t features)
{
    n->count = count;
    n->at = calloc(count, sizeof *n->at);
    n->share = calloc(count, sizeof *n->share);
    n->moment = calloc(count * features + 1, sizeof *n->moment);
    CHECK(n->at != NULL && n->share != NULL && n->moment != NULL, MEMORY);
    return OK;
}

static void
add_moment(const struct explain_linear *e, const float *row, double weight, double *moment)
{
    for (uint32_t j = 0; j < e->m->features; j++) {
        moment[j] += weight * (value_of(e->m, row, j) - e->mean[j]);
    }
}

static struct status
nodes_of_rows(const struct explain_linear *e, const struct background *b, size_t output,
              struct nodes *n)
{
    const size_t features = e->m->features;
    TRY(nodes_room(n, b->rows, e->m->features));
    for (size_t i = 0; i < b->rows; i++) {
        n->at[i] = b->margin[i * e->m->outputs + output];
        n->share[i] = 1 / (double)b->rows;
        add_moment(e, b->x + b->row[i] * features, n->share[i], n->moment + i * features);
    }
    return OK;
}

static struct status
nodes_of_interpolation(const struct explain_linear *e, const struct background *b, size_t output,
                       const struct interpolation *p, struct nodes *n)
{
    const size_t features = e->m->features;
    double weight[INTERPOLATION_NODES_MAX];
    TRY(nodes_room(n, p->nodes, e->m->features));
    n->error = p->error;
    memcpy(n->at, p->at, p->nodes * sizeof *n->at);
    for (size_t i = 0; i < b->rows; i++) {
        interpolation_weights(p, b->margin[i * e->m->outputs + output], weight);
        for (uint32_t r = 0; r < p->nodes; r++) {
            weight[r] /= (double)b->rows;
            n->share[r] += weight[r];
            add_moment(e, b->x + b->row[i] * features, weight[r], n->moment + r * features);
        }
    }
    return OK;
}

static struct status
make_nodes(const struct explain_linear *e, const struct background *b, size_t output,
           struct nodes *n)
{
    const struct slope slope = {e->m->link, 1};
    struct interpolation p;
    double low = b->margin[output], high = low;
    for (size_t i = 1; i < b->rows; i++) {
        low = fmin(low, b->margin[i * e->m->outputs + output]);
        high = fmax(high, b->margin[i * e->m->outputs + output]);
    }
    return b->rows > ROWS_AS_NODES && interpolation_new(slope, low, high, TOLERANCE, &p)
               ? nodes_of_interpolation(e, b, output, &p, n)
               : nodes_of_rows(e, b, output, n);
}

static struct status
read_background(struct explain_linear *e, const float *background, size_t rows)
{
    DEFER(memory_freep) size_t *row = NULL;
    DEFER(memory_freep) double *margin = NULL;
    size_t kept = 0;
    TRY(take_background(e, background, rows, &row, &margin, &kept));
    make_means(e, background, row, kept);
    if (!e->probability) {
        expect_margin(e);
        return OK;
    }
    const struct background b = {background, row, margin, kept};
    expect_answer(e, margin, kept);
    e->nodes = calloc(e->m->outputs, sizeof *e->nodes);
    CHECK(e->nodes != NULL, MEMORY);
    for (uint32_t k = 0; k < e->m->outputs; k++) {
        TRY(make_nodes(e, &b, k, &e->nodes[k]));
    }
    return OK;
}

struct status
explain_linear_new(const struct linear *m, const float *background, size_t rows, bool probability,
                   struct explain_linear **ret_explainer)
{
    ASSERT(background != NULL ? rows > 0 : m->has_mean && !probability);
    CHECK(!probability || link_slope_known(m->link), UNSUPPORTED);
    DEFER(explain_linear_freep) struct explain_linear *e = calloc(1, sizeof *e);
    CHECK(e != NULL, MEMORY);
    e->m = m;
    e->probability = probability;
    e->mean = calloc(m->features, sizeof *e->mean);
    e->expected = calloc(m->outputs, sizeof *e->expected);
    CHECK(e->mean != NULL && e->expected != NULL, MEMORY);
    if (background != NULL) {
        TRY(read_background(e, background, rows));
    } else {
        memcpy(e->mean, m->mean, m->features * sizeof *e->mean);
        expect_margin(e);
    }
    *ret_explainer = MOVE(e);
    return OK;
}

/* ---- rows ---- */

struct job {
    const struct explain_linear *e;
    const float *x;
    size_t rows;
    double *phi;
};

static void
attribute_answer(const struct explain_linear *e, const float *row, double margin, size_t output,
                 double *ret_phi)
{
    const struct linear *m = e->m;
    const struct nodes *n = &e->nodes[output];
    const struct slope slope = {m->link, 1};
    double share = 0;
    memset(ret_phi, 0, m->features * sizeof *ret_phi);
    for (size_t r = 0; r < n->count; r++) {
        const double g = link_slope(slope, margin, n->at[r]);
        share += g * n->share[r];
        for (uint32_t j = 0; j < m->features; j++) {
            ret_phi[j] -= g * n->moment[r * m->features + j];
        }
    }
    for (uint32_t j = 0; j < m->features; j++) {
        const double from_mean = value_of(m, row, j) - e->mean[j];
        ret_phi[j] = worth(m, output, j) * (share * from_mean + ret_phi[j]);
    }
}

static void
attribute_row(const struct explain_linear *e, const float *row, double *ret_phi)
{
    const struct linear *m = e->m;
    double margin[LINEAR_MAX_OUTPUTS];
    linear_margin(m, row, 1, 1, margin);
    for (uint32_t k = 0; k < m->outputs; k++) {
        double *phi = ret_phi + (size_t)k * m->features;
        if (e->probability && !isnan(margin[k])) {
            attribute_answer(e, row, margin[k], k, phi);
            continue;
        }
        for (uint32_t j = 0; j < m->features; j++) {
            phi[j] = isnan(margin[k]) ? (double)NAN
                                      : worth(m, k, j) * (value_of(m, row, j) - e->mean[j]);
        }
    }
}

static void
attribute_block(void *ctx, size_t block)
{
    const struct job *j = ctx;
    const size_t first = block * BLOCK_ROWS, features = j->e->m->features,
                 end = first + BLOCK_ROWS < j->rows ? first + BLOCK_ROWS : j->rows;
    for (size_t i = first; i < end; i++) {
        attribute_row(j->e, j->x + i * features, j->phi + i * features * j->e->m->outputs);
    }
}

void
explain_linear_rows(const struct explain_linear *e, const float *x, size_t rows, unsigned threads,
                    double *ret_phi)
{
    struct job j = {e, x, rows, ret_phi};
    threads_for((rows + BLOCK_ROWS - 1) / BLOCK_ROWS, threads, attribute_block, &j);
}
