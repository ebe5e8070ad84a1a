/*
 * Does nothing, in a program that links what one of ours links: what is left of
 * its memory is the price of the libraries alone.
 */
#include <unistd.h>

int
main(void)
{
	pause();
	return 0;
}
