/* audit export: the log for those who collect events. To a file, it reads only the log. */
#include "cli/cli.h"

#include "base/file.h"
#include "base/outputs.h"
#include "base/text.h"
#include "serve/kafka_sink.h"
#include "serve/syslog_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define POLL_NS (500 * 1000 * 1000)
#define RETRY_S 2

struct out {
    int fd;
    const char *path;
    bool regular;
};

static struct status
send_out(void *ctx, struct view events, struct diag *diag)
{
    const struct out *o = ctx;
    return file_write_all(o->fd, events, o->path, diag);
}

static struct status
confirm_out(void *ctx, struct diag *diag)
{
    const struct out *o = ctx;
    if (o->regular && fdatasync(o->fd) != 0) {
        return file_refuse_os(o->path, errno, diag);
    }
    return OK;
}

static uint64_t
length_out(void *ctx)
{
    const struct out *o = ctx;
    struct stat st = {0};
    return o->regular && fstat(o->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* ---- a receiver of syslog ---- */

/* The log says that it is sent somewhere, before. */
static struct status
note_connection(struct cli *c, const char *to)
{
    char resource[300];
    struct workspace *w = NULL;
    struct diag other = {0};
    if (!status_ok(workspace_check(c->dir, &other))) {
        return OK;
    }
    (void)snprintf(resource, sizeof resource, "egress/export/%.270s", to);
    TRY(cli_keep_open(c, &w));
    return workspace_audit(w,
                           &(struct workspace_act){.action = "network.connect",
                                                   .resource = resource,
                                                   .reason = "audit export sends the log's events"},
                           &c->diag);
}

static struct status
read_timeout(struct cli *c, int64_t *ret_ns)
{
    if (!status_ok(text_to_duration_ns(view_str(cli_value(c, "timeout")), ret_ns)) ||
        *ret_ns <= 0) {
        diag_set(&c->diag, "--timeout: a duration is needed, such as 30s");
        FAIL(INPUT);
    }
    return OK;
}

/* ---- files ---- */

/* What stands behind the last batch that was confirmed is a batch that was cut off: it comes again.
 * A file that is shorter was begun anew by somebody (rotated), and is gone on with. */
static struct status
cut_unconfirmed(const struct out *o, const struct exporter *e, struct diag *diag)
{
    if (o->regular && e->destination != NULL && length_out((void *)(uintptr_t)o) > e->at.bytes &&
        ftruncate(o->fd, (off_t)e->at.bytes) != 0) {
        return file_refuse_os(o->path, errno, diag);
    }
    return OK;
}

static struct status
open_out(struct cli *c, struct out *ret_out)
{
    const char *path = cli_value(c, "output");
    struct stat st = {0};
    const bool standard = strcmp(path, "-") == 0;
    *ret_out = (struct out){.fd = STDOUT_FILENO, .path = standard ? "standard output" : path};
    if (!standard && outputs_has(path)) {
        TRY(outputs_open(path, OUTPUTS_APPEND, 0600, &c->diag, &ret_out->fd));
    } else if (!standard) { /* a pipe, a device */
        ret_out->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    }
    if (ret_out->fd < 0 || fstat(ret_out->fd, &st) != 0) {
        return file_refuse_os(path, errno, &c->diag);
    }
    ret_out->regular = !standard && S_ISREG(st.st_mode);
    return OK;
}

static struct status
begin(struct cli *c, struct exporter *e, int *ret_lock)
{
    if (!export_format_from_word(cli_value(c, "format"), &e->format)) {
        diag_set(&c->diag, "--format %.40s: there are jsonl, ocsf, cef and cloudevents",
                 cli_value(c, "format"));
        FAIL(INPUT);
    }
    e->destination = cli_value(c, "destination");
    const bool standard = strcmp(cli_value(c, "output"), "-") == 0;
    if (!standard && cli_value(c, "to") != NULL) {
        diag_set(&c->diag, "--output and --to: one of them; two destinations are two runs");
        FAIL(INPUT);
    }
    if (e->destination != NULL && standard && cli_value(c, "to") == NULL) {
        diag_set(&c->diag,
                 "--destination needs --output FILE or --to: nobody knows what became of what "
                 "went to standard output");
        FAIL(INPUT);
    }
    if (e->destination != NULL) {
        TRY(exporter_lock(e->dir, e->destination, &c->diag, ret_lock));
        TRY(exporter_position(e->dir, e->destination, &c->diag, &e->at));
    }
    if (cli_value(c, "from") != NULL) {
        TRY(cli_u64(c, "from", &e->at.next));
    }
    return OK;
}

static void
pause_for(time_t seconds, long ns)
{
    const struct timespec t = {.tv_sec = seconds, .tv_nsec = ns};
    (void)nanosleep(&t, NULL);
}

/* With --follow a receiver that is gone is tried again; nothing of what it has not confirmed is
 * passed over. */
static struct status
run(struct cli *c, struct exporter *e)
{
    const bool follow = cli_flag(c, "follow");
    cli_stop_on_signals();
    do {
        const struct status s = exporter_run(e, &c->diag);
        if (s.code == STATUS_IO && follow && cli_value(c, "to") != NULL) {
            (void)fprintf(stderr, "steward: %s; tried again\n", c->diag.text);
            pause_for(RETRY_S, 0);
            continue;
        }
        TRY(s);
        if (follow && !cli_stopped()) {
            pause_for(0, POLL_NS);
        }
    } while (follow && !cli_stopped());
    c->diag.text[0] = '\0';
    return OK;
}

static struct status
run_syslog(struct cli *c, struct exporter *e, struct door *door, const char *to, int64_t timeout_ns)
{
    DEFER(syslog_sink_done) struct syslog_sink sink = {0};
    TRY(syslog_sink_init(door, to, cli_value(c, "ca"), timeout_ns, &c->diag, &sink));
    TRY(note_connection(c, to));
    syslog_sink_feed(&sink, e);
    return run(c, e);
}

static struct status
run_kafka(struct cli *c, struct exporter *e, struct door *door, const struct receiver *r,
          int64_t timeout_ns)
{
    const char *ca_file = cli_value(c, "ca");
    DEFER(buf_done) struct buf ca;
    DEFER(kafka_sink_done) struct kafka_sink sink = {0};
    buf_init(&ca, RECEIVER_CA_MAX);
    TRY(ca_file == NULL ? OK : file_read(ca_file, RECEIVER_CA_MAX, &c->diag, &ca));
    TRY(note_connection(c, cli_value(c, "to")));
    kafka_sink_init(door, r, buf_view(&ca), timeout_ns, &sink);
    kafka_sink_feed(&sink, e);
    return run(c, e);
}

static struct status
run_receiver(struct cli *c, struct exporter *e)
{
    int64_t timeout_ns = 0;
    const char *to = cli_value(c, "to");
    const bool url = strstr(to, "://") != NULL;
    DEFER(memory_freep) struct receiver *r = calloc(1, sizeof *r);
    DEFER(door_freep) struct door *door = NULL;
    CHECK(r != NULL, MEMORY);
    TRY(url ? receiver_parse_url(view_str(to), &c->diag, r) : OK);
    if (r->kind == RECEIVER_WEBHOOK) {
        diag_set(&c->diag, "--to: a webhook is told of alerts by the server (audit.export)");
        FAIL(INPUT);
    }
    TRY(read_timeout(c, &timeout_ns));
    TRY(cli_door(c, &door));
    return r->kind == RECEIVER_SYSLOG ? run_syslog(c, e, door, url ? r->hosts : to, timeout_ns)
                                      : run_kafka(c, e, door, r, timeout_ns);
}

static struct status
run_file(struct cli *c, struct exporter *e)
{
    struct out out;
    TRY(open_out(c, &out));
    DEFER(file_closep) int own = out.fd == STDOUT_FILENO ? -1 : out.fd;
    (void)own;
    TRY(cut_unconfirmed(&out, e, &c->diag));
    e->sink = (struct export_sink){
        .send = send_out, .confirm = confirm_out, .length = length_out, .ctx = &out};
    return run(c, e);
}

struct status
cli_audit_export(struct cli *c)
{
    DEFER(file_freep) char *dir = NULL;
    DEFER(file_closep) int lock = -1;
    const char *to = cli_value(c, "to");
    TRY(cli_log_dir(c, 0, &dir));
    struct exporter e = {.dir = dir};
    TRY(begin(c, &e, &lock));
    return to == NULL ? run_file(c, &e) : run_receiver(c, &e);
}
