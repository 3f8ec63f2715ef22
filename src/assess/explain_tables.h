/* explain_tables: path-dependent TreeSHAP from tables, for many rows of shallow trees, in floats.
 *
 * Each tree is cut into the largest bottom subtrees ("units") with at most TABLES_BITS conditions
 * and TABLES_FEATURES features: a condition for each distinct feature on the path down to the
 * subtree (the row follows all of the path's splits on it) and one for each of the subtree's own
 * splits. The pattern of conditions that a row meets is all that a unit's leaves need of it, so a
 * table from pattern to the attributions of all the unit's features, path included, is exact; a row
 * costs one look-up and a few additions a unit. Rows are ranked first (model/ranks.h); patterns of
 * 32 rows are made at once. (Woodelf, arXiv 2511.09376, has patterns per leaf.)
 *
 * Tables are filled by the lanes' kernel in double, a pattern in each lane, and hold floats. Floats
 * are added within TABLES_FLUSH units and those sums in double: error about 1e-6 of a row's largest
 * |phi|. The digits are the same with AVX2 and without, and for a row alone or among others. */
#ifndef STEWARD_ASSESS_EXPLAIN_TABLES_H
#define STEWARD_ASSESS_EXPLAIN_TABLES_H

#include "model/forest.h"

#define TABLES_BITS 8u
#define TABLES_FEATURES 8u
#define TABLES_FLUSH 1024u

struct tables;

/* Cuts the trees; nothing is filled yet. Borrows the forest. STATUS_UNSUPPORTED: a path has more
 * than TABLES_FEATURES distinct features, or one tree more than 255 thresholds of a feature.
 * STATUS_LIMIT: tables would take more than bytes_max. STATUS_MEMORY. */
struct status tables_new(const struct forest *f, size_t bytes_max, bool portable,
                         struct tables **ret_tables);
void tables_free(struct tables *t);
DEFINE_FREEP(tables_free, struct tables)
size_t tables_units(const struct tables *t);
/* Work of filling: patterns times splits and path conditions times quadrature nodes. */
double tables_fill_work(const struct tables *t);
/* Before the first rows. A tree is filled by one thread: the same digits for any number of them (0:
 * one per core). MEMORY. */
struct status tables_fill(struct tables *t, unsigned threads);
uint32_t tables_block_rows(const struct tables *t);
/* Scratch that so many rows need, in bytes, to be aligned to 64. */
size_t tables_scratch_bytes(const struct tables *t, size_t rows);
/* Up to a block of rows: ret_phi[rows * outputs * features]; of the two the one that is not NULL.
 */
void tables_rows(const struct tables *t, const float *x, size_t rows, void *scratch,
                 double *ret_phi, float *ret_single);

#endif
