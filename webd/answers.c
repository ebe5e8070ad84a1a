#include "webd/answers.h"

#include <stdlib.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "webd/verdict.h"
#include "webd/view_html.h"
#include "webd/view_json.h"
#include "webd/view_metrics.h"

#define TYPE_HTML "text/html; charset=utf-8"
#define TYPE_JSON "application/json"
#define TYPE_TEXT "text/plain; charset=utf-8"

struct prepared {
	struct MHD_Response *response; /* NULL until it was asked for */
	enum webd_status status;
	uint64_t version; /* of the state that it shows */
	int64_t second;
};

struct answers {
	const struct webd_state *state;
	const struct webd_traffic *traffic;
	struct prepared of[ANSWER__MAX];
};

struct answers *
answers_new(const struct webd_state *state, const struct webd_traffic *traffic)
{
	struct answers *a = mem_new(1, sizeof(*a));

	a->state = state;
	a->traffic = traffic;
	return a;
}

void
answers_free(struct answers *a)
{
	if (a == NULL)
		return;
	for (int i = 0; i < ANSWER__MAX; i++)
		if (a->of[i].response != NULL)
			MHD_destroy_response(a->of[i].response);
	free(a);
}

static void
add_header(struct MHD_Response *response, const char *name, const char *value)
{
	if (MHD_add_response_header(response, name, value) == MHD_NO)
		log_error("a response header was refused", LOG_S("name", name));
}

void
answers_add_headers(struct MHD_Response *response, const char *content_type)
{
	add_header(response, "Content-Type", content_type);
	add_header(response, "Cache-Control", "no-store");
	add_header(response, "Content-Security-Policy", VIEW_CSP);
	add_header(response, "X-Content-Type-Options", "nosniff");
	add_header(response, "Referrer-Policy", "no-referrer");
	/* no other site's page may load, and so measure, what is told here */
	add_header(response, "Cross-Origin-Resource-Policy", "same-origin");
}

/* A sentence why not, or "ok". */
static enum webd_status
put_probe(struct buf *b)
{
	enum webd_status status = b->len == 0 ? WEBD_200 : WEBD_503;

	buf_adds(b, status == WEBD_200 ? "ok\n" : "\n");
	return status;
}

/* Write what changes with the state. Returns its content type. */
static const char *
write_state(const struct answers *a, enum answer which, int64_t now_ms, struct buf *b,
	    enum webd_status *status)
{
	const struct webd_state *s = a->state;

	*status = WEBD_200;
	switch (which) {
	case ANSWER_PAGE:
		view_html(s, now_ms, clock_wall(), b);
		return TYPE_HTML;
	case ANSWER_RAW:
		view_raw(s, now_ms, b);
		return TYPE_JSON;
	case ANSWER_STATE:
		view_state_json(s, now_ms, clock_wall(), b);
		return TYPE_JSON;
	case ANSWER_METRICS:
		view_metrics(s, a->traffic, now_ms, false, b);
		return VIEW_METRICS_CLASSIC;
	case ANSWER_METRICS_OPEN:
		view_metrics(s, a->traffic, now_ms, true, b);
		return VIEW_METRICS_OPEN;
	case ANSWER_HEALTHZ:
		webd_health(s, b);
		*status = put_probe(b);
		return TYPE_TEXT;
	default:
		webd_readiness(s, now_ms, b);
		*status = put_probe(b);
		return TYPE_TEXT;
	}
}

/* Write what never changes. Returns its content type. */
static const char *
write_fixed(enum answer which, struct buf *b, enum webd_status *status)
{
	*status = WEBD_200;
	switch (which) {
	case ANSWER_STYLE:
		buf_adds(b, page_style);
		return "text/css; charset=utf-8";
	case ANSWER_SCRIPT:
		buf_adds(b, page_script);
		return "text/javascript; charset=utf-8";
	case ANSWER_ICON:
		buf_adds(b, page_icon);
		return "image/svg+xml";
	case ANSWER_STREAM_HEAD:
		return "text/event-stream";
	case ANSWER_NOT_FOUND:
		*status = WEBD_404;
		view_html_message("There is nothing here", "No page has this address.", b);
		return TYPE_HTML;
	case ANSWER_NOT_ALLOWED:
		*status = WEBD_405;
		buf_adds(b, "Only GET and HEAD are answered here.\n");
		return TYPE_TEXT;
	case ANSWER_TOO_LARGE:
		*status = WEBD_413;
		buf_adds(b, "A request must not have a body here.\n");
		return TYPE_TEXT;
	default:
		*status = WEBD_503;
		buf_adds(b, "Too many pages follow the events at the moment.\n");
		return TYPE_TEXT;
	}
}

static void
build(const struct answers *a, enum answer which, int64_t now_ms, struct prepared *p)
{
	struct buf b = BUF_INIT;
	const char *type = which < ANSWER_STYLE ? write_state(a, which, now_ms, &b, &p->status)
						: write_fixed(which, &b, &p->status);
	size_t len = b.len;

	/* an empty body needs no memory, but MHD wants some to free */
	buf_adds(&b, "");
	p->response = MHD_create_response_from_buffer(len, buf_take(&b), MHD_RESPMEM_MUST_FREE);
	if (p->response == NULL) {
		log_error("no memory for a response");
		abort();
	}
	answers_add_headers(p->response, type);
	if (which == ANSWER_NOT_ALLOWED)
		add_header(p->response, "Allow", "GET, HEAD");
	if (which == ANSWER_BUSY)
		add_header(p->response, "Retry-After", "10");
}

struct MHD_Response *
answers_get(struct answers *a, enum answer which, int64_t now_ms, enum webd_status *status)
{
	struct prepared *p = &a->of[which];
	bool current = p->response != NULL &&
		       (which >= ANSWER_STYLE ||
			(p->version == a->state->version && p->second == now_ms / 1000));

	if (!current) {
		/* connections that still send the old one hold it */
		if (p->response != NULL)
			MHD_destroy_response(p->response);
		build(a, which, now_ms, p);
		p->version = a->state->version;
		p->second = now_ms / 1000;
	}
	*status = p->status;
	return p->response;
}
