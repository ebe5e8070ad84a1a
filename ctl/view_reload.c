#include <stdio.h>

#include "common/json.h"
#include "common/wrap.h"
#include "ctl/view.h"

static void
put_messages(const cJSON *answer, const char *key, const char *left_out_key, struct buf *out)
{
	const cJSON *item;
	int64_t left_out;
	char line[64];

	cJSON_ArrayForEach(item, json_array(answer, key))
	{
		buf_adds(out, "  ");
		wrap_add(out, 2, 4, cJSON_IsString(item) ? item->valuestring : "?");
	}
	if (!json_int(answer, left_out_key, 1, INT32_MAX, &left_out))
		return;
	snprintf(line, sizeof(line), "and %lld more: esddns --check-config", (long long)left_out);
	wrap_paragraph(out, 2, line);
}

static void
put_changes(const cJSON *answer, struct buf *out)
{
	const cJSON *changed = json_array(answer, "changed"), *item;
	struct buf line = BUF_INIT;

	buf_adds(&line, "the configuration was read again and is in force");
	if (cJSON_GetArraySize(changed) == 0)
		buf_adds(&line, "; nothing changed for the workers");
	cJSON_ArrayForEach(item, changed) if (cJSON_IsString(item))
		buf_printf(&line, "%s%s", item == changed->child ? "; new settings for " : ", ",
			   item->valuestring);
	wrap_add(out, 0, 2, buf_text(&line));
	buf_free(&line);
}

void
view_reload(const cJSON *answer, struct buf *out)
{
	const char *error = json_text(answer, "error");
	bool ok;

	if (json_bool(answer, "ok", &ok) && ok)
		put_changes(answer, out);
	else
		wrap_add(out, 0, 2,
			 error != NULL ? error : "the supervisor refused, without a word");
	put_messages(answer, "errors", "errors_left_out", out);
	if (cJSON_GetArraySize(json_array(answer, "warnings")) > 0)
		buf_adds(out, "warnings:\n");
	put_messages(answer, "warnings", "warnings_left_out", out);
}
