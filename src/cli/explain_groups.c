#include "cli/explain_groups.h"

#include "base/text.h"

#include <string.h>

#define GROUPS_MAX CLI_MAX_REPEATS
#define NONE "none of these"
#define SEPARATORS "_=.:-/[ "

void
explain_groups_done(struct explain_groups *g)
{
    explain_columns_free(g->columns);
    free(g->name);
    free(g->feature);
    free(g->level);
    free(g->level_start);
    free(g->memory[0]);
    free(g->memory[1]);
    for (size_t i = 0; i < GROUPS_MAX; i++) {
        free(g->made[i]);
    }
}

/* What the options say. */
struct asked {
    struct cli *c;
    const char *const *feature;
    uint32_t features;
    const char *name[GROUPS_MAX];   /* of each group */
    const char *prefix[GROUPS_MAX]; /* that its levels are told without */
    char **made;                    /* the names that were made of prefixes */
    uint32_t groups;
    uint32_t *group; /* features */
};

static void
asked_done(struct asked *a)
{
    free(a->group);
}

static struct status
put_in_group(const struct asked *a, uint32_t f, const char *option)
{
    const uint32_t now = a->group[f];
    if (now != EXPLAIN_ALONE) {
        diag_set(&a->c->diag, "--%s: \"%.100s\" is in \"%.100s\" %s", option, a->feature[f],
                 a->name[now], now + 1 == a->groups ? "twice" : "already");
        FAIL(INPUT);
    }
    a->group[f] = a->groups - 1;
    return OK;
}

static struct status
find_feature(const struct asked *a, const char *name, uint32_t *ret_feature)
{
    for (uint32_t f = 0; f < a->features; f++) {
        if (strcmp(a->feature[f], name) == 0) {
            *ret_feature = f;
            return OK;
        }
    }
    const char *near = text_nearest(name, a->feature, a->features);
    diag_set(&a->c->diag, "--group: the model reads no \"%.100s\"%s%.100s%s", name,
             near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
             near == NULL ? "" : "\"?");
    FAIL(INPUT);
}

/* "race=race_black,race_white"; text is changed. */
static struct status
take_group(struct asked *a, char *text)
{
    char *equals = strchr(text, '=');
    if (equals == NULL || equals == text || equals[1] == '\0') {
        diag_set(&a->c->diag, "--group %.100s: write NAME=COLUMN,COLUMN,...", text);
        FAIL(INPUT);
    }
    *equals = '\0';
    a->name[a->groups++] = text;
    char *rest = equals + 1;
    for (char *part = strsep(&rest, ","); part != NULL; part = strsep(&rest, ",")) {
        uint32_t f = 0;
        TRY(find_feature(a, part, &f));
        TRY(put_in_group(a, f, "group"));
    }
    return OK;
}

/* "race_" is all features that begin so, called "race". */
static struct status
take_prefix(struct asked *a, const char *prefix)
{
    size_t n = strlen(prefix);
    bool found = false;
    while (n > 1 && strchr(SEPARATORS, prefix[n - 1]) != NULL) {
        n--;
    }
    a->made[a->groups] = strndup(prefix, n);
    CHECK(a->made[a->groups] != NULL, MEMORY);
    a->name[a->groups] = a->made[a->groups];
    a->prefix[a->groups++] = prefix;
    for (uint32_t f = 0; f < a->features; f++) {
        if (strncmp(a->feature[f], prefix, strlen(prefix)) == 0) {
            found = true;
            TRY(put_in_group(a, f, "group-prefix"));
        }
    }
    if (!found) {
        diag_set(&a->c->diag,
                 "--group-prefix: the model reads no column that begins with \"%.100s\"", prefix);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
check_names(const struct asked *a)
{
    for (uint32_t i = 0; i < a->groups; i++) {
        bool taken = false;
        for (uint32_t k = 0; k < i; k++) {
            taken |= strcmp(a->name[i], a->name[k]) == 0;
        }
        for (uint32_t f = 0; f < a->features; f++) {
            taken |= a->group[f] == EXPLAIN_ALONE && strcmp(a->feature[f], a->name[i]) == 0;
        }
        if (taken) {
            diag_set(&a->c->diag,
                     "--group: there is another column \"%.100s\"; choose another name",
                     a->name[i]);
            FAIL(INPUT);
        }
    }
    return OK;
}

/* ---- names ---- */

/* What is left of a feature's name without that of its column: "race_black" is "black". */
static const char *
level_name(const struct asked *a, uint32_t group, const char *feature)
{
    const char *start = a->prefix[group] != NULL ? a->prefix[group] : a->name[group];
    const size_t n = strlen(start);
    if (strncmp(feature, start, n) != 0 || feature[n] == '\0') {
        return feature;
    }
    if (a->prefix[group] == NULL && (strchr(SEPARATORS, feature[n]) == NULL || !feature[n + 1])) {
        return feature;
    }
    return feature + n + (a->prefix[group] == NULL);
}

static struct status
name_columns(struct asked *a, struct explain_groups *g)
{
    const struct explain_columns *c = g->columns;
    uint32_t at = 0;
    g->name = calloc((size_t)c->columns + 1, sizeof *g->name);
    g->feature = calloc((size_t)c->features + 1, sizeof *g->feature);
    g->level = calloc((size_t)c->features + c->columns + 1, sizeof *g->level);
    g->level_start = calloc((size_t)c->columns + 1, sizeof *g->level_start);
    CHECK(g->name != NULL && g->feature != NULL && g->level != NULL && g->level_start != NULL,
          MEMORY);
    memcpy(g->feature, a->feature, c->features * sizeof *g->feature);
    for (uint32_t k = 0; k < c->columns; k++) {
        const uint32_t group = a->group[c->first[k]];
        g->name[k] = group == EXPLAIN_ALONE ? a->feature[c->first[k]] : a->name[group];
        g->level_start[k] = at;
        at += c->members[k];
        g->level[at++] = NONE;
    }
    for (uint32_t f = 0; f < c->features; f++) {
        const uint32_t group = a->group[f];
        g->level[g->level_start[c->column[f]] + c->place[f]] =
            group == EXPLAIN_ALONE ? a->feature[f] : level_name(a, group, a->feature[f]);
    }
    return OK;
}

const char *const *
explain_groups_levels(const struct explain_groups *g, uint32_t column)
{
    return g->level + g->level_start[column];
}

/* ---- the whole ---- */

struct status
explain_groups_take(struct cli *c, const char *const *feature, uint32_t features,
                    struct explain_groups *ret_groups)
{
    DEFER(explain_groups_done) struct explain_groups g = {0};
    DEFER(asked_done)
    struct asked a = {.c = c, .feature = feature, .features = features, .made = g.made};
    const char *given[GROUPS_MAX];
    size_t named = 0, prefixed = 0;
    a.group = malloc(((size_t)features + 1) * sizeof *a.group);
    CHECK(a.group != NULL, MEMORY);
    memset(a.group, 0xff, ((size_t)features + 1) * sizeof *a.group);
    TRY(cli_list(c, "group", given, GROUPS_MAX, &named, &g.memory[0]));
    for (size_t i = 0; i < named; i++) {
        TRY(take_group(&a, (char *)(uintptr_t)given[i]));
    }
    TRY(cli_list(c, "group-prefix", given, GROUPS_MAX - named, &prefixed, &g.memory[1]));
    for (size_t i = 0; i < prefixed; i++) {
        TRY(take_prefix(&a, given[i]));
    }
    if (a.groups == 0) {
        return OK;
    }
    TRY(check_names(&a));
    TRY(explain_columns_new(a.group, features, &g.columns));
    TRY(name_columns(&a, &g));
    *ret_groups = g;
    g = (struct explain_groups){0};
    return OK;
}
