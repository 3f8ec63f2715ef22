#include "cli/cli.h"
#include "cli/serve_network.h"

#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static struct status
read_listen(struct cli *c, const char *text, struct config *config)
{
    if (!status_ok(config_read_listen(text, config->listen_address, &config->listen_port))) {
        diag_set(&c->diag, "--listen %s: write ADDRESS:PORT, such as 127.0.0.1:8443 or [::1]:8443",
                 text);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
read_config(struct cli *c, struct config *config)
{
    const char *listen = cli_value(c, "listen");
    TRY(cli_config(c, cli_value(c, "config"), config));
    if (listen != NULL) {
        TRY(read_listen(c, listen, config));
    }
    config->server.http.address = config->listen_address;
    config->server.http.port = config->listen_port;
    config->server.http.second.address =
        *config->management_address == '\0' ? NULL : config->management_address;
    log_set_level((enum log_level)config->log_level);
    return OK;
}

/* SIGINT, SIGTERM and SIGHUP are blocked before any thread starts (the log has its own), so that
 * only sigwait gets them. */
static void
block_signals(sigset_t *ret_set)
{
    (void)sigemptyset(ret_set);
    (void)sigaddset(ret_set, SIGINT);
    (void)sigaddset(ret_set, SIGTERM);
    (void)sigaddset(ret_set, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, ret_set, NULL);
}

static struct status
audit_state(struct cli *c, struct workspace *w, const char *reason)
{
    const struct workspace_act act = {
        .action = "server.operate", .resource = "server", .reason = reason};
    return workspace_audit(w, &act, &c->diag);
}

static struct status
write_port(struct cli *c, uint16_t port)
{
    const char *path = cli_value(c, "port-file");
    if (path == NULL) {
        return OK;
    }
    char text[16];
    const int n = snprintf(text, sizeof text, "%u\n", port);
    return file_replace(path, view_of(text, (size_t)n), 0644, &c->diag);
}

static struct status
start(struct cli *c, struct workspace *w, struct config *config, struct server **ret_server)
{
    struct ingress rules[HTTP_LISTENERS] = {0};
    TRY(network_ingress(config, rules));
    config->server.ingress = rules;
    const struct status s = server_start(w, &config->server, &c->diag, ret_server);
    config->server.ingress = NULL;
    return s;
}

static struct status
run_until_signal(struct cli *c, struct workspace *w, struct config *config,
                 const struct config_reader *reader, const sigset_t *signals)
{
    int got = 0;
    struct server *server = NULL;
    TRY(start(c, w, config, &server));
    const uint16_t port = server_port(server, SERVER_DATA);
    struct status s = audit_state(c, w, "server started");
    if (status_ok(s)) {
        s = write_port(c, port);
    }
    if (status_ok(s)) {
        const bool v6 = strchr(config->listen_address, ':') != NULL;
        log_event(LOG_INFO, "serve.started",
                  "url=https://%s%s%s:%u management=%s/%u workspace=%s version=%s libmicrohttpd=%s",
                  v6 ? "[" : "", config->listen_address, v6 ? "]" : "", port,
                  *config->management_address == '\0' ? "none" : config->management_address,
                  server_port(server, SERVER_MANAGEMENT), c->dir, STEWARD_VERSION,
                  http_library_version());
        while (sigwait(signals, &got) == 0 && got == SIGHUP) {
            network_reload(w, server, reader, config);
        }
        log_event(LOG_INFO, "serve.stopping", "signal=%d", got);
    }
    server_stop(server);
    const struct status stopped = audit_state(c, w, "server stopped");
    TRY(s);
    TRY(stopped);
    log_event(LOG_INFO, "serve.stopped", "entries=%llu", (unsigned long long)audit_size(w->audit));
    return OK;
}

struct status
cli_serve(struct cli *c)
{
    struct config config;
    TRY(workspace_check(c->dir, &c->diag));
    TRY(read_config(c, &config));
    DEFER(config_reader_done) struct config_reader reader = {0};
    DEFER(file_freep) char *own = file_join(c->dir, "steward.yaml");
    const char *given = cli_value(c, "config");
    TRY(config_reader_start(given != NULL ? given : own, &c->diag, &reader));
    DEFER(secret_done) struct secret passphrase = {0};
    TRY(cli_passphrase(c, false, &passphrase));
    const struct workspace_open_options o = {.passphrase = &passphrase,
                                             .audit_publish_ns = config.audit_publish_ns};
    sigset_t signals;
    block_signals(&signals);
    DEFER(workspace_closep) struct workspace *w = NULL;
    TRY(workspace_open(c->dir, &o, &c->diag, &w));
    secret_done(&passphrase);
    passphrase = (struct secret){0};
    const char *warning = vault_warning(w->vault);
    if (warning != NULL) {
        log_event(LOG_WARN, "vault.weak", "reason=\"%s\"", warning);
    }
    return run_until_signal(c, w, &config, &reader, &signals);
}
