/* catalogue: the controls of a law or standard, in sentences of our own, and which checks
 * (policies) bear on each: docs/spec/catalogues.md. Pure: text in, controls out. */
#ifndef STEWARD_GOVERN_CATALOGUE_H
#define STEWARD_GOVERN_CATALOGUE_H

#include "base/arena.h"
#include "base/digest.h"
#include "base/json.h"

#define CATALOGUE_TEXT_MAX (1u << 20)
#define CATALOGUE_CHECKS_MAX 32u /* of a control */

/* What the program always does, and the test that shows it: catalogues/always.yaml. */
struct catalogue_property {
    const char *id, *says, *test;
};

struct catalogue_control {
    const char *id, *title, *text;
    const char *by_hand;       /* what no machine can check */
    const char *applies_from;  /* YYYY-MM-DD; the catalogue's, unless it has one of its own */
    unsigned level;            /* of standards that have levels; 0: none */
    const char *const *checks; /* ids of policies */
    size_t check_count;
    const struct catalogue_property *const *always; /* what bears on it whatever is configured */
    size_t always_count;
};

struct catalogue {
    struct arena *arena;  /* what the rest lies on */
    struct digest digest; /* of the text */
    const char *name, *title, *edition, *applies_from;
    const struct catalogue_control *controls;
    size_t count;
};

/* Untrusted text; fuzzed. STATUS_INPUT: "FILE line N: ...". */
struct status catalogue_read(struct view yaml, const char *file, struct diag *diag,
                             struct catalogue **ret_catalogue);
void catalogue_free(struct catalogue *c);
DEFINE_FREEP(catalogue_free, struct catalogue)
/* One that comes with the program. STATUS_NOT_FOUND names those there are. */
struct status catalogue_built_in(const char *name, struct diag *diag,
                                 struct catalogue **ret_catalogue);
/* NULL: it has none of that id. */
const struct catalogue_control *catalogue_find(const struct catalogue *c, const char *id);

#endif
