#include "cli/explain_tell.h"

#include "assess/shapley.h"

struct status
explain_tell_made(const struct attribution *a, const struct explain_background *b, json_t *remarks)
{
    const struct attribution_told t = attribution_tell(a);
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
explain_tell_drawn(const struct attribution *a, json_t *remarks)
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
                        "most %zu of a row); the largest standard error of an attribution is %.2g; "
                        "--evaluations takes more",
                        (unsigned long long)t.drawn_rows,
                        (unsigned long long)(t.drawn_rows + t.exact_rows), t.evaluations,
                        t.largest_error);
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
        diag_set(&c->diag, "--interactions with --output-space probability: of models with one "
                           "output and a logistic or exponential link; on the margin this model's "
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
