#include "cli/cli.h"
#include "cli/config.h"

#include "base/file.h"

struct status
cli_config_example(struct cli *c)
{
    (void)c;
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 20);
    config_put_example(&text);
    TRY(buf_status(&text));
    (void)fwrite(text.ptr, 1, text.len, stdout);
    return OK;
}

struct status
cli_config_check(struct cli *c)
{
    struct config config;
    DEFER(js_freep) json_t *rows = NULL;
    const char *path = c->operands > 0 ? c->operand[0] : NULL;
    if (path == NULL) {
        TRY(workspace_check(c->dir, &c->diag));
    }
    TRY(cli_config(c, path, &config));
    TRY(config_to_json(&config, &rows));
    if (c->json) {
        return cli_print_json(rows);
    }
    cli_print_table(rows, "key:KEY value:VALUE default:DEFAULT");
    return OK;
}
