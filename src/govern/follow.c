#include "govern/follow.h"

#include "base/clock.h"
#include "base/file.h"

struct taking {
    struct follow *f;
    struct status (*each)(void *ctx, uint64_t index, struct view entry);
    void *ctx;
};

#define SETTLED_NS                                                                                 \
    (NS_PER_S / 10) /* more than a file system's clock takes between two of its times */

/* A journal that was just written can be written again at the same time, and be as long. */
static bool
is_settled(const struct stat *s)
{
    const int64_t written = s->st_mtim.tv_sec * NS_PER_S + s->st_mtim.tv_nsec,
                  age = clock_wall_ns() - written;
    return age > SETTLED_NS;
}

static bool
is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Looked at before the log is read: what changes meanwhile is read again. */
static bool
has_changed(struct follow *f)
{
    struct stat checkpoint = {0}, journal = {0};
    DEFER(file_freep) char *note = file_join(f->dir, "checkpoint");
    DEFER(file_freep) char *pending = file_join(f->dir, "journal");
    const bool there = stat(note, &checkpoint) == 0 && stat(pending, &journal) == 0;
    const bool same = there && f->looked && is_same(&checkpoint, &f->checkpoint) &&
                      is_same(&journal, &f->journal);
    f->checkpoint = checkpoint;
    f->journal = journal;
    f->looked = there && is_settled(&journal);
    return !same;
}

static struct status
take(void *ctx, uint64_t index, struct view entry)
{
    struct taking *t = ctx;
    TRY(t->each(t->ctx, index, entry));
    t->f->next = index + 1;
    return OK;
}

struct status
follow_take(struct follow *f, struct status (*each)(void *ctx, uint64_t index, struct view entry),
            void *ctx, struct diag *diag)
{
    if (!has_changed(f)) {
        return OK;
    }
    struct taking t = {f, each, ctx};
    const struct status s = audit_each(f->dir, f->next, UINT64_MAX, take, &t, diag);
    f->looked = f->looked && status_ok(s);
    return s;
}
