/* The options that say how a data file is read: of `dataset add` and of the verbs on plain files.
 */
#include "cli/cli.h"

#include "base/file.h"
#include "data/import.h"

#include <stdlib.h>
#include <string.h>

/* "column=word" in place: cuts at the last '='. */
static struct status
cut_pair(struct cli *c, const char *option, const char *text, const char **ret_word)
{
    char *equals = strrchr((char *)(uintptr_t)text, '=');
    if (equals == NULL || equals == text || equals[1] == '\0') {
        diag_set(&c->diag, "--%s %s: write COLUMN=%s", option, text,
                 option[0] == 'r' ? "ROLE" : "TYPE");
        FAIL(INPUT);
    }
    *equals = '\0';
    *ret_word = equals + 1;
    return OK;
}

static struct status
read_roles(struct cli *c, const char **texts, size_t n, struct import_override *ret)
{
    for (size_t i = 0; i < n; i++) {
        const char *word = NULL;
        TRY(cut_pair(c, "role", texts[i], &word));
        ret[i] = (struct import_override){.column = texts[i], .has_role = true};
        if (!status_ok(column_role_from_word(word, &ret[i].role))) {
            diag_set(
                &c->diag,
                "--role %s=%s: a role is feature, label, sensitive, identifier, ignored, time or "
                "subject",
                texts[i], word);
            FAIL(INPUT);
        }
    }
    return OK;
}

static struct status
read_types(struct cli *c, const char **texts, size_t n, struct import_override *ret)
{
    for (size_t i = 0; i < n; i++) {
        const char *word = NULL;
        TRY(cut_pair(c, "type", texts[i], &word));
        ret[i] = (struct import_override){.column = texts[i], .has_type = true};
        if (!status_ok(column_type_from_word(word, &ret[i].type))) {
            diag_set(&c->diag,
                     "--type %s=%s: a type is float, integer, category, boolean, time or text",
                     texts[i], word);
            FAIL(INPUT);
        }
    }
    return OK;
}

static struct status
read_delimiter(struct cli *c, char *ret_delimiter)
{
    const char *text = cli_value(c, "delimiter");
    if (text == NULL) {
        *ret_delimiter = 0;
        return OK;
    }
    const char *tab = strcmp(text, "\\t") == 0 || strcmp(text, "tab") == 0 ? "\t" : text;
    if (strlen(tab) != 1) {
        diag_set(&c->diag, "--delimiter %s: one character, or \"tab\"", text);
        FAIL(INPUT);
    }
    *ret_delimiter = *tab;
    return OK;
}

void
cli_import_done(struct cli_import *m)
{
    for (size_t i = 0; i < CLI_IMPORT_LISTS; i++) {
        free(m->memory[i]);
    }
}

struct status
cli_import_options(struct cli *c, struct cli_import *ret_import)
{
    struct cli_import *m = ret_import;
    struct import_options *o = &m->options;
    const char *roles[CLI_MAX_REPEATS], *types[CLI_MAX_REPEATS];
    size_t n_roles = 0, n_types = 0;
    TRY(cli_list(c, "role", roles, CLI_MAX_REPEATS, &n_roles, &m->memory[0]));
    TRY(cli_list(c, "type", types, CLI_MAX_REPEATS, &n_types, &m->memory[1]));
    TRY(cli_list(c, "missing", m->missing, CLI_MAX_REPEATS, &o->missing_count, &m->memory[2]));
    TRY(read_roles(c, roles, n_roles, m->overrides));
    TRY(read_types(c, types, n_types, m->overrides + n_roles));
    TRY(read_delimiter(c, &o->delimiter));
    o->missing_only = cli_flag(c, "missing-only");
    o->missing = m->missing;
    o->overrides = m->overrides;
    o->override_count = n_roles + n_types;
    return OK;
}

struct status
cli_read_table(struct cli *c, const char *path, const struct import_options *o,
               struct table **ret_table)
{
    struct cli_progress progress;
    cli_progress_start(&progress, "reading");
    cli_progress_show(&progress, "reading %.100s", path);
    const struct status s = import_file(path, o, &c->diag, ret_table);
    cli_progress_stop(&progress);
    return s;
}
