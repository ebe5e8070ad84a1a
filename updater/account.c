#include "updater/account.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/address.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"

/* For what stands around the list of records. */
#define FRAME_MAX 160

/* --- for the supervisor -------------------------------------------------------------- */

static void
add_text(struct buf *b, const char *key, const char *text)
{
	buf_printf(b, ",\"%s\":", key);
	if (text != NULL && text[0] != '\0')
		json_quote(b, text);
	else
		buf_adds(b, "null");
}

static void
add_record(struct buf *b, const struct record *rec, int64_t now_ms)
{
	char wanted[ADDRESS_TEXT_MAX];
	struct msg_record m;

	record_describe(rec, now_ms, &m);
	address_format(&m.wanted, wanted, sizeof(wanted));
	buf_adds(b, "{\"fqdn\":");
	json_quote(b, m.fqdn);
	add_text(b, "type", record_type(rec));
	add_text(b, "state", msg_record_state_name(m.state));
	add_text(b, "wanted", wanted);
	add_text(b, "found", m.nvalues > 0 ? m.values[0] : NULL);
	buf_printf(b, ",\"values\":%zu,\"ttl\":%lld",
		   m.by[0] == '\0' ? rec->plan.found.total : m.nvalues, (long long)m.ttl);
	buf_printf(b, ",\"checked_age_ms\":%lld,\"next_in_ms\":%lld", (long long)m.checked_age_ms,
		   (long long)m.next_in_ms);
	add_text(b, "by", m.by);
	add_text(b, "error", m.error);
	buf_addc(b, '}');
}

/* Adds those that are in sync, or those that are not, as long as they fit. */
static size_t
add_records(struct buf *b, struct record *const *list, size_t n, bool in_sync, size_t max,
	    int64_t now_ms)
{
	struct buf one = BUF_INIT;
	size_t added = 0;

	for (size_t i = 0; i < n; i++) {
		if ((record_state(list[i]) == MSG_RECORD_IN_SYNC) != in_sync)
			continue;
		buf_clear(&one);
		add_record(&one, list[i], now_ms);
		if (b->len + 1 + one.len > max)
			continue;
		if (b->data[b->len - 1] != '[')
			buf_addc(b, ',');
		buf_add(b, one.data, one.len);
		added++;
	}
	buf_free(&one);
	return added;
}

char *
account_state(const struct updater_config *config, struct record *const *list, size_t n,
	      size_t size, int64_t now_ms)
{
	struct buf b = BUF_INIT;
	size_t added;

	buf_printf(&b, "{\"observe\":%s,\"dry_run\":%s,\"total\":%zu,\"records\":[",
		   config->observe ? "true" : "false", config->dry_run ? "true" : "false", n);
	added = add_records(&b, list, n, false, size - FRAME_MAX, now_ms);
	added += add_records(&b, list, n, true, size - FRAME_MAX, now_ms);
	buf_printf(&b, "],\"left_out\":%zu}", n - added);
	return buf_take(&b);
}

/* --- for --once ---------------------------------------------------------------------- */

static void
word_failure(const struct record *rec, const struct msg_wan_family *f, bool late, char *why,
	     size_t size)
{
	const char *name = rec->conf->fqdn, *type = record_type(rec);
	struct msg_record m;

	record_describe(rec, 0, &m);
	if (m.error[0] != '\0')
		snprintf(why, size, "%s %s: %s", name, type, m.error);
	else if (m.state == MSG_RECORD_OBSERVED)
		snprintf(why, size, "%s %s differs from the address, and is only observed", name,
			 type);
	else if (f == NULL)
		snprintf(why, size, "%s %s: the detector told no address in time", name, type);
	else if (f->reason[0] != '\0')
		snprintf(why, size, "%s %s: %s", name, type, f->reason);
	else
		snprintf(why, size, "%s %s is not in sync%s", name, type,
			 late ? ", and the time is over" : "");
}

static enum account_verdict
judge_record(const struct record *rec, const struct msg_wan *wan)
{
	const struct msg_wan_family *f =
		wan != NULL ? msg_wan_family_const(wan, rec->conf->family) : NULL;

	switch (record_state(rec)) {
	case MSG_RECORD_IN_SYNC:
		/* with an address of an earlier run it may be the wrong one by now */
		if (f != NULL && f->state == MSG_WAN_AGREED && f->confirmed_age_ms >= 0)
			return ACCOUNT_IN_SYNC;
		break;
	case MSG_RECORD_ATTENTION:
		return ACCOUNT_FAILED;
	case MSG_RECORD_OBSERVED:
		if (f != NULL && f->state == MSG_WAN_AGREED)
			return ACCOUNT_FAILED;
		break;
	default:
		break;
	}
	return f != NULL && f->state == MSG_WAN_HELD ? ACCOUNT_FAILED : ACCOUNT_WORKING;
}

static void
word_success(struct record *const *list, size_t n, char *why, size_t size)
{
	char address[ADDRESS_TEXT_MAX];

	if (n == 1)
		snprintf(why, size, "%s %s is %s", list[0]->conf->fqdn, record_type(list[0]),
			 address_format(&list[0]->plan.wanted, address, sizeof(address)));
	else
		snprintf(why, size, "all %zu records are right", n);
}

enum account_verdict
account_judge(struct record *const *list, size_t n, const struct msg_wan *wan, bool late, char *why,
	      size_t size)
{
	enum account_verdict verdict = ACCOUNT_IN_SYNC;

	for (size_t i = 0; i < n; i++) {
		const struct record *rec = list[i];
		enum account_verdict one = judge_record(rec, wan);

		if (one == ACCOUNT_WORKING && late)
			one = ACCOUNT_FAILED;
		if (one == ACCOUNT_FAILED) {
			word_failure(rec,
				     wan != NULL ? msg_wan_family_const(wan, rec->conf->family)
						 : NULL,
				     late, why, size);
			return ACCOUNT_FAILED;
		}
		if (one == ACCOUNT_WORKING)
			verdict = ACCOUNT_WORKING;
	}
	if (verdict == ACCOUNT_IN_SYNC)
		word_success(list, n, why, size);
	return verdict;
}
