/* text: strict conversions between text and values. Each fails on anything but the whole, exact
 * form. */
#ifndef STEWARD_BASE_TEXT_H
#define STEWARD_BASE_TEXT_H

#include "base/bytes.h"

struct status text_to_i64(struct view text, int64_t *ret_value);  /* optional '-', digits */
struct status text_to_u64(struct view text, uint64_t *ret_value); /* digits only */
struct status text_to_f64(struct view text, double *ret_value);   /* C locale; no nan, inf, hex */
/* The same text, or both numbers and equal: "1" and "1.0". */
bool text_is_same_value(const char *a, const char *b);
/* "1", "yes", "true" and their capitals: the positive one of two classes. */
bool text_means_yes(const char *text);
/* "10s", "500ms", "5m", "2h", "30d" -> nanoseconds. */
struct status text_to_duration_ns(struct view text, int64_t *ret_ns);
/* "64KiB", "16MiB", "1GiB", plain bytes. */
struct status text_to_size(struct view text, uint64_t *ret_bytes);
bool text_is_utf8(struct view text);
/* Names of workspaces' things (datasets, models, principals): [a-z0-9][a-z0-9._-]{0,62}, no "..".
 */
bool text_is_name(const char *text);
int text_hex_digit(uint8_t c); /* its value, of either case; -1: it is none */
void text_put_hex(struct buf *b, struct view v);
/* Up to the first newline, which may have a carriage return before it. */
struct view text_first_line(struct view text);
void text_put_base64(struct buf *b, struct view v); /* standard alphabet, padded */
/* These two append nothing on bad text; base64's padding must be canonical. */
struct status text_from_hex(struct view text, struct buf *ret_bytes);
struct status text_from_base64(struct view text, struct buf *ret_bytes);
/* Escapes & < > " '; control characters and the ones that turn the direction of writing become
 * U+FFFD, since a name could otherwise reorder the text around it. */
void text_put_html(struct buf *b, const char *text);
/* Between marks, a mark inside doubled: SQL's names and texts. */
void text_put_quoted(struct buf *b, char mark, const char *text);
/* Up to the next blank, and rest behind it; empty when there is no further word. */
struct view text_next_word(struct view *rest);
/* word into to[size], terminated; false when it does not fit, or has a NUL. */
bool text_copy_view(char *to, size_t size, struct view word);
/* text into to[size], cut where it does not fit; always terminated. */
void text_copy(char *to, size_t size, const char *text);
void text_put_u64(struct buf *b, uint64_t v);
/* A decimal of at most 17 digits (15 when they do) that reads back as the same double; "null" is
 * the caller's business for NaN. */
void text_put_f64(struct buf *b, double v);
/* As printf's %.*g with 1 to 17 digits: the nearest decimal of that many, without zeros at its end.
 */
void text_put_digits(struct buf *b, double v, int digits);
/* The candidate nearest to word by edit distance (at most 3 edits), or NULL: for "did you mean". */
const char *text_nearest(const char *word, const char *const *candidates, size_t n);

#endif
