#include "govern/cosign.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "govern/tile.h"
#include "govern/witness.h"
#include "govern/witnessed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_LINES 64u /* behind a checkpoint: half of what a reader takes */
#define TRIES 3        /* of one question: the witness may be asked by others meanwhile */
#define ADD "/add-checkpoint"
#define CA_FILE "ca-file="

bool
cosign_is_grave(enum cosign_outcome o)
{
    return o == COSIGN_ROLLED || o == COSIGN_FORKED || o == COSIGN_LIED;
}

const char *
cosign_word(enum cosign_outcome o)
{
    static const char *const words[] = {
        "cosigns", "is absent", "refuses", "knows a larger log", "knows another log", "lies"};
    return words[o];
}

/* ---- configuration ---- */

static struct status
refuse(struct diag *diag, const char *why)
{
    diag_set(diag, "%s; a witness is written: URL VKEY [DURATION] [ca-file=PATH]", why);
    FAIL(INPUT);
}

static struct status
parse_rest(struct view word, struct cosign_witness *w, struct diag *diag)
{
    const size_t n = sizeof CA_FILE - 1;
    if (word.len > n && memcmp(word.ptr, CA_FILE, n) == 0) {
        const struct view path = view_of(word.ptr + n, word.len - n);
        return text_copy_view(w->ca_file, sizeof w->ca_file, path) ? OK : refuse(diag, "a path too long");
    }
    if (!status_ok(text_to_duration_ns(word, &w->timeout_ns)) || w->timeout_ns < NS_PER_S / 10 ||
        w->timeout_ns > 60 * NS_PER_S) {
        return refuse(diag, "its deadline is a duration from 100ms to 60s");
    }
    return OK;
}

struct status
cosign_parse(struct view item, struct diag *diag, struct cosign_witness *ret_witness)
{
    struct cosign_witness w = {.timeout_ns = COSIGN_TIMEOUT_NS};
    struct diag why = {0};
    struct view url = text_next_word(&item);
    while (url.len > 0 && url.ptr[url.len - 1] == '/') {
        url.len--;
    }
    if (url.len == 0 || !text_copy_view(w.url, COSIGN_URL_MAX - sizeof ADD + 1, url)) {
        return refuse(diag, "no URL, or one too long");
    }
    (void)strcat(w.url, ADD);
    if (!status_ok(note_parse_cosigner(text_next_word(&item), &why, &w.key))) {
        diag_prefix(&why, "its verifier key");
        return refuse(diag, why.text);
    }
    for (struct view word = text_next_word(&item); word.len > 0; word = text_next_word(&item)) {
        TRY(parse_rest(word, &w, diag));
    }
    *ret_witness = w;
    return OK;
}

/* ---- asking ---- */

struct question {
    const char *dir;
    const struct cosign_witness *w;
    struct view note, text;
    struct checkpoint checkpoint;
    struct diag *diag;
};

static struct status
put_request(const struct question *q, uint64_t old, struct buf *b)
{
    DEFER(memory_freep) struct tile_source *tiles = calloc(1, sizeof *tiles);
    DEFER(memory_freep) struct witness_request *r = calloc(1, sizeof *r);
    struct digest path[MERKLE_PATH_MAX];
    CHECK(tiles != NULL && r != NULL, MEMORY);
    *tiles = (struct tile_source){.dir = q->dir, .size = q->checkpoint.size, .diag = q->diag};
    TRY(merkle_prove_consistency((struct merkle_source){tile_node, tiles}, old, q->checkpoint.size,
                                 path, &r->n));
    CHECK(r->n <= WITNESS_PATH_MAX, LIMIT);
    memcpy(r->path, path, r->n * sizeof *path);
    r->old = old;
    r->note = q->note;
    witness_put_request(b, r);
    return buf_status(b);
}

/* Its own line out of its answer, the newest; what others' keys have said is not taken. */
static void
take_line(const struct question *q, struct view lines, struct buf *ret_line)
{
    uint64_t newest = 0;
    for (size_t at = 0; at < lines.len;) {
        const uint8_t *end = memchr(lines.ptr + at, '\n', lines.len - at);
        const size_t n = end == NULL ? lines.len - at : (size_t)(end - lines.ptr) - at + 1;
        struct note_signed found;
        struct view text;
        DEFER(buf_done) struct buf one;
        buf_init(&one, NOTE_MAX);
        buf_put(&one, q->text);
        buf_put_u8(&one, '\n');
        buf_put(&one, view_of(lines.ptr + at, n));
        if (status_ok(note_open_any(buf_view(&one), &q->w->key, 1, NULL, &found, &text)) &&
            found.time > newest) {
            newest = found.time;
            buf_reset(ret_line);
            buf_put(ret_line, view_of(lines.ptr + at, n));
        }
        at += n;
    }
}

static enum cosign_outcome
check_answer(const struct question *q, struct view lines, struct buf *ret_line)
{
    const uint64_t now = (uint64_t)(clock_wall_ns() / NS_PER_S);
    struct note_signed found;
    struct view text;
    struct diag why = {0};
    DEFER(buf_done) struct buf all;
    buf_init(&all, NOTE_MAX);
    buf_put(&all, q->text);
    buf_put_u8(&all, '\n');
    buf_put(&all, lines);
    if (!status_ok(note_open_any(buf_view(&all), &q->w->key, 1, &why, &found, &text)) ||
        text.len != q->text.len) {
        diag_set(q->diag, "it answered with no cosignature of the checkpoint with %llu entries: %s",
                 (unsigned long long)q->checkpoint.size, why.text);
        return COSIGN_LIED;
    }
    if (found.time + COSIGN_CLOCK_S < now || found.time > now + COSIGN_CLOCK_S) {
        diag_set(
            q->diag,
            "its cosignature has the time %llu, here it is %llu: one of the two clocks is wrong",
            (unsigned long long)found.time, (unsigned long long)now);
        return COSIGN_LIED;
    }
    take_line(q, lines, ret_line);
    return status_ok(buf_status(ret_line)) && ret_line->len > 0 ? COSIGN_SIGNED : COSIGN_ABSENT;
}

/* The size that it has cosigned, out of a 409. */
static enum cosign_outcome
take_size(const struct question *q, struct view body, uint64_t *known, bool *ret_again)
{
    uint64_t size = 0;
    const struct view line = text_first_line(body);
    if (line.len == 0 || line.len + 1 != body.len || !status_ok(text_to_u64(line, &size))) {
        diag_set(q->diag, "it answered 409 without the size that it has cosigned");
        return COSIGN_LIED;
    }
    if (size > q->checkpoint.size) {
        diag_set(q->diag,
                 "it has cosigned %llu entries of this log, which has %llu now: the log was rolled "
                 "back, or the witness lies",
                 (unsigned long long)size, (unsigned long long)q->checkpoint.size);
        return COSIGN_ROLLED;
    }
    if (size == *known) {
        diag_set(q->diag, "it answered 409 with the size that it was asked from, %llu",
                 (unsigned long long)size);
        return COSIGN_LIED;
    }
    *known = size;
    *ret_again = true;
    diag_set(q->diag, "others move it on faster than it is asked");
    return COSIGN_ABSENT;
}

static enum cosign_outcome
judge(const struct question *q, unsigned status, const struct buf *answer, uint64_t *known,
      bool *ret_again, struct buf *ret_line)
{
    char said[161];
    (void)snprintf(said, sizeof said, "%.160s", buf_str(answer));
    said[strcspn(said, "\r\n")] = '\0';
    switch (status) {
    case 200: {
        const enum cosign_outcome o = check_answer(q, buf_view(answer), ret_line);
        *known = o == COSIGN_SIGNED ? q->checkpoint.size : *known;
        return o;
    }
    case 409:
        return take_size(q, buf_view(answer), known, ret_again);
    case 422:
        diag_set(q->diag,
                 "it has cosigned another tree than this log's first %llu entries: the log was "
                 "forked, or the witness lies (422: %s)",
                 (unsigned long long)*known, said);
        return COSIGN_FORKED;
    case 400:
    case 403:
    case 404:
        diag_set(q->diag, "it answered %u: %s", status, said);
        return COSIGN_REFUSED;
    default:
        diag_set(q->diag, "it answered %u: %s", status, said);
        return COSIGN_ABSENT;
    }
}

static enum cosign_outcome
ask_once(const struct question *q, const struct cosign_post *post, uint64_t *known, bool *ret_again,
         struct buf *ret_line)
{
    unsigned status = 0;
    DEFER(buf_done) struct buf body;
    DEFER(buf_done) struct buf answer;
    buf_init(&body, WITNESS_REQUEST_MAX);
    buf_init(&answer, COSIGN_LINES_MAX);
    *ret_again = false;
    struct status s = put_request(q, *known, &body);
    s = status_ok(s) ? post->post(post->ctx, q->w, buf_view(&body), q->diag, &status, &answer) : s;
    if (!status_ok(s)) {
        char text[sizeof q->diag->text];
        diag_describe(q->diag, s, text, sizeof text);
        diag_set(q->diag, "%s", text);
        return COSIGN_ABSENT;
    }
    return judge(q, status, &answer, known, ret_again, ret_line);
}

enum cosign_outcome
cosign_ask(const char *dir, const struct cosign_witness *w, struct view note,
           const struct cosign_post *post, uint64_t *known, struct diag *diag, struct buf *ret_line)
{
    struct question q = {.dir = dir, .w = w, .note = note, .diag = diag};
    struct view lines;
    enum cosign_outcome o = COSIGN_ABSENT;
    bool again = true;
    if (!status_ok(note_split(note, diag, &q.text, &lines)) ||
        !status_ok(checkpoint_parse(q.text, diag, &q.checkpoint))) {
        return COSIGN_ABSENT;
    }
    *known = *known > q.checkpoint.size ? 0 : *known; /* then it says how far it is */
    for (int i = 0; i < TRIES && again; i++) {
        o = ask_once(&q, post, known, &again, ret_line);
    }
    return o;
}

/* ---- keeping ---- */

struct status
cosign_checkpoint(const char *dir, struct diag *diag, struct buf *ret_note, struct view *ret_text)
{
    DEFER(file_freep) char *path = file_join(dir, "checkpoint");
    struct view lines;
    buf_reset(ret_note);
    TRY(file_read(path, NOTE_MAX, diag, ret_note));
    return note_split(buf_view(ret_note), diag, ret_text, &lines);
}

/* What is to take a file's place is written and synced before the lock is asked for: whoever
 * appends waits for a rename, and for no disk. */
struct exchange {
    const char *dir, *name;
    struct view bytes;
    /* Under the lock: may it, with what stands there now? */
    bool (*may)(void *ctx, struct view there);
    void *ctx;
};

static struct status
exchange_locked(const struct exchange *x, const struct file_draft *d, struct diag *diag,
                bool *ret_done)
{
    DEFER(file_freep) char *lock_path = file_join(x->dir, "lock");
    DEFER(file_closep) int lock = -1;
    DEFER(buf_done) struct buf there;
    buf_init(&there, NOTE_MAX);
    TRY(file_lock(lock_path, true, diag, &lock));
    const struct status read = file_read(d->path, NOTE_MAX, NULL, &there);
    CHECK(status_ok(read) || read.code == STATUS_NOT_FOUND, IO);
    *ret_done = x->may(x->ctx, buf_view(&there));
    if (*ret_done && rename(d->tmp, d->path) != 0) {
        return file_refuse_os(d->path, errno, diag);
    }
    return OK;
}

static struct status
exchange(const struct exchange *x, struct diag *diag, bool *ret_done)
{
    DEFER(file_freep) char *path = file_join(x->dir, x->name);
    DEFER(file_draft_done) struct file_draft d = {0};
    TRY(file_draft_open(path, 0600, diag, &d));
    CHECK(d.tmp != NULL, IO);
    TRY(file_write_all(d.fd, x->bytes, path, diag));
    if (fsync(d.fd) != 0) {
        return file_refuse_os(path, errno, diag);
    }
    TRY(exchange_locked(x, &d, diag, ret_done));
    return *ret_done ? file_sync_dir(path, diag) : OK;
}

static bool
is_unchanged(void *ctx, struct view there)
{
    return view_equal(there, buf_view(ctx));
}

static size_t
count_lines(struct view lines)
{
    size_t n = 0;
    for (size_t i = 0; i < lines.len; i++) {
        n += lines.ptr[i] == '\n';
    }
    return n;
}

/* The checkpoint that stands there, grown by the lines. */
static struct status
grow(struct view note, struct view lines, struct diag *diag, struct buf *ret_grown)
{
    struct view text, there;
    TRY(note_split(note, diag, &text, &there));
    if (count_lines(there) + count_lines(lines) > MOST_LINES) {
        diag_set(diag, "checkpoint: more than %u signatures: lines of strangers?", MOST_LINES);
        FAIL(LIMIT);
    }
    buf_reset(ret_grown);
    buf_put(ret_grown, note);
    buf_put(ret_grown, lines);
    return buf_status(ret_grown);
}

struct status
cosign_add(const char *dir, struct view text, struct view lines, struct diag *diag)
{
    DEFER(buf_done) struct buf note;
    DEFER(buf_done) struct buf grown;
    struct view there;
    bool done = false;
    buf_init(&note, NOTE_MAX);
    buf_init(&grown, NOTE_MAX);
    for (int i = 0; i < TRIES && !done; i++) {
        TRY(cosign_checkpoint(dir, diag, &note, &there));
        if (!view_equal(there, text)) {
            return OK; /* the log has gone on */
        }
        TRY(grow(buf_view(&note), lines, diag, &grown));
        TRY(exchange(&(struct exchange){dir, "checkpoint", buf_view(&grown), is_unchanged, &note},
                     diag, &done));
    }
    return OK;
}

static bool
is_not_larger(void *ctx, struct view there)
{
    const struct checkpoint *ours = ctx;
    struct view text, lines;
    struct checkpoint c;
    return !status_ok(note_split(there, NULL, &text, &lines)) ||
           !status_ok(checkpoint_parse(text, NULL, &c)) || c.size <= ours->size;
}

struct status
cosign_keep(const char *dir, struct view note, struct diag *diag)
{
    struct view text, lines;
    struct checkpoint c;
    bool done = false;
    TRY(note_split(note, diag, &text, &lines));
    TRY(checkpoint_parse(text, diag, &c));
    return exchange(&(struct exchange){dir, WITNESSED_FILE, note, is_not_larger, &c}, diag, &done);
}
