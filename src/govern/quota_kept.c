/* The counts of a log's first entries, kept beside it (dir/quotas), so that whoever starts reads
 * what came since. docs/spec/quota.md.
 *
 *     8   SWQUOTA1
 *     8   N, how many entries
 *     32  the root hash of the log's first N entries
 *     4   how many counts, and they, sorted by name and principal, none twice:
 *             1 and name, 1 and principal, 1 and window, 8 used
 *
 * Valid: the log begins with that root, and one of its entries from N on, which are read anyway,
 * is the program's own and names N and the file's SHA-256 (limits.counted). So the file is as hard
 * to change as the log, and needs no key. What is not valid is not believed: the whole log is read.
 * An older one is valid, too: then there is more to read.
 *
 * Crash argument: the entry is durable before the file is put in place of the one before, whose own
 * entry stands behind what that counts. Whichever of the two is there is named. */
#include "govern/quota.h"

#include "base/file.h"
#include "base/json_flat.h"
#include "base/text.h"
#include "govern/search.h"
#include "govern/standing.h"
#include "govern/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "SWQUOTA1"
#define FILE_MAX (64u << 20)
#define COUNTS_MAX (1u << 19)
#define ENTRY_ARENA (1u << 20)
#define REASON_MAX 160u

/* ---- the file ---- */

static int
compare(const struct quota_count *x, const struct quota_count *y)
{
    const int order = strcmp(x->of, y->of);
    return order != 0 ? order : strcmp(x->principal, y->principal);
}

static int
compare_places(const void *a, const void *b)
{
    return compare(*(const struct quota_count *const *)a, *(const struct quota_count *const *)b);
}

static void
put_text(struct buf *b, const char *text)
{
    buf_put_u8(b, (uint8_t)strlen(text));
    buf_put_str(b, text);
}

struct status
quota_kept_put(const struct quota_book *book, uint64_t entries, const struct digest *root,
               struct buf *ret_bytes)
{
    size_t n = 0;
    DEFER(memory_freep) const struct quota_count **all = NULL;
    TRY(quota_book_all(book, &all, &n));
    CHECK(n <= COUNTS_MAX, LIMIT);
    qsort(all, n, sizeof(*all), compare_places);
    buf_put_str(ret_bytes, MAGIC);
    buf_put_u64be(ret_bytes, entries);
    buf_put(ret_bytes, view_of(root->bytes, DIGEST_BYTES));
    buf_put_u32be(ret_bytes, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        put_text(ret_bytes, all[i]->of);
        put_text(ret_bytes, all[i]->principal);
        put_text(ret_bytes, all[i]->window);
        buf_put_u64be(ret_bytes, all[i]->used);
    }
    return buf_status(ret_bytes);
}

static bool
take_text(struct reader *r, char *ret_text, size_t size)
{
    const struct view text = reader_bytes(r, reader_u8(r));
    return !r->bad && text_copy_view(ret_text, size, text);
}

static struct status
take_count(struct reader *r, struct quota_book *book, struct quota_count *last)
{
    struct quota_count is = {.used = 0};
    CHECK(take_text(r, is.of, sizeof is.of) && take_text(r, is.principal, sizeof is.principal) &&
              take_text(r, is.window, sizeof is.window),
          INTEGRITY);
    is.used = reader_u64be(r);
    CHECK(!r->bad && is.of[0] != '\0' && compare(last, &is) < 0, INTEGRITY);
    struct quota_count *c = quota_book_count(book, is.of, is.principal);
    CHECK(c != NULL, MEMORY);
    memcpy(c->window, is.window, sizeof c->window);
    c->used = is.used;
    *last = is;
    return OK;
}

struct status
quota_kept_read(struct view bytes, struct quota_book *book, uint64_t *ret_entries,
                struct digest *ret_root)
{
    struct reader r = reader_of(bytes);
    struct quota_count last = {.used = 0};
    CHECK(view_equal_str(reader_bytes(&r, strlen(MAGIC)), MAGIC), INTEGRITY);
    const uint64_t entries = reader_u64be(&r);
    const struct view root = reader_bytes(&r, DIGEST_BYTES);
    const uint32_t n = reader_u32be(&r);
    CHECK(!r.bad && n <= COUNTS_MAX, INTEGRITY);
    for (uint32_t i = 0; i < n; i++) {
        TRY(take_count(&r, book, &last));
    }
    CHECK(reader_left(&r) == 0, INTEGRITY);
    *ret_entries = entries;
    memcpy(ret_root->bytes, root.ptr, DIGEST_BYTES);
    return OK;
}

/* ---- its entry ---- */

/* What the entry says of the file, and nothing else does. */
static void
put_reason(uint64_t entries, struct view file, char ret_reason[static REASON_MAX])
{
    struct digest d;
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 2 * DIGEST_BYTES + 1);
    digest_of(file, &d);
    digest_put_hex(&hex, &d);
    (void)snprintf(ret_reason, REASON_MAX, "counts of the first %llu entries kept; sha256=%s",
                   (unsigned long long)entries, buf_str(&hex));
}

struct reading {
    struct quota_book *book;
    const char *reason; /* "": no file is looked for */
    struct arena *arena;
    bool named;
};

static bool
is_text(const struct js_node *entry, const char *key, const char *text)
{
    const struct js_node *n = js_flat_member(entry, key);
    return n != NULL && n->kind == JS_STRING && strcmp(n->text, text) == 0;
}

static bool
names_it(const struct reading *r, struct view entry)
{
    static const char mark[] = "\"action\":\"" QUOTA_KEPT_ACTION "\"";
    const struct js_node *root = NULL;
    if (memmem(entry.ptr, entry.len, mark, sizeof mark - 1) == NULL) {
        return false;
    }
    arena_reset(r->arena);
    return status_ok(js_flat(entry, NULL, r->arena, NULL, &root)) && root->kind == JS_OBJECT &&
           is_text(root, "action", QUOTA_KEPT_ACTION) && is_text(root, "reason", r->reason);
}

static struct status
read_entry(void *ctx, uint64_t index, struct view entry)
{
    struct reading *r = ctx;
    (void)index;
    r->named = r->named || (*r->reason != '\0' && names_it(r, entry));
    return quota_book_add(r->book, entry);
}

/* Entries [book->entries, to); 0: all. Each bundle is held against the tree. */
static struct status
read_on(const char *log_dir, struct reading *r, uint64_t to, struct diag *diag)
{
    const struct query every = {.count = 0};
    const struct search_options o = {.from = quota_book_entries(r->book), .to = to, .scan = true};
    struct search_stats stats;
    TRY(search_run(log_dir, &every, &o, read_entry, r, diag, &stats));
    quota_book_reach(r->book, to == 0 || to > stats.entries ? stats.entries : to);
    return OK;
}

/* ---- reading ---- */

static bool
is_of_this_log(const char *log_dir, uint64_t entries, const struct digest *root)
{
    struct digest is;
    DEFER(standing_done) struct standing s = {0};
    return status_ok(standing_take(log_dir, NULL, NULL, &s)) && entries <= s.checkpoint.size &&
           status_ok(tree_root_at(log_dir, &s.checkpoint, entries, NULL, &is)) &&
           memcmp(is.bytes, root->bytes, DIGEST_BYTES) == 0;
}

/* The counts that the file has; not known yet whether an entry names it. False: there are none that
 * could be believed. */
static bool
take_file(const char *log_dir, struct quota_book *book, char ret_reason[static REASON_MAX])
{
    struct digest root;
    uint64_t entries = 0;
    DEFER(file_freep) char *path = file_join(log_dir, QUOTA_KEPT_FILE);
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, FILE_MAX);
    if (!status_ok(file_read(path, FILE_MAX, NULL, &bytes)) ||
        !status_ok(quota_kept_read(buf_view(&bytes), book, &entries, &root)) ||
        !is_of_this_log(log_dir, entries, &root)) {
        return false;
    }
    put_reason(entries, buf_view(&bytes), ret_reason);
    quota_book_reach(book, entries);
    return true;
}

struct status
quota_book_read(const char *log_dir, struct diag *diag, struct quota_book **ret_book,
                uint64_t *ret_from)
{
    char reason[REASON_MAX] = "";
    DEFER(arena_freep) struct arena *arena = arena_new(ENTRY_ARENA);
    DEFER(quota_book_freep) struct quota_book *b = quota_book_new();
    CHECK(arena != NULL && b != NULL, MEMORY);
    struct reading r = {.book = b, .reason = reason, .arena = arena};
    bool kept = take_file(log_dir, b, reason);
    uint64_t from = quota_book_entries(b);
    if (kept) {
        TRY(read_on(log_dir, &r, 0, diag));
    }
    if (!r.named) {
        quota_book_free(b);
        r.book = b = quota_book_new();
        CHECK(b != NULL, MEMORY);
        reason[0] = '\0';
        from = 0;
        TRY(read_on(log_dir, &r, 0, diag));
    }
    *ret_from = from;
    *ret_book = MOVE(b);
    return OK;
}

struct status
quota_book_follow(struct quota_book *b, const char *log_dir, uint64_t to, struct diag *diag)
{
    struct reading r = {.book = b, .reason = ""};
    return to > quota_book_entries(b) ? read_on(log_dir, &r, to, diag) : OK;
}

/* ---- keeping ---- */

struct status
quota_book_keep(const struct quota_book *b, const char *log_dir,
                struct status (*tell)(void *ctx, const char *reason, struct diag *diag), void *ctx,
                struct diag *diag)
{
    char reason[REASON_MAX];
    struct digest root;
    const uint64_t entries = quota_book_entries(b);
    DEFER(file_freep) char *path = file_join(log_dir, QUOTA_KEPT_FILE);
    DEFER(standing_done) struct standing s = {0};
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, FILE_MAX);
    TRY(standing_take(log_dir, NULL, diag, &s));
    CHECK(entries <= s.checkpoint.size, BUSY);
    TRY(tree_root_at(log_dir, &s.checkpoint, entries, diag, &root));
    TRY(quota_kept_put(b, entries, &root, &bytes));
    put_reason(entries, buf_view(&bytes), reason);
    TRY(tell(ctx, reason, diag));
    return file_replace(path, buf_view(&bytes), 0600, diag);
}
