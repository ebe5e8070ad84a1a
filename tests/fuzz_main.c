/*
 * The fuzz targets without libFuzzer: a program fuzz_NAME feeds every file of
 * tests/corpus/NAME (or of the directories and files given to it), and every
 * beginning of it, to the target, so that all compilers, sanitizers and
 * valgrind run what was found once.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz.h"

#define INPUT_MAX ((size_t)256 * 1024)
/* How many beginnings of a file are tried: all of a short one, so many of a longer one. */
#define CUTS_MAX 64

static const char *current; /* the file whose turn it is */
static size_t inputs;

/* The path stands at the end of what a failure prints. */
static void
name_input(void)
{
	static const char lead[] = "fuzz: the input is ";

	if (current != NULL && write(STDERR_FILENO, lead, sizeof(lead) - 1) > 0 &&
	    write(STDERR_FILENO, current, strlen(current)) > 0 && write(STDERR_FILENO, "\n", 1) > 0)
		return;
}

static void
on_abort(int number)
{
	(void)number;
	name_input();
}

/* Exactly len bytes on the heap: reading behind them is found. */
static void
feed(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	if (copy == NULL)
		abort();
	memcpy(copy, data, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
	inputs++;
}

static int
run_file(const char *path)
{
	uint8_t *data = malloc(INPUT_MAX);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd >= 0 && data != NULL ? read(fd, data, INPUT_MAX) : -1;
	size_t step;

	if (fd >= 0)
		close(fd);
	if (len < 0 || (size_t)len == INPUT_MAX) {
		fprintf(stderr, "fuzz: %s: %s\n", path, len < 0 ? strerror(errno) : "too large");
		free(data);
		return -1;
	}
	current = path;
	feed(data, (size_t)len);
	step = (size_t)len / CUTS_MAX + 1;
	for (size_t cut = 0; cut < (size_t)len; cut += step)
		feed(data, cut);
	current = NULL;
	free(data);
	return 0;
}

static int
run_directory(const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, alphasort), failed = 0;

	if (n < 0) {
		fprintf(stderr, "fuzz: %s: %s\n", path, strerror(errno));
		return -1;
	}
	for (int i = 0; i < n; i++) {
		char file[4096];

		snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.' && run_file(file) != 0)
			failed = -1;
		free(entries[i]);
	}
	free(entries);
	return failed;
}

static int
run_path(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		return run_file(path);
	return run_directory(path);
}

/* fuzz_stun -> TESTS_SRCDIR/corpus/stun; libtool's and valgrind's names of it too. */
static const char *
own_corpus(char *program)
{
	static char path[4096];
	const char *name = basename(program), *sign = strstr(name, "fuzz_");

	snprintf(path, sizeof(path), TESTS_SRCDIR "/corpus/%s", sign != NULL ? sign + 5 : name);
	return path;
}

int
main(int argc, char **argv)
{
	int failed = 0;

	signal(SIGABRT, on_abort);
	if (argc < 2)
		failed = run_path(own_corpus(argv[0]));
	for (int i = 1; i < argc; i++)
		failed |= run_path(argv[i]);
	/* a corpus that is not there must not pass */
	if (inputs == 0)
		fprintf(stderr, "fuzz: there was no input\n");
	printf("%s: %zu inputs\n", basename(argv[0]), inputs);
	return failed != 0 || inputs == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
