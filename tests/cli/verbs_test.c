/* Every verb's plain way through, on examples/lending: what people read, and what --json holds. */
#include "cli/run.h"

#include <sys/stat.h>

static void
init_says_where_things_are(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "init", in(m, "w"), "--host", "example.org", "--host", "10.1.2.3");
    OUT_HAS(m, "made workspace ");
    OUT_HAS(m, "/w/tls/cert.pem");
    OUT_HAS(m, "audit log key   steward/");
    DEFER(buf_done) struct buf config;
    DEFER(buf_done) struct buf example;
    DEFER(file_freep) char *example_path = testing_source("steward.example.yaml");
    testing_read(in(m, "w/steward.yaml"), &config);
    testing_read(example_path, &example);
    assert_true(view_equal(buf_view(&config), buf_view(&example)));
    char *argv[] = {"openssl",
                    "x509",
                    "-noout",
                    "-ext",
                    "subjectAltName",
                    "-in",
                    (char *)(uintptr_t)in(m, "w/tls/cert.pem"),
                    NULL};
    testing_run_done(&m->r);
    testing_run(argv, &m->r);
    OUT_HAS(m, "DNS:example.org, IP Address:10.1.2.3");
    RUN(m, 0, "init", in(m, "two"), "--json");
    DEFER(js_freep) json_t *o = out_json(m);
    has_keys(o, "workspace log_vkey");
}

static void
nothing_in_a_workspace_is_open_to_others(void **state)
{
    struct room *m = *state;
    struct stat st;
    assert_int_equal(stat(in(m, "w"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    static const char *const secret[] = {"w/keys/workspace.json", "w/tls/key.sealed", "w/state.db"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(stat(in(m, secret[i]), &st), 0);
        assert_int_equal(st.st_mode & 0077, 0);
    }
}

static void
datasets_are_added_listed_and_shown(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "dataset", "list");
    assert_string_equal(buf_str(&m->r.out), "NAME  VERSION  ROWS  COLUMNS  CREATED  SOURCE\n");
    RUN(m, 0, "dataset", "add", "lending", m->csv, CSV_OPTIONS);
    OUT_HAS(m, "added dataset lending version 1: 2380 rows, 14 columns, sealed\n");
    RUN(m, 0, "dataset", "add", "lending", m->csv, CSV_OPTIONS, "--json");
    DEFER(js_freep) json_t *added = out_json(m);
    has_keys(added, "name version rows columns sha256");
    assert_int_equal(json_integer_value(json_object_get(added, "version")), 2);
    RUN(m, 0, "dataset", "list", "--json");
    DEFER(js_freep) json_t *list = out_json(m);
    assert_int_equal(json_array_size(list), 2);
    has_keys(json_array_get(list, 0), "name version rows columns sha256 created source schema");
    RUN(m, 0, "dataset", "show", "lending@1");
    OUT_HAS(m, "lending version 1: 2380 rows, from hmda.csv\n");
    OUT_HAS(m, "afam       boolean  sensitive  0\n");
    RUN(m, 0, "dataset", "show", "lending", "--json");
    DEFER(js_freep) json_t *shown = out_json(m);
    assert_int_equal(json_integer_value(json_object_get(shown, "version")), 2);
    has_keys(json_array_get(json_object_get(json_object_get(shown, "schema"), "columns"), 0),
             "name type role nulls");
}

static void
adding_removes_what_a_killed_writer_left(void **state)
{
    struct room *m = *state;
    testing_write(in(m, "c.csv"), view_str("a,y\n1,no\n2,yes\n"));
    RUN(m, 0, "dataset", "add", "c", in(m, "c.csv"));
    testing_write(in(m, "w/objects/dataset/c/2.sealed.tmp-0123456789abcdef"), view_str("x"));
    testing_write(in(m, "w/objects/dataset/c/note.txt"), view_str("of the owner"));
    RUN(m, 0, "dataset", "add", "c", in(m, "c.csv"));
    assert_false(file_exists(in(m, "w/objects/dataset/c/2.sealed.tmp-0123456789abcdef")));
    assert_true(file_exists(in(m, "w/objects/dataset/c/1.sealed")));
    assert_true(file_exists(in(m, "w/objects/dataset/c/2.sealed")));
    assert_true(file_exists(in(m, "w/objects/dataset/c/note.txt")));
}

static void
the_usual_spellings_of_missing_can_be_switched_off(void **state)
{
    struct room *m = *state;
    testing_write(in(m, "c.csv"), view_str("country,y\nNA,no\nDE,yes\n,no\n-,yes\n"));
    RUN(m, 0, "dataset", "add", "c", in(m, "c.csv"), "--missing", "-");
    RUN(m, 0, "dataset", "show", "c");
    OUT_HAS(m, "country  category  feature  3\n");
    RUN(m, 0, "dataset", "add", "c", in(m, "c.csv"), "--missing-only", "--missing", "-");
    RUN(m, 0, "dataset", "show", "c");
    OUT_HAS(m, "country  category  feature  2\n");
}

static void
what_is_not_there_is_told_with_what_there_is(void **state)
{
    struct room *m = *state;
    RUN(m, 4, "dataset", "show", "lendin");
    ERR_HAS(m, "no dataset \"lendin\"; there is: lending");
    RUN(m, 4, "dataset", "show", "lending@2");
    ERR_HAS(m, "dataset \"lending\" has no version 2");
    RUN(m, 4, "model", "show", "mortgage@9");
    ERR_HAS(m, "model \"mortgage\" has no version 9");
    RUN(m, 4, "model", "train", "x", "--data", "lending@7");
    ERR_HAS(m, "dataset \"lending\" has no version 7");
    RUN(m, 4, "assess", "x", "--data", "lending");
    ERR_HAS(m, "no model \"x\"; there is: mortgage");
    RUN(m, 4, "dataset", "add", "y", in(m, "absent.csv"));
    ERR_HAS(m, "absent.csv: No such file");
    RUN(m, 4, "api-key", "issue", "nobody");
    ERR_HAS(m, "nobody");
    RUN(m, 4, "dataset", "list", "--workspace", in(m, "elsewhere"));
    ERR_HAS(m, "elsewhere: not a workspace; \"steward init ");
    RUN(m, 4, "audit", "verify", "--workspace", in(m, "elsewhere"));
    ERR_HAS(m, "not a workspace");
    RUN(m, 4, "serve", "--config", in(m, "absent.yaml"));
    ERR_HAS(m, "absent.yaml: No such file");
}

static void
wrong_names_and_columns_are_refused(void **state)
{
    struct room *m = *state;
    RUN(m, 2, "dataset", "add", "Lending", m->csv);
    ERR_HAS(m, "dataset name \"Lending\": a name is 1 to 63 of a-z");
    RUN(m, 2, "dataset", "add", "../x", m->csv);
    RUN(m, 2, "model", "train", "a b", "--data", "lending");
    ERR_HAS(m, "model name \"a b\"");
    RUN(m, 2, "dataset", "add", "x", m->csv, "--label", "denied");
    ERR_HAS(m, "denied");
    RUN(m, 2, "dataset", "add", "x", m->csv, "--sensitive", "afam,,single");
    ERR_HAS(m, "--sensitive: an empty value");
    RUN(m, 2, "dataset", "add", "x", m->csv, "--role", "afam");
    ERR_HAS(m, "--role afam: write COLUMN=ROLE");
    RUN(m, 2, "dataset", "add", "x", m->csv, "--role", "afam=secret");
    ERR_HAS(m, "a role is feature, label, sensitive, identifier, ignored, time or subject");
    RUN(m, 2, "dataset", "add", "x", m->csv, "--type", "afam=int");
    ERR_HAS(m, "a type is float, integer, category, boolean, time or text");
    RUN(m, 2, "dataset", "add", "x", m->csv, "--delimiter", ";;");
    ERR_HAS(m, "--delimiter ;;: one character, or \"tab\"");
    RUN(m, 0, "dataset", "add", "nolabel", m->csv);
    RUN(m, 2, "model", "train", "x", "--data", "nolabel");
    ERR_HAS(m, "dataset nolabel has no label column; add it again with --label COLUMN");
    RUN(m, 2, "assess", "mortgage", "--data", "nolabel");
    ERR_HAS(m, "dataset nolabel has no label column \"deny\", which model mortgage predicts");
}

/* A comma belongs to the value, except where the help says that commas separate. */
static void
a_column_may_have_a_comma_in_its_name(void **state)
{
    struct room *m = *state;
    testing_write(in(m, "c.csv"), view_str("\"a,b\",y\n1,no\n2,yes\n3,no\n"));
    RUN(m, 0, "dataset", "add", "c", in(m, "c.csv"), "--label", "y", "--role", "a,b=sensitive");
    RUN(m, 0, "dataset", "show", "c");
    OUT_HAS(m, "a,b     integer  sensitive");
}

static void
models_are_trained_listed_shown_and_requested(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "model", "train", "mortgage", "--data", "lending@1", "--rounds", "5");
    OUT_HAS(m, "trained mortgage version 2 on lending version 1: 5 trees, 11 features; sealed");
    RUN(m, 0, "model", "train", "mortgage", "--data", "lending", "--rounds", "5", "--json");
    DEFER(js_freep) json_t *trained = out_json(m);
    has_keys(trained, "name version sha256 created trees manifest");
    has_keys(json_object_get(trained, "manifest"),
             "name version label positive negative threshold dataset training features created "
             "model_sha256");
    RUN(m, 0, "model", "list");
    OUT_HAS(m, "NAME      VERSION  TREES  CREATED\nmortgage  1        20 ");
    RUN(m, 0, "model", "list", "--json");
    DEFER(js_freep) json_t *list = out_json(m);
    assert_int_equal(json_array_size(list), 3);
    RUN(m, 0, "model", "show", "mortgage@1");
    OUT_HAS(m, "predicts deny = yes\n");
    OUT_HAS(m, "trained on lending version 1, 1666 rows");
    OUT_HAS(m, "train 1666 rows: accuracy 0.");
    RUN(m, 0, "model", "request", "mortgage", "--data", "lending:test");
    DEFER(js_freep) json_t *request = out_json(m);
    assert_int_equal(json_array_size(json_object_get(request, "inputs")), 11);
}

/* The same seed gives the same model, whatever the number of threads; another seed another. */
static void
training_is_reproducible(void **state)
{
    struct room *m = *state;
    char hash[3][80];
    static const char *const seeds[] = {"7", "7", "8"}, *const threads[] = {"1", "2", "1"};
    for (size_t i = 0; i < 3; i++) {
        RUN(m, 0, "model", "train", "twin", "--data", "lending", "--seed", seeds[i], "--threads",
            threads[i], "--rounds", "10", "--json");
        DEFER(js_freep) json_t *o = out_json(m);
        (void)snprintf(
            hash[i], sizeof hash[i], "%s",
            json_string_value(json_object_get(json_object_get(o, "manifest"), "model_sha256")));
        assert_int_equal(strlen(hash[i]), 64);
    }
    assert_string_equal(hash[0], hash[1]);
    assert_string_not_equal(hash[0], hash[2]);
}

static json_int_t
assessed_rows(struct room *m, const char *data, const char *cohort)
{
    RUN(m, 0, "assess", "mortgage", "--data", data, "--json", cohort == NULL ? NULL : "--cohort",
        cohort);
    DEFER(js_freep) json_t *o = out_json(m);
    has_keys(o, "findings");
    const json_t *rows = json_object_get(o, "rows");
    assert_true(json_is_integer(rows));
    return json_integer_value(rows);
}

static void
assesses_parts_and_cohorts(void **state)
{
    struct room *m = *state;
    assert_int_equal(assessed_rows(m, "lending", NULL), 2380);
    assert_int_equal(assessed_rows(m, "lending@1:all", NULL), 2380);
    assert_int_equal(assessed_rows(m, "lending:train", NULL), 1666);
    assert_int_equal(assessed_rows(m, "lending:test", NULL), 714);
    const json_int_t single = assessed_rows(m, "lending:test", "single = 'yes'"),
                     others = assessed_rows(m, "lending:test", "single <> 'yes'");
    assert_true(single > 0 && others > 0 && single + others == 714);
}

static void
assess_writes_report_and_document_for_their_maker_only(void **state)
{
    struct room *m = *state;
    struct stat st;
    char report[600];
    (void)snprintf(report, sizeof report, "%s", in(m, "report.html"));
    RUN(m, 0, "assess", "mortgage", "--data", "lending:test", "--report", report, "--output",
        in(m, "document.json"));
    OUT_HAS(m, "- ");
    OUT_HAS(m, " 714 ");
    OUT_HAS(m, "afam");
    OUT_HAS(m, report);
    for (const char *p = buf_str(&m->r.out); *p != '\0'; p += strcspn(p, "\n") + 1) {
        assert_true(strcspn(p, "\n") <= 80 || strncmp(p, "report: ", 8) == 0);
    }
    assert_int_equal(stat(report, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    DEFER(buf_done) struct buf html;
    testing_read(report, &html);
    assert_text_has(buf_str(&html), "<svg");
    DEFER(js_freep) json_t *document = testing_read_json(in(m, "document.json"));
    has_keys(document, "findings");
}

static void
assess_does_as_it_is_told(void **state)
{
    struct room *m = *state;
    RUN(m, 2, "assess", "mortgage", "--data", "lending", "--slices", "1001");
    ERR_HAS(m, "--slices 1001: a whole number from 0 to 1000");
    RUN(m, 2, "assess", "mortgage", "--data", "lending", "--bootstrap", "-1");
    RUN(m, 2, "assess", "mortgage", "--data", "lending", "--min-group", "0");
    ERR_HAS(m, "--min-group 0: a whole number from 1 to");
    RUN(m, 0, "assess", "mortgage", "--data", "lending:test", "--slices", "0", "--bootstrap", "50",
        "--min-group", "200", "--seed", "9", "--adverse", "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    const json_t *fairness = json_object_get(d, "fairness");
    const json_t *bootstrap = json_object_get(fairness, "bootstrap");
    assert_null(json_object_get(json_object_get(d, "errors"), "slices"));
    assert_true(json_is_true(json_object_get(fairness, "adverse")));
    assert_int_equal(json_integer_value(json_object_get(bootstrap, "replicates")), 50);
    assert_int_equal(json_integer_value(json_object_get(bootstrap, "seed")), 9);
    assert_int_equal(json_integer_value(json_object_get(d, "seed")), 9);
    const json_t *afam = json_array_get(json_object_get(fairness, "groupings"), 0);
    assert_int_equal(json_integer_value(json_object_get(afam, "groups_judged")), 1); /* 109 rows */
}

static void
slices_and_nodes_are_cohorts_by_name(void **state)
{
    struct room *m = *state;
    RUN(m, 4, "assess", "mortgage", "--data", "lending", "--cohort", "slice-1");
    RUN(m, 0, "assess", "mortgage", "--data", "lending", "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    const json_t *errors = json_object_get(d, "errors");
    const json_t *slice =
        json_array_get(json_object_get(json_object_get(errors, "slices"), "found"), 0);
    const json_t *node = json_array_get(json_object_get(errors, "tree"), 2);
    char named[80];
    assert_int_equal(assessed_rows(m, "lending", "slice-1"),
                     json_integer_value(json_object_get(slice, "rows")));
    (void)snprintf(named, sizeof named, "%s@1", json_string_value(json_object_get(node, "name")));
    assert_int_equal(assessed_rows(m, "lending", named),
                     json_integer_value(json_object_get(node, "rows")));
}

static void
assess_refuses_wrong_parts_and_cohorts(void **state)
{
    struct room *m = *state;
    RUN(m, 2, "assess", "mortgage");
    ERR_HAS(m, "assess: --data DATASET is needed");
    RUN(m, 2, "assess", "mortgage", "--data", "lending:half");
    ERR_HAS(m, "--data lending:half: a part is test, train or all");
    RUN(m, 2, "assess", "mortgage", "--data", "lending", "--cohort", "salary > 10");
    ERR_HAS(m, "salary");
    RUN(m, 2, "assess", "mortgage", "--data", "lending", "--cohort", "lvrat >");
    RUN(m, 2, "assess", "mortgage", "--data", "lending", "--cohort", "lvrat > 100");
    ERR_HAS(m, "no row to assess");
    RUN(m, 2, "assess", "mortgage", "--data", "lending", "--cohort",
        "lvrat > 0) UNION SELECT * FROM read_csv('/etc/passwd') --");
    /* Another table's rows have no part in this model's split. */
    testing_write(in(m, "c.csv"), view_str("deny,pirat\nyes,1\nno,2\n"));
    RUN(m, 0, "dataset", "add", "other", in(m, "c.csv"), "--label", "deny");
    RUN(m, 2, "assess", "mortgage", "--data", "other:test");
    ERR_HAS(m, "mortgage version 1 was trained on lending version 1, not on other version 1");
}

static void
principals_are_added_granted_denied_and_removed(void **state)
{
    struct room *m = *state;
    RUN(m, 2, "principal", "add", "desk", "--role", "boss");
    ERR_HAS(m, "boss");
    RUN(m, 2, "principal", "add", "De sk", "--role", "caller");
    RUN(m, 0, "principal", "add", "desk", "--role", "caller", "--resource", "models/mortgage");
    OUT_HAS(m, "desk: added with role caller on models/mortgage\n");
    RUN(m, 5, "principal", "add", "desk", "--role", "caller");
    ERR_HAS(m, "desk");
    RUN(m, 4, "principal", "grant", "nobody", "--role", "auditor");
    RUN(m, 0, "principal", "grant", "desk", "--role", "auditor", "--json");
    DEFER(js_freep) json_t *granted = out_json(m);
    has_keys(granted, "principal change role resource");
    RUN(m, 0, "principal", "grant", "desk", "--role", "operator", "--deny");
    OUT_HAS(m, "desk: forbidden operator on **");
    RUN(m, 0, "principal", "list");
    OUT_HAS(m, "caller on models/mortgage, auditor on **");
    OUT_HAS(m, "never operator");
    RUN(m, 0, "principal", "list", "--json");
    DEFER(js_freep) json_t *list = out_json(m);
    has_keys(json_array_get(list, 0), "name grants");
    RUN(m, 0, "principal", "remove", "desk", "--json");
    DEFER(js_freep) json_t *removed = out_json(m);
    has_keys(removed, "principal change");
    RUN(m, 4, "principal", "remove", "desk");
    RUN(m, 0, "principal", "list");
    assert_null(strstr(buf_str(&m->r.out), "desk"));
}

static void
a_key_is_shown_once_listed_without_it_and_revoked(void **state)
{
    struct room *m = *state;
    char key[80] = "", id[16] = "";
    RUN(m, 0, "principal", "add", "desk", "--role", "caller");
    RUN(m, 0, "api-key", "issue", "desk", "--expires", "12h");
    ERR_HAS(m, "for desk until ");
    assert_int_equal(sscanf(buf_str(&m->r.out), "%79s", key), 1);
    assert_int_equal(m->r.out.len,
                     strlen(key) + 1); /* the key alone: KEY=$(steward api-key issue) */
    assert_int_equal(sscanf(key, "sw_%10[A-Za-z0-9]_", id), 1);
    RUN(m, 0, "api-key", "list");
    OUT_HAS(m, id);
    assert_null(strstr(buf_str(&m->r.out), key));
    RUN(m, 0, "api-key", "list", "--json");
    DEFER(js_freep) json_t *list = out_json(m);
    has_keys(json_array_get(list, 0), "id principal issued expires revoked");
    RUN(m, 4, "api-key", "revoke", "zzzzzzzzzz");
    RUN(m, 0, "api-key", "revoke", id);
    OUT_HAS(m, "is revoked\n");
    RUN(m, 0, "api-key", "list");
    OUT_HAS(m, "  yes\n");
    RUN(m, 0, "audit", "show", "--last", "1", "--without", "key.use");
    OUT_HAS(m, "  key.revoke  keys/");
    RUN(m, 0, "api-key", "issue", "desk", "--json");
    DEFER(js_freep) json_t *issued = out_json(m);
    has_keys(issued, "principal key expires");
    RUN(m, 0, "audit", "show", "--json");
    assert_null(strstr(buf_str(&m->r.out), key));
}

static void
config_verbs_print_and_check(void **state)
{
    struct room *m = *state;
    DEFER(buf_done) struct buf example;
    DEFER(file_freep) char *example_path = testing_source("steward.example.yaml");
    testing_read(example_path, &example);
    RUN(m, 0, "config", "example");
    assert_true(view_equal(buf_view(&m->r.out), buf_view(&example)));
    RUN(m, 0, "config", "check", "--json");
    DEFER(js_freep) json_t *rows = out_json(m);
    has_keys(json_array_get(rows, 0), "key value default");
    testing_write(in(m, "w/steward.yaml"), view_str("limits:\n  row: 5\n"));
    RUN(m, 2, "config", "check");
    ERR_HAS(m, "steward.yaml line 2: limits has no key \"row\"; did you mean \"rows\"?");
    RUN(m, 2, "serve");
    ERR_HAS(m, "did you mean \"rows\"?");
    testing_write(in(m, "mine.yaml"), view_str("limits:\n  rows: 5\n"));
    RUN(m, 0, "config", "check", in(m, "mine.yaml"));
    /* Columns are as wide as the widest value. */
    unsigned now = 0, initial = 0;
    const char *line = strstr(buf_str(&m->r.out), "limits.rows ");
    assert_non_null(line);
    assert_int_equal(sscanf(line, "limits.rows %u %u", &now, &initial), 2);
    assert_int_equal(now, 5);
    assert_int_equal(initial, 10000);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        BARE(init_says_where_things_are),
        WORKSPACE(nothing_in_a_workspace_is_open_to_others),
        WORKSPACE(datasets_are_added_listed_and_shown),
        WORKSPACE(adding_removes_what_a_killed_writer_left),
        WORKSPACE(the_usual_spellings_of_missing_can_be_switched_off),
        MODEL(what_is_not_there_is_told_with_what_there_is),
        MODEL(wrong_names_and_columns_are_refused),
        WORKSPACE(a_column_may_have_a_comma_in_its_name),
        MODEL(models_are_trained_listed_shown_and_requested),
        MODEL(training_is_reproducible),
        MODEL(assesses_parts_and_cohorts),
        MODEL(assess_writes_report_and_document_for_their_maker_only),
        MODEL(assess_does_as_it_is_told),
        MODEL(slices_and_nodes_are_cohorts_by_name),
        MODEL(assess_refuses_wrong_parts_and_cohorts),
        WORKSPACE(principals_are_added_granted_denied_and_removed),
        WORKSPACE(a_key_is_shown_once_listed_without_it_and_revoked),
        WORKSPACE(config_verbs_print_and_check),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
