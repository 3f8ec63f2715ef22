#include "model/linear.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/threads.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FORMAT "steward-linear"
#define HEAD_BYTES 256u /* "format" stands within these */
#define BLOCK_ROWS 1024u

/* Model and the arena that holds it. */
struct held {
    struct linear m;
    struct arena *arena;
};

struct loader {
    struct diag *diag;
    struct arena *arena;
    struct linear *m;
    const json_t *document;
};

void
linear_free(struct linear *m)
{
    if (m != NULL) {
        arena_free(((struct held *)m)->arena);
    }
}

bool
linear_recognise(struct view bytes)
{
    static const char word[] = "\"" FORMAT "\"";
    const size_t n = bytes.len < HEAD_BYTES ? bytes.len : HEAD_BYTES;
    return n > 0 && memmem(bytes.ptr, n, word, sizeof word - 1) != NULL;
}

__attribute__((format(printf, 2, 3))) static struct status
refuse(const struct loader *l, const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    diag_set(l->diag, "linear model: %s", what);
    FAIL(INPUT);
}

/* ---- lists ---- */

static struct status
read_numbers(const struct loader *l, const json_t *list, const char *key, size_t n, double *ret)
{
    if (!json_is_array(list) || json_array_size(list) != n) {
        return refuse(l, "\"%s\" must be a list of %zu numbers", key, n);
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(list, i);
        ret[i] = json_is_number(v) ? json_number_value(v) : (double)NAN;
        if (!isfinite(ret[i])) {
            return refuse(l, "\"%s\": value %zu is not a finite number", key, i);
        }
        if (fabs(ret[i]) > LINEAR_MAX_VALUE) {
            return refuse(l, "\"%s\": value %zu is %g, over the limit of %g", key, i, ret[i],
                          LINEAR_MAX_VALUE);
        }
    }
    return OK;
}

/* A list of texts, each once and not empty. */
static struct status
read_texts(const struct loader *l, const json_t *list, const char *key, size_t n,
           const char *const **ret_texts)
{
    const char **texts = arena_alloc(l->arena, n, sizeof *texts);
    DEFER(js_freep) json_t *seen = json_object();
    CHECK(texts != NULL && seen != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text == NULL || *text == '\0') {
            return refuse(l, "\"%s\": value %zu is not a text, or empty", key, i);
        }
        if (json_object_get(seen, text) != NULL) {
            return refuse(l, "\"%s\": \"%.60s\" stands there twice", key, text);
        }
        TRY(js_set(seen, text, json_true()));
        texts[i] = arena_strdup(l->arena, view_str(text));
        CHECK(texts[i] != NULL, MEMORY);
    }
    *ret_texts = texts;
    return OK;
}

static struct status
read_features(struct loader *l)
{
    json_t *list = NULL;
    TRY(js_need_array(l->document, "features", l->diag, &list));
    const size_t n = json_array_size(list);
    if (n == 0 || n > LINEAR_MAX_FEATURES) {
        return refuse(l, "%zu features; 1 to %u are read here", n, LINEAR_MAX_FEATURES);
    }
    l->m->features = (uint32_t)n;
    return read_texts(l, list, "features", n, &l->m->feature_names);
}

/* One list of coefficients for each output. */
static struct status
read_coefficients(struct loader *l)
{
    json_t *lists = NULL, *intercept = NULL;
    TRY(js_need_array(l->document, "coefficients", l->diag, &lists));
    TRY(js_need_array(l->document, "intercept", l->diag, &intercept));
    const size_t n = json_array_size(lists), width = l->m->features;
    if (n == 0 || n > LINEAR_MAX_OUTPUTS) {
        return refuse(l, "%zu lists of coefficients; 1 to %u are read here", n, LINEAR_MAX_OUTPUTS);
    }
    double *all = arena_alloc(l->arena, n * width, sizeof *all);
    double *base = arena_alloc(l->arena, n, sizeof *base);
    CHECK(all != NULL && base != NULL, MEMORY);
    for (size_t k = 0; k < n; k++) {
        char key[32];
        (void)snprintf(key, sizeof key, "coefficients[%zu]", k);
        TRY(read_numbers(l, json_array_get(lists, k), key, width, all + k * width));
    }
    TRY(read_numbers(l, intercept, "intercept", n, base));
    l->m->outputs = (uint32_t)n;
    l->m->coefficient = all;
    l->m->intercept = base;
    return OK;
}

/* An optional list of a number for each feature; each of them `fallback` without. */
static struct status
read_optional(const struct loader *l, const char *key, double fallback, const double **ret_list)
{
    const size_t n = l->m->features;
    const json_t *list = json_object_get(l->document, key);
    double *numbers = arena_alloc(l->arena, n, sizeof *numbers);
    CHECK(numbers != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        numbers[i] = fallback;
    }
    *ret_list = numbers;
    return list == NULL ? OK : read_numbers(l, list, key, n, numbers);
}

static struct status
read_standard(struct loader *l)
{
    l->m->has_mean = json_object_get(l->document, "mean") != NULL;
    TRY(read_optional(l, "mean", 0, &l->m->mean));
    TRY(read_optional(l, "scale", 1, &l->m->scale));
    TRY(read_optional(l, "missing", (double)NAN, &l->m->missing));
    for (uint32_t i = 0; i < l->m->features; i++) {
        if (fabs(l->m->scale[i]) < 1 / LINEAR_MAX_VALUE) {
            return refuse(l, "\"scale\": value %u is %s", i,
                          l->m->scale[i] == 0 ? "0" : "nearer to 0 than 1e-45");
        }
    }
    return OK;
}

/* ---- what it answers ---- */

static struct status
read_link(struct loader *l)
{
    static const enum forest_link links[] = {FOREST_IDENTITY, FOREST_LOGISTIC, FOREST_SOFTMAX,
                                             FOREST_EXP};
    const char *word = NULL;
    TRY(js_need_string(l->document, "link", l->diag, &word));
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        if (strcmp(word, link_word(links[i])) == 0) {
            l->m->link = links[i];
            return l->m->link == FOREST_SOFTMAX && l->m->outputs < 2
                       ? refuse(l, "softmax needs a list of coefficients for each class")
                       : OK;
        }
    }
    return refuse(l, "\"link\" is \"%.40s\"; it is identity, logistic, softmax or exp", word);
}

/* Of a binary model they are two, the second the one that the probability is of. */
static struct status
read_classes(struct loader *l)
{
    const json_t *list = json_object_get(l->document, "classes");
    const bool binary = l->m->outputs == 1 && l->m->link == FOREST_LOGISTIC;
    const size_t n = binary ? 2 : l->m->outputs;
    const char *const *names = NULL;
    if (list == NULL) {
        return OK;
    }
    if (!json_is_array(list) || json_array_size(list) != n) {
        return refuse(l, "\"classes\" must be a list of %zu texts", n);
    }
    TRY(read_texts(l, list, "classes", n, &names));
    l->m->output_names = binary ? NULL : names;
    l->m->two_classes = binary ? names : NULL;
    return OK;
}

/* A misspelt key would change the model without a word. */
static struct status
check_keys(const struct loader *l)
{
    static const char *const keys[] = {"format",  "version",   "link",         "features",
                                       "classes", "intercept", "coefficients", "mean",
                                       "scale",   "missing",   "about"};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)l->document, key, value)
    {
        bool known = false;
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
            known = known || strcmp(key, keys[i]) == 0;
        }
        if (!known) {
            return refuse(l, "unknown key \"%.60s\"", key);
        }
    }
    return OK;
}

static struct status
read_document(struct loader *l)
{
    const char *format = NULL;
    int64_t version = 0;
    if (!json_is_object(l->document)) {
        return refuse(l, "not an object");
    }
    TRY(js_need_string(l->document, "format", l->diag, &format));
    TRY(js_need_i64(l->document, "version", l->diag, &version));
    if (strcmp(format, FORMAT) != 0) {
        return refuse(l, "\"format\" is not \"%s\"", FORMAT);
    }
    if (version != 1) {
        diag_set(l->diag, "linear model: version %lld; 1 is read here", (long long)version);
        FAIL(UNSUPPORTED);
    }
    TRY(check_keys(l));
    TRY(read_features(l));
    TRY(read_coefficients(l));
    TRY(read_standard(l));
    TRY(read_link(l));
    return read_classes(l);
}

struct status
linear_load(struct view bytes, struct diag *diag, struct linear **ret_linear)
{
    DEFER(js_freep) json_t *document = NULL;
    TRY(js_parse_within(bytes, 16 * LINEAR_MAX_BYTES, "linear model", diag, &document));
    DEFER(arena_freep) struct arena *arena = arena_new(SIZE_MAX / 2);
    CHECK(arena != NULL, MEMORY);
    struct held *held = arena_alloc(arena, 1, sizeof *held);
    CHECK(held != NULL, MEMORY);
    struct loader l = {diag, arena, &held->m, document};
    TRY(read_document(&l));
    held->arena = MOVE(arena);
    *ret_linear = &held->m;
    return OK;
}

/* ---- prediction ---- */

struct job {
    const struct linear *m;
    const float *x;
    size_t rows;
    double *margin;
};

static void
margin_of_row(const struct linear *m, const float *x, double *ret_margin)
{
    for (uint32_t k = 0; k < m->outputs; k++) {
        ret_margin[k] = m->intercept[k];
    }
    for (uint32_t j = 0; j < m->features; j++) {
        const double v = isnan(x[j]) ? m->missing[j] : (double)x[j];
        const double z = (v - m->mean[j]) / m->scale[j];
        for (uint32_t k = 0; k < m->outputs; k++) {
            ret_margin[k] += m->coefficient[(size_t)k * m->features + j] * z;
        }
    }
}

static void
margin_block(void *ctx, size_t block)
{
    const struct job *j = ctx;
    const size_t first = block * BLOCK_ROWS,
                 end = first + BLOCK_ROWS < j->rows ? first + BLOCK_ROWS : j->rows;
    for (size_t r = first; r < end; r++) {
        margin_of_row(j->m, j->x + r * j->m->features, j->margin + r * j->m->outputs);
    }
}

void
linear_margin(const struct linear *m, const float *x, size_t rows, unsigned threads,
              double *ret_margin)
{
    struct job j = {m, x, rows, ret_margin};
    threads_for((rows + BLOCK_ROWS - 1) / BLOCK_ROWS, threads, margin_block, &j);
}
