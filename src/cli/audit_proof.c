/* audit prove, audit check: receipts, made from a log and checked without it. */
#include "cli/witnessed.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

#define PROOF_MAX (1u << 20)

/* ---- checking ---- */

/* What is held against the log: the entry in the receipt, or the one in a file. */
struct claim {
    bool inside;
    uint64_t index; /* when it is inside */
    struct buf proof, entry;
};

static void
claim_done(struct claim *m)
{
    buf_done(&m->proof);
    buf_done(&m->entry);
}

static struct status
read_claim(struct cli *c, const char *path, const char *entry_path, struct claim *m)
{
    buf_init(&m->proof, PROOF_MAX);
    buf_init(&m->entry, AUDIT_MAX_ENTRY + 1);
    m->inside = entry_path == NULL;
    TRY(file_read(path, PROOF_MAX, &c->diag, &m->proof));
    return m->inside ? audit_receipt_entry(buf_view(&m->proof), &c->diag, &m->index, &m->entry)
                     : file_read(entry_path, AUDIT_MAX_ENTRY, &c->diag, &m->entry);
}

static struct status
print_json(struct cli *c, const struct claim *m, const struct quorum_verdict *v)
{
    DEFER(js_freep) json_t *o = json_pack("{s:b}", "proved", 1);
    DEFER(js_freep) json_t *e = NULL;
    CHECK(o != NULL, MEMORY);
    if (m->inside) {
        TRY(js_parse(buf_view(&m->entry), "entry", &c->diag, &e));
        CHECK(json_object_set_new(o, "index", json_integer((json_int_t)m->index)) == 0 &&
                  json_object_set(o, "entry", e) == 0,
              MEMORY);
    }
    CHECK(v == NULL || json_object_set_new(o, "witnessed", cli_witnessed_json(v, 0, true)) == 0,
          MEMORY);
    return cli_print_json(o);
}

static struct status
print_proved(struct cli *c, struct claim *m, const struct quorum_verdict *v)
{
    if (c->json) {
        return print_json(c, m, v);
    }
    (void)puts("proved: the entry is in the log that this key signs");
    if (m->inside) {
        (void)printf("  entry %llu: ", (unsigned long long)m->index);
        cli_put_clean(stdout, buf_str(&m->entry));
        (void)fputc('\n', stdout);
    }
    if (v != NULL) {
        cli_print_verdict(v);
    }
    return OK;
}

static struct status
check(struct cli *c, const char *path, const char *entry_path)
{
    const char *vkey = cli_value(c, "vkey");
    struct quorum_verdict v;
    DEFER(quorum_freep) struct quorum *q = NULL;
    DEFER(claim_done) struct claim m = {0};
    TRY(cli_quorum(c, &q));
    if (vkey == NULL && q == NULL) {
        diag_set(&c->diag,
                 "%s: --vkey KEY is needed, or --policy FILE: the log's public key, from whoever "
                 "you trust to tell it",
                 c->verb->name);
        FAIL(INPUT);
    }
    TRY(read_claim(c, path, entry_path, &m));
    if (q == NULL) {
        TRY(audit_check_proof(vkey, buf_view(&m.entry), buf_view(&m.proof), &c->diag));
        return print_proved(c, &m, NULL);
    }
    TRY(witnessed_proof(vkey, q, buf_view(&m.entry), buf_view(&m.proof), &c->diag, &v));
    return print_proved(c, &m, &v);
}

struct status
cli_audit_check(struct cli *c)
{
    return check(c, c->operand[0], c->operands == 1 ? NULL : c->operand[1]);
}

/* ---- making ---- */

static struct status
put_receipt(struct cli *c, uint64_t index, const struct buf *proof)
{
    const char *path = cli_value(c, "output");
    if (path != NULL) {
        return file_replace(path, buf_view(proof), 0644, &c->diag);
    }
    if (c->json) {
        DEFER(js_freep)
        json_t *o = json_pack("{s:I, s:s%}", "index", (json_int_t)index, "receipt",
                              (const char *)proof->ptr, proof->len);
        CHECK(o != NULL, MEMORY);
        return cli_print_json(o);
    }
    (void)fwrite(proof->ptr, 1, proof->len, stdout);
    return OK;
}

static struct status
prove(struct cli *c)
{
    uint64_t index = 0;
    DEFER(file_freep) char *dir = NULL;
    DEFER(buf_done) struct buf proof;
    buf_init(&proof, PROOF_MAX);
    if (c->operands == 0) {
        diag_set(&c->diag, "audit prove: which entry? write its INDEX, or --check FILE");
        FAIL(INPUT);
    }
    if (!status_ok(text_to_u64(view_str(c->operand[0]), &index))) {
        diag_set(&c->diag, "%s: an entry's index is a whole number from 0", c->operand[0]);
        FAIL(INPUT);
    }
    TRY(cli_log_dir(c, 1, &dir));
    TRY(audit_prove(dir, index, NULL, &proof, &c->diag));
    return put_receipt(c, index, &proof);
}

struct status
cli_audit_prove(struct cli *c)
{
    const char *path = cli_value(c, "check");
    if (path == NULL) {
        return prove(c);
    }
    if (c->operands > 0 || cli_value(c, "output") != NULL) {
        diag_set(&c->diag, "audit prove --check FILE: nothing is made; no INDEX and no --output");
        FAIL(INPUT);
    }
    return check(c, path, NULL);
}
