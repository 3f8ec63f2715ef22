/* Roles and patterns: the whole matrix written out, and patterns against a naive matcher. */
#include "testing/testing.h"

#include "num/rng.h"
#include "protect/access_roles.h"

#include <stdio.h>
#include <string.h>

static void
refuses_patterns_that_are_none(void **state)
{
    (void)state;
    char large[200];
    memset(large, 'a', sizeof large);
    large[128] = '\0';
    const char *const wrong[] = {
        "",      "/",    "/models",    "models/",  "models//a",  "**/a",      "a/**/b",   "a*",
        "*a",    "a/b*", "***",        "a/***",    "models/A",   "models/\n", "models/é", "a b",
        "a/%2e", "a\\b", "models/[a]", "models/?", "models/**/", "a/**b",     "**a",      large};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (access_pattern_valid(wrong[i])) {
            fail_msg("\"%s\" was taken", wrong[i]);
        }
    }
    large[127] = '\0';
    const char *const right[] = {"*",     "**",  "a",         "models/mortgage", "models/*",
                                 "a/*/b", "*/*", "models/**", "a.b_c-d/0",       large};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        if (!access_pattern_valid(right[i])) {
            fail_msg("\"%s\" was refused", right[i]);
        }
    }
}

static void
matches_segment_by_segment(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"**", "models/mortgage", true},
        {"**", "audit", true},
        {"**", "", true},
        {"*", "audit", true},
        {"*", "", false},
        {"*", "models/mortgage", false},
        {"models/*", "models/mortgage", true},
        {"models/*", "models", false},
        {"models/*", "models/", false},
        {"models/*", "models/mortgage/1", false},
        {"models/*", "modelsx/mortgage", false},
        {"models/**", "models", true},
        {"models/**", "models/mortgage", true},
        {"models/**", "models/mortgage/versions/1", true},
        {"models/**", "modelsx", false},
        {"models/**", "model", false},
        {"models/mortgage", "models/mortgage", true},
        {"models/mortgage", "models/mortgage2", false},
        {"models/mortgage", "models/mortgag", false},
        {"models/mortgage", "models/mortgage/", false},
        {"models/mortgage", "models/Mortgage", false},
        {"models/mortgage", "datasets/mortgage", false},
        {"models/mortgage", "", false},
        {"*/mortgage", "models/mortgage", true},
        {"*/mortgage", "models/x/mortgage", false},
        {"*/*", "models/mortgage", true},
        {"*/*", "models", false},
        {"models/*/infer", "models/mortgage/infer", true},
        {"models/*/infer", "models//infer", false},
        {"models/*/**", "models/mortgage", true},
        {"models/*/**", "models", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (access_pattern_matches(cases[i].pattern, cases[i].text, '/') != cases[i].matches) {
            fail_msg("\"%s\" on \"%s\"", cases[i].pattern, cases[i].text);
        }
    }
}

/* ---- a naive matcher: lists of segments, recursively ---- */

struct list {
    char part[8][16];
    size_t n;
};

static struct list
split(const char *text)
{
    struct list l = {.n = 1};
    size_t at = 0;
    for (; *text != '\0'; text++) {
        if (*text == '/') {
            l.n++;
            at = 0;
        } else {
            l.part[l.n - 1][at++] = *text;
        }
    }
    return l;
}

static bool
naive(const struct list *p, size_t i, const struct list *t, size_t k)
{
    if (i == p->n) {
        return k == t->n;
    }
    if (strcmp(p->part[i], "**") == 0) {
        return true;
    }
    return k < t->n && (strcmp(p->part[i], "*") == 0 || strcmp(p->part[i], t->part[k]) == 0) &&
           naive(p, i + 1, t, k + 1);
}

static void
put_path(struct rng *r, bool pattern, char ret_path[static 64])
{
    static const char *const words[] = {"a", "b", "ab", "a.b", "*"};
    const size_t n = 1 + rng_below(r, 4);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const bool rest = pattern && i + 1 == n && rng_below(r, 4) == 0;
        const char *word = rest ? "**" : words[rng_below(r, pattern ? 5 : 4)];
        at += (size_t)snprintf(ret_path + at, 64 - at, "%s%s", i == 0 ? "" : "/", word);
    }
}

static void
matches_as_a_naive_matcher_does(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 7, "patterns");
    size_t matched = 0;
    for (int i = 0; i < 20000; i++) {
        char pattern[64], text[64];
        put_path(&r, true, pattern);
        put_path(&r, false, text);
        assert_true(access_pattern_valid(pattern));
        const struct list p = split(pattern), t = split(text);
        const bool right = naive(&p, 0, &t, 0);
        matched += right;
        if (access_pattern_matches(pattern, text, '/') != right) {
            fail_msg("\"%s\" on \"%s\"", pattern, text);
        }
    }
    assert_true(matched > 1000 && matched < 19000);
}

/* ---- roles ---- */

#define ADMIN 1u
#define SCIENTIST 2u
#define OPERATOR 4u
#define CALLER 8u
#define AUDITOR 16u

/* As docs/spec/access.md has it: every action, and who may. */
static const struct {
    enum access_action action;
    const char *word;
    unsigned who;
} matrix[] = {
    {ACCESS_WORKSPACE_CONFIGURE, "workspace.configure", ADMIN},
    {ACCESS_DATASET_READ, "dataset.read", ADMIN | SCIENTIST | AUDITOR},
    {ACCESS_DATASET_WRITE, "dataset.write", SCIENTIST},
    {ACCESS_MODEL_READ, "model.read", ADMIN | SCIENTIST | OPERATOR | CALLER | AUDITOR},
    {ACCESS_MODEL_WRITE, "model.write", SCIENTIST},
    {ACCESS_MODEL_INFER, "model.infer", SCIENTIST | CALLER},
    {ACCESS_MODEL_ASSESS, "model.assess", SCIENTIST},
    {ACCESS_PRINCIPAL_READ, "principal.read", ADMIN | AUDITOR},
    {ACCESS_PRINCIPAL_WRITE, "principal.write", ADMIN},
    {ACCESS_KEY_ISSUE, "key.issue", ADMIN},
    {ACCESS_KEY_REVOKE, "key.revoke", ADMIN},
    {ACCESS_AUDIT_READ, "audit.read", ADMIN | AUDITOR},
    {ACCESS_METRICS_READ, "metrics.read", ADMIN | OPERATOR | AUDITOR},
    {ACCESS_SERVER_OPERATE, "server.operate", ADMIN | OPERATOR},
    {ACCESS_CAPTURE_READ, "capture.read", 0},
    {ACCESS_USAGE_READ, "usage.read", ADMIN | AUDITOR},
};

static const char *const names[] = {"admin", "data-scientist", "operator", "caller", "auditor"};

static void
knows_these_roles_and_no_others(void **state)
{
    (void)state;
    size_t n = 0;
    const struct access_role *roles = access_roles(&n);
    assert_int_equal(n, 5);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(roles[i].name, names[i]);
        assert_true(strlen(roles[i].about) > 10);
        assert_non_null(access_role_built_in(names[i]));
    }
    static const char *const others[] = {"", "Admin", "admin ", "root", "*", "**", "adm"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_null(access_role_built_in(others[i]));
        assert_false(access_role_allows(others[i], "model.read"));
    }
}

static void
gives_each_role_these_actions_and_no_others(void **state)
{
    (void)state;
    assert_int_equal(sizeof matrix / sizeof *matrix, ACCESS_ACTIONS);
    for (size_t i = 0; i < ACCESS_ACTIONS; i++) {
        assert_int_equal(matrix[i].action, i);
        assert_string_equal(access_action_word(matrix[i].action), matrix[i].word);
        for (size_t k = 0; k < 5; k++) {
            const bool may = (matrix[i].who >> k & 1u) != 0;
            if (access_role_allows(names[k], matrix[i].word) != may) {
                fail_msg("%s %s %s", names[k], may ? "may not" : "may", matrix[i].word);
            }
        }
    }
    static const char *const none[] = {"",
                                       "model",
                                       "model.",
                                       "model.read.more",
                                       "model.delete.all",
                                       "Model.read",
                                       "datasets.read",
                                       "*",
                                       "**"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        for (size_t k = 0; k < 5; k++) {
            assert_false(access_role_allows(names[k], none[i]));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_patterns_that_are_none),
        cmocka_unit_test(matches_segment_by_segment),
        cmocka_unit_test(matches_as_a_naive_matcher_does),
        cmocka_unit_test(knows_these_roles_and_no_others),
        cmocka_unit_test(gives_each_role_these_actions_and_no_others),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
