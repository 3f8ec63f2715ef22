/* A query, and after a line break an entry to try it on: neither crashes, what is refused is
 * explained, and an entry that a query finds has the value in the list that the index would look
 * in. */
#include "govern/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct look {
    struct view value;
    bool found;
};

static void
note(void *ctx, struct view value)
{
    struct look *l = ctx;
    l->found = l->found || view_equal(l->value, value);
}

static void
try(const struct query *q, struct view entry)
{
    const struct js_node *root = NULL;
    DEFER(arena_freep) struct arena *arena = arena_new(1u << 20);
    if (arena == NULL || !status_ok(js_flat(entry, NULL, arena, NULL, &root)) ||
        root->kind != JS_OBJECT || !query_holds(q, root)) {
        return;
    }
    for (size_t i = 0; i < q->count; i++) {
        const enum query_list list = query_term_list(&q->term[i]);
        struct look l = {.value = view_str(q->term[i].text)};
        if (list != QUERY_LISTS) {
            query_values(root, list, note, &l);
            ASSERT(l.found);
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DEFER(query_done) struct query q = {0};
    struct diag diag = {0};
    int64_t from = 0, to = 0;
    const uint8_t *end = size == 0 ? NULL : memchr(data, '\n', size);
    const struct view text = view_of(data, end == NULL ? size : (size_t)(end - data));
    const struct status s = query_parse(text, INT64_C(1760000000000000000), &diag, &q);
    if (!status_ok(s)) {
        ASSERT(s.code == STATUS_MEMORY || diag.text[0] != '\0');
        return 0;
    }
    query_times(&q, &from, &to);
    if (end != NULL) {
        try(&q, view_of(end + 1, size - text.len - 1));
    }
    return 0;
}
