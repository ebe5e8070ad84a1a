/*
 * The names that a dns.ini of the original may hold. Those that have no effect
 * any more are known too, so that a slip of the finger is told from them.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "supervisor/config_internal.h"
#include "supervisor/config_value.h"

static const char retries[] =
	"has no effect: a question is repeated while its round lasts, and a round follows soon "
	"after one that failed";
static const char logs[] = "has no effect: the log goes to standard error";

/* Every key of the original, and why it has no effect, where that is worth a warning. */
static const struct {
	const char *section, *key, *warning;
} known[] = {
	{ "gandi", "api_auth", NULL }, /* not of the original */
	{ "gandi", "api_key", NULL },
	{ "gandi", "api_url_base", NULL },
	{ "gandi", "api_url_domains", NULL },
	{ "gandi", "api_url_domains_ns", NULL },
	{ "gandi", "api_url_domains_records", NULL },
	{ "gandi", "api_url_domains_records_create", NULL },
	{ "gandi", "target_domain_fqdn", NULL },
	{ "gandi", "record_name_root", NULL },
	{ "gandi", "record_ttl", NULL },
	{ "gandi", "record_type_a", NULL },
	{ "gandi", "record_type_cname", NULL },
	{ "WANIPState", "ip_check_services", NULL },
	{ "WANIPState", "retry_attempts", retries },
	{ "WANIPState", "retry_cooldown_seconds", retries },
	{ "ESDDNS", "daemon_thread_interval", NULL },
	{ "ESDDNS", "service_host", NULL },
	{ "ESDDNS", "service_port", NULL },
	/* [STUNConfig] has one warning for all of it, see config_dnsini.c */
	{ "STUNConfig", "udp_host_list_url", NULL },
	{ "STUNConfig", "tcp_host_list_url", NULL },
	{ "STUNConfig", "udp_limit", NULL },
	{ "STUNConfig", "tcp_limit", NULL },
	{ "STUNConfig", "bind_request", NULL },
	{ "STUNConfig", "magic_cookie", NULL },
	{ "STUNConfig", "xor_mapped_address", NULL },
	{ "STUNConfig", "retry_attempts", NULL },
	{ "STUNConfig", "retry_cooldown_seconds", NULL },
	{ "log", "log_file", logs },
	{ "log", "log_to_console", logs },
};

#define NKNOWN (sizeof(known) / sizeof(known[0]))

static const char *const sections[] = { "gandi", "WANIPState", "ESDDNS", "STUNConfig", "log" };

static void
check_section(struct config_loading *load, const struct config_ini_entry *e)
{
	size_t n = sizeof(sections) / sizeof(sections[0]);
	const char *nearest = config_nearest(e->section, sections, n);
	char *text;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(sections[i], e->section) == 0)
			return;
	}
	text = mem_printf("is not known and has no effect%s%s%s",
			  nearest != NULL ? "; did you mean [" : "", nearest != NULL ? nearest : "",
			  nearest != NULL ? "]?" : "");
	config_ini_warn(load, e, text);
	free(text);
}

static void
check_key(struct config_loading *load, const struct config_ini_entry *e)
{
	const char *names[NKNOWN], *nearest;
	size_t n = 0;
	char *text;

	if (strncasecmp(e->key, "msg_", 4) == 0)
		return;
	for (size_t i = 0; i < NKNOWN; i++) {
		if (strcmp(known[i].section, e->section) != 0)
			continue;
		names[n++] = known[i].key;
		if (strcasecmp(known[i].key, e->key) != 0)
			continue;
		if (known[i].warning != NULL)
			config_ini_warn(load, e, known[i].warning);
		return;
	}
	/* of a section that is not known, which was said */
	if (n == 0)
		return;
	nearest = config_nearest(e->key, names, n);
	text = mem_printf("is not known and has no effect%s%s%s",
			  nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "",
			  nearest != NULL ? "'?" : "");
	config_ini_warn(load, e, text);
	free(text);
}

void
config_dnsini_names(struct config_loading *load, const struct config_ini *ini)
{
	for (size_t i = 0; i < ini->n; i++) {
		const struct config_ini_entry *e = &ini->entries[i];

		if (e->section[0] == '\0')
			config_error_line(load, NULL, e->line,
					  "'%s' stands in front of the first section; it belongs "
					  "under a line such as [gandi]",
					  e->key);
		else if (e->key == NULL)
			check_section(load, e);
		else
			check_key(load, e);
	}
}
