/* mldsa: verification of ML-DSA-44 signatures (FIPS 204, August 2024), for cosignatures of
 * witnesses. What it works on is public, so it takes the time that it takes; there is no signing
 * here. Own code, since the oldest OpenSSL that Steward runs with (3.0) has none; SHAKE is
 * OpenSSL's. Held to vectors of another implementation in tests/govern/mldsa_test.c. */
#ifndef STEWARD_GOVERN_MLDSA_H
#define STEWARD_GOVERN_MLDSA_H

#include "base/bytes.h"

#define MLDSA_PUBLIC_BYTES 1312
#define MLDSA_SIGNATURE_BYTES 2420

/* ML-DSA.Verify (algorithm 3) with an empty context string; false also when memory is out. */
bool mldsa_verifies(const uint8_t public_key[static MLDSA_PUBLIC_BYTES], struct view message,
                    const uint8_t signature[static MLDSA_SIGNATURE_BYTES]);

#endif
