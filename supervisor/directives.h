/* From the directives in the configuration to what the machines need. */
#ifndef SUPERVISOR_DIRECTIVES_H
#define SUPERVISOR_DIRECTIVES_H

#include "supervisor/config.h"
#include "supervisor/manager.h"

/* detector and updater are essential: without them no record is kept right. */
void directives_to_unit(const struct config_directives *d, enum config_unit unit,
			struct manager_unit_config *out);

#endif
