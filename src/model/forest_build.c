#include "model/forest_build.h"

#include "model/forest_formats.h"

#include <math.h>

/* Forest and the arena that holds it. */
struct held {
    struct forest f;
    struct arena *arena;
};

void
forest_free(struct forest *f)
{
    if (f != NULL) {
        arena_free(((struct held *)f)->arena);
    }
}

/* The nearest float is the one below or the one above t. */
float
forest_float_above(double t)
{
    const float near = (float)t;
    return (double)near > t ? near : nextafterf(near, INFINITY);
}

float
forest_float_from(double t)
{
    const float near = (float)t;
    return (double)near >= t ? near : nextafterf(near, INFINITY);
}

struct status
forest_build_start(struct forest_build *ret_build)
{
    struct arena *arena = arena_new(SIZE_MAX / 2);
    CHECK(arena != NULL, MEMORY);
    struct held *held = arena_alloc(arena, 1, sizeof *held);
    if (held == NULL) {
        arena_free(arena);
        FAIL(MEMORY);
    }
    held->arena = arena;
    held->f.link_scale = 1;
    held->f.has_cover = true;
    *ret_build = (struct forest_build){.arena = arena, .f = &held->f};
    return OK;
}

struct status
forest_build_allocate(struct forest_build *b, size_t nodes, size_t categories)
{
    struct arena *a = b->arena;
    struct forest_nodes *to = &b->nodes;
    const size_t trees = b->f->trees;
    CHECK(FOREST_TAKE(a, b->tree_start, trees + 1) && FOREST_TAKE(a, b->tree_output, trees) &&
              FOREST_TAKE(a, b->tree_weight, trees) && FOREST_TAKE(a, to->left, nodes) &&
              FOREST_TAKE(a, to->right, nodes) && FOREST_TAKE(a, to->feature, nodes) &&
              FOREST_TAKE(a, to->threshold, nodes) && FOREST_TAKE(a, to->default_left, nodes) &&
              FOREST_TAKE(a, to->zero_missing, nodes) && FOREST_TAKE(a, to->value, nodes) &&
              FOREST_TAKE(a, to->cover, nodes) && FOREST_TAKE(a, to->category_start, nodes) &&
              FOREST_TAKE(a, to->category_count, nodes) &&
              FOREST_TAKE(a, to->categories, categories),
          MEMORY);
    to->features = b->f->features;
    return OK;
}

static bool
any_set(const uint8_t *flags, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (flags[i] != 0) {
            return true;
        }
    }
    return false;
}

/* A node in the form that prediction reads. */
static struct forest_step
packed(const struct forest *f, uint32_t n)
{
    return (struct forest_step){
        .rule = f->feature[n] | (f->default_left[n] != 0 ? FOREST_DEFAULT_LEFT : 0) |
                (forest_compares(f, n) ? 0 : FOREST_BY_QUESTION),
        .threshold = f->threshold[n],
        .next = f->left[n] < 0 ? n : (uint32_t)f->left[n],
    };
}

static struct status
publish(struct forest_build *b)
{
    struct forest *f = b->f;
    const struct forest_nodes *from = &b->nodes;
    struct forest_step *step = NULL;
    CHECK(FOREST_TAKE(b->arena, step, from->used), MEMORY);
    b->tree_start[f->trees] = from->used;
    f->nodes = from->used;
    f->depth = from->depth;
    f->tree_start = b->tree_start;
    f->tree_output = b->tree_output;
    f->tree_weight = b->tree_weight;
    f->left = from->left;
    f->right = from->right;
    f->feature = from->feature;
    f->threshold = from->threshold;
    f->default_left = from->default_left;
    f->zero_missing = any_set(from->zero_missing, from->used) ? from->zero_missing : NULL;
    f->value = from->value;
    f->cover = from->cover;
    f->category_start = from->category_start;
    f->category_count = from->category_count;
    f->categories = from->categories;
    for (uint32_t n = 0; n < from->used; n++) {
        step[n] = packed(f, n);
    }
    f->step = step;
    return OK;
}

struct status
forest_build_end(struct forest_build *b, struct status loaded, struct forest **ret_forest)
{
    const struct status s = status_ok(loaded) ? publish(b) : loaded;
    if (!status_ok(s)) {
        arena_free(b->arena);
        return s;
    }
    *ret_forest = b->f;
    return OK;
}

static bool
is_lightgbm(struct view bytes)
{
    return bytes.len >= 5 && memcmp(bytes.ptr, "tree", 4) == 0 &&
           (bytes.ptr[4] == '\n' || bytes.ptr[4] == '\r');
}

/* A protocol buffer whose first field is number 1, a whole number: ir_version. */
static bool
is_onnx(struct view bytes)
{
    return bytes.len >= 2 && bytes.ptr[0] == 0x08 && bytes.ptr[1] < 0x80;
}

const char *
forest_format(struct view bytes)
{
    return is_lightgbm(bytes) ? "lightgbm" : is_onnx(bytes) ? "onnx" : "xgboost";
}

static struct status
load(struct view bytes, struct diag *diag, struct forest **ret_forest)
{
    if (bytes.len > FOREST_MAX_BYTES) {
        diag_set(diag, "larger than %zu bytes", FOREST_MAX_BYTES);
        FAIL(LIMIT);
    }
    return is_lightgbm(bytes) ? forest_load_lightgbm(bytes, diag, ret_forest)
           : is_onnx(bytes)   ? forest_load_onnx(bytes, diag, ret_forest)
                              : forest_load_xgboost(bytes, diag, ret_forest);
}

/* So that no sum of them, not in floats either, is infinite or no number at all. */
static struct status
check_values(const struct forest *f, struct diag *diag)
{
    for (uint32_t t = 0; t < f->trees; t++) {
        for (uint32_t n = f->tree_start[t]; n < f->tree_start[t + 1]; n++) {
            if (f->left[n] < 0 && !(fabs(f->value[n] * f->tree_weight[t]) <= FOREST_MAX_VALUE)) {
                diag_set(diag, "tree %u: its leaf of %g is over the limit of %g", t, f->value[n],
                         FOREST_MAX_VALUE);
                FAIL(LIMIT);
            }
        }
    }
    for (uint32_t k = 0; k < f->outputs; k++) {
        if (!(fabs(f->base[k]) <= FOREST_MAX_VALUE)) {
            diag_set(diag, "its base score of %g is over the limit of %g", f->base[k],
                     FOREST_MAX_VALUE);
            FAIL(LIMIT);
        }
    }
    return OK;
}

struct status
forest_load(struct view bytes, struct diag *diag, struct forest **ret_forest)
{
    struct diag inner = {0};
    DEFER(forest_freep) struct forest *f = NULL;
    struct status s = load(bytes, &inner, &f);
    s = status_ok(s) ? check_values(f, &inner) : s;
    if (status_ok(s)) {
        *ret_forest = MOVE(f);
    } else {
        diag_set(diag, "model: %s", inner.text[0] != '\0' ? inner.text : status_word(s.code));
    }
    return s;
}
