/* backup_parts: what the files of backup share. Part of workspace. */
#ifndef STEWARD_WORKSPACE_BACKUP_PARTS_H
#define STEWARD_WORKSPACE_BACKUP_PARTS_H

#include "govern/audit.h"
#include "govern/note.h"
#include "vault/seal.h"
#include "workspace/backup.h"
#include "workspace/backup_stream.h"

#define BACKUP_MAGIC "SWBACK01"
#define BACKUP_HEAD_MAX (512u << 10)
#define BACKUP_KEY_FILES 4

/* The files of keys/ that stand in the head, in that order. */
extern const char *const backup_key_files[BACKUP_KEY_FILES];

/* Which object is sealed behind that head: its digest is in the name. */
struct backup_id {
    char name[64];
    struct seal_id id; /* borrows name: do not move */
};
void backup_id_of(struct view head, struct backup_id *ret_id);

/* What goes in: paths, and bytes where they are not those of the file at the path. */
struct backup_item {
    char *path;
    struct buf bytes;
    bool given; /* bytes count */
};
struct backup_plan {
    struct backup_item *items;
    size_t count, room;
};
void backup_plan_done(struct backup_plan *p);
/* The next one, NULL when memory is out; path is copied. */
struct backup_item *backup_plan_add(struct backup_plan *p, const char *path);
/* With the bytes of w's file there, as they are now. */
struct status backup_plan_file(struct backup_plan *p, const struct workspace *w, const char *path,
                               size_t max, struct diag *diag);
/* The log as a checkpoint signs it that covers all that is durable now. */
struct status backup_plan_log(struct backup_plan *p, const struct workspace *w, struct diag *diag,
                              struct checkpoint *ret_checkpoint);

/* Every byte of the log in that folder: a sentence with the first that is wrong. */
struct status backup_verify_log(const char *folder, struct diag *diag,
                                struct audit_report *ret_report);

/* Opens every object that the registry has and compares it with its record; calls each (may be
 * NULL) with its path in the workspace. */
struct status backup_check_objects(struct workspace *w,
                                   struct status (*each)(void *ctx, const char *path), void *ctx,
                                   struct diag *diag);
/* Asks p, which may be NULL, before the file at path. */
struct status backup_step(const struct backup_progress *p, const char *path, struct diag *diag);
/* An entry about it. */
struct status backup_audit(struct workspace *w, const char *action, const char *reason,
                           struct diag *diag);

#endif
