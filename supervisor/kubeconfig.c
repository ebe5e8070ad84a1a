#include "supervisor/kubeconfig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "supervisor/config_value.h"
#include "supervisor/pem.h"

#define FILES_MAX 16
/* All of them together, escaped, must fit into a worker's part (ipc/channel.h). */
#define CA_MAX (256 * 1024)
#define PEM_MAX (64 * 1024)
#define TOKEN_MAX 16384

struct file {
	struct config_loading load; /* its tree, its name for complaints */
	char *path;
};

struct kubeconfig {
	struct config_report report;
	struct file files[FILES_MAX];
	size_t n;
};

/* A mapping, and the file that it stands in. */
struct place {
	struct file *file;
	struct config_node *map; /* NULL: not found */
};

/* --- texts ------------------------------------------------------------------- */

static bool
is_token(const char *text)
{
	size_t len = strlen(text);

	for (const char *p = text; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			return false;
	return len > 0 && len <= TOKEN_MAX;
}

static struct config_node *
get(const struct place *p, const char *key)
{
	struct config_node *node = config_node_get(p->map, key);
	bool nothing = node == NULL || node->kind == CONFIG_NODE_NULL ||
		       (node->kind == CONFIG_NODE_TEXT && node->text[0] == '\0') ||
		       (node->kind != CONFIG_NODE_TEXT && node->n == 0);

	return nothing ? NULL : node;
}

/* The member's text; NULL if there is none, or if it is something else, which is reported. */
static const char *
get_text(const struct place *p, const char *key)
{
	struct config_node *node = get(p, key);

	if (node == NULL || node->kind == CONFIG_NODE_TEXT)
		return node != NULL ? node->text : NULL;
	config_error(&p->file->load, node, "must be a text");
	return NULL;
}

/* A path as the file means it: relative ones begin at its own directory; free() it. */
static char *
resolve(const struct file *file, const char *path)
{
	const char *slash = strrchr(file->path, '/');

	if (path[0] == '/' || slash == NULL)
		return mem_strdup(path);
	return mem_printf("%.*s/%s", (int)(slash - file->path), file->path, path);
}

/* --- certificates, keys, tokens ---------------------------------------------- */

static void
wipe(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

/* The PEM text in KEY-data, or else in the file that KEY names, whose path then is in *path. */
static char *
get_pem(const struct place *p, const char *key, const char *label, size_t max, char **path)
{
	char *data_key = mem_printf("%s-data", key), *text = NULL;
	const char *data = get_text(p, data_key), *name = get_text(p, key), *why = NULL;

	*path = data == NULL && name != NULL ? resolve(p->file, name) : NULL;
	if (data != NULL) {
		text = pem_decode(data, max, &why);
		if (text != NULL)
			why = pem_refusal(text, label);
		if (why != NULL)
			config_error(&p->file->load, get(p, data_key), "%s", why);
	} else if (name != NULL) {
		text = pem_read(*path, max, &why);
		if (text == NULL)
			config_error(&p->file->load, get(p, key), "%s cannot be read: %s", *path,
				     why);
		else if ((why = pem_refusal(text, label)) != NULL)
			config_error(&p->file->load, get(p, key), "%s %s", *path, why);
	}
	free(data_key);
	if (why == NULL)
		return text;
	wipe(text);
	return NULL;
}

/* A key is handed on as a text: workers need not see its file. */
static char *
get_pem_text(const struct place *p, const char *key, const char *label)
{
	char *path, *text = get_pem(p, key, label, PEM_MAX, &path);

	free(path);
	return text;
}

static void
refuse(const struct place *p, const char *key, const char *why)
{
	struct config_node *node = get(p, key);

	if (node != NULL)
		config_error(&p->file->load, node, "%s", why);
}

static void
take_token(const struct place *user, struct config_access *access)
{
	const char *token = get_text(user, "token"), *file = get_text(user, "tokenFile"), *why;
	char *text;

	if (file != NULL) {
		access->token_file = resolve(user->file, file);
		text = pem_read(access->token_file, TOKEN_MAX, &why);
		if (text == NULL)
			config_error(&user->file->load, get(user, "tokenFile"),
				     "%s cannot be read: %s", access->token_file, why);
		wipe(text);
	} else if (token != NULL && is_token(token)) {
		access->token = mem_strdup(token);
	} else if (token != NULL) {
		config_error(&user->file->load, get(user, "token"),
			     "is no token: it holds a blank or a character that is not ASCII, or "
			     "is longer than %d bytes",
			     TOKEN_MAX);
	}
}

static void
take_user(const struct place *user, struct config_access *access)
{
	static const char impersonation[] =
		"acting as somebody else is not supported; name a user with the rights that it "
		"needs";

	refuse(user, "exec",
	       "plug-ins that get credentials are not supported; use a token or a client "
	       "certificate");
	refuse(user, "auth-provider",
	       "providers of credentials are not supported; use a token or a client certificate");
	refuse(user, "username", "a user name with a password is not supported; use a token");
	refuse(user, "password", "a user name with a password is not supported; use a token");
	refuse(user, "as", impersonation);
	refuse(user, "as-uid", impersonation);
	refuse(user, "as-groups", impersonation);
	refuse(user, "as-user-extra", impersonation);
	take_token(user, access);
	access->cert_data = get_pem_text(user, "client-certificate", "CERTIFICATE");
	access->key_data = get_pem_text(user, "client-key", "PRIVATE KEY");
	if (config_node_sound(user->map) &&
	    (access->cert_data == NULL) != (access->key_data == NULL))
		config_error(&user->file->load, user->map,
			     "a client certificate needs its key, and a key its certificate");
}

/* --- the cluster ------------------------------------------------------------- */

static bool
take_server(const struct place *cluster, struct config_access *access)
{
	const char *server = get_text(cluster, "server"), *why;
	struct config_url url;

	if (server == NULL) {
		if (config_node_sound(cluster->map))
			config_error(&cluster->file->load, cluster->map, "there is no server");
		return false;
	}
	why = config_url_parse(server, &url);
	if (why == NULL && url.scheme != CONFIG_SCHEME_HTTPS && url.scheme != CONFIG_SCHEME_HTTP)
		why = "does not start with https://";
	if (why != NULL || strchr(server, '?') != NULL) {
		char quoted[CONFIG_QUOTE_MAX];

		config_error(&cluster->file->load, get(cluster, "server"), "%s %s",
			     config_quote(server, quoted, sizeof(quoted)),
			     why != NULL ? why : "must not hold a query");
		return false;
	}
	access->server = mem_strdup(server);
	return url.scheme == CONFIG_SCHEME_HTTPS;
}

static void
take_server_name(const struct place *cluster, struct config_access *access)
{
	const char *name = get_text(cluster, "tls-server-name");
	size_t len = name != NULL ? strlen(name) : 0;

	if (name == NULL)
		return;
	if (len >= CONFIG_HOST_MAX ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz"
			 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:") != len)
		config_error(&cluster->file->load, get(cluster, "tls-server-name"),
			     "is no name of a host");
	else
		access->tls_server_name = mem_strdup(name);
}

/* True if it is reached over TLS. */
static bool
take_cluster(const struct place *cluster, struct config_access *access)
{
	bool tls = take_server(cluster, access);
	const char *insecure = get_text(cluster, "insecure-skip-tls-verify");
	char *ca, *path;

	refuse(cluster, "proxy-url", "a proxy is not supported; the server must be in reach");
	take_server_name(cluster, access);
	ca = get_pem(cluster, "certificate-authority", "CERTIFICATE", CA_MAX, &path);
	if (insecure != NULL && strcmp(insecure, "true") != 0 && strcmp(insecure, "false") != 0)
		config_error(&cluster->file->load, get(cluster, "insecure-skip-tls-verify"),
			     "must be true or false");
	access->insecure = insecure != NULL && strcmp(insecure, "true") == 0;
	if (access->insecure && ca != NULL)
		config_error(&cluster->file->load, get(cluster, "insecure-skip-tls-verify"),
			     "contradicts the certificate authority; remove one of them");
	else if (access->insecure)
		config_warn(&cluster->file->load, get(cluster, "insecure-skip-tls-verify"),
			    "whoever answers is believed to be the API server, and gets the "
			    "credentials");
	/* from a file it is read again by whoever uses it */
	access->ca_file = path;
	if (path != NULL)
		free(ca);
	else
		access->ca_data = ca;
	return tls;
}

/* --- names ------------------------------------------------------------------- */

static bool
is_named(const struct config_node *item, const char *name)
{
	const struct config_node *node = config_node_get(item, "name");

	return node != NULL && node->kind == CONFIG_NODE_TEXT && strcmp(node->text, name) == 0;
}

/* The first "kind" of this name, in "kinds" of any file. */
static struct place
find(struct kubeconfig *k, const char *kind, const char *name)
{
	struct place p = { &k->files[0], NULL };
	char *kinds = mem_printf("%ss", kind);

	for (size_t i = 0; i < k->n && p.map == NULL; i++) {
		const struct config_node *list = config_node_get(k->files[i].load.root, kinds);

		for (size_t j = 0;
		     list != NULL && list->kind == CONFIG_NODE_LIST && j < list->n && p.map == NULL;
		     j++) {
			if (!is_named(list->items[j], name))
				continue;
			p.file = &k->files[i];
			p.map = config_node_get(list->items[j], kind);
		}
	}
	if (p.map != NULL && p.map->kind != CONFIG_NODE_MAP) {
		config_error(&p.file->load, p.map, "must be a mapping");
		p.map = NULL;
	}
	free(kinds);
	return p;
}

/* The same for what a context names; complains if it is not there. */
static struct place
follow(struct kubeconfig *k, const struct place *context, const char *kind)
{
	const char *name = get_text(context, kind);
	struct place p = { context->file, NULL };
	size_t errors = k->report.nerrors;
	char quoted[CONFIG_QUOTE_MAX];

	if (name == NULL && config_node_sound(context->map))
		config_error(&context->file->load, context->map, "it names no %s", kind);
	if (name == NULL)
		return p;
	p = find(k, kind, name);
	if (p.map == NULL && k->report.nerrors == errors)
		config_error(&context->file->load, get(context, kind), "there is no %s named %s",
			     kind, config_quote(name, quoted, sizeof(quoted)));
	return p;
}

static struct place
current_context(struct kubeconfig *k)
{
	struct place p = { &k->files[0], NULL };
	const char *name = NULL;
	char quoted[CONFIG_QUOTE_MAX];
	size_t errors;
	size_t i = 0;

	for (; i < k->n && name == NULL; i++) {
		struct place root = { &k->files[i], k->files[i].load.root };

		name = get_text(&root, "current-context");
	}
	errors = k->report.nerrors;
	if (name == NULL) {
		config_error_line(&k->files[0].load, NULL, 0,
				  "there is no current-context; \"kubectl config use-context "
				  "NAME\" sets it");
		return p;
	}
	p = find(k, "context", name);
	if (p.map == NULL && k->report.nerrors == errors)
		config_error(&k->files[i - 1].load,
			     config_node_get(k->files[i - 1].load.root, "current-context"),
			     "there is no context named %s",
			     config_quote(name, quoted, sizeof(quoted)));
	return p;
}

static void
take_context(struct kubeconfig *k, struct config_access *access, char **namespace)
{
	struct place context = current_context(k), cluster, user;
	bool tls;

	if (context.map == NULL)
		return;
	*namespace = mem_strdup(get_text(&context, "namespace"));
	cluster = follow(k, &context, "cluster");
	user = follow(k, &context, "user");
	if (cluster.map == NULL || user.map == NULL)
		return;
	tls = take_cluster(&cluster, access);
	take_user(&user, access);
	if (k->report.nerrors > 0)
		return;
	if (tls && access->token == NULL && access->token_file == NULL && access->cert_data == NULL)
		config_error(&user.file->load, user.map,
			     "it has neither a token nor a client certificate");
	else if (!tls && (access->token != NULL || access->token_file != NULL))
		config_error(&cluster.file->load, get(&cluster, "server"),
			     "http:// would show the token to everyone on the way; use https://");
}

/* --- files ------------------------------------------------------------------- */

static void
wipe_tree(struct config_node *node)
{
	if (node->text != NULL)
		explicit_bzero(node->text, strlen(node->text));
	for (size_t i = 0; i < node->n; i++)
		wipe_tree(node->items[i]);
}

static void
add_file(struct kubeconfig *k, const char *path)
{
	struct file *file = &k->files[k->n++];

	file->path = mem_strdup(path);
	file->load = (struct config_loading){
		.root = config_node_new(CONFIG_NODE_MAP, 0),
		.report = &k->report,
		.path = file->path,
	};
	config_yaml_read(&file->load);
}

static void
read_list(struct kubeconfig *k, struct config_loading *load, const char *list)
{
	char *copy = mem_strdup(list), *rest = copy, *path;

	while ((path = strsep(&rest, ":")) != NULL) {
		if (path[0] == '\0' || (access(path, F_OK) != 0 && errno == ENOENT))
			continue;
		if (k->n == FILES_MAX) {
			config_error_variable(load, "KUBECONFIG", "names more than %d files",
					      FILES_MAX);
			break;
		}
		add_file(k, path);
	}
	if (k->n == 0)
		config_error_variable(load, "KUBECONFIG", "names no file that is there");
	free(copy);
}

void
kubeconfig_read(struct config_loading *load, const char *list, bool is_list,
		struct config_access *access, char **namespace)
{
	struct kubeconfig *k = mem_new(1, sizeof(*k));

	*namespace = NULL;
	if (is_list)
		read_list(k, load, list);
	else
		add_file(k, list);
	if (k->n > 0 && k->report.nerrors == 0)
		take_context(k, access, namespace);
	config_report_append(load->report, &k->report);
	for (size_t i = 0; i < k->n; i++) {
		wipe_tree(k->files[i].load.root);
		config_node_free(k->files[i].load.root);
		free(k->files[i].path);
	}
	free(k);
}
