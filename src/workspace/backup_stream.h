/* backup_stream: what is sealed inside a backup (docs/spec/backup.md): the files of a workspace one
 * after another, each with its digest, and a manifest over all of them. The reader believes
 * nothing, also of who had the key: a path is one of a workspace's own, in ascending order. Part of
 * workspace. */
#ifndef STEWARD_WORKSPACE_BACKUP_STREAM_H
#define STEWARD_WORKSPACE_BACKUP_STREAM_H

#include "base/digest.h"
#include "base/json.h"

#define BACKUP_FORMAT "steward-backup-1"
#define BACKUP_PATH_MAX 255u
#define BACKUP_MANIFEST_MAX (64u << 10)

/* Of objects: "assessment", "dataset", "model". */
#define BACKUP_KINDS 3
extern const char *const backup_kinds[BACKUP_KINDS];

/* Whether a backup may have that file: "state.db", "objects/model/mortgage/7.sealed",
 * "audit/tile/0/000.p/5", ...; nothing above or beside a workspace, and no file of keys/. */
bool backup_path_is_known(const char *path);
/* "objects/model/mortgage/7.sealed" and its like. */
bool backup_path_is_object(const char *path);

/* ---- writing ---- */

/* Takes what is written; a failure stays with the caller. */
struct backup_out {
    struct status (*put)(void *ctx, struct view bytes, struct diag *diag);
    void *ctx;
};

struct backup_writer;
/* head: what stands before the stream; the manifest's digest begins with it. */
struct status backup_writer_new(struct backup_out out, struct view head,
                                struct backup_writer **ret_writer);
void backup_writer_free(struct backup_writer *w);
DEFINE_FREEP(backup_writer_free, struct backup_writer)
/* Paths in ascending order of bytes. begin, then exactly size bytes, then end. */
struct status backup_writer_begin(struct backup_writer *w, const char *path, uint64_t size,
                                  struct diag *diag);
struct status backup_writer_bytes(struct backup_writer *w, struct view bytes, struct diag *diag);
struct status backup_writer_end(struct backup_writer *w, struct diag *diag);
/* Adds "format", "files", "bytes" and "sha256" to the manifest, and writes it: the end. */
struct status backup_writer_finish(struct backup_writer *w, json_t *manifest, struct diag *diag);

/* ---- reading ---- */

/* Gives the next bytes, borrowed until the next call; none at the end. */
struct backup_in {
    struct status (*next)(void *ctx, struct diag *diag, struct view *ret_bytes);
    void *ctx;
};
/* Gets each file: begin, bytes in pieces, end once its digest fits. A member may be NULL. */
struct backup_sink {
    struct status (*begin)(void *ctx, const char *path, uint64_t size, struct diag *diag);
    struct status (*bytes)(void *ctx, struct view bytes, struct diag *diag);
    struct status (*end)(void *ctx, const char *path, const struct digest *digest,
                         struct diag *diag);
    void *ctx;
};
/* STATUS_INTEGRITY with the file's name for whatever is not exactly what a writer writes; what a
 * sink got before counts for nothing then. Untrusted; fuzzed. *ret_manifest is the caller's. */
struct status backup_stream_read(struct backup_in in, struct view head,
                                 const struct backup_sink *sink, struct diag *diag,
                                 json_t **ret_manifest);

#endif
