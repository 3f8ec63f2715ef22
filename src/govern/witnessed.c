#include "govern/witnessed.h"

#include "base/file.h"
#include "base/text.h"
#include "govern/audit.h"
#include "govern/tree.h"

#include <string.h>

static struct status
read_note(const char *dir, const char *name, struct diag *diag, struct buf *ret_note)
{
    DEFER(file_freep) char *path = file_join(dir, name);
    return file_read(path, NOTE_MAX, diag, ret_note);
}

/* By the name that an unsigned look at the note gives: who signed it is checked with the key. */
static struct status
vkey_for(const struct quorum *q, struct view note, struct diag *diag, struct buf *ret_vkey)
{
    struct view text, lines;
    struct checkpoint c;
    if (quorum_logs(q) == 0) {
        diag_set(diag, "the policy names no log: give its key, too (--vkey)");
        FAIL(NOT_FOUND);
    }
    TRY(note_split(note, diag, &text, &lines));
    TRY(checkpoint_parse(text, diag, &c));
    const struct note_key *log = quorum_log(q, c.origin);
    if (log == NULL) {
        diag_set(diag, "checkpoint: byte 0: the policy names no log \"%s\"", c.origin);
        FAIL(INTEGRITY);
    }
    note_put_vkey(log, ret_vkey);
    return buf_status(ret_vkey);
}

struct status
witnessed_vkey(const char *dir, const struct quorum *q, struct diag *diag, struct buf *ret_vkey)
{
    DEFER(buf_done) struct buf note;
    buf_init(&note, NOTE_MAX);
    TRY(read_note(dir, "checkpoint", diag, &note));
    return vkey_for(q, buf_view(&note), diag, ret_vkey);
}

/* The key that signs the log: given, else the policy's. */
static struct status
log_key(const char *vkey, const struct quorum *q, struct view note, struct diag *diag,
        struct note_key *ret_key)
{
    DEFER(buf_done) struct buf own;
    buf_init(&own, 4096);
    if (vkey == NULL) {
        TRY(vkey_for(q, note, diag, &own));
        vkey = buf_str(&own);
    }
    const struct status s = note_parse_vkey(text_first_line(view_str(vkey)), diag, ret_key);
    if (!status_ok(s)) {
        diag_prefix(diag, "--vkey");
    }
    return s;
}

/* Signed by the log's key, whatever the policy says of logs; and held against the policy. */
static struct status
judge(const struct quorum *q, const struct note_key *key, struct view note, const char *file,
      struct diag *diag, struct quorum_verdict *ret_verdict)
{
    struct checkpoint c;
    struct status s = checkpoint_open(note, key, diag, &c);
    s = status_ok(s) ? quorum_check(q, key, note, diag, ret_verdict) : s;
    if (!status_ok(s)) {
        diag_prefix(diag, "%s", file);
    }
    return s;
}

/* The newest that had a quorum: it counts when the tree of now begins with its. */
static struct status
judge_kept(const char *dir, const struct quorum *q, const struct note_key *key, struct diag *diag,
           struct witnessed *w)
{
    struct quorum_verdict kept;
    const struct checkpoint now = w->verdict.checkpoint;
    DEFER(buf_done) struct buf note;
    buf_init(&note, NOTE_MAX);
    const struct status read = read_note(dir, WITNESSED_FILE, NULL, &note);
    if (read.code == STATUS_NOT_FOUND) {
        return OK;
    }
    TRY(read);
    TRY(judge(q, key, buf_view(&note), WITNESSED_FILE, diag, &kept));
    if (!kept.met) {
        return OK;
    }
    TRY(tree_check_extends(dir, &kept.checkpoint, &now, diag));
    w->behind = now.size - kept.checkpoint.size;
    w->verdict = kept;
    return OK;
}

struct status
witnessed_log(const char *dir, const char *vkey, const struct quorum *q, struct diag *diag,
              struct witnessed *ret)
{
    struct note_key key;
    struct witnessed w = {0};
    DEFER(buf_done) struct buf note;
    buf_init(&note, NOTE_MAX);
    TRY(read_note(dir, "checkpoint", diag, &note));
    TRY(log_key(vkey, q, buf_view(&note), diag, &key));
    TRY(judge(q, &key, buf_view(&note), "checkpoint", diag, &w.verdict));
    w.entries = w.verdict.checkpoint.size;
    if (!w.verdict.met) {
        w.behind = w.entries;
        TRY(judge_kept(dir, q, &key, diag, &w));
    }
    *ret = w;
    return OK;
}

/* Behind the first empty line of a proof. */
static struct view
note_of(struct view proof)
{
    const uint8_t *end = memmem(proof.ptr, proof.len, "\n\n", 2);
    return end == NULL ? view_str("") : view_of(end + 2, proof.len - (size_t)(end + 2 - proof.ptr));
}

struct status
witnessed_proof(const char *vkey, const struct quorum *q, struct view entry, struct view proof,
                struct diag *diag, struct quorum_verdict *ret_verdict)
{
    struct note_key key;
    struct quorum_verdict v;
    const struct view note = note_of(proof);
    DEFER(buf_done) struct buf text;
    buf_init(&text, 4096);
    TRY(log_key(vkey, q, note, diag, &key));
    note_put_vkey(&key, &text);
    TRY(buf_status(&text));
    TRY(audit_check_proof(buf_str(&text), entry, proof, diag));
    TRY(judge(q, &key, note, "the proof's checkpoint", diag, &v));
    if (!v.met) {
        diag_set(diag,
                 "the receipt's checkpoint is cosigned by %zu of the policy's %zu witnesses, which "
                 "is no quorum; missing: %s",
                 v.cosigned, v.witnesses, v.missing);
        FAIL(INTEGRITY);
    }
    *ret_verdict = v;
    return OK;
}
