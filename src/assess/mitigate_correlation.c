/* The correlation remover: features without linear trace of the sensitive columns. */
#include "assess/mitigate.h"
#include "num/sum.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Three passes over the rows, each of exact sums, which merge: the means; products of the sensitive
 * columns' deviations, of which orthonormal directions are made (Cholesky); products of those,
 * which are orthonormal but for what the condition of the columns cost, and of them with the
 * features (Cholesky QR twice: Yamamoto et al., ETNA 44, 2015, as good as Householder's). */
struct fit {
    const struct correlation_rows *part;
    size_t parts, features, sensitive, rows, rank;
    size_t *kept;           /* rank: which of the directions before each one was made of, last */
    double *mean;           /* sensitive, then features */
    double *combine;        /* rank * sensitive: of which deviations a direction is made */
    double *lower;          /* rank * rank: Cholesky's factor of the directions' products */
    double *along;          /* rank * features */
    double *work;           /* 2 * sensitive^2: directions that are being made; one row */
    struct sum *own, *with; /* sensitive^2, sensitive * features: products */
};

static void
fit_done(struct fit *f)
{
    free(f->kept);
    free(f->mean);
    free(f->combine);
    free(f->lower);
    free(f->along);
    free(f->work);
    free(f->own);
    free(f->with);
}

static struct status
fit_make(struct fit *f)
{
    const size_t s = f->sensitive, z = f->features;
    f->kept = calloc(s + 1, sizeof *f->kept);
    f->mean = calloc(s + z + 1, sizeof *f->mean);
    f->combine = calloc(s * s + 1, sizeof *f->combine);
    f->lower = calloc(s * s + 1, sizeof *f->lower);
    f->along = calloc(s * z + 1, sizeof *f->along);
    f->work = calloc(s * s + s + 1, sizeof *f->work);
    f->own = calloc(s * s + s + z + 1, sizeof *f->own);
    f->with = calloc(s * z + 1, sizeof *f->with);
    CHECK(f->kept != NULL && f->mean != NULL && f->combine != NULL && f->lower != NULL &&
              f->along != NULL && f->work != NULL && f->own != NULL && f->with != NULL,
          MEMORY);
    return OK;
}

static struct status
check_finite(const double *v, size_t rows, size_t columns, size_t first, const char *what,
             struct diag *diag)
{
    for (size_t i = 0; i < rows * columns; i++) {
        if (!isfinite(v[i])) {
            diag_set(diag, "%s: column %zu, row %zu: a finite number is needed", what,
                     i % columns + 1, first + i / columns + 1);
            FAIL(INPUT);
        }
    }
    return OK;
}

static struct status
check_parts(struct fit *f, struct diag *diag)
{
    for (size_t p = 0; p < f->parts; p++) {
        const struct correlation_rows *r = &f->part[p];
        TRY(check_finite(r->z, r->rows, f->features, f->rows, "features", diag));
        TRY(check_finite(r->s, r->rows, f->sensitive, f->rows, "sensitive columns", diag));
        f->rows += r->rows;
    }
    return OK;
}

static void
find_means(struct fit *f)
{
    const size_t s = f->sensitive, z = f->features;
    for (size_t p = 0; p < f->parts; p++) {
        const struct correlation_rows *r = &f->part[p];
        for (size_t i = 0; i < r->rows; i++) {
            for (size_t k = 0; k < s; k++) {
                sum_add(&f->own[k], r->s[i * s + k]);
            }
            for (size_t k = 0; k < z; k++) {
                sum_add(&f->own[s + k], r->z[i * z + k]);
            }
        }
    }
    for (size_t k = 0; k < s + z && f->rows > 0; k++) {
        f->mean[k] = sum_value(&f->own[k]) / (double)f->rows;
    }
}

/* direction[rank]: the row's places along them. */
static void
place_row(const struct fit *f, const double *s, double *direction)
{
    for (size_t j = 0; j < f->rank; j++) {
        direction[j] = 0;
        for (size_t k = 0; k < f->sensitive; k++) {
            direction[j] += f->combine[j * f->sensitive + k] * (s[k] - f->mean[k]);
        }
    }
}

static void
add_row(struct fit *f, const double *direction, const double *z)
{
    for (size_t j = 0; j < f->rank; j++) {
        for (size_t k = 0; k <= j; k++) {
            sum_add(&f->own[j * f->rank + k], direction[j] * direction[k]);
        }
        for (size_t k = 0; z != NULL && k < f->features; k++) {
            sum_add(&f->with[j * f->features + k],
                    direction[j] * (z[k] - f->mean[f->sensitive + k]));
        }
    }
}

static void
add_products(struct fit *f, bool features)
{
    double *direction = f->work + f->sensitive * f->sensitive;
    memset(f->own, 0, f->rank * f->rank * sizeof *f->own);
    for (size_t p = 0; p < f->parts; p++) {
        const struct correlation_rows *r = &f->part[p];
        for (size_t i = 0; i < r->rows; i++) {
            place_row(f, r->s + i * f->sensitive, direction);
            add_row(f, direction, features ? r->z + i * f->features : NULL);
        }
    }
}

/* What rounding leaves of a constant column is no variance, nor what is left of one that others
 * explain. */
static bool
is_new(const struct fit *f, size_t k, double size, double left)
{
    const double raw = size + (double)f->rows * f->mean[k] * f->mean[k];
    return left > 1e-10 * size && size > 1e-24 * raw;
}

/* The factor's line of direction k: its products with those that are made, which are taken off it.
 * What is left of its size. */
static double
take_off(struct fit *f, size_t n, size_t k, size_t rank)
{
    const size_t width = f->sensitive;
    double *line = f->lower + rank * width, *of = f->work + rank * width;
    double left = sum_value(&f->own[k * n + k]);
    memcpy(of, f->combine + k * width, width * sizeof *of);
    for (size_t j = 0; j < rank; j++) {
        const double *other = f->lower + j * width;
        double product = sum_value(&f->own[k * n + f->kept[j]]);
        for (size_t m = 0; m < j; m++) {
            product -= line[m] * other[m];
        }
        line[j] = product / other[j];
        left -= line[j] * line[j];
        for (size_t c = 0; c < width; c++) {
            of[c] -= line[j] * f->work[j * width + c];
        }
    }
    return left;
}

/* The directions made orthonormal, one after the other; first: those that are not new are dropped.
 */
static void
orthonormalise(struct fit *f, bool first)
{
    const size_t n = f->rank, width = f->sensitive;
    size_t rank = 0;
    for (size_t k = 0; k < n; k++) {
        const double left = take_off(f, n, k, rank);
        if (first && !is_new(f, k, sum_value(&f->own[k * n + k]), left)) {
            continue;
        }
        f->lower[rank * width + rank] = sqrt(left);
        for (size_t c = 0; c < width; c++) {
            f->work[rank * width + c] /= sqrt(left);
        }
        f->kept[rank++] = k;
    }
    memcpy(f->combine, f->work, rank * width * sizeof *f->combine);
    f->rank = rank;
}

/* The features' products with the directions that were, as those with the ones that are. */
static void
find_along(struct fit *f)
{
    for (size_t j = 0; j < f->rank; j++) {
        const double *line = f->lower + j * f->sensitive;
        for (size_t k = 0; k < f->features; k++) {
            double product = sum_value(&f->with[j * f->features + k]);
            for (size_t m = 0; m < j; m++) {
                product -= line[m] * f->along[m * f->features + k];
            }
            f->along[j * f->features + k] = product / line[j];
        }
    }
}

/* Squares of what is larger than the root of the largest double have no sum. */
static struct status
check_size(const struct fit *f, struct diag *diag)
{
    for (size_t k = 0; k < f->sensitive; k++) {
        if (!isfinite(sum_value(&f->own[k * f->rank + k]))) {
            diag_set(diag,
                     "sensitive columns: column %zu: numbers so large that their squares are "
                     "infinite",
                     k + 1);
            FAIL(INPUT);
        }
    }
    return OK;
}

static struct status
find_directions(struct fit *f, struct diag *diag)
{
    find_means(f);
    f->rank = f->sensitive;
    for (size_t k = 0; k < f->sensitive; k++) {
        f->combine[k * f->sensitive + k] = 1;
    }
    add_products(f, false);
    TRY(check_size(f, diag));
    orthonormalise(f, true);
    add_products(f, true);
    orthonormalise(f, false);
    find_along(f);
    return OK;
}

struct status
correlation_fit(const struct correlation_rows *part, size_t parts, size_t features,
                size_t sensitive, struct diag *diag, double *ret_mean, double *ret_w,
                size_t *ret_rank)
{
    DEFER(fit_done)
    struct fit f = {.part = part, .parts = parts, .features = features, .sensitive = sensitive};
    TRY(check_parts(&f, diag));
    TRY(fit_make(&f));
    TRY(find_directions(&f, diag));
    memset(ret_w, 0, sensitive * features * sizeof *ret_w);
    for (size_t j = 0; j < f.rank; j++) {
        for (size_t k = 0; k < sensitive; k++) {
            for (size_t c = 0; c < features; c++) {
                ret_w[k * features + c] += f.combine[j * sensitive + k] * f.along[j * features + c];
            }
        }
    }
    memcpy(ret_mean, f.mean, sensitive * sizeof *ret_mean);
    *ret_rank = f.rank;
    return OK;
}

struct status
correlation_remove(double *z, size_t rows, size_t features, const double *s, size_t sensitive,
                   double alpha, struct diag *diag, size_t *ret_rank)
{
    const struct correlation_rows all = {z, s, rows};
    DEFER(fit_done)
    struct fit f = {.part = &all, .parts = 1, .features = features, .sensitive = sensitive};
    if (!(alpha >= 0 && alpha <= 1)) {
        diag_set(diag, "alpha %g: from 0 to 1", alpha);
        FAIL(INPUT);
    }
    TRY(check_parts(&f, diag));
    TRY(fit_make(&f));
    TRY(find_directions(&f, diag));
    for (size_t i = 0; i < rows; i++) {
        place_row(&f, s + i * sensitive, f.work);
        for (size_t j = 0; j < f.rank; j++) {
            for (size_t c = 0; c < features; c++) {
                z[i * features + c] -= alpha * f.work[j] * f.along[j * features + c];
            }
        }
    }
    *ret_rank = f.rank;
    return OK;
}
