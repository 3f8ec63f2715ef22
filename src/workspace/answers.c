#include "workspace/answers.h"

#include "assess/metric.h"

#include <stdlib.h>
#include <string.h>

static int
compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A table's levels are sorted. ret_code[count]: of each name its level. */
static struct status
take_levels(const char *const *names, uint32_t count, struct column *col, int32_t *ret_code)
{
    DEFER(memory_freep) const char **sorted = calloc((size_t)count + 1, sizeof *sorted);
    col->levels = calloc((size_t)count + 1, sizeof *col->levels);
    CHECK(sorted != NULL && col->levels != NULL, MEMORY);
    memcpy(sorted, names, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_texts);
    for (uint32_t k = 0; k < count; k++) {
        col->levels[k] = strdup(sorted[k]);
        CHECK(col->levels[k] != NULL, MEMORY);
        col->level_count = k + 1;
        for (uint32_t j = 0; j < count; j++) {
            ret_code[j] = strcmp(names[j], sorted[k]) == 0 ? (int32_t)k : ret_code[j];
        }
    }
    return OK;
}

static struct status
begin_classes(const char *const *names, uint32_t count, uint64_t rows, struct column *col,
              int32_t **ret_code)
{
    col->type = COLUMN_CATEGORY;
    col->role = ROLE_IGNORED;
    col->code = calloc((size_t)rows + 1, sizeof *col->code);
    *ret_code = calloc((size_t)count + 1, sizeof **ret_code);
    CHECK(col->code != NULL && *ret_code != NULL, MEMORY);
    return take_levels(names, count, col, *ret_code);
}

struct status
answers_classes(const char *const *names, uint32_t count, const double *score, uint64_t rows,
                struct column *ret_column)
{
    DEFER(memory_freep) int32_t *code = NULL;
    TRY(begin_classes(names, count, rows, ret_column, &code));
    for (uint64_t i = 0; i < rows; i++) {
        ret_column->code[i] = code[metric_class_of(score + i * count, count)];
    }
    return OK;
}

static struct status
take_decisions(const struct model *m, const uint8_t *decision, uint64_t rows, struct column *col)
{
    const char *const names[] = {m->negative, m->positive};
    DEFER(memory_freep) int32_t *code = NULL;
    TRY(begin_classes(names, 2, rows, col, &code));
    for (uint64_t i = 0; i < rows; i++) {
        col->code[i] = code[decision[i] != 0];
    }
    return OK;
}

static struct status
take_numbers(const double *score, uint64_t rows, struct column *col)
{
    col->type = COLUMN_FLOAT;
    col->role = ROLE_IGNORED;
    col->f = calloc((size_t)rows + 1, sizeof *col->f);
    CHECK(col->f != NULL, MEMORY);
    memcpy(col->f, score, (size_t)rows * sizeof *col->f);
    return OK;
}

struct status
answers_column(const struct model *m, const double *score, const uint8_t *decision, uint64_t rows,
               struct column *ret_column)
{
    switch (model_file_task(m->file)) {
    case MODEL_BINARY:
        return take_decisions(m, decision, rows, ret_column);
    case MODEL_CLASSES:
        return answers_classes((const char *const *)m->file->output_names, m->file->outputs, score,
                               rows, ret_column);
    default:
        return take_numbers(score, rows, ret_column);
    }
}
