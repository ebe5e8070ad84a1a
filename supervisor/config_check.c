/*
 * The rules that hold between keys, and with the world outside the file. A rule
 * is looked at only where the keys it needs were read without a complaint, so
 * that one mistake does not make several errors.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "supervisor/config_internal.h"
#include "supervisor/config_value.h"

#define TOKEN_FILE_MAX 16384
#define DOMAIN_MAX 253
#define TROUBLE_MAX 200

static struct config_node *
node_of(const struct config_loading *load, const char *section, const char *key)
{
	return config_node_get(config_node_get(load->root, section), key);
}

bool
config_sound(const struct config_loading *load, const char *section, const char *key)
{
	const struct config_node *map = config_node_get(load->root, section);

	return map == NULL || (!map->bad && config_node_sound(config_node_get(map, key)));
}

/* --- records ----------------------------------------------------------------- */

static void
check_name(struct config_loading *load, struct config_record *r, struct config_node *node)
{
	struct config_node *name = config_node_get(node, "name");
	char quoted[CONFIG_QUOTE_MAX];

	if (name != NULL && config_name_within(r->name, r->zone)) {
		size_t extra = strlen(r->name) - strlen(r->zone);

		config_error(load, name, "%s holds the zone already; write \"%.*s\"",
			     config_quote(r->name, quoted, sizeof(quoted)),
			     extra > 1 ? (int)extra - 1 : 1, extra > 1 ? r->name : "@");
		return;
	}
	if (strcmp(r->name, "@") == 0)
		r->fqdn = mem_strdup(r->zone);
	else
		r->fqdn = mem_printf("%s.%s", r->name, r->zone);
	if (strlen(r->fqdn) > DOMAIN_MAX)
		config_error(load, name != NULL ? name : node,
			     "name and zone together are longer than %d characters", DOMAIN_MAX);
}

static void
check_twin(struct config_loading *load, const struct config_node *records, size_t i)
{
	const struct config_record *r = &load->config->records[i];

	for (size_t j = 0; j < i; j++) {
		const struct config_record *other = &load->config->records[j];

		if (other->fqdn == NULL || other->family != r->family ||
		    strcasecmp(other->fqdn, r->fqdn) != 0)
			continue;
		config_error(load, records->items[i], "%s %s is the same record as in line %u",
			     r->fqdn, address_record_type(r->family), records->items[j]->line);
		return;
	}
}

static void
check_records(struct config_loading *load)
{
	struct config *c = load->config;
	struct config_node *records = config_node_get(load->root, "records");

	if (records != NULL && records->bad)
		return;
	if (c->nrecords == 0 && !c->updater.observe && config_sound(load, "updater", "observe"))
		config_error_at(load, "records",
				"no record is configured; add one, such as - {zone: example.com, "
				"name: \"@\", type: A, ttl: 300}, or set TARGET_DOMAIN_FQDN");
	for (size_t i = 0; i < c->nrecords; i++) {
		struct config_node *node = records->items[i];

		if (c->records[i].zone == NULL ||
		    !config_node_sound(config_node_get(node, "zone")) ||
		    !config_node_sound(config_node_get(node, "name")))
			continue;
		check_name(load, &c->records[i], node);
		if (c->records[i].fqdn != NULL && config_node_sound(config_node_get(node, "type")))
			check_twin(load, records, i);
	}
}

/* --- files that others read later -------------------------------------------- */

/* Why the file cannot be used now, as a phrase behind its name; NULL if it can. */
static const char *
file_trouble(const char *file, bool secret, struct stat *st, char *out, size_t size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	out[0] = '\0';
	if (fd < 0)
		snprintf(out, size, "cannot be read: %s", strerror(errno));
	else if (fstat(fd, st) < 0)
		snprintf(out, size, "cannot be looked at: %s", strerror(errno));
	else if (!S_ISREG(st->st_mode))
		snprintf(out, size, "is not a regular file");
	else if (st->st_size == 0)
		snprintf(out, size, "is empty");
	else if (secret && st->st_size > TOKEN_FILE_MAX)
		snprintf(out, size, "is larger than %d bytes; no token is", TOKEN_FILE_MAX);
	if (fd >= 0)
		close(fd);
	return out[0] != '\0' ? out : NULL;
}

static void
check_file(struct config_loading *load, const char *path, const char *file)
{
	char why[TROUBLE_MAX];
	struct stat st;

	if (file_trouble(file, false, &st, why, sizeof(why)) != NULL)
		config_error_at(load, path, "%s %s", file, why);
}

/* Who is not the file's owner reads it as one of its group: that bit is then needed. */
static bool
is_open(const struct stat *st)
{
	return (st->st_mode &
		(st->st_uid == geteuid() ? S_IRWXG | S_IRWXO : S_IWGRP | S_IXGRP | S_IRWXO)) != 0;
}

/*
 * In a pod the file is a Secret's, which may come or be put right later: the pod shows what it
 * can meanwhile, and the updater looks for it again and again.
 */
static void
check_token_file(struct config_loading *load, const char *file)
{
	static const char path[] = "provider.token_file";
	char why[TROUBLE_MAX];
	struct stat st;

	if (file_trouble(file, true, &st, why, sizeof(why)) != NULL) {
		if (config_in_pod(load))
			config_warn_at(load, path,
				       "%s %s; no record is written until there is a token in it",
				       file, why);
		else
			config_error_at(load, path, "%s %s", file, why);
	} else if (is_open(&st)) {
		config_warn_at(load, path,
			       "%s is open to other users (mode %03o); chmod 600 closes it", file,
			       (unsigned)st.st_mode & 0777);
	}
}

static void
check_provider(struct config_loading *load)
{
	const struct config *c = load->config;
	const char *token_file = c->provider.token_file;
	bool needs_token = c->units[CONFIG_UPDATER].enabled && !c->updater.observe;

	if (c->provider.ca_file != NULL && config_sound(load, "provider", "ca_file"))
		check_file(load, "provider.ca_file", c->provider.ca_file);
	if (!needs_token || !config_sound(load, "provider", "token_file") ||
	    !config_sound(load, "updater", "observe"))
		return;
	if (token_file != NULL && c->token_in_environment)
		config_warn_at(load, "provider.token_file",
			       "is not read while GANDI_API_KEY or API_KEY is set");
	else if (token_file != NULL)
		check_token_file(load, token_file);
	else if (!c->token_in_environment)
		config_error_at(load, "provider.token_file",
				"there is no token; name the file that holds it, or set "
				"GANDI_API_KEY (only updater.observe does without)");
}

/* --- sources ----------------------------------------------------------------- */

/* An address as the host answers for its own family only. */
static void
check_literal(struct config_loading *load, struct config_source *s, struct config_node *node)
{
	struct address a;

	if (!address_parse_text(s->host, &a))
		return;
	s->ipv4 = s->ipv4 && a.family == ADDRESS_IPV4;
	s->ipv6 = s->ipv6 && a.family == ADDRESS_IPV6;
	if (!s->ipv4 && !s->ipv6)
		config_error(load, config_node_get(node, "family"),
			     "the host in the URL is an address of the other family");
}

static void
check_source(struct config_loading *load, struct config_source *s, struct config_node *node)
{
	struct config_node *key = config_node_get(node, "key");
	bool stun = s->kind == CONFIG_SOURCE_STUN || s->kind == CONFIG_SOURCE_STUN_TCP;

	check_literal(load, s, node);
	if (stun && (config_node_get(node, "format") != NULL || key != NULL))
		config_error(load, node, "a STUN source has neither a format nor a key");
	else if (s->format == CONFIG_FORMAT_JSON && s->key == NULL)
		config_error(load, node,
			     "format json needs the key that holds the address, such as key: ip");
	else if (s->format != CONFIG_FORMAT_JSON && key != NULL)
		config_error(load, key, "has a meaning with format: json only");
	if (s->kind == CONFIG_SOURCE_HTTP)
		config_warn(load, config_node_get(node, "url"),
			    "http:// can be read and changed by everyone on the way; use https://");
}

static void
check_source_twin(struct config_loading *load, const struct config_node *sources, size_t i)
{
	const struct config_source *all = load->config->detector.sources, *s = &all[i];

	for (size_t j = 0; j < i; j++) {
		if (!all[j].url || !all[j].operator)
			continue;
		if (strcasecmp(all[j].host, s->host) == 0 && !config_host_is_loopback(s->host) &&
		    strcmp(all[j].operator, s->operator) != 0)
			config_warn(load, sources->items[i],
				    "%s counts for %s in line %u; whoever runs one host is one "
				    "operator",
				    s->host, all[j].operator, sources->items[j]->line);
		if (strcmp(all[j].url, s->url) == 0 &&
		    ((all[j].ipv4 && s->ipv4) || (all[j].ipv6 && s->ipv6)))
			config_error(load, sources->items[i],
				     "the same URL stands in line %u; each source counts once",
				     sources->items[j]->line);
	}
}

unsigned
config_operators(const struct config *c, enum address_family family)
{
	const struct config_detector *d = &c->detector;
	unsigned n = 0;

	for (size_t i = 0; i < d->nsources; i++) {
		const struct config_source *s = &d->sources[i];
		bool counted = family == ADDRESS_IPV4 ? !s->ipv4 : !s->ipv6;

		for (size_t j = 0; j < i && !counted; j++) {
			const struct config_source *before = &d->sources[j];

			counted = strcmp(before->operator, s->operator) == 0 &&
				  (family == ADDRESS_IPV4 ? before->ipv4 : before->ipv6);
		}
		n += !counted;
	}
	return n;
}

static void
check_quorum(struct config_loading *load, enum address_family family, const char *name)
{
	const struct config_detector *d = &load->config->detector;
	unsigned n = config_operators(load->config, family);

	if (n == 0)
		config_error_at(load, "detector.sources",
				"no source answers for %s, which an %s record needs", name,
				address_record_type(family));
	else if (n > CONFIG_OPERATORS_MAX)
		config_error_at(load, "detector.sources",
				"%u operators answer for %s; at most %d are taken", n, name,
				CONFIG_OPERATORS_MAX);
	else if (d->quorum > n)
		config_error_at(load, "detector.quorum",
				"%u operators must agree, but the sources for %s have %u; lower "
				"it, or add sources of other operators",
				d->quorum, name, n);
	else if (n == 1)
		config_warn_at(load, "detector.sources",
			       "one operator alone decides about %s; with three, one may lie or "
			       "fail",
			       name);
	else if (d->quorum != 0 && 2 * d->quorum <= n)
		config_warn_at(load, "detector.quorum",
			       "%u of %u operators for %s is no majority; two groups of them may "
			       "win by turns",
			       d->quorum, n, name);
}

static void
check_sources(struct config_loading *load)
{
	struct config *c = load->config;
	struct config_node *sources = node_of(load, "detector", "sources");

	for (size_t i = 0; sources != NULL && !sources->bad && i < sources->n; i++) {
		if (!config_node_sound(sources->items[i]))
			continue;
		check_source(load, &c->detector.sources[i], sources->items[i]);
		check_source_twin(load, sources, i);
	}
	if (!c->units[CONFIG_DETECTOR].enabled || !config_node_sound(sources) ||
	    !config_sound(load, "detector", "quorum") ||
	    !config_node_sound(config_node_get(load->root, "records")))
		return;
	if (config_needs(c, ADDRESS_IPV4))
		check_quorum(load, ADDRESS_IPV4, "IPv4");
	if (config_needs(c, ADDRESS_IPV6))
		check_quorum(load, ADDRESS_IPV6, "IPv6");
}

#define POLITE_INTERVAL (30 * CONFIG_SECOND)

static void
check_detector(struct config_loading *load)
{
	const struct config_detector *d = &load->config->detector;
	char span[24];

	check_sources(load);
	if (config_sound(load, "detector", "interval") &&
	    config_sound(load, "detector", "timeout") && d->timeout >= d->interval) {
		/* who is to blame is the one that was changed */
		if (node_of(load, "detector", "timeout") != NULL)
			config_error_at(load, "detector.timeout",
					"must be shorter than detector.interval (%s), or rounds "
					"would overlap",
					config_duration_text(d->interval, span, sizeof(span)));
		else
			config_error_at(load, "detector.interval",
					"must be longer than detector.timeout (%s), or rounds "
					"would overlap",
					config_duration_text(d->timeout, span, sizeof(span)));
	}
	if (d->interval < POLITE_INTERVAL && node_of(load, "detector", "sources") == NULL &&
	    config_sound(load, "detector", "interval"))
		config_warn_at(load, "detector.interval",
			       "below 30s the public services of the built-in list may block "
			       "this host");
	if (d->ca_file != NULL && config_sound(load, "detector", "ca_file"))
		check_file(load, "detector.ca_file", d->ca_file);
	if (d->allow_reserved)
		config_warn_at(load, "detector.allow_reserved",
			       "private and reserved addresses may be published; this is for "
			       "laboratories only");
}

/* --- the rest ---------------------------------------------------------------- */

static bool
is_wildcard(const char *host)
{
	return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static bool
endpoints_clash(const struct config_endpoint *a, const struct config_endpoint *b)
{
	bool same_family = (strchr(a->host, ':') != NULL) == (strchr(b->host, ':') != NULL);

	return a->port == b->port && same_family &&
	       (strcmp(a->host, b->host) == 0 || is_wildcard(a->host) || is_wildcard(b->host));
}

static void
check_endpoints(struct config_loading *load)
{
	const struct config_webd *w = &load->config->webd;

	for (size_t i = 0; i < w->listen.n + w->metrics.n; i++) {
		bool metrics = i >= w->listen.n;
		const struct config_endpoint *a =
			metrics ? &w->metrics.list[i - w->listen.n] : &w->listen.list[i];

		for (size_t j = 0; j < i; j++) {
			const struct config_endpoint *b =
				j >= w->listen.n ? &w->metrics.list[j - w->listen.n]
						 : &w->listen.list[j];

			if (endpoints_clash(a, b)) {
				config_error_at(load, metrics ? "webd.metrics" : "webd.listen",
						"port %u of %s is taken twice; give each address a "
						"port of its own",
						a->port, a->host);
				return;
			}
		}
	}
}

static void
check_webd(struct config_loading *load)
{
	const struct config_webd *w = &load->config->webd;

	if (!config_sound(load, "webd", "listen") || !config_sound(load, "webd", "metrics"))
		return;
	if (w->listen.n == 0 && load->config->units[CONFIG_WEBD].enabled)
		config_error_at(load, "webd.listen",
				"is empty; give it an address, or set units.webd.enabled to false");
	check_endpoints(load);
}

void
config_check(struct config_loading *load)
{
	check_records(load);
	check_provider(load);
	check_detector(load);
	config_check_cluster(load);
	check_webd(load);
	config_check_units(load);
	/* what is said to be in force must be */
	if (load->config->sandbox == CONFIG_SANDBOX_REQUIRED)
		config_error_at(load, "sandbox",
				"this version has no Landlock and seccomp rules to require; set it "
				"to best-effort");
}
