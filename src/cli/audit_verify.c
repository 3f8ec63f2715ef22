/* audit verify: what was added to a log since it was verified last, or all of it. Needs no
 * passphrase, and writes nothing but what is kept for the next time, which is not in the log's
 * folder. */
#include "cli/verified.h"
#include "cli/witnessed.h"

#include "base/file.h"
#include "base/json.h"

/* What a whole log says about troubles: none of these makes it wrong, all want to be looked at. */
static void
print_notes(const struct audit_report *r)
{
    if (r->repairs > 0) {
        (void)printf("  note: audit.repair: %llu\n"
                     "    A crash left a write unfinished: nobody was told that it was done.\n"
                     "    Its bytes are kept beside the journal; the entry names the file.\n",
                     (unsigned long long)r->repairs);
    }
    if (r->gaps > 0) {
        (void)printf("  note: audit.gap: %llu\n"
                     "    Entries could not be written; what they were about was refused.\n"
                     "    The entry says how many, and why.\n",
                     (unsigned long long)r->gaps);
    }
    if (r->clock_back > 0) {
        (void)printf("  note: clock set back: %llu; the first: entry %llu\n"
                     "    It ended more than a second before the entry before it did.\n",
                     (unsigned long long)r->clock_back, (unsigned long long)r->first_clock_back);
    }
}

/* What is said beside the report. */
struct judged {
    bool is; /* with --policy */
    struct witnessed witnessed;
    bool good;
    struct verified before; /* what was known before */
    bool full;
    bool kept; /* for the next time */
};

static void
judged_done(struct judged *j)
{
    verified_done(&j->before);
}

/* Which entries were read now; the ones before them were read earlier. */
static struct status
put_covered(const struct audit_report *r, const struct judged *j, json_t *o)
{
    json_t *before = json_null();
    if (j->before.seen.size > 0) {
        before = json_pack("{s:I, s:s, s:s}", "entries", (json_int_t)j->before.seen.size, "time",
                           j->before.time, "full", j->before.full);
    }
    CHECK(before != NULL && json_object_set_new(o, "before", before) == 0 &&
              json_object_set_new(o, "from", json_integer((json_int_t)r->from)) == 0 &&
              json_object_set_new(o, "kept", json_boolean(j->kept)) == 0,
          MEMORY);
    return OK;
}

static void
print_covered(const struct audit_report *r, const struct judged *j)
{
    if (r->from == 0) {
        (void)puts("  covered: every entry and hash was read and computed anew");
    } else {
        (void)printf("  covered: entries from %llu on were read; those before were seen\n"
                     "    until %.19sZ, all of them %.19sZ, and their hashes are in this\n"
                     "    root; --full reads them again\n",
                     (unsigned long long)r->from, j->before.time, j->before.full);
    }
    if (j->before.seen.size > 0) {
        (void)printf("  it goes on from the %llu entries that were verified before\n",
                     (unsigned long long)j->before.seen.size);
    }
}

static struct status
print_report_json(const struct audit_report *r, const struct judged *j, const char *root)
{
    json_t *first = r->clock_back > 0 ? json_integer((json_int_t)r->first_clock_back) : json_null();
    DEFER(js_freep)
    json_t *o = json_pack("{s:b, s:s, s:I, s:I, s:s, s:I, s:I, s:I, s:o}", "verified", 1, "origin",
                          r->origin, "entries", (json_int_t)r->entries, "pending",
                          (json_int_t)r->pending, "root_sha256", root, "repairs",
                          (json_int_t)r->repairs, "gaps", (json_int_t)r->gaps, "clock_back",
                          (json_int_t)r->clock_back, "first_clock_back", first);
    CHECK(o != NULL, MEMORY);
    TRY(put_covered(r, j, o));
    if (j->is) {
        const struct witnessed *w = &j->witnessed;
        CHECK(json_object_set_new(o, "witnessed",
                                  cli_witnessed_json(&w->verdict, w->behind, j->good)) == 0,
              MEMORY);
    }
    return cli_print_json(o);
}

static struct status
print_report(struct cli *c, const struct audit_report *r, const struct judged *j)
{
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 128);
    digest_put_hex(&hex, &r->root);
    if (c->json) {
        return print_report_json(r, j, buf_str(&hex));
    }
    (void)printf("verified: %llu entries of log ", (unsigned long long)r->entries);
    cli_put_clean(stdout, r->origin);
    (void)printf("\n  root %s\n", buf_str(&hex));
    print_covered(r, j);
    if (r->pending > 0) {
        (void)printf("  and %llu durable entries that the next checkpoint will cover\n",
                     (unsigned long long)r->pending);
    }
    if (j->is) {
        cli_print_witnessed(&j->witnessed, j->good);
    }
    print_notes(r);
    return OK;
}

static struct status
print_fault(struct cli *c, const struct audit_fault *fault, const struct judged *j)
{
    const bool partly = !j->full && j->before.seen.size > 0;
    c->exit_code = cli_exit_code(STATUS_INTEGRITY);
    if (c->json) {
        DEFER(js_freep) json_t *o = json_pack("{s:b, s:s}", "verified", 0, "fault", fault->text);
        CHECK(o != NULL, MEMORY);
        return cli_print_json(o);
    }
    (void)fputs("NOT verified: ", stdout);
    cli_put_clean(stdout, fault->text);
    (void)fputc('\n', stdout);
    if (partly) {
        (void)puts("  this is how it differs from what was seen before, or what came since does\n"
                   "  not fit: audit verify --full names the first byte that was changed");
    }
    return OK;
}

/* After the log itself: its tiles are believed. */
static struct status
judge(struct cli *c, const char *dir, const char *vkey, const struct quorum *q, struct judged *j)
{
    if (q == NULL) {
        return OK;
    }
    j->is = true;
    TRY(witnessed_log(dir, vkey, q, &c->diag, &j->witnessed));
    return cli_judge_witnessed(c, &j->witnessed, &j->good);
}

/* What cannot be kept makes the next verification longer, and this one no worse. */
static void
keep(const char *path, const struct verified *now, struct judged *j)
{
    struct diag diag = {0};
    const struct status s = path == NULL ? OK : verified_write(path, now, &diag);
    j->kept = path != NULL && status_ok(s);
    if (!status_ok(s)) {
        char text[sizeof diag.text];
        diag_describe(&diag, s, text, sizeof text);
        (void)fprintf(stderr, "steward: verified, but not kept for the next time: %s\n", text);
    }
}

static struct status
verify(struct cli *c, const char *dir, const char *vkey, struct judged *j,
       struct audit_fault *ret_fault, struct audit_report *ret_report)
{
    DEFER(verified_done) struct verified now = {0};
    DEFER(file_freep) char *path = NULL;
    DEFER(buf_done) struct buf key;
    buf_init(&key, 4096);
    buf_init(&now.note, NOTE_MAX);
    j->full = cli_flag(c, "full");
    const struct status known = audit_vkey(dir, vkey, &c->diag, &key);
    if (!status_ok(known)) {
        (void)snprintf(ret_fault->text, sizeof ret_fault->text, "%.500s", c->diag.text);
        return known;
    }
    TRY(verified_path(buf_str(&key), cli_value(c, "state"), &path));
    TRY(verified_read(path, buf_str(&key), &c->diag, &j->before));
    TRY(audit_verify_since(dir, vkey, &j->before.seen, j->full, ret_fault, ret_report, &now.seen,
                           &now.note));
    verified_stamp(&now, ret_report->from == 0 ? NULL : &j->before);
    keep(path, &now, j);
    return OK;
}

struct status
cli_audit_verify(struct cli *c)
{
    DEFER(file_freep) char *dir = NULL;
    DEFER(quorum_freep) struct quorum *q = NULL;
    DEFER(buf_done) struct buf policy_vkey;
    DEFER(judged_done) struct judged j = {0};
    struct audit_fault fault = {0};
    struct audit_report report = {0};
    const char *vkey = cli_value(c, "vkey");
    buf_init(&policy_vkey, 4096);
    TRY(cli_log_dir(c, 0, &dir));
    TRY(cli_quorum(c, &q));
    if (q != NULL) {
        TRY(cli_quorum_vkey(c, dir, q, &policy_vkey));
        vkey = buf_str(&policy_vkey);
    }
    const struct status s = verify(c, dir, vkey, &j, &fault, &report);
    if (s.code == STATUS_INTEGRITY) {
        return print_fault(c, &fault, &j);
    }
    if (!status_ok(s)) {
        if (fault.text[0] != '\0') {
            diag_set(&c->diag, "%s", fault.text);
        }
        return s;
    }
    TRY(judge(c, dir, vkey, q, &j));
    return print_report(c, &report, &j);
}
