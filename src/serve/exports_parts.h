/* exports_parts: what the processes of exports say to one another. */
#ifndef STEWARD_SERVE_EXPORTS_PARTS_H
#define STEWARD_SERVE_EXPORTS_PARTS_H

#include "serve/exports.h"

enum exports_state { EXPORTS_BEGUN, EXPORTS_SENDING, EXPORTS_FAILING, EXPORTS_STATES };

struct exports_report {
    char name[RECEIVER_NAME_MAX + 1]; /* set by who started the sender */
    uint32_t state;
    uint64_t next;           /* the first entry that was not confirmed */
    int64_t oldest_ns;       /* when that began; 0: there is none */
    uint64_t sent, failures; /* since the sender began */
    char sentence[320];      /* of a failure */
};

/* The process for one receiver: reports on fd, and ends when that is shut. */
_Noreturn void exports_send(const struct exports_plan *plan, size_t which, int fd);
/* The process that starts them: reads questions on control, and writes reports. Closes all else
 * that is open. */
_Noreturn void exports_house(const struct exports_source *source, int control, int reports);

#endif
