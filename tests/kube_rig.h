/*
 * The API server's client against a server that answers what a test tells it
 * to, one answer after the other, and keeps what it was asked.
 */
#ifndef TESTS_KUBE_RIG_H
#define TESTS_KUBE_RIG_H

#include "cluster/kube.h"
#include "cluster/kube_private.h"
#include "http_rig.h"

#define KUBE_RIG_MAX 16

struct kube_answer {
	int status;
	const char *headers; /* each with its line end; or NULL */
	const char *body;
	size_t cut;    /* if not 0: only so many bytes of the answer's body, then it is closed */
	bool hang_up;  /* it takes the request, and closes without a word */
	bool bytewise; /* as a stream, in chunks of one byte */
	bool stream;   /* as a stream, in one chunk */
	bool open;     /* the stream does not end */
};

struct kube_rig {
	struct http_rig http;
	struct kube_access access;
	struct kube *k;
	struct kube_answer answers[KUBE_RIG_MAX];
	size_t nanswers, nrequests;
	char *requests[KUBE_RIG_MAX];
	char server[64], directory[64], token_file[96], ca_file[96];

	/* of the last call */
	unsigned results;
	struct kube_result result; /* its object is the one below */
	char *object;              /* printed; NULL if there was none */

	/* of all watches */
	char events[4096]; /* "OPENED;ADDED 5;CLOSED gone;" */
	char error[MSG_REASON_MAX];
	int64_t retry_after_ms;
	struct kube_watch *watch;
	int64_t watch_timeout_ms; /* 0: HTTP_RIG_PATIENCE_MS */
	unsigned cancel_at; /* the watch is cancelled with this event, counted from 1; 0: never */
	unsigned nevents;
	bool closed;
};

/* Fills access; a test may change it before kube_rig_begin(). */
void kube_rig_start(struct kube_rig *r);
void kube_rig_begin(struct kube_rig *r);
void kube_rig_stop(struct kube_rig *r);
void kube_rig_answer(struct kube_rig *r, struct kube_answer answer);
void kube_rig_write(const char *path, const char *text);
/* One request, waited for. */
const struct kube_result *kube_rig_ask(struct kube_rig *r, const struct kube_request *request);
struct kube_call *kube_rig_call(struct kube_rig *r, const struct kube_request *request);
/* A watch of the ConfigMap "wan" from version 7 on, until it is closed, or cancelled. */
void kube_rig_watch(struct kube_rig *r);
void kube_rig_open(struct kube_rig *r);

#endif
