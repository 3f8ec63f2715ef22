#include "govern/query.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SUBJECT_MARK "subject="
#define SUBJECT_LETTERS 64u
#define MODELS "models/"

enum kind { TEXT, NUMBER, TIME, GUARD };

struct query_field {
    const char *name; /* in a query */
    const char *key;  /* in an entry */
    enum kind kind;
    enum query_list list;
};

static const struct query_field fields[] = {
    {"principal", "principal", TEXT, QUERY_PRINCIPAL},
    {"model", "model", TEXT, QUERY_MODEL},
    {"decision", "decision", TEXT, QUERY_DECISION},
    {"action", "action", TEXT, QUERY_ACTION},
    {"resource", "resource", TEXT, QUERY_RESOURCE},
    {"id", "id", TEXT, QUERY_ID},
    {"subject", "reason", TEXT, QUERY_SUBJECT},
    {"authenticated_by", "authenticated_by", TEXT, QUERY_LISTS},
    {"rule", "rule", TEXT, QUERY_LISTS},
    {"rules_version", "rules_version", TEXT, QUERY_LISTS},
    {"reason", "reason", TEXT, QUERY_LISTS},
    {"purpose", "purpose", TEXT, QUERY_LISTS},
    {"address", "address", TEXT, QUERY_LISTS},
    {"time", "time", TIME, QUERY_LISTS},
    {"http_status", "http_status", NUMBER, QUERY_LISTS},
    {"model_version", "model_version", NUMBER, QUERY_LISTS},
    {"rows", "rows", NUMBER, QUERY_LISTS},
    {"prompt_tokens", "prompt_tokens", NUMBER, QUERY_LISTS},
    {"completion_tokens", "completion_tokens", NUMBER, QUERY_LISTS},
    {"total_tokens", "total_tokens", NUMBER, QUERY_LISTS},
    {"output", "output", TEXT, QUERY_LISTS},
    {"guard", "guard", GUARD, QUERY_LISTS},
    {"guard_rule", "rule", GUARD, QUERY_LISTS},
    {"duration_ns", "duration_ns", NUMBER, QUERY_LISTS},
};

#define FIELDS (sizeof fields / sizeof *fields)

/* ---- reading ---- */

struct parser {
    struct view text;
    size_t at;
    int64_t now_ns;
    struct diag *diag;
    struct query *q;
};

static bool
is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct status
refuse(const struct parser *p, const char *what)
{
    diag_set(p->diag, "query, letter %zu: %s", p->at + 1, what);
    FAIL(INPUT);
}

static struct status
take_quoted(struct parser *p, struct buf *ret_text)
{
    for (p->at++; p->at < p->text.len; p->at++) {
        uint8_t c = p->text.ptr[p->at];
        if (c == '"') {
            p->at++;
            return OK;
        }
        if (c == '\\') {
            c = p->at + 1 < p->text.len ? p->text.ptr[++p->at] : 0;
            if (c != '"' && c != '\\') {
                return refuse(p, "in quotes, a backslash stands before a quote or a backslash");
            }
        }
        buf_put_u8(ret_text, c);
    }
    return refuse(p, "the quotes are not closed");
}

/* Up to a blank, or to one of `ends`. */
static void
take_bare(struct parser *p, const char *ends, struct buf *ret_text)
{
    while (p->at < p->text.len && !is_blank(p->text.ptr[p->at]) &&
           strchr(ends, p->text.ptr[p->at]) == NULL) {
        buf_put_u8(ret_text, p->text.ptr[p->at++]);
    }
}

static bool
take_compare(struct parser *p, enum query_compare *ret_compare)
{
    static const struct {
        const char *sign;
        enum query_compare compare;
    } signs[] = {{"!=", QUERY_IS_NOT}, {"<=", QUERY_MOST}, {">=", QUERY_LEAST},
                 {"=", QUERY_IS},      {"<", QUERY_LESS},  {">", QUERY_MORE}};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        const size_t n = strlen(signs[i].sign);
        if (p->text.len - p->at >= n && memcmp(p->text.ptr + p->at, signs[i].sign, n) == 0) {
            p->at += n;
            *ret_compare = signs[i].compare;
            return true;
        }
    }
    return false;
}

static struct status
find_field(const struct parser *p, const char *name, const struct query_field **ret_field)
{
    const char *names[FIELDS];
    for (size_t i = 0; i < FIELDS; i++) {
        names[i] = fields[i].name;
        if (strcmp(fields[i].name, name) == 0) {
            *ret_field = &fields[i];
            return OK;
        }
    }
    char what[256];
    const char *near = text_nearest(name, names, FIELDS);
    (void)snprintf(what, sizeof what, "there is no field \"%.60s\"%s%s; put a text in quotes", name,
                   near == NULL ? "" : "; did you mean ", near == NULL ? "" : near);
    return refuse(p, what);
}

/* "2026-11-23", "2026-11-23T10:20:30Z", or "7d": so long before now. */
static struct status
read_time(const struct parser *p, struct view text, int64_t *ret_ns)
{
    char day[32];
    int64_t ago = 0;
    if (status_ok(text_to_duration_ns(text, &ago))) {
        *ret_ns = p->now_ns - ago;
        return OK;
    }
    (void)snprintf(day, sizeof day, "%.*sT00:00:00Z", (int)(text.len < 16 ? text.len : 16),
                   (const char *)text.ptr);
    if (status_ok(clock_from_rfc3339(text, ret_ns)) ||
        (text.len == 10 && status_ok(clock_from_rfc3339(view_str(day), ret_ns)))) {
        return OK;
    }
    return refuse(p, "a time is 2026-11-23, 2026-11-23T10:20:30Z, or 7d for so long ago");
}

static struct status
read_value(const struct parser *p, struct query_term *t, struct view text)
{
    if (t->field == NULL || t->field->kind == TEXT || t->field->kind == GUARD) {
        if (t->compare > QUERY_IS_NOT) {
            return refuse(p, "a text is compared with = and !=");
        }
        return OK;
    }
    if (t->field->kind == TIME) {
        return read_time(p, text, &t->number);
    }
    if (!status_ok(text_to_i64(text, &t->number)) || t->number < 0) {
        return refuse(p, "a whole number from 0 is needed");
    }
    return OK;
}

/* A text that begins with a quote is one; else what stands before a sign is a field. */
static struct status
read_term(struct parser *p, struct query_term *t)
{
    DEFER(buf_done) struct buf word;
    buf_init(&word, QUERY_MOST_BYTES);
    if (p->text.ptr[p->at] == '"') {
        TRY(take_quoted(p, &word));
    } else {
        take_bare(p, "=!<>\"", &word);
        if (take_compare(p, &t->compare)) {
            TRY(find_field(p, buf_str(&word), &t->field));
            buf_reset(&word);
            if (p->at < p->text.len && p->text.ptr[p->at] == '"') {
                TRY(take_quoted(p, &word));
            } else {
                take_bare(p, "", &word);
            }
        }
    }
    if (p->at < p->text.len && !is_blank(p->text.ptr[p->at])) {
        return refuse(p, "a blank is needed between two terms; put a text in quotes");
    }
    TRY(buf_status(&word));
    if (word.len == 0 || memchr(word.ptr, '\0', word.len) != NULL ||
        !text_is_utf8(buf_view(&word))) {
        return refuse(p, "a text in UTF-8 is needed, with at least a letter");
    }
    TRY(read_value(p, t, buf_view(&word)));
    t->text = arena_strdup(p->q->arena, buf_view(&word));
    CHECK(t->text != NULL, MEMORY);
    return OK;
}

static struct status
read_terms(struct parser *p)
{
    for (;;) {
        while (p->at < p->text.len && is_blank(p->text.ptr[p->at])) {
            p->at++;
        }
        if (p->at == p->text.len) {
            return OK;
        }
        if (p->q->count == QUERY_MOST_TERMS) {
            return refuse(p, "more than 16 terms");
        }
        TRY(read_term(p, &p->q->term[p->q->count]));
        p->q->count++;
    }
}

void
query_done(struct query *q)
{
    arena_free(q->arena);
    *q = (struct query){0};
}

struct status
query_parse(struct view text, int64_t now_ns, struct diag *diag, struct query *ret_query)
{
    DEFER(query_done) struct query q = {.arena = arena_new(4 * QUERY_MOST_BYTES)};
    CHECK(q.arena != NULL, MEMORY);
    if (text.len > QUERY_MOST_BYTES) {
        diag_set(diag, "query: longer than %u letters", QUERY_MOST_BYTES);
        FAIL(LIMIT);
    }
    struct parser p = {.text = text, .now_ns = now_ns, .diag = diag, .q = &q};
    TRY(read_terms(&p));
    *ret_query = q;
    q = (struct query){0};
    return OK;
}

enum query_list
query_term_list(const struct query_term *t)
{
    return t->field == NULL || t->compare != QUERY_IS ? QUERY_LISTS : t->field->list;
}

void
query_times(const struct query *q, int64_t *ret_from, int64_t *ret_to)
{
    *ret_from = INT64_MIN;
    *ret_to = INT64_MAX;
    for (size_t i = 0; i < q->count; i++) {
        const struct query_term *t = &q->term[i];
        if (t->field == NULL || t->field->kind != TIME) {
            continue;
        }
        const enum query_compare c = t->compare;
        if ((c == QUERY_LEAST || c == QUERY_MORE || c == QUERY_IS) && t->number > *ret_from) {
            *ret_from = t->number;
        }
        if ((c == QUERY_MOST || c == QUERY_LESS || c == QUERY_IS) && t->number < *ret_to) {
            *ret_to = t->number;
        }
    }
}

/* ---- an entry ---- */

static const char *
text_at(const struct js_node *root, const char *key)
{
    const struct js_node *n = js_flat_member(root, key);
    return n != NULL && n->kind == JS_STRING ? n->text : NULL;
}

/* Tokens of persons, wherever the reason has them. */
static void
subjects_of(const char *reason, void (*each)(void *ctx, struct view value), void *ctx)
{
    const char *at = reason;
    while ((at = strstr(at, SUBJECT_MARK)) != NULL) {
        at += strlen(SUBJECT_MARK);
        if (strspn(at, "0123456789abcdef") == SUBJECT_LETTERS) {
            each(ctx, view_of(at, SUBJECT_LETTERS));
        }
    }
}

/* By its name, and by being what the entry is about: before version 2 of the schema there was no
 * other way to say it. */
static void
models_of(const struct js_node *root, void (*each)(void *ctx, struct view value), void *ctx)
{
    const char *model = text_at(root, "model"), *resource = text_at(root, "resource");
    if (model != NULL) {
        each(ctx, view_str(model));
    }
    if (resource != NULL && strncmp(resource, MODELS, strlen(MODELS)) == 0 &&
        (model == NULL || strcmp(model, resource + strlen(MODELS)) != 0)) {
        each(ctx, view_str(resource + strlen(MODELS)));
    }
}

void
query_values(const struct js_node *root, enum query_list list,
             void (*each)(void *ctx, struct view value), void *ctx)
{
    const char *text = text_at(root, fields[list].key);
    if (list == QUERY_MODEL) {
        models_of(root, each, ctx);
    } else if (text != NULL && list == QUERY_SUBJECT) {
        subjects_of(text, each, ctx);
    } else if (text != NULL) {
        each(ctx, view_str(text));
    }
}

struct wanted {
    struct view value;
    bool found;
};

static void
look(void *ctx, struct view value)
{
    struct wanted *w = ctx;
    w->found = w->found || view_equal(w->value, value);
}

static bool
is_somewhere(const struct js_node *root, const char *text)
{
    if (root->size == 0) {
        return false;
    }
    const struct js_node *n = js_flat_first(root);
    for (uint32_t i = 0; i < root->size; i++) {
        const struct js_node *value = js_flat_next(n);
        if (value->kind == JS_STRING && strcasestr(value->text, text) != NULL) {
            return true;
        }
        n = i + 1 < root->size ? js_flat_next(value) : n;
    }
    return false;
}

static bool
number_at(const struct js_node *root, const struct query_field *f, int64_t *ret_number)
{
    const struct js_node *n = js_flat_member(root, f->key);
    if (n == NULL) {
        return false;
    }
    if (f->kind == TIME) {
        return n->kind == JS_STRING && status_ok(clock_from_rfc3339(view_str(n->text), ret_number));
    }
    *ret_number = n->integer;
    return n->kind == JS_INTEGER;
}

static bool
compares(int64_t a, enum query_compare how, int64_t b)
{
    switch (how) {
    case QUERY_IS:
        return a == b;
    case QUERY_IS_NOT:
        return a != b;
    case QUERY_LESS:
        return a < b;
    case QUERY_MOST:
        return a <= b;
    case QUERY_MORE:
        return a > b;
    case QUERY_LEAST:
        return a >= b;
    }
    return false;
}

/* A text of one of the checks that the entry's "guards" lists. */
static bool
guard_has(const struct js_node *root, const char *key, const char *text)
{
    const struct js_node *list = js_flat_member(root, "guards"), *g = NULL;
    const size_t n = list != NULL && list->kind == JS_ARRAY ? list->size : 0;
    bool found = false;
    for (size_t i = 0; i < n && !found; i++) {
        g = i == 0 ? js_flat_first(list) : js_flat_next(g);
        const char *has = g->kind == JS_OBJECT ? text_at(g, key) : NULL;
        found = has != NULL && strcmp(has, text) == 0;
    }
    return found;
}

static bool
term_holds(const struct query_term *t, const struct js_node *root)
{
    int64_t number = 0;
    if (t->field == NULL) {
        return is_somewhere(root, t->text);
    }
    if (t->field->kind == GUARD) {
        return guard_has(root, t->field->key, t->text) == (t->compare == QUERY_IS);
    }
    if (t->field->kind != TEXT) {
        return number_at(root, t->field, &number) ? compares(number, t->compare, t->number)
                                                  : t->compare == QUERY_IS_NOT;
    }
    struct wanted w = {.value = view_str(t->text)};
    if (t->field->list != QUERY_LISTS) {
        query_values(root, t->field->list, look, &w);
    } else if (text_at(root, t->field->key) != NULL) {
        look(&w, view_str(text_at(root, t->field->key)));
    }
    return w.found == (t->compare == QUERY_IS);
}

bool
query_holds(const struct query *q, const struct js_node *root)
{
    for (size_t i = 0; i < q->count; i++) {
        if (!term_holds(&q->term[i], root)) {
            return false;
        }
    }
    return true;
}
