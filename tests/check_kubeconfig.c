/*
 * Kubernetes as the back end: what a kubeconfig gives, what a pod gives, and
 * one sentence for each mistake.
 */
#include "common/json.h"
#include "supervisor/parts.h"
#include "supervisor/pem.h"
#include "tests/config_world.h"

#define CA_PEM "-----BEGIN CERTIFICATE-----\nY2E=\n-----END CERTIFICATE-----\n"
#define CERT_PEM "-----BEGIN CERTIFICATE-----\nY2VydA==\n-----END CERTIFICATE-----\n"
#define KEY_PEM "-----BEGIN EC PRIVATE KEY-----\na2V5\n-----END EC PRIVATE KEY-----\n"
#define CA_DATA "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tClkyRT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="
#define CERT_DATA                                                                                  \
	"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tClkyVnlkQT09Ci0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K"
#define KEY_DATA                                                                                   \
	"LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS0tLS0tCmEyVjUKLS0tLS1FTkQgRUMgUFJJVkFURSBLRVktLS0tLQo="

/* The file that most of these tests vary: cluster and user are flow mappings. */
#define KUBECONFIG(cluster, user)                                                                  \
	"apiVersion: v1\n"                                                                         \
	"kind: Config\n"                                                                           \
	"preferences: {}\n"                                                                        \
	"current-context: here\n"                                                                  \
	"clusters:\n"                                                                              \
	"- name: c\n"                                                                              \
	"  cluster: {" cluster "}\n"                                                               \
	"users:\n"                                                                                 \
	"- name: u\n"                                                                              \
	"  user: {" user "}\n"                                                                     \
	"contexts:\n"                                                                              \
	"- name: here\n"                                                                           \
	"  context: {cluster: c, user: u}\n"
#define SERVER "server: \"https://k.example:6443\""

static void
write_text(const char *path, const char *text)
{
	write_file(path, text, strlen(text));
}

/* esddns.yaml with these lines in "cluster", and what the environment adds to the token. */
static void
load_cluster(const char *lines, char *const *more)
{
	char *env[16] = { token_env[0] };
	char *text = mem_printf("records: [{zone: example.com}]\ncluster:\n%s", lines);

	for (size_t i = 0; more != NULL && more[i] != NULL; i++)
		env[i + 1] = more[i];
	load_text(text, env);
	free(text);
}

/* With the file "config" in the scratch directory as the kubeconfig. */
static void
load_kubeconfig(const char *text)
{
	char *lines = mem_printf("  kubeconfig: %s/config\n", scratch);

	write_text("config", text);
	load_cluster(lines, NULL);
	free(lines);
}

/* As expect(), with the scratch directory's name in the place of @. */
static void
expect_here(const char *wanted)
{
	struct buf b = BUF_INIT;

	for (; *wanted != '\0'; wanted++)
		if (*wanted == '@')
			buf_adds(&b, scratch);
		else
			buf_addc(&b, *wanted);
	expect(buf_text(&b));
	buf_free(&b);
}

static void
expect_path(const char *path, const char *name)
{
	char *wanted = mem_printf("%s/%s", scratch, name);

	ck_assert_pstr_eq(path, wanted);
	free(wanted);
}

/* --- what it gives ----------------------------------------------------------- */

START_TEST(takes_a_token_and_an_authority)
{
	const struct config_access *a;

	load_kubeconfig(KUBECONFIG(SERVER ", certificate-authority-data: " CA_DATA
					  ", tls-server-name: api.example",
				   "token: abc.def"));
	expect("");
	a = &config->cluster.access;
	ck_assert_int_eq(config->cluster.backend, CONFIG_BACKEND_KUBERNETES);
	ck_assert_str_eq(a->server, "https://k.example:6443");
	ck_assert_str_eq(a->ca_data, CA_PEM);
	ck_assert_str_eq(a->token, "abc.def");
	ck_assert_str_eq(a->tls_server_name, "api.example");
	ck_assert_ptr_null(a->ca_file);
	ck_assert_ptr_null(a->token_file);
	ck_assert(!a->insecure);
	ck_assert_str_eq(config->cluster.namespace, "default");
	ck_assert_ptr_null(config->cluster.pod_name);
	ck_assert_ptr_nonnull(config->cluster.identity_host);
}
END_TEST

START_TEST(takes_a_certificate_with_its_key)
{
	load_kubeconfig(KUBECONFIG(SERVER, "client-certificate-data: " CERT_DATA
					   ", client-key-data: " KEY_DATA));
	expect("");
	ck_assert_str_eq(config->cluster.access.cert_data, CERT_PEM);
	ck_assert_str_eq(config->cluster.access.key_data, KEY_PEM);
	ck_assert_ptr_null(config->cluster.access.token);
}
END_TEST

/* Paths begin where the file is; keys are read at once, an authority later and again. */
START_TEST(reads_files_from_its_own_directory)
{
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(chdir(scratch), 0);
	write_text("ca.pem", CA_PEM);
	write_text("cert.pem", CERT_PEM);
	write_text("key.pem", KEY_PEM);
	write_text("token", "from-a-file\n");
	load_kubeconfig(
		KUBECONFIG(SERVER ", certificate-authority: ca.pem",
			   "client-certificate: ./cert.pem, client-key: key.pem, tokenFile: "
			   "token, token: loses"));
	expect("");
	expect_path(config->cluster.access.ca_file, "ca.pem");
	expect_path(config->cluster.access.token_file, "token");
	ck_assert_ptr_null(config->cluster.access.ca_data);
	ck_assert_ptr_null(config->cluster.access.token);
	ck_assert_str_eq(config->cluster.access.cert_data, CERT_PEM);
	ck_assert_str_eq(config->cluster.access.key_data, KEY_PEM);
}
END_TEST

START_TEST(prefers_data_to_files)
{
	load_kubeconfig(KUBECONFIG(SERVER ", certificate-authority: gone, "
					  "certificate-authority-data: " CA_DATA,
				   "client-certificate: gone, client-certificate-data: " CERT_DATA
				   ", client-key: gone, client-key-data: " KEY_DATA));
	expect("");
	ck_assert_str_eq(config->cluster.access.ca_data, CA_PEM);
	ck_assert_ptr_null(config->cluster.access.ca_file);
}
END_TEST

START_TEST(counts_empty_members_as_absent)
{
	load_kubeconfig(KUBECONFIG(SERVER
				   ", proxy-url: \"\", insecure-skip-tls-verify: false, "
				   "certificate-authority-data: \"\", extensions: [{name: e, "
				   "extension: {x: {y: 1}}}]",
				   "token: t, username: \"\", exec: null, as-groups: []"));
	expect("");
}
END_TEST

static void
load_list(const char *list)
{
	char *variable = mem_printf("KUBECONFIG=%s", list), *more[] = { variable, NULL };

	load_cluster("  backend: kubernetes\n", more);
	free(variable);
}

START_TEST(takes_the_first_definition_of_a_list)
{
	write_text("a", "current-context: \"\"\nusers: [{name: u, user: {token: first}}]\n");
	write_text("b", KUBECONFIG(SERVER, "token: second"));
	write_text("c", "current-context: other\nclusters: [{name: c, cluster: {server: x}}]\n");
	load_list(":a:missing::b:c:");
	expect("");
	ck_assert_str_eq(config->cluster.access.token, "first");
	ck_assert_str_eq(config->cluster.access.server, "https://k.example:6443");
	load_list("missing:gone");
	expect("KUBECONFIG: names no file that is there\n");
	load_list("a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:b:b");
	expect("KUBECONFIG: names more than 16 files\n");
}
END_TEST

/* --- which back end ---------------------------------------------------------- */

START_TEST(is_selected_by_the_file_only)
{
	char *file = mem_printf("KUBECONFIG=%s/config", scratch), *more[] = { file, NULL };

	write_text("config", KUBECONFIG(SERVER, "token: t"));
	load_cluster("  {}\n", more); /* the variable alone selects nothing */
	expect("");
	ck_assert_int_eq(config->cluster.backend, CONFIG_BACKEND_LOCAL);
	ck_assert_ptr_null(config->cluster.access.server);
	load_cluster("  backend: kubernetes\n", more);
	expect("");
	ck_assert_int_eq(config->cluster.backend, CONFIG_BACKEND_KUBERNETES);
	load_cluster("  backend: kubernetes\n", NULL);
	expect("test.yaml:3: cluster.backend: this is no pod, so it needs cluster.kubeconfig or "
	       "the "
	       "variable KUBECONFIG\n");
	load_cluster("  backend: kubernetes\n  kubeconfig: /nonexistent/k\n", more);
	expect("/nonexistent/k: cannot be opened: No such file or directory\n");
	load_cluster("  backend: local\n  kubeconfig: /nonexistent/k\n", more);
	expect("");
	free(file);
}
END_TEST

/* --- in a pod ---------------------------------------------------------------- */

static char *pod_env[12];
static char account[128];

/* The variables of a pod, with more behind them; the token and the authority are there. */
static void
be_pod(const char *host, const char *more0, const char *more1)
{
	static char texts[4][128];

	snprintf(texts[0], sizeof(texts[0]), "KUBERNETES_SERVICE_HOST=%s", host);
	snprintf(account, sizeof(account), "ESDDNS_SERVICEACCOUNT_DIR=%s", scratch);
	snprintf(texts[1], sizeof(texts[1]), "%s", more0 != NULL ? more0 : "A=b");
	snprintf(texts[2], sizeof(texts[2]), "%s", more1 != NULL ? more1 : "A=b");
	pod_env[0] = texts[0];
	strcpy(texts[3], "KUBERNETES_SERVICE_PORT=443");
	pod_env[1] = texts[3];
	pod_env[2] = account;
	pod_env[3] = texts[1];
	pod_env[4] = texts[2];
	pod_env[5] = NULL;
	write_text("token", "t");
	write_text("ca.crt", CA_PEM);
	write_text("namespace", "mounted\n");
}

START_TEST(finds_the_api_server_of_its_pod)
{
	static const struct {
		const char *host, *server;
	} cases[] = { { "10.96.0.1", "https://10.96.0.1:443" },
		      { "fd00::1", "https://[fd00::1]:443" },
		      { "kubernetes.default.svc", "https://kubernetes.default.svc:443" } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		be_pod(cases[i].host, "POD_NAME=esddns-x1", "POD_UID=0b9c-1");
		load_cluster("  backend: auto\n", pod_env);
		expect("");
		ck_assert_int_eq(config->cluster.backend, CONFIG_BACKEND_KUBERNETES);
		ck_assert_str_eq(config->cluster.access.server, cases[i].server);
		expect_path(config->cluster.access.token_file, "token");
		expect_path(config->cluster.access.ca_file, "ca.crt");
		ck_assert_str_eq(config->cluster.namespace, "mounted");
		ck_assert_str_eq(config->cluster.pod_name, "esddns-x1");
		ck_assert_str_eq(config->cluster.pod_uid, "0b9c-1");
		ck_assert_str_eq(config->cluster.identity_host, "esddns-x1");
	}
}
END_TEST

START_TEST(names_itself_after_its_node)
{
	be_pod("10.0.0.1", "HOSTNAME=pod-7", NULL);
	load_cluster("  node_name: node-1\n", pod_env);
	expect("");
	ck_assert_str_eq(config->cluster.pod_name, "pod-7");
	ck_assert_str_eq(config->cluster.identity_host, "node-1");
	be_pod("10.0.0.1", "HOSTNAME=pod-7", "NODE_NAME=node-2");
	load_cluster("  namespace: x\n", pod_env);
	ck_assert_str_eq(config->cluster.identity_host, "node-2");
}
END_TEST

START_TEST(decides_its_namespace)
{
	char *lines;

	be_pod("10.0.0.1", "POD_NAMESPACE=of-pod", NULL);
	load_cluster("  namespace: of-file\n", pod_env);
	ck_assert_str_eq(config->cluster.namespace, "of-file");
	load_cluster("  backend: auto\n", pod_env);
	ck_assert_str_eq(config->cluster.namespace, "of-pod");
	be_pod("10.0.0.1", NULL, NULL);
	load_cluster("  backend: auto\n", pod_env);
	ck_assert_str_eq(config->cluster.namespace, "mounted");
	write_text("namespace", "Not A Name\n");
	load_cluster("  backend: auto\n", pod_env);
	expect("test.yaml:2: cluster.namespace: the pod does not say in which namespace it is; set "
	       "it, or POD_NAMESPACE\n");
	/* a kubeconfig's context comes last */
	write_text("config", KUBECONFIG(SERVER, "token: t") "current: x\n");
	lines = mem_printf("  kubeconfig: %s/config\n", scratch);
	load_cluster(lines, NULL);
	ck_assert_str_eq(config->cluster.namespace, "default");
	write_text("config", "current-context: n\nclusters: [{name: c, cluster: {" SERVER "}}]\n"
			     "users: [{name: u, user: {token: t}}]\ncontexts: [{name: n, context: "
			     "{cluster: c, user: u, namespace: of-context}}]\n");
	load_cluster(lines, NULL);
	ck_assert_str_eq(config->cluster.namespace, "of-context");
	free(lines);
}
END_TEST

START_TEST(says_what_a_pod_lacks)
{
	be_pod("10.0.0.1", NULL, NULL);
	unlink("token");
	load_cluster("  backend: auto\n", pod_env);
	expect_here(
		"test.yaml:3: cluster.backend: this is a pod, but @/token cannot be read: No such "
		"file or directory; mount a token of its service account, or set "
		"cluster.backend to local\n");
	be_pod("10.0.0.1/x", NULL, NULL);
	load_cluster("  backend: auto\n", pod_env);
	expect("KUBERNETES_SERVICE_HOST: is neither an address nor a host\n");
	be_pod("10.0.0.1", "POD_NAMESPACE=A b", "POD_NAME=x\tY");
	load_cluster("  backend: auto\n", pod_env);
	expect("POD_NAMESPACE: 'A b' must be 1 to 63 lower-case letters, digits, dots or hyphens\n"
	       "POD_NAME: 'x?Y' must be 1 to 253 lower-case letters, digits, dots or hyphens\n");
	be_pod("10.0.0.1", NULL, NULL);
	pod_env[1] = (char[]){ "KUBERNETES_SERVICE_PORT=0" };
	load_cluster("  backend: auto\n", pod_env);
	expect("KUBERNETES_SERVICE_PORT: must be the API server's port, as it is in every pod\n");
}
END_TEST

/* --- rules of a cluster ------------------------------------------------------ */

START_TEST(asks_for_consent_where_a_record_follows_one_node)
{
	char *env[8] = { token_env[0] };

	be_pod("10.0.0.1", NULL, NULL);
	memcpy(env + 1, pod_env, 6 * sizeof(*env));
	load_text("records:\n  - {zone: example.com}\n  - {zone: example.com, type: AAAA}\n", env);
	expect("test.yaml:3: records: an AAAA record in a cluster names the leading node and moves "
	       "with it; set leader_address: true if that is wanted\n");
	load_text("records: [{zone: example.com, type: AAAA, leader_address: true}]\n", env);
	expect("");
	load_text("records: [{zone: example.com, type: AAAA}]\nupdater: {observe: true}\n", env);
	expect("");
	load_text("records: [{zone: example.com, type: AAAA}]\ncluster: {backend: local}\n", env);
	expect("");
}
END_TEST

START_TEST(goes_on_without_a_peer_key)
{
	be_pod("10.0.0.1", NULL, NULL);
	load_cluster("  peers: {key_file: /nonexistent/key}\n", pod_env);
	expect("warning: test.yaml:3: cluster.peers.key_file: /nonexistent/key cannot be read: No "
	       "such file or directory; without it the nodes do not talk to each other\n");
	load_cluster("  lease: {duration: 15500ms}\n", pod_env);
	expect("test.yaml:3: cluster.lease.duration: must be whole seconds, as a Lease holds it\n");
}
END_TEST

/* --- parts ------------------------------------------------------------------- */

static cJSON *
cluster_of(char *part, cJSON **root)
{
	*root = json_parse(part, strlen(part), NULL);
	parts_free(part);
	ck_assert_ptr_nonnull(*root);
	return cJSON_GetObjectItem(*root, "cluster");
}

/* Detector and updater get all of it; webd and a probe nothing but the back end's name. */
START_TEST(hands_it_on_to_those_who_need_it)
{
	static const char wanted[] =
		"{\"backend\":\"kubernetes\",\"access\":{\"server\":\"https://k.example:6443\","
		"\"namespace\":\"default\",\"token\":\"t\",\"token_file\":null,\"ca_file\":null,"
		"\"ca_data\":null,\"cert_data\":null,\"key_data\":null,\"tls_server_name\":null,"
		"\"insecure\":false},\"lease\":{\"name\":\"esddns-leader\",\"duration\":20000,"
		"\"renew_deadline\":10000,\"retry_period\":2000},\"configmap\":\"wan\","
		"\"node_name\":\"n1\",\"pod_name\":null,\"pod_uid\":null,\"identity_host\":\"n1\","
		"\"peers\":{\"listen\":{\"host\":\"::\",\"port\":7},\"advertise\":\"192.0.2.9\","
		"\"key_file\":null}}";
	char *lines =
		mem_printf("  kubeconfig: %s/config\n  lease: {duration: 20s}\n"
			   "  configmap: wan\n  node_name: n1\n  peers: {listen: \"[::]:7\"}\n",
			   scratch);
	char *more[] = { (char[]){ "POD_IP=192.0.2.9" }, NULL }, *text;
	cJSON *root;

	write_text("config", KUBECONFIG(SERVER, "token: t"));
	load_cluster(lines, more);
	expect("");
	text = json_print(cluster_of(parts_detector(config), &root));
	ck_assert_str_eq(text, wanted);
	free(text);
	cJSON_Delete(root);
	text = json_print(cluster_of(parts_updater(config), &root));
	ck_assert_str_eq(text, wanted);
	free(text);
	cJSON_Delete(root);
	text = json_print(cluster_of(parts_webd(config), &root));
	ck_assert_str_eq(text, "{\"backend\":\"kubernetes\"}");
	ck_assert_str_eq(json_text(root, "instance"), "n1");
	free(text);
	cJSON_Delete(root);
	text = json_print(cluster_of(parts_probe(config), &root));
	ck_assert_str_eq(text, "{\"backend\":\"local\"}"); /* it asks sources, and takes no part */
	free(text);
	cJSON_Delete(root);
	parts_free(NULL);
	free(lines);
}
END_TEST

/* --- sentences --------------------------------------------------------------- */

static const struct {
	const char *text, *wanted; /* @: the scratch directory */
} refused[] = {
	{ "",
	  "@/config: there is no current-context; \"kubectl config use-context NAME\" sets it\n" },
	{ "[]", "@/config:1: the file must be a mapping: lines of the form \"key: value\"\n" },
	{ "a: [", "@/config:2: not valid YAML: did not find expected node content\n" },
	{ "current-context: x\n", "@/config:1: current-context: there is no context named 'x'\n" },
	{ "current-context: [x]\n",
	  "@/config:1: current-context: must be a text\n"
	  "@/config: there is no current-context; \"kubectl config use-context NAME\" sets it\n" },
	{ "current-context: x\ncontexts: [{name: x, context: 7}]\n",
	  "@/config:2: contexts.context: must be a mapping\n" },
	{ "current-context: x\ncontexts: [{name: x, context: {}}]\n",
	  "@/config:2: contexts.context: it names no cluster\n" },
	{ "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n",
	  "@/config:2: contexts.context.cluster: there is no cluster named 'c'\n"
	  "@/config:2: contexts.context.user: there is no user named 'u'\n" },
	{ KUBECONFIG("", "token: t"), "@/config:7: clusters.cluster: there is no server\n" },
	{ KUBECONFIG("server: k.example", "token: t"),
	  "@/config:7: clusters.cluster.server: 'k.example' starts with none of https://, http://, "
	  "stun: and stun-tcp:\n" },
	{ KUBECONFIG("server: \"stun:k.example:1\"", "token: t"),
	  "@/config:7: clusters.cluster.server: 'stun:k.example:1' does not start with "
	  "https://\n" },
	{ KUBECONFIG("server: \"https://k/?x\"", "token: t"),
	  "@/config:7: clusters.cluster.server: 'https://k/?x' must not hold a query\n" },
	{ KUBECONFIG("server: \"http://k.example\"", "token: t"),
	  "@/config:7: clusters.cluster.server: http:// would show the token to everyone on the "
	  "way; "
	  "use https://\n" },
	{ KUBECONFIG(SERVER ", proxy-url: \"http://p\"", "token: t"),
	  "@/config:7: clusters.cluster.proxy-url: a proxy is not supported; the server must be in "
	  "reach\n" },
	{ KUBECONFIG(SERVER ", tls-server-name: \"a b\"", "token: t"),
	  "@/config:7: clusters.cluster.tls-server-name: is no name of a host\n" },
	{ KUBECONFIG(SERVER ", insecure-skip-tls-verify: maybe", "token: t"),
	  "@/config:7: clusters.cluster.insecure-skip-tls-verify: must be true or false\n" },
	{ KUBECONFIG(SERVER
		     ", insecure-skip-tls-verify: true, certificate-authority-data: " CA_DATA,
		     "token: t"),
	  "@/config:7: clusters.cluster.insecure-skip-tls-verify: contradicts the certificate "
	  "authority; remove one of them\n" },
	{ KUBECONFIG(SERVER ", insecure-skip-tls-verify: true", "token: t"),
	  "warning: @/config:7: clusters.cluster.insecure-skip-tls-verify: whoever answers is "
	  "believed to be the API server, and gets the credentials\n" },
	{ KUBECONFIG(SERVER ", certificate-authority: gone.pem", "token: t"),
	  "@/config:7: clusters.cluster.certificate-authority: @/gone.pem cannot be read: No such "
	  "file or directory\n" },
	{ KUBECONFIG(SERVER ", certificate-authority: config", "token: t"),
	  "@/config:7: clusters.cluster.certificate-authority: @/config is no PEM text of the "
	  "right "
	  "kind\n" },
	{ KUBECONFIG(SERVER ", certificate-authority-data: \"?\"", "token: t"),
	  "@/config:7: clusters.cluster.certificate-authority-data: is not base64\n" },
	{ KUBECONFIG(SERVER ", certificate-authority-data: AAAA", "token: t"),
	  "@/config:7: clusters.cluster.certificate-authority-data: holds a NUL character\n" },
	{ KUBECONFIG(SERVER ", certificate-authority-data: " KEY_DATA, "token: t"),
	  "@/config:7: clusters.cluster.certificate-authority-data: is no PEM text of the right "
	  "kind\n" },
	{ KUBECONFIG(SERVER, ""),
	  "@/config:10: users.user: it has neither a token nor a client certificate\n" },
	{ KUBECONFIG(SERVER, "token: \"a b\""),
	  "@/config:10: users.user.token: is no token: it holds a blank or a character that is not "
	  "ASCII, or is longer than 16384 bytes\n" },
	{ KUBECONFIG(SERVER, "token: {a: b}"), "@/config:10: users.user.token: must be a text\n" },
	{ KUBECONFIG(SERVER, "tokenFile: gone"),
	  "@/config:10: users.user.tokenFile: @/gone cannot be read: No such file or directory\n" },
	{ KUBECONFIG(SERVER, "client-certificate-data: " CERT_DATA),
	  "@/config:10: users.user: a client certificate needs its key, and a key its "
	  "certificate\n" },
	{ KUBECONFIG(SERVER, "client-key-data: " KEY_DATA),
	  "@/config:10: users.user: a client certificate needs its key, and a key its "
	  "certificate\n" },
	{ KUBECONFIG(SERVER, "exec: {command: aws}"),
	  "@/config:10: users.user.exec: plug-ins that get credentials are not supported; use a "
	  "token or a client certificate\n" },
	{ KUBECONFIG(SERVER, "auth-provider: {name: gcp}"),
	  "@/config:10: users.user.auth-provider: providers of credentials are not supported; use "
	  "a "
	  "token or a client certificate\n" },
	{ KUBECONFIG(SERVER, "username: a, password: secret"),
	  "@/config:10: users.user.username: a user name with a password is not supported; use a "
	  "token\n"
	  "@/config:10: users.user.password: a user name with a password is not supported; use a "
	  "token\n" },
	{ KUBECONFIG(SERVER, "token: t, as: root"),
	  "@/config:10: users.user.as: acting as somebody else is not supported; name a user with "
	  "the rights that it needs\n" },
};

START_TEST(says_what_is_wrong)
{
	load_kubeconfig(refused[_i].text);
	expect_here(refused[_i].wanted);
	for (size_t i = 0; i < report.n; i++)
		ck_assert_ptr_null(strstr(report.messages[i].text, "secret"));
}
END_TEST

/* --- texts ------------------------------------------------------------------- */

START_TEST(decodes_base64)
{
	/* RFC 4648, section 10 */
	static const struct {
		const char *text, *wanted; /* NULL: refused */
	} cases[] = {
		{ "", "" },
		{ "Zg==", "f" },
		{ "Zm8=", "fo" },
		{ "Zm9v", "foo" },
		{ "Zm9vYg==", "foob" },
		{ "Zm9vYmE=", "fooba" },
		{ "Zm9v\r\nYmFy\n", "foobar" },
		{ "+/+/", "\xfb\xff\xbf" },
		{ "Z", NULL },
		{ "Zg", NULL },
		{ "Zg=", NULL },
		{ "Zg===", NULL },
		{ "=", NULL },
		{ "Zg==Zg==", NULL },
		{ "Zm9v-", NULL },
		{ "Zm 9v", NULL },
		{ "Zm9vYmFyYg==", NULL }, /* seven bytes, one more than is taken */
		{ "AAAA", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *why = NULL;
		char *got = pem_decode(cases[i].text, 6, &why);

		ck_assert_pstr_eq(got, cases[i].wanted);
		ck_assert((got == NULL) == (why != NULL));
		free(got);
	}
}
END_TEST

START_TEST(knows_pem)
{
	ck_assert_ptr_null(pem_refusal(CA_PEM, "CERTIFICATE"));
	ck_assert_ptr_null(pem_refusal("a comment\r\n" KEY_PEM, "PRIVATE KEY"));
	ck_assert_ptr_nonnull(pem_refusal(KEY_PEM, "CERTIFICATE"));
	ck_assert_ptr_nonnull(pem_refusal("CERTIFICATE", "CERTIFICATE"));
	ck_assert_ptr_nonnull(pem_refusal(CA_PEM "\x7f", "CERTIFICATE"));
	ck_assert_str_eq(pem_refusal("-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "PRIVATE KEY"),
			 "is encrypted; a key without a passphrase is needed");
	ck_assert_ptr_nonnull(pem_refusal(
		"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n", "PRIVATE KEY"));
}
END_TEST

START_TEST(bounds_files)
{
	char *large = mem_new(64 * 1024 + 2, 1);
	const char *why;
	char *text;

	memset(large, 'x', 64 * 1024 + 1);
	write_text("large", large);
	ck_assert_ptr_null(pem_read("large", 64 * 1024, &why));
	ck_assert_str_eq(why, "it is too large");
	text = pem_read("large", 64 * 1024 + 1, &why);
	ck_assert_str_eq(text, large);
	free(text);
	free(large);
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	ck_assert_ptr_null(pem_read("fifo", 10, &why));
	ck_assert_str_eq(why, "it is not a regular file");
	write_file("nul", "a\0b", 3);
	ck_assert_ptr_null(pem_read("nul", 10, &why));
	ck_assert_str_eq(why, "it holds a NUL character");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("kubeconfig");
	TCase *tc;

	tc = add_case(suite, "kubeconfig");
	tcase_add_test(tc, takes_a_token_and_an_authority);
	tcase_add_test(tc, takes_a_certificate_with_its_key);
	tcase_add_test(tc, reads_files_from_its_own_directory);
	tcase_add_test(tc, prefers_data_to_files);
	tcase_add_test(tc, counts_empty_members_as_absent);
	tcase_add_test(tc, takes_the_first_definition_of_a_list);
	tcase_add_loop_test(tc, says_what_is_wrong, 0, sizeof(refused) / sizeof(refused[0]));
	tc = add_case(suite, "cluster");
	tcase_add_test(tc, is_selected_by_the_file_only);
	tcase_add_test(tc, finds_the_api_server_of_its_pod);
	tcase_add_test(tc, names_itself_after_its_node);
	tcase_add_test(tc, decides_its_namespace);
	tcase_add_test(tc, says_what_a_pod_lacks);
	tcase_add_test(tc, asks_for_consent_where_a_record_follows_one_node);
	tcase_add_test(tc, goes_on_without_a_peer_key);
	tcase_add_test(tc, hands_it_on_to_those_who_need_it);
	tc = add_case(suite, "texts");
	tcase_add_test(tc, decodes_base64);
	tcase_add_test(tc, knows_pem);
	tcase_add_test(tc, bounds_files);
	return run_suite(suite);
}
