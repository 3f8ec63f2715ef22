#include "govern/quorum.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX (QUORUM_NAMES + 3)
#define NOBODY SIZE_MAX

/* A witness, or a group. A name is a member of one group at most, so the groups are a forest, and a
 * group stands behind its members. */
struct member {
    struct view name; /* in text */
    bool is_group;
    size_t of;      /* the group that it is in; NOBODY */
    size_t members; /* of a group */
    size_t need;    /* of those */
    size_t key;     /* of a witness: in keys */
};

struct quorum {
    struct buf text;
    struct note_key keys[QUORUM_LOGS + QUORUM_WITNESSES]; /* logs first, then witnesses */
    size_t logs, witnesses;
    struct note_key log[QUORUM_LOGS], witness[QUORUM_WITNESSES];
    struct member member[QUORUM_NAMES];
    size_t count;
    bool has_quorum;
    size_t quorum; /* NOBODY: none is asked for */
};

struct parser {
    struct quorum *q;
    const char *file;
    size_t line;
    struct diag *diag;
    struct view word[WORDS_MAX];
    size_t words;
};

void
quorum_free(struct quorum *q)
{
    if (q != NULL) {
        buf_done(&q->text);
        free(q);
    }
}

static struct status
refuse(const struct parser *p, const char *what)
{
    diag_set(p->diag, "%s line %zu: %s", p->file, p->line, what);
    FAIL(INPUT);
}

/* What was written, short and printable. */
static struct status
refuse_name(const struct parser *p, const char *what, struct view name, const char *why)
{
    char shown[64] = "";
    const size_t n = name.len < sizeof shown - 1 ? name.len : sizeof shown - 1;
    for (size_t i = 0; i < n; i++) {
        shown[i] = name.ptr[i] >= 0x7f ? '?' : (char)name.ptr[i];
    }
    diag_set(p->diag, "%s line %zu: %s \"%s\" %s", p->file, p->line, what, shown, why);
    FAIL(INPUT);
}

/* ---- lines ---- */

static bool
is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct status
split(struct parser *p, struct view line)
{
    p->words = 0;
    for (size_t at = 0; at < line.len;) {
        const size_t from = at;
        while (at < line.len && !is_blank(line.ptr[at])) {
            at++;
        }
        if (at > from) {
            if (p->words == WORDS_MAX) {
                return refuse(p, "more words than a line may have");
            }
            p->word[p->words++] = view_of(line.ptr + from, at - from);
        }
        at += at < line.len ? 1 : 0;
    }
    return OK;
}

static struct status
check_bytes(const struct parser *p, struct view line)
{
    for (size_t i = 0; i < line.len; i++) {
        const uint8_t c = line.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return refuse(p, c == '\r' ? "a carriage return; lines end with a newline alone"
                                       : "a control character");
        }
    }
    return OK;
}

static size_t
find(const struct quorum *q, struct view name)
{
    for (size_t i = 0; i < q->count; i++) {
        if (view_equal(q->member[i].name, name)) {
            return i;
        }
    }
    return NOBODY;
}

/* ---- what a line says ---- */

static struct status
read_key(const struct parser *p, struct view text, bool of_log, struct note_key *ret_key)
{
    struct diag why = {0};
    const struct status s =
        of_log ? note_parse_vkey(text, &why, ret_key) : note_parse_cosigner(text, &why, ret_key);
    if (!status_ok(s)) {
        diag_set(p->diag, "%s line %zu: the key: %s", p->file, p->line, why.text);
        FAIL(INPUT);
    }
    return OK;
}

static bool
has_key(const struct note_key *keys, size_t n, const struct note_key *key)
{
    for (size_t i = 0; i < n; i++) {
        if (memcmp(keys[i].public_key, key->public_key, sizeof key->public_key) == 0) {
            return true;
        }
    }
    return false;
}

static struct status
take_log(struct parser *p)
{
    struct quorum *q = p->q;
    struct note_key key;
    if (p->words < 2 || p->words > 3) {
        return refuse(p, "a log is written: log VKEY [URL]");
    }
    TRY(read_key(p, p->word[1], true, &key));
    if (has_key(q->log, q->logs, &key)) {
        return refuse(p, "this log's key stands in a line before");
    }
    if (q->logs == QUORUM_LOGS) {
        return refuse(p, "more than 64 logs");
    }
    q->log[q->logs++] = key;
    return OK;
}

static struct status
add_name(struct parser *p, struct view name, const char *kind, struct member **ret_member)
{
    struct quorum *q = p->q;
    if (view_equal_str(name, "none")) {
        return refuse_name(p, kind, name, "has a name that stands for no quorum");
    }
    if (find(q, name) != NOBODY) {
        return refuse_name(p, kind, name, "has a name that stands in a line before");
    }
    if (q->count == QUORUM_NAMES) {
        return refuse(p, "more than 256 witnesses and groups");
    }
    q->member[q->count] = (struct member){.name = name, .of = NOBODY};
    *ret_member = &q->member[q->count++];
    return OK;
}

static struct status
take_witness(struct parser *p)
{
    struct quorum *q = p->q;
    struct note_key key;
    struct member *m = NULL;
    if (p->words < 3 || p->words > 4) {
        return refuse(p, "a witness is written: witness NAME VKEY [URL]");
    }
    TRY(read_key(p, p->word[2], false, &key));
    if (has_key(q->witness, q->witnesses, &key)) {
        return refuse(p, "this witness's key stands in a line before");
    }
    if (q->witnesses == QUORUM_WITNESSES) {
        return refuse(p, "more than 64 witnesses");
    }
    TRY(add_name(p, p->word[1], "witness", &m));
    m->key = q->witnesses;
    q->witness[q->witnesses++] = key;
    return OK;
}

/* A name of a line before; its own group's is not among them. */
static struct status
known(const struct parser *p, struct view name, size_t *ret_at)
{
    const size_t at = find(p->q, name);
    if (at == NOBODY) {
        return refuse_name(p, "the name", name, "is that of no witness or group before this line");
    }
    *ret_at = at;
    return OK;
}

static struct status
read_need(const struct parser *p, struct view text, size_t n, size_t *ret_need)
{
    uint64_t k = 0;
    if (view_equal_str(text, "all") || view_equal_str(text, "any")) {
        *ret_need = text.ptr[1] == 'l' ? n : 1;
        return OK;
    }
    if (!status_ok(text_to_u64(text, &k)) || text.ptr[0] == '0' || k > n) {
        return refuse_name(p, "the threshold", text,
                           "must be all, any, or a number from 1 to that of the members");
    }
    *ret_need = (size_t)k;
    return OK;
}

static struct status
take_group(struct parser *p)
{
    struct quorum *q = p->q;
    struct member *m = NULL;
    size_t need = 0;
    if (p->words < 4) {
        return refuse(p, "a group is written: group NAME all|any|K MEMBER...");
    }
    const size_t n = p->words - 3, self = q->count;
    TRY(read_need(p, p->word[2], n, &need));
    for (size_t i = 3; i < p->words; i++) {
        size_t at = 0;
        TRY(known(p, p->word[i], &at));
        if (q->member[at].of != NOBODY) {
            return refuse_name(p, "the name", p->word[i], "is in a group already");
        }
        q->member[at].of = self;
    }
    TRY(add_name(p, p->word[1], "group", &m));
    m->is_group = true;
    m->members = n;
    m->need = need;
    return OK;
}

static struct status
take_quorum(struct parser *p)
{
    struct quorum *q = p->q;
    if (p->words != 2) {
        return refuse(p, "the quorum is written: quorum NAME, or quorum none");
    }
    if (q->has_quorum) {
        return refuse(p, "a second quorum; a policy has one");
    }
    q->quorum = NOBODY;
    if (!view_equal_str(p->word[1], "none")) {
        TRY(known(p, p->word[1], &q->quorum));
    }
    q->has_quorum = true;
    return OK;
}

static struct status
take_line(struct parser *p, struct view line)
{
    static const struct {
        const char *word;
        struct status (*take)(struct parser *p);
    } kinds[] = {{"log", take_log},
                 {"witness", take_witness},
                 {"group", take_group},
                 {"quorum", take_quorum}};
    TRY(check_bytes(p, line));
    size_t from = 0;
    while (from < line.len && is_blank(line.ptr[from])) {
        from++;
    }
    if (from == line.len || line.ptr[from] == '#') {
        return OK;
    }
    TRY(split(p, line));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (view_equal_str(p->word[0], kinds[i].word)) {
            return kinds[i].take(p);
        }
    }
    return refuse_name(p, "a line begins with log, witness, group or quorum; not with", p->word[0],
                       "");
}

static struct status
parse(struct parser *p)
{
    const struct view text = buf_view(&p->q->text);
    for (size_t at = 0; at < text.len;) {
        const uint8_t *end = memchr(text.ptr + at, '\n', text.len - at);
        p->line++;
        if (end == NULL) {
            return refuse(p, "the last line has no end: the file may be cut off");
        }
        const size_t n = (size_t)(end - text.ptr) - at;
        TRY(take_line(p, view_of(text.ptr + at, n)));
        at += n + 1;
    }
    if (!p->q->has_quorum) {
        diag_set(p->diag,
                 "%s: no quorum line: a policy says who must have cosigned, or quorum none",
                 p->file);
        FAIL(INPUT);
    }
    return OK;
}

struct status
quorum_parse(struct view text, const char *file, struct diag *diag, struct quorum **ret_quorum)
{
    DEFER(quorum_freep) struct quorum *q = calloc(1, sizeof *q);
    DEFER(memory_freep) struct parser *p = calloc(1, sizeof *p);
    CHECK(q != NULL && p != NULL, MEMORY);
    buf_init(&q->text, QUORUM_MAX);
    buf_put(&q->text, text);
    if (!status_ok(buf_status(&q->text))) {
        diag_set(diag, "%s: longer than 256 KiB", file);
        FAIL(LIMIT);
    }
    *p = (struct parser){.q = q, .file = file, .diag = diag};
    TRY(parse(p));
    memcpy(q->keys, q->log, q->logs * sizeof *q->log);
    memcpy(q->keys + q->logs, q->witness, q->witnesses * sizeof *q->witness);
    *ret_quorum = MOVE(q);
    return OK;
}

/* ---- a checkpoint ---- */

size_t
quorum_logs(const struct quorum *q)
{
    return q->logs;
}

const struct note_key *
quorum_log(const struct quorum *q, const char *origin)
{
    for (size_t i = 0; i < q->logs; i++) {
        if (strcmp(q->log[i].name, origin) == 0) {
            return &q->log[i];
        }
    }
    return NULL;
}

static int
newest_first(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* Of a group: since when as many of its members as it needs have cosigned: the k-th newest. */
static uint64_t
group_time(const struct quorum *q, size_t group, const uint64_t *time)
{
    uint64_t of[QUORUM_NAMES];
    size_t n = 0;
    for (size_t i = 0; i < group; i++) {
        if (q->member[i].of == group) {
            of[n++] = time[i];
        }
    }
    qsort(of, n, sizeof *of, newest_first);
    return of[q->member[group].need - 1];
}

static void
name_missing(const struct member *m, struct quorum_verdict *v)
{
    const size_t n = strlen(v->missing), room = sizeof v->missing - n;
    const int put = snprintf(v->missing + n, room, "%s%.*s", n == 0 ? "" : ", ", (int)m->name.len,
                             (const char *)m->name.ptr);
    if ((size_t)put >= room) {
        memcpy(v->missing + sizeof v->missing - 4, "...", 4);
    }
}

/* signed[i]: of q->witness[i]. */
static void
judge(const struct quorum *q, const struct note_signed *found, struct quorum_verdict *v)
{
    uint64_t time[QUORUM_NAMES];
    v->witnesses = q->witnesses;
    for (size_t i = 0; i < q->count; i++) {
        const struct member *m = &q->member[i];
        if (m->is_group) {
            time[i] = group_time(q, i, time);
            continue;
        }
        time[i] = found[m->key].found ? found[m->key].time : 0;
        v->cosigned += time[i] > 0;
        if (time[i] == 0) {
            name_missing(m, v);
        }
    }
    v->time_s = q->quorum == NOBODY ? 0 : time[q->quorum];
    v->met = q->quorum == NOBODY || v->time_s > 0;
}

/* Is it signed by a log that has the checkpoint's name? */
static struct status
check_origin(const struct note_key *keys, size_t n, const struct note_signed *found,
             const struct checkpoint *c, struct diag *diag)
{
    for (size_t i = 0; i < n; i++) {
        if (found[i].found && strcmp(keys[i].name, c->origin) == 0) {
            return OK;
        }
    }
    diag_set(diag, "the checkpoint of \"%s\" is not signed by a log that the policy names",
             c->origin);
    FAIL(INTEGRITY);
}

struct status
quorum_check(const struct quorum *q, const struct note_key *log, struct view note,
             struct diag *diag, struct quorum_verdict *ret_verdict)
{
    struct note_key keys[1 + QUORUM_WITNESSES];
    struct note_signed found[QUORUM_LOGS + QUORUM_WITNESSES];
    struct quorum_verdict v = {0};
    struct view text;
    const struct note_key *all = q->keys;
    size_t logs = q->logs;
    if (logs == 0) {
        if (log == NULL) {
            diag_set(diag, "the policy names no log: give its key, too (--vkey)");
            FAIL(INPUT);
        }
        keys[0] = *log;
        memcpy(keys + 1, q->witness, q->witnesses * sizeof *q->witness);
        all = keys;
        logs = 1;
    }
    TRY(note_open_any(note, all, logs + q->witnesses, diag, found, &text));
    TRY(checkpoint_parse(text, diag, &v.checkpoint));
    TRY(check_origin(all, logs, found, &v.checkpoint, diag));
    judge(q, found + logs, &v);
    *ret_verdict = v;
    return OK;
}
