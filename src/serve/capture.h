/* capture: which calls' bodies are kept, sealed, beside the log (workspace/captures.h), one line of
 * capture.endpoints each:
 *
 *     ENDPOINT off|full|PERCENT% [keep=DURATION] [fail=closed|open]
 *
 *     mortgage   5%   keep=30d
 *     mortgage@3 full fail=open
 *     *          full keep=7d fail=open
 *
 * An endpoint is a route to a model: MODEL is /v2/models/MODEL/infer, MODEL@VERSION is
 * /v2/models/MODEL/versions/VERSION/infer, which without a line of its own is under that of MODEL;
 * '*' is all others. What is kept of a model is kept as long as MODEL's line says. Sampling is no
 * dice: a call is captured when the first 8 hex digits of its id, as a number, are below PERCENT of
 * 2^32, so that anybody can check from the log which should have been. fail: what becomes of a call
 * that cannot be captured: it is not answered (closed, and 503), or answered without (open); its
 * entry says so. */
#ifndef STEWARD_SERVE_CAPTURE_H
#define STEWARD_SERVE_CAPTURE_H

#include "workspace/captures.h"

#define CAPTURE_RULES 64u

struct capture_rule {
    char model[64];   /* or "*" */
    uint64_t version; /* of the route; 0: the model's, and those of versions without a line */
    uint64_t below;   /* of 2^32; 0: off */
    int64_t keep_ns;  /* 0: as capture.keep */
    bool open;
};

struct capture_rules {
    struct capture_rule of[CAPTURE_RULES];
    size_t count;
    int64_t keep_ns; /* capture.keep */
};

/* INPUT with a sentence. */
struct status capture_parse(struct view item, struct diag *diag, struct capture_rule *ret_rule);
bool capture_same_endpoint(const struct capture_rule *a, const struct capture_rule *b);
/* Of that route; version 0: the model's own. NULL: none of its calls is captured. */
const struct capture_rule *capture_rule_of(const struct capture_rules *rules, const char *model,
                                           uint64_t version);
/* How long what is captured of a model is kept. */
int64_t capture_keeps_ns(const struct capture_rules *rules, const char *model);
bool capture_samples(const struct capture_rule *rule, const char *call_id);

struct capture;
/* rules and w are borrowed. NULL when there is no rule, and nothing that was captured earlier. */
struct status capture_start(const struct capture_rules *rules, struct workspace *w,
                            struct capture **ret_capture);
void capture_stop(struct capture *c); /* NULL is nothing */

enum capture_outcome {
    CAPTURE_NOT,    /* it is not to be */
    CAPTURE_KEPT,   /* ret_id: its object */
    CAPTURE_FAILED, /* it is answered without; ret_id: "failed" */
    CAPTURE_CLOSED, /* it is not answered; ret_id: "failed" */
};
/* model, version: of the route. c NULL: CAPTURE_NOT. Any thread. */
enum capture_outcome capture_take(struct capture *c, const char *model, uint64_t version,
                                  const struct capture_of *of, char ret_id[static CAPTURE_ID_MAX]);
void capture_put_metrics(const struct capture *c, struct buf *ret_text); /* NULL: nothing */

#endif
