/* cosign: a log's side of its witnesses (C2SP tlog-witness): asks them for cosignatures of the
 * newest checkpoint, believes none unseen, and keeps them beside the log's own signature.
 * docs/spec/witness.md. How a request gets to them is the caller's (cosign_post). */
#ifndef STEWARD_GOVERN_COSIGN_H
#define STEWARD_GOVERN_COSIGN_H

#include "govern/note.h"

#define COSIGN_WITNESSES 32u
#define COSIGN_URL_MAX 1024u
#define COSIGN_PATH_MAX 1024u
#define COSIGN_LINES_MAX (64u << 10) /* of an answer */
#define COSIGN_CLOCK_S 300u          /* that a witness's clock may differ from ours */
#define COSIGN_TIMEOUT_NS INT64_C(5000000000)

/* As the configuration has it: "URL VKEY [DURATION] [ca-file=PATH]". */
struct cosign_witness {
    char url[COSIGN_URL_MAX + 1]; /* of add-checkpoint */
    struct note_key key;
    int64_t timeout_ns;
    char ca_file[COSIGN_PATH_MAX + 1]; /* PEM: authorities of its certificate; "": the system's */
};
/* STATUS_INPUT with a sentence. The URL is the submission prefix; whether it may be connected to is
 * said elsewhere. */
struct status cosign_parse(struct view item, struct diag *diag, struct cosign_witness *ret_witness);

/* POST of body to w->url. OK when an HTTP answer came; ret_answer is initialised by the caller. */
struct cosign_post {
    struct status (*post)(void *ctx, const struct cosign_witness *w, struct view body,
                          struct diag *diag, unsigned *ret_status, struct buf *ret_answer);
    void *ctx;
};

enum cosign_outcome {
    COSIGN_SIGNED,  /* the line is its cosignature, verified */
    COSIGN_ABSENT,  /* not reached, busy, or failing: to be asked again */
    COSIGN_REFUSED, /* it does not know the log or its key, or does not take the request */
    COSIGN_ROLLED,  /* it has cosigned more entries than the log has */
    COSIGN_FORKED,  /* it has cosigned another tree */
    COSIGN_LIED     /* what it answered is no cosignature of this checkpoint, or cannot be */
};
/* An outcome that somebody must look at: the log or the witness is not what it was. */
bool cosign_is_grave(enum cosign_outcome o);
const char *cosign_word(enum cosign_outcome o);

/* One witness about one signed checkpoint of the log in dir. *known: the size that it has cosigned,
 * as far as we know, else 0; kept up to date. ret_line: its signature line. Anything but SIGNED has
 * a sentence in diag. */
enum cosign_outcome cosign_ask(const char *dir, const struct cosign_witness *w, struct view note,
                               const struct cosign_post *post, uint64_t *known, struct diag *diag,
                               struct buf *ret_line);

/* The newest checkpoint as its file has it, and its text. */
struct status cosign_checkpoint(const char *dir, struct diag *diag, struct buf *ret_note,
                                struct view *ret_text);
/* Puts signature lines (whole, verified) behind the checkpoint in dir, under the log's lock, if it
 * is still the one with that text. Otherwise nothing is done, and that is OK. STATUS_LIMIT: it has
 * so many lines already that readers would not take more. */
struct status cosign_add(const char *dir, struct view text, struct view lines, struct diag *diag);
/* This cosigned checkpoint had a quorum: it takes the place of checkpoint.witnessed, unless that
 * has more entries. */
struct status cosign_keep(const char *dir, struct view note, struct diag *diag);

#endif
