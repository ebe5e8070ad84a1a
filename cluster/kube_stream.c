#include <stdlib.h>
#include <string.h>

#include "cluster/kube_private.h"
#include "common/json.h"
#include "common/mem.h"

bool
kube_stream_next(struct kube_stream *stream, const char **data, size_t *len)
{
	const char *end = *len > 0 ? memchr(*data, '\n', *len) : NULL;
	size_t n = end != NULL ? (size_t)(end - *data) : *len;

	if (stream->whole)
		buf_clear(&stream->line);
	stream->whole = false;
	if (stream->too_long || n > KUBE_OBJECT_MAX - stream->line.len) {
		stream->too_long = true;
		*len = 0;
		return false;
	}
	if (n > 0)
		buf_add(&stream->line, *data, n);
	*data += n + (end != NULL);
	*len -= n + (end != NULL);
	stream->whole = end != NULL;
	return stream->whole;
}

bool
kube_stream_ended_well(const struct kube_stream *stream)
{
	return !stream->too_long && (stream->whole || stream->line.len == 0);
}

void
kube_stream_clear(struct kube_stream *stream)
{
	buf_free(&stream->line);
	*stream = (struct kube_stream){ .whole = false };
}

static const struct {
	const char *type;
	enum kube_watch_kind kind;
} types[] = {
	{ "ADDED", KUBE_ADDED },       { "MODIFIED", KUBE_MODIFIED }, { "DELETED", KUBE_DELETED },
	{ "BOOKMARK", KUBE_BOOKMARK }, { "ERROR", KUBE_ERROR },
};

/* The object's resourceVersion, if it is one that can be kept. */
static const char *
version_of(const cJSON *object)
{
	const char *version = json_text(json_object(object, "metadata"), "resourceVersion");

	return version != NULL && strlen(version) < API_VERSION_MAX ? version : "";
}

static bool
is_blank(const char *line, size_t len)
{
	while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == ' '))
		len--;
	return len == 0;
}

int
kube_event_read(const char *line, size_t len, struct kube_watch_event *ev, cJSON **root,
		const char **why)
{
	const char *type;
	int64_t code = 0;

	*root = NULL;
	if (is_blank(line, len))
		return 0;
	*root = json_parse(line, len, why);
	if (*root == NULL)
		return -1;
	*why = "it has no type";
	type = json_text(*root, "type");
	if (type == NULL)
		return -1;
	*ev = (struct kube_watch_event){ .retry_after_ms = -1, .error = "" };
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(types[i].type, type) != 0)
			continue;
		*why = "it has no object";
		ev->kind = types[i].kind;
		ev->object = json_object(*root, "object");
		if (ev->object == NULL)
			return -1;
		ev->version = version_of(ev->object);
		if (ev->kind == KUBE_ERROR) {
			json_int(ev->object, "code", 100, 599, &code);
			ev->outcome = kube_outcome((int)code, ev->object, false);
			if (ev->outcome == API_OK)
				ev->outcome = API_FAILED;
		}
		return 1;
	}
	return 0; /* of a later version, which must not hurt us */
}
