/* The one way that changes of the store go, so that the policies see all of them. */
#include "workspace/policies.h"
#include "workspace/workspace.h"

struct status
workspace_begin(struct workspace *w, struct diag *diag)
{
    TRY(store_begin(w->store, diag));
    const struct status s = policies_before(w, diag);
    if (!status_ok(s)) {
        store_rollback(w->store);
    }
    return s;
}

/* What is refused is undone first: the log then tells of what did not happen. */
static struct status
ask_policies(struct workspace *w, const struct workspace_act *act, struct diag *diag)
{
    const struct status s = policies_after(w, diag);
    policies_forget(w);
    if (!status_ok(s)) {
        store_rollback(w->store);
        return workspace_tell_failure(w, act->action, act->resource, s, diag);
    }
    return OK;
}

struct status
workspace_commit(struct workspace *w, const struct workspace_act *act, struct diag *diag)
{
    TRY(ask_policies(w, act, diag));
    const struct status logged = workspace_audit(w, act, diag);
    if (!status_ok(logged)) {
        store_rollback(w->store);
        return logged;
    }
    const struct status stored = store_commit(w->store, diag);
    if (!status_ok(stored)) {
        /* The log has said too much: let it say so, if it still can. */
        struct workspace_act undone = *act;
        undone.refused = true;
        undone.reason = "not done after all: the store could not be written";
        const struct status ignored = workspace_audit(w, &undone, NULL);
        (void)ignored;
    }
    return stored;
}

static struct status
undo(struct workspace *w, struct status done)
{
    policies_forget(w);
    store_rollback(w->store);
    return done;
}

struct status
workspace_settle(struct workspace *w, struct status done, const struct workspace_act *act,
                 struct diag *diag)
{
    return status_ok(done) ? workspace_commit(w, act, diag) : undo(w, done);
}

struct status
workspace_take_away(struct workspace *w, struct status done, const struct workspace_act *act,
                    struct diag *diag)
{
    if (!status_ok(done)) {
        return undo(w, done);
    }
    TRY(ask_policies(w, act, diag));
    TRY(store_commit(w->store, diag));
    return workspace_audit(w, act, diag);
}
