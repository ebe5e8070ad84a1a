#include "webd/view_metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool
view_metrics_accepts_open(const char *accept)
{
	return accept != NULL && strcasestr(accept, "application/openmetrics-text") != NULL;
}

/* Copy one family's samples of a worker. */
static void
copy_samples(struct metrics *to, const struct metrics *from, enum metric id)
{
	for (size_t i = 0; i < metrics_count(from, id); i++) {
		const struct metric_sample *in = metrics_at(from, id, i);
		struct metric_sample *out = metrics_sample(to, id, (const char *const *)in->labels);

		if (out == NULL)
			continue;
		/* several processes may count the same thing, such as dropped messages */
		out->value += in->value;
		out->count += in->count;
		for (size_t b = 0; b < METRIC_BUCKETS_MAX; b++)
			out->buckets[b] += in->buckets[b];
	}
}

/* What is promised to be there before anything was counted. */
static void
add_zeros(const struct webd_state *s, struct metrics *m)
{
	metrics_add(m, METRIC_WAN_IP_CHANGES, 0, NULL, NULL, NULL);
	metrics_sample(m, METRIC_WAN_IP_DURATION, (const char *const[]){ NULL, NULL, NULL });
	for (size_t i = 0; i < s->nrecords; i++) {
		const char *domain = s->records[i].config.fqdn;
		const char *type = address_record_type(s->records[i].config.family);

		metrics_add(m, METRIC_DNS_UPDATES, 0, domain, type, NULL);
		metrics_add(m, METRIC_DNS_UPDATE_FAILURES, 0, domain, type, "timeout");
		metrics_add(m, METRIC_DNS_UPDATE_FAILURES, 0, domain, type, "unauthorized");
		metrics_sample(m, METRIC_DNS_UPDATE_DURATION,
			       (const char *const[]){ domain, NULL, NULL });
	}
	for (int i = ADDRESS_IPV4; i < ADDRESS_FAMILY__MAX; i++) {
		const struct msg_wan_family *f = webd_family(s, (enum address_family)i);

		for (size_t k = 0; f != NULL && k < f->nvotes; k++) {
			metrics_add(m, METRIC_WAN_IP_FAILURES, 0, f->votes[k].operator, NULL, NULL);
			metrics_add(m, METRIC_WAN_IP_DISAGREEMENTS, 0, f->votes[k].operator, NULL,
				    NULL);
			metrics_add(m, METRIC_WAN_IP_ANSWERS, 0, f->votes[k].operator, NULL, NULL);
		}
	}
}

/* A wall time as Prometheus has it; 0 for never. */
static double
seconds(int64_t wall_ms)
{
	return (double)(wall_ms / 1000);
}

/*
 * The gauges of one record. Several records of one name share the label
 * "domain": what is true of all of them counts.
 */
static void
add_record(const struct webd_state *s, const struct webd_record *r, int64_t now_ms,
	   struct metrics *m)
{
	const char *type = address_record_type(r->config.family);
	const char *labels[] = { r->config.fqdn, NULL, NULL };
	struct metric_sample *sample;
	bool first = true;

	for (const struct webd_record *o = s->records; o < r; o++)
		first = first && strcmp(o->config.fqdn, r->config.fqdn) != 0;
	sample = metrics_sample(m, METRIC_STATE_IN_SYNC, labels);
	if (sample != NULL)
		sample->value = (first || sample->value > 0) && webd_record_in_sync(s, r, now_ms);
	sample = metrics_sample(m, METRIC_DNS_RECORD_MATCHES, labels);
	if (sample != NULL)
		sample->value = (first || sample->value > 0) && webd_record_matches(s, r);
	sample = metrics_sample(m, METRIC_LAST_DNS_UPDATE, labels);
	if (sample != NULL)
		if (seconds(r->msg.updated_at) > sample->value)
			sample->value = seconds(r->msg.updated_at);
	metrics_set(m, METRIC_LAST_DNS_CHECK, r->known ? seconds(r->msg.checked_at) : 0,
		    r->config.fqdn, type, NULL);
	metrics_set(m, METRIC_RECORD_ATTENTION,
		    r->known && r->msg.state == MSG_RECORD_ATTENTION ? 1 : 0, r->config.fqdn, type,
		    NULL);
	if (r->known && r->msg.error_type[0] != '\0')
		metrics_set(m, METRIC_RECORD_ERROR, 1, r->config.fqdn, type, r->msg.error_type);
}

/* A unit works if the supervisor says so, and, for the publishers, if it can be heard. */
static void
add_units(const struct webd_state *s, int64_t now_ms, struct metrics *m)
{
	for (int i = 0; i < WEBD_LINK__MAX; i++)
		if (webd_link_expected(s, (enum webd_link)i))
			metrics_set(m, METRIC_SERVICE_HEALTH,
				    webd_link_alive(s, (enum webd_link)i, now_ms),
				    webd_link_name((enum webd_link)i), NULL, NULL);
	metrics_set(m, METRIC_SERVICE_HEALTH, 1, "webd", NULL, NULL);
	for (size_t i = 0; i < s->nunits; i++) {
		const struct webd_unit *u = &s->units[i];

		metrics_set(m, METRIC_UNIT_UP, webd_unit_is(u, "active"), u->name, NULL, NULL);
		metrics_set(m, METRIC_UNIT_STATE, 1, u->name, u->state, NULL);
		metrics_add(m, METRIC_UNIT_RESTARTS, (double)u->restarts, u->name, NULL, NULL);
		if (u->memory >= 0)
			metrics_set(m, METRIC_UNIT_MEMORY, (double)u->memory, u->name, NULL, NULL);
		if (u->cpu_ms >= 0)
			metrics_add(m, METRIC_UNIT_CPU, (double)u->cpu_ms / 1000, u->name, NULL,
				    NULL);
	}
}

static void
add_addresses(const struct webd_state *s, struct metrics *m)
{
	for (int i = ADDRESS_IPV4; i < ADDRESS_FAMILY__MAX; i++) {
		enum address_family family = (enum address_family)i;
		const struct msg_wan_family *f = webd_family(s, family);
		bool known = f != NULL && f->address.family != ADDRESS_NONE;
		char text[ADDRESS_TEXT_MAX];

		if (known)
			metrics_set(m, METRIC_CURRENT_WAN_IP, 1,
				    address_format(&f->address, text, sizeof(text)), NULL, NULL);
		if (!known && !webd_needs(s, family))
			continue;
		metrics_set(m, METRIC_WAN_IP_DETECTED, known ? seconds(f->detected_at) : 0,
			    address_family_name(family), NULL, NULL);
		metrics_set(m, METRIC_WAN_IP_CONFIRMED, known ? seconds(f->confirmed_at) : 0,
			    address_family_name(family), NULL, NULL);
	}
	metrics_set(m, METRIC_STATE_POLL_TIMESTAMP, seconds(webd_poll_date(s)), NULL, NULL, NULL);
}

/* What there is only in a cluster. */
static void
add_cluster(const struct webd_state *s, int64_t now_ms, struct metrics *m)
{
	char list[MSG_PLACE_MAX], *rest = list, *address;

	if (!s->has_cluster)
		return;
	metrics_set(m, METRIC_LEADER, webd_leads(s, now_ms), NULL, NULL, NULL);
	metrics_set(m, METRIC_CONFIGMAP_WATCHED,
		    s->cluster.current && webd_link_alive(s, WEBD_UPDATER, now_ms), NULL, NULL,
		    NULL);
	metrics_set(m, METRIC_FOLLOWERS, s->cluster.followers, NULL, NULL, NULL);
	metrics_set(m, METRIC_LOADBALANCER_PENDING, s->cluster.balancer_pending, NULL, NULL, NULL);
	memcpy(list, s->cluster.balancer, sizeof(list));
	while ((address = strsep(&rest, ", ")) != NULL)
		if (address[0] != '\0')
			metrics_set(m, METRIC_LOADBALANCER_IP, 1, address, NULL, NULL);
}

static struct metrics *
collect(const struct webd_state *s, const struct webd_traffic *t, int64_t now_ms)
{
	struct metrics *m = metrics_new();

	/* zeros first: so what is configured stands before what happened to be counted */
	add_zeros(s, m);
	for (int id = 0; id < METRIC__MAX; id++) {
		if (metric_family((enum metric)id)->type == METRIC_GAUGE)
			continue;
		for (int i = 0; i < WEBD_LINK__MAX; i++)
			copy_samples(m, s->links[i].stats, (enum metric)id);
		copy_samples(m, s->own, (enum metric)id);
	}
	add_addresses(s, m);
	for (size_t i = 0; i < s->nrecords; i++)
		add_record(s, &s->records[i], now_ms, m);
	add_units(s, now_ms, m);
	add_cluster(s, now_ms, m);
	metrics_set(m, METRIC_INTERVAL, (double)s->config.detector_interval_ms / 1000,
		    webd_link_name(WEBD_DETECTOR), NULL, NULL);
	metrics_set(m, METRIC_INTERVAL, (double)s->config.updater_interval_ms / 1000,
		    webd_link_name(WEBD_UPDATER), NULL, NULL);
	webd_traffic_export(t, m);
	metrics_set(m, METRIC_BUILD_INFO, 1, s->config.version, NULL, NULL);
	return m;
}

/* Label values are escaped alike in both formats: backslash, quote, newline. */
static void
put_escaped(struct buf *b, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n') {
			buf_adds(b, "\\n");
			continue;
		}
		if (*text == '\\' || *text == '"')
			buf_addc(b, '\\');
		buf_addc(b, *text);
	}
}

/* One line: the name with its suffix, labels (le is NULL or one more), value. */
static void
put_sample(struct buf *b, const struct metric_family *f, const char *suffix,
	   const struct metric_sample *sample, const char *le, double value)
{
	const char *before = "{";

	buf_printf(b, "%s%s", f->name, suffix);
	for (size_t i = 0; i < f->nlabels; i++) {
		buf_printf(b, "%s%s=\"", before, f->labels[i]);
		put_escaped(b, sample->labels[i]);
		buf_addc(b, '"');
		before = ",";
	}
	if (le != NULL) {
		buf_printf(b, "%sle=\"%s\"", before, le);
		before = ",";
	}
	if (*before == ',')
		buf_addc(b, '}');
	if (value > -9e15 && value < 9e15 && value == (double)(int64_t)value)
		buf_printf(b, " %" PRId64 "\n", (int64_t)value);
	else
		buf_printf(b, " %.9g\n", value);
}

static void
put_histogram(struct buf *b, const struct metric_family *f, const struct metric_sample *sample,
	      bool openmetrics)
{
	unsigned long sum = 0;
	char le[32];

	for (size_t i = 0; i < f->nbuckets; i++) {
		sum += sample->buckets[i];
		snprintf(le, sizeof(le), "%g", f->buckets[i]);
		/* OpenMetrics 1.0, "Considerations: Canonical Numbers": 1.0, not 1 */
		if (openmetrics && strpbrk(le, ".e") == NULL)
			strcat(le, ".0");
		put_sample(b, f, "_bucket", sample, le, (double)sum);
	}
	put_sample(b, f, "_bucket", sample, "+Inf", (double)sample->count);
	put_sample(b, f, "_sum", sample, NULL, sample->value);
	put_sample(b, f, "_count", sample, NULL, (double)sample->count);
}

static void
put_family(struct buf *b, const struct metrics *m, enum metric id, bool openmetrics)
{
	static const char *const types[] = {
		[METRIC_COUNTER] = "counter",
		[METRIC_GAUGE] = "gauge",
		[METRIC_HISTOGRAM] = "histogram",
	};
	const struct metric_family *f = metric_family(id);
	const char *total = f->type == METRIC_COUNTER ? "_total" : "";
	/* in OpenMetrics a counter's family has the name without _total */
	const char *suffix = openmetrics ? "" : total;

	if (metrics_count(m, id) == 0)
		return;
	buf_printf(b, "# HELP %s%s ", f->name, suffix);
	put_escaped(b, f->help);
	buf_printf(b, "\n# TYPE %s%s %s\n", f->name, suffix, types[f->type]);
	if (openmetrics && f->unit != NULL)
		buf_printf(b, "# UNIT %s %s\n", f->name, f->unit);
	for (size_t i = 0; i < metrics_count(m, id); i++) {
		const struct metric_sample *sample = metrics_at(m, id, i);

		if (f->type == METRIC_HISTOGRAM)
			put_histogram(b, f, sample, openmetrics);
		else
			put_sample(b, f, total, sample, NULL, sample->value);
	}
}

void
view_metrics(const struct webd_state *s, const struct webd_traffic *t, int64_t now_ms,
	     bool openmetrics, struct buf *out)
{
	struct metrics *m = collect(s, t, now_ms);

	for (int id = 0; id < METRIC__MAX; id++)
		put_family(out, m, (enum metric)id, openmetrics);
	if (openmetrics)
		buf_adds(out, "# EOF\n");
	metrics_free(m);
}
