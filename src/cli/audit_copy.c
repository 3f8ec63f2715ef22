/* audit copy: the log as files that C2SP tlog-tiles names. */
#include "cli/cli.h"

#include "base/file.h"
#include "base/json.h"
#include "govern/audit.h"

struct status
cli_audit_copy(struct cli *c)
{
    DEFER(file_freep) char *dir = NULL;
    const char *to = c->operand[0];
    uint64_t entries = 0;
    TRY(cli_log_dir(c, 1, &dir));
    if (!file_is_folder(to)) {
        diag_set(&c->diag, "%s: there is no such folder; make it first", to);
        FAIL(INPUT);
    }
    TRY(audit_copy(dir, to, &c->diag, &entries));
    if (c->json) {
        DEFER(js_freep)
        json_t *o = json_pack("{s:s, s:I}", "copy", to, "entries", (json_int_t)entries);
        CHECK(o != NULL, MEMORY);
        return cli_print_json(o);
    }
    (void)printf("%s: %llu entries, as their checkpoint has them\n", to,
                 (unsigned long long)entries);
    return OK;
}
