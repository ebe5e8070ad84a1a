#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/json.h"
#include "detector/publish_private.h"
#include "ipc/channel.h"

/* What is published, for the supervisor and the status line. */

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
		   (long long)w->detected_at, (long long)publisher_age(t->confirmed_ms, now_ms),
		   (long long)publisher_age(t->checked_ms, now_ms));
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
	char standby[MSG_HOLDER_MAX + MSG_REASON_MAX];
	struct buf b = BUF_INIT;

	buf_adds(&b, "{\"families\":[");
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++) {
		/* a pod that stands by knows no more than its updater, which tells it */
		if (!msg_wan_family_const(&p->wan, f)->wanted || (p->lead && !p->active))
			continue;
		if (b.data[b.len - 1] == '}')
			buf_addc(&b, ',');
		add_state(&b, p, f, dissent, now_ms);
	}
	buf_adds(&b, "],\"standby\":");
	json_quote(&b, publisher_standby(p, standby, sizeof(standby)));
	buf_adds(&b, ",\"store\":");
	json_quote(&b, p->lead ? lead_trouble(p->lead) : local_trouble(p->local));
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

const char *
publisher_standby(const struct publisher *p, char *out, size_t size)
{
	const char *holder, *reason;
	char host[MSG_HOLDER_MAX];

	out[0] = '\0';
	if (!p->lead || p->active)
		return out;
	holder = leader_holder(lead_leader_const(p->lead));
	reason = lead_trouble(p->lead);
	if (reason[0] != '\0')
		snprintf(out, size, "standing by: %s", reason);
	else if (holder[0] != '\0')
		snprintf(out, size, "standing by: %s leads",
			 cluster_host_of(holder, host, sizeof(host)));
	else
		snprintf(out, size, "standing by: nobody leads yet");
	return out;
}
