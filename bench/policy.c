/* policy: 100 policies over 1,000 resources of which each policy looks at all, from the state's
 * document to the findings, against one load of a model as a server loads it: the sealed bundle
 * opened, its signature and digest verified, the model file read and checked. Floor: 100,000
 * findings with two conditions each, some ten comparisons and one line of memory for each. */
#include "comparisons.h"
#include "process.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "govern/policy.h"
#include "workspace/models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLICIES 100u
#define RESOURCES 1000u
#define ROUNDS 9u
#define TEXT_MAX (1u << 20)
#define ARG(TEXT) ((char *)(uintptr_t)(TEXT))
#define PASSPHRASE "bench passphrase"

struct work {
    const struct bench_context *c;
    char *dir, *passphrase;
    struct workspace *workspace;
    struct arena *arena;
    struct policy *policies[POLICIES];
    struct policy_assignment *assignments;
    json_t *state;
};

static void
work_done(struct work *w)
{
    for (size_t i = 0; i < POLICIES; i++) {
        policy_free(w->policies[i]);
    }
    json_decref(w->state);
    arena_free(w->arena);
    workspace_close(w->workspace);
    free(w->dir);
    free(w->passphrase);
}

static struct status
make_workspace(struct work *w)
{
    DEFER(file_freep) char *data = file_join(w->c->source, "examples/lending/hmda.csv");
    DEFER(buf_done) struct buf said;
    DEFER(secret_done) struct secret passphrase = {0};
    char *runs[3][12] = {
        {ARG("init"), w->dir},
        {ARG("dataset"), ARG("add"), ARG("lending"), data, ARG("--label"), ARG("deny"),
         ARG("--positive"), ARG("yes"), ARG("--sensitive"), ARG("afam,single")},
        {ARG("model"), ARG("train"), ARG("mortgage"), ARG("--data"), ARG("lending")},
    };
    buf_init(&said, TEXT_MAX);
    TRY(file_replace(w->passphrase, view_str(PASSPHRASE "\n"), 0600, w->c->diag));
    TRY(setenv("STEWARD_WORKSPACE", w->dir, 1) == 0 ? OK : FAILURE(MEMORY));
    for (size_t i = 0; i < 3; i++) {
        TRY(process_steward(w->c, w->passphrase, runs[i], &said));
    }
    TRY(secret_from(view_str(PASSPHRASE), &passphrase));
    const struct workspace_open_options o = {.passphrase = &passphrase, .reason = "bench"};
    return workspace_open(w->dir, &o, w->c->diag, &w->workspace);
}

static struct status
make_policies(struct work *w)
{
    w->arena = arena_new(64u << 20);
    w->assignments = arena_alloc(w->arena, POLICIES, sizeof *w->assignments);
    for (unsigned i = 0; i < POLICIES; i++) {
        char yaml[1024], name[32];
        (void)snprintf(yaml, sizeof yaml,
                       "id: p%u\nversion: 1.0\ntitle: t\ncategory: c\nseverity: low\n"
                       "resource: api-key\n"
                       "where: {field: principal, notEquals: desk-%u}\n"
                       "if: {any: [{field: lifetime, greater: %ud}, {field: used, olderThan: "
                       "%ud}]}\nthen: {effect: audit, message: m}\n",
                       i, i, i + 1, 400 - i);
        (void)snprintf(name, sizeof name, "p%u", i);
        TRY(policy_read(view_str(yaml), name, w->c->diag, &w->policies[i]));
        TRY(policy_assign(w->policies[i], name, "workspace", NULL, w->arena, w->c->diag,
                          &w->assignments[i]));
    }
    return OK;
}

static struct status
make_state(struct work *w)
{
    json_t *resources = json_array();
    w->state = json_pack("{s:[s], s:o}", "holds", "api-key", "resources", resources);
    CHECK(w->state != NULL, MEMORY);
    for (unsigned i = 0; i < RESOURCES; i++) {
        char name[32], principal[32];
        (void)snprintf(name, sizeof name, "key-%u", i);
        (void)snprintf(principal, sizeof principal, "desk-%u", i % 200);
        json_t *o = json_pack("{s:s, s:s, s:[], s:{s:s, s:s, s:s, s:f, s:s}}", "type", "api-key",
                              "name", name, "scope", "fields", "principal", principal, "issued",
                              "2026-01-01T00:00:00Z", "expires", "2026-12-01T00:00:00Z", "lifetime",
                              i * 8640.0, "used", "2026-10-01T00:00:00Z");
        CHECK(json_array_append_new(resources, o) == 0, MEMORY);
    }
    return OK;
}

static struct status
evaluate(void *ctx, double *ret_figure)
{
    const struct work *w = ctx;
    DEFER(policy_state_freep) struct policy_state *state = NULL;
    DEFER(memory_freep) struct policy_finding *all = NULL;
    size_t n = 0;
    const struct policy_question q = {.assignments = w->assignments,
                                      .assignment_count = POLICIES,
                                      .now_ns = INT64_C(1795599000) * NS_PER_S};
    const double before = bench_now();
    TRY(policy_state_read(w->state, w->c->diag, &state));
    TRY(policy_evaluate(&q, state, &all, &n));
    *ret_figure = 1e3 * (bench_now() - before);
    CHECK(n == POLICIES * RESOURCES, INTEGRITY);
    return OK;
}

static struct status
load(void *ctx, double *ret_figure)
{
    const struct work *w = ctx;
    DEFER(model_freep) struct model *m = NULL;
    const double before = bench_now();
    TRY(model_load(w->workspace, "mortgage", 0, w->c->diag, &m));
    *ret_figure = 1e3 * (bench_now() - before);
    return OK;
}

struct status
bench_policy(const struct bench_context *c)
{
    DEFER(work_done)
    struct work w = {.c = c,
                     .dir = file_join(c->work, "policy"),
                     .passphrase = file_join(c->work, "policy-passphrase")};
    struct bench_result x = {.name = "policy",
                             .unit = "ms",
                             .peer_name = "one model load of the serve path",
                             .where = "100 policies over 1,000 resources, 100,000 findings; the "
                                      "model: 100 trees of depth 4 on the lending data",
                             .less_is_better = true};
    bench_progress("policy: a workspace with a model");
    TRY(make_workspace(&w));
    TRY(make_policies(&w));
    TRY(make_state(&w));
    TRY(bench_rounds(ROUNDS, evaluate, load, &w, &x));
    return bench_add(c->report, &x);
}
