/* json: parsing with limits and places, over jansson; a small writer for documents and answers.
 *
 * js_parse refuses duplicate members, depth over JS_MAX_DEPTH, invalid UTF-8, NUL in strings,
 * trailing bytes. Values are jansson's json_t; release with json_decref or DEFER(js_freep). */
#ifndef STEWARD_BASE_JSON_H
#define STEWARD_BASE_JSON_H

#include "base/bytes.h"

#include <jansson.h>

#define JS_MAX_DEPTH 64

void js_freep(json_t **value);
/* diag: "line 3 column 7: ...". name stands before it when not NULL. */
struct status js_parse(struct view text, const char *name, struct diag *diag, json_t **ret_value);
/* As js_parse; STATUS_LIMIT when the values could take more than max_memory bytes: a few bytes of
 * text are a hundred of a tree ("[[],[],..."). Told from the text alone, before any is allocated.
 */
struct status js_parse_within(struct view text, size_t max_memory, const char *name,
                              struct diag *diag, json_t **ret_value);
/* Members of an object. `need` fails with STATUS_INPUT and a sentence when the member is absent or
 * of another type; strings are borrowed from the object. */
struct status js_need_object(const json_t *o, const char *key, struct diag *diag,
                             json_t **ret_value);
struct status js_need_array(const json_t *o, const char *key, struct diag *diag,
                            json_t **ret_value);
struct status js_need_string(const json_t *o, const char *key, struct diag *diag,
                             const char **ret_text);
/* A text in base64; NULL: no memory. */
json_t *js_base64(struct view bytes);
/* Exactly n bytes, written in base64: STATUS_INTEGRITY otherwise. */
struct status js_need_base64(const json_t *o, const char *key, size_t n, struct diag *diag,
                             uint8_t *ret_bytes);
struct status js_need_i64(const json_t *o, const char *key, struct diag *diag, int64_t *ret_value);
struct status js_need_f64(const json_t *o, const char *key, struct diag *diag, double *ret_value);
/* Sets a member of o and takes value, also on failure; NULL, which jansson gives when memory is
 * out, is STATUS_MEMORY. */
struct status js_set(json_t *o, const char *key, json_t *value);
/* A string of a text in which characters may have been cut in half ("%.60s"): the halves are left
 * out. NULL: no memory. */
json_t *js_sentence(const char *text);
/* Appends compact JSON with sorted keys (stable bytes, for digests). */
struct status js_put(struct buf *b, const json_t *value);
/* As js_put, indented by two, keys in insertion order: for files that people read. */
struct status js_put_pretty(struct buf *b, const json_t *value);
/* Appends "text", which is UTF-8, quoted and escaped; for streaming writers. NaN and infinities
 * become null. */
void js_put_string(struct buf *b, struct view text);
void js_put_f64(struct buf *b, double v);
/* A time as clock_put_rfc3339 writes it. NULL: no memory. */
json_t *js_time(int64_t wall_ns);
/* A json real, or json_null() when v is not finite. */
json_t *js_real(double v);

#endif
