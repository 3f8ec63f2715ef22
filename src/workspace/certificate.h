/* certificate: the self-signed TLS certificate that init makes: EC P-256, 397 days, subject
 * alternative names. */
#ifndef STEWARD_WORKSPACE_CERTIFICATE_H
#define STEWARD_WORKSPACE_CERTIFICATE_H

#include "base/bytes.h"

#define CERTIFICATE_DAYS 397

/* hosts: DNS names and addresses, told apart by form. ret_key holds the private key in clear: wipe
 * it. */
struct status certificate_make(const char *const *hosts, size_t host_count, struct diag *diag,
                               struct buf *ret_cert_pem, struct buf *ret_key_pem);
/* STATUS_INTEGRITY with a sentence unless the certificate is of that key. */
struct status certificate_check(struct view cert_pem, struct view key_pem, struct diag *diag);
/* The end of the first certificate. STATUS_INPUT when it is none. */
struct status certificate_expires(struct view cert_pem, int64_t *ret_wall_ns);

#endif
