/*
 * The ConfigMap esddns-wan-ip: its data as a struct, and the bodies of the
 * requests that change it. Everything in it comes from outside (people edit it):
 * a key that cannot be used counts as absent, and is named.
 */
#ifndef CLUSTER_WAN_OBJECT_H
#define CLUSTER_WAN_OBJECT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster/api.h"

#define WAN_PUBLISHER_MAX 80
/* What is written is never longer, so that the whole stays small; longer texts are not read. */
#define WAN_VOTES_TEXT_MAX 4096   /* votes */
#define WAN_CHANGES_TEXT_MAX 2048 /* changes */
#define WAN_RECORD_TEXT_MAX 4096  /* record.<fqdn>.<type> */

/* record.<fqdn>.<type>: what the cluster knows of one DNS record. */
struct wan_record {
	bool exists;          /* the key is there and can be read */
	bool pending;         /* somebody is about to write it */
	struct address value; /* "wanted": of the writer */
	struct address found; /* "value": as the provider had it at checked_at; or ADDRESS_NONE */
	int64_t ttl;
	bool in_sync;
	bool attention;          /* the error needs a person */
	int64_t checked_at;      /* wall */
	int64_t claimed_at;      /* wall: of the last claim; a report leaves it as it is */
	char by[MSG_HOLDER_MAX]; /* node */
	char href[MSG_HREF_MAX];
	char error_type[24];
	char error[MSG_REASON_MAX];
	char *raw; /* the exact text as stored, for the test of a patch; NULL if the key is absent
		    */
};

/* What the detector publishes, and what followers read. */
struct wan_content {
	struct msg_wan wan; /* addresses, detected_at, votes of both families; its numbers are the
			       fence's */
	int64_t timestamp;  /* wall: the last confirmed round */
	char publisher[WAN_PUBLISHER_MAX]; /* tcp://host:port of the leader; "" if none */
	unsigned followers;
};

/*
 * The keys: current_ip, current_ip6, detected_at, detected_at6, timestamp (times are ISO
 * 8601), epoch, sequence, followers (canonical decimal: no sign, no leading zero), holder,
 * publisher, votes and changes (one JSON line each), record.<fqdn>.<type>. An empty text is
 * none. Where votes does not say when a family was confirmed, timestamp does.
 */

/*
 * Read a ConfigMap. Always fills fence and content as far as they can be used;
 * trouble (size MSG_REASON_MAX) is "" or a sentence that names the keys that cannot.
 */
void wan_object_read(const cJSON *object, struct api_fence *fence, struct wan_content *content,
		     char *trouble);
/* One record's key; raw is to be free()d. fqdn with "*" and "@" already spelled out by the caller's
 * wan_record_key(). */
void wan_record_read(const cJSON *object, const char *key, struct wan_record *out);
/*
 * "record.home.example.com.A"; "*" becomes "_wildcard", and what the API takes in no
 * key "_". A name too long for a key is cut and ends with a hash. size MSG_NAME_MAX + 32.
 */
const char *wan_record_key(const char *fqdn, enum address_family family, char *out, size_t size);

/* Bodies; cJSON_Delete() them. */
cJSON *wan_object_new(const char *name, const struct api_fence *fence,
		      const struct wan_content *content);
/* The object as last read, with the fence and, if content is not NULL, the content replaced. */
cJSON *wan_object_claim(const cJSON *object, const struct api_fence *fence,
			const struct wan_content *content);
/* tests: LEADERSHIP_TEST_*. */
cJSON *wan_object_patch(const struct api_fence *tested, unsigned tests,
			const struct api_fence *fence, const struct wan_content *content);
/*
 * Change records' keys: test uid, epoch and sequence (as far as tested has them)
 * and each key's old text where one is given, then set it.
 */
struct wan_record_change {
	const char *key;
	bool test_old;
	const char *old; /* NULL: must be absent */
	const struct wan_record *record;
};
cJSON *wan_records_patch(const struct api_fence *tested, unsigned tests,
			 const struct wan_record_change *changes, size_t n);

#endif
