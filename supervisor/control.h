/*
 * The control socket: control.sock in the runtime directory, mode 0600, for the
 * user who runs this and for root. One JSON object a line each way; a
 * connection's next request is read once the one before it was answered.
 * Everything is bounded and nothing blocks: a client that does not read, or says
 * nothing, is closed after CONTROL_IDLE_MS.
 */
#ifndef SUPERVISOR_CONTROL_H
#define SUPERVISOR_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/pollset.h"
#include "supervisor/config.h"

#define CONTROL_SOCKET "control.sock"
#define CONTROL_CLIENTS_MAX 8
#define CONTROL_LINE_MAX 4096          /* of a request, with its newline */
#define CONTROL_ANSWER_MAX (64 * 1024) /* without its newline */
#define CONTROL_IDLE_MS 30000

enum control_verb {
	CONTROL_STATUS,
	CONTROL_PING,
	CONTROL_DETECT,
	CONTROL_SYNC,
	CONTROL_START, /* this one and the next three name a unit */
	CONTROL_STOP,
	CONTROL_RESTART,
	CONTROL_RESET_FAILED,
	CONTROL_RELOAD,
	CONTROL_SHUTDOWN,
	CONTROL_VERB__MAX
};

/* Why a request was refused or failed: words for programs, in the answer's "code". */
#define CONTROL_MALFORMED "malformed"
#define CONTROL_NO_SUCH_UNIT "no-such-unit"
#define CONTROL_FAILED "failed"

struct control_request {
	enum control_verb verb;
	enum config_unit unit; /* CONFIG_UNIT__MAX for a verb that names none */
};

/*
 * Read one line, without its newline: {"command":"stop","unit":"detector"}. NULL,
 * or the code of the refusal with *why a sentence, valid until the next call.
 */
const char *control_parse(const char *line, size_t len, struct control_request *out,
			  const char **why);
const char *control_verb_name(enum control_verb verb);

struct control;

/* client stands for the one who asked, in control_answer(); it is never used again. */
typedef void control_handler(void *arg, uint64_t client, const struct control_request *request);

/*
 * Make the socket in the place of one that an earlier process left. The caller
 * holds the directory's lock. NULL with errno if it cannot be made.
 */
struct control *control_open(const char *runtime_dir, control_handler *handler, void *arg);
/* Removes the socket too. NULL is fine. */
void control_close(struct control *c);

/*
 * Answer a client with one JSON object, on one line; longer ones than
 * CONTROL_ANSWER_MAX are replaced by a refusal. A client that is gone hears nothing.
 */
void control_answer(struct control *c, uint64_t client, const char *json);
/* Is the client there, and still without its answer? */
bool control_waits(const struct control *c, uint64_t client);
/* An answer with {"ok":false,"code":...,"error":...}. */
void control_refuse(struct control *c, uint64_t client, const char *code, const char *why);

/* NULL is fine for both. */
void control_prepare(const struct control *c, struct pollset *set, int64_t now_ms);
void control_dispatch(struct control *c, const struct pollset *set, int64_t now_ms);

#endif
