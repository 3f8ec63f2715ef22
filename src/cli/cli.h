/* cli: what a verb is, and what it gets. main.c holds the table of verbs; help, man page,
 * completion and parsing are read from that table. A verb is a thin hand: everything it does, the
 * library does. */
#ifndef STEWARD_CLI_CLI_H
#define STEWARD_CLI_CLI_H

#include "base/status.h"
#include "data/import.h"
#include "workspace/models.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>

#define CLI_MAX_OPERANDS 4
#define CLI_MAX_OPTIONS 48
#define CLI_MAX_REPEATS 64
#define CLI_MAX_VERBS 96

enum cli_repeats {
    CLI_ONCE,
    CLI_REPEATED,
    CLI_COMMAS /* each value may be several, with commas */
};

struct cli_option {
    const char *name;  /* without "--" */
    const char *value; /* what stands for its value in the help; NULL: a flag */
    const char *about;
    const char *initial; /* default, as text; NULL: none */
    enum cli_repeats repeats;
    const char *words; /* completion: space-separated choices, or what path it is (cli/reach.h);
                          or NULL */
};

struct cli;

/* What a verb works on besides what its words name. Who does not say it, on nothing. */
enum cli_works {
    CLI_ON_FILES,        /* on no workspace, unless its words name one */
    CLI_WITH_CREDENTIAL, /* the same, and it takes one: of a workspace that it makes, of a backup */
    CLI_ON_LOG,          /* on the log alone that its last operand names, or the workspace's */
    CLI_ON_WORKSPACE     /* on all of the workspace, whose credential it takes */
};

#define CLI_ALWAYS "*"
#define CLI_BECOMES "!" /* another program, which gives up by itself what it does not need */

struct cli_verb {
    const char *name;     /* "dataset add" */
    const char *operands; /* "NAME FILE", optional ones in brackets at the end; "" for none */
    const char *about;    /* one line */
    const char *detail;   /* paragraphs for --help and the man page; may be NULL */
    const struct cli_option *options; /* ends with a row without name */
    struct status (*run)(struct cli *c);
    enum cli_works works;
    bool prints; /* prints results: has --json */
    /* NULL, the rule: it connects to nothing, and from before it runs it can have no socket. The
     * option with which alone it connects, or CLI_ALWAYS or CLI_BECOMES; the row says what for. */
    const char *connects;
    /* What path each operand is, a word each (cli/reach.h), the last also of those that "..."
     * stands for; then what it reaches besides. NULL, the rule: none of them is a path. */
    const char *paths;
};

/* One run of the program. */
struct cli {
    const struct cli_verb *verb;
    const char *operand[CLI_MAX_OPERANDS];
    size_t operands;
    struct cli_given {
        const struct cli_option *option;
        const char *value; /* "" for a flag */
        bool whole;        /* commas do not part it */
    } given[CLI_MAX_REPEATS];
    size_t givens;
    bool json;
    struct diag diag;
    const char *dir;        /* of the workspace */
    struct workspace *kept; /* open until the verb has run; NULL: none */
    int exit_code; /* set by a verb whose answer is a no (audit verify): used when it returns OK */
};

extern const struct cli_verb cli_verbs[]; /* ends with a row without name */
extern const struct cli_option cli_common[];
#define CLI_EXIT_NO 7 /* the answer of a verb that worked is a no */
struct cli_exit {
    int code;
    const char *about;
};
extern const struct cli_exit cli_exits[]; /* ends with a row without about */

/* ---- arguments ---- */

/* Fills c from argv; a mistake is STATUS_INPUT with a sentence. c->verb is NULL when argv has none
 * (help was printed). */
struct status cli_parse(int argc, char **argv, struct cli *c);
/* The value given last, or the option's default, or NULL. ASSERTs that the verb has such an option.
 */
const char *cli_value(const struct cli *c, const char *name);
/* STATUS_INPUT with a sentence when it has none. what stands for the value there ("FILE"), or NULL;
 * ret_value may be NULL. */
struct status cli_need(struct cli *c, const char *name, const char *what, const char **ret_value);
bool cli_flag(const struct cli *c, const char *name);
/* Whether the option stands in the command, other than by its default. */
bool cli_is_given(const struct cli *c, const char *name);
/* Whether the verb has such an option. */
bool cli_takes(const struct cli *c, const char *name);
/* As if the option stood there with that value, whole: commas do not part it. Borrows value. */
struct status cli_suppose(struct cli *c, const char *name, const char *value);
/* False for --json of a verb that prints no results. */
bool cli_has_option(const struct cli_verb *verb, const struct cli_option *o);
/* STATUS_INPUT with the nearest verb, or the verbs of that family. second may be NULL. */
struct status cli_refuse_verb(struct diag *diag, const char *first, const char *second);
/* All values of a repeating option: ret_values[max], strings owned by *ret_memory (free it). */
struct status cli_list(struct cli *c, const char *name, const char **ret_values, size_t max,
                       size_t *ret_count, char **ret_memory);
/* INPUT where two of the options (their names; ends with NULL), or one of them twice, name the same
 * column: it would be held against itself. */
struct status cli_distinct(struct cli *c, const char *const *options);
/* The same as a JSON array of texts, the caller's; empty when none is given. */
struct status cli_values(struct cli *c, const char *name, json_t **ret_list);
struct status cli_u64(struct cli *c, const char *name, uint64_t *ret_value);
/* The same between low and high, both included. */
struct status cli_whole(struct cli *c, const char *name, uint64_t low, uint64_t high,
                        uint64_t *ret_value);
struct status cli_whole32(struct cli *c, const char *name, uint32_t low, uint32_t high,
                          uint32_t *ret_value);
struct status cli_f64(struct cli *c, const char *name, double *ret_value);
/* "name", "name@3" -> name (at most 63 letters) and version (0: newest). */
struct status cli_name_version(struct cli *c, const char *text, char ret_name[static 64],
                               uint64_t *ret_version);

/* "lending", "lending@2", "lending:test" -> name, version, part (all). */
struct status cli_data_of(struct cli *c, const char *text, char ret_name[static 64],
                          uint64_t *ret_version, enum model_part *ret_part);
/* The same of the --data option. */
struct status cli_data(struct cli *c, char ret_name[static 64], uint64_t *ret_version,
                       enum model_part *ret_part);

/* How a data file is read: the options --role, --type, --missing, --missing-only and --delimiter,
 * which the verb has (CLI_DATA_FILE_OPTIONS in cli/data_options.h). Label and sensitive columns are
 * the verb's to add. ret_import is zeroed before and must not move afterwards. */
#define CLI_IMPORT_LISTS 3
struct cli_import {
    struct import_options options;
    struct import_override overrides[2 * CLI_MAX_REPEATS];
    const char *missing[CLI_MAX_REPEATS];
    char *memory[CLI_IMPORT_LISTS];
};
struct status cli_import_options(struct cli *c, struct cli_import *ret_import);
void cli_import_done(struct cli_import *m);
/* import_file with progress: what a verb on plain files reads. */
struct status cli_read_table(struct cli *c, const char *path, const struct import_options *o,
                             struct table **ret_table);

/* ---- help ---- */

void cli_put_overview(FILE *out);
/* The verbs that begin with that word; false when there is none. */
bool cli_put_family(FILE *out, const char *word);
void cli_put_help(FILE *out, const struct cli_verb *verb);
void cli_put_version(FILE *out);       /* Steward's, and those of the libraries it runs with */
struct status cli_help(struct cli *c); /* verbs: help, man page, completion */
struct status cli_manual(struct cli *c);
struct status cli_completion(struct cli *c);
/* Exit code of a failure: one of cli_exits. */
int cli_exit_code(int32_t status_code);
/* Says on stderr what went wrong; its exit code. */
int cli_tell(struct status s, const struct diag *diag);
/* What was printed has left; STATUS_IO where it could not. */
struct status cli_flush(struct diag *diag);

/* ---- a verb's hands ---- */

/* What opens the workspace (cli/credential.h). */
struct status cli_credential(struct cli *c, struct secret *ret_credential);
struct status cli_open(struct cli *c, struct workspace **ret_workspace);
/* For what is done about a revoked key, and about what stands in the way of it. */
struct status cli_open_even_revoked(struct cli *c, struct workspace **ret_workspace);
/* The same, opened once and closed when the verb has run. */
struct status cli_keep_open(struct cli *c, struct workspace **ret_workspace);
/* Whether this call of the verb does: its row, and the option with which alone it connects. */
bool cli_connects(const struct cli *c);
/* Before any verb runs: what it gives up for good, as its row of the table says about the network.
 * What asks a token or a transit service is started by a process that was forked before. */
struct status cli_confine(struct cli *c);
/* After it has run: closes the workspace that is kept, and ends the processes beside. */
void cli_end(struct cli *c);
/* What is half made is removed again: SIGINT, SIGTERM and SIGHUP wait, and are looked at between
 * steps. */
void cli_hold_signals(void);
bool cli_interrupted(void);
/* Verbs that go on until they are stopped: from here on SIGINT and SIGTERM cut a sleep short, and
 * cli_stopped tells. */
void cli_stop_on_signals(void);
bool cli_stopped(void);
struct config;
/* path, or the workspace's own when NULL; without that file the defaults hold. */
struct status cli_config(struct cli *c, const char *path, struct config *ret_config);
struct door;
/* The way out as the workspace's configuration says, or its defaults. */
struct status cli_door(struct cli *c, struct door **ret_door);
/* Ends a change of `w` that began with store_begin: audited and kept, or, when `done` is a failure,
 * undone. */
struct status cli_settle(struct cli *c, struct workspace *w, struct status done,
                         const struct workspace_act *act);
/* Whose eyes: with --as PRINCIPAL, which columns of a dataset that one sees unmasked (STATUS_DENIED
 * with the rule when none may be read at all), else all. ret_visible[n]. */
struct status cli_visible(struct cli *c, struct workspace *w, const char *dataset,
                          const char *const *columns, size_t n, bool *ret_visible);
/* --threads, else analysis.threads of the workspace's configuration. */
struct status cli_threads(struct cli *c, unsigned *ret_threads);
/* The folder of a log: that operand, or the workspace's own log. Malloc'd. */
struct status cli_log_dir(struct cli *c, size_t operand, char **ret_dir);
/* An entry of the log in two lines. */
void cli_print_entry(uint64_t index, const json_t *entry);
/* What others named must not reach a terminal as control codes: each becomes '?'. */
void cli_put_clean(FILE *out, const char *text);
/* The names of a grouping's columns: "sex and race". */
void cli_put_columns(FILE *out, const json_t *columns);
/* A name of a table's row, cut where it is longer and filled with blanks to width (at most 60). */
void cli_put_name(FILE *out, const char *name, int width);
/* Text after `indent` blanks, wrapped at 80 columns; clean. */
void cli_put_wrapped(FILE *out, const char *text, int at, int indent);
/* A sentence of a result: wrapped, clean. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* On stderr: rows of persons who were erased are missing from what was done; nothing of none. */
void cli_note_erased(uint64_t rows);
/* A result, with --json. */
struct status cli_print_json(const json_t *value);
/* A table of an array of objects in plain text: columns "key:TITLE" separated by spaces. */
void cli_print_table(const json_t *rows, const char *columns);
/* The same of an array as text, or the array itself with --json. */
struct status cli_print_list(struct cli *c, struct view json, const char *columns);
/* A bar of `width` columns that is filled to `share` (0 to 1; NaN: blank), in eighths of a column
 * where the locale's encoding is UTF-8, else in whole ones of '#'. No line ends. */
void cli_put_bar(FILE *out, double share, int width);
/* Progress on stderr of what takes longer than a second: on a terminal one line that renews itself,
 * elsewhere a line every two seconds. start, show (any thread), stop: always all three. */
struct cli_progress {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int64_t started_ns;
    char text[160];
    bool terminal, ticking, shown, done;
};
void cli_progress_start(struct cli_progress *p, const char *text);
void cli_progress_show(struct cli_progress *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void cli_progress_stop(struct cli_progress *p);

/* ---- the verbs ---- */

struct status cli_init(struct cli *c);
struct status cli_dataset_add(struct cli *c);
struct status cli_dataset_list(struct cli *c);
struct status cli_dataset_show(struct cli *c);
struct status cli_dataset_subjects(struct cli *c);
struct status cli_dataset_erase(struct cli *c);
struct status cli_model_train(struct cli *c);
struct status cli_model_add(struct cli *c);
struct status cli_model_list(struct cli *c);
struct status cli_model_show(struct cli *c);
struct status cli_model_request(struct cli *c);
struct status cli_assess(struct cli *c);
struct status cli_bias(struct cli *c);
struct status cli_errors(struct cli *c);
struct status cli_explain(struct cli *c);
/* With --method or --endpoint: the model is a black box. */
struct status cli_explain_black_box(struct cli *c);
struct status cli_explain_exact(struct cli *c);
struct status cli_mitigate(struct cli *c);
struct status cli_certify(struct cli *c);
struct status cli_predict(struct cli *c);
struct status cli_fairness(struct cli *c);
struct status cli_principal_add(struct cli *c);
struct status cli_principal_list(struct cli *c);
struct status cli_principal_grant(struct cli *c);
struct status cli_principal_remove(struct cli *c);
struct status cli_role_import(struct cli *c);
struct status cli_role_list(struct cli *c);
struct status cli_role_remove(struct cli *c);
struct status cli_group_list(struct cli *c);
struct status cli_group_remove(struct cli *c);
struct status cli_access_explain(struct cli *c);
struct status cli_access_break_glass(struct cli *c);
struct status cli_api_key_issue(struct cli *c);
struct status cli_api_key_rotate(struct cli *c);
struct status cli_api_key_expire(struct cli *c);
struct status cli_issuer_add(struct cli *c);
struct status cli_issuer_list(struct cli *c);
struct status cli_issuer_remove(struct cli *c);
struct status cli_principal_link(struct cli *c);
struct status cli_principal_unlink(struct cli *c);
struct status cli_principal_links(struct cli *c);
struct status cli_api_key_list(struct cli *c);
struct status cli_api_key_revoke(struct cli *c);
struct status cli_certificate_install(struct cli *c);
struct status cli_certificate_renew(struct cli *c);
extern const struct cli_option cli_explain_options[];
extern const struct cli_option cli_bias_options[], cli_errors_options[], cli_fairness_options[];
extern const struct cli_option cli_init_options[], cli_key_rewrap_options[],
    cli_key_revoke_options[];
extern const struct cli_option cli_record_questions_options[], cli_record_answer_options[],
    cli_record_show_options[];
extern const struct cli_option cli_review_add_options[], cli_review_list_options[];
extern const struct cli_option cli_incident_open_options[], cli_incident_reported_options[],
    cli_incident_close_options[];
struct status cli_key_list(struct cli *c);
struct status cli_key_rotate(struct cli *c);
struct status cli_key_rewrap(struct cli *c);
struct status cli_key_revoke(struct cli *c);
struct status cli_key_restore(struct cli *c);
struct status cli_key_export_public(struct cli *c);
struct status cli_backup_create(struct cli *c);
struct status cli_backup_verify(struct cli *c);
struct status cli_backup_restore(struct cli *c);
struct status cli_backup_erase_again(struct cli *c);
struct status cli_serve(struct cli *c);
struct status cli_comply_list(struct cli *c);
struct status cli_comply_show(struct cli *c);
extern const struct cli_option cli_comply_report_options[];
extern const struct cli_option cli_usage_options[];
extern const struct cli_option cli_policy_list_options[], cli_policy_assign_options[],
    cli_policy_unassign_options[], cli_policy_exempt_options[], cli_policy_check_options[],
    cli_policy_state_options[];
struct status cli_comply_report(struct cli *c);
struct status cli_record_questions(struct cli *c);
struct status cli_record_answer(struct cli *c);
struct status cli_record_show(struct cli *c);
struct status cli_record_list(struct cli *c);
struct status cli_review_add(struct cli *c);
struct status cli_review_list(struct cli *c);
struct status cli_incident_rules(struct cli *c);
struct status cli_incident_open(struct cli *c);
struct status cli_incident_note(struct cli *c);
struct status cli_incident_reported(struct cli *c);
struct status cli_incident_close(struct cli *c);
struct status cli_incident_show(struct cli *c);
struct status cli_incident_list(struct cli *c);
struct status cli_config_example(struct cli *c);
struct status cli_config_check(struct cli *c);
struct status cli_policy_list(struct cli *c);
struct status cli_policy_show(struct cli *c);
struct status cli_policy_fields(struct cli *c);
struct status cli_policy_assign(struct cli *c);
struct status cli_policy_unassign(struct cli *c);
struct status cli_policy_exempt(struct cli *c);
struct status cli_policy_check(struct cli *c);
struct status cli_policy_state(struct cli *c);
struct status cli_policy_test(struct cli *c);
struct status cli_audit_verify(struct cli *c);
struct status cli_audit_show(struct cli *c);
struct status cli_audit_search(struct cli *c); /* audit_search.c */
struct status cli_audit_index(struct cli *c);
struct status cli_audit_tail(struct cli *c);
struct status cli_usage(struct cli *c);
struct status cli_audit_copy(struct cli *c);
struct status cli_audit_export(struct cli *c);
struct status cli_capture_list(struct cli *c);
struct status cli_capture_show(struct cli *c);
struct status cli_capture_erase(struct cli *c);
extern const struct cli_option cli_capture_list_options[], cli_capture_show_options[],
    cli_capture_erase_options[];
struct status cli_audit_prove(struct cli *c);
struct status cli_audit_check(struct cli *c);
struct status cli_audit_cosign(struct cli *c);
struct status cli_witness_key(struct cli *c);
struct status cli_witness_serve(struct cli *c);

#endif
