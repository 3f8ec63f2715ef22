/* audit search, index, tail: finding entries, and seeing them come. None needs the passphrase. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "govern/follow.h"
#include "govern/search.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST_SHOWN 100000u
#define POLL_NS (200 * 1000 * 1000)

struct found {
    uint64_t index;
    struct buf entry;
};

struct finding {
    struct found *list;
    size_t count, room;
};

static void
finding_done(struct finding *f)
{
    for (size_t i = 0; i < f->count; i++) {
        buf_done(&f->list[i].entry);
    }
    free(f->list);
}

static struct status
keep(void *ctx, uint64_t index, struct view entry)
{
    struct finding *f = ctx;
    if (f->count == f->room) {
        const size_t room = f->room == 0 ? 64 : 2 * f->room;
        struct found *more = realloc(f->list, room * sizeof *more);
        CHECK(more != NULL, MEMORY);
        f->list = more;
        f->room = room;
    }
    struct found *one = &f->list[f->count++];
    one->index = index;
    buf_init(&one->entry, AUDIT_MAX_ENTRY);
    buf_put(&one->entry, entry);
    return buf_status(&one->entry);
}

static struct status
print_one(struct cli *c, const struct found *one, json_t *list)
{
    DEFER(js_freep) json_t *e = NULL;
    TRY(js_parse(buf_view(&one->entry), "entry", &c->diag, &e));
    if (list == NULL) {
        cli_print_entry(one->index, e);
        return OK;
    }
    json_t *o = json_pack("{s:I, s:O, s:s%}", "index", (json_int_t)one->index, "entry", e, "raw",
                          (const char *)one->entry.ptr, one->entry.len);
    CHECK(o != NULL && json_array_append_new(list, o) == 0, MEMORY);
    return OK;
}

/* Newest first, as they were found; shown in the order of the log. */
static struct status
print_found(struct cli *c, const struct finding *f, const struct search_stats *s)
{
    json_t *list = c->json ? json_array() : NULL;
    DEFER(js_freep)
    json_t *o = c->json ? json_pack("{s:o, s:I, s:I, s:I, s:I, s:I}", "entries", list, "of",
                                    (json_int_t)s->entries, "looked_at", (json_int_t)s->looked_at,
                                    "not_indexed", (json_int_t)s->unindexed, "bytes_read",
                                    (json_int_t)s->bytes, "unreadable", (json_int_t)s->unreadable)
                        : NULL;
    CHECK(!c->json || o != NULL, MEMORY);
    for (size_t i = f->count; i > 0; i--) {
        TRY(print_one(c, &f->list[i - 1], list));
    }
    if (c->json) {
        return cli_print_json(o);
    }
    (void)fprintf(stderr, "%zu found; %llu of %llu entries were read, %llu are not indexed\n",
                  f->count, (unsigned long long)s->looked_at, (unsigned long long)s->entries,
                  (unsigned long long)s->unindexed);
    return OK;
}

/* The index is made as far as it can be: a log that is read-only, or that another process indexes
 * now, is searched all the same. */
static struct status
bring_up(struct cli *c, const char *dir)
{
    struct diag why = {0};
    struct search_index_report r = {0};
    const struct status s = search_index(dir, false, &why, &r);
    if (s.code == STATUS_BUSY || s.code == STATUS_IO) {
        char text[512];
        diag_describe(&why, s, text, sizeof text);
        (void)fprintf(stderr, "steward: the index is not brought up to date: %s\n", text);
        return OK;
    }
    c->diag = why;
    return s;
}

static struct status
tell_unreadable(const struct search_stats *s)
{
    if (s->unreadable > 0) {
        (void)fprintf(stderr, "steward: %llu entries are no JSON objects; only \"\" finds them\n",
                      (unsigned long long)s->unreadable);
    }
    if (s->refused > 0) {
        (void)fprintf(stderr,
                      "steward: %llu parts of the index do not fit the log; their entries were "
                      "read\n",
                      (unsigned long long)s->refused);
    }
    return OK;
}

struct status
cli_audit_search(struct cli *c)
{
    DEFER(file_freep) char *dir = NULL;
    DEFER(query_done) struct query q = {0};
    DEFER(finding_done) struct finding f = {0};
    struct search_stats stats;
    struct search_options o = {.newest_first = true, .scan = cli_flag(c, "scan")};
    TRY(query_parse(view_str(c->operand[0]), clock_wall_ns(), &c->diag, &q));
    TRY(cli_whole(c, "last", 1, MOST_SHOWN, &o.most));
    TRY(cli_log_dir(c, 1, &dir));
    if (!o.scan) {
        TRY(bring_up(c, dir));
    }
    TRY(search_run(dir, &q, &o, keep, &f, &c->diag, &stats));
    TRY(tell_unreadable(&stats));
    return print_found(c, &f, &stats);
}

struct status
cli_audit_index(struct cli *c)
{
    DEFER(file_freep) char *dir = NULL;
    struct search_index_report r = {0};
    const bool check = cli_flag(c, "check");
    TRY(cli_log_dir(c, 0, &dir));
    TRY(search_index(dir, check, &c->diag, &r));
    if (r.differing > 0) {
        c->exit_code = cli_exit_code(STATUS_INTEGRITY);
    }
    if (c->json) {
        DEFER(js_freep)
        json_t *o = json_pack("{s:I, s:I, s:I, s:I}", "segments", (json_int_t)r.segments, "made",
                              (json_int_t)r.made, "entries", (json_int_t)r.covered, "differing",
                              (json_int_t)r.differing);
        CHECK(o != NULL, MEMORY);
        return cli_print_json(o);
    }
    (void)printf("indexed: %llu entries in %llu segments, %llu of them made now\n",
                 (unsigned long long)r.covered, (unsigned long long)r.segments,
                 (unsigned long long)r.made);
    if (r.differing > 0) {
        (void)printf("  %llu segments were NOT what the log gives; they have been made anew\n",
                     (unsigned long long)r.differing);
    }
    return OK;
}

/* ---- tail ---- */

/* Each entry on a line of its own, with --json: whoever reads it may wait for the next. */
static struct status
show(void *ctx, uint64_t index, struct view entry)
{
    struct cli *c = ctx;
    if (cli_stopped()) {
        FAIL(BUSY);
    }
    if (c->json) {
        (void)printf("{\"index\":%llu,\"entry\":", (unsigned long long)index);
        (void)fwrite(entry.ptr, 1, entry.len, stdout);
        (void)fputs("}\n", stdout);
        return OK;
    }
    DEFER(js_freep) json_t *e = NULL;
    TRY(js_parse(entry, "entry", &c->diag, &e));
    cli_print_entry(index, e);
    return OK;
}

struct status
cli_audit_tail(struct cli *c)
{
    DEFER(file_freep) char *dir = NULL;
    uint64_t count = 0, last = 0;
    const struct timespec pause = {.tv_nsec = POLL_NS};
    TRY(cli_whole(c, "last", 0, MOST_SHOWN, &last));
    TRY(cli_log_dir(c, 0, &dir));
    TRY(audit_count(dir, &count, &c->diag));
    struct follow f = {.dir = dir, .next = count > last ? count - last : 0};
    cli_stop_on_signals();
    do {
        const struct status s = follow_take(&f, show, c, &c->diag);
        if (cli_stopped()) {
            return OK;
        }
        TRY(s);
        if (fflush(stdout) != 0) {
            return OK; /* nobody reads any more; main says so */
        }
    } while (cli_flag(c, "follow") && (nanosleep(&pause, NULL) == 0 || !cli_stopped()));
    return OK;
}
