#include "gateway/exporting.h"

#include "base/file.h"
#include "base/log.h"
#include "cli/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct list {
    struct receiver of[RECEIVERS];
    size_t count;
};

/* In the process that sends: what the file says then. */
static bool
read_plan(void *ctx, struct exports_plan *ret_plan)
{
    const struct exporting *x = ctx;
    DEFER(memory_freep) struct config *now = malloc(sizeof *now);
    DEFER(file_freep) char *log = file_join(x->dir, "audit");
    if (now == NULL || !status_ok(config_of_workspace(x->dir, x->file, NULL, now)) ||
        strlen(log) >= sizeof ret_plan->log_dir ||
        !status_ok(config_egress(now, &ret_plan->rules))) {
        return false;
    }
    (void)strcpy(ret_plan->log_dir, log);
    ret_plan->count = config_receivers(now, ret_plan->receiver);
    return true;
}

struct status
exporting_start(const struct exporting *x, const struct config *config, struct diag *diag,
                struct exports **ret_exports)
{
    const struct exports_source source = {read_plan, (void *)(uintptr_t)x};
    if (*config->exports == '\0' && strstr(config->egress, "export ") == NULL &&
        strstr(config->egress, "alert ") == NULL) {
        return OK;
    }
    return exports_start(&source, diag, ret_exports);
}

static bool
has(const struct list *l, const struct receiver *r)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct receiver *o = &l->of[i];
        if (strcmp(o->name, r->name) == 0 && strcmp(o->hosts, r->hosts) == 0 &&
            strcmp(o->topic, r->topic) == 0 && o->kind == r->kind && o->format == r->format &&
            o->alerts_only == r->alerts_only) {
            return true;
        }
    }
    return false;
}

static struct status
audit(struct workspace *w, const struct receiver *r, const char *reason, struct diag *diag)
{
    char resource[RECEIVER_NAME_MAX + 16];
    (void)snprintf(resource, sizeof resource, "exports/%s", r->name);
    const struct workspace_act act = {
        .action = "export.configure", .resource = resource, .reason = reason};
    return workspace_audit(w, &act, diag);
}

static struct status
tell_begun(struct workspace *w, const struct receiver *r, struct diag *diag)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1024);
    buf_put_str(&text, "the log's events are sent to ");
    receiver_put(r, &text);
    return audit(w, r, buf_str(&text), diag);
}

static struct status
tell_ended(struct workspace *w, struct exports *e, const struct receiver *r, struct diag *diag)
{
    char text[128];
    (void)snprintf(text, sizeof text, "sending has ended; %llu entries are confirmed",
                   (unsigned long long)exports_confirmed(e, r->name));
    return audit(w, r, text, diag);
}

static struct status
tell_all(struct workspace *w, struct exports *e, const struct list *before, const struct list *now,
         struct diag *diag)
{
    for (size_t i = 0; i < before->count; i++) {
        TRY(has(now, &before->of[i]) ? OK : tell_ended(w, e, &before->of[i], diag));
    }
    for (size_t i = 0; i < now->count; i++) {
        TRY(has(before, &now->of[i]) ? OK : tell_begun(w, &now->of[i], diag));
    }
    return OK;
}

struct status
exporting_change(struct workspace *w, struct exports *e, const struct config *before,
                 const struct config *now, uint64_t from, struct diag *diag)
{
    DEFER(memory_freep) struct list *old = calloc(1, sizeof *old), *new = calloc(1, sizeof *new);
    CHECK(old != NULL && new != NULL, MEMORY);
    if (e == NULL) {
        return OK;
    }
    old->count = before == NULL ? 0 : config_receivers(before, old->of);
    new->count = now == NULL ? 0 : config_receivers(now, new->of);
    if (now == NULL) {
        exports_stop(e);
    }
    TRY(tell_all(w, e, old, new, diag));
    if (now != NULL && !exports_apply(e, new->of, new->count, from)) {
        log_event(LOG_ERROR, "export.unchanged",
                  "the process that sends the log's events is gone, or could not read the "
                  "configuration");
    }
    return OK;
}
