#include "protect/access_roles.h"

#include <string.h>

static const char *const actions[ACCESS_ACTIONS] = {
    [ACCESS_WORKSPACE_CONFIGURE] = "workspace.configure",
    [ACCESS_DATASET_READ] = "dataset.read",
    [ACCESS_DATASET_WRITE] = "dataset.write",
    [ACCESS_MODEL_READ] = "model.read",
    [ACCESS_MODEL_WRITE] = "model.write",
    [ACCESS_MODEL_INFER] = "model.infer",
    [ACCESS_MODEL_ASSESS] = "model.assess",
    [ACCESS_PRINCIPAL_READ] = "principal.read",
    [ACCESS_PRINCIPAL_WRITE] = "principal.write",
    [ACCESS_KEY_ISSUE] = "key.issue",
    [ACCESS_KEY_REVOKE] = "key.revoke",
    [ACCESS_AUDIT_READ] = "audit.read",
    [ACCESS_METRICS_READ] = "metrics.read",
    [ACCESS_SERVER_OPERATE] = "server.operate",
};

/* Who may call is not who may configure; who audits changes nothing; who makes models does not hand
 * out rights. */
static const struct {
    const char *role, *action;
} rows[] = {
    {"admin", "workspace.configure"},
    {"admin", "principal.*"},
    {"admin", "key.*"},
    {"admin", "dataset.read"},
    {"admin", "model.read"},
    {"admin", "audit.read"},
    {"admin", "metrics.read"},
    {"admin", "server.operate"},
    {"data-scientist", "dataset.*"},
    {"data-scientist", "model.*"},
    {"operator", "server.operate"},
    {"operator", "metrics.read"},
    {"operator", "model.read"},
    {"caller", "model.infer"},
    {"caller", "model.read"},
    {"auditor", "audit.read"},
    {"auditor", "metrics.read"},
    {"auditor", "principal.read"},
    {"auditor", "model.read"},
    {"auditor", "dataset.read"},
};

static const struct access_role roles[] = {
    {"admin", "configures the workspace, principals and keys; does not call models"},
    {"data-scientist", "datasets and models: import, train, assess, call"},
    {"operator", "runs the server and reads its metrics"},
    {"caller", "calls models and reads their metadata"},
    {"auditor", "reads the log, metrics, principals and metadata; changes nothing"},
};

const char *
access_action_word(enum access_action a)
{
    ASSERT((unsigned)a < ACCESS_ACTIONS);
    return actions[a];
}

const struct access_role *
access_roles(size_t *ret_count)
{
    *ret_count = sizeof roles / sizeof *roles;
    return roles;
}

bool
access_role_known(const char *role)
{
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        if (strcmp(roles[i].name, role) == 0) {
            return true;
        }
    }
    return false;
}

bool
access_role_allows(const char *role, const char *action)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].role, role) == 0 &&
            access_pattern_matches(rows[i].action, action, '.')) {
            return true;
        }
    }
    return false;
}

/* Length of the segment at text. */
static size_t
segment(const char *text, char separator)
{
    const char *end = strchr(text, separator);
    return end == NULL ? strlen(text) : (size_t)(end - text);
}

bool
access_pattern_matches(const char *pattern, const char *text, char separator)
{
    for (;;) {
        if (strcmp(pattern, "**") == 0) {
            return true;
        }
        const size_t p = segment(pattern, separator), t = segment(text, separator);
        const bool any = p == 1 && *pattern == '*' && t > 0;
        if (!any && (p != t || strncmp(pattern, text, p) != 0)) {
            return false;
        }
        pattern += p;
        text += t;
        if (*pattern == '\0' || *text == '\0') {
            /* A pattern that ends in "**" also holds for what stands before it. */
            return *pattern == *text ||
                   (*text == '\0' && pattern[0] == separator && strcmp(pattern + 1, "**") == 0);
        }
        pattern++;
        text++;
    }
}

bool
access_pattern_valid(const char *pattern)
{
    const size_t n = strlen(pattern);
    if (n == 0 || n > 127 || strspn(pattern, "abcdefghijklmnopqrstuvwxyz0123456789._-/*") != n) {
        return false;
    }
    for (const char *at = pattern;; at++) {
        const size_t len = segment(at, '/');
        const bool stars = memchr(at, '*', len) != NULL;
        const bool one = len == 1, rest = len == 2 && at[1] == '*' && at[len] == '\0';
        if (len == 0 || (stars && !(*at == '*' && (one || rest)))) {
            return false;
        }
        at += len;
        if (*at == '\0') {
            return true;
        }
    }
}
