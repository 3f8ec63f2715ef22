/* Level 1 and 2 are gone through whole; from there each pair that may still lead to one of the best
 * is extended depth first. A candidate is bounded by all of its parents that are known, then by its
 * mistakes alone (they are few), and only then are its rows counted. Work goes in batches; the
 * score to beat is the best known at a batch's begin or found within the block itself, so that
 * neither answer nor counts depend on threads. */
#include "assess/slices_parts.h"

#include "base/threads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_FIRST 32u /* blocks of a batch at the second level, one first condition each */
#define BATCH_PAIRS 32u
#define PAIRS_OF_BLOCK 32u
#define SLACK 1e-9 /* of a bound: rounding must not cut */

/* What is known of a set of rows: exact, or bounds from above. */
struct extent {
    uint32_t rows;
    double error, max;
};

struct pair {
    uint32_t rows; /* 0: neither it nor what extends it is of interest */
    float error;   /* rounded up */
};

struct search {
    const struct slices_run *run;
    uint32_t n;      /* conditions, the best first */
    uint32_t *basic; /* place -> basic */
    uint32_t *feature;
    struct extent *one;
    const uint64_t **all, **wrong; /* bits over rows, over mistakes */
    size_t words, wrong_words;
    uint32_t min_rows;
    double rows, mean;
    struct pair *pair; /* triangle; NULL: not kept */
};

struct prefix {
    struct prefix *parent;
    uint32_t depth, last;
    struct extent extent;
    const uint64_t *wrong, *all; /* all: NULL until needed */
    uint64_t *all_space;
};

/* A condition that may follow a prefix, with what both hold together. */
struct member {
    uint32_t at;
    struct extent extent;
};

/* One block's work. */
struct block {
    struct search *s;
    uint32_t first;                   /* second level: the first condition */
    uint32_t pair[PAIRS_OF_BLOCK][2]; /* later ones */
    uint32_t pairs;
    double floor; /* of the batch */
    struct slices_top top;
    uint64_t counted[SLICES_MAX_LEVEL];
    uint64_t *space; /* bits of the prefixes */
    struct member *members[SLICES_MAX_LEVEL];
    bool failed;
};

/* ---- scores and bounds ---- */

double
slices_score(double alpha, double rows, double error, double all_rows, double all_error)
{
    return rows > 0 ? alpha * (error / rows / (all_error / all_rows) - 1) -
                          (1 - alpha) * (all_rows / rows - 1)
                    : (double)NAN;
}

/* The score that a slice of s rows could have within x. */
static double
score_within(const struct search *s, const struct extent *x, double rows)
{
    return s->run->alpha * (fmin(rows * x->max, x->error) / rows / s->mean - 1) -
           (1 - s->run->alpha) * (s->rows / rows - 1);
}

/* The most that x and all that extends it can score. It rises in the rows up to error / max and
 * goes one way from there. */
static double
bound_of(const struct search *s, const struct extent *x)
{
    const double rows = x->rows, least = s->min_rows;
    const double knee = fmin(rows, fmax(least, x->error / x->max));
    return fmax(score_within(s, x, knee), score_within(s, x, rows));
}

static bool
is_alive(const struct search *s, double floor, const struct extent *x)
{
    return x->rows >= s->min_rows && x->error > 0 &&
           bound_of(s, x) >= floor - SLACK * (1 + fabs(floor));
}

static void
bound_by(struct extent *x, uint32_t rows, double error, double max)
{
    x->rows = rows < x->rows ? rows : x->rows;
    x->error = error < x->error ? error : x->error;
    x->max = max < x->max ? max : x->max;
}

static size_t
pair_index(const struct search *s, uint32_t i, uint32_t j)
{
    return (size_t)i * (2 * (size_t)s->n - i - 1) / 2 + (j - i - 1);
}

static void
bound_by_pair(const struct search *s, struct extent *x, uint32_t i, uint32_t j)
{
    if (s->pair != NULL) {
        const struct pair *p = &s->pair[pair_index(s, i, j)];
        bound_by(x, p->rows, (double)p->error, x->max);
    }
}

/* ---- the best so far ---- */

static int
compare_hits(const struct slices_hit *a, const struct slices_hit *b)
{
    if (a->score > b->score || a->score < b->score) {
        return a->score > b->score ? -1 : 1;
    }
    if (a->conditions != b->conditions) {
        return a->conditions < b->conditions ? -1 : 1;
    }
    for (uint32_t i = 0; i < a->conditions; i++) {
        if (a->basic[i] != b->basic[i]) {
            return a->basic[i] < b->basic[i] ? -1 : 1;
        }
    }
    return 0;
}

static uint64_t
word_of(const struct slices_table *t, const struct slices_hit *h, size_t at)
{
    uint64_t word = ~UINT64_C(0);
    for (uint32_t i = 0; i < h->conditions; i++) {
        word &= t->basic[h->basic[i]].bits[at];
    }
    return word;
}

static bool
same_rows(const struct slices_table *t, const struct slices_hit *a, const struct slices_hit *b)
{
    if (a->rows != b->rows) {
        return false;
    }
    for (size_t i = 0; i < t->words; i++) {
        if (word_of(t, a, i) != word_of(t, b, i)) {
            return false;
        }
    }
    return true;
}

static void
top_put_at(struct slices_top *top, uint32_t at, const struct slices_hit *h)
{
    const uint32_t kept = top->count < top->limit ? top->count : top->limit - 1;
    memmove(&top->hit[at + 1], &top->hit[at], (kept - at) * sizeof *top->hit);
    top->hit[at] = *h;
    top->count = kept + 1;
}

static void
top_remove_at(struct slices_top *top, uint32_t at)
{
    top->count--;
    memmove(&top->hit[at], &top->hit[at + 1], (top->count - at) * sizeof *top->hit);
}

static void
top_offer(struct slices_top *top, const struct slices_table *t, const struct slices_hit *h)
{
    uint32_t at = 0;
    while (at < top->count && compare_hits(&top->hit[at], h) < 0) {
        at++;
    }
    for (uint32_t i = 0; !top->same_rows && i < top->count; i++) {
        const struct slices_hit *other = &top->hit[i];
        if (other->score <= h->score && other->score >= h->score && same_rows(t, other, h)) {
            if (i < at) {
                return;
            }
            top_remove_at(top, i);
            break;
        }
    }
    if (at < top->limit) {
        top_put_at(top, at, h);
    }
}

static double
top_floor(const struct slices_top *top, double floor)
{
    return top->count == top->limit ? fmax(floor, top->hit[top->count - 1].score) : floor;
}

/* ---- one candidate ---- */

static uint32_t
sort_basics(const struct search *s, const struct prefix *p, uint32_t last, uint32_t *basic)
{
    uint32_t n = 0;
    for (uint32_t place = last;; p = p->parent) {
        uint32_t at = n++;
        for (; at > 0 && basic[at - 1] > s->basic[place]; at--) {
            basic[at] = basic[at - 1];
        }
        basic[at] = s->basic[place];
        if (p == NULL) {
            return n;
        }
        place = p->last;
    }
}

static void
offer(const struct search *s, const struct prefix *p, uint32_t last, const struct extent *x,
      double floor, struct slices_top *top)
{
    struct slices_hit h = {.rows = x->rows, .error = x->error, .max = x->max};
    h.score = slices_score(s->run->alpha, x->rows, x->error, s->rows, s->run->mistakes->total);
    if (h.score > 0 && h.score >= top_floor(top, floor)) {
        h.conditions = sort_basics(s, p, last, h.basic);
        top_offer(top, s->run->table, &h);
    }
}

static const uint64_t *
all_of(const struct search *s, struct prefix *p)
{
    if (p->all == NULL) {
        bits_and(all_of(s, p->parent), s->all[p->last], s->words, p->all_space);
        p->all = p->all_space;
    }
    return p->all;
}

/* In the order of the mistakes, the largest first. */
static void
sum_losses(const struct search *s, const uint64_t *a, const uint64_t *b, struct extent *x)
{
    const double *loss = s->run->mistakes->loss;
    double sum = 0, max = 0;
    for (size_t i = 0; i < s->wrong_words; i++) {
        for (uint64_t word = a[i] & b[i]; word != 0; word &= word - 1) {
            const double e = loss[i * 64 + (size_t)__builtin_ctzll(word)];
            max = sum > 0 ? max : e;
            sum += e;
        }
    }
    x->error = sum;
    x->max = max;
}

/* x: bounds, and then, where it returns true, what the prefix with that condition holds. Where it
 * returns false, neither that nor what extends it is of interest. */
static bool
count_extent(struct block *k, struct prefix *p, uint32_t at, struct extent *x)
{
    const struct search *s = k->s;
    const double floor = top_floor(&k->top, k->floor);
    if (!is_alive(s, floor, x)) {
        return false;
    }
    k->counted[p->depth]++;
    const uint64_t mistakes = bits_and_count(p->wrong, s->wrong[at], s->wrong_words);
    bound_by(x, x->rows, (double)mistakes * x->max, x->max);
    if (!is_alive(s, floor, x)) {
        return false;
    }
    if (s->run->mistakes->loss != NULL) {
        sum_losses(s, p->wrong, s->wrong[at], x);
        if (!is_alive(s, floor, x)) {
            return false;
        }
    }
    const uint32_t parent_rows = x->rows;
    x->rows = (uint32_t)bits_and_count(all_of(s, p), s->all[at], s->words);
    if (x->rows == parent_rows && !s->run->same_rows) {
        return false; /* the rows of a parent, which is shorter, and so for all that extends it */
    }
    if (x->rows < s->min_rows) {
        return false;
    }
    offer(s, p, at, x, k->floor, &k->top);
    return is_alive(s, top_floor(&k->top, k->floor), x);
}

/* ---- a prefix and what extends it ---- */

/* Members of `from` after the one that the prefix ends with, tried; those that may be extended. */
static uint32_t
extend(struct block *k, struct prefix *p, const struct member *from, uint32_t n,
       struct member *ret_members)
{
    const struct search *s = k->s;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct member m = from[i];
        if (s->feature[m.at] == s->feature[p->last]) {
            continue;
        }
        bound_by(&m.extent, p->extent.rows, p->extent.error, p->extent.max);
        bound_by_pair(s, &m.extent, p->last, m.at);
        if (count_extent(k, p, m.at, &m.extent)) {
            ret_members[kept++] = m;
        }
    }
    return kept;
}

/* Bits of a prefix of that depth: mistakes, then rows. */
static uint64_t *
space_of(const struct block *k, uint32_t depth)
{
    return k->space + (size_t)(depth - 2) * (k->s->wrong_words + k->s->words);
}

static struct prefix
prefix_of(const struct block *k, struct prefix *parent, const struct member *m)
{
    uint64_t *space = space_of(k, parent->depth + 1);
    bits_and(parent->wrong, k->s->wrong[m->at], k->s->wrong_words, space);
    return (struct prefix){.parent = parent,
                           .depth = parent->depth + 1,
                           .last = m->at,
                           .extent = m->extent,
                           .wrong = space,
                           .all_space = space + k->s->wrong_words};
}

static void
descend(struct block *k, struct prefix *p, const struct member *from, uint32_t n)
{
    struct member *members = k->members[p->depth];
    const uint32_t kept = extend(k, p, from, n, members);
    for (uint32_t i = 0; i < kept && p->depth + 1 < k->s->run->level; i++) {
        if (is_alive(k->s, top_floor(&k->top, k->floor), &members[i].extent)) {
            struct prefix child = prefix_of(k, p, &members[i]);
            descend(k, &child, members + i + 1, kept - i - 1);
        }
    }
}

static struct prefix
prefix_one(const struct search *s, uint32_t i)
{
    return (struct prefix){
        .depth = 1, .last = i, .extent = s->one[i], .wrong = s->wrong[i], .all = s->all[i]};
}

/* ---- blocks ---- */

/* The second level: all pairs that begin with a condition. */
static void
run_first(void *ctx, size_t index)
{
    struct block *k = (struct block *)ctx + index;
    struct search *s = k->s;
    struct prefix p = prefix_one(s, k->first);
    for (uint32_t j = k->first + 1; j < s->n; j++) {
        struct extent x = s->one[j];
        bound_by(&x, p.extent.rows, p.extent.error, p.extent.max);
        const bool alive = s->feature[j] != s->feature[k->first] && count_extent(k, &p, j, &x);
        if (s->pair != NULL) {
            s->pair[pair_index(s, k->first, j)] =
                alive ? (struct pair){x.rows, nextafterf((float)x.error, INFINITY)}
                      : (struct pair){0};
        }
    }
}

static uint32_t
members_after(const struct search *s, uint32_t i, uint32_t j, double floor, struct member *ret)
{
    uint32_t n = 0;
    for (uint32_t d = j + 1; d < s->n; d++) {
        struct member m = {d, s->one[d]};
        bound_by(&m.extent, s->one[i].rows, s->one[i].error, s->one[i].max);
        bound_by_pair(s, &m.extent, i, d);
        if (s->feature[d] != s->feature[i] && is_alive(s, floor, &m.extent)) {
            ret[n++] = m;
        }
    }
    return n;
}

static void
run_pairs(void *ctx, size_t index)
{
    struct block *k = (struct block *)ctx + index;
    const struct search *s = k->s;
    for (uint32_t q = 0; q < k->pairs; q++) {
        const uint32_t i = k->pair[q][0], j = k->pair[q][1];
        struct prefix one = prefix_one(s, i);
        struct member m = {j, s->one[j]};
        const double floor = top_floor(&k->top, k->floor);
        bound_by(&m.extent, one.extent.rows, one.extent.error, one.extent.max);
        bound_by_pair(s, &m.extent, i, j);
        if (is_alive(s, floor, &m.extent)) {
            struct prefix two = prefix_of(k, &one, &m);
            const uint32_t n = members_after(s, i, j, floor, k->members[1]);
            descend(k, &two, k->members[1], n);
        }
    }
}

static void
block_done(struct block *k)
{
    free(k->top.hit);
    free(k->space);
    for (uint32_t i = 0; i < SLICES_MAX_LEVEL; i++) {
        free(k->members[i]);
    }
}

static void
block_init(struct search *s, const struct slices_top *top, uint32_t level, struct block *k)
{
    *k = (struct block){.s = s, .top = {.limit = top->limit, .same_rows = top->same_rows}};
    k->top.hit = calloc((size_t)top->limit + 1, sizeof *k->top.hit);
    k->space =
        calloc((level > 2 ? level - 2 : 0) * (s->words + s->wrong_words) + 1, sizeof *k->space);
    k->failed = k->top.hit == NULL || k->space == NULL;
    for (uint32_t i = 1; level > 2 && i < level; i++) {
        k->members[i] = calloc((size_t)s->n + 1, sizeof *k->members[i]);
        k->failed = k->failed || k->members[i] == NULL;
    }
}

struct batch {
    struct block *block;
    uint32_t limit, blocks;
};

static void
batch_done(struct batch *b)
{
    for (uint32_t i = 0; b->block != NULL && i < b->limit; i++) {
        block_done(&b->block[i]);
    }
    free(b->block);
}

static struct status
batch_init(struct search *s, const struct slices_top *top, uint32_t level, uint32_t limit,
           struct batch *b)
{
    b->block = calloc(limit, sizeof *b->block);
    CHECK(b->block != NULL, MEMORY);
    b->limit = limit;
    for (uint32_t i = 0; i < limit; i++) {
        block_init(s, top, level, &b->block[i]);
        CHECK(!b->block[i].failed, MEMORY);
    }
    return OK;
}

/* Runs the blocks and takes over, in their order, what they found. */
static void
batch_run(struct search *s, struct batch *b, void (*work)(void *ctx, size_t block),
          struct slices_top *top, uint64_t *counted)
{
    const double floor = top_floor(top, s->run->floor);
    for (uint32_t i = 0; i < b->blocks; i++) {
        b->block[i].floor = floor;
    }
    threads_for(b->blocks, s->run->threads, work, b->block);
    for (uint32_t i = 0; i < b->blocks; i++) {
        struct block *k = &b->block[i];
        for (uint32_t h = 0; h < k->top.count; h++) {
            top_offer(top, s->run->table, &k->top.hit[h]);
        }
        for (uint32_t l = 0; l < SLICES_MAX_LEVEL; l++) {
            counted[l] += k->counted[l];
            k->counted[l] = 0;
        }
        k->top.count = 0;
        k->pairs = 0;
    }
    b->blocks = 0;
}

/* ---- the levels ---- */

static void
search_done(struct search *s)
{
    free(s->basic);
    free(s->feature);
    free(s->one);
    free((void *)s->all);
    free((void *)s->wrong);
    free(s->pair);
}

static int
compare_entries(const void *a, const void *b)
{
    const struct slices_hit *x = a, *y = b;
    return compare_hits(x, y);
}

/* Conditions by score, so that the first pairs set a high mark. */
static struct status
order_conditions(struct search *s)
{
    const struct slices_table *t = s->run->table;
    const struct slices_mistakes *m = s->run->mistakes;
    DEFER(memory_freep) struct slices_hit *entry = calloc((size_t)t->basics + 1, sizeof *entry);
    CHECK(entry != NULL, MEMORY);
    for (uint32_t b = 0; b < t->basics; b++) {
        entry[b].score =
            slices_score(s->run->alpha, (double)t->basic[b].rows, m->sum[b], s->rows, m->total);
        entry[b].conditions = 1;
        entry[b].basic[0] = b;
    }
    if (t->basics > 0) {
        qsort(entry, t->basics, sizeof *entry, compare_entries);
    }
    for (uint32_t i = 0; i < t->basics; i++) {
        const uint32_t b = entry[i].basic[0];
        s->basic[i] = b;
        s->feature[i] = t->basic[b].feature;
        s->one[i] = (struct extent){(uint32_t)t->basic[b].rows, m->sum[b], m->max[b]};
        s->all[i] = t->basic[b].bits;
        s->wrong[i] = m->bits + b * m->words;
    }
    return OK;
}

static struct status
search_init(const struct slices_run *run, struct search *s)
{
    const struct slices_table *t = run->table;
    const size_t n = t->basics, pairs = n * (n > 0 ? n - 1 : 0) / 2;
    *s =
        (struct search){.run = run,
                        .n = t->basics,
                        .words = t->words,
                        .wrong_words = run->mistakes->words,
                        .min_rows = (uint32_t)(t->min_rows < UINT32_MAX ? t->min_rows : UINT32_MAX),
                        .rows = (double)t->rows,
                        .mean = run->mistakes->total / (double)t->rows};
    s->basic = calloc(n + 1, sizeof *s->basic);
    s->feature = calloc(n + 1, sizeof *s->feature);
    s->one = calloc(n + 1, sizeof *s->one);
    s->all = calloc(n + 1, sizeof *s->all);
    s->wrong = calloc(n + 1, sizeof *s->wrong);
    CHECK(s->basic != NULL && s->feature != NULL && s->one != NULL && s->all != NULL &&
              s->wrong != NULL,
          MEMORY);
    if (run->level > 2 && pairs <= run->pair_bytes / sizeof *s->pair) {
        s->pair = calloc(pairs + 1, sizeof *s->pair);
        CHECK(s->pair != NULL, MEMORY);
    }
    return order_conditions(s);
}

static struct status
search_second(struct search *s, struct slices_top *top, uint64_t *counted)
{
    DEFER(batch_done) struct batch b = {0};
    TRY(batch_init(s, top, 2, BATCH_FIRST, &b));
    for (uint32_t i = 0; i + 1 < s->n; i++) {
        if (!is_alive(s, top_floor(top, s->run->floor), &s->one[i])) {
            continue; /* its pairs stay zero: of no interest */
        }
        b.block[b.blocks++].first = i;
        if (b.blocks == b.limit) {
            batch_run(s, &b, run_first, top, counted);
        }
    }
    batch_run(s, &b, run_first, top, counted);
    return OK;
}

static bool
pair_is_alive(const struct search *s, double floor, uint32_t i, uint32_t j)
{
    struct extent x = s->one[i];
    bound_by(&x, s->one[j].rows, s->one[j].error, s->one[j].max);
    bound_by_pair(s, &x, i, j);
    return s->feature[i] != s->feature[j] && is_alive(s, floor, &x);
}

static struct status
search_deeper(struct search *s, struct slices_top *top, uint64_t *counted)
{
    DEFER(batch_done) struct batch b = {0};
    TRY(batch_init(s, top, s->run->level, BATCH_PAIRS, &b));
    for (uint32_t i = 0; i + 1 < s->n; i++) {
        for (uint32_t j = i + 1; j < s->n; j++) {
            if (!pair_is_alive(s, top_floor(top, s->run->floor), i, j)) {
                continue;
            }
            struct block *k = &b.block[b.blocks];
            k->pair[k->pairs][0] = i;
            k->pair[k->pairs][1] = j;
            b.blocks += ++k->pairs == PAIRS_OF_BLOCK;
            if (b.blocks == b.limit) {
                batch_run(s, &b, run_pairs, top, counted);
            }
        }
    }
    b.blocks += b.blocks < b.limit && b.block[b.blocks].pairs > 0;
    batch_run(s, &b, run_pairs, top, counted);
    return OK;
}

struct status
slices_search(const struct slices_run *run, struct slices_top *top,
              uint64_t counted[static SLICES_MAX_LEVEL])
{
    if (!(run->mistakes->total > 0)) {
        return OK;
    }
    DEFER(search_done) struct search s = {0};
    TRY(search_init(run, &s));
    counted[0] += s.n;
    for (uint32_t i = 0; i < s.n; i++) {
        offer(&s, NULL, i, &s.one[i], run->floor, top);
    }
    if (run->level > 1) {
        TRY(search_second(&s, top, counted));
    }
    return run->level > 2 ? search_deeper(&s, top, counted) : OK;
}
