#include "tests/sim/sources.h"

#include "tests/sim/trace.h"

static const char *const operators[SOURCES] = { "ant", "bee", "cat", "dog", "eel" };

struct address
sources_address(unsigned number)
{
	return (struct address){ ADDRESS_IPV4, { 5, (uint8_t)(number >> 8), (uint8_t)number, 7 } };
}

struct address
sources_lie(unsigned number)
{
	return (struct address){ ADDRESS_IPV4,
				 { 66, (uint8_t)(number >> 8), (uint8_t)number, 66 } };
}

void
sources_start(struct world *w)
{
	w->sources = world_new(w, sizeof(*w->sources));
	for (unsigned i = 0; i < SOURCES; i++) {
		w->sources->list[i].operator= operators[i];
		w->sources->list[i].kind = i >= SOURCES - SOURCES_STUN ? SOURCE_STUN : SOURCE_HTTPS;
	}
	w->sources->wan = sources_address(++w->sources->changes);
}

void
sources_change(struct world *w)
{
	struct sources *s = w->sources;
	struct address before = s->wan;
	char text[ADDRESS_TEXT_MAX];

	s->wan = sources_address(++s->changes);
	/* a line that goes back and forth */
	if (s->changes > 2 && chance_is(w, 150))
		s->wan = sources_address(s->changes - 2);
	if (address_equal(&before, &s->wan))
		s->wan = sources_address(s->changes);
	TRACE(w, "world: the address becomes %s", address_format(&s->wan, text, sizeof(text)));
}

struct address
sources_answer(struct world *w, unsigned source)
{
	const struct source *s = &w->sources->list[source];

	if (w->now_us < s->silent_until_us)
		return (struct address){ ADDRESS_NONE };
	return w->now_us < s->lies_until_us ? s->lie : w->sources->wan;
}
