/* lightgbm_text: the lines of a LightGBM model file (text, versions 2 to 4), as views into it, and
 * lists of numbers out of them. Untrusted: nothing is believed about lengths. Not for other
 * folders. */
#ifndef STEWARD_MODEL_LIGHTGBM_TEXT_H
#define STEWARD_MODEL_LIGHTGBM_TEXT_H

#include "base/bytes.h"

struct lightgbm_line {
    struct view key, value; /* of key=value; without '=' the value is empty */
    bool has_value;
};

/* Takes the next line from *rest; false at the end. */
bool lightgbm_next_line(struct view *rest, struct lightgbm_line *ret_line);
/* Takes the next word (words are separated by single spaces) from *rest; false at the end. */
bool lightgbm_next_word(struct view *rest, struct view *ret_word);
size_t lightgbm_count_words(struct view list);
/* ret[n]. False unless the list holds n numbers, finite or whole. */
bool lightgbm_doubles(struct view list, size_t n, double *ret);
bool lightgbm_integers(struct view list, size_t n, int64_t *ret);

#endif
