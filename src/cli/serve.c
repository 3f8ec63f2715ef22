#include "cli/cli.h"
#include "cli/config.h"

#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* "127.0.0.1:8443", "[::1]:0" */
static struct status
read_listen(struct cli *c, const char *text, struct config *config)
{
    const char *colon = strrchr(text, ':');
    uint64_t port = 0;
    if (colon == NULL || colon == text || !status_ok(text_to_u64(view_str(colon + 1), &port)) ||
        port > 65535) {
        diag_set(&c->diag, "--listen %s: write ADDRESS:PORT, such as 127.0.0.1:8443 or [::1]:8443",
                 text);
        FAIL(INPUT);
    }
    const bool bracket = *text == '[' && colon[-1] == ']';
    const int n = (int)(colon - text) - (bracket ? 2 : 0);
    if (n <= 0 || (size_t)n >= sizeof config->listen_address) {
        diag_set(&c->diag, "--listen %s: no address", text);
        FAIL(INPUT);
    }
    (void)snprintf(config->listen_address, sizeof config->listen_address, "%.*s", n,
                   text + (bracket ? 1 : 0));
    config->listen_port = (uint16_t)port;
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
    log_set_level((enum log_level)config->log_level);
    return OK;
}

/* SIGINT and SIGTERM are blocked before any thread starts (the log has its own), so that only
 * sigwait gets them. */
static void
block_signals(sigset_t *ret_set)
{
    (void)sigemptyset(ret_set);
    (void)sigaddset(ret_set, SIGINT);
    (void)sigaddset(ret_set, SIGTERM);
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
run_until_signal(struct cli *c, struct workspace *w, const struct config *config,
                 const sigset_t *signals)
{
    int got = 0;
    struct server *server = NULL;
    TRY(server_start(w, &config->server, &c->diag, &server));
    const uint16_t port = server_port(server);
    struct status s = audit_state(c, w, "server started");
    if (status_ok(s)) {
        s = write_port(c, port);
    }
    if (status_ok(s)) {
        const bool v6 = strchr(config->listen_address, ':') != NULL;
        log_event(LOG_INFO, "serve.started",
                  "url=https://%s%s%s:%u workspace=%s version=%s libmicrohttpd=%s", v6 ? "[" : "",
                  config->listen_address, v6 ? "]" : "", port, c->dir, STEWARD_VERSION,
                  http_library_version());
        (void)sigwait(signals, &got);
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
    return run_until_signal(c, w, &config, &signals);
}
