/* main: the table of verbs. Adding one is adding a row and a file. */
#include "cli/cli.h"
#include "cli/courier.h"
#include "cli/options.h"

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
     "@secret"},
    {"json", NULL, "print results as JSON", NULL, CLI_ONCE, NULL},
    {"help", NULL, "show this help", NULL, CLI_ONCE, NULL},
    {0},
};

static const struct cli_option none[] = {{0}};

const struct cli_verb cli_verbs[] = {
    {"init", "DIR", "make a workspace: keys, TLS certificate, audit log",
     "Everything in a workspace is encrypted under a key that the passphrase opens, or, with "
     "--provider, a token's key (pkcs11:token=T;object=O?module-path=PATH) or a transit service's "
     "(transit:https://HOST:PORT/MOUNT/KEY?ca-file=PATH&token-file=PATH). There is no way back "
     "without it: keep it where you keep such things. "
     "DIR must be absent or empty.",
     cli_init_options, cli_init, CLI_WITH_CREDENTIAL, true, .paths = "@place"},
    {"dataset add", "NAME FILE",
     "import a CSV, Parquet or JSON file, sealed, as the next version of NAME",
     "The format is told from FILE's ending: .csv .tsv .csv.gz .parquet .json .jsonl .ndjson. "
     "Types and missing values "
     "are inferred from all rows and can be overridden.",
     cli_dataset_add_options, cli_dataset_add, CLI_ON_WORKSPACE, true, .paths = "- @table"},
    {"dataset list", "", "the datasets of the workspace", NULL, none, cli_dataset_list,
     CLI_ON_WORKSPACE, true},
    {"dataset show", "NAME",
     "columns, types, roles and missing values of a dataset; NAME@N for version N", NULL,
     cli_dataset_show_options, cli_dataset_show, CLI_ON_WORKSPACE, true},
    {"dataset subjects", "NAME", "how many persons a dataset is about, and who has been erased",
     NULL, none, cli_dataset_subjects, CLI_ON_WORKSPACE, true},
    {"dataset erase", "NAME",
     "erase persons: their keys are destroyed, and with them their rows in every version and in "
     "every copy of the sealed data",
     "What was made of the data (models, assessments, exported files) and copies of the folder "
     "subjects/ made before (backups) are not reached; the answer lists the former.",
     cli_dataset_erase_options, cli_dataset_erase, CLI_ON_WORKSPACE, true},
    {"model train", "NAME",
     "train gradient-boosted trees; registered as the next version of NAME, sealed and signed",
     NULL, cli_model_train_options, cli_model_train, CLI_ON_WORKSPACE, true},
    {"model add", "NAME",
     "register a model file of another library as the next version of NAME, sealed and signed",
     "The file is untrusted and checked whole before anything of it is used. Its features are "
     "found by name; then serve and assess take it as one that was trained here, and predict and "
     "explain as workspace:NAME.",
     cli_model_add_options, cli_model_add, CLI_ON_WORKSPACE, true},
    {"model list", "", "the models of the workspace", NULL, none, cli_model_list, CLI_ON_WORKSPACE,
     true},
    {"model show", "NAME", "a model's manifest: data, parameters, features; NAME@N for version N",
     NULL, none, cli_model_show, CLI_ON_WORKSPACE, true},
    {"model request", "NAME",
     "the infer request that sends these rows to the model, as a client would",
     "The body is JSON of the Open Inference Protocol, one tensor a feature; a missing value is "
     "null. The rows leave the workspace in clear: the export is an entry of the audit log.",
     cli_model_request_options, cli_model_request, CLI_ON_WORKSPACE, false},
    {"assess", "MODEL",
     "performance, fairness, explanations, failures and bias of a model on a dataset",
     "The assessment is kept sealed in the workspace; --report draws it as one HTML file that "
     "needs no network. MODEL@N "
     "names a version.",
     cli_assess_options, cli_assess, CLI_ON_WORKSPACE, true},
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
     cli_explain_options, cli_explain, CLI_ON_FILES, true,
     "endpoint"}, /* asks the model behind it */
    {"predict", "", "what a model file answers for each row of a data file",
     "Needs no workspace. The output has a row for each row of the data, in order, with the "
     "columns "
     "margin and prediction, 9 significant digits: the sum of the trees, and what the model "
     "answers "
     "(a probability, a value). A model of several classes has CLASS:margin and CLASS:prediction "
     "for each class. The data's columns are found by the model's feature names.",
     cli_predict_options, cli_predict, CLI_ON_FILES, false},
    {"bias", "", "what is uneven in a data file before any model is trained",
     "Needs no workspace. Labels by group (Clarify's pre-training metrics, data balance), within "
     "strata, "
     "who is missing against a reference, columns that tell the group, and missing values by "
     "group; "
     "every number with its interval or a p-value that is adjusted for their number.",
     cli_bias_options, cli_bias, CLI_ON_FILES, true},
    {"fairness", "", "whom predictions in a data file treat differently, and how certainly",
     "Needs no workspace. Fairlearn's and Clarify's metrics by group, by intersection of sensitive "
     "columns and within control columns, each with its interval; differences and ratios with "
     "p-values that are adjusted for their number; a sentence for each.",
     cli_fairness_options, cli_fairness, CLI_ON_FILES, true},
    {"errors", "",
     "where a model fails: error tree, worst slices, calibration, of a file of scored rows",
     "Needs no workspace, and uses every row. Slices are found exactly (SliceLine's score), and "
     "each "
     "is told with what chance would find among as many candidates. Slices, tree nodes and bins "
     "come "
     "with the condition that --cohort and --within take, here and in assess.",
     cli_errors_options, cli_errors, CLI_ON_FILES, true},
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
     cli_mitigate_options, cli_mitigate, CLI_ON_FILES, true, .paths = "@model"},
    {"certify", "",
     "on which share of the input space changing a sensitive feature alone changes the decision",
     "Needs no workspace. Lower and upper bound hold whenever the search stops; for the rows "
     "themselves the share is exact.",
     cli_certify_options, cli_certify, CLI_ON_FILES, true},
    {"principal add", "NAME", "add somebody (or a program) with a role", NULL,
     cli_principal_add_options, cli_principal_add, CLI_ON_WORKSPACE, true},
    {"principal list", "", "principals and what they were granted", NULL, none, cli_principal_list,
     CLI_ON_WORKSPACE, true},
    {"principal grant", "NAME", "grant a further role, or forbid one", NULL,
     cli_principal_grant_options, cli_principal_grant, CLI_ON_WORKSPACE, true},
    {"principal remove", "NAME", "remove a principal; its keys stop working", NULL, none,
     cli_principal_remove, CLI_ON_WORKSPACE, true},
    {"principal link", "NAME", "a client certificate or a token's subject is this principal", NULL,
     cli_link_options, cli_principal_link, CLI_ON_WORKSPACE, true},
    {"principal unlink", "", "it is no more", NULL, cli_link_options, cli_principal_unlink,
     CLI_ON_WORKSPACE, true},
    {"principal links", "", "certificates and tokens that are linked to principals", NULL, none,
     cli_principal_links, CLI_ON_WORKSPACE, true},
    {"issuer add", "NAME", "take tokens (OpenID Connect, JWT) of an issuer",
     "A token's subject is a principal NAME:SUBJECT, with the rights of the groups that it names "
     "and --group maps; \"principal link\" makes a subject a principal of its own. With --discover "
     "serve fetches the keys through network.egress (purpose jwks).",
     cli_issuer_add_options, cli_issuer_add, CLI_ON_WORKSPACE, true},
    {"issuer list", "", "issuers whose tokens are taken", NULL, none, cli_issuer_list,
     CLI_ON_WORKSPACE, true},
    {"issuer remove", "NAME", "take no more tokens of that issuer", NULL, none, cli_issuer_remove,
     CLI_ON_WORKSPACE, true},
    {"role import", "FILE", "take roles, groups and grants from a YAML file, whole or not at all",
     "A role or group that is there becomes what the file says; whoever stands under \"grants\" "
     "has "
     "these afterwards and no others. What refers to nothing is refused with its line. "
     "docs/spec/access.md has the form.",
     cli_role_import_options, cli_role_import, CLI_ON_WORKSPACE, true, .paths = "@file"},
    {"role list", "", "roles, built-in ones first, and what they may", NULL, none, cli_role_list,
     CLI_ON_WORKSPACE, true},
    {"role remove", "NAME", "remove a role that nobody is granted", NULL, none, cli_role_remove,
     CLI_ON_WORKSPACE, true},
    {"group list", "", "groups and their members", NULL, none, cli_group_list, CLI_ON_WORKSPACE,
     true},
    {"group remove", "NAME", "remove a group and what it was granted", NULL, none, cli_group_remove,
     CLI_ON_WORKSPACE, true},
    {"access explain", "PRINCIPAL ACTION RESOURCE",
     "which rule decides whether somebody may do something, and why",
     "E.g. steward access explain loan-desk model.infer models/mortgage. Exit code 3 when it is "
     "denied.",
     cli_access_explain_options, cli_access_explain, CLI_ON_WORKSPACE, true},
    {"access break-glass", "PRINCIPAL", "give a role for an emergency: for hours, loud, audited",
     "A denial still beats it. Every decision that rests on it says BREAK-GLASS and the reason in "
     "the log.",
     cli_break_glass_options, cli_access_break_glass, CLI_ON_WORKSPACE, true},
    {"api-key issue", "PRINCIPAL", "issue an API key; it is shown this once",
     "The workspace keeps only a keyed hash of it.", cli_api_key_issue_options, cli_api_key_issue,
     CLI_ON_WORKSPACE, true},
    {"api-key rotate", "KEY-ID", "issue a new key for the same principal; the old one soon ends",
     "Both hold for the overlap, so that a client can change over without a gap.",
     cli_api_key_rotate_options, cli_api_key_rotate, CLI_ON_WORKSPACE, true},
    {"api-key expire", "KEY-ID", "let a key end earlier than it would have", NULL,
     cli_api_key_expire_options, cli_api_key_expire, CLI_ON_WORKSPACE, true},
    {"api-key list", "",
     "API keys: whose, since and until when, last used (to the hour); never the key", NULL, none,
     cli_api_key_list, CLI_ON_WORKSPACE, true},
    {"api-key revoke", "KEY-ID", "stop a key at once", NULL, none, cli_api_key_revoke,
     CLI_ON_WORKSPACE, true},
    {"certificate install", "CHAIN-FILE KEY-FILE", "take a TLS certificate of another authority",
     "CHAIN-FILE: the server's certificate, then those that signed it, in PEM; KEY-FILE: its "
     "private key, in PEM without a passphrase, on P-256 or P-384 or RSA with 2048 to 4096 bits. "
     "The key is sealed in the workspace; keep or destroy the file.",
     none, cli_certificate_install, CLI_ON_WORKSPACE, false, .paths = "@file @file"},
    {"certificate renew", "", "make a new self-signed TLS certificate and key", NULL,
     cli_certificate_renew_options, cli_certificate_renew, CLI_ON_WORKSPACE, false},
    {"key list", "", "the workspace's key and its holder", NULL, none, cli_key_list,
     CLI_ON_WORKSPACE, true},
    {"key rotate", "", "a new workspace key; data keys are re-wrapped, data is not touched", NULL,
     none, cli_key_rotate, CLI_ON_WORKSPACE, true},
    {"key rewrap", "", "finish a rotation; wrap the workspace key anew, as for a new passphrase",
     "Also under the newest version of a transit service's key, after that was rotated.",
     cli_key_rewrap_options, cli_key_rewrap, CLI_ON_WORKSPACE, true},
    {"key revoke", "", "let nothing of the workspace open until steward key restore",
     "A server that runs answers calls to models 503, with the reason, within keys.check (60s).",
     cli_key_revoke_options, cli_key_revoke, CLI_ON_WORKSPACE, false},
    {"key restore", "", "let a revoked key be used again", NULL, none, cli_key_restore,
     CLI_ON_WORKSPACE, false},
    {"key export-public", "", "the public keys that signatures are checked with", NULL, none,
     cli_key_export_public, CLI_ON_WORKSPACE, true},
    {"backup create", "FILE", "the whole workspace in one sealed file, also while a server runs",
     "Everything is opened and checked on the way. FILE opens with the passphrase of today, "
     "whatever "
     "becomes of the workspace: keep both, apart.",
     none, cli_backup_create, CLI_ON_WORKSPACE, true, .paths = "@deep"},
    {"backup verify", "FILE", "check that every byte of a backup is what was written",
     "Asks for the passphrase of when it was made.", none, cli_backup_verify, CLI_WITH_CREDENTIAL,
     true, .paths = "@backup +checked"},
    {"backup restore", "FILE DIR", "make the workspace of a backup anew in DIR",
     "DIR is new or empty, and appears when everything in it has been opened and checked. Asks for "
     "the passphrase of when the backup was made. Principals, keys and grants are as they were "
     "then: what was revoked since must be revoked again. Where it has keys of persons, one of "
     "both "
     "options must say what becomes of who was erased since.",
     cli_restore_options, cli_backup_restore, CLI_WITH_CREDENTIAL, true, .paths = "@backup @place"},
    {"backup erase-again", "LOG",
     "erase in this workspace whom LOG, a later copy of its own log, says were erased",
     "For a workspace that was restored without. LOG must verify under this workspace's key; what "
     "it does not have any more is passed over.",
     none, cli_backup_erase_again, CLI_ON_WORKSPACE, true, .paths = "@log"},
    {"serve", "", "answer calls over TLS until SIGINT or SIGTERM; calls in flight are finished",
     NULL, cli_serve_options, cli_serve, CLI_ON_WORKSPACE, false,
     CLI_BECOMES}, /* steward-gateway */
    {"capture list", "", "calls whose bodies were captured; no content", NULL,
     cli_capture_list_options, cli_capture_list, CLI_ON_WORKSPACE, true},
    {"capture show", "CAPTURE", "what a captured call asked and was answered",
     "CAPTURE is MODEL/NUMBER, as the call's entry has it. Wants the passphrase and the API key of "
     "somebody with capture.read on captures/MODEL; the log says who reads, before.",
     cli_capture_show_options, cli_capture_show, CLI_ON_WORKSPACE, false},
    {"capture erase", "[CAPTURE]", "destroy captures with their keys, before their time",
     "The one that is named, or with --model and --older-than all such. Not undone.",
     cli_capture_erase_options, cli_capture_erase, CLI_ON_WORKSPACE, false},
    {"policy list", "", "configuration policies that are assigned, and where", NULL,
     cli_policy_list_options, cli_policy_list, CLI_ON_WORKSPACE, true},
    {"policy show", "POLICY", "a policy's text: of a built-in one by its id, or of a file", NULL,
     none, cli_policy_show, CLI_ON_FILES, true, .paths = "@file"},
    {"policy fields", "", "what policies can look at: types of resources and their fields", NULL,
     none, cli_policy_fields, CLI_ON_FILES, true},
    {"policy state", "", "the workspace and its server as policies see them", NULL,
     cli_policy_state_options, cli_policy_state, CLI_ON_WORKSPACE, true},
    {"policy assign", "POLICY", "let a policy hold on the workspace, a model or an endpoint",
     "POLICY is a built-in one's id or a file (docs/spec/policy.md); its text is kept with the "
     "assignment. A change after which a resource newly does not comply with one whose effect is "
     "deny is refused, and the error names the policy.",
     cli_policy_assign_options, cli_policy_assign, CLI_ON_WORKSPACE, true, .paths = "@file"},
    {"policy unassign", "ASSIGNMENT", "let it hold no more; its exemptions go with it", NULL,
     cli_policy_unassign_options, cli_policy_unassign, CLI_ON_WORKSPACE, true},
    {"policy exempt", "ASSIGNMENT", "a resource need not comply until a date", NULL,
     cli_policy_exempt_options, cli_policy_exempt, CLI_ON_WORKSPACE, true},
    {"policy check", "", "what complies with the policies that are assigned, and what does not",
     "What the state does not hold is not evaluable, never compliant. Exit code 7 when something "
     "does not comply and is not exempt.",
     cli_policy_check_options, cli_policy_check, CLI_ON_WORKSPACE, true},
    {"policy test", "[POLICY...]", "run the policies' own examples: the built-in ones, or files",
     "Exit code 7 when an example comes out another way than it says.", none, cli_policy_test,
     CLI_ON_FILES, true, .paths = "@file"},
    {"audit verify", "[DIR]",
     "recompute what was added to the log since it was verified last, and check its signature",
     "The first time, and with --full, every entry and hash is read and computed anew, and the "
     "first bad byte named. What was seen is kept in a file of yours, out of reach of who writes "
     "the log: a log that was rolled back, or does not begin with what was seen, does not verify. "
     "Needs no passphrase: DIR may be a copy of a workspace's audit directory. Exit code 6 when "
     "the log was changed.",
     cli_audit_verify_options, cli_audit_verify, CLI_ON_LOG, true, .paths = "@log +seen"},
    {"audit show", "[DIR]", "entries of the log; needs no passphrase", NULL, cli_audit_show_options,
     cli_audit_show, CLI_ON_LOG, true, .paths = "@log"},
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
     cli_audit_search_options, cli_audit_search, CLI_ON_LOG, true, .paths = "- @kept"},
    {"audit index", "[DIR]", "bring the index of searches up to date, or check it",
     "Searching does it, too. Exit code 6 when --check found a part that is not what the log "
     "gives.",
     cli_audit_index_options, cli_audit_index, CLI_ON_LOG, true, .paths = "@kept"},
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
     cli_audit_export_options, cli_audit_export, CLI_ON_LOG, false, "to",
     .paths = "@kept"}, /* sends to that receiver */
    {"audit copy", "FOLDER [DIR]",
     "the log for web servers and other programs: a file for each tile",
     "Writes tiles, entries, checkpoint and key under the names that C2SP tlog-tiles has for them; "
     "the same again brings the copy up to date. Only you can read it: entries name principals. "
     "`audit verify FOLDER` checks it. Needs no passphrase.",
     none, cli_audit_copy, CLI_ON_LOG, true, .paths = "@kept @log"},
    {"audit tail", "[DIR]", "the newest entries, and those that come; needs no passphrase",
     "With --json each entry is a line of its own.", cli_audit_tail_options, cli_audit_tail,
     CLI_ON_LOG, true, .paths = "@log"},
    {"audit prove", "[INDEX] [DIR]",
     "a receipt: the proof (c2sp.org/tlog-proof) that entry INDEX is in the log",
     "A call's INDEX is in the header steward-log-index of its answer. A receipt has the entry in "
     "it; --check FILE needs nothing but the receipt and the log's key, and prints the entry.",
     cli_audit_prove_options, cli_audit_prove, CLI_ON_LOG, true, .paths = "- @log"},
    {"audit check", "PROOF-FILE [ENTRY-FILE]", "check such a proof, offline",
     "ENTRY-FILE holds the entry's bytes, as `audit show --json` has them in \"raw\"; without it "
     "the entry in the proof is meant, as with `audit prove --check`.",
     cli_audit_check_options, cli_audit_check, CLI_ON_FILES, true, .paths = "@file @file"},
    {"audit cosign", "[DIR]", "have the newest checkpoint cosigned by audit.witnesses, now",
     "A server does it by itself, and so does a verb that writes an entry. Needs no passphrase. "
     "Exit code 6 when a witness knows a larger log or another one, or lies; 1 when fewer than "
     "audit.quorum have cosigned.",
     none, cli_audit_cosign, CLI_ON_LOG, true, CLI_ALWAYS,
     .paths = "@kept"}, /* asks the witnesses */
    {"witness key", "DIR", "make a witness of other logs: its folder, key and TLS certificate",
     "Prints its verifier key, which policies name (docs/spec/witness.md). The key is in clear in "
     "DIR: keep the folder on a machine that is not the log's, and never put an old copy of it "
     "back.",
     cli_witness_key_options, cli_witness_key, CLI_ON_FILES, true, .paths = "@new"},
    {"witness serve", "DIR",
     "cosign checkpoints of logs over HTTPS (C2SP tlog-witness) until SIGINT or SIGTERM", NULL,
     cli_witness_serve_options, cli_witness_serve, CLI_ON_FILES, false,
     CLI_BECOMES}, /* steward-witness */
    {"usage", "[DIR]", "calls of the log added up by who, model, version, day; what quotas leave",
     "Needs no passphrase. p50, p95 and p99 are at most 1/64 off; more than 1000 groups are cut, "
     "and the rest is one group.",
     cli_usage_options, cli_usage, CLI_ON_LOG, true, .paths = "@kept"},
    {"comply list", "", "the catalogues of laws and standards that there are", NULL, none,
     cli_comply_list, CLI_ON_FILES, true},
    {"comply show", "CATALOGUE [CONTROL]",
     "its controls, the checks that bear on each, and what no machine can check", NULL, none,
     cli_comply_show, CLI_ON_FILES, true},
    {"comply report", "",
     "hold the workspace against a catalogue: what its checks find, control by control",
     "Policies that are not assigned are held against the state with their defaults. The findings' "
     "digest is an entry of the log, whose receipt is in the report. Exit code 7 when a control "
     "fails.",
     cli_comply_report_options, cli_comply_report, CLI_ON_WORKSPACE, true},
    {"record questions", "FORM [MODEL]",
     "what a law wants written down, as a file of questions to fill in",
     "FORM is processing (GDPR 30), impact (GDPR 35, AI Act 27), technical-documentation (AI Act "
     "11) or instructions (AI Act 13). What the workspace knows by itself is not asked.",
     cli_record_questions_options, cli_record_questions, CLI_ON_WORKSPACE},
    {"record answer", "FORM [MODEL]", "keep the answers in such a file, as a new version", NULL,
     cli_record_answer_options, cli_record_answer, CLI_ON_WORKSPACE, true},
    {"record show", "FORM [MODEL]", "the record: the answers, and what the workspace knows", NULL,
     cli_record_show_options, cli_record_show, CLI_ON_WORKSPACE, true},
    {"record list", "", "which records are kept, and how many questions are open", NULL, none,
     cli_record_list, CLI_ON_WORKSPACE, true},
    {"review add", "ENTRY", "keep what a person made of a decision: overridden, contested, checked",
     "ENTRY is the number of the call's entry in the log. GDPR 22(3), AI Act 14 and 26(2).",
     cli_review_add_options, cli_review_add, CLI_ON_WORKSPACE, true},
    {"review list", "", "the reviews of decisions", NULL, cli_review_list_options, cli_review_list,
     CLI_ON_WORKSPACE, true},
    {"incident rules", "", "duties to report incidents, and their deadlines", NULL, none,
     cli_incident_rules, CLI_ON_FILES, true},
    {"incident open", "NAME", "begin the report of an incident; its clock runs", NULL,
     cli_incident_open_options, cli_incident_open, CLI_ON_WORKSPACE, true},
    {"incident note", "NAME TEXT", "add a note to it", NULL, none, cli_incident_note,
     CLI_ON_WORKSPACE, true},
    {"incident reported", "NAME TEXT", "it was reported; TEXT says to whom and how", NULL,
     cli_incident_reported_options, cli_incident_reported, CLI_ON_WORKSPACE, true},
    {"incident close", "NAME OUTCOME", "end it", NULL, cli_incident_close_options,
     cli_incident_close, CLI_ON_WORKSPACE, true},
    {"incident show", "NAME", "one incident, with its notes and clock", NULL, none,
     cli_incident_show, CLI_ON_WORKSPACE, true},
    {"incident list", "", "all of them; exit code 7 when a report is overdue", NULL, none,
     cli_incident_list, CLI_ON_WORKSPACE, true},
    {"config example", "", "a configuration with every key, its meaning and its default (YAML)",
     NULL, none, cli_config_example, CLI_ON_FILES, false},
    {"config check", "[FILE]",
     "read a configuration as serve would, and show every value that holds",
     "FILE is steward.yaml of the workspace when it is not given. Needs no passphrase.", none,
     cli_config_check, CLI_ON_FILES, true, .paths = "@file"},
    {"help", "[VERB...]", "this help, or a verb's", NULL, none, cli_help, CLI_ON_FILES, false},
    {"man", "", "the manual page, in troff: steward man | man -l -", NULL, none, cli_manual,
     CLI_ON_FILES, false},
    {"completion", "", "completion for bash: source <(steward completion)", NULL, none,
     cli_completion, CLI_ON_FILES, false},
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
