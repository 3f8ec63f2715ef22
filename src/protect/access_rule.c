#include "protect/access_rule.h"

#include "base/clock.h"
#include "base/text.h"
#include "protect/access_roles.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <strings.h>

#define DAY_S 86400
#define MINUTES_A_DAY 1440u
#define TEXT_MAX 128u /* of a purpose or a column's name */

/* ---- members ---- */

/* Every member of o is one of `known`. */
static struct status
check_members(const json_t *o, const char *what, const char *const *known, size_t n,
              struct diag *diag)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)o, key, value)
    {
        bool found = false;
        for (size_t i = 0; i < n; i++) {
            found = found || strcmp(known[i], key) == 0;
        }
        if (!found) {
            const char *near = text_nearest(key, known, n);
            diag_set(diag, "%s has no \"%.60s\"%s%s%s", what, key,
                     near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
                     near == NULL ? "" : "\"?");
            FAIL(INPUT);
        }
    }
    return OK;
}

/* A list of texts, or one text alone; absent: none. */
static struct status
read_texts(const json_t *o, const char *key, struct arena *arena, struct diag *diag,
           const char *const **ret_texts, size_t *ret_count)
{
    const json_t *list = json_object_get(o, key);
    const size_t n = list == NULL ? 0 : json_is_string(list) ? 1 : json_array_size(list);
    *ret_count = 0;
    if (list == NULL) {
        return OK;
    }
    if (n == 0 || n > ACCESS_LIST_MAX || (!json_is_string(list) && !json_is_array(list))) {
        diag_set(diag, "\"%s\" must be a list of 1 to %u words", key, ACCESS_LIST_MAX);
        FAIL(INPUT);
    }
    const char **texts = arena_alloc(arena, n, sizeof *texts);
    CHECK(texts != NULL, LIMIT);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_is_string(list) ? list : json_array_get(list, i);
        const char *text = json_string_value(item);
        if (text == NULL || *text == '\0' || strlen(text) > TEXT_MAX) {
            diag_set(diag, "\"%s\" must be a list of words of 1 to %u bytes", key, TEXT_MAX);
            FAIL(INPUT);
        }
        texts[i] = arena_strdup(arena, view_str(text));
        CHECK(texts[i] != NULL, LIMIT);
    }
    *ret_texts = texts;
    *ret_count = n;
    return OK;
}

/* true, false, or the words for them, as YAML has them. */
static struct status
read_truth(const json_t *o, const char *key, struct diag *diag, bool *ret_value)
{
    const json_t *v = json_object_get(o, key);
    const char *text = json_string_value(v);
    if (v == NULL) {
        return OK;
    }
    const bool yes = json_is_true(v) || (text != NULL && strcmp(text, "true") == 0);
    if (!yes && !json_is_false(v) && (text == NULL || strcmp(text, "false") != 0)) {
        diag_set(diag, "\"%s\" must be true or false", key);
        FAIL(INPUT);
    }
    *ret_value = yes;
    return OK;
}

static struct status
read_word(const json_t *o, const char *key, struct diag *diag, const char **ret_text)
{
    const json_t *v = json_object_get(o, key);
    if (v != NULL && !json_is_string(v)) {
        diag_set(diag, "\"%s\" must be a word", key);
        FAIL(INPUT);
    }
    *ret_text = json_string_value(v);
    return OK;
}

/* ---- conditions ---- */

static bool
read_address(const char *text, uint8_t ret_address[static 16], bool *ret_v4)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    *ret_v4 = inet_pton(AF_INET, text, ret_address + 12) == 1;
    if (*ret_v4) {
        memcpy(ret_address, mapped, sizeof mapped);
        return true;
    }
    return inet_pton(AF_INET6, text, ret_address) == 1;
}

static bool
same_net(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    const unsigned whole = bits / 8, rest = bits % 8;
    return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

static struct status
read_net(const char *text, struct diag *diag, struct access_net *ret_net)
{
    static const uint8_t zero[16] = {0};
    char address[64];
    bool v4 = false;
    const char *slash = strchr(text, '/');
    const size_t n = slash == NULL ? strlen(text) : (size_t)(slash - text);
    uint64_t bits = 0;
    text_copy(address, sizeof address, text);
    bool good = n < sizeof address;
    address[good ? n : 0] = '\0';
    good = good && read_address(address, ret_net->address, &v4);
    const unsigned most = v4 ? 32 : 128;
    bits = most;
    good = good && (slash == NULL || status_ok(text_to_u64(view_str(slash + 1), &bits))) &&
           bits <= most;
    if (!good) {
        diag_set(diag, "address \"%.60s\": write a network such as 10.0.0.0/8 or 2001:db8::/32",
                 text);
        FAIL(INPUT);
    }
    ret_net->bits = (uint8_t)(bits + (v4 ? 96 : 0));
    /* What stands behind the prefix must be nothing: 10.1.0.0/8 is a typing error. */
    uint8_t rest[16];
    memcpy(rest, ret_net->address, 16);
    for (unsigned i = 0; i < ret_net->bits; i++) {
        rest[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
    }
    if (memcmp(rest, zero, sizeof rest) != 0) {
        diag_set(diag,
                 "address \"%.60s\": bits stand behind the %llu that count; did you mean "
                 "another prefix?",
                 text, (unsigned long long)bits);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
read_nets(const json_t *o, struct arena *arena, struct diag *diag, struct access_when *w)
{
    const char *const *texts = NULL;
    TRY(read_texts(o, "address", arena, diag, &texts, &w->net_count));
    struct access_net *nets = arena_alloc(arena, w->net_count + 1, sizeof *nets);
    CHECK(nets != NULL, LIMIT);
    for (size_t i = 0; i < w->net_count; i++) {
        TRY(read_net(texts[i], diag, &nets[i]));
    }
    w->nets = nets;
    return OK;
}

static const char *const days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static int
day_number(const char *text, size_t n)
{
    for (int i = 0; i < 7; i++) {
        if (n == 3 && strncmp(days[i], text, 3) == 0) {
            return i;
        }
    }
    return -1;
}

/* "mon", or "mon-fri" (also over the weekend: "sat-mon"). */
static struct status
add_days(const char *text, struct diag *diag, uint8_t *ret_days)
{
    const char *dash = strchr(text, '-');
    const size_t n = dash == NULL ? strlen(text) : (size_t)(dash - text);
    const int first = day_number(text, n);
    const int last = dash == NULL ? first : day_number(dash + 1, strlen(dash + 1));
    if (first < 0 || last < 0) {
        diag_set(diag, "day \"%.40s\": write mon, tue, wed, thu, fri, sat, sun, or mon-fri", text);
        FAIL(INPUT);
    }
    for (int d = first;; d = (d + 1) % 7) {
        *ret_days |= (uint8_t)(1u << d);
        if (d == last) {
            return OK;
        }
    }
}

static bool
read_clock(const char *text, unsigned *ret_minute)
{
    const bool digits = strlen(text) >= 5 && text[2] == ':' && strspn(text, "0123456789") == 2 &&
                        strspn(text + 3, "0123456789") >= 2;
    const unsigned hour = digits ? (unsigned)(text[0] - '0') * 10 + (unsigned)(text[1] - '0') : 99;
    const unsigned minute =
        digits ? (unsigned)(text[3] - '0') * 10 + (unsigned)(text[4] - '0') : 99;
    *ret_minute = hour * 60 + minute;
    return digits && minute < 60 && *ret_minute <= MINUTES_A_DAY;
}

/* "08:00-18:00", "22:00-06:00"; "24:00" ends a day. */
static struct status
read_hours(const char *text, struct diag *diag, struct access_when *w)
{
    unsigned from = 0, to = 0;
    if (strlen(text) != 11 || text[5] != '-' || !read_clock(text, &from) ||
        !read_clock(text + 6, &to) || from == MINUTES_A_DAY || from == to) {
        diag_set(diag, "hours \"%.40s\": write a window of the day such as 08:00-18:00", text);
        FAIL(INPUT);
    }
    w->hours = true;
    w->from_minute = (uint16_t)from;
    w->to_minute = (uint16_t)to;
    return OK;
}

static struct status
read_zone(const char *text, struct diag *diag, int32_t *ret_zone_s)
{
    unsigned minute = 0;
    if (strcmp(text, "UTC") == 0) {
        *ret_zone_s = 0;
        return OK;
    }
    if (strlen(text) != 6 || (*text != '+' && *text != '-') || !read_clock(text + 1, &minute) ||
        minute > 14 * 60) {
        diag_set(diag, "zone \"%.40s\": write UTC, or a distance from it such as +01:00", text);
        FAIL(INPUT);
    }
    *ret_zone_s = (int32_t)minute * (*text == '-' ? -60 : 60);
    return OK;
}

static struct status
read_instant(const json_t *o, const char *key, struct diag *diag, int64_t *ret_ns)
{
    const char *text = NULL;
    TRY(read_word(o, key, diag, &text));
    if (text != NULL && !status_ok(clock_from_rfc3339(view_str(text), ret_ns))) {
        diag_set(diag, "%s \"%.40s\": write a time in UTC such as 2026-12-31T18:00:00Z", key, text);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
read_times(const json_t *o, struct arena *arena, struct diag *diag, struct access_when *w)
{
    const char *const *texts = NULL, *hours = NULL, *zone = NULL;
    size_t n = 0;
    TRY(read_texts(o, "days", arena, diag, &texts, &n));
    w->days = n == 0 ? 0x7f : 0;
    for (size_t i = 0; i < n; i++) {
        TRY(add_days(texts[i], diag, &w->days));
    }
    TRY(read_word(o, "hours", diag, &hours));
    TRY(read_word(o, "zone", diag, &zone));
    TRY(hours == NULL ? OK : read_hours(hours, diag, w));
    TRY(zone == NULL ? OK : read_zone(zone, diag, &w->zone_s));
    if (zone != NULL && hours == NULL && n == 0) {
        diag_set(diag, "\"zone\" says nothing without \"days\" or \"hours\"");
        FAIL(INPUT);
    }
    TRY(read_instant(o, "after", diag, &w->after_ns));
    TRY(read_instant(o, "until", diag, &w->until_ns));
    if (w->after_ns >= w->until_ns) {
        diag_set(diag, "\"until\" must be later than \"after\"");
        FAIL(INPUT);
    }
    return OK;
}

bool
access_purpose_ok(const char *text)
{
    const size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e) {
            return false;
        }
    }
    return n >= 1 && n <= TEXT_MAX && text[0] != ' ' && text[n - 1] != ' ';
}

/* One that no call can state would make a grant that never holds, or a denial that never does. */
static struct status
read_purposes(const json_t *o, const char *key, struct arena *arena, struct diag *diag,
              const char *const **ret_texts, size_t *ret_count)
{
    TRY(read_texts(o, key, arena, diag, ret_texts, ret_count));
    for (size_t i = 0; i < *ret_count; i++) {
        if (!access_purpose_ok((*ret_texts)[i])) {
            diag_set(diag,
                     "\"%s\": a purpose is 1 to %u printable ASCII characters, as a header of a "
                     "call can have it",
                     key, TEXT_MAX);
            FAIL(INPUT);
        }
    }
    return OK;
}

struct status
access_when_read(const json_t *o, struct arena *arena, struct diag *diag,
                 const struct access_when **ret_when)
{
    static const char *const known[] = {"address", "days",        "hours",   "zone",       "after",
                                        "until",   "certificate", "purpose", "purpose_not"};
    *ret_when = NULL;
    if (o == NULL || (json_is_object(o) && json_object_size(o) == 0)) {
        return OK;
    }
    if (!json_is_object(o)) {
        diag_set(diag, "\"when\" must hold conditions, each with its name");
        FAIL(INPUT);
    }
    TRY(check_members(o, "\"when\"", known, sizeof known / sizeof *known, diag));
    struct access_when *w = arena_alloc(arena, 1, sizeof *w);
    CHECK(w != NULL, LIMIT);
    *w = (struct access_when){.after_ns = INT64_MIN, .until_ns = INT64_MAX};
    TRY(read_nets(o, arena, diag, w));
    TRY(read_times(o, arena, diag, w));
    TRY(read_truth(o, "certificate", diag, &w->certificate));
    TRY(read_purposes(o, "purpose", arena, diag, &w->purposes, &w->purpose_count));
    TRY(read_purposes(o, "purpose_not", arena, diag, &w->purposes_not, &w->purpose_not_count));
    *ret_when = w;
    return OK;
}

static bool
from_there(const struct access_when *w, const char *address)
{
    uint8_t bytes[16];
    bool v4 = false;
    if (address == NULL || !read_address(address, bytes, &v4)) {
        return false;
    }
    for (size_t i = 0; i < w->net_count; i++) {
        if (same_net(w->nets[i].address, bytes, w->nets[i].bits)) {
            return true;
        }
    }
    return false;
}

/* Day and minute of the window; a window over midnight that is past it began the day before. */
static bool
in_hours(const struct access_when *w, int64_t now_ns)
{
    int64_t s = now_ns / NS_PER_S - (now_ns % NS_PER_S < 0) + w->zone_s;
    int64_t day = s / DAY_S - (s % DAY_S < 0);
    const unsigned minute = (unsigned)((s - day * DAY_S) / 60);
    bool inside = true;
    if (w->hours && w->from_minute < w->to_minute) {
        inside = minute >= w->from_minute && minute < w->to_minute;
    } else if (w->hours) {
        inside = minute >= w->from_minute || minute < w->to_minute;
        day -= minute < w->to_minute;
    }
    /* 1970-01-01 was a Thursday. */
    return inside && (w->days >> ((day % 7 + 7 + 3) % 7) & 1) != 0;
}

static bool
is_among(const char *purpose, const char *const *list, size_t n, bool loosely)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i], purpose) == 0 || (loosely && strcasecmp(list[i], purpose) == 0)) {
            return true;
        }
    }
    return false;
}

static bool
for_that(const struct access_when *w, const char *purpose, bool deny)
{
    if (w->purpose_count + w->purpose_not_count == 0) {
        return true;
    }
    if (purpose == NULL || *purpose == '\0') {
        return deny;
    }
    return (w->purpose_count == 0 || is_among(purpose, w->purposes, w->purpose_count, deny)) &&
           !is_among(purpose, w->purposes_not, w->purpose_not_count, !deny);
}

const char *
access_when_fails(const struct access_when *w, const struct access_request *q, bool deny)
{
    if (w == NULL) {
        return NULL;
    }
    if (q->now_ns < w->after_ns) {
        return "its time has not begun";
    }
    if (q->now_ns >= w->until_ns) {
        return "its time is over";
    }
    if ((w->hours || w->days != 0x7f) && !in_hours(w, q->now_ns)) {
        return "outside its days or hours";
    }
    if (w->certificate && !q->certificate) {
        return "without a client certificate";
    }
    if (!for_that(w, q->purpose, deny)) {
        return "not for its purpose";
    }
    if (w->net_count > 0 && !from_there(w, q->address)) {
        return "from outside its addresses";
    }
    return NULL;
}

/* ---- a role's rule ---- */

static struct status
read_actions(const json_t *o, struct arena *arena, struct diag *diag, uint32_t *ret_actions)
{
    const char *const *texts = NULL;
    size_t n = 0;
    TRY(read_texts(o, "actions", arena, diag, &texts, &n));
    if (n == 0) {
        diag_set(diag, "a rule needs \"actions\", such as [model.infer, model.read]");
        FAIL(INPUT);
    }
    *ret_actions = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t met = 0;
        for (unsigned a = 0; a < ACCESS_ACTIONS; a++) {
            const char *word = access_action_word((enum access_action)a);
            met |= access_pattern_matches(texts[i], word, '.') ? 1u << a : 0;
        }
        if (met == 0) {
            enum access_action ignored;
            return access_action_from_word(texts[i], diag, &ignored);
        }
        *ret_actions |= met;
    }
    return OK;
}

/* Each action can happen on one of the resources, and each resource has an action that can. */
static struct status
check_meeting(const struct access_role_rule *r, struct diag *diag)
{
    for (unsigned a = 0; a < ACCESS_ACTIONS; a++) {
        bool met = (r->actions >> a & 1) == 0;
        for (size_t i = 0; i < r->resource_count; i++) {
            met = met || access_action_fits((enum access_action)a, r->resources[i]);
        }
        if (!met) {
            diag_set(diag, "%s refers to nothing: none of the rule's resources has that action",
                     access_action_word((enum access_action)a));
            FAIL(INPUT);
        }
    }
    for (size_t i = 0; i < r->resource_count; i++) {
        bool met = false;
        for (unsigned a = 0; a < ACCESS_ACTIONS; a++) {
            met = met || ((r->actions >> a & 1) != 0 &&
                          access_action_fits((enum access_action)a, r->resources[i]));
        }
        if (!met) {
            diag_set(diag,
                     "resource \"%.127s\" refers to nothing: none of the rule's actions "
                     "happens there",
                     r->resources[i]);
            FAIL(INPUT);
        }
    }
    return OK;
}

static struct status
read_resources(const json_t *o, struct arena *arena, struct diag *diag, struct access_role_rule *r)
{
    static const char *const everywhere[] = {"**"};
    TRY(read_texts(o, "resources", arena, diag, &r->resources, &r->resource_count));
    if (r->resource_count == 0) {
        r->resources = everywhere;
        r->resource_count = 1;
    }
    for (size_t i = 0; i < r->resource_count; i++) {
        TRY(access_pattern_check(r->resources[i], diag));
    }
    return check_meeting(r, diag);
}

static const char *const outputs[] = {"none", "class", "rounded", "full"};

const char *
access_output_word(enum access_output o)
{
    ASSERT((unsigned)o < sizeof outputs / sizeof *outputs);
    return outputs[o];
}

static struct status
read_output(const json_t *o, struct diag *diag, struct access_rights *r)
{
    const char *word = NULL;
    TRY(read_word(o, "output", diag, &word));
    if (word == NULL) {
        diag_set(diag, "a rule with model.infer needs \"output\": none, class, rounded or full: "
                       "what of a prediction is told");
        FAIL(INPUT);
    }
    for (unsigned i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        if (strcmp(outputs[i], word) == 0) {
            r->output = (enum access_output)i;
            return OK;
        }
    }
    diag_set(diag, "output \"%.40s\": there are none, class, rounded and full", word);
    FAIL(INPUT);
}

static struct status
read_digits(const json_t *o, struct diag *diag, struct access_rights *r)
{
    const json_t *v = json_object_get(o, "digits");
    const char *text = json_string_value(v);
    uint64_t digits =
        json_is_integer(v) && json_integer_value(v) > 0 ? (uint64_t)json_integer_value(v) : 0;
    r->digits = 2;
    if (v == NULL) {
        return OK;
    }
    const bool good = (text == NULL || status_ok(text_to_u64(view_str(text), &digits))) &&
                      digits >= 1 && digits <= 6;
    if (!good || r->output != ACCESS_OUTPUT_ROUNDED) {
        diag_set(diag, "\"digits\" must be 1 to 6, and stands with output: rounded");
        FAIL(INPUT);
    }
    r->digits = (uint8_t)digits;
    return OK;
}

static struct status
read_columns(const json_t *o, struct arena *arena, struct diag *diag, struct access_rights *r)
{
    TRY(read_texts(o, "unmasked", arena, diag, &r->columns, &r->column_count));
    for (size_t i = 0; i < r->column_count; i++) {
        r->all_columns = r->all_columns || strcmp(r->columns[i], "*") == 0;
    }
    return OK;
}

static struct status
read_rights(const json_t *o, struct arena *arena, struct diag *diag, struct access_role_rule *r)
{
    const bool infers = (r->actions >> ACCESS_MODEL_INFER & 1) != 0;
    if (infers) {
        TRY(read_output(o, diag, &r->rights));
    }
    TRY(read_digits(o, diag, &r->rights));
    TRY(read_truth(o, "explanations", diag, &r->rights.explanations));
    TRY(read_columns(o, arena, diag, &r->rights));
    if (!infers && (json_object_get(o, "output") != NULL || r->rights.explanations)) {
        diag_set(diag, "\"output\" and \"explanations\" stand in a rule with model.infer");
        FAIL(INPUT);
    }
    return OK;
}

struct status
access_role_rule_read(const json_t *o, struct arena *arena, struct diag *diag,
                      struct access_role_rule *ret_rule)
{
    static const char *const known[] = {"actions",      "resources", "output", "digits",
                                        "explanations", "unmasked",  "when"};
    struct access_role_rule r = {0};
    if (!json_is_object(o)) {
        diag_set(diag, "a rule holds actions, resources, output, unmasked, when");
        FAIL(INPUT);
    }
    TRY(check_members(o, "a rule", known, sizeof known / sizeof *known, diag));
    TRY(read_actions(o, arena, diag, &r.actions));
    TRY(read_resources(o, arena, diag, &r));
    TRY(read_rights(o, arena, diag, &r));
    TRY(access_when_read(json_object_get(o, "when"), arena, diag, &r.when));
    *ret_rule = r;
    return OK;
}

void
access_rights_add(struct access_rights *into, const struct access_rights *more)
{
    if (more->output > into->output) {
        into->output = more->output;
        into->digits = more->digits;
    } else if (more->output == into->output && more->digits > into->digits) {
        into->digits = more->digits;
    }
    into->explanations = into->explanations || more->explanations;
}

bool
access_rights_column(const struct access_rights *r, const char *column)
{
    bool seen = r->all_columns;
    for (size_t i = 0; !seen && i < r->column_count; i++) {
        seen = strcmp(r->columns[i], column) == 0;
    }
    return seen;
}
