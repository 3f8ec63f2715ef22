#include "assess/slices_parts.h"

#include "num/fdr.h"
#include "num/hypergeometric.h"
#include "num/normal.h"
#include "num/sum.h"

#include <math.h>
#include <stdlib.h>

#define LEVELS_MAX 1e12 /* a level of confidence is a double below one */

/* ---- the losses ---- */

static void
losses_done(struct slices_losses *l)
{
    free(l->row);
    free(l->value);
}

struct entry {
    double loss;
    uint32_t row;
};

static int
compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->loss > y->loss || x->loss < y->loss) {
        return x->loss > y->loss ? -1 : 1;
    }
    return (x->row > y->row) - (x->row < y->row);
}

static struct status
sort_losses(struct slices_losses *l, const double *loss)
{
    DEFER(memory_freep) struct entry *entry = calloc(l->count + 1, sizeof *entry);
    l->value = calloc(l->count + 1, sizeof *l->value);
    CHECK(entry != NULL && l->value != NULL, MEMORY);
    for (size_t i = 0; i < l->count; i++) {
        entry[i] = (struct entry){loss[l->row[i]], l->row[i]};
    }
    qsort(entry, l->count, sizeof *entry, compare_entries);
    for (size_t i = 0; i < l->count; i++) {
        l->row[i] = entry[i].row;
        l->value[i] = entry[i].loss;
    }
    return OK;
}

static struct status
losses_of(const double *loss, size_t rows, struct slices_losses *ret_losses)
{
    DEFER(losses_done) struct slices_losses l = {0};
    bool binary = true;
    l.row = calloc(rows + 1, sizeof *l.row);
    CHECK(l.row != NULL, MEMORY);
    for (size_t i = 0; i < rows; i++) {
        CHECK(isfinite(loss[i]) && loss[i] >= 0, INPUT);
        l.row[l.count] = (uint32_t)i;
        l.count += loss[i] > 0;
        binary = binary && (loss[i] == 0 || loss[i] == 1);
    }
    if (!binary) {
        TRY(sort_losses(&l, loss));
    }
    *ret_losses = l;
    l = (struct slices_losses){0};
    return OK;
}

/* ---- how sure ---- */

/* Sum over sizes up to `level` of the products of the features' counts of conditions: elementary
 * symmetric polynomials. */
static double
count_candidates(const struct slices_table *t, uint32_t level)
{
    double e[SLICES_MAX_LEVEL + 1] = {1}, all = 0;
    for (uint32_t f = 0; f < t->added; f++) {
        for (uint32_t l = level; l > 0; l--) {
            e[l] += e[l - 1] * (double)(t->first[f + 1] - t->first[f]);
        }
    }
    for (uint32_t l = 1; l <= level; l++) {
        all += e[l];
    }
    return all;
}

struct whole {
    const struct slices_losses *losses;
    double rows, error, variance; /* of the loss over all rows, divisor n - 1 */
};

static struct whole
whole_of(const struct slices_losses *l, size_t rows)
{
    struct sum sum = {0}, squares = {0};
    for (size_t i = 0; i < l->count; i++) {
        sum_add(&sum, l->value == NULL ? 1 : l->value[i]);
    }
    struct whole w = {.losses = l, .rows = (double)rows, .error = sum_value(&sum)};
    const double mean = w.error / w.rows;
    for (size_t i = 0; i < l->count; i++) {
        const double d = (l->value == NULL ? 1 : l->value[i]) - mean;
        sum_add(&squares, d * d);
    }
    w.variance =
        (sum_value(&squares) + (double)(rows - l->count) * mean * mean) / fmax(1, w.rows - 1);
    return w;
}

/* Over the rows of a slice: mistakes, and the sample variance of the loss. */
struct inside {
    uint64_t mistakes;
    double variance;
};

static struct inside
look_inside(const struct slices_table *t, const struct slices_losses *l, const struct slices_hit *h)
{
    struct inside in = {0};
    struct sum squares = {0};
    const double mean = h->error / (double)h->rows;
    for (size_t i = 0; i < l->count; i++) {
        bool is_in = true;
        for (uint32_t c = 0; is_in && c < h->conditions; c++) {
            is_in = bits_test(t->basic[h->basic[c]].bits, l->row[i]) != 0;
        }
        if (is_in) {
            const double d = (l->value == NULL ? 1 : l->value[i]) - mean;
            sum_add(&squares, d * d);
            in.mistakes++;
        }
    }
    const double rest = (double)(h->rows - in.mistakes) * mean * mean;
    in.variance = (sum_value(&squares) + rest) / fmax(1, (double)h->rows - 1);
    return in;
}

static struct interval
interval_of(const struct slice *s, const struct whole *w, const struct inside *in, double level)
{
    if (w->losses->value == NULL) {
        return interval_wilson(s->error, (double)s->rows, level);
    }
    const double half = -normal_quantile((1 - level) / 2) * sqrt(in->variance / (double)s->rows);
    return (struct interval){fmax(0, s->mean - half), s->mean + half};
}

/* Of a random set of as many rows: how likely is so much error? */
static double
p_of(const struct slice *s, const struct whole *w)
{
    if (w->losses->value == NULL) {
        return hypergeometric_upper((uint64_t)s->error, s->rows, w->losses->count,
                                    (uint64_t)w->rows);
    }
    const double rows = (double)s->rows;
    const double variance = w->variance / rows * (1 - rows / w->rows);
    return variance > 0 ? normal_cdf((w->error / w->rows - s->mean) / sqrt(variance)) : 1;
}

static struct slice
slice_of(const struct slices_table *t, const struct whole *w, const struct slices_hit *h,
         double confidence, double candidates)
{
    const struct inside in = look_inside(t, w->losses, h);
    const double outside = w->rows - (double)h->rows;
    struct slice s = {.conditions = h->conditions,
                      .rows = h->rows,
                      .mistakes = in.mistakes,
                      .error = h->error,
                      .error_max = h->max,
                      .score = h->score,
                      .mean = h->error / (double)h->rows,
                      .coverage = h->error / w->error,
                      .p_permutation = NAN};
    for (uint32_t c = 0; c < h->conditions; c++) {
        const struct slices_basic *b = &t->basic[h->basic[c]];
        s.condition[c] = (struct slices_condition){b->feature, b->level};
    }
    s.rest_mean = outside > 0 ? fmax(0, w->error - h->error) / outside : NAN;
    s.ci = interval_of(&s, w, &in, confidence);
    s.ci_all = interval_of(&s, w, &in, 1 - (1 - confidence) / fmin(candidates, LEVELS_MAX));
    s.p = p_of(&s, w);
    s.p_bonferroni = fmin(1, s.p * candidates);
    s.q = NAN;
    return s;
}

/* ---- the whole ---- */

/* Without permutations: Benjamini and Yekutieli's over all candidates, as if those that were not
 * found had p = 1. */
static struct status
put_q_of_all(struct slices_result *r)
{
    DEFER(memory_freep) size_t *order = calloc((size_t)r->found + 1, sizeof *order);
    DEFER(memory_freep) double *p = calloc((size_t)r->found + 1, sizeof *p);
    CHECK(order != NULL && p != NULL, MEMORY);
    for (uint32_t i = 0; i < r->found; i++) {
        p[i] = r->slice[i].p;
    }
    fdr_adjust(FDR_BENJAMINI_HOCHBERG, p, r->found, order, p);
    const double all = r->candidates, harmonic = log(all) + 0.5772156649015329 + 0.5 / all;
    for (uint32_t i = 0; i < r->found; i++) {
        r->slice[i].q = fmin(1, p[i] / r->found * all * harmonic);
    }
    return OK;
}

static void
top_done(struct slices_top *top)
{
    free(top->hit);
}

static struct status
search_and_judge(const struct slices_table *t, const struct slices_losses *l,
                 const struct slices_options *o, struct slices_result *r)
{
    DEFER(slices_mistakes_done) struct slices_mistakes m = {0};
    DEFER(top_done) struct slices_top top = {.limit = o->found, .same_rows = o->same_rows};
    top.hit = calloc((size_t)o->found + 1, sizeof *top.hit);
    CHECK(top.hit != NULL, MEMORY);
    TRY(slices_mistakes_init(t, l->row, l->value, l->count, &m));
    const struct slices_run run = {.table = t,
                                   .mistakes = &m,
                                   .alpha = o->alpha,
                                   .level = o->level,
                                   .same_rows = o->same_rows,
                                   .threads = o->threads,
                                   .pair_bytes = o->pair_bytes};
    TRY(slices_search(&run, &top, r->counted));
    const struct whole w = whole_of(l, t->rows);
    for (uint32_t i = 0; i < top.count; i++) {
        r->slice[i] = slice_of(t, &w, &top.hit[i], o->confidence, r->candidates);
    }
    r->found = top.count;
    r->error = w.error;
    r->mean = w.error / w.rows;
    return o->permutations > 0 ? slices_permute(&run, l, o, r) : put_q_of_all(r);
}

struct status
slices_find(const struct slices_table *t, const double *loss, const struct slices_options *o,
            struct slices_result *ret_result)
{
    ASSERT(t->added == t->features);
    CHECK(o->level >= 1 && o->level <= SLICES_MAX_LEVEL, LIMIT);
    CHECK(o->found >= 1 && o->found <= SLICES_MAX_FOUND, LIMIT);
    CHECK(o->alpha > 0 && o->alpha <= 1 && o->confidence > 0 && o->confidence < 1, INPUT);
    CHECK(t->rows > 0, INPUT);
    DEFER(losses_done) struct slices_losses l = {0};
    TRY(losses_of(loss, t->rows, &l));
    memset(ret_result, 0, sizeof *ret_result);
    ret_result->is_binary = l.value == NULL;
    ret_result->rows = t->rows;
    ret_result->mistakes = l.count;
    ret_result->basic = t->basics;
    ret_result->candidates = count_candidates(t, o->level);
    return search_and_judge(t, &l, o, ret_result);
}
