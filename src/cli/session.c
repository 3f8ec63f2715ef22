/* session: what the verbs share: passphrase, opening the workspace, progress. */
#include "cli/cli.h"
#include "cli/config.h"
#include "cli/credential.h"
#include "cli/foreseen.h"
#include "cli/reach.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/outputs.h"
#include "base/sandbox.h"
#include "base/secret.h"
#include "data/importer.h"
#include "net/door.h"
#include "vault/starter.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

/* ---- opening ---- */

struct status
cli_credential(struct cli *c, struct secret *ret_credential)
{
    return credential_of(c->dir, NULL, cli_value(c, "passphrase-file"), &c->diag, ret_credential);
}

/* What a policy does beside a change, or finds by it. */
static void
tell_of_policies(void *ctx, bool drifted, const char *sentence)
{
    (void)ctx;
    (void)fputs(drifted ? "steward: policy drift: " : "steward: policy: ", stderr);
    cli_put_clean(stderr, sentence);
    (void)fputc('\n', stderr);
}

static struct status
open_workspace(struct cli *c, bool even_revoked, struct workspace **ret_workspace)
{
    TRY(workspace_check(c->dir, &c->diag));
    DEFER(secret_done) struct secret credential = {0};
    TRY(cli_credential(c, &credential));
    const struct workspace_open_options o = {
        .passphrase = &credential, .even_revoked = even_revoked, .reason = c->verb->name};
    TRY(workspace_open(c->dir, &o, &c->diag, ret_workspace));
    (*ret_workspace)->tell = tell_of_policies;
    return OK;
}

struct status
cli_open(struct cli *c, struct workspace **ret_workspace)
{
    return open_workspace(c, false, ret_workspace);
}

struct status
cli_open_even_revoked(struct cli *c, struct workspace **ret_workspace)
{
    return open_workspace(c, true, ret_workspace);
}

struct status
cli_keep_open(struct cli *c, struct workspace **ret_workspace)
{
    if (c->kept == NULL) {
        TRY(cli_open(c, &c->kept));
    }
    *ret_workspace = c->kept;
    return OK;
}

/* ---- what a verb gives up ---- */

bool
cli_connects(const struct cli *c)
{
    const char *with = c->verb->connects;
    return with != NULL && (strcmp(with, CLI_ALWAYS) == 0 || cli_value(c, with) != NULL);
}

/* What is named like a table: another process reads it, before this one has a key. */
static struct status
foresee_tables(struct cli *c)
{
    const char *path[CLI_MAX_OPERANDS + CLI_MAX_REPEATS];
    size_t n = 0;
    for (size_t i = 0; i < c->operands; i++) {
        path[n] = c->operand[i];
        n += import_reads(c->operand[i]);
    }
    for (size_t i = 0; i < c->givens; i++) {
        path[n] = c->given[i].value;
        n += import_reads(c->given[i].value);
    }
    return importer_begin(path, n, &c->diag);
}

struct status
cli_confine(struct cli *c)
{
    if (c->verb->connects != NULL && strcmp(c->verb->connects, CLI_BECOMES) == 0) {
        return OK;
    }
    TRY(foresee_tables(c));
    TRY(foresee_holders(c, reach_works_on(c)));
    char user[WORKSPACE_USER_MAX];
    workspace_user(user); /* it asks others who that is: while this may */
    TRY(reach_confine(c));
    return sandbox_calls(cli_connects(c) ? SANDBOX_CLIENT : SANDBOX_VERB, &c->diag);
}

void
cli_end(struct cli *c)
{
    workspace_close(c->kept);
    importer_end();
    starter_end();
    outputs_end();
}

struct status
cli_settle(struct cli *c, struct workspace *w, struct status done, const struct workspace_act *act)
{
    const struct status s = workspace_settle(w, done, act, &c->diag);
    return status_ok(done) ? s : workspace_tell_failure(w, act->action, act->resource, s, &c->diag);
}

struct status
cli_threads(struct cli *c, unsigned *ret_threads)
{
    struct config config;
    uint64_t threads = 0;
    if (cli_value(c, "threads") != NULL) {
        TRY(cli_u64(c, "threads", &threads));
        if (threads > CONFIG_MAX_THREADS) {
            diag_set(&c->diag, "--threads %s: at most %u", cli_value(c, "threads"),
                     CONFIG_MAX_THREADS);
            FAIL(INPUT);
        }
        *ret_threads = (unsigned)threads;
        return OK;
    }
    TRY(cli_config(c, NULL, &config));
    *ret_threads = config.threads;
    return OK;
}

struct status
cli_config(struct cli *c, const char *path, struct config *ret_config)
{
    return config_of_workspace(c->dir, path, &c->diag, ret_config);
}

struct status
cli_door(struct cli *c, struct door **ret_door)
{
    struct config config;
    struct egress *rules = NULL;
    TRY(cli_config(c, NULL, &config));
    TRY(config_egress(&config, &rules));
    return door_new(rules, NULL, ret_door);
}

/* ---- what ends the program ---- */

static const int held[] = {SIGINT, SIGTERM, SIGHUP};
#define HELD (sizeof held / sizeof *held)

void
cli_hold_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < HELD; i++) {
        (void)sigaddset(&set, held[i]);
    }
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
}

bool
cli_interrupted(void)
{
    sigset_t set;
    (void)sigpending(&set);
    bool any = false;
    for (size_t i = 0; i < HELD; i++) {
        any = any || sigismember(&set, held[i]) == 1;
    }
    return any;
}

static volatile sig_atomic_t stopped;

static void
stop(int number)
{
    (void)number;
    stopped = 1;
}

void
cli_stop_on_signals(void)
{
    (void)signal(SIGINT, stop);
    (void)signal(SIGTERM, stop);
}

bool
cli_stopped(void)
{
    return stopped != 0;
}

/* ---- progress ---- */

#define PROGRESS_FIRST_NS NS_PER_S

static void
put_progress(const struct cli_progress *p)
{
    const long long seconds = (clock_mono_ns() - p->started_ns) / NS_PER_S;
    (void)fputs(p->terminal ? "\r\033[K" : "", stderr);
    cli_put_clean(stderr, p->text);
    (void)fprintf(stderr, ", %lld s%s", seconds, p->terminal ? "" : "\n");
    (void)fflush(stderr);
}

/* Says where the work stands, without the work's help: it may be one long step in a library. */
static void *
tick(void *ctx)
{
    struct cli_progress *p = ctx;
    /* In a file or a CI log, a line every two seconds is enough. */
    const int64_t period = p->terminal ? NS_PER_S / 5 : 2 * NS_PER_S;
    int64_t next = p->started_ns + PROGRESS_FIRST_NS;
    (void)pthread_mutex_lock(&p->lock);
    while (!p->done) {
        const struct timespec at = {next / NS_PER_S, next % NS_PER_S};
        if (pthread_cond_timedwait(&p->wake, &p->lock, &at) == ETIMEDOUT) {
            put_progress(p);
            p->shown = true;
            next += period;
        }
    }
    (void)pthread_mutex_unlock(&p->lock);
    return NULL;
}

void
cli_progress_start(struct cli_progress *p, const char *text)
{
    pthread_condattr_t steady;
    *p = (struct cli_progress){.started_ns = clock_mono_ns(),
                               .terminal = isatty(STDERR_FILENO) != 0};
    (void)snprintf(p->text, sizeof p->text, "%s", text);
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_condattr_init(&steady);
    (void)pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&p->wake, &steady);
    (void)pthread_condattr_destroy(&steady);
    p->ticking = pthread_create(&p->thread, NULL, tick, p) == 0;
}

void
cli_progress_show(struct cli_progress *p, const char *format, ...)
{
    va_list args;
    ASSERT(format != NULL);
    (void)pthread_mutex_lock(&p->lock);
    va_start(args, format);
    (void)vsnprintf(p->text, sizeof p->text, format, args);
    va_end(args);
    (void)pthread_mutex_unlock(&p->lock);
}

void
cli_progress_stop(struct cli_progress *p)
{
    (void)pthread_mutex_lock(&p->lock);
    p->done = true;
    (void)pthread_cond_signal(&p->wake);
    (void)pthread_mutex_unlock(&p->lock);
    if (p->ticking) {
        (void)pthread_join(p->thread, NULL);
    }
    if (p->shown && p->terminal) {
        (void)fputs("\r\033[K", stderr);
    }
    (void)pthread_cond_destroy(&p->wake);
    (void)pthread_mutex_destroy(&p->lock);
}
