//go:build linux

package socketops

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// direction is one of the two ways that data takes through a socket.
type direction uint8

const (
	receiving direction = iota // receive and accept
	sending                    // send and connect
	directions
)

// handle is a descriptor and what is under way on it. The descriptor is closed when nobody uses it any more, so its
// number never comes to mean another file under an operation.
type handle struct {
	fd    int
	lanes [directions]lane

	aborts bool // the connection is to end with the descriptor, whoever else has that

	refs atomic.Int64  // users of fd, and handleClosed
	idle chan struct{} // closed when the handle is, and nobody uses fd
	link atomic.Int32  // see Socket.Connected

	portMu  sync.Mutex              // guards port, and that parking is made once; taken after a lane's mu
	port    port                    // what the engine knows of the socket, from its first wait there on
	parking atomic.Pointer[parking] // what the runtime's poller knows of it, from the first wait there on

	watchMu  sync.Mutex // guards watchers; taken last
	watchers map[*readiness]struct{}
}

// handleClosed is set in refs once the handle is being closed.
const handleClosed = 1 << 62

func newHandle(fd int) *handle {
	h := &handle{fd: fd, idle: make(chan struct{})}
	for d := range directions {
		h.lanes[d].handle = h
	}
	return h
}

// acquire keeps fd open until release, or reports that it is being closed.
func (h *handle) acquire() bool {
	for {
		refs := h.refs.Load()
		if refs&handleClosed != 0 {
			return false
		}
		if h.refs.CompareAndSwap(refs, refs+1) {
			return true
		}
	}
}

func (h *handle) release() {
	if h.refs.Add(-1) == handleClosed {
		close(h.idle)
	}
}

// shut has acquire fail from now on. It reports false when that was done before.
func (h *handle) shut() bool {
	for {
		refs := h.refs.Load()
		if refs&handleClosed != 0 {
			return false
		}
		if h.refs.CompareAndSwap(refs, refs|handleClosed) {
			if refs == 0 {
				close(h.idle)
			}
			h.wakeWatchers()
			return true
		}
	}
}

// stop ends what waits in both lanes with err, admits nothing more, and reports whether anything was ended (B09).
func (h *handle) stop(err error) (ended bool) {
	for d := range h.lanes {
		if h.lanes[d].stop(err) {
			ended = true
		}
	}
	return ended
}

// cancelAll cancels what waits in both lanes.
func (h *handle) cancelAll(reason error) {
	for d := range h.lanes {
		l := &h.lanes[d]
		l.mu.Lock()
		l.cancelEach(reason)
		l.mu.Unlock()
	}
}

// openPort returns what d knows of the socket, which it makes known to it the first time.
func (h *handle) openPort(d driver) (port, error) {
	h.portMu.Lock()
	defer h.portMu.Unlock()
	if h.port == nil {
		p, err := d.open(h)
		if err != nil {
			return nil, err
		}
		h.port = p
	}
	return h.port, nil
}

// closePort has the engine forget the socket, on which nothing is in flight.
func (h *handle) closePort() {
	h.portMu.Lock()
	defer h.portMu.Unlock()
	if h.port != nil {
		h.port.close()
		h.port = nil
	}
}

// end closes a handle whose lanes are stopped, and removes the path that it was bound to, or nil.
func (h *handle) end(path *boundPath) error {
	h.shut()
	<-h.idle
	h.closePort()
	if h.aborts {
		h.abort()
	}
	rm := path.remove() // before the descriptor is closed, see boundPath
	return opError("close", errors.Join(h.closeFD(), rm))
}

// abort ends the connection. That has to wait until the handle is idle: what waits is to end by its cancellation.
func (h *handle) abort() {
	_ = unix.SetsockoptLinger(h.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) // N51
	var name unix.RawSockaddr                                                                // of AF_UNSPEC
	// SAFETY: the kernel reads the name during the call.
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(h.fd), uintptr(unsafe.Pointer(&name)), unsafe.Sizeof(name))
	if errno != 0 { // of a unix socket, which cannot be disconnected, or where the kernel does not have it (G14)
		_ = unix.Shutdown(h.fd, unix.SHUT_RDWR)
	}
}

// closeFD closes the descriptor. The kernel closes it whatever the result, so EINTR is none (N52).
func (h *handle) closeFD() error {
	var err error
	if at := h.parking.Load(); at != nil {
		err = at.close()
	} else {
		err = unix.Close(h.fd)
	}
	if err != nil && err != unix.EINTR && err != unix.ECONNRESET {
		return os.NewSyscallError("close", err)
	}
	return nil
}
