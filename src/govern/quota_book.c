/* A count is told by entries alone: each names the counts it was counted in, with their window
 * ("quotas", docs/spec/quota.md). Crash argument: an answer leaves after its entry is durable, so
 * no count that was acted on is lost; and since the window stands in the entry, reading it again
 * needs neither the clock nor the rules of that time. */
#include "govern/quota.h"

#include "base/json_flat.h"
#include "govern/usage.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS 4096u
#define ENTRY_ARENA (1u << 20)

_Static_assert(SLOTS % QUOTA_BOOK_PARTS == 0, "parts of one size");

struct quota_book {
    struct quota_count *slot[SLOTS];
    size_t count;
    uint64_t entries;
    struct arena *arena; /* of one entry */
};

struct quota_book *
quota_book_new(void)
{
    struct quota_book *b = calloc(1, sizeof *b);
    struct arena *arena = arena_new(ENTRY_ARENA);
    if (b == NULL || arena == NULL) {
        arena_free(arena);
        free(b);
        return NULL;
    }
    b->arena = arena;
    return b;
}

void
quota_book_free(struct quota_book *b)
{
    if (b == NULL) {
        return;
    }
    for (size_t i = 0; i < SLOTS; i++) {
        while (b->slot[i] != NULL) {
            struct quota_count *c = b->slot[i];
            b->slot[i] = c->next;
            free(c);
        }
    }
    arena_free(b->arena);
    free(b);
}

struct status
quota_book_copy_part(const struct quota_book *b, size_t part, struct quota_book *into)
{
    const size_t width = SLOTS / QUOTA_BOOK_PARTS;
    for (size_t i = part * width; i < (part + 1) * width; i++) {
        for (const struct quota_count *c = b->slot[i]; c != NULL; c = c->next) {
            struct quota_count *same = quota_book_count(into, c->of, c->principal);
            CHECK(same != NULL, MEMORY);
            memcpy(same->window, c->window, sizeof same->window);
            same->used = c->used;
        }
    }
    return OK;
}

struct quota_book *
quota_book_copy(const struct quota_book *b)
{
    DEFER(quota_book_freep) struct quota_book *copy = quota_book_new();
    for (size_t i = 0; copy != NULL && i < QUOTA_BOOK_PARTS; i++) {
        if (!status_ok(quota_book_copy_part(b, i, copy))) {
            return NULL;
        }
    }
    if (copy != NULL) {
        copy->entries = b->entries;
    }
    return MOVE(copy);
}

uint64_t
quota_book_entries(const struct quota_book *b)
{
    return b->entries;
}

void
quota_book_reach(struct quota_book *b, uint64_t entries)
{
    b->entries = entries;
}

struct status
quota_book_all(const struct quota_book *b, const struct quota_count ***ret_counts, size_t *ret_n)
{
    size_t n = 0;
    const struct quota_count **all = calloc(b->count + 1, sizeof(*all));
    CHECK(all != NULL, MEMORY);
    for (size_t i = 0; i < SLOTS; i++) {
        for (const struct quota_count *c = b->slot[i]; c != NULL; c = c->next) {
            all[n++] = c;
        }
    }
    *ret_counts = all;
    *ret_n = n;
    return OK;
}

static uint64_t
hash_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++) {
        hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static size_t
slot_of(const char *of, const char *principal)
{
    return (size_t)(hash_text(hash_text(UINT64_C(0xcbf29ce484222325), of), principal) >> 32) %
           SLOTS;
}

static const struct quota_count *
find(const struct quota_book *b, const char *of, const char *principal)
{
    static const struct quota_count none = {.used = 0};
    const struct quota_count *c = b->slot[slot_of(of, principal)];
    while (c != NULL && (strcmp(c->of, of) != 0 || strcmp(c->principal, principal) != 0)) {
        c = c->next;
    }
    return c != NULL ? c : &none;
}

struct quota_count *
quota_book_count(struct quota_book *b, const char *of, const char *principal)
{
    struct quota_count **at = &b->slot[slot_of(of, principal)];
    while (*at != NULL &&
           (strcmp((*at)->of, of) != 0 || strcmp((*at)->principal, principal) != 0)) {
        at = &(*at)->next;
    }
    if (*at == NULL && (*at = calloc(1, sizeof **at)) != NULL) {
        b->count++;
        (void)strncpy((*at)->of, of, sizeof(*at)->of - 1);
        (void)strncpy((*at)->principal, principal, sizeof(*at)->principal - 1);
    }
    return *at;
}

struct quota_count *
quota_book_next(const struct quota_book *b, const struct quota *q, const struct quota_count *last)
{
    size_t at = last == NULL ? 0 : slot_of(last->of, last->principal) + 1;
    struct quota_count *c = last == NULL ? NULL : last->next;
    for (;;) {
        for (; c != NULL; c = c->next) {
            if (strcmp(c->of, q->count) == 0) {
                return c;
            }
        }
        if (at == SLOTS) {
            return NULL;
        }
        c = b->slot[at++];
    }
}

/* ---- correcting ---- */

/* was: what it began from; is: what that should have been. What came since stays. */
static void
correct(struct quota_count *live, const struct quota_count *was, const struct quota_count *is)
{
    const bool same = strcmp(live->window, was->window) == 0;
    const uint64_t since = !same ? live->used : live->used > was->used ? live->used - was->used : 0;
    if (!same && strcmp(live->window, is->window) > 0) {
        return; /* a window that neither knows of */
    }
    if (is->window[0] != '\0') {
        memcpy(live->window, is->window, sizeof live->window);
    }
    live->used = is->used + since;
}

static struct status
compare_one(struct quota_book *live, const struct quota_count *key, const struct quota_count *was,
            const struct quota_count *is, size_t *differing)
{
    if (was->used == is->used && strcmp(was->window, is->window) == 0) {
        return OK;
    }
    (*differing)++;
    if (live != NULL) {
        struct quota_count *c = quota_book_count(live, key->of, key->principal);
        CHECK(c != NULL, MEMORY);
        correct(c, was, is);
    }
    return OK;
}

struct status
quota_book_correct(struct quota_book *live, const struct quota_book *believed,
                   const struct quota_book *counted, size_t *ret_differing)
{
    size_t differing = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        for (const struct quota_count *c = counted->slot[i]; c != NULL; c = c->next) {
            TRY(compare_one(live, c, find(believed, c->of, c->principal), c, &differing));
        }
        for (const struct quota_count *c = believed->slot[i]; c != NULL; c = c->next) {
            const struct quota_count *is = find(counted, c->of, c->principal);
            if (is->of[0] == '\0') { /* of no entry */
                TRY(compare_one(live, c, c, is, &differing));
            }
        }
    }
    *ret_differing = differing;
    return OK;
}

void
quota_count_turn(struct quota_count *c, const char *window)
{
    if (strcmp(window, c->window) > 0) {
        (void)strncpy(c->window, window, sizeof c->window - 1);
        c->window[sizeof c->window - 1] = '\0';
        c->used = 0;
    }
}

/* ---- entries ---- */

/* What an entry says that was used. */
struct used {
    const char *principal;
    uint64_t rows, tokens;
};

/* "fair rows/day/each 2026-11-26" */
static struct status
add_one(struct quota_book *b, const char *text, const struct used *is)
{
    char of[QUOTA_COUNT_MAX];
    const char *window = strrchr(text, ' ');
    const size_t n = window == NULL ? 0 : (size_t)(window - text);
    const bool each = n > 5 && memcmp(text + n - 5, "/each", 5) == 0;
    if (n == 0 || n >= sizeof of || strlen(window + 1) >= QUOTA_WINDOW_MAX ||
        strlen(is->principal) >= QUOTA_NAME_MAX) {
        return OK; /* no entry that this program wrote */
    }
    memcpy(of, text, n);
    of[n] = '\0';
    struct quota_count *c = quota_book_count(b, of, each ? is->principal : "");
    CHECK(c != NULL, MEMORY);
    quota_count_turn(c, window + 1);
    if (strcmp(c->window, window + 1) == 0) {
        c->used += strstr(of, " rows/") != NULL     ? is->rows
                   : strstr(of, " tokens/") != NULL ? is->tokens
                                                    : 1;
    }
    return OK;
}

struct status
quota_book_add(struct quota_book *b, struct view entry)
{
    static const char mark[] = "\"quotas\":[\""; /* in no text: there a quote has a backslash */
    const struct js_node *root = NULL;
    if (memmem(entry.ptr, entry.len, mark, sizeof mark - 1) == NULL) {
        return OK;
    }
    arena_reset(b->arena);
    if (!status_ok(js_flat(entry, NULL, b->arena, NULL, &root)) || root->kind != JS_OBJECT) {
        return OK;
    }
    const struct js_node *list = js_flat_member(root, "quotas");
    const struct js_node *who = js_flat_member(root, "principal");
    const struct js_node *rows = js_flat_member(root, "rows");
    const struct js_node *n = NULL;
    struct used is = {.principal = who != NULL && who->kind == JS_STRING ? who->text : "",
                      .rows = rows != NULL && rows->kind == JS_INTEGER && rows->integer > 0
                                  ? (uint64_t)rows->integer
                                  : 0};
    (void)usage_tokens(root, &is.tokens);
    for (size_t i = 0; list != NULL && list->kind == JS_ARRAY && i < list->size; i++) {
        n = n == NULL ? js_flat_first(list) : js_flat_next(n);
        if (n->kind == JS_STRING) {
            TRY(add_one(b, n->text, &is));
        }
    }
    return OK;
}
