/* What the files of the API server's client share; nobody else includes this. */
#ifndef CLUSTER_KUBE_PRIVATE_H
#define CLUSTER_KUBE_PRIVATE_H

#include <stddef.h>

#include "cluster/kube.h"
#include "common/buf.h"

/* The largest object that etcd takes is 1.5 MiB; JSON may be twice as long. */
#define KUBE_OBJECT_MAX (3 * 1024 * 1024)
#define KUBE_WARNINGS_MAX 16
/* How long a watch may take to be opened; the server queues requests for up to 15 s. */
#define KUBE_OPEN_MS 20000

/* kube_credentials.c: what is read again from time to time. */

struct kube_credentials {
	const struct kube_access *access;
	char *token;           /* NULL: none, or none yet */
	unsigned token_number; /* grows with each other token */
	char *ca;              /* PEM; NULL: none, or none yet */
	int64_t token_due_ms, ca_due_ms;
	char token_trouble[320], ca_trouble[320]; /* sentences, or "" */
};

void kube_credentials_init(struct kube_credentials *c, const struct kube_access *access,
			   int64_t now_ms);
void kube_credentials_clear(struct kube_credentials *c);
/* Reads what is due. */
void kube_credentials_tick(struct kube_credentials *c, int64_t now_ms);
/* The server refused token number: true if there is another one by now. */
bool kube_credentials_refused(struct kube_credentials *c, unsigned number, int64_t now_ms);
const char *kube_credentials_trouble(const struct kube_credentials *c);

/* kube.c */

struct kube {
	struct http *http;
	const struct kube_access *access;
	struct kube_credentials credentials;
	char *base;         /* of every URL */
	char *connect_host; /* if the URL has the name for TLS in its place, else NULL */
	struct kube_call *calls;
	struct kube_watch *watches;
	uint64_t warned[KUBE_WARNINGS_MAX]; /* hashes of the warnings that were logged */
	size_t nwarned;
};

/* The URL of one object, or of the collection (name NULL), without a query; free() it. */
char *kube_url(const struct kube *k, enum kube_resource resource, const char *name);
/* Appends &KEY=VALUE, or ?KEY=VALUE, with the value encoded. */
void kube_add_query(struct buf *url, const char *key, const char *value);
/*
 * Start request with the credentials of now and one more header (or NULL).
 * number gets that of the token that is used.
 */
struct http_call *kube_send(struct kube *k, struct http_request *request, const char *content_type,
			    http_done *done, void *arg, unsigned *number);
/* Logs the server's warning, unless it was logged before. */
void kube_warn(struct kube *k, const char *warning);

/* kube_answer.c: what an answer means, and in words. Pure, but for the names in k. */

struct kube_subject {
	const struct kube *k;
	enum kube_resource resource;
	const char *name;
	const char *cannot; /* "cannot be read" */
};

/* The outcome of an answer with this status and body (or NULL); created: of a create. */
enum api_outcome kube_outcome(int status, const cJSON *object, bool created);
/* "the API server X: configmap N/M cannot be read: MESSAGE (HTTP 403)"; size MSG_REASON_MAX. */
void kube_word_status(const struct kube_subject *s, int status, const cJSON *object, char *out);
/* The same for what is no answer: why is a phrase. */
void kube_word_failure(const struct kube_subject *s, const char *why, char *out);
/* Judge a whole exchange. Returns the outcome, "" in out with API_OK. *object is to be deleted. */
enum api_outcome kube_judge(const struct kube_subject *s, const struct http_response *response,
			    bool created, cJSON **object, char *out);

/* kube_stream.c: a watch's bytes become lines, and lines become events. Pure. */

struct kube_stream {
	struct buf line;
	bool whole;    /* line was handed out; the next byte begins another one */
	bool too_long; /* one line is longer than KUBE_OBJECT_MAX; nothing comes any more */
};

/*
 * Take bytes from *data up to the end of a line. True if stream->line is a whole
 * line without its newline, valid until the next call; false if all was taken.
 */
bool kube_stream_next(struct kube_stream *stream, const char **data, size_t *len);
/* Did it end between two events? */
bool kube_stream_ended_well(const struct kube_stream *stream);
void kube_stream_clear(struct kube_stream *stream);

/*
 * One line. 1: ev is filled, its texts and its object live in *root, for
 * cJSON_Delete(); ev->error is "". 0: it says nothing to us, an empty line or an
 * unknown type. -1 with *why (a phrase): it is no event.
 */
int kube_event_read(const char *line, size_t len, struct kube_watch_event *ev, cJSON **root,
		    const char **why);

#endif
