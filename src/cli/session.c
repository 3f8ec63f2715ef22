/* session: what the verbs share: passphrase, opening the workspace, printing, progress. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/secret.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
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
    DEFER(buf_wipe) struct buf text;
    buf_init(&text, PASSPHRASE_MAX);
    TRY(file_read(path, PASSPHRASE_MAX, &c->diag, &text));
    return take_passphrase(c, first_line(buf_view(&text)), path, ret_passphrase);
}

/* One line from the terminal without echo. Returns its length, or -1. */
static ssize_t
ask(const char *prompt, char *ret_line, size_t max)
{
    struct termios before, quiet;
    if (tcgetattr(STDIN_FILENO, &before) != 0) {
        return -1;
    }
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    (void)fputs(prompt, stderr);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    const ssize_t n = read(STDIN_FILENO, ret_line, max);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    (void)fputc('\n', stderr);
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

struct status
cli_passphrase(struct cli *c, bool confirm, struct secret *ret_passphrase)
{
    const char *path = cli_value(c, "passphrase-file");
    if (path == NULL) {
        path = getenv("STEWARD_PASSPHRASE_FILE");
    }
    if (path != NULL && *path != '\0') {
        return passphrase_from_file(c, path, ret_passphrase);
    }
    const char *text = getenv("STEWARD_PASSPHRASE");
    if (text != NULL) {
        return take_passphrase(c, view_str(text), "STEWARD_PASSPHRASE", ret_passphrase);
    }
    return passphrase_from_terminal(c, confirm, ret_passphrase);
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

/* ---- printing ---- */

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

static void
format_cell(const json_t *value, char ret_text[static CELL_MAX])
{
    if (json_is_string(value)) {
        (void)snprintf(ret_text, CELL_MAX, "%s", json_string_value(value));
    } else if (json_is_integer(value)) {
        (void)snprintf(ret_text, CELL_MAX, "%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        (void)snprintf(ret_text, CELL_MAX, "%.6g", json_real_value(value));
    } else if (json_is_boolean(value)) {
        (void)snprintf(ret_text, CELL_MAX, "%s", json_is_true(value) ? "yes" : "no");
    } else {
        (void)snprintf(ret_text, CELL_MAX, "-");
    }
    /* What others named must not reach the terminal as control bytes. */
    for (char *p = ret_text; *p != '\0'; p++) {
        *p = (unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p;
    }
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
            const int n = (int)strlen(cell);
            cols.width[k] = n > cols.width[k] ? n : cols.width[k];
        }
    }
    for (size_t k = 0; k < cols.count; k++) {
        (void)printf("%-*s%s", k + 1 == cols.count ? 0 : cols.width[k], cols.title[k],
                     k + 1 == cols.count ? "\n" : "  ");
    }
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        for (size_t k = 0; k < cols.count; k++) {
            format_cell(json_object_get(row, cols.key[k]), cell);
            (void)printf("%-*s%s", k + 1 == cols.count ? 0 : cols.width[k], cell,
                         k + 1 == cols.count ? "\n" : "  ");
        }
    }
}

/* ---- progress ---- */

void
cli_progress_init(struct cli_progress *p)
{
    *p = (struct cli_progress){.started_ns = clock_mono_ns()};
}

void
cli_progress_show(struct cli_progress *p, const char *format, ...)
{
    const int64_t now = clock_mono_ns();
    const bool terminal = isatty(STDERR_FILENO) != 0;
    /* In a file or a CI log, a line every two seconds is enough. */
    if (now - p->started_ns < NS_PER_S ||
        now - p->shown_ns < (terminal ? NS_PER_S / 5 : 2 * NS_PER_S)) {
        return;
    }
    p->shown_ns = now;
    (void)fputs(terminal ? "\r\033[K" : "", stderr);
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputs(terminal ? "" : "\n", stderr);
}

void
cli_progress_done(struct cli_progress *p)
{
    if (p->shown_ns != 0 && isatty(STDERR_FILENO) != 0) {
        (void)fputs("\r\033[K", stderr);
    }
    p->shown_ns = 0;
}
