#include "updater/updater.h"

int
main(void)
{
	return updater_run();
}
