/*
 * The end of everything, should the supervisor be killed: workers die with it by
 * PR_SET_PDEATHSIG, but what they started does not. A process that does nothing
 * but wait at a pipe sees it break, and kills the workers' process groups.
 *
 * ESDDNS's own workers start no process, so none is spent on them: only a program
 * that the configuration put in a worker's place needs it.
 */
#ifndef SUPERVISOR_LIFELINE_H
#define SUPERVISOR_LIFELINE_H

#include <sys/types.h>

struct lifeline {
	int fd; /* the pipe's end that breaks with the supervisor; -1: not started */
};

/*
 * Take a process group under care; starts the process if there is none yet. A
 * failure is logged and lived with. PID 1 needs none: the kernel ends all with it.
 */
void lifeline_add(struct lifeline *l, pid_t group);
/* The group is empty, and its number free. A group that was never added is fine. */
void lifeline_remove(struct lifeline *l, pid_t group);
/* Let go of it: what is still under its care is killed, and it ends. */
void lifeline_close(struct lifeline *l);

#endif
