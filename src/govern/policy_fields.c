#include "govern/policy_parts.h"

#include <string.h>

/* The fields of one type stand side by side; those of a list's objects follow the list at once.
 * Only what is gathered stands here (tests/cli/policy_state): a policy on what nobody can know is
 * refused when it is read. */
static const struct policy_field fields[] = {
    {"workspace", "key.provider", POLICY_TEXT, POLICY_FIXED,
     "who holds the workspace's key: passphrase, pkcs11 or transit"},
    {"workspace", "key.generation", POLICY_NUMBER, POLICY_FIXED, "newest generation of that key"},
    {"workspace", "key.made", POLICY_TIME, POLICY_FIXED, "when that generation was made"},
    {"workspace", "key.revoked", POLICY_BOOLEAN, POLICY_FIXED, "the key may not be used"},
    {"workspace", "certificate.expires", POLICY_TIME, POLICY_FIXED,
     "the end of the server's TLS certificate"},
    {"workspace", "principals", POLICY_NUMBER, POLICY_FIXED, "how many principals there are"},
    {"workspace", "administrators", POLICY_TEXTS, POLICY_FIXED,
     "principals and groups (group:NAME) with a grant that has workspace.configure or "
     "principal.write"},
    {"workspace", "auditors", POLICY_TEXTS, POLICY_FIXED,
     "principals and groups with a grant that has audit.read"},
    {"workspace", "api_keys", POLICY_NUMBER, POLICY_FIXED, "API keys that hold"},
    {"workspace", "issuers", POLICY_NUMBER, POLICY_FIXED, "issuers whose tokens are taken"},
    {"workspace", "models", POLICY_TEXTS, POLICY_FIXED, "names of the models"},
    {"workspace", "datasets", POLICY_TEXTS, POLICY_FIXED, "names of the datasets"},
    {"workspace", "policies", POLICY_TEXTS, POLICY_FIXED,
     "ids of the policies that are assigned, wherever"},
    {"workspace", "log.entries", POLICY_NUMBER, POLICY_FIXED, "entries of the audit log"},
    {"workspace", "backup.made", POLICY_TIME, POLICY_FIXED, "when the last backup was made"},
    {"workspace", "records.processing", POLICY_NUMBER, POLICY_FIXED,
     "open questions of the record of processing; null: none is kept"},
    {"workspace", "incidents.overdue", POLICY_NUMBER, POLICY_FIXED,
     "incidents whose report is overdue"},

    {"server", "listen.address", POLICY_TEXT, POLICY_SETTING, NULL},
    {"server", "listen.port", POLICY_NUMBER, POLICY_SETTING, NULL},
    {"server", "limits.header_bytes", POLICY_NUMBER, POLICY_SETTING, NULL},
    {"server", "limits.header_count", POLICY_NUMBER, POLICY_SETTING, NULL},
    {"server", "limits.body_bytes", POLICY_NUMBER, POLICY_SETTING, NULL},
    {"server", "limits.rows", POLICY_NUMBER, POLICY_SETTING, NULL},
    {"server", "limits.explained_rows", POLICY_NUMBER, POLICY_SETTING, NULL},
    {"server", "limits.call_memory", POLICY_NUMBER, POLICY_SETTING, NULL},
    {"server", "limits.connections", POLICY_NUMBER, POLICY_SETTING, NULL},
    {"server", "limits.connections_per_address", POLICY_NUMBER, POLICY_SETTING, NULL},
    {"server", "limits.refusals_per_minute", POLICY_NUMBER, POLICY_SETTING, NULL},
    {"server", "limits.quotas", POLICY_OBJECTS, POLICY_FIXED, NULL},
    {"server", "limits.quotas.name", POLICY_TEXT, POLICY_FIXED, "of the quota"},
    {"server", "limits.quotas.most", POLICY_NUMBER, POLICY_FIXED,
     "calls, rows or tokens in a window"},
    {"server", "limits.quotas.unit", POLICY_TEXT, POLICY_FIXED, "calls, rows or tokens"},
    {"server", "limits.quotas.span", POLICY_TEXT, POLICY_FIXED, "minute, hour, day or month"},
    {"server", "limits.quotas.model", POLICY_TEXT, POLICY_FIXED, "null: of all models"},
    {"server", "limits.quotas.of", POLICY_TEXT, POLICY_FIXED,
     "principal:NAME, group:NAME or role:NAME; null: of everybody"},
    {"server", "limits.quotas.each", POLICY_BOOLEAN, POLICY_FIXED, "one of each principal"},
    {"server", "limits.handshake", POLICY_DURATION, POLICY_SETTING, NULL},
    {"server", "limits.header", POLICY_DURATION, POLICY_SETTING, NULL},
    {"server", "limits.body", POLICY_DURATION, POLICY_SETTING, NULL},
    {"server", "limits.request", POLICY_DURATION, POLICY_SETTING, NULL},
    {"server", "limits.idle", POLICY_DURATION, POLICY_SETTING, NULL},
    {"server", "network.data_allow", POLICY_TEXTS, POLICY_FIXED, NULL},
    {"server", "network.data_deny", POLICY_TEXTS, POLICY_FIXED, NULL},
    {"server", "network.management_listen", POLICY_TEXT, POLICY_SETTING, NULL},
    {"server", "network.management_allow", POLICY_TEXTS, POLICY_FIXED, NULL},
    {"server", "network.management_deny", POLICY_TEXTS, POLICY_FIXED, NULL},
    {"server", "network.management_connections", POLICY_NUMBER, POLICY_SETTING, NULL},
    {"server", "network.management_connections_per_address", POLICY_NUMBER, POLICY_SETTING, NULL},
    {"server", "network.console_listen", POLICY_TEXT, POLICY_SETTING, NULL},
    {"server", "network.console_allow", POLICY_TEXTS, POLICY_FIXED, NULL},
    {"server", "network.console_deny", POLICY_TEXTS, POLICY_FIXED, NULL},
    {"server", "network.console_connections", POLICY_NUMBER, POLICY_SETTING, NULL},
    {"server", "network.console_connections_per_address", POLICY_NUMBER, POLICY_SETTING, NULL},
    {"server", "network.egress", POLICY_OBJECTS, POLICY_FIXED, NULL},
    {"server", "network.egress.purpose", POLICY_TEXT, POLICY_FIXED, "the rule's first word"},
    {"server", "network.egress.host", POLICY_TEXT, POLICY_FIXED, "name, block of addresses or *"},
    {"server", "network.egress.ports", POLICY_TEXT, POLICY_FIXED, "as they are written"},
    {"server", "network.egress.plain", POLICY_BOOLEAN, POLICY_FIXED, "http is allowed"},
    {"server", "tls.client_certificates", POLICY_TEXT, POLICY_SETTING, NULL},
    {"server", "tls.client_ca", POLICY_TEXT, POLICY_FIXED, NULL},
    {"server", "tls.client_crl", POLICY_TEXT, POLICY_FIXED, NULL},
    {"server", "tls.minimum", POLICY_VERSION, POLICY_FIXED, "the least version of TLS: 1.2"},
    {"server", "server.loops", POLICY_NUMBER, POLICY_SETTING, NULL},
    {"server", "server.grace", POLICY_DURATION, POLICY_SETTING, NULL},
    {"server", "server.version", POLICY_VERSION, POLICY_FIXED, "of Steward"},
    {"server", "server.user", POLICY_TEXT, POLICY_FIXED, "whose process it is: local:NAME"},
    {"server", "audit.publish", POLICY_DURATION, POLICY_FIXED, NULL},
    {"server", "audit.open", POLICY_TEXT, POLICY_SETTING, NULL},
    {"server", "audit.witnesses", POLICY_TEXTS, POLICY_FIXED, NULL},
    {"server", "audit.quorum", POLICY_NUMBER, POLICY_FIXED, NULL},
    {"server", "audit.export", POLICY_OBJECTS, POLICY_FIXED, NULL},
    {"server", "audit.export.name", POLICY_TEXT, POLICY_FIXED, "of the receiver"},
    {"server", "audit.export.kind", POLICY_TEXT, POLICY_FIXED, "syslog, kafka or webhook"},
    {"server", "audit.export.hosts", POLICY_TEXT, POLICY_FIXED, "as they are written"},
    {"server", "audit.export.format", POLICY_TEXT, POLICY_FIXED, "jsonl, ocsf, cef or cloudevents"},
    {"server", "audit.export.only", POLICY_TEXT, POLICY_FIXED, "what it gets: all or alerts"},
    {"server", "audit.export.encrypted", POLICY_BOOLEAN, POLICY_FIXED, "over TLS"},
    {"server", "capture.endpoints", POLICY_OBJECTS, POLICY_FIXED, NULL},
    {"server", "capture.endpoints.endpoint", POLICY_TEXT, POLICY_FIXED,
     "a model, MODEL@VERSION, or *: all that have no line"},
    {"server", "capture.endpoints.percent", POLICY_NUMBER, POLICY_FIXED,
     "of its calls whose bodies are kept; 0: off"},
    {"server", "capture.endpoints.keep", POLICY_DURATION, POLICY_FIXED, "how long"},
    {"server", "capture.endpoints.open", POLICY_BOOLEAN, POLICY_FIXED,
     "a call that cannot be captured is answered"},
    {"server", "capture.keep", POLICY_DURATION, POLICY_FIXED, NULL},
    {"server", "keys.check", POLICY_DURATION, POLICY_FIXED, NULL},
    {"server", "keys.unreachable", POLICY_DURATION, POLICY_FIXED, NULL},
    {"server", "keys.token_network", POLICY_TEXT, POLICY_FIXED, NULL},
    {"server", "keys.transit", POLICY_TEXT, POLICY_FIXED, NULL},
    {"server", "analysis.threads", POLICY_NUMBER, POLICY_FIXED, NULL},
    {"server", "log.level", POLICY_TEXT, POLICY_SETTING, NULL},

    {"listener", "address", POLICY_TEXT, POLICY_FIXED, "as it is written"},
    {"listener", "port", POLICY_NUMBER, POLICY_FIXED, "0: a free one"},
    {"listener", "reach", POLICY_TEXT, POLICY_FIXED,
     "whom the address can be reached by: loopback, private or public (0.0.0.0 and :: are public)"},
    {"listener", "allow", POLICY_TEXTS, POLICY_FIXED,
     "blocks of addresses that may connect; none: every one"},
    {"listener", "deny", POLICY_TEXTS, POLICY_FIXED, "blocks that may not"},

    {"model", "name", POLICY_TEXT, POLICY_FIXED, "of the model"},
    {"model", "version", POLICY_NUMBER, POLICY_FIXED, "of the model"},
    {"model", "newest", POLICY_BOOLEAN, POLICY_FIXED, "there is no later version"},
    {"model", "created", POLICY_TIME, POLICY_FIXED, "when it was registered"},
    {"model", "sha256", POLICY_TEXT, POLICY_FIXED, "of the bundle"},
    {"model", "signed", POLICY_BOOLEAN, POLICY_FIXED, "sealed, signed and verified at every load"},
    {"model", "origin", POLICY_TEXT, POLICY_FIXED, "trained (here) or added (from a file)"},
    {"model", "format", POLICY_TEXT, POLICY_FIXED, "of the file that it came as; null: trained"},
    {"model", "label", POLICY_TEXT, POLICY_FIXED, "the column that it predicts"},
    {"model", "dataset", POLICY_TEXT, POLICY_FIXED,
     "NAME@VERSION that it was trained on or checked against"},
    {"model", "features", POLICY_TEXTS, POLICY_FIXED, "columns that it reads"},
    {"model", "sensitive_features", POLICY_TEXTS, POLICY_FIXED,
     "those of them that are sensitive in its dataset"},
    {"model", "thresholds_by_group", POLICY_BOOLEAN, POLICY_FIXED,
     "it decides by a threshold for each group"},
    {"model", "mitigation", POLICY_TEXT, POLICY_FIXED, "how it was made fairer; null: it was not"},
    {"model", "assessed", POLICY_TIME, POLICY_FIXED,
     "the newest assessment of this version; null: there is none"},
    {"model", "assessments", POLICY_NUMBER, POLICY_FIXED, "of this version"},
    {"model", "records.impact", POLICY_NUMBER, POLICY_FIXED,
     "open questions of its impact assessment; null: none is kept"},
    {"model", "records.instructions", POLICY_NUMBER, POLICY_FIXED,
     "the same of its instructions for use"},
    {"model", "records.documentation", POLICY_NUMBER, POLICY_FIXED,
     "the same of its technical documentation"},

    {"endpoint", "model", POLICY_TEXT, POLICY_FIXED, "the model's name, which is the endpoint's"},
    {"endpoint", "model.version", POLICY_NUMBER, POLICY_FIXED, "that it answers with"},
    {"endpoint", "model.origin", POLICY_TEXT, POLICY_FIXED, "trained or added"},
    {"endpoint", "model.signed", POLICY_BOOLEAN, POLICY_FIXED, "as of the model"},
    {"endpoint", "model.assessed", POLICY_TIME, POLICY_FIXED, "as of the model"},
    {"endpoint", "model.sensitive_features", POLICY_TEXTS, POLICY_FIXED, "as of the model"},
    {"endpoint", "callers", POLICY_TEXTS, POLICY_FIXED,
     "principals and groups with a grant that has model.infer on it"},
    {"endpoint", "capture", POLICY_TEXT, POLICY_FIXED,
     "whether bodies of its calls are kept: off, sampled or full; the most that one of its routes "
     "has"},
    {"endpoint", "capture.least", POLICY_TEXT, POLICY_FIXED,
     "the same, the least that one of its routes has"},
    {"endpoint", "capture.keep", POLICY_DURATION, POLICY_FIXED, "how long; null: they are not"},
    {"endpoint", "quotas", POLICY_TEXTS, POLICY_FIXED, "names of the quotas that count its calls"},

    {"dataset", "name", POLICY_TEXT, POLICY_FIXED, "of the dataset"},
    {"dataset", "version", POLICY_NUMBER, POLICY_FIXED, "of the dataset"},
    {"dataset", "newest", POLICY_BOOLEAN, POLICY_FIXED, "there is no later version"},
    {"dataset", "created", POLICY_TIME, POLICY_FIXED, "when it was imported"},
    {"dataset", "rows", POLICY_NUMBER, POLICY_FIXED, "as imported"},
    {"dataset", "columns", POLICY_TEXTS, POLICY_FIXED, "their names"},
    {"dataset", "label", POLICY_TEXT, POLICY_FIXED, "the outcome's column; null: none"},
    {"dataset", "sensitive", POLICY_TEXTS, POLICY_FIXED, "sensitive columns"},
    {"dataset", "subject", POLICY_TEXT, POLICY_FIXED,
     "the column that names persons, whose rows have keys of their own; null: none"},
    {"dataset", "persons", POLICY_NUMBER, POLICY_FIXED,
     "of all versions who have keys or had; null: no subject column"},
    {"dataset", "erased", POLICY_NUMBER, POLICY_FIXED, "of them, who was erased"},

    {"principal", "created", POLICY_TIME, POLICY_FIXED, "when it was added"},
    {"principal", "grants", POLICY_OBJECTS, POLICY_FIXED, "its own, not those of its groups"},
    {"principal", "grants.role", POLICY_TEXT, POLICY_FIXED, "what it is granted"},
    {"principal", "grants.resource", POLICY_TEXT, POLICY_FIXED, "the pattern that it holds on"},
    {"principal", "grants.allow", POLICY_BOOLEAN, POLICY_FIXED, "false: a denial"},
    {"principal", "groups", POLICY_TEXTS, POLICY_FIXED, "that it is a member of"},
    {"principal", "api_keys", POLICY_NUMBER, POLICY_FIXED, "its keys that hold"},

    {"grant", "holder", POLICY_TEXT, POLICY_FIXED, "a principal, or group:NAME"},
    {"grant", "role", POLICY_TEXT, POLICY_FIXED, "what is granted"},
    {"grant", "resource", POLICY_TEXT, POLICY_FIXED, "the pattern that it holds on"},
    {"grant", "allow", POLICY_BOOLEAN, POLICY_FIXED, "false: a denial"},
    {"grant", "actions", POLICY_TEXTS, POLICY_FIXED, "of the role"},
    {"grant", "emergency", POLICY_BOOLEAN, POLICY_FIXED, "given by access break-glass"},
    {"grant", "until", POLICY_TIME, POLICY_FIXED, "when it ends; null: never"},
    {"grant", "conditions", POLICY_TEXTS, POLICY_FIXED,
     "what it depends on besides: address, hours, certificate, purpose, ..."},

    {"role", "built_in", POLICY_BOOLEAN, POLICY_FIXED, "it came with Steward"},
    {"role", "actions", POLICY_TEXTS, POLICY_FIXED, "that it has anywhere"},
    {"role", "output", POLICY_TEXT, POLICY_FIXED,
     "the most that it shows of a prediction: none, class, rounded, full"},
    {"role", "explanations", POLICY_BOOLEAN, POLICY_FIXED, "it shows contributions"},

    {"api-key", "principal", POLICY_TEXT, POLICY_FIXED, "whose it is"},
    {"api-key", "issued", POLICY_TIME, POLICY_FIXED, "when"},
    {"api-key", "expires", POLICY_TIME, POLICY_RECORD, "until when it holds"},
    {"api-key", "lifetime", POLICY_DURATION, POLICY_FIXED, "from issued to expires"},
    {"api-key", "used", POLICY_TIME, POLICY_FIXED, "last, to the hour; null: never"},

    {"issuer", "issuer", POLICY_TEXT, POLICY_FIXED, "its URL, as its tokens name it"},
    {"issuer", "audience", POLICY_TEXT, POLICY_FIXED, "that its tokens must name"},
    {"issuer", "algorithms", POLICY_TEXTS, POLICY_FIXED, "that it may sign with"},
    {"issuer", "discover", POLICY_BOOLEAN, POLICY_FIXED, "its keys are fetched"},
    {"issuer", "typ", POLICY_TEXT, POLICY_FIXED, "at+jwt, or null: any"},
};

#define FIELDS (sizeof fields / sizeof *fields)

const struct policy_field *
policy_fields(size_t *ret_count)
{
    *ret_count = FIELDS;
    return fields;
}

bool
policy_type_find(const char *type, struct policy_type *ret_type)
{
    struct policy_type t = {0};
    for (size_t i = 0; i < FIELDS; i++) {
        if (strcmp(fields[i].type, type) == 0) {
            t.first = t.count == 0 ? &fields[i] : t.first;
            t.count++;
        }
    }
    *ret_type = t;
    return t.count > 0;
}

const struct policy_field *
policy_field_find(const char *type, const char *name)
{
    for (size_t i = 0; i < FIELDS; i++) {
        if (strcmp(fields[i].type, type) == 0 && strcmp(fields[i].name, name) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

size_t
policy_field_parts(const struct policy_field *list)
{
    const size_t n = strlen(list->name);
    const struct policy_field *f = list + 1;
    while (list->kind == POLICY_OBJECTS && f < fields + FIELDS &&
           strcmp(f->type, list->type) == 0 && strncmp(f->name, list->name, n) == 0 &&
           f->name[n] == '.') {
        f++;
    }
    return (size_t)(f - list - 1);
}

size_t
policy_type_words(const char **ret_words, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < FIELDS && n < max; i++) {
        if (i == 0 || strcmp(fields[i].type, fields[i - 1].type) != 0) {
            ret_words[n++] = fields[i].type;
        }
    }
    return n;
}

const char *
policy_kind_word(enum policy_kind kind)
{
    static const char *const words[] = {"boolean", "number", "duration", "time",
                                        "version", "text",   "texts",    "objects"};
    return words[kind];
}
