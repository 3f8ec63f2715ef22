#include "cli/passphrase.h"

#include "base/file.h"
#include "base/text.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define PASSPHRASE_MAX 4096u

static struct status
take_passphrase(struct view text, const char *from, struct diag *diag,
                struct secret *ret_passphrase)
{
    if (text.len == 0) {
        diag_set(diag, "%s: the passphrase is empty", from);
        FAIL(INPUT);
    }
    return secret_from(text, ret_passphrase);
}

static const int asking_ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
#define ASKING_ENDS (sizeof asking_ends / sizeof *asking_ends)
static volatile sig_atomic_t asking_ended; /* which signal came */

static void
note_signal(int number)
{
    asking_ended = number;
}

/* One line from the terminal without echo. Returns its length, or -1. A signal that ends the
 * program ends it after the echo is back. */
static ssize_t
ask(const char *prompt, char *ret_line, size_t max)
{
    struct termios before, quiet;
    struct sigaction was[ASKING_ENDS], note = {.sa_handler = note_signal};
    if (tcgetattr(STDIN_FILENO, &before) != 0) {
        return -1;
    }
    asking_ended = 0;
    for (size_t i = 0; i < ASKING_ENDS; i++) {
        (void)sigaction(asking_ends[i], &note, &was[i]); /* without SA_RESTART: read returns */
    }
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    (void)fputs(prompt, stderr);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    const ssize_t n = read(STDIN_FILENO, ret_line, max);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    (void)fputc('\n', stderr);
    for (size_t i = 0; i < ASKING_ENDS; i++) {
        (void)sigaction(asking_ends[i], &was[i], NULL);
    }
    if (asking_ended != 0) {
        (void)raise(asking_ended);
    }
    return n;
}

static struct status
passphrase_from_terminal(bool confirm, struct diag *diag, struct secret *ret_passphrase)
{
    if (isatty(STDIN_FILENO) == 0) {
        diag_set(diag,
                 "no passphrase: give --passphrase-file FILE, or set STEWARD_PASSPHRASE_FILE");
        FAIL(AUTH);
    }
    char once[PASSPHRASE_MAX], twice[PASSPHRASE_MAX];
    const ssize_t n = ask(confirm ? "New passphrase: " : "Passphrase: ", once, sizeof once);
    const ssize_t m = confirm ? ask("Once more: ", twice, sizeof twice) : n;
    struct status s = FAILURE(INPUT);
    if (n <= 0 || n != m || (confirm && memcmp(once, twice, (size_t)n) != 0)) {
        diag_set(diag, confirm ? "the two passphrases differ" : "no passphrase was given");
    } else {
        s = take_passphrase(text_first_line(view_of(once, (size_t)n)), "terminal", diag,
                            ret_passphrase);
    }
    secret_wipe(once, sizeof once);
    secret_wipe(twice, sizeof twice);
    return s;
}

/* From the file that path or the variable names, or from the other variable; false: from neither.
 */
static bool
from_surroundings(const char *path, const char *file_variable, const char *variable,
                  struct diag *diag, struct secret *ret_secret, struct status *ret_status)
{
    path = path == NULL ? getenv(file_variable) : path;
    if (path != NULL && *path != '\0') {
        *ret_status = file_read_secret(path, PASSPHRASE_MAX, "the passphrase", diag, ret_secret);
        return true;
    }
    char *text = getenv(variable);
    if (text == NULL) {
        return false;
    }
    *ret_status = take_passphrase(view_str(text), variable, diag, ret_secret);
    secret_wipe(text, strlen(text)); /* it is in /proc/PID/environ, too */
    return true;
}

struct status
passphrase_read(const char *path, bool confirm, struct diag *diag, struct secret *ret_passphrase)
{
    struct status s = OK;
    return from_surroundings(path, "STEWARD_PASSPHRASE_FILE", "STEWARD_PASSPHRASE", diag,
                             ret_passphrase, &s)
               ? s
               : passphrase_from_terminal(confirm, diag, ret_passphrase);
}

struct status
passphrase_read_new(const char *path, struct diag *diag, struct secret *ret_passphrase)
{
    struct status s = OK;
    return from_surroundings(path, "STEWARD_NEW_PASSPHRASE_FILE", "STEWARD_NEW_PASSPHRASE", diag,
                             ret_passphrase, &s)
               ? s
               : passphrase_from_terminal(true, diag, ret_passphrase);
}

static struct status
read_word(const char *called, const char *variable, const char *in_uri, struct diag *diag,
          struct secret *ret_word)
{
    char *text = getenv(variable), line[PASSPHRASE_MAX], prompt[80];
    struct status s = OK;
    if (text != NULL && *text != '\0') {
        s = secret_from(view_str(text), ret_word);
        secret_wipe(text, strlen(text));
        return s;
    }
    if (isatty(STDIN_FILENO) == 0) {
        diag_set(diag, "no %s: set %s, or name a file that has it in the URI: ?%s", called,
                 variable, in_uri);
        FAIL(AUTH);
    }
    (void)snprintf(prompt, sizeof prompt, "%s: ", called);
    const ssize_t n = ask(prompt, line, sizeof line);
    const struct view word = text_first_line(view_of(line, n < 0 ? 0 : (size_t)n));
    if (word.len == 0) {
        diag_set(diag, "no %s was given", called);
        FAIL(INPUT);
    }
    s = secret_from(word, ret_word);
    secret_wipe(line, sizeof line);
    return s;
}

struct status
passphrase_read_pin(const char *variable, struct diag *diag, struct secret *ret_pin)
{
    return read_word("PIN", variable, "pin-source=file:PATH", diag, ret_pin);
}

struct status
passphrase_read_token(const char *variable, struct diag *diag, struct secret *ret_token)
{
    return read_word("token of the transit service", variable, "token-file=/PATH", diag, ret_token);
}
