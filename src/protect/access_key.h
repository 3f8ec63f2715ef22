/* access_key: the text of API keys: "sw_" id(10) "_" secret(32) checksum(6), letters of base 62.
 * The prefix lets leak scanners find keys, the checksum (CRC-32 of all before it, in base 62) lets
 * them and us tell a typing error from a key without asking the store. Part of access. */
#ifndef STEWARD_PROTECT_ACCESS_KEY_H
#define STEWARD_PROTECT_ACCESS_KEY_H

#include "protect/access.h"

#define ACCESS_KEY_ID_LETTERS 10u
#define ACCESS_KEY_SECRET_LETTERS 32u /* 190 bits */
#define ACCESS_KEY_SUM_LETTERS 6u
#define ACCESS_KEY_LETTERS                                                                         \
    (3u + ACCESS_KEY_ID_LETTERS + 1u + ACCESS_KEY_SECRET_LETTERS + ACCESS_KEY_SUM_LETTERS)

void access_key_make(char ret_key[static ACCESS_KEY_TEXT_MAX]);
/* Whether text has the form and its checksum; ret_id gets its id, terminated. */
bool access_key_read(struct view text, char ret_id[static ACCESS_KEY_ID_LETTERS + 1]);

#endif
