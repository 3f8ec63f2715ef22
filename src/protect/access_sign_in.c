/* The hot path: who is it. docs/spec/access.md. */
#include "protect/access_parts.h"

#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define KEYS_SOON_S 2u /* until fetched keys are there, as a rule */

/* ---- opening ---- */

static struct status
prepare(struct access *a)
{
    uint8_t salt[32];
    a->key_memo = calloc(ACCESS_KEY_MEMOS, sizeof *a->key_memo);
    a->token_memo = calloc(ACCESS_TOKEN_MEMOS, sizeof *a->token_memo);
    a->slow = slow_new();
    CHECK(a->key_memo != NULL && a->token_memo != NULL && a->slow != NULL, MEMORY);
    random_bytes(salt, sizeof salt);
    hmac_key_of(view_of(salt, sizeof salt), &a->memo_key);
    secret_wipe(salt, sizeof salt);
    CHECK(pthread_mutex_init(&a->lock, NULL) == 0, MEMORY);
    CHECK(pthread_mutex_init(&a->memo_lock, NULL) == 0, MEMORY);
    CHECK(pthread_mutex_init(&a->fetched_lock, NULL) == 0, MEMORY);
    return OK;
}

struct status
access_open(struct store *s, const struct vault *v, struct access **ret_access)
{
    DEFER(access_freep) struct access *a = calloc(1, sizeof *a);
    CHECK(a != NULL, MEMORY);
    a->store = s;
    a->vault = v;
    atomic_store(&a->stale, true);
    TRY(prepare(a));
    *ret_access = MOVE(a);
    return OK;
}

void
access_free(struct access *a)
{
    if (a != NULL) {
        access_fetched_done(a);
        access_snapshot_release(a->current);
        secret_wipe(&a->memo_key, sizeof a->memo_key);
        free(a->key_memo);
        free(a->token_memo);
        slow_free(a->slow);
        (void)pthread_mutex_destroy(&a->lock);
        (void)pthread_mutex_destroy(&a->memo_lock);
        (void)pthread_mutex_destroy(&a->fetched_lock);
        free(a);
    }
}

/* One try to sign in. */
struct attempt {
    struct access *a;
    const struct access_snapshot *s;
    const struct access_credential *c;
    struct access_sign_in *out;
    char id[512];       /* what it says it is, before that is believed */
    struct digest text; /* of what is presented */
    bool proven;        /* that was right before: nobody who guesses has it */
    uint8_t mac[32];    /* of a key that is proven */
};

static struct status
refuse(struct attempt *t, const char *why)
{
    t->out->reason = why;
    FAIL(AUTH);
}

static void
tell_proof(struct attempt *t, const char *how, const char *what)
{
    const size_t at = strlen(t->out->proof), n = strlen(how);
    text_copy(t->out->proof + at, ACCESS_PROOF_MAX - at, how);
    if (at + n < ACCESS_PROOF_MAX) {
        text_copy(t->out->proof + at + n, ACCESS_PROOF_MAX - at - n, what);
    }
}

static uint32_t
place_of(const struct digest *text)
{
    uint32_t at = 0;
    memcpy(&at, text->bytes, sizeof at);
    return at;
}

static bool
same(const struct digest *a, const struct digest *b)
{
    return view_equal_secret(view_of(a->bytes, DIGEST_BYTES), view_of(b->bytes, DIGEST_BYTES));
}

/* ---- keys ---- */

/* The MAC of a key's text that was right before: asking for it may mean to ask another process. */
static bool
recall_key(struct access *a, const struct digest *text, uint8_t ret_mac[static 32])
{
    (void)pthread_mutex_lock(&a->memo_lock);
    const struct access_key_memo *m = &a->key_memo[place_of(text) % ACCESS_KEY_MEMOS];
    const bool found = m->used && same(&m->text, text);
    if (found) {
        memcpy(ret_mac, m->mac, 32);
    }
    (void)pthread_mutex_unlock(&a->memo_lock);
    return found;
}

static void
remember_key(struct access *a, const struct digest *text, const uint8_t mac[static 32])
{
    (void)pthread_mutex_lock(&a->memo_lock);
    struct access_key_memo *m = &a->key_memo[place_of(text) % ACCESS_KEY_MEMOS];
    m->text = *text;
    memcpy(m->mac, mac, 32);
    m->used = true;
    (void)pthread_mutex_unlock(&a->memo_lock);
}

static int
compare_keys(const void *a, const void *b)
{
    return strcmp(((const struct access_key_row *)a)->id, ((const struct access_key_row *)b)->id);
}

static const char *
why_over(const struct access_key_row *k, int64_t now_ns)
{
    return k->revoked ? "key revoked" : now_ns >= k->expires_ns ? "key expired" : NULL;
}

static const char *
why_not(const struct access_key_row *k, const uint8_t *mac, int64_t now_ns)
{
    if (k == NULL) {
        return "key unknown";
    }
    if (!view_equal_secret(view_of(k->mac, 32), view_of(mac, 32))) {
        return "key unknown (its id is known, its secret is not)";
    }
    return why_over(k, now_ns);
}

/* NULL: no key has that id. */
static struct access_key_row *
find_key(const struct access_snapshot *s, const char *id)
{
    struct access_key_row wanted = {0};
    text_copy(wanted.id, sizeof wanted.id, id);
    return s->key_count == 0
               ? NULL
               : bsearch(&wanted, s->keys, s->key_count, sizeof *s->keys, compare_keys);
}

static struct status
take_key(struct attempt *t, struct access_key_row *found)
{
    text_copy(t->out->caller.principal, ACCESS_NAME_MAX, found->principal);
    atomic_store_explicit(&found->used_ns, t->c->now_ns, memory_order_relaxed);
    return OK;
}

static struct status
check_key(struct attempt *t, struct view key)
{
    struct access_key_row *found = find_key(t->s, t->id);
    /* Also for unknown ids: the same time for both. */
    if (!t->proven && !status_ok(vault_mac(t->a->vault, ACCESS_KEY_PURPOSE, key, t->mac))) {
        return refuse(t, "the key's hash cannot be computed");
    }
    const char *why = why_not(found, t->mac, t->c->now_ns);
    if (why != NULL) {
        return refuse(t, why);
    }
    if (!t->proven) {
        remember_key(t->a, &t->text, t->mac);
    }
    tell_proof(t, "api-key ", found->id);
    return take_key(t, found);
}

/* Its secret was right before: what is asked is whether it still holds. */
static struct status
sign_in_kept(struct attempt *t)
{
    struct access_key_row *found = find_key(t->s, t->c->key_id);
    const char *why = found == NULL ? "key unknown" : why_over(found, t->c->now_ns);
    if (why != NULL) {
        return refuse(t, why);
    }
    tell_proof(t, "session api-key ", found->id);
    return take_key(t, found);
}

/* ---- tokens ---- */

static const struct access_issuer *
find_issuer(const struct access_snapshot *s, const struct jwt *token)
{
    const char *iss = json_string_value(json_object_get(token->claims, "iss"));
    for (size_t i = 0; iss != NULL && i < s->issuer_count; i++) {
        if (strcmp(s->issuers[i].rules.issuer, iss) == 0) {
            return &s->issuers[i];
        }
    }
    return NULL;
}

/* Who that is here, once the token is right. */
static struct status
name_caller(struct attempt *t, const struct access_issuer *i, const json_t *claims)
{
    struct access_caller *caller = &t->out->caller;
    const char *sub = json_string_value(json_object_get(claims, "sub"));
    char identity[400];
    (void)snprintf(identity, sizeof identity, "token:%s:%s", i->name, sub);
    const char *linked = access_link_find(t->s, identity);
    const char *why = access_issuer_groups(i, claims, caller);
    if (why == NULL && linked == NULL && !access_issuer_principal(i, sub, caller->principal)) {
        why = "the token's subject cannot be a name; link it to a principal";
    }
    if (why == NULL && linked != NULL) {
        text_copy(caller->principal, ACCESS_NAME_MAX, linked);
    }
    return why == NULL ? OK : refuse(t, why);
}

static struct status
check_signature(struct attempt *t, const struct access_issuer *i, const struct jwt *token,
                uint64_t *ret_generation)
{
    DEFER(access_key_set_releasep) struct access_key_set *set = NULL;
    const struct jwks *keys = access_keys_take(t->a, i, &set, ret_generation);
    const enum jwks_outcome outcome =
        keys == NULL ? JWKS_NO_KEY
                     : jwks_verify(keys, token->algorithm, token->kid, token->message,
                                   view_of(token->signature, token->signature_bytes));
    if (outcome == JWKS_NO_KEY && i->discover && access_keys_want(t->a, i)) {
        t->out->reason = "the keys of the token's issuer are being fetched";
        t->out->retry_after_s = KEYS_SOON_S;
        FAIL(BUSY);
    }
    return outcome == JWKS_GOOD  ? OK
           : outcome == JWKS_BAD ? refuse(t, "the token's signature is wrong")
                                 : refuse(t, "the token's key is unknown");
}

static void
remember_token(struct attempt *t, const struct digest *text, uint64_t generation,
               int64_t expires_ns)
{
    (void)pthread_mutex_lock(&t->a->memo_lock);
    struct access_token_memo *m = &t->a->token_memo[place_of(text) % ACCESS_TOKEN_MEMOS];
    *m = (struct access_token_memo){.text = *text,
                                    .caller = t->out->caller,
                                    .change = t->s->change,
                                    .keys = generation,
                                    .from_ns = t->c->now_ns,
                                    .expires_ns = expires_ns,
                                    .used = true};
    memcpy(m->proof, t->out->proof, sizeof m->proof);
    (void)pthread_mutex_unlock(&t->a->memo_lock);
}

static void
copy_caller(const struct access_caller *from, struct access_caller *ret_caller)
{
    memcpy(ret_caller->principal, from->principal, ACCESS_NAME_MAX);
    memcpy(ret_caller->groups, from->groups, from->group_count * ACCESS_NAME_MAX);
    ret_caller->group_count = from->group_count;
}

/* A token that was verified under these records and keys, and has not expired since. A clock that
 * was set back asks again. */
static bool
recall_token(struct attempt *t, const struct digest *text, uint64_t *ret_generation)
{
    (void)pthread_mutex_lock(&t->a->memo_lock);
    const struct access_token_memo *m = &t->a->token_memo[place_of(text) % ACCESS_TOKEN_MEMOS];
    const bool found = m->used && same(&m->text, text) && m->change == t->s->change &&
                       t->c->now_ns >= m->from_ns && t->c->now_ns < m->expires_ns;
    if (found) {
        copy_caller(&m->caller, &t->out->caller);
        memcpy(t->out->proof, m->proof, sizeof m->proof);
        *ret_generation = m->keys;
    }
    (void)pthread_mutex_unlock(&t->a->memo_lock);
    return found;
}

static struct status
verify_token(struct attempt *t, const struct jwt *token, const struct digest *text)
{
    int64_t expires_ns = 0;
    uint64_t generation = 0;
    const struct access_issuer *i = find_issuer(t->s, token);
    if (i == NULL) {
        return refuse(t, "the token is of an issuer that is not known here");
    }
    const char *why = jwt_check(token, &i->rules, t->c->now_ns, &expires_ns);
    if (why != NULL) {
        return refuse(t, why);
    }
    TRY(check_signature(t, i, token, &generation));
    TRY(name_caller(t, i, token->claims));
    tell_proof(t, "token ", i->name);
    tell_proof(t, " ", token->kid == NULL ? "-" : token->kid);
    remember_token(t, text, generation, expires_ns);
    return OK;
}

static void
free_token(struct jwt *token)
{
    jwt_done(token);
}

/* ---- the way in ---- */

/* Failures are counted for who it says it is. */
static struct status
guarded(struct attempt *t, struct status (*check)(struct attempt *t, void *of), void *of)
{
    const int64_t now = clock_mono_ns();
    const struct view id = view_str(t->id);
    bool failed_before = false;
    t->out->retry_after_s =
        t->proven ? 0 : slow_wait_s(t->a->slow, t->c->peer, id, now, &failed_before);
    if (t->out->retry_after_s > 0) {
        t->out->reason = "too many failed sign-ins";
        FAIL(LIMIT);
    }
    const struct status s = check(t, of);
    if (status_ok(s) && failed_before) {
        slow_succeeded(t->a->slow, t->c->peer, id, now);
    } else if (s.code == STATUS_AUTH) {
        t->out->retry_after_s = slow_failed(t->a->slow, t->c->peer, id, now);
        CHECK(t->out->retry_after_s == 0, LIMIT);
    }
    return s;
}

static struct status
guarded_key(struct attempt *t, void *of)
{
    (void)of;
    return check_key(t, view_str(t->c->bearer));
}

struct presented {
    struct jwt token;
    struct digest text;
};

static struct status
guarded_token(struct attempt *t, void *of)
{
    struct presented *p = of;
    return verify_token(t, &p->token, &p->text);
}

static struct status
guarded_nothing(struct attempt *t, void *of)
{
    return refuse(t, of);
}

static struct status
sign_in_token(struct attempt *t, struct view text)
{
    DEFER(free_token) struct jwt token = {0};
    struct presented p = {0};
    uint64_t generation = 0;
    const char *why = NULL;
    hmac_of(&t->a->memo_key, text, &p.text);
    if (recall_token(t, &p.text, &generation) && generation == access_keys_generation(t->a)) {
        return OK;
    }
    memset(&t->out->caller, 0, sizeof t->out->caller);
    t->out->proof[0] = '\0';
    if (!status_ok(jwt_read(text, &token, &why))) {
        union {
            const char *in;
            void *out;
        } reason = {why};
        return guarded(t, guarded_nothing, reason.out);
    }
    const char *iss = json_string_value(json_object_get(token.claims, "iss"));
    const char *sub = json_string_value(json_object_get(token.claims, "sub"));
    (void)snprintf(t->id, sizeof t->id, "%.200s %.200s", iss == NULL ? "" : iss,
                   sub == NULL ? "" : sub);
    p.token = token;
    return guarded(t, guarded_token, &p);
}

static struct status
sign_in_bearer(struct attempt *t)
{
    const struct view bearer = view_str(t->c->bearer);
    char id[ACCESS_KEY_ID_LETTERS + 1];
    if (access_key_read(bearer, id)) {
        text_copy(t->id, sizeof t->id, id);
        hmac_of(&t->a->memo_key, bearer, &t->text);
        t->proven = recall_key(t->a, &t->text, t->mac);
        return guarded(t, guarded_key, NULL);
    }
    if (strncmp(t->c->bearer, "sw_", 3) != 0 && memchr(bearer.ptr, '.', bearer.len) != NULL) {
        return sign_in_token(t, bearer);
    }
    static char not_a_key[] = "not a key";
    return guarded(t, guarded_nothing, not_a_key);
}

static bool
has_certificate(const struct access_credential *c)
{
    return c->certificate != NULL && *c->certificate != '\0';
}

/* NULL: nobody's. */
static const char *
owner_of_certificate(const struct attempt *t)
{
    char identity[400];
    (void)snprintf(identity, sizeof identity, "certificate:%s", t->c->certificate);
    return access_link_find(t->s, identity);
}

/* A stolen key beside one's own certificate does not make both its owner's. */
static bool
is_own_certificate(const struct attempt *t)
{
    const char *owner = has_certificate(t->c) ? owner_of_certificate(t) : NULL;
    return has_certificate(t->c) && (owner == NULL || strcmp(owner, t->out->caller.principal) == 0);
}

static struct status
sign_in_certificate(struct attempt *t)
{
    const char *principal = owner_of_certificate(t);
    if (principal == NULL) {
        return refuse(t, "the certificate is not linked to a principal");
    }
    text_copy(t->out->caller.principal, ACCESS_NAME_MAX, principal);
    return OK;
}

static void
tell_certificate(struct attempt *t)
{
    const char *mark = t->out->proof[0] == '\0' ? "certificate " : ", certificate ";
    tell_proof(t, mark, t->c->fingerprint == NULL ? "-" : t->c->fingerprint);
}

struct status
access_authenticate(struct access *a, const struct access_credential *c,
                    struct access_sign_in *ret_sign_in)
{
    DEFER(access_snapshot_releasep) struct access_snapshot *s = access_snapshot_take(a);
    struct attempt t = {.a = a, .s = s, .c = c, .out = ret_sign_in};
    t.id[0] = '\0';
    t.proven = false;
    ret_sign_in->caller.principal[0] = ret_sign_in->proof[0] = '\0';
    ret_sign_in->caller.group_count = 0;
    ret_sign_in->reason = NULL;
    ret_sign_in->retry_after_s = 0;
    ret_sign_in->certificate = false;
    if (s == NULL && !a->tampered) { /* or it is readable again by now */
        ret_sign_in->reason = "the list of keys cannot be opened now";
        ret_sign_in->retry_after_s = 1;
        FAIL(BUSY);
    }
    if (s == NULL) {
        return refuse(&t, "the list of keys cannot be read");
    }
    if (c->bearer == NULL && c->key_id == NULL && !has_certificate(c)) {
        return refuse(&t, "no key");
    }
    const struct status done = c->bearer != NULL   ? sign_in_bearer(&t)
                               : c->key_id != NULL ? sign_in_kept(&t)
                                                   : sign_in_certificate(&t);
    if (!status_ok(done)) {
        ret_sign_in->caller.principal[0] = ret_sign_in->proof[0] = '\0';
        ret_sign_in->caller.group_count = 0;
        return done;
    }
    ret_sign_in->certificate = is_own_certificate(&t);
    if (ret_sign_in->certificate) {
        tell_certificate(&t);
    }
    return OK;
}
