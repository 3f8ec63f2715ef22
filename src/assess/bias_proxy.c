#include "assess/bias_proxy.h"

#include "num/normal.h"
#include "num/order.h"
#include "num/tail.h"

#include <math.h>
#include <stdlib.h>

#define LEAST_EXPECTED 5.0

uint32_t
proxy_fold(uint64_t row)
{
    return (uint32_t)(order_hash(0, row) % PROXY_FOLDS);
}

/* A cell while its fold is ranked. */
struct ranked {
    double score, positive, negative;
};

struct proxy_work {
    const uint64_t *count;
    uint32_t cells, groups;
    double *total;         /* cells * groups, over the folds */
    double *row, *fold;    /* cells, and cells * PROXY_FOLDS: over the groups */
    double *pool, *column; /* groups */
    struct ranked *rank;   /* cells */
};

size_t
proxy_workspace(uint32_t cells, uint32_t groups)
{
    return (size_t)cells * (groups + 1 + PROXY_FOLDS + 3) + 2 * (size_t)groups;
}

static struct proxy_work
work_of(const uint64_t *count, uint32_t cells, uint32_t groups, double *workspace)
{
    struct proxy_work w = {.count = count, .cells = cells, .groups = groups, .total = workspace};
    w.row = w.total + (size_t)cells * groups;
    w.fold = w.row + cells;
    w.pool = w.fold + (size_t)cells * PROXY_FOLDS;
    w.column = w.pool + groups;
    w.rank = (struct ranked *)(void *)(w.column + groups);
    memset(workspace, 0, proxy_workspace(cells, groups) * sizeof *workspace);
    for (size_t i = 0, c = 0; c < cells; c++) {
        for (size_t f = 0; f < PROXY_FOLDS; f++) {
            for (size_t g = 0; g < groups; g++, i++) {
                w.total[c * groups + g] += (double)count[i];
                w.fold[c * PROXY_FOLDS + f] += (double)count[i];
                w.row[c] += (double)count[i];
            }
        }
    }
    return w;
}

/* ---- information ---- */

static double
plogp(double x, double n)
{
    return x > 0 ? x / n * log(x / n) : 0;
}

static double
sum_of_column(const struct proxy_work *w, uint32_t g)
{
    double n = 0;
    for (size_t c = 0; c < w->cells; c++) {
        n += w->total[c * w->groups + g];
    }
    return n;
}

static void
information(const struct proxy_work *w, struct proxy *p)
{
    double n = 0, of_cell = 0, of_group = 0, joint = 0;
    for (size_t c = 0; c < w->cells; c++) {
        n += w->row[c];
    }
    for (size_t c = 0; c < w->cells; c++) {
        of_cell -= plogp(w->row[c], n);
        for (uint32_t g = 0; g < w->groups; g++) {
            joint -= plogp(w->total[c * w->groups + g], n);
        }
    }
    for (uint32_t g = 0; g < w->groups; g++) {
        of_group -= plogp(sum_of_column(w, g), n);
    }
    p->mutual_information = fmax(of_cell + of_group - joint, 0);
    p->normalized_mutual_information =
        of_cell + of_group > 0 ? 2 * p->mutual_information / (of_cell + of_group) : NAN;
    p->uncertainty = of_group > 0 ? p->mutual_information / of_group : NAN;
}

/* ---- the area, out of sample ---- */

static int
by_score(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return (x->score > y->score) - (x->score < y->score);
}

/* Ranked ascending; cells with the same score are one step. NaN without both kinds. */
static double
area(const struct ranked *rank, uint32_t n)
{
    double below = 0, won = 0, positives = 0;
    for (uint32_t i = 0; i < n;) {
        double positive = 0, negative = 0;
        const double score = rank[i].score;
        for (; i < n && rank[i].score == score; i++) {
            positive += rank[i].positive;
            negative += rank[i].negative;
        }
        won += positive * (below + negative / 2);
        below += negative;
        positives += positive;
    }
    return positives > 0 && below > 0 ? won / (positives * below) : NAN;
}

static double
in_fold(const struct proxy_work *w, size_t c, uint32_t fold, uint32_t g)
{
    return (double)w->count[(c * PROXY_FOLDS + fold) * w->groups + g];
}

/* The group's share of the rows of the other folds; NaN when they lack it. */
static double
share_elsewhere(const struct proxy_work *w, uint32_t fold, uint32_t g)
{
    double all = 0, of_group = 0;
    for (size_t c = 0; c < w->cells; c++) {
        all += w->row[c] - w->fold[c * PROXY_FOLDS + fold];
        of_group += w->total[c * w->groups + g] - in_fold(w, c, fold, g);
    }
    return of_group > 0 ? of_group / all : NAN;
}

/* One fold, one group. Each value is scored by its share of the group in the other folds and one
 * more row of the average kind, which is what a value that they lack is taken for. */
static double
fold_area(const struct proxy_work *w, uint32_t fold, uint32_t g)
{
    const double average = share_elsewhere(w, fold, g);
    uint32_t used = 0;
    for (size_t c = 0; c < w->cells; c++) {
        const double here = w->fold[c * PROXY_FOLDS + fold], positive = in_fold(w, c, fold, g);
        const double others = w->row[c] - here;
        const double found = w->total[c * w->groups + g] - positive;
        if (here > 0) {
            w->rank[used++] =
                (struct ranked){(found + average) / (others + 1), positive, here - positive};
        }
    }
    if (isnan(average)) {
        return NAN;
    }
    qsort(w->rank, used, sizeof *w->rank, by_score);
    return area(w->rank, used);
}

/* Standard error of an area from n1 and n2 rows. */
static double
hanley_mcneil(double auc, double n1, double n2)
{
    const double q1 = auc / (2 - auc), q2 = 2 * auc * auc / (1 + auc);
    const double variance =
        auc * (1 - auc) + (n1 - 1) * (q1 - auc * auc) + (n2 - 1) * (q2 - auc * auc);
    return sqrt(fmax(variance, 0) / (n1 * n2));
}

static void
rank_groups(const struct proxy_work *w, double level, struct proxy *p)
{
    double n = 0, mean = 0, error = 0;
    for (uint32_t g = 0; g < w->groups; g++) {
        n += sum_of_column(w, g);
    }
    for (uint32_t g = 0; g < w->groups; g++) {
        const double of_group = sum_of_column(w, g);
        double auc = 0;
        for (uint32_t f = 0; f < PROXY_FOLDS && of_group > 0; f++) {
            auc += fold_area(w, f, g) / PROXY_FOLDS;
        }
        if (of_group > 0) {
            mean += of_group / n * auc;
            error += of_group / n * hanley_mcneil(auc, of_group, n - of_group);
        }
    }
    const double half = normal_quantile((1 + level) / 2) * error;
    p->auc = n > 0 ? mean : NAN;
    p->auc_ci = (struct interval){fmax(p->auc - half, 0), fmin(p->auc + half, 1)};
    if (isnan(half) || isnan(p->auc)) {
        p->auc_ci = (struct interval){NAN, NAN};
    }
}

/* ---- the test ---- */

struct test {
    double statistic, df;
    uint32_t pooled;
};

/* One table under test: cells from..to-1 of w. */
struct slice {
    uint32_t from, to;
    double n, least, groups; /* rows, those of the smallest group, groups with rows */
};

static struct slice
slice_of(const struct proxy_work *w, uint32_t from, uint32_t to)
{
    struct slice s = {.from = from, .to = to, .least = INFINITY};
    for (uint32_t g = 0; g < w->groups; g++) {
        w->pool[g] = w->column[g] = 0;
        for (size_t c = from; c < to; c++) {
            w->column[g] += w->total[c * w->groups + g];
        }
        s.n += w->column[g];
        s.groups += w->column[g] > 0;
        s.least = w->column[g] > 0 ? fmin(s.least, w->column[g]) : s.least;
    }
    return s;
}

/* A row's part of the statistic: sum of (n - e)^2 / e. */
static double
row_part(const struct proxy_work *w, const struct slice *s, const double *row, double rows)
{
    double sum = 0;
    for (uint32_t g = 0; g < w->groups; g++) {
        const double expected = rows * w->column[g] / s->n;
        sum += expected > 0 ? (row[g] - expected) * (row[g] - expected) / expected : 0;
    }
    return sum;
}

static bool
is_rare(const struct slice *s, double rows)
{
    return rows * s->least / s->n < LEAST_EXPECTED;
}

/* Puts the rare cells into w->pool; returns their rows and the smallest of the others (or to). */
static double
pool_rare(const struct proxy_work *w, const struct slice *s, uint32_t *ret_smallest,
          uint32_t *ret_pooled)
{
    double pooled = 0, smallest = INFINITY;
    *ret_smallest = s->to;
    for (size_t c = s->from; c < s->to; c++) {
        const double rows = w->row[c];
        if (!is_rare(s, rows)) {
            *ret_smallest = rows < smallest ? (uint32_t)c : *ret_smallest;
            smallest = fmin(smallest, rows);
            continue;
        }
        *ret_pooled += rows > 0;
        pooled += rows;
        for (uint32_t g = 0; g < w->groups; g++) {
            w->pool[g] += w->total[c * w->groups + g];
        }
    }
    return pooled;
}

/* Adds the chi-square of the cells with the groups. A pool that is itself rare joins the smallest
 * of the other cells. */
static void
test_cells(const struct proxy_work *w, uint32_t from, uint32_t to, struct test *t)
{
    const struct slice s = slice_of(w, from, to);
    uint32_t smallest = to;
    double statistic = 0, kept = 0, pooled = pool_rare(w, &s, &smallest, &t->pooled);
    const bool joins = pooled > 0 && is_rare(&s, pooled) && smallest < to;
    for (uint32_t g = 0; g < w->groups && joins; g++) {
        w->pool[g] += w->total[(size_t)smallest * w->groups + g];
    }
    pooled += joins ? w->row[smallest] : 0;
    for (size_t c = from; c < to; c++) {
        const double rows = w->row[c];
        if (!is_rare(&s, rows) && !(joins && c == smallest)) {
            kept++;
            statistic += row_part(w, &s, w->total + c * w->groups, rows);
        }
    }
    if (pooled > 0) {
        kept++;
        statistic += row_part(w, &s, w->pool, pooled);
    }
    if (kept > 1 && s.groups > 1) {
        t->statistic += statistic;
        t->df += (kept - 1) * (s.groups - 1);
    }
}

static void
judge(const struct test *t, struct proxy *p)
{
    p->statistic = t->df > 0 ? t->statistic : NAN;
    p->df = t->df;
    p->p_value = tail_chi_square(p->statistic, p->df);
    p->pooled = t->pooled;
}

void
proxy_finish(const uint64_t *count, uint32_t cells, uint32_t groups, double level,
             double *workspace, struct proxy *ret_proxy)
{
    const struct proxy_work w = work_of(count, cells, groups, workspace);
    struct test t = {0};
    information(&w, ret_proxy);
    rank_groups(&w, level, ret_proxy);
    test_cells(&w, 0, cells, &t);
    judge(&t, ret_proxy);
}

void
proxy_finish_pair(const uint64_t *count, uint32_t a_levels, uint32_t b_levels, uint32_t groups,
                  double level, double *workspace, struct proxy *ret_proxy)
{
    const struct proxy_work w = work_of(count, a_levels * b_levels, groups, workspace);
    struct test t = {0};
    information(&w, ret_proxy);
    rank_groups(&w, level, ret_proxy);
    for (uint32_t a = 0; a < a_levels; a++) {
        test_cells(&w, a * b_levels, (a + 1) * b_levels, &t);
    }
    judge(&t, ret_proxy);
}
