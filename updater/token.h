/*
 * The provider's credential: handed over by the supervisor, or read from a
 * file, and read again when that file has changed. It is never logged, and
 * wiped from memory when it is replaced.
 */
#ifndef UPDATER_TOKEN_H
#define UPDATER_TOKEN_H

#include <stdbool.h>

/* Without the white space around it; longer files are refused. */
#define TOKEN_SIZE_MAX 4096

struct token;

/*
 * secret wins over file (a path); both are copied and may be NULL. A file is
 * read at once.
 */
struct token *token_new(const char *secret, const char *file);
void token_free(struct token *t);
/*
 * Read the file again if it is another one than the last time or was changed
 * (two system calls if not). True if the credential is another one now. Where
 * the file cannot be read, or holds no credential, the old one stays.
 */
bool token_refresh(struct token *t);
/*
 * The credential, valid until the next refresh. NULL if there is none;
 * token_trouble() then says why.
 */
const char *token_value(const struct token *t);
/* What is wrong with the file, as a sentence, whether or not an old value stays; "" if nothing. */
const char *token_trouble(const struct token *t);
/* Does a file, rather than the supervisor, say what the credential is? */
bool token_is_file(const struct token *t);

#endif
