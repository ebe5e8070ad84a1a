/* What /icon.svg serves. */
#include "webd/view_html.h"

const char page_icon[] =
	"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\">\n"
	"<circle cx=\"16\" cy=\"16\" r=\"14\" fill=\"#2f8f83\"/>\n"
	"<circle cx=\"16\" cy=\"16\" r=\"8\" fill=\"none\" stroke=\"#fff\" stroke-width=\"2.5\"/>\n"
	"<circle cx=\"16\" cy=\"16\" r=\"2.75\" fill=\"#fff\"/>\n"
	"</svg>\n";
