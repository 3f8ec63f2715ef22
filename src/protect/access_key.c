#include "protect/access_key.h"

#include "base/random.h"

#include <string.h>

static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static void
put_random(char *at, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint8_t b = 0;
        random_bytes(&b, 1);
        /* 248 = 4 * 62: the rest would make the first letters likelier. */
        if (b < 248) {
            at[i++] = letters[b % 62];
        }
    }
}

/* CRC-32 (IEEE 802.3), by four bits. */
static uint32_t
crc32_of(const char *text, size_t n)
{
    static const uint32_t step[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
                                      0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                      0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                      0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < n; i++) {
        crc ^= (uint8_t)text[i];
        crc = crc >> 4 ^ step[crc & 15];
        crc = crc >> 4 ^ step[crc & 15];
    }
    return ~crc;
}

static bool
are_letters(const char *text, size_t n)
{
    bool all = true;
    for (size_t i = 0; i < n; i++) {
        const char c = text[i], low = (char)(c | 0x20);
        all = all && ((c >= '0' && c <= '9') || (low >= 'a' && low <= 'z'));
    }
    return all;
}

static void
put_sum(char *key)
{
    const size_t n = ACCESS_KEY_LETTERS - ACCESS_KEY_SUM_LETTERS;
    uint32_t crc = crc32_of(key, n);
    for (size_t i = ACCESS_KEY_SUM_LETTERS; i > 0; i--) {
        key[n + i - 1] = letters[crc % 62];
        crc /= 62;
    }
}

void
access_key_make(char ret_key[static ACCESS_KEY_TEXT_MAX])
{
    memcpy(ret_key, "sw_", 3);
    put_random(ret_key + 3, ACCESS_KEY_ID_LETTERS);
    ret_key[3 + ACCESS_KEY_ID_LETTERS] = '_';
    put_random(ret_key + 4 + ACCESS_KEY_ID_LETTERS, ACCESS_KEY_SECRET_LETTERS);
    put_sum(ret_key);
    ret_key[ACCESS_KEY_LETTERS] = '\0';
}

bool
access_key_read(struct view text, char ret_id[static ACCESS_KEY_ID_LETTERS + 1])
{
    char again[ACCESS_KEY_LETTERS + 1];
    if (text.len != ACCESS_KEY_LETTERS || memcmp(text.ptr, "sw_", 3) != 0 ||
        text.ptr[3 + ACCESS_KEY_ID_LETTERS] != '_') {
        return false;
    }
    memcpy(again, text.ptr, ACCESS_KEY_LETTERS);
    put_sum(again);
    again[ACCESS_KEY_LETTERS] = '\0';
    const bool good = view_equal_secret(text, view_of(again, ACCESS_KEY_LETTERS)) &&
                      are_letters(again + 3, ACCESS_KEY_ID_LETTERS) &&
                      are_letters(again + 4 + ACCESS_KEY_ID_LETTERS,
                                  ACCESS_KEY_SECRET_LETTERS + ACCESS_KEY_SUM_LETTERS);
    if (good) {
        memcpy(ret_id, again + 3, ACCESS_KEY_ID_LETTERS);
        ret_id[ACCESS_KEY_ID_LETTERS] = '\0';
    }
    secret_wipe(again, sizeof again);
    return good;
}
