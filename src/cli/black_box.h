/* black_box: the model that `steward explain` asks as a black box, in a file or behind a URL, with
 * the rows it is asked about. */
#ifndef STEWARD_CLI_BLACK_BOX_H
#define STEWARD_CLI_BLACK_BOX_H

#include "cli/cli.h"
#include "cli/plain_files.h"
#include "net/oip_client.h"
#include "report/black_box_document.h"

#define CLI_BLACK_BOX_ROWS_ASKED 1000u /* of an endpoint, unless --rows says otherwise */

struct cli_black_box {
    struct cli *c;
    struct black_box box;
    struct black_box_feature *features; /* box.features; levels those of all tables */
    const struct column **column;       /* box.features: of the data */
    const char **outputs;               /* box.outputs */
    struct table *table, *background_table;
    double *x, *background;
    uint64_t *row; /* rows: of the data, from 0, ascending */
    size_t rows, background_rows;
    uint64_t background_of;
    bool probability; /* the answers are probabilities */
    json_t *remarks;
    /* one of these two */
    struct model_file *model;
    struct remover remover; /* before it */
    struct plain_rows *plain, *plain_background;
    bool margin;
    struct door *door;
    struct oip_client *client;
    struct oip_column *sent;
    struct secret key;
    char *names; /* memory of outputs */
};

/* Reads the data and the model as the options say; draws `rows` of the rows (0: all). */
struct status cli_black_box_open(struct cli *c, struct cli_import *import, uint64_t rows,
                                 uint64_t seed, struct cli_black_box *ret_box);
/* The rows that stand for "feature not known": of --background or of the data; 0: all. */
struct status cli_black_box_background(struct cli_black_box *b, struct cli_import *import,
                                       uint64_t rows, uint64_t seed);
void cli_black_box_done(struct cli_black_box *b);
void cli_print_black_box(const json_t *document);

#endif
