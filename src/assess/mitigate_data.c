/* Weights and features: what is changed before training. */
#include "assess/mitigate.h"

#include <math.h>
#include <string.h>

static double
sum_of(const uint64_t *count, uint32_t n, size_t stride)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += (double)count[i * stride];
    }
    return sum;
}

void
reweigh(const uint64_t *count, uint32_t groups, uint32_t classes, double *ret_weight,
        uint32_t *ret_empty)
{
    const double n = sum_of(count, groups * classes, 1);
    *ret_empty = 0;
    for (uint32_t g = 0; g < groups; g++) {
        const double here = sum_of(count + (size_t)g * classes, classes, 1);
        bool lacks = false;
        for (uint32_t y = 0; y < classes; y++) {
            const size_t at = (size_t)g * classes + y;
            const double cell = (double)count[at], of = sum_of(count + y, groups, classes);
            ret_weight[at] = cell > 0 ? here * of / (n * cell) : 0;
            lacks |= here > 0 && cell == 0 && of > 0;
        }
        *ret_empty += lacks;
    }
}

/* ---- correlation remover ---- */

static struct status
check_finite(const double *v, size_t rows, size_t columns, const char *what, struct diag *diag)
{
    for (size_t i = 0; i < rows * columns; i++) {
        if (!isfinite(v[i])) {
            diag_set(diag, "%s: column %zu, row %zu: a finite number is needed", what,
                     i % columns + 1, i / columns + 1);
            FAIL(INPUT);
        }
    }
    return OK;
}

static double
dot(const double *a, const double *b, size_t rows)
{
    double sum = 0;
    for (size_t i = 0; i < rows; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

static void
subtract(double *a, const double *b, double times, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        a[i] -= times * b[i];
    }
}

/* Centred columns of s, made orthonormal by modified Gram-Schmidt, twice, column after column: q,
 * rank * rows. combine[rank * columns]: of which centred columns each one is made; mean[columns].
 */
static size_t
orthonormal(const double *s, size_t rows, size_t columns, double *q, double *mean, double *combine)
{
    size_t rank = 0;
    for (size_t k = 0; k < columns; k++) {
        double *column = q + rank * rows, *of = combine + rank * columns, raw = 0;
        mean[k] = 0;
        for (size_t i = 0; i < rows; i++) {
            mean[k] += s[i * columns + k] / (double)rows;
            raw += s[i * columns + k] * s[i * columns + k];
        }
        for (size_t i = 0; i < rows; i++) {
            column[i] = s[i * columns + k] - mean[k];
        }
        memset(of, 0, columns * sizeof *of);
        of[k] = 1;
        const double size = dot(column, column, rows);
        for (size_t pass = 0; pass < 2; pass++) {
            for (size_t j = 0; j < rank; j++) {
                const double along = dot(column, q + j * rows, rows);
                subtract(column, q + j * rows, along, rows);
                subtract(of, combine + j * columns, along, columns);
            }
        }
        const double left = dot(column, column, rows);
        /* What rounding leaves of a constant column is no variance. */
        if (left > 1e-10 * size && size > 1e-24 * raw) {
            for (size_t i = 0; i < rows; i++) {
                column[i] /= sqrt(left);
            }
            for (size_t j = 0; j < columns; j++) {
                of[j] /= sqrt(left);
            }
            rank++;
        }
    }
    return rank;
}

/* Finite values in, and the sensitive columns' orthonormal ones. */
struct basis {
    double *q, *mean, *combine;
    size_t rank;
};

static void
basis_done(struct basis *b)
{
    free(b->q);
    free(b->mean);
    free(b->combine);
}

static struct status
make_basis(const double *z, size_t rows, size_t features, const double *s, size_t sensitive,
           struct diag *diag, struct basis *b)
{
    TRY(check_finite(z, rows, features, "features", diag));
    TRY(check_finite(s, rows, sensitive, "sensitive columns", diag));
    b->q = calloc(rows * sensitive + 1, sizeof *b->q);
    b->mean = calloc(sensitive + 1, sizeof *b->mean);
    b->combine = calloc(sensitive * sensitive + 1, sizeof *b->combine);
    CHECK(b->q != NULL && b->mean != NULL && b->combine != NULL, MEMORY);
    b->rank = orthonormal(s, rows, sensitive, b->q, b->mean, b->combine);
    return OK;
}

static void
take_column(const double *z, size_t rows, size_t features, size_t f, double *ret_column)
{
    for (size_t i = 0; i < rows; i++) {
        ret_column[i] = z[i * features + f];
    }
}

struct status
correlation_remove(double *z, size_t rows, size_t features, const double *s, size_t sensitive,
                   double alpha, struct diag *diag, size_t *ret_rank)
{
    DEFER(basis_done) struct basis b = {0};
    DEFER(memory_freep) double *column = calloc(rows + 1, sizeof *column);
    CHECK(column != NULL, MEMORY);
    if (!(alpha >= 0 && alpha <= 1)) {
        diag_set(diag, "alpha %g: from 0 to 1", alpha);
        FAIL(INPUT);
    }
    TRY(make_basis(z, rows, features, s, sensitive, diag, &b));
    for (size_t f = 0; f < features; f++) {
        take_column(z, rows, features, f, column);
        for (size_t j = 0; j < b.rank; j++) {
            subtract(column, b.q + j * rows, alpha * dot(column, b.q + j * rows, rows), rows);
        }
        for (size_t i = 0; i < rows; i++) {
            z[i * features + f] = column[i];
        }
    }
    *ret_rank = b.rank;
    return OK;
}

struct status
correlation_fit(const double *z, size_t rows, size_t features, const double *s, size_t sensitive,
                struct diag *diag, double *ret_mean, double *ret_w, size_t *ret_rank)
{
    DEFER(basis_done) struct basis b = {0};
    DEFER(memory_freep) double *column = calloc(rows + 1, sizeof *column);
    CHECK(column != NULL, MEMORY);
    TRY(make_basis(z, rows, features, s, sensitive, diag, &b));
    memset(ret_w, 0, sensitive * features * sizeof *ret_w);
    for (size_t f = 0; f < features; f++) {
        take_column(z, rows, features, f, column);
        for (size_t j = 0; j < b.rank; j++) {
            const double along = dot(column, b.q + j * rows, rows);
            subtract(column, b.q + j * rows, along, rows);
            for (size_t k = 0; k < sensitive; k++) {
                ret_w[k * features + f] += along * b.combine[j * sensitive + k];
            }
        }
    }
    memcpy(ret_mean, b.mean, sensitive * sizeof *ret_mean);
    *ret_rank = b.rank;
    return OK;
}
