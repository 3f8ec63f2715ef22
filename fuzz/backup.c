/* The stream inside a backup. First byte even: the second tells the pieces it comes in, the rest is
 * a stream, hostile from its first byte on. First byte odd: edits to a valid one of a whole
 * workspace, in the same pieces. What is taken is written again as the same bytes up to its
 * manifest. */
#include "base/json.h"
#include "workspace/backup_stream.h"

#include "edits.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST (1u << 20)
#define HEAD view_str("head")

static struct buf valid;

static struct status
put(void *ctx, struct view bytes, struct diag *diag)
{
    (void)diag;
    buf_put(ctx, bytes);
    return buf_status(ctx);
}

struct pieces {
    struct view rest;
    size_t each;
};

static struct status
next(void *ctx, struct diag *diag, struct view *ret_bytes)
{
    struct pieces *p = ctx;
    (void)diag;
    const size_t n = p->each < p->rest.len ? p->each : p->rest.len;
    *ret_bytes = view_of(p->rest.ptr, n);
    p->rest = view_of(p->rest.ptr + n, p->rest.len - n);
    return OK;
}

/* ---- a valid one ---- */

static void
set_up(void)
{
    static const char *const paths[] = {
        "audit/checkpoint", "audit/journal", "audit/vkey",   "objects/dataset/lending/1.sealed",
        "state.db",         "steward.yaml",  "tls/cert.pem", "tls/key.sealed"};
    DEFER(backup_writer_freep) struct backup_writer *w = NULL;
    DEFER(js_freep) json_t *manifest = json_object();
    buf_init(&valid, MOST);
    ASSERT(status_ok(backup_writer_new((struct backup_out){put, &valid}, HEAD, &w)));
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        ASSERT(status_ok(backup_writer_begin(w, paths[i], strlen(paths[i]), NULL)));
        ASSERT(status_ok(backup_writer_bytes(w, view_str(paths[i]), NULL)));
        ASSERT(status_ok(backup_writer_end(w, NULL)));
    }
    ASSERT(status_ok(backup_writer_finish(w, manifest, NULL)));
}

/* ---- what is read is written again ---- */

static struct status
begin(void *ctx, const char *path, uint64_t size, struct diag *diag)
{
    return backup_writer_begin(ctx, path, size, diag);
}

static struct status
bytes(void *ctx, struct view some, struct diag *diag)
{
    return backup_writer_bytes(ctx, some, diag);
}

static struct status
end(void *ctx, const char *path, const struct digest *digest, struct diag *diag)
{
    (void)path, (void)digest;
    return backup_writer_end(ctx, diag);
}

static bool
reads(struct view stream, size_t each)
{
    struct diag diag = {0};
    struct pieces pieces = {stream, each};
    DEFER(buf_done) struct buf again;
    DEFER(backup_writer_freep) struct backup_writer *w = NULL;
    DEFER(js_freep) json_t *manifest = NULL;
    buf_init(&again, 2 * MOST);
    ASSERT(status_ok(backup_writer_new((struct backup_out){put, &again}, HEAD, &w)));
    const struct backup_sink sink = {begin, bytes, end, w};
    const struct status s =
        backup_stream_read((struct backup_in){next, &pieces}, HEAD, &sink, &diag, &manifest);
    ASSERT(status_ok(s) ? json_is_object(manifest) : diag.text[0] != '\0' && manifest == NULL);
    if (status_ok(s)) {
        ASSERT(again.len < stream.len && memcmp(again.ptr, stream.ptr, again.len) == 0);
    }
    return status_ok(s);
}

static void
try_edits(struct view script, size_t each)
{
    DEFER(buf_done) struct buf edited;
    buf_init(&edited, 2 * MOST);
    edit_all(script, buf_view(&valid), &edited);
    const bool taken = reads(buf_view(&edited), each);
    ASSERT(taken || !view_equal(buf_view(&edited), buf_view(&valid)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (valid.len == 0) {
        set_up();
    }
    if (size > 1 && size <= MOST) {
        const struct view rest = view_of(data + 2, size - 2);
        const size_t each = (size_t)data[1] + 1;
        if (data[0] % 2 == 0) {
            (void)reads(rest, each);
        } else {
            try_edits(rest, each);
        }
    }
    return 0;
}
