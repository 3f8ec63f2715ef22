/* record_document: a filled form as one JSON object (docs/spec/records.md), and its page. Pure. */
#ifndef STEWARD_REPORT_RECORD_DOCUMENT_H
#define STEWARD_REPORT_RECORD_DOCUMENT_H

#include "base/json.h"
#include "govern/form.h"

#define RECORD_FORMAT "steward-record-1"

struct record_input {
    const struct form *form;
    const char *about;    /* the model's name, or the log's origin */
    const json_t *record; /* the newest answers (workspace/records.h); NULL: none */
    const json_t *facts;  /* workspace/record_facts.h */
    int64_t now_ns;
};
struct status record_document(const struct record_input *in, json_t **ret_document);
struct status html_record_page(const json_t *document, struct buf *ret_html);

#endif
