#include "cli/cli.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* ---- finding the verb ---- */

/* Words of the verb's name that argv begins with, if all of them; otherwise 0. */
static int
match_words(const char *name, int argc, char **argv)
{
    int words = 0;
    while (*name != '\0') {
        const size_t n = strcspn(name, " ");
        if (words >= argc || strlen(argv[words]) != n || strncmp(argv[words], name, n) != 0) {
            return 0;
        }
        words++;
        name += n + (name[n] == ' ');
    }
    return words;
}

static const struct cli_verb *
find_verb(int argc, char **argv, int *ret_words)
{
    for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++) {
        const int words = match_words(v->name, argc, argv);
        if (words > 0) {
            *ret_words = words;
            return v;
        }
    }
    return NULL;
}

/* The verbs that begin with that word: "dataset" -> "dataset add", "dataset list", ... */
static void
put_family(struct buf *b, const char *word)
{
    const size_t len = strlen(word);
    for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++) {
        if (strncmp(v->name, word, len) == 0 && v->name[len] == ' ') {
            buf_printf(b, "%s\"%s\"", b->len > 0 ? ", " : "", v->name);
        }
    }
}

struct status
cli_refuse_verb(struct diag *diag, const char *first, const char *second)
{
    const char *names[CLI_MAX_VERBS];
    size_t n = 0;
    for (const struct cli_verb *v = cli_verbs; v->name != NULL && n < CLI_MAX_VERBS; v++) {
        names[n++] = v->name;
    }
    char typed[128];
    const bool two = second != NULL && *second != '-';
    (void)snprintf(typed, sizeof typed, "%s%s%s", first, two ? " " : "", two ? second : "");
    DEFER(buf_done) struct buf family;
    buf_init(&family, 512);
    put_family(&family, first);
    const char *near = two || family.len == 0 ? text_nearest(typed, names, n) : NULL;
    if (near == NULL && family.len == 0) {
        near = text_nearest(first, names, n);
    }
    if (near != NULL) {
        diag_set(diag, "\"%s\" is not a verb; did you mean \"%s\"?", typed, near);
    } else if (family.len > 0) {
        diag_set(diag, "\"%s\" is not a verb; there is: %s", typed, buf_str(&family));
    } else if (*first == '-') {
        diag_set(diag, "the verb stands first, options after it: steward VERB ... %s", first);
    } else {
        diag_set(diag, "\"%s\" is not a verb; \"steward help\" shows them", typed);
    }
    FAIL(INPUT);
}

/* ---- options ---- */

static const struct cli_option *
find_in(const struct cli_option *options, const char *name, size_t n)
{
    for (; options->name != NULL; options++) {
        if (strlen(options->name) == n && strncmp(options->name, name, n) == 0) {
            return options;
        }
    }
    return NULL;
}

bool
cli_has_option(const struct cli_verb *verb, const struct cli_option *o)
{
    return verb->prints || strcmp(o->name, "json") != 0;
}

static const struct cli_option *
find_option(const struct cli_verb *verb, const char *name, size_t n)
{
    const struct cli_option *o = find_in(verb->options, name, n);
    return o != NULL ? o : find_in(cli_common, name, n);
}

static struct status
refuse_option(struct cli *c, const char *name)
{
    const char *names[CLI_MAX_OPTIONS + 8];
    size_t n = 0;
    for (const struct cli_option *o = c->verb->options; o->name != NULL && n < CLI_MAX_OPTIONS;
         o++) {
        names[n++] = o->name;
    }
    for (const struct cli_option *o = cli_common; o->name != NULL; o++) {
        if (cli_has_option(c->verb, o)) {
            names[n++] = o->name;
        }
    }
    char shown[64];
    (void)snprintf(shown, sizeof shown, "%.*s", (int)strcspn(name, "="), name);
    const char *near = text_nearest(shown, names, n);
    if (near != NULL) {
        diag_set(&c->diag, "%s: no option --%s; did you mean --%s?", c->verb->name, shown, near);
    } else {
        diag_set(&c->diag, "%s: no option --%s; \"steward %s --help\" shows them", c->verb->name,
                 shown, c->verb->name);
    }
    FAIL(INPUT);
}

static struct status
keep_option(struct cli *c, const struct cli_option *o, const char *value)
{
    if (c->givens == CLI_MAX_REPEATS) {
        diag_set(&c->diag, "%s: more than %d options", c->verb->name, CLI_MAX_REPEATS);
        FAIL(INPUT);
    }
    for (size_t i = 0; i < c->givens && o->repeats == CLI_ONCE; i++) {
        if (c->given[i].option == o) {
            diag_set(&c->diag, "%s: --%s is given twice", c->verb->name, o->name);
            FAIL(INPUT);
        }
    }
    c->given[c->givens++] = (struct cli_given){.option = o, .value = value};
    return OK;
}

/* argv[*i] is "--name", "--name=value"; may take argv[*i + 1]. */
static struct status
take_option(struct cli *c, int argc, char **argv, int *i)
{
    const char *name = argv[*i] + 2;
    const size_t n = strcspn(name, "=");
    const struct cli_option *o = find_option(c->verb, name, n);
    if (o == NULL || !cli_has_option(c->verb, o)) {
        return refuse_option(c, name);
    }
    if (o->value == NULL) {
        if (name[n] == '=') {
            diag_set(&c->diag, "%s: --%s takes no value", c->verb->name, o->name);
            FAIL(INPUT);
        }
        return keep_option(c, o, "");
    }
    if (name[n] == '=') {
        return keep_option(c, o, name + n + 1);
    }
    if (*i + 1 >= argc) {
        diag_set(&c->diag, "%s: --%s needs %s", c->verb->name, o->name, o->value);
        FAIL(INPUT);
    }
    return keep_option(c, o, argv[++*i]);
}

/* ---- operands ---- */

static void
count_operands(const char *shape, size_t *ret_min, size_t *ret_max)
{
    *ret_min = *ret_max = 0;
    while (*shape != '\0') {
        const size_t n = strcspn(shape, " ");
        *ret_min += *shape != '[';
        *ret_max = strstr(shape, "...") == shape + n - 4 && n > 4 ? CLI_MAX_OPERANDS : *ret_max + 1;
        shape += n + (shape[n] == ' ');
    }
}

static struct status
check_operands(struct cli *c)
{
    size_t min = 0, max = 0;
    count_operands(c->verb->operands, &min, &max);
    if (c->operands < min || c->operands > max) {
        diag_set(&c->diag, "%s: too %s words; it is: steward %s%s%s [options]", c->verb->name,
                 c->operands < min ? "few" : "many", c->verb->name,
                 *c->verb->operands == '\0' ? "" : " ", c->verb->operands);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
take_words(struct cli *c, int argc, char **argv)
{
    bool only_operands = false;
    for (int i = 0; i < argc; i++) {
        if (!only_operands && strcmp(argv[i], "--") == 0) {
            only_operands = true;
        } else if (!only_operands && strcmp(argv[i], "-h") == 0) {
            TRY(keep_option(c, find_in(cli_common, "help", 4), ""));
        } else if (!only_operands && strncmp(argv[i], "--", 2) == 0) {
            TRY(take_option(c, argc, argv, &i));
        } else if (!only_operands && argv[i][0] == '-' && argv[i][1] != '\0') {
            diag_set(&c->diag, "%s: no option %s; options are whole words, such as --help",
                     c->verb->name, argv[i]);
            FAIL(INPUT);
        } else if (c->operands < CLI_MAX_OPERANDS) {
            c->operand[c->operands++] = argv[i];
        } else {
            diag_set(&c->diag, "%s: too many words", c->verb->name);
            FAIL(INPUT);
        }
    }
    return OK;
}

static void
settle_common(struct cli *c)
{
    const char *dir = cli_value(c, "workspace");
    if (dir == NULL) {
        dir = getenv("STEWARD_WORKSPACE");
    }
    c->dir = dir != NULL && *dir != '\0' ? dir : "steward";
    c->json = cli_flag(c, "json");
}

struct status
cli_parse(int argc, char **argv, struct cli *c)
{
    if (argc < 2) {
        cli_put_overview(stderr);
        diag_set(&c->diag, "a verb is needed");
        FAIL(INPUT);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        cli_put_overview(stdout);
        return OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        cli_put_version(stdout);
        return OK;
    }
    int words = 0;
    c->verb = find_verb(argc - 1, argv + 1, &words);
    if (c->verb == NULL && argc == 3 &&
        (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0) &&
        cli_put_family(stdout, argv[1])) {
        return OK;
    }
    if (c->verb == NULL) {
        return cli_refuse_verb(&c->diag, argv[1], argc > 2 ? argv[2] : NULL);
    }
    TRY(take_words(c, argc - 1 - words, argv + 1 + words));
    if (cli_flag(c, "help")) {
        cli_put_help(stdout, c->verb);
        c->verb = NULL;
        return OK;
    }
    TRY(check_operands(c));
    settle_common(c);
    return OK;
}

/* ---- values ---- */

const char *
cli_value(const struct cli *c, const char *name)
{
    const struct cli_option *o = find_option(c->verb, name, strlen(name));
    ASSERT(o != NULL);
    const char *value = o->initial;
    for (size_t i = 0; i < c->givens; i++) {
        if (c->given[i].option == o) {
            value = c->given[i].value;
        }
    }
    return value;
}

struct status
cli_need(struct cli *c, const char *name, const char *what, const char **ret_value)
{
    const char *value = cli_value(c, name);
    if (value == NULL) {
        diag_set(&c->diag, "%s: --%s%s%s is needed", c->verb->name, name, what == NULL ? "" : " ",
                 what == NULL ? "" : what);
        FAIL(INPUT);
    }
    if (ret_value != NULL) {
        *ret_value = value;
    }
    return OK;
}

bool
cli_flag(const struct cli *c, const char *name)
{
    return cli_value(c, name) != NULL;
}

bool
cli_takes(const struct cli *c, const char *name)
{
    return find_option(c->verb, name, strlen(name)) != NULL;
}

bool
cli_is_given(const struct cli *c, const char *name)
{
    for (size_t i = 0; i < c->givens; i++) {
        if (strcmp(c->given[i].option->name, name) == 0) {
            return true;
        }
    }
    return false;
}

struct status
cli_suppose(struct cli *c, const char *name, const char *value)
{
    const struct cli_option *o = find_option(c->verb, name, strlen(name));
    ASSERT(o != NULL);
    if (c->givens == CLI_MAX_REPEATS) {
        diag_set(&c->diag, "%s: more than %d options", c->verb->name, CLI_MAX_REPEATS);
        FAIL(INPUT);
    }
    c->given[c->givens++] = (struct cli_given){.option = o, .value = value, .whole = true};
    return OK;
}

struct status
cli_list(struct cli *c, const char *name, const char **ret_values, size_t max, size_t *ret_count,
         char **ret_memory)
{
    const struct cli_option *o = find_option(c->verb, name, strlen(name));
    ASSERT(o != NULL);
    size_t bytes = 1, n = 0;
    for (size_t i = 0; i < c->givens; i++) {
        bytes += c->given[i].option == o ? strlen(c->given[i].value) + 1 : 0;
    }
    char *memory = calloc(bytes, 1);
    CHECK(memory != NULL, MEMORY);
    *ret_memory = memory;
    for (size_t i = 0; i < c->givens; i++) {
        if (c->given[i].option != o) {
            continue;
        }
        char *rest = strcpy(memory, c->given[i].value);
        memory += strlen(memory) + 1;
        const char *ends = o->repeats == CLI_COMMAS && !c->given[i].whole ? "," : "";
        for (char *part = strsep(&rest, ends); part != NULL; part = strsep(&rest, ends)) {
            if (*part == '\0' || n == max) {
                diag_set(&c->diag, n == max ? "--%s: too many values" : "--%s: an empty value",
                         name);
                FAIL(INPUT);
            }
            ret_values[n++] = part;
        }
    }
    *ret_count = n;
    return OK;
}

struct status
cli_values(struct cli *c, const char *name, json_t **ret_list)
{
    const char *values[CLI_MAX_REPEATS];
    DEFER(file_freep) char *memory = NULL;
    size_t n = 0;
    TRY(cli_list(c, name, values, CLI_MAX_REPEATS, &n, &memory));
    DEFER(js_freep) json_t *list = json_array();
    CHECK(list != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        CHECK(json_array_append_new(list, json_string(values[i])) == 0, MEMORY);
    }
    *ret_list = MOVE(list);
    return OK;
}

static struct status
add_part(struct cli *c, json_t *parts, const char *column, const char *option)
{
    const char *other = json_string_value(json_object_get(parts, column));
    if (other == NULL) {
        return js_set(parts, column, json_string(option));
    }
    if (strcmp(other, option) == 0) {
        diag_set(&c->diag, "--%s: \"%.100s\" is named twice", option, column);
    } else {
        diag_set(&c->diag,
                 "--%s: \"%.100s\" is the column of --%s; name another: it would be held against "
                 "itself",
                 option, column, other);
    }
    FAIL(INPUT);
}

struct status
cli_distinct(struct cli *c, const char *const *options)
{
    DEFER(js_freep) json_t *parts = json_object();
    CHECK(parts != NULL, MEMORY);
    for (; *options != NULL; options++) {
        DEFER(js_freep) json_t *columns = NULL;
        size_t i = 0;
        json_t *column = NULL;
        TRY(cli_values(c, *options, &columns));
        json_array_foreach(columns, i, column)
        {
            TRY(add_part(c, parts, json_string_value(column), *options));
        }
    }
    return OK;
}

struct status
cli_u64(struct cli *c, const char *name, uint64_t *ret_value)
{
    const char *text = cli_value(c, name);
    if (text == NULL || !status_ok(text_to_u64(view_str(text), ret_value))) {
        diag_set(&c->diag, "--%s %s: not a whole number from 0", name, text == NULL ? "" : text);
        FAIL(INPUT);
    }
    return OK;
}

struct status
cli_whole(struct cli *c, const char *name, uint64_t low, uint64_t high, uint64_t *ret_value)
{
    TRY(cli_u64(c, name, ret_value));
    if (*ret_value < low || *ret_value > high) {
        diag_set(&c->diag, "--%s %s: a whole number from %llu to %llu", name, cli_value(c, name),
                 (unsigned long long)low, (unsigned long long)high);
        FAIL(INPUT);
    }
    return OK;
}

struct status
cli_whole32(struct cli *c, const char *name, uint32_t low, uint32_t high, uint32_t *ret_value)
{
    uint64_t value = 0;
    TRY(cli_whole(c, name, low, high, &value));
    *ret_value = (uint32_t)value;
    return OK;
}

struct status
cli_f64(struct cli *c, const char *name, double *ret_value)
{
    const char *text = cli_value(c, name);
    if (text == NULL || !status_ok(text_to_f64(view_str(text), ret_value))) {
        diag_set(&c->diag, "--%s %s: not a number", name, text == NULL ? "" : text);
        FAIL(INPUT);
    }
    return OK;
}

struct status
cli_name_version(struct cli *c, const char *text, char ret_name[static 64], uint64_t *ret_version)
{
    const char *at = strchr(text, '@');
    const size_t n = at == NULL ? strlen(text) : (size_t)(at - text);
    uint64_t version = 0;
    if (n == 0 || n > 63 ||
        (at != NULL && (!status_ok(text_to_u64(view_str(at + 1), &version)) || version == 0))) {
        diag_set(&c->diag, "\"%s\": write NAME, or NAME@VERSION with a version from 1", text);
        FAIL(INPUT);
    }
    (void)snprintf(ret_name, 64, "%.*s", (int)n, text);
    *ret_version = version;
    return OK;
}

struct status
cli_data_of(struct cli *c, const char *data, char ret_name[static 64], uint64_t *ret_version,
            enum model_part *ret_part)
{
    const char *colon = strchr(data, ':');
    const size_t n = colon == NULL ? strlen(data) : (size_t)(colon - data);
    char name[128];
    enum model_part part = PART_ALL;
    (void)snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name), data);
    if (colon != NULL && !status_ok(model_part_from_word(colon + 1, &part))) {
        diag_set(&c->diag, "--data %s: a part is test, train or all", data);
        FAIL(INPUT);
    }
    TRY(cli_name_version(c, name, ret_name, ret_version));
    *ret_part = part;
    return OK;
}

struct status
cli_data(struct cli *c, char ret_name[static 64], uint64_t *ret_version, enum model_part *ret_part)
{
    const char *data = cli_value(c, "data");
    if (data == NULL) {
        diag_set(&c->diag, "%s: --data DATASET is needed", c->verb->name);
        FAIL(INPUT);
    }
    return cli_data_of(c, data, ret_name, ret_version, ret_part);
}
