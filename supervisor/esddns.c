/* esddns: the supervisor's command line. */
#include <config.h>

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "supervisor/supervisor.h"

#define DEFAULT_CONFIG ESDDNS_SYSCONFDIR "/esddns.yaml"

enum { OPTION_CHECK = 256, OPTION_ONCE, OPTION_PROBE, OPTION_JSON, OPTION_VERSION, OPTION_HELP };

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check-config", no_argument, NULL, OPTION_CHECK },
	{ "once", no_argument, NULL, OPTION_ONCE },
	{ "probe", no_argument, NULL, OPTION_PROBE },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

/* 80 columns */
static const char help[] =
	"Usage: esddns [-c FILE] [--check-config | --once | --probe [--json]]\n"
	"Keep DNS records pointed at the address the world sees.\n"
	"\n"
	"esddns starts and supervises three workers: the detector asks several services\n"
	"for this host's public address and believes what most of them agree on, the\n"
	"updater keeps the records at Gandi LiveDNS right, webd shows the state over\n"
	"HTTP.\n"
	"It runs in the foreground, needs no privileges, and logs to standard error.\n"
	"\n"
	"  -c, --config FILE   the configuration; else the file that ESDDNS_CONFIG names,\n"
	"                      else the one below if it is there, else none\n"
	"      --check-config  check the configuration, list all mistakes, and exit\n"
	"      --once          detect and synchronise once, and exit: 0 if all records\n"
	"                      are in sync with an address confirmed now, 1 if not\n"
	"      --probe         ask every source once, print who answered what and what\n"
	"                      was agreed, and exit: 0 agreed, 1 not. Publishes nothing\n"
	"      --json          with --probe: for programs\n"
	"      --version       print the version and exit\n"
	"      --help          print this text and exit\n"
	"\n"
	"Environment (empty variables count as unset; these go before the file):\n"
	"  GANDI_API_KEY, API_KEY  the provider's token, if it is not in a file\n"
	"  TARGET_DOMAIN_FQDN, RECORD_NAME_ROOT, RECORD_TYPE_A, RECORD_TTL\n"
	"                          one record, if the file has none\n"
	"  DNS_SYNC_INTERVAL       seconds between two checks\n"
	"  NODE_NAME, POD_NAME, POD_UID, POD_IP, POD_NAMESPACE\n"
	"                          in a cluster: see esddns(8)\n"
	"  ESDDNS_LIBEXECDIR       where the workers are, for a build tree\n"
	"\n"
	"Signals: TERM and INT stop it in order (a second one at once), HUP reads the\n"
	"configuration again, USR1 detects the address now.\n"
	"\n"
	"Exit status: 0 stopped in order, 1 it could not run, 64 wrong command line,\n"
	"78 wrong configuration, else the status of the worker that failed for good.\n";

static int
usage_error(void)
{
	fprintf(stderr, "Try 'esddns --help'.\n");
	return EX_USAGE;
}

/* -c, else ESDDNS_CONFIG, else the installed one if there is one, else none. */
static const char *
find_config(const char *given)
{
	const char *named = getenv("ESDDNS_CONFIG");

	if (given != NULL)
		return given;
	if (named != NULL && *named != '\0')
		return named;
	return access(DEFAULT_CONFIG, F_OK) == 0 ? DEFAULT_CONFIG : NULL;
}

int
main(int argc, char **argv)
{
	struct supervisor_options options = { .variables = environ };
	bool check = false, probe = false;
	int option;

	while ((option = getopt_long(argc, argv, "c:", long_options, NULL)) != -1) {
		switch (option) {
		case 'c':
			options.config_path = optarg;
			break;
		case OPTION_CHECK:
			check = true;
			break;
		case OPTION_ONCE:
			options.once = true;
			break;
		case OPTION_PROBE:
			probe = true;
			break;
		case OPTION_JSON:
			options.json = true;
			break;
		case OPTION_VERSION:
			printf("esddns %s\n", PACKAGE_VERSION);
			return EX_OK;
		case OPTION_HELP:
			printf("%s\nThe configuration is looked for in %s.\n", help,
			       DEFAULT_CONFIG);
			return EX_OK;
		default:
			return usage_error();
		}
	}
	if (optind < argc) {
		fprintf(stderr, "esddns: '%s' is more than it takes: all arguments are options\n",
			argv[optind]);
		return usage_error();
	}
	if (check + probe + options.once > 1 || (options.json && !probe)) {
		fprintf(stderr, "esddns: these options do not go together\n");
		return usage_error();
	}
	options.config_path = find_config(options.config_path);
	if (probe)
		return supervisor_probe(&options);
	return check ? supervisor_check(&options) : supervisor_run(&options);
}
