/* usage: the calls of the log, added up, and what quotas leave. Needs no passphrase. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/file.h"
#include "cli/config.h"
#include "govern/usage.h"

#include <string.h>

const struct cli_option cli_usage_options[] = {
    {"by", "KEY", "principal, model, version, day; several with commas (default: principal,model)",
     NULL, CLI_COMMAS, "principal model version day"},
    {"since", "TIME", "calls from then on: 2026-11-23, 2026-11-23T10:20:30Z, or 7d", NULL, CLI_ONCE,
     NULL},
    {"until", "TIME", "calls before then", NULL, CLI_ONCE, NULL},
    {"principal", "NAME", "only of its calls", NULL, CLI_ONCE, NULL},
    {"model", "MODEL", "only of its calls", NULL, CLI_ONCE, NULL},
    {"quotas", NULL,
     "instead: of each quota of limits.quotas what is used, what is left, and when "
     "it is renewed",
     NULL, CLI_ONCE, NULL},
    {"config", "FILE", "with --quotas: where they stand (default: the workspace's steward.yaml)",
     NULL, CLI_ONCE, "@file"},
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
    if (r->told > 0) {
        (void)printf("  %llu tokens in %llu calls that tell them\n", (unsigned long long)r->tokens,
                     (unsigned long long)r->told);
    }
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

/* ---- quotas ---- */

static void
print_count(const json_t *count)
{
    const char *who = json_string_value(json_object_get(count, "principal"));
    cli_say("  %s%s%lld used, %lld left until %s", who == NULL ? "" : who, who == NULL ? "" : ": ",
            (long long)json_integer_value(json_object_get(count, "used")),
            (long long)json_integer_value(json_object_get(count, "left")),
            json_string_value(json_object_get(count, "renews")));
}

static void
print_quota(const json_t *quota)
{
    size_t i = 0;
    json_t *count = NULL, *counts = json_object_get(quota, "counts");
    const json_int_t more = json_integer_value(json_object_get(quota, "more"));
    cli_say("%s: %s", json_string_value(json_object_get(quota, "name")),
            json_string_value(json_object_get(quota, "quota")));
    json_array_foreach(counts, i, count)
    {
        print_count(count);
    }
    if (json_array_size(counts) == 0) {
        cli_say("  nothing is used");
    }
    if (more > 0) {
        cli_say("  and %lld more, who used less", (long long)more);
    }
}

static struct status
refuse_beside_quotas(struct cli *c)
{
    static const char *const others[] = {"by", "since", "until", "principal", "model"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (cli_is_given(c, others[i])) {
            diag_set(&c->diag,
                     "--quotas tells of the windows that are now, whole: --%s has no "
                     "place beside it",
                     others[i]);
            FAIL(INPUT);
        }
    }
    return OK;
}

static struct status
tell_quotas(struct cli *c, const char *dir)
{
    size_t i = 0;
    json_t *quota = NULL;
    struct quota list[QUOTAS];
    DEFER(memory_freep) struct config *config = malloc(sizeof *config);
    DEFER(quota_book_freep) struct quota_book *b = NULL;
    DEFER(js_freep) json_t *o = NULL;
    uint64_t from = 0;
    CHECK(config != NULL, MEMORY);
    TRY(refuse_beside_quotas(c));
    TRY(cli_config(c, cli_value(c, "config"), config));
    const size_t n = config_quotas(config, list);
    TRY(n > 0 ? quota_book_read(dir, &c->diag, &b, &from) : OK);
    TRY(quota_book_json(b, list, n, clock_wall_ns(), &o));
    if (c->json) {
        return cli_print_json(o);
    }
    json_array_foreach(json_object_get(o, "quotas"), i, quota)
    {
        print_quota(quota);
    }
    if (n == 0) {
        cli_say("no quotas");
    }
    return OK;
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
    if (cli_flag(c, "quotas")) {
        return tell_quotas(c, dir);
    }
    TRY(usage_read(dir, &q, clock_wall_ns(), NULL, &c->diag, &u));
    warn_of_other(u);
    return print(c, u);
}
