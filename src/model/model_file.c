#include "model/model_file.h"

void
model_file_free(struct model_file *m)
{
    if (m != NULL) {
        predictor_free(m->predictor);
        forest_free(m->forest);
        linear_free(m->linear);
        free(m->categorical);
        arena_free(m->told);
        arena_free(m->told_outputs);
        free(m);
    }
}

static struct status
describe_forest(struct model_file *m, struct view bytes, const struct forest *f)
{
    m->format = forest_format(bytes);
    m->objective = f->objective;
    m->link = f->link;
    m->features = f->features;
    m->outputs = f->outputs;
    m->two_classes = f->two_classes;
    m->feature_names = f->feature_names;
    m->output_names = f->output_names;
    m->levels = f->levels;
    m->categorical = calloc(f->features, 1);
    CHECK(m->categorical != NULL, MEMORY);
    for (uint32_t n = 0; n < f->nodes; n++) {
        m->categorical[f->feature[n]] |= f->category_count[n] > 0;
    }
    return OK;
}

static struct status
load_linear(struct view bytes, struct diag *diag, struct model_file *m)
{
    TRY(linear_load(bytes, diag, &m->linear));
    m->format = "linear";
    m->objective = link_word(m->linear->link);
    m->link = m->linear->link;
    m->two_classes = m->linear->two_classes;
    m->features = m->linear->features;
    m->outputs = m->linear->outputs;
    m->feature_names = m->linear->feature_names;
    m->output_names = m->linear->output_names;
    m->categorical = calloc(m->features, 1);
    CHECK(m->categorical != NULL, MEMORY);
    return OK;
}

static struct status
load_forest(struct view bytes, struct diag *diag, struct model_file *m)
{
    TRY(forest_load(bytes, diag, &m->forest));
    TRY(predictor_new(m->forest, &m->predictor));
    return describe_forest(m, bytes, m->forest);
}

struct status
model_file_load(struct view bytes, struct diag *diag, struct model_file **ret_model)
{
    DEFER(model_file_freep) struct model_file *m = calloc(1, sizeof *m);
    CHECK(m != NULL, MEMORY);
    TRY(linear_recognise(bytes) ? load_linear(bytes, diag, m) : load_forest(bytes, diag, m));
    *ret_model = MOVE(m);
    return OK;
}

static struct status
copy_texts(struct arena *a, const char *const *from, uint32_t n, const char *const **ret_texts)
{
    const char **texts = arena_alloc(a, (size_t)n + 1, sizeof *texts);
    CHECK(texts != NULL, MEMORY);
    for (uint32_t i = 0; i < n; i++) {
        texts[i] = arena_strdup(a, view_str(from[i]));
        CHECK(texts[i] != NULL, MEMORY);
    }
    *ret_texts = texts;
    return OK;
}

struct status
model_file_tell(struct model_file *m, const char *const *names, const struct forest_levels *levels)
{
    DEFER(arena_freep) struct arena *a = arena_new(SIZE_MAX / 2);
    CHECK(a != NULL, MEMORY);
    struct forest_levels *own = arena_alloc(a, (size_t)m->features + 1, sizeof *own);
    const char *const *own_names = NULL;
    CHECK(own != NULL, MEMORY);
    TRY(copy_texts(a, names, m->features, &own_names));
    for (uint32_t i = 0; i < m->features; i++) {
        own[i].count = levels[i].count;
        TRY(copy_texts(a, levels[i].names, levels[i].count, &own[i].names));
    }
    arena_free(m->told);
    m->told = MOVE(a);
    m->feature_names = own_names;
    m->levels = own;
    return OK;
}

struct status
model_file_tell_outputs(struct model_file *m, const char *const *names)
{
    DEFER(arena_freep) struct arena *a = arena_new(SIZE_MAX / 2);
    const char *const *own = NULL;
    CHECK(a != NULL, MEMORY);
    TRY(copy_texts(a, names, m->outputs, &own));
    arena_free(m->told_outputs);
    m->told_outputs = MOVE(a);
    m->output_names = own;
    return OK;
}

/* Names of a forest's outputs are of classes; a linear model's may be of targets. */
enum model_task
model_file_task(const struct model_file *m)
{
    if (m->outputs == 1) {
        return m->link == FOREST_LOGISTIC ? MODEL_BINARY : MODEL_NUMBER;
    }
    const bool classes = m->link == FOREST_SOFTMAX || m->link == FOREST_LOGISTIC ||
                         (m->forest != NULL && m->output_names != NULL);
    return classes ? MODEL_CLASSES : MODEL_NUMBERS;
}

bool
model_file_is_binary(const struct model_file *m)
{
    return model_file_task(m) == MODEL_BINARY;
}

void
model_file_margin(const struct model_file *m, const float *x, size_t rows, unsigned threads,
                  double *ret_margin)
{
    if (m->linear != NULL) {
        linear_margin(m->linear, x, rows, threads, ret_margin);
    } else {
        predictor_margin(m->predictor, x, rows, threads, ret_margin);
    }
}

void
model_file_link_apply(const struct model_file *m, double *margin, size_t rows)
{
    if (m->linear != NULL) {
        link_apply(m->linear->link, 1, m->outputs, margin, rows);
    } else {
        forest_link_apply(m->forest, margin, rows);
    }
}
