#include "cli/workspace_files.h"

#include "cli/plain_files.h"
#include "workspace/assessments.h"

#include <stdio.h>
#include <string.h>

#define PREFIX CLI_WORKSPACE

bool
cli_is_of_workspace(const char *path)
{
    return strncmp(path, PREFIX, strlen(PREFIX)) == 0;
}

struct status
cli_load_model(struct cli *c, const char *path, struct model **ret_model)
{
    char name[64];
    uint64_t version = 0;
    struct workspace *w = NULL;
    TRY(cli_name_version(c, path + strlen(PREFIX), name, &version));
    TRY(cli_keep_open(c, &w));
    return model_load(w, name, version, &c->diag, ret_model);
}

/* ---- models ---- */

/* A category's names in the order of the numbers that the model reads. */
static struct status
order_levels(const struct feature *f, struct forest_levels *ret_levels)
{
    const char **names = calloc((size_t)f->level_count + 1, sizeof *names);
    CHECK(names != NULL, MEMORY);
    for (uint32_t k = 0; k < f->level_count; k++) {
        names[f->code == NULL ? k : f->code[k]] = f->levels[k];
    }
    *ret_levels = (struct forest_levels){f->level_count, names};
    return OK;
}

struct told {
    const char **names;
    struct forest_levels *levels;
    uint32_t count;
};

static void
told_done(struct told *t)
{
    for (uint32_t i = 0; t->levels != NULL && i < t->count; i++) {
        free((void *)(uintptr_t)t->levels[i].names);
    }
    free(t->levels);
    free(t->names);
}

static struct status
tell(const struct feature_list *l, struct model_file *file)
{
    DEFER(told_done) struct told t = {.count = l->count};
    t.names = calloc((size_t)l->count + 1, sizeof *t.names);
    t.levels = calloc((size_t)l->count + 1, sizeof *t.levels);
    CHECK(t.names != NULL && t.levels != NULL, MEMORY);
    for (uint32_t i = 0; i < l->count; i++) {
        t.names[i] = l->items[i].name;
        if (l->items[i].level_count > 0) { /* a truth value may come as a category: by spelling */
            TRY(order_levels(&l->items[i], &t.levels[i]));
        }
    }
    return model_file_tell(file, t.names, t.levels);
}

struct status
cli_read_model(struct cli *c, const char *path, struct model_file **ret_model,
               struct remover *ret_remover)
{
    DEFER(model_freep) struct model *m = NULL;
    if (!cli_is_of_workspace(path)) {
        return plain_model(path, &c->diag, ret_model);
    }
    TRY(cli_load_model(c, path, &m));
    TRY(tell(&m->features, m->file));
    *ret_model = MOVE(m->file);
    *ret_remover = m->remover;
    m->remover = (struct remover){0};
    return OK;
}

/* ---- rows ---- */

/* A part is one of the model's split. */
static struct status
load_split(struct cli *c, enum model_part part, struct model **ret_model)
{
    const char *model = cli_value(c, "model");
    if (part == PART_ALL) {
        return OK;
    }
    if (model == NULL || !cli_is_of_workspace(model)) {
        diag_set(&c->diag,
                 "the %s part is that of a model's split: name the workspace's model, "
                 "--model " PREFIX "NAME",
                 model_part_word(part));
        FAIL(INPUT);
    }
    return cli_load_model(c, model, ret_model);
}

struct status
cli_read_rows(struct cli *c, const char *path, const struct import_options *o,
              struct table **ret_table)
{
    char name[64];
    uint64_t version = 0;
    enum model_part part = PART_ALL;
    struct workspace *w = NULL;
    DEFER(model_freep) struct model *m = NULL;
    if (!cli_is_of_workspace(path)) {
        return cli_read_table(c, path, o, ret_table);
    }
    TRY(cli_data_of(c, path + strlen(PREFIX), name, &version, &part));
    if (o->override_count > 0 || o->missing_count > 0) {
        diag_set(&c->diag, "--role, --type and --missing are of files; %s was read before", path);
        FAIL(INPUT);
    }
    TRY(load_split(c, part, &m));
    TRY(cli_keep_open(c, &w));
    TRY(model_export(w, m, name, version, part, &c->diag, ret_table));
    cli_note_erased((*ret_table)->erased);
    return OK;
}

struct status
cli_resolve_cohort(struct cli *c, const char *model, const char *cohort, struct buf *ret_predicate)
{
    char name[64];
    uint64_t version = 0;
    struct workspace *w = NULL;
    if (model == NULL || !cli_is_of_workspace(model)) {
        if (assessment_names_cohort(cohort)) {
            diag_set(&c->diag,
                     "cohort %.60s: that of a model's assessment: name the workspace's model, "
                     "--model " PREFIX "NAME",
                     cohort);
            FAIL(INPUT);
        }
        buf_put_str(ret_predicate, cohort);
        return buf_status(ret_predicate);
    }
    TRY(cli_name_version(c, model + strlen(PREFIX), name, &version));
    TRY(cli_keep_open(c, &w));
    return assessment_cohort(w, name, cohort, &c->diag, ret_predicate);
}
