#include "model/xgboost_document.h"

#include "model/forest.h"
#include "model/ubjson.h"

#include <string.h>

/* What stands outside strings, before jansson makes values of it. */
struct census {
    size_t values;      /* in ubjson's units */
    size_t not_numbers; /* NaN, Infinity */
};

/* Length of the word that JSON does not have, at text[i]; 0 when there is none. */
static size_t
not_a_number(struct view text, size_t i)
{
    static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
    for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
        const size_t n = strlen(words[k]);
        if (text.len - i >= n && memcmp(text.ptr + i, words[k], n) == 0) {
            return n;
        }
    }
    return 0;
}

/* Index after the string that begins at text[i]. */
static size_t
after_string(struct view text, size_t i)
{
    for (i++; i < text.len && text.ptr[i] != '"'; i++) {
        i += text.ptr[i] == '\\';
    }
    return i < text.len ? i + 1 : text.len;
}

static struct census
take_census(struct view text)
{
    struct census found = {.values = 1};
    for (size_t i = 0; i < text.len;) {
        const uint8_t c = text.ptr[i];
        if (c == '"') {
            i = after_string(text, i);
            continue;
        }
        found.values += c == '{' || c == '[' ? UBJSON_CONTAINER_VALUES : 0;
        found.values += c == ':' ? UBJSON_MEMBER_VALUES : 0;
        found.values += c == ',';
        found.not_numbers += (c == 'N' || c == 'I') && not_a_number(text, i) > 0;
        i++;
    }
    return found;
}

static void
put_with_nulls(struct view text, struct buf *b)
{
    size_t from = 0;
    for (size_t i = 0; i < text.len;) {
        const uint8_t c = text.ptr[i];
        const size_t n = c == 'N' || c == 'I' || c == '-' ? not_a_number(text, i) : 0;
        if (n > 0) {
            buf_put(b, view_of(text.ptr + from, i - from));
            buf_put_str(b, "null");
            from = i + n;
        }
        i = n > 0 ? from : c == '"' ? after_string(text, i) : i + 1;
    }
    buf_put(b, view_of(text.ptr + from, text.len - from));
}

static struct status
read_json(struct view text, struct diag *diag, json_t **ret_document)
{
    const struct census found = take_census(text);
    if (found.values > FOREST_MAX_VALUES) {
        diag_set(diag, "JSON with more than %zu values", FOREST_MAX_VALUES);
        FAIL(LIMIT);
    }
    if (found.not_numbers == 0) {
        return js_parse(text, "JSON", diag, ret_document);
    }
    DEFER(buf_done) struct buf clean;
    buf_init(&clean, text.len + found.not_numbers + 1);
    put_with_nulls(text, &clean);
    TRY(buf_status(&clean));
    return js_parse(buf_view(&clean), "JSON", diag, ret_document);
}

/* Both formats are an object; JSON may have white space before it. */
static struct status
check_beginning(struct view bytes, struct diag *diag)
{
    size_t at = 0;
    while (at < bytes.len && strchr(" \t\r\n", bytes.ptr[at]) != NULL && bytes.ptr[at] != 0) {
        at++;
    }
    if (at < bytes.len && bytes.ptr[at] == '{') {
        return OK;
    }
    if (bytes.len >= 4 && memcmp(bytes.ptr, "binf", 4) == 0) {
        diag_set(diag, "XGBoost's old binary format; save it again as .json or .ubj");
        FAIL(UNSUPPORTED);
    }
    diag_set(diag, bytes.len == 0 ? "the file is empty"
                                  : "not XGBoost's JSON or UBJSON: that begins with {");
    FAIL(INPUT);
}

/* UBJSON's objects begin with '{' and the marker of a length; JSON's with '{' and white space, '"'
 * or '}'. */
struct status
xgboost_document_read(struct view bytes, struct diag *diag, json_t **ret_document)
{
    TRY(check_beginning(bytes, diag));
    if (bytes.len > FOREST_MAX_BYTES) {
        diag_set(diag, "larger than %zu bytes", FOREST_MAX_BYTES);
        FAIL(LIMIT);
    }
    const bool binary =
        bytes.len > 1 && bytes.ptr[0] == '{' && memchr("iUIlL", bytes.ptr[1], 5) != NULL;
    return binary ? ubjson_parse(bytes, FOREST_MAX_VALUES, diag, ret_document)
                  : read_json(bytes, diag, ret_document);
}
