/* esddnsctl: the command line of a running supervisor. */
#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/wrap.h"
#include "ctl/client.h"
#include "ctl/view.h"

#define DEFAULT_RUNTIME_DIR "/run/esddns"
#define SOCKET_NAME "control.sock"
/* The supervisor's own limit for a shutdown is 8 s. */
#define SHUTDOWN_MS 10000

enum { OPTION_JSON = 256, OPTION_VERSION, OPTION_HELP };

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "config", required_argument, NULL, 'c' },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

/* 80 columns */
static const char help[] =
	"Usage: esddnsctl [-s SOCKET] [--json] COMMAND [UNIT]\n"
	"Ask and command a running esddns.\n"
	"\n"
	"  status [UNIT]      what it knows and does, and whether all is well\n"
	"  ping               does it answer? Whether all is well is no matter\n"
	"  probe              ask every source for this host's address once, and show who\n"
	"                     answered what and what was agreed; needs no running esddns,\n"
	"                     and changes nothing\n"
	"  detect             start a round of detection now\n"
	"  sync               check all records at the provider now\n"
	"  start UNIT         start a unit, also one that was stopped or given up\n"
	"  stop UNIT          stop it; it stays so until it is started\n"
	"  restart UNIT       stop it if it runs, and start it\n"
	"  reset-failed UNIT  forget that it failed: its delays begin anew\n"
	"  reload             read the configuration again, all or nothing\n"
	"  shutdown           stop everything in order\n"
	"\n"
	"The units are detector, updater and webd.\n"
	"\n"
	"  -s, --socket SOCKET  the supervisor's socket; else control.sock in the\n"
	"                       directory that ESDDNS_RUNTIME_DIR names, else\n"
	"                       " DEFAULT_RUNTIME_DIR "/" SOCKET_NAME "\n"
	"  -c, --config FILE    with probe: the configuration, as for esddns\n"
	"      --json           print the answer as JSON\n"
	"      --version        print the version and exit\n"
	"      --help           print this text and exit\n"
	"\n"
	"Exit status: 0 done, or active; 1 it failed; 3 a unit is not active; 4 there is\n"
	"no such unit; 64 wrong command line; 69 no supervisor answers. probe: 0 agreed,\n"
	"1 not agreed, 78 wrong configuration.\n";

enum verb {
	VERB_STATUS,
	VERB_PING,
	VERB_PROBE,
	VERB_DETECT,
	VERB_SYNC,
	VERB_START,
	VERB_STOP,
	VERB_RESTART,
	VERB_RESET_FAILED,
	VERB_RELOAD,
	VERB_SHUTDOWN,
	VERB__MAX
};

enum unit_argument { UNIT_NEVER, UNIT_MAYBE, UNIT_ALWAYS };

static const struct {
	const char *name;
	enum unit_argument unit;
	const char *done; /* what is said after it was done; with UNIT_ALWAYS the unit's state is */
} verbs[VERB__MAX] = {
	[VERB_STATUS] = { "status", UNIT_MAYBE, "" },
	[VERB_PING] = { "ping", UNIT_NEVER, "esddns answers" },
	[VERB_PROBE] = { "probe", UNIT_NEVER, "" },
	[VERB_DETECT] = { "detect", UNIT_NEVER,
			  "a round was started; esddnsctl status shows what it finds" },
	[VERB_SYNC] = { "sync", UNIT_NEVER,
			"all records are being checked; esddnsctl status shows the outcome" },
	[VERB_START] = { "start", UNIT_ALWAYS, "" },
	[VERB_STOP] = { "stop", UNIT_ALWAYS, "" },
	[VERB_RESTART] = { "restart", UNIT_ALWAYS, "" },
	[VERB_RESET_FAILED] = { "reset-failed", UNIT_ALWAYS, "" },
	[VERB_RELOAD] = { "reload", UNIT_NEVER, "" },
	[VERB_SHUTDOWN] = { "shutdown", UNIT_NEVER, "esddns has stopped" },
};

struct command {
	enum verb verb;
	const char *unit; /* or NULL */
	const char *socket;
	const char *config; /* or NULL */
	bool json;
};

/* --- saying ------------------------------------------------------------------------ */

static void
say(FILE *to, const char *sentence)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, to == stderr ? "esddnsctl: " : "");
	wrap_add(&b, b.len, 2, sentence);
	fputs(buf_text(&b), to);
	buf_free(&b);
}

static int
usage_error(const char *format, const char *what)
{
	fprintf(stderr, "esddnsctl: ");
	fprintf(stderr, format, what);
	fprintf(stderr, "\nTry 'esddnsctl --help'.\n");
	return EX_USAGE;
}

/* --- probe --------------------------------------------------------------------------- */

/* esddns lies beside this program, in a build tree too; or where it was installed. */
static char *
find_esddns(void)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash, *path;

	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		*slash = '\0';
		path = mem_printf("%s/esddns", self);
		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return mem_strdup(ESDDNS_SBINDIR "/esddns");
}

/* Returns only if it failed. */
static int
become_probe(const struct command *c)
{
	char *path = find_esddns();
	const char *argv[6] = { path, "--probe" };
	size_t n = 2;

	if (c->json)
		argv[n++] = "--json";
	if (c->config != NULL) {
		argv[n++] = "-c";
		argv[n++] = c->config;
	}
	execv(path, (char *const *)argv);
	fprintf(stderr, "esddnsctl: %s cannot be executed: %s\n", path, strerror(errno));
	free(path);
	return EXIT_FAILURE;
}

/* --- answers --------------------------------------------------------------------------- */

static bool
is_ok(const cJSON *answer)
{
	bool ok;

	return json_bool(answer, "ok", &ok) && ok;
}

static int
refused(const cJSON *answer)
{
	const char *error = json_text(answer, "error"), *code = json_text(answer, "code");

	say(stderr, error != NULL ? error : "the supervisor refused, without a word");
	return code != NULL && strcmp(code, "no-such-unit") == 0 ? VIEW_EXIT_NO_UNIT
								 : VIEW_EXIT_FAILED;
}

static int
show_status(const struct command *c, const cJSON *answer)
{
	bool colour = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
	struct buf b = BUF_INIT;
	int code = view_status(answer, c->unit, colour, &b);

	fputs(buf_text(&b), stdout);
	buf_free(&b);
	if (code == VIEW_EXIT_NO_UNIT)
		fprintf(stderr, "esddnsctl: there is no such unit; the units are detector, "
				"updater, webd\n");
	return code;
}

static int
show_reload(const cJSON *answer)
{
	struct buf b = BUF_INIT;

	view_reload(answer, &b);
	fputs(buf_text(&b), is_ok(answer) ? stdout : stderr);
	buf_free(&b);
	return is_ok(answer) ? VIEW_EXIT_OK : VIEW_EXIT_FAILED;
}

static int
show_unit(const struct command *c, const cJSON *answer)
{
	const char *state = json_text(answer, "state");
	char *line = mem_printf("%s is %s", c->unit, state != NULL ? state : "done");

	say(stdout, line);
	free(line);
	return VIEW_EXIT_OK;
}

static int
show_json(const struct command *c, const cJSON *answer, const char *text)
{
	const char *code = json_text(answer, "code");

	puts(text);
	if (!is_ok(answer))
		return code != NULL && strcmp(code, "no-such-unit") == 0 ? VIEW_EXIT_NO_UNIT
									 : VIEW_EXIT_FAILED;
	return c->verb == VERB_STATUS ? view_status_code(answer, c->unit) : VIEW_EXIT_OK;
}

static int
show(const struct command *c, const cJSON *answer, const char *text)
{
	if (c->json)
		return show_json(c, answer, text);
	if (c->verb == VERB_RELOAD)
		return show_reload(answer);
	if (!is_ok(answer))
		return refused(answer);
	if (c->verb == VERB_STATUS)
		return show_status(c, answer);
	if (verbs[c->verb].unit == UNIT_ALWAYS)
		return show_unit(c, answer);
	say(stdout, verbs[c->verb].done);
	return VIEW_EXIT_OK;
}

/* --- one command ------------------------------------------------------------------------- */

static char *
request(const struct command *c)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "{\"command\":");
	json_quote(&b, verbs[c->verb].name);
	if (verbs[c->verb].unit == UNIT_ALWAYS) {
		buf_adds(&b, ",\"unit\":");
		json_quote(&b, c->unit);
	}
	buf_addc(&b, '}');
	return buf_take(&b);
}

static int
take_answer(const struct command *c, struct client *client, const char *text)
{
	cJSON *answer = json_parse(text, strlen(text), NULL);
	int code = VIEW_EXIT_FAILED;

	if (answer == NULL)
		say(stderr, "the supervisor's answer is not understood.");
	else if (c->verb == VERB_SHUTDOWN && is_ok(answer) &&
		 client_wait_for_end(client, SHUTDOWN_MS) != 0)
		say(stderr, "esddns is stopping, but has not ended yet.");
	else
		code = show(c, answer, text);
	cJSON_Delete(answer);
	return code;
}

static int
run(const struct command *c)
{
	struct client client;
	char *why = NULL, *line, *text;
	int code = EX_UNAVAILABLE;

	if (client_open(&client, c->socket, &why) == 0) {
		line = request(c);
		text = client_ask(&client, line, &why);
		if (text != NULL)
			code = take_answer(c, &client, text);
		free(line);
		free(text);
		client_close(&client);
	}
	if (why != NULL)
		say(stderr, why);
	free(why);
	return code;
}

/* --- the command line ---------------------------------------------------------------------- */

/* 0, or the exit code after it said what is wrong. */
static int
take_arguments(struct command *c, int argc, char **argv)
{
	if (argc == 0)
		return usage_error("%s", "a command is missing");
	while (c->verb < VERB__MAX && strcmp(verbs[c->verb].name, argv[0]) != 0)
		c->verb++;
	if (c->verb == VERB__MAX)
		return usage_error("there is no command '%s'", argv[0]);
	c->unit = argc > 1 ? argv[1] : NULL;
	if (verbs[c->verb].unit == UNIT_ALWAYS && c->unit == NULL)
		return usage_error("%s needs a unit: detector, updater or webd", argv[0]);
	if (argc > (verbs[c->verb].unit == UNIT_NEVER ? 1 : 2))
		return usage_error("'%s' is more than it takes", argv[argc - 1]);
	if (c->config != NULL && c->verb != VERB_PROBE)
		return usage_error("-c goes with probe only, not with %s", argv[0]);
	return 0;
}

int
main(int argc, char **argv)
{
	const char *dir = getenv("ESDDNS_RUNTIME_DIR");
	char *socket = mem_printf("%s/%s", dir != NULL && *dir != '\0' ? dir : DEFAULT_RUNTIME_DIR,
				  SOCKET_NAME);
	struct command c = { .socket = socket };
	int option, code;

	while ((option = getopt_long(argc, argv, "s:c:", long_options, NULL)) != -1) {
		switch (option) {
		case 's':
			c.socket = optarg;
			break;
		case 'c':
			c.config = optarg;
			break;
		case OPTION_JSON:
			c.json = true;
			break;
		case OPTION_VERSION:
			printf("esddnsctl %s\n", PACKAGE_VERSION);
			free(socket);
			return EX_OK;
		case OPTION_HELP:
			fputs(help, stdout);
			free(socket);
			return EX_OK;
		default:
			fprintf(stderr, "Try 'esddnsctl --help'.\n");
			free(socket);
			return EX_USAGE;
		}
	}
	code = take_arguments(&c, argc - optind, argv + optind);
	if (code == 0)
		code = c.verb == VERB_PROBE ? become_probe(&c) : run(&c);
	free(socket);
	return code;
}
