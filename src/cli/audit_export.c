/* audit export: the log for those who collect events. Reads only the log, needs no passphrase. */
#include "cli/cli.h"

#include "base/file.h"
#include "govern/exporter.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define POLL_NS (500 * 1000 * 1000)

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
    if (!standard) {
        ret_out->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    }
    if (ret_out->fd < 0 || fstat(ret_out->fd, &st) != 0) {
        return file_refuse_os(path, errno, &c->diag);
    }
    ret_out->regular = !standard && S_ISREG(st.st_mode);
    return OK;
}

static volatile sig_atomic_t interrupted;

static void
interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

static struct status
begin(struct cli *c, struct exporter *e)
{
    if (!export_format_from_word(cli_value(c, "format"), &e->format)) {
        diag_set(&c->diag, "--format %.40s: there are jsonl, ocsf and cef", cli_value(c, "format"));
        FAIL(INPUT);
    }
    e->destination = cli_value(c, "destination");
    if (e->destination != NULL && strcmp(cli_value(c, "output"), "-") == 0) {
        diag_set(&c->diag, "--destination needs --output FILE: nobody knows what became of what "
                           "went to standard output");
        FAIL(INPUT);
    }
    if (e->destination != NULL) {
        TRY(exporter_position(e->dir, e->destination, &c->diag, &e->at));
    }
    if (cli_value(c, "from") != NULL) {
        TRY(cli_u64(c, "from", &e->at.next));
    }
    return OK;
}

struct status
cli_audit_export(struct cli *c)
{
    DEFER(file_freep) char *dir = NULL;
    struct out out;
    const struct timespec pause = {.tv_nsec = POLL_NS};
    TRY(cli_log_dir(c, 0, &dir));
    struct exporter e = {.dir = dir};
    TRY(begin(c, &e));
    TRY(open_out(c, &out));
    DEFER(file_closep) int own = out.fd == STDOUT_FILENO ? -1 : out.fd;
    (void)own;
    TRY(cut_unconfirmed(&out, &e, &c->diag));
    e.sink = (struct export_sink){send_out, confirm_out, length_out, &out};
    (void)signal(SIGINT, interrupt);
    (void)signal(SIGTERM, interrupt);
    do {
        TRY(exporter_run(&e, &c->diag));
    } while (cli_flag(c, "follow") && !interrupted && nanosleep(&pause, NULL) == 0);
    return OK;
}
