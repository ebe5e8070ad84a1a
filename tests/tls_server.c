#include "tls_server.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void
run(const char *command)
{
	ck_assert_msg(system(command) == 0, "failed (is openssl installed?): %s", command);
}

static void
make_certificate(const struct tls_server *s, const char *name)
{
	char command[1024];

	snprintf(command, sizeof(command),
		 "cd %s && OPENSSL_CONF=req.cnf openssl req -x509 -newkey ec"
		 " -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
		 " -addext subjectAltName=DNS:localhost -keyout %s.key -out %s.pem 2>req.log",
		 s->directory, name, name);
	run(command);
}

/* s_server says "ACCEPT 127.0.0.1:PORT" once it listens on a port of its choice. */
static unsigned
read_port(int fd)
{
	FILE *in = fdopen(fd, "r");
	unsigned port = 0;
	char line[256];

	while (port == 0 && fgets(line, sizeof(line), in) != NULL)
		if (sscanf(line, "ACCEPT 127.0.0.1:%u", &port) != 1)
			port = 0;
	fclose(in);
	ck_assert_msg(port != 0, "openssl s_server does not listen");
	return port;
}

static void
start(struct tls_server *s, bool strict)
{
	char command[256];
	int out[2];

	strcpy(s->directory, "/tmp/check_tls.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(s->directory));
	snprintf(s->right_ca, sizeof(s->right_ca), "%s/right.pem", s->directory);
	snprintf(s->wrong_ca, sizeof(s->wrong_ca), "%s/wrong.pem", s->directory);
	snprintf(s->right_key, sizeof(s->right_key), "%s/right.key", s->directory);
	snprintf(s->wrong_key, sizeof(s->wrong_key), "%s/wrong.key", s->directory);
	snprintf(command, sizeof(command),
		 "printf '[req]\\ndistinguished_name=dn\\n[dn]\\n' > %s/req.cnf", s->directory);
	run(command);
	make_certificate(s, "right");
	make_certificate(s, "wrong");
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	s->pid = fork();
	ck_assert_int_ge(s->pid, 0);
	if (s->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], STDOUT_FILENO);
		dup2(open("/dev/null", O_RDWR), STDIN_FILENO);
		if (chdir(s->directory) == 0 && setenv("OPENSSL_CONF", "req.cnf", 1) == 0)
			execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert",
			       "right.pem", "-key", "right.key", "-www", "-4",
			       strict ? "-Verify" : (char *)NULL, "1", "-verify_return_error",
			       "-CAfile", "right.pem", (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	s->port = read_port(out[0]);
}

void
tls_server_start(struct tls_server *s)
{
	start(s, false);
}

void
tls_server_start_strict(struct tls_server *s)
{
	start(s, true);
}

void
tls_server_stop(struct tls_server *s)
{
	char command[128];

	kill(s->pid, SIGKILL);
	ck_assert_int_eq(waitpid(s->pid, NULL, 0), s->pid);
	snprintf(command, sizeof(command), "rm -rf %s", s->directory);
	run(command);
}
