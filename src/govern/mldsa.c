/* Names, numbers of algorithms and parameters are those of FIPS 204; table 1, column ML-DSA-44. */
#include "govern/mldsa.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define N 256
#define Q 8380417
#define D 13
#define TAU 39
#define GAMMA1 (1 << 17)
#define GAMMA2 ((Q - 1) / 88)
#define K 4
#define L 4
#define BETA 78
#define OMEGA 80
#define C_TILDE_BYTES 32
#define T1_BYTES 320
#define Z_BYTES 576
#define W1_BYTES 192
#define HASH_BYTES 64
#define CANDIDATES 840 /* bytes of SHAKE128 for one polynomial: 280, of which 256 are enough */
#define MORE 4096      /* what is asked for when that was not enough; more never was */

/* Coefficients modulo Q, from 0 to Q - 1, unless it is said otherwise. */
struct poly {
    int32_t c[N];
};

static int32_t
reduced(int64_t a)
{
    const int32_t r = (int32_t)(a % Q);
    return r < 0 ? r + Q : r;
}

/* ---- SHAKE ---- */

/* Of one or two pieces. */
static bool
shake(const EVP_MD *kind, struct view a, struct view b, uint8_t *ret, size_t n)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const bool done = ctx != NULL && EVP_DigestInit_ex(ctx, kind, NULL) == 1 &&
                      EVP_DigestUpdate(ctx, a.ptr, a.len) == 1 &&
                      (b.len == 0 || EVP_DigestUpdate(ctx, b.ptr, b.len) == 1) &&
                      EVP_DigestFinalXOF(ctx, ret, n) == 1;
    EVP_MD_CTX_free(ctx);
    return done;
}

/* ---- the number theoretic transform (algorithms 41 and 42) ---- */

/* 1753 to the power of the reversed bits of i. */
static int32_t
zeta(unsigned i)
{
    int64_t power = 1, base = 1753;
    for (unsigned bit = 0x80; bit > 0; bit >>= 1) {
        power = (i & bit) != 0 ? power * base % Q : power;
        base = base * base % Q;
    }
    return (int32_t)power;
}

static void
ntt(struct poly *p)
{
    unsigned m = 0;
    for (unsigned len = 128; len >= 1; len /= 2) {
        for (unsigned start = 0; start < N; start += 2 * len) {
            const int64_t z = zeta(++m);
            for (unsigned j = start; j < start + len; j++) {
                const int32_t t = reduced(z * p->c[j + len]);
                p->c[j + len] = reduced((int64_t)p->c[j] - t);
                p->c[j] = reduced((int64_t)p->c[j] + t);
            }
        }
    }
}

static void
ntt_back(struct poly *p)
{
    const int64_t f = 8347681; /* one over 256 */
    unsigned m = 256;
    for (unsigned len = 1; len < N; len *= 2) {
        for (unsigned start = 0; start < N; start += 2 * len) {
            const int64_t z = -(int64_t)zeta(--m);
            for (unsigned j = start; j < start + len; j++) {
                const int32_t t = p->c[j];
                p->c[j] = reduced((int64_t)t + p->c[j + len]);
                p->c[j + len] = reduced(z * reduced((int64_t)t - p->c[j + len]));
            }
        }
    }
    for (unsigned j = 0; j < N; j++) {
        p->c[j] = reduced(f * p->c[j]);
    }
}

/* ---- reading ---- */

/* Numbers of `bits` bits, the lowest first (algorithms 18 and 19 before their last step). */
static void
unpack(const uint8_t *from, unsigned bits, struct poly *ret)
{
    uint64_t held = 0;
    unsigned have = 0;
    for (unsigned i = 0; i < N; i++) {
        for (; have < bits; have += 8) {
            held |= (uint64_t)*from++ << have;
        }
        ret->c[i] = (int32_t)(held & ((UINT64_C(1) << bits) - 1));
        held >>= bits;
        have -= bits;
    }
}

/* Algorithm 21: which coefficients of each polynomial have a hint; false when it is not written in
 * the one way in which it may be. */
static bool
unpack_hint(const uint8_t y[static OMEGA + K], uint8_t ret_hint[static K][N])
{
    unsigned index = 0;
    memset(ret_hint, 0, (size_t)K * N);
    for (unsigned i = 0; i < K; i++) {
        const unsigned first = index, end = y[OMEGA + i];
        if (end < index || end > OMEGA) {
            return false;
        }
        for (; index < end; index++) {
            if (index > first && y[index - 1] >= y[index]) {
                return false;
            }
            ret_hint[i][y[index]] = 1;
        }
    }
    for (; index < OMEGA; index++) {
        if (y[index] != 0) {
            return false;
        }
    }
    return true;
}

/* ---- drawing ---- */

/* Algorithms 14 and 30: a polynomial of the matrix, from the public seed and its place. */
static bool
draw_poly(const uint8_t *rho, uint8_t row, uint8_t column, struct poly *ret)
{
    uint8_t bytes[MORE];
    const uint8_t place[2] = {column, row};
    unsigned n = 0;
    for (size_t asked = CANDIDATES; n < N && asked <= MORE; asked += MORE - CANDIDATES) {
        if (!shake(EVP_shake128(), view_of(rho, 32), view_of(place, 2), bytes, asked)) {
            return false;
        }
        n = 0;
        for (size_t at = 0; at + 3 <= asked && n < N; at += 3) {
            const int32_t c = bytes[at] | bytes[at + 1] << 8 | (bytes[at + 2] & 0x7f) << 16;
            ret->c[n] = c;
            n += c < Q;
        }
    }
    return n == N;
}

/* Algorithm 29: TAU coefficients of 1 or -1. */
static bool
draw_challenge(const uint8_t c_tilde[static C_TILDE_BYTES], struct poly *ret)
{
    uint8_t bytes[MORE];
    size_t at = 8;
    uint64_t signs = 0;
    if (!shake(EVP_shake256(), view_of(c_tilde, C_TILDE_BYTES), view_of(NULL, 0), bytes, MORE)) {
        return false;
    }
    for (unsigned i = 0; i < 8; i++) {
        signs |= (uint64_t)bytes[i] << (8 * i);
    }
    memset(ret, 0, sizeof *ret);
    for (unsigned i = N - TAU; i < N; i++) {
        while (at < MORE && bytes[at] > i) {
            at++;
        }
        if (at == MORE) {
            return false;
        }
        const uint8_t j = bytes[at++];
        ret->c[i] = ret->c[j];
        ret->c[j] = (signs & 1) != 0 ? Q - 1 : 1;
        signs >>= 1;
    }
    return true;
}

/* ---- hints ---- */

/* Algorithms 36 and 40: the high bits of r, corrected by the hint. */
static uint8_t
use_hint(uint8_t hint, int32_t r)
{
    const int32_t m = (Q - 1) / (2 * GAMMA2);
    int32_t low = r % (2 * GAMMA2), high;
    low -= low > GAMMA2 ? 2 * GAMMA2 : 0;
    if (r - low == Q - 1) {
        high = 0;
        low--;
    } else {
        high = (r - low) / (2 * GAMMA2);
    }
    if (hint != 0) {
        high = low > 0 ? (high + 1) % m : (high + m - 1) % m;
    }
    return (uint8_t)high;
}

/* Algorithm 28: six bits each. */
static void
pack_high(const uint8_t *high, uint8_t ret[static W1_BYTES])
{
    for (unsigned i = 0; i < N / 4; i++) {
        const uint32_t four = (uint32_t)high[4 * i] | (uint32_t)high[4 * i + 1] << 6 |
                              (uint32_t)high[4 * i + 2] << 12 | (uint32_t)high[4 * i + 3] << 18;
        ret[3 * i] = (uint8_t)four;
        ret[3 * i + 1] = (uint8_t)(four >> 8);
        ret[3 * i + 2] = (uint8_t)(four >> 16);
    }
}

/* ---- verification (algorithms 3 and 8) ---- */

struct work {
    struct poly z[L], c, a, sum;
    uint8_t hint[K][N];
    uint8_t w1[K * W1_BYTES];
};

/* z, transformed; false when it is too long, or the hint is none. */
static bool
read_signature(const uint8_t *signature, struct work *w)
{
    const uint8_t *at = signature + C_TILDE_BYTES;
    for (unsigned i = 0; i < L; i++, at += Z_BYTES) {
        unpack(at, 18, &w->z[i]);
        for (unsigned j = 0; j < N; j++) {
            const int32_t z = GAMMA1 - w->z[i].c[j];
            if (z >= GAMMA1 - BETA || z <= -(GAMMA1 - BETA)) {
                return false;
            }
            w->z[i].c[j] = reduced(z);
        }
        ntt(&w->z[i]);
    }
    return unpack_hint(at, w->hint);
}

/* The high bits of one row of A z - c t1 2^d. */
static bool
row_of(const uint8_t *public_key, unsigned row, struct work *w)
{
    uint8_t high[N];
    memset(&w->sum, 0, sizeof w->sum);
    for (unsigned column = 0; column < L; column++) {
        if (!draw_poly(public_key, (uint8_t)row, (uint8_t)column, &w->a)) {
            return false;
        }
        for (unsigned j = 0; j < N; j++) {
            w->sum.c[j] = reduced(w->sum.c[j] + (int64_t)w->a.c[j] * w->z[column].c[j]);
        }
    }
    unpack(public_key + 32 + (size_t)row * T1_BYTES, 10, &w->a);
    for (unsigned j = 0; j < N; j++) {
        w->a.c[j] = reduced((int64_t)w->a.c[j] << D);
    }
    ntt(&w->a);
    for (unsigned j = 0; j < N; j++) {
        w->sum.c[j] = reduced(w->sum.c[j] - (int64_t)w->c.c[j] * w->a.c[j]);
    }
    ntt_back(&w->sum);
    for (unsigned j = 0; j < N; j++) {
        high[j] = use_hint(w->hint[row][j], w->sum.c[j]);
    }
    pack_high(high, w->w1 + (size_t)row * W1_BYTES);
    return true;
}

/* What stands for the message: SHAKE256 of the key's hash, the empty context, and the message. */
static bool
represent(const uint8_t *public_key, struct view message, uint8_t ret_mu[static HASH_BYTES])
{
    uint8_t head[HASH_BYTES + 2] = {0}; /* the hash, 0 for "not hashed before", no context */
    return shake(EVP_shake256(), view_of(public_key, MLDSA_PUBLIC_BYTES), view_of(NULL, 0), head,
                 HASH_BYTES) &&
           shake(EVP_shake256(), view_of(head, sizeof head), message, ret_mu, HASH_BYTES);
}

bool
mldsa_verifies(const uint8_t public_key[static MLDSA_PUBLIC_BYTES], struct view message,
               const uint8_t signature[static MLDSA_SIGNATURE_BYTES])
{
    uint8_t mu[HASH_BYTES], again[C_TILDE_BYTES];
    struct work *w = malloc(sizeof *w);
    bool good = w != NULL && read_signature(signature, w) && draw_challenge(signature, &w->c) &&
                represent(public_key, message, mu);
    if (good) {
        ntt(&w->c);
    }
    for (unsigned row = 0; row < K && good; row++) {
        good = row_of(public_key, row, w);
    }
    good = good &&
           shake(EVP_shake256(), view_of(mu, sizeof mu), view_of(w->w1, sizeof w->w1), again,
                 sizeof again) &&
           memcmp(again, signature, C_TILDE_BYTES) == 0;
    free(w);
    return good;
}
