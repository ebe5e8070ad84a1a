#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "ipc/peer.h"

static const struct peer_key key = { "0123456789abcdef0123456789abcdef", 32 };
static const struct peer_key other = { "0123456789abcdef0123456789abcdeg", 32 };

static const char *
open_as(struct peer_guard *g, const struct peer_key *k, const char *text, size_t len,
	const char *wanted)
{
	const char *json = NULL, *reason = "none";
	size_t n = 0;

	if (!peer_open(g, k, text, len, &json, &n, &reason))
		return reason;
	ck_assert_uint_eq(n, strlen(wanted));
	ck_assert_int_eq(memcmp(json, wanted, n), 0);
	ck_assert_ptr_null(reason);
	return "opened";
}

/* The MAC itself, as `openssl dgst -sha256 -hmac` makes it of the same text. */
START_TEST(the_seal_is_the_hmac_of_what_follows)
{
	size_t len;
	char *s = peer_seal(&key, "node-a_1", 7, "{\"v\":1}", &len);

	ck_assert_str_eq(s, "ESDDNS-PEER/1 "
			    "d13c8ca010605b8cc914007bb4ea9018e4d2b55d31e5eb555982619ffc241208"
			    " 7 node-a_1\n{\"v\":1}");
	ck_assert_uint_eq(len, strlen(s));
	free(s);
}
END_TEST

START_TEST(a_true_message_opens_once)
{
	struct peer_guard g = { .heard = 0 };
	size_t len;
	char *s = peer_seal(&key, "node-a_1", 1, "{}", &len);

	ck_assert_str_eq(open_as(&g, &key, s, len, "{}"), "opened");
	ck_assert_str_eq(open_as(&g, &key, s, len, "{}"), "replayed");
	free(s);
	s = peer_seal(&key, "node-a_1", 9, "{}", &len);
	ck_assert_str_eq(open_as(&g, &key, s, len, "{}"), "opened");
	free(s);
	s = peer_seal(&key, "node-a_1", 8, "{}", &len);
	ck_assert_str_eq(open_as(&g, &key, s, len, "{}"), "replayed");
	free(s);
	s = peer_seal(&key, "node-b_1", 8, "{}", &len);
	ck_assert_str_eq(open_as(&g, &key, s, len, "{}"), "opened");
	ck_assert_str_eq(open_as(&g, &other, s, len, "{}"), "unauthentic");
	free(s);
}
END_TEST

START_TEST(every_changed_byte_is_noticed)
{
	size_t len;
	char *s = peer_seal(&key, "node-a_1", 12, "{\"current\":1}", &len);

	for (size_t i = 0; i < len; i++) {
		struct peer_guard g = { .heard = 0 };

		s[i] ^= 1;
		ck_assert_str_ne(open_as(&g, &key, s, len, ""), "opened");
		s[i] ^= 1;
	}
	for (size_t n = 0; n < len; n++) {
		struct peer_guard g = { .heard = 0 };

		ck_assert_str_ne(open_as(&g, &key, s, n, ""), "opened");
	}
	free(s);
}
END_TEST

/* Lines that a holder of the key could make, and that are none all the same. */
START_TEST(malformed_lines_are_refused_although_they_verify)
{
	static const char *const senders[] = { "", "with blank", "with\ttab", "\x7f", "\xc3\xa4" };
	char *name = mem_new(MSG_HOLDER_MAX + 1, 1), *s;
	size_t len;

	for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
		struct peer_guard g = { .heard = 0 };

		s = peer_seal(&key, senders[i], 1, "{}", &len);
		ck_assert_str_eq(open_as(&g, &key, s, len, ""), "malformed");
		free(s);
	}
	memset(name, 'n', MSG_HOLDER_MAX);
	for (size_t n = MSG_HOLDER_MAX - 1; n <= MSG_HOLDER_MAX; n++) {
		struct peer_guard g = { .heard = 0 };

		name[n] = '\0';
		s = peer_seal(&key, name, 1, "{}", &len);
		ck_assert_str_eq(open_as(&g, &key, s, len, "{}"),
				 n < MSG_HOLDER_MAX ? "opened" : "malformed");
		free(s);
		name[n] = 'n';
	}
	free(name);
	s = peer_seal(&key, "a", 0, "{}", &len); /* counters begin at 1 */
	ck_assert_str_eq(open_as(&(struct peer_guard){ .heard = 0 }, &key, s, len, ""),
			 "malformed");
	free(s);
}
END_TEST

START_TEST(without_a_key_nothing_is_true)
{
	struct peer_key none = { .len = 0 };
	struct peer_guard g = { .heard = 0 };
	size_t len;
	char *s = peer_seal(&none, "a", 1, "{}", &len);

	ck_assert_str_eq(open_as(&g, &none, s, len, ""), "unauthentic");
	free(s);
}
END_TEST

START_TEST(many_senders_take_bounded_room)
{
	struct peer_guard g = { .heard = 0 };
	char from[32];
	size_t len;

	for (int round = 1; round <= 3; round++)
		for (int i = 0; i < PEER_SENDERS_MAX; i++) {
			char *s;

			snprintf(from, sizeof(from), "node-%d", i);
			s = peer_seal(&key, from, (uint64_t)round, "{}", &len);
			ck_assert_str_eq(open_as(&g, &key, s, len, "{}"), "opened");
			ck_assert_str_eq(open_as(&g, &key, s, len, "{}"), "replayed");
			free(s);
		}
	for (int i = 0; i < 1000; i++) {
		char *s;

		snprintf(from, sizeof(from), "other-%d", i);
		s = peer_seal(&key, from, 1, "{}", &len);
		ck_assert_str_eq(open_as(&g, &key, s, len, "{}"), "opened");
		ck_assert_str_eq(open_as(&g, &key, s, len, "{}"), "replayed");
		free(s);
	}
}
END_TEST

static void
write_key(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	close(fd);
}

START_TEST(a_key_file_is_read_strictly)
{
	char path[] = "/tmp/check_peer.XXXXXX", large[PEER_KEY_MAX + 3];
	struct peer_key k = { .len = 0 };
	const char *why;

	close(mkstemp(path));
	ck_assert(!peer_key_read(path, &k, &why));
	ck_assert_uint_eq(k.len, 0);
	write_key(path, "0123456789abcdef\r\n \n", 20);
	ck_assert(peer_key_read(path, &k, &why));
	ck_assert_uint_eq(k.len, 16);
	write_key(path, "0123456789abcde\n", 16);
	ck_assert(!peer_key_read(path, &k, &why));
	ck_assert_ptr_nonnull(strstr(why, "must be a file of 16 to 256 bytes"));
	/* the old one goes on */
	ck_assert_uint_eq(k.len, 16);
	ck_assert_mem_eq(k.bytes, "0123456789abcdef", 16);
	memset(large, 'k', sizeof(large));
	write_key(path, large, PEER_KEY_MAX);
	ck_assert(peer_key_read(path, &k, &why));
	write_key(path, large, sizeof(large));
	ck_assert(!peer_key_read(path, &k, &why));
	unlink(path);
	ck_assert(!peer_key_read(path, &k, &why));
	ck_assert_ptr_nonnull(strstr(why, "No such file"));
	ck_assert(!peer_key_read("/tmp", &k, &why));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("peer");
	TCase *tc = tcase_create("peer");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, the_seal_is_the_hmac_of_what_follows);
	tcase_add_test(tc, a_true_message_opens_once);
	tcase_add_test(tc, every_changed_byte_is_noticed);
	tcase_add_test(tc, malformed_lines_are_refused_although_they_verify);
	tcase_add_test(tc, without_a_key_nothing_is_true);
	tcase_add_test(tc, many_senders_take_bounded_room);
	tcase_add_test(tc, a_key_file_is_read_strictly);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
