#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/wrap.h"
#include "detector/survey.h"

#define BOLD "\033[1m"
#define GREEN "\033[32m"
#define RED "\033[31m"
#define PLAIN "\033[0m"

/* Columns of the table: operator, kind; what follows is the answer, then the time. */
#define OPERATOR_WIDTH 12
#define KIND_WIDTH 8
#define INDENT 27
#define TIME_WIDTH 9

static const char *const family_names[ADDRESS_FAMILY__MAX] = { "", "IPv4", "IPv6" };

static bool
names_result(const struct survey_family *f, const struct survey_answer *a)
{
	return f->agreement.verdict == AGREEMENT_AGREED && a->refusal == NULL &&
	       address_equal(&a->address, &f->agreement.address);
}

static const char *
mark(const struct survey_family *f, const struct survey_answer *a)
{
	if (a->address.family == ADDRESS_NONE || a->refusal != NULL)
		return "-";
	return f->agreement.verdict == AGREEMENT_AGREED && !names_result(f, a) ? "!" : "+";
}

/* What the mark means, beyond the answer itself; "" if nothing. */
static void
remark(const struct survey_family *f, const struct survey_answer *a, char *out, size_t size)
{
	out[0] = '\0';
	if (a->refusal != NULL)
		snprintf(out, size, "does not count: the address %s", a->refusal);
	else if (*mark(f, a) == '!')
		snprintf(out, size, "is outvoted");
}

static void
print_answer(const struct survey_family *f, const struct survey_answer *a, bool colour,
	     struct buf *out)
{
	char address[ADDRESS_TEXT_MAX], time[32], note[160];
	const char *m = mark(f, a);
	size_t wide = strlen(a->source->operator);

	address_format(&a->address, address, sizeof(address));
	clock_span(a->duration_ms, time, sizeof(time));
	buf_printf(out, "  %s%s%s ",
		   !colour     ? ""
		   : *m == '+' ? GREEN
			       : RED,
		   m, colour ? PLAIN : "");
	buf_adds(out, a->source->operator);
	/* one with a long name has its answer on the next line */
	if (wide > OPERATOR_WIDTH)
		buf_printf(out, "\n%*s", INDENT - KIND_WIDTH - 2, "");
	else
		buf_printf(out, "%*s", (int)(OPERATOR_WIDTH + 1 - wide), "");
	buf_printf(out, "%-*s  ", KIND_WIDTH, source_kind_name(a->source->kind));
	if (a->address.family == ADDRESS_NONE) {
		snprintf(note, sizeof(note), "%s (after %s)", a->error, time);
		wrap_add(out, INDENT, INDENT, note);
		return;
	}
	buf_printf(out, "%-*s%*s\n", WRAP_COLUMNS - INDENT - TIME_WIDTH, address, TIME_WIDTH, time);
	remark(f, a, note, sizeof(note));
	if (note[0] != '\0')
		wrap_paragraph(out, INDENT, note);
}

static void
print_verdict(const struct survey_family *f, const char *name, bool colour, struct buf *out)
{
	const struct agreement *a = &f->agreement;
	char address[ADDRESS_TEXT_MAX], text[MSG_REASON_MAX + 128];

	buf_printf(out, "%s%s%s  ", colour ? BOLD : "", name, colour ? PLAIN : "");
	if (a->verdict == AGREEMENT_AGREED)
		snprintf(text, sizeof(text), "%s, by %u of %u operators (%u are needed)",
			 address_format(&a->address, address, sizeof(address)), a->agreed, a->asked,
			 a->needed);
	else
		snprintf(text, sizeof(text), "no agreement: %s", a->reason);
	wrap_add(out, 6, 6, text);
}

static void
print_published(const struct survey_family *f, struct buf *out)
{
	char published[ADDRESS_TEXT_MAX], since[32], text[256];

	if (f->published.family == ADDRESS_NONE)
		return;
	address_format(&f->published, published, sizeof(published));
	clock_iso(f->detected_at, since, sizeof(since));
	if (f->agreement.verdict != AGREEMENT_AGREED)
		snprintf(text, sizeof(text), "Published is %s, since %s; it stays.", published,
			 since);
	else if (address_equal(&f->published, &f->agreement.address))
		snprintf(text, sizeof(text), "This is the published address, since %s.", since);
	else
		snprintf(text, sizeof(text),
			 "Published is still %s, since %s. A running esddns publishes a change "
			 "after a second round has confirmed it.",
			 published, since);
	wrap_paragraph(out, 6, text);
}

static void
print_family(const struct survey *s, enum address_family family, bool colour, struct buf *out)
{
	const struct survey_family *f = &s->families[family];
	char text[160];

	if (f->no_route) {
		snprintf(text, sizeof(text),
			 "this host has no route to the %s internet: none of the %zu sources could "
			 "be reached%s",
			 family_names[family], f->nanswers,
			 s->optional ? "" : ", though a record needs it");
		buf_printf(out, "%s%s%s  ", colour ? BOLD : "", family_names[family],
			   colour ? PLAIN : "");
		wrap_add(out, 6, 6, text);
		return;
	}
	print_verdict(f, family_names[family], colour, out);
	print_published(f, out);
	for (size_t i = 0; i < f->nanswers; i++)
		print_answer(f, &f->answers[i], colour, out);
}

void
survey_print(const struct survey *s, bool colour, struct buf *out)
{
	bool first = true;

	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++) {
		if (!s->families[f].asked)
			continue;
		if (!first)
			buf_addc(out, '\n');
		first = false;
		print_family(s, f, colour, out);
	}
	if (s->state_trouble != NULL) {
		buf_adds(out, "\n");
		wrap_add(out, 0, 0, "What is published is not known here:");
		wrap_paragraph(out, 2, s->state_trouble);
	}
}

/* --- JSON ----------------------------------------------------------------------------- */

static void
add_text(struct buf *b, const char *key, const char *text)
{
	buf_printf(b, ",\"%s\":", key);
	if (text != NULL && text[0] != '\0')
		json_quote(b, text);
	else
		buf_adds(b, "null");
}

static void
add_address(struct buf *b, const char *key, const struct address *a)
{
	char text[ADDRESS_TEXT_MAX];

	add_text(b, key, address_format(a, text, sizeof(text)));
}

static void
add_answer(struct buf *b, const struct survey_family *f, const struct survey_answer *a)
{
	char note[160];

	remark(f, a, note, sizeof(note));
	buf_adds(b, "{\"operator\":");
	json_quote(b, a->source->operator);
	add_text(b, "kind", source_kind_name(a->source->kind));
	add_text(b, "source", a->source->url != NULL ? a->source->url : a->source->host);
	add_address(b, "answer", &a->address);
	add_text(b, "error", a->address.family == ADDRESS_NONE ? a->error : NULL);
	add_text(b, "remark", note);
	buf_printf(b, ",\"duration_ms\":%lld,\"agrees\":%s}", (long long)a->duration_ms,
		   names_result(f, a) ? "true" : "false");
}

static void
add_family(struct buf *b, const struct survey_family *f, enum address_family family)
{
	const struct agreement *a = &f->agreement;
	char since[32];

	buf_printf(b, "{\"family\":\"%s\",\"verdict\":\"%s\"", address_family_name(family),
		   agreement_verdict_name(a->verdict));
	add_address(b, "address", &a->address);
	buf_printf(b, ",\"asked\":%u,\"answered\":%u,\"agreed\":%u,\"needed\":%u,\"no_route\":%s",
		   a->asked, a->answered, a->agreed, a->needed, f->no_route ? "true" : "false");
	add_text(b, "reason", a->reason);
	add_address(b, "published", &f->published);
	add_text(b, "published_since",
		 f->published.family != ADDRESS_NONE
			 ? clock_iso(f->detected_at, since, sizeof(since))
			 : NULL);
	buf_adds(b, ",\"sources\":[");
	for (size_t i = 0; i < f->nanswers; i++) {
		if (i > 0)
			buf_addc(b, ',');
		add_answer(b, f, &f->answers[i]);
	}
	buf_adds(b, "]}");
}

void
survey_print_json(const struct survey *s, struct buf *out)
{
	bool first = true;

	buf_printf(out, "{\"agreed\":%s", survey_agreed(s) ? "true" : "false");
	add_text(out, "state_trouble", s->state_trouble);
	buf_adds(out, ",\"families\":[");
	for (enum address_family f = ADDRESS_IPV4; f < ADDRESS_FAMILY__MAX; f++) {
		if (!s->families[f].asked)
			continue;
		if (!first)
			buf_addc(out, ',');
		first = false;
		add_family(out, &s->families[f], f);
	}
	buf_adds(out, "]}\n");
}
