/* backup: a workspace in one file, and back (docs/spec/backup.md). All of it is sealed under the
 * workspace key but the files of keys/, which need its holder; it opens with the credential of the
 * holder of when it was made (vault/provider.h). Both acts are entries of the audit log. */
#ifndef STEWARD_WORKSPACE_BACKUP_H
#define STEWARD_WORKSPACE_BACKUP_H

#include "base/json.h"
#include "workspace/workspace.h"

struct backup_progress {
    void (*step)(void *ctx, const char *path); /* before each file; may be NULL */
    /* Asked before each file; true: nothing is left, STATUS_BUSY. May be NULL. */
    bool (*interrupted)(void);
    void *ctx;
};

/* Writes path, which must not be there, at once or not at all; servers and readers go on, whoever
 * changes datasets, models or keys waits. Every object and record is opened on the way and the log
 * verified: damage is STATUS_INTEGRITY with its place. *ret_manifest: "made", "steward",
 * "workspace", "generation", "log": {"entries", "root_sha256"}, "files", "bytes", "sha256". */
struct status backup_create(struct workspace *w, const char *path, const struct backup_progress *p,
                            struct diag *diag, json_t **ret_manifest);
/* Appends who held the key when the backup at path was made, as it says: not yet to be believed. */
struct status backup_look(const char *path, struct diag *diag, struct buf *ret_target);
/* Of $TMPDIR. Malloc'd. */
char *backup_verify_place(void);
/* Every byte is what backup_create wrote; STATUS_INTEGRITY with the file's name. Makes a folder
 * with the wrapped keys beside backup_verify_place meanwhile. */
struct status backup_verify(const char *path, const struct secret *credential,
                            const struct backup_progress *p, struct diag *diag,
                            json_t **ret_manifest);
/* Who was erased since, in a backup that has keys of persons. */
struct backup_erasures {
    const char *log; /* of the workspace as it went on: erasure_replay; NULL: none is given */
    bool forgone;    /* nobody is erased again, and the log says so */
    /* Set when it is done. */
    uint64_t named, erased; /* as struct erasures */
};
/* Makes dir, which must be absent or empty: everything is written beside it, opened and checked as
 * backup_create does, persons are erased again, and then it appears at once. Its log goes on where
 * the backup's ended. STATUS_INPUT when there are keys of persons and `erasures` says nothing. */
struct status backup_restore(const char *path, const char *dir, const struct secret *credential,
                             struct backup_erasures *erasures, const struct backup_progress *p,
                             struct diag *diag, json_t **ret_manifest);

#endif
