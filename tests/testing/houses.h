/* houses: rows of made-up houses, the same on every machine: a price to regress on, a kind of three
 * classes, a sensitive column, and one slice (zone west, over 60 years) in which prices are wild.
 */
#ifndef STEWARD_TESTS_TESTING_HOUSES_H
#define STEWARD_TESTS_TESTING_HOUSES_H

#include "testing/testing.h"

/* area,rooms,age,zone,owner,price,kind; ages are missing in places, labels in a few. */
void houses_put(unsigned rows, struct buf *csv);

#endif
