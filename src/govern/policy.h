/* policy: configuration policies: YAML that says which state of a workspace's resources does not
 * comply, and what is done then. Pure: texts and documents in, findings out; who gathers the state,
 * keeps assignments and acts on effects stands above (workspace/policies.h). docs/spec/policy.md.
 *
 * The state is a document (policy_state_read). A field that a resource does not have is one that
 * the state does not hold: what depends on it is "not evaluable", never compliant. A field that is
 * null is known to be not set. */
#ifndef STEWARD_GOVERN_POLICY_H
#define STEWARD_GOVERN_POLICY_H

#include "base/arena.h"
#include "base/digest.h"
#include "base/json.h"

#define POLICY_TEXT_MAX (64u << 10)
#define POLICY_NAME_MAX 64u
#define POLICY_SCOPE_MAX 96u
#define POLICY_RESOURCE_MAX 352u /* "TYPE/NAME" */
#define POLICY_PARAMETERS_MAX 16u
#define POLICY_SETS_MAX 8u
#define POLICY_EXAMPLES_MAX 32u

/* ---- types and fields of the state (policy_fields.c is the table) ---- */

enum policy_kind {
    POLICY_BOOLEAN,
    POLICY_NUMBER,
    POLICY_DURATION, /* in the state: seconds */
    POLICY_TIME,     /* RFC 3339, UTC */
    POLICY_VERSION,  /* numbers between dots: "1.2" */
    POLICY_TEXT,
    POLICY_TEXTS,  /* a list of texts */
    POLICY_OBJECTS /* a list of objects, whose fields stand in the table as FIELD.NAME */
};
const char *policy_kind_word(enum policy_kind kind); /* "boolean", "texts" */

/* How a field can be set by `modify` and `deploy-if-missing`; who acts on it says what it does. */
enum policy_settable { POLICY_FIXED, POLICY_SETTING, POLICY_RECORD };

struct policy_field {
    const char *type, *name;
    enum policy_kind kind;
    enum policy_settable settable; /* SETTING: of the configuration; RECORD: of the store */
    const char *about;
};
/* All of them, those of one type side by side. */
const struct policy_field *policy_fields(size_t *ret_count);
/* NULL: there is no such field of that type. */
const struct policy_field *policy_field_find(const char *type, const char *name);

/* ---- a policy ---- */

enum policy_effect {
    POLICY_AUDIT,
    POLICY_DENY,
    POLICY_MODIFY,
    POLICY_DEPLOY, /* "deploy-if-missing" */
    POLICY_DISABLED
};
const char *policy_effect_word(enum policy_effect e);
enum policy_severity { POLICY_LOW, POLICY_MEDIUM, POLICY_HIGH };
const char *policy_severity_word(enum policy_severity s);

/* What an operator holds a field against. */
struct policy_value {
    enum policy_kind kind;
    uint32_t hash; /* of a TEXT: of two that are equal, the same */
    bool truth;
    int parameter; /* its place; -1: this is the value */
    double number; /* NUMBER, and DURATION in seconds */
    int64_t time_ns;
    const char *text; /* as it was written; of a BOOLEAN, NUMBER, ... too */
    const struct policy_value *items;
    size_t count; /* of a list */
};

struct policy_parameter {
    const char *name, *about;
    enum policy_kind kind;
    bool list;
    bool has_default;
    struct policy_value initial;
    const struct policy_value *allowed;
    size_t allowed_count; /* 0: any */
};

/* "modify": the field becomes that; "deploy-if-missing" of a setting: likewise. */
struct policy_set {
    const struct policy_field *field;
    struct policy_value to;
};

struct policy_condition;

struct policy {
    struct arena *arena;
    struct digest digest; /* of the text: the rule's version in findings and entries */
    char digest_hex[2 * DIGEST_BYTES + 1];
    const char *id, *version, *title, *about, *category, *message;
    const char *remedy; /* what to do; NULL: not said */
    enum policy_severity severity;
    const char *type; /* of the resources that it is about */
    struct policy_parameter parameters[POLICY_PARAMETERS_MAX];
    size_t parameter_count;
    const struct policy_condition *where; /* not applicable unless it holds; NULL: always */
    const struct policy_condition *when;  /* "if": what it is true of does not comply */
    enum policy_effect effect;            /* unless a parameter says it */
    int effect_parameter;                 /* -1: none does */
    struct policy_set sets[POLICY_SETS_MAX];
    size_t set_count;
    const char *deploy_policy; /* "deploy: {assignment: ID}"; NULL: settings are deployed */
    const json_t *examples;    /* [{"name", "outcome", "fields", "parameters", "time"?}] */
    json_t *kept;              /* owner of examples */
};

/* Untrusted text; fuzzed. STATUS_INPUT: "FILE line N column M: ..." */
struct status policy_read(struct view yaml, const char *file, struct diag *diag,
                          struct policy **ret_policy);
void policy_free(struct policy *p);
DEFINE_FREEP(policy_free, struct policy)
/* {"id", "version", "title", "severity", ..., "parameters", "digest"} */
struct status policy_describe(const struct policy *p, json_t **ret_object);
/* Whether its conditions read that field. */
bool policy_reads(const struct policy *p, const struct policy_field *field);

/* ---- assignments and exemptions ---- */

/* A policy at a scope with values of its parameters. The policy is borrowed. */
struct policy_assignment {
    char name[POLICY_NAME_MAX];
    char scope[POLICY_SCOPE_MAX]; /* "workspace", "model/NAME", "endpoint/NAME" */
    const struct policy *policy;
    enum policy_effect effect;
    struct policy_value values[POLICY_PARAMETERS_MAX]; /* of its parameters, on `arena` */
};
/* parameters: an object of texts, numbers, booleans or lists, as the policy declares them; NULL:
 * the defaults. STATUS_INPUT with a sentence for what it does not have, does not allow, or needs.
 * What the result refers to is on the arena. */
struct status policy_assign(const struct policy *p, const char *name, const char *scope,
                            const json_t *parameters, struct arena *arena, struct diag *diag,
                            struct policy_assignment *ret_assignment);
/* STATUS_INPUT unless it is one of the three forms. */
struct status policy_scope_check(const char *scope, struct diag *diag);

struct policy_exemption {
    char assignment[POLICY_NAME_MAX];
    char resource[POLICY_RESOURCE_MAX]; /* "TYPE/NAME", a scope, or "workspace": all */
    int64_t until_ns;                   /* not included */
};

/* STATUS_INPUT with both names where two assignments that modify would set each other off, or set
 * one field to two values, at scopes that meet. */
struct status policy_check_cycles(const struct policy_assignment *all, size_t n, struct diag *diag);

/* ---- the state ---- */

/* {"holds": ["workspace", "model", ...],
 *  "resources": [{"type", "name", "scope": ["model/mortgage"], "fields": {"FIELD": value}}]}
 * "holds" names the types of which the document has all resources. Borrows the document.
 * STATUS_INPUT where a field or type is not in the table or a value is not of its kind. */
struct policy_state;
struct status policy_state_read(const json_t *document, struct diag *diag,
                                struct policy_state **ret_state);
void policy_state_free(struct policy_state *s);
DEFINE_FREEP(policy_state_free, struct policy_state)

/* ---- findings ---- */

enum policy_outcome {
    POLICY_COMPLIANT,
    POLICY_NON_COMPLIANT,
    POLICY_EXEMPT,         /* it does not comply, and need not until until_ns */
    POLICY_NOT_APPLICABLE, /* "where" does not hold, or there is no such resource */
    POLICY_NOT_EVALUABLE,  /* the state does not hold what must be known */
    POLICY_OUTCOMES
};
const char *policy_outcome_word(enum policy_outcome o); /* "non-compliant" */

struct policy_finding {
    const struct policy_assignment *assignment;
    const json_t *resource; /* of the document; NULL: there is none of the type */
    enum policy_outcome outcome;
    int64_t until_ns; /* EXEMPT */
};

struct policy_question {
    const struct policy_assignment *assignments;
    size_t assignment_count;
    const struct policy_exemption *exemptions;
    size_t exemption_count;
    int64_t now_ns;
};
/* One finding for each assignment and resource of its type in its scope, or one without a resource;
 * in order of assignments, then resources. ret_findings: malloc'd. */
struct status policy_evaluate(const struct policy_question *q, const struct policy_state *state,
                              struct policy_finding **ret_findings, size_t *ret_count);
/* {"assignment", "policy", "policy_version", "policy_digest", "title", "severity", "category",
 * "scope", "effect", "type", "resource" ("TYPE/NAME" or null), "outcome", "until"?,
 * "message"?, "remedy"?, "fields": {values seen}, "missing": [fields that the state does not hold]}
 */
struct status policy_finding_to_json(const struct policy_finding *f, json_t **ret_object);
/* "TYPE/NAME" of a finding that has a resource. */
void policy_finding_resource(const struct policy_finding *f,
                             char ret_text[static POLICY_RESOURCE_MAX]);
/* "policy ID (assignment NAME): MESSAGE; model/mortgage has FIELD VALUE, ...": for errors and
 * entries. */
void policy_finding_put(const struct policy_finding *f, struct buf *ret_text);

/* ---- examples ---- */

struct policy_example_result {
    const char *name;
    const char *expected;
    enum policy_outcome outcome;
    bool passed;
};
/* Evaluates the policy's own examples: each alone, as a state of one resource, now unless it says
 * another time. ret_results has room for POLICY_EXAMPLES_MAX. */
struct status policy_examples_run(const struct policy *p, int64_t now_ns, struct diag *diag,
                                  struct policy_example_result *ret_results, size_t *ret_count);

#endif
