/* main: the table of verbs. Adding one is adding a row and a file. */
#include "cli/cli.h"
#include "cli/courier.h"
#include "cli/data_options.h"
#include "cli/facet_options.h"
#include "cli/mitigate.h"

#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>

const struct cli_option cli_common[] = {
    {"workspace", "DIR", "the workspace (default: $STEWARD_WORKSPACE, else ./steward)", NULL,
     CLI_ONCE, "@dir"},
    {"passphrase-file", "FILE", "read the passphrase from FILE's first line", NULL, CLI_ONCE,
     "@file"},
    {"json", NULL, "print results as JSON", NULL, CLI_ONCE, NULL},
    {"help", NULL, "show this help", NULL, CLI_ONCE, NULL},
    {0},
};

static const struct cli_option none[] = {{0}};

static const struct cli_option certificate_renew_options[] = {
    {"host", "NAME", "as for init", NULL, CLI_REPEATED, NULL},
    {0},
};

static const struct cli_option dataset_add_options[] = {
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

static const struct cli_option dataset_erase_options[] = {
    {"subject", "VALUE", "the person, as the subject column has it; may be repeated", NULL,
     CLI_REPEATED, NULL},
    {"from-file", "FILE", "the persons, one in each line", NULL, CLI_ONCE, "@file"},
    {0},
};

static const struct cli_option dataset_show_options[] = {
    {"as", "PRINCIPAL", "show what that one may see; the values of masked columns are left out",
     NULL, CLI_ONCE, NULL},
    {0},
};

static const struct cli_option model_train_options[] = {
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

static const struct cli_option model_add_options[] = {
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

static const struct cli_option model_request_options[] = {
    {"data", "DATASET[:PART]",
     "dataset or dataset@version; with :test or :train, that part of the model's split", NULL,
     CLI_ONCE, NULL},
    {"output", "FILE", "write the request to FILE instead of stdout", NULL, CLI_ONCE, "@made"},
    {"as", "PRINCIPAL", "show what that one may see; the values of masked columns are left out",
     NULL, CLI_ONCE, NULL},
    {0},
};

static const struct cli_option assess_options[] = {
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

static const struct cli_option predict_options[] = {
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

static const struct cli_option mitigate_options[] = {
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

static const struct cli_option certify_options[] = {
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

static const struct cli_option principal_add_options[] = {
    {"role", "ROLE", "one of \"steward role list\", e.g. caller", NULL, CLI_ONCE,
     "admin data-scientist operator caller auditor"},
    {"resource", "PATTERN", "what the role holds on, e.g. models/mortgage", "**", CLI_ONCE, NULL},
    {0},
};

static const struct cli_option principal_grant_options[] = {
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

static const struct cli_option role_import_options[] = {
    {"yet-to-come", NULL, "models and datasets that the file names need not be there", NULL,
     CLI_ONCE, NULL},
    {0},
};

static const struct cli_option access_explain_options[] = {
    {"at", "TIME", "as if it were then, e.g. 2026-12-31T18:00:00Z (default: now)", NULL, CLI_ONCE,
     NULL},
    {"from", "ADDRESS", "as if it came from there", NULL, CLI_ONCE, NULL},
    {"purpose", "WORD", "as if that purpose were stated", NULL, CLI_ONCE, NULL},
    {"certificate", NULL, "as if a client certificate came with it", NULL, CLI_ONCE, NULL},
    {"group", "NAME", "as if a token had named that group; may be repeated", NULL, CLI_REPEATED,
     NULL},
    {0},
};

static const struct cli_option break_glass_options[] = {
    {"role", "ROLE", "what the emergency needs", NULL, CLI_ONCE,
     "admin data-scientist operator caller auditor"},
    {"resource", "PATTERN", "where", "**", CLI_ONCE, NULL},
    {"for", "DURATION", "how long, at most 24h", "1h", CLI_ONCE, NULL},
    {"reason", "TEXT", "why, for the log: 10 to 200 letters", NULL, CLI_ONCE, NULL},
    {"end", NULL, "take back what was given so, and give nothing", NULL, CLI_ONCE, NULL},
    {0},
};

static const struct cli_option api_key_issue_options[] = {
    {"expires", "DURATION", "how long the key holds: 12h, 30d", "90d", CLI_ONCE, NULL},
    {0},
};

static const struct cli_option api_key_rotate_options[] = {
    {"expires", "DURATION", "how long the new key holds: 12h, 30d", "90d", CLI_ONCE, NULL},
    {"overlap", "DURATION", "how long the old key still holds beside it", "24h", CLI_ONCE, NULL},
    {0},
};

static const struct cli_option api_key_expire_options[] = {
    {"in", "DURATION", "when it ends; 0s: now", "0s", CLI_ONCE, NULL},
    {0},
};

static const struct cli_option issuer_add_options[] = {
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

static const struct cli_option restore_options[] = {
    {"erasures", "LOG",
     "erase again who was erased since: the folder audit of the workspace as it went on, or a copy",
     NULL, CLI_ONCE, "@log"},
    {"without-erasures", NULL, "nobody is erased again; the log says so", NULL, CLI_ONCE, NULL},
    {0},
};
static const struct cli_option link_options[] = {
    {"certificate", "IDENTITY",
     "of a client certificate: spiffe://..., or subject:NAME;issuer:NAME (RFC 4514)", NULL,
     CLI_ONCE, NULL},
    {"token", "ISSUER:SUBJECT", "of a token: the issuer's name here, and the token's sub", NULL,
     CLI_ONCE, NULL},
    {0},
};

static const struct cli_option serve_options[] = {
    {"config", "FILE", "configuration (default: steward.yaml of the workspace)", NULL, CLI_ONCE,
     "@file"},
    {"listen", "ADDRESS:PORT", "instead of the configuration's; port 0 takes a free one", NULL,
     CLI_ONCE, NULL},
    {"port-file", "FILE", "write the port to FILE once the server answers", NULL, CLI_ONCE,
     "@made"},
    {0},
};

static const struct cli_option audit_verify_options[] = {
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

static const struct cli_option audit_show_options[] = {
    {"last", "N", "the newest N entries", "20", CLI_ONCE, NULL},
    {"from", "INDEX", "entries from INDEX on, instead of the newest", NULL, CLI_ONCE, NULL},
    {"action", "ACTION", "of this action only, as key.use or model.infer", NULL, CLI_ONCE, NULL},
    {"without", "ACTION", "not of this action", NULL, CLI_ONCE, NULL},
    {0},
};

static const struct cli_option audit_search_options[] = {
    {"last", "N", "the newest N that are found", "100", CLI_ONCE, NULL},
    {"scan", NULL, "read every entry, without the index", NULL, CLI_ONCE, NULL},
    {0},
};

static const struct cli_option audit_index_options[] = {
    {"check", NULL, "make every part again from the log and compare", NULL, CLI_ONCE, NULL},
    {0},
};

static const struct cli_option audit_export_options[] = {
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

static const struct cli_option audit_tail_options[] = {
    {"last", "N", "begin with the newest N entries", "10", CLI_ONCE, NULL},
    {"follow", NULL, "go on with each entry that comes, until it is interrupted", NULL, CLI_ONCE,
     NULL},
    {0},
};

static const struct cli_option audit_prove_options[] = {
    {"output", "FILE", "write the receipt to FILE instead of stdout", NULL, CLI_ONCE, "@made"},
    {"check", "FILE", "make nothing: check that receipt, offline", NULL, CLI_ONCE, "@file"},
    {"vkey", "KEY", "with --check: the log's public key, from whoever you trust to tell it", NULL,
     CLI_ONCE, NULL},
    {"policy", "FILE", "with --check: who must have cosigned its checkpoint: a tlog-policy", NULL,
     CLI_ONCE, "@file"},
    {0},
};

static const struct cli_option audit_check_options[] = {
    {"vkey", "KEY",
     "the log's public key (required unless --policy names it: a proof is worth what its key is)",
     NULL, CLI_ONCE, NULL},
    {"policy", "FILE", "who must have cosigned its checkpoint: a tlog-policy", NULL, CLI_ONCE,
     "@file"},
    {0},
};

static const struct cli_option witness_key_options[] = {
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

static const struct cli_option witness_serve_options[] = {
    {"log", "VKEY", "a log that it knows: its verifier key; may be repeated", NULL, CLI_REPEATED,
     NULL},
    {"logs", "FILE", "more of them, one in each line", NULL, CLI_ONCE, "@file"},
    {"listen", "ADDRESS:PORT", "port 0 takes a free one", "127.0.0.1:8444", CLI_ONCE, NULL},
    {"port-file", "FILE", "write the port to FILE once the witness answers", NULL, CLI_ONCE,
     "@made"},
    {0},
};

const struct cli_verb cli_verbs[] = {
    {"init", "DIR", "make a workspace: keys, TLS certificate, audit log",
     "Everything in a workspace is encrypted under a key that the passphrase opens, or, with "
     "--provider, a token's key (pkcs11:token=T;object=O?module-path=PATH) or a transit service's "
     "(transit:https://HOST:PORT/MOUNT/KEY?ca-file=PATH&token-file=PATH). There is no way back "
     "without it: keep it where you keep such things. "
     "DIR must be absent or empty.",
     cli_init_options, cli_init, true},
    {"dataset add", "NAME FILE",
     "import a CSV, Parquet or JSON file, sealed, as the next version of NAME",
     "The format is told from FILE's ending: .csv .tsv .csv.gz .parquet .json .jsonl .ndjson. "
     "Types and missing values "
     "are inferred from all rows and can be overridden.",
     dataset_add_options, cli_dataset_add, true},
    {"dataset list", "", "the datasets of the workspace", NULL, none, cli_dataset_list, true},
    {"dataset show", "NAME",
     "columns, types, roles and missing values of a dataset; NAME@N for version N", NULL,
     dataset_show_options, cli_dataset_show, true},
    {"dataset subjects", "NAME", "how many persons a dataset is about, and who has been erased",
     NULL, none, cli_dataset_subjects, true},
    {"dataset erase", "NAME",
     "erase persons: their keys are destroyed, and with them their rows in every version and in "
     "every copy of the sealed data",
     "What was made of the data (models, assessments, exported files) and copies of the folder "
     "subjects/ made before (backups) are not reached; the answer lists the former.",
     dataset_erase_options, cli_dataset_erase, true},
    {"model train", "NAME",
     "train gradient-boosted trees; registered as the next version of NAME, sealed and signed",
     NULL, model_train_options, cli_model_train, true},
    {"model add", "NAME",
     "register a model file of another library as the next version of NAME, sealed and signed",
     "The file is untrusted and checked whole before anything of it is used. Its features are "
     "found by name; then serve and assess take it as one that was trained here, and predict and "
     "explain as workspace:NAME.",
     model_add_options, cli_model_add, true},
    {"model list", "", "the models of the workspace", NULL, none, cli_model_list, true},
    {"model show", "NAME", "a model's manifest: data, parameters, features; NAME@N for version N",
     NULL, none, cli_model_show, true},
    {"model request", "NAME",
     "the infer request that sends these rows to the model, as a client would",
     "The body is JSON of the Open Inference Protocol, one tensor a feature; a missing value is "
     "null. The rows leave the workspace in clear: the export is an entry of the audit log.",
     model_request_options, cli_model_request, false},
    {"assess", "MODEL",
     "performance, fairness, explanations, failures and bias of a model on a dataset",
     "The assessment is kept sealed in the workspace; --report draws it as one HTML file that "
     "needs no network. MODEL@N "
     "names a version.",
     assess_options, cli_assess, true},
    {"explain", "", "why a model answers as it does, of a file or behind a URL",
     "A model of trees or a linear one explains itself: exact attributions (path-dependent "
     "TreeSHAP; with --background interventional) of every row "
     "on the margin, in seconds; their sum and the expected value is the row's margin. "
     "With --output-space probability of what it answers; of several classes that is exact where "
     "few features vary, else drawn, with its error told. "
     "With --method or --endpoint the model is a black box, of which only the answers are known. "
     "Nothing is left out in silence: rows that are drawn, errors of what is drawn, values that "
     "are missing are told. Endpoints are reached over TLS without proxies or redirects; "
     "plain http only on this machine.",
     cli_explain_options, cli_explain, true, "endpoint"}, /* asks the model behind it */
    {"predict", "", "what a model file answers for each row of a data file",
     "Needs no workspace. The output has a row for each row of the data, in order, with the "
     "columns "
     "margin and prediction, 9 significant digits: the sum of the trees, and what the model "
     "answers "
     "(a probability, a value). A model of several classes has CLASS:margin and CLASS:prediction "
     "for each class. The data's columns are found by the model's feature names.",
     predict_options, cli_predict, false},
    {"bias", "", "what is uneven in a data file before any model is trained",
     "Needs no workspace. Labels by group (Clarify's pre-training metrics, data balance), within "
     "strata, "
     "who is missing against a reference, columns that tell the group, and missing values by "
     "group; "
     "every number with its interval or a p-value that is adjusted for their number.",
     cli_bias_options, cli_bias, true},
    {"fairness", "", "whom predictions in a data file treat differently, and how certainly",
     "Needs no workspace. Fairlearn's and Clarify's metrics by group, by intersection of sensitive "
     "columns and within control columns, each with its interval; differences and ratios with "
     "p-values that are adjusted for their number; a sentence for each.",
     cli_fairness_options, cli_fairness, true},
    {"errors", "",
     "where a model fails: error tree, worst slices, calibration, of a file of scored rows",
     "Needs no workspace, and uses every row. Slices are found exactly (SliceLine's score), and "
     "each "
     "is told with what chance would find among as many candidates. Slices, tree nodes and bins "
     "come "
     "with the condition that --cohort and --within take, here and in assess.",
     cli_errors_options, cli_errors, true},
    {"mitigate", "[MODEL]", "make a model, its decisions or its training data fairer",
     "With MODEL, one of the workspace: it is trained again on the same rows, which its sensitive "
     "columns weigh, or decides by a threshold for each group of one sensitive column (or by "
     "chance "
     "between two, with --randomised), which each call must then send; the result is registered as "
     "the next version, and old and new are "
     "assessed side by side. All methods are for two classes; for several reweighing and the "
     "correlation remover, for numbers bounded_group_loss and the correlation remover. With "
     "--data, on a file: thresholds by group for scored rows, weights for training, or features "
     "without linear trace of a sensitive column.",
     mitigate_options, cli_mitigate, true},
    {"certify", "",
     "on which share of the input space changing a sensitive feature alone changes the decision",
     "Needs no workspace. Lower and upper bound hold whenever the search stops; for the rows "
     "themselves the share is exact.",
     certify_options, cli_certify, true},
    {"principal add", "NAME", "add somebody (or a program) with a role", NULL,
     principal_add_options, cli_principal_add, true},
    {"principal list", "", "principals and what they were granted", NULL, none, cli_principal_list,
     true},
    {"principal grant", "NAME", "grant a further role, or forbid one", NULL,
     principal_grant_options, cli_principal_grant, true},
    {"principal remove", "NAME", "remove a principal; its keys stop working", NULL, none,
     cli_principal_remove, true},
    {"principal link", "NAME", "a client certificate or a token's subject is this principal", NULL,
     link_options, cli_principal_link, true},
    {"principal unlink", "", "it is no more", NULL, link_options, cli_principal_unlink, true},
    {"principal links", "", "certificates and tokens that are linked to principals", NULL, none,
     cli_principal_links, true},
    {"issuer add", "NAME", "take tokens (OpenID Connect, JWT) of an issuer",
     "A token's subject is a principal NAME:SUBJECT, with the rights of the groups that it names "
     "and --group maps; \"principal link\" makes a subject a principal of its own. With --discover "
     "serve fetches the keys through network.egress (purpose jwks).",
     issuer_add_options, cli_issuer_add, true},
    {"issuer list", "", "issuers whose tokens are taken", NULL, none, cli_issuer_list, true},
    {"issuer remove", "NAME", "take no more tokens of that issuer", NULL, none, cli_issuer_remove,
     true},
    {"role import", "FILE", "take roles, groups and grants from a YAML file, whole or not at all",
     "A role or group that is there becomes what the file says; whoever stands under \"grants\" "
     "has "
     "these afterwards and no others. What refers to nothing is refused with its line. "
     "docs/spec/access.md has the form.",
     role_import_options, cli_role_import, true},
    {"role list", "", "roles, built-in ones first, and what they may", NULL, none, cli_role_list,
     true},
    {"role remove", "NAME", "remove a role that nobody is granted", NULL, none, cli_role_remove,
     true},
    {"group list", "", "groups and their members", NULL, none, cli_group_list, true},
    {"group remove", "NAME", "remove a group and what it was granted", NULL, none, cli_group_remove,
     true},
    {"access explain", "PRINCIPAL ACTION RESOURCE",
     "which rule decides whether somebody may do something, and why",
     "E.g. steward access explain loan-desk model.infer models/mortgage. Exit code 3 when it is "
     "denied.",
     access_explain_options, cli_access_explain, true},
    {"access break-glass", "PRINCIPAL", "give a role for an emergency: for hours, loud, audited",
     "A denial still beats it. Every decision that rests on it says BREAK-GLASS and the reason in "
     "the log.",
     break_glass_options, cli_access_break_glass, true},
    {"api-key issue", "PRINCIPAL", "issue an API key; it is shown this once",
     "The workspace keeps only a keyed hash of it.", api_key_issue_options, cli_api_key_issue,
     true},
    {"api-key rotate", "KEY-ID", "issue a new key for the same principal; the old one soon ends",
     "Both hold for the overlap, so that a client can change over without a gap.",
     api_key_rotate_options, cli_api_key_rotate, true},
    {"api-key expire", "KEY-ID", "let a key end earlier than it would have", NULL,
     api_key_expire_options, cli_api_key_expire, true},
    {"api-key list", "",
     "API keys: whose, since and until when, last used (to the hour); never the key", NULL, none,
     cli_api_key_list, true},
    {"api-key revoke", "KEY-ID", "stop a key at once", NULL, none, cli_api_key_revoke, true},
    {"certificate install", "CHAIN-FILE KEY-FILE", "take a TLS certificate of another authority",
     "CHAIN-FILE: the server's certificate, then those that signed it, in PEM; KEY-FILE: its "
     "private key, in PEM without a passphrase, on P-256 or P-384 or RSA with 2048 to 4096 bits. "
     "The key is sealed in the workspace; keep or destroy the file.",
     none, cli_certificate_install, false},
    {"certificate renew", "", "make a new self-signed TLS certificate and key", NULL,
     certificate_renew_options, cli_certificate_renew, false},
    {"key list", "", "the workspace's key and its holder", NULL, none, cli_key_list, true},
    {"key rotate", "", "a new workspace key; data keys are re-wrapped, data is not touched", NULL,
     none, cli_key_rotate, true},
    {"key rewrap", "", "finish a rotation; wrap the workspace key anew, as for a new passphrase",
     "Also under the newest version of a transit service's key, after that was rotated.",
     cli_key_rewrap_options, cli_key_rewrap, true},
    {"key revoke", "", "let nothing of the workspace open until steward key restore",
     "A server that runs answers calls to models 503, with the reason, within keys.check (60s).",
     cli_key_revoke_options, cli_key_revoke, false},
    {"key restore", "", "let a revoked key be used again", NULL, none, cli_key_restore, false},
    {"key export-public", "", "the public keys that signatures are checked with", NULL, none,
     cli_key_export_public, true},
    {"backup create", "FILE", "the whole workspace in one sealed file, also while a server runs",
     "Everything is opened and checked on the way. FILE opens with the passphrase of today, "
     "whatever "
     "becomes of the workspace: keep both, apart.",
     none, cli_backup_create, true},
    {"backup verify", "FILE", "check that every byte of a backup is what was written",
     "Asks for the passphrase of when it was made.", none, cli_backup_verify, true},
    {"backup restore", "FILE DIR", "make the workspace of a backup anew in DIR",
     "DIR is new or empty, and appears when everything in it has been opened and checked. Asks for "
     "the passphrase of when the backup was made. Principals, keys and grants are as they were "
     "then: what was revoked since must be revoked again. Where it has keys of persons, one of "
     "both "
     "options must say what becomes of who was erased since.",
     restore_options, cli_backup_restore, true},
    {"backup erase-again", "LOG",
     "erase in this workspace whom LOG, a later copy of its own log, says were erased",
     "For a workspace that was restored without. LOG must verify under this workspace's key; what "
     "it does not have any more is passed over.",
     none, cli_backup_erase_again, true},
    {"serve", "", "answer calls over TLS until SIGINT or SIGTERM; calls in flight are finished",
     NULL, serve_options, cli_serve, false, CLI_BECOMES}, /* steward-gateway */
    {"capture list", "", "calls whose bodies were captured; no content", NULL,
     cli_capture_list_options, cli_capture_list, true},
    {"capture show", "CAPTURE", "what a captured call asked and was answered",
     "CAPTURE is MODEL/NUMBER, as the call's entry has it. Wants the passphrase and the API key of "
     "somebody with capture.read on captures/MODEL; the log says who reads, before.",
     cli_capture_show_options, cli_capture_show, false},
    {"capture erase", "[CAPTURE]", "destroy captures with their keys, before their time",
     "The one that is named, or with --model and --older-than all such. Not undone.",
     cli_capture_erase_options, cli_capture_erase, false},
    {"policy list", "", "configuration policies that are assigned, and where", NULL,
     cli_policy_list_options, cli_policy_list, true},
    {"policy show", "POLICY", "a policy's text: of a built-in one by its id, or of a file", NULL,
     none, cli_policy_show, true},
    {"policy fields", "", "what policies can look at: types of resources and their fields", NULL,
     none, cli_policy_fields, true},
    {"policy state", "", "the workspace and its server as policies see them", NULL,
     cli_policy_state_options, cli_policy_state, true},
    {"policy assign", "POLICY", "let a policy hold on the workspace, a model or an endpoint",
     "POLICY is a built-in one's id or a file (docs/spec/policy.md); its text is kept with the "
     "assignment. A change after which a resource newly does not comply with one whose effect is "
     "deny is refused, and the error names the policy.",
     cli_policy_assign_options, cli_policy_assign, true},
    {"policy unassign", "ASSIGNMENT", "let it hold no more; its exemptions go with it", NULL,
     cli_policy_unassign_options, cli_policy_unassign, true},
    {"policy exempt", "ASSIGNMENT", "a resource need not comply until a date", NULL,
     cli_policy_exempt_options, cli_policy_exempt, true},
    {"policy check", "", "what complies with the policies that are assigned, and what does not",
     "What the state does not hold is not evaluable, never compliant. Exit code 7 when something "
     "does not comply and is not exempt.",
     cli_policy_check_options, cli_policy_check, true},
    {"policy test", "[POLICY...]", "run the policies' own examples: the built-in ones, or files",
     "Exit code 7 when an example comes out another way than it says.", none, cli_policy_test,
     true},
    {"audit verify", "[DIR]",
     "recompute what was added to the log since it was verified last, and check its signature",
     "The first time, and with --full, every entry and hash is read and computed anew, and the "
     "first bad byte named. What was seen is kept in a file of yours, out of reach of who writes "
     "the log: a log that was rolled back, or does not begin with what was seen, does not verify. "
     "Needs no passphrase: DIR may be a copy of a workspace's audit directory. Exit code 6 when "
     "the log was changed.",
     audit_verify_options, cli_audit_verify, true},
    {"audit show", "[DIR]", "entries of the log; needs no passphrase", NULL, audit_show_options,
     cli_audit_show, true},
    {"audit search", "QUERY [DIR]", "entries that a query finds; needs no passphrase",
     "QUERY is terms with blanks between them, all of which hold: FIELD=VALUE, FIELD!=VALUE, of "
     "times and numbers also < <= > >=, or a text that stands somewhere in the entry. Values with "
     "blanks are put in double quotes. Fields: principal, authenticated_by, action, resource, "
     "model, model_version, decision, rule, rules_version, reason, purpose, address, id, subject "
     "(a person's hash, as dataset erase names it), http_status, rows, prompt_tokens, "
     "completion_tokens, total_tokens, duration_ns, time, guard and guard_rule (the check that "
     "refused), output (what roles left of it). Times: "
     "2026-11-23, 2026-11-23T10:20:30Z, or 7d for so long ago. Example: 'principal=loan-desk "
     "decision=deny time>=7d'. The index is brought up to date before; it is a cache, and what "
     "does not fit the log is not believed.",
     audit_search_options, cli_audit_search, true},
    {"audit index", "[DIR]", "bring the index of searches up to date, or check it",
     "Searching does it, too. Exit code 6 when --check found a part that is not what the log "
     "gives.",
     audit_index_options, cli_audit_index, true},
    {"audit export", "[DIR]", "the log as events for those who collect them, one in a line",
     "Entries that a checkpoint covers, in order, each at least once; every event has its index, "
     "so "
     "that one that comes twice is known. With --destination, what is durably written is "
     "remembered "
     "in the log's folder (export/NAME), and the next run goes on behind it. --to needs a line of "
     "network.egress (purpose export), and writes an entry that it connects. Syslog has no "
     "answers: "
     "what the receiver's system has, with the connection still open a second later, counts as "
     "received. Kafka has every entry acknowledged before the next 1,024; its messages have the "
     "index as a header. With --follow a receiver that is gone is tried again. A server sends by "
     "itself: "
     "audit.export.",
     audit_export_options, cli_audit_export, false, "to"}, /* sends to that receiver */
    {"audit tail", "[DIR]", "the newest entries, and those that come; needs no passphrase",
     "With --json each entry is a line of its own.", audit_tail_options, cli_audit_tail, true},
    {"audit prove", "[INDEX] [DIR]",
     "a receipt: the proof (c2sp.org/tlog-proof) that entry INDEX is in the log",
     "A call's INDEX is in the header steward-log-index of its answer. A receipt has the entry in "
     "it; --check FILE needs nothing but the receipt and the log's key, and prints the entry.",
     audit_prove_options, cli_audit_prove, true},
    {"audit check", "PROOF-FILE [ENTRY-FILE]", "check such a proof, offline",
     "ENTRY-FILE holds the entry's bytes, as `audit show --json` has them in \"raw\"; without it "
     "the entry in the proof is meant, as with `audit prove --check`.",
     audit_check_options, cli_audit_check, true},
    {"audit cosign", "[DIR]", "have the newest checkpoint cosigned by audit.witnesses, now",
     "A server does it by itself, and so does a verb that writes an entry. Needs no passphrase. "
     "Exit code 6 when a witness knows a larger log or another one, or lies; 1 when fewer than "
     "audit.quorum have cosigned.",
     none, cli_audit_cosign, true, CLI_ALWAYS}, /* asks the witnesses */
    {"witness key", "DIR", "make a witness of other logs: its folder, key and TLS certificate",
     "Prints its verifier key, which policies name (docs/spec/witness.md). The key is in clear in "
     "DIR: keep the folder on a machine that is not the log's, and never put an old copy of it "
     "back.",
     witness_key_options, cli_witness_key, true},
    {"witness serve", "DIR",
     "cosign checkpoints of logs over HTTPS (C2SP tlog-witness) until SIGINT or SIGTERM", NULL,
     witness_serve_options, cli_witness_serve, false, CLI_BECOMES}, /* steward-witness */
    {"usage", "[DIR]", "calls of the log added up by who, model, version, day; what quotas leave",
     "Needs no passphrase. p50, p95 and p99 are at most 1/64 off; more than 1000 groups are cut, "
     "and the rest is one group.",
     cli_usage_options, cli_usage, true},
    {"comply list", "", "the catalogues of laws and standards that there are", NULL, none,
     cli_comply_list, true},
    {"comply show", "CATALOGUE [CONTROL]",
     "its controls, the checks that bear on each, and what no machine can check", NULL, none,
     cli_comply_show, true},
    {"comply report", "",
     "hold the workspace against a catalogue: what its checks find, control by control",
     "Policies that are not assigned are held against the state with their defaults. The findings' "
     "digest is an entry of the log, whose receipt is in the report. Exit code 7 when a control "
     "fails.",
     cli_comply_report_options, cli_comply_report, true},
    {"record questions", "FORM [MODEL]",
     "what a law wants written down, as a file of questions to fill in",
     "FORM is processing (GDPR 30), impact (GDPR 35, AI Act 27), technical-documentation (AI Act "
     "11) or instructions (AI Act 13). What the workspace knows by itself is not asked.",
     cli_record_questions_options, cli_record_questions},
    {"record answer", "FORM [MODEL]", "keep the answers in such a file, as a new version", NULL,
     cli_record_answer_options, cli_record_answer, true},
    {"record show", "FORM [MODEL]", "the record: the answers, and what the workspace knows", NULL,
     cli_record_show_options, cli_record_show, true},
    {"record list", "", "which records are kept, and how many questions are open", NULL, none,
     cli_record_list, true},
    {"review add", "ENTRY", "keep what a person made of a decision: overridden, contested, checked",
     "ENTRY is the number of the call's entry in the log. GDPR 22(3), AI Act 14 and 26(2).",
     cli_review_add_options, cli_review_add, true},
    {"review list", "", "the reviews of decisions", NULL, cli_review_list_options, cli_review_list,
     true},
    {"incident rules", "", "duties to report incidents, and their deadlines", NULL, none,
     cli_incident_rules, true},
    {"incident open", "NAME", "begin the report of an incident; its clock runs", NULL,
     cli_incident_open_options, cli_incident_open, true},
    {"incident note", "NAME TEXT", "add a note to it", NULL, none, cli_incident_note, true},
    {"incident reported", "NAME TEXT", "it was reported; TEXT says to whom and how", NULL,
     cli_incident_reported_options, cli_incident_reported, true},
    {"incident close", "NAME OUTCOME", "end it", NULL, cli_incident_close_options,
     cli_incident_close, true},
    {"incident show", "NAME", "one incident, with its notes and clock", NULL, none,
     cli_incident_show, true},
    {"incident list", "", "all of them; exit code 7 when a report is overdue", NULL, none,
     cli_incident_list, true},
    {"config example", "", "a configuration with every key, its meaning and its default (YAML)",
     NULL, none, cli_config_example, false},
    {"config check", "[FILE]",
     "read a configuration as serve would, and show every value that holds",
     "FILE is steward.yaml of the workspace when it is not given. Needs no passphrase.", none,
     cli_config_check, true},
    {"help", "[VERB...]", "this help, or a verb's", NULL, none, cli_help, false},
    {"man", "", "the manual page, in troff: steward man | man -l -", NULL, none, cli_manual, false},
    {"completion", "", "completion for bash: source <(steward completion)", NULL, none,
     cli_completion, false},
    {0},
};

int
main(int argc, char **argv)
{
    file_fill_standard();
    secret_shield_process();
    (void)umask(077);
    (void)signal(SIGPIPE, SIG_IGN);
    struct cli c = {0};
    struct courier courier = {0};
    struct status s = cli_parse(argc, argv, &c);
    if (status_ok(s) && c.verb != NULL) {
        courier_start(&c, &courier);
        s = cli_confine(&c);
        s = status_ok(s) ? c.verb->run(&c) : s;
        cli_end(&c);
    }
    const int told = courier_end(&courier);
    s = status_ok(s) ? cli_flush(&c.diag) : s;
    if (!status_ok(s)) {
        return cli_tell(s, &c.diag);
    }
    return c.exit_code != 0 ? c.exit_code : told;
}
