/* audit: reading the log. None of these needs the passphrase: what they check, a third party can
 * check on a copy. */
#include "cli/cli.h"

#include "base/file.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

struct status
cli_log_dir(struct cli *c, size_t operand, char **ret_dir)
{
    if (c->operands > operand) {
        *ret_dir = strdup(c->operand[operand]);
        CHECK(*ret_dir != NULL, MEMORY);
        return OK;
    }
    TRY(workspace_check(c->dir, &c->diag));
    *ret_dir = file_join(c->dir, "audit");
    return OK;
}

/* ---- show ---- */

static const char *
text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text == NULL ? "-" : text;
}

/* Two lines an entry, so that it reads well in 80 columns. */
void
cli_print_entry(uint64_t index, const json_t *e)
{
    const int http = (int)json_integer_value(json_object_get(e, "http_status"));
    char when[24], decision[16];
    (void)snprintf(when, sizeof when, "%.19sZ", text_of(e, "time"));
    (void)snprintf(decision, sizeof decision, "%-5.10s", text_of(e, "decision"));
    (void)printf("%6llu  ", (unsigned long long)index);
    cli_put_clean(stdout, when);
    (void)fputs("  ", stdout);
    cli_put_clean(stdout, decision);
    (void)fputs("  ", stdout);
    cli_put_clean(stdout, text_of(e, "principal"));
    (void)fputs("  ", stdout);
    cli_put_clean(stdout, text_of(e, "action"));
    (void)fputs("  ", stdout);
    cli_put_clean(stdout, text_of(e, "resource"));
    const json_int_t version = json_integer_value(json_object_get(e, "model_version"));
    if (version != 0) {
        (void)printf("  version %lld", (long long)version);
    }
    (void)fputs("\n        ", stdout);
    if (http != 0) {
        (void)printf("%d: ", http);
    }
    cli_put_clean(stdout, text_of(e, "reason"));
    (void)fputc('\n', stdout);
}

struct shown {
    struct cli *c;
    json_t *list;                 /* with --json */
    const char *action, *without; /* NULL: any, none */
    uint64_t wanted, found;       /* of the newest that are looked for, from the end */
};

static bool
is_shown(const struct shown *s, const json_t *e)
{
    const char *action = text_of(e, "action");
    return (s->action == NULL || strcmp(action, s->action) == 0) &&
           (s->without == NULL || strcmp(action, s->without) != 0);
}

static struct status
show_entry(void *ctx, uint64_t index, struct view entry)
{
    struct shown *s = ctx;
    DEFER(js_freep) json_t *e = NULL;
    TRY(js_parse(entry, "entry", &s->c->diag, &e));
    if (!is_shown(s, e) || s->found == s->wanted) {
        return OK;
    }
    s->found++;
    if (s->list == NULL) {
        cli_print_entry(index, e);
        return OK;
    }
    json_t *o = json_pack("{s:I, s:O, s:s%}", "index", (json_int_t)index, "entry", e, "raw",
                          (const char *)entry.ptr, entry.len);
    CHECK(o != NULL && json_array_append_new(s->list, o) == 0, MEMORY);
    return OK;
}

#define WINDOW 1024u /* entries that are looked at at once, from the end */

struct matches {
    const struct shown *shown;
    uint64_t at[WINDOW], count;
};

static struct status
note_match(void *ctx, uint64_t index, struct view entry)
{
    struct matches *m = ctx;
    DEFER(js_freep) json_t *e = NULL;
    TRY(js_parse(entry, "entry", NULL, &e));
    if (is_shown(m->shown, e) && m->count < WINDOW) {
        m->at[m->count++] = index;
    }
    return OK;
}

/* Where the newest s->wanted entries that are shown begin. */
static struct status
find_newest(const struct shown *s, const char *dir, uint64_t count, uint64_t *ret_from)
{
    uint64_t left = s->wanted;
    *ret_from = count;
    while (left > 0 && *ret_from > 0) {
        struct matches m = {.shown = s};
        const uint64_t to = *ret_from;
        *ret_from = to > WINDOW ? to - WINDOW : 0;
        TRY(audit_each(dir, *ret_from, to, note_match, &m, &s->c->diag));
        *ret_from = m.count >= left ? m.at[m.count - left] : *ret_from;
        left -= m.count < left ? m.count : left;
    }
    return OK;
}

struct status
cli_audit_show(struct cli *c)
{
    uint64_t count = 0, from = 0, to = 0;
    DEFER(file_freep) char *dir = NULL;
    DEFER(js_freep) json_t *list = c->json ? json_array() : NULL;
    CHECK(!c->json || list != NULL, MEMORY);
    TRY(cli_log_dir(c, 0, &dir));
    TRY(audit_count(dir, &count, &c->diag));
    struct shown s = {
        .c = c, .list = list, .action = cli_value(c, "action"), .without = cli_value(c, "without")};
    TRY(cli_u64(c, "last", &s.wanted));
    const bool all = s.action == NULL && s.without == NULL;
    if (cli_value(c, "from") != NULL) {
        TRY(cli_u64(c, "from", &from));
        from = from > count ? count : from;
    } else if (all) {
        from = count > s.wanted ? count - s.wanted : 0;
    } else {
        TRY(find_newest(&s, dir, count, &from));
    }
    to = all && s.wanted < count - from ? from + s.wanted : count;
    TRY(audit_each(dir, from, to, show_entry, &s, &c->diag));
    return c->json ? cli_print_json(list) : OK;
}
