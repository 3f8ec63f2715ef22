#include "govern/exporter.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "govern/audit.h"
#include "govern/bundle.h"
#include "govern/standing.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BATCH_ENTRIES MERKLE_WIDTH
#define BATCH_BYTES (512u << 20)
#define ENTRY_ARENA (1u << 20)
#define POSITION_MAX 4096u

/* ---- where a destination stands ---- */

static char *
position_path(const char *dir, const char *destination)
{
    DEFER(file_freep) char *folder = file_join(dir, "export");
    return file_join(folder, destination);
}

static struct status
check_name(const char *destination, struct diag *diag)
{
    if (!text_is_name(destination)) {
        diag_set(diag, "\"%.60s\": a destination's name is small letters, digits, . _ -",
                 destination);
        FAIL(INPUT);
    }
    return OK;
}

/* The digest of the entry before `next`; zeros of none. */
static struct status
leaf_before(struct bundle *b, uint64_t next, struct digest *ret_leaf)
{
    struct view entry;
    memset(ret_leaf, 0, sizeof *ret_leaf);
    if (next > 0) {
        TRY(bundle_entry(b, next - 1, &entry));
        merkle_leaf(entry, ret_leaf);
    }
    return OK;
}

static struct status
not_this_log(const char *destination, const char *what, struct diag *diag)
{
    diag_set(diag,
             "export/%s: %s: this is another log, or an old copy was put back; remove the file to "
             "begin anew",
             destination, what);
    FAIL(INTEGRITY);
}

static struct status
check_position(const json_t *o, const struct standing *s, const char *destination,
               struct diag *diag, struct export_position *ret_position)
{
    const char *log = NULL, *leaf = NULL;
    int64_t next = 0, bytes = 0;
    struct digest own;
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 128);
    DEFER(bundle_freep) struct bundle *b = bundle_new(s->dir, s->checkpoint.size, diag);
    CHECK(b != NULL, MEMORY);
    TRY(js_need_string(o, "log", diag, &log));
    TRY(js_need_string(o, "entry_before_sha256", diag, &leaf));
    TRY(js_need_i64(o, "next", diag, &next));
    TRY(js_need_i64(o, "bytes", diag, &bytes));
    if (strcmp(log, s->checkpoint.origin) != 0) {
        return not_this_log(destination, "the position is of a log of another name", diag);
    }
    if (next < 0 || (uint64_t)next > s->checkpoint.size || bytes < 0) {
        return not_this_log(destination, "the position is behind the log's end", diag);
    }
    TRY(leaf_before(b, (uint64_t)next, &own));
    digest_put_hex(&hex, &own);
    if (strcmp(leaf, buf_str(&hex)) != 0) {
        return not_this_log(destination, "the entry that was sent last is not in the log", diag);
    }
    *ret_position = (struct export_position){(uint64_t)next, (uint64_t)bytes};
    return OK;
}

struct status
exporter_position(const char *dir, const char *destination, struct diag *diag,
                  struct export_position *ret_position)
{
    DEFER(standing_done) struct standing s = {0};
    DEFER(js_freep) json_t *o = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, POSITION_MAX);
    TRY(check_name(destination, diag));
    DEFER(file_freep) char *path = position_path(dir, destination);
    const struct status read = file_read(path, POSITION_MAX, diag, &text);
    if (read.code == STATUS_NOT_FOUND) {
        *ret_position = (struct export_position){0};
        return OK;
    }
    TRY(read);
    TRY(js_parse(buf_view(&text), path, diag, &o));
    TRY(standing_take(dir, NULL, diag, &s));
    return check_position(o, &s, destination, diag, ret_position);
}

static struct status
keep_position(const struct exporter *e, const char *origin, struct bundle *b, struct diag *diag)
{
    struct digest leaf;
    DEFER(buf_done) struct buf text;
    DEFER(buf_done) struct buf hex;
    DEFER(file_freep) char *folder = file_join(e->dir, "export");
    DEFER(file_freep) char *path = position_path(e->dir, e->destination);
    buf_init(&text, POSITION_MAX);
    buf_init(&hex, 128);
    TRY(leaf_before(b, e->at.next, &leaf));
    digest_put_hex(&hex, &leaf);
    buf_put_str(&text, "{\"log\":");
    js_put_string(&text, view_str(origin));
    buf_printf(&text, ",\"next\":%llu,\"entry_before_sha256\":\"%s\",\"bytes\":%llu}\n",
               (unsigned long long)e->at.next, buf_str(&hex), (unsigned long long)e->at.bytes);
    TRY(buf_status(&text));
    TRY(file_mkdirs(folder, 0700, diag));
    return file_replace(path, buf_view(&text), 0600, diag);
}

struct status
exporter_begin(const char *dir, const char *destination, uint64_t from, struct diag *diag)
{
    DEFER(standing_done) struct standing s = {0};
    DEFER(file_freep) char *path = position_path(dir, destination);
    TRY(check_name(destination, diag));
    if (access(path, F_OK) == 0) {
        return OK;
    }
    TRY(standing_signed(dir, diag, &s));
    const uint64_t size = s.checkpoint.size;
    DEFER(bundle_freep) struct bundle *b = bundle_new(dir, size, diag);
    CHECK(b != NULL, MEMORY);
    const struct exporter e = {
        .dir = dir, .destination = destination, .at = {.next = from < size ? from : size}};
    return keep_position(&e, s.checkpoint.origin, b, diag);
}

struct status
exporter_lock(const char *dir, const char *destination, struct diag *diag, int *ret_fd)
{
    char name[80];
    DEFER(file_freep) char *folder = file_join(dir, "export");
    TRY(check_name(destination, diag));
    (void)snprintf(name, sizeof name, ".%.70s", destination); /* no destination's name */
    DEFER(file_freep) char *path = file_join(folder, name);
    TRY(file_mkdirs(folder, 0700, diag));
    const struct status s = file_lock(path, false, diag, ret_fd);
    if (s.code == STATUS_BUSY) {
        diag_set(diag, "export/%s: another process sends to it; two would both move its position",
                 destination);
    }
    return s;
}

/* ---- sending ---- */

/* Entries up to *to; where a confirmation is due earlier, *to moves there. *ret_events: how many.
 */
static struct status
put_batch(const struct exporter *e, const char *origin, struct bundle *b, uint64_t *to,
          struct buf *batch, size_t *ret_events, struct diag *diag)
{
    DEFER(arena_freep) struct arena *scratch = arena_new(ENTRY_ARENA);
    DEFER(buf_done) struct buf line;
    buf_init(&line, BATCH_BYTES);
    CHECK(scratch != NULL, MEMORY);
    for (uint64_t i = e->at.next; i < *to; i++) {
        struct view entry;
        TRY(bundle_entry(b, i, &entry));
        if (e->alerts_only && !audit_event_is_alert(entry)) {
            continue;
        }
        *to = e->one_by_one ? i + 1 : *to;
        ++*ret_events;
        buf_reset(&line);
        const struct status made = export_put(e->format, origin, i, entry, scratch, &line);
        if (!status_ok(made)) {
            diag_set(diag, "entry %llu cannot be written as %s", (unsigned long long)i,
                     export_format_word(e->format));
            return made;
        }
        if (e->sink.event != NULL) {
            TRY(e->sink.event(e->sink.ctx, origin, i, buf_view(&line), diag));
            continue;
        }
        if (e->host != NULL) {
            TRY(export_put_syslog(e->host, entry, buf_view(&line), scratch, batch));
            continue;
        }
        buf_put(batch, buf_view(&line));
        buf_put_u8(batch, '\n');
    }
    return buf_status(batch);
}

static struct status
send_batch(const struct exporter *e, struct view batch, struct diag *diag)
{
    TRY(e->sink.event != NULL ? OK : e->sink.send(e->sink.ctx, batch, diag));
    return e->sink.confirm(e->sink.ctx, diag);
}

struct status
exporter_run(struct exporter *e, struct diag *diag)
{
    DEFER(standing_done) struct standing s = {0};
    DEFER(buf_done) struct buf batch;
    buf_init(&batch, BATCH_BYTES);
    TRY(standing_signed(e->dir, diag, &s));
    const uint64_t size = e->size = s.checkpoint.size;
    DEFER(bundle_freep) struct bundle *b = bundle_new(e->dir, size, diag);
    CHECK(b != NULL, MEMORY);
    while (e->at.next < size) {
        const uint64_t left = size - e->at.next;
        const uint64_t most = e->batch == 0 ? BATCH_ENTRIES : e->batch;
        uint64_t to = e->at.next + (left < most ? left : most);
        size_t events = 0;
        buf_reset(&batch);
        TRY(put_batch(e, s.checkpoint.origin, b, &to, &batch, &events, diag));
        TRY(events == 0 ? OK : send_batch(e, buf_view(&batch), diag));
        e->at.next = to;
        e->at.bytes = e->sink.length == NULL ? 0 : e->sink.length(e->sink.ctx);
        if (e->destination != NULL) {
            TRY(keep_position(e, s.checkpoint.origin, b, diag));
        }
        if (e->goes_on != NULL && !e->goes_on(e->ctx)) {
            return OK;
        }
    }
    return OK;
}

int64_t
exporter_oldest_ns(const struct exporter *e)
{
    struct view entry;
    int64_t ns = 0;
    DEFER(bundle_freep)
    struct bundle *b = e->at.next < e->size ? bundle_new(e->dir, e->size, NULL) : NULL;
    const bool found =
        b != NULL && status_ok(bundle_entry(b, e->at.next, &entry)) && audit_event_time(entry, &ns);
    return found ? ns : 0;
}
