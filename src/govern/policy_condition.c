#include "base/text.h"
#include "govern/policy_parts.h"

#include <stdio.h>
#include <string.h>

#define KIND(K) (1u << POLICY_##K)
#define ORDERED (KIND(NUMBER) | KIND(DURATION) | KIND(TIME) | KIND(VERSION))
#define SCALARS (ORDERED | KIND(BOOLEAN) | KIND(TEXT))
#define LISTS (KIND(TEXTS) | KIND(OBJECTS))

enum op {
    OP_EQUALS,
    OP_IN,
    OP_CONTAINS,
    OP_LIKE,
    OP_MATCH,
    OP_EXISTS,
    OP_LESS,
    OP_GREATER,
    OP_AGE,
    OP_LEFT
};

/* What stands beside it: a value of the field's kind, or of another. */
enum operand { OPERAND_SAME, OPERAND_LIST, OPERAND_TEXT, OPERAND_BOOLEAN, OPERAND_DURATION };

static const struct {
    const char *word;
    enum op op;
    bool negated;
    unsigned kinds; /* of the fields that it takes */
    enum operand operand;
} ops[] = {
    {"equals", OP_EQUALS, false, SCALARS, OPERAND_SAME},
    {"notEquals", OP_EQUALS, true, SCALARS, OPERAND_SAME},
    {"in", OP_IN, false, SCALARS, OPERAND_LIST},
    {"notIn", OP_IN, true, SCALARS, OPERAND_LIST},
    {"contains", OP_CONTAINS, false, KIND(TEXTS), OPERAND_TEXT},
    {"notContains", OP_CONTAINS, true, KIND(TEXTS), OPERAND_TEXT},
    {"like", OP_LIKE, false, KIND(TEXT), OPERAND_TEXT},
    {"notLike", OP_LIKE, true, KIND(TEXT), OPERAND_TEXT},
    {"match", OP_MATCH, false, KIND(TEXT), OPERAND_TEXT},
    {"notMatch", OP_MATCH, true, KIND(TEXT), OPERAND_TEXT},
    {"exists", OP_EXISTS, false, SCALARS | LISTS, OPERAND_BOOLEAN},
    {"less", OP_LESS, false, ORDERED, OPERAND_SAME},
    {"greaterOrEquals", OP_LESS, true, ORDERED, OPERAND_SAME},
    {"greater", OP_GREATER, false, ORDERED, OPERAND_SAME},
    {"lessOrEquals", OP_GREATER, true, ORDERED, OPERAND_SAME},
    {"olderThan", OP_AGE, false, KIND(TIME), OPERAND_DURATION},
    {"youngerThan", OP_AGE, true, KIND(TIME), OPERAND_DURATION},
    {"endsAfter", OP_LEFT, false, KIND(TIME), OPERAND_DURATION},
    {"endsWithin", OP_LEFT, true, KIND(TIME), OPERAND_DURATION},
};
#define OPS (sizeof ops / sizeof *ops)

/* Among the items of a list of texts. */
static const struct policy_field item_field = {NULL, "value", POLICY_TEXT, POLICY_FIXED, NULL};

/* ---- reading ---- */

struct status
policy_members_check(const struct policy_reading *r, const struct yaml *o, const char *what,
                     const char *const *known, size_t n)
{
    if (o->kind != YAML_MAPPING) {
        return yaml_refuse_value(o, r->file, r->diag, "%s holds members, each with its name", what);
    }
    for (const struct yaml *m = o->first; m != NULL; m = m->next) {
        bool found = false;
        for (size_t i = 0; i < n; i++) {
            found = found || strcmp(known[i], m->name) == 0;
        }
        if (!found) {
            const char *near = text_nearest(m->name, known, n);
            return yaml_refuse_name(m, r->file, r->diag, "%s has no \"%.60s\"%s%s%s", what, m->name,
                                    near == NULL ? "" : "; did you mean \"",
                                    near == NULL ? "" : near, near == NULL ? "" : "\"?");
        }
    }
    return OK;
}

static struct status
read_parameter(const struct policy_reading *r, const struct yaml *y, enum policy_kind kind,
               bool list, struct policy_value *ret_value)
{
    static const char *const known[] = {"parameter"};
    TRY(policy_members_check(r, y, "a value", known, 1));
    const struct yaml *m = yaml_member(y, "parameter");
    if (m == NULL || m->kind != YAML_SCALAR) {
        return yaml_refuse_value(y, r->file, r->diag, "write {parameter: NAME} or a value");
    }
    for (size_t i = 0; i < r->policy->parameter_count; i++) {
        const struct policy_parameter *p = &r->policy->parameters[i];
        if (strcmp(p->name, m->text) != 0) {
            continue;
        }
        if (p->kind != kind || p->list != list) {
            return yaml_refuse_value(m, r->file, r->diag,
                                     "parameter \"%s\" is %s%s; here stands %s%s", p->name,
                                     p->list ? "a list of " : "", policy_kind_word(p->kind),
                                     list ? "a list of " : "", policy_kind_word(kind));
        }
        *ret_value = (struct policy_value){.kind = kind, .parameter = (int)i};
        return OK;
    }
    return yaml_refuse_value(m, r->file, r->diag, "there is no parameter \"%.60s\"", m->text);
}

static struct status
read_scalar(const struct policy_reading *r, const struct yaml *y, enum policy_kind kind,
            struct policy_value *ret_value)
{
    if (y->kind != YAML_SCALAR || y->empty || !policy_value_from_text(y->text, kind, ret_value)) {
        return yaml_refuse_value(y, r->file, r->diag, "%s%.60s%sneeded is %s",
                                 y->kind == YAML_SCALAR ? "\"" : "",
                                 y->kind == YAML_SCALAR ? y->text : "",
                                 y->kind == YAML_SCALAR ? "\": " : "", policy_kind_form(kind));
    }
    return OK;
}

struct status
policy_operand_read(const struct policy_reading *r, const struct yaml *y, enum policy_kind kind,
                    bool list, struct policy_value *ret_value)
{
    if (y->kind == YAML_MAPPING) {
        return read_parameter(r, y, kind, list, ret_value);
    }
    if (!list) {
        return read_scalar(r, y, kind, ret_value);
    }
    if (y->kind != YAML_LIST || y->count == 0 || y->count > POLICY_LIST_MAX) {
        return yaml_refuse_value(y, r->file, r->diag, "needed is a list of 1 to %u values",
                                 POLICY_LIST_MAX);
    }
    struct policy_value *items = arena_alloc(r->policy->arena, y->count, sizeof *items);
    CHECK(items != NULL, LIMIT);
    size_t n = 0;
    for (const struct yaml *m = y->first; m != NULL; m = m->next) {
        TRY(read_scalar(r, m, kind, &items[n++]));
    }
    *ret_value = (struct policy_value){.kind = kind, .items = items, .count = n, .parameter = -1};
    return OK;
}

/* The fields that stand to choose from: of the resource, or of the objects of a list. */
struct choice {
    const struct policy_field *list; /* NULL: the resource's */
};

static const struct policy_field *
find_field(const struct policy_reading *r, const struct choice *among, const char *name,
           size_t *ret_at)
{
    struct policy_type type;
    const struct policy_field *first = NULL;
    size_t n = 0, skip = 0;
    if (among->list == NULL) {
        (void)policy_type_find(r->policy->type, &type);
        first = type.first;
        n = type.count;
    } else if (among->list->kind == POLICY_TEXTS) {
        first = &item_field;
        n = 1;
    } else {
        first = among->list + 1;
        n = policy_field_parts(among->list);
        skip = strlen(among->list->name) + 1;
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(first[i].name + skip, name) == 0) {
            *ret_at = i;
            return &first[i];
        }
    }
    const char *names[256];
    for (size_t i = 0; i < n && i < 256; i++) {
        names[i] = first[i].name + skip;
    }
    const char *near = text_nearest(name, names, n < 256 ? n : 256);
    diag_set(r->diag, "%s has no field \"%.60s\"%s%s%s",
             among->list == NULL ? r->policy->type : among->list->name, name,
             near == NULL ? "; steward policy fields lists them" : "; did you mean \"",
             near == NULL ? "" : near, near == NULL ? "" : "\"?");
    return NULL;
}

static struct status
take_field(const struct policy_reading *r, const struct choice *among, const struct yaml *m,
           struct policy_condition *c)
{
    if (m->kind != YAML_SCALAR) {
        return yaml_refuse_value(m, r->file, r->diag, "here stands the name of a field");
    }
    c->field = find_field(r, among, m->text, &c->at);
    if (c->field == NULL) {
        diag_prefix(r->diag, "%s line %u column %u", r->file, m->line, m->column);
        FAIL(INPUT);
    }
    /* What is inside a list's objects is looked at by count. */
    const struct policy_field *f = c->field;
    for (const struct policy_field *l = f; among->list == NULL; l--) {
        if (l->kind == POLICY_OBJECTS && l != f && l + policy_field_parts(l) >= f) {
            return yaml_refuse_value(m, r->file, r->diag,
                                     "\"%s\" has many of them: write count: {of: %s, where: ...}",
                                     m->text, l->name);
        }
        struct policy_type type;
        (void)policy_type_find(f->type, &type);
        if (l == type.first) {
            break;
        }
    }
    return OK;
}

/* The one member that is an operator. */
static struct status
take_op(const struct policy_reading *r, const struct yaml *y, enum policy_kind kind,
        struct policy_condition *c)
{
    for (const struct yaml *m = y->first; m != NULL; m = m->next) {
        for (unsigned i = 0; i < OPS; i++) {
            if (strcmp(ops[i].word, m->name) != 0) {
                continue;
            }
            if ((ops[i].kinds & 1u << kind) == 0) {
                return yaml_refuse_name(m, r->file, r->diag, "%s is not for a field that is %s",
                                        ops[i].word, policy_kind_word(kind));
            }
            static const enum policy_kind of[] = {[OPERAND_TEXT] = POLICY_TEXT,
                                                  [OPERAND_BOOLEAN] = POLICY_BOOLEAN,
                                                  [OPERAND_DURATION] = POLICY_DURATION};
            const enum operand o = ops[i].operand;
            c->op = i;
            return policy_operand_read(r, m, o <= OPERAND_LIST ? kind : of[o], o == OPERAND_LIST,
                                       &c->value);
        }
    }
    return yaml_refuse_value(y, r->file, r->diag,
                             "a condition needs an operator, such as equals or exists");
}

static struct status read_one(const struct policy_reading *r, const struct choice *among,
                              const struct yaml *y, const struct policy_condition **ret_condition);

/* The words that may stand in a condition on a field or a count: its subject and one operator. */
static struct status
check_words(const struct policy_reading *r, const struct yaml *y, const char *subject)
{
    const char *known[OPS + 1] = {subject};
    for (unsigned i = 0; i < OPS; i++) {
        known[i + 1] = ops[i].word;
    }
    TRY(policy_members_check(r, y, "a condition", known, OPS + 1));
    if (y->count > 2) {
        return yaml_refuse_value(y, r->file, r->diag,
                                 "a condition has one operator; all: joins several");
    }
    return OK;
}

static struct status
read_field(const struct policy_reading *r, const struct choice *among, const struct yaml *y,
           struct policy_condition *c)
{
    c->shape = POLICY_FIELD;
    TRY(check_words(r, y, "field"));
    TRY(take_field(r, among, yaml_member(y, "field"), c));
    return take_op(r, y, c->field->kind, c);
}

static struct status
read_count(const struct policy_reading *r, const struct choice *among, const struct yaml *y,
           struct policy_condition *c)
{
    static const char *const known[] = {"of", "where"};
    const struct yaml *m = yaml_member(y, "count");
    c->shape = POLICY_COUNT;
    TRY(check_words(r, y, "count"));
    TRY(policy_members_check(r, m, "count", known, 2));
    const struct yaml *of = yaml_member(m, "of"), *where = yaml_member(m, "where");
    if (of == NULL) {
        return yaml_refuse_value(m, r->file, r->diag, "count needs \"of\": a field that is a list");
    }
    TRY(take_field(r, among, of, c));
    if (c->field->kind < POLICY_TEXTS) {
        return yaml_refuse_value(of, r->file, r->diag, "\"%s\" is no list", c->field->name);
    }
    if (where != NULL) {
        const struct choice inside = {c->field};
        TRY(read_one(r, &inside, where, &c->where));
    }
    return take_op(r, y, POLICY_NUMBER, c);
}

static struct status
read_several(const struct policy_reading *r, const struct choice *among, const struct yaml *y,
             enum policy_shape shape, struct policy_condition *c)
{
    const struct yaml *list = y->first;
    const struct policy_condition **next = &c->first;
    c->shape = shape;
    if (list->kind != YAML_LIST || list->count == 0) {
        return yaml_refuse_value(list, r->file, r->diag, "\"%s\" must be a list of conditions",
                                 list->name);
    }
    for (const struct yaml *m = list->first; m != NULL; m = m->next) {
        TRY(read_one(r, among, m, next));
        /* Just made, and not seen by anybody else yet. */
        next = &((struct policy_condition *)(uintptr_t)*next)->next;
    }
    return OK;
}

/* The word that says what a condition is stands in it once, and alone but for its operator. */
static struct status
read_one(const struct policy_reading *r, const struct choice *among, const struct yaml *y,
         const struct policy_condition **ret_condition)
{
    static const struct {
        const char *word;
        enum policy_shape shape;
    } shapes[] = {{"all", POLICY_ALL}, {"any", POLICY_ANY}, {"not", POLICY_NOT}};
    struct policy_condition *c = arena_alloc(r->policy->arena, 1, sizeof *c);
    CHECK(c != NULL, LIMIT);
    *ret_condition = c;
    if (y->kind == YAML_MAPPING && yaml_member(y, "field") != NULL) {
        return read_field(r, among, y, c);
    }
    if (y->kind == YAML_MAPPING && yaml_member(y, "count") != NULL && among->list == NULL) {
        return read_count(r, among, y, c);
    }
    for (size_t i = 0; i < 3 && y->kind == YAML_MAPPING && y->count == 1; i++) {
        if (strcmp(y->first->name, shapes[i].word) != 0) {
            continue;
        }
        if (shapes[i].shape == POLICY_NOT) {
            c->shape = POLICY_NOT;
            return read_one(r, among, y->first, &c->first);
        }
        return read_several(r, among, y, shapes[i].shape, c);
    }
    return yaml_refuse_value(y, r->file, r->diag,
                             "a condition is {field: ..., OPERATOR: ...}, {count: {of: ...}, "
                             "OPERATOR: ...}, or one of all:, any:, not:");
}

struct status
policy_condition_read(const struct policy_reading *r, const struct yaml *y,
                      const struct policy_condition **ret_condition)
{
    const struct choice all = {NULL};
    return read_one(r, &all, y, ret_condition);
}

/* ---- what holds ---- */

static enum policy_truth not(enum policy_truth t) {
    return t == POLICY_UNKNOWN ? t
           : t == POLICY_TRUE  ? POLICY_FALSE
                               : POLICY_TRUE;
}

static int
compare(const struct policy_value *a, const struct policy_value *b)
{
    if (a->kind == POLICY_VERSION) {
        return policy_version_compare(a->text, b->text);
    }
    if (a->kind == POLICY_TIME) {
        return a->time_ns < b->time_ns ? -1 : a->time_ns > b->time_ns;
    }
    return a->number < b->number ? -1 : a->number > b->number;
}

static bool
is_in(const struct policy_value *v, const struct policy_value *list)
{
    bool found = false;
    for (size_t i = 0; i < list->count && !found; i++) {
        found = policy_value_equal(v, &list->items[i]);
    }
    return found;
}

static bool
contains(const struct policy_cell *cell, const struct policy_value *text)
{
    bool found = false;
    for (size_t i = 0; i < cell->count && !found; i++) {
        found = policy_value_equal(&cell->items[i].value, text);
    }
    return found;
}

/* Times are within some centuries of 1970, so their distance in seconds is exact enough. */
static double
seconds_between(int64_t from_ns, int64_t to_ns)
{
    return (double)to_ns / 1e9 - (double)from_ns / 1e9;
}

/* Of what is there. */
static inline bool
op_holds(enum op op, const struct policy_cell *cell, const struct policy_value *to, int64_t now_ns)
{
    const struct policy_value *v = &cell->value;
    switch (op) {
    case OP_EQUALS:
        return policy_value_equal(v, to);
    case OP_IN:
        return is_in(v, to);
    case OP_CONTAINS:
        return contains(cell, to);
    case OP_LIKE:
        return policy_like(to->text, v->text);
    case OP_MATCH:
        return policy_match(to->text, v->text);
    case OP_LESS:
        return compare(v, to) < 0;
    case OP_GREATER:
        return compare(v, to) > 0;
    case OP_AGE:
        return seconds_between(v->time_ns, now_ns) > to->number;
    default:
        return seconds_between(now_ns, v->time_ns) > to->number;
    }
}

/* What is not set equals nothing, is in nothing and contains nothing; it is neither less nor
 * greater, older nor younger. */
static enum policy_truth
test(unsigned row, const struct policy_cell *cell, const struct policy_value *to, int64_t now_ns)
{
    if (cell->held == POLICY_ABSENT) {
        return POLICY_UNKNOWN;
    }
    const bool there = cell->held == POLICY_HELD;
    if (ops[row].op == OP_EXISTS) {
        return there == to->truth ? POLICY_TRUE : POLICY_FALSE;
    }
    if (!there) {
        return ops[row].negated && ops[row].op < OP_EXISTS ? POLICY_TRUE : POLICY_FALSE;
    }
    return op_holds(ops[row].op, cell, to, now_ns) != ops[row].negated ? POLICY_TRUE : POLICY_FALSE;
}

static const struct policy_value *
bound(const struct policy_value *v, const struct policy_value *values)
{
    return v->parameter < 0 ? v : &values[v->parameter];
}

/* An item of which it cannot be told leaves the count open. */
static enum policy_truth
test_count(const struct policy_condition *c, const struct policy_value *values,
           const struct policy_cell *cell, int64_t now_ns)
{
    struct policy_cell n = {.held = POLICY_HELD, .value = {.kind = POLICY_NUMBER}};
    const size_t parts = c->field->kind == POLICY_OBJECTS ? policy_field_parts(c->field) : 1;
    if (cell->held == POLICY_ABSENT) {
        return POLICY_UNKNOWN;
    }
    for (size_t i = 0; i < cell->count; i++) {
        const enum policy_truth t =
            c->where == NULL
                ? POLICY_TRUE
                : policy_condition_holds(c->where, values, &cell->items[i * parts], now_ns);
        if (t == POLICY_UNKNOWN) {
            return t;
        }
        n.value.number += t == POLICY_TRUE;
    }
    return test(c->op, &n, bound(&c->value, values), now_ns);
}

/* Of several: the first that decides, else unknown where one is. */
static enum policy_truth
test_several(const struct policy_condition *c, const struct policy_value *values,
             const struct policy_cell *cells, int64_t now_ns)
{
    const enum policy_truth decides = c->shape == POLICY_ALL ? POLICY_FALSE : POLICY_TRUE;
    enum policy_truth result = not(decides);
    for (const struct policy_condition *m = c->first; m != NULL; m = m->next) {
        const enum policy_truth t = policy_condition_holds(m, values, cells, now_ns);
        if (t == decides) {
            return t;
        }
        result = t == POLICY_UNKNOWN ? t : result;
    }
    return result;
}

enum policy_truth
policy_condition_holds(const struct policy_condition *c, const struct policy_value *values,
                       const struct policy_cell *cells, int64_t now_ns)
{
    switch (c->shape) {
    case POLICY_NOT:
        return not(policy_condition_holds(c->first, values, cells, now_ns));
    case POLICY_FIELD:
        return test(c->op, &cells[c->at], bound(&c->value, values), now_ns);
    case POLICY_COUNT:
        return test_count(c, values, &cells[c->at], now_ns);
    default:
        return test_several(c, values, cells, now_ns);
    }
}

/* As test of each. Inlined with an op that is known, so that it is chosen once and not for each. */
static inline __attribute__((always_inline)) struct policy_truths
test_all(enum op op, unsigned row, const struct policy_cell *const *cells, size_t at,
         const struct policy_value *to, uint64_t open, int64_t now_ns)
{
    const bool negated = ops[row].negated;
    struct policy_truths all = {0};
    for (; open != 0; open &= open - 1) {
        const unsigned i = (unsigned)__builtin_ctzll(open);
        const struct policy_cell *cell = &cells[i][at];
        const bool there = cell->held == POLICY_HELD;
        const bool holds = op == OP_EXISTS ? there == to->truth
                           : !there        ? negated && op < OP_EXISTS
                                           : op_holds(op, cell, to, now_ns) != negated;
        const uint64_t known = cell->held != POLICY_ABSENT;
        all.yes |= (known & holds) << i;
        all.no |= (known & !holds) << i;
    }
    return all;
}

static struct policy_truths
test_fields(const struct policy_condition *c, const struct policy_value *to,
            const struct policy_cell *const *cells, uint64_t open, int64_t now_ns)
{
    const enum op op = ops[c->op].op;
    switch (op) {
    case OP_EQUALS:
        return test_all(OP_EQUALS, c->op, cells, c->at, to, open, now_ns);
    case OP_LESS:
        return test_all(OP_LESS, c->op, cells, c->at, to, open, now_ns);
    case OP_GREATER:
        return test_all(OP_GREATER, c->op, cells, c->at, to, open, now_ns);
    case OP_AGE:
        return test_all(OP_AGE, c->op, cells, c->at, to, open, now_ns);
    case OP_LEFT:
        return test_all(OP_LEFT, c->op, cells, c->at, to, open, now_ns);
    case OP_EXISTS:
        return test_all(OP_EXISTS, c->op, cells, c->at, to, open, now_ns);
    default:
        return test_all(op, c->op, cells, c->at, to, open, now_ns);
    }
}

static struct policy_truths
test_counts(const struct policy_condition *c, const struct policy_value *values,
            const struct policy_cell *const *cells, uint64_t open, int64_t now_ns)
{
    struct policy_truths all = {0};
    for (; open != 0; open &= open - 1) {
        const unsigned i = (unsigned)__builtin_ctzll(open);
        const enum policy_truth t = test_count(c, values, &cells[i][c->at], now_ns);
        all.yes |= (uint64_t)(t == POLICY_TRUE) << i;
        all.no |= (uint64_t)(t == POLICY_FALSE) << i;
    }
    return all;
}

/* As test_several: a part is looked at where those before it have decided nothing. */
static struct policy_truths
test_parts(const struct policy_condition *c, const struct policy_value *values,
           const struct policy_cell *const *cells, uint64_t open, int64_t now_ns)
{
    const bool any = c->shape == POLICY_ANY;
    uint64_t decided = 0, unknown = 0;
    for (const struct policy_condition *m = c->first; m != NULL && open != decided; m = m->next) {
        const uint64_t left = open & ~decided;
        const struct policy_truths t = policy_condition_holds_of(m, values, cells, left, now_ns);
        decided |= any ? t.yes : t.no;
        unknown |= left & ~t.yes & ~t.no;
    }
    const uint64_t rest = open & ~decided & ~unknown;
    return any ? (struct policy_truths){decided, rest} : (struct policy_truths){rest, decided};
}

struct policy_truths
policy_condition_holds_of(const struct policy_condition *c, const struct policy_value *values,
                          const struct policy_cell *const *cells, uint64_t open, int64_t now_ns)
{
    struct policy_truths t;
    switch (c->shape) {
    case POLICY_NOT:
        t = policy_condition_holds_of(c->first, values, cells, open, now_ns);
        return (struct policy_truths){t.no, t.yes};
    case POLICY_FIELD:
        return test_fields(c, bound(&c->value, values), cells, open, now_ns);
    case POLICY_COUNT:
        return test_counts(c, values, cells, open, now_ns);
    default:
        return test_parts(c, values, cells, open, now_ns);
    }
}

void
policy_condition_each(const struct policy_condition *c,
                      void (*each)(void *ctx, const struct policy_field *field), void *ctx)
{
    if (c == NULL) {
        return;
    }
    if (c->shape == POLICY_FIELD || c->shape == POLICY_COUNT) {
        each(ctx, c->field);
    }
    for (const struct policy_condition *m = c->first; m != NULL; m = m->next) {
        policy_condition_each(m, each, ctx);
    }
}
