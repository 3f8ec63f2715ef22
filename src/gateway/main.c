/* steward-gateway: the process that reads the network. `steward serve` becomes it; it starts the
 * keeper, and is linked with no engine of the analyses (DuckDB, XGBoost). */
#include "gateway/exporting.h"
#include "gateway/network.h"
#include "gateway/policies.h"
#include "gateway/port_file.h"

#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "cli/cli.h"
#include "cli/credential.h"
#include "serve/confine.h"
#include "serve/key_watch.h"
#include "vault/keeper.h"
#include "vault/provider.h"
#include "vault/transit.h"
#include "vault/transit_ask.h"
#include "workspace/unopened.h"

#include <gnutls/gnutls.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* argv, in this order; NULL: not given. */
struct arguments {
    const char *dir, *config, *listen, *port_file, *passphrase_file;
};

struct house {
    struct arguments given;
    struct diag diag;
    struct config config;
    struct config_reader reader;
    sigset_t signals;
    struct port_file port_file;
    struct provider *holder; /* with the process that asks who holds the key; NULL: none does */
    bool token_network;      /* and that is a token, whose driver may connect past network.egress */
    pid_t keeper;
    struct sandbox_told sandbox;
    struct fetcher *fetcher, *messenger;
    struct witnesses_options *witnesses;
    struct exporting exporting;
    struct capture_rules captures;
    struct exports *exports; /* NULL: the log's events are sent to nobody */
    char user[WORKSPACE_USER_MAX];
};

static struct status
read_listen(const char *text, struct house *h)
{
    if (!status_ok(config_read_listen(text, h->config.listen_address, &h->config.listen_port))) {
        diag_set(&h->diag, "--listen %s: write ADDRESS:PORT, such as 127.0.0.1:8443 or [::1]:8443",
                 text);
        FAIL(INPUT);
    }
    return OK;
}

static const char *
address_of(const struct config_listener *l)
{
    return *l->address == '\0' ? NULL : l->address;
}

static void
take_addresses(struct config *config)
{
    config->server.http.address = config->listen_address;
    config->server.http.port = config->listen_port;
    config->server.http.second.address = address_of(&config->management);
    config->server.http.third.address = address_of(&config->console);
}

static struct status
read_config(struct house *h)
{
    struct config *config = &h->config;
    TRY(config_of_workspace(h->given.dir, h->given.config, &h->diag, config));
    if (h->given.listen != NULL) {
        TRY(read_listen(h->given.listen, h));
    }
    take_addresses(config);
    log_set_level((enum log_level)config->log_level);
    return OK;
}

/* The signals that end or change the server are blocked before any thread starts (the log has its
 * own), so that only sigwait gets them. */
static void
block_signals(sigset_t *ret_set)
{
    static const int waited_for[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};
    (void)sigemptyset(ret_set);
    for (size_t i = 0; i < sizeof waited_for / sizeof *waited_for; i++) {
        (void)sigaddset(ret_set, waited_for[i]);
    }
    (void)sigprocmask(SIG_BLOCK, ret_set, NULL);
}

static struct status
audit_state(struct house *h, struct workspace *w, const char *reason)
{
    const struct workspace_act act = {
        .action = "server.operate", .resource = "server", .reason = reason};
    return workspace_audit(w, &act, &h->diag);
}

/* ---- the server's life ---- */

static void
tell_started(const struct house *h, const struct server *server)
{
    const char *management = address_of(&h->config.management),
               *console = address_of(&h->config.console);
    const bool v6 = strchr(h->config.listen_address, ':') != NULL;
    char landlock[64] = "none; this kernel lacks it: files are not confined";
    if (h->sandbox.landlock > 0) {
        (void)snprintf(landlock, sizeof landlock, "%d", h->sandbox.landlock);
    }
    log_event(LOG_INFO, "serve.started",
              "url=https://%s%s%s:%u management=%s/%u console=%s/%u workspace=%s version=%s "
              "gnutls=%s keeper=%d seccomp=on landlock=%s token_network=%s",
              v6 ? "[" : "", h->config.listen_address, v6 ? "]" : "",
              server_port(server, SERVER_DATA), management == NULL ? "none" : management,
              server_port(server, SERVER_MANAGEMENT), console == NULL ? "none" : console,
              server_port(server, SERVER_CONSOLE), h->given.dir, STEWARD_VERSION,
              gnutls_check_version(NULL), (int)h->keeper, landlock,
              h->token_network ? "open" : "closed");
    if (h->token_network) {
        log_event(LOG_WARN, "token.network", CREDENTIAL_TOKEN_OPEN);
    }
}

static void
reload(struct house *h, struct workspace *w, struct server *server)
{
    struct diag diag = {0};
    const struct status s = server_reload(server, &diag);
    if (status_ok(s)) {
        log_event(LOG_INFO, "tls.reloaded", "calls under way keep their connections");
        const struct status told = audit_state(h, w, "TLS certificate and authorities read anew");
        (void)told; /* a log that cannot be written stops calls by itself */
    } else {
        char text[1024];
        diag_describe(&diag, s, text, sizeof text);
        log_event(LOG_ERROR, "tls.reload", "what was there stays in use; reason=\"%s\"", text);
    }
}

/* Which of the children it was: one signal may stand for several. */
static bool
keeper_has_ended(struct house *h)
{
    if (h->fetcher != NULL && waitpid(fetcher_pid(h->fetcher), NULL, WNOHANG) > 0) {
        log_event(LOG_ERROR, "fetcher.gone", "no keys of issuers are fetched until a restart");
    }
    if (h->messenger != NULL && waitpid(fetcher_pid(h->messenger), NULL, WNOHANG) > 0) {
        log_event(LOG_ERROR, "messenger.gone", "no witness is asked until a restart");
    }
    if (h->exports != NULL && waitpid(exports_pid(h->exports), NULL, WNOHANG) > 0) {
        log_event(LOG_ERROR, "exports.gone", "the log's events are sent to nobody until a restart");
    }
    struct holder *holder = h->holder == NULL ? NULL : provider_holder(h->holder);
    if (holder != NULL && waitpid(holder_pid(holder), NULL, WNOHANG) > 0) {
        log_event(LOG_ERROR, "holder.gone", "the key's holder cannot be asked until a restart");
    }
    return waitpid(h->keeper, NULL, WNOHANG) == h->keeper;
}

/* Until somebody ends it. Without its keeper it can sign no entry into the log and open no model:
 * it stops. */
static struct status
wait_for_end(struct house *h, struct workspace *w, struct server *server)
{
    for (;;) {
        int got = 0;
        (void)sigwait(&h->signals, &got);
        if (got == SIGHUP) {
            const struct network_connecting connecting = {
                {h->fetcher, h->messenger}, h->exports, h->config.server.witnesses, h->holder};
            network_reload(w, server, &h->reader, &connecting, &h->config);
            reload(h, w, server);
        } else if (got != SIGCHLD) {
            log_event(LOG_INFO, "serve.stopping", "signal=%d", got);
            return OK;
        } else if (keeper_has_ended(h)) {
            h->keeper = 0;
            log_event(LOG_ERROR, "keeper.gone",
                      "the process that holds the keys has ended; the "
                      "server stops");
            diag_set(&h->diag, "the keeper, the process that holds the keys, has ended: the server "
                               "has stopped; start it again");
            FAIL(IO);
        }
    }
}

static struct status
start(struct house *h, struct workspace *w, struct server **ret_server)
{
    struct ingress rules[HTTP_LISTENERS] = {0};
    DEFER(js_freep) json_t *state = NULL;
    TRY(gateway_policies(w, &h->config, &h->diag, &state));
    take_addresses(&h->config);
    h->config.server.policy_state = state;
    struct quota quotas[QUOTAS];
    h->config.server.quota_count = config_quotas(&h->config, quotas);
    h->config.server.quotas = quotas;
    TRY(network_ingress(&h->config, rules));
    h->config.server.ingress = rules;
    const struct status s = server_start(w, &h->config.server, &h->diag, ret_server);
    h->config.server.ingress = NULL;
    h->config.server.quotas = NULL;
    h->config.server.policy_state = NULL;
    return s;
}

static struct status
tell_stopped(struct house *h, struct workspace *w)
{
    TRY(exporting_change(w, h->exports, &h->config, NULL, 0, &h->diag));
    return audit_state(h, w, "server stopped");
}

static struct status
run(struct house *h, struct workspace *w)
{
    struct server *server = NULL;
    const uint64_t from = audit_size(w->audit); /* before the policies are looked at */
    TRY(start(h, w, &server));
    struct status s = confine_listening(&h->diag);
    if (status_ok(s)) {
        s = audit_state(
            h, w, h->token_network ? "server started; " CREDENTIAL_TOKEN_OPEN : "server started");
    }
    if (status_ok(s)) {
        s = exporting_change(w, h->exports, NULL, &h->config, from, &h->diag);
    }
    if (status_ok(s)) {
        s = port_file_write(&h->port_file, server_port(server, SERVER_DATA), &h->diag);
    }
    if (status_ok(s)) {
        tell_started(h, server);
        s = wait_for_end(h, w, server);
    }
    server_stop(server);
    const struct status stopped = h->keeper == 0 ? OK : tell_stopped(h, w);
    TRY(s);
    TRY(stopped);
    log_event(LOG_INFO, "serve.stopped", "entries=%llu", (unsigned long long)audit_size(w->audit));
    return OK;
}

/* In the process that asks a transit service: what the file says then. */
static struct status
read_transit(void *ctx, struct diag *diag, struct buf *ret_uri, struct buf *ret_rules)
{
    const struct house *h = ctx;
    return credential_transit_now(h->given.dir, h->given.config, diag, ret_uri, ret_rules);
}

/* Where somebody else holds the key: the process that asks it, with the credential. Its socket is
 * the keeper's from here on. */
static struct status
start_with_holder(struct house *h, struct keeper_options *o, struct keeper_client **ret_client)
{
    DEFER(file_freep) char *keys = file_join(h->given.dir, "keys");
    static struct transit_source source = {.read = read_transit};
    source.ctx = h;
    const struct provider_means means = {
        .credential = o->passphrase,
        .token_network = credential_token_network(h->given.dir, h->given.config),
        .transit = &transit_kind,
        .transit_source = &source};
    TRY(provider_open(keys, &means, &h->diag, &h->holder));
    struct holder *holder = provider_holder(h->holder);
    h->token_network = means.token_network && holder != NULL &&
                       provider_asks(provider_target(h->holder)) != PROVIDER_LETTER;
    if (holder == NULL) {
        provider_freep(&h->holder); /* a passphrase: the keeper needs it itself */
    } else {
        o->passphrase = NULL;
        o->holder = holder_fd(holder);
    }
    const struct status s = keeper_start(o, &h->diag, &h->keeper, ret_client);
    if (holder != NULL) {
        holder_let_go(holder);
    }
    return s;
}

/* The keeper first: from here on no key and no credential is in this process. */
static struct status
start_keeper(struct house *h, struct keeper_client **ret_client)
{
    DEFER(secret_done) struct secret credential = {0};
    TRY(credential_of(h->given.dir, h->given.config, h->given.passphrase_file, &h->diag,
                      &credential));
    struct keeper_options o = {.dir = h->given.dir,
                               .passphrase = &credential,
                               .check_ns = key_watch_every(h->config.server.key_check_ns),
                               .unreachable_ns = h->config.server.key_unreachable_ns};
    return start_with_holder(h, &o, ret_client);
}

/* In the fetcher: what the file says then. */
static struct egress *
read_egress(void *ctx)
{
    const struct house *h = ctx;
    struct config now;
    struct egress *rules = NULL;
    const struct status s = config_of_workspace(h->given.dir, h->given.config, NULL, &now);
    return status_ok(s) && status_ok(config_egress(&now, &rules)) ? rules : NULL;
}

/* Before any key is here. Also where the rules let none be fetched: they may at any time. */
static struct status
start_fetcher(struct house *h)
{
    const struct fetcher_rules rules = {read_egress, h};
    TRY(fetcher_start(&rules, "jwks", &h->diag, &h->fetcher));
    h->config.server.fetcher = h->fetcher;
    return OK;
}

/* And a process that asks the witnesses, where there are any, or a rule is there for one. */
static struct status
start_messenger(struct house *h)
{
    const struct fetcher_rules rules = {read_egress, h};
    TRY(config_witnesses(&h->config, &h->witnesses));
    if (h->witnesses->count == 0 && strstr(h->config.egress, "witness ") == NULL) {
        return OK;
    }
    TRY(witnesses_read_ca(h->witnesses, &h->diag));
    TRY(fetcher_start(&rules, "witness", &h->diag, &h->messenger));
    h->config.server.messenger = h->messenger;
    h->config.server.witnesses = h->witnesses;
    return OK;
}

/* And one that sends the log's events. */
static struct status
start_exports(struct house *h)
{
    h->exporting = (struct exporting){h->given.dir, h->given.config};
    TRY(exporting_start(&h->exporting, &h->config, &h->diag, &h->exports));
    h->config.server.exports = h->exports;
    return OK;
}

/* The folder must be there to be opened to the gateway. */
static struct status
prepare_captures(struct house *h)
{
    DEFER(file_freep) char *folder = file_join(h->given.dir, CAPTURES_FOLDER);
    config_captures(&h->config, &h->captures);
    h->config.server.captures = &h->captures;
    return h->captures.count == 0 ? OK : file_mkdirs(folder, 0700, &h->diag);
}

static struct status
open_house(struct house *h, struct workspace **ret_workspace)
{
    struct keeper_client *keeper = NULL;
    TRY(start_fetcher(h));
    TRY(start_messenger(h));
    TRY(start_exports(h));
    TRY(prepare_captures(h));
    workspace_user(h->user);
    TRY(workspace_tell_unopened(h->given.dir, h->user, "serve", start_keeper(h, &keeper),
                                &h->diag));
    struct status s = port_file_open(h->given.port_file, &h->port_file);
    if (status_ok(s)) {
        s = confine_gateway(h->given.dir, &h->diag, &h->sandbox);
    }
    if (!status_ok(s)) {
        keeper_client_free(keeper);
        return s;
    }
    const struct workspace_open_options o = {.keeper = keeper,
                                             .audit_publish_ns = h->config.audit_publish_ns,
                                             .principal = h->user,
                                             .reason = "serve"};
    return workspace_open(h->given.dir, &o, &h->diag, ret_workspace);
}

/* The keeper ends when its socket is closed, which the workspace has done. First the one that was
 * forked last: it has copies of the others' sockets, which would go on waiting. */
static void
house_done(struct house *h)
{
    port_file_done(&h->port_file);
    fetcher_stop(h->fetcher);
    fetcher_stop(h->messenger);
    exports_free(h->exports);
    witnesses_options_free(h->witnesses);
    config_reader_done(&h->reader);
    if (h->keeper > 0) {
        (void)waitpid(h->keeper, NULL, 0);
    }
    provider_freep(&h->holder);
}

static struct status
start_reader(struct house *h, const char *config)
{
    struct server_tls *tls = &h->config.server.tls;
    const char *const paths[CONFIG_READER_FILES] = {config, tls->client_ca, tls->client_crl};
    TRY(config_reader_start(paths, &h->diag, &h->reader));
    tls->read = config_reader_read;
    tls->read_ctx = &h->reader;
    return OK;
}

/* A configuration that is wrong starts nothing; who asks later why finds it in the log. */
static struct status
tell_not_started(const struct house *h, struct status s)
{
    char why[512], reason[560];
    if (!status_ok(s)) {
        diag_describe(&h->diag, s, why, sizeof why);
        (void)snprintf(reason, sizeof reason, "server not started: %s", why);
        const struct workspace_act act = {
            .action = "server.operate", .resource = "server", .reason = reason, .refused = true};
        workspace_audit_unopened(h->given.dir, NULL, &act);
    }
    return s;
}

static struct status
serve(struct house *h)
{
    TRY(workspace_check(h->given.dir, &h->diag));
    TRY(tell_not_started(h, read_config(h)));
    DEFER(file_freep) char *own = file_join(h->given.dir, "steward.yaml");
    const char *read = h->given.config != NULL ? h->given.config : own;
    TRY(start_reader(h, read));
    block_signals(&h->signals);
    DEFER(workspace_closep) struct workspace *w = NULL;
    TRY(open_house(h, &w));
    const char *warning = vault_warning(w->vault);
    if (warning != NULL) {
        log_event(LOG_WARN, "vault.weak", "reason=\"%s\"", warning);
    }
    return run(h, w);
}

static const char *
given(const char *argument)
{
    return *argument == '\0' ? NULL : argument;
}

int
main(int argc, char **argv)
{
    if (argc != 6) {
        (void)fputs("steward-gateway: started by \"steward serve\", not by hand\n", stderr);
        return 2;
    }
    secret_shield_process();
    (void)umask(077);
    (void)signal(SIGPIPE, SIG_IGN);
    struct house h = {
        .given = {argv[1], given(argv[2]), given(argv[3]), given(argv[4]), given(argv[5])}};
    const struct status s = serve(&h);
    house_done(&h);
    return status_ok(s) ? 0 : cli_tell(s, &h.diag);
}
