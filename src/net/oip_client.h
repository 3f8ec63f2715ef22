/* oip_client: a model behind the Open Inference Protocol v2 (REST), asked as a black box
 * through net/door for the purpose "black-box", TLS verified against a CA file or the system's. No
 * redirect is followed. Everything has a time limit and the answer a greatest size.
 *
 * An endpoint that refuses a batch as too large (413) is asked in halves from then on; one that is
 * busy (429, 503) is asked again after what its retry-after says, up to OIP_TRIES times. Threads
 * may ask at once, each over a connection of its own. */
#ifndef STEWARD_NET_OIP_CLIENT_H
#define STEWARD_NET_OIP_CLIENT_H

#include "base/secret.h"
#include "net/door.h"
#include "net/oip_body.h"

#define OIP_TRIES 4u
#define OIP_MOST_WAIT_S 30u /* a longer retry-after is a refusal */

struct oip_options {
    struct door *door;        /* borrowed until the client is closed */
    const char *endpoint;     /* "https://host:8443/v2/models/NAME" or ".../versions/V" */
    const char *ca_file;      /* PEM; NULL: the system's */
    const struct secret *key; /* sent as authorization: Bearer; NULL: none */
    int64_t timeout_ns;       /* of one request, from connecting to the last byte */
    size_t max_answer_bytes;  /* of one answer */
    size_t rows;              /* of one request, at most */
};

struct oip_client;

/* Asks for the model's metadata. INPUT for a URL that is none of the above, DENIED when
 * the door does not allow it, AUTH when the certificate or the key is not accepted, NOT_FOUND, IO
 * for what is not reached or answers something else. */
struct status oip_open(const struct oip_options *o, struct diag *diag,
                       struct oip_client **ret_client);
void oip_close(struct oip_client *c);
DEFINE_FREEP(oip_close, struct oip_client)
const struct oip_metadata *oip_metadata(const struct oip_client *c);
/* columns are borrowed until the client is closed. Asks about one row, x[n], to learn how many
 * numbers are answered. See oip_bind. */
struct status oip_use(struct oip_client *c, const struct oip_column *columns, size_t n,
                      const char *output, const double *x, struct diag *diag);
size_t oip_width(const struct oip_client *c); /* numbers a row; after oip_use */
/* ret_score[rows * width]; any number of rows, any thread. */
struct status oip_predict(struct oip_client *c, const double *x, size_t rows, struct diag *diag,
                          double *ret_score);
/* Requests and bytes so far, for telling. */
void oip_told(struct oip_client *c, uint64_t *ret_requests, uint64_t *ret_rows);

#endif
