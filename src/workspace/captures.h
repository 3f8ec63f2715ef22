/* captures: what calls asked and were answered, where the configuration says so: one sealed object
 * a call beside the log, objects/capture/MODEL/TIME.sealed, whose entry holds the digests of both
 * bodies and the object's name. The gateway makes them and cannot open them. docs/spec/capture.md.
 */
#ifndef STEWARD_WORKSPACE_CAPTURES_H
#define STEWARD_WORKSPACE_CAPTURES_H

#include "workspace/workspace.h"

#define CAPTURES_FOLDER "objects/capture"
#define CAPTURE_ID_MAX 96u /* with its terminator */
#define CAPTURE_MAX (UINT64_C(1) << 31)

/* "mortgage/1795602030123456789": the model, and when the call was captured (wall, ns), which no
 * other capture of it has. */
struct capture_id {
    char model[64];
    uint64_t at;
};
void capture_put_id(const struct capture_id *id, char ret_text[static CAPTURE_ID_MAX]);
/* INPUT with a sentence. */
struct status capture_parse_id(const char *text, struct diag *diag, struct capture_id *ret_id);

struct capture_of {
    const char *call, *principal; /* principal NULL: nobody known */
    uint64_t model_version;
    unsigned status; /* of HTTP */
    struct view request, response;
};
/* Sealed, whole or not there; not synced: a power cut may lose it. */
struct status capture_write(const struct workspace *w, const struct capture_id *id,
                            const struct capture_of *of, struct diag *diag);

struct capture_read {
    json_t *head; /* all but the bodies */
    struct buf bytes;
    struct view request, response; /* of bytes */
};
void capture_read_done(struct capture_read *r);
/* Opens it; NOT_FOUND, INTEGRITY. Zeroed before, done in any case. Wants the workspace's key. */
struct status capture_open(const struct workspace *w, const struct capture_id *id,
                           struct diag *diag, struct capture_read *ret_read);
/* Its data key is overwritten, synced, and the object removed. NOT_FOUND. */
struct status capture_destroy(const char *dir, const struct capture_id *id, struct diag *diag);

/* Each that lies there, of one model or (NULL) of all, in no order. */
struct status captures_each(const char *dir, const char *model,
                            struct status (*each)(void *ctx, const struct capture_id *id,
                                                  uint64_t bytes),
                            void *ctx, struct diag *diag);
/* Those of the model from before that time are destroyed, at most `most`, and what a killed
 * process left half destroyed or half written. */
struct status captures_expire(const char *dir, const char *model, int64_t before_ns, size_t most,
                              struct diag *diag, size_t *ret_count);
/* The models that have any. */
struct status captures_models(const char *dir, struct status (*each)(void *ctx, const char *model),
                              void *ctx, struct diag *diag);

#endif
