#include <stdio.h>

#include "detector/detector.h"

#define EXIT_USAGE 64 /* EX_USAGE */

int
main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1) {
		fputs("esddns-detector takes no arguments: esddns starts it, see esddns(8)\n",
		      stderr);
		return EXIT_USAGE;
	}
	return detector_run();
}
