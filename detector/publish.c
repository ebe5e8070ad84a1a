#include "detector/publish.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/local.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"
#include "ipc/bus.h"
#include "ipc/channel.h"

#define UNIT "detector"

/* When things happened, by the clock that does not jump; 0: not in this process. */
struct times {
	int64_t confirmed_ms;
	int64_t checked_ms;
};

struct publisher {
	struct local *local;
	struct bus_publisher *bus;
	struct metrics *metrics;
	struct msg_wan wan; /* its ages are filled in when it is sent */
	struct times times[ADDRESS_FAMILY__MAX];
	int64_t leading_since; /* wall */
};

/* The store's part for one family. */
typedef __typeof__(((struct local_state *)NULL)->ipv4) stored_family;

static void
load_family(struct msg_wan_family *w, const stored_family *s)
{
	w->address = s->address;
	w->detected_at = s->detected_at;
	w->confirmed_at = s->confirmed_at;
	w->nchanges = s->nchanges;
	memcpy(w->changes, s->changes, sizeof(w->changes));
}

static void
store_family(stored_family *s, const struct msg_wan_family *w)
{
	s->address = w->address;
	s->detected_at = w->detected_at;
	s->confirmed_at = w->confirmed_at;
	s->nchanges = w->nchanges;
	memcpy(s->changes, w->changes, sizeof(s->changes));
}

/* What was stored is shown with its times, and as unknown until a round agrees. */
static void
load_stored(struct publisher *p)
{
	const struct local_state *s = local_state(p->local);

	mem_copy_text(p->wan.uid, sizeof(p->wan.uid), s->uid);
	mem_copy_text(p->wan.holder, sizeof(p->wan.holder), local_holder(p->local));
	p->wan.epoch = s->epoch;
	p->wan.sequence = s->sequence;
	load_family(&p->wan.ipv4, &s->ipv4);
	load_family(&p->wan.ipv6, &s->ipv6);
}

static void
store(struct publisher *p)
{
	struct local_state s = *local_state(p->local);

	s.sequence = p->wan.sequence;
	store_family(&s.ipv4, &p->wan.ipv4);
	store_family(&s.ipv6, &p->wan.ipv6);
	/* a failure is in local_trouble(), and goes out with the next "lead" */
	(void)local_store(p->local, &s);
}

struct publisher *
publisher_open(const struct detector_config *config, const char **why)
{
	struct publisher *p = mem_new(1, sizeof(*p));

	p->local = local_open(config->state_dir, why);
	if (p->local)
		p->bus = bus_publisher_new(config->runtime_dir, UNIT, why);
	if (!p->bus) {
		publisher_close(p);
		return NULL;
	}
	p->metrics = metrics_new();
	p->leading_since = clock_wall();
	load_stored(p);
	publisher_reload(p, config);
	return p;
}

void
publisher_close(struct publisher *p)
{
	if (!p)
		return;
	bus_publisher_free(p->bus);
	local_close(p->local);
	metrics_free(p->metrics);
	free(p);
}

void
publisher_reload(struct publisher *p, const struct detector_config *config)
{
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++) {
		struct msg_wan_family *w = msg_wan_family(&p->wan, f);

		if (config->families[f] && w->wanted)
			continue;
		/* not asked until now, or not any more: what is known grows old, and has no votes
		 */
		w->wanted = config->families[f];
		w->state = MSG_WAN_UNKNOWN;
		w->nvotes = 0;
		w->asked = w->answered = w->agreed = w->needed = 0;
		mem_copy_text(w->reason, sizeof(w->reason),
			      w->wanted ? "no round has ended since the start"
					: "no record needs this family");
	}
}

static void
take_round(struct msg_wan_family *w, const struct agreement *a)
{
	w->checked_at = clock_wall();
	w->asked = a->asked;
	w->answered = a->answered;
	w->agreed = a->agreed;
	w->needed = a->needed;
	w->nvotes = a->nvotes;
	memcpy(w->votes, a->votes, sizeof(w->votes));
}

static void
take_address(struct publisher *p, struct msg_wan_family *w, const struct address *a)
{
	w->address = *a;
	w->detected_at = clock_wall();
	if (w->nchanges == MSG_CHANGES_MAX)
		memmove(&w->changes[0], &w->changes[1], --w->nchanges * sizeof(w->changes[0]));
	w->changes[w->nchanges++] = (struct msg_change){ .address = *a, .at = w->detected_at };
	p->wan.sequence++;
}

/* A vote agrees if it names the address that is published, whatever the round found. */
static void
mark_votes(struct msg_wan_family *w)
{
	for (size_t i = 0; i < w->nvotes; i++)
		w->votes[i].agrees = !w->votes[i].error[0] &&
				     w->votes[i].answer.family != ADDRESS_NONE &&
				     address_equal(&w->votes[i].answer, &w->address);
}

/*
 * What an earlier process confirmed has a time for people, and no age: only a
 * wall clock that may have been set could tell it, and a record is written on
 * the strength of this age. After a start only a new confirmation counts.
 */
static int64_t
age_of(int64_t at_ms, int64_t now_ms)
{
	return at_ms ? now_ms - at_ms : -1;
}

static void
emit(const char *json, void *arg)
{
	struct publisher *p = arg;

	bus_publish(p->bus, json);
}

static void
send_lead(struct publisher *p)
{
	struct msg_lead lead = { .role = MSG_LEADER, .term = p->wan.epoch };
	char *json;

	lead.since = p->leading_since;
	mem_copy_text(lead.backend, sizeof(lead.backend), "local");
	mem_copy_text(lead.holder, sizeof(lead.holder), p->wan.holder);
	mem_copy_text(lead.reason, sizeof(lead.reason), local_trouble(p->local));
	json = msg_encode_lead(&lead);
	emit(json, p);
	free(json);
}

static void
send_all(struct publisher *p, int64_t now_ms)
{
	char *json;

	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++) {
		struct msg_wan_family *w = msg_wan_family(&p->wan, f);

		w->confirmed_age_ms = age_of(p->times[f].confirmed_ms, now_ms);
		w->checked_age_ms = age_of(p->times[f].checked_ms, now_ms);
	}
	json = msg_encode_wan(&p->wan);
	emit(json, p);
	free(json);
	send_lead(p);
	msg_encode_stats(UNIT, p->metrics, emit, p);
}

void
publisher_tell(struct publisher *p, const struct publisher_news *news, int64_t now_ms)
{
	struct msg_wan_family *w = msg_wan_family(&p->wan, news->family);
	struct times *times = &p->times[news->family];

	w->state = news->state;
	mem_copy_text(w->reason, sizeof(w->reason), news->reason);
	if (news->round) {
		take_round(w, news->round);
		times->checked_ms = now_ms;
	}
	if (news->address)
		take_address(p, w, news->address);
	if (news->confirmed) {
		w->confirmed_at = clock_wall();
		times->confirmed_ms = now_ms;
	}
	mark_votes(w);
	if (news->address || news->confirmed)
		store(p);
	send_all(p, now_ms);
}

/* --- for the supervisor --------------------------------------------------------- */

/* The votes that do not name what is published: why somebody may look. */
static void
add_dissent(struct buf *b, const struct msg_wan_family *w)
{
	char answer[ADDRESS_TEXT_MAX];
	size_t n = 0;

	buf_adds(b, ",\"dissent\":[");
	for (size_t i = 0; i < w->nvotes; i++) {
		const struct msg_vote *v = &w->votes[i];

		if (v->agrees)
			continue;
		buf_adds(b, n++ > 0 ? ",{\"operator\":" : "{\"operator\":");
		json_quote(b, v->operator);
		buf_adds(b, ",\"answer\":");
		json_quote(b, address_format(&v->answer, answer, sizeof(answer)));
		buf_adds(b, ",\"error\":");
		json_quote(b, v->error);
		buf_addc(b, '}');
	}
	buf_addc(b, ']');
}

static void
add_state(struct buf *b, const struct publisher *p, enum address_family family, bool dissent,
	  int64_t now_ms)
{
	const struct msg_wan_family *w = msg_wan_family_const(&p->wan, family);
	const struct times *t = &p->times[family];
	char address[ADDRESS_TEXT_MAX];

	buf_printf(b,
		   "{\"family\":\"%s\",\"state\":\"%s\",\"address\":", address_family_name(family),
		   msg_wan_state_name(w->state));
	json_quote(b, address_format(&w->address, address, sizeof(address)));
	buf_printf(b, ",\"detected_at\":%lld,\"confirmed_age_ms\":%lld,\"checked_age_ms\":%lld",
		   (long long)w->detected_at, (long long)age_of(t->confirmed_ms, now_ms),
		   (long long)age_of(t->checked_ms, now_ms));
	buf_printf(b, ",\"asked\":%u,\"answered\":%u,\"agreed\":%u,\"needed\":%u,\"reason\":",
		   w->asked, w->answered, w->agreed, w->needed);
	json_quote(b, w->reason);
	if (dissent)
		add_dissent(b, w);
	buf_addc(b, '}');
}

static char *
print_state(const struct publisher *p, bool dissent, int64_t now_ms)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "{\"families\":[");
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++) {
		if (!msg_wan_family_const(&p->wan, f)->wanted)
			continue;
		if (b.data[b.len - 1] == '}')
			buf_addc(&b, ',');
		add_state(&b, p, f, dissent, now_ms);
	}
	buf_adds(&b, "],\"store\":");
	json_quote(&b, local_trouble(p->local));
	buf_addc(&b, '}');
	return buf_take(&b);
}

char *
publisher_state(const struct publisher *p, int64_t now_ms)
{
	char *json = print_state(p, true, now_ms);

	if (strlen(json) <= CHANNEL_STATE_MAX)
		return json;
	/* that many operators fail in so many words: the page and the log have them all */
	free(json);
	return print_state(p, false, now_ms);
}

const struct msg_wan_family *
publisher_family(const struct publisher *p, enum address_family family)
{
	return msg_wan_family_const(&p->wan, family);
}

struct metrics *
publisher_metrics(struct publisher *p)
{
	return p->metrics;
}

void
publisher_prepare(struct publisher *p, struct pollset *set, int64_t now_ms)
{
	bus_publisher_prepare(p->bus, set, now_ms);
}

void
publisher_dispatch(struct publisher *p, const struct pollset *set, int64_t now_ms)
{
	if (bus_due(p->bus, set, now_ms))
		send_all(p, now_ms);
}
