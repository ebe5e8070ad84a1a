#include "supervised.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/spawn.h"

#define ESDDNS TESTS_BUILDDIR "/../esddns"
#define HELPER TESTS_BUILDDIR "/helper_worker"

char dir[64], configuration[80], journal[80], log_file[80];
pid_t esddns;

void
supervised_set_up(void)
{
	snprintf(dir, sizeof(dir), "/tmp/esddns-check-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(configuration, sizeof(configuration), "%s/esddns.yaml", dir);
	snprintf(journal, sizeof(journal), "%s/journal", dir);
	snprintf(log_file, sizeof(log_file), "%s/log", dir);
	/* survivors of a killed supervisor come to us, and cannot hide as somebody's zombies */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	esddns = 0;
}

void
supervised_tear_down(void)
{
	char command[96];

	spawn_sweep(clock_now() + PATIENCE_MS);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void
write_unit(FILE *f, const char *name, const struct plan *p)
{
	fprintf(f, "  %s:\n    ExecStart: [\"%s\", \"%s\", \"%s\", \"%s\"]\n", name,
		p->program != NULL ? p->program : HELPER,
		p->behaviour != NULL ? p->behaviour : "work", journal,
		p->argument != NULL ? p->argument : "");
	if (p->extra != NULL)
		fprintf(f, "%s", p->extra);
}

void
supervised_configure(const struct plan *detector, const struct plan *updater,
		     const struct plan *webd, const char *rest)
{
	static const struct plan good;
	FILE *f = fopen(configuration, "we");

	ck_assert_ptr_nonnull(f);
	fprintf(f, "runtime_dir: %s/run\nstate_dir: %s/state\nlog: {format: logfmt}\n", dir, dir);
	fprintf(f, "records: [{zone: example.com, name: '@', type: A}]\n");
	fprintf(f, "cluster: {backend: local}\nupdater: {observe: true}\n%sunits:\n", rest);
	write_unit(f, "detector", detector != NULL ? detector : &good);
	write_unit(f, "updater", updater != NULL ? updater : &good);
	write_unit(f, "webd", webd != NULL ? webd : &good);
	fclose(f);
}

static pid_t
start(const char *program, void (*prepare)(void))
{
	pid_t pid = fork();
	int fd;

	ck_assert_int_ge(pid, 0);
	if (pid > 0)
		return pid;
	fd = open(log_file, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, STDERR_FILENO);
	dup2(fd, STDOUT_FILENO);
	close_range(STDERR_FILENO + 1, ~0u, 0); /* the test framework's own */
	if (prepare != NULL)
		prepare();
	execl(program, "esddns", "-c", configuration, (char *)NULL);
	_exit(127);
}

pid_t
supervised_start_in(void (*prepare)(void))
{
	return start(ESDDNS, prepare);
}

void
supervised_start(void)
{
	esddns = supervised_start_in(NULL);
}

void
supervised_start_program(const char *path)
{
	esddns = start(path, NULL);
}

bool
file_contains(const char *file, const char *text)
{
	static char content[1 << 20];
	FILE *f = fopen(file, "re");
	size_t n = f != NULL ? fread(content, 1, sizeof(content) - 1, f) : 0;

	if (f != NULL)
		fclose(f);
	content[n] = '\0';
	return strstr(content, text) != NULL;
}

static long
number_in_journal(const char *text, bool first)
{
	FILE *f = fopen(journal, "re");
	char line[8192];
	long number = -1;

	while (f != NULL && !(first && number >= 0) && fgets(line, sizeof(line), f) != NULL) {
		const char *at = strstr(line, text);

		if (at != NULL)
			number = atol(at + strlen(text));
	}
	if (f != NULL)
		fclose(f);
	return number;
}

long
journal_number(const char *text)
{
	return number_in_journal(text, false);
}

long
journal_first_number(const char *text)
{
	return number_in_journal(text, true);
}

unsigned
journal_count(const char *text)
{
	FILE *f = fopen(journal, "re");
	char line[8192];
	unsigned n = 0;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		n += strstr(line, text) != NULL;
	if (f != NULL)
		fclose(f);
	return n;
}

void
supervised_show(void)
{
	char command[200];

	snprintf(command, sizeof(command), "cat %s %s", log_file, journal);
	(void)!system(command);
}

bool
is_gone(long pid)
{
	/* those that we adopted are ours to reap */
	waitpid((pid_t)pid, NULL, WNOHANG);
	return kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

int
supervised_wait(void)
{
	int status = 0;

	wait_until(waitpid(esddns, &status, WNOHANG) == esddns);
	esddns = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int
supervised_stop(void)
{
	kill(esddns, SIGTERM);
	return supervised_wait();
}
