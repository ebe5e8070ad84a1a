/*
 * The API server: credentials, requests on single objects, and the stream of a
 * watch. One connection's worth of I/O over common/http; it decides nothing.
 */
#ifndef CLUSTER_KUBE_H
#define CLUSTER_KUBE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "cluster/api.h"
#include "common/http.h"

/*
 * How to reach it, from the part of the configuration ("cluster": {"access": …});
 * in a pod the file names of the service account, else what the supervisor read
 * from the kubeconfig. Texts are owned.
 */
struct kube_access {
	char *server;               /* https://host:port */
	char *namespace;            /* of the objects */
	char *token;                /* or NULL */
	char *token_file;           /* or NULL; wins over token, read again every minute */
	char *ca_file;              /* or NULL; read again every 5 min */
	char *ca_data;              /* PEM, or NULL */
	char *cert_data, *key_data; /* PEM, or NULL */
	char *tls_server_name;      /* or NULL */
	bool insecure;              /* the server's certificate is not verified */
};

/* NULL with *why (a phrase) if the part is malformed. */
struct kube_access *kube_access_read(const cJSON *cluster, const char **why);
void kube_access_free(struct kube_access *a);

struct kube;
struct kube_call;
struct kube_watch;

/*
 * http and access must live longer. The User-Agent is the one http was made
 * with: "esddns-detector/0.1.0 (linux/amd64)".
 */
struct kube *kube_new(struct http *http, const struct kube_access *access);
/* What is under way ends without its callback. NULL is fine. */
void kube_free(struct kube *k);

enum kube_resource { KUBE_LEASES, KUBE_CONFIGMAPS, KUBE_EVENTS, KUBE_SERVICES, KUBE_NODES };

enum kube_verb {
	KUBE_GET,        /* by quorum */
	KUBE_GET_CACHED, /* with resourceVersion=0: may be old */
	KUBE_LIST,       /* of the one object: result->object is the list */
	KUBE_CREATE,
	KUBE_PUT,
	KUBE_PATCH,
	KUBE_DELETE
};

struct kube_request {
	enum kube_verb verb;
	enum kube_resource resource;
	const char *name;    /* not with KUBE_CREATE */
	const char *version; /* with KUBE_LIST: resourceVersion, "" for none */
	const cJSON *body;   /* CREATE, PUT: the object; PATCH: the JSON Patch; DELETE: options */
	int64_t timeout_ms;
};

struct kube_result {
	enum api_outcome outcome;
	int status; /* 0 if there was no answer */
	int64_t retry_after_ms;
	const cJSON *object;        /* what came, if it was JSON and an object; else NULL */
	char error[MSG_REASON_MAX]; /* a sentence that names the server and the object; "" with
				       API_OK */
};

typedef void kube_done(void *arg, const struct kube_result *result);

/*
 * The callback comes once, from http_dispatch(), and may start and cancel other
 * calls and watches; this one is then over. A 401 with a token that was
 * replaced meanwhile is tried once more, within the same time-out.
 */
struct kube_call *kube_start(struct kube *k, const struct kube_request *request, kube_done *done,
			     void *arg);
void kube_cancel(struct kube_call *call); /* NULL is fine; the callback does not come */

enum kube_watch_kind {
	KUBE_OPENED, /* the server took it; comes once, before all others but CLOSED */
	KUBE_ADDED,
	KUBE_MODIFIED,
	KUBE_DELETED,
	KUBE_BOOKMARK,
	KUBE_ERROR,
	KUBE_CLOSED
};

struct kube_watch_event {
	enum kube_watch_kind kind;
	const cJSON *object;      /* not with OPENED and CLOSED */
	const char *version;      /* its resourceVersion; "" if none */
	enum api_outcome outcome; /* with ERROR and CLOSED */
	int64_t retry_after_ms;   /* with CLOSED */
	const char *error;        /* with ERROR and CLOSED: a sentence, or "" */
};

typedef void kube_watch_event_fn(void *arg, const struct kube_watch_event *ev);

/*
 * Watch one object from version on, for seconds at most; timeout_ms is the hard
 * deadline. KUBE_CLOSED comes last and once, also when it could not be opened.
 * Events come from http_dispatch(); the callback may cancel the watch.
 */
struct kube_watch *kube_watch_start(struct kube *k, enum kube_resource resource, const char *name,
				    const char *version, int64_t seconds, int64_t timeout_ms,
				    kube_watch_event_fn *event, void *arg);
void kube_watch_cancel(struct kube_watch *w); /* NULL is fine */

/*
 * When credentials are to be looked at again; call kube_tick() then. Every
 * request looks, too, so this is only for kube_trouble() to be up to date.
 */
int64_t kube_next_deadline(const struct kube *k);
void kube_tick(struct kube *k, int64_t now_ms);
/* "" or what is wrong with the credentials, as a sentence. */
const char *kube_trouble(const struct kube *k);

#endif
