/* witness: a witness of others' logs: its folder with a key of its own, and the program
 * steward-witness, which this one becomes. No workspace. */
#include "cli/cli.h"

#include "base/file.h"
#include "base/secret.h"
#include "govern/witness.h"
#include "workspace/certificate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PEM_MAX (64u << 10)
#define LIST_MAX (256u << 10)
#define HOSTS_MAX 64u
#define FIXED 4u /* of the program's arguments; the logs' keys follow */

/* ---- key ---- */

static struct status
make_certificate(struct cli *c, const char *dir)
{
    static const char *const local[] = {"localhost", "127.0.0.1", "::1"};
    const char *hosts[HOSTS_MAX];
    size_t count = 0;
    DEFER(memory_freep) char *memory = NULL;
    DEFER(file_freep) char *tls = file_join(dir, "tls");
    DEFER(file_freep) char *cert_path = file_join(tls, "cert.pem");
    DEFER(file_freep) char *key_path = file_join(tls, "key.pem");
    DEFER(buf_done) struct buf cert;
    DEFER(buf_wipe) struct buf key;
    buf_init(&cert, PEM_MAX);
    buf_init(&key, PEM_MAX);
    TRY(cli_list(c, "host", hosts, HOSTS_MAX, &count, &memory));
    TRY(certificate_make(count > 0 ? hosts : local, count > 0 ? count : 3, &c->diag, &cert, &key));
    TRY(file_mkdirs(tls, 0700, &c->diag));
    TRY(file_replace(key_path, buf_view(&key), 0600, &c->diag));
    return file_replace(cert_path, buf_view(&cert), 0644, &c->diag);
}

static struct status
read_type(struct cli *c, enum note_type *ret_type)
{
    static const struct {
        const char *word;
        enum note_type type;
    } types[] = {{"ed25519", NOTE_COSIGNATURE}, {"ml-dsa-44", NOTE_COSIGNATURE_MLDSA}};
    const char *word = cli_value(c, "type");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(word, types[i].word) == 0) {
            *ret_type = types[i].type;
            return OK;
        }
    }
    diag_set(&c->diag, "--type %.40s: there are ed25519 and ml-dsa-44", word);
    FAIL(INPUT);
}

struct status
cli_witness_key(struct cli *c)
{
    const char *dir = c->operand[0], *name = NULL;
    enum note_type type = NOTE_COSIGNATURE;
    struct note_key key;
    DEFER(buf_done) struct buf vkey;
    buf_init(&vkey, 4096);
    TRY(cli_need(c, "name", "NAME", &name));
    TRY(read_type(c, &type));
    TRY(witness_make(dir, type, name, &c->diag, &key));
    TRY(make_certificate(c, dir));
    note_put_vkey(&key, &vkey);
    TRY(buf_status(&vkey));
    if (c->json) {
        DEFER(js_freep)
        json_t *o =
            json_pack("{s:s, s:s, s:s}", "witness", dir, "name", key.name, "vkey", buf_str(&vkey));
        CHECK(o != NULL, MEMORY);
        return cli_print_json(o);
    }
    cli_put_clean(stdout, buf_str(&vkey));
    (void)fputc('\n', stdout);
    return OK;
}

/* ---- serve ---- */

struct keys {
    const char *vkey[WITNESS_LOGS];
    size_t count;
    struct buf list;                    /* --logs, its line ends NULs */
    const char *given[CLI_MAX_REPEATS]; /* --log */
    char *memory;
};

static struct status
add_key(struct cli *c, const char *vkey, const char *where, struct keys *k)
{
    struct note_key parsed;
    struct diag why = {0};
    if (!status_ok(note_parse_vkey(view_str(vkey), &why, &parsed))) {
        diag_set(&c->diag, "%s: %s", where, why.text);
        FAIL(INPUT);
    }
    if (k->count == WITNESS_LOGS) {
        diag_set(&c->diag, "%s: more than %u logs", where, WITNESS_LOGS);
        FAIL(LIMIT);
    }
    k->vkey[k->count++] = vkey;
    return OK;
}

/* One verifier key a line; '#' and empty lines are nothing. */
static struct status
read_list(struct cli *c, const char *path, struct keys *k)
{
    size_t line = 0;
    TRY(file_read(path, LIST_MAX, &c->diag, &k->list));
    buf_put_u8(&k->list, '\n');
    TRY(buf_status(&k->list));
    for (char *at = (char *)k->list.ptr, *end = NULL; (end = strchr(at, '\n')) != NULL;
         at = end + 1) {
        char where[512];
        *end = '\0';
        (void)snprintf(where, sizeof where, "%s line %zu", path, ++line);
        if (*at != '\0' && *at != '#') {
            TRY(add_key(c, at, where, k));
        }
    }
    return OK;
}

static struct status
collect_keys(struct cli *c, struct keys *k)
{
    const char *path = cli_value(c, "logs");
    size_t n = 0;
    TRY(cli_list(c, "log", k->given, CLI_MAX_REPEATS, &n, &k->memory));
    for (size_t i = 0; i < n; i++) {
        TRY(add_key(c, k->given[i], "--log", k));
    }
    if (path != NULL) {
        TRY(read_list(c, path, k));
    }
    if (k->count == 0) {
        diag_set(&c->diag, "witness serve: of which logs? --log VKEY, or --logs FILE");
        FAIL(INPUT);
    }
    return OK;
}

static char *
argument(const char *text)
{
    return (char *)(uintptr_t)(text == NULL ? "" : text); /* argv wants char *, and changes none */
}

static struct status
become(struct cli *c, const struct keys *k)
{
    char *argv[FIXED + WITNESS_LOGS + 1] = {NULL};
    DEFER(file_freep) char *program = file_program("steward-witness");
    CHECK(program != NULL, IO);
    argv[0] = program;
    argv[1] = argument(c->operand[0]);
    argv[2] = argument(cli_value(c, "listen"));
    argv[3] = argument(cli_value(c, "port-file"));
    for (size_t i = 0; i < k->count; i++) {
        argv[FIXED + i] = argument(k->vkey[i]);
    }
    (void)fflush(NULL);
    (void)execv(program, argv);
    const int err = errno;
    diag_set(&c->diag, "%s: %s; is it installed with this steward?", program, strerror(err));
    FAIL_OS(err);
}

struct status
cli_witness_serve(struct cli *c)
{
    DEFER(memory_freep) struct keys *k = calloc(1, sizeof *k);
    CHECK(k != NULL, MEMORY);
    buf_init(&k->list, LIST_MAX + 1);
    struct status s = collect_keys(c, k);
    s = status_ok(s) ? become(c, k) : s;
    buf_done(&k->list);
    free(k->memory);
    return s;
}
