/* help: overview, a verb's help, the manual page and bash's completion, all from the table in
 * main.c. */
#include "cli/cli.h"

#include <string.h>

#define WIDTH 80

/* Words of text from column `at` on, wrapped before WIDTH, further lines indented to `indent`. */
static void
put_wrapped(FILE *out, const char *text, int at, int indent)
{
    bool first = true;
    while (*text != '\0') {
        const int n = (int)strcspn(text, " ");
        if (!first && at + 1 + n > WIDTH) {
            (void)fprintf(out, "\n%*s", indent, "");
            at = indent;
            first = true;
        }
        (void)fprintf(out, "%s%.*s", first ? "" : " ", n, text);
        at += n + (first ? 0 : 1);
        first = false;
        text += n + (text[n] == ' ');
    }
    (void)fputc('\n', out);
}

static void
put_row(FILE *out, const char *left, const char *about, int indent)
{
    const int n = fprintf(out, "  %s", left);
    if (n + 2 > indent) {
        (void)fprintf(out, "\n%*s", indent, "");
    } else {
        (void)fprintf(out, "%*s", indent - n, "");
    }
    put_wrapped(out, about, indent, indent);
}

void
cli_put_overview(FILE *out)
{
    (void)fputs("steward: run a machine-learning model responsibly, securely, and provably so\n\n"
                "usage: steward VERB [operands] [options]\n\n",
                out);
    for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++) {
        char left[96];
        (void)snprintf(left, sizeof left, "%s%s%s", v->name, *v->operands == '\0' ? "" : " ",
                       v->operands);
        put_row(out, left, v->about, 38);
    }
    (void)fputs("\nfor every verb:\n", out);
    for (const struct cli_option *o = cli_common; o->name != NULL; o++) {
        char left[96];
        (void)snprintf(left, sizeof left, "--%s%s%s", o->name, o->value == NULL ? "" : " ",
                       o->value == NULL ? "" : o->value);
        put_row(out, left, o->about, 38);
    }
    (void)fputs("\nThe passphrase comes from --passphrase-file, $STEWARD_PASSPHRASE_FILE,\n"
                "$STEWARD_PASSPHRASE or the terminal. Results go to stdout, all else to stderr.\n"
                "Exit codes: 0 done, 1 the system failed, 2 wrong input, 3 not known or not\n"
                "allowed, 4 not found, 5 exists or busy, 6 integrity: something was changed.\n",
                out);
}

static void
put_options(FILE *out, const struct cli_verb *verb, const struct cli_option *options)
{
    for (const struct cli_option *o = options; o->name != NULL; o++) {
        if (strcmp(o->name, "json") == 0 && !verb->prints) {
            continue;
        }
        char left[96], about[256];
        (void)snprintf(left, sizeof left, "--%s%s%s", o->name, o->value == NULL ? "" : " ",
                       o->value == NULL ? "" : o->value);
        (void)snprintf(about, sizeof about, o->initial == NULL ? "%s" : "%s (default: %s)",
                       o->about, o->initial);
        put_row(out, left, about, 28);
    }
}

void
cli_put_help(FILE *out, const struct cli_verb *verb)
{
    (void)fprintf(out, "usage: steward %s%s%s [options]\n\n", verb->name,
                  *verb->operands == '\0' ? "" : " ", verb->operands);
    put_wrapped(out, verb->about, 0, 0);
    if (verb->detail != NULL) {
        (void)fputc('\n', out);
        put_wrapped(out, verb->detail, 0, 0);
    }
    (void)fputc('\n', out);
    put_options(out, verb, verb->options);
    put_options(out, verb, cli_common);
}

struct status
cli_help(struct cli *c)
{
    if (c->operands == 0) {
        cli_put_overview(stdout);
        return OK;
    }
    char name[64];
    (void)snprintf(name, sizeof name, "%s%s%s", c->operand[0], c->operands > 1 ? " " : "",
                   c->operands > 1 ? c->operand[1] : "");
    for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++) {
        if (strcmp(v->name, name) == 0) {
            cli_put_help(stdout, v);
            return OK;
        }
    }
    diag_set(&c->diag, "\"%s\" is not a verb; \"steward help\" shows them", name);
    FAIL(INPUT);
}

/* ---- manual page ---- */

/* troff reads '\' as escape, '.' and ''' at a line's start as a request, '-' as a hyphen. */
static void
put_troff(const char *text)
{
    if (*text == '.' || *text == '\'') {
        (void)fputs("\\&", stdout);
    }
    for (; *text != '\0'; text++) {
        if (*text == '\\') {
            (void)fputs("\\e", stdout);
        } else if (*text == '-') {
            (void)fputs("\\-", stdout);
        } else {
            (void)fputc(*text, stdout);
        }
    }
}

static void
put_troff_option(const struct cli_option *o)
{
    (void)fputs(".TP\n.B ", stdout);
    (void)fputs("\\-\\-", stdout);
    put_troff(o->name);
    if (o->value != NULL) {
        (void)fputs(" \\fI", stdout);
        put_troff(o->value);
        (void)fputs("\\fR", stdout);
    }
    (void)fputc('\n', stdout);
    put_troff(o->about);
    if (o->initial != NULL) {
        (void)fputs(" (default: ", stdout);
        put_troff(o->initial);
        (void)fputc(')', stdout);
    }
    (void)fputc('\n', stdout);
}

static void
put_troff_verb(const struct cli_verb *v)
{
    (void)fputs(".SS steward ", stdout);
    put_troff(v->name);
    (void)fputc(' ', stdout);
    put_troff(v->operands);
    (void)fputc('\n', stdout);
    put_troff(v->about);
    (void)fputs(".\n", stdout);
    if (v->detail != NULL) {
        put_troff(v->detail);
        (void)fputc('\n', stdout);
    }
    for (const struct cli_option *o = v->options; o->name != NULL; o++) {
        put_troff_option(o);
    }
}

static const char manual_end[] =
    ".SH ENVIRONMENT\n.TP\n.B STEWARD_WORKSPACE\nthe workspace, when \\-\\-workspace is not given\n"
    ".TP\n.B STEWARD_PASSPHRASE_FILE\nfile whose first line is the passphrase\n"
    ".TP\n.B STEWARD_PASSPHRASE\nthe passphrase itself; other processes of the same user can read "
    "it\n"
    ".SH EXIT CODES\n.TP\n.B 0\ndone\n.TP\n.B 1\nthe system failed: disk, memory, network\n"
    ".TP\n.B 2\nwrong input: arguments, data, configuration, or a limit passed\n"
    ".TP\n.B 3\nnot known or not allowed: wrong passphrase, missing right\n.TP\n.B 4\nnot found\n"
    ".TP\n.B 5\nexists already, or held by another process\n"
    ".TP\n.B 6\nintegrity: sealed data, a signature or the audit log are not what was written\n";

struct status
cli_manual(struct cli *c)
{
    (void)c;
    (void)printf(".TH STEWARD 1 \"\" \"Steward %s\"\n.SH NAME\nsteward \\- run a "
                 "machine\\-learning model responsibly, "
                 "securely, and provably so\n.SH SYNOPSIS\n.B steward\n.I VERB\n[operands] "
                 "[options]\n.SH VERBS\n",
                 STEWARD_VERSION);
    for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++) {
        put_troff_verb(v);
    }
    (void)fputs(".SH OPTIONS OF EVERY VERB\n", stdout);
    for (const struct cli_option *o = cli_common; o->name != NULL; o++) {
        put_troff_option(o);
    }
    (void)fputs(manual_end, stdout);
    return OK;
}

/* ---- completion ---- */

static void
put_case(const struct cli_verb *v)
{
    (void)printf("    \"%s\") words=\"", v->name);
    for (const struct cli_option *o = v->options; o->name != NULL; o++) {
        (void)printf("--%s ", o->name);
    }
    for (const struct cli_option *o = cli_common; o->name != NULL; o++) {
        (void)printf("--%s ", o->name);
    }
    (void)fputs("\" ;;\n", stdout);
}

static void
put_values(const struct cli_option *options)
{
    for (const struct cli_option *o = options; o->name != NULL; o++) {
        if (o->words != NULL && *o->words != '@') {
            (void)printf("    --%s) COMPREPLY=($(compgen -W \"%s\" -- \"$word\")); return ;;\n",
                         o->name, o->words);
        } else if (o->value != NULL && o->words != NULL) {
            (void)printf("    --%s) COMPREPLY=($(compgen -%c -- \"$word\")); return ;;\n", o->name,
                         strcmp(o->words, "@dir") == 0 ? 'd' : 'f');
        }
    }
}

static bool
seen_before(const struct cli_verb *verb, size_t first_word)
{
    for (const struct cli_verb *v = cli_verbs; v != verb; v++) {
        if (strncmp(v->name, verb->name, first_word) == 0 &&
            strchr(" ", v->name[first_word]) != NULL) {
            return true;
        }
    }
    return false;
}

static void
put_words(void)
{
    (void)fputs("  local firsts=\"", stdout);
    for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++) {
        const size_t n = strcspn(v->name, " ");
        if (!seen_before(v, n)) {
            (void)printf("%.*s ", (int)n, v->name);
        }
    }
    (void)fputs("\" seconds=\"\"\n  case \"${COMP_WORDS[1]}\" in\n", stdout);
    for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++) {
        const size_t n = strcspn(v->name, " ");
        if (v->name[n] == ' ') {
            (void)printf("    %.*s) seconds+=\"%s \" ;;&\n", (int)n, v->name, v->name + n + 1);
        }
    }
    (void)fputs("  esac\n", stdout);
}

struct status
cli_completion(struct cli *c)
{
    (void)c;
    (void)fputs("# bash completion for steward: source <(steward completion)\n_steward() {\n"
                "  local word=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\" "
                "words=\"\" verb\n"
                "  COMPREPLY=()\n",
                stdout);
    put_words();
    (void)fputs("  case \"$before\" in\n", stdout);
    put_values(cli_common);
    for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++) {
        put_values(v->options);
    }
    (void)fputs("  esac\n"
                "  if (( COMP_CWORD == 1 )); then COMPREPLY=($(compgen -W \"$firsts\" -- "
                "\"$word\")); return; fi\n"
                "  if [[ -n $seconds ]]; then\n"
                "    if (( COMP_CWORD == 2 )); then COMPREPLY=($(compgen -W \"$seconds\" -- "
                "\"$word\")); return; fi\n"
                "    verb=\"${COMP_WORDS[1]} ${COMP_WORDS[2]}\"\n  else\n    "
                "verb=\"${COMP_WORDS[1]}\"\n  fi\n"
                "  case \"$verb\" in\n",
                stdout);
    for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++) {
        put_case(v);
    }
    (void)fputs("  esac\n"
                "  if [[ $word == -* ]]; then COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
                "  else COMPREPLY=($(compgen -f -- \"$word\")); fi\n}\ncomplete -o filenames -F "
                "_steward steward\n",
                stdout);
    return OK;
}
