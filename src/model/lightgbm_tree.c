/* LightGBM's include/LightGBM/tree.h says what the fields mean: inner nodes are numbered from 0, a
 * negative child c is leaf ~c; decision_type has bit 0 for categorical, bit 1 for missing goes
 * left, bits 2 and 3 for the missing type. */
#include "model/lightgbm_tree.h"

#include "model/lightgbm_text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define BY_CATEGORY 1
#define DEFAULT_LEFT 2
#define MISSING_SHIFT 2
enum missing_type { MISSING_NONE, MISSING_ZERO, MISSING_NAN, MISSING_TYPES };
#define WORD_BITS 32

static const char *const field_names[LIGHTGBM_FIELDS] = {
    [LIGHTGBM_NUM_LEAVES] = "num_leaves",         [LIGHTGBM_NUM_CAT] = "num_cat",
    [LIGHTGBM_SPLIT_FEATURE] = "split_feature",   [LIGHTGBM_THRESHOLD] = "threshold",
    [LIGHTGBM_DECISION_TYPE] = "decision_type",   [LIGHTGBM_LEFT_CHILD] = "left_child",
    [LIGHTGBM_RIGHT_CHILD] = "right_child",       [LIGHTGBM_LEAF_VALUE] = "leaf_value",
    [LIGHTGBM_LEAF_COUNT] = "leaf_count",         [LIGHTGBM_INTERNAL_COUNT] = "internal_count",
    [LIGHTGBM_CAT_BOUNDARIES] = "cat_boundaries", [LIGHTGBM_CAT_THRESHOLD] = "cat_threshold",
    [LIGHTGBM_IS_LINEAR] = "is_linear",
};

/* ---- the lines ---- */

static struct status
keep_field(struct lightgbm_tree *t, const struct lightgbm_line *line, struct diag *diag)
{
    for (size_t i = 0; i < LIGHTGBM_FIELDS; i++) {
        if (!view_equal_str(line->key, field_names[i])) {
            continue;
        }
        if (t->field[i].ptr != NULL) {
            diag_set(diag, "tree %u: \"%s\" stands there twice", t->number, field_names[i]);
            FAIL(INPUT);
        }
        t->field[i] = line->value;
        break;
    }
    return OK;
}

/* A field of one whole number from low; absent: fallback. */
static struct status
number_of(const struct lightgbm_tree *t, enum lightgbm_field field, int64_t low, int64_t fallback,
          struct diag *diag, int64_t *ret_value)
{
    int64_t v = fallback;
    if (t->field[field].ptr != NULL && !lightgbm_integers(t->field[field], 1, &v)) {
        v = low - 1;
    }
    if (v < low) {
        diag_set(diag, "tree %u: \"%s\" must be a whole number from %lld", t->number,
                 field_names[field], (long long)low);
        FAIL(INPUT);
    }
    *ret_value = v;
    return OK;
}

/* Bits that are set in the category words. */
static struct status
count_categories(const struct lightgbm_tree *t, struct diag *diag, size_t *ret_count)
{
    struct view rest = t->field[LIGHTGBM_CAT_THRESHOLD], word;
    size_t count = 0;
    while (lightgbm_next_word(&rest, &word)) {
        int64_t bits = -1;
        if (!lightgbm_integers(word, 1, &bits) || bits < 0 || bits > UINT32_MAX) {
            diag_set(diag, "tree %u: \"cat_threshold\" must be whole numbers of 32 bits",
                     t->number);
            FAIL(INPUT);
        }
        count += (size_t)__builtin_popcountll((unsigned long long)bits);
    }
    *ret_count = count;
    return OK;
}

static struct status
check_size(struct lightgbm_tree *t, struct diag *diag, size_t *ret_nodes, size_t *ret_categories)
{
    int64_t leaves = 0, linear = 0;
    TRY(number_of(t, LIGHTGBM_NUM_LEAVES, 1, 0, diag, &leaves));
    TRY(number_of(t, LIGHTGBM_IS_LINEAR, 0, 0, diag, &linear));
    if (linear != 0) {
        diag_set(diag,
                 "tree %u has linear leaves (linear_tree): they are not read here; train "
                 "with linear_tree=false",
                 t->number);
        FAIL(UNSUPPORTED);
    }
    /* Told from the values themselves, so that no number in the file makes memory be taken. */
    const size_t have = lightgbm_count_words(t->field[LIGHTGBM_LEAF_VALUE]);
    if ((uint64_t)leaves != have) {
        diag_set(diag, "tree %u: \"num_leaves\" says %lld; \"leaf_value\" holds %zu values",
                 t->number, (long long)leaves, have);
        FAIL(INPUT);
    }
    if (have > FOREST_MAX_NODES / 2) {
        diag_set(diag, "tree %u: more than %u nodes", t->number, FOREST_MAX_NODES);
        FAIL(LIMIT);
    }
    t->leaves = (uint32_t)have;
    *ret_nodes = 2 * have - 1;
    return count_categories(t, diag, ret_categories);
}

struct status
lightgbm_tree_take(struct view *rest, uint32_t number, struct diag *diag,
                   struct lightgbm_tree *ret_tree, size_t *ret_nodes, size_t *ret_categories)
{
    struct lightgbm_tree t = {.number = number};
    struct lightgbm_line line;
    for (struct view at = *rest; lightgbm_next_line(&at, &line); *rest = at) {
        if (view_equal_str(line.key, "Tree") || view_equal_str(line.key, "end of trees")) {
            break;
        }
        TRY(keep_field(&t, &line, diag));
    }
    TRY(check_size(&t, diag, ret_nodes, ret_categories));
    *ret_tree = t;
    return OK;
}

bool
lightgbm_tree_has_counts(const struct lightgbm_tree *t)
{
    return t->leaves == 1 ||
           (t->field[LIGHTGBM_LEAF_COUNT].len > 0 && t->field[LIGHTGBM_INTERNAL_COUNT].len > 0);
}

/* ---- numbers out of the lines ---- */

/* One tree's numbers; index = LightGBM's own of inner node or leaf. */
struct source {
    const struct lightgbm_tree *t;
    struct diag *diag;
    size_t splits, leaves;
    int64_t *feature, *decision, *left, *right, *count; /* splits */
    double *threshold;                                  /* splits */
    double *value;                                      /* leaves */
    int64_t *leaf_count;                                /* leaves */
    int64_t categorical;                                /* bit sets */
    int64_t *boundary;                                  /* categorical + 1 */
    int64_t *word;
    size_t words;
    uint32_t first;           /* our index of the root */
    uint8_t *seen, *set_seen; /* splits + leaves; bit sets */
};

static void
source_done(struct source *s)
{
    void *all[] = {s->feature, s->decision,   s->left,     s->right, s->count, s->threshold,
                   s->value,   s->leaf_count, s->boundary, s->word,  s->seen,  s->set_seen};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(all[i]);
    }
}

__attribute__((format(printf, 3, 4))) static struct status
refuse(const struct source *s, int64_t node, const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    diag_set(s->diag, node < 0 ? "tree %u leaf %lld: %s" : "tree %u node %lld: %s", s->t->number,
             (long long)(node < 0 ? ~node : node), what);
    FAIL(INPUT);
}

static struct status
refuse_list(const struct source *s, enum lightgbm_field field, size_t n)
{
    diag_set(s->diag, "tree %u: \"%s\" must hold %zu finite numbers", s->t->number,
             field_names[field], n);
    FAIL(INPUT);
}

static struct status
read_integers(const struct source *s, enum lightgbm_field field, size_t n, int64_t **ret_list)
{
    *ret_list = calloc(n + 1, sizeof **ret_list);
    CHECK(*ret_list != NULL, MEMORY);
    return lightgbm_integers(s->t->field[field], n, *ret_list) ? OK : refuse_list(s, field, n);
}

static struct status
read_doubles(const struct source *s, enum lightgbm_field field, size_t n, double **ret_list)
{
    *ret_list = calloc(n + 1, sizeof **ret_list);
    CHECK(*ret_list != NULL, MEMORY);
    return lightgbm_doubles(s->t->field[field], n, *ret_list) ? OK : refuse_list(s, field, n);
}

static struct status
read_counts(struct source *s)
{
    if (!lightgbm_tree_has_counts(s->t) || s->leaves == 1) {
        s->count = calloc(s->splits + 1, sizeof *s->count);
        s->leaf_count = calloc(s->leaves, sizeof *s->leaf_count);
        CHECK(s->count != NULL && s->leaf_count != NULL, MEMORY);
        return OK;
    }
    TRY(read_integers(s, LIGHTGBM_INTERNAL_COUNT, s->splits, &s->count));
    return read_integers(s, LIGHTGBM_LEAF_COUNT, s->leaves, &s->leaf_count);
}

/* The bit sets stand one after another: set k is words [boundary[k], boundary[k + 1]). */
static struct status
read_bit_sets(struct source *s)
{
    TRY(number_of(s->t, LIGHTGBM_NUM_CAT, 0, 0, s->diag, &s->categorical));
    if (s->categorical == 0) {
        return OK;
    }
    s->words = lightgbm_count_words(s->t->field[LIGHTGBM_CAT_THRESHOLD]);
    const size_t ends = lightgbm_count_words(s->t->field[LIGHTGBM_CAT_BOUNDARIES]);
    if ((uint64_t)s->categorical + 1 != ends) {
        return refuse_list(s, LIGHTGBM_CAT_BOUNDARIES, (size_t)s->categorical + 1);
    }
    TRY(read_integers(s, LIGHTGBM_CAT_BOUNDARIES, ends, &s->boundary));
    TRY(read_integers(s, LIGHTGBM_CAT_THRESHOLD, s->words, &s->word));
    s->set_seen = calloc(ends, 1);
    CHECK(s->set_seen != NULL, MEMORY);
    for (size_t k = 0; k + 1 < ends; k++) {
        if (s->boundary[k] < 0 || s->boundary[k] > s->boundary[k + 1] ||
            (uint64_t)s->boundary[k + 1] > s->words) {
            diag_set(s->diag,
                     "tree %u: \"cat_boundaries\" must ascend within the %zu words of "
                     "\"cat_threshold\"",
                     s->t->number, s->words);
            FAIL(INPUT);
        }
    }
    return OK;
}

static struct status
read_lists(struct source *s)
{
    TRY(read_doubles(s, LIGHTGBM_LEAF_VALUE, s->leaves, &s->value));
    TRY(read_counts(s));
    if (s->splits == 0) {
        return OK;
    }
    TRY(read_integers(s, LIGHTGBM_SPLIT_FEATURE, s->splits, &s->feature));
    TRY(read_doubles(s, LIGHTGBM_THRESHOLD, s->splits, &s->threshold));
    TRY(read_integers(s, LIGHTGBM_DECISION_TYPE, s->splits, &s->decision));
    TRY(read_integers(s, LIGHTGBM_LEFT_CHILD, s->splits, &s->left));
    TRY(read_integers(s, LIGHTGBM_RIGHT_CHILD, s->splits, &s->right));
    return read_bit_sets(s);
}

/* ---- nodes ---- */

struct place {
    int64_t node; /* LightGBM's: negative for a leaf */
    uint32_t depth;
};

/* LightGBM lists the categories that go left, and sends missing and unlisted ones right; here
 * listed ones go right: the children change places. */
static struct status
read_categories(struct source *s, int64_t node, uint32_t at, struct forest_nodes *to)
{
    const double t = s->threshold[node];
    if (!(t >= 0 && t < (double)s->categorical) || t != floor(t)) {
        return refuse(s, node, "its threshold %g is not one of the tree's %lld sets of categories",
                      t, (long long)s->categorical);
    }
    const size_t k = (size_t)t;
    const int64_t first = s->boundary[k], end = s->boundary[k + 1];
    if (s->set_seen[k] != 0) {
        return refuse(s, node, "its set of categories is also another split's");
    }
    s->set_seen[k] = 1;
    if (end - first > FOREST_CATEGORIES_END / WORD_BITS) {
        return refuse(s, node, "categories over %d", FOREST_CATEGORIES_END - 1);
    }
    to->category_start[at] = to->categories_used;
    for (uint32_t bit = 0; bit < (uint32_t)(end - first) * WORD_BITS; bit++) {
        if (((uint64_t)s->word[first + bit / WORD_BITS] >> bit % WORD_BITS & 1) != 0) {
            to->categories[to->categories_used++] = bit;
        }
    }
    to->category_count[at] = to->categories_used - to->category_start[at];
    to->default_left[at] = 1;
    return to->category_count[at] > 0 ? OK : refuse(s, node, "a set without any category");
}

/* LightGBM reads numbers as near to zero as its threshold as zero (src/c_api.cpp leaves them out of
 * a row), so that a threshold there parts what is below from what is above. */
static float
smallest_right(double t)
{
    const double zero = (double)FOREST_ZERO;
    if (t >= -zero && t < 0) {
        return -FOREST_ZERO;
    }
    return forest_float_above(t >= 0 && t < zero ? zero : t);
}

static struct status
read_comparison(const struct source *s, int64_t node, uint32_t at, struct forest_nodes *to)
{
    const double t = s->threshold[node];
    const int64_t decision = s->decision[node], missing = decision >> MISSING_SHIFT;
    to->threshold[at] = smallest_right(t);
    /* Where NaN is not missing it is read as 0. */
    to->default_left[at] = missing == MISSING_NONE ? 0 <= t : (decision & DEFAULT_LEFT) != 0;
    to->zero_missing[at] = missing == MISSING_ZERO;
    return OK;
}

static struct status
read_split(struct source *s, int64_t node, uint32_t at, struct forest_nodes *to)
{
    const int64_t decision = s->decision[node];
    if (s->feature[node] < 0 || s->feature[node] >= (int64_t)to->features) {
        return refuse(s, node, "its feature %lld is not one of 0 to %u",
                      (long long)s->feature[node], to->features - 1);
    }
    if (decision < 0 || decision >> MISSING_SHIFT >= MISSING_TYPES) {
        return refuse(s, node, "a decision_type of %lld, which is none", (long long)decision);
    }
    to->feature[at] = (uint32_t)s->feature[node];
    return (decision & BY_CATEGORY) != 0 ? read_categories(s, node, at, to)
                                         : read_comparison(s, node, at, to);
}

static struct status
push_child(struct source *s, struct place p, int64_t child, struct place *queue, size_t *tail)
{
    if (child >= (int64_t)s->splits || child < -(int64_t)s->leaves) {
        return refuse(s, p.node, "its child %lld is neither a node nor a leaf", (long long)child);
    }
    uint8_t *seen = &s->seen[child >= 0 ? (size_t)child : s->splits + (size_t)~child];
    if (*seen != 0) {
        return refuse(s, p.node,
                      "its child %lld is reached twice: a cycle, or a node with two parents",
                      (long long)child);
    }
    *seen = 1;
    queue[(*tail)++] = (struct place){child, p.depth + 1};
    return OK;
}

static struct status
read_leaf(const struct source *s, struct place p, uint32_t at, struct forest_nodes *to)
{
    const size_t leaf = (size_t)~p.node;
    if (s->leaf_count[leaf] < 0) {
        return refuse(s, p.node, "a negative leaf_count");
    }
    to->left[at] = to->right[at] = -1;
    to->value[at] = s->value[leaf];
    to->cover[at] = (double)s->leaf_count[leaf];
    to->depth = p.depth > to->depth ? p.depth : to->depth;
    return OK;
}

static struct status
read_node(struct source *s, struct place p, uint32_t at, struct place *queue, size_t *tail,
          struct forest_nodes *to)
{
    if (p.node < 0) {
        return read_leaf(s, p, at, to);
    }
    if (p.depth == FOREST_MAX_DEPTH) {
        return refuse(s, p.node, "deeper than %u levels", FOREST_MAX_DEPTH);
    }
    if (s->count[p.node] < 0) {
        return refuse(s, p.node, "a negative internal_count");
    }
    const bool swap = (s->decision[p.node] & BY_CATEGORY) != 0;
    const int64_t left = s->left[p.node], right = s->right[p.node];
    to->cover[at] = (double)s->count[p.node];
    to->left[at] = (int32_t)(s->first + *tail);
    to->right[at] = (int32_t)(s->first + *tail + 1);
    TRY(push_child(s, p, swap ? right : left, queue, tail));
    TRY(push_child(s, p, swap ? left : right, queue, tail));
    return read_split(s, p.node, at, to);
}

/* Breadth first, so that siblings are neighbours. The queue never holds a node twice. */
static struct status
walk(struct source *s, struct place *queue, struct forest_nodes *to)
{
    size_t head = 0, tail = 0;
    queue[tail++] = (struct place){s->splits == 0 ? -1 : 0, 0};
    s->seen[0] = 1;
    while (head < tail) {
        const uint32_t at = s->first + (uint32_t)head;
        TRY(read_node(s, queue[head++], at, queue, &tail, to));
    }
    to->used += (uint32_t)tail;
    return OK;
}

struct status
lightgbm_tree_read(const struct lightgbm_tree *t, struct diag *diag, struct forest_nodes *to)
{
    DEFER(source_done)
    struct source s = {
        .t = t, .diag = diag, .splits = t->leaves - 1, .leaves = t->leaves, .first = to->used};
    TRY(read_lists(&s));
    s.seen = calloc(s.splits + s.leaves, 1);
    DEFER(memory_freep) struct place *queue = calloc(s.splits + s.leaves, sizeof *queue);
    CHECK(s.seen != NULL && queue != NULL, MEMORY);
    return walk(&s, queue, to);
}
