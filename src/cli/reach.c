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

/* ---- what the words name ---- */

static void
reach_file(struct reach *r, const char *path)
{
    add(r, path, file_is_folder(path) ? SANDBOX_LIST : SANDBOX_READ);
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
    add(r, path, file_is_folder(path) ? SANDBOX_READ : SANDBOX_LIST);
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
    if (file_is_folder(path)) {
        add(r, path, SANDBOX_LIST);
    }
}

static void
reach_new(struct reach *r, const char *path)
{
    add_output(r, path, ITSELF);
}

static void
reach_nothing(struct reach *r, const char *path)
{
    (void)r, (void)path;
}

/* The last ones are reached otherwise, or by others. */
static const struct {
    const char *word;
    void (*reach)(struct reach *r, const char *path);
} kinds[] = {{"@file", reach_file},      {"@made", reach_made},      {"@grown", reach_made},
             {"@deep", reach_output},    {"@log", reach_folder},     {"@kept", reach_kept},
             {"@state", reach_state},    {"@place", reach_place},    {"@new", reach_new},
             {"@backup", reach_file},    {"@table", reach_nothing},  {"@dir", reach_nothing},
             {"@secret", reach_nothing}, {"@holder", reach_nothing}, {"@model", reach_nothing},
             {"-", reach_nothing}};
#define KINDS (sizeof kinds / sizeof *kinds)

struct word {
    const char *at;
    size_t len; /* 0: there is none */
};

static bool
is_word(struct word w, const char *text)
{
    return strlen(text) == w.len && strncmp(text, w.at, w.len) == 0;
}

static struct word
next_word(const char **words)
{
    const struct word w = {*words, strcspn(*words, " ")};
    *words += w.len + ((*words)[w.len] == ' ');
    return w;
}

/* KINDS: it is none. */
static size_t
kind_of(struct word w)
{
    size_t i = 0;
    while (i < KINDS && !is_word(w, kinds[i].word)) {
        i++;
    }
    return i;
}

static void
reach_word(struct reach *r, struct word w, const char *value)
{
    if (strcmp(value, "-") != 0 && *value != '\0') {
        kinds[kind_of(w)].reach(r, value);
    }
}

/* What path that operand is. */
static struct word
word_of(const struct cli_verb *v, size_t operand)
{
    struct word w = {"-", 1};
    const char *rest = v->paths == NULL ? "" : v->paths;
    for (size_t i = 0; i <= operand && *rest != '\0' && *rest != '+'; i++) {
        w = next_word(&rest);
    }
    return w;
}

const char *
reach_operand(const struct cli *c, const char *word)
{
    for (size_t i = 0; i < c->operands; i++) {
        if (is_word(word_of(c->verb, i), word)) {
            return c->operand[i];
        }
    }
    return NULL;
}

static void
reach_operands(struct reach *r, const struct cli *c)
{
    for (size_t i = 0; i < c->operands; i++) {
        reach_word(r, word_of(c->verb, i), c->operand[i]);
    }
}

static void
reach_options(struct reach *r, const struct cli *c)
{
    for (size_t i = 0; i < c->givens; i++) {
        const char *word = c->given[i].option->words;
        if (word != NULL && *word == '@') {
            reach_word(r, (struct word){word, strlen(word)}, c->given[i].value);
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
    return any || reach_operand(c, "@model") != NULL;
}

/* Who connects notes it in the workspace's log; but for the one that does nothing else. */
enum cli_works
reach_works_on(const struct cli *c)
{
    const struct cli_verb *v = c->verb;
    const bool notes =
        cli_connects(c) && !(v->works == CLI_ON_LOG && strcmp(v->connects, CLI_ALWAYS) == 0);
    return notes || names_workspace(c) ? CLI_ON_WORKSPACE : v->works;
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

/* The workspace's own, where no operand names one. */
static void
reach_log(struct reach *r, const struct cli *c)
{
    const struct word log = word_of(c->verb, CLI_MAX_OPERANDS);
    if (c->operands == 0 || word_of(c->verb, c->operands - 1).at != log.at) {
        reach_word(r, log, own(r, file_join(c->dir, "audit")));
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

static void
reach_seen(struct reach *r, const struct cli *c)
{
    char *folder = cli_value(c, "state") == NULL ? verified_folder() : NULL;
    if (folder != NULL) {
        add(r, own(r, folder), SANDBOX_KEEP);
    }
}

static void
reach_checked(struct reach *r, const struct cli *c)
{
    (void)c;
    add_output(r, own(r, backup_verify_place()), BESIDE);
}

/* What no word of the command names. */
static const struct {
    const char *word;
    void (*reach)(struct reach *r, const struct cli *c);
} others[] = {{"+seen", reach_seen}, {"+checked", reach_checked}};
#define OTHERS (sizeof others / sizeof *others)

/* OTHERS: it is none. */
static size_t
other_of(struct word w)
{
    size_t i = 0;
    while (i < OTHERS && !is_word(w, others[i].word)) {
        i++;
    }
    return i;
}

static void
reach_others(struct reach *r, const struct cli *c)
{
    const char *words = c->verb->paths == NULL ? NULL : strchr(c->verb->paths, '+');
    while (words != NULL && *words != '\0') {
        others[other_of(next_word(&words))].reach(r, c);
    }
}

/* ---- the verb's row ---- */

static bool
are_kinds(const struct cli_option *options)
{
    bool all = true;
    for (const struct cli_option *o = options; o->name != NULL; o++) {
        all = all && (o->words == NULL || *o->words != '@' ||
                      kind_of((struct word){o->words, strlen(o->words)}) < KINDS);
    }
    return all;
}

/* Whether each of its words is one that there is, and each operand has one, if any has. */
static bool
is_stated(const struct cli_verb *v)
{
    const char *operands = v->operands, *words = v->paths == NULL ? "" : v->paths;
    bool all = are_kinds(v->options) && are_kinds(cli_common);
    while (v->paths != NULL && next_word(&operands).len > 0) {
        all = all && kind_of(next_word(&words)) < KINDS;
    }
    while (*words != '\0') {
        all = all && other_of(next_word(&words)) < OTHERS;
    }
    all = all && (v->works != CLI_ON_LOG || v->paths != NULL);
    return all;
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
look(struct reach *r, struct cli *c)
{
    const enum cli_works on = reach_works_on(c);
    ASSERT(is_stated(c->verb)); /* else its row is to be mended */
    for (size_t i = 0; i < sizeof system_files / sizeof *system_files; i++) {
        add(r, system_files[i].path, system_files[i].access);
    }
    reach_operands(r, c);
    reach_options(r, c);
    reach_others(r, c);
    add(r, own(r, file_join(c->dir, "steward.yaml")), SANDBOX_READ);
    if (on == CLI_ON_WORKSPACE) {
        reach_workspace(r, c);
    } else if (on == CLI_ON_LOG) {
        reach_log(r, c);
    }
    if (on == CLI_ON_WORKSPACE || on == CLI_WITH_CREDENTIAL) {
        reach_credential(r, c);
    }
    return cli_connects(c) ? reach_outward(r, c) : OK;
}

struct status
reach_confine(struct cli *c)
{
    DEFER(memory_freep) struct reach *r = calloc(1, sizeof *r);
    struct sandbox_told told;
    CHECK(r != NULL, MEMORY);
    /* OpenSSL reads its configuration when it is first used: now, wherever that lies. */
    (void)OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
    struct status s = look(r, c);
    s = status_ok(s) && !r->full ? outputs_begin(r->output, r->outputs, &c->diag) : s;
    if (status_ok(s) && !r->full) {
        reach_filled(r);
    }
    if (r->full) {
        diag_set(&c->diag, "%s: too many files", c->verb->name);
        s = FAILURE(LIMIT);
    }
    s = status_ok(s) ? sandbox_files(r->path, r->n, cli_connects(c), &c->diag, &told) : s;
    reach_done(r);
    return s;
}
