/* backup: the workspace in one file, and back. */
#include "cli/cli.h"
#include "cli/credential.h"

#include "base/json.h"
#include "base/secret.h"
#include "vault/provider.h"
#include "workspace/backup.h"

#include <string.h>

static void
show_step(void *ctx, const char *path)
{
    cli_progress_show(ctx, "backup: %s", path);
}

static struct status
print_manifest(struct cli *c, const char *done, const char *path, const json_t *manifest)
{
    if (c->json) {
        return cli_print_json(manifest);
    }
    const json_t *log = json_object_get(manifest, "log");
    cli_say("%s %s: %lld files, %lld bytes, the log up to its %lld entries", done, path,
            (long long)json_integer_value(json_object_get(manifest, "files")),
            (long long)json_integer_value(json_object_get(manifest, "bytes")),
            (long long)json_integer_value(json_object_get(log, "entries")));
    const long long persons = (long long)json_integer_value(json_object_get(manifest, "persons"));
    if (persons > 0 && strcmp(done, "backup made:") == 0) {
        cli_say(
            "it holds the keys of %lld persons: erasing one later does not reach it; keep it no "
            "longer than an erasure may wait, and erase again after restoring it",
            persons);
    }
    (void)printf("  sha256 %s\n", json_string_value(json_object_get(manifest, "sha256")));
    return OK;
}

struct status
cli_backup_create(struct cli *c)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *manifest = NULL;
    struct cli_progress progress;
    const struct backup_progress p = {show_step, cli_interrupted, &progress};
    TRY(cli_open(c, &w));
    cli_hold_signals();
    cli_progress_start(&progress, "backup");
    const struct status s = backup_create(w, c->operand[0], &p, &c->diag, &manifest);
    cli_progress_stop(&progress);
    TRY(s);
    return print_manifest(c, "backup made:", c->operand[0], manifest);
}

/* Into dir; NULL: nowhere, it is only verified. */
static struct status
read_backup(struct cli *c, const char *dir)
{
    DEFER(secret_done) struct secret credential = {0};
    DEFER(buf_done) struct buf target;
    DEFER(js_freep) json_t *manifest = NULL;
    struct cli_progress progress;
    const struct backup_progress p = {show_step, cli_interrupted, &progress};
    const char *path = c->operand[0];
    buf_init(&target, PROVIDER_TARGET_MAX - 1);
    TRY(backup_look(path, &c->diag, &target));
    TRY(credential_of_backup(buf_str(&target), cli_value(c, "passphrase-file"), &c->diag,
                             &credential));
    cli_hold_signals();
    cli_progress_start(&progress, dir == NULL ? "backup" : "restoring");
    const struct status s = dir == NULL
                                ? backup_verify(path, &credential, &p, &c->diag, &manifest)
                                : backup_restore(path, dir, &credential, &p, &c->diag, &manifest);
    cli_progress_stop(&progress);
    TRY(s);
    return print_manifest(c, dir == NULL ? "verified:" : "restored:", dir == NULL ? path : dir,
                          manifest);
}

struct status
cli_backup_verify(struct cli *c)
{
    return read_backup(c, NULL);
}

struct status
cli_backup_restore(struct cli *c)
{
    return read_backup(c, c->operand[1]);
}
