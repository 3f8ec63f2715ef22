/* help: overview, a verb's help, the manual page and bash's completion, all from the table in
 * main.c. */
#include "cli/cli.h"

#include <string.h>

static void
put_row(FILE *out, const char *left, const char *about, int indent)
{
    const int n = fprintf(out, "  %s", left);
    if (n + 2 > indent) {
        (void)fprintf(out, "\n%*s", indent, "");
    } else {
        (void)fprintf(out, "%*s", indent - n, "");
    }
    cli_put_wrapped(out, about, indent, indent);
}

static void
put_verb_row(FILE *out, const struct cli_verb *v)
{
    char left[96];
    (void)snprintf(left, sizeof left, "%s%s%s", v->name, *v->operands == '\0' ? "" : " ",
                   v->operands);
    put_row(out, left, v->about, 38);
}

bool
cli_put_family(FILE *out, const char *word)
{
    const size_t len = strlen(word);
    bool any = false;
    for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++) {
        if (strncmp(v->name, word, len) == 0 && v->name[len] == ' ') {
            put_verb_row(out, v);
            any = true;
        }
    }
    return any;
}

void
cli_put_overview(FILE *out)
{
    (void)fputs("steward: run a machine-learning model responsibly, securely, and provably so\n\n"
                "usage: steward VERB [operands] [options]\n\n",
                out);
    for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++) {
        put_verb_row(out, v);
    }
    (void)fputs("\nfor every verb:\n", out);
    for (const struct cli_option *o = cli_common; o->name != NULL; o++) {
        char left[96];
        (void)snprintf(left, sizeof left, "--%s%s%s", o->name, o->value == NULL ? "" : " ",
                       o->value == NULL ? "" : o->value);
        put_row(out, left, o->about, 38);
    }
    (void)fputs("\nThe passphrase comes from --passphrase-file, $STEWARD_PASSPHRASE_FILE,\n"
                "$STEWARD_PASSPHRASE or the terminal, a token's PIN from the file that its URI\n"
                "names, $STEWARD_PKCS11_PIN or the terminal, a transit service's token from\n"
                "the file that its URI names, $STEWARD_TRANSIT_TOKEN or the terminal.\n"
                "Results go to stdout, all else to stderr.\n"
                "\nexit codes:\n",
                out);
    for (const struct cli_exit *e = cli_exits; e->about != NULL; e++) {
        (void)fprintf(out, "  %d  ", e->code);
        cli_put_wrapped(out, e->about, 5, 5);
    }
}

static void
put_options(FILE *out, const struct cli_verb *verb, const struct cli_option *options)
{
    for (const struct cli_option *o = options; o->name != NULL; o++) {
        if (!cli_has_option(verb, o)) {
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
    cli_put_wrapped(out, verb->about, 0, 0);
    if (verb->detail != NULL) {
        (void)fputc('\n', out);
        cli_put_wrapped(out, verb->detail, 0, 0);
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
    if (c->operands == 1 && cli_put_family(stdout, name)) {
        return OK;
    }
    return cli_refuse_verb(&c->diag, c->operand[0], c->operands > 1 ? c->operand[1] : NULL);
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

static const char manual_start[] =
    ".SH NAME\nsteward \\- run a machine\\-learning model responsibly, securely, and provably so\n"
    ".SH SYNOPSIS\n.B steward\n.I VERB\n[operands] [options]\n"
    ".SH DESCRIPTION\nSteward keeps datasets and models sealed in a workspace, assesses the "
    "models, "
    "and serves them over TLS; every call and every administrative act is an entry of a log that "
    "anybody can verify.\nResults go to standard output, everything else to standard error.\n"
    ".SH VERBS\n";

static const char manual_end[] =
    ".SH ENVIRONMENT\n.TP\n.B STEWARD_WORKSPACE\nthe workspace, when \\-\\-workspace is not given\n"
    ".TP\n.B STEWARD_PASSPHRASE_FILE\nfile whose first line is the passphrase; refused when others "
    "than its owner and group may read it\n"
    ".TP\n.B STEWARD_PASSPHRASE\nthe passphrase itself; other processes of the same user can read "
    "it\n"
    ".TP\n.B STEWARD_NEW_PASSPHRASE_FILE\n.TQ\n.B STEWARD_NEW_PASSPHRASE\nthe same for the holder "
    "that "
    "\"steward key rewrap\" gives the key to\n"
    ".TP\n.B STEWARD_PKCS11_PIN\nthe PIN of the token that holds the key, when its URI names no "
    "file\n"
    ".TP\n.B STEWARD_NEW_PKCS11_PIN\nof the token that \"steward key rewrap\" gives the key to\n"
    ".TP\n.B STEWARD_PKCS11_MODULE\nthe token's driver, in place of the one that the URI names; it "
    "may "
    "be in a folder that others than root can change\n"
    ".TP\n.B STEWARD_TOKEN_NETWORK\n\"open\" lets the token's driver connect over the network, "
    "past "
    "network.egress, anything else does not; in place of keys.token_network in steward.yaml\n"
    ".TP\n.B STEWARD_TRANSIT\nwhere the transit service that holds the key is asked, in place of "
    "keys.transit in steward.yaml\n"
    ".TP\n.B STEWARD_TRANSIT_TOKEN\nits token, when the URI names no file\n"
    ".TP\n.B STEWARD_NEW_TRANSIT_TOKEN\nof the service that \"steward key rewrap\" gives the key "
    "to\n"
    ".TP\n.B STEWARD_SCRYPT_LOG2N\ncost of guessing the passphrase of a workspace that init "
    "makes: 17 (the default) to 20; each step doubles time and memory\n"
    ".TP\n.B STEWARD_INSECURE_TEST_KEYS\nwith 1, init takes a cost down to 10: for tests without "
    "real data\n"
    ".SH FILES\n.TP\n.I steward.yaml\nof the workspace: the configuration; "
    "\"steward config example\" prints every key with its default\n"
    ".TP\n.I tls/cert.pem\nof the workspace: what clients trust, as in curl \\-\\-cacert\n"
    ".TP\n.I audit/\nof the workspace: the log; a copy of it can be verified anywhere\n"
    ".SH EXIT CODES\n";

struct status
cli_manual(struct cli *c)
{
    (void)c;
    (void)printf(".TH STEWARD 1 \"\" \"Steward %s\"\n%s", STEWARD_VERSION, manual_start);
    for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++) {
        put_troff_verb(v);
    }
    (void)fputs(".SH OPTIONS OF EVERY VERB\n", stdout);
    for (const struct cli_option *o = cli_common; o->name != NULL; o++) {
        put_troff_option(o);
    }
    (void)fputs(manual_end, stdout);
    for (const struct cli_exit *e = cli_exits; e->about != NULL; e++) {
        (void)printf(".TP\n.B %d\n%s\n", e->code, e->about);
    }
    return OK;
}

/* ---- completion ---- */

/* The options of a verb, and what stands after those that take a value. */
static void
put_case(const struct cli_verb *v)
{
    const struct cli_option *const lists[] = {v->options, cli_common};
    (void)printf("    \"%s\") words=\"", v->name);
    for (size_t i = 0; i < 2; i++) {
        for (const struct cli_option *o = lists[i]; o->name != NULL; o++) {
            (void)fputs(cli_has_option(v, o) ? "--" : "", stdout);
            (void)fputs(cli_has_option(v, o) ? o->name : "", stdout);
            (void)fputs(" ", stdout);
        }
    }
    (void)fputs("\"\n      case \"$before\" in\n", stdout);
    for (size_t i = 0; i < 2; i++) {
        for (const struct cli_option *o = lists[i]; o->name != NULL; o++) {
            if (o->value != NULL) {
                (void)printf("        --%s) values=\"%s\" ;;\n", o->name,
                             o->words == NULL ? "@none" : o->words);
            }
        }
    }
    (void)fputs("      esac ;;\n", stdout);
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

static const char completion_start[] =
    "# bash completion for steward: source <(steward completion)\n"
    "_steward() {\n"
    "  local word=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
    "  local words=\"\" values=\"\" verb=\"${COMP_WORDS[1]}\"\n"
    "  COMPREPLY=()\n";

static const char completion_verb[] =
    "  if (( COMP_CWORD == 1 )); then\n"
    "    COMPREPLY=($(compgen -W \"$firsts\" -- \"$word\")); return\n"
    "  fi\n"
    "  if [[ -n $seconds ]]; then\n"
    "    if (( COMP_CWORD == 2 )); then\n"
    "      COMPREPLY=($(compgen -W \"$seconds\" -- \"$word\")); return\n"
    "    fi\n"
    "    verb=\"$verb ${COMP_WORDS[2]}\"\n"
    "  fi\n"
    "  case \"$verb\" in\n";

static const char completion_end[] =
    "  esac\n"
    "  case \"$values\" in\n"
    "    @none) ;;\n"
    "    @dir|@log) COMPREPLY=($(compgen -d -- \"$word\")) ;;\n"
    "    @?*) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
    "    ?*) COMPREPLY=($(compgen -W \"$values\" -- \"$word\")) ;;\n"
    "    *) if [[ $word == -* ]]; then COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
    "       else COMPREPLY=($(compgen -f -- \"$word\")); fi ;;\n"
    "  esac\n"
    "}\n"
    "complete -o filenames -F _steward steward\n";

struct status
cli_completion(struct cli *c)
{
    (void)c;
    (void)fputs(completion_start, stdout);
    put_words();
    (void)fputs(completion_verb, stdout);
    for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++) {
        put_case(v);
    }
    (void)fputs(completion_end, stdout);
    return OK;
}
