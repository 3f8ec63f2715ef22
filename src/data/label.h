/* label: a table's label as classes of given names, or as numbers; as two classes:
 * table_binary_label. */
#ifndef STEWARD_DATA_LABEL_H
#define STEWARD_DATA_LABEL_H

#include "data/table.h"

#define LABEL_MAX_CLASSES 256u

struct label_classes {
    char **names; /* a category's or truth value's levels; of numbers the values, ascending */
    uint32_t count;
};

/* INPUT with a sentence: text, time, more values than LABEL_MAX_CLASSES, fewer than two. */
struct status label_classes_of(const struct table *t, const struct column *label, struct diag *diag,
                               struct label_classes *ret_classes);
void label_classes_done(struct label_classes *c); /* zeroed is fine */

#define LABEL_MISSING UINT32_MAX
#define LABEL_OTHER (UINT32_MAX - 1) /* a value that is none of the classes */
/* ret_class[rows]: place among the names; a number is the class that is written as its value. */
struct status label_as_classes(const struct table *t, const struct column *label,
                               const char *const *names, uint32_t count, struct diag *diag,
                               uint32_t *ret_class);
/* ret_value[rows]: NaN where it is missing. INPUT with a sentence for what is not of numbers. */
struct status label_as_numbers(const struct table *t, const struct column *label, struct diag *diag,
                               double *ret_value);

#endif
