/* A log's state is one file, its newest checkpoint with the log's own signatures, replaced whole
 * and synced before anything is signed. So whatever was signed is on disk, or something newer that
 * grew from it is: killed at any moment, the next start begins where nothing can be signed twice.
 */
#include "govern/witness.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "govern/witness_key.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX 4096u /* ours: of ML-DSA-44 some 3,600 bytes */
#define PROBLEM "text/plain; charset=utf-8"

/* What it knows of one log. */
struct memory {
    char *path;
    uint64_t size; /* 0 and the root of nothing: it never cosigned one */
    struct digest root;
    struct buf note;     /* the checkpoint's text and the log's signature lines; empty: none */
    struct buf cosigned; /* and our own line, made when it was asked for; empty: not yet */
};

struct witness {
    char *dir;
    int lock_fd;
    struct witness_key *key;
    struct note_key *logs; /* keys; those of one name are one log */
    size_t n;
    struct memory *memory; /* of logs[i]; of several keys, the first one's */
    pthread_mutex_t lock;  /* of all memory: nothing is signed beside anything else */
};

/* ---- its key ---- */

struct status
witness_make(const char *dir, enum note_type type, const char *name, struct diag *diag,
             struct note_key *ret_key)
{
    DEFER(file_freep) char *path = file_join(dir, "key");
    DEFER(file_freep) char *logs = file_join(dir, "logs");
    DEFER(file_closep) int lock = -1;
    DEFER(file_freep) char *lock_path = file_join(dir, "lock");
    TRY(file_mkdirs(logs, 0700, diag));
    TRY(file_lock(lock_path, false, diag, &lock));
    if (file_exists(path)) {
        diag_set(diag, "%s: there is a key already, and logs may count on it", path);
        FAIL(EXISTS);
    }
    return witness_key_make(dir, type, name, diag, ret_key);
}

const struct note_key *
witness_key(const struct witness *w)
{
    return witness_key_public(w->key);
}

static struct status
cosign(const struct witness *w, struct view text, struct buf *b)
{
    const int64_t now = clock_wall_ns() / NS_PER_S;
    CHECK(now > 0, IO);
    return witness_key_cosign(w->key, text, (uint64_t)now, b);
}

/* ---- what it remembers ---- */

static size_t
log_of(const struct witness *w, const char *origin)
{
    for (size_t i = 0; i < w->n; i++) {
        if (strcmp(w->logs[i].name, origin) == 0) {
            return i;
        }
    }
    return w->n;
}

/* The keys of that log, side by side. */
static size_t
keys_of(const struct witness *w, size_t log, struct note_key *ret_keys)
{
    size_t n = 0;
    for (size_t i = log; i < w->n; i++) {
        if (strcmp(w->logs[i].name, w->logs[log].name) == 0) {
            ret_keys[n++] = w->logs[i];
        }
    }
    return n;
}

static void
origin_hash(const char *origin, struct buf *ret_hex)
{
    struct digest d;
    digest_of(view_str(origin), &d);
    digest_put_hex(ret_hex, &d);
}

static char *
memory_path(const char *dir, const char *origin)
{
    DEFER(buf_done) struct buf name;
    buf_init(&name, 128);
    buf_put_str(&name, "logs/");
    origin_hash(origin, &name);
    return file_join(dir, buf_str(&name));
}

/* The note's signature by one of the log's keys. */
static struct status
open_note(const struct witness *w, size_t log, struct view note, struct diag *diag,
          struct view *ret_text)
{
    DEFER(memory_freep) struct note_key *keys = calloc(w->n, sizeof *keys);
    DEFER(memory_freep) struct note_signed *found = calloc(w->n, sizeof *found);
    CHECK(keys != NULL && found != NULL, MEMORY);
    return note_open_any(note, keys, keys_of(w, log, keys), diag, found, ret_text);
}

static struct status
remember(struct witness *w, size_t log, struct diag *diag)
{
    struct memory *m = &w->memory[log];
    struct view text;
    struct checkpoint c;
    merkle_root(NULL, 0, &m->root);
    buf_init(&m->note, NOTE_MAX);
    buf_init(&m->cosigned, NOTE_MAX + LINE_MAX);
    m->path = memory_path(w->dir, w->logs[log].name);
    const struct status read = file_read(m->path, NOTE_MAX, diag, &m->note);
    if (read.code == STATUS_NOT_FOUND) {
        return OK;
    }
    TRY(read);
    struct status s = open_note(w, log, buf_view(&m->note), diag, &text);
    s = status_ok(s) ? checkpoint_parse(text, diag, &c) : s;
    if (status_ok(s) && strcmp(c.origin, w->logs[log].name) != 0) {
        diag_set(diag, "it is of another log than its name says");
        s = FAILURE(INTEGRITY);
    }
    if (!status_ok(s)) {
        diag_prefix(diag, "%s (log %s)", m->path, w->logs[log].name);
        return s;
    }
    m->size = c.size;
    m->root = c.root;
    return OK;
}

/* ---- open and close ---- */

void
witness_free(struct witness *w)
{
    if (w == NULL) {
        return;
    }
    for (size_t i = 0; w->memory != NULL && i < w->n; i++) {
        free(w->memory[i].path);
        buf_done(&w->memory[i].note);
        buf_done(&w->memory[i].cosigned);
    }
    witness_key_free(w->key);
    (void)pthread_mutex_destroy(&w->lock);
    file_closep(&w->lock_fd);
    free(w->memory);
    free(w->logs);
    free(w->dir);
    free(w);
}

static struct status
take_folder(struct witness *w, struct diag *diag)
{
    DEFER(file_freep) char *path = file_join(w->dir, "lock");
    DEFER(file_freep) char *logs = file_join(w->dir, "logs");
    DEFER(file_freep) char *key = file_join(w->dir, "key");
    if (!file_exists(key) || !file_exists(logs)) {
        diag_set(diag,
                 "%s: no witness is there, or what it remembered is gone: \"steward witness key "
                 "DIR\" makes a new one, in a new folder and with a new key",
                 w->dir);
        FAIL(NOT_FOUND);
    }
    const struct status locked = file_lock(path, false, diag, &w->lock_fd);
    if (locked.code == STATUS_BUSY) {
        diag_set(diag, "%s: another process is this witness; stop it first", w->dir);
    }
    return locked;
}

static struct status
open_in(struct witness *w, struct diag *diag)
{
    TRY(take_folder(w, diag));
    TRY(witness_key_read(w->dir, diag, &w->key));
    for (size_t i = 0; i < w->n; i++) {
        if (log_of(w, w->logs[i].name) == i) {
            TRY(remember(w, i, diag));
        }
    }
    return OK;
}

struct status
witness_open(const char *dir, const struct note_key *logs, size_t n, struct diag *diag,
             struct witness **ret_witness)
{
    DEFER(witness_freep) struct witness *w = calloc(1, sizeof *w);
    CHECK(w != NULL, MEMORY);
    w->lock_fd = -1;
    (void)pthread_mutex_init(&w->lock, NULL);
    CHECK(n > 0 && n <= WITNESS_LOGS, LIMIT);
    w->dir = strdup(dir);
    w->n = n;
    w->logs = calloc(n, sizeof *w->logs);
    w->memory = calloc(n, sizeof *w->memory);
    CHECK(w->dir != NULL && w->logs != NULL && w->memory != NULL, MEMORY);
    memcpy(w->logs, logs, n * sizeof *logs);
    TRY(open_in(w, diag));
    *ret_witness = MOVE(w);
    return OK;
}

/* ---- answers ---- */

static void
answer(struct witness_answer *a, unsigned status, const char *sentence)
{
    a->status = status;
    a->type = PROBLEM;
    buf_reset(&a->body);
    buf_printf(&a->body, "%s\n", sentence);
}

static void
answer_size(struct witness_answer *a, uint64_t size)
{
    a->status = 409;
    a->type = "text/x.tlog.size";
    buf_reset(&a->body);
    buf_printf(&a->body, "%llu\n", (unsigned long long)size);
}

/* What is kept of a note: its text and the log's own lines, which have all been verified, not the
 * lines of whoever else. */
static struct status
keep_lines(const struct witness *w, size_t log, struct view note, struct buf *ret_note)
{
    struct view text, lines;
    TRY(note_split(note, NULL, &text, &lines));
    buf_put(ret_note, text);
    buf_put_u8(ret_note, '\n');
    for (size_t at = 0; at < lines.len;) {
        const uint8_t *end = memchr(lines.ptr + at, '\n', lines.len - at);
        const size_t n = end == NULL ? lines.len - at : (size_t)(end - lines.ptr) - at + 1;
        DEFER(buf_done) struct buf one;
        struct view opened;
        buf_init(&one, NOTE_MAX);
        buf_put(&one, text);
        buf_put_u8(&one, '\n');
        buf_put(&one, view_of(lines.ptr + at, n));
        if (status_ok(open_note(w, log, buf_view(&one), NULL, &opened))) {
            buf_put(ret_note, view_of(lines.ptr + at, n));
        }
        at += n;
    }
    return buf_status(ret_note);
}

/* The file first; then what is in memory; then the signature. */
static struct status
advance(struct witness *w, size_t log, const struct checkpoint *c, struct view note,
        struct diag *diag)
{
    struct memory *m = &w->memory[log];
    DEFER(buf_done) struct buf kept;
    buf_init(&kept, NOTE_MAX);
    TRY(keep_lines(w, log, note, &kept));
    TRY(file_replace(m->path, buf_view(&kept), 0600, diag));
    buf_reset(&m->note);
    buf_put(&m->note, buf_view(&kept));
    TRY(buf_status(&m->note));
    buf_reset(&m->cosigned);
    m->size = c->size;
    m->root = c->root;
    return OK;
}

/* Our line under what is remembered. */
static struct status
cosign_kept(const struct witness *w, struct memory *m, struct view text, struct buf *ret_line)
{
    TRY(cosign(w, text, ret_line));
    buf_reset(&m->cosigned);
    buf_put(&m->cosigned, buf_view(&m->note));
    buf_put(&m->cosigned, buf_view(ret_line));
    return buf_status(&m->cosigned);
}

static void
grow(struct witness *w, size_t log, const struct checkpoint *c, struct view note, struct view text,
     struct witness_answer *a)
{
    struct memory *m = &w->memory[log];
    struct diag diag = {0};
    /* The same tree again: what stands there is durable, but its extension lines may differ. */
    const bool same = m->note.len > text.len && m->note.ptr[text.len] == '\n' &&
                      memcmp(m->note.ptr, text.ptr, text.len) == 0;
    struct status s = same ? OK : advance(w, log, c, note, &diag);
    if (status_ok(s)) {
        buf_reset(&a->body);
        s = cosign_kept(w, m, text, &a->body);
    }
    if (!status_ok(s)) {
        answer(a, 500, "the witness could not keep the checkpoint; it was not cosigned");
        return;
    }
    a->status = 200;
    a->type = PROBLEM;
    a->known = m->size;
}

/* In the order of tlog-witness. */
static void
judge(struct witness *w, const struct witness_request *q, size_t log, const struct checkpoint *c,
      struct view text, struct witness_answer *a)
{
    const struct memory *m = &w->memory[log];
    a->known = m->size;
    if (q->old > c->size) {
        answer(a, 400, "the old size is larger than the checkpoint's");
    } else if (q->old != m->size) {
        answer_size(a, m->size);
    } else if (!merkle_check_consistency(m->size, &m->root, c->size, &c->root, q->path, q->n)) {
        answer(a, 422,
               m->size == c->size ? "this is not the tree of that size that was cosigned before"
                                  : "the proof does not lead from what was cosigned before to this "
                                    "checkpoint");
    } else {
        grow(w, log, c, q->note, text, a);
    }
}

static void
add(struct witness *w, struct view body, struct witness_answer *a)
{
    struct diag diag = {0};
    struct witness_request q;
    struct checkpoint c;
    struct view text, lines;
    struct status s = witness_parse_request(body, &diag, &q);
    s = status_ok(s) ? note_split(q.note, &diag, &text, &lines) : s;
    s = status_ok(s) ? checkpoint_parse(text, &diag, &c) : s;
    if (!status_ok(s)) {
        answer(a, 400, diag.text);
        return;
    }
    text_copy(a->origin, sizeof a->origin, c.origin);
    a->size = c.size;
    const size_t log = log_of(w, c.origin);
    if (log == w->n) {
        answer(a, 404, "this witness does not know that log");
        return;
    }
    s = open_note(w, log, q.note, &diag, &text);
    if (!status_ok(s)) {
        answer(a, s.code == STATUS_MEMORY ? 500 : 403, diag.text);
        return;
    }
    (void)pthread_mutex_lock(&w->lock);
    judge(w, &q, log, &c, text, a);
    (void)pthread_mutex_unlock(&w->lock);
}

static void
answer_begin(struct witness_answer *ret_answer)
{
    *ret_answer = (struct witness_answer){0};
    buf_init(&ret_answer->body, NOTE_MAX + LINE_MAX);
}

void
witness_add(struct witness *w, struct view body, struct witness_answer *ret_answer)
{
    answer_begin(ret_answer);
    add(w, body, ret_answer);
}

/* After a start nothing is cosigned yet; what is remembered was, or may be. */
static void
read_kept(struct witness *w, struct memory *m, struct witness_answer *a)
{
    DEFER(buf_done) struct buf line;
    struct view text, lines;
    buf_init(&line, NOTE_MAX);
    struct status s = OK;
    if (m->cosigned.len == 0) {
        s = note_split(buf_view(&m->note), NULL, &text, &lines);
        s = status_ok(s) ? cosign_kept(w, m, text, &line) : s;
    }
    if (!status_ok(s)) {
        answer(a, 500, "the witness could not cosign what it keeps");
        return;
    }
    a->status = 200;
    a->type = PROBLEM;
    buf_put(&a->body, buf_view(&m->cosigned));
}

void
witness_read(struct witness *w, struct view hash, struct witness_answer *ret_answer)
{
    answer_begin(ret_answer);
    (void)pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->n && ret_answer->status == 0; i++) {
        DEFER(buf_done) struct buf own;
        buf_init(&own, 128);
        origin_hash(w->logs[i].name, &own);
        if (w->memory[i].note.len > 0 && view_equal(hash, buf_view(&own))) {
            read_kept(w, &w->memory[i], ret_answer);
        }
    }
    (void)pthread_mutex_unlock(&w->lock);
    if (ret_answer->status == 0) {
        answer(ret_answer, 404, "this witness has cosigned no checkpoint of such a log");
    }
}
