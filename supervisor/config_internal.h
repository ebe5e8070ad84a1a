/*
 * What the files of the configuration share; nobody else includes this.
 *
 * A load goes through four passes over one tree of nodes: the file's text
 * becomes the tree (config_yaml.c, or config_dnsini.c for a dns.ini), the
 * environment is laid over it (config_env.c), the tables of keys carry it into
 * the struct (config_schema.c), and the rules across keys are checked
 * (config_check.c). Every node knows where it came from, so that a complaint at
 * any stage names the line or the variable.
 */
#ifndef SUPERVISOR_CONFIG_INTERNAL_H
#define SUPERVISOR_CONFIG_INTERNAL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "supervisor/config.h"

enum config_node_kind { CONFIG_NODE_NULL, CONFIG_NODE_TEXT, CONFIG_NODE_LIST, CONFIG_NODE_MAP };

struct config_node {
	enum config_node_kind kind;
	struct config_node *parent; /* NULL for the root */
	char *key;                  /* in a map, else NULL */
	char *text;                 /* of CONFIG_NODE_TEXT, else NULL */
	bool quoted;                /* so it is a text, whatever it looks like */
	unsigned line;              /* of the key, or of a list's entry; 0 for none */
	const char *variable;       /* that it came from, or NULL for the file; not owned */
	char *label;                /* its name in a dns.ini, which has other ones; else NULL */
	bool bad;                   /* an error was reported for it */
	bool secret;                /* its text may be a secret, see struct config_key */
	size_t n;
	struct config_node **items; /* of a list or a map, in the order of the file */
};

/* The variables of the environment that a dns.ini may name anew. */
enum config_variable {
	CONFIG_VARIABLE_ZONE,
	CONFIG_VARIABLE_NAME,
	CONFIG_VARIABLE_TYPE,
	CONFIG_VARIABLE_TTL,
	CONFIG_VARIABLE__MAX
};

struct config_loading {
	struct config *config;
	struct config_node *root; /* always a map */
	struct config_report *report;
	const char *path; /* or NULL */
	char *const *env;
	char *variables[CONFIG_VARIABLE__MAX]; /* their names; owned */
};

/* config_file.c */

/*
 * The whole file at load->path, at most CONFIG_FILE_MAX bytes, with a NUL
 * behind them; free() it. NULL after an error.
 */
char *config_file_read(struct config_loading *load, size_t *len);
/* Does the name say that this is a dns.ini? */
bool config_file_is_ini(const char *path);

/* config_yaml.c */

/*
 * Read the file into load->root. False after an error that leaves nothing to
 * check; mistakes that leave the rest readable are only reported.
 */
bool config_yaml_read(struct config_loading *load);
struct config_node *config_node_new(enum config_node_kind kind, unsigned line);
void config_node_free(struct config_node *node);
/* Put child, which is handed over, into a map (with a copy of key) or a list (key NULL). */
void config_node_add(struct config_node *parent, const char *key, struct config_node *child);
/* The member of a map, or NULL; also for a node that is NULL or no map. */
struct config_node *config_node_get(const struct config_node *map, const char *key);
/* Puts a text into a map, in the place of what was there. Returns the node, which the map owns. */
struct config_node *config_node_lay(struct config_node *map, const char *key, const char *text);
/* Removes a member, if it is there. */
void config_node_remove(struct config_node *map, const char *key);
/* True if nothing in the tree was complained about; also for NULL. */
bool config_node_sound(const struct config_node *node);

/* config_ini.c, config_dnsini.c and config_dnsini_names.c */

struct config_ini_entry {
	char *section; /* "" in front of the first one */
	char *key;     /* NULL for the line that begins the section */
	char *value;   /* without white space around it; lines that go on stand behind newlines */
	unsigned line;
};

struct config_ini {
	size_t n;
	struct config_ini_entry *entries; /* in the order of the file */
};

/*
 * Take an INI file apart, as Python's configparser would: lines that are
 * indented go on with a value, ; and # begin comments. False if it cannot be
 * read; mistakes in single lines are only reported.
 */
bool config_ini_read(struct config_loading *load, struct config_ini *ini);
/* Empties it. */
void config_ini_free(struct config_ini *ini);
/* The entry of a key, or of a section (key NULL); NULL if it is not there. */
const struct config_ini_entry *config_ini_find(const struct config_ini *ini, const char *section,
					       const char *key);
/* From now on complaints about the node name the entry and its line. Returns the node. */
struct config_node *config_ini_label(struct config_node *node, const struct config_ini_entry *e);
/* A warning about an entry that no node of the tree stands for. */
void config_ini_warn(struct config_loading *load, const struct config_ini_entry *e,
		     const char *text);

/* A dns.ini of the original into load->root; as config_yaml_read() else. */
bool config_dnsini_read(struct config_loading *load);
/* Complain about what is no section or key of a dns.ini, or has no effect any more. */
void config_dnsini_names(struct config_loading *load, const struct config_ini *ini);

/* config_env.c */

/* The names of the contract, until a dns.ini has others. */
extern const char *const config_env_variables[CONFIG_VARIABLE__MAX];
/* The variable's value, or NULL if it is unset or empty. */
const char *config_env_get(char *const *env, const char *name);
void config_env_apply(struct config_loading *load);

/* config_schema.c */

enum config_key_kind {
	CONFIG_KEY_TEXT,     /* char *, at most max bytes */
	CONFIG_KEY_PATH,     /* char *, absolute, at most max bytes */
	CONFIG_KEY_DURATION, /* int64_t, ms, from min to max */
	CONFIG_KEY_NUMBER,   /* unsigned, from min to max */
	CONFIG_KEY_BOOL,     /* bool */
	CONFIG_KEY_CHOICE,   /* an enum, by names */
	CONFIG_KEY_MAP,      /* a mapping with a table of its own */
	CONFIG_KEY_CUSTOM    /* read() does it */
};

struct config_key {
	const char *name; /* NULL ends a table */
	enum config_key_kind kind;
	size_t offset; /* of the value, or of a mapping's struct */
	int64_t min, max;
	bool off;      /* a duration may also be 0 */
	bool nullable; /* null is a value: the text is absent */
	bool secret;   /* a secret may stand there by mistake: no complaint repeats the value */
	bool required;
	const char *const *names; /* of a choice: by value, max of them, NULL where there is none */
	const struct config_key *keys; /* of a mapping */
	void (*read)(struct config_loading *load, struct config_node *node, void *target);
};

/* One mapping into the struct that its table is made for. */
void config_schema_map(struct config_loading *load, struct config_node *map,
		       const struct config_key *keys, void *base);
/* The node's text; NULL, with the error reported, if it is something else. */
const char *config_schema_text(struct config_loading *load, struct config_node *node);
/*
 * True for a list of at most max entries. False for anything else, with the
 * error reported, and for nothing (all its lines are commented out), which
 * leaves the default in force.
 */
bool config_schema_list(struct config_loading *load, struct config_node *node, size_t max);
/* The place of name among n names; n, with the error reported, if it is not there. */
size_t config_schema_choose(struct config_loading *load, struct config_node *node,
			    const char *const *names, size_t n);
/* False, with the error reported, if it is no number from min to max; else_what: "majority or ". */
bool config_schema_number(struct config_loading *load, struct config_node *node, int64_t min,
			  int64_t max, const char *else_what, int64_t *out);
/* Puts a copy of text (or NULL) where target, a char **, points to; frees what was there. */
void config_schema_set(void *target, const char *text);

/* config_keys.c and config_keys_units.c */

/* The tree into load->config, which holds the defaults. */
void config_keys_apply(struct config_loading *load);
/* The table of a unit's directives, for a struct config_directives. */
extern const struct config_key config_keys_unit[];

/* How the tables are written. */
#define CONFIG_AT(type, member) .offset = offsetof(struct type, member)
#define CONFIG_CHOICE(table, count) .kind = CONFIG_KEY_CHOICE, .names = (table), .max = (count)
#define CONFIG_CUSTOM(function) .kind = CONFIG_KEY_CUSTOM, .read = (function)
#define CONFIG_DURATION(from, to) .kind = CONFIG_KEY_DURATION, .min = (from), .max = (to)
#define CONFIG_NUMBER(from, to) .kind = CONFIG_KEY_NUMBER, .min = (from), .max = (to)
#define CONFIG_BOOL .kind = CONFIG_KEY_BOOL
#define CONFIG_TEXT(longest) .kind = CONFIG_KEY_TEXT, .max = (longest)
#define CONFIG_PATH(longest) .kind = CONFIG_KEY_PATH, .max = (longest)
#define CONFIG_MAP(table) .kind = CONFIG_KEY_MAP, .keys = (table)

#define CONFIG_SECOND 1000LL
#define CONFIG_MINUTE (60 * CONFIG_SECOND)
#define CONFIG_HOUR (60 * CONFIG_MINUTE)
#define CONFIG_DAY (24 * CONFIG_HOUR)

/* config_check.c, config_cluster.c and config_check_units.c */

void config_check(struct config_loading *load);
/* Which back end, where the API server is, and who we are there. */
void config_check_cluster(struct config_loading *load);
/* Kubernetes sets KUBERNETES_SERVICE_HOST in every pod. */
bool config_in_pod(const struct config_loading *load);
/* Was the key section.key, if it is there, read without a complaint? */
bool config_sound(const struct config_loading *load, const char *section, const char *key);
void config_check_units(struct config_loading *load);

/* config_report.c */

/* An error in a node: "FILE:LINE: path.of.the.key: ..." or "VARIABLE: ...". */
void config_error(struct config_loading *load, struct config_node *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void config_warn(struct config_loading *load, struct config_node *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/*
 * The same for a key by its path ("provider.token_file"), which need not be in
 * the file: the line is then that of the nearest mapping around it.
 */
void config_error_at(struct config_loading *load, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void config_warn_at(struct config_loading *load, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* An error that no key is to blame for; line 0 for none; node, if not NULL, becomes bad. */
void config_error_line(struct config_loading *load, struct config_node *node, unsigned line,
		       const char *format, ...) __attribute__((format(printf, 4, 5)));
/* An error in a variable of the environment. */
void config_error_variable(struct config_loading *load, const char *variable, const char *format,
			   ...) __attribute__((format(printf, 3, 4)));
void config_warn_variable(struct config_loading *load, const char *variable, const char *format,
			  ...) __attribute__((format(printf, 3, 4)));
/* Moves what was found in another file behind what is there, and empties other. */
void config_report_append(struct config_report *report, struct config_report *other);
void config_report_sort(struct config_report *report);
/* "detector.sources.url"; size at least CONFIG_PATH_MAX. Returns out. */
#define CONFIG_PATH_MAX 256
const char *config_node_path(const struct config_node *node, char *out, size_t size);
/*
 * The text in single quotes, cut off where it is long, without control
 * characters, so that no file writes to a terminal what it likes.
 */
#define CONFIG_QUOTE_MAX 100
const char *config_quote(const char *text, char *out, size_t size);

/* config.c */

extern const char *const config_unit_names[];
extern const char *const config_type_names[];
extern const char *const config_restart_names[];
extern const char *const config_auth_names[];
extern const char *const config_source_kind_names[];
extern const char *const config_source_format_names[];
extern const char *const config_backend_names[];
extern const char *const config_sandbox_names[];
extern const char *const config_on_failure_names[];

void config_record_free(struct config_record *record);
void config_source_free(struct config_source *source);
void config_endpoints_free(struct config_endpoints *endpoints);
void config_args_free(struct config_directives *unit);
/*
 * Take a source's URL apart. NULL, or what is wrong with it as a phrase;
 * source is then unchanged.
 */
const char *config_source_set_url(struct config_source *source, const char *url);

#endif
