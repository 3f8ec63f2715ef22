/* console_parts: what the sources of the console share. */
#ifndef STEWARD_SERVE_CONSOLE_PARTS_H
#define STEWARD_SERVE_CONSOLE_PARTS_H

#include "base/json.h"
#include "serve/console.h"

/* A page, up to its heading, and its end. at: its own place in the navigation, "/models". */
void page_begin(struct call *c, const char *title, const char *at);
void page_end(struct call *c);
/* A table with its caption and the heads of its columns (count of them), all ours; and its end. */
void page_table(struct buf *b, const char *caption, const char *const *heads, size_t count);
void page_table_end(struct buf *b);
/* A cell with what stands in a member of o; a dash where there is none. The first one of a row is
 * its head. */
void page_cell(struct buf *b, const json_t *o, const char *key);
void page_cell_text(struct buf *b, const char *text);
void page_head(struct buf *b, const char *text);
/* "2026-11-25 19:17:26" of a time of RFC 3339, as a cell. */
void page_cell_time(struct buf *b, const json_t *o, const char *key);
/* Good or not, in a word and a mark, never by colour alone. */
void page_mark(struct buf *b, bool good, const char *word);
/* The list at `what` could not be read: said in its place. */
void page_trouble(struct buf *b, const char *what);

/* A part of a page by its own right; the rule that decided. */
bool page_may(const struct call *c, enum access_action action, const char *resource,
              struct access_decision *ret_decision);

#endif
