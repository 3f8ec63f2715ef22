#include "cli/verified.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_MAX (1u << 20)

void
verified_done(struct verified *v)
{
    buf_done(&v->note);
}

/* ---- where ---- */

/* As the XDG base directories have it: a relative path counts as none. */
static char *
state_folder(void)
{
    const char *given = getenv("XDG_STATE_HOME");
    if (given != NULL && *given == '/') {
        return file_join(given, "steward/audit");
    }
    const char *home = getenv("HOME");
    return home == NULL || *home != '/' ? NULL : file_join(home, ".local/state/steward/audit");
}

char *
verified_folder(void)
{
    DEFER(file_freep) char *folder = state_folder();
    /* A user without a home, a home that is not to be written. */
    const bool made = folder != NULL && status_ok(file_mkdirs(folder, 0700, NULL));
    return made ? MOVE(folder) : NULL;
}

struct status
verified_path(const char *vkey, const char *given, char **ret_path)
{
    DEFER(file_freep) char *folder = NULL;
    DEFER(buf_done) struct buf name;
    struct digest d;
    buf_init(&name, 128);
    if (given != NULL) {
        *ret_path = strdup(given);
        CHECK(*ret_path != NULL, MEMORY);
        return OK;
    }
    folder = verified_folder();
    if (folder == NULL) {
        return OK;
    }
    digest_of(view_str(vkey), &d);
    text_put_hex(&name, view_of(d.bytes, 16));
    buf_put_str(&name, ".json");
    TRY(buf_status(&name));
    *ret_path = file_join(folder, buf_str(&name));
    return OK;
}

/* ---- reading ---- */

static struct status
check_owner(const char *path, struct diag *diag)
{
    struct stat st;
    if (lstat(path, &st) != 0) {
        return file_refuse(path, errno, diag);
    }
    if (!S_ISREG(st.st_mode) || (st.st_uid != geteuid() && st.st_uid != 0) ||
        (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        diag_set(diag,
                 "%s: it must be a regular file that only its owner, who verifies, can write: what "
                 "others can change proves nothing",
                 path);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
read_count(const json_t *o, const char *key, struct diag *diag, uint64_t *ret_value)
{
    int64_t value = 0;
    TRY(js_need_i64(o, key, diag, &value));
    CHECK(value >= 0, INPUT);
    *ret_value = (uint64_t)value;
    return OK;
}

static struct status
read_time(const json_t *o, const char *key, struct diag *diag,
          char ret_time[static VERIFIED_TIME_MAX])
{
    const char *text = NULL;
    int64_t ns = 0;
    TRY(js_need_string(o, key, diag, &text));
    TRY(clock_from_rfc3339(view_str(text), &ns));
    CHECK(strlen(text) < VERIFIED_TIME_MAX, INPUT);
    text_copy(ret_time, VERIFIED_TIME_MAX, text);
    return OK;
}

/* The signature is looked at anew: the file holds what the log's key has signed, or nothing. */
static struct status
read_checkpoint(const json_t *o, const char *vkey, struct diag *diag, struct verified *v)
{
    const char *text = NULL;
    struct note_key key;
    struct checkpoint c;
    TRY(js_need_string(o, "checkpoint", diag, &text));
    TRY(note_parse_vkey(view_str(vkey), diag, &key));
    TRY(checkpoint_open(view_str(text), &key, diag, &c));
    buf_put_str(&v->note, text);
    v->seen.size = c.size;
    v->seen.root = c.root;
    return buf_status(&v->note);
}

static struct status
read_fields(const json_t *o, const char *vkey, struct diag *diag, struct verified *v)
{
    struct audit_seen *s = &v->seen;
    uint64_t version = 0;
    TRY(read_count(o, "v", diag, &version));
    CHECK(version == 1, INPUT);
    TRY(read_checkpoint(o, vkey, diag, v));
    TRY(read_time(o, "time", diag, v->time));
    TRY(read_time(o, "full", diag, v->full));
    TRY(read_count(o, "clock_back", diag, &s->clock_back));
    TRY(read_count(o, "first_clock_back", diag, &s->first_clock_back));
    TRY(read_count(o, "gaps", diag, &s->gaps));
    TRY(read_count(o, "repairs", diag, &s->repairs));
    return js_need_i64(o, "last_end_ns", diag, &s->last_end_ns);
}

struct status
verified_read(const char *path, const char *vkey, struct diag *diag, struct verified *ret_verified)
{
    DEFER(buf_done) struct buf text;
    DEFER(js_freep) json_t *o = NULL;
    DEFER(verified_done) struct verified v = {0};
    struct diag why = {0};
    buf_init(&text, STATE_MAX);
    buf_init(&v.note, NOTE_MAX);
    if (path == NULL || !file_exists(path)) {
        return OK;
    }
    TRY(check_owner(path, diag));
    TRY(file_read(path, STATE_MAX, diag, &text));
    struct status s = js_parse(buf_view(&text), "it", &why, &o);
    s = status_ok(s) ? read_fields(o, vkey, &why, &v) : s;
    if (!status_ok(s)) {
        diag_set(diag,
                 "%s: not what audit verify has kept of this log (%.120s); remove it, and the next "
                 "verification reads everything",
                 path, why.text[0] == '\0' ? "a value is out of range" : why.text);
        FAIL(INPUT);
    }
    *ret_verified = v;
    v.note = (struct buf){0};
    return OK;
}

/* ---- writing ---- */

void
verified_stamp(struct verified *v, const struct verified *before)
{
    DEFER(buf_done) struct buf now;
    buf_init(&now, 64);
    clock_put_rfc3339(&now, clock_wall_ns());
    text_copy(v->time, sizeof v->time, buf_str(&now));
    text_copy(v->full, sizeof v->full, before == NULL ? v->time : before->full);
}

struct status
verified_write(const char *path, const struct verified *v, struct diag *diag)
{
    const struct audit_seen *s = &v->seen;
    DEFER(buf_done) struct buf text;
    buf_init(&text, STATE_MAX);
    DEFER(js_freep)
    json_t *o = json_pack("{s:i, s:s%, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "v", 1, "checkpoint",
                          (const char *)v->note.ptr, v->note.len, "time", v->time, "full", v->full,
                          "clock_back", (json_int_t)s->clock_back, "first_clock_back",
                          (json_int_t)s->first_clock_back, "gaps", (json_int_t)s->gaps, "repairs",
                          (json_int_t)s->repairs, "last_end_ns", (json_int_t)s->last_end_ns);
    CHECK(o != NULL, MEMORY);
    TRY(js_put(&text, o));
    buf_put_u8(&text, '\n');
    TRY(buf_status(&text));
    return file_replace(path, buf_view(&text), 0600, diag);
}
