#include "model/lightgbm_text.h"

#include "base/text.h"

static struct view
take_until(struct view *rest, uint8_t end)
{
    const uint8_t *found = rest->len == 0 ? NULL : memchr(rest->ptr, end, rest->len);
    const size_t n = found == NULL ? rest->len : (size_t)(found - rest->ptr);
    const struct view taken = view_of(rest->ptr, n);
    const size_t used = n + (found != NULL);
    *rest = view_of(rest->ptr + used, rest->len - used);
    return taken;
}

bool
lightgbm_next_line(struct view *rest, struct lightgbm_line *ret_line)
{
    if (rest->len == 0) {
        return false;
    }
    struct view line = take_until(rest, '\n');
    line.len -= line.len > 0 && line.ptr[line.len - 1] == '\r';
    const size_t before = line.len;
    ret_line->key = take_until(&line, '=');
    ret_line->has_value = ret_line->key.len < before;
    ret_line->value = line;
    return true;
}

bool
lightgbm_next_word(struct view *rest, struct view *ret_word)
{
    if (rest->len == 0) {
        return false;
    }
    *ret_word = take_until(rest, ' ');
    return true;
}

size_t
lightgbm_count_words(struct view list)
{
    struct view word;
    size_t n = 0;
    while (lightgbm_next_word(&list, &word)) {
        n++;
    }
    return n;
}

bool
lightgbm_doubles(struct view list, size_t n, double *ret)
{
    struct view word;
    size_t i = 0;
    while (lightgbm_next_word(&list, &word)) {
        if (i == n || !status_ok(text_to_f64(word, &ret[i++]))) {
            return false;
        }
    }
    return i == n;
}

bool
lightgbm_integers(struct view list, size_t n, int64_t *ret)
{
    struct view word;
    size_t i = 0;
    while (lightgbm_next_word(&list, &word)) {
        if (i == n || !status_ok(text_to_i64(word, &ret[i++]))) {
            return false;
        }
    }
    return i == n;
}
