/* pkcs11: the provider whose wrapping key stays in a PKCS#11 token. State, a JSON object: uri (RFC
 * 7512), mechanism ("CKM_AES_GCM" or "CKM_AES_KEY_WRAP"), iv (base64, 12 bytes; of CKM_AES_GCM
 * only), wrapped (base64).
 *
 * The module runs in a process of its own (vault/holder.h), which also keeps the PIN. */
#ifndef STEWARD_VAULT_PKCS11_H
#define STEWARD_VAULT_PKCS11_H

#include "vault/holder.h"

struct pkcs11;

/* Of this text: whether the URI itself says where the PIN is (pin-source). */
bool pkcs11_has_pin(const char *uri);
struct pkcs11_means {
    const struct secret *pin; /* copied into the other process; empty: from the URI's pin-source, a
                               * file of mode 0640 or less */
    bool network; /* the driver may connect over IP, past network.egress; else it can have no socket
                   * but a local one */
    int fd;       /* of such a process that runs already, taken over; 0: one is started */
};

/* STATUS_INPUT for the URI, STATUS_AUTH without a PIN; the token is asked later. */
struct status pkcs11_new(const char *uri, const struct pkcs11_means *m, struct diag *diag,
                         struct pkcs11 **ret_pkcs11);
void pkcs11_free(struct pkcs11 *p);
DEFINE_FREEP(pkcs11_free, struct pkcs11)
struct holder *pkcs11_holder(struct pkcs11 *p); /* borrowed */
/* Borrows p. */
struct vault_provider pkcs11_provider(struct pkcs11 *p);

#endif
