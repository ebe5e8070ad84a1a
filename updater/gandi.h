/*
 * Gandi LiveDNS v5 (https://api.gandi.net/docs/livedns/), as it was seen on
 * the wire. Only GET and PUT of one record set at
 * /domains/{zone}/records/{name}/{type} are ever sent: PUT on anything above
 * it replaces records that are not ours.
 */
#ifndef UPDATER_GANDI_H
#define UPDATER_GANDI_H

#include "updater/provider.h"

extern const struct provider gandi_provider;

#endif
