/* options: the tables of options of those verbs whose own file does not have them. Each ends with a
 * row without name. */
#ifndef STEWARD_CLI_OPTIONS_H
#define STEWARD_CLI_OPTIONS_H

#include "cli/cli.h"

extern const struct cli_option cli_certificate_renew_options[];
extern const struct cli_option cli_dataset_add_options[];
extern const struct cli_option cli_dataset_erase_options[];
extern const struct cli_option cli_dataset_show_options[];
extern const struct cli_option cli_model_train_options[];
extern const struct cli_option cli_model_add_options[];
extern const struct cli_option cli_model_request_options[];
extern const struct cli_option cli_assess_options[];
extern const struct cli_option cli_predict_options[];
extern const struct cli_option cli_mitigate_options[];
extern const struct cli_option cli_certify_options[];
extern const struct cli_option cli_principal_add_options[];
extern const struct cli_option cli_principal_grant_options[];
extern const struct cli_option cli_role_import_options[];
extern const struct cli_option cli_access_explain_options[];
extern const struct cli_option cli_break_glass_options[];
extern const struct cli_option cli_api_key_issue_options[];
extern const struct cli_option cli_api_key_rotate_options[];
extern const struct cli_option cli_api_key_expire_options[];
extern const struct cli_option cli_issuer_add_options[];
extern const struct cli_option cli_restore_options[];
extern const struct cli_option cli_link_options[];
extern const struct cli_option cli_serve_options[];
extern const struct cli_option cli_audit_verify_options[];
extern const struct cli_option cli_audit_show_options[];
extern const struct cli_option cli_audit_search_options[];
extern const struct cli_option cli_audit_index_options[];
extern const struct cli_option cli_audit_export_options[];
extern const struct cli_option cli_audit_tail_options[];
extern const struct cli_option cli_audit_prove_options[];
extern const struct cli_option cli_audit_check_options[];
extern const struct cli_option cli_witness_key_options[];
extern const struct cli_option cli_witness_serve_options[];

#endif
