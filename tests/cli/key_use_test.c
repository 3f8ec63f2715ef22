/* Every use of a key is an entry of the log: which key, of what, by whom, for which verb, once for
 * each; none has content, and without the entry the key is not used. */
#include "cli/run.h"

#include "testing/cut.h"

#include "govern/audit.h"

#include <sys/stat.h>
#include <unistd.h>

/* ---- entries of a workspace ---- */

struct uses {
    json_t *list;
    uint64_t all;
};

static struct status
note(void *ctx, uint64_t index, struct view entry)
{
    (void)index;
    struct uses *u = ctx;
    json_t *o = NULL;
    assert_ok(js_parse(entry, "entry", NULL, &o));
    u->all++;
    if (strcmp(json_string_value(json_object_get(o, "action")), "key.use") == 0) {
        assert_int_equal(json_array_append(u->list, o), 0);
    }
    json_decref(o);
    return OK;
}

/* Those after the first `from`. */
static json_t *
uses_since(struct room *m, uint64_t from, uint64_t *ret_all)
{
    struct uses u = {.list = json_array()};
    uint64_t n = 0;
    DEFER(file_freep) char *dir = file_join(in(m, "w"), "audit");
    assert_ok(audit_count(dir, &n, NULL));
    assert_ok(audit_each(dir, from, n, note, &u, NULL));
    *ret_all = n;
    return u.list;
}

static const char *
text(const json_t *entry, const char *key)
{
    const char *s = json_string_value(json_object_get(entry, key));
    return s == NULL ? "" : s;
}

static bool
begins(const char *s, const char *start)
{
    return strncmp(s, start, strlen(start)) == 0;
}

/* One of them is of that resource and says all of that. */
static bool
has_use(const json_t *list, const char *resource, const char *act, const char *purpose,
        const char *verb)
{
    size_t i = 0, found = 0;
    const json_t *e = NULL;
    char for_verb[80], of[80];
    (void)snprintf(for_verb, sizeof for_verb, "for=\"%s\"", verb);
    (void)snprintf(of, sizeof of, " purpose=%s ", purpose);
    json_array_foreach((json_t *)(uintptr_t)list, i, e)
    {
        const char *reason = text(e, "reason");
        found += strcmp(text(e, "resource"), resource) == 0 && begins(reason, act) &&
                 strstr(reason, of) != NULL && strstr(reason, for_verb) != NULL;
    }
    return found == 1;
}

/* ---- the key is not used without ---- */

/* A folder in the journal's place: the log takes no entry, root or not. */
static void
nothing_is_opened_when_the_log_takes_no_entry(void **state)
{
    struct room *m = *state;
    char audit[600], away[600];
    (void)snprintf(audit, sizeof audit, "%s", in(m, "w/audit/journal"));
    (void)snprintf(away, sizeof away, "%s", in(m, "journal"));
    assert_int_equal(rename(audit, away), 0);
    assert_int_equal(mkdir(audit, 0700), 0);
    static const char *const verbs[][4] = {
        {"dataset", "list"},   {"model", "show", "mortgage"}, {"model", "request", "mortgage"},
        {"principal", "list"}, {"assess", "mortgage"},        {"key", "list"}};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        testing_run_done(&m->r);
        char *argv[] = {(char *)(uintptr_t)testing_binary(), (char *)(uintptr_t)verbs[i][0],
                        (char *)(uintptr_t)verbs[i][1], (char *)(uintptr_t)verbs[i][2], NULL};
        testing_run(argv, &m->r);
        assert_int_not_equal(m->r.exit_code, 0);
        assert_int_equal(m->r.out.len, 0);
    }
    assert_int_equal(rmdir(audit), 0);
    assert_int_equal(rename(away, audit), 0);
    RUN(m, 0, "dataset", "list");
}

static void
a_full_disk_lets_no_key_be_used(void **state)
{
    (void)state;
    testing_need_small_disk();
    struct room *m = NULL;
    assert_int_equal(room_with_model((void **)&m), 0);
    const char *disk = "disk";
    char at[600], w[640];
    (void)snprintf(at, sizeof at, "%s", in(m, disk));
    assert_int_equal(mkdir(at, 0700), 0);
    assert_true(testing_small_disk(at, 8u << 20));
    (void)snprintf(w, sizeof w, "%s/w", at);
    /* So much that the store opens; each run then fills the log's last block. */
    bool told = false;
    char *argv[] = {(char *)(uintptr_t)testing_binary(),
                    "model",
                    "request",
                    "mortgage",
                    "--data",
                    "lending",
                    "--workspace",
                    w,
                    NULL};
    for (size_t left = 0; !told && left <= 64u << 10; left += 8u << 10) {
        testing_copy_dir(in(m, "w"), w);
        testing_leave_free(at, left);
        for (unsigned i = 0; i < 16 && !told; i++) {
            testing_run_done(&m->r);
            testing_run(argv, &m->r);
            assert_true(m->r.exit_code == 0 || m->r.out.len == 0);
            told = strstr(buf_str(&m->r.err), "audit log: ") != NULL;
            if (m->r.exit_code != 0) {
                break;
            }
        }
        assert_int_equal(unlink(in(m, "disk/filler")), 0);
    }
    assert_true(told);
    assert_int_equal(m->r.exit_code, 1);
    testing_small_disk_done(at);
    (void)room_done((void **)&m);
}

/* ---- each verb's ---- */

static void
each_verb_leaves_which_keys_it_used_and_for_what(void **state)
{
    struct room *m = *state;
    struct {
        const char *verb[10];
        const char *name;
        bool dataset, model, assessment, signs;
    } verbs[] = {
        {{"dataset", "list"}, "dataset list", false, false, false, false},
        {{"dataset", "show", "lending"}, "dataset show", false, false, false, false},
        {{"principal", "list"}, "principal list", false, false, false, false},
        {{"model", "show", "mortgage"}, "model show", false, false, false, false},
        {{"model", "request", "mortgage", "--data", "lending:test"},
         "model request",
         true,
         true,
         false,
         false},
        {{"assess", "mortgage", "--data", "lending:test", "--bootstrap", "0"},
         "assess",
         true,
         true,
         false,
         false},
        {{"assess", "mortgage", "--data", "lending", "--cohort", "slice-1", "--bootstrap", "0"},
         "assess",
         true,
         true,
         true,
         false},
        {{"model", "train", "other", "--data", "lending", "--rounds", "2"},
         "model train",
         true,
         false,
         false,
         true},
        {{"key", "list"}, "key list", false, false, false, false},
    };
    uint64_t n = 0;
    json_decref(uses_since(m, 0, &n));
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        const uint64_t before = n;
        run(m, 0, __LINE__, verbs[i].verb);
        DEFER(js_freep) json_t *list = uses_since(m, before, &n);
        const char *name = verbs[i].name;
        assert_true(
            has_use(list, "keys/workspace", "open key=workspace generation=1", "workspace", name));
        assert_int_equal(has_use(list, "datasets/lending", "open key=", "object/dataset", name),
                         verbs[i].dataset);
        assert_int_equal(has_use(list, "models/mortgage", "open key=", "object/model", name),
                         verbs[i].model);
        assert_int_equal(
            has_use(list, "assessments/mortgage", "open key=", "object/assessment", name),
            verbs[i].assessment);
        assert_int_equal(has_use(list, "models/other", "sign key=signing", "model", name),
                         verbs[i].signs);
        assert_int_equal(json_array_size(list), 1u + verbs[i].dataset + verbs[i].model +
                                                    verbs[i].assessment + verbs[i].signs);
    }
}

/* A key has one name, whatever it is wrapped under; another object's has another. */
static void
a_key_is_named_alike_before_and_after_a_rotation(void **state)
{
    struct room *m = *state;
    char first[200] = "";
    uint64_t n = 0;
    for (unsigned generation = 1; generation <= 2; generation++) {
        json_decref(uses_since(m, 0, &n));
        RUN(m, 0, "model", "request", "mortgage", "--data", "lending", "--output", in(m, "q"));
        DEFER(js_freep) json_t *list = uses_since(m, n, &n);
        assert_int_equal(json_array_size(list), 3);
        const char *model = text(json_array_get(list, 1), "reason");
        const char *dataset = text(json_array_get(list, 2), "reason");
        char start[80];
        assert_memory_not_equal(model, dataset, strlen("open key=0123456789abcdef"));
        (void)snprintf(start, sizeof start, " generation=%u purpose=object/", generation);
        assert_text_has(model, start);
        assert_text_has(dataset, start);
        assert_text_has(dataset, " version=1 for=\"model request\"");
        if (generation == 1) {
            (void)snprintf(first, sizeof first, "%.25s", dataset);
            RUN(m, 0, "key", "rotate");
        } else {
            assert_memory_equal(first, dataset, strlen(first));
        }
    }
}

static void
a_backup_tells_of_each_object_that_it_opens(void **state)
{
    struct room *m = *state;
    uint64_t n = 0;
    json_decref(uses_since(m, 0, &n));
    RUN(m, 0, "backup", "create", in(m, "backup"));
    DEFER(js_freep) json_t *list = uses_since(m, n, &n);
    assert_int_equal(json_array_size(list), 3);
    assert_true(has_use(list, "datasets/lending", "open key=", "object/dataset", "backup create"));
    assert_true(has_use(list, "models/mortgage", "open key=", "object/model", "backup create"));
}

static void
a_key_that_does_not_open_is_told_as_refused(void **state)
{
    struct room *m = *state;
    uint64_t n = 0;
    DEFER(buf_done) struct buf bytes;
    testing_read(in(m, "w/objects/dataset/lending/1.sealed"), &bytes);
    bytes.ptr[40] ^= 1;
    testing_write(in(m, "w/objects/dataset/lending/1.sealed"), buf_view(&bytes));
    json_decref(uses_since(m, 0, &n));
    RUN(m, 6, "model", "request", "mortgage", "--data", "lending");
    DEFER(js_freep) json_t *list = uses_since(m, n, &n);
    assert_int_equal(json_array_size(list), 3);
    const json_t *last = json_array_get(list, 2);
    assert_string_equal(text(last, "decision"), "deny");
    assert_string_equal(text(last, "resource"), "datasets/lending");
    assert_text_has(text(last, "reason"), "not sealed by this workspace as dataset/lending/1");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL(nothing_is_opened_when_the_log_takes_no_entry),
        BARE(a_full_disk_lets_no_key_be_used),
        MODEL(each_verb_leaves_which_keys_it_used_and_for_what),
        MODEL(a_key_is_named_alike_before_and_after_a_rotation),
        MODEL(a_backup_tells_of_each_object_that_it_opens),
        MODEL(a_key_that_does_not_open_is_told_as_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
