/* reach: which files a verb can reach, from before it runs (Landlock, where the kernel has it):
 * what its command line names, the workspace if it works on one, and what the libraries under it
 * read of the system. What it makes, another process opens and puts in its place
 * (base/outputs.h): the folders around stay closed.
 *
 * What an option's value is stands in struct cli_option, `words`; what an operand is, in a table of
 * reach.c. A path that is in neither cannot be opened by the verb, so that a new one is noticed:
 *
 *   @file   a file, read                     @log    a folder, read
 *   @table  a table: another process reads   @dir    the workspace
 *           it (data/importer.h)             @kept   a folder, read and written
 *   @made   a file, made or replaced         @place  a workspace is made there
 *   @grown  a file, appended to              @new    a folder that is made
 *   @state  a file, read and replaced
 */
#ifndef STEWARD_CLI_REACH_H
#define STEWARD_CLI_REACH_H

#include "cli/cli.h"

/* Before the verb runs, has secrets or other threads: starts the process that puts files in their
 * place, and gives up all other files, and connections unless it connects. */
struct status reach_confine(struct cli *c, bool connects);

#endif
