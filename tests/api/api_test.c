/* A stranger's program: C11, the public header and libsteward.so, nothing of ours besides.
 * usage: api-test CSV */
#include <steward/steward.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int cases, failures;
static struct sw_error error;

static void
check(int holds, const char *what)
{
    printf("%s %d - %s\n", holds ? "ok" : "not ok", ++cases, what);
    if (!holds) {
        printf("# last error: %d %s\n", error.code, error.text);
        failures++;
    }
}

static void
misuse(const char *dir)
{
    struct sw_workspace *w = NULL;
    struct sw_model *m = NULL;
    check(sw_workspace_init(NULL, "x", &error) == SW_INPUT && strstr(error.text, "dir: NULL"),
          "refuses a missing directory");
    check(sw_workspace_init(dir, "", NULL) == SW_INPUT, "refuses an empty passphrase");
    check(sw_workspace_open(dir, "x", &w, &error) == SW_NOT_FOUND && w == NULL &&
              strstr(error.text, "not a workspace"),
          "says that there is no workspace");
    check(sw_model_load(NULL, "m", 0, &m, &error) == SW_INPUT && m == NULL,
          "refuses to load from nothing");
    sw_model_free(NULL);
    sw_workspace_close(NULL);
    sw_text_free(NULL);
}

static void
add_and_train(struct sw_workspace *w, const char *csv)
{
    static const char *const sensitive[] = {"afam", "single"};
    struct sw_dataset_options data = {"denied", "yes", sensitive, 2};
    struct sw_train_options options = {0};
    uint64_t version = 0;
    check(sw_dataset_add(w, "lending", csv, &data, &version, &error) == SW_INPUT && version == 0,
          "refuses a label that is not there");
    data.label = "deny";
    check(sw_dataset_add(w, "lending", csv, &data, &version, &error) == 0 && version == 1,
          "adds a dataset");
    options.dataset = "lendin";
    check(sw_model_train(w, "mortgage", &options, &version, &error) == SW_NOT_FOUND,
          "refuses a dataset that is not there");
    options.dataset = "lending";
    options.seed = 7;
    options.rounds = 20;
    version = 0;
    check(sw_model_train(w, "mortgage", &options, &version, &error) == 0 && version == 1,
          "trains a model");
}

static void
predict(struct sw_workspace *w)
{
    struct sw_model *m = NULL;
    check(sw_model_load(w, "mortgage", 0, &m, &error) == 0 && m != NULL, "loads it");
    if (m == NULL) {
        return;
    }
    const size_t n = sw_model_features(m);
    check(n == 11 && sw_model_version(m) == 1 && strcmp(sw_model_feature(m, 0), "pirat") == 0 &&
              sw_model_feature(m, n) == NULL,
          "tells its features");
    float x[33] = {0};
    double p[3] = {-1, -1, -1};
    for (size_t i = 0; i < n; i++) {
        x[n + i] = NAN;
        x[2 * n + i] = x[i];
    }
    x[0] = x[2 * n] = 0.4f;
    check(sw_model_predict(m, x, 3, p, &error) == 0 && p[0] > 0 && p[0] < 1 && p[1] > 0 &&
              p[1] < 1 && p[0] == p[2] && p[0] != p[1],
          "predicts probabilities, missing values too");
    check(sw_model_predict(m, NULL, 1, p, &error) == SW_INPUT, "refuses to read no rows");
    sw_model_free(m);
}

static void
assess(struct sw_workspace *w)
{
    char *json = NULL;
    check(sw_assess(w, "mortgage", 0, "lending", 0, "half", NULL, &json, &error) == SW_INPUT &&
              json == NULL,
          "refuses a part that no split has");
    check(sw_assess(w, "mortgage", 0, "lending", 0, "test", NULL, &json, &error) == 0 &&
              json != NULL && strstr(json, "\"findings\"") != NULL,
          "assesses");
    sw_text_free(json);
}

int
main(int argc, char **argv)
{
    const char *base = getenv("TMPDIR");
    char scratch[256], dir[280], audit[300], command[300];
    struct sw_workspace *w = NULL;
    uint64_t entries = 0;
    (void)snprintf(scratch, sizeof scratch, "%s/steward-test-XXXXXX", base == NULL ? "/tmp" : base);
    if (argc != 2 || mkdtemp(scratch) == NULL) {
        return 2;
    }
    (void)snprintf(dir, sizeof dir, "%s/w", scratch);
    (void)snprintf(audit, sizeof audit, "%s/audit", dir);
    misuse(dir);
    check(strncmp(sw_version(), "0.", 2) == 0, "tells its version");
    check(sw_workspace_init(dir, "correct horse", &error) == 0, "makes a workspace");
    check(sw_workspace_init(dir, "correct horse", &error) == SW_EXISTS, "makes it once");
    check(sw_workspace_open(dir, "wrong horse", &w, &error) == SW_AUTH && w == NULL,
          "refuses a wrong passphrase");
    check(sw_workspace_open(dir, "correct horse", &w, &error) == 0, "opens it");
    if (w != NULL) {
        add_and_train(w, argv[1]);
        predict(w);
        assess(w);
    }
    sw_workspace_close(w);
    check(sw_audit_verify(audit, NULL, &entries, &error) == 0 && entries == 9,
          "every act is in the log, and the log verifies");
    check(sw_audit_verify(audit, "x", &entries, &error) != 0, "refuses another key");
    (void)snprintf(command, sizeof command, "rm -r '%s'", scratch);
    check(system(command) == 0, "leaves nothing");
    printf("1..%d\n", cases);
    return failures != 0;
}
