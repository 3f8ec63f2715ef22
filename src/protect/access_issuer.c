#include "protect/access_issuer.h"

#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"
#include "protect/access_parts.h"

#include <stdio.h>
#include <strings.h>

#define URL_MAX 200u
#define MAP_MAX 256u

/* ---- a record ---- */

static bool
is_https(const char *url)
{
    const size_t n = strlen(url);
    bool plain = n > 8 && n <= URL_MAX && strncmp(url, "https://", 8) == 0;
    for (size_t i = 0; plain && i < n; i++) {
        plain = url[i] > 0x20 && url[i] < 0x7f && url[i] != '#' && url[i] != '?' && url[i] != '@';
    }
    return plain;
}

static struct status
read_algorithms(const json_t *o, struct diag *diag, uint32_t *ret_algorithms)
{
    const json_t *list = json_object_get(o, "algorithms");
    *ret_algorithms = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *word = json_string_value(json_array_get(list, i));
        enum jwks_algorithm a;
        if (word == NULL || !jwks_algorithm_from_word(word, &a)) {
            diag_set(diag,
                     "algorithm \"%.20s\": there are RS256, RS384, RS512, PS256, PS384, PS512, "
                     "ES256, ES384, ES512 and EdDSA",
                     word == NULL ? "" : word);
            FAIL(INPUT);
        }
        *ret_algorithms |= 1u << a;
    }
    if (*ret_algorithms == 0) {
        diag_set(diag, "an issuer needs the algorithms that it signs with");
        FAIL(INPUT);
    }
    return OK;
}

static struct status
keep_text(const json_t *o, const char *member, const char *initial, struct arena *arena,
          const char **ret_text)
{
    const char *text = json_string_value(json_object_get(o, member));
    *ret_text = initial;
    if (text != NULL) {
        *ret_text = arena_strdup(arena, view_str(text));
        CHECK(*ret_text != NULL, LIMIT);
    }
    return OK;
}

static struct status
read_groups(const json_t *o, struct arena *arena, struct diag *diag, struct access_issuer *i)
{
    const json_t *map = json_object_get(o, "groups");
    const char *value = NULL;
    json_t *group = NULL;
    const size_t n = json_object_size(map);
    struct access_group_map *rows = arena_alloc(arena, n + 1, sizeof *rows);
    CHECK(rows != NULL, LIMIT);
    if (n > MAP_MAX) {
        diag_set(diag, "at most %u groups are mapped", MAP_MAX);
        FAIL(INPUT);
    }
    json_object_foreach((json_t *)(uintptr_t)map, value, group)
    {
        const char *name = json_string_value(group);
        TRY(access_check_name(name == NULL ? "" : name, "group", diag));
        struct access_group_map *row = &rows[i->group_count++];
        row->value = arena_strdup(arena, view_str(value));
        row->group = arena_strdup(arena, view_str(name));
        CHECK(row->value != NULL && row->group != NULL, LIMIT);
    }
    i->groups = rows;
    return OK;
}

static struct status
read_keys(const json_t *o, struct diag *diag, struct access_issuer *i)
{
    const json_t *keys = json_object_get(o, "jwks");
    DEFER(buf_done) struct buf text;
    buf_init(&text, JWKS_MAX_BYTES + 1);
    i->discover = json_is_true(json_object_get(o, "discover"));
    if (i->discover == (keys != NULL)) {
        diag_set(diag, "an issuer's keys are either given (--jwks FILE) or found (--discover)");
        FAIL(INPUT);
    }
    if (keys == NULL) {
        return OK;
    }
    TRY(js_put(&text, keys));
    return jwks_read(buf_view(&text), diag, &i->keys);
}

struct status
access_issuer_read(const json_t *o, struct arena *arena, struct diag *diag,
                   struct access_issuer *ret_issuer)
{
    struct access_issuer i = {0};
    const char *typ = json_string_value(json_object_get(o, "typ"));
    const json_int_t skew = json_integer_value(json_object_get(o, "skew_s"));
    TRY(keep_text(o, "name", "", arena, &i.name));
    TRY(keep_text(o, "id", "", arena, &i.id));
    TRY(keep_text(o, "issuer", "", arena, &i.rules.issuer));
    TRY(keep_text(o, "audience", "", arena, &i.rules.audience));
    TRY(keep_text(o, "groups_claim", "groups", arena, &i.groups_claim));
    TRY(keep_text(o, "ca", NULL, arena, &i.ca));
    if (*i.id == '\0') {
        diag_set(diag, "issuer \"%.64s\" has no id: remove it and add it anew", i.name);
        FAIL(INPUT);
    }
    if (!is_https(i.rules.issuer)) {
        diag_set(diag, "issuer \"%.200s\": write its https URL as its tokens have it in \"iss\"",
                 i.rules.issuer);
        FAIL(INPUT);
    }
    if (*i.rules.audience == '\0' || strlen(i.rules.audience) > URL_MAX) {
        diag_set(diag, "an issuer needs the audience that tokens for this server have in \"aud\"");
        FAIL(INPUT);
    }
    if (skew < 0 || skew > ACCESS_SKEW_MOST_S || (typ != NULL && strcmp(typ, "at+jwt") != 0)) {
        diag_set(diag, "the skew is at most %u s; typ is at+jwt or not given", ACCESS_SKEW_MOST_S);
        FAIL(INPUT);
    }
    i.rules.skew_ns = skew * NS_PER_S;
    i.rules.access_only = typ != NULL;
    TRY(read_algorithms(o, diag, &i.rules.algorithms));
    TRY(read_groups(o, arena, diag, &i));
    TRY(read_keys(o, diag, &i));
    *ret_issuer = i;
    return OK;
}

/* ---- claims ---- */

/* "groups", or "realm_access.roles": a member of that whole name first, then step by step. */
static const json_t *
find_claim(const json_t *claims, const char *path)
{
    const json_t *whole = json_object_get(claims, path), *at = claims;
    char part[64];
    while (whole == NULL && at != NULL && *path != '\0') {
        const size_t n = strcspn(path, ".");
        if (n >= sizeof part) {
            return NULL;
        }
        memcpy(part, path, n);
        part[n] = '\0';
        at = json_object_get(at, part);
        path += n + (path[n] == '.');
    }
    return whole != NULL ? whole : at == claims ? NULL : at;
}

static const char *
add_group(const struct access_issuer *i, const char *value, struct access_caller *caller)
{
    for (size_t k = 0; k < i->group_count; k++) {
        if (strcmp(i->groups[k].value, value) != 0) {
            continue;
        }
        if (caller->group_count == ACCESS_GROUPS_MAX) {
            return "the token names more groups than are taken";
        }
        text_copy(caller->groups[caller->group_count++], ACCESS_NAME_MAX, i->groups[k].group);
    }
    return NULL;
}

const char *
access_issuer_groups(const struct access_issuer *i, const json_t *claims,
                     struct access_caller *caller)
{
    const json_t *list = find_claim(claims, i->groups_claim);
    const size_t n = json_is_string(list) ? 1 : json_array_size(list);
    /* Groups that are left out of a token because they are many: a denial may be among them. */
    if (i->group_count > 0 &&
        json_object_get(json_object_get(claims, "_claim_names"), i->groups_claim) != NULL) {
        return "the token does not hold its groups, but says where they are";
    }
    for (size_t k = 0; k < n && i->group_count > 0; k++) {
        const char *value =
            json_string_value(json_is_string(list) ? list : json_array_get(list, k));
        const char *why =
            value == NULL ? "the token's groups are none" : add_group(i, value, caller);
        if (why != NULL) {
            return why;
        }
    }
    return NULL;
}

bool
access_issuer_principal(const struct access_issuer *i, const char *subject,
                        char ret_principal[static ACCESS_NAME_MAX])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "._@|:+-";
    const int n = snprintf(ret_principal, ACCESS_NAME_MAX, "%s:%s", i->name, subject);
    return strspn(subject, letters) == strlen(subject) && n < (int)ACCESS_NAME_MAX;
}

/* ---- administration ---- */

static struct status
put_id(json_t *record)
{
    uint8_t bytes[ACCESS_ISSUER_ID_BYTES];
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 4 * sizeof bytes);
    random_bytes(bytes, sizeof bytes);
    text_put_hex(&hex, view_of(bytes, sizeof bytes));
    TRY(buf_status(&hex));
    return js_set(record, "id", json_string(buf_str(&hex)));
}

/* Text of a record that is about to be made: later one is known to have been. */
static struct status
check_ca(const struct access_issuer *i, struct diag *diag)
{
    if (i->ca != NULL && (strlen(i->ca) > ACCESS_CA_MAX || strstr(i->ca, ACCESS_CA_MARK) == NULL)) {
        diag_set(diag, "an issuer's authorities (--ca) are certificates in PEM, of at most %u KiB",
                 ACCESS_CA_MAX >> 10);
        FAIL(INPUT);
    }
    return OK;
}

struct status
access_issuer_add(struct access *a, const char *name, const json_t *record, struct diag *diag)
{
    DEFER(arena_freep) struct arena *arena = arena_new(1u << 20);
    struct access_issuer i;
    DEFER(js_freep) json_t *own = json_copy((json_t *)(uintptr_t)record);
    CHECK(arena != NULL && own != NULL, MEMORY);
    TRY(access_check_name(name, "issuer", diag));
    TRY(put_id(own));
    TRY(access_issuer_read(own, arena, diag, &i));
    jwks_free(i.keys);
    TRY(check_ca(&i, diag));
    const struct status s = access_put_record(a, ACCESS_ISSUERS, name, own, 0, diag);
    if (s.code == STATUS_EXISTS) {
        diag_set(diag, "issuer %s exists already; remove it first", name);
    }
    return s;
}

static struct status
remove_all(struct access *a, const char *name, struct diag *diag)
{
    TRY(access_named_remove(a, ACCESS_ISSUERS, name, diag));
    return access_issuer_links_remove(a, name, diag);
}

struct status
access_issuer_remove(struct access *a, const char *name, struct diag *diag)
{
    TRY(store_begin(a->store, diag));
    return access_settle(a, remove_all(a, name, diag), diag);
}

static struct status
append_issuer(void *ctx, const char *id, struct view value)
{
    json_t *o = NULL;
    (void)id;
    TRY(js_parse(value, id, NULL, &o));
    const json_t *keys = json_object_get(json_object_get(o, "jwks"), "keys");
    (void)json_object_del(o, "id");
    if (keys != NULL) { /* public, and long: how many there are */
        (void)json_object_set_new(o, "keys", json_integer((json_int_t)json_array_size(keys)));
        (void)json_object_del(o, "jwks");
    }
    CHECK(json_array_append_new(ctx, o) == 0, MEMORY);
    return OK;
}

struct status
access_put_issuers(struct access *a, struct buf *ret_json)
{
    return access_put_list(a, ACCESS_ISSUERS, append_issuer, ret_json);
}

/* ---- links ---- */

/* Identities are longer than a record's id may be. */
static void
link_id(const char *identity, char ret_id[static 65])
{
    struct digest d;
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 128);
    digest_of(view_str(identity), &d);
    digest_put_hex(&hex, &d);
    text_copy(ret_id, 65, buf_str(&hex));
}

static struct status
check_identity(const char *identity, struct diag *diag)
{
    static const char *const kinds[] = {"certificate:spiffe://", "certificate:subject:", "token:"};
    const size_t n = strlen(identity);
    bool known = false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const size_t k = strlen(kinds[i]);
        known = known || (strncmp(identity, kinds[i], k) == 0 && n > k);
    }
    if (strncmp(identity, kinds[1], strlen(kinds[1])) == 0 &&
        strstr(identity, ";issuer:") == NULL) {
        diag_set(diag,
                 "identity \"%.100s\": a subject is somebody's only with its authority: "
                 "subject:NAME;issuer:NAME, the authority's as tls.client_ca has it",
                 identity + strlen("certificate:"));
        FAIL(INPUT);
    }
    if (!known || n > 400 || !text_is_utf8(view_str(identity))) {
        diag_set(diag,
                 "identity \"%.100s\": a certificate's SPIFFE URI or \"subject:\" and its "
                 "name, or a token's issuer and subject",
                 identity);
        FAIL(INPUT);
    }
    return OK;
}

struct status
access_link_add(struct access *a, const char *identity, const char *principal, struct diag *diag)
{
    char id[65];
    DEFER(js_freep) json_t *owner = NULL;
    TRY(check_identity(identity, diag));
    TRY(access_need_principal(a, principal, diag, &owner, NULL));
    link_id(identity, id);
    DEFER(js_freep)
    json_t *o = json_pack("{s:s, s:s}", "identity", identity, "principal", principal);
    CHECK(o != NULL, MEMORY);
    const struct status s = access_put_record(a, ACCESS_LINKS, id, o, 0, diag);
    if (s.code == STATUS_EXISTS) {
        diag_set(diag, "%.200s is linked already; unlink it first", identity);
    }
    return s;
}

struct status
access_link_remove(struct access *a, const char *identity, struct diag *diag)
{
    char id[65];
    link_id(identity, id);
    const struct status s = store_delete(a->store, ACCESS_LINKS, id, diag);
    if (s.code == STATUS_NOT_FOUND) {
        diag_set(diag, "%.200s is not linked", identity);
    }
    access_snapshot_forget(a);
    return s;
}

struct status
access_put_links(struct access *a, struct buf *ret_json)
{
    return access_put_list(a, ACCESS_LINKS, access_append_record, ret_json);
}
