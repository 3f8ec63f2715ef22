#include "protect/access_roles.h"

#include "base/text.h"

#include <string.h>

/* The action, and the first segments of the resources it happens on. */
static const struct {
    const char *word;
    const char *kinds[4];
} actions[ACCESS_ACTIONS] = {
    [ACCESS_WORKSPACE_CONFIGURE] = {"workspace.configure", {"workspace"}},
    [ACCESS_DATASET_READ] = {"dataset.read", {"datasets"}},
    [ACCESS_DATASET_WRITE] = {"dataset.write", {"datasets"}},
    [ACCESS_MODEL_READ] = {"model.read", {"models", "server"}},
    [ACCESS_MODEL_WRITE] = {"model.write", {"models"}},
    [ACCESS_MODEL_INFER] = {"model.infer", {"models"}},
    [ACCESS_MODEL_ASSESS] = {"model.assess", {"models"}},
    [ACCESS_PRINCIPAL_READ] = {"principal.read", {"principals", "groups", "roles", "issuers"}},
    [ACCESS_PRINCIPAL_WRITE] = {"principal.write", {"principals", "groups", "roles", "issuers"}},
    [ACCESS_KEY_ISSUE] = {"key.issue", {"principals", "keys"}},
    [ACCESS_KEY_REVOKE] = {"key.revoke", {"principals", "keys"}},
    [ACCESS_AUDIT_READ] = {"audit.read", {"audit"}},
    [ACCESS_METRICS_READ] = {"metrics.read", {"metrics"}},
    [ACCESS_SERVER_OPERATE] = {"server.operate", {"server"}},
    [ACCESS_CAPTURE_READ] = {"capture.read", {"captures"}}, /* no built-in role's */
    [ACCESS_USAGE_READ] = {"usage.read", {"usage"}},
};

/* Who may call is not who may configure; who audits changes nothing; who makes models does not hand
 * out rights. */
static const struct {
    const char *role, *action;
} rows[] = {
    {"admin", "workspace.configure"}, {"admin", "principal.*"},      {"admin", "key.*"},
    {"admin", "dataset.read"},        {"admin", "model.read"},       {"admin", "audit.read"},
    {"admin", "metrics.read"},        {"admin", "usage.read"},       {"admin", "server.operate"},
    {"data-scientist", "dataset.*"},  {"data-scientist", "model.*"}, {"operator", "server.operate"},
    {"operator", "metrics.read"},     {"operator", "model.read"},    {"caller", "model.infer"},
    {"caller", "model.read"},         {"auditor", "audit.read"},     {"auditor", "metrics.read"},
    {"auditor", "usage.read"},        {"auditor", "principal.read"}, {"auditor", "model.read"},
    {"auditor", "dataset.read"},
};

static const struct access_role roles[] = {
    {"admin", "configures the workspace, principals and keys; does not call models",
     ACCESS_OUTPUT_NONE, false, false},
    {"data-scientist", "datasets and models: import, train, assess, call", ACCESS_OUTPUT_FULL, true,
     true},
    {"operator", "runs the server and reads its metrics", ACCESS_OUTPUT_NONE, false, false},
    {"caller", "calls models and reads their metadata", ACCESS_OUTPUT_FULL, false, false},
    {"auditor", "reads the log, usage, metrics, principals and metadata; changes nothing",
     ACCESS_OUTPUT_NONE, false, false},
};

#define CALLS (1u << ACCESS_MODEL_INFER)
#define CONFIGURES                                                                                 \
    (1u << ACCESS_WORKSPACE_CONFIGURE | 1u << ACCESS_PRINCIPAL_WRITE | 1u << ACCESS_KEY_ISSUE |    \
     1u << ACCESS_KEY_REVOKE)

const char *
access_action_word(enum access_action a)
{
    ASSERT((unsigned)a < ACCESS_ACTIONS);
    return actions[a].word;
}

struct status
access_action_from_word(const char *word, struct diag *diag, enum access_action *ret_action)
{
    const char *words[ACCESS_ACTIONS];
    DEFER(buf_done) struct buf all;
    buf_init(&all, 1024);
    for (unsigned a = 0; a < ACCESS_ACTIONS; a++) {
        words[a] = actions[a].word;
        buf_printf(&all, "%s%s", a == 0 ? "" : ", ", words[a]);
        if (strcmp(words[a], word) == 0) {
            *ret_action = (enum access_action)a;
            return OK;
        }
    }
    const char *near = text_nearest(word, words, ACCESS_ACTIONS);
    if (near != NULL) {
        diag_set(diag, "there is no action \"%.60s\"; did you mean \"%s\"?", word, near);
    } else {
        diag_set(diag, "there is no action \"%.60s\"; there are %s", word, buf_str(&all));
    }
    FAIL(INPUT);
}

const struct access_role *
access_roles(size_t *ret_count)
{
    *ret_count = sizeof roles / sizeof *roles;
    return roles;
}

const struct access_role *
access_role_built_in(const char *role)
{
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        if (strcmp(roles[i].name, role) == 0) {
            return &roles[i];
        }
    }
    return NULL;
}

void
access_role_rule_of(const struct access_role *role, struct access_role_rule *ret_rule)
{
    static const char *const everywhere[] = {"**"};
    *ret_rule = (struct access_role_rule){
        .resources = everywhere,
        .resource_count = 1,
        .rights = {.output = role->output,
                   .explanations = role->explanations,
                   .all_columns = role->all_columns},
    };
    for (unsigned a = 0; a < ACCESS_ACTIONS; a++) {
        ret_rule->actions |= access_role_allows(role->name, actions[a].word) ? 1u << a : 0;
    }
}

struct status
access_actions_separate(uint32_t of_role, struct diag *diag)
{
    if ((of_role & CALLS) != 0 && (of_role & CONFIGURES) != 0) {
        diag_set(diag, "model.infer stands beside workspace.configure, principal.write or key.*: "
                       "who may call is not who may configure; make two roles of it");
        FAIL(INPUT);
    }
    return OK;
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
access_action_fits(enum access_action a, const char *pattern)
{
    const size_t n = segment(pattern, '/');
    bool fits = *pattern == '*';
    for (size_t i = 0; i < 4 && actions[a].kinds[i] != NULL; i++) {
        fits = fits ||
               (strlen(actions[a].kinds[i]) == n && strncmp(actions[a].kinds[i], pattern, n) == 0);
    }
    return fits;
}

struct status
access_pattern_check(const char *pattern, struct diag *diag)
{
    if (!access_pattern_valid(pattern)) {
        diag_set(
            diag,
            "resource \"%.127s\": write a path such as models/mortgage, with * for one segment or "
            "** for the rest",
            pattern);
        FAIL(INPUT);
    }
    return OK;
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
