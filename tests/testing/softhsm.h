/* softhsm: a token of SoftHSM2 in a folder, with keys; pulled out by moving its folder away. */
#ifndef STEWARD_TESTING_SOFTHSM_H
#define STEWARD_TESTING_SOFTHSM_H

#include "testing/testing.h"

#define SOFTHSM_MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define SOFTHSM_PIN "1234"
#define SOFTHSM_URI(OBJECT) "pkcs11:token=house;" OBJECT "?module-path=" SOFTHSM_MODULE

/* Whether the module is installed; when not, says so once. */
bool softhsm_is_there(void);
/* A token "house" in dir, by SOFTHSM2_CONF, with keys gcm, wrap, open (may be taken out), none (may
 * do nothing) and two named twin. */
void softhsm_make(const char *dir);
void softhsm_pull(const char *dir);
void softhsm_put_back(const char *dir);

#endif
