#include "updater/gandi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/json.h"
#include "common/mem.h"

/* The zone file's own limit (RFC 2181, section 8). */
#define TTL_MAX INT32_MAX
/* Of what the server says, in our sentences. */
#define QUOTE_MAX 200

/* --- requests --------------------------------------------------------------- */

/* RFC 3986, section 2.3: all but the unreserved characters are escaped, "@" and "*" too. */
static void
add_segment(struct buf *url, const char *text)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "abcdefghijklmnopqrstuvwxyz"
					 "0123456789-._~";

	buf_addc(url, '/');
	for (; *text; text++) {
		if (strchr(unreserved, *text))
			buf_addc(url, *text);
		else
			buf_printf(url, "%%%02X", (unsigned)(unsigned char)*text);
	}
}

static void
build(const struct provider_access *access, const struct provider_target *target,
      const char *method, struct provider_request *out)
{
	static const char *const schemes[PROVIDER_AUTH__MAX] = {
		[PROVIDER_BEARER] = "Bearer",
		[PROVIDER_APIKEY] = "Apikey",
	};
	struct buf url = BUF_INIT;

	buf_adds(&url, access->url);
	buf_adds(&url, "/domains");
	add_segment(&url, target->zone);
	buf_adds(&url, "/records");
	add_segment(&url, target->name);
	add_segment(&url, address_record_type(target->family));
	*out = (struct provider_request){ .method = method, .url = buf_take(&url) };
	out->headers[0] = mem_printf("Authorization: %s %s", schemes[access->auth], access->token);
	out->headers[1] = mem_strdup("Accept: application/json");
}

static void
build_read(const struct provider_access *access, const struct provider_target *target,
	   struct provider_request *out)
{
	build(access, target, "GET", out);
}

static void
build_write(const struct provider_access *access, const struct provider_target *target,
	    const struct address *value, int64_t ttl, struct provider_request *out)
{
	char text[ADDRESS_TEXT_MAX];

	build(access, target, "PUT", out);
	out->headers[2] = mem_strdup("Content-Type: application/json");
	/* without rrset_ttl the server would reset it to its default of 10800 */
	out->body = mem_printf("{\"rrset_values\":[\"%s\"],\"rrset_ttl\":%lld}",
			       address_format(value, text, sizeof(text)), (long long)ttl);
}

/* --- what the server says, fit to be shown ------------------------------------ */

/*
 * Appends text from outside without control characters, at most QUOTE_MAX bytes
 * of it, and without the token: a server may repeat what it was sent.
 */
static void
add_quote(struct buf *b, const struct provider_access *access, const char *text)
{
	size_t token_len = access->token ? strlen(access->token) : 0;
	struct buf shown = BUF_INIT;
	char cut[QUOTE_MAX];
	const char *found;

	while (token_len > 0 && (found = strstr(text, access->token))) {
		buf_add(&shown, text, (size_t)(found - text));
		buf_adds(&shown, "(the token)");
		text = found + token_len;
	}
	buf_adds(&shown, text);
	mem_copy_text(cut, sizeof(cut), buf_text(&shown));
	buf_free(&shown);
	for (char *p = cut; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	buf_adds(b, cut);
}

/* Adds one complaint of a 400's list: "rrset_ttl: 100 is less than minimum value 300". */
static void
add_complaint(struct buf *b, const struct provider_access *access, const cJSON *item)
{
	const char *name = json_text(item, "name"), *description = json_text(item, "description");

	if (!description)
		return;
	if (b->len > 0)
		buf_adds(b, "; ");
	if (name) {
		add_quote(b, access, name);
		buf_adds(b, ": ");
	}
	add_quote(b, access, description);
}

/* The server's own words about a failure, or "" where it has none; free() it. */
static char *
server_words(const struct provider_access *access, const cJSON *answer)
{
	const cJSON *errors = json_array(answer, "errors"), *item;
	const char *message = json_text(answer, "message");
	struct buf b = BUF_INIT;

	cJSON_ArrayForEach(item, errors) add_complaint(&b, access, item);
	if (b.len == 0 && message)
		add_quote(&b, access, message);
	return buf_take(&b);
}

/* The host of the API's URL: what a person reads as "who said so". */
static const char *
host_of(const struct provider_access *access, char *out, size_t size)
{
	const char *start = strstr(access->url, "://");

	start = start ? start + 3 : access->url;
	snprintf(out, size, "%.*s", (int)strcspn(start, "/?#"), start);
	return out;
}

/* --- failures ------------------------------------------------------------------- */

/* One answer while it is judged. */
struct verdict {
	const struct provider_access *access;
	const struct provider_target *target;
	const struct http_response *response;
	const cJSON *answer; /* its body, or NULL if that is not JSON */
	bool is_write;
	char host[128];
	struct provider_result *out;
};

static const char *
place_of_token(const struct provider_access *access)
{
	return access->token_file ? access->token_file
				  : "the environment variable GANDI_API_KEY (or API_KEY)";
}

static void
fail_unauthorized(const struct verdict *v)
{
	if (v->access->auth == PROVIDER_BEARER)
		provider_fail(v->out, PROVIDER_ATTENTION, "unauthorized",
			      "Gandi refused the token (401): it is wrong or has expired; put a "
			      "new personal access token into %s (an old API key needs "
			      "provider.auth: apikey)",
			      place_of_token(v->access));
	else
		provider_fail(v->out, PROVIDER_ATTENTION, "unauthorized",
			      "Gandi refused the API key (401): it is wrong or no longer valid; "
			      "put a working one into %s (a personal access token needs "
			      "provider.auth: bearer)",
			      place_of_token(v->access));
}

static void
fail_forbidden(const struct verdict *v)
{
	provider_fail(v->out, PROVIDER_ATTENTION, "forbidden",
		      "Gandi denied the token access to the zone %s (403): give it the "
		      "permission to manage the domain's technical configuration, or put "
		      "another token into %s",
		      v->target->zone, place_of_token(v->access));
}

static void
fail_not_found(const struct verdict *v)
{
	const char *object = v->answer ? json_text(v->answer, "object") : NULL;

	if (!v->answer)
		provider_fail(v->out, PROVIDER_ATTENTION, "not-found",
			      "%s answered 404 and not in the form of LiveDNS: check "
			      "provider.url (%s)",
			      v->host, v->access->url);
	else if (object && strcmp(object, "dns-record") == 0)
		provider_fail(v->out, PROVIDER_TRANSIENT, "not-found",
			      "%s answered the write of %s in the zone %s with 404, as if it "
			      "could only be read",
			      v->host, v->target->name, v->target->zone);
	else
		provider_fail(v->out, PROVIDER_ATTENTION, "unknown-zone",
			      "%s does not know the zone %s (404), or the token has no access "
			      "to it: zone must be the domain as registered at Gandi, for "
			      "example example.com, not a subdomain, and provider.auth must "
			      "fit the token",
			      v->host, v->target->zone);
}

static void
fail_invalid(const struct verdict *v)
{
	char *words = v->answer ? server_words(v->access, v->answer) : mem_strdup("");

	provider_fail(v->out, PROVIDER_ATTENTION, "invalid",
		      "%s refused the request for %s %s in the zone %s as invalid (400)%s%s",
		      v->host, v->target->name, address_record_type(v->target->family),
		      v->target->zone, *words ? ": " : "", words);
	free(words);
}

static void
fail_other(const struct verdict *v)
{
	int status = v->response->status;
	char *words = v->answer ? server_words(v->access, v->answer) : mem_strdup("");
	const char *colon = *words ? ": " : "";

	if (status == 429)
		provider_fail(v->out, PROVIDER_TRANSIENT, "rate-limited",
			      "%s asks for fewer requests (429)%s%s", v->host, colon, words);
	else if (status >= 500)
		provider_fail(v->out, PROVIDER_TRANSIENT, "server-error",
			      "%s is in trouble (%d)%s%s", v->host, status, colon, words);
	else if (status == 408 || status == 409 || status == 425)
		provider_fail(v->out, PROVIDER_TRANSIENT, status == 409 ? "conflict" : "refused",
			      "%s could not carry out the request now (%d)%s%s", v->host, status,
			      colon, words);
	else if (status == 415)
		provider_fail(v->out, PROVIDER_ATTENTION, "media-type",
			      "%s did not take the request as JSON (415): something between "
			      "here and there changes it, or provider.url (%s) is not LiveDNS",
			      v->host, v->access->url);
	else if (status >= 400)
		provider_fail(v->out, PROVIDER_ATTENTION, "refused",
			      "%s refused the request (%d)%s%s", v->host, status, colon, words);
	else if (status >= 300)
		provider_fail(v->out, PROVIDER_ATTENTION, "redirect",
			      "%s sent the request elsewhere (%d), which is not followed: check "
			      "provider.url (%s)",
			      v->host, status, v->access->url);
	else
		provider_fail(v->out, PROVIDER_TRANSIENT, "malformed",
			      "%s answered with the unexpected status %d", v->host, status);
	free(words);
}

static void
fail_transport(const struct verdict *v)
{
	enum http_error error = v->response->error;

	provider_fail(v->out, error == HTTP_ERR_URL ? PROVIDER_ATTENTION : PROVIDER_TRANSIENT,
		      http_error_name(error), "the record could not be %s at %s: %s",
		      v->is_write ? "written" : "read", v->host, v->response->error_text);
	/* these come after the request may have been sent */
	v->out->may_land = v->is_write && (error == HTTP_ERR_TIMEOUT || error == HTTP_ERR_BROKEN ||
					   error == HTTP_ERR_TOO_LARGE);
}

static void
fail_status(const struct verdict *v)
{
	int status = v->response->status;

	v->out->retry_after_ms = v->response->retry_after_ms;
	/* a gateway in front may have given up on a write that goes on behind it */
	v->out->may_land = v->is_write && (status < 300 || status >= 500);
	switch (status) {
	case 400:
		fail_invalid(v);
		break;
	case 401:
		fail_unauthorized(v);
		break;
	case 403:
		fail_forbidden(v);
		break;
	case 404:
		fail_not_found(v);
		break;
	default:
		fail_other(v);
		break;
	}
}

/* --- the record set --------------------------------------------------------------- */

/* Values are kept as found; what cannot be an address is said to be none. */
static bool
take_values(const cJSON *values, struct provider_record *record)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, values)
	{
		const char *text = cJSON_GetStringValue(item);
		struct address address;

		if (!text)
			return false;
		record->total++;
		if (record->nvalues == MSG_VALUES_MAX)
			continue;
		snprintf(record->values[record->nvalues++], ADDRESS_TEXT_MAX, "%s",
			 address_parse_text(text, &address) ? text : "(not an address)");
	}
	return true;
}

/* A link for the page: only http and https, only visible characters, never the token. */
static void
take_href(const struct verdict *v, struct provider_record *record)
{
	const char *href = json_text(v->answer, "rrset_href"), *token = v->access->token;

	if (!href || (strncmp(href, "https://", 8) != 0 && strncmp(href, "http://", 7) != 0))
		return;
	if (token && *token && strstr(href, token))
		return;
	for (const char *p = href; *p; p++)
		if (*p <= ' ' || *p > '~')
			return;
	if (!mem_copy_text(record->href, sizeof(record->href), href))
		record->href[0] = '\0';
}

/* NULL, or what is wrong with the answer as the end of a sentence. */
static const char *
take_record(const struct verdict *v, struct provider_record *record)
{
	const char *type = json_text(v->answer, "rrset_type");
	const cJSON *values = json_array(v->answer, "rrset_values");

	if (!type || strcmp(type, address_record_type(v->target->family)) != 0)
		return "rrset_type is not the type that was asked for";
	if (!json_copy(v->answer, "rrset_name", record->name, sizeof(record->name)) ||
	    strcasecmp(record->name, v->target->name) != 0)
		return "rrset_name is not the name that was asked for";
	if (!json_int(v->answer, "rrset_ttl", 0, TTL_MAX, &record->ttl))
		return "rrset_ttl is not a whole number of seconds";
	if (!values || !take_values(values, record))
		return "rrset_values is not a list of texts";
	take_href(v, record);
	record->exists = true;
	return NULL;
}

static void
judge_record(const struct verdict *v, const char *why)
{
	struct buf type = BUF_INIT;

	if (v->answer)
		why = take_record(v, &v->out->record);
	if (!why)
		return;
	v->out->record = (struct provider_record){ 0 };
	/* a login page of the network in between is the usual reason for HTML here */
	if (!v->answer && *v->response->content_type) {
		buf_adds(&type, " (");
		add_quote(&type, v->access, v->response->content_type);
		buf_addc(&type, ')');
	}
	provider_fail(v->out, PROVIDER_TRANSIENT, "malformed",
		      "%s answered the reading of %s in the zone %s with something unusable%s: %s",
		      v->host, v->target->name, v->target->zone, buf_text(&type), why);
	buf_free(&type);
}

/* --- judging ------------------------------------------------------------------------ */

static bool
is_missing_record(const struct verdict *v)
{
	const char *object = v->answer ? json_text(v->answer, "object") : NULL;

	return v->response->status == 404 && object && strcmp(object, "dns-record") == 0;
}

static void
judge(struct verdict *v)
{
	const struct http_response *response = v->response;
	const char *why = NULL;
	cJSON *answer = NULL;

	*v->out = (struct provider_result){ .outcome = PROVIDER_DONE, .retry_after_ms = -1 };
	host_of(v->access, v->host, sizeof(v->host));
	if (response->error != HTTP_OK) {
		fail_transport(v);
		return;
	}
	if (response->body_len > PROVIDER_BODY_MAX)
		why = "it is too large";
	else
		answer = json_parse(response->body, response->body_len, &why);
	if (answer && !cJSON_IsObject(answer)) {
		cJSON_Delete(answer);
		answer = NULL;
		why = "it is not a JSON object";
	}
	v->answer = answer;
	if (!v->is_write && response->status == 200)
		judge_record(v, why);
	else if (v->is_write && (response->status == 200 || response->status == 201))
		; /* whatever the body says: only the reading afterwards counts */
	else if (!v->is_write && is_missing_record(v))
		v->out->record.exists = false;
	else
		fail_status(v);
	cJSON_Delete(answer);
}

static void
judge_read(const struct provider_access *access, const struct provider_target *target,
	   const struct http_response *response, struct provider_result *out)
{
	judge(&(struct verdict){
		.access = access, .target = target, .response = response, .out = out });
}

static void
judge_write(const struct provider_access *access, const struct provider_target *target,
	    const struct http_response *response, struct provider_result *out)
{
	judge(&(struct verdict){ .access = access,
				 .target = target,
				 .response = response,
				 .is_write = true,
				 .out = out });
}

const struct provider gandi_provider = {
	.name = "gandi",
	.build_read = build_read,
	.build_write = build_write,
	.judge_read = judge_read,
	.judge_write = judge_write,
};
