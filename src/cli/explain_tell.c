#include "cli/explain_tell.h"

#include "assess/shapley.h"
#include "assess/shapley_pairs.h"

#include <math.h>
#include <stdio.h>

struct status
explain_tell_made(const struct attribution *a, const struct explain_background *b, json_t *remarks)
{
    const struct attribution_told t = attribution_tell(a);
    if (t.no_pairs) {
        TRY(plain_remark(remarks, "what a feature adds to a linear model's margin does not depend "
                                  "on the others: no two features have anything together, and all "
                                  "interactions are 0"));
    }
    if (t.pair_by_pair) {
        TRY(plain_remark(remarks,
                         "each row was held against each background row (%zu), one pair after "
                         "another: the time grows with both",
                         b->rows));
    }
    if (t.nodes > 1) {
        TRY(plain_remark(remarks,
                         "on probability: how the link scales a pair of rows is interpolated over "
                         "the background's margins in %zu nodes, with an error of at most %.1e of "
                         "the largest scale",
                         t.nodes, t.error));
    }
    if (t.left_out > 0) {
        TRY(plain_remark(remarks,
                         "%zu of %zu background rows miss a value for which the model file has "
                         "none to read instead (\"missing\"), and are left out",
                         t.left_out, b->rows));
    }
    if (b->rows < b->of) {
        TRY(plain_remark(
            remarks,
            "the background is %zu of the %llu rows of %.200s, drawn from --seed: each "
            "coalition of features is asked against each of them; --background-rows "
            "takes more, 0 all",
            b->rows, (unsigned long long)b->of, b->path));
    }
    return OK;
}

struct status
explain_tell_drawn(const struct attribution *a, bool pairs, json_t *remarks)
{
    const struct attribution_told t = attribution_tell(a);
    if (!t.coalitions) {
        return OK;
    }
    if (t.drawn_rows == 0) {
        return plain_remark(remarks,
                            "on probability the model's answers are no sum over trees or features: "
                            "all coalitions of the features that differ were valued, at most %zu "
                            "of a row; attributions are exact",
                            t.evaluations);
    }
    return plain_remark(remarks,
                        "on probability the model's answers are no sum over trees or features: "
                        "coalitions of features were valued, and drawn for %llu of %llu rows (at "
                        "most %zu of a row); the largest standard error of %s is %.2g; "
                        "--evaluations takes more",
                        (unsigned long long)t.drawn_rows,
                        (unsigned long long)(t.drawn_rows + t.exact_rows), t.evaluations,
                        pairs ? "an interaction" : "an attribution", t.largest_error);
}

struct status
explain_tell_expected(struct cli *c, const struct explain_background *b, const double *base,
                      size_t outputs)
{
    for (size_t k = 0; k < outputs; k++) {
        if (!isfinite(base[k])) {
            diag_set(&c->diag,
                     "--background %s: the model answers some of its rows with an infinite number, "
                     "of which no mean exists; explain the margin (--output-space margin), or give "
                     "a background without them",
                     b->path);
            FAIL(INPUT);
        }
    }
    return OK;
}

struct status
explain_tell_left_out(uint64_t without, uint64_t infinite, uint64_t rows, json_t *remarks)
{
    if (without > 0) {
        TRY(plain_remark(remarks,
                         "%llu of %llu rows miss a value for which the model file has none to read "
                         "instead (\"missing\"): they have no margin and no attributions, and are "
                         "left out of all views",
                         (unsigned long long)without, (unsigned long long)rows));
    }
    return infinite == 0
               ? OK
               : plain_remark(remarks,
                              "the model answers %llu of %llu rows with an infinite number: they "
                              "have no attributions, and are left out of all views",
                              (unsigned long long)infinite, (unsigned long long)rows);
}

struct status
explain_tell_pairs(struct cli *c, const struct attribution *a, struct status s)
{
    const struct attribution_told t = attribution_tell(a);
    if (s.code == STATUS_INPUT) {
        diag_set(&c->diag,
                 "--evaluations %s: too few for the interactions of %zu features that vary in a "
                 "row: %zu at least, two rounds that sample each pair once",
                 cli_value(c, "evaluations"), t.players, 2 * t.players * (t.players + 1));
    } else if (s.code == STATUS_LIMIT) {
        diag_set(&c->diag,
                 "--interactions with --output-space probability: a row differs from the "
                 "background in %zu features, over %u; explain the margin (--output-space margin), "
                 "where interactions are exact whatever the number of features",
                 t.players, SHAPLEY_PAIRS_DRAWN_PLAYERS);
        FAIL(INPUT);
    }
    return s;
}

struct status
explain_tell_failure(struct cli *c, const struct explain_background *b, bool pairs, struct status s)
{
    const bool why = s.code == STATUS_LIMIT || s.code == STATUS_UNSUPPORTED;
    if (s.code == STATUS_INPUT) {
        diag_set(&c->diag,
                 "%.300s: in every row a value is missing for which the model file has none to "
                 "read instead (\"missing\")",
                 b->path);
    } else if (why && pairs && b->probability) {
        diag_set(&c->diag, "--interactions with --output-space probability: the model reads too "
                           "many features for that; on the margin (--output-space margin) its "
                           "interactions can be explained");
        FAIL(INPUT);
    } else if (why && pairs) {
        diag_set(&c->diag, "--interactions: the model splits on too many features for that");
        FAIL(INPUT);
    } else if (why) {
        diag_set(&c->diag,
                 "--output-space probability: coalitions are valued of at most %u features; on the "
                 "margin this model can be explained",
                 SHAPLEY_MOST_PLAYERS);
        FAIL(INPUT);
    }
    return s;
}
