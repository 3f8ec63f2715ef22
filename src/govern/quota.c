#include "govern/quota.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

static const char *const units[] = {
    [QUOTA_CALLS] = "calls", [QUOTA_ROWS] = "rows", [QUOTA_TOKENS] = "tokens"};
static const struct {
    const char *word;
    size_t letters; /* of a time's text that make the window */
} spans[] = {[QUOTA_MINUTE] = {"minute", 16},
             [QUOTA_HOUR] = {"hour", 13},
             [QUOTA_DAY] = {"day", 10},
             [QUOTA_MONTH] = {"month", 7}};
static const char *const owners[] = {[QUOTA_OF_ALL] = "",
                                     [QUOTA_OF_PRINCIPAL] = "principal",
                                     [QUOTA_OF_GROUP] = "group",
                                     [QUOTA_OF_ROLE] = "role"};

#define COUNT(ARRAY) (sizeof(ARRAY) / sizeof *(ARRAY))

static struct status
refuse(struct diag *diag, const char *why)
{
    diag_set(diag,
             "%s; a quota is written: NAME MOST calls|rows|tokens/minute|hour|day|month "
             "[principal=P|group=G|role=R] [model=M] [each]",
             why);
    FAIL(INPUT);
}

/* "rows/day" */
static struct status
parse_rate(struct view word, struct quota *q, struct diag *diag)
{
    char text[32], made[32];
    if (text_copy_view(text, sizeof text, word)) {
        for (size_t u = 0; u < COUNT(units); u++) {
            for (size_t s = 0; s < COUNT(spans); s++) {
                (void)snprintf(made, sizeof made, "%s/%s", units[u], spans[s].word);
                if (strcmp(made, text) == 0) {
                    q->unit = (enum quota_unit)u;
                    q->span = (enum quota_span)s;
                    return OK;
                }
            }
        }
    }
    return refuse(diag, "behind the number stands what is counted and in which time, such as "
                        "rows/day");
}

/* "KEY=NAME" */
static bool
take_named(struct view word, const char *key, char ret_name[static QUOTA_NAME_MAX])
{
    const size_t n = strlen(key);
    return word.len > n + 1 && memcmp(word.ptr, key, n) == 0 && word.ptr[n] == '=' &&
           text_copy_view(ret_name, QUOTA_NAME_MAX, view_of(word.ptr + n + 1, word.len - n - 1)) &&
           text_is_name(ret_name);
}

static struct status
parse_scope(struct view word, struct quota *q, struct diag *diag)
{
    if (view_equal_str(word, "each") && !q->each) {
        q->each = true;
        return OK;
    }
    if (*q->model == '\0' && take_named(word, "model", q->model)) {
        return OK;
    }
    for (size_t i = QUOTA_OF_PRINCIPAL; i < COUNT(owners) && q->of == QUOTA_OF_ALL; i++) {
        if (take_named(word, owners[i], q->who)) {
            q->of = (enum quota_of)i;
            return OK;
        }
    }
    return refuse(diag, "at its end stand one of principal=, group= and role=, model= and each, "
                        "each once, with names");
}

struct status
quota_parse(struct view item, struct diag *diag, struct quota *ret_quota)
{
    struct quota q = {.most = 0};
    if (!text_copy_view(q.name, sizeof q.name, text_next_word(&item)) || !text_is_name(q.name)) {
        return refuse(diag, "it begins with a name: a to z, 0 to 9 and . _ -");
    }
    if (!status_ok(text_to_u64(text_next_word(&item), &q.most)) || q.most > QUOTA_MOST) {
        return refuse(diag, "behind the name stands a whole number");
    }
    TRY(parse_rate(text_next_word(&item), &q, diag));
    for (struct view word = text_next_word(&item); word.len > 0; word = text_next_word(&item)) {
        TRY(parse_scope(word, &q, diag));
    }
    (void)snprintf(q.count, sizeof q.count, "%s %s/%s%s", q.name, units[q.unit], spans[q.span].word,
                   q.each ? "/each" : "");
    *ret_quota = q;
    return OK;
}

void
quota_put(const struct quota *q, struct buf *ret_text)
{
    buf_printf(ret_text, "%llu %s/%s", (unsigned long long)q->most, units[q->unit],
               spans[q->span].word);
    if (q->of != QUOTA_OF_ALL) {
        buf_printf(ret_text, " of %s %s", owners[q->of], q->who);
    }
    if (*q->model != '\0') {
        buf_printf(ret_text, " on model %s", q->model);
    }
    buf_put_str(ret_text, q->each ? ", each" : "");
}

json_t *
quota_to_json(const struct quota *q)
{
    char of[QUOTA_NAME_MAX + 16];
    (void)snprintf(of, sizeof of, "%s:%s", owners[q->of], q->who);
    return json_pack("{s:s, s:I, s:s, s:s, s:s?, s:s?, s:b}", "name", q->name, "most",
                     (json_int_t)q->most, "unit", units[q->unit], "span", spans[q->span].word,
                     "model", *q->model == '\0' ? NULL : q->model, "of",
                     q->of == QUOTA_OF_ALL ? NULL : of, "each", q->each);
}

/* ---- windows ---- */

void
quota_window(enum quota_span span, int64_t wall_ns, char ret_window[static QUOTA_WINDOW_MAX])
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 64);
    clock_put_rfc3339(&text, wall_ns);
    text_copy(ret_window, spans[span].letters + 1, buf_str(&text));
}

static int64_t
begin_of(const char *window)
{
    static const char rest[] = "0000-01-01T00:00:00Z";
    char text[sizeof rest];
    int64_t ns = 0;
    const size_t n = strlen(window);
    memcpy(text, rest, sizeof rest);
    memcpy(text, window, n < sizeof rest ? n : 0);
    return status_ok(clock_from_rfc3339(view_str(text), &ns)) ? ns : 0;
}

int64_t
quota_window_end(const char *window)
{
    char next[QUOTA_WINDOW_MAX];
    enum quota_span span = QUOTA_MINUTE;
    static const int64_t longest_s[] = {60, 3600, 86400, INT64_C(31) * 86400};
    while (span < QUOTA_MONTH && spans[span].letters != strlen(window)) {
        span++;
    }
    const int64_t end = begin_of(window) + longest_s[span] * NS_PER_S;
    quota_window(span, end, next); /* of a shorter month: the one that has begun by then */
    return begin_of(next);
}
