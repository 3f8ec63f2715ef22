/* sandbox_lists: the names of the system calls that the kinds of processes here make or must not
 * make (base/sandbox.h). Each list ends with NULL. Calls that hang on an argument are in
 * sandbox.c. */
#ifndef STEWARD_BASE_SANDBOX_LISTS_H
#define STEWARD_BASE_SANDBOX_LISTS_H

extern const char *const sandbox_common_calls[];
extern const char *const sandbox_gateway_calls[];
extern const char *const sandbox_fetcher_calls[];
extern const char *const sandbox_importer_calls[];
extern const char *const sandbox_sender_calls[];
extern const char *const sandbox_verb_calls[];
extern const char *const sandbox_hostile_calls[];
extern const char *const sandbox_house_calls[];

#endif
