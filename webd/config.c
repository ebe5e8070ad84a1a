#include "webd/config.h"

#include <string.h>

#include "common/json.h"

#define DURATION_MAX ((int64_t)366 * 86400 * 1000)

static bool
read_record(const cJSON *object, struct webd_record_config *out)
{
	const char *type = json_text(object, "type");

	if (type == NULL || !json_copy(object, "fqdn", out->fqdn, sizeof(out->fqdn)) ||
	    !json_copy(object, "zone", out->zone, sizeof(out->zone)) ||
	    !json_copy(object, "name", out->name, sizeof(out->name)) ||
	    !json_int(object, "ttl", 0, INT32_MAX, &out->ttl))
		return false;
	if (strcmp(type, "A") == 0)
		out->family = ADDRESS_IPV4;
	else if (strcmp(type, "AAAA") == 0)
		out->family = ADDRESS_IPV6;
	else
		return false;
	return true;
}

static bool
read_records(const cJSON *part, struct webd_config *out)
{
	const cJSON *list = json_array(part, "records"), *item;

	if (list == NULL)
		return false;
	cJSON_ArrayForEach(item, list)
	{
		if (out->nrecords == WEBD_RECORDS_MAX ||
		    !read_record(item, &out->records[out->nrecords]))
			return false;
		out->nrecords++;
	}
	return true;
}

static bool
read_endpoints(const cJSON *part, const char *key, struct webd_endpoint *out, size_t *n)
{
	const cJSON *list = json_array(part, key), *item;
	struct address address;
	int64_t port;

	if (list == NULL)
		return false;
	cJSON_ArrayForEach(item, list)
	{
		if (*n == WEBD_ENDPOINTS_MAX ||
		    !json_copy(item, "host", out[*n].host, sizeof(out[*n].host)) ||
		    !address_parse_text(out[*n].host, &address) ||
		    !json_int(item, "port", 1, UINT16_MAX, &port))
			return false;
		out[(*n)++].port = (uint16_t)port;
	}
	return true;
}

int
webd_config_read(const cJSON *part, struct webd_config *out, const char **why)
{
	int64_t version, connections;

	*out = (struct webd_config){ .nrecords = 0 };
	*why = NULL;
	if (!json_int(part, "v", 1, 1, &version))
		*why = "v is not 1";
	else if (!json_copy(part, "version", out->version, sizeof(out->version)))
		*why = "version is absent or too long";
	else if (!json_copy(part, "runtime_dir", out->runtime_dir, sizeof(out->runtime_dir)))
		*why = "runtime_dir is absent or too long";
	else if (!json_copy(json_object(part, "cluster"), "backend", out->backend,
			    sizeof(out->backend)))
		*why = "cluster.backend is absent or too long";
	else if (!read_records(part, out))
		*why = "records is absent or has an impossible entry";
	else if (!read_endpoints(part, "listen", out->listen, &out->nlisten))
		*why = "listen is absent or has an impossible entry";
	else if (!read_endpoints(part, "metrics", out->metrics, &out->nmetrics))
		*why = "metrics is absent or has an impossible entry";
	else if (!json_int(part, "max_connections", 1, 1000000, &connections))
		*why = "max_connections is absent or impossible";
	else if (!json_int(part, "drain", 0, DURATION_MAX, &out->drain_ms))
		*why = "drain is absent or impossible";
	else if (!json_int(part, "detector_interval", 1, DURATION_MAX, &out->detector_interval_ms))
		*why = "detector_interval is absent or impossible";
	else if (!json_int(part, "updater_interval", 1, DURATION_MAX, &out->updater_interval_ms))
		*why = "updater_interval is absent or impossible";
	else if (!json_bool(part, "observe", &out->observe) ||
		 !json_bool(part, "dry_run", &out->dry_run))
		*why = "observe or dry_run is absent or not a truth value";
	else if (json_text(part, "instance") != NULL &&
		 !json_copy(part, "instance", out->instance, sizeof(out->instance)))
		*why = "instance is too long";
	if (*why != NULL)
		return -1;
	out->max_connections = (unsigned)connections;
	return 0;
}

static bool
same_endpoints(const struct webd_endpoint *a, size_t na, const struct webd_endpoint *b, size_t nb)
{
	if (na != nb)
		return false;
	for (size_t i = 0; i < na; i++)
		if (a[i].port != b[i].port || strcmp(a[i].host, b[i].host) != 0)
			return false;
	return true;
}

bool
webd_config_same_server(const struct webd_config *a, const struct webd_config *b)
{
	return a->max_connections == b->max_connections &&
	       same_endpoints(a->listen, a->nlisten, b->listen, b->nlisten) &&
	       same_endpoints(a->metrics, a->nmetrics, b->metrics, b->nmetrics);
}
