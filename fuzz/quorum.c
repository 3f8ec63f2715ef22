/* A policy of who must cosign, and a checkpoint held against it: the bytes up to the first NUL are
 * the policy, the rest is the note. */
#include "govern/quorum.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size == 0 ? NULL : memchr(data, 0, size);
    const size_t n = end == NULL ? size : (size_t)(end - data);
    const struct view note = end == NULL ? view_str("") : view_of(end + 1, size - n - 1);
    struct diag diag = {0};
    struct quorum_verdict v;
    DEFER(quorum_freep) struct quorum *q = NULL;
    const struct status s = quorum_parse(view_of(data, n), "policy", &diag, &q);
    if (!status_ok(s)) {
        ASSERT(q == NULL && diag.text[0] != '\0');
        return 0;
    }
    if (status_ok(quorum_check(q, NULL, note, &diag, &v))) {
        ASSERT(v.cosigned <= v.witnesses && quorum_log(q, v.checkpoint.origin) != NULL);
        ASSERT(v.met || v.time_s == 0);
        ASSERT(v.cosigned == v.witnesses || v.missing[0] != '\0');
    }
    return 0;
}
