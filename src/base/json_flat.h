/* json_flat: a JSON text as one array of nodes on an arena, for bodies that are read once and at
 * speed. Accepts and refuses what js_parse does (base/json.h), with the same sentences; an object
 * may besides have JS_FLAT_MEMBERS members. A node takes 16 bytes, so the memory is known before.
 *
 * Nodes stand in the order of the text: a container before its elements, a member's name (a string
 * node) before its value. */
#ifndef STEWARD_BASE_JSON_FLAT_H
#define STEWARD_BASE_JSON_FLAT_H

#include "base/arena.h"

#define JS_FLAT_MEMBERS 256u

enum js_kind { JS_NULL, JS_FALSE, JS_TRUE, JS_INTEGER, JS_REAL, JS_STRING, JS_ARRAY, JS_OBJECT };

struct js_node {
    enum js_kind kind;
    uint32_t span; /* nodes from this one to the one behind it and what is in it */
    union {
        int64_t integer;
        double real;
        const char *text; /* UTF-8 without NUL, terminated; on the arena */
        uint32_t size;    /* of a container: elements, or members */
    };
};

/* STATUS_INPUT with a sentence, "line 3 column 7: ..." behind name; STATUS_LIMIT when nodes and
 * strings do not fit the arena. */
struct status js_flat(struct view text, const char *name, struct arena *arena, struct diag *diag,
                      const struct js_node **ret_root);
/* Of a container that is not empty; and the one behind n, which must not be the last. */
const struct js_node *js_flat_first(const struct js_node *container);
const struct js_node *js_flat_next(const struct js_node *n);
/* The value of a member; NULL when the object has none such. */
const struct js_node *js_flat_member(const struct js_node *object, const char *key);
/* JS_INTEGER and JS_REAL as double. */
double js_flat_number(const struct js_node *n);
/* As js_need_array and js_need_string. */
struct status js_flat_need_array(const struct js_node *object, const char *key, struct diag *diag,
                                 const struct js_node **ret_array);
struct status js_flat_need_string(const struct js_node *object, const char *key, struct diag *diag,
                                  const char **ret_text);

#endif
