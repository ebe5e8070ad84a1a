/*
 * What webd makes of whatever its peers send: a little story, a line an event,
 * then every view of the state. Lines: "d JSON" and "u JSON" for a message of
 * the detector or the updater, "s JSON" for the supervisor's units, "+N" for N
 * ms that pass, "-" for both connections lost, "x" for a stop that is near.
 */
#include "common/json.h"
#include "tests/fuzz.h"
#include "webd/view_html.h"
#include "webd/view_json.h"
#include "webd/view_metrics.h"

#define WALL_MS INT64_C(1795345453000)
#define EVENTS_MAX 64
#define OPEN_MAX 64

static void
configure(struct webd_config *c)
{
	*c = (struct webd_config){ .version = "0.1.0",
				   .runtime_dir = "/run/esddns",
				   .backend = "local",
				   .nrecords = 2,
				   .max_connections = 64,
				   .detector_interval_ms = 300000,
				   .updater_interval_ms = 300000 };
	c->records[0] = (struct webd_record_config){ "home.example.com", "example.com", "home",
						     ADDRESS_IPV4, 300 };
	c->records[1] =
		(struct webd_record_config){ "example.com", "example.com", "@", ADDRESS_IPV6, 600 };
}

static void
take_message(struct webd_state *s, enum webd_link link, const char *text, size_t len,
	     int64_t now_ms)
{
	const char *why;
	struct msg *m;

	webd_state_link(s, link, true);
	if (msg_decode(text, len, &m, &why) != 0) {
		webd_state_refused(s, "malformed");
		return;
	}
	webd_state_take(s, link, m, now_ms);
	msg_free(m);
}

static void
take_units(struct webd_state *s, const char *text, size_t len, int64_t now_ms)
{
	cJSON *units = json_parse(text, len, NULL);
	const char *why = NULL;

	if (units != NULL && webd_state_units(s, units, now_ms, &why) != 0)
		REQUIRE(fuzz_is_phrase(why));
	cJSON_Delete(units);
}

static void
take_line(struct webd_state *s, const char *line, size_t len, int64_t *now_ms)
{
	int64_t passed = 0;

	switch (len > 0 ? line[0] : '\0') {
	case 'd':
	case 'u':
		take_message(s, line[0] == 'd' ? WEBD_DETECTOR : WEBD_UPDATER, line + 1, len - 1,
			     *now_ms);
		break;
	case 's':
		take_units(s, line + 1, len - 1, *now_ms);
		break;
	case '+':
		for (size_t i = 1; i < len && i < 9 && line[i] >= '0' && line[i] <= '9'; i++)
			passed = passed * 10 + (line[i] - '0');
		*now_ms += passed;
		break;
	case '-':
		webd_state_link(s, WEBD_DETECTOR, false);
		webd_state_link(s, WEBD_UPDATER, false);
		break;
	case 'x':
		webd_state_drain(s);
		break;
	}
	webd_state_tick(s, *now_ms);
	REQUIRE(webd_state_next_deadline(s, *now_ms) > *now_ms);
}

/* --- what every page must be ------------------------------------------------------ */

/* One tag, from behind its '<': its end, and its name with a length. */
static const char *
check_tag(const char *p, const char **name, size_t *len, bool *closes_itself)
{
	bool quoted = false;

	p += *p == '/' || *p == '!';
	*name = p;
	*len = strspn(p, "abcdefghijklmnopqrstuvwxyzDOCTYPE0123456789");
	REQUIRE(*len > 0);
	for (p += *len; *p != '>' || quoted; p++) {
		REQUIRE(*p != '\0' && *p != '<');
		quoted ^= *p == '"';
		/* no value without quotes: what came from outside may hold blanks */
		REQUIRE(quoted || *p != '=' || p[1] == '"');
	}
	*closes_itself = p[-1] == '/';
	return p;
}

static bool
is_void(const char *name, size_t len)
{
	static const char *const names[] = {
		"meta", "link", "br", "hr", "img", "input", "DOCTYPE"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == len && strncmp(names[i], name, len) == 0)
			return true;
	return false;
}

/* Tags are balanced, so nothing that came from outside opened or closed one. */
static void
check_html(const char *page)
{
	struct {
		const char *name;
		size_t len;
	} open[OPEN_MAX];
	size_t depth = 0, scripts = 0;

	for (const char *p = page; *p != '\0'; p++) {
		const char *name;
		bool alone, closes;
		size_t len;

		REQUIRE((unsigned char)*p >= 0x20 || *p == '\n');
		REQUIRE(*p != '&' || strspn(p + 1, "abcdefghijklmnopqrstuvwxyz#x0123456789") > 0);
		if (*p != '<')
			continue;
		closes = p[1] == '/';
		p = check_tag(p + 1, &name, &len, &alone);
		scripts += len == 6 && strncmp(name, "script", 6) == 0;
		if (closes) {
			REQUIRE(depth > 0 && open[depth - 1].len == len);
			REQUIRE(strncmp(open[--depth].name, name, len) == 0);
		} else if (!alone && !is_void(name, len)) {
			REQUIRE(depth < OPEN_MAX);
			open[depth].name = name;
			open[depth++].len = len;
		}
	}
	REQUIRE(depth == 0 && scripts == 2);
	REQUIRE(strstr(page, "=\"javascript:") == NULL);
}

/* NAME{LABELS} VALUE; labels hold no quote and no end of line of their own. */
static void
check_metrics_line(const char *line, size_t len)
{
	size_t n = strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789_");
	const char *p = line + n, *end = line + len;
	bool quoted = false;

	REQUIRE(n > 0 && strncmp(line, "esddns_", 7) == 0);
	if (*p == '{') {
		for (p++; p < end && (*p != '}' || quoted); p++) {
			if (*p == '\\' && quoted)
				p++;
			else
				quoted ^= *p == '"';
		}
		REQUIRE(p < end && !quoted);
		p++;
	}
	REQUIRE(p < end && *p == ' ');
	p++;
	REQUIRE(p < end && strcspn(p, " \n") == (size_t)(end - p));
}

static void
check_metrics(const char *text, bool open)
{
	const char *end;

	for (; *text != '\0'; text = end + 1) {
		end = strchr(text, '\n');
		REQUIRE(end != NULL);
		if (*text == '#')
			REQUIRE(text[1] == ' ');
		else
			check_metrics_line(text, (size_t)(end - text));
		if (open && end[1] == '\0')
			REQUIRE(strncmp(text, "# EOF", 5) == 0);
	}
}

static void
check_views(const struct webd_state *s, int64_t now_ms)
{
	struct webd_traffic traffic = { 0 };
	struct buf b = BUF_INIT;
	const char *why;
	cJSON *value;

	view_raw(s, now_ms, &b);
	value = json_parse(b.data, b.len, &why);
	REQUIRE(cJSON_IsObject(value) && strchr(b.data, '\n') == b.data + b.len - 1);
	cJSON_Delete(value);
	buf_clear(&b);
	view_state_json(s, now_ms, WALL_MS, &b);
	value = json_parse(b.data, b.len, &why);
	REQUIRE(cJSON_IsObject(value));
	cJSON_Delete(value);
	buf_clear(&b);
	view_html(s, now_ms, WALL_MS, &b);
	check_html(buf_text(&b));
	for (int open = 0; open < 2; open++) {
		buf_clear(&b);
		view_metrics(s, &traffic, now_ms, open != 0, &b);
		check_metrics(buf_text(&b), open != 0);
	}
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data, *end = p + size;
	struct webd_config *config = malloc(sizeof(*config));
	struct webd_state *s;
	int64_t now_ms = 1000;

	REQUIRE(config != NULL);
	configure(config);
	s = webd_state_new(config, 7, now_ms);
	free(config);
	for (unsigned events = 0; p < end && events < EVENTS_MAX; events++) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		size_t len = stop != NULL ? (size_t)(stop - p) : (size_t)(end - p);

		take_line(s, p, len, &now_ms);
		p += len + 1;
	}
	check_views(s, now_ms);
	webd_state_free(s);
	return 0;
}
