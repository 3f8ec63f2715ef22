/* network: who may connect to a running server, and how that changes: on SIGHUP the
 * configuration is read anew, the lists of network: hold at once, and the audit log says so.
 *
 * The file, and those of the clients' authorities, are read by a process of its own, begun before
 * the server has opened the workspace: the process that reads the network need not read files, a
 * file that is replaced is read as it is then, and the reader knows no secret. */
#ifndef STEWARD_GATEWAY_NETWORK_H
#define STEWARD_GATEWAY_NETWORK_H

#include "cli/config.h"
#include "serve/exports.h"
#include "serve/fetcher.h"
#include "vault/provider.h"

#define CONFIG_READER_FILES 3u /* the configuration first */

struct config_reader {
    pid_t pid; /* 0: none */
    int fd;
    const char *path[CONFIG_READER_FILES]; /* borrowed; "": none */
};

/* These files and no others. It ends when this process does. Before any thread starts. */
struct status config_reader_start(const char *const path[static CONFIG_READER_FILES],
                                  struct diag *diag, struct config_reader *ret_reader);
void config_reader_done(struct config_reader *r);
/* What one of its files has now; server_tls.read. One thread. */
struct status config_reader_read(void *reader, const char *path, struct diag *diag,
                                 struct buf *ret_text);
/* The lists of `config`, for every listener. */
struct status network_ingress(const struct config *config,
                              struct ingress ret_rules[HTTP_LISTENERS]);
/* Who connects for a server. */
#define NETWORK_FETCHERS 2u
struct network_connecting {
    struct fetcher *fetcher[NETWORK_FETCHERS]; /* NULL: there is none */
    struct exports *exports;                   /* NULL: nobody gets the log's events */
    /* As they were at the start, with their authorities; NULL: nobody can be asked to cosign. */
    const struct witnesses_options *witnesses;
    struct provider *holder; /* of the key; NULL: nobody is asked */
};
/* What the file says now, put into force and into *config, audited before: who may connect, and
 * what those who connect for this server may connect to; of a transit service also where it is; and
 * who gets the log's events, and who cosigns it. A file that is wrong, or names another key,
 * changes nothing, and is told and audited too; so is a process that does not take what it should.
 * Keys other than these are told to need a restart. */
void network_reload(struct workspace *w, struct server *server, const struct config_reader *r,
                    const struct network_connecting *who, struct config *config);

#endif
