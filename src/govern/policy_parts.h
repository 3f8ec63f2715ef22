/* policy_parts: what the sources of policies share. */
#ifndef STEWARD_GOVERN_POLICY_PARTS_H
#define STEWARD_GOVERN_POLICY_PARTS_H

#include "base/yaml.h"
#include "govern/policy.h"

#define POLICY_TYPES_MAX 32u
#define POLICY_LIST_MAX 256u /* values of one list in a policy */
#define POLICY_TEXT_VALUE_MAX 1024u

/* ---- fields (policy_fields.c) ---- */

struct policy_type {
    const struct policy_field *first;
    size_t count;
};
bool policy_type_find(const char *type, struct policy_type *ret_type);
/* How many fields the objects of that list have: they follow it. */
size_t policy_field_parts(const struct policy_field *list);
size_t policy_type_words(const char **ret_words, size_t max);

/* ---- values (policy_value.c) ---- */

/* False: it is none of that kind. Borrows the text. */
bool policy_value_from_text(const char *text, enum policy_kind kind,
                            struct policy_value *ret_value);
/* What such a value looks like, for a sentence: "a duration such as 90d". */
const char *policy_kind_form(enum policy_kind kind);
bool policy_value_equal(const struct policy_value *a, const struct policy_value *b);
/* "1.2" < "1.10" */
int policy_version_compare(const char *a, const char *b);
bool policy_kind_by_word(const char *word, enum policy_kind *ret_kind);
/* '*' is any text. */
bool policy_like(const char *pattern, const char *text);
/* '#' a digit, '?' a letter, '.' any one character. */
bool policy_match(const char *pattern, const char *text);

/* ---- a resource as conditions look at it (policy_state.c) ---- */

enum policy_held { POLICY_ABSENT, POLICY_NULL, POLICY_HELD };
struct policy_cell {
    enum policy_held held;
    struct policy_value value; /* HELD: of a scalar */
    /* HELD: of a list, its items: of texts one cell each, of objects as many as they have fields */
    const struct policy_cell *items;
    size_t count;
};
struct policy_resource {
    struct policy_type type;
    const json_t *document;
    const struct policy_cell *cells; /* type.count */
};
struct policy_state {
    struct arena *arena;
    struct policy_type holds[POLICY_TYPES_MAX];
    size_t hold_count;
    struct policy_resource *resources;
    size_t count;
};
/* document: an object of fields. Borrows its texts. */
struct status policy_cells_read(const struct policy_type *type, const json_t *document,
                                struct arena *arena, struct diag *diag,
                                const struct policy_cell **ret_cells);

/* ---- conditions (policy_condition.c) ---- */

enum policy_shape { POLICY_ALL, POLICY_ANY, POLICY_NOT, POLICY_FIELD, POLICY_COUNT };
struct policy_condition {
    enum policy_shape shape;
    unsigned op;                      /* row of the table of operators */
    const struct policy_field *field; /* FIELD, COUNT */
    size_t at;                        /* of its cell among those that are looked at */
    struct policy_value value;        /* FIELD, COUNT */
    const struct policy_condition *first, *next;
    const struct policy_condition *where; /* COUNT; NULL: all are counted */
};
struct policy_reading {
    const char *file;
    struct diag *diag;
    struct policy *policy;
};
struct status policy_condition_read(const struct policy_reading *r, const struct yaml *y,
                                    const struct policy_condition **ret_condition);
/* A literal of that kind, or {parameter: NAME} whose kind it is. */
struct status policy_operand_read(const struct policy_reading *r, const struct yaml *y,
                                  enum policy_kind kind, bool list, struct policy_value *ret_value);
/* Every member of o is one of `known`. */
struct status policy_members_check(const struct policy_reading *r, const struct yaml *o,
                                   const char *what, const char *const *known, size_t n);
enum policy_truth { POLICY_FALSE, POLICY_TRUE, POLICY_UNKNOWN };
enum policy_truth policy_condition_holds(const struct policy_condition *c,
                                         const struct policy_value *values,
                                         const struct policy_cell *cells, int64_t now_ns);
/* The same of up to 64 resources at once, those whose bits are in `open`: whose bit is in neither
 * of the two, of that it is unknown. */
struct policy_truths {
    uint64_t yes, no;
};
struct policy_truths policy_condition_holds_of(const struct policy_condition *c,
                                               const struct policy_value *values,
                                               const struct policy_cell *const *cells,
                                               uint64_t open, int64_t now_ns);
/* Calls each(ctx, field) for the fields of the resource that it reads; c may be NULL. */
void policy_condition_each(const struct policy_condition *c,
                           void (*each)(void *ctx, const struct policy_field *field), void *ctx);

#endif
