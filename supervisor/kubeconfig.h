/*
 * A kubeconfig: which API server, and who we are there. Only what needs no
 * other program and no proxy; the rest is refused with a sentence.
 */
#ifndef SUPERVISOR_KUBECONFIG_H
#define SUPERVISOR_KUBECONFIG_H

#include <stdbool.h>

#include "supervisor/config_internal.h"

/*
 * Read the files of list, separated by colons where is_list says so (then those
 * that are not there are skipped), and take from the first definition of each
 * name what the current context names. Fills access; *namespace gets the
 * context's, or NULL, to be free()d. Mistakes are reported to load, each with
 * the name of its file.
 */
void kubeconfig_read(struct config_loading *load, const char *list, bool is_list,
		     struct config_access *access, char **namespace);

#endif
