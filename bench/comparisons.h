/* comparisons: the functions of main.c's table, and the parts of them that need a process of their
 * own. */
#ifndef STEWARD_BENCH_COMPARISONS_H
#define STEWARD_BENCH_COMPARISONS_H

#include "bench.h"

struct status bench_predict(const struct bench_context *c);        /* predict.c */
struct status bench_access(const struct bench_context *c);         /* access.c */
struct status bench_infer(const struct bench_context *c);          /* infer.c */
struct status bench_call_tls(const struct bench_context *c);       /* infer.c */
struct status bench_seal(const struct bench_context *c);           /* seal.c */
struct status bench_log(const struct bench_context *c);            /* log.c */
struct status bench_search(const struct bench_context *c);         /* search.c */
struct status bench_slices(const struct bench_context *c);         /* slices.c */
struct status bench_shap(const struct bench_context *c);           /* shap.c */
struct status bench_interventional(const struct bench_context *c); /* interventional.c */
struct status bench_fairness(const struct bench_context *c);       /* fairness.c */
struct status bench_bootstrap(const struct bench_context *c);      /* fairness.c */
struct status bench_assess(const struct bench_context *c);         /* assess.c */
struct status bench_policy(const struct bench_context *c);         /* policy.c */

/* `bench part NAME ARGUMENT`: prints one figure on stdout. */
struct status bench_predict_memory_ours(const char *model_path, double *ret_figure);
struct status bench_predict_memory_peer(const char *model_path, double *ret_figure);
struct status bench_slices_memory(const char *rows, double *ret_figure);

#endif
