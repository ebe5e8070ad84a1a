#include "detector/survey.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cluster/local.h"
#include "common/clock.h"
#include "common/http.h"
#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/pollset.h"
#include "common/resolve.h"
#include "detector/detector.h"
#include "detector/probe.h"
#include "ipc/channel.h"

/* --- what the host can reach --------------------------------------------------- */

/* Connecting a datagram socket sends nothing: it only asks for a route. */
static bool
has_route(enum address_family family)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(53) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(53) };
	bool ipv4 = family == ADDRESS_IPV4, found;
	int fd = socket(ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	/* any addresses of the public internet */
	inet_pton(AF_INET, "192.0.0.9", &v4.sin_addr);
	inet_pton(AF_INET6, "2001:1::1", &v6.sin6_addr);
	found = ipv4 ? connect(fd, (struct sockaddr *)&v4, sizeof(v4)) == 0
		     : connect(fd, (struct sockaddr *)&v6, sizeof(v6)) == 0;
	close(fd);
	return found;
}

/* --- asking ---------------------------------------------------------------------- */

struct asking {
	struct http *http;
	struct probe *probes[ADDRESS_FAMILY__MAX];
};

static bool
all_ended(const struct asking *a)
{
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++)
		if (a->probes[f] != NULL && !probe_ended(a->probes[f]))
			return false;
	return true;
}

static void
wait_for_answers(const struct asking *a)
{
	static struct pollset set; /* large, and there is one loop */

	while (!all_ended(a)) {
		int64_t now_ms;

		pollset_reset(&set);
		for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++)
			if (a->probes[f] != NULL)
				probe_prepare(a->probes[f], &set);
		http_wait(a->http, &set);
		http_dispatch(a->http, &set);
		now_ms = clock_now();
		for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++)
			if (a->probes[f] != NULL)
				probe_dispatch(a->probes[f], &set, now_ms);
	}
}

/* --- what came of it --------------------------------------------------------------- */

static void
take_answers(const struct detector_config *config, enum address_family family,
	     const struct ballot *ballots, size_t n, struct survey_family *out)
{
	size_t source = 0;

	/* the ballots are in the order of those sources that were asked */
	for (size_t i = 0; i < n; i++, source++) {
		struct survey_answer *a = &out->answers[i];

		while (!config->sources[source].families[family])
			source++;
		a->source = &config->sources[source];
		a->address = ballots[i].answer;
		a->duration_ms = ballots[i].duration_ms;
		if (a->address.family == ADDRESS_NONE)
			mem_copy_text(a->error, sizeof(a->error), ballots[i].error);
		else if (!config->agreement.allow_reserved)
			a->refusal = address_refusal(&a->address);
	}
	out->nanswers = n;
}

static void
conclude(const struct detector_config *config, enum address_family family,
	 const struct probe *probe, struct survey_family *out)
{
	size_t n, answered = 0;
	const struct ballot *ballots = probe_ballots(probe, &n);

	out->asked = true;
	take_answers(config, family, ballots, n, out);
	agreement_judge(&config->agreement, ballots, n, &out->published, &out->agreement);
	for (size_t i = 0; i < n; i++)
		answered += ballots[i].answer.family != ADDRESS_NONE;
	out->no_route = answered == 0 && !has_route(family);
}

static void
take_published(struct survey *s, const char *state_dir)
{
	struct local_state state;
	const char *why;

	if (!local_peek(state_dir, &state, &why)) {
		s->state_trouble = mem_printf("%s/state.json: %s", state_dir, why);
		return;
	}
	s->families[ADDRESS_IPV4].published = state.ipv4.address;
	s->families[ADDRESS_IPV4].detected_at = state.ipv4.detected_at;
	s->families[ADDRESS_IPV6].published = state.ipv6.address;
	s->families[ADDRESS_IPV6].detected_at = state.ipv6.detected_at;
}

bool
survey_agreed(const struct survey *s)
{
	bool agreed = false;

	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++) {
		const struct survey_family *sf = &s->families[f];

		if (sf->asked && sf->agreement.verdict == AGREEMENT_AGREED)
			agreed = true;
		else if (sf->asked && !(s->optional && sf->no_route))
			return false;
	}
	return agreed;
}

static void
ask(const struct detector_config *config, struct survey *s)
{
	char *user_agent = mem_printf("esddns/%s", config->version);
	struct resolver *resolver = resolver_new();
	struct asking a = { .http = http_new(resolver, user_agent) };

	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++)
		if (config->families[f])
			a.probes[f] = probe_start(config, f, a.http, resolver);
	wait_for_answers(&a);
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++) {
		if (a.probes[f] != NULL)
			conclude(config, f, a.probes[f], &s->families[f]);
		probe_free(a.probes[f]);
	}
	http_free(a.http);
	resolver_free(resolver);
	free(user_agent);
}

int
survey_run(bool json)
{
	struct survey *s = mem_new(1, sizeof(*s));
	struct buf out = BUF_INIT;
	cJSON *part;
	const char *why;
	struct detector_config *config;
	bool agreed;

	log_start("detector", LOG_WARN, LOG_LOGFMT);
	part = channel_part_alone();
	config = detector_config_read(part, &why);
	if (config == NULL) {
		log_error("the configuration part is malformed", LOG_S("reason", why));
		cJSON_Delete(part);
		free(s);
		return DETECTOR_EXIT_PROTOCOL;
	}
	if (!json_bool(part, "optional", &s->optional))
		s->optional = false;
	take_published(s, config->state_dir);
	ask(config, s);
	if (json)
		survey_print_json(s, &out);
	else
		survey_print(s, isatty(STDOUT_FILENO) != 0, &out);
	fputs(buf_text(&out), stdout);
	agreed = survey_agreed(s);
	buf_free(&out);
	detector_config_free(config);
	cJSON_Delete(part);
	free(s->state_trouble);
	free(s);
	return agreed ? EXIT_SUCCESS : EXIT_FAILURE;
}
