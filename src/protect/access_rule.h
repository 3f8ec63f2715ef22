/* access_rule: what a role's rule and a grant say beside who and what: conditions (address, time,
 * certificate, purpose) and rights on features and outputs. Read from the JSON that a record holds
 * (docs/spec/access.md), checked as strictly as what an administrator types. Part of access. */
#ifndef STEWARD_PROTECT_ACCESS_RULE_H
#define STEWARD_PROTECT_ACCESS_RULE_H

#include "base/arena.h"
#include "base/json.h"
#include "protect/access.h"

#define ACCESS_LIST_MAX 256u /* addresses, purposes, columns, resources of one rule */

struct access_net {
    uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint8_t bits;        /* 0 to 128 */
};

/* All that is given must hold. Days and hours are the wall clock's at zone_s east of Greenwich; a
 * window over midnight belongs to the day on which it begins. */
struct access_when {
    const struct access_net *nets;
    size_t net_count; /* 0: from anywhere */
    uint8_t days;     /* bit 0: Monday; 0x7f: every day */
    bool hours;
    uint16_t from_minute, to_minute; /* of the day; to is not included */
    int32_t zone_s;
    int64_t after_ns, until_ns; /* INT64_MIN, INT64_MAX: open; until is not included */
    bool certificate;           /* a verified client certificate must be there */
    const char *const *purposes, *const *purposes_not;
    size_t purpose_count, purpose_not_count; /* 0: any, or none stated */
};

/* Of one rule. */
struct access_rights {
    enum access_output output;
    uint8_t digits; /* of ACCESS_OUTPUT_ROUNDED, after the decimal point: 1 to 6 */
    bool explanations;
    bool all_columns;
    const char *const *columns; /* seen unmasked */
    size_t column_count;
};

struct access_role_rule {
    uint32_t actions; /* bit of enum access_action */
    const char *const *resources;
    size_t resource_count;
    struct access_rights rights;
    const struct access_when *when; /* NULL: always */
};

/* o NULL or an empty object: *ret_when is NULL. A sentence without a place. */
struct status access_when_read(const json_t *o, struct arena *arena, struct diag *diag,
                               const struct access_when **ret_when);
/* NULL when it holds; otherwise which condition does not. What a purpose says is in doubt decided
 * against the caller: none stated, or one in other letters, is not the one that a grant asks for,
 * and is the one that a denial (deny) is about. */
const char *access_when_fails(const struct access_when *w, const struct access_request *q,
                              bool deny);
/* One rule of a role: actions, resources, output, digits, explanations, unmasked, when. */
struct status access_role_rule_read(const json_t *o, struct arena *arena, struct diag *diag,
                                    struct access_role_rule *ret_rule);
/* More than what each of both gives: outputs, explanations and columns add up. `into` must not have
 * columns of its own yet unless all (the caller asks for single columns by rule). */
void access_rights_add(struct access_rights *into, const struct access_rights *more);
bool access_rights_column(const struct access_rights *r, const char *column);

#endif
