#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/wrap.h"
#include "ctl/view.h"

#define BOLD "\033[1m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define RED "\033[31m"

/* Where what is said of a family, a record or a unit begins. */
#define INDENT 2
#define DETAIL 4
#define STATE_WIDTH 10
#define NUMBER_MAX (INT64_MAX / 4096)

struct view {
	struct buf *out;
	bool colour;
};

/* --- reading; whatever is missing is shown as absent --------------------------------- */

static const char *
text(const cJSON *object, const char *key)
{
	const char *value = json_text(object, key);

	return value != NULL ? value : "";
}

static int64_t
number(const cJSON *object, const char *key)
{
	int64_t value;

	return json_int(object, key, -1, NUMBER_MAX, &value) ? value : -1;
}

static bool
flag(const cJSON *object, const char *key)
{
	bool value;

	return json_bool(object, key, &value) && value;
}

static const cJSON *
find_unit(const cJSON *status, const char *name)
{
	const cJSON *unit;

	cJSON_ArrayForEach(unit, json_array(status, "units"))
	{
		if (strcmp(text(unit, "name"), name) == 0)
			return unit;
	}
	return NULL;
}

static bool
is_active(const cJSON *unit)
{
	return strcmp(text(unit, "state"), "active") == 0;
}

/* An age that was told some time ago, in words. */
static const char *
age(const cJSON *object, const char *key, int64_t told_ms, char *out, size_t size)
{
	int64_t ms = number(object, key);

	out[0] = '\0';
	if (ms >= 0)
		clock_span(ms + (told_ms > 0 ? told_ms : 0), out, size);
	return out;
}

/* --- writing ------------------------------------------------------------------------- */

static void
heading(struct view *v, const char *what)
{
	buf_printf(v->out, "\n%s%s%s\n", v->colour ? BOLD : "", what, v->colour ? "\033[0m" : "");
}

static void
coloured(struct view *v, const char *colour, const char *what)
{
	buf_printf(v->out, "%s%s%s", v->colour ? colour : "", what, v->colour ? "\033[0m" : "");
}

/* "  name   rest": the rest wrapped behind the name. */
static void
begin_item(struct view *v, const char *name, int width)
{
	char cell[64];

	buf_printf(v->out, "%*s%-*s  ", INDENT, "", width,
		   wrap_cell(cell, sizeof(cell), (size_t)width, name));
}

/* --- what is wrong ----------------------------------------------------------------------- */

static void
problem(struct view *v, size_t *n, const char *sentence)
{
	if ((*n)++ == 0) {
		coloured(v, RED, "Not all is well:");
		buf_addc(v->out, '\n');
	}
	buf_printf(v->out, "%*s- ", INDENT, "");
	wrap_add(v->out, DETAIL, DETAIL, sentence);
}

static void
unit_problem(struct view *v, size_t *n, const cJSON *unit, bool ready)
{
	const char *name = text(unit, "name"), *state = text(unit, "state"),
		   *last = text(unit, "last_exit"), *said = text(unit, "status");
	char sentence[1024], in[32];

	if (is_active(unit) || !flag(unit, "enabled"))
		return;
	/* it waits for those that start before it */
	if (!ready && last[0] == '\0' && strcmp(state, "failed") != 0)
		return;
	if (last[0] == '\0')
		last = "it never ran";
	/* who was killed had no time to say why */
	if (strncmp(last, "exited", strlen("exited")) != 0)
		said = "";
	if (strcmp(state, "backoff") == 0)
		snprintf(sentence, sizeof(sentence),
			 "%s does not stay up: %s%s%.512s. It is started again in %s (%lld "
			 "restarts so far).",
			 name, last, said[0] != '\0' ? "; last words: " : "", said,
			 clock_span(number(unit, "next_start_in"), in, sizeof(in)),
			 (long long)number(unit, "restarts"));
	else if (strcmp(state, "failed") == 0)
		snprintf(sentence, sizeof(sentence),
			 "%s was given up: %s. Its log says why; after the cure: esddnsctl start "
			 "%s",
			 name, last, name);
	else if (strcmp(state, "inactive") == 0)
		snprintf(sentence, sizeof(sentence),
			 "%s does not run, because it was stopped or ended by itself. To start "
			 "it: esddnsctl start %s",
			 name, name);
	else
		snprintf(sentence, sizeof(sentence), "%s is %s.", name, state);
	problem(v, n, sentence);
}

static void
family_problem(struct view *v, size_t *n, const cJSON *family)
{
	const char *state = text(family, "state"), *reason = text(family, "reason");
	const char *name = strcmp(text(family, "family"), "ipv6") == 0 ? "IPv6" : "IPv4";
	char sentence[1024];

	if (strcmp(state, "held") != 0 && strcmp(state, "damped") != 0)
		return;
	snprintf(sentence, sizeof(sentence),
		 "%s: %s. esddnsctl probe asks every source and shows "
		 "what it says.",
		 name, reason[0] != '\0' ? reason : state);
	problem(v, n, sentence);
}

static void
record_problem(struct view *v, size_t *n, const cJSON *record)
{
	const char *state = text(record, "state"), *error = text(record, "error");
	char sentence[1024];

	if (error[0] == '\0' || strcmp(state, "in_sync") == 0)
		return;
	snprintf(sentence, sizeof(sentence), "%s %s: %s", text(record, "fqdn"),
		 text(record, "type"), error);
	problem(v, n, sentence);
}

static void
put_judgement(struct view *v, const cJSON *status)
{
	const cJSON *detector = json_object(find_unit(status, "detector"), "knows");
	const cJSON *updater = json_object(find_unit(status, "updater"), "knows"), *item;
	const char *store = text(detector, "store");
	size_t n = 0;

	if (strcmp(text(status, "phase"), "running") != 0)
		problem(v, &n, "esddns is stopping.");
	cJSON_ArrayForEach(item, json_array(status, "units"))
		unit_problem(v, &n, item, flag(status, "ready"));
	cJSON_ArrayForEach(item, json_array(detector, "families")) family_problem(v, &n, item);
	if (store[0] != '\0')
		problem(v, &n, store);
	cJSON_ArrayForEach(item, json_array(updater, "records")) record_problem(v, &n, item);
	if (n > 0)
		return;
	if (flag(status, "ready"))
		coloured(v, GREEN, "All is well.");
	else
		coloured(v, YELLOW, "It is starting.");
	buf_addc(v->out, '\n');
}

/* --- the parts ------------------------------------------------------------------------------ */

static void
put_head(struct view *v, const cJSON *status)
{
	char line[512], span[32];
	int64_t warnings = number(status, "warnings");

	snprintf(line, sizeof(line), "esddns %s, running for %s (pid %lld)",
		 text(status, "version"), age(status, "age_ms", 0, span, sizeof(span)),
		 (long long)number(status, "pid"));
	wrap_add(v->out, 0, DETAIL, line);
	snprintf(line, sizeof(line), "configuration: %.300s",
		 text(status, "config")[0] != '\0' ? text(status, "config")
						   : "none, built-in settings and environment");
	wrap_add(v->out, 0, DETAIL, line);
	if (warnings > 0) {
		snprintf(line, sizeof(line), "with %lld warning%s: esddns --check-config shows %s",
			 (long long)warnings, warnings == 1 ? "" : "s",
			 warnings == 1 ? "it" : "them");
		wrap_paragraph(v->out, DETAIL, line);
	}
}

static void
put_dissent(struct view *v, const cJSON *family)
{
	const cJSON *vote;
	char line[512];

	cJSON_ArrayForEach(vote, json_array(family, "dissent"))
	{
		const char *answer = text(vote, "answer"), *error = text(vote, "error");

		if (error[0] == '\0')
			snprintf(line, sizeof(line), "%s says %s", text(vote, "operator"), answer);
		else
			snprintf(line, sizeof(line), "%s: %s%s%s", text(vote, "operator"), answer,
				 answer[0] != '\0' ? ": " : "", error);
		wrap_paragraph(v->out, DETAIL + INDENT, line);
	}
}

static void
put_family(struct view *v, const cJSON *family, int64_t told_ms)
{
	const char *state = text(family, "state"), *address = text(family, "address");
	const char *reason = text(family, "reason");
	char line[1024], ago[32], since[32];
	int64_t detected_at = number(family, "detected_at");

	begin_item(v, strcmp(text(family, "family"), "ipv6") == 0 ? "IPv6" : "IPv4", 4);
	wrap_add(v->out, 8, DETAIL, address[0] != '\0' ? address : "not known yet");
	if (strcmp(state, "agreed") == 0)
		snprintf(line, sizeof(line), "%lld of %lld operators agree, asked %s ago",
			 (long long)number(family, "agreed"), (long long)number(family, "asked"),
			 age(family, "checked_age_ms", told_ms, ago, sizeof(ago)));
	else
		snprintf(line, sizeof(line), "%s", reason[0] != '\0' ? reason : state);
	wrap_paragraph(v->out, DETAIL, line);
	if (detected_at > 0 && address[0] != '\0') {
		snprintf(line, sizeof(line), "this address since %s",
			 clock_iso(detected_at, since, sizeof(since)));
		wrap_paragraph(v->out, DETAIL, line);
	}
	put_dissent(v, family);
}

/* What a worker said last is only as new as the worker. */
static void
put_staleness(struct view *v, const cJSON *unit, int64_t told_ms)
{
	char line[160], ago[32];

	if (is_active(unit))
		return;
	clock_span(told_ms, ago, sizeof(ago));
	snprintf(line, sizeof(line), "%s is not active: what stands here is %s old",
		 text(unit, "name"), ago);
	wrap_paragraph(v->out, INDENT, line);
}

static void
put_addresses(struct view *v, const cJSON *status)
{
	const cJSON *unit = find_unit(status, "detector"), *knows = json_object(unit, "knows");
	int64_t told_ms = number(unit, "knows_age_ms");
	const cJSON *family;

	heading(v, "Address");
	if (knows == NULL) {
		wrap_paragraph(v->out, INDENT,
			       flag(unit, "enabled")
				       ? "the detector has told nothing yet"
				       : "the detector is disabled in the configuration");
		return;
	}
	put_staleness(v, unit, told_ms);
	if (text(knows, "standby")[0] != '\0') {
		wrap_paragraph(v->out, INDENT, text(knows, "standby"));
		return;
	}
	if (cJSON_GetArraySize(json_array(knows, "families")) == 0)
		wrap_paragraph(v->out, INDENT, "no record needs one");
	cJSON_ArrayForEach(family, json_array(knows, "families")) put_family(v, family, told_ms);
}

/* The updater's word for a record's state, as people would say it. */
static const char *
state_word(const char *state)
{
	if (strcmp(state, "attention") == 0)
		return "needs a person";
	if (strcmp(state, "held") == 0)
		return "differs, and is not written yet";
	return strcmp(state, "observed") == 0 ? "differs, and is only observed" : state;
}

static void
word_record(const cJSON *record, int64_t told_ms, char *out, size_t size)
{
	const char *state = text(record, "state"), *wanted = text(record, "wanted"),
		   *found = text(record, "found");
	char ago[32], next[32];
	int64_t next_ms = number(record, "next_in_ms");

	age(record, "checked_age_ms", told_ms, ago, sizeof(ago));
	clock_span(next_ms > told_ms ? next_ms - told_ms : 0, next, sizeof(next));
	if (strcmp(state, "in_sync") == 0)
		snprintf(out, size, "in sync: %s, read %s ago", wanted, ago);
	else if (wanted[0] == '\0')
		snprintf(out, size, "%s: no address is known yet", state_word(state));
	else
		snprintf(out, size, "%s: found %s, wanted %s%s%s", state_word(state),
			 ago[0] == '\0'     ? "nothing yet"
			 : found[0] != '\0' ? found
					    : "no record",
			 wanted, next_ms > 0 ? "; next try in " : "", next_ms > 0 ? next : "");
}

static void
put_records(struct view *v, const cJSON *status)
{
	const cJSON *unit = find_unit(status, "updater"), *knows = json_object(unit, "knows");
	int64_t told_ms = number(unit, "knows_age_ms"), left_out = number(knows, "left_out");
	const cJSON *record;
	char line[1024];

	heading(v, "Records");
	if (knows == NULL) {
		wrap_paragraph(v->out, INDENT,
			       flag(unit, "enabled")
				       ? "the updater has told nothing yet"
				       : "the updater is disabled in the configuration");
		return;
	}
	put_staleness(v, unit, told_ms);
	if (flag(knows, "observe") || flag(knows, "dry_run"))
		wrap_paragraph(v->out, INDENT,
			       flag(knows, "observe") ? "only observed, never written (observe)"
						      : "never written, only told (dry_run)");
	if (number(knows, "total") == 0)
		wrap_paragraph(v->out, INDENT, "none is configured");
	cJSON_ArrayForEach(record, json_array(knows, "records"))
	{
		snprintf(line, sizeof(line), "%s %s", text(record, "fqdn"), text(record, "type"));
		wrap_paragraph(v->out, INDENT, line);
		word_record(record, told_ms, line, sizeof(line));
		wrap_paragraph(v->out, DETAIL, line);
	}
	if (left_out > 0) {
		snprintf(line, sizeof(line), "and %lld more: the page shows all",
			 (long long)left_out);
		wrap_paragraph(v->out, INDENT, line);
	}
}

static const char *
state_colour(const cJSON *unit)
{
	const char *state = text(unit, "state");

	if (strcmp(state, "active") == 0)
		return GREEN;
	return strcmp(state, "failed") == 0 ? RED : YELLOW;
}

static void
put_process(struct view *v, const cJSON *unit)
{
	char line[256], span[32], memory[32] = "";
	int64_t pid = number(unit, "pid"), restarts = number(unit, "restarts");

	age(unit, "age_ms", 0, span, sizeof(span));
	if (number(unit, "memory") > 0)
		snprintf(memory, sizeof(memory), ", %.1f MB", (double)number(unit, "memory") / 1e6);
	if (pid > 0)
		snprintf(line, sizeof(line), "for %s, pid %lld%s, CPU %.1f s, %lld restart%s", span,
			 (long long)pid, memory, (double)number(unit, "cpu_ms") / 1e3,
			 (long long)restarts, restarts == 1 ? "" : "s");
	else
		snprintf(line, sizeof(line), "for %s, %lld restart%s%s", span, (long long)restarts,
			 restarts == 1 ? "" : "s",
			 flag(unit, "enabled") ? "" : ", disabled in the configuration");
	wrap_add(v->out, 25, DETAIL, line);
}

static void
put_unit(struct view *v, const cJSON *unit)
{
	const char *said = text(unit, "status"), *last = text(unit, "last_exit");
	char line[1024], in[32], state[64], padded[80];

	begin_item(v, text(unit, "name"), 9);
	/* as wide as the longest, "activating" */
	wrap_cell(state, sizeof(state), STATE_WIDTH, text(unit, "state"));
	snprintf(padded, sizeof(padded), "%-*s", STATE_WIDTH, state);
	coloured(v, state_colour(unit), padded);
	buf_adds(v->out, "  ");
	put_process(v, unit);
	if (said[0] != '\0' && is_active(unit))
		wrap_paragraph(v->out, DETAIL, said);
	if (last[0] != '\0') {
		snprintf(line, sizeof(line), "last end: %s", last);
		wrap_paragraph(v->out, DETAIL, line);
	}
	/* a worker that cannot go on says why before it ends */
	if (said[0] != '\0' && (strcmp(text(unit, "state"), "backoff") == 0 ||
				strcmp(text(unit, "state"), "failed") == 0)) {
		snprintf(line, sizeof(line), "last words: %s", said);
		wrap_paragraph(v->out, DETAIL, line);
	}
	if (number(unit, "next_start_in") >= 0) {
		snprintf(line, sizeof(line), "next start in %s",
			 clock_span(number(unit, "next_start_in"), in, sizeof(in)));
		wrap_paragraph(v->out, DETAIL, line);
	}
}

static void
put_units(struct view *v, const cJSON *status)
{
	const cJSON *unit;

	heading(v, "Units");
	cJSON_ArrayForEach(unit, json_array(status, "units")) put_unit(v, unit);
}

int
view_status_code(const cJSON *status, const char *unit)
{
	const cJSON *item;
	int code = VIEW_EXIT_OK;

	if (unit != NULL) {
		item = find_unit(status, unit);
		if (item == NULL)
			return VIEW_EXIT_NO_UNIT;
		return is_active(item) ? VIEW_EXIT_OK : VIEW_EXIT_NOT_ACTIVE;
	}
	cJSON_ArrayForEach(item, json_array(status, "units"))
	{
		if (flag(item, "enabled") && !is_active(item))
			code = VIEW_EXIT_NOT_ACTIVE;
	}
	return code;
}

int
view_status(const cJSON *status, const char *unit, bool colour, struct buf *out)
{
	struct view v = { .out = out, .colour = colour };
	const cJSON *one = unit != NULL ? find_unit(status, unit) : NULL;

	if (one != NULL) {
		put_unit(&v, one);
	} else if (unit == NULL) {
		put_head(&v, status);
		buf_addc(out, '\n');
		put_judgement(&v, status);
		put_addresses(&v, status);
		put_records(&v, status);
		put_units(&v, status);
	}
	return view_status_code(status, unit);
}
