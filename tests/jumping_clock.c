/*
 * esddns with a wall clock that is a year ahead and a year behind in turn, at
 * each reading; linked with --wrap=clock_gettime. Time namespaces have no wall clock.
 */
#include <stdbool.h>
#include <time.h>

#define YEAR_S (366 * 86400L)

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);

int
__wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	static bool ahead;
	int rc = __real_clock_gettime(id, ts);

	if (rc == 0 && id == CLOCK_REALTIME) {
		ahead = !ahead;
		ts->tv_sec += ahead ? YEAR_S : -YEAR_S;
	}
	return rc;
}
