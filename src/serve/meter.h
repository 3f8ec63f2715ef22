/* meter: how many refusals one address may cause in a minute. Each is a durable entry of the audit
 * log, so without a limit whoever reaches the port fills the disk. A leaky bucket (the generic cell
 * rate algorithm, ITU-T I.371) an address in a table of fixed size, no memory for a new one.
 * Addresses that share a place share its bucket; a number made at start decides which do, so nobody
 * chooses whom he shares with. Thread-safe. */
#ifndef STEWARD_SERVE_METER_H
#define STEWARD_SERVE_METER_H

#include <stdint.h>

struct meter;

enum meter_room {
    METER_ROOM,
    METER_LAST, /* room for this one; none for one that came at once after it */
    METER_FULL
};

/* per_minute: also how many may come at once; 0: no limit. NULL when memory is out. */
struct meter *meter_new(unsigned per_minute);
void meter_free(struct meter *m);
/* One refusal of this address (peers_key) at this time (clock_mono_ns). */
enum meter_room meter_take(struct meter *m, uint64_t peer, int64_t now_ns);

#endif
