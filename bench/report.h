/* report: the results in their order, as a table and as JSON. */
#ifndef STEWARD_BENCH_REPORT_H
#define STEWARD_BENCH_REPORT_H

#include "bench.h"

/* NULL when memory is out. */
struct bench_report *bench_report_new(void);
void bench_report_free(struct bench_report *r);
DEFINE_FREEP(bench_report_free, struct bench_report)
/* The table, for people. */
void bench_report_put_text(const struct bench_report *r, struct buf *b);
/* A list of {name, unit, ours, peer, peer_name, ratio}: medians; a ratio over 1 means that ours is
 * better. */
struct status bench_report_put_json(const struct bench_report *r, struct buf *b);

#endif
