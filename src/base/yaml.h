/* yaml: a YAML text as a tree with lines, for files that people write (over libyaml). A subset:
 * mappings, lists and scalars; anchors, aliases, tags, a second document, a member that stands
 * twice, depth over YAML_MAX_DEPTH and bytes that are no UTF-8 are refused with the line.
 *
 * Scalars stay texts: what is a number is for the reader to say, so that "no" is a word. */
#ifndef STEWARD_BASE_YAML_H
#define STEWARD_BASE_YAML_H

#include "base/arena.h"

#define YAML_MAX_DEPTH 12u
#define YAML_MAX_MEMBERS 512u /* of one mapping; a list has no limit but the arena's */

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAPPING };

struct yaml {
    enum yaml_kind kind;
    unsigned line, column; /* from 1 */
    const char *name;      /* of a mapping's member; else NULL */
    unsigned name_line, name_column;
    const char *text; /* of a scalar, UTF-8 without NUL */
    bool empty;       /* a plain scalar without text: nothing was given */
    bool quoted;      /* a scalar between quotes, or a block */
    size_t count;     /* of a container */
    struct yaml *first, *next;
};

/* All on the arena. An empty text is an empty mapping. STATUS_INPUT with "NAME line N: ...";
 * STATUS_LIMIT when the tree does not fit the arena. Untrusted; fuzzed with what reads it. */
struct status yaml_read(struct view text, const char *name, struct arena *arena, struct diag *diag,
                        const struct yaml **ret_root);
/* NULL: no such member. */
const struct yaml *yaml_member(const struct yaml *mapping, const char *name);
/* "FILE line N: " and what is wrong: STATUS_INPUT. */
struct status yaml_refuse(const struct yaml *at, const char *file, struct diag *diag,
                          const char *format, ...) __attribute__((format(printf, 4, 5)));
/* "FILE line N column M: ", of a value or of a member's name. */
struct status yaml_refuse_value(const struct yaml *at, const char *file, struct diag *diag,
                                const char *format, ...) __attribute__((format(printf, 4, 5)));
struct status yaml_refuse_name(const struct yaml *at, const char *file, struct diag *diag,
                               const char *format, ...) __attribute__((format(printf, 4, 5)));

/* STATUS_INPUT unless o is a mapping whose members are among `known`; what: "a role". */
struct status yaml_check_members(const struct yaml *o, const char *what, const char *const *known,
                                 size_t n, const char *file, struct diag *diag);
/* A member that is a text and not empty; *ret_text is NULL where it is absent and not needed. */
struct status yaml_take_text(const struct yaml *o, const char *name, bool needed, const char *file,
                             struct diag *diag, const char **ret_text);

#endif
