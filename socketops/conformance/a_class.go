//go:build linux

package conformance

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// classTable is the table of A.3, written down once more: the errnos of each class, and first the one that stands for
// it.
var classTable = map[socketops.ErrorClass][]unix.Errno{
	socketops.ClassSuccess:                    {0},
	socketops.ClassAccessDenied:               {unix.EACCES, unix.EPERM},
	socketops.ClassAddressAlreadyInUse:        {unix.EADDRINUSE},
	socketops.ClassAddressNotAvailable:        {unix.EADDRNOTAVAIL, unix.ENOENT},
	socketops.ClassAddressFamilyNotSupported:  {unix.EAFNOSUPPORT},
	socketops.ClassWouldBlock:                 {unix.EAGAIN},
	socketops.ClassAlreadyInProgress:          {unix.EALREADY},
	socketops.ClassOperationAborted:           {unix.ECANCELED, unix.EBADF},
	socketops.ClassConnectionAborted:          {unix.ECONNABORTED},
	socketops.ClassConnectionRefused:          {unix.ECONNREFUSED},
	socketops.ClassConnectionReset:            {unix.ECONNRESET},
	socketops.ClassDestinationAddressRequired: {unix.EDESTADDRREQ},
	socketops.ClassFault:                      {unix.EFAULT},
	socketops.ClassHostDown:                   {unix.EHOSTDOWN},
	socketops.ClassHostNotFound:               {unix.ENXIO},
	socketops.ClassHostUnreachable:            {unix.EHOSTUNREACH},
	socketops.ClassInProgress:                 {unix.EINPROGRESS},
	socketops.ClassInterrupted:                {unix.EINTR},
	socketops.ClassInvalidArgument:            {unix.EINVAL},
	socketops.ClassIsConnected:                {unix.EISCONN},
	socketops.ClassMessageSize:                {unix.EMSGSIZE},
	socketops.ClassNetworkDown:                {unix.ENETDOWN},
	socketops.ClassNetworkReset:               {unix.ENETRESET},
	socketops.ClassNetworkUnreachable:         {unix.ENETUNREACH},
	socketops.ClassTooManyOpenSockets:         {unix.ENFILE, unix.EMFILE},
	socketops.ClassNoBufferSpaceAvailable:     {unix.ENOBUFS},
	socketops.ClassNoData:                     {unix.ENODATA},
	socketops.ClassProtocolOption:             {unix.ENOPROTOOPT},
	socketops.ClassNotConnected:               {unix.ENOTCONN},
	socketops.ClassNotSocket:                  {unix.ENOTSOCK},
	socketops.ClassOperationNotSupported:      {unix.EOPNOTSUPP},
	socketops.ClassShutdown:                   {unix.EPIPE},
	socketops.ClassProtocolFamilyNotSupported: {unix.EPFNOSUPPORT},
	socketops.ClassProtocolNotSupported:       {unix.EPROTONOSUPPORT},
	socketops.ClassProtocolType:               {unix.EPROTOTYPE},
	socketops.ClassSocketNotSupported:         {unix.ESOCKTNOSUPPORT},
	socketops.ClassDisconnecting:              {unix.ESHUTDOWN},
	socketops.ClassTimedOut:                   {unix.ETIMEDOUT},
}

func errorsHaveOneClass(t *T) { // A07
	t.Sub("every errno", func(t *T) {
		want := make(map[unix.Errno]socketops.ErrorClass)
		for class, errnos := range classTable {
			for _, errno := range errnos {
				want[errno] = class
			}
		}
		t.equal(42, len(want))
		for errno := range unix.Errno(4096) {
			class, ok := want[errno]
			if !ok {
				class = socketops.ClassSocketError
			}
			t.that(socketops.Classify(errno) == class, "%d is %v, not %v", errno, class, socketops.Classify(errno))
			wrapped := fmt.Errorf("wrapped: %w", &socketops.OpError{Op: "send", Err: errno})
			t.equal(class, socketops.Classify(wrapped))
		}
	})
	t.Sub("back to the errno", func(t *T) {
		names := make(map[string]bool)
		for class := socketops.ClassSocketError; class <= socketops.ClassWouldBlock; class++ {
			t.that(!names[class.String()], "%v has a name of its own", class)
			names[class.String()] = true
			errno, ok := class.Errno()
			t.that(ok == (classTable[class] != nil), "%v has an errno where the table has it", class)
			if ok {
				t.equal(classTable[class][0], errno)
			}
		}
		t.equal("ErrorClass(99)", socketops.ErrorClass(99).String())
		t.equal("ErrorClass(-2)", socketops.ErrorClass(-2).String())
	})
	t.Sub("errors of the package", packagesErrorsHaveOneClass)
}

func packagesErrorsHaveOneClass(t *T) {
	s, _ := t.bound(udp4)
	receive := func(ctx context.Context) error {
		_, err := s.Recv(ctx, make([]byte, 1), 0)
		return err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(socketops.ErrTimeout)
	_, wouldBlock := s.TryRecv(make([]byte, 1), 0)
	_, inMode := s.IOControl(socketops.IOControlFIONBIO, nil, nil)
	canceled, canceledForTime := receive(over()), receive(ctx)
	t.ok(s.SetReadTimeout(moment))
	timeout := receive(t.Late())
	unsupported := s.SetIPProtectionLevel(1)
	_, at := t.listening(tcp4, 1)
	c := t.socket(tcp4)
	t.ok(c.SetBlocking(false))
	inProgress := c.TryConnect(at)
	t.ok(s.Close())
	for _, tt := range []struct {
		err  error
		want socketops.ErrorClass
		name string
	}{
		{nil, socketops.ClassSuccess, "Success"},
		{timeout, socketops.ClassTimedOut, "TimedOut"},
		{receive(t.Late()), socketops.ClassOperationAborted, "OperationAborted"},
		{canceled, socketops.ClassOperationAborted, "OperationAborted"},
		{canceledForTime, socketops.ClassOperationAborted, "OperationAborted"},
		{wouldBlock, socketops.ClassWouldBlock, "WouldBlock"},
		{inProgress, socketops.ClassInProgress, "InProgress"},
		{inMode, socketops.ClassInvalidOperation, "InvalidOperation"},
		{unsupported, socketops.ClassOperationNotSupported, "OperationNotSupported"},
		{errors.New("foreign"), socketops.ClassSocketError, "SocketError"},
	} {
		t.that(socketops.Classify(tt.err) == tt.want, "%v is %v", tt.err, tt.want)
		t.equal(tt.name, tt.want.String())
	}
}
