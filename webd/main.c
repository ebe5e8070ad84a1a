#include "webd/webd.h"

int
main(void)
{
	return webd_run();
}
