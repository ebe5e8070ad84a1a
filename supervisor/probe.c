#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "supervisor/config.h"
#include "supervisor/environment.h"
#include "supervisor/parts.h"
#include "supervisor/sealed.h"
#include "supervisor/supervisor_private.h"

static bool
names_record(char *const *variables)
{
	static const char name[] = "TARGET_DOMAIN_FQDN=";

	for (size_t i = 0; variables[i] != NULL; i++)
		if (strncmp(variables[i], name, sizeof(name) - 1) == 0 &&
		    variables[i][sizeof(name) - 1] != '\0')
			return true;
	return false;
}

/*
 * A probe needs no token, and may be run by somebody who cannot read its file:
 * with one in the environment the configuration is complete.
 */
static struct config *
load_without_token(const struct supervisor_options *options, struct config_report *report)
{
	static char token[] = "GANDI_API_KEY=unused";
	size_t n = 0;
	struct config *config;
	char **variables;

	while (options->variables[n] != NULL)
		n++;
	variables = mem_new(n + 2, sizeof(*variables));
	variables[0] = token;
	memcpy(variables + 1, options->variables, n * sizeof(*variables));
	config = config_load(options->config_path, variables, report);
	free(variables);
	return config;
}

/* Where nothing at all is configured, the built-in sources are worth a look. */
static struct config *
load(const struct supervisor_options *options)
{
	struct config_report report = { 0 };
	struct config *config;

	if (options->config_path == NULL && !names_record(options->variables)) {
		fprintf(stderr, "There is no configuration: the built-in sources are asked.\n");
		return config_builtin();
	}
	config = load_without_token(options, &report);
	for (size_t i = 0; config == NULL && i < report.n; i++)
		if (!report.messages[i].warning)
			fprintf(stderr, "%s\n", report.messages[i].text);
	config_report_free(&report);
	return config;
}

/* A descriptor that the detector inherits. */
static int
inheritable_part(const struct config *config)
{
	char *text = parts_probe(config);
	int fd = sealed_new("esddns-part", text, strlen(text));

	parts_free(text);
	if (fd >= 0 && fcntl(fd, F_SETFD, 0) == 0)
		return fd;
	fprintf(stderr, "esddns: no memory file can be made: %s\n", strerror(errno));
	return -1;
}

/* Returns only if it failed. */
static void
become_detector(const struct supervisor_options *options, const struct config *config, int part_fd)
{
	const char *name = config->units[CONFIG_DETECTOR].exec_start[0];
	char *path = strchr(name, '/') != NULL
			     ? mem_strdup(name)
			     : mem_printf("%s/%s", supervisor_libexec_dir(), name);
	const char *argv[] = { path, "--probe", options->json ? "--json" : NULL, NULL };
	struct environment_extra extra = {
		.unit = "probe", .channel_fd = -1, .part_fd = part_fd, .secret_fd = -1
	};
	char **envp = environment_new(options->variables, &extra);

	execve(path, (char *const *)argv, envp);
	fprintf(stderr, "esddns: %s cannot be executed: %s\n", path, strerror(errno));
	environment_free(envp);
	free(path);
}

int
supervisor_probe(const struct supervisor_options *options)
{
	struct config *config = load(options);
	int part_fd;

	if (config == NULL)
		return SUPERVISOR_EXIT_CONFIG;
	part_fd = inheritable_part(config);
	if (part_fd >= 0) {
		become_detector(options, config, part_fd);
		close(part_fd);
	}
	config_free(config);
	return 1;
}
