/* usage: the calls of the log, added up. Needs no passphrase. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "govern/search.h"
#include "govern/usage.h"

#include <stdlib.h>
#include <string.h>

#define ENTRY_ARENA (1u << 20)

static const char *const key_words[USAGE_KEYS] = {"principal", "model", "version", "day"};

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

struct adding {
    struct usage *usage;
    struct arena *arena;
    uint64_t unreadable;
};

static void
adding_done(struct adding *a)
{
    usage_free(a->usage);
    arena_free(a->arena);
}

static struct status
add_entry(void *ctx, uint64_t index, struct view entry)
{
    struct adding *a = ctx;
    const struct js_node *root = NULL;
    (void)index;
    arena_reset(a->arena);
    if (!status_ok(js_flat(entry, NULL, a->arena, NULL, &root)) || root->kind != JS_OBJECT) {
        a->unreadable++;
        return OK;
    }
    return usage_add(a->usage, root);
}

static struct status
read_by(struct cli *c, bool ret_by[static USAGE_KEYS])
{
    const char *words[CLI_MAX_REPEATS];
    size_t count = 0;
    DEFER(memory_freep) char *memory = NULL;
    TRY(cli_list(c, "by", words, CLI_MAX_REPEATS, &count, &memory));
    for (size_t k = 0; k < USAGE_KEYS; k++) {
        ret_by[k] = count == 0 && k <= USAGE_MODEL;
    }
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < USAGE_KEYS && strcmp(words[i], key_words[k]) != 0) {
            k++;
        }
        if (k == USAGE_KEYS) {
            diag_set(&c->diag, "--by %.40s: there are principal, model, version and day", words[i]);
            FAIL(INPUT);
        }
        ret_by[k] = true;
    }
    return OK;
}

/* What the options ask for, as a query (govern/query.h). */
static void
put_term(struct cli *c, const char *option, const char *term, struct buf *ret_query)
{
    const char *value = cli_value(c, option);
    if (value == NULL) {
        return;
    }
    buf_printf(ret_query, "%s\"", term);
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\') {
            buf_put_u8(ret_query, '\\');
        }
        buf_put_u8(ret_query, (uint8_t)*value);
    }
    buf_printf(ret_query, "\" ");
}

static struct status
read_log(struct cli *c, struct adding *a, struct search_stats *ret_stats)
{
    struct search_options o = {0};
    DEFER(file_freep) char *dir = NULL;
    DEFER(query_done) struct query q = {0};
    DEFER(buf_done) struct buf text;
    buf_init(&text, QUERY_MOST_BYTES);
    put_term(c, "since", "time>=", &text);
    put_term(c, "until", "time<", &text);
    put_term(c, "principal", "principal=", &text);
    put_term(c, "model", "model=", &text);
    TRY(buf_status(&text));
    TRY(query_parse(buf_view(&text), clock_wall_ns(), &c->diag, &q));
    TRY(cli_log_dir(c, 0, &dir));
    return search_run(dir, &q, &o, add_entry, a, &c->diag, ret_stats);
}

static json_t *
row_json(const struct usage_row *r, const bool by[static USAGE_KEYS])
{
    json_t *o = json_pack("{s:I, s:I, s:I, s:I, s:I}", "calls", (json_int_t)r->calls, "rows",
                          (json_int_t)r->rows, "refused", (json_int_t)r->refused, "errors",
                          (json_int_t)r->errors, "timed", (json_int_t)r->timed);
    const struct {
        const char *name;
        double ns;
    } times[] = {{"mean_ms", r->mean_ns},
                 {"p50_ms", r->p50_ns},
                 {"p95_ms", r->p95_ns},
                 {"p99_ms", r->p99_ns}};
    bool whole = o != NULL;
    for (size_t i = 0; i < sizeof times / sizeof *times && whole; i++) {
        json_t *ms = r->timed > 0 ? js_real(times[i].ns / 1e6) : json_null();
        whole = json_object_set_new(o, times[i].name, ms) == 0;
    }
    for (size_t k = 0; k < USAGE_KEYS && whole; k++) {
        json_t *key = r->other || r->key[k][0] == '\0' ? json_null() : json_string(r->key[k]);
        whole = by[k] ? json_object_set_new(o, key_words[k], key) == 0 : (json_decref(key), true);
    }
    whole = whole && (!r->other || json_object_set_new(o, "other", json_true()) == 0);
    if (!whole) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static void
print_row(const struct usage_row *r, const bool by[static USAGE_KEYS])
{
    DEFER(buf_done) struct buf head;
    buf_init(&head, 1u << 16);
    buf_put_str(&head, r->other ? "all other groups" : "");
    for (size_t k = 0; k < USAGE_KEYS && !r->other; k++) {
        if (by[k]) {
            buf_printf(&head, "%s%s %s", head.len == 0 ? "" : ", ", key_words[k],
                       r->key[k][0] == '\0' ? "-" : r->key[k]);
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

struct status
cli_usage(struct cli *c)
{
    bool by[USAGE_KEYS];
    struct search_stats stats;
    struct usage_row r = {0};
    DEFER(adding_done) struct adding a = {0};
    TRY(read_by(c, by));
    a.usage = usage_new(by, USAGE_MOST_GROUPS);
    a.arena = arena_new(ENTRY_ARENA);
    CHECK(a.usage != NULL && a.arena != NULL, MEMORY);
    TRY(read_log(c, &a, &stats));
    json_t *list = json_array();
    DEFER(js_freep)
    json_t *o = json_pack("{s:o, s:I}", "groups", list, "unreadable",
                          (json_int_t)(stats.unreadable + a.unreadable));
    CHECK(o != NULL, MEMORY);
    for (size_t i = 0; i < usage_count(a.usage); i++) {
        usage_row(a.usage, i, &r);
        if (c->json) {
            CHECK(json_array_append_new(list, row_json(&r, by)) == 0, MEMORY);
        } else {
            print_row(&r, by);
        }
    }
    if (usage_count(a.usage) == 0 && !c->json) {
        cli_say("no calls");
    }
    if (r.other) {
        (void)fprintf(stderr, "steward: more than %u groups; the rest is one, last\n",
                      USAGE_MOST_GROUPS);
    }
    return c->json ? cli_print_json(o) : OK;
}
