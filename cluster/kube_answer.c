#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/kube_private.h"
#include "common/json.h"
#include "common/mem.h"

#define MESSAGE_MAX 220

static const char *const singular[] = {
	[KUBE_LEASES] = "lease",     [KUBE_CONFIGMAPS] = "configmap", [KUBE_EVENTS] = "event",
	[KUBE_SERVICES] = "service", [KUBE_NODES] = "node",
};

static bool
is_status(const cJSON *object)
{
	const char *kind = json_text(object, "kind");

	return kind != NULL && strcmp(kind, "Status") == 0;
}

static bool
has_reason(const cJSON *object, const char *reason)
{
	const char *text = is_status(object) ? json_text(object, "reason") : NULL;

	return text != NULL && strcmp(text, reason) == 0;
}

/* A list or watch from a version that the server does not have yet: a time-out with a cause. */
static bool
is_too_large_version(const cJSON *object)
{
	const char *message = is_status(object) ? json_text(object, "message") : NULL;
	const cJSON *cause;

	cJSON_ArrayForEach(cause, json_array(json_object(object, "details"), "causes"))
	{
		const char *reason = json_text(cause, "reason");

		if (is_status(object) && reason != NULL &&
		    strcmp(reason, "ResourceVersionTooLarge") == 0)
			return true;
	}
	return message != NULL && strstr(message, "Too large resource version") != NULL;
}

enum api_outcome
kube_outcome(int status, const cJSON *object, bool created)
{
	if (status >= 200 && status <= 299)
		return API_OK;
	switch (status) {
	case 401:
	case 403:
		return API_DENIED;
	case 404:
		/* of a proxy's page nobody may conclude that there is no such object */
		return is_status(object) ? API_NOT_FOUND : API_FAILED;
	case 409:
		return created && has_reason(object, "AlreadyExists") ? API_EXISTS : API_CONFLICT;
	case 410:
		return API_GONE;
	case 422:
		return API_INVALID;
	case 429:
		return API_THROTTLED;
	case 504:
		return is_too_large_version(object) ? API_GONE : API_FAILED;
	default:
		return API_FAILED;
	}
}

void
kube_word_failure(const struct kube_subject *s, const char *why, char *out)
{
	char text[MSG_REASON_MAX * 2];

	if (s->resource == KUBE_NODES)
		snprintf(text, sizeof(text), "the API server %s: node %s %s: %s",
			 s->k->access->server, s->name, s->cannot, why);
	else
		snprintf(text, sizeof(text), "the API server %s: %s %s/%s %s: %s",
			 s->k->access->server, singular[s->resource], s->k->access->namespace,
			 s->name, s->cannot, why);
	/* a server's message must not end a line, or command a terminal */
	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7F)
			*p = ' ';
	mem_copy_text(out, MSG_REASON_MAX, text);
}

void
kube_word_status(const struct kube_subject *s, int status, const cJSON *object, char *out)
{
	const char *message = is_status(object) ? json_text(object, "message") : NULL;
	char cut[MESSAGE_MAX + 3], why[MESSAGE_MAX + 32];

	if (message == NULL || message[0] == '\0')
		message = "it gave no reason";
	if (!mem_copy_text(cut, MESSAGE_MAX, message))
		strcat(cut, "...");
	snprintf(why, sizeof(why), "%s (HTTP %d)", cut, status);
	kube_word_failure(s, why, out);
}

/* An answer that is the credentials' fault is best told as theirs. */
static bool
is_blamed_on_credentials(const struct kube_subject *s, const struct http_response *response)
{
	return response->error == HTTP_ERR_TLS || response->status == 401 ||
	       (response->status == 403 && s->k->credentials.token == NULL);
}

enum api_outcome
kube_judge(const struct kube_subject *s, const struct http_response *response, bool created,
	   cJSON **object, char *out)
{
	const char *trouble = kube_credentials_trouble(&s->k->credentials);
	const char *why = "it is no JSON object";
	enum api_outcome outcome;

	out[0] = '\0';
	*object = NULL;
	if (response->error != HTTP_OK) {
		bool told = trouble[0] != '\0' && is_blamed_on_credentials(s, response);

		kube_word_failure(s, told ? trouble : response->error_text, out);
		return response->error == HTTP_ERR_TOO_LARGE ? API_FAILED : API_LOST;
	}
	*object = json_parse(response->body, response->body_len, &why);
	if (*object != NULL && !cJSON_IsObject(*object)) {
		cJSON_Delete(*object);
		*object = NULL;
		why = "it is no JSON object";
	}
	outcome = kube_outcome(response->status, *object, created);
	if (outcome == API_OK && *object == NULL) {
		char text[MESSAGE_MAX];

		snprintf(text, sizeof(text), "the answer cannot be read: %s", why);
		kube_word_failure(s, text, out);
		return API_FAILED;
	}
	if (outcome != API_OK && trouble[0] != '\0' && is_blamed_on_credentials(s, response))
		kube_word_failure(s, trouble, out);
	else if (outcome != API_OK)
		kube_word_status(s, response->status, *object, out);
	return outcome;
}
