/* What quotas leave: the same for the command line and the management API. */
#include "govern/quota.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

struct told {
    const struct quota_count **count; /* who used most, first */
    size_t n, room;
};

static void
told_done(struct told *t)
{
    free(t->count);
}

static int
compare(const void *a, const void *b)
{
    const struct quota_count *x = *(const struct quota_count *const *)a,
                             *y = *(const struct quota_count *const *)b;
    return x->used != y->used ? (x->used < y->used) - (x->used > y->used)
                              : strcmp(x->principal, y->principal);
}

/* Of one of each principal, those of whom something is used. */
static struct status
gather(const struct quota_book *b, const struct quota *q, const char *window, struct told *t)
{
    for (const struct quota_count *c = quota_book_next(b, q, NULL); c != NULL;
         c = quota_book_next(b, q, c)) {
        if (strcmp(c->window, window) < 0 || (q->each && c->used == 0)) {
            continue;
        }
        if (t->n == t->room) {
            const size_t room = t->room == 0 ? 64 : 2 * t->room;
            const struct quota_count **more = realloc(t->count, room * sizeof(*more));
            CHECK(more != NULL, MEMORY);
            t->count = more;
            t->room = room;
        }
        t->count[t->n++] = c;
    }
    if (t->n > 1) {
        qsort(t->count, t->n, sizeof(*t->count), compare);
    }
    return OK;
}

static json_t *
count_json(const struct quota *q, const struct quota_count *c)
{
    json_t *renews = js_time(quota_window_end(c->window));
    return json_pack("{s:s?, s:I, s:I, s:s, s:o}", "principal", q->each ? c->principal : NULL,
                     "used", (json_int_t)c->used, "left",
                     (json_int_t)(c->used < q->most ? q->most - c->used : 0), "window", c->window,
                     "renews", renews);
}

static struct status
put_counts(const struct quota_book *b, const struct quota *q, int64_t now_ns, json_t *list,
           size_t *ret_more)
{
    DEFER(told_done) struct told t = {0};
    struct quota_count none = {.used = 0};
    quota_window(q->span, now_ns, none.window);
    TRY(gather(b, q, none.window, &t));
    for (size_t i = 0; i < t.n && i < QUOTA_TOLD; i++) {
        CHECK(json_array_append_new(list, count_json(q, t.count[i])) == 0, MEMORY);
    }
    if (t.n == 0 && !q->each) {
        CHECK(json_array_append_new(list, count_json(q, &none)) == 0, MEMORY);
    }
    *ret_more = t.n > QUOTA_TOLD ? t.n - QUOTA_TOLD : 0;
    return OK;
}

static struct status
put_quota(const struct quota_book *b, const struct quota *q, int64_t now_ns, json_t *list)
{
    size_t more = 0;
    DEFER(buf_done) struct buf text;
    DEFER(js_freep) json_t *counts = json_array();
    buf_init(&text, 512);
    quota_put(q, &text);
    TRY(put_counts(b, q, now_ns, counts, &more));
    json_t *o = json_pack("{s:s, s:s, s:I, s:b, s:O, s:I}", "name", q->name, "quota",
                          buf_str(&text), "most", (json_int_t)q->most, "each", q->each, "counts",
                          counts, "more", (json_int_t)more);
    CHECK(o != NULL && json_array_append_new(list, o) == 0, MEMORY);
    return OK;
}

struct status
quota_book_json(const struct quota_book *b, const struct quota *list, size_t count, int64_t now_ns,
                json_t **ret_left)
{
    json_t *quotas = json_array();
    DEFER(js_freep) json_t *o = json_pack("{s:o}", "quotas", quotas);
    CHECK(o != NULL, MEMORY);
    for (size_t i = 0; i < count; i++) {
        TRY(put_quota(b, &list[i], now_ns, quotas));
    }
    *ret_left = MOVE(o);
    return OK;
}
