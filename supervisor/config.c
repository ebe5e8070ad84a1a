#include "supervisor/config.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "supervisor/config_internal.h"
#include "supervisor/config_value.h"

const char *const config_unit_names[CONFIG_UNIT__MAX] = {
	[CONFIG_DETECTOR] = "detector",
	[CONFIG_UPDATER] = "updater",
	[CONFIG_WEBD] = "webd",
};

const char *const config_type_names[CONFIG_TYPE__MAX] = {
	[CONFIG_TYPE_NOTIFY] = "notify",
	[CONFIG_TYPE_EXEC] = "exec",
};

const char *const config_restart_names[CONFIG_RESTART__MAX] = {
	[CONFIG_RESTART_NO] = "no",
	[CONFIG_RESTART_ALWAYS] = "always",
	[CONFIG_RESTART_ON_SUCCESS] = "on-success",
	[CONFIG_RESTART_ON_FAILURE] = "on-failure",
	[CONFIG_RESTART_ON_ABNORMAL] = "on-abnormal",
	[CONFIG_RESTART_ON_ABORT] = "on-abort",
	[CONFIG_RESTART_ON_WATCHDOG] = "on-watchdog",
};

const char *const config_auth_names[CONFIG_AUTH__MAX] = {
	[CONFIG_AUTH_BEARER] = "bearer",
	[CONFIG_AUTH_APIKEY] = "apikey",
};

const char *const config_source_kind_names[CONFIG_SOURCE_KIND__MAX] = {
	[CONFIG_SOURCE_HTTPS] = "https",
	[CONFIG_SOURCE_HTTP] = "http",
	[CONFIG_SOURCE_STUN] = "stun",
	[CONFIG_SOURCE_STUN_TCP] = "stun-tcp",
};

const char *const config_source_format_names[CONFIG_FORMAT__MAX] = {
	[CONFIG_FORMAT_PLAIN] = "plain",
	[CONFIG_FORMAT_TRACE] = "trace",
	[CONFIG_FORMAT_JSON] = "json",
};

const char *const config_backend_names[CONFIG_BACKEND__MAX] = {
	[CONFIG_BACKEND_AUTO] = "auto",
	[CONFIG_BACKEND_KUBERNETES] = "kubernetes",
	[CONFIG_BACKEND_LOCAL] = "local",
};

const char *const config_sandbox_names[CONFIG_SANDBOX__MAX] = {
	[CONFIG_SANDBOX_OFF] = "off",
	[CONFIG_SANDBOX_BEST_EFFORT] = "best-effort",
	[CONFIG_SANDBOX_REQUIRED] = "required",
};

const char *const config_on_failure_names[CONFIG_ON_FAILURE__MAX] = {
	[CONFIG_ON_FAILURE_AUTO] = "auto",
	[CONFIG_ON_FAILURE_EXIT] = "exit",
	[CONFIG_ON_FAILURE_DEGRADE] = "degrade",
};

/*
 * Whom to ask, if the file does not say: one line for each operator, two where
 * each family has a host of its own. Five operators answer
 * for IPv4 and three for IPv6, over HTTPS and over STUN in both.
 */
static const struct {
	const char *operator;
	const char *url;
	enum config_source_format format;
	bool ipv4, ipv6;
} builtin_sources[] = {
	{ "ipify", "https://api.ipify.org", CONFIG_FORMAT_PLAIN, true, false },
	{ "ipify", "https://api6.ipify.org", CONFIG_FORMAT_PLAIN, false, true },
	{ "cloudflare", "https://one.one.one.one/cdn-cgi/trace", CONFIG_FORMAT_TRACE, true, true },
	{ "amazon", "https://checkip.amazonaws.com", CONFIG_FORMAT_PLAIN, true, false },
	{ "google", "stun:stun.l.google.com:19302", CONFIG_FORMAT_PLAIN, true, true },
	{ "nextcloud", "stun:stun.nextcloud.com:443", CONFIG_FORMAT_PLAIN, true, false },
};

const char *
config_source_set_url(struct config_source *source, const char *url)
{
	static const enum config_source_kind kinds[CONFIG_SCHEME__MAX] = {
		[CONFIG_SCHEME_HTTPS] = CONFIG_SOURCE_HTTPS,
		[CONFIG_SCHEME_HTTP] = CONFIG_SOURCE_HTTP,
		[CONFIG_SCHEME_STUN] = CONFIG_SOURCE_STUN,
		[CONFIG_SCHEME_STUN_TCP] = CONFIG_SOURCE_STUN_TCP,
	};
	struct config_url parts;
	const char *why = config_url_parse(url, &parts);

	if (why != NULL)
		return why;
	free(source->url);
	free(source->host);
	source->url = mem_strdup(url);
	source->host = mem_strdup(parts.host);
	source->port = parts.port;
	source->kind = kinds[parts.scheme];
	return NULL;
}

static void
default_sources(struct config_detector *d)
{
	d->nsources = sizeof(builtin_sources) / sizeof(builtin_sources[0]);
	d->sources = mem_new(d->nsources, sizeof(*d->sources));
	for (size_t i = 0; i < d->nsources; i++) {
		config_schema_set(&d->sources[i].operator, builtin_sources[i].operator);
		d->sources[i].format = builtin_sources[i].format;
		d->sources[i].ipv4 = builtin_sources[i].ipv4;
		d->sources[i].ipv6 = builtin_sources[i].ipv6;
		if (config_source_set_url(&d->sources[i], builtin_sources[i].url) != NULL)
			abort(); /* the table above is wrong */
	}
}

static void
default_unit(struct config_directives *u, const char *program)
{
	u->enabled = true;
	u->nargs = 1;
	u->exec_start = mem_new(2, sizeof(char *));
	u->exec_start[0] = mem_strdup(program);
	u->type = CONFIG_TYPE_NOTIFY;
	u->restart = CONFIG_RESTART_ALWAYS;
	u->restart_sec = CONFIG_SECOND / 2;
	u->restart_steps = 6;
	u->restart_max_delay = CONFIG_MINUTE;
	u->start_limit_burst = 8;
	u->start_limit_interval = 10 * CONFIG_MINUTE;
	u->timeout_start = 30 * CONFIG_SECOND;
	u->timeout_stop = 5 * CONFIG_SECOND;
	u->timeout_abort = 5 * CONFIG_SECOND;
	u->watchdog = 20 * CONFIG_SECOND;
	u->kill_signal = SIGTERM;
	u->stable_after = CONFIG_MINUTE;
}

static void
default_units(struct config *c)
{
	default_unit(&c->units[CONFIG_DETECTOR], "esddns-detector");
	default_unit(&c->units[CONFIG_UPDATER], "esddns-updater");
	default_unit(&c->units[CONFIG_WEBD], "esddns-webd");
	/* the updater is listening when the first address comes */
	c->units[CONFIG_DETECTOR].after[CONFIG_UPDATER] = true;
	/* a port in use must never make an end of it */
	c->units[CONFIG_WEBD].start_limit_burst = 0;
}

static void
default_endpoint(struct config_endpoints *e, const char *host, uint16_t port)
{
	e->n = 1;
	e->list = mem_new(1, sizeof(*e->list));
	e->list[0] = (struct config_endpoint){ mem_strdup(host), port };
}

static void
default_cluster(struct config_cluster *cl)
{
	cl->backend = CONFIG_BACKEND_AUTO;
	cl->lease.name = mem_strdup("esddns-leader");
	cl->lease.duration = 15 * CONFIG_SECOND;
	cl->lease.renew_deadline = 10 * CONFIG_SECOND;
	cl->lease.retry_period = 2 * CONFIG_SECOND;
	cl->configmap = mem_strdup("esddns-wan-ip");
	cl->peers.listen = (struct config_endpoint){ mem_strdup("::"), 51340 };
}

static struct config *
config_new(const char *path)
{
	struct config *c = mem_new(1, sizeof(*c));

	c->path = mem_strdup(path);
	c->runtime_dir = mem_strdup("/run/esddns");
	c->state_dir = mem_strdup("/var/lib/esddns");
	c->log.level = LOG_INFO;
	c->log.format = LOG_AUTO;
	c->sandbox = CONFIG_SANDBOX_BEST_EFFORT;
	c->on_failure = CONFIG_ON_FAILURE_AUTO;
	c->provider.name = mem_strdup("gandi");
	c->provider.url = mem_strdup("https://api.gandi.net/v5/livedns");
	c->provider.auth = CONFIG_AUTH_BEARER;
	c->provider.timeout = 10 * CONFIG_SECOND;
	c->detector.interval = 5 * CONFIG_MINUTE;
	c->detector.tripwire = 15 * CONFIG_SECOND;
	c->detector.timeout = 5 * CONFIG_SECOND;
	c->detector.confirm = 2 * CONFIG_SECOND;
	c->detector.min_change_interval = CONFIG_MINUTE;
	default_sources(&c->detector);
	c->updater.interval = 5 * CONFIG_MINUTE;
	c->updater.backup_delay = 20 * CONFIG_SECOND;
	c->updater.backup_spread = 40 * CONFIG_SECOND;
	default_cluster(&c->cluster);
	default_endpoint(&c->webd.listen, "0.0.0.0", 51339);
	default_endpoint(&c->webd.metrics, "0.0.0.0", 8080);
	c->webd.max_connections = 1024;
	default_units(c);
	return c;
}

struct config *
config_builtin(void)
{
	struct config *c = config_new(NULL);

	c->cluster.backend = CONFIG_BACKEND_LOCAL;
	return c;
}

void
config_record_free(struct config_record *record)
{
	free(record->zone);
	free(record->name);
	free(record->fqdn);
}

void
config_source_free(struct config_source *source)
{
	free(source->operator);
	free(source->url);
	free(source->host);
	free(source->key);
}

void
config_endpoints_free(struct config_endpoints *endpoints)
{
	for (size_t i = 0; i < endpoints->n; i++)
		free(endpoints->list[i].host);
	free(endpoints->list);
	*endpoints = (struct config_endpoints){ 0, NULL };
}

void
config_args_free(struct config_directives *unit)
{
	for (size_t i = 0; i < unit->nargs; i++)
		free(unit->exec_start[i]);
	free(unit->exec_start);
	unit->exec_start = NULL;
	unit->nargs = 0;
}

static void
wipe(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

static void
free_access(struct config_access *a)
{
	free(a->server);
	wipe(a->token);
	free(a->token_file);
	free(a->ca_file);
	free(a->ca_data);
	free(a->cert_data);
	wipe(a->key_data);
	free(a->tls_server_name);
}

static void
free_cluster(struct config_cluster *cl)
{
	free_access(&cl->access);
	free(cl->pod_name);
	free(cl->pod_uid);
	free(cl->identity_host);
	free(cl->kubeconfig);
	free(cl->namespace);
	free(cl->node_name);
	free(cl->pod_ip);
	free(cl->lease.name);
	free(cl->configmap);
	free(cl->peers.listen.host);
	free(cl->peers.advertise);
	free(cl->peers.key_file);
}

void
config_free(struct config *c)
{
	if (c == NULL)
		return;
	free(c->path);
	free(c->runtime_dir);
	free(c->state_dir);
	for (size_t i = 0; i < c->nrecords; i++)
		config_record_free(&c->records[i]);
	free(c->records);
	free(c->provider.name);
	free(c->provider.url);
	free(c->provider.token_file);
	free(c->provider.ca_file);
	free(c->detector.ca_file);
	for (size_t i = 0; i < c->detector.nsources; i++)
		config_source_free(&c->detector.sources[i]);
	free(c->detector.sources);
	free_cluster(&c->cluster);
	config_endpoints_free(&c->webd.listen);
	config_endpoints_free(&c->webd.metrics);
	for (unsigned i = 0; i < CONFIG_UNIT__MAX; i++)
		config_args_free(&c->units[i]);
	free(c->token_variable);
	free(c);
}

/* The file, if there is one, into the tree. */
static bool
read_file(struct config_loading *load)
{
	if (load->path == NULL)
		return true;
	return config_file_is_ini(load->path) ? config_dnsini_read(load) : config_yaml_read(load);
}

struct config *
config_load(const char *path, char *const *env, struct config_report *report)
{
	struct config_loading load = {
		.config = config_new(path),
		.root = config_node_new(CONFIG_NODE_MAP, 0),
		.report = report,
		.path = path,
		.env = env,
	};

	for (unsigned i = 0; i < CONFIG_VARIABLE__MAX; i++)
		load.variables[i] = mem_strdup(config_env_variables[i]);
	if (read_file(&load)) {
		config_env_apply(&load);
		config_keys_apply(&load);
		config_check(&load);
	}
	config_node_free(load.root);
	for (unsigned i = 0; i < CONFIG_VARIABLE__MAX; i++)
		free(load.variables[i]);
	config_report_sort(report);
	if (report->nerrors == 0)
		return load.config;
	config_free(load.config);
	return NULL;
}

bool
config_needs(const struct config *c, enum address_family family)
{
	/* an observer without records still shows the host's IPv4 address, as /raw promises */
	if (c->nrecords == 0)
		return family == ADDRESS_IPV4;
	for (size_t i = 0; i < c->nrecords; i++) {
		if (c->records[i].family == family)
			return true;
	}
	return false;
}

#define NAME_OF(names, value, max)                                                                 \
	((unsigned)(value) < (unsigned)(max) ? (names)[value] : "invalid")

const char *
config_unit_name(enum config_unit unit)
{
	return NAME_OF(config_unit_names, unit, CONFIG_UNIT__MAX);
}

const char *
config_type_name(enum config_type type)
{
	return NAME_OF(config_type_names, type, CONFIG_TYPE__MAX);
}

const char *
config_restart_name(enum config_restart restart)
{
	return NAME_OF(config_restart_names, restart, CONFIG_RESTART__MAX);
}

const char *
config_auth_name(enum config_auth auth)
{
	return NAME_OF(config_auth_names, auth, CONFIG_AUTH__MAX);
}

const char *
config_source_kind_name(enum config_source_kind kind)
{
	return NAME_OF(config_source_kind_names, kind, CONFIG_SOURCE_KIND__MAX);
}

const char *
config_source_format_name(enum config_source_format format)
{
	return NAME_OF(config_source_format_names, format, CONFIG_FORMAT__MAX);
}

const char *
config_backend_name(enum config_backend backend)
{
	return NAME_OF(config_backend_names, backend, CONFIG_BACKEND__MAX);
}

const char *
config_sandbox_name(enum config_sandbox sandbox)
{
	return NAME_OF(config_sandbox_names, sandbox, CONFIG_SANDBOX__MAX);
}

const char *
config_on_failure_name(enum config_on_failure on_failure)
{
	return NAME_OF(config_on_failure_names, on_failure, CONFIG_ON_FAILURE__MAX);
}

enum config_unit
config_unit_of(const char *name)
{
	for (unsigned i = 0; i < CONFIG_UNIT__MAX; i++) {
		if (strcmp(config_unit_names[i], name) == 0)
			return (enum config_unit)i;
	}
	return CONFIG_UNIT__MAX;
}

bool
config_statuses_code(const struct config_statuses *set, int code)
{
	return code >= 0 && code < 256 && (set->codes[code / 64] >> (code % 64) & 1) != 0;
}

bool
config_statuses_signal(const struct config_statuses *set, int signal)
{
	return signal > 0 && signal < 64 && (set->signals >> signal & 1) != 0;
}
