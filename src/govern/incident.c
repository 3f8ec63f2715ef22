#include "govern/incident.h"

#include "base/clock.h"

#include <string.h>

#define HOURS (INT64_C(3600) * NS_PER_S)
#define DAYS (24 * HOURS)

static const struct incident_rule rules[] = {
    {"gdpr-33", "GDPR Article 33(1)",
     "a breach of personal data: to the supervisory authority within 72 hours", 72 * HOURS},
    {"ai-act-73", "AI Act Article 73(2)",
     "a serious incident: to the market surveillance authority within 15 days", 15 * DAYS},
    {"ai-act-73-death", "AI Act Article 73(4)",
     "a serious incident in which somebody died: to that authority within 10 days", 10 * DAYS},
    {"ai-act-73-widespread", "AI Act Article 73(3)",
     "a widespread infringement, or serious disruption of critical infrastructure: to that "
     "authority within 2 days",
     2 * DAYS},
    {"hipaa-404", "45 CFR 164.404(b)",
     "a breach of unsecured health information: to the people concerned within 60 days", 60 * DAYS},
};

const struct incident_rule *
incident_rules(size_t *ret_count)
{
    *ret_count = sizeof rules / sizeof *rules;
    return rules;
}

struct status
incident_rule_find(const char *name, struct diag *diag, const struct incident_rule **ret_rule)
{
    DEFER(buf_done) struct buf names;
    buf_init(&names, 512);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (strcmp(rules[i].name, name) == 0) {
            *ret_rule = &rules[i];
            return OK;
        }
        buf_printf(&names, "%s%s", i == 0 ? "" : ", ", rules[i].name);
    }
    diag_set(diag, "there is no rule \"%.60s\"; there are %s", name, buf_str(&names));
    FAIL(INPUT);
}

const char *
incident_clock_word(enum incident_clock c)
{
    static const char *const words[] = {"running", "overdue", "in time", "late"};
    return words[c];
}

enum incident_clock
incident_clock_of(const struct incident_rule *rule, int64_t aware_ns, int64_t reported_ns,
                  int64_t now_ns, int64_t *ret_left_ns)
{
    const int64_t due =
        aware_ns > INT64_MAX - rule->within_ns ? INT64_MAX : aware_ns + rule->within_ns;
    const int64_t at = reported_ns != 0 ? reported_ns : now_ns;
    *ret_left_ns = due - at;
    if (reported_ns != 0) {
        return at <= due ? INCIDENT_IN_TIME : INCIDENT_LATE;
    }
    return at <= due ? INCIDENT_RUNNING : INCIDENT_OVERDUE;
}
