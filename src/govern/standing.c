/* Reading takes no lock while what it sees fits together. Where it does not, a writer may be at
 * work: the second look is under the shared lock, and final. */
#include "govern/standing.h"

#include "base/file.h"
#include "govern/merkle.h"
#include "govern/witnessed.h"

#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

#define LOCK_TRIES 80

void
standing_done(struct standing *s)
{
    buf_done(&s->note);
    buf_done(&s->journal);
}

static void
pause_shortly(void)
{
    const struct timespec t = {.tv_nsec = 25 * 1000 * 1000};
    (void)nanosleep(&t, NULL);
}

struct status
standing_key(const char *dir, const char *vkey, struct diag *diag, struct note_key *ret_key)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 4096);
    if (vkey != NULL) {
        buf_put_str(&text, vkey);
    } else {
        DEFER(file_freep) char *path = file_join(dir, "vkey");
        TRY(file_read(path, 4096, diag, &text));
    }
    TRY(buf_status(&text));
    while (text.len > 0 && text.ptr[text.len - 1] == '\n') {
        text.len--;
    }
    const struct status s = note_parse_vkey(buf_view(&text), diag, ret_key);
    if (!status_ok(s)) {
        diag_prefix(diag, vkey == NULL ? "vkey" : "--vkey");
    }
    return vkey == NULL && s.code == STATUS_INPUT ? FAILURE(INTEGRITY) : s;
}

static struct status
read_note(struct standing *s, const char *name, struct diag *diag)
{
    DEFER(file_freep) char *path = file_join(s->dir, name);
    buf_reset(&s->note);
    TRY(file_read(path, NOTE_MAX, diag, &s->note));
    const struct status opened = checkpoint_open(buf_view(&s->note), &s->key, diag, &s->checkpoint);
    if (!status_ok(opened)) {
        diag_prefix(diag, "%s", name);
        FAIL(INTEGRITY);
    }
    return OK;
}

static struct status
read_journal(struct standing *s, struct diag *diag)
{
    DEFER(file_freep) char *path = file_join(s->dir, "journal");
    buf_reset(&s->journal);
    const struct status read = file_read(path, JOURNAL_MAX, diag, &s->journal);
    if (read.code == STATUS_NOT_FOUND) {
        diag_set(diag, "journal: byte 0: the file is missing");
        FAIL(INTEGRITY);
    }
    TRY(read);
    const struct status head = journal_read_header(buf_view(&s->journal), diag, &s->header);
    if (!status_ok(head)) {
        diag_prefix(diag, "journal");
        FAIL(INTEGRITY);
    }
    s->records =
        view_of(s->journal.ptr + JOURNAL_HEADER_BYTES, s->journal.len - JOURNAL_HEADER_BYTES);
    journal_scan(s->records, &s->header.chain, s->header.padded, &s->scan);
    s->records.len = s->scan.end;
    return OK;
}

/* Checkpoint and journal must fit. A writer that has published but not yet begun its new journal
 * leaves one that begins before the checkpoint: its first entries are in the tree. */
static struct status
check_fit(const struct standing *s, struct diag *diag)
{
    if (s->header.base == s->checkpoint.size) {
        if (!merkle_equal(&s->header.root, &s->checkpoint.root)) {
            diag_set(diag, "journal: byte 24: its root is not the checkpoint's");
            FAIL(INTEGRITY);
        }
    } else if (s->header.base > s->checkpoint.size) {
        diag_set(diag,
                 "checkpoint: byte 0: it has %llu entries, the journal begins after %llu: an old "
                 "checkpoint was put back",
                 (unsigned long long)s->checkpoint.size, (unsigned long long)s->header.base);
        FAIL(INTEGRITY);
    } else if (s->checkpoint.size - s->header.base > s->scan.count) {
        diag_set(diag, "journal: byte %zu: it ends before the checkpoint (%llu entries) does",
                 JOURNAL_HEADER_BYTES + s->scan.end, (unsigned long long)s->checkpoint.size);
        FAIL(INTEGRITY);
    }
    if (s->scan.state != JOURNAL_WHOLE) {
        diag_set(diag, "journal: byte %zu: the record here does not verify: %s",
                 JOURNAL_HEADER_BYTES + s->scan.end,
                 s->scan.state == JOURNAL_TAMPERED ? "it was changed"
                                                   : "it was changed, or a write was cut off here "
                                                     "(the next start drops it and says so)");
        FAIL(INTEGRITY);
    }
    return OK;
}

static struct status
look(struct standing *s, struct diag *diag)
{
    TRY(read_note(s, "checkpoint", diag));
    TRY(read_journal(s, diag));
    TRY(check_fit(s, diag));
    const uint64_t in_tree = s->checkpoint.size - s->header.base;
    const size_t skipped = journal_skip(s->records, in_tree);
    s->records = view_of(s->records.ptr + skipped, s->records.len - skipped);
    s->pending = s->scan.count - in_tree;
    return OK;
}

/* Of a copy there may be no lock, and then no writer either. One that holds it for seconds is
 * not waited for. */
static void
share_lock(const char *dir, int *ret_fd)
{
    DEFER(file_freep) char *path = file_join(dir, "lock");
    *ret_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    for (int i = 0; *ret_fd >= 0 && i < LOCK_TRIES && flock(*ret_fd, LOCK_SH | LOCK_NB) != 0; i++) {
        pause_shortly();
    }
}

static struct status
begin(const char *dir, const char *vkey, struct diag *diag, struct standing *s)
{
    s->dir = dir;
    buf_init(&s->note, NOTE_MAX);
    buf_init(&s->journal, JOURNAL_MAX);
    return standing_key(dir, vkey, diag, &s->key);
}

struct status
standing_signed(const char *dir, struct diag *diag, struct standing *s)
{
    TRY(begin(dir, NULL, diag, s));
    return read_note(s, "checkpoint", diag);
}

struct status
standing_witnessed(const char *dir, struct diag *diag, struct standing *s)
{
    TRY(begin(dir, NULL, diag, s));
    return read_note(s, WITNESSED_FILE, diag);
}

struct status
standing_take(const char *dir, const char *vkey, struct diag *diag, struct standing *s)
{
    TRY(begin(dir, vkey, diag, s));
    const struct status seen = look(s, NULL);
    if (status_ok(seen)) {
        return seen;
    }
    DEFER(file_closep) int lock = -1;
    share_lock(dir, &lock);
    return look(s, diag);
}
