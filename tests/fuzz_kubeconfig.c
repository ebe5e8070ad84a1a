/* A kubeconfig: what the supervisor takes of it, the workers take as well. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cluster/kube.h"
#include "tests/fuzz_accepted.h"

static char path[32];

static int
open_files(void)
{
	int kubeconfig = memfd_create("kubeconfig", MFD_CLOEXEC);
	int fd = memfd_create("esddns.yaml", MFD_CLOEXEC);

	REQUIRE(kubeconfig >= 0 && fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	REQUIRE(dprintf(fd,
			"records: [{zone: example.com}]\n"
			"cluster: {kubeconfig: /proc/self/fd/%d}\n",
			kubeconfig) > 0);
	return kubeconfig;
}

static void
check_access(char *const *env)
{
	struct config_report report = { 0 };
	struct config *c = config_load(path, env, &report);
	const struct config_access *a = c != NULL ? &c->cluster.access : NULL;
	struct kube_access *taken;
	const char *why = NULL;
	cJSON *part;

	config_report_free(&report);
	if (c == NULL)
		return;
	REQUIRE(c->cluster.backend == CONFIG_BACKEND_KUBERNETES);
	REQUIRE(a->server != NULL && c->cluster.namespace != NULL);
	REQUIRE(a->token == NULL || a->token_file == NULL);
	REQUIRE(a->ca_file == NULL || a->ca_data == NULL);
	REQUIRE(!a->insecure || (a->ca_file == NULL && a->ca_data == NULL));
	part = fuzz_part(c, CONFIG_DETECTOR);
	taken = kube_access_read(cJSON_GetObjectItem(part, "cluster"), &why);
	if (taken == NULL)
		fprintf(stderr, "the worker refuses its part: %s\n", why);
	REQUIRE(taken != NULL && strcmp(taken->server, a->server) == 0);
	kube_access_free(taken);
	cJSON_Delete(part);
	config_free(c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char token[] = "GANDI_API_KEY=not-a-token", *const env[] = { token, NULL };
	static int fd = -1;

	if (fd < 0)
		fd = open_files();
	REQUIRE(ftruncate(fd, 0) == 0);
	REQUIRE(pwrite(fd, data, size, 0) == (ssize_t)size);
	fuzz_check_load(path, env);
	check_access(env);
	return 0;
}
