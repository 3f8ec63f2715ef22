/* forge: a model registered again with a manifest that somebody edited, rightly signed and sealed.
 */
#ifndef STEWARD_TESTS_WORKSPACE_FORGE_H
#define STEWARD_TESTS_WORKSPACE_FORGE_H

#include "testing/testing.h"

#include "base/file.h"
#include "vault/seal.h"
#include "workspace/bundle.h"
#include "workspace/models.h"
#include "workspace/registry.h"

/* Edits the manifest of that version, registers the next one with it, and loads that. */
static inline struct status
forge_model(struct workspace *w, const char *name, uint64_t from,
            void (*edit)(json_t *manifest, const void *ctx), const void *ctx, struct diag *diag)
{
    uint8_t public_key[VAULT_PUBLIC_BYTES];
    DEFER(js_freep) json_t *manifest = NULL;
    DEFER(js_freep) json_t *record = NULL;
    DEFER(model_freep) struct model *m = NULL;
    DEFER(buf_done) struct buf bytes;
    DEFER(buf_done) struct buf made;
    struct view file = {0};
    struct digest digest;
    uint64_t version = 0;
    int lock = -1;
    buf_init(&bytes, 1 << 24);
    buf_init(&made, 1 << 24);
    DEFER(file_freep) char *path = workspace_object_path(w, "model", name, from);
    const struct seal_id id = {"model", name, from};
    assert_ok(seal_open_file(w->vault, path, id, 1 << 24, NULL, &bytes));
    vault_public_key(w->vault, public_key);
    assert_ok(bundle_open(public_key, buf_view(&bytes), NULL, &manifest, &file));
    assert_ok(registry_newest(w, "model", name, &version));
    version++;
    assert_ok(js_set(manifest, "version", json_integer((json_int_t)version)));
    edit(manifest, ctx);
    assert_ok(bundle_put(w->vault, manifest, file, &made));
    assert_ok(workspace_lock(w, NULL, &lock));
    assert_ok(workspace_seal(w, "model", name, version, buf_view(&made), NULL));
    digest_of(buf_view(&made), &digest);
    assert_ok(registry_record_new(name, version, &digest, &record));
    const struct workspace_act act = {
        .action = "model.write", .resource = "models/answers", .reason = "test"};
    assert_ok(registry_put(w, "model", name, version, record, &act, NULL));
    file_closep(&lock);
    return model_load(w, name, version, diag, &m);
}

#endif
