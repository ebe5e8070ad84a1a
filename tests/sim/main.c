/*
 * sim [--seeds A..B] [--nodes N] [--no-hands] [--trace SEED]: runs whole clusters in virtual
 * time. Exits 1 at the first seed that breaks an invariant, after running it
 * again to show what happened.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/sim/faults.h"
#include "tests/sim/invariants.h"
#include "tests/sim/node.h"
#include "tests/sim/trace.h"

#define TRACE_LINES 400
/* How many seeds a test runs; sanitizers take ten times as long. */
#ifdef __SANITIZE_ADDRESS__
#define SEEDS 200
#else
#define SEEDS 2000
#endif
/* How long news may be on their way to some node. */
#define NEWS_US (3 * SECOND)

struct outcome {
	uint64_t steps, requests;
	int64_t settled_us; /* how long it took after the last fault */
};

/* From the last fault on: how long until all is right, and whether it stays so. */
static void
watch_it_settle(struct world *w, int64_t end_us, struct outcome *out)
{
	const char *wrong = "not looked at";
	int64_t right_us = 0, last_us = 0;

	for (int64_t at = end_us + SECOND; !w->failed; at += SECOND) {
		while (!w->failed && world_step(w, at))
			;
		wrong = checks_settled(w);
		/* what was published this second is still on its way */
		if (!wrong)
			last_us = w->now_us;
		else if (w->now_us - last_us > NEWS_US)
			right_us = 0;
		if (!wrong && right_us == 0)
			right_us = w->now_us;
		if (at - end_us > CHECKS_BOUND_US + 10 * SECOND)
			break;
		if (right_us == 0 && at - end_us > CHECKS_BOUND_US)
			checks_fail(w, "%lld s after the last fault: %s",
				    (long long)(CHECKS_BOUND_US / SECOND), wrong);
	}
	out->settled_us = right_us - end_us;
}

static bool
run_seed(struct world *w, uint64_t seed, size_t nnodes, struct outcome *out)
{
	int64_t end_us;

	world_start(w, seed, nnodes);
	network_start(w);
	api_start(w);
	gandi_start(w);
	sources_start(w);
	checks_start(w);
	nodes_start(w);
	faults_start(w);
	end_us = faults_end_us(w);
	while (!w->failed && world_step(w, end_us))
		;
	/* what is late is a fault of its time */
	while (!w->failed && network_quiet_us(w) > end_us) {
		end_us = network_quiet_us(w);
		while (!w->failed && world_step(w, end_us))
			;
	}
	if (!w->failed)
		watch_it_settle(w, end_us, out);
	if (!w->failed && faults_calm(w))
		checks_calm(w);
	out->steps = w->steps;
	out->requests = api_requests(w);
	nodes_end(w);
	return !w->failed;
}

static void
show_failure(struct world *w, uint64_t seed, size_t nnodes)
{
	struct outcome out;

	w->trace = trace_new(TRACE_LINES);
	run_seed(w, seed, nnodes, &out);
	trace_print(w->trace, stdout);
	trace_free(w->trace);
	w->trace = NULL;
	printf("seed %llu with %zu nodes: %s\n", (unsigned long long)seed, nnodes, w->failure);
	printf("again: sim --nodes %zu%s --trace %llu\n", nnodes, w->no_hands ? " --no-hands" : "",
	       (unsigned long long)seed);
}

static void
show_seed(struct world *w, uint64_t seed, size_t nnodes)
{
	struct outcome out;

	w->trace = trace_new(0);
	if (run_seed(w, seed, nnodes, &out))
		printf("seed %llu: right %lld s after the last fault\n", (unsigned long long)seed,
		       (long long)(out.settled_us / SECOND));
	else
		printf("seed %llu: %s\n", (unsigned long long)seed, w->failure);
	trace_free(w->trace);
	w->trace = NULL;
}

static double
seconds_since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - then->tv_sec) + (double)(now.tv_nsec - then->tv_nsec) / 1e9;
}

static int
run_seeds(struct world *w, uint64_t first, uint64_t last, size_t nnodes)
{
	struct timespec start;
	struct outcome out, worst = { .steps = 0 };
	uint64_t steps = 0, requests = 0;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (uint64_t seed = first; seed <= last; seed++) {
		if (!run_seed(w, seed, nnodes, &out)) {
			show_failure(w, seed, nnodes);
			return EXIT_FAILURE;
		}
		steps += out.steps;
		requests += out.requests;
		if (out.settled_us > worst.settled_us)
			worst = out;
	}
	printf("%llu seeds of %zu nodes, %llu steps, %llu API requests, in %.1f s; all right at "
	       "the latest %lld s after the last fault\n",
	       (unsigned long long)(last - first + 1), nnodes, (unsigned long long)steps,
	       (unsigned long long)requests, seconds_since(&start),
	       (long long)(worst.settled_us / SECOND));
	return EXIT_SUCCESS;
}

static int
usage(void)
{
	fputs("usage: sim [--seeds A..B] [--nodes N] [--no-hands] [--trace SEED]\n", stderr);
	return 64;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "seeds", required_argument, NULL, 's' },
						 { "nodes", required_argument, NULL, 'n' },
						 { "no-hands", no_argument, NULL, 'h' },
						 { "trace", required_argument, NULL, 't' },
						 { NULL, 0, NULL, 0 } };
	static struct world w;
	unsigned long long first = 1, last = SEEDS, trace = 0;
	unsigned long nodes = 3;
	bool traced = false;
	int c, status = EXIT_SUCCESS;

	while ((c = getopt_long(argc, argv, "s:n:ht:", options, NULL)) != -1) {
		if (c == 's' && sscanf(optarg, "%llu..%llu", &first, &last) == 2 && first <= last)
			continue;
		if (c == 'n' && sscanf(optarg, "%lu", &nodes) == 1 && nodes >= 1 && nodes <= 10000)
			continue;
		if (c == 'h') {
			w.no_hands = true;
			continue;
		}
		if (c != 't' || sscanf(optarg, "%llu", &trace) != 1)
			return usage();
		traced = true;
	}
	if (optind != argc)
		return usage();
	if (traced)
		show_seed(&w, trace, nodes);
	else
		status = run_seeds(&w, first, last, nodes);
	world_free(&w);
	return status;
}
