/* sandbox: what a process gives up for good before it reads what strangers send: system calls
 * (seccomp, an allow-list) and files (Landlock, where the kernel has it). A refused call fails with
 * EPERM and is told on stderr, once each; one that only an intruder makes (exec, ptrace, bpf, ...)
 * kills the process. Not undone, and inherited. Linux only. */
#ifndef STEWARD_BASE_SANDBOX_H
#define STEWARD_BASE_SANDBOX_H

#include "base/status.h"

enum sandbox_kind {
    SANDBOX_KEEPER,   /* answers on one socket, reads a file now and then */
    SANDBOX_GATEWAY,  /* listens, reads and writes files, has threads */
    SANDBOX_IMPORTER, /* reads files for one that holds keys, answers on one socket, has threads */
    SANDBOX_FETCHER,  /* connects, resolves names, reads files, has threads */
    SANDBOX_SENDER,   /* and replaces small files: where it stands */
    SANDBOX_VERB,     /* works on files, with libraries of others: no socket, no process */
    SANDBOX_CLIENT,   /* a verb that connects */
    SANDBOX_HOUSE,    /* starts processes that are fetchers or senders, and ends them */
};

enum sandbox_access {
    SANDBOX_LIST,  /* the names under the folder, and no file */
    SANDBOX_READ,  /* the file, or all files under the folder, and their names */
    SANDBOX_WRITE, /* the file, which is not read */
    SANDBOX_KEEP,  /* read, write, make, remove and rename them */
};

struct sandbox_path {
    const char *path;
    enum sandbox_access access;
};

/* What resolving a name and verifying a server need of the system's files. */
#define SANDBOX_OUTWARD 17
extern const struct sandbox_path sandbox_outward[SANDBOX_OUTWARD];

/* The Landlock version that is in force afterwards; 0: this kernel has none. */
struct sandbox_told {
    int landlock;
};

/* Of root's capabilities all but those about files, ports under 1024 and locked memory: for the
 * calling thread and those that it starts. The others here do it, too. */
struct status sandbox_capabilities(void);
/* No files but these (what is open stays so), no TCP connection outward unless `outward`, no signal
 * to a process outside. A path that is not there, or not to be reached, is passed over, and so is
 * what is in no file system (a pipe by its descriptor's name), which this does not reach. For the
 * calling thread and those that it starts: before there are others. */
struct status sandbox_files(const struct sandbox_path *paths, size_t count, bool outward,
                            struct diag *diag, struct sandbox_told *ret_told);
/* Only the system calls of that kind, no new privileges; for every thread. The gateway still opens
 * its listeners. */
struct status sandbox_calls(enum sandbox_kind kind, struct diag *diag);
/* For the gateway once it listens, for every thread: no new socket unless `outward`, no new code in
 * its memory. */
struct status sandbox_settle(bool outward, struct diag *diag);
/* For a process that runs a token's driver, of which nobody knows what it needs, or starts one:
 * files, devices, local sockets, threads and processes, but no other program, no other process's
 * memory, no privileges or namespaces, no listening. network: connections over IP as well, past
 * network.egress (but no raw packets); without, no socket that leaves the machine. */
struct status sandbox_driver(bool network, struct diag *diag);

/* For a process that is forked before the passphrase is taken: it is not in its environment any
 * more, neither for getenv nor in /proc/PID/environ. */
void sandbox_wipe_environment(void);

#endif
