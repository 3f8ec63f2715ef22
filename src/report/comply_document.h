/* comply_document: what the findings of policies say about a catalogue's controls, as one JSON
 * object (docs/spec/compliance.md), as its page, and as OSCAL 1.1 assessment results. Pure. */
#ifndef STEWARD_REPORT_COMPLY_DOCUMENT_H
#define STEWARD_REPORT_COMPLY_DOCUMENT_H

#include "govern/catalogue.h"

#define COMPLY_FORMAT "steward-compliance-1"

/* The proof that the findings are those that were found then: an entry of the log that has their
 * digest, and its receipt. */
struct comply_evidence {
    uint64_t entry;
    struct view findings; /* the bytes that the entry has the SHA-256 of */
    struct view receipt;  /* c2sp.org/tlog-proof@v1 */
    const char *vkey;     /* of the log */
};

struct comply_input {
    const struct catalogue *catalogue;
    /* [{"policy", "assigned": bool, "title", "severity", "remedy", "outcome", "resource",
     * "message",
     * ...}]: policy_finding_to_json's, and "assigned" */
    const json_t *findings;
    const char *origin; /* of the log */
    int64_t now_ns;
    struct comply_evidence evidence;
};
struct status comply_document(const struct comply_input *in, json_t **ret_document);
struct status html_comply_page(const json_t *document, struct buf *ret_html);
/* OSCAL 1.1.2 assessment results in JSON. */
struct status comply_oscal(const json_t *document, json_t **ret_oscal);

#endif
