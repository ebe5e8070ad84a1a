/*
 * The messages of the bus: what is accepted, encoded and decoded again, is the
 * same message.
 */
#include "common/buf.h"
#include "ipc/message.h"
#include "tests/fuzz.h"

static struct msg *
decode(const char *text)
{
	struct msg *m;
	const char *why;

	/* a publisher must never send what a subscriber refuses */
	REQUIRE(strlen(text) <= MSG_SIZE_MAX);
	REQUIRE(msg_decode(text, strlen(text), &m, &why) == 0);
	return m;
}

static void
collect(const char *json, void *arg)
{
	struct buf *b = arg;
	struct msg *m = decode(json);

	REQUIRE(m->type == MSG_STATS && m->stats.part < m->stats.parts);
	msg_free(m);
	buf_adds(b, json);
	buf_addc(b, '\n');
}

static char *
encode(const struct msg *m)
{
	struct buf b = BUF_INIT;

	switch (m->type) {
	case MSG_WAN:
		return msg_encode_wan(&m->wan);
	case MSG_LEAD:
		return msg_encode_lead(&m->lead);
	case MSG_RECORD:
		return msg_encode_record(&m->record);
	case MSG_STATS:
		msg_encode_stats(m->stats.from, m->stats.metrics, collect, &b);
		return buf_take(&b);
	case MSG_CLUSTER:
		return msg_encode_cluster(&m->cluster);
	case MSG_TYPE__MAX:
		break;
	}
	REQUIRE(false);
	return NULL;
}

static void
check_family(const struct msg_wan_family *f, enum address_family family)
{
	REQUIRE(f->state < MSG_WAN_STATE__MAX);
	REQUIRE(f->address.family == ADDRESS_NONE || f->address.family == family);
	REQUIRE(f->nvotes <= MSG_VOTES_MAX && f->nchanges <= MSG_CHANGES_MAX);
	REQUIRE(f->confirmed_age_ms >= -1 && f->checked_age_ms >= -1 && f->checked_at >= 0);
	REQUIRE(f->reason[0] == '\0' || fuzz_is_phrase(f->reason));
	for (size_t i = 0; i < f->nvotes; i++)
		REQUIRE(fuzz_is_phrase(f->votes[i].operator) && f->votes[i].duration_ms >= 0);
}

static void
check_bounds(const struct msg *m)
{
	REQUIRE(m->type < MSG_TYPE__MAX);
	if (m->type == MSG_WAN) {
		REQUIRE(m->wan.uid[0] != '\0' && m->wan.sequence >= 0);
		REQUIRE(m->wan.epoch >= 1 && m->wan.epoch <= MSG_EPOCH_MAX);
		check_family(&m->wan.ipv4, ADDRESS_IPV4);
		check_family(&m->wan.ipv6, ADDRESS_IPV6);
	} else if (m->type == MSG_LEAD) {
		REQUIRE(m->lead.role < MSG_ROLE__MAX && m->lead.since >= 0);
	} else if (m->type == MSG_RECORD) {
		REQUIRE(m->record.index < m->record.count);
		REQUIRE(m->record.state < MSG_RECORD_STATE__MAX);
		REQUIRE(m->record.nvalues <= MSG_VALUES_MAX && fuzz_is_phrase(m->record.fqdn));
		REQUIRE(m->record.family == ADDRESS_IPV4 || m->record.family == ADDRESS_IPV6);
		REQUIRE(m->record.wanted.family == ADDRESS_NONE ||
			m->record.wanted.family == m->record.family);
	} else if (m->type == MSG_CLUSTER) {
		REQUIRE(m->cluster.released >= 0 && m->cluster.released <= MSG_EPOCH_MAX);
	} else {
		REQUIRE(m->stats.metrics != NULL && m->stats.part < m->stats.parts);
	}
}

/* The votes are what may be left out to make a message fit; nothing else is. */
static void
check_same_news(const struct msg *a, const struct msg *b)
{
	if (a->type != MSG_WAN)
		return;
	REQUIRE(a->wan.epoch == b->wan.epoch && a->wan.sequence == b->wan.sequence);
	REQUIRE(strcmp(a->wan.uid, b->wan.uid) == 0 && strcmp(a->wan.holder, b->wan.holder) == 0);
	REQUIRE(address_equal(&a->wan.ipv4.address, &b->wan.ipv4.address));
	REQUIRE(address_equal(&a->wan.ipv6.address, &b->wan.ipv6.address));
	REQUIRE(a->wan.ipv4.nchanges == b->wan.ipv4.nchanges);
	REQUIRE(a->wan.ipv4.nvotes >= b->wan.ipv4.nvotes);
}

static void
check_accepted(const struct msg *m)
{
	char *first = encode(m), *second;
	struct msg *again;

	check_bounds(m);
	if (m->type == MSG_STATS) { /* several texts; collect() has read each of them */
		free(first);
		return;
	}
	again = decode(first);
	REQUIRE(again->type == m->type);
	check_bounds(again);
	check_same_news(m, again);
	second = encode(again);
	REQUIRE(strcmp(first, second) == 0);
	msg_free(again);
	free(first);
	free(second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *why = NULL;
	struct msg *m;

	if (msg_decode((const char *)data, size, &m, &why) == 0) {
		REQUIRE(m != NULL && size <= MSG_SIZE_MAX);
		check_accepted(m);
		msg_free(m);
	} else {
		REQUIRE(m == NULL && fuzz_is_phrase(why));
	}
	return 0;
}
