/* The best rules that the curves of the groups allow. */
#include "assess/mitigate_parts.h"

#include <math.h>
#include <stdlib.h>

#define EO_POINTS 2048u /* of all groups together */
#define SLACK 1e-12     /* rates that differ by rounding are the same */

/* ---- what a plan does ---- */

static double
mixed(const struct threshold_rule *r, double a, double b)
{
    return r->ignore * r->constant + (1 - r->ignore) * (r->p[0] * a + r->p[1] * b);
}

static void
set_rule(const struct threshold_curve *c, const struct threshold_point *a,
         const struct threshold_point *b, struct threshold_rule *r)
{
    const double base = threshold_base(c);
    r->threshold[0] = a->threshold;
    r->threshold[1] = b->threshold;
    r->tpr = mixed(r, a->tpr, b->tpr);
    r->fpr = mixed(r, a->fpr, b->fpr);
    r->selection_rate = base * r->tpr + (1 - base) * r->fpr;
    r->rows = c->rows;
    r->positives = c->positives;
}

static double
spread(const struct threshold_curves *c, const struct threshold_plan *plan,
       enum threshold_constraint constraint)
{
    double low = INFINITY, high = -INFINITY;
    for (uint32_t g = 0; g < c->groups; g++) {
        const struct threshold_rule *r = &plan->rule[g];
        const double v =
            threshold_constrained(constraint, r->tpr, r->fpr, threshold_base(&c->curve[g]));
        low = fmin(low, v);
        high = fmax(high, v);
    }
    return high - low;
}

static void
sum_up(const struct threshold_curves *c, struct threshold_plan *plan)
{
    double tp = 0, fp = 0, value = 0;
    const double p = (double)c->positives, n = (double)c->rows;
    for (uint32_t g = 0; g < c->groups; g++) {
        const struct threshold_rule *r = &plan->rule[g];
        tp += r->tpr * (double)r->positives;
        fp += r->fpr * (double)(r->rows - r->positives);
        value += (double)r->rows / n *
                 threshold_value(c->o.objective, r->tpr, r->fpr, threshold_base(&c->curve[g]));
    }
    plan->accuracy = threshold_value(THRESHOLD_ACCURACY, tp / p, fp / (n - p), p / n);
    if (c->o.constraint == THRESHOLD_EQUALIZED_ODDS) {
        plan->objective = threshold_value(c->o.objective, tp / p, fp / (n - p), p / n);
        plan->gap =
            fmax(spread(c, plan, THRESHOLD_TPR_PARITY), spread(c, plan, THRESHOLD_FPR_PARITY));
    } else {
        plan->objective = value;
        plan->gap = spread(c, plan, c->o.constraint);
    }
}

double
threshold_decide(const struct threshold_rule *r, double score)
{
    double chance[2];
    for (unsigned k = 0; k < 2; k++) {
        const struct threshold *t = &r->threshold[k];
        chance[k] = t->turned ? score < t->at : score > t->at;
    }
    return mixed(r, chance[0], chance[1]);
}

/* ---- at random: points of the hulls at the same rate ---- */

struct place {     /* on a hull */
    uint32_t left; /* corner */
    double p;      /* weight of the left one; the next has the rest */
    double y;
};

static const struct threshold_point *
corner(const struct threshold_curve *c, size_t k)
{
    return &c->points[c->hull[k]];
}

static struct place
place_at(const struct threshold_curve *c, double x)
{
    size_t low = 0, high = c->corners - 1;
    while (low + 1 < high) { /* corner[low] <= x < corner[high], but for the last */
        const size_t middle = (low + high) / 2;
        if (corner(c, middle)->x <= x) {
            low = middle;
        } else {
            high = middle;
        }
    }
    const struct threshold_point *a = corner(c, low), *b = corner(c, low + 1);
    const double p = b->x > a->x ? (b->x - x) / (b->x - a->x) : 0;
    return (struct place){(uint32_t)low, p, p * a->y + (1 - p) * b->y};
}

static int
by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static size_t
keep_distinct(double *x, size_t n)
{
    size_t kept = 0;
    qsort(x, n, sizeof *x, by_value);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || x[i] != x[kept - 1]) {
            x[kept++] = x[i];
        }
    }
    return kept;
}

/* Where two groups' lines cross between neighbouring rates: corners of the lower envelope. */
static void
add_crossings(const struct threshold_curves *c, double x0, double x1, double *x, size_t *n)
{
    double y0[MITIGATE_MAX_GROUPS], y1[MITIGATE_MAX_GROUPS];
    for (uint32_t g = 0; g < c->groups; g++) {
        y0[g] = place_at(&c->curve[g], x0).y;
        y1[g] = place_at(&c->curve[g], x1).y;
    }
    for (uint32_t a = 0; a < c->groups; a++) {
        for (uint32_t b = a + 1; b < c->groups; b++) {
            const double d0 = y0[a] - y0[b], d1 = y1[a] - y1[b];
            if (d0 * d1 < 0) {
                x[(*n)++] = x0 + (x1 - x0) * d0 / (d0 - d1);
            }
        }
    }
}

/* The rates at which the optimum is looked for; on malloc. */
static struct status
make_grid(const struct threshold_curves *c, double **ret_x, size_t *ret_n)
{
    size_t n = 0, corners = 0;
    const size_t pairs = (size_t)c->groups * (c->groups - 1) / 2;
    const bool odds = c->o.constraint == THRESHOLD_EQUALIZED_ODDS;
    for (uint32_t g = 0; g < c->groups; g++) {
        corners += c->curve[g].corners;
    }
    const size_t most = c->o.grid > 0 ? c->o.grid + (size_t)1 : corners * (odds ? pairs + 1 : 1);
    double *x = calloc(most + 1, sizeof *x);
    CHECK(x != NULL, MEMORY);
    *ret_x = x;
    for (uint32_t k = 0; c->o.grid > 0 && k <= c->o.grid; k++) {
        x[n++] = (double)k / c->o.grid;
    }
    for (uint32_t g = 0; c->o.grid == 0 && g < c->groups; g++) {
        for (size_t k = 0; k < c->curve[g].corners; k++) {
            x[n++] = corner(&c->curve[g], k)->x;
        }
    }
    n = keep_distinct(x, n);
    for (size_t i = 0, end = n; odds && c->o.grid == 0 && i + 1 < end; i++) {
        add_crossings(c, x[i], x[i + 1], x, &n);
    }
    *ret_n = keep_distinct(x, n);
    return OK;
}

static void
take_place(const struct threshold_curve *c, double x, struct threshold_rule *r)
{
    const struct place at = place_at(c, x);
    *r = (struct threshold_rule){.p = {at.p, 1 - at.p}};
    set_rule(c, corner(c, at.left), corner(c, at.left + 1), r);
}

/* Objectives that differ by rounding are the same: the first rate is taken. */
static double
rounded(double v)
{
    return round(v * 1e15) / 1e15;
}

static void
equalize_odds(const struct threshold_curves *c, const double *x, size_t n,
              struct threshold_plan *plan)
{
    const double base = (double)c->positives / (double)c->rows;
    double best = -INFINITY, best_x = 0, best_y = 0;
    for (size_t i = 0; i < n; i++) {
        double y = INFINITY;
        for (uint32_t g = 0; g < c->groups; g++) {
            y = fmin(y, place_at(&c->curve[g], x[i]).y);
        }
        const double value = rounded(threshold_value(c->o.objective, y, x[i], base));
        if (value > best) {
            best = value;
            best_x = x[i];
            best_y = y;
        }
    }
    for (uint32_t g = 0; g < c->groups; g++) {
        struct threshold_rule *r = &plan->rule[g];
        const struct place at = place_at(&c->curve[g], best_x);
        *r = (struct threshold_rule){.p = {at.p, 1 - at.p}, .constant = best_x};
        r->ignore = at.y == best_x ? 0 : (at.y - best_y) / (at.y - best_x);
        set_rule(&c->curve[g], corner(&c->curve[g], at.left), corner(&c->curve[g], at.left + 1), r);
    }
}

/* ---- one choice a group, within a window of rates ---- */

struct choice {
    double x, value; /* value: what it adds to the objective */
    uint32_t group, point;
};

struct window {
    struct choice *items; /* ascending in x */
    size_t n;
    uint32_t *queue;                   /* n: of each group, its choices in the window by */
    size_t first[MITIGATE_MAX_GROUPS]; /* falling value; a group's part of the queue */
    size_t head[MITIGATE_MAX_GROUPS], tail[MITIGATE_MAX_GROUPS];
};

static int
by_x(const void *a, const void *b)
{
    const struct choice *p = a, *q = b;
    if (p->x != q->x) {
        return p->x < q->x ? -1 : 1;
    }
    if (p->group != q->group) {
        return p->group < q->group ? -1 : 1;
    }
    return (p->point > q->point) - (p->point < q->point);
}

static void
start_window(struct window *w, uint32_t groups)
{
    size_t count[MITIGATE_MAX_GROUPS] = {0}, at = 0;
    qsort(w->items, w->n, sizeof *w->items, by_x);
    for (size_t i = 0; i < w->n; i++) {
        count[w->items[i].group]++;
    }
    for (uint32_t g = 0; g < groups; g++) {
        w->first[g] = w->head[g] = w->tail[g] = at;
        at += count[g];
    }
}

static void
push(struct window *w, size_t i)
{
    const uint32_t g = w->items[i].group;
    while (w->tail[g] > w->head[g] &&
           w->items[w->queue[w->tail[g] - 1]].value <= w->items[i].value) {
        w->tail[g]--;
    }
    w->queue[w->tail[g]++] = (uint32_t)i;
}

/* The best choice of one item a group whose x differ by at most `tolerance`; improves *best and
 * ret_point[groups] when it beats them. A sliding window with a monotone queue for each group. */
static void
slide(struct window *w, uint32_t groups, double tolerance, double *best, uint32_t *ret_point)
{
    size_t start = 0;
    start_window(w, groups);
    for (size_t end = 0; end < w->n; end++) {
        push(w, end);
        for (; w->items[end].x - w->items[start].x > tolerance + SLACK; start++) {
            const uint32_t g = w->items[start].group;
            w->head[g] += w->head[g] < w->tail[g] && w->queue[w->head[g]] == start;
        }
        double value = 0;
        bool all = true;
        for (uint32_t g = 0; g < groups; g++) {
            all &= w->head[g] < w->tail[g];
            value += all ? w->items[w->queue[w->head[g]]].value : 0;
        }
        if (all && value > *best + SLACK) {
            *best = value;
            for (uint32_t g = 0; g < groups; g++) {
                ret_point[g] = w->items[w->queue[w->head[g]]].point;
            }
        }
    }
}

static void
window_done(struct window *w)
{
    free(w->items);
    free(w->queue);
}

static struct status
window_room(struct window *w, size_t most)
{
    w->items = calloc(most + 1, sizeof *w->items);
    w->queue = calloc(most + 1, sizeof *w->queue);
    CHECK(w->items != NULL && w->queue != NULL, MEMORY);
    return OK;
}

/* Rates of the groups may differ: grid points are the choices. */
static struct status
relax(const struct threshold_curves *c, const double *x, size_t n, double tolerance,
      struct threshold_plan *plan)
{
    DEFER(window_done) struct window w = {0};
    uint32_t point[MITIGATE_MAX_GROUPS] = {0};
    double best = -INFINITY;
    TRY(window_room(&w, n * c->groups));
    for (uint32_t g = 0; g < c->groups; g++) {
        const double share = (double)c->curve[g].rows / (double)c->rows;
        for (uint32_t i = 0; i < n; i++) {
            w.items[w.n++] = (struct choice){x[i], share * place_at(&c->curve[g], x[i]).y, g, i};
        }
    }
    slide(&w, c->groups, tolerance, &best, point);
    for (uint32_t g = 0; g < c->groups; g++) {
        take_place(&c->curve[g], x[point[g]], &plan->rule[g]);
    }
    return OK;
}

struct status
threshold_randomised(const struct threshold_curves *c, double tolerance,
                     struct threshold_plan *plan)
{
    DEFER(memory_freep) double *x = NULL;
    size_t n = 0;
    ASSERT(tolerance >= 0);
    TRY(make_grid(c, &x, &n));
    if (c->o.constraint == THRESHOLD_EQUALIZED_ODDS) {
        CHECK(tolerance == 0, UNSUPPORTED);
        equalize_odds(c, x, n, plan);
    } else {
        TRY(relax(c, x, n, tolerance, plan));
    }
    sum_up(c, plan);
    return OK;
}

/* ---- one threshold a group ---- */

static double
value_of(const struct threshold_curves *c, uint32_t g, const struct threshold_point *p)
{
    const struct threshold_curve *k = &c->curve[g];
    const double share = (double)k->rows / (double)c->rows;
    if (c->o.constraint != THRESHOLD_EQUALIZED_ODDS) {
        return share * p->y;
    }
    if (c->o.objective == THRESHOLD_ACCURACY) {
        return share * threshold_value(THRESHOLD_ACCURACY, p->tpr, p->fpr, threshold_base(k));
    }
    const double negatives = (double)(c->rows - c->positives);
    return (p->tpr * (double)k->positives / (double)c->positives +
            (1 - p->fpr) * (double)(k->rows - k->positives) / negatives) /
           2;
}

/* Every threshold of each group, or at most `most`, evenly by their place on the curve. */
static size_t
list_choices(const struct threshold_curves *c, size_t most, struct choice *ret_items, size_t *ret_n)
{
    size_t tried = 0;
    *ret_n = 0;
    for (uint32_t g = 0; g < c->groups; g++) {
        const size_t count = c->curve[g].count, n = count < most ? count : most;
        tried = n > tried ? n : tried;
        for (size_t i = 0; i < n; i++) {
            const size_t at = n == count ? i : i * (count - 1) / (n - 1);
            const struct threshold_point *p = &c->curve[g].points[at];
            ret_items[(*ret_n)++] = (struct choice){p->x, value_of(c, g, p), g, (uint32_t)at};
        }
    }
    return tried;
}

/* Equalized odds: for each window of FPR, a window of TPR. */
static struct status
slide_both(const struct threshold_curves *c, double tolerance, const struct choice *all, size_t n,
           double *best, uint32_t *ret_point)
{
    DEFER(window_done) struct window w = {0};
    TRY(window_room(&w, n));
    for (size_t start = 0; start < n; start++) {
        w.n = 0;
        for (size_t i = start; i < n && all[i].x - all[start].x <= tolerance + SLACK; i++) {
            w.items[w.n] = all[i];
            w.items[w.n++].x = c->curve[all[i].group].points[all[i].point].tpr;
        }
        slide(&w, c->groups, tolerance, best, ret_point);
    }
    return OK;
}

struct status
threshold_deterministic(const struct threshold_curves *c, double tolerance,
                        struct threshold_plan *plan, size_t *ret_tried)
{
    DEFER(window_done) struct window w = {0};
    uint32_t point[MITIGATE_MAX_GROUPS] = {0};
    double best = -INFINITY;
    size_t all = 0;
    const bool odds = c->o.constraint == THRESHOLD_EQUALIZED_ODDS;
    const size_t each = EO_POINTS / c->groups;
    for (uint32_t g = 0; g < c->groups; g++) {
        all += c->curve[g].count;
    }
    CHECK(all < UINT32_MAX, LIMIT);
    TRY(window_room(&w, all));
    *ret_tried = list_choices(c,
                              !odds                        ? all
                              : each < THRESHOLD_EO_POINTS ? each
                                                           : THRESHOLD_EO_POINTS,
                              w.items, &w.n);
    if (odds) {
        qsort(w.items, w.n, sizeof *w.items, by_x);
        TRY(slide_both(c, tolerance, w.items, w.n, &best, point));
    } else {
        slide(&w, c->groups, tolerance, &best, point);
    }
    for (uint32_t g = 0; g < c->groups; g++) {
        const struct threshold_point *p = &c->curve[g].points[point[g]];
        plan->rule[g] = (struct threshold_rule){.p = {1, 0}};
        set_rule(&c->curve[g], p, p, &plan->rule[g]);
    }
    sum_up(c, plan);
    return OK;
}
