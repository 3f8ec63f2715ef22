#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *word, *sentence;
} codes[STATUS_CODES] = {
    [STATUS_OK] = {"ok", "no failure"},
    [STATUS_INPUT] = {"input", "the input is not valid"},
    [STATUS_AUTH] = {"auth", "not known: a credential is missing or wrong"},
    [STATUS_DENIED] = {"denied", "not allowed"},
    [STATUS_NOT_FOUND] = {"not-found", "there is no such thing"},
    [STATUS_EXISTS] = {"exists", "there is one already"},
    [STATUS_INTEGRITY] = {"integrity", "the bytes are not what was written"},
    [STATUS_LIMIT] = {"limit", "a limit was passed"},
    [STATUS_IO] = {"io", "the operating system refused"},
    [STATUS_BUSY] = {"busy", "held by another process; try again later"},
    [STATUS_MEMORY] = {"memory", "out of memory"},
    [STATUS_UNSUPPORTED] = {"unsupported", "not something this build does"},
};

const char *
status_word(int32_t code)
{
    return code >= 0 && code < STATUS_CODES ? codes[code].word : "unknown";
}

void
status_abort(const char *where, const char *what)
{
    (void)fprintf(stderr, "steward: %s: contract broken: %s\n", where, what);
    abort();
}

void
diag_set(struct diag *diag, const char *format, ...)
{
    if (diag == NULL) {
        return;
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(diag->text, sizeof diag->text, format, args);
    va_end(args);
}

void
diag_prefix(struct diag *diag, const char *format, ...)
{
    if (diag == NULL || diag->text[0] == '\0') {
        return;
    }
    struct diag inner = *diag;
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(diag->text, sizeof diag->text, format, args);
    va_end(args);
    if (n >= 0 && (size_t)n + 2 < sizeof diag->text) {
        const size_t room = sizeof diag->text - (size_t)n - 3; /* ": " and the terminator */
        (void)snprintf(diag->text + n, sizeof diag->text - (size_t)n, ": %.*s", (int)room,
                       inner.text);
    }
}

void
diag_describe(const struct diag *diag, struct status s, char *ret_text, size_t n)
{
    if (diag != NULL && diag->text[0] != '\0') {
        (void)snprintf(ret_text, n, "%s", diag->text);
        return;
    }
    const char *sentence = s.code >= 0 && s.code < STATUS_CODES ? codes[s.code].sentence : "failed";
    const char *where = s.where == NULL ? "?" : s.where;
    if (s.os != 0) {
        (void)snprintf(ret_text, n, "%s: %s (%s)", sentence, strerror(s.os), where);
    } else {
        (void)snprintf(ret_text, n, "%s (%s)", sentence, where);
    }
}
