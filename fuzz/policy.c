/* A policy as YAML, before a byte 0 a state as JSON after it: refused with a sentence that has line
 * and column, or a policy that evaluates, describes itself and runs its examples. */
#include "govern/policy.h"
#include "base/clock.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
evaluate(const struct policy_assignment *a, struct view text)
{
    DEFER(js_freep) json_t *document = NULL;
    DEFER(policy_state_freep) struct policy_state *state = NULL;
    DEFER(memory_freep) struct policy_finding *all = NULL;
    struct diag diag = {0};
    size_t n = 0;
    const struct policy_exemption e = {"a", "workspace", 1};
    const struct policy_question q = {.assignments = a,
                                      .assignment_count = 1,
                                      .exemptions = &e,
                                      .exemption_count = 1,
                                      .now_ns = INT64_C(1795599000) * NS_PER_S};
    if (!status_ok(js_parse_within(text, 1u << 22, NULL, NULL, &document))) {
        return;
    }
    const struct status s = policy_state_read(document, &diag, &state);
    ASSERT(status_ok(s) || diag.text[0] != '\0');
    if (!status_ok(s)) {
        return;
    }
    ASSERT(status_ok(policy_evaluate(&q, state, &all, &n)));
    ASSERT(n > 0 || a->effect == POLICY_DISABLED);
    for (size_t i = 0; i < n && i < 64; i++) {
        DEFER(js_freep) json_t *o = NULL;
        DEFER(buf_done) struct buf sentence;
        buf_init(&sentence, 1u << 16);
        ASSERT(status_ok(policy_finding_to_json(&all[i], &o)));
        if (all[i].resource != NULL) {
            policy_finding_put(&all[i], &sentence);
        }
    }
}

static void
use(const struct policy *p, struct view state)
{
    DEFER(arena_freep) struct arena *arena = arena_new(1u << 22);
    DEFER(js_freep) json_t *described = NULL;
    struct policy_example_result results[POLICY_EXAMPLES_MAX];
    struct policy_assignment a;
    struct diag diag = {0};
    size_t n = 0;
    ASSERT(status_ok(policy_describe(p, &described)));
    const struct status examples = policy_examples_run(p, 0, &diag, results, &n);
    ASSERT(status_ok(examples) || diag.text[0] != '\0');
    if (status_ok(policy_assign(p, "a", "workspace", NULL, arena, NULL, &a))) {
        ASSERT(status_ok(policy_check_cycles(&a, 1, NULL)));
        evaluate(&a, state);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DEFER(policy_freep) struct policy *p = NULL;
    struct diag diag = {0};
    const uint8_t *end = size == 0 ? NULL : memchr(data, 0, size);
    const size_t n = end == NULL ? size : (size_t)(end - data);
    const struct status s = policy_read(view_of(data, n), "p.yaml", &diag, &p);
    if (status_ok(s)) {
        use(p, end == NULL ? view_str("{}") : view_of(end + 1, size - n - 1));
    } else {
        ASSERT(s.code == STATUS_LIMIT || strncmp(diag.text, "p.yaml", 6) == 0);
    }
    return 0;
}
