/* session: what the verbs share: passphrase, opening the workspace, printing, progress. */
#include "cli/cli.h"
#include "cli/config.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/sandbox.h"
#include "base/secret.h"
#include "net/door.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define PASSPHRASE_MAX 4096u

/* ---- passphrase ---- */

static struct view
first_line(struct view text)
{
    const uint8_t *end = text.len == 0 ? NULL : memchr(text.ptr, '\n', text.len);
    size_t n = end == NULL ? text.len : (size_t)(end - text.ptr);
    n -= n > 0 && text.ptr[n - 1] == '\r';
    return view_of(text.ptr, n);
}

static struct status
take_passphrase(struct cli *c, struct view text, const char *from, struct secret *ret_passphrase)
{
    if (text.len == 0) {
        diag_set(&c->diag, "%s: the passphrase is empty", from);
        FAIL(INPUT);
    }
    return secret_from(text, ret_passphrase);
}

static struct status
passphrase_from_file(struct cli *c, const char *path, struct secret *ret_passphrase)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0027) != 0) {
        diag_set(&c->diag,
                 "%s: mode %03o lets others read or change the passphrase; chmod 600 it first",
                 path, (unsigned)st.st_mode & 0777);
        FAIL(INPUT);
    }
    DEFER(buf_wipe) struct buf text;
    buf_init(&text, PASSPHRASE_MAX);
    TRY(file_read(path, PASSPHRASE_MAX, &c->diag, &text));
    return take_passphrase(c, first_line(buf_view(&text)), path, ret_passphrase);
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
passphrase_from_terminal(struct cli *c, bool confirm, struct secret *ret_passphrase)
{
    if (isatty(STDIN_FILENO) == 0) {
        diag_set(&c->diag,
                 "no passphrase: give --passphrase-file FILE, or set STEWARD_PASSPHRASE_FILE");
        FAIL(AUTH);
    }
    char once[PASSPHRASE_MAX], twice[PASSPHRASE_MAX];
    const ssize_t n = ask(confirm ? "New passphrase: " : "Passphrase: ", once, sizeof once);
    const ssize_t m = confirm ? ask("Once more: ", twice, sizeof twice) : n;
    struct status s = FAILURE(INPUT);
    if (n <= 0 || n != m || (confirm && memcmp(once, twice, (size_t)n) != 0)) {
        diag_set(&c->diag, confirm ? "the two passphrases differ" : "no passphrase was given");
    } else {
        s = take_passphrase(c, first_line(view_of(once, (size_t)n)), "terminal", ret_passphrase);
    }
    secret_wipe(once, sizeof once);
    secret_wipe(twice, sizeof twice);
    return s;
}

/* From the file that path or the variable names, or from the other variable; false: from neither.
 */
static bool
from_surroundings(struct cli *c, const char *path, const char *file_variable, const char *variable,
                  struct secret *ret_secret, struct status *ret_status)
{
    path = path == NULL ? getenv(file_variable) : path;
    if (path != NULL && *path != '\0') {
        *ret_status = passphrase_from_file(c, path, ret_secret);
        return true;
    }
    char *text = getenv(variable);
    if (text == NULL) {
        return false;
    }
    *ret_status = take_passphrase(c, view_str(text), variable, ret_secret);
    secret_wipe(text, strlen(text)); /* it is in /proc/PID/environ, too */
    return true;
}

struct status
cli_passphrase(struct cli *c, bool confirm, struct secret *ret_passphrase)
{
    struct status s = OK;
    return from_surroundings(c, cli_value(c, "passphrase-file"), "STEWARD_PASSPHRASE_FILE",
                             "STEWARD_PASSPHRASE", ret_passphrase, &s)
               ? s
               : passphrase_from_terminal(c, confirm, ret_passphrase);
}

struct status
cli_new_passphrase(struct cli *c, const char *path, struct secret *ret_passphrase)
{
    struct status s = OK;
    return from_surroundings(c, path, "STEWARD_NEW_PASSPHRASE_FILE", "STEWARD_NEW_PASSPHRASE",
                             ret_passphrase, &s)
               ? s
               : passphrase_from_terminal(c, true, ret_passphrase);
}

struct status
cli_open(struct cli *c, struct workspace **ret_workspace)
{
    TRY(workspace_check(c->dir, &c->diag));
    DEFER(secret_done) struct secret passphrase = {0};
    TRY(cli_passphrase(c, false, &passphrase));
    const struct workspace_open_options o = {.passphrase = &passphrase};
    return workspace_open(c->dir, &o, &c->diag, ret_workspace);
}

struct status
cli_offline(struct cli *c)
{
    return sandbox_offline(&c->diag);
}

struct status
cli_keep_open(struct cli *c, struct workspace **ret_workspace)
{
    if (c->kept == NULL) {
        TRY(cli_open(c, &c->kept));
    }
    *ret_workspace = c->kept;
    return OK;
}

struct status
cli_settle(struct cli *c, struct workspace *w, struct status done, const struct workspace_act *act)
{
    if (!status_ok(done)) {
        store_rollback(w->store);
        return done;
    }
    return workspace_commit(w, act, &c->diag);
}

struct status
cli_threads(struct cli *c, unsigned *ret_threads)
{
    struct config config;
    uint64_t threads = 0;
    if (cli_value(c, "threads") != NULL) {
        TRY(cli_u64(c, "threads", &threads));
        if (threads > CONFIG_MAX_THREADS) {
            diag_set(&c->diag, "--threads %s: at most %u", cli_value(c, "threads"),
                     CONFIG_MAX_THREADS);
            FAIL(INPUT);
        }
        *ret_threads = (unsigned)threads;
        return OK;
    }
    TRY(cli_config(c, NULL, &config));
    *ret_threads = config.threads;
    return OK;
}

struct status
cli_config(struct cli *c, const char *path, struct config *ret_config)
{
    DEFER(file_freep) char *own = file_join(c->dir, "steward.yaml");
    config_defaults(ret_config);
    return path != NULL || file_exists(own)
               ? config_load(path != NULL ? path : own, &c->diag, ret_config)
               : OK;
}

struct status
cli_door(struct cli *c, struct door **ret_door)
{
    struct config config;
    struct egress *rules = NULL;
    TRY(cli_config(c, NULL, &config));
    TRY(config_egress(&config, &rules));
    return door_new(rules, NULL, ret_door);
}

/* ---- what ends the program ---- */

static const int held[] = {SIGINT, SIGTERM, SIGHUP};
#define HELD (sizeof held / sizeof *held)

void
cli_hold_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < HELD; i++) {
        (void)sigaddset(&set, held[i]);
    }
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
}

bool
cli_interrupted(void)
{
    sigset_t set;
    (void)sigpending(&set);
    bool any = false;
    for (size_t i = 0; i < HELD; i++) {
        any = any || sigismember(&set, held[i]) == 1;
    }
    return any;
}

/* ---- printing ---- */

#define WIDTH 80

/* Bytes of the character at text, 1 when it is not UTF-8; *ret_control: a C0 or C1 control or DEL.
 */
static size_t
character(const char *text, bool *ret_control)
{
    const unsigned char c = (unsigned char)*text, next = c == 0 ? 0 : (unsigned char)text[1];
    size_t n = 1;
    while (c >= 0xc0 && n < 4 && ((unsigned char)text[n] & 0xc0) == 0x80) {
        n++;
    }
    *ret_control = c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next < 0xa0) ||
                   (c >= 0x80 && n == 1);
    return n;
}

static void
put_clean_part(FILE *out, const char *text, size_t len)
{
    for (size_t i = 0, n = 0; i < len; i += n) {
        bool control = false;
        n = character(text + i, &control);
        (void)fprintf(out, "%.*s", control ? 1 : (int)n, control ? "?" : text + i);
    }
}

void
cli_put_clean(FILE *out, const char *text)
{
    put_clean_part(out, text, strlen(text));
}

/* Columns of text[len] on a terminal, each character one. */
static int
columns_of(const char *text, size_t len)
{
    int columns = 0;
    bool control = false;
    for (size_t i = 0; i < len; i += character(text + i, &control)) {
        columns++;
    }
    return columns;
}

/* Bytes up to a space where a line may end: not between a number and its per cent. */
static size_t
word_length(const char *text)
{
    size_t n = strcspn(text, " ");
    while (text[n] == ' ' && text[n + 1] == '%') {
        n += 1 + strcspn(text + n + 1, " ");
    }
    return n;
}

void
cli_put_wrapped(FILE *out, const char *text, int at, int indent)
{
    bool first = true;
    while (*text != '\0') {
        const size_t n = word_length(text);
        const int wide = columns_of(text, n);
        if (!first && at + 1 + wide > WIDTH) {
            (void)fprintf(out, "\n%*s", indent, "");
            at = indent;
            first = true;
        }
        (void)fputs(first ? "" : " ", out);
        put_clean_part(out, text, n);
        at += wide + (first ? 0 : 1);
        first = false;
        text += n + (text[n] == ' ');
    }
    (void)fputc('\n', out);
}

void
cli_say(const char *format, ...)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 20);
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    cli_put_wrapped(stdout, buf_str(&text), 0, 2);
}

struct status
cli_print_json(const json_t *value)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 256u << 20);
    TRY(js_put_pretty(&text, value));
    (void)fwrite(text.ptr, 1, text.len, stdout);
    (void)fputc('\n', stdout);
    return OK;
}

#define CELL_MAX 48
#define COLUMNS_MAX 12

struct columns {
    size_t count;
    char key[COLUMNS_MAX][32];
    char title[COLUMNS_MAX][32];
    int width[COLUMNS_MAX];
};

static void
read_columns(const char *text, struct columns *ret_columns)
{
    ret_columns->count = 0;
    while (*text != '\0' && ret_columns->count < COLUMNS_MAX) {
        const size_t n = strcspn(text, " "), key = strcspn(text, ":");
        (void)snprintf(ret_columns->key[ret_columns->count], 32, "%.*s", (int)key, text);
        (void)snprintf(ret_columns->title[ret_columns->count], 32, "%.*s", (int)(n - key - 1),
                       text + key + 1);
        ret_columns->width[ret_columns->count] = (int)(n - key - 1);
        ret_columns->count++;
        text += n + (text[n] == ' ');
    }
}

/* A time to the minute, as people read it; other text cut before a character that does not fit. */
static void
format_text(const char *text, char ret_text[static CELL_MAX])
{
    int64_t ns = 0;
    if (status_ok(clock_from_rfc3339(view_str(text), &ns))) {
        (void)snprintf(ret_text, CELL_MAX, "%.10s %.5sZ", text, text + 11);
        return;
    }
    size_t len = 0;
    bool control = false;
    while (text[len] != '\0' && len + character(text + len, &control) < CELL_MAX) {
        len += character(text + len, &control);
    }
    (void)snprintf(ret_text, CELL_MAX, "%.*s", (int)len, text);
}

static void
format_cell(const json_t *value, char ret_text[static CELL_MAX])
{
    if (json_is_string(value)) {
        format_text(json_string_value(value), ret_text);
    } else if (json_is_integer(value)) {
        (void)snprintf(ret_text, CELL_MAX, "%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        (void)snprintf(ret_text, CELL_MAX, "%.6g", json_real_value(value));
    } else if (json_is_boolean(value)) {
        (void)snprintf(ret_text, CELL_MAX, "%s", json_is_true(value) ? "yes" : "no");
    } else {
        (void)snprintf(ret_text, CELL_MAX, "-");
    }
}

static void
put_cell(const char *text, int width, bool last)
{
    cli_put_clean(stdout, text);
    (void)printf("%*s%s", last ? 0 : width - columns_of(text, strlen(text)), "",
                 last ? "\n" : "  ");
}

void
cli_print_table(const json_t *rows, const char *columns)
{
    struct columns cols;
    char cell[CELL_MAX];
    size_t i;
    const json_t *row;
    read_columns(columns, &cols);
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        for (size_t k = 0; k < cols.count; k++) {
            format_cell(json_object_get(row, cols.key[k]), cell);
            const int n = columns_of(cell, strlen(cell));
            cols.width[k] = n > cols.width[k] ? n : cols.width[k];
        }
    }
    for (size_t k = 0; k < cols.count; k++) {
        put_cell(cols.title[k], cols.width[k], k + 1 == cols.count);
    }
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        for (size_t k = 0; k < cols.count; k++) {
            format_cell(json_object_get(row, cols.key[k]), cell);
            put_cell(cell, cols.width[k], k + 1 == cols.count);
        }
    }
}

struct status
cli_print_list(struct cli *c, struct view json, const char *columns)
{
    DEFER(js_freep) json_t *list = NULL;
    TRY(js_parse(json, NULL, &c->diag, &list));
    if (c->json) {
        return cli_print_json(list);
    }
    cli_print_table(list, columns);
    return OK;
}

/* ---- bars ---- */

/* Of the environment: the program never calls setlocale, whose decimal comma would reach numbers.
 */
static bool
locale_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && *value != '\0') {
            return strcasestr(value, "utf-8") != NULL || strcasestr(value, "utf8") != NULL;
        }
    }
    return false;
}

void
cli_put_bar(FILE *out, double share, int width)
{
    static const char *const part[] = {"",       "\u258f", "\u258e", "\u258d",
                                       "\u258c", "\u258b", "\u258a", "\u2589"};
    const bool fine = locale_is_utf8();
    const double full = isnan(share) ? 0 : fmin(fmax(share, 0), 1) * width;
    const int eighths = (int)lround(fine ? 8 * full : 8 * round(full)), whole = eighths / 8;
    for (int i = 0; i < whole; i++) {
        (void)fputs(fine ? "\u2588" : "#", out);
    }
    (void)fputs(part[eighths % 8], out);
    (void)fprintf(out, "%*s", width - whole - (eighths % 8 > 0), "");
}

/* ---- progress ---- */

#define PROGRESS_FIRST_NS NS_PER_S

static void
put_progress(const struct cli_progress *p)
{
    const long long seconds = (clock_mono_ns() - p->started_ns) / NS_PER_S;
    (void)fputs(p->terminal ? "\r\033[K" : "", stderr);
    cli_put_clean(stderr, p->text);
    (void)fprintf(stderr, ", %lld s%s", seconds, p->terminal ? "" : "\n");
    (void)fflush(stderr);
}

/* Says where the work stands, without the work's help: it may be one long step in a library. */
static void *
tick(void *ctx)
{
    struct cli_progress *p = ctx;
    /* In a file or a CI log, a line every two seconds is enough. */
    const int64_t period = p->terminal ? NS_PER_S / 5 : 2 * NS_PER_S;
    int64_t next = p->started_ns + PROGRESS_FIRST_NS;
    (void)pthread_mutex_lock(&p->lock);
    while (!p->done) {
        const struct timespec at = {next / NS_PER_S, next % NS_PER_S};
        if (pthread_cond_timedwait(&p->wake, &p->lock, &at) == ETIMEDOUT) {
            put_progress(p);
            p->shown = true;
            next += period;
        }
    }
    (void)pthread_mutex_unlock(&p->lock);
    return NULL;
}

void
cli_progress_start(struct cli_progress *p, const char *text)
{
    pthread_condattr_t steady;
    *p = (struct cli_progress){.started_ns = clock_mono_ns(),
                               .terminal = isatty(STDERR_FILENO) != 0};
    (void)snprintf(p->text, sizeof p->text, "%s", text);
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_condattr_init(&steady);
    (void)pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&p->wake, &steady);
    (void)pthread_condattr_destroy(&steady);
    p->ticking = pthread_create(&p->thread, NULL, tick, p) == 0;
}

void
cli_progress_show(struct cli_progress *p, const char *format, ...)
{
    va_list args;
    ASSERT(format != NULL);
    (void)pthread_mutex_lock(&p->lock);
    va_start(args, format);
    (void)vsnprintf(p->text, sizeof p->text, format, args);
    va_end(args);
    (void)pthread_mutex_unlock(&p->lock);
}

void
cli_progress_stop(struct cli_progress *p)
{
    (void)pthread_mutex_lock(&p->lock);
    p->done = true;
    (void)pthread_cond_signal(&p->wake);
    (void)pthread_mutex_unlock(&p->lock);
    if (p->ticking) {
        (void)pthread_join(p->thread, NULL);
    }
    if (p->shown && p->terminal) {
        (void)fputs("\r\033[K", stderr);
    }
    (void)pthread_cond_destroy(&p->wake);
    (void)pthread_mutex_destroy(&p->lock);
}
