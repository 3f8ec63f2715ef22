/* backup: the workspace in one file, and back. */
#include "cli/cli.h"
#include "cli/credential.h"

#include "base/json.h"
#include "base/secret.h"
#include "vault/provider.h"
#include "workspace/backup.h"
#include "workspace/erasure_replay.h"

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
            "longer than an erasure may wait, and a copy of the log, by which restoring erases "
            "again",
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
read_backup(struct cli *c, const char *dir, struct backup_erasures *erasures)
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
    const struct status s =
        dir == NULL ? backup_verify(path, &credential, &p, &c->diag, &manifest)
                    : backup_restore(path, dir, &credential, erasures, &p, &c->diag, &manifest);
    cli_progress_stop(&progress);
    TRY(s);
    return print_manifest(c, dir == NULL ? "verified:" : "restored:", dir == NULL ? path : dir,
                          manifest);
}

struct status
cli_backup_verify(struct cli *c)
{
    return read_backup(c, NULL, NULL);
}

struct status
cli_backup_restore(struct cli *c)
{
    struct backup_erasures erasures = {.log = cli_value(c, "erasures"),
                                       .forgone = cli_flag(c, "without-erasures")};
    if (erasures.log != NULL && erasures.forgone) {
        diag_set(&c->diag, "--erasures and --without-erasures: one of them");
        FAIL(INPUT);
    }
    TRY(read_backup(c, c->operand[1], &erasures));
    if (erasures.log != NULL && !c->json) {
        cli_say("erased again, as %s says: %llu of %llu persons", erasures.log,
                (unsigned long long)erasures.erased, (unsigned long long)erasures.named);
    }
    return OK;
}

struct status
cli_backup_erase_again(struct cli *c)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    struct erasures done = {0};
    TRY(cli_open(c, &w));
    TRY(erasure_replay(w, c->operand[0], 0, &c->diag, &done));
    if (c->json) {
        DEFER(js_freep)
        json_t *o = json_pack("{s:I, s:I, s:I}", "entries", (json_int_t)done.entries, "named",
                              (json_int_t)done.named, "erased", (json_int_t)done.erased);
        CHECK(o != NULL, MEMORY);
        return cli_print_json(o);
    }
    cli_say("erased again, as %s says: %llu of %llu persons", c->operand[0],
            (unsigned long long)done.erased, (unsigned long long)done.named);
    return OK;
}
