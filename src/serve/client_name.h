/* client_name: what a client's certificate calls it, as access rules name it. */
#ifndef STEWARD_SERVE_CLIENT_NAME_H
#define STEWARD_SERVE_CLIENT_NAME_H

#include "base/status.h"

#include <gnutls/x509.h>

#define CLIENT_NAME_MAX 256 /* with its terminator */

/* A SPIFFE ID when the certificate has a URI "spiffe://...": then it is an X.509-SVID, which has
 * exactly one URI, is no authority and may sign (SPIFFE X.509-SVID, 2 to 5). Else "subject:" and
 * the subject as RFC 4514 writes it, ";issuer:" and that of the authority that was trusted with it:
 * two authorities may give the same name. STATUS_AUTH and the reason when it breaks those rules,
 * has no name, or one that does not fit. Untrusted. */
struct status client_name(gnutls_x509_crt_t certificate, gnutls_x509_crt_t authority,
                          struct diag *diag, char ret_name[static CLIENT_NAME_MAX]);
/* spiffe://trust-domain/path: the domain of a-z, 0-9, '.', '-', '_'; path segments of letters,
 * digits, '.', '-', '_', none empty, "." or "..", no slash at the end (SPIFFE-ID, 2.1 to 2.3).
 * Pure. */
bool client_name_is_spiffe(const char *text);

#endif
