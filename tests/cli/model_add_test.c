/* steward model add: a model file of another library in a workspace, by the program itself. */
#include "cli/run.h"

static const char *
file_of(struct room *m, const char *name)
{
    DEFER(file_freep) char *path = testing_source("tests/workspace/data/added.json");
    DEFER(js_freep) json_t *pinned = testing_read_json(path);
    size_t i;
    json_t *v;
    json_array_foreach(json_object_get(pinned, "models"), i, v)
    {
        if (strcmp(json_string_value(json_object_get(v, "name")), name) == 0) {
            testing_write(in(m, name), view_str(json_string_value(json_object_get(v, "file"))));
        }
    }
    return in(m, name);
}

static void
what_is_wrong_is_told(void **state)
{
    struct room *m = *state;
    RUN(m, 2, "model", "add", "credit");
    ERR_HAS(m, "--file FILE is needed");
    RUN(m, 4, "model", "add", "credit", "--file", in(m, "nothing"));
    RUN(m, 2, "model", "add", "credit", "--file", m->csv, "--label", "deny");
    ERR_HAS(m, "model:");
    RUN(m, 2, "model", "add", "credit", "--file", file_of(m, "linear"), "--threshold", "2",
        "--label", "deny");
    ERR_HAS(m, "--threshold 2: a probability");
    RUN(m, 2, "model", "add", "credit", "--file", file_of(m, "linear"));
    ERR_HAS(m, "say what the model predicts");
    RUN(m, 0, "model", "list");
    assert_null(strstr(buf_str(&m->r.out), "credit"));
}

static void
added_listed_shown_and_assessed(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "dataset", "add", "lending", m->csv, CSV_OPTIONS);
    RUN(m, 0, "model", "add", "credit", "--file", file_of(m, "lightgbm"), "--data", "lending");
    OUT_HAS(m, "added credit version 1 from");
    OUT_HAS(m, "lightgbm");
    OUT_HAS(m, "its probability is taken for that of deny = yes");
    RUN(m, 0, "model", "add", "credit", "--file", file_of(m, "linear"), "--data", "lending@1",
        "--json");
    DEFER(js_freep) json_t *record = out_json(m);
    const json_t *origin = json_object_get(json_object_get(record, "manifest"), "origin");
    assert_string_equal(json_string_value(json_object_get(origin, "format")), "linear");
    assert_string_equal(json_string_value(json_object_get(origin, "file")), "linear");
    RUN(m, 0, "model", "list");
    OUT_HAS(m, "credit");
    RUN(m, 0, "model", "show", "credit@1");
    OUT_HAS(m, "added from lightgbm: lightgbm, binary");
    OUT_HAS(m, "features found in lending version 1");
    OUT_HAS(m, "insurance");
    RUN(m, 0, "assess", "credit@1", "--data", "lending", "--bootstrap", "0", "--slices", "0",
        "--report", in(m, "report.html"));
    DEFER(buf_done) struct buf page;
    testing_read(m->path, &page);
    assert_text_has(buf_str(&page), "insurance");
    RUN(m, 2, "assess", "credit@1", "--data", "lending:test");
    ERR_HAS(m, "credit version 1 was added from a file");
    RUN(m, 2, "mitigate", "credit", "--method", "reweighing", "--sensitive", "afam");
    ERR_HAS(m, "credit version 2 was added from a file");
    RUN(m, 0, "model", "request", "credit", "--data", "lending", "--output", in(m, "request.json"));
    RUN(m, 0, "audit", "show", "--last", "10", "--without", "key.use");
    OUT_HAS(m, "model added from a file");
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        WORKSPACE(what_is_wrong_is_told),
        WORKSPACE(added_listed_shown_and_assessed),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
