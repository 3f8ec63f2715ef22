#include "cli/courier.h"
#include "cli/config.h"
#include "cli/reach.h"

#include "base/file.h"
#include "base/sandbox.h"
#include "net/door.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- asking ---- */

static struct status
post(void *ctx, const struct cosign_witness *w, struct view body, struct diag *diag,
     unsigned *ret_status, struct buf *ret_answer)
{
    static const struct door_header plain = {"content-type", {(const uint8_t *)"text/plain", 10}};
    const struct door_request q = {.purpose = "witness",
                                   .url = w->url,
                                   .header = &plain,
                                   .headers = 1,
                                   .body = body,
                                   .ca_file = w->ca_file[0] == '\0' ? NULL : w->ca_file,
                                   .timeout_ns = w->timeout_ns,
                                   .max_bytes = COSIGN_LINES_MAX};
    DEFER(door_answer_done) struct door_answer a = {0};
    TRY(door_fetch(ctx, &q, diag, &a));
    *ret_status = a.status;
    buf_put(ret_answer, buf_view(&a.body));
    return buf_status(ret_answer);
}

struct round {
    const char *dir; /* of the log */
    const struct witnesses_options *o;
    struct door *door;
    struct note_key key[COSIGN_WITNESSES];
    enum cosign_outcome outcome[COSIGN_WITNESSES];
    struct diag said[COSIGN_WITNESSES];
    struct checkpoint checkpoint;
    size_t cosigned; /* of the witnesses, this checkpoint */
};

/* How many have cosigned it. */
static size_t
count_cosigned(const struct round *r, struct view note, struct note_signed *found)
{
    struct view text;
    size_t n = 0;
    if (!status_ok(note_open_any(note, r->key, r->o->count, NULL, found, &text))) {
        memset(found, 0, r->o->count * sizeof *found);
    }
    for (size_t i = 0; i < r->o->count; i++) {
        n += found[i].found;
    }
    return n;
}

static void
ask_others(struct round *r, struct view note, const struct note_signed *found, struct buf *lines)
{
    const struct cosign_post way = {post, r->door};
    for (size_t i = 0; i < r->o->count; i++) {
        uint64_t known = 0;
        DEFER(buf_done) struct buf line;
        buf_init(&line, COSIGN_LINES_MAX);
        if (!found[i].found) {
            r->outcome[i] =
                cosign_ask(r->dir, &r->o->witness[i], note, &way, &known, &r->said[i], &line);
            buf_put(lines, buf_view(&line));
        }
    }
}

static struct status
go_round(struct round *r, struct diag *diag)
{
    struct note_signed found[COSIGN_WITNESSES] = {0};
    struct view text;
    DEFER(buf_done) struct buf note;
    DEFER(buf_done) struct buf lines;
    buf_init(&note, NOTE_MAX);
    buf_init(&lines, NOTE_MAX);
    for (size_t i = 0; i < r->o->count; i++) {
        r->key[i] = r->o->witness[i].key;
    }
    TRY(cosign_checkpoint(r->dir, diag, &note, &text));
    TRY(checkpoint_parse(text, diag, &r->checkpoint));
    (void)count_cosigned(r, buf_view(&note), found);
    ask_others(r, buf_view(&note), found, &lines);
    TRY(buf_status(&lines));
    if (lines.len > 0) {
        TRY(cosign_add(r->dir, text, buf_view(&lines), diag));
        buf_put(&note, buf_view(&lines));
        TRY(buf_status(&note));
    }
    r->cosigned = count_cosigned(r, buf_view(&note), found);
    return r->cosigned >= witnesses_needed(r->o) ? cosign_keep(r->dir, buf_view(&note), diag) : OK;
}

static bool
any_is_grave(const struct round *r)
{
    bool any = false;
    for (size_t i = 0; i < r->o->count; i++) {
        any = any || cosign_is_grave(r->outcome[i]);
    }
    return any;
}

/* ---- audit cosign ---- */

static void
print_round(const struct round *r)
{
    (void)printf("%llu entries, cosigned by %zu of %zu witnesses; %zu are needed\n",
                 (unsigned long long)r->checkpoint.size, r->cosigned, r->o->count,
                 witnesses_needed(r->o));
    for (size_t i = 0; i < r->o->count; i++) {
        (void)fputs("  ", stdout);
        cli_put_clean(stdout, r->key[i].name);
        (void)printf(" %s\n", cosign_word(r->outcome[i]));
        if (r->outcome[i] != COSIGN_SIGNED) {
            (void)fputs("    ", stdout);
            cli_put_wrapped(stdout, r->said[i].text, 4, 4);
            (void)fputc('\n', stdout);
        }
    }
}

static struct status
print_round_json(const struct round *r)
{
    DEFER(js_freep) json_t *list = json_array();
    for (size_t i = 0; i < r->o->count; i++) {
        json_t *one = json_pack("{s:s, s:b, s:s, s:s}", "witness", r->key[i].name, "cosigned",
                                (int)(r->outcome[i] == COSIGN_SIGNED), "state",
                                cosign_word(r->outcome[i]), "reason", r->said[i].text);
        CHECK(one != NULL && json_array_append_new(list, one) == 0, MEMORY);
    }
    DEFER(js_freep)
    json_t *o = json_pack("{s:I, s:I, s:I, s:O}", "entries", (json_int_t)r->checkpoint.size,
                          "cosigned", (json_int_t)r->cosigned, "needed",
                          (json_int_t)witnesses_needed(r->o), "witnesses", list);
    CHECK(o != NULL, MEMORY);
    return cli_print_json(o);
}

static struct status
read_witnesses(struct cli *c, struct witnesses_options **ret_options, struct egress **ret_rules)
{
    DEFER(memory_freep) struct config *config = malloc(sizeof *config);
    DEFER(witnesses_options_freep) struct witnesses_options *o = NULL;
    CHECK(config != NULL, MEMORY);
    TRY(cli_config(c, NULL, config));
    TRY(config_witnesses(config, &o));
    TRY(config_egress(config, ret_rules));
    *ret_options = MOVE(o);
    return OK;
}

struct status
cli_audit_cosign(struct cli *c)
{
    DEFER(memory_freep) struct round *r = calloc(1, sizeof *r);
    DEFER(witnesses_options_freep) struct witnesses_options *o = NULL;
    DEFER(egress_freep) struct egress *rules = NULL;
    DEFER(door_freep) struct door *door = NULL;
    DEFER(file_freep) char *dir = NULL;
    CHECK(r != NULL, MEMORY);
    TRY(cli_log_dir(c, 0, &dir));
    TRY(read_witnesses(c, &o, &rules));
    if (o->count == 0) {
        diag_set(&c->diag, "audit cosign: by whom? audit.witnesses of the configuration is empty");
        FAIL(INPUT);
    }
    TRY(door_new(MOVE(rules), NULL, &door));
    *r = (struct round){.dir = dir, .o = o, .door = door};
    TRY(go_round(r, &c->diag));
    if (any_is_grave(r)) {
        c->exit_code = cli_exit_code(STATUS_INTEGRITY);
    } else if (r->cosigned < witnesses_needed(o)) {
        c->exit_code = cli_exit_code(STATUS_IO);
    }
    if (c->json) {
        return print_round_json(r);
    }
    print_round(r);
    return OK;
}

/* ---- after a verb ---- */

/* Who is no workspace's, or becomes another program, writes no entry. */
static bool
is_silent(const struct cli *c)
{
    const char *with = c->verb->connects;
    return (with != NULL && strcmp(with, CLI_BECOMES) == 0) ||
           reach_works_on(c) != CLI_ON_WORKSPACE;
}

static struct status
checkpoint_text(const char *dir, struct buf *ret_text)
{
    struct view text;
    DEFER(buf_done) struct buf note;
    buf_init(&note, NOTE_MAX);
    TRY(cosign_checkpoint(dir, NULL, &note, &text));
    buf_put(ret_text, text);
    return buf_status(ret_text);
}

static void
tell_round(const struct round *r)
{
    for (size_t i = 0; i < r->o->count; i++) {
        if (r->outcome[i] != COSIGN_SIGNED) {
            (void)fputs(cosign_is_grave(r->outcome[i]) ? "steward: witness " : "note: witness ",
                        stderr);
            cli_put_clean(stderr, r->key[i].name);
            (void)fputs(": ", stderr);
            cli_put_clean(stderr, r->said[i].text);
            (void)fputc('\n', stderr);
        }
    }
}

/* What was read before the verb ran, which may change the configuration. */
struct plan {
    const char *dir; /* of the log */
    struct witnesses_options *o;
    struct egress *rules;
};

static void
plan_done(struct plan *p)
{
    witnesses_options_freep(&p->o);
    egress_freep(&p->rules);
}

/* In the forked process, when the verb has ended. */
static int
deliver(struct cli *c, struct plan *p, struct view before)
{
    DEFER(buf_done) struct buf now;
    DEFER(memory_freep) struct round *r = calloc(1, sizeof *r);
    DEFER(door_freep) struct door *door = NULL;
    buf_init(&now, NOTE_MAX);
    if (r == NULL || !status_ok(checkpoint_text(p->dir, &now)) ||
        view_equal(buf_view(&now), before)) {
        return 0;
    }
    struct status s = door_new(MOVE(p->rules), NULL, &door);
    *r = (struct round){.dir = p->dir, .o = p->o, .door = door};
    s = status_ok(s) ? go_round(r, &c->diag) : s;
    if (!status_ok(s)) {
        (void)cli_tell(s, &c->diag);
        return 0;
    }
    tell_round(r);
    return any_is_grave(r) ? cli_exit_code(STATUS_INTEGRITY) : 0;
}

/* The log, the authorities of the witnesses, and what a connection needs. */
static struct status
confine(const struct plan *p)
{
    struct sandbox_path paths[SANDBOX_OUTWARD + 1 + COSIGN_WITNESSES];
    struct sandbox_told told;
    size_t n = SANDBOX_OUTWARD;
    memcpy(paths, sandbox_outward, sizeof sandbox_outward);
    paths[n++] = (struct sandbox_path){p->dir, SANDBOX_KEEP};
    for (size_t i = 0; i < p->o->count; i++) {
        paths[n++] = (struct sandbox_path){p->o->witness[i].ca_file, SANDBOX_READ};
    }
    TRY(sandbox_files(paths, n, true, NULL, &told));
    return sandbox_calls(SANDBOX_SENDER, NULL);
}

_Noreturn static void
live(struct cli *c, int fd, struct plan *p, struct view before)
{
    char go = 0;
    sandbox_wipe_environment();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!status_ok(confine(p)) || read(fd, &go, 1) != 1) {
        _exit(0);
    }
    _exit(deliver(c, p, before));
}

static void
start(struct cli *c, struct plan *p, struct courier *r)
{
    int ends[2];
    DEFER(buf_done) struct buf before;
    buf_init(&before, NOTE_MAX);
    if (!status_ok(checkpoint_text(p->dir, &before)) || pipe2(ends, O_CLOEXEC) != 0) {
        return;
    }
    const pid_t pid = fork();
    if (pid == 0) {
        (void)close(ends[1]);
        live(c, ends[0], p, buf_view(&before));
    }
    (void)close(ends[0]);
    if (pid < 0) {
        (void)close(ends[1]);
        return;
    }
    *r = (struct courier){pid, ends[1]};
}

void
courier_start(struct cli *c, struct courier *ret_courier)
{
    DEFER(file_freep) char *dir = file_join(c->dir, "audit");
    DEFER(file_freep) char *config = file_join(c->dir, "steward.yaml");
    DEFER(plan_done) struct plan plan = {.dir = dir};
    *ret_courier = (struct courier){0};
    if (is_silent(c) || !file_exists(config)) {
        return;
    }
    if (status_ok(read_witnesses(c, &plan.o, &plan.rules)) && plan.o->count > 0) {
        start(c, &plan, ret_courier);
    }
    c->diag = (struct diag){0}; /* what is wrong with the configuration is the verb's to say */
}

int
courier_end(struct courier *r)
{
    int ended = 0;
    if (r->pid == 0) {
        return 0;
    }
    (void)fflush(stdout);
    (void)!write(r->fd, "!", 1);
    (void)close(r->fd);
    while (waitpid(r->pid, &ended, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(ended) ? WEXITSTATUS(ended) : 0;
}
