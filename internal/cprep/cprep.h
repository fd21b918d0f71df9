/* The C side of package cprep. */
#ifndef SOCKRING_CPREP_H
#define SOCKRING_CPREP_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct io_uring_sqe;

/* cprep_value is a constant, a size or an offset of the headers under its C name. */
struct cprep_value {
	const char *name;
	int64_t value;
};

const struct cprep_value *cprep_constants(size_t *len);
const struct cprep_value *cprep_layout(size_t *len);

/* cprep_version is the version of the headers, major * 100 + minor. */
int cprep_version(void);

/*
 * cprep_call prepares sqe with the function called name and the arguments a, each a number or an address. It is
 * false where the headers have no such function; with sqe NULL it only answers that.
 */
bool cprep_call(struct io_uring_sqe *sqe, const char *name, const uint64_t *a);

/* cprep_copy copies n bytes at the address from, as the kernel would. */
void cprep_copy(void *to, uint64_t from, size_t n);

/* cprep_buf_ring sets up a ring with a buffer ring, takes both down, and returns 0 or a negative errno. */
int cprep_buf_ring(unsigned nentries, int bgid);

#endif
