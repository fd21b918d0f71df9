/*
 * What bundles need and older headers lack. liburing 2.3 knows buffer rings but neither send bundles
 * (Linux 6.10) nor the status of a buffer ring (Linux 6.8). The constants are the kernel's ABI, so they
 * may be given here; the functions that liburing grew later are not needed.
 */
#ifndef CLIMIT_COMPAT_H
#define CLIMIT_COMPAT_H

#include <liburing.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef IORING_RECVSEND_BUNDLE
#define IORING_RECVSEND_BUNDLE (1U << 4)
#endif

#ifndef IORING_FEAT_RECVSEND_BUNDLE
#define IORING_FEAT_RECVSEND_BUNDLE (1U << 14)
#endif

/* IORING_REGISTER_PBUF_STATUS is an enumerator where the header has it, so its number is used under a
 * name of our own. */
#define CLIMIT_REGISTER_PBUF_STATUS 26

/* struct io_uring_buf_status, under a name that cannot clash with the header's. */
struct climit_buf_status {
	uint32_t buf_group;
	uint32_t head;
	uint32_t resv[8];
};

#endif
