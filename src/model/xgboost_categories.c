#include "model/xgboost_categories.h"

#include "model/xgboost_tree.h"

#include <stdio.h>

struct names {
    struct forest_build *b;
    struct diag *diag;
    uint32_t feature;
};

static struct status
refuse(const struct names *n, const char *what)
{
    diag_set(n->diag, "\"cats\": feature %u: %s", n->feature, what);
    FAIL(INPUT);
}

/* Bytes from an array of numbers, which may be signed; *ret_ascii: none is past 127. */
static struct status
read_bytes(const struct names *n, const json_t *values, char **ret_bytes, bool *ret_ascii)
{
    const size_t count = json_array_size(values);
    char *bytes = NULL;
    CHECK(FOREST_TAKE(n->b->arena, bytes, count + 1), MEMORY);
    *ret_ascii = true;
    for (size_t i = 0; i < count; i++) {
        int64_t v = 0;
        if (!xgboost_integer(json_array_get(values, i), &v) || v < -128 || v > 255) {
            return refuse(n, "a value is no byte");
        }
        *ret_ascii = *ret_ascii && v > 0 && v < 128;
        bytes[i] = (char)v;
    }
    *ret_bytes = bytes;
    return OK;
}

static struct status
read_texts(const struct names *n, const json_t *offsets, const json_t *values,
           struct forest_levels *ret_levels)
{
    const size_t count = json_array_size(offsets) - 1, size = json_array_size(values);
    const char **names = NULL;
    char *bytes = NULL;
    bool ascii = false;
    int64_t from = 0, to = 0;
    TRY(read_bytes(n, values, &bytes, &ascii));
    CHECK(FOREST_TAKE(n->b->arena, names, count + 1), MEMORY);
    for (size_t i = 0; i <= count; i++, from = to) {
        if (!xgboost_integer(json_array_get(offsets, i), &to) || to < from || to > (int64_t)size ||
            (i == 0 && to != 0)) {
            return refuse(n, "\"offsets\" must ascend from 0 within \"values\"");
        }
        if (i > 0 && ascii) {
            names[i - 1] = arena_strdup(n->b->arena, view_of(bytes + from, (size_t)(to - from)));
            CHECK(names[i - 1] != NULL, MEMORY);
        }
    }
    if (ascii) {
        *ret_levels = (struct forest_levels){(uint32_t)count, names};
    }
    return OK;
}

static struct status
read_integers(const struct names *n, const json_t *values, struct forest_levels *ret_levels)
{
    const size_t count = json_array_size(values);
    const char **names = NULL;
    CHECK(FOREST_TAKE(n->b->arena, names, count + 1), MEMORY);
    for (size_t i = 0; i < count; i++) {
        char text[32];
        int64_t v = 0;
        if (!xgboost_integer(json_array_get(values, i), &v)) {
            return refuse(n, "a category is neither text nor whole number");
        }
        (void)snprintf(text, sizeof text, "%lld", (long long)v);
        names[i] = arena_strdup(n->b->arena, view_str(text));
        CHECK(names[i] != NULL, MEMORY);
    }
    *ret_levels = (struct forest_levels){(uint32_t)count, names};
    return OK;
}

static struct status
read_feature(const struct names *n, const json_t *encoding, struct forest_levels *ret_levels)
{
    const json_t *offsets = json_object_get(encoding, "offsets"),
                 *values = json_object_get(encoding, "values");
    if (!json_is_object(encoding) || !json_is_array(values) ||
        (offsets != NULL && !json_is_array(offsets))) {
        return refuse(n, "must be an object with \"values\", and with \"offsets\" for texts");
    }
    if (json_array_size(values) >= FOREST_CATEGORIES_END ||
        json_array_size(offsets) >= FOREST_CATEGORIES_END) {
        return refuse(n, "too many categories");
    }
    if (offsets == NULL) {
        return read_integers(n, values, ret_levels);
    }
    return json_array_size(offsets) == 0 ? OK : read_texts(n, offsets, values, ret_levels);
}

struct status
xgboost_read_categories(struct forest_build *b, const json_t *model, struct diag *diag)
{
    const json_t *list = json_object_get(json_object_get(model, "cats"), "enc");
    struct forest_levels *levels = NULL;
    struct names n = {b, diag, 0};
    if (json_array_size(list) == 0) {
        return OK;
    }
    if (json_array_size(list) != b->f->features) {
        diag_set(diag, "\"cats\" must have %u encodings, one for each feature", b->f->features);
        FAIL(INPUT);
    }
    CHECK(FOREST_TAKE(b->arena, levels, b->f->features), MEMORY);
    for (; n.feature < b->f->features; n.feature++) {
        TRY(read_feature(&n, json_array_get(list, n.feature), &levels[n.feature]));
    }
    b->f->levels = levels;
    return OK;
}
