#include "cli/cli.h"
#include "cli/data_options.h"

const struct cli_option cli_explain_options[] = {
    {"model", "FILE", "the model: any file that predict reads, or workspace:NAME[@VERSION]", NULL,
     CLI_ONCE, "@file"},
    {"endpoint", "URL", "the model behind the Open Inference Protocol: https://host/v2/models/NAME",
     NULL, CLI_ONCE, NULL},
    {"data", "FILE",
     "the rows: .csv .tsv .csv.gz .parquet .json .jsonl .ndjson; or " CLI_OF_WORKSPACE, NULL,
     CLI_ONCE, "@table"},
    {"record", NULL,
     "of trees: in double precision, 17 digits: what is kept when a decision about a person is "
     "explained",
     NULL, CLI_ONCE, NULL},
    {"interactions", NULL, "also what each pair of features has together", NULL, CLI_ONCE, NULL},
    {"cohort", "PREDICATE",
     "not of a black box: compare these rows with the rest: a predicate, or with a model of the "
     "workspace slice-1 or node-3 of its newest assessment; may be repeated",
     NULL, CLI_REPEATED, NULL},
    {"row", "N", "not of a black box: show row N of the data, the first is 1; may be repeated",
     NULL, CLI_REPEATED, NULL},
    {"group", "NAME=COLUMNS",
     "show these columns as one, e.g. race=race_black,race_white: attributions are summed, "
     "one-hot values become one; may be repeated",
     NULL, CLI_REPEATED, NULL},
    {"group-prefix", "PREFIXES",
     "the same of all columns that begin so: race_ makes race; several with commas", NULL,
     CLI_COMMAS, NULL},
    {"method", "METHOD",
     "of a black box: kernel, permutation, partial-dependence, ice, ale, "
     "permutation-importance, "
     "surrogate",
     NULL, CLI_ONCE,
     "kernel permutation partial-dependence ice ale permutation-importance surrogate"},
    {"background", "FILE",
     "rows that stand for a feature not known (default: of a black box, those of --data; of trees, "
     "the training rows' shares; of a linear model, the means in its file)",
     NULL, CLI_ONCE, "@table"},
    {"output-space", "SPACE", "with --background: what attributions add up to", "margin", CLI_ONCE,
     "margin probability"},
    {"background-rows", "N",
     "of a black box, and of several classes on probability: draw so many of them; 0: all", "100",
     CLI_ONCE, NULL},
    {"rows", "N",
     "of a black box: draw so many rows; 0: all (default: 100 for kernel and permutation, else "
     "all, of an "
     "endpoint "
     "1000)",
     NULL, CLI_ONCE, NULL},
    {"features", "COLUMNS", "follow these features only, separated by commas", NULL, CLI_COMMAS,
     NULL},
    {"label", "COLUMN", "permutation-importance: the truth", NULL, CLI_ONCE, NULL},
    {"positive", "VALUE", "its positive value", NULL, CLI_ONCE, NULL},
    {"metric", "NAME",
     "permutation-importance: as scikit-learn names it, such as roc_auc, f1, mae (default: "
     "roc_auc, log_loss or rmse, by label and outputs)",
     NULL, CLI_ONCE,
     "accuracy balanced_accuracy precision recall f1 precision_macro recall_macro f1_macro "
     "log_loss roc_auc average_precision brier_score rmse mse mae mape median_absolute_error "
     "max_error r2 explained_variance"},
    {"evaluations", "N",
     "coalitions that are valued for a row; 0: 2 a feature and 2048, exact when those are all", "0",
     CLI_ONCE, NULL},
    {"points", "N", "values of a feature that are asked about, or steps of ale", "20", CLI_ONCE,
     NULL},
    {"curves", "N", "ice: rows that are drawn", "50", CLI_ONCE, NULL},
    {"repeats", "N", "permutation-importance: shuffles of each feature", "10", CLI_ONCE, NULL},
    {"leaves", "N", "surrogate: of the tree, at most", "8", CLI_ONCE, NULL},
    {"depth", "N", "surrogate: of the tree, at most", "4", CLI_ONCE, NULL},
    {"floor", "X", "surrogate: fidelity (R2) under which it is refused", "0.8", CLI_ONCE, NULL},
    {"margin", NULL, "of a model file: explain the margin instead of the prediction", NULL,
     CLI_ONCE, NULL},
    {"level", "X", "of the intervals", "0.95", CLI_ONCE, NULL},
    {"endpoint-key", "FILE", "the key for the endpoint, in FILE's first line", NULL, CLI_ONCE,
     "@file"},
    {"endpoint-ca", "FILE",
     "certificates (PEM) that may sign the endpoint's (default: the system's)", NULL, CLI_ONCE,
     "@file"},
    {"endpoint-output", "NAME", "the output to explain (default: the first of floats)", NULL,
     CLI_ONCE, NULL},
    {"batch", "N", "rows of one request to the endpoint; halved when it refuses", "1000", CLI_ONCE,
     NULL},
    {"timeout", "DURATION", "of one request to the endpoint", "60s", CLI_ONCE, NULL},
    {"output", "FILE", "write each row's contributions (CSV) to FILE", NULL, CLI_ONCE, "@made"},
    {"report", "FILE", "write a page (HTML) to FILE", NULL, CLI_ONCE, "@made"},
    {"seed", "N", "of all that is drawn", "1", CLI_ONCE, NULL},
    CLI_DATA_FILE_OPTIONS,
    {"threads", "N", "0: one per core (default: analysis.threads of the configuration)", NULL,
     CLI_ONCE, NULL},
    {0},
};

struct status
cli_explain(struct cli *c)
{
    if (cli_value(c, "method") != NULL || cli_value(c, "endpoint") != NULL) {
        return cli_explain_black_box(c);
    }
    return cli_explain_exact(c);
}
