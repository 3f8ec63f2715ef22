/* Lines of the configuration and bytes beside the log, by the first byte: a quota's line, a
 * capture's line, the kept counts, an entry that tells of counts. */
#include "govern/quota.h"
#include "serve/capture.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
ends(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

static void
try_quota(struct view line)
{
    struct quota q;
    struct diag diag = {0};
    DEFER(buf_done) struct buf text;
    DEFER(js_freep) json_t *o = NULL;
    buf_init(&text, 1024);
    if (!status_ok(quota_parse(line, &diag, &q))) {
        ASSERT(diag.text[0] != '\0');
        return;
    }
    ASSERT(ends(q.name, sizeof q.name) && q.name[0] != '\0' && q.most <= QUOTA_MOST);
    ASSERT(ends(q.who, sizeof q.who) && (q.of == QUOTA_OF_ALL) == (q.who[0] == '\0'));
    ASSERT(ends(q.model, sizeof q.model) && ends(q.count, sizeof q.count));
    quota_put(&q, &text);
    ASSERT(status_ok(buf_status(&text)));
    DEFER(quota_book_freep) struct quota_book *b = quota_book_new();
    ASSERT(status_ok(quota_book_json(b, &q, 1, 0, &o)));
}

static void
try_capture(struct view line)
{
    struct capture_rule r;
    struct diag diag = {0};
    if (!status_ok(capture_parse(line, &diag, &r))) {
        ASSERT(diag.text[0] != '\0');
        return;
    }
    ASSERT(r.below <= UINT64_C(1) << 32 && r.keep_ns >= 0);
    struct capture_rules rules = {.count = 1, .of = {r}};
    const struct capture_rule *found = capture_rule_of(&rules, "any", 3);
    ASSERT(found == NULL || (found->below > 0 && strcmp(r.model, "any") != 0) ||
           strcmp(r.model, "any") == 0);
    ASSERT(found == NULL || !capture_samples(found, "ffffffff") || r.below == UINT64_C(1) << 32);
}

/* What is read is written again with the same bytes. */
static void
try_kept(struct view bytes)
{
    uint64_t entries = 0;
    struct digest root;
    DEFER(quota_book_freep) struct quota_book *b = quota_book_new();
    DEFER(buf_done) struct buf again;
    buf_init(&again, 1u << 24);
    if (status_ok(quota_kept_read(bytes, b, &entries, &root))) {
        ASSERT(status_ok(quota_kept_put(b, entries, &root, &again)));
        ASSERT(view_equal(buf_view(&again), bytes));
    }
}

static void
try_entry(struct view entry)
{
    size_t n = 0;
    DEFER(quota_book_freep) struct quota_book *b = quota_book_new();
    DEFER(memory_freep) const struct quota_count **all = NULL;
    ASSERT(status_ok(quota_book_add(b, entry)) && status_ok(quota_book_add(b, entry)));
    ASSERT(status_ok(quota_book_all(b, &all, &n)));
    for (size_t i = 0; i < n; i++) {
        ASSERT(ends(all[i]->of, sizeof all[i]->of));
        ASSERT(ends(all[i]->principal, sizeof all[i]->principal));
        ASSERT(ends(all[i]->window, sizeof all[i]->window));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(struct view v) = {try_quota, try_capture, try_kept, try_entry};
    if (size > 0) {
        tries[data[0] % 4](view_of(data + 1, size - 1));
    }
    return 0;
}
