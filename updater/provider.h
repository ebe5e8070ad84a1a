/*
 * A DNS provider, as far as the updater needs one: how to ask for a record,
 * how to write it, and what an answer means. A provider is pure: it builds
 * requests and reads answers; sending them is the caller's.
 */
#ifndef UPDATER_PROVIDER_H
#define UPDATER_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/http.h"
#include "ipc/message.h"

/* No answer of a provider may be longer. */
#define PROVIDER_BODY_MAX ((size_t)64 * 1024)
#define PROVIDER_HEADERS_MAX 4

enum provider_auth { PROVIDER_BEARER, PROVIDER_APIKEY, PROVIDER_AUTH__MAX };

/* How the provider is reached; the texts belong to the caller. */
struct provider_access {
	const char *url; /* of the API, without a slash at its end */
	enum provider_auth auth;
	const char *token;      /* only for building requests; never shown */
	const char *token_file; /* where a person puts a new one; NULL: the environment */
};

/* Which record set is meant; the texts belong to the caller. */
struct provider_target {
	const char *zone;
	const char *name; /* within the zone; "@" is the zone itself */
	enum address_family family;
};

/* A record set as the provider has it. */
struct provider_record {
	bool exists;
	size_t total;   /* how many values it has */
	size_t nvalues; /* how many of them are kept below */
	char values[MSG_VALUES_MAX][ADDRESS_TEXT_MAX];
	int64_t ttl;             /* s */
	char name[MSG_NAME_MAX]; /* as stored: writes match it case-sensitively */
	char href[MSG_HREF_MAX]; /* "" if none came */
};

enum provider_outcome {
	PROVIDER_DONE,      /* the read or write succeeded; a missing record is a successful read */
	PROVIDER_TRANSIENT, /* it may pass by itself */
	PROVIDER_ATTENTION, /* a person has to do something */
	PROVIDER_OUTCOME__MAX
};

struct provider_result {
	enum provider_outcome outcome;
	struct provider_record record; /* after a read that is done */
	char error_type[24];           /* a label; "" if done */
	char error[MSG_REASON_MAX];    /* a sentence; "" if done */
	int64_t retry_after_ms;        /* not before; -1: not said */
	bool may_land;                 /* a write that failed and may take effect all the same */
};

/* A request; everything in it is owned by it. */
struct provider_request {
	const char *method;
	char *url;
	char *headers[PROVIDER_HEADERS_MAX + 1]; /* ended by NULL */
	char *body;                              /* or NULL */
};

struct provider {
	const char *name;
	/* Both fill *out, to be given to provider_request_clear(). */
	void (*build_read)(const struct provider_access *access,
			   const struct provider_target *target, struct provider_request *out);
	/* Replaces all values of the record set by the one value; ttl in seconds. */
	void (*build_write)(const struct provider_access *access,
			    const struct provider_target *target, const struct address *value,
			    int64_t ttl, struct provider_request *out);
	/* What the answer means, in words; they never repeat the token. */
	void (*judge_read)(const struct provider_access *access,
			   const struct provider_target *target,
			   const struct http_response *response, struct provider_result *out);
	void (*judge_write)(const struct provider_access *access,
			    const struct provider_target *target,
			    const struct http_response *response, struct provider_result *out);
};

/* NULL if there is no provider of this name. */
const struct provider *provider_find(const char *name);
/* Wipes the credential, frees the rest; an empty request is fine. */
void provider_request_clear(struct provider_request *request);
/* A failure that is worded by a format; error_type is a label. */
void provider_fail(struct provider_result *out, enum provider_outcome outcome,
		   const char *error_type, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Is it exactly the wanted value and TTL? Further values are drift too. */
bool provider_matches(const struct provider_record *found, const struct address *wanted,
		      int64_t ttl);
/* Do both have the same values, in the same order, and TTL? */
bool provider_same(const struct provider_record *a, const struct provider_record *b);
/*
 * What is never written, although a laboratory's detector may publish reserved
 * addresses (detector.allow_reserved): what cannot be the address of a host
 * that others reach, in no network. NULL, or the end of a sentence.
 */
const char *provider_refusal(const struct address *a);
/* PROVIDER_AUTH__MAX if the name is neither "bearer" nor "apikey". */
enum provider_auth provider_auth_of(const char *name);

#endif
