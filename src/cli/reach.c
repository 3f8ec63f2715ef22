#include "cli/reach.h"

#include "base/file.h"
#include "base/outputs.h"
#include "base/sandbox.h"
#include "cli/config.h"
#include "cli/verified.h"
#include "cli/workspace_files.h"
#include "workspace/backup.h"
#include "workspace/place.h"

#include <openssl/crypto.h>
#include <sys/stat.h>

#define REACH_MAX 192
#define OWNED_MAX 64

/* A word for each operand. */
static const struct {
    const char *verb, *operands;
} operands[] = {
    {"init", "@place"},
    {"dataset add", "- @table"},
    {"certificate install", "@file @file"},
    {"backup create", "@deep"},
    {"backup verify", "@file"},
    {"backup restore", "@file @place"},
    {"backup erase-again", "@log"},
    {"role import", "@file"},
    {"policy show", "@file"},
    {"policy assign", "@file"},
    {"policy test", "@file @file @file @file"},
    {"audit verify", "@log"},
    {"audit show", "@log"},
    {"audit search", "- @kept"},
    {"audit index", "@kept"},
    {"audit export", "@kept"},
    {"audit tail", "@log"},
    {"audit prove", "- @log"},
    {"audit check", "@file @file"},
    {"audit cosign", "@kept"},
    {"witness key", "@new"},
    {"usage", "@kept"},
    {"config check", "@file"},
};

/* What works on no workspace, unless its words name one. A verb that is not here does. */
enum works { ON_WORKSPACE, ON_FILES, ON_BACKUP /* and takes a credential */ };
static const struct {
    const char *verb;
    enum works works;
} works[] = {
    {"init", ON_BACKUP},        {"backup verify", ON_BACKUP}, {"backup restore", ON_BACKUP},
    {"predict", ON_FILES},      {"explain", ON_FILES},        {"bias", ON_FILES},
    {"fairness", ON_FILES},     {"errors", ON_FILES},         {"certify", ON_FILES},
    {"mitigate", ON_FILES},     {"audit check", ON_FILES},    {"witness key", ON_FILES},
    {"policy show", ON_FILES},  {"policy fields", ON_FILES},  {"policy test", ON_FILES},
    {"comply list", ON_FILES},  {"comply show", ON_FILES},    {"incident rules", ON_FILES},
    {"config check", ON_FILES}, {"config example", ON_FILES}, {"help", ON_FILES},
    {"man", ON_FILES},          {"completion", ON_FILES},
};

/* Libraries that are loaded late, and what those of others ask the system. */
static const struct sandbox_path system_files[] = {
    {"/dev/null", SANDBOX_KEEP},      {"/dev/random", SANDBOX_READ},
    {"/dev/urandom", SANDBOX_READ},   {"/etc/ld.so.cache", SANDBOX_READ},
    {"/etc/localtime", SANDBOX_READ}, {"/etc/nsswitch.conf", SANDBOX_READ},
    {"/etc/passwd", SANDBOX_READ},    {"/etc/ssl/openssl.cnf", SANDBOX_READ},
    {"/lib", SANDBOX_READ},           {"/lib64", SANDBOX_READ},
    {"/proc/cpuinfo", SANDBOX_READ},  {"/proc/meminfo", SANDBOX_READ},
    {"/proc/self", SANDBOX_READ},     {"/proc/stat", SANDBOX_READ},
    {"/proc/sys/vm", SANDBOX_READ},   {"/sys/devices/system", SANDBOX_READ},
    {"/sys/fs/cgroup", SANDBOX_READ}, {"/sys/kernel/mm", SANDBOX_READ},
    {"/usr/lib", SANDBOX_READ},       {"/usr/lib64", SANDBOX_READ},
    {"/usr/local/lib", SANDBOX_READ}, {"/usr/share/zoneinfo", SANDBOX_READ},
};

/* Folders of a workspace that may lie elsewhere, by a link. */
static const char *const inside[] = {"audit", "keys", "objects", "steward.yaml", "subjects", "tls"};

/* A file, a folder beside a place, or a folder. */
enum output { MADE, BESIDE, ITSELF };

struct reach {
    struct sandbox_path path[REACH_MAX];
    size_t n;
    const char *output[OUTPUTS_MAX];
    enum output kind[OUTPUTS_MAX];
    size_t outputs;
    char *owned[OWNED_MAX]; /* names among these that are this one's */
    size_t owneds;
    bool full;
};

static void
reach_done(struct reach *r)
{
    for (size_t i = 0; i < r->owneds; i++) {
        free(r->owned[i]);
    }
}

static void
add(struct reach *r, const char *path, enum sandbox_access access)
{
    r->full = r->full || r->n == REACH_MAX;
    r->full = r->full || path == NULL;
    if (!r->full) {
        r->path[r->n++] = (struct sandbox_path){path, access};
    }
}

/* Takes text, which may be NULL. */
static const char *
own(struct reach *r, char *text)
{
    if (r->owneds == OWNED_MAX) {
        r->full = true;
        free(text);
        return NULL;
    }
    r->owned[r->owneds++] = text;
    return text;
}

static void
add_output(struct reach *r, const char *path, enum output kind)
{
    r->full = r->full || r->outputs == OUTPUTS_MAX || path == NULL;
    if (!r->full) {
        r->kind[r->outputs] = kind;
        r->output[r->outputs++] = path;
    }
}

static bool
is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* ---- what the words name ---- */

static void
reach_file(struct reach *r, const char *path)
{
    add(r, path, is_folder(path) ? SANDBOX_LIST : SANDBOX_READ);
}

static void
reach_made(struct reach *r, const char *path)
{
    if (file_is_written_at_once(path)) { /* by the verb itself */
        add(r, path, SANDBOX_WRITE);
    } else {
        add_output(r, path, MADE);
    }
}

static void
reach_state(struct reach *r, const char *path)
{
    add_output(r, path, MADE);
    reach_file(r, path);
}

static void
reach_output(struct reach *r, const char *path)
{
    add_output(r, path, MADE);
}

static void
reach_folder(struct reach *r, const char *path)
{
    add(r, path, is_folder(path) ? SANDBOX_READ : SANDBOX_LIST);
}

static void
reach_kept(struct reach *r, const char *path)
{
    add(r, path, SANDBOX_KEEP);
}

/* It is looked at whether it is empty. */
static void
reach_place(struct reach *r, const char *path)
{
    char *place = NULL;
    if (status_ok(place_choose(path, NULL, &place))) {
        add_output(r, own(r, place), BESIDE);
    }
    if (is_folder(path)) {
        add(r, path, SANDBOX_LIST);
    }
}

static void
reach_new(struct reach *r, const char *path)
{
    add_output(r, path, ITSELF);
}

static const struct {
    const char *word;
    void (*reach)(struct reach *r, const char *path);
} kinds[] = {{"@file", reach_file},   {"@made", reach_made},   {"@grown", reach_made},
             {"@deep", reach_output}, {"@log", reach_folder},  {"@kept", reach_kept},
             {"@state", reach_state}, {"@place", reach_place}, {"@new", reach_new}};

/* word: one of them with its length; "-", "@table" and "@dir" are none. */
static void
reach_word(struct reach *r, const char *word, size_t n, const char *value)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strlen(kinds[i].word) == n && strncmp(kinds[i].word, word, n) == 0 &&
            strcmp(value, "-") != 0 && *value != '\0') {
            kinds[i].reach(r, value);
        }
    }
}

static void
reach_operands(struct reach *r, const struct cli *c)
{
    const char *words = "";
    for (size_t i = 0; i < sizeof operands / sizeof *operands; i++) {
        words = strcmp(operands[i].verb, c->verb->name) == 0 ? operands[i].operands : words;
    }
    for (size_t i = 0; i < c->operands; i++) {
        const size_t n = strcspn(words, " ");
        reach_word(r, words, n, c->operand[i]);
        words += n + (words[n] == ' ');
    }
}

static void
reach_options(struct reach *r, const struct cli *c)
{
    for (size_t i = 0; i < c->givens; i++) {
        const char *word = c->given[i].option->words;
        if (word != NULL && strcmp(c->given[i].option->name, "passphrase-file") != 0) {
            reach_word(r, word, strlen(word), c->given[i].value);
        }
    }
}

/* ---- what they do not ---- */

static bool
names_workspace(const struct cli *c)
{
    bool any = false;
    for (size_t i = 0; i < c->givens; i++) {
        any = any || cli_is_of_workspace(c->given[i].value);
    }
    return any || (c->operands > 0 && strcmp(c->verb->name, "mitigate") == 0);
}

static enum works
works_on(const struct cli *c, bool connects)
{
    enum works of = ON_WORKSPACE;
    for (size_t i = 0; i < sizeof works / sizeof *works; i++) {
        of = strcmp(works[i].verb, c->verb->name) == 0 ? works[i].works : of;
    }
    return connects || names_workspace(c) ? ON_WORKSPACE : of;
}

static void
reach_workspace(struct reach *r, const struct cli *c)
{
    add(r, c->dir, SANDBOX_KEEP);
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
        struct stat st;
        const char *path = own(r, file_join(c->dir, inside[i]));
        if (path != NULL && lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) {
            add(r, path, SANDBOX_KEEP);
        }
    }
}

static void
reach_credential(struct reach *r, const struct cli *c)
{
    const char *const files[] = {cli_value(c, "passphrase-file"), getenv("STEWARD_PASSPHRASE_FILE"),
                                 getenv("STEWARD_NEW_PASSPHRASE_FILE")};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (files[i] != NULL) {
            reach_file(r, files[i]);
        }
    }
}

/* The way out: the system's part, and the authorities of those whom the configuration names. */
static struct status
reach_outward(struct reach *r, struct cli *c)
{
    DEFER(memory_freep) struct config *config = calloc(1, sizeof *config);
    DEFER(witnesses_options_freep) struct witnesses_options *o = NULL;
    CHECK(config != NULL, MEMORY);
    for (size_t i = 0; i < SANDBOX_OUTWARD; i++) {
        add(r, sandbox_outward[i].path, sandbox_outward[i].access);
    }
    if (!status_ok(config_of_workspace(c->dir, NULL, NULL, config)) ||
        !status_ok(config_witnesses(config, &o))) {
        return OK; /* the verb's to say */
    }
    for (size_t i = 0; i < o->count; i++) {
        add(r, own(r, strdup(o->witness[i].ca_file)), SANDBOX_READ);
    }
    return OK;
}

/* What is known of a verb by its name. */
static void
reach_by_name(struct reach *r, const struct cli *c)
{
    if (strcmp(c->verb->name, "audit verify") == 0 && cli_value(c, "state") == NULL) {
        char *folder = verified_folder();
        if (folder != NULL) {
            add(r, own(r, folder), SANDBOX_KEEP);
        }
    }
    if (strcmp(c->verb->name, "backup verify") == 0) {
        add_output(r, own(r, backup_verify_place()), BESIDE);
    }
}

/* Folders that the verb is to fill: one beside its place, or one of that name. What cannot be made
 * is the verb's to say. */
static void
reach_filled(struct reach *r)
{
    for (size_t i = 0; i < r->outputs; i++) {
        char *beside = NULL;
        if (r->kind[i] == BESIDE && status_ok(outputs_folder(r->output[i], NULL, &beside))) {
            add(r, own(r, beside), SANDBOX_KEEP);
        }
        if (r->kind[i] == ITSELF && status_ok(outputs_make(r->output[i], NULL))) {
            add(r, r->output[i], SANDBOX_KEEP);
        }
    }
}

static struct status
look(struct reach *r, struct cli *c, bool connects)
{
    const enum works on = works_on(c, connects);
    for (size_t i = 0; i < sizeof system_files / sizeof *system_files; i++) {
        add(r, system_files[i].path, system_files[i].access);
    }
    reach_operands(r, c);
    reach_options(r, c);
    reach_by_name(r, c);
    add(r, own(r, file_join(c->dir, "steward.yaml")), SANDBOX_READ);
    if (on == ON_WORKSPACE) {
        reach_workspace(r, c);
    }
    if (on != ON_FILES) {
        reach_credential(r, c);
    }
    return connects ? reach_outward(r, c) : OK;
}

struct status
reach_confine(struct cli *c, bool connects)
{
    DEFER(memory_freep) struct reach *r = calloc(1, sizeof *r);
    struct sandbox_told told;
    CHECK(r != NULL, MEMORY);
    /* OpenSSL reads its configuration when it is first used: now, wherever that lies. */
    (void)OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
    struct status s = look(r, c, connects);
    s = status_ok(s) && !r->full ? outputs_begin(r->output, r->outputs, &c->diag) : s;
    if (status_ok(s) && !r->full) {
        reach_filled(r);
    }
    if (r->full) {
        diag_set(&c->diag, "%s: too many files", c->verb->name);
        s = FAILURE(LIMIT);
    }
    s = status_ok(s) ? sandbox_files(r->path, r->n, connects, &c->diag, &told) : s;
    reach_done(r);
    return s;
}
