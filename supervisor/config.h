/*
 * The configuration: one YAML file (or a dns.ini of the original, which is what
 * a name that ends with .ini says) and a few variables of the environment,
 * checked as a whole into one plain struct that the supervisor owns. Workers
 * never see it: each gets its own part, see supervisor/parts.h.
 *
 * The DNS provider's token is never in it: only its file's name, or the note that
 * the environment holds one. What a kubeconfig holds is, and is wiped with it.
 *
 * All durations are in milliseconds. All texts are owned by the struct; those
 * marked "or NULL" may be absent, the others are never NULL.
 */
#ifndef SUPERVISOR_CONFIG_H
#define SUPERVISOR_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/log.h"

#define CONFIG_FILE_MAX (1024 * 1024) /* bytes */
#define CONFIG_RECORDS_MAX 64
#define CONFIG_SOURCES_MAX 32
#define CONFIG_OPERATORS_MAX 16 /* of one family; as MSG_VOTES_MAX */
#define CONFIG_ENDPOINTS_MAX 8  /* of each list of webd */
#define CONFIG_ARGS_MAX 32      /* of ExecStart */
#define CONFIG_TTL_MIN 300      /* s; what Gandi takes */
#define CONFIG_TTL_MAX 2592000

enum config_sandbox {
	CONFIG_SANDBOX_OFF,
	CONFIG_SANDBOX_BEST_EFFORT,
	CONFIG_SANDBOX_REQUIRED,
	CONFIG_SANDBOX__MAX
};

/* What the supervisor does when a detector or an updater failed for good. */
enum config_on_failure {
	CONFIG_ON_FAILURE_AUTO, /* exit as PID 1 or in a pod, else degrade */
	CONFIG_ON_FAILURE_EXIT,
	CONFIG_ON_FAILURE_DEGRADE,
	CONFIG_ON_FAILURE__MAX
};

struct config_record {
	char *zone;
	char *name;                 /* "@" for the zone itself */
	char *fqdn;                 /* the zone, or name.zone */
	enum address_family family; /* of the type: A is IPv4, AAAA is IPv6 */
	int64_t ttl;                /* s */
	bool leader_address;        /* in a cluster: it may name the leader's own address */
};

enum config_auth { CONFIG_AUTH_BEARER, CONFIG_AUTH_APIKEY, CONFIG_AUTH__MAX };

struct config_provider {
	char *name; /* "gandi" */
	char *url;
	enum config_auth auth;
	char *token_file; /* or NULL */
	char *ca_file;    /* or NULL for the system's */
	int64_t timeout;
};

enum config_source_kind {
	CONFIG_SOURCE_HTTPS,
	CONFIG_SOURCE_HTTP,
	CONFIG_SOURCE_STUN,
	CONFIG_SOURCE_STUN_TCP,
	CONFIG_SOURCE_KIND__MAX
};

enum config_source_format {
	CONFIG_FORMAT_PLAIN,
	CONFIG_FORMAT_TRACE,
	CONFIG_FORMAT_JSON,
	CONFIG_FORMAT__MAX
};

struct config_source {
	char *operator;
	char *url; /* as it was given */
	enum config_source_kind kind;
	char *host; /* an IPv6 literal stands without its brackets */
	uint16_t port;
	enum config_source_format format; /* of an HTTP answer */
	char *key;                        /* with CONFIG_FORMAT_JSON, else NULL */
	bool ipv4, ipv6;                  /* the families to ask it for */
};

struct config_detector {
	int64_t interval;
	int64_t tripwire; /* 0: off */
	int64_t timeout;
	unsigned quorum; /* operators; 0: the majority of those asked */
	int64_t confirm;
	int64_t min_change_interval;
	bool allow_reserved;
	char *ca_file; /* or NULL for the system's */
	size_t nsources;
	struct config_source *sources;
};

struct config_updater {
	int64_t interval;
	bool observe;
	bool dry_run;
	int64_t backup_delay;
	int64_t backup_spread;
	int64_t once_limit; /* with esddns --once: how long it may take; else 0. Not in the file */
};

enum config_backend {
	CONFIG_BACKEND_AUTO, /* never in a loaded configuration: it is decided at the load */
	CONFIG_BACKEND_KUBERNETES,
	CONFIG_BACKEND_LOCAL,
	CONFIG_BACKEND__MAX
};

/* An address to listen on. */
struct config_endpoint {
	char *host; /* an address; an IPv6 one stands without its brackets */
	uint16_t port;
};

struct config_endpoints {
	size_t n;
	struct config_endpoint *list;
};

/* The API server, and who we are there: of the pod, or from a kubeconfig. Or NULL, all of them. */
struct config_access {
	char *server;
	char *token; /* only from a kubeconfig; wiped when it is freed, and so is the key */
	char *token_file;
	char *ca_file;
	char *ca_data, *cert_data, *key_data; /* PEM */
	char *tls_server_name;
	bool insecure; /* the server's certificate is not verified */
};

struct config_cluster {
	enum config_backend backend;
	char *kubeconfig; /* or NULL */
	char *namespace;  /* or NULL; decided at the load if the backend is Kubernetes */
	char *node_name;  /* or NULL */
	char *pod_ip;     /* or NULL; from POD_IP only */
	/* these four are set if the backend is Kubernetes */
	struct config_access access;
	char *pod_name;      /* or NULL outside of a pod */
	char *pod_uid;       /* or NULL; from POD_UID only */
	char *identity_host; /* whose name a leader goes by */
	struct {
		char *name;
		int64_t duration;
		int64_t renew_deadline;
		int64_t retry_period;
	} lease;
	char *configmap;
	struct {
		struct config_endpoint listen;
		char *advertise; /* or NULL */
		char *key_file;  /* or NULL */
	} peers;
};

struct config_webd {
	struct config_endpoints listen;  /* at least one */
	struct config_endpoints metrics; /* may be empty */
	unsigned max_connections;
	int64_t drain;
};

/* The units, and there are no others. */
enum config_unit { CONFIG_DETECTOR, CONFIG_UPDATER, CONFIG_WEBD, CONFIG_UNIT__MAX };

enum config_type { CONFIG_TYPE_NOTIFY, CONFIG_TYPE_EXEC, CONFIG_TYPE__MAX };

enum config_restart {
	CONFIG_RESTART_NO,
	CONFIG_RESTART_ALWAYS,
	CONFIG_RESTART_ON_SUCCESS,
	CONFIG_RESTART_ON_FAILURE,
	CONFIG_RESTART_ON_ABNORMAL,
	CONFIG_RESTART_ON_ABORT,
	CONFIG_RESTART_ON_WATCHDOG,
	CONFIG_RESTART__MAX
};

/* A set of ways to end: exit codes and signals. */
struct config_statuses {
	uint64_t codes[4]; /* bit n % 64 of codes[n / 64] for exit code n */
	uint64_t signals;  /* bit n for signal n, 1..63 */
};

/* systemd's directives, with their meaning. */
struct config_directives {
	bool enabled;
	size_t nargs;
	char **exec_start; /* nargs texts and a NULL; without a slash it is looked up in libexec */
	enum config_type type;
	enum config_restart restart;
	int64_t restart_sec;
	unsigned restart_steps; /* 0: the delay stays restart_sec */
	int64_t restart_max_delay;
	unsigned start_limit_burst; /* 0: no limit */
	int64_t start_limit_interval;
	int64_t timeout_start;
	int64_t timeout_stop;
	int64_t timeout_abort;
	int64_t watchdog; /* 0: off */
	struct config_statuses success_exit_status;
	struct config_statuses restart_prevent_exit_status;
	struct config_statuses restart_force_exit_status;
	int kill_signal;
	bool after[CONFIG_UNIT__MAX]; /* started once these are; free of cycles */
	int64_t stable_after;         /* a run of this length resets the delay */
};

struct config {
	char *path; /* of the file, or NULL if there is none */
	char *runtime_dir;
	char *state_dir;
	struct {
		enum log_level level;
		enum log_format format;
	} log;
	enum config_sandbox sandbox;
	enum config_on_failure on_failure;
	size_t nrecords;
	struct config_record *records;
	struct config_provider provider;
	struct config_detector detector;
	struct config_updater updater;
	struct config_cluster cluster;
	struct config_webd webd;
	struct config_directives units[CONFIG_UNIT__MAX];
	bool token_in_environment; /* token_variable, GANDI_API_KEY or API_KEY is set, not empty */
	char *token_variable;      /* that a dns.ini names, asked before the other two; or NULL */
};

/* What was found wrong or worth a warning; sentences, each with its place in front. */
struct config_message {
	bool warning;  /* else it is an error */
	unsigned line; /* in the file; 0 for the file as a whole, and for the environment */
	char *text;    /* "esddns.yaml:12: detector.interval: ..." or "RECORD_TTL: ..." */
};

struct config_report {
	size_t n;
	struct config_message *messages; /* in the order of their lines */
	size_t nerrors;
};

/* For { 0 }-initialised reports too. Empties it. */
void config_report_free(struct config_report *report);

/*
 * Read and check the file (NULL: none, defaults and environment alone) and the
 * environment (as main() gets it), which is only read. All mistakes are found
 * in one pass; report (zeroed by the caller) has them, and the warnings,
 * whether it succeeds or not. Returns the configuration, for config_free(), or NULL if there was an
 * error. Files that it names are looked at (may they be read?), not kept open.
 */
struct config *config_load(const char *path, char *const *env, struct config_report *report);
/* What is built in, without a file, the environment or any record; for config_free(). */
struct config *config_builtin(void);
/* NULL is fine. Secrets are overwritten. */
void config_free(struct config *c);

/* Does some record need an address of this family? */
bool config_needs(const struct config *c, enum address_family family);
/* How many different operators the sources for this family have. */
unsigned config_operators(const struct config *c, enum address_family family);

/* Names as they stand in the file. Never NULL; "invalid" for a value that is none. */
const char *config_unit_name(enum config_unit unit);
const char *config_type_name(enum config_type type);
const char *config_restart_name(enum config_restart restart);
const char *config_auth_name(enum config_auth auth);
const char *config_source_kind_name(enum config_source_kind kind);
const char *config_source_format_name(enum config_source_format format);
const char *config_backend_name(enum config_backend backend);
const char *config_sandbox_name(enum config_sandbox sandbox);
const char *config_on_failure_name(enum config_on_failure on_failure);
/* CONFIG_UNIT__MAX if there is no unit of this name. */
enum config_unit config_unit_of(const char *name);

bool config_statuses_code(const struct config_statuses *set, int code);
bool config_statuses_signal(const struct config_statuses *set, int signal);

#endif
