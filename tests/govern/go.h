/* go: a Go program of tests/govern, built for a test, that looks at ours with other people's code.
 */
#ifndef STEWARD_TESTS_GOVERN_GO_H
#define STEWARD_TESTS_GOVERN_GO_H

#include "testing/testing.h"

/* Path of the program of tests/govern/NAME; NULL, with the reason said, where there is no Go that
 * knows it, or where its modules are not here and cannot be fetched. The test fails when it does
 * not build. */
const char *go_build(const char *name);
void go_done(void);

#endif
