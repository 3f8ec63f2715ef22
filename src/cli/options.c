/* options: what the verbs' options are, but for those that stand with their verb. */
#include "cli/options.h"

#include "cli/data_options.h"
#include "cli/facet_options.h"
#include "cli/mitigate.h"

const struct cli_option cli_certificate_renew_options[] = {
    {"host", "NAME", "as for init", NULL, CLI_REPEATED, NULL},
    {0},
};

const struct cli_option cli_dataset_add_options[] = {
    {"label", "COLUMN", "the outcome to predict", NULL, CLI_ONCE, NULL},
    {"positive", "VALUE", "the label's positive value (inferred for yes/no, true/false, 0/1)", NULL,
     CLI_ONCE, NULL},
    {"sensitive", "COLUMNS",
     "sensitive columns, separated by commas: kept for fairness, not a model's features", NULL,
     CLI_COMMAS, NULL},
    {"sensitive-as-features", NULL, "let models read the sensitive columns too", NULL, CLI_ONCE,
     NULL},
    {"subject", "COLUMN",
     "names the person whom a row is about: each person's rows get a key of their own, and can be "
     "erased (steward dataset erase)",
     NULL, CLI_ONCE, NULL},
    CLI_DATA_FILE_OPTIONS,
    {0},
};

const struct cli_option cli_dataset_erase_options[] = {
    {"subject", "VALUE", "the person, as the subject column has it; may be repeated", NULL,
     CLI_REPEATED, NULL},
    {"from-file", "FILE", "the persons, one in each line", NULL, CLI_ONCE, "@file"},
    {0},
};

const struct cli_option cli_dataset_show_options[] = {
    {"as", "PRINCIPAL", "show what that one may see; the values of masked columns are left out",
     NULL, CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_model_train_options[] = {
    {"data", "DATASET", "dataset, or dataset@version", NULL, CLI_ONCE, NULL},
    {"split", "SHARE", "share of the rows to train on; the others are the test part", "0.7",
     CLI_ONCE, NULL},
    {"seed", "N", "of the split and of the training", "1", CLI_ONCE, NULL},
    {"objective", "WORD",
     "XGBoost's (default: by the label: with a positive value, a category, a number)", NULL,
     CLI_ONCE, "binary:logistic multi:softprob reg:squarederror reg:absoluteerror count:poisson"},
    {"rounds", "N", "trees; of several classes, of each", "100", CLI_ONCE, NULL},
    {"depth", "N", "greatest depth of a tree", "4", CLI_ONCE, NULL},
    {"learning-rate", "X", "shrinkage of each tree", "0.1", CLI_ONCE, NULL},
    {"threads", "N", "0: one per core (default: analysis.threads of the configuration)", NULL,
     CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_model_add_options[] = {
    {"file", "FILE",
     "the model: XGBoost (JSON, UBJSON), LightGBM (text), ONNX tree ensemble, or a linear model "
     "(docs/spec/linear-model.md)",
     NULL, CLI_ONCE, "@file"},
    {"data", "DATASET",
     "dataset, or dataset@version, whose columns the model is to read: checked, and the types "
     "taken from it",
     NULL, CLI_ONCE, NULL},
    {"label", "COLUMN", "what it predicts (default: the dataset's label)", NULL, CLI_ONCE, NULL},
    {"positive", "VALUE",
     "the value that its probability is of (default: the file's, the dataset's, or 1)", NULL,
     CLI_ONCE, NULL},
    {"negative", "VALUE", "the other value", NULL, CLI_ONCE, NULL},
    {"classes", "VALUES", "of its outputs, in their order (default: the file's, or the label's)",
     NULL, CLI_COMMAS, NULL},
    {"threshold", "P", "positive from this probability on", "0.5", CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_model_request_options[] = {
    {"data", "DATASET[:PART]",
     "dataset or dataset@version; with :test or :train, that part of the model's split", NULL,
     CLI_ONCE, NULL},
    {"output", "FILE", "write the request to FILE instead of stdout", NULL, CLI_ONCE, "@made"},
    {"as", "PRINCIPAL", "show what that one may see; the values of masked columns are left out",
     NULL, CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_assess_options[] = {
    {"data", "DATASET[:PART]",
     "dataset or dataset@version; with :test or :train, that part of the model's split", NULL,
     CLI_ONCE, NULL},
    {"cohort", "COHORT",
     "assess these rows only: a predicate, e.g. \"lvrat > 0.8 and single = 'yes'\", or slice-1 or "
     "node-3 of the model's newest assessment (slice-1@2: of its second)",
     NULL, CLI_ONCE, NULL},
    {"adverse", NULL, "the positive answer is bad for the person: denied, flagged", NULL, CLI_ONCE,
     NULL},
    CLI_FACET_OPTIONS,
    {"slices", "N", "worst slices to find; 0: none", "10", CLI_ONCE, NULL},
    {"min-group", "N", "groups with fewer rows are shown, not judged", "30", CLI_ONCE, NULL},
    {"bootstrap", "N", "replicates; 0: none", "1000", CLI_ONCE, NULL},
    {"seed", "N", "of bootstrap and permutations", "1", CLI_ONCE, NULL},
    {"report", "FILE", "write the report (HTML) to FILE", NULL, CLI_ONCE, "@made"},
    {"output", "FILE", "write the assessment document (JSON) to FILE", NULL, CLI_ONCE, "@made"},
    {"threads", "N", "0: one per core (default: analysis.threads of the configuration)", NULL,
     CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_predict_options[] = {
    {"model", "FILE",
     "the model: XGBoost (JSON, UBJSON), LightGBM (text), ONNX tree ensemble, "
     "or a linear model (docs/spec/linear-model.md); or workspace:NAME[@VERSION]",
     NULL, CLI_ONCE, "@file"},
    {"data", "FILE",
     "the rows: .csv .tsv .csv.gz .parquet .json .jsonl .ndjson; or " CLI_OF_WORKSPACE, NULL,
     CLI_ONCE, "@table"},
    {"output", "FILE", "write the predictions to FILE (CSV); -: to standard output", "-", CLI_ONCE,
     "@made"},
    CLI_DATA_FILE_OPTIONS,
    {"threads", "N", "0: one per core (default: analysis.threads of the configuration)", NULL,
     CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_mitigate_options[] = {
    {"method", "METHOD",
     "of a model: reweighing, exponentiated-gradient, threshold, correlation-remover; on a file: "
     "all but the second",
     NULL, CLI_ONCE, "reweighing exponentiated-gradient threshold correlation-remover"},
    {"sensitive", "COLUMNS", "whom to be fair to; of a model several, separated by commas", NULL,
     CLI_COMMAS, NULL},
    CLI_FACET_OPTIONS,
    {"constraint", "RATE",
     "demographic_parity, equalized_odds, {true,false}_positive_rate_parity; by thresholds also "
     "{true,false}_negative_rate_parity; by exponentiated gradient also error_rate_parity, "
     "bounded_group_loss",
     "demographic_parity", CLI_ONCE,
     "demographic_parity equalized_odds true_positive_rate_parity false_positive_rate_parity "
     "true_negative_rate_parity false_negative_rate_parity error_rate_parity bounded_group_loss"},
    MITIGATE_GRADIENT_OPTIONS,
    {"data", "FILE", "instead of a model: a file, scored for thresholds", NULL, CLI_ONCE, "@table"},
    {"label", "COLUMN", "on a file: the truth", NULL, CLI_ONCE, NULL},
    {"positive", "VALUE", "on a file: the label's positive value", NULL, CLI_ONCE, NULL},
    {"score", "COLUMN", "thresholds: larger is more positive", NULL, CLI_ONCE, NULL},
    {"threshold", "X", "thresholds: the one of now, to compare with", "0.5", CLI_ONCE, NULL},
    {"goal", "METRIC",
     "thresholds: accuracy_score, balanced_accuracy_score, selection_rate, true_positive_rate or "
     "true_negative_rate",
     "accuracy_score", CLI_ONCE,
     "accuracy_score balanced_accuracy_score selection_rate true_positive_rate "
     "true_negative_rate"},
    {"tolerance", "X", "thresholds: the groups' rates may differ by X", "0.01", CLI_ONCE, NULL},
    {"randomised", NULL,
     "thresholds of a model: the best that chance can reach: rows near a threshold are decided by "
     "a draw that what is in the row fixes",
     NULL, CLI_ONCE, NULL},
    {"flip", NULL, "thresholds on a file: also such under which one is positive", NULL, CLI_ONCE,
     NULL},
    {"alpha", "X", "correlation remover: share of the correlation to remove", "1", CLI_ONCE, NULL},
    {"output", "FILE", "on a file: write decisions, weights or the changed rows (CSV)", NULL,
     CLI_ONCE, "@made"},
    {"report", "FILE",
     "write a page (HTML): of a model old and new side by side, of a file's thresholds the "
     "accuracy-fairness front",
     NULL, CLI_ONCE, "@made"},
    CLI_DATA_FILE_OPTIONS,
    {"threads", "N", "0: one per core (default: analysis.threads of the configuration)", NULL,
     CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_certify_options[] = {
    {"model", "FILE", "the model: a tree ensemble", NULL, CLI_ONCE, "@file"},
    {"data", "FILE", "rows: they tell how the features are distributed", NULL, CLI_ONCE, "@table"},
    {"sensitive", "COLUMN", "the feature that is changed", NULL, CLI_ONCE, NULL},
    {"threshold", "X", "decided positive from this probability (or value) on", "0.5", CLI_ONCE,
     NULL},
    {"measure", "MEASURE",
     "of the input space: empirical (each other feature as in the rows) or even (over its range)",
     "empirical", CLI_ONCE, "empirical even"},
    {"boxes", "N", "parts of the space to look at, at most", "100000", CLI_ONCE, NULL},
    CLI_DATA_FILE_OPTIONS,
    {0},
};

const struct cli_option cli_principal_add_options[] = {
    {"role", "ROLE", "one of \"steward role list\", e.g. caller", NULL, CLI_ONCE,
     "admin data-scientist operator caller auditor"},
    {"resource", "PATTERN", "what the role holds on, e.g. models/mortgage", "**", CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_principal_grant_options[] = {
    {"role", "ROLE", "one of \"steward role list\", e.g. caller", NULL, CLI_ONCE,
     "admin data-scientist operator caller auditor"},
    {"resource", "PATTERN", "what the role holds on, e.g. models/mortgage", "**", CLI_ONCE, NULL},
    {"deny", NULL, "forbid instead of allow: a denial beats every grant", NULL, CLI_ONCE, NULL},
    {"from", "NETWORK", "only from there, e.g. 10.0.0.0/8; may be repeated", NULL, CLI_REPEATED,
     NULL},
    {"purpose", "WORD", "only for that stated purpose; may be repeated", NULL, CLI_REPEATED, NULL},
    {"purpose-not", "WORD", "only for another purpose; may be repeated", NULL, CLI_REPEATED, NULL},
    {"days", "DAYS", "only on these days, e.g. mon-fri", NULL, CLI_ONCE, NULL},
    {"hours", "WINDOW", "only then, e.g. 08:00-18:00, in UTC or --zone", NULL, CLI_ONCE, NULL},
    {"zone", "DISTANCE", "of --days and --hours from UTC, e.g. +01:00", NULL, CLI_ONCE, NULL},
    {"until", "TIME", "the grant ends, e.g. 2026-12-31T18:00:00Z", NULL, CLI_ONCE, NULL},
    {"certificate", NULL, "only with a client certificate", NULL, CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_role_import_options[] = {
    {"yet-to-come", NULL, "models and datasets that the file names need not be there", NULL,
     CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_access_explain_options[] = {
    {"at", "TIME", "as if it were then, e.g. 2026-12-31T18:00:00Z (default: now)", NULL, CLI_ONCE,
     NULL},
    {"from", "ADDRESS", "as if it came from there", NULL, CLI_ONCE, NULL},
    {"purpose", "WORD", "as if that purpose were stated", NULL, CLI_ONCE, NULL},
    {"certificate", NULL, "as if a client certificate came with it", NULL, CLI_ONCE, NULL},
    {"group", "NAME", "as if a token had named that group; may be repeated", NULL, CLI_REPEATED,
     NULL},
    {0},
};

const struct cli_option cli_break_glass_options[] = {
    {"role", "ROLE", "what the emergency needs", NULL, CLI_ONCE,
     "admin data-scientist operator caller auditor"},
    {"resource", "PATTERN", "where", "**", CLI_ONCE, NULL},
    {"for", "DURATION", "how long, at most 24h", "1h", CLI_ONCE, NULL},
    {"reason", "TEXT", "why, for the log: 10 to 200 letters", NULL, CLI_ONCE, NULL},
    {"end", NULL, "take back what was given so, and give nothing", NULL, CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_api_key_issue_options[] = {
    {"expires", "DURATION", "how long the key holds: 12h, 30d", "90d", CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_api_key_rotate_options[] = {
    {"expires", "DURATION", "how long the new key holds: 12h, 30d", "90d", CLI_ONCE, NULL},
    {"overlap", "DURATION", "how long the old key still holds beside it", "24h", CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_api_key_expire_options[] = {
    {"in", "DURATION", "when it ends; 0s: now", "0s", CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_issuer_add_options[] = {
    {"url", "URL", "the issuer as its tokens name it (iss), https", NULL, CLI_ONCE, NULL},
    {"audience", "TEXT", "what its tokens for this server name (aud)", NULL, CLI_ONCE, NULL},
    {"algorithm", "NAMES", "that it signs with: RS256, PS256, ES256, EdDSA, and those of 384, 512",
     NULL, CLI_COMMAS, NULL},
    {"jwks", "FILE", "its public keys (a JSON Web Key Set)", NULL, CLI_ONCE, "@file"},
    {"discover", NULL, "find its keys at URL/.well-known/openid-configuration", NULL, CLI_ONCE,
     NULL},
    {"ca", "FILE",
     "authorities (PEM) that its certificate is checked with, kept with it (default: the system's)",
     NULL, CLI_ONCE, "@file"},
    {"typ", "at+jwt", "take only tokens that say so (RFC 9068)", NULL, CLI_ONCE, "at+jwt"},
    {"skew", "DURATION", "that its clock may be off, at most 60s", "30s", CLI_ONCE, NULL},
    {"groups-claim", "CLAIM", "where its tokens name groups, e.g. realm_access.roles", "groups",
     CLI_ONCE, NULL},
    {"group", "VALUE=GROUP", "a group of its tokens is this one here; may be repeated", NULL,
     CLI_REPEATED, NULL},
    {0},
};

const struct cli_option cli_restore_options[] = {
    {"erasures", "LOG",
     "erase again who was erased since: the folder audit of the workspace as it went on, or a copy",
     NULL, CLI_ONCE, "@log"},
    {"without-erasures", NULL, "nobody is erased again; the log says so", NULL, CLI_ONCE, NULL},
    {0},
};
const struct cli_option cli_link_options[] = {
    {"certificate", "IDENTITY",
     "of a client certificate: spiffe://..., or subject:NAME;issuer:NAME (RFC 4514)", NULL,
     CLI_ONCE, NULL},
    {"token", "ISSUER:SUBJECT", "of a token: the issuer's name here, and the token's sub", NULL,
     CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_serve_options[] = {
    {"config", "FILE", "configuration (default: steward.yaml of the workspace)", NULL, CLI_ONCE,
     "@file"},
    {"listen", "ADDRESS:PORT", "instead of the configuration's; port 0 takes a free one", NULL,
     CLI_ONCE, NULL},
    {"port-file", "FILE", "write the port to FILE once the server answers", NULL, CLI_ONCE,
     "@made"},
    {0},
};

const struct cli_option cli_audit_verify_options[] = {
    {"vkey", "KEY",
     "the log's public key, from whoever you trust to tell it (default: the one beside the log)",
     NULL, CLI_ONCE, NULL},
    {"full", NULL, "read everything again, and not only what came since the last time", NULL,
     CLI_ONCE, NULL},
    {"state", "FILE",
     "what was seen of this log, instead of a file in ~/.local/state/steward/audit", NULL, CLI_ONCE,
     "@state"},
    {"policy", "FILE",
     "who must have cosigned it: a tlog-policy (docs/spec/witness.md); its log's key is --vkey",
     NULL, CLI_ONCE, "@file"},
    {"within", "DURATION", "with --policy: so long ago at most, such as 10m or 1d", NULL, CLI_ONCE,
     NULL},
    {0},
};

const struct cli_option cli_audit_show_options[] = {
    {"last", "N", "the newest N entries", "20", CLI_ONCE, NULL},
    {"from", "INDEX", "entries from INDEX on, instead of the newest", NULL, CLI_ONCE, NULL},
    {"action", "ACTION", "of this action only, as key.use or model.infer", NULL, CLI_ONCE, NULL},
    {"without", "ACTION", "not of this action", NULL, CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_audit_search_options[] = {
    {"last", "N", "the newest N that are found", "100", CLI_ONCE, NULL},
    {"scan", NULL, "read every entry, without the index", NULL, CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_audit_index_options[] = {
    {"check", NULL, "make every part again from the log and compare", NULL, CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_audit_export_options[] = {
    {"format", "FORMAT", "jsonl, ocsf (OCSF 1.8 events), cef or cloudevents (CloudEvents 1.0)",
     "jsonl", CLI_ONCE, "jsonl ocsf cef cloudevents"},
    {"output", "FILE", "append to FILE; -: to standard output", "-", CLI_ONCE, "@grown"},
    {"to", "RECEIVER",
     "HOST:PORT of a receiver of syslog (RFC 5424) over TLS, or kafka://HOST:PORT/TOPIC", NULL,
     CLI_ONCE, NULL},
    {"ca", "FILE", "with --to: certificates (PEM) that may sign its (default: the system's)", NULL,
     CLI_ONCE, "@file"},
    {"timeout", "DURATION", "with --to: of connecting, and of every wait", "30s", CLI_ONCE, NULL},
    {"destination", "NAME", "keep under NAME what was sent, and go on from there", NULL, CLI_ONCE,
     NULL},
    {"from", "INDEX", "from that entry on, instead of where the destination stands", NULL, CLI_ONCE,
     NULL},
    {"follow", NULL, "go on with each entry that comes, until it is interrupted", NULL, CLI_ONCE,
     NULL},
    {0},
};

const struct cli_option cli_audit_tail_options[] = {
    {"last", "N", "begin with the newest N entries", "10", CLI_ONCE, NULL},
    {"follow", NULL, "go on with each entry that comes, until it is interrupted", NULL, CLI_ONCE,
     NULL},
    {0},
};

const struct cli_option cli_audit_prove_options[] = {
    {"output", "FILE", "write the receipt to FILE instead of stdout", NULL, CLI_ONCE, "@made"},
    {"check", "FILE", "make nothing: check that receipt, offline", NULL, CLI_ONCE, "@file"},
    {"vkey", "KEY", "with --check: the log's public key, from whoever you trust to tell it", NULL,
     CLI_ONCE, NULL},
    {"policy", "FILE", "with --check: who must have cosigned its checkpoint: a tlog-policy", NULL,
     CLI_ONCE, "@file"},
    {0},
};

const struct cli_option cli_audit_check_options[] = {
    {"vkey", "KEY",
     "the log's public key (required unless --policy names it: a proof is worth what its key is)",
     NULL, CLI_ONCE, NULL},
    {"policy", "FILE", "who must have cosigned its checkpoint: a tlog-policy", NULL, CLI_ONCE,
     "@file"},
    {0},
};

const struct cli_option cli_witness_key_options[] = {
    {"name", "NAME", "of the witness, as policies and cosignatures have it: w1.example.com/a", NULL,
     CLI_ONCE, NULL},
    {"type", "TYPE", "of its key: ed25519, or ml-dsa-44 (needs OpenSSL 3.5 or newer)", "ed25519",
     CLI_ONCE, "ed25519 ml-dsa-44"},
    {"host", "NAME",
     "DNS name or address of its TLS certificate; may be repeated (default: this machine's "
     "loopback)",
     NULL, CLI_REPEATED, NULL},
    {0},
};

const struct cli_option cli_witness_serve_options[] = {
    {"log", "VKEY", "a log that it knows: its verifier key; may be repeated", NULL, CLI_REPEATED,
     NULL},
    {"logs", "FILE", "more of them, one in each line", NULL, CLI_ONCE, "@file"},
    {"listen", "ADDRESS:PORT", "port 0 takes a free one", "127.0.0.1:8444", CLI_ONCE, NULL},
    {"port-file", "FILE", "write the port to FILE once the witness answers", NULL, CLI_ONCE,
     "@made"},
    {0},
};
