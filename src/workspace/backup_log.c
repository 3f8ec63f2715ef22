/* The log in a backup: the checkpoint, the tiles and bundles of the tree that it signs, which never
 * change, and a journal that begins there. */
#include "workspace/backup_parts.h"

#include "base/file.h"
#include "govern/journal.h"
#include "govern/tile.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_MAX (1u << 20)
#define CHECKPOINT "audit/checkpoint"
#define VKEY "audit/vkey"

static struct status
add_tile(struct backup_plan *p, struct tile_id id)
{
    char name[TILE_PATH_MAX], path[TILE_PATH_MAX + 8];
    tile_put_path(&id, name);
    (void)snprintf(path, sizeof path, "audit/%s", name);
    CHECK(backup_plan_add(p, path) != NULL, MEMORY);
    return OK;
}

/* All of a level: full ones, then a partial one. */
static struct status
add_level(struct backup_plan *p, unsigned level, uint64_t size)
{
    for (uint64_t at = 0; at < tile_level_count(level, size); at += MERKLE_WIDTH) {
        TRY(add_tile(p, tile_holding(level, at, size)));
    }
    return OK;
}

static struct status
add_tree(struct backup_plan *p, uint64_t size)
{
    TRY(add_level(p, TILE_ENTRIES, size));
    for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
        TRY(add_level(p, level, size));
    }
    return OK;
}

/* What crashes left and the log names. */
static struct status
add_cuts(struct backup_plan *p, const char *folder, struct diag *diag)
{
    DIR *d = opendir(folder);
    if (d == NULL) {
        return file_refuse_os(folder, errno, diag);
    }
    struct status s = OK;
    for (const struct dirent *e = readdir(d); e != NULL && status_ok(s); e = readdir(d)) {
        char path[300];
        (void)snprintf(path, sizeof path, "audit/%s", e->d_name);
        if (strncmp(e->d_name, "journal.cut-", 12) == 0 && backup_path_is_known(path) &&
            backup_plan_add(p, path) == NULL) {
            s = FAILURE(MEMORY);
        }
    }
    (void)closedir(d);
    return s;
}

/* The checkpoint that has just been added, as the log's own key signs it. */
static struct status
read_checkpoint(const struct backup_plan *p, const struct workspace *w, struct diag *diag,
                struct checkpoint *ret_checkpoint)
{
    uint8_t public_key[VAULT_PUBLIC_BYTES];
    struct note_key key;
    vault_public_key(w->vault, public_key);
    TRY(note_key_make(w->origin, public_key, diag, &key));
    return checkpoint_open(buf_view(&p->items[p->count - 1].bytes), &key, diag, ret_checkpoint);
}

static struct status
add_journal(struct backup_plan *p, const struct checkpoint *c)
{
    struct backup_item *item = backup_plan_add(p, "audit/journal");
    CHECK(item != NULL, MEMORY);
    buf_init(&item->bytes, JOURNAL_HEADER_BYTES);
    journal_put_header(&item->bytes, c->size, &c->root);
    item->given = true;
    return buf_status(&item->bytes);
}

struct status
backup_verify_log(const char *folder, struct diag *diag, struct audit_report *ret_report)
{
    struct audit_fault fault = {0};
    const struct status s = audit_verify(folder, NULL, &fault, ret_report);
    if (!status_ok(s)) {
        diag_set(diag, "audit/%s", fault.text);
    }
    return s;
}

struct status
backup_plan_log(struct backup_plan *p, const struct workspace *w, struct diag *diag,
                struct checkpoint *ret_checkpoint)
{
    struct audit_report report = {0};
    DEFER(file_freep) char *folder = file_join(w->dir, "audit");
    TRY(audit_publish(w->audit, diag));
    TRY(backup_verify_log(folder, diag, &report));
    TRY(backup_plan_file(p, w, VKEY, SMALL_MAX, diag));
    TRY(backup_plan_file(p, w, CHECKPOINT, SMALL_MAX, diag));
    TRY(read_checkpoint(p, w, diag, ret_checkpoint));
    TRY(add_journal(p, ret_checkpoint));
    TRY(add_tree(p, ret_checkpoint->size));
    return add_cuts(p, folder, diag);
}
