/* The part of a dataset that a model was trained on, or not. */
#include "base/file.h"
#include "workspace/models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const part_words[] = {
    [PART_ALL] = "all", [PART_TRAIN] = "train", [PART_TEST] = "test"};

const char *
model_part_word(enum model_part part)
{
    return part_words[part];
}

struct status
model_part_from_word(const char *word, enum model_part *ret_part)
{
    for (size_t i = 0; i < sizeof part_words / sizeof *part_words; i++) {
        if (strcmp(part_words[i], word) == 0) {
            *ret_part = (enum model_part)i;
            return OK;
        }
    }
    FAIL(INPUT);
}

struct status
model_select(const struct model *m, const struct dataset_info *data, const struct table *t,
             enum model_part part, struct diag *diag, uint8_t *ret_selected)
{
    if (part == PART_ALL) {
        memset(ret_selected, 1, (size_t)data->rows);
        return OK;
    }
    TRY(model_need_training(m, diag));
    if (!view_equal(view_of(m->dataset_digest.bytes, DIGEST_BYTES),
                    view_of(data->digest.bytes, DIGEST_BYTES))) {
        diag_set(diag,
                 "%s version %llu was trained on %s version %llu, not on %s version %llu: its "
                 "training rows are not known there; name the dataset without \":%s\"",
                 m->name, (unsigned long long)m->version, m->dataset,
                 (unsigned long long)m->dataset_version, data->name,
                 (unsigned long long)data->version, model_part_word(part));
        FAIL(INPUT);
    }
    TRY(table_split(t, m->split, m->split_seed, ret_selected));
    for (size_t i = 0; i < (size_t)data->rows && part == PART_TEST; i++) {
        ret_selected[i] ^= 1;
    }
    return OK;
}

struct status
model_export(struct workspace *w, const struct model *m, const char *dataset, uint64_t version,
             enum model_part part, struct diag *diag, struct table **ret_table)
{
    struct dataset_info info;
    DEFER(table_freep) struct table *whole = NULL;
    DEFER(table_freep) struct table *chosen = NULL;
    DEFER(memory_freep) uint8_t *selected = NULL;
    TRY(dataset_load(w, dataset, version, diag, &whole, &info));
    selected = calloc((size_t)whole->rows + 1, 1);
    CHECK(selected != NULL, MEMORY);
    if (m == NULL) {
        memset(selected, 1, (size_t)whole->rows);
    } else {
        TRY(model_select(m, &info, whole, part, diag, selected));
    }
    TRY(table_select_marked(whole, selected, 1, &chosen));
    char resource[80], reason[96];
    (void)snprintf(resource, sizeof resource, "datasets/%s", info.name);
    (void)snprintf(reason, sizeof reason, "%llu rows of version %llu exported (%s)",
                   (unsigned long long)chosen->rows, (unsigned long long)info.version,
                   model_part_word(part));
    const struct workspace_act act = {
        .action = "dataset.read", .resource = resource, .reason = reason};
    TRY(workspace_audit(w, &act, diag));
    chosen->erased = whole->erased;
    *ret_table = MOVE(chosen);
    return OK;
}
