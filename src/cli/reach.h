/* reach: which files a verb can reach, from before it runs (Landlock, where the kernel has it):
 * what its command line names, the workspace if it works on one, and what the libraries under it
 * read of the system. What it makes, another process opens and puts in its place
 * (base/outputs.h): the folders around stay closed.
 *
 * What a verb works on stands in its row of the table (struct cli_verb), `works`; what an option's
 * value is, in struct cli_option, `words`; what its operands are, in the row, `paths`. A path that
 * none of them tells of cannot be opened by the verb, so that a new one is noticed; a word that is
 * none of these ends the program:
 *
 *   @file   a file, read                     @log    a folder, read
 *   @table  a table: another process reads   @dir    the workspace
 *           it (data/importer.h)             @kept   a folder, read and written
 *   @made   a file, made or replaced         @place  a workspace is made there
 *   @grown  a file, appended to              @new    a folder that is made
 *   @state  a file, read and replaced        @secret a file with a credential, for who takes one
 *   @deep   a file, made, with the folders   @backup a file, read: it names the holder of its key
 *           above it                         @model  of the workspace, on which it works then
 *   -       no path                          @holder who holds a key: no path
 *
 * and, without an operand: +seen, the folder in which is kept what was seen of logs (--state names
 * a file instead); +checked, a folder in which a backup is checked. */
#ifndef STEWARD_CLI_REACH_H
#define STEWARD_CLI_REACH_H

#include "cli/cli.h"

/* The operand of that word; NULL: the verb has none, or it is not given. */
const char *reach_operand(const struct cli *c, const char *word);
/* What it works on, with these words. */
enum cli_works reach_works_on(const struct cli *c);
/* Before the verb runs, has secrets or other threads: starts the process that puts files in their
 * place, and gives up all other files, and connections unless it connects. */
struct status reach_confine(struct cli *c);

#endif
