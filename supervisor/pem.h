/* Certificates and keys as texts, in a file or as base64. What is thrown away is overwritten. */
#ifndef SUPERVISOR_PEM_H
#define SUPERVISOR_PEM_H

#include <stddef.h>

/*
 * Decode base64 (RFC 4648, section 4; line ends may stand in it), at most max
 * bytes. A text, for free(), or NULL with *why (a phrase); a NUL is refused.
 */
char *pem_decode(const char *text, size_t max, const char **why);
/* The text of a file of at most max bytes, for free(), or NULL with *why (a phrase). */
char *pem_read(const char *path, size_t max, const char **why);
/*
 * NULL if the text may be one of PEM with this label in it ("CERTIFICATE",
 * "PRIVATE KEY"), else what is wrong, as a phrase that follows its name.
 */
const char *pem_refusal(const char *text, const char *label);

#endif
