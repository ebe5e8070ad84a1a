/* The parts of the page about who does the work: see view_parts.h. */
#include <string.h>

#include "common/clock.h"
#include "webd/html.h"
#include "webd/view_parts.h"

static void
put_fact(struct buf *b, const char *name, const char *text)
{
	buf_printf(b, "<dt>%s</dt><dd>", name);
	html_text(b, text);
	buf_adds(b, "</dd>\n");
}

static void
put_number(struct buf *b, const char *name, int64_t number)
{
	buf_printf(b, "<dt>%s</dt><dd>%lld</dd>\n", name, (long long)number);
}

/*
 * Who holds the lead. In a cluster the identity is a node's name, '_', and what makes it
 * unique; people know the node.
 */
static void
put_holder(const struct webd_state *s, struct buf *b)
{
	const char *holder = webd_holder(s), *mark = strrchr(holder, '_');
	bool node = mark != NULL && mark != holder && strcmp(s->config.backend, "kubernetes") == 0;
	struct buf name = BUF_INIT;

	buf_add(&name, holder, node ? (size_t)(mark - holder) : strlen(holder));
	buf_adds(b, "<p class=\"name\">");
	html_text(b, holder[0] != '\0' ? buf_text(&name) : "nobody");
	buf_adds(b, "</p>\n<p>");
	buf_free(&name);
	html_chip(b, holder[0] != '\0' ? WEBD_GOOD : WEBD_WARN,
		  holder[0] != '\0' ? "leads" : "no leader");
	buf_adds(b, "</p>\n<p>");
	if (s->has_lead && s->lead.role == MSG_LEADER) {
		buf_adds(b, "This instance, since ");
		html_moment(b, s->lead.since);
	} else {
		buf_adds(b, s->has_lead ? "This instance stands by." : "This instance only shows.");
	}
	buf_adds(b, "</p>\n");
}

static const char *
backend_words(const char *backend)
{
	if (strcmp(backend, "local") == 0)
		return "a lock on this host";
	return strcmp(backend, "kubernetes") == 0 ? "a Lease in Kubernetes" : backend;
}

/* How this instance hears of the leader, and what is in front of the cluster. */
static void
put_cluster(const struct msg_cluster *c, struct buf *b)
{
	put_fact(b, "ConfigMap",
		 c->current ? "watched" : "not watched now: what is shown may be older");
	if (c->publisher[0] != '\0') {
		buf_adds(b, "<dt>Publisher</dt><dd>");
		html_text(b, c->publisher);
		buf_adds(b, c->connected ? ", connected</dd>\n" : ", not connected</dd>\n");
	}
	if (c->followers > 0)
		put_number(b, "Followers", c->followers);
	if (c->balancer[0] != '\0')
		put_fact(b, "Load balancer", c->balancer);
	else if (c->balancer_pending)
		put_fact(b, "Load balancer", "awaited: its Service has no address yet");
}

void
view_leader(const struct webd_state *s, int64_t now_ms, struct buf *b)
{
	bool leads = s->has_lead && s->lead.role == MSG_LEADER;

	view_open(s, s->has_lead ? WEBD_DETECTOR : WEBD_UPDATER, "leader", "Leader", now_ms, b);
	if (!s->has_lead && (!s->has_cluster || !s->has_wan)) {
		buf_adds(b, "<p class=\"quiet\">Nothing is known of a leader yet.</p>\n"
			    "</section>\n");
		return;
	}
	put_holder(s, b);
	if (s->has_lead)
		view_notice(s->lead.reason, leads ? WEBD_WARN : WEBD_WAIT, b);
	if (s->has_cluster)
		view_notice(s->cluster.reason, WEBD_WARN, b);
	buf_adds(b, "<dl>\n");
	if (s->has_lead)
		put_fact(b, "Elected by", backend_words(s->lead.backend));
	if (strcmp(s->config.backend, "kubernetes") == 0)
		put_fact(b, "Identity", webd_holder(s));
	if (leads)
		put_number(b, "Term", s->lead.term);
	if (s->has_wan) {
		put_number(b, "Epoch", s->wan.epoch);
		put_number(b, "Sequence", s->wan.sequence);
	}
	if (s->has_cluster)
		put_cluster(&s->cluster, b);
	buf_adds(b, "</dl>\n</section>\n");
}

static enum webd_level
unit_level(const struct webd_unit *u)
{
	if (webd_unit_is(u, "active"))
		return WEBD_GOOD;
	if (webd_unit_is(u, "failed") || webd_unit_is(u, "aborting"))
		return WEBD_BAD;
	return webd_unit_is(u, "backoff") ? WEBD_WARN : WEBD_WAIT;
}

static void
put_unit(const struct webd_unit *u, int64_t now_ms, int64_t wall_ms, struct buf *b)
{
	buf_adds(b, "<tr><th scope=\"row\">");
	html_text(b, u->name);
	if (u->status[0] != '\0') {
		buf_adds(b, "<span class=\"quiet\">");
		html_text(b, u->status);
		buf_adds(b, "</span>");
	}
	buf_adds(b, "</th><td>");
	html_chip(b, unit_level(u), u->state);
	if (u->next_start_ms > now_ms) {
		buf_adds(b, "<span class=\"quiet\">starts in ");
		html_left(b, u->next_start_ms - now_ms);
		buf_adds(b, "</span>");
	}
	buf_adds(b, "</td><td data-label=\"For\">");
	html_age(b, u->since > 0 && wall_ms > u->since ? wall_ms - u->since : 0, u->since);
	buf_printf(b, "</td><td data-label=\"Restarts\">%lld", (long long)u->restarts);
	if (u->last_exit[0] != '\0') {
		buf_adds(b, "<span class=\"quiet\">last end: ");
		html_text(b, u->last_exit);
		buf_adds(b, "</span>");
	}
	buf_adds(b, "</td><td data-label=\"Process\">");
	if (u->pid > 0)
		buf_printf(b, "%lld", (long long)u->pid);
	else
		buf_adds(b, "none");
	if (u->memory > 0 && u->cpu_ms >= 0)
		buf_printf(b, "<span class=\"quiet\">%.1f MB, CPU %.1f s</span>",
			   (double)u->memory / 1e6, (double)u->cpu_ms / 1e3);
	buf_adds(b, "</td></tr>\n");
}

void
view_units(const struct webd_state *s, int64_t now_ms, int64_t wall_ms, struct buf *b)
{
	view_open(s, VIEW_OWN, "units", "Units", now_ms, b);
	if (!s->has_units) {
		buf_adds(b, "<p class=\"quiet\">The supervisor has not told them yet.</p>\n"
			    "</section>\n");
		return;
	}
	buf_adds(b, "<table class=\"units\">\n<thead><tr><th scope=\"col\">Unit</th>"
		    "<th scope=\"col\">State</th><th scope=\"col\">For</th>"
		    "<th scope=\"col\">Restarts</th><th scope=\"col\">Process</th></tr></thead>\n"
		    "<tbody>\n");
	for (size_t i = 0; i < s->nunits; i++)
		put_unit(&s->units[i], now_ms, wall_ms, b);
	buf_adds(b, "</tbody>\n</table>\n</section>\n");
}
