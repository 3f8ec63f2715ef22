/* witnessed: what --policy says of a log or a receipt, for audit verify and audit check. */
#ifndef STEWARD_CLI_WITNESSED_H
#define STEWARD_CLI_WITNESSED_H

#include "cli/cli.h"
#include "govern/witnessed.h"

/* --policy's file; NULL when it is not given. */
struct status cli_quorum(struct cli *c, struct quorum **ret_quorum);
/* Of the log in dir: --vkey, else the policy's, into ret_vkey. */
struct status cli_quorum_vkey(struct cli *c, const char *dir, const struct quorum *q,
                              struct buf *ret_vkey);
/* Whether the quorum is met, and as lately as --within asks; if not, the run's exit code says so.
 */
struct status cli_judge_witnessed(struct cli *c, const struct witnessed *w, bool *ret_good);
/* The caller's; NULL when memory is out. */
json_t *cli_witnessed_json(const struct quorum_verdict *v, uint64_t behind, bool good);
void cli_print_verdict(const struct quorum_verdict *v);
void cli_print_witnessed(const struct witnessed *w, bool good);

#endif
