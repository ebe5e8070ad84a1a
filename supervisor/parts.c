#include "supervisor/parts.h"

#include <config.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/json.h"

/* ,"key": */
static void
add_key(struct buf *b, const char *key)
{
	buf_printf(b, ",\"%s\":", key);
}

static void
add_text(struct buf *b, const char *key, const char *text)
{
	add_key(b, key);
	if (text != NULL)
		json_quote(b, text);
	else
		buf_adds(b, "null");
}

static void
add_number(struct buf *b, const char *key, int64_t number)
{
	add_key(b, key);
	buf_printf(b, "%lld", (long long)number);
}

static void
add_bool(struct buf *b, const char *key, bool value)
{
	add_key(b, key);
	buf_adds(b, value ? "true" : "false");
}

static void
add_families(struct buf *b, bool ipv4, bool ipv6)
{
	add_key(b, "families");
	buf_printf(b, "[%s%s%s]", ipv4 ? "\"ipv4\"" : "", ipv4 && ipv6 ? "," : "",
		   ipv6 ? "\"ipv6\"" : "");
}

static void
add_access(struct buf *b, const struct config_cluster *cl)
{
	const struct config_access *a = &cl->access;

	buf_adds(b, ",\"access\":{\"server\":");
	json_quote(b, a->server);
	add_text(b, "namespace", cl->namespace);
	add_text(b, "token", a->token);
	add_text(b, "token_file", a->token_file);
	add_text(b, "ca_file", a->ca_file);
	add_text(b, "ca_data", a->ca_data);
	add_text(b, "cert_data", a->cert_data);
	add_text(b, "key_data", a->key_data);
	add_text(b, "tls_server_name", a->tls_server_name);
	add_bool(b, "insecure", a->insecure);
	buf_addc(b, '}');
}

/* What those need who talk to the API server. */
static void
add_kubernetes(struct buf *b, const struct config_cluster *cl)
{
	const char *advertise = cl->peers.advertise;

	add_access(b, cl);
	buf_adds(b, ",\"lease\":{\"name\":");
	json_quote(b, cl->lease.name);
	add_number(b, "duration", cl->lease.duration);
	add_number(b, "renew_deadline", cl->lease.renew_deadline);
	add_number(b, "retry_period", cl->lease.retry_period);
	buf_addc(b, '}');
	add_text(b, "configmap", cl->configmap);
	add_text(b, "node_name", cl->node_name);
	add_text(b, "pod_name", cl->pod_name);
	add_text(b, "pod_uid", cl->pod_uid);
	add_text(b, "identity_host", cl->identity_host);
	buf_adds(b, ",\"peers\":{\"listen\":{\"host\":");
	json_quote(b, cl->peers.listen.host);
	add_number(b, "port", cl->peers.listen.port);
	buf_addc(b, '}');
	add_text(b, "advertise", advertise != NULL ? advertise : cl->pod_ip);
	add_text(b, "key_file", cl->peers.key_file);
	buf_addc(b, '}');
}

/* What every part begins with; whole: with what is needed to talk to the API server. */
static void
begin(struct buf *b, const struct config *c, enum config_unit unit, bool whole)
{
	buf_printf(b, "{\"v\":%d", PARTS_VERSION);
	add_text(b, "unit", config_unit_name(unit));
	add_text(b, "version", PACKAGE_VERSION);
	add_text(b, "runtime_dir", c->runtime_dir);
	add_text(b, "state_dir", c->state_dir);
	buf_printf(b, ",\"log\":{\"level\":\"%s\",\"format\":\"%s\"}", log_level_name(c->log.level),
		   log_format_name(log_format_here(c->log.format)));
	buf_printf(b, ",\"cluster\":{\"backend\":\"%s\"", config_backend_name(c->cluster.backend));
	if (whole && c->cluster.backend == CONFIG_BACKEND_KUBERNETES)
		add_kubernetes(b, &c->cluster);
	buf_addc(b, '}');
}

static char *
end(struct buf *b)
{
	buf_addc(b, '}');
	return buf_take(b);
}

static void
add_source(struct buf *b, const struct config_source *s)
{
	bool http = s->kind == CONFIG_SOURCE_HTTPS || s->kind == CONFIG_SOURCE_HTTP;

	buf_adds(b, "{\"operator\":");
	json_quote(b, s->operator);
	add_text(b, "kind", config_source_kind_name(s->kind));
	add_text(b, "url", http ? s->url : NULL);
	add_text(b, "host", s->host);
	add_number(b, "port", s->port);
	add_text(b, "format", config_source_format_name(s->format));
	add_text(b, "key", s->key);
	add_families(b, s->ipv4, s->ipv6);
	buf_addc(b, '}');
}

static void
add_detector(struct buf *b, const struct config *c, bool ipv4, bool ipv6)
{
	const struct config_detector *d = &c->detector;

	begin(b, c, CONFIG_DETECTOR, true);
	add_families(b, ipv4, ipv6);
	add_number(b, "interval", d->interval);
	add_number(b, "tripwire", d->tripwire);
	add_number(b, "timeout", d->timeout);
	add_number(b, "quorum", d->quorum);
	add_number(b, "confirm", d->confirm);
	add_number(b, "min_change_interval", d->min_change_interval);
	add_bool(b, "allow_reserved", d->allow_reserved);
	add_text(b, "ca_file", d->ca_file);
	add_key(b, "sources");
	buf_addc(b, '[');
	for (size_t i = 0; i < d->nsources; i++) {
		if (i > 0)
			buf_addc(b, ',');
		add_source(b, &d->sources[i]);
	}
	buf_addc(b, ']');
}

char *
parts_detector(const struct config *c)
{
	struct buf b = BUF_INIT;

	add_detector(&b, c, config_needs(c, ADDRESS_IPV4), config_needs(c, ADDRESS_IPV6));
	return end(&b);
}

char *
parts_probe(const struct config *c)
{
	struct config alone = *c;
	bool all = c->nrecords == 0;
	struct buf b = BUF_INIT;

	/* it asks the sources, and no API server */
	alone.cluster.backend = CONFIG_BACKEND_LOCAL;
	add_detector(&b, &alone, all || config_needs(c, ADDRESS_IPV4),
		     all || config_needs(c, ADDRESS_IPV6));
	add_bool(&b, "optional", all);
	return end(&b);
}

static void
add_records(struct buf *b, const struct config *c)
{
	add_key(b, "records");
	buf_addc(b, '[');
	for (size_t i = 0; i < c->nrecords; i++) {
		const struct config_record *r = &c->records[i];

		buf_adds(b, i > 0 ? ",{\"fqdn\":" : "{\"fqdn\":");
		json_quote(b, r->fqdn);
		add_text(b, "zone", r->zone);
		add_text(b, "name", r->name);
		add_text(b, "type", address_record_type(r->family));
		add_number(b, "ttl", r->ttl);
		buf_addc(b, '}');
	}
	buf_addc(b, ']');
}

char *
parts_updater(const struct config *c)
{
	const struct config_provider *p = &c->provider;
	struct buf b = BUF_INIT;

	begin(&b, c, CONFIG_UPDATER, true);
	add_records(&b, c);
	buf_adds(&b, ",\"provider\":{\"name\":");
	json_quote(&b, p->name);
	add_text(&b, "url", p->url);
	add_text(&b, "auth", config_auth_name(p->auth));
	add_text(&b, "token_file", p->token_file);
	add_text(&b, "ca_file", p->ca_file);
	add_number(&b, "timeout", p->timeout);
	buf_addc(&b, '}');
	add_number(&b, "interval", c->updater.interval);
	add_number(&b, "detector_interval", c->detector.interval);
	add_bool(&b, "observe", c->updater.observe);
	add_bool(&b, "dry_run", c->updater.dry_run);
	add_number(&b, "backup_delay", c->updater.backup_delay);
	add_number(&b, "backup_spread", c->updater.backup_spread);
	if (c->updater.once_limit > 0)
		add_number(&b, "once_limit", c->updater.once_limit);
	return end(&b);
}

static void
add_endpoints(struct buf *b, const char *key, const struct config_endpoints *endpoints)
{
	add_key(b, key);
	buf_addc(b, '[');
	for (size_t i = 0; i < endpoints->n; i++) {
		buf_adds(b, i > 0 ? ",{\"host\":" : "{\"host\":");
		json_quote(b, endpoints->list[i].host);
		add_number(b, "port", endpoints->list[i].port);
		buf_addc(b, '}');
	}
	buf_addc(b, ']');
}

char *
parts_webd(const struct config *c)
{
	struct buf b = BUF_INIT;

	begin(&b, c, CONFIG_WEBD, false);
	/* whose page it is, where a Service chooses among several */
	if (c->cluster.backend == CONFIG_BACKEND_KUBERNETES)
		add_text(&b, "instance",
			 c->cluster.pod_name != NULL ? c->cluster.pod_name
						     : c->cluster.identity_host);
	add_records(&b, c);
	add_endpoints(&b, "listen", &c->webd.listen);
	add_endpoints(&b, "metrics", &c->webd.metrics);
	add_number(&b, "max_connections", c->webd.max_connections);
	add_number(&b, "drain", c->webd.drain);
	add_number(&b, "detector_interval", c->detector.interval);
	add_number(&b, "updater_interval", c->updater.interval);
	add_bool(&b, "observe", c->updater.observe);
	add_bool(&b, "dry_run", c->updater.dry_run);
	return end(&b);
}

char *
parts_unit(const struct config *c, enum config_unit unit)
{
	switch (unit) {
	case CONFIG_DETECTOR:
		return parts_detector(c);
	case CONFIG_UPDATER:
		return parts_updater(c);
	case CONFIG_WEBD:
		return parts_webd(c);
	case CONFIG_UNIT__MAX:
		break;
	}
	return NULL;
}

void
parts_free(char *part)
{
	if (part != NULL)
		explicit_bzero(part, strlen(part));
	free(part);
}

bool
parts_differ(const struct config *a, const struct config *b, enum config_unit unit)
{
	char *part_a = parts_unit(a, unit), *part_b = parts_unit(b, unit);
	bool differ = strcmp(part_a, part_b) != 0;

	parts_free(part_a);
	parts_free(part_b);
	return differ;
}
