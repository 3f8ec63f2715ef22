/* space: a network and a set of mounts of the test's own (namespaces(7)): its loopback, the
 * addresses that it takes, the resolver that it names. Nothing outside is reached or seen. */
#ifndef STEWARD_TESTING_SPACE_H
#define STEWARD_TESTING_SPACE_H

#include "testing/testing.h"

/* For this thread and those that it starts: before there are others. False, with the reason on
 * stderr, where that is not allowed here; then skip(). */
bool space_enter(void);
/* One more address of the loopback: "10.9.0.1", "fd00:9::1". */
void space_take(const char *address);
/* Names are asked for at 127.0.0.1 port 53 of the space, and nowhere else. dir: scratch. */
bool space_name_server(const char *dir);

#endif
