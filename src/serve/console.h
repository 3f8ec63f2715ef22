/* console: pages for people who look, on a listener of its own (docs/spec/console.md): who signs in
 * sees what its roles allow, and changes nothing. Everything that a page needs is in this program;
 * no page runs a script. Each view is a call like others: decided, recorded, then answered. */
#ifndef STEWARD_SERVE_CONSOLE_H
#define STEWARD_SERVE_CONSOLE_H

#include "serve/call.h"

/* Of every answer of that listener. */
void console_set_headers(struct call *c);
/* By the session of its cookie; or, of the form to sign in, by the key in it or the certificate. */
void console_authenticate(struct call *c);
/* The page of a call that is refused with x->status; to who is not signed in, with the form. */
void console_put_refusal(struct call *c, const char *sentence);

/* Acts of routes. */
void console_style(struct call *c);
void console_sign_in(struct call *c);
void console_sign_out(struct call *c);
void console_home(struct call *c);
void console_models(struct call *c);
void console_access(struct call *c);
void console_explain(struct call *c);
void console_audit(struct call *c);

#endif
