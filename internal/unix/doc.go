// Package unix is what files that every system builds may use of golang.org/x/sys/unix, which differs from Unix to Unix
// and is empty elsewhere. On Linux it is the same; on other systems the numbers are Linux's and every function says
// ENOSYS: nothing gets that far without a ring or an AIO context, and there is none.
//
// Files for Linux alone import golang.org/x/sys/unix itself. internal/tidy holds who imports which.
package unix

import "syscall"

// Errno is an error number: golang.org/x/sys/unix has the same type.
type Errno = syscall.Errno

// Signal is a signal's number: golang.org/x/sys/unix has the same type.
type Signal = syscall.Signal

// The errors that the library gives or looks for.
const (
	EACCES       = syscall.EACCES
	EAGAIN       = syscall.EAGAIN
	EBADF        = syscall.EBADF
	EBUSY        = syscall.EBUSY
	ECANCELED    = syscall.ECANCELED
	ECONNABORTED = syscall.ECONNABORTED
	ECONNREFUSED = syscall.ECONNREFUSED
	ECONNRESET   = syscall.ECONNRESET
	EEXIST       = syscall.EEXIST
	EINPROGRESS  = syscall.EINPROGRESS
	EINTR        = syscall.EINTR
	EINVAL       = syscall.EINVAL
	EIO          = syscall.EIO
	EMFILE       = syscall.EMFILE
	EMSGSIZE     = syscall.EMSGSIZE
	ENAMETOOLONG = syscall.ENAMETOOLONG
	ENFILE       = syscall.ENFILE
	ENOBUFS      = syscall.ENOBUFS
	ENOENT       = syscall.ENOENT
	ENOMEM       = syscall.ENOMEM
	ENOSPC       = syscall.ENOSPC
	ENOSYS       = syscall.ENOSYS
	ENOTCONN     = syscall.ENOTCONN
	ENXIO        = syscall.ENXIO
	EOPNOTSUPP   = syscall.EOPNOTSUPP
	EPERM        = syscall.EPERM
	EPIPE        = syscall.EPIPE
	EPROTOTYPE   = syscall.EPROTOTYPE
	ESRCH        = syscall.ESRCH
	ETIMEDOUT    = syscall.ETIMEDOUT
)
