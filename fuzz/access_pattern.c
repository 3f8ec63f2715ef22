/* Resource patterns against resources, "PATTERN NUL RESOURCE": a denial must not be got around by
 * an odd path. Compared with a matcher that is only the rules. */
#include "protect/access_roles.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* p and t stand at the beginning of a segment, or are NULL behind the last one. */
static bool
naive(const char *p, const char *t)
{
    if (p == NULL) {
        return t == NULL;
    }
    if (strcmp(p, "**") == 0) {
        return true;
    }
    if (t == NULL) {
        return false;
    }
    const char *after_p = strchr(p, '/'), *after_t = strchr(t, '/');
    const size_t n = after_p == NULL ? strlen(p) : (size_t)(after_p - p);
    const size_t m = after_t == NULL ? strlen(t) : (size_t)(after_t - t);
    const bool any = n == 1 && p[0] == '*' && m > 0;
    return (any || (n == m && memcmp(p, t, n) == 0)) &&
           naive(after_p == NULL ? NULL : after_p + 1, after_t == NULL ? NULL : after_t + 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4096) {
        return 0;
    }
    char *text = calloc(1, size + 2);
    ASSERT(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    const char *pattern = text, *resource = text + strlen(text) + 1;
    if (access_pattern_valid(pattern)) {
        ASSERT(strlen(pattern) >= 1 && strlen(pattern) <= 127);
        ASSERT(access_pattern_matches(pattern, resource, '/') == naive(pattern, resource));
    }
    free(text);
    return 0;
}
