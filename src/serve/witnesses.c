#include "serve/witnesses.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "govern/witnessed.h"
#include "serve/ticker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_NS (NS_PER_S / 2)
#define LONGEST_WAIT_S 60
#define GRAVE_WAIT_S 10
#define BEHIND_TOLD 10u /* checkpoints without a quorum, before it is told */

/* One witness as we know it. */
struct state {
    uint64_t known; /* size that it has cosigned */
    enum cosign_outcome outcome;
    bool told;      /* the outcome */
    int64_t due_ns; /* not asked again before */
    int64_t wait_s;
    struct digest answered;    /* text that it has cosigned, whatever became of that */
    _Atomic uint64_t cosigned; /* entries */
    _Atomic bool cosigns;      /* the newest answer was a cosignature */
};

struct witnesses {
    pthread_mutex_t lock; /* of next, and, where others than the thread look, of options to key */
    struct witnesses_options *next; /* NULL: nothing new */
    struct witnesses_options *own;  /* those that were set; NULL: the first ones */
    const struct witnesses_options *options;
    char *dir;
    struct audit *audit;
    struct fetcher *fetcher;
    struct ticker *ticker;
    atomic_bool stopping;
    struct state state[COSIGN_WITNESSES];
    struct note_key key[COSIGN_WITNESSES];
    struct digest seen; /* of the text of the checkpoint that was looked at last */
    unsigned kept;      /* cosignatures of what was kept last, and of which text */
    struct digest kept_text;
    bool behind_told;
    _Atomic uint64_t behind;          /* checkpoints that were seen since one had a quorum */
    _Atomic uint64_t entries, quorum; /* of the newest checkpoint; of the newest with a quorum */
};

/* ---- options ---- */

struct status
witnesses_read_ca(struct witnesses_options *o, struct diag *diag)
{
    for (size_t i = 0; i < o->count; i++) {
        buf_init(&o->ca[i], FETCHER_CA_MAX);
        if (o->witness[i].ca_file[0] != '\0') {
            TRY(file_read(o->witness[i].ca_file, FETCHER_CA_MAX, diag, &o->ca[i]));
        }
    }
    return OK;
}

static const struct buf *
find_ca(const struct witnesses_options *read, const char *path)
{
    for (size_t i = 0; i < read->count; i++) {
        if (strcmp(read->witness[i].ca_file, path) == 0) {
            return &read->ca[i];
        }
    }
    return NULL;
}

struct status
witnesses_take_ca(struct witnesses_options *o, const struct witnesses_options *read,
                  struct diag *diag)
{
    for (size_t i = 0; i < o->count; i++) {
        const char *path = o->witness[i].ca_file;
        const struct buf *known = *path == '\0' ? NULL : find_ca(read, path);
        buf_init(&o->ca[i], FETCHER_CA_MAX);
        if (*path != '\0' && known == NULL) {
            diag_set(diag, "audit.witnesses: %s was not read when the server started: restart it",
                     path);
            FAIL(INPUT);
        }
        if (known != NULL) {
            buf_put(&o->ca[i], buf_view(known));
        }
        TRY(buf_status(&o->ca[i]));
    }
    return OK;
}

void
witnesses_options_free(struct witnesses_options *o)
{
    if (o != NULL) {
        for (size_t i = 0; i < COSIGN_WITNESSES; i++) {
            buf_done(&o->ca[i]);
        }
        free(o);
    }
}

size_t
witnesses_needed(const struct witnesses_options *o)
{
    return o->quorum == 0 || o->quorum > o->count ? o->count : o->quorum;
}

/* ---- telling ---- */

static void
enter(const struct witnesses *w, const struct note_key *key, bool good, const char *sentence)
{
    char resource[NOTE_NAME_MAX + 16];
    uint64_t ticket = 0;
    DEFER(buf_done) struct buf entry;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    (void)snprintf(resource, sizeof resource, "witnesses/%s", key->name);
    const struct audit_event e = {.time_ns = clock_wall_ns(),
                                  .action = "witness.cosign",
                                  .resource = resource,
                                  .allow = good,
                                  .reason = sentence};
    audit_event_put(&e, &entry);
    if (!status_ok(buf_status(&entry)) ||
        !status_ok(audit_submit(w->audit, buf_view(&entry), &ticket))) {
        log_event(LOG_ERROR, "witness.unrecorded", "witness=%s", key->name);
    }
}

/* Changes are told, not each answer. */
static void
tell(const struct witnesses *w, size_t i, enum cosign_outcome now, const char *sentence)
{
    const struct state *s = &w->state[i];
    const struct note_key *key = &w->key[i];
    if (s->told && s->outcome == now) {
        return;
    }
    if (now == COSIGN_SIGNED) {
        log_event(LOG_INFO, "witness.cosigns", "witness=%s entries=%llu", key->name,
                  (unsigned long long)s->known);
    } else {
        log_event(cosign_is_grave(now) ? LOG_ERROR : LOG_WARN, "witness.silent",
                  "witness=%s state=\"%s\" reason=\"%s\"", key->name, cosign_word(now), sentence);
    }
    if (cosign_is_grave(now)) {
        enter(w, key, false, sentence);
    } else if (s->told && cosign_is_grave(s->outcome) && now == COSIGN_SIGNED) {
        enter(w, key, true, "it cosigns this log again");
    }
}

static void
tell_behind(struct witnesses *w)
{
    const uint64_t behind = atomic_load(&w->behind);
    if (!w->behind_told && behind >= BEHIND_TOLD) {
        log_event(LOG_WARN, "witness.quorum",
                  "checkpoints=%llu without a quorum of %llu witnesses; entries=%llu of %llu "
                  "witnessed",
                  (unsigned long long)behind, (unsigned long long)witnesses_needed(w->options),
                  (unsigned long long)atomic_load(&w->quorum),
                  (unsigned long long)atomic_load(&w->entries));
        w->behind_told = true;
    } else if (w->behind_told && behind == 0) {
        log_event(LOG_INFO, "witness.quorum", "entries=%llu witnessed again",
                  (unsigned long long)atomic_load(&w->quorum));
        w->behind_told = false;
    }
}

/* ---- asking ---- */

static struct status
post(void *ctx, const struct cosign_witness *witness, struct view body, struct diag *diag,
     unsigned *ret_status, struct buf *ret_answer)
{
    const struct witnesses *w = ctx;
    const size_t i = (size_t)(witness - w->options->witness);
    return fetcher_post(w->fetcher, witness->url, buf_view(&w->options->ca[i]), body,
                        witness->timeout_ns, diag, ret_status, ret_answer);
}

static int64_t
wait_after(const struct state *s, enum cosign_outcome o)
{
    if (o == COSIGN_SIGNED) {
        return 0;
    }
    const int64_t twice = s->wait_s == 0 ? 1 : 2 * s->wait_s;
    if (o != COSIGN_ABSENT) {
        return GRAVE_WAIT_S;
    }
    return twice > LONGEST_WAIT_S ? LONGEST_WAIT_S : twice;
}

static void
ask(struct witnesses *w, size_t i, struct view note, struct buf *lines)
{
    struct state *s = &w->state[i];
    struct diag diag = {0};
    const struct cosign_post way = {post, w};
    DEFER(buf_done) struct buf line;
    buf_init(&line, COSIGN_LINES_MAX);
    const enum cosign_outcome o =
        cosign_ask(w->dir, &w->options->witness[i], note, &way, &s->known, &diag, &line);
    tell(w, i, o, diag.text);
    s->outcome = o;
    s->told = true;
    s->wait_s = wait_after(s, o);
    s->due_ns = clock_mono_ns() + s->wait_s * NS_PER_S;
    atomic_store(&s->cosigns, o == COSIGN_SIGNED);
    if (o == COSIGN_SIGNED) {
        s->answered = w->seen;
        buf_put(lines, buf_view(&line));
    }
}

/* Which of them have cosigned it; none where a line of one of them does not verify. */
static size_t
cosigned_by(const struct witnesses *w, struct view note,
            struct note_signed ret_found[static COSIGN_WITNESSES])
{
    struct view text;
    size_t n = 0;
    memset(ret_found, 0, COSIGN_WITNESSES * sizeof *ret_found);
    if (!status_ok(note_open_any(note, w->key, w->options->count, NULL, ret_found, &text))) {
        memset(ret_found, 0, COSIGN_WITNESSES * sizeof *ret_found);
        return 0;
    }
    for (size_t i = 0; i < w->options->count; i++) {
        n += ret_found[i].found;
    }
    return n;
}

static void
ask_all(struct witnesses *w, struct view note, struct buf *lines)
{
    struct note_signed found[COSIGN_WITNESSES];
    (void)cosigned_by(w, note, found);
    for (size_t i = 0; i < w->options->count && !atomic_load(&w->stopping); i++) {
        const struct state *s = &w->state[i];
        const bool answered = memcmp(s->answered.bytes, w->seen.bytes, DIGEST_BYTES) == 0;
        if (!found[i].found && !answered && clock_mono_ns() >= s->due_ns) {
            ask(w, i, note, lines);
        }
    }
}

/* ---- a look ---- */

static void
count_checkpoint(struct witnesses *w, const struct digest *text, uint64_t size)
{
    if (memcmp(text->bytes, w->seen.bytes, DIGEST_BYTES) != 0) {
        w->seen = *text;
        (void)atomic_fetch_add(&w->behind, 1);
    }
    atomic_store(&w->entries, size);
}

/* Keeps what has a quorum, once for each cosignature that it gains. */
static struct status
settle(struct witnesses *w, const struct digest *text, uint64_t size, struct view note,
       struct diag *diag)
{
    struct note_signed found[COSIGN_WITNESSES];
    const unsigned n = (unsigned)cosigned_by(w, note, found);
    for (size_t i = 0; i < w->options->count; i++) {
        if (found[i].found) {
            atomic_store(&w->state[i].cosigned, size);
        }
    }
    const bool same = memcmp(text->bytes, w->kept_text.bytes, DIGEST_BYTES) == 0;
    if (n < witnesses_needed(w->options) || (same && n == w->kept)) {
        return OK;
    }
    TRY(cosign_keep(w->dir, note, diag));
    w->kept = n;
    w->kept_text = *text;
    atomic_store(&w->behind, 0);
    atomic_store(&w->quorum, size);
    return OK;
}

/* What is known of the one with that key. */
static struct state
known_of(const struct witnesses *w, const struct note_key *key)
{
    for (size_t i = 0; i < w->options->count; i++) {
        if (w->key[i].id == key->id && strcmp(w->key[i].name, key->name) == 0) {
            return w->state[i];
        }
    }
    return (struct state){.known = 0};
}

/* Under the lock. */
static void
take_options(struct witnesses *w, const struct witnesses_options *o)
{
    struct state state[COSIGN_WITNESSES] = {{.known = 0}};
    for (size_t i = 0; i < o->count; i++) {
        state[i] = known_of(w, &o->witness[i].key);
        state[i].due_ns = 0; /* who is waited for is asked at once */
    }
    memcpy(w->state, state, sizeof state);
    for (size_t i = 0; i < o->count; i++) {
        w->key[i] = o->witness[i].key;
    }
    w->options = o;
    w->kept = 0;
}

static void
take_next(struct witnesses *w)
{
    struct witnesses_options *before = NULL;
    (void)pthread_mutex_lock(&w->lock);
    if (w->next != NULL) {
        take_options(w, w->next);
        before = w->own;
        w->own = MOVE(w->next);
    }
    (void)pthread_mutex_unlock(&w->lock);
    witnesses_options_free(before);
}

void
witnesses_set(struct witnesses *w, struct witnesses_options *o)
{
    (void)pthread_mutex_lock(&w->lock);
    struct witnesses_options *unused = w->next;
    w->next = o;
    (void)pthread_mutex_unlock(&w->lock);
    witnesses_options_free(unused);
}

static struct status
look_once(struct witnesses *w, struct diag *diag)
{
    struct view text;
    struct checkpoint c;
    struct digest digest;
    DEFER(buf_done) struct buf note;
    DEFER(buf_done) struct buf lines;
    buf_init(&note, NOTE_MAX);
    buf_init(&lines, NOTE_MAX);
    TRY(cosign_checkpoint(w->dir, diag, &note, &text));
    TRY(checkpoint_parse(text, diag, &c));
    digest_of(text, &digest);
    count_checkpoint(w, &digest, c.size);
    ask_all(w, buf_view(&note), &lines);
    TRY(buf_status(&lines));
    if (lines.len > 0) {
        TRY(cosign_add(w->dir, text, buf_view(&lines), diag));
        buf_put(&note, buf_view(&lines));
        TRY(buf_status(&note));
    }
    return settle(w, &digest, c.size, buf_view(&note), diag);
}

static void
look(void *ctx)
{
    struct witnesses *w = ctx;
    struct diag diag = {0};
    take_next(w);
    if (w->options->count == 0) {
        atomic_store(&w->behind, 0);
        return;
    }
    const struct status s = look_once(w, &diag);
    if (!status_ok(s)) {
        char text[sizeof diag.text];
        diag_describe(&diag, s, text, sizeof text);
        log_event(LOG_WARN, "witness.kept", "nothing; reason=\"%s\"", text);
    }
    tell_behind(w);
}

struct status
witnesses_start(const struct witnesses_options *o, const char *log_dir, struct audit *a,
                struct fetcher *f, struct witnesses **ret_witnesses)
{
    static const struct witnesses_options none;
    struct witnesses *w = calloc(1, sizeof *w);
    CHECK(w != NULL, MEMORY);
    (void)pthread_mutex_init(&w->lock, NULL);
    w->options = &none;
    take_options(w, o);
    w->audit = a;
    w->fetcher = f;
    w->dir = strdup(log_dir);
    const struct status s =
        w->dir == NULL ? FAILURE(MEMORY) : ticker_start(LOOK_NS, look, w, &w->ticker);
    if (!status_ok(s)) {
        free(w->dir);
        free(w);
        return s;
    }
    *ret_witnesses = w;
    return OK;
}

void
witnesses_stop(struct witnesses *w)
{
    if (w != NULL) {
        atomic_store(&w->stopping, true);
        ticker_stop(w->ticker);
        witnesses_options_free(w->next);
        witnesses_options_free(w->own);
        (void)pthread_mutex_destroy(&w->lock);
        free(w->dir);
        free(w);
    }
}

bool
witnesses_ready(struct witnesses *w)
{
    return w == NULL || atomic_load(&w->behind) < BEHIND_TOLD;
}

/* ---- metrics ---- */

static void
put_gauge(struct buf *b, const char *name, const char *help)
{
    buf_printf(b, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

static void
put_metrics(const struct witnesses *w, struct buf *b)
{
    const uint64_t entries = atomic_load(&w->entries), quorum = atomic_load(&w->quorum);
    put_gauge(b, "steward_witness_checkpoints_behind",
              "Checkpoints of the log since the newest with a quorum of witnesses.");
    buf_printf(b, "steward_witness_checkpoints_behind %llu\n",
               (unsigned long long)atomic_load(&w->behind));
    put_gauge(b, "steward_witness_entries_behind",
              "Entries under the newest checkpoint and under none with a quorum of witnesses.");
    buf_printf(b, "steward_witness_entries_behind %llu\n",
               (unsigned long long)(entries > quorum ? entries - quorum : 0));
    put_gauge(b, "steward_witness_cosigns",
              "1 when the witness's newest answer was a cosignature.");
    for (size_t i = 0; i < w->options->count; i++) {
        buf_printf(b, "steward_witness_cosigns{witness=\"%s\"} %d\n", w->key[i].name,
                   atomic_load(&w->state[i].cosigns) ? 1 : 0);
    }
    put_gauge(b, "steward_witness_entries", "Entries under the newest checkpoint it has cosigned.");
    for (size_t i = 0; i < w->options->count; i++) {
        buf_printf(b, "steward_witness_entries{witness=\"%s\"} %llu\n", w->key[i].name,
                   (unsigned long long)atomic_load(&w->state[i].cosigned));
    }
}

void
witnesses_put_metrics(struct witnesses *w, struct buf *ret_text)
{
    if (w == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&w->lock);
    if (w->options->count > 0) {
        put_metrics(w, ret_text);
    }
    (void)pthread_mutex_unlock(&w->lock);
}
