/*
 * What the updater says of all its records together: to the supervisor, for
 * esddnsctl status; and with esddns --once, whether the work is done.
 */
#ifndef UPDATER_ACCOUNT_H
#define UPDATER_ACCOUNT_H

#include <stddef.h>
#include <stdint.h>

#include "ipc/message.h"
#include "updater/config.h"
#include "updater/record.h"

/*
 * One JSON object of at most size - 1 bytes; free() it. Records that are not in
 * sync come first; those that do not fit are left out, and counted. size at
 * least 1024.
 */
char *account_state(const struct updater_config *config, struct record *const *list, size_t n,
		    size_t size, int64_t now_ms);

enum account_verdict {
	ACCOUNT_WORKING, /* not decided yet */
	ACCOUNT_IN_SYNC, /* all records are right, for addresses that were confirmed now */
	ACCOUNT_FAILED   /* why says what stands in the way */
};

/*
 * Judge, for --once. wan is the detector's last news, NULL while there was none;
 * late: its time is over. why is a sentence with ACCOUNT_FAILED and a summary with
 * ACCOUNT_IN_SYNC; its size at least MSG_REASON_MAX.
 */
enum account_verdict account_judge(struct record *const *list, size_t n, const struct msg_wan *wan,
				   bool late, char *why, size_t size);

#endif
