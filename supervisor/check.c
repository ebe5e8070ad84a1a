#include <stdio.h>
#include <string.h>

#include "supervisor/config.h"
#include "supervisor/supervisor.h"

/* How many different operators answer for this family. */
static unsigned
operators(const struct config_detector *d, bool ipv6)
{
	unsigned n = 0;

	for (size_t i = 0; i < d->nsources; i++) {
		bool counted = false;

		if (ipv6 ? !d->sources[i].ipv6 : !d->sources[i].ipv4)
			continue;
		for (size_t j = 0; j < i; j++)
			counted = counted ||
				  ((ipv6 ? d->sources[j].ipv6 : d->sources[j].ipv4) &&
				   strcmp(d->sources[j].operator, d->sources[i].operator) == 0);
		n += counted ? 0 : 1;
	}
	return n;
}

static void
print_endpoints(const char *what, const struct config_endpoints *e)
{
	for (size_t i = 0; i < e->n; i++)
		printf("%s  %s%s%s:%u\n", what, strchr(e->list[i].host, ':') != NULL ? "[" : "",
		       e->list[i].host, strchr(e->list[i].host, ':') != NULL ? "]" : "",
		       e->list[i].port);
}

static void
print_summary(const struct config *c)
{
	printf("configuration is valid\n");
	printf("  file     %s\n", c->path != NULL ? c->path : "none: defaults and environment");
	for (size_t i = 0; i < c->nrecords; i++)
		printf("  record   %s %s, TTL %lld s\n", c->records[i].fqdn,
		       address_record_type(c->records[i].family), (long long)c->records[i].ttl);
	printf("  provider %s%s%s\n", c->provider.url, c->updater.observe ? ", only observed" : "",
	       c->updater.dry_run ? ", dry run" : "");
	if (config_needs(c, ADDRESS_IPV4))
		printf("  sources  %u operators for IPv4\n", operators(&c->detector, false));
	if (config_needs(c, ADDRESS_IPV6))
		printf("  sources  %u operators for IPv6\n", operators(&c->detector, true));
	if (c->cluster.backend == CONFIG_BACKEND_KUBERNETES)
		printf("  cluster  %s, namespace %s\n", c->cluster.access.server,
		       c->cluster.namespace);
	print_endpoints("  page   ", &c->webd.listen);
	print_endpoints("  metrics", &c->webd.metrics);
}

int
supervisor_check(const struct supervisor_options *options)
{
	struct config_report report = { 0 };
	struct config *config = config_load(options->config_path, options->variables, &report);
	int code = config != NULL ? 0 : SUPERVISOR_EXIT_CONFIG;

	for (size_t i = 0; i < report.n; i++)
		fprintf(stderr, "%s%s\n", report.messages[i].warning ? "warning: " : "",
			report.messages[i].text);
	if (config != NULL)
		print_summary(config);
	else
		fprintf(stderr, "%zu mistake%s in the configuration\n", report.nerrors,
			report.nerrors == 1 ? "" : "s");
	config_report_free(&report);
	config_free(config);
	return code;
}
