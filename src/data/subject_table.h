/* subject_table: a table whose rows lie person by person, each person's sealed under a key of their
 * own, so that they can be erased without the rest (docs/spec/subjects.md). What lies open in it:
 * the schema without levels, counts, and how many rows each person (a number, no name) has. Who
 * seals and opens is the caller's business. */
#ifndef STEWARD_DATA_SUBJECT_TABLE_H
#define STEWARD_DATA_SUBJECT_TABLE_H

#include "data/table.h"

/* The persons' keys. slot: a person's number in the caller's list of keys. */
struct subject_sealer {
    /* The number of a person, told by the text of the subject column; asked once for each, in no
     * order that says anything. */
    struct status (*slot)(void *ctx, struct view subject, uint32_t *ret_slot);
    /* Appends. */
    struct status (*seal)(void *ctx, uint32_t slot, struct view plain, struct buf *ret_sealed);
    void *ctx;
};

struct subject_opener {
    /* Appends, or says that the person was erased. */
    struct status (*open)(void *ctx, uint32_t slot, struct view sealed, struct buf *ret_plain,
                          bool *ret_erased);
    void *ctx;
};

/* The column with the role subject, or NULL. */
const struct column *table_subject(const struct table *t);
/* t has a subject column, of texts, without a null. */
struct status subject_table_encode(const struct table *t, const struct subject_sealer *by,
                                   struct buf *ret_bytes);
/* Whether bytes begin as such a table and not as another. */
bool subject_table_is(struct view bytes);
/* The rows of all who were not erased, in their order, with their numbers (table.number); levels
 * are those that are left. Everything is checked: STATUS_INTEGRITY. */
struct status subject_table_decode(struct view bytes, const struct subject_opener *by,
                                   struct diag *diag, struct table **ret_table);
/* Each person and how many rows they have, erased or not; ret_rows (may be NULL): of all. */
struct status subject_table_each(struct view bytes,
                                 struct status (*each)(void *ctx, uint32_t slot, uint32_t rows),
                                 void *ctx, struct diag *diag, uint64_t *ret_rows);

#endif
