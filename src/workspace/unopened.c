/* A workspace that did not open has no key to sign with: its entry waits in the log's journal, as
 * entries do between two checkpoints, until somebody opens it. */
#include "workspace/unopened.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define PUBLIC_TEXT_MAX 256u
#define NEVER_NS (INT64_C(86400) * NS_PER_S)

/* Nobody here can: what is written is published by whoever opens the log next. */
static struct status
sign_nothing(void *ctx, struct view message, uint8_t ret_signature[static 64])
{
    (void)ctx, (void)message, (void)ret_signature;
    FAIL(DENIED);
}

static struct status
read_public_key(const char *dir, uint8_t ret_key[static VAULT_PUBLIC_BYTES])
{
    DEFER(file_freep) char *path = file_join(dir, "keys/signing.pub");
    DEFER(buf_done) struct buf text;
    DEFER(buf_done) struct buf bytes;
    buf_init(&text, PUBLIC_TEXT_MAX);
    buf_init(&bytes, VAULT_PUBLIC_BYTES);
    TRY(file_read(path, PUBLIC_TEXT_MAX, NULL, &text));
    TRY(text_from_base64(text_first_line(buf_view(&text)), &bytes));
    CHECK(bytes.len == VAULT_PUBLIC_BYTES, INTEGRITY);
    memcpy(ret_key, bytes.ptr, VAULT_PUBLIC_BYTES);
    return OK;
}

static struct status
open_log(const char *dir, char ret_origin[static VAULT_NAME_MAX], struct audit **ret_audit)
{
    struct audit_options o = {.publish_ns = NEVER_NS, .signer = {.sign = sign_nothing}};
    DEFER(file_freep) char *log = file_join(dir, "audit");
    TRY(read_public_key(dir, o.signer.public_key));
    vault_name_of(o.signer.public_key, ret_origin);
    o.signer.origin = ret_origin;
    CHECK(file_exists(log), NOT_FOUND);
    return audit_open(log, &o, NULL, ret_audit);
}

static struct status
append(const char *dir, const struct audit_event *e)
{
    char origin[VAULT_NAME_MAX];
    struct audit *audit = NULL;
    DEFER(buf_done) struct buf entry;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    audit_event_put(e, &entry);
    TRY(buf_status(&entry));
    TRY(open_log(dir, origin, &audit));
    const struct status s = audit_append(audit, buf_view(&entry), NULL);
    const struct status unsigned_yet = audit_close(audit, NULL);
    (void)unsigned_yet;
    return s;
}

void
workspace_audit_unopened(const char *dir, const char *principal, const struct workspace_act *act)
{
    char user[WORKSPACE_USER_MAX];
    if (principal == NULL) {
        workspace_user(user);
        principal = user;
    }
    const struct audit_event e = {.time_ns = clock_wall_ns(),
                                  .principal = principal,
                                  .action = act->action,
                                  .resource = act->resource,
                                  .reason = act->reason,
                                  .allow = !act->refused};
    const struct status ignored = append(dir, &e);
    (void)ignored;
}

struct status
workspace_tell_unopened(const char *dir, const char *principal, const char *for_what,
                        struct status s, const struct diag *diag)
{
    char why[512], reason[640];
    if (status_ok(s) || s.code == STATUS_MEMORY) {
        return s;
    }
    diag_describe(diag, s, why, sizeof why);
    (void)snprintf(reason, sizeof reason, "not opened for=\"%.64s\": %s", for_what, why);
    const struct workspace_act act = {
        .action = "key.use", .resource = "keys/workspace", .reason = reason, .refused = true};
    workspace_audit_unopened(dir, principal, &act);
    return s;
}
