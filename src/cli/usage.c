/* usage: the calls of the log, added up. Needs no passphrase. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/file.h"
#include "govern/usage.h"

const struct cli_option cli_usage_options[] = {
    {"by", "KEY", "principal, model, version, day; several with commas (default: principal,model)",
     NULL, CLI_COMMAS, "principal model version day"},
    {"since", "TIME", "calls from then on: 2026-11-23, 2026-11-23T10:20:30Z, or 7d", NULL, CLI_ONCE,
     NULL},
    {"until", "TIME", "calls before then", NULL, CLI_ONCE, NULL},
    {"principal", "NAME", "only of its calls", NULL, CLI_ONCE, NULL},
    {"model", "MODEL", "only of its calls", NULL, CLI_ONCE, NULL},
    {0},
};

static struct status
read_by(struct cli *c, bool by[static USAGE_KEYS])
{
    const char *words[CLI_MAX_REPEATS];
    size_t count = 0;
    DEFER(memory_freep) char *memory = NULL;
    TRY(cli_list(c, "by", words, CLI_MAX_REPEATS, &count, &memory));
    for (size_t i = 0; i < count; i++) {
        TRY(usage_word(words[i], &c->diag, by));
    }
    return OK;
}

static void
put_key(struct buf *b, const char *word, const char *value)
{
    buf_printf(b, "%s%s %s", b->len == 0 ? "" : ", ", word, *value == '\0' ? "-" : value);
}

static void
print_row(const struct usage_row *r, const bool by[static USAGE_KEYS])
{
    static const char *const words[USAGE_KEYS] = {"principal", "model", "version", "day"};
    DEFER(buf_done) struct buf head;
    buf_init(&head, 1u << 16);
    buf_put_str(&head, r->other ? "all other groups" : "");
    for (size_t k = 0; k < USAGE_KEYS && !r->other; k++) {
        if (by[k]) {
            put_key(&head, words[k], r->key[k]);
        }
    }
    cli_put_wrapped(stdout, buf_str(&head), 0, 2);
    (void)printf("  %llu calls, %llu rows, %llu refused, %llu errors\n",
                 (unsigned long long)r->calls, (unsigned long long)r->rows,
                 (unsigned long long)r->refused, (unsigned long long)r->errors);
    if (r->timed > 0) {
        (void)printf("  ms: mean %.3f, p50 %.3f, p95 %.3f, p99 %.3f\n", r->mean_ns / 1e6,
                     r->p50_ns / 1e6, r->p95_ns / 1e6, r->p99_ns / 1e6);
    }
}

static struct status
print(struct cli *c, struct usage *u)
{
    struct usage_row r = {0};
    if (c->json) {
        DEFER(js_freep) json_t *o = NULL;
        TRY(usage_json(u, &o));
        return cli_print_json(o);
    }
    for (size_t i = 0; i < usage_count(u); i++) {
        usage_row(u, i, &r);
        print_row(&r, usage_by(u));
    }
    if (usage_count(u) == 0) {
        cli_say("no calls");
    }
    return OK;
}

static void
warn_of_other(struct usage *u)
{
    struct usage_row r = {0};
    if (usage_count(u) > 0) {
        usage_row(u, usage_count(u) - 1, &r);
    }
    if (r.other) {
        (void)fprintf(stderr, "steward: more than %u groups; the rest is one, last\n",
                      USAGE_MOST_GROUPS);
    }
}

struct status
cli_usage(struct cli *c)
{
    DEFER(file_freep) char *dir = NULL;
    DEFER(usage_freep) struct usage *u = NULL;
    struct usage_question q = {.since = cli_value(c, "since"),
                               .until = cli_value(c, "until"),
                               .principal = cli_value(c, "principal"),
                               .model = cli_value(c, "model")};
    TRY(read_by(c, q.by));
    TRY(cli_log_dir(c, 0, &dir));
    TRY(usage_read(dir, &q, clock_wall_ns(), NULL, &c->diag, &u));
    warn_of_other(u);
    return print(c, u);
}
