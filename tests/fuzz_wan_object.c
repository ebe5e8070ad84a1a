/* The ConfigMap: whatever it holds is within its bounds, and can be written and read again. */
#include "cluster/leadership.h"
#include "cluster/wan_object.h"
#include "common/json.h"
#include "tests/fuzz.h"

static void
check_name(const char *text, size_t size)
{
	REQUIRE(strnlen(text, size) < size);
	for (; *text != '\0'; text++)
		REQUIRE(*text > ' ' && *text <= '~');
}

static void
check_family(const struct msg_wan_family *f, enum address_family family)
{
	REQUIRE(f->address.family == ADDRESS_NONE || f->address.family == family);
	REQUIRE(f->state < MSG_WAN_STATE__MAX);
	REQUIRE(f->nvotes <= MSG_VOTES_MAX && f->nchanges <= MSG_CHANGES_MAX);
	REQUIRE(f->detected_at >= 0 && f->confirmed_at >= 0 && f->checked_at >= 0);
	REQUIRE(f->reason[0] == '\0' || fuzz_is_phrase(f->reason));
	for (size_t i = 0; i < f->nvotes; i++)
		REQUIRE(fuzz_is_phrase(f->votes[i].operator));
	for (size_t i = 0; i < f->nchanges; i++)
		REQUIRE(f->changes[i].address.family == ADDRESS_NONE ||
			f->changes[i].address.family == family);
}

static void
check_state(const struct api_fence *fence, const struct wan_content *content, const char *trouble)
{
	REQUIRE(fence->epoch >= 0 && fence->epoch <= MSG_EPOCH_MAX);
	REQUIRE(fence->sequence >= 0 && fence->sequence <= INT64_C(9007199254740991));
	check_name(fence->uid, sizeof(fence->uid));
	check_name(fence->version, sizeof(fence->version));
	check_name(fence->holder, sizeof(fence->holder));
	check_name(content->publisher, sizeof(content->publisher));
	REQUIRE(content->publisher[0] == '\0' || strncmp(content->publisher, "tcp://", 6) == 0);
	REQUIRE(content->followers <= 1000000);
	REQUIRE(trouble[0] == '\0' || fuzz_is_phrase(trouble));
	check_family(&content->wan.ipv4, ADDRESS_IPV4);
	check_family(&content->wan.ipv6, ADDRESS_IPV6);
}

/* A claim of what was read makes an object that is well, and says the same. */
static void
check_claim(const cJSON *object, const struct api_fence *fence, const struct wan_content *content)
{
	struct api_fence claimed = *fence, again;
	struct wan_content same;
	char trouble[MSG_REASON_MAX], *text;
	cJSON *claim, *back;

	strcpy(claimed.uid, "uid");
	strcpy(claimed.version, "1");
	claimed.epoch = fence->epoch % MSG_EPOCH_MAX + 1;
	claim = wan_object_claim(object, &claimed, content);
	text = json_print(claim);
	back = json_parse(text, strlen(text), NULL);
	/* names of a person's own keys may be more than this program reads */
	if (back != NULL) {
		wan_object_read(back, &again, &same, trouble);
		REQUIRE(trouble[0] == '\0');
		REQUIRE(again.epoch == claimed.epoch && again.sequence == claimed.sequence);
		REQUIRE(strcmp(again.holder, fence->holder) == 0);
		REQUIRE(address_equal(&same.wan.ipv4.address, &content->wan.ipv4.address));
		REQUIRE(address_equal(&same.wan.ipv6.address, &content->wan.ipv6.address));
		REQUIRE(same.wan.ipv4.confirmed_at == content->wan.ipv4.confirmed_at);
		REQUIRE(same.wan.ipv6.nchanges == content->wan.ipv6.nchanges);
	}
	cJSON_Delete(back);
	cJSON_Delete(claim);
	free(text);
}

/* A record that was read is written as the same text in other words. */
static void
check_record(const cJSON *object)
{
	struct wan_record r, again;
	struct wan_record_change change = { "record.a.A", true, NULL, &r };
	cJSON *patch, *o = cJSON_CreateObject();

	wan_record_read(object, "record.a.A", &r);
	REQUIRE(!r.exists || r.raw != NULL);
	change.old = r.raw;
	patch = wan_records_patch(&(struct api_fence){ .epoch = 1 }, LEADERSHIP_TEST_ALL, &change,
				  1);
	REQUIRE(cJSON_GetArraySize(patch) == 6);
	cJSON_AddStringToObject(cJSON_AddObjectToObject(o, "data"), "record.a.A",
				json_text(cJSON_GetArrayItem(patch, 5), "value"));
	wan_record_read(o, "record.a.A", &again);
	REQUIRE(again.exists && again.in_sync == r.in_sync && again.pending == r.pending);
	REQUIRE(address_equal(&again.value, &r.value) && address_equal(&again.found, &r.found));
	REQUIRE(again.claimed_at / 1000 == r.claimed_at / 1000 && again.ttl == r.ttl);
	REQUIRE(strcmp(again.error, r.error) == 0 && strcmp(again.by, r.by) == 0);
	free(again.raw);
	free(r.raw);
	cJSON_Delete(o);
	cJSON_Delete(patch);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cJSON *object = json_parse((const char *)data, size, NULL);
	char trouble[MSG_REASON_MAX];
	struct wan_content content;
	struct api_fence fence;

	if (object == NULL)
		return 0;
	wan_object_read(object, &fence, &content, trouble);
	check_state(&fence, &content, trouble);
	check_claim(object, &fence, &content);
	check_record(object);
	cJSON_Delete(object);
	return 0;
}
