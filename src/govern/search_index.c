/* Keeping the index: segments are made in their order, each behind the one before, by one process
 * at a time. */
#include "govern/search.h"

#include "base/file.h"
#include "govern/bundle.h"
#include "govern/index.h"
#include "govern/standing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SEGMENT_MAX (256u << 20)

struct indexing {
    const char *dir;
    struct diag *diag;
    struct standing standing;
    struct bundle *bundle;
    struct index_build *build;
    struct buf segment;
    struct digest chain;
};

static void
indexing_free(struct indexing *x)
{
    if (x != NULL) {
        standing_done(&x->standing);
        index_build_free(x->build);
        buf_done(&x->segment);
        bundle_free(x->bundle);
        free(x);
    }
}

DEFINE_FREEP(indexing_free, struct indexing)

/* Only of entries that the tree has: each bundle is held against it. */
static struct status
make_segment(struct indexing *x, uint64_t number, struct digest *ret_digest)
{
    struct digest root;
    struct view entry;
    index_build_begin(x->build);
    for (uint64_t i = 0; i < INDEX_ENTRIES; i++) {
        TRY(bundle_entry(x->bundle, (number << INDEX_LEVEL) + i, &entry));
        TRY(index_build_add(x->build, entry));
    }
    TRY(tile_node(&x->bundle->tiles, INDEX_LEVEL, number, &root));
    buf_reset(&x->segment);
    return index_build_end(x->build, number, &root, &x->chain, &x->segment, ret_digest);
}

static bool
stands(struct indexing *x, uint64_t number, struct digest *ret_digest)
{
    struct index_head h;
    struct digest root;
    uint64_t bytes = 0;
    if (!status_ok(index_head_read(x->dir, number, &h, &bytes)) ||
        !status_ok(tile_node(&x->bundle->tiles, INDEX_LEVEL, number, &root)) ||
        !merkle_equal(&h.root, &root) || !merkle_equal(&h.before, &x->chain)) {
        return false;
    }
    *ret_digest = h.digest;
    return true;
}

static bool
is_same(const char *path, struct view segment)
{
    DEFER(buf_done) struct buf there;
    buf_init(&there, SEGMENT_MAX);
    return status_ok(file_read(path, SEGMENT_MAX, NULL, &there)) &&
           view_equal(buf_view(&there), segment);
}

static struct status
keep_segment(struct indexing *x, uint64_t number, bool check, struct search_index_report *r)
{
    struct digest digest;
    DEFER(file_freep) char *path = index_path(x->dir, number);
    if (check || !stands(x, number, &digest)) {
        TRY(make_segment(x, number, &digest));
        const bool there = file_exists(path);
        if (!there || !is_same(path, buf_view(&x->segment))) {
            TRY(file_replace(path, buf_view(&x->segment), 0600, x->diag));
            r->made++;
            r->differing += there && check;
        }
    }
    x->chain = digest;
    r->segments++;
    r->covered += INDEX_ENTRIES;
    return OK;
}

struct status
search_index(const char *dir, bool check, struct diag *diag, struct search_index_report *ret_report)
{
    DEFER(file_closep) int lock = -1;
    DEFER(file_freep) char *folder = file_join(dir, "index");
    DEFER(file_freep) char *lock_path = file_join(dir, "index/lock");
    DEFER(indexing_freep) struct indexing *x = calloc(1, sizeof *x);
    struct search_index_report r = {0};
    CHECK(x != NULL, MEMORY);
    x->dir = dir;
    x->diag = diag;
    x->build = index_build_new();
    CHECK(x->build != NULL, MEMORY);
    buf_init(&x->segment, SEGMENT_MAX);
    TRY(standing_take(dir, NULL, diag, &x->standing));
    const uint64_t segments = x->standing.checkpoint.size >> INDEX_LEVEL;
    x->bundle = bundle_new(dir, x->standing.checkpoint.size, diag);
    CHECK(x->bundle != NULL, MEMORY);
    if (segments > 0) {
        if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
            return file_refuse_os(folder, errno, diag);
        }
        TRY(file_lock(lock_path, false, diag, &lock));
    }
    for (uint64_t i = 0; i < segments; i++) {
        TRY(keep_segment(x, i, check, &r));
    }
    *ret_report = r;
    return OK;
}
