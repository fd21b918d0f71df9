//go:build linux

package socketops

import (
	"errors"
	"strconv"

	"golang.org/x/sys/unix"
)

// ErrorClass is the kind of an error as the managed runtimes sort them, which is coarser than the kernel's errnos: see
// Classify.
type ErrorClass int

// The classes. What no other has is ClassSocketError.
const (
	ClassSocketError ErrorClass = iota - 1
	ClassSuccess
	ClassAccessDenied
	ClassAddressAlreadyInUse
	ClassAddressFamilyNotSupported
	ClassAddressNotAvailable
	ClassAlreadyInProgress
	ClassConnectionAborted
	ClassConnectionRefused
	ClassConnectionReset
	ClassDestinationAddressRequired
	ClassDisconnecting
	ClassFault
	ClassHostDown
	ClassHostNotFound
	ClassHostUnreachable
	ClassInProgress
	ClassInterrupted
	ClassInvalidArgument
	ClassInvalidOperation // which has no errno
	ClassIsConnected
	ClassMessageSize
	ClassNetworkDown
	ClassNetworkReset
	ClassNetworkUnreachable
	ClassNoBufferSpaceAvailable
	ClassNoData
	ClassNotConnected
	ClassNotSocket
	ClassOperationAborted
	ClassOperationNotSupported
	ClassProtocolFamilyNotSupported
	ClassProtocolNotSupported
	ClassProtocolOption
	ClassProtocolType
	ClassShutdown
	ClassSocketNotSupported
	ClassTimedOut
	ClassTooManyOpenSockets
	ClassWouldBlock
)

// classNames are indexed by the class, and one more.
var classNames = [...]string{
	"SocketError", "Success", "AccessDenied", "AddressAlreadyInUse", "AddressFamilyNotSupported",
	"AddressNotAvailable", "AlreadyInProgress", "ConnectionAborted", "ConnectionRefused", "ConnectionReset",
	"DestinationAddressRequired", "Disconnecting", "Fault", "HostDown", "HostNotFound", "HostUnreachable",
	"InProgress", "Interrupted", "InvalidArgument", "InvalidOperation", "IsConnected", "MessageSize", "NetworkDown",
	"NetworkReset", "NetworkUnreachable", "NoBufferSpaceAvailable", "NoData", "NotConnected", "NotSocket",
	"OperationAborted", "OperationNotSupported", "ProtocolFamilyNotSupported", "ProtocolNotSupported",
	"ProtocolOption", "ProtocolType", "Shutdown", "SocketNotSupported", "TimedOut", "TooManyOpenSockets",
	"WouldBlock",
}

// String returns the class's name in the managed runtimes.
func (c ErrorClass) String() string {
	if i := int(c) + 1; i >= 0 && i < len(classNames) {
		return classNames[i]
	}
	return "ErrorClass(" + strconv.Itoa(int(c)) + ")"
}

// classes is the table of A.3. ENOTSUP is EOPNOTSUPP, and EWOULDBLOCK is EAGAIN.
var classes = map[unix.Errno]ErrorClass{
	0:                    ClassSuccess,
	unix.EACCES:          ClassAccessDenied,
	unix.EPERM:           ClassAccessDenied,
	unix.EADDRINUSE:      ClassAddressAlreadyInUse,
	unix.EADDRNOTAVAIL:   ClassAddressNotAvailable,
	unix.ENOENT:          ClassAddressNotAvailable,
	unix.EAFNOSUPPORT:    ClassAddressFamilyNotSupported,
	unix.EAGAIN:          ClassWouldBlock,
	unix.EALREADY:        ClassAlreadyInProgress,
	unix.EBADF:           ClassOperationAborted,
	unix.ECANCELED:       ClassOperationAborted,
	unix.ECONNABORTED:    ClassConnectionAborted,
	unix.ECONNREFUSED:    ClassConnectionRefused,
	unix.ECONNRESET:      ClassConnectionReset,
	unix.EDESTADDRREQ:    ClassDestinationAddressRequired,
	unix.EFAULT:          ClassFault,
	unix.EHOSTDOWN:       ClassHostDown,
	unix.ENXIO:           ClassHostNotFound,
	unix.EHOSTUNREACH:    ClassHostUnreachable,
	unix.EINPROGRESS:     ClassInProgress,
	unix.EINTR:           ClassInterrupted,
	unix.EINVAL:          ClassInvalidArgument,
	unix.EISCONN:         ClassIsConnected,
	unix.EMSGSIZE:        ClassMessageSize,
	unix.ENETDOWN:        ClassNetworkDown,
	unix.ENETRESET:       ClassNetworkReset,
	unix.ENETUNREACH:     ClassNetworkUnreachable,
	unix.ENFILE:          ClassTooManyOpenSockets,
	unix.EMFILE:          ClassTooManyOpenSockets,
	unix.ENOBUFS:         ClassNoBufferSpaceAvailable,
	unix.ENODATA:         ClassNoData,
	unix.ENOPROTOOPT:     ClassProtocolOption,
	unix.ENOTCONN:        ClassNotConnected,
	unix.ENOTSOCK:        ClassNotSocket,
	unix.EOPNOTSUPP:      ClassOperationNotSupported,
	unix.EPIPE:           ClassShutdown,
	unix.EPFNOSUPPORT:    ClassProtocolFamilyNotSupported,
	unix.EPROTONOSUPPORT: ClassProtocolNotSupported,
	unix.EPROTOTYPE:      ClassProtocolType,
	unix.ESOCKTNOSUPPORT: ClassSocketNotSupported,
	unix.ESHUTDOWN:       ClassDisconnecting,
	unix.ETIMEDOUT:       ClassTimedOut,
}

// sentinelClasses come before the errnos that some sentinels wrap. ErrCanceled is the first: its cause can be another.
var sentinelClasses = []struct {
	err   error
	class ErrorClass
}{
	{ErrCanceled, ClassOperationAborted},
	{ErrClosed, ClassOperationAborted},
	{ErrTimeout, ClassTimedOut},
	{ErrBlockingMode, ClassInvalidOperation},
	{ErrWouldBlock, ClassWouldBlock},
	{ErrInProgress, ClassInProgress},
}

// Classify returns the class of an error of this package, or of what it wraps: ClassSuccess of nil, and
// ClassSocketError of what the table of the managed runtimes does not have, such as ENOMEM and the errors of other
// packages.
func Classify(err error) ErrorClass {
	if err == nil {
		return ClassSuccess
	}
	for _, s := range sentinelClasses {
		if errors.Is(err, s.err) {
			return s.class
		}
	}
	var errno unix.Errno
	if errors.As(err, &errno) {
		if class, ok := classes[errno]; ok {
			return class
		}
		return ClassSocketError // ENOSYS too, which is errors.ErrUnsupported.
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return ClassOperationNotSupported
	}
	return ClassSocketError
}

// preferred are the errnos of the classes that have more than one.
var preferred = map[ErrorClass]unix.Errno{
	ClassAccessDenied:        unix.EACCES,
	ClassAddressNotAvailable: unix.EADDRNOTAVAIL,
	ClassOperationAborted:    unix.ECANCELED,
	ClassTooManyOpenSockets:  unix.ENFILE,
}

var errnos = func() map[ErrorClass]unix.Errno {
	m := make(map[ErrorClass]unix.Errno, len(classes))
	for errno, class := range classes {
		m[class] = errno
	}
	for class, errno := range preferred {
		m[class] = errno
	}
	return m
}()

// errnoOf returns the errno that an error is of, and whether there is one.
func errnoOf(err error) (errno unix.Errno, ok bool) {
	ok = errors.As(err, &errno)
	return errno, ok
}

// Errno returns the errno that Classify gives the class for, and whether there is one: ClassSocketError and
// ClassInvalidOperation have none. Of EACCES and EPERM it is EACCES, of EADDRNOTAVAIL and ENOENT EADDRNOTAVAIL, of
// ECANCELED and EBADF ECANCELED, of ENFILE and EMFILE ENFILE.
func (c ErrorClass) Errno() (unix.Errno, bool) {
	errno, ok := errnos[c]
	return errno, ok
}
