#include "cluster/follow.h"

#include <string.h>

#include "common/mem.h"

static const char *const verdict_names[] = {
	[FOLLOW_NEW] = "new",
	[FOLLOW_SAME] = "same",
	[FOLLOW_OLD] = "old",
	[FOLLOW_FOREIGN] = "foreign",
};

void
follow_init(struct follow *f)
{
	*f = (struct follow){ .uid = "" };
}

enum follow_verdict
follow_judge(struct follow *f, const struct msg_wan *news, bool authoritative)
{
	if (strcmp(f->uid, news->uid) != 0) {
		if (!authoritative)
			return FOLLOW_FOREIGN;
		memcpy(f->uid, news->uid, sizeof(f->uid));
	} else if (news->epoch == f->epoch && news->sequence == f->sequence) {
		return FOLLOW_SAME;
	} else if (news->epoch < f->epoch ||
		   (news->epoch == f->epoch && news->sequence < f->sequence)) {
		return FOLLOW_OLD;
	}
	f->epoch = news->epoch;
	f->sequence = news->sequence;
	return FOLLOW_NEW;
}

const char *
follow_verdict_name(enum follow_verdict verdict)
{
	return verdict <= FOLLOW_FOREIGN ? verdict_names[verdict] : "invalid";
}

void
follow_note_version(struct follow_past *p, const char *version)
{
	if (strcmp(p->versions[p->newest], version) == 0)
		return;
	p->newest = (p->newest + 1) % FOLLOW_PAST_MAX;
	mem_copy_text(p->versions[p->newest], API_VERSION_MAX, version);
}

bool
follow_is_past(const struct follow_past *p, const char *version)
{
	if (version[0] == '\0' || strcmp(p->versions[p->newest], version) == 0)
		return false;
	for (unsigned i = 0; i < FOLLOW_PAST_MAX; i++)
		if (strcmp(p->versions[i], version) == 0)
			return true;
	return false;
}
