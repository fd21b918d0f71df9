/* A ring that C code owns, for the tests of sharing one with Go. */
#ifndef SOCKRING_CTEST_H
#define SOCKRING_CTEST_H

#include <stdint.h>

struct io_uring;

struct io_uring *ctest_new(unsigned entries, unsigned flags, int *err);
void ctest_free(struct io_uring *ring);
int ctest_nop(struct io_uring *ring, uint64_t user_data);
int ctest_submit(struct io_uring *ring);
int ctest_wait(struct io_uring *ring, uint64_t *user_data, int *res);

#endif
