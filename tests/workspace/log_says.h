/* log_says: whether an entry of a log holds some words. */
#ifndef STEWARD_TESTS_WORKSPACE_LOG_SAYS_H
#define STEWARD_TESTS_WORKSPACE_LOG_SAYS_H

#include "testing/testing.h"

#include "govern/audit.h"

#include <string.h>

struct wording {
    const char *part;
    bool found;
};

static inline struct status
look_for(void *ctx, uint64_t index, struct view entry)
{
    struct wording *s = ctx;
    (void)index;
    s->found = s->found || memmem(entry.ptr, entry.len, s->part, strlen(s->part)) != NULL;
    return OK;
}

static inline bool
log_says(const char *log, const char *part)
{
    struct wording s = {part, false};
    assert_ok(audit_each(log, 0, UINT64_MAX, look_for, &s, NULL));
    return s.found;
}

#endif
