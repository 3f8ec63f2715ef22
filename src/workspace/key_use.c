#include "workspace/key_use.h"

#include "base/digest.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACTION "key.use"
#define RESOURCE_MAX 160u

void
key_uses_done(struct key_uses *u)
{
    free(u->told);
    *u = (struct key_uses){0};
}

static bool
is_told(const struct key_uses *u, uint64_t what)
{
    for (size_t i = 0; i < u->count; i++) {
        if (u->told[i] == what) {
            return true;
        }
    }
    return false;
}

static struct status
remember(struct key_uses *u, uint64_t what)
{
    if (u->count == u->room) {
        const size_t room = u->room == 0 ? 16 : 2 * u->room;
        uint64_t *more = realloc(u->told, room * sizeof *more);
        CHECK(more != NULL, MEMORY);
        u->told = more;
        u->room = room;
    }
    u->told[u->count++] = what;
    return OK;
}

/* Act, resource and key: who signs with a key that it has opened does another thing. */
static uint64_t
name_of(const struct key_use *u)
{
    char text[512];
    struct digest d;
    uint64_t what;
    const int n = snprintf(text, sizeof text, "%s\n%s\n%s\n%s", u->act, u->resource, u->key,
                           u->which == NULL ? "" : u->which);
    ASSERT(n > 0 && (size_t)n < sizeof text);
    digest_of(view_of(text, (size_t)n), &d);
    memcpy(&what, d.bytes, sizeof what);
    return what;
}

static void
put_reason(const struct workspace *w, const struct key_use *u, char *ret_text, size_t size)
{
    char generation[24] = "";
    if (u->generation != 0) {
        (void)snprintf(generation, sizeof generation, " generation=%u", u->generation);
    }
    (void)snprintf(ret_text, size, "%s key=%s%s purpose=%s%s%s for=\"%s\"", u->act, u->key,
                   generation, u->purpose, u->which == NULL ? "" : " ",
                   u->which == NULL ? "" : u->which, w->reason);
}

struct status
key_use_tell(struct workspace *w, const struct key_use *u, struct diag *diag)
{
    char reason[512];
    const uint64_t what = name_of(u);
    if (w->keeper == NULL && is_told(&w->uses, what)) {
        return OK;
    }
    put_reason(w, u, reason, sizeof reason);
    const struct workspace_act act = {.action = ACTION, .resource = u->resource, .reason = reason};
    const struct status s = workspace_audit(w, &act, diag);
    if (!status_ok(s)) {
        diag_prefix(diag, "no key is used when the log cannot tell of it");
        return s;
    }
    return w->keeper == NULL ? remember(&w->uses, what) : OK;
}

static struct status
tell_open(struct workspace *w, struct seal_id id, const char *resource, const struct seal_reader *r,
          struct diag *diag)
{
    struct seal_key key;
    char which[32];
    const struct vault_purpose purpose = vault_purpose("object/", id.kind);
    (void)snprintf(which, sizeof which, "version=%llu", (unsigned long long)id.version);
    seal_reader_key(r, &key);
    const struct key_use use = {.resource = resource,
                                .act = "open",
                                .key = key.id,
                                .generation = key.generation,
                                .purpose = purpose.text,
                                .which = which};
    return key_use_tell(w, &use, diag);
}

struct status
key_use_open(struct workspace *w, struct seal_id id, struct diag *diag,
             struct seal_reader **ret_reader)
{
    DEFER(file_freep) char *path = workspace_object_path(w, id.kind, id.name, id.version);
    DEFER(seal_reader_freep) struct seal_reader *r = NULL;
    char resource[RESOURCE_MAX];
    (void)snprintf(resource, sizeof resource, "%ss/%s", id.kind, id.name);
    const struct status opened = seal_reader_open(w->vault, path, id, diag, &r);
    if (opened.code == STATUS_NOT_FOUND || opened.code == STATUS_IO) {
        return opened; /* no key was asked for */
    }
    TRY(workspace_tell_failure(w, ACTION, resource, opened, diag));
    TRY(tell_open(w, id, resource, r, diag));
    *ret_reader = MOVE(r);
    return OK;
}

struct status
key_use_read(struct workspace *w, struct seal_id id, size_t max, struct diag *diag,
             struct buf *ret_plain)
{
    DEFER(seal_reader_freep) struct seal_reader *r = NULL;
    TRY(key_use_open(w, id, diag, &r));
    return seal_reader_rest(r, max, diag, ret_plain);
}
