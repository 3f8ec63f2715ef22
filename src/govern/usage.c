#include "govern/usage.h"

#include "govern/search.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 2048u /* more than twice the groups */
#define PART_BITS 5u
#define PARTS (1u << PART_BITS) /* of each power of two */
#define BUCKETS ((65u - PART_BITS) * PARTS)
#define DAY_LETTERS 10u
#define ENTRY_ARENA (1u << 20)

_Static_assert(SLOTS >= 2 * USAGE_MOST_GROUPS, "a free slot is always found");

struct group {
    char *text; /* the keys, each with its NUL */
    size_t length;
    struct usage_row row;
    double sum_ns;
    uint64_t bucket[BUCKETS];
};

struct usage {
    bool by[USAGE_KEYS];
    size_t most, count;
    struct group *group[USAGE_MOST_GROUPS + 1]; /* the last one is "other", while entries come */
    struct group *slot[SLOTS];
    struct group *other;
    struct buf key;
    bool sorted;
    uint64_t unreadable; /* entries of the log that are no objects */
    int64_t read_ns;     /* when its reading began; 0: it is of no log */
    uint64_t entries;    /* of the log then */
};

static const char *const key_words[USAGE_KEYS] = {"principal", "model", "version", "day"};

/* ---- durations ---- */

/* Exact below PARTS; from there on each power of two is parted evenly. */
static size_t
bucket_of(uint64_t ns)
{
    if (ns < PARTS) {
        return (size_t)ns;
    }
    const unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - PART_BITS;
    return (size_t)shift * PARTS + (size_t)(ns >> shift);
}

static double
middle_of(size_t bucket)
{
    if (bucket < 2 * PARTS) {
        return (double)bucket;
    }
    const int shift = (int)(bucket / PARTS) - 1;
    return ldexp((double)(bucket % PARTS + PARTS) + 0.5, shift);
}

/* Of the nearest rank: the smallest duration that at least that share of calls do not exceed. */
static double
quantile(const struct group *g, uint64_t percent)
{
    const uint64_t n = g->row.timed, rank = n / 100 * percent + (n % 100 * percent + 99) / 100;
    uint64_t seen = 0;
    for (size_t k = 0; k < BUCKETS; k++) {
        seen += g->bucket[k];
        if (seen >= rank && seen > 0) {
            return middle_of(k);
        }
    }
    return 0;
}

/* ---- groups ---- */

struct usage *
usage_new(const bool by[static USAGE_KEYS], size_t most)
{
    ASSERT(most >= 1 && most <= USAGE_MOST_GROUPS);
    struct usage *u = calloc(1, sizeof *u);
    if (u != NULL) {
        memcpy(u->by, by, sizeof u->by);
        u->most = most;
        buf_init(&u->key, 1u << 18);
    }
    return u;
}

void
usage_free(struct usage *u)
{
    if (u == NULL) {
        return;
    }
    for (size_t i = 0; i < u->count; i++) {
        free(u->group[i]->text);
        free(u->group[i]);
    }
    buf_done(&u->key);
    free(u);
}

static struct group *
group_new(struct usage *u, struct view key)
{
    struct group *g = calloc(1, sizeof *g);
    char *text = malloc(key.len);
    if (g == NULL || text == NULL) {
        free(g);
        free(text);
        return NULL;
    }
    memcpy(text, key.ptr, key.len);
    g->text = text;
    g->length = key.len;
    for (size_t k = 0; k < USAGE_KEYS; k++) {
        g->row.key[k] = text;
        text += strlen(text) + 1;
    }
    u->group[u->count++] = g;
    return g;
}

static size_t
slot_of(const struct usage *u, struct view key)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < key.len; i++) {
        hash = (hash ^ key.ptr[i]) * UINT64_C(0x100000001b3);
    }
    size_t at = (size_t)(hash >> 32) % SLOTS;
    while (u->slot[at] != NULL &&
           (u->slot[at]->length != key.len || memcmp(u->slot[at]->text, key.ptr, key.len) != 0)) {
        at = (at + 1) % SLOTS;
    }
    return at;
}

static struct status
find_group(struct usage *u, struct group **ret_group)
{
    static const uint8_t nothing[USAGE_KEYS] = {0};
    const struct view key = buf_view(&u->key);
    const size_t at = slot_of(u, key);
    *ret_group = u->slot[at] != NULL ? u->slot[at] : u->other;
    if (u->slot[at] == NULL && u->count < u->most) {
        *ret_group = u->slot[at] = group_new(u, key);
    } else if (*ret_group == NULL) {
        *ret_group = u->other = group_new(u, (struct view){.ptr = nothing, .len = sizeof nothing});
        CHECK(u->other != NULL, MEMORY);
        u->other->row.other = true;
    }
    CHECK(*ret_group != NULL, MEMORY);
    return OK;
}

/* ---- entries ---- */

static const char *
text_of(const struct js_node *entry, const char *key)
{
    const struct js_node *n = js_flat_member(entry, key);
    return n != NULL && n->kind == JS_STRING ? n->text : "";
}

static uint64_t
number_of(const struct js_node *entry, const char *key)
{
    const struct js_node *n = js_flat_member(entry, key);
    return n != NULL && n->kind == JS_INTEGER && n->integer > 0 ? (uint64_t)n->integer : 0;
}

/* Version 1 of the schema has the model of a call in its resource. */
static const char *
model_of(const struct js_node *entry)
{
    const char *model = text_of(entry, "model"), *resource = text_of(entry, "resource");
    if (*model == '\0' && strncmp(resource, "models/", strlen("models/")) == 0) {
        return resource + strlen("models/");
    }
    return model;
}

static void
put_key(struct usage *u, enum usage_key k, struct view text)
{
    if (u->by[k]) {
        buf_put(&u->key, text);
    }
    buf_put_u8(&u->key, 0);
}

bool
usage_tokens(const struct js_node *entry, uint64_t *ret_tokens)
{
    const uint64_t total = number_of(entry, "total_tokens");
    *ret_tokens = total > 0
                      ? total
                      : number_of(entry, "prompt_tokens") + number_of(entry, "completion_tokens");
    return *ret_tokens > 0;
}

static void
add_to(struct group *g, const struct js_node *entry, uint64_t http_status)
{
    struct usage_row *r = &g->row;
    const bool denied = strcmp(text_of(entry, "decision"), "deny") == 0;
    const uint64_t ns = number_of(entry, "duration_ns");
    uint64_t tokens = 0;
    r->calls++;
    r->told += usage_tokens(entry, &tokens);
    r->tokens += tokens;
    r->rows += number_of(entry, "rows");
    r->refused += denied && http_status < 500;
    r->errors += http_status >= 500 || (!denied && http_status >= 400);
    if (ns > 0) {
        r->timed++;
        g->sum_ns += (double)ns;
        g->bucket[bucket_of(ns)]++;
    }
}

struct status
usage_add(struct usage *u, const struct js_node *entry)
{
    struct group *g = NULL;
    char version[24] = "";
    const uint64_t http_status = number_of(entry, "http_status");
    const uint64_t number = number_of(entry, "model_version");
    struct view day = view_str(text_of(entry, "time"));
    ASSERT(!u->sorted);
    if (http_status == 0) {
        return OK;
    }
    if (number > 0) {
        (void)snprintf(version, sizeof version, "%llu", (unsigned long long)number);
    }
    day.len = day.len < DAY_LETTERS ? day.len : DAY_LETTERS;
    buf_reset(&u->key);
    put_key(u, USAGE_PRINCIPAL, view_str(text_of(entry, "principal")));
    put_key(u, USAGE_MODEL, view_str(model_of(entry)));
    put_key(u, USAGE_VERSION, view_str(version));
    put_key(u, USAGE_DAY, day);
    TRY(buf_status(&u->key));
    TRY(find_group(u, &g));
    add_to(g, entry, http_status);
    return OK;
}

/* ---- results ---- */

static int
compare_groups(const void *a, const void *b)
{
    const struct usage_row *x = &(*(struct group *const *)a)->row;
    const struct usage_row *y = &(*(struct group *const *)b)->row;
    int order = (int)x->other - (int)y->other;
    for (size_t k = 0; k < USAGE_KEYS && order == 0; k++) {
        order = k == USAGE_VERSION ? (int)strlen(x->key[k]) - (int)strlen(y->key[k]) : 0;
        order = order == 0 ? strcmp(x->key[k], y->key[k]) : order;
    }
    return order;
}

size_t
usage_count(const struct usage *u)
{
    return u->count;
}

void
usage_row(struct usage *u, size_t i, struct usage_row *ret_row)
{
    ASSERT(i < u->count);
    if (!u->sorted) {
        qsort(u->group, u->count, sizeof u->group[0], compare_groups);
        u->sorted = true;
    }
    const struct group *g = u->group[i];
    *ret_row = g->row;
    ret_row->mean_ns = g->row.timed > 0 ? g->sum_ns / (double)g->row.timed : 0;
    ret_row->p50_ns = quantile(g, 50);
    ret_row->p95_ns = quantile(g, 95);
    ret_row->p99_ns = quantile(g, 99);
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
    bool whole = o != NULL && json_object_set_new(o, "tokens",
                                                  r->told > 0 ? json_integer((json_int_t)r->tokens)
                                                              : json_null()) == 0;
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

struct status
usage_json(struct usage *u, json_t **ret_usage)
{
    struct usage_row r;
    json_t *list = json_array();
    DEFER(js_freep)
    json_t *o = json_pack("{s:o, s:I}", "groups", list, "unreadable", (json_int_t)u->unreadable);
    CHECK(o != NULL, MEMORY);
    if (u->read_ns != 0) {
        TRY(js_set(o, "as_of",
                   json_pack("{s:I, s:o}", "entries", (json_int_t)u->entries, "time",
                             js_time(u->read_ns))));
    }
    for (size_t i = 0; i < u->count; i++) {
        usage_row(u, i, &r);
        CHECK(json_array_append_new(list, row_json(&r, u->by)) == 0, MEMORY);
    }
    *ret_usage = MOVE(o);
    return OK;
}

/* ---- of a log ---- */

const bool *
usage_by(const struct usage *u)
{
    return u->by;
}

struct status
usage_word(const char *word, struct diag *diag, bool by[static USAGE_KEYS])
{
    for (size_t k = 0; k < USAGE_KEYS; k++) {
        if (strcmp(word, key_words[k]) == 0) {
            by[k] = true;
            return OK;
        }
    }
    diag_set(diag, "by \"%.40s\": there are principal, model, version and day", word);
    FAIL(INPUT);
}

/* One of the query's terms; what is no value for it is told by the name that it was given under. */
static struct status
put_term(const char *name, const char *term, const char *value, int64_t now_ns, struct diag *diag,
         struct buf *ret_query)
{
    DEFER(query_done) struct query alone = {0};
    const size_t from = ret_query->len;
    if (value == NULL) {
        return OK;
    }
    buf_printf(ret_query, "%s\"", term);
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\') {
            buf_put_u8(ret_query, '\\');
        }
        buf_put_u8(ret_query, (uint8_t)*value);
    }
    buf_put_str(ret_query, "\" ");
    TRY(buf_status(ret_query));
    struct diag said = {0};
    const struct status s =
        query_parse(view_of(ret_query->ptr + from, ret_query->len - from), now_ns, &said, &alone);
    if (!status_ok(s)) {
        const char *why = strstr(said.text, ": ");
        diag_set(diag, "%s: %s", name, why == NULL ? said.text : why + 2);
    }
    return s;
}

static struct status
make_query(const struct usage_question *q, int64_t now_ns, struct diag *diag,
           struct query *ret_query)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, QUERY_MOST_BYTES);
    TRY(put_term("since", "time>=", q->since, now_ns, diag, &text));
    TRY(put_term("until", "time<", q->until, now_ns, diag, &text));
    TRY(put_term("principal", "principal=", q->principal, now_ns, diag, &text));
    TRY(put_term("model", "model=", q->model, now_ns, diag, &text));
    return query_parse(buf_view(&text), now_ns, diag, ret_query);
}

struct adding {
    struct usage *usage;
    struct arena *arena;
};

static struct status
add_entry(void *ctx, uint64_t index, struct view entry)
{
    struct adding *a = ctx;
    const struct js_node *root = NULL;
    (void)index;
    arena_reset(a->arena);
    if (!status_ok(js_flat(entry, NULL, a->arena, NULL, &root)) || root->kind != JS_OBJECT) {
        a->usage->unreadable++;
        return OK;
    }
    return usage_add(a->usage, root);
}

static struct status
read_entries(struct usage *u, const char *log_dir, const struct query *query,
             const atomic_bool *stop, struct diag *diag)
{
    const struct search_options o = {.stop = stop};
    struct search_stats stats;
    struct adding a = {.usage = u, .arena = arena_new(ENTRY_ARENA)};
    CHECK(a.arena != NULL, MEMORY);
    const struct status s = search_run(log_dir, query, &o, add_entry, &a, diag, &stats);
    arena_free(a.arena);
    u->unreadable += stats.unreadable;
    u->entries = stats.entries;
    return s;
}

struct status
usage_read(const char *log_dir, const struct usage_question *q, int64_t now_ns,
           const atomic_bool *stop, struct diag *diag, struct usage **ret_usage)
{
    static const bool initial[USAGE_KEYS] = {[USAGE_PRINCIPAL] = true, [USAGE_MODEL] = true};
    bool any = false;
    DEFER(query_done) struct query query = {0};
    DEFER(usage_freep) struct usage *u = NULL;
    for (size_t k = 0; k < USAGE_KEYS; k++) {
        any = any || q->by[k];
    }
    TRY(make_query(q, now_ns, diag, &query));
    u = usage_new(any ? q->by : initial, USAGE_MOST_GROUPS);
    CHECK(u != NULL, MEMORY);
    u->read_ns = now_ns;
    TRY(read_entries(u, log_dir, &query, stop, diag));
    *ret_usage = MOVE(u);
    return OK;
}
