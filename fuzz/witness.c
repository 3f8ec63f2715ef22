/* What a stranger may send a witness: a request of add-checkpoint (first byte '0'); what a witness
 * may answer a log
 * ('1'); a line of audit.witnesses ('2'). */
#include "govern/witness.h"
#include "govern/cosign.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The test vector of C2SP signed-note, as if a witness had it. */
static const char vkey[] = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
static const char checkpoint[] =
    "example.com/foo\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n"
    "\xe2\x80\x94 example.com/foo AAAAAAAA\n";

/* What is taken is written as it was. */
static void
as_request(struct view bytes)
{
    struct witness_request q;
    struct diag diag = {0};
    DEFER(buf_done) struct buf again;
    buf_init(&again, WITNESS_REQUEST_MAX);
    if (!status_ok(witness_parse_request(bytes, &diag, &q))) {
        ASSERT(diag.text[0] != '\0');
        return;
    }
    witness_put_request(&again, &q);
    ASSERT(view_equal(buf_view(&again), bytes));
}

static struct status
answer(void *ctx, const struct cosign_witness *w, struct view body, struct diag *diag,
       unsigned *ret_status, struct buf *ret_answer)
{
    static const unsigned statuses[] = {200, 409, 422, 404, 500};
    const struct view *bytes = ctx;
    (void)w, (void)body, (void)diag;
    *ret_status = statuses[bytes->ptr[0] % (sizeof statuses / sizeof *statuses)];
    buf_put(ret_answer, view_of(bytes->ptr + 1, bytes->len - 1));
    return buf_status(ret_answer);
}

/* Nobody has signed anything: nothing is taken. */
static void
as_answer(struct view bytes)
{
    static struct cosign_witness w;
    struct note_key log;
    struct diag diag = {0};
    uint64_t known = 0;
    DEFER(buf_done) struct buf line;
    buf_init(&line, COSIGN_LINES_MAX);
    if (bytes.len == 0) {
        return;
    }
    ASSERT(status_ok(note_parse_vkey(view_str(vkey), NULL, &log)));
    ASSERT(status_ok(note_cosigner_make(NOTE_COSIGNATURE, log.name, log.public_key, NULL, &w.key)));
    const struct cosign_post post = {answer, &bytes};
    const enum cosign_outcome o =
        cosign_ask("", &w, view_str(checkpoint), &post, &known, &diag, &line);
    ASSERT(o != COSIGN_SIGNED && diag.text[0] != '\0' && known == 0);
}

static void
as_line(struct view bytes)
{
    struct cosign_witness w;
    struct diag diag = {0};
    const struct status s = cosign_parse(bytes, &diag, &w);
    ASSERT(status_ok(s) ? w.timeout_ns > 0 : diag.text[0] != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const as[])(struct view) = {as_request, as_answer, as_line};
    if (size > 0) {
        as[(data[0] & 0x0f) % 3](view_of(data + 1, size - 1));
    }
    return 0;
}
