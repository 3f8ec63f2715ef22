/* The table of comparisons. tools/bench calls `bench JSON STEWARD SOURCE WORK MEMORY [NAME...]`. */
#include "base/file.h"
#include "comparisons.h"
#include "report.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX (256u << 10)

static const struct {
    const char *name;
    struct status (*run)(const struct bench_context *c);
} comparisons[] = {
    {"predict", bench_predict},
    {"infer", bench_infer},
    {"call_tls", bench_call_tls},
    {"seal", bench_seal},
    {"log", bench_log},
    {"search", bench_search},
    {"slices", bench_slices},
    {"shap", bench_shap},
    {"interventional", bench_interventional},
    {"fairness", bench_fairness},
    {"bootstrap", bench_bootstrap},
    {"assess", bench_assess},
    {"access", bench_access},
    {"policy", bench_policy},
};

static const struct {
    const char *name;
    struct status (*run)(const char *argument, double *ret_figure);
} parts[] = {
    {"predict-memory-ours", bench_predict_memory_ours},
    {"predict-memory-peer", bench_predict_memory_peer},
    {"slices-memory", bench_slices_memory},
};

#define COMPARISONS (sizeof comparisons / sizeof *comparisons)
#define PARTS (sizeof parts / sizeof *parts)

static bool
wanted(const char *name, char *const names[])
{
    bool found = names[0] == NULL;
    for (; *names != NULL; names++) {
        found = found || strcmp(*names, name) == 0;
    }
    return found;
}

static struct status
check_name(const char *name, struct diag *diag)
{
    for (size_t i = 0; i < COMPARISONS; i++) {
        if (strcmp(name, comparisons[i].name) == 0) {
            return OK;
        }
    }
    diag_set(diag, "there is no comparison \"%s\"; bench/main.c has the table", name);
    FAIL(INPUT);
}

static struct status
run_all(const struct bench_context *c, char *const names[])
{
    for (char *const *n = names; *n != NULL; n++) {
        TRY(check_name(*n, c->diag));
    }
    for (size_t i = 0; i < COMPARISONS; i++) {
        if (wanted(comparisons[i].name, names)) {
            bench_progress("%s", comparisons[i].name);
            TRY(comparisons[i].run(c));
        }
    }
    return OK;
}

static struct status
write_report(const struct bench_context *c, const char *json_path)
{
    DEFER(buf_done) struct buf text;
    DEFER(buf_done) struct buf json;
    buf_init(&text, TEXT_MAX);
    buf_init(&json, TEXT_MAX);
    bench_report_put_text(c->report, &text);
    TRY(buf_status(&text));
    TRY(bench_report_put_json(c->report, &json));
    (void)fputs(buf_str(&text), stdout);
    TRY(file_replace(json_path, buf_view(&json), 0644, c->diag));
    printf("\nwritten to %s\n", json_path);
    return OK;
}

static struct status
run_part(const char *name, const char *argument, struct diag *diag)
{
    for (size_t i = 0; i < PARTS; i++) {
        if (strcmp(name, parts[i].name) == 0) {
            double figure = 0;
            TRY(parts[i].run(argument, &figure));
            printf("%.17g\n", figure);
            return OK;
        }
    }
    diag_set(diag, "there is no part \"%s\"", name);
    FAIL(INPUT);
}

static struct status
run(int argc, char *argv[], struct diag *diag)
{
    if (argc == 4 && strcmp(argv[1], "part") == 0) {
        return run_part(argv[2], argv[3], diag);
    }
    if (argc < 6) {
        diag_set(diag, "usage: bench JSON STEWARD SOURCE WORK MEMORY [NAME...]");
        FAIL(INPUT);
    }
    DEFER(bench_report_freep) struct bench_report *report = bench_report_new();
    CHECK(report != NULL, MEMORY);
    const struct bench_context c = {.report = report,
                                    .diag = diag,
                                    .steward = argv[2],
                                    .source = argv[3],
                                    .work = argv[4],
                                    .memory = argv[5]};
    TRY(run_all(&c, argv + 6));
    return write_report(&c, argv[1]);
}

int
main(int argc, char *argv[])
{
    struct diag diag = {0};
    const struct status s = run(argc, argv, &diag);
    if (!status_ok(s)) {
        char text[sizeof diag.text];
        diag_describe(&diag, s, text, sizeof text);
        (void)fprintf(stderr, "bench: %s (%s)\n", text, s.where);
        return 1;
    }
    return 0;
}
