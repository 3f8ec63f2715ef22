/* run: what the tests that go through the binary share: a workspace with the lending data. */
#ifndef STEWARD_TESTS_CLI_RUN_H
#define STEWARD_TESTS_CLI_RUN_H

#include "testing/testing.h"

#include "base/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CSV_OPTIONS "--label", "deny", "--positive", "yes", "--sensitive", "afam,single"

struct room {
    char *dir;            /* everything lies in it; the workspace is <dir>/w */
    char path[512];       /* of what in() named last */
    char *csv;            /* examples/lending/hmda.csv */
    struct testing_run r; /* the last run */
};

/* Not inline: the sanitizers' checks would look to GCC like a room that may be nowhere. */
__attribute__((noinline, unused)) static const char *
in(struct room *m, const char *name)
{
    (void)snprintf(m->path, sizeof m->path, "%s/%s", m->dir, name);
    return m->path;
}

/* Runs steward; the test fails with what it said when the exit code is another. */
#define RUN(M, CODE, ...) run(M, CODE, __LINE__, (const char *const[]){__VA_ARGS__, NULL})
static inline void
run(struct room *m, int code, int line, const char *const *words)
{
    char *argv[64] = {(char *)(uintptr_t)testing_binary()};
    for (size_t i = 0; words[i] != NULL && i < 62; i++) {
        argv[i + 1] = (char *)(uintptr_t)words[i];
    }
    testing_run_done(&m->r);
    testing_run(argv, &m->r);
    if (m->r.exit_code != code) {
        print_error("line %d: exit code %d, not %d; stdout: %s\nstderr: %s\n", line, m->r.exit_code,
                    code, buf_str(&m->r.out), buf_str(&m->r.err));
    }
    assert_int_equal(m->r.exit_code, code);
}

#define OUT_HAS(M, TEXT) assert_text_has(buf_str(&(M)->r.out), TEXT)
#define ERR_HAS(M, TEXT) assert_text_has(buf_str(&(M)->r.err), TEXT)

/* The last run's stdout as JSON: the caller's to release. */
static inline json_t *
out_json(struct room *m)
{
    json_t *value = NULL;
    struct diag diag = {0};
    const struct status s = js_parse(buf_view(&m->r.out), "stdout", &diag, &value);
    if (!status_ok(s)) {
        print_error("%s\n%s\n", diag.text, buf_str(&m->r.out));
    }
    assert_ok(s);
    return value;
}

/* Asserts that the object has each of the keys ("a b c"). */
static inline void
has_keys(const json_t *object, const char *keys)
{
    while (*keys != '\0') {
        char key[64];
        const size_t n = strcspn(keys, " ");
        (void)snprintf(key, sizeof key, "%.*s", (int)n, keys);
        if (json_object_get(object, key) == NULL) {
            print_error("no key \"%s\"\n", key);
        }
        assert_non_null(json_object_get(object, key));
        keys += n + (keys[n] == ' ');
    }
}

/* STEWARD_WORKSPACE and the passphrase are set; no workspace yet. */
static inline int
room_bare(void **state)
{
    struct room *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->dir = testing_dir();
    m->csv = testing_source("examples/lending/hmda.csv");
    (void)setenv("STEWARD_WORKSPACE", in(m, "w"), 1);
    (void)setenv("XDG_STATE_HOME", in(m, "state"), 1);
    (void)setenv("STEWARD_PASSPHRASE", "correct horse", 1);
    (void)unsetenv("STEWARD_PASSPHRASE_FILE");
    *state = m;
    return 0;
}

/* The same file with its rows in another order: the last first, then every third. */
__attribute__((unused)) static void
write_reordered(struct room *m, const char *from, const char *to)
{
    DEFER(buf_done) struct buf text;
    DEFER(buf_done) struct buf out;
    const char *line[8192];
    size_t n = 0;
    testing_read(in(m, from), &text);
    buf_init(&out, text.len + 1);
    const char *at = buf_str(&text), *end = NULL;
    for (; (end = strchr(at, '\n')) != NULL && n < 8192; at = end + 1) {
        line[n++] = at;
    }
    assert_true(*at == '\0' && n > 3);
    buf_put(&out, view_of(line[0], (size_t)(line[1] - line[0])));
    for (size_t start = 3; start > 0; start--) {
        for (size_t i = n - start; i > 0; i -= i < 3 ? i : 3) {
            const char *next = i + 1 < n ? line[i + 1] : at;
            buf_put(&out, view_of(line[i], (size_t)(next - line[i])));
        }
    }
    assert_int_equal(out.len, text.len);
    testing_write(in(m, to), buf_view(&out));
}

/* Alike in all but numbers' last digits (1e-9 of them; exact: none), and but for what is under
 * `except`. */
__attribute__((unused)) static void
assert_alike(const json_t *a, const json_t *b, bool exact, const char *except)
{
    size_t i = 0;
    const char *key = NULL;
    json_t *item = NULL;
    assert_int_equal(json_typeof(a), json_typeof(b));
    assert_int_equal(json_object_size(a), json_object_size(b));
    assert_int_equal(json_array_size(a), json_array_size(b));
    if (json_is_real(a)) {
        const double x = json_number_value(a), y = json_number_value(b);
        assert_near(x, y, exact ? 0 : 1e-9 * fmax(1, fabs(x)));
    } else if (!json_is_object(a) && !json_is_array(a)) {
        assert_true(json_equal(a, b));
    }
    json_array_foreach((json_t *)(uintptr_t)a, i, item)
    {
        assert_alike(item, json_array_get(b, i), exact, except);
    }
    json_object_foreach((json_t *)(uintptr_t)a, key, item)
    {
        if (except == NULL || strcmp(key, except) != 0) {
            assert_non_null(json_object_get(b, key));
            assert_alike(item, json_object_get(b, key), exact, except);
        }
    }
}

static inline int
room_with_workspace(void **state)
{
    (void)room_bare(state);
    struct room *m = *state;
    RUN(m, 0, "init", in(m, "w"));
    return 0;
}

static inline int
room_with_model(void **state)
{
    (void)room_with_workspace(state);
    struct room *m = *state;
    RUN(m, 0, "dataset", "add", "lending", m->csv, CSV_OPTIONS);
    RUN(m, 0, "model", "train", "mortgage", "--data", "lending", "--seed", "7", "--rounds", "20");
    return 0;
}

static inline int
room_done(void **state)
{
    struct room *m = *state;
    testing_run_done(&m->r);
    testing_dirp(&m->dir);
    free(m->csv);
    free(m);
    return 0;
}

#define BARE(NAME) cmocka_unit_test_setup_teardown(NAME, room_bare, room_done)
#define WORKSPACE(NAME) cmocka_unit_test_setup_teardown(NAME, room_with_workspace, room_done)
#define MODEL(NAME) cmocka_unit_test_setup_teardown(NAME, room_with_model, room_done)

#endif
