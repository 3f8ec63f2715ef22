#include "gateway/policies.h"

#include "base/log.h"
#include "cli/config_state.h"
#include "workspace/policies.h"

#include <stdio.h>
#include <string.h>

/* "limits.idle" as the file would have it, which checks it as the file's are. */
static struct status
set(struct workspace *w, const struct policies_setting *s, struct config *config, struct diag *diag)
{
    char yaml[256];
    const char *dot = strchr(s->key, '.');
    ASSERT(dot != NULL);
    (void)snprintf(yaml, sizeof yaml, "%.*s:\n  %s: \"%s\"\n", (int)(dot - s->key), s->key, dot + 1,
                   s->value);
    const struct workspace_act act = {
        .action = "policy.modify", .resource = "server", .reason = s->sentence};
    TRY(config_parse(view_str(yaml), "what a policy sets", diag, config));
    log_event(LOG_WARN, "policy.modify", "reason=\"%s\"", s->sentence);
    return workspace_audit(w, &act, diag);
}

static struct status
set_all(struct workspace *w, const json_t *state, struct config *config, struct diag *diag,
        size_t *ret_count)
{
    struct policies_setting settings[POLICIES_SETTINGS_MAX];
    TRY(policies_settings(w, state, diag, settings, ret_count));
    for (size_t i = 0; i < *ret_count; i++) {
        TRY(set(w, &settings[i], config, diag));
    }
    return OK;
}

/* Once set, it must comply: there is no second round. */
static struct status
check_set(struct workspace *w, const json_t *state, struct diag *diag)
{
    struct policies_setting settings[POLICIES_SETTINGS_MAX];
    size_t n = 0;
    TRY(policies_settings(w, state, diag, settings, &n));
    if (n > 0) {
        diag_set(diag, "%s: it does not comply even so", settings[0].sentence);
        FAIL(DENIED);
    }
    return OK;
}

struct status
gateway_policies(struct workspace *w, struct config *config, struct diag *diag, json_t **ret_state)
{
    DEFER(js_freep) json_t *before = NULL;
    DEFER(js_freep) json_t *state = NULL;
    size_t n = 0;
    TRY(config_state(config, w->principal, &before));
    TRY(set_all(w, before, config, diag, &n));
    TRY(config_state(config, w->principal, &state));
    TRY(n == 0 ? OK : check_set(w, state, diag));
    TRY(policies_allow(w, state, diag));
    *ret_state = MOVE(state);
    return OK;
}
