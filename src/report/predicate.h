/* predicate: parts of a cohort's condition (data/cohort.h) as SQL text that means the same column
 * and the same value, whatever they are called. */
#ifndef STEWARD_REPORT_PREDICATE_H
#define STEWARD_REPORT_PREDICATE_H

#include "base/bytes.h"

/* A column's name: bare when it is a plain lower-case word and no keyword, quoted otherwise. */
void predicate_put_name(struct buf *b, const char *name);
/* A text value, in single quotes. */
void predicate_put_text(struct buf *b, const char *text);

#endif
