#include <stdio.h>
#include <string.h>

#include "detector/detector.h"
#include "detector/survey.h"

#define EXIT_USAGE 64 /* EX_USAGE */

int
main(int argc, char **argv)
{
	bool probe = argc > 1 && strcmp(argv[1], "--probe") == 0;
	bool json = argc > 2 && strcmp(argv[2], "--json") == 0;

	if (argc > 1 + probe + json) {
		fputs("esddns-detector is no command: esddns starts it, see esddns(8)\n", stderr);
		return EXIT_USAGE;
	}
	return probe ? survey_run(json) : detector_run();
}
