#include "cli/witnessed.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "govern/cosign.h"

#include <string.h>

struct status
cli_quorum(struct cli *c, struct quorum **ret_quorum)
{
    const char *path = cli_value(c, "policy");
    DEFER(buf_done) struct buf text;
    buf_init(&text, QUORUM_MAX);
    if (path == NULL) {
        return OK;
    }
    TRY(file_read(path, QUORUM_MAX, &c->diag, &text));
    return quorum_parse(buf_view(&text), path, &c->diag, ret_quorum);
}

struct status
cli_quorum_vkey(struct cli *c, const char *dir, const struct quorum *q, struct buf *ret_vkey)
{
    const char *given = cli_value(c, "vkey");
    if (given != NULL) {
        buf_put_str(ret_vkey, given);
        return buf_status(ret_vkey);
    }
    return witnessed_vkey(dir, q, &c->diag, ret_vkey);
}

static struct status
oldest_allowed(struct cli *c, uint64_t *ret_time_s)
{
    const char *within = cli_value(c, "within");
    int64_t ns = 0;
    *ret_time_s = 0;
    if (within == NULL) {
        return OK;
    }
    if (!status_ok(text_to_duration_ns(view_str(within), &ns))) {
        diag_set(&c->diag, "--within %s: a duration is needed, such as 10m, 2h or 1d", within);
        FAIL(INPUT);
    }
    const int64_t now = clock_wall_ns();
    *ret_time_s = ns < now ? (uint64_t)((now - ns) / NS_PER_S) : 0;
    return OK;
}

static void
put_time(FILE *out, uint64_t time_s)
{
    DEFER(buf_done) struct buf when;
    buf_init(&when, 64);
    if (time_s > (uint64_t)(INT64_MAX / NS_PER_S)) {
        (void)fputs("a time that no clock has", out);
        return;
    }
    clock_put_rfc3339(&when, (int64_t)time_s * NS_PER_S);
    (void)fprintf(out, "%.19sZ", buf_str(&when));
}

struct status
cli_judge_witnessed(struct cli *c, const struct witnessed *w, bool *ret_good)
{
    const struct quorum_verdict *v = &w->verdict;
    const uint64_t newest = (uint64_t)(clock_wall_ns() / NS_PER_S) + COSIGN_CLOCK_S;
    uint64_t oldest = 0;
    TRY(oldest_allowed(c, &oldest));
    /* A time that has not come yet says nothing of how late it is. */
    const bool timely = oldest == 0 || (v->time_s >= oldest && v->time_s <= newest);
    *ret_good = v->met && (v->time_s == 0 || timely);
    if (!*ret_good) {
        c->exit_code = cli_exit_code(STATUS_INTEGRITY);
    }
    return OK;
}

json_t *
cli_witnessed_json(const struct quorum_verdict *v, uint64_t behind, bool good)
{
    return json_pack("{s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:s}", "met", (int)v->met, "good",
                     (int)good, "entries", (json_int_t)v->checkpoint.size, "behind",
                     (json_int_t)behind, "time_s", (json_int_t)v->time_s, "witnesses",
                     (json_int_t)v->witnesses, "cosigned", (json_int_t)v->cosigned, "missing",
                     v->missing);
}

static void
print_missing(const struct quorum_verdict *v)
{
    if (v->missing[0] != '\0') {
        (void)fputs("    without: ", stdout);
        cli_put_clean(stdout, v->missing);
        (void)fputc('\n', stdout);
    }
}

void
cli_print_verdict(const struct quorum_verdict *v)
{
    (void)printf("  witnessed: %zu of %zu witnesses", v->cosigned, v->witnesses);
    if (v->time_s > 0) {
        (void)fputs(", a quorum of them since ", stdout);
        put_time(stdout, v->time_s);
    }
    (void)fputc('\n', stdout);
    print_missing(v);
}

void
cli_print_witnessed(const struct witnessed *w, bool good)
{
    const struct quorum_verdict *v = &w->verdict;
    if (!v->met) {
        (void)printf("  NOT witnessed: %zu of %zu witnesses have cosigned this checkpoint\n",
                     v->cosigned, v->witnesses);
        print_missing(v);
        return;
    }
    cli_print_verdict(v);
    if (!good) {
        (void)puts("  NOT witnessed as lately as --within asks: an old log may have been\n"
                   "    put back, or the witnesses are not reached");
    }
    if (w->behind > 0) {
        (void)printf("  note: the newest %llu entries are not witnessed yet; %llu are\n",
                     (unsigned long long)w->behind, (unsigned long long)v->checkpoint.size);
    }
}
