/* data_options: rows of tables of options that several verbs have. */
#ifndef STEWARD_CLI_DATA_OPTIONS_H
#define STEWARD_CLI_DATA_OPTIONS_H

#define CLI_OF_WORKSPACE                                                                           \
    "workspace:DATASET[@VERSION][:PART], with :test or :train that part of the split of the "      \
    "workspace's model"

/* How a data file is read: for every verb that reads one. */
#define CLI_DATA_FILE_OPTIONS                                                                       \
    {"role",                                                                                        \
     "COLUMN=ROLE",                                                                                 \
     "feature, label, sensitive, identifier, ignored, time or subject; may be repeated",            \
     NULL,                                                                                          \
     CLI_REPEATED,                                                                                  \
     NULL},                                                                                         \
        {"type", "COLUMN=TYPE", "float, integer, category, boolean, time or text; may be repeated", \
         NULL,   CLI_REPEATED,  NULL},                                                              \
        {"missing",                                                                                 \
         "TEXT",                                                                                    \
         "a spelling of a missing value, beside the empty one and NA, N/A, NULL, null, NaN, nan, "  \
         "?; "                                                                                      \
         "may be repeated",                                                                         \
         NULL,                                                                                      \
         CLI_REPEATED,                                                                              \
         NULL},                                                                                     \
        {"missing-only",                                                                            \
         NULL,                                                                                      \
         "no spelling but the empty one and those of --missing: NA and the like are values",        \
         NULL,                                                                                      \
         CLI_ONCE,                                                                                  \
         NULL},                                                                                     \
    {                                                                                               \
        "delimiter", "CHAR", "of a CSV file (default: found out)", NULL, CLI_ONCE, NULL             \
    }

/* A model of the workspace that decides for the rows, instead of a column that says what was
 * decided. */
#define CLI_DECIDING_MODEL                                                                         \
    {                                                                                              \
        "model", "MODEL",                                                                          \
            "workspace:NAME[@VERSION], instead of --prediction and --score: what this model "      \
            "decides "                                                                             \
            "for the rows, at its thresholds",                                                     \
            NULL, CLI_ONCE, NULL                                                                   \
    }

/* For verbs that look at a cohort and, beside it, at the rest. */
#define CLI_COHORT_OPTION                                                                          \
    {                                                                                              \
        "cohort", "PREDICATE",                                                                     \
            "look at these rows, and beside them at the rest: a predicate, or slice-1 or node-3 "  \
            "of "                                                                                  \
            "the newest assessment of --model (slice-1@2: of its second)",                         \
            NULL, CLI_ONCE, NULL                                                                   \
    }

#endif
