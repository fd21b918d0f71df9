//go:build linux

package sink

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What an epoll event is about, in its Pad field; other values are indices of connections.
const (
	tagControl  = -1
	tagListener = -2
)

// server is one thread around one epoll set. Its waits are raw system calls that keep the Go scheduler
// out of the way: nothing else runs in this process.
type server struct {
	epoll    int
	control  int // standard input
	out      io.Writer
	line     []byte // what of an order has arrived
	spec     Spec
	listener int // -1 between runs
	conns    []*conn
	open     int // of conns
	closing  bool
	buf      []byte
}

// Serve obeys the orders that arrive on in, a pipe, until it ends, and answers on out.
func Serve(in *os.File, out io.Writer) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	s := &server{epoll: epoll, control: int(in.Fd()), out: out, listener: -1, buf: make([]byte, 1<<20)}
	defer s.shut()
	if err := s.watch(s.control, unix.EPOLLIN, tagControl); err != nil {
		return err
	}
	events := make([]unix.EpollEvent, 512)
	for {
		n, err := epollWait(epoll, events)
		if err != nil {
			return err
		}
		for i := range events[:n] {
			if err := s.handle(&events[i]); err != nil {
				if errors.Is(err, io.EOF) {
					return nil
				}
				return err
			}
		}
		if s.closing && s.open == 0 {
			if err := s.finish(); err != nil {
				return err
			}
		}
	}
}

// epollWait wraps epoll_pwait(2) without a timeout.
func epollWait(epoll int, events []unix.EpollEvent) (int, error) {
	for {
		// SAFETY: the kernel writes at most len(events) entries, during the call, into memory that the
		// argument keeps alive.
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll),
			uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), ^uintptr(0), 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, os.NewSyscallError("epoll_pwait", errno)
		}
	}
}

func (s *server) watch(fd int, events uint32, tag int32) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(fd), Pad: tag}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &ev))
}

func (s *server) handle(ev *unix.EpollEvent) error {
	switch ev.Pad {
	case tagControl:
		return s.readControl()
	case tagListener:
		return s.accept()
	}
	c := s.conns[ev.Pad]
	if c.fd >= 0 && c.drain(s.buf, ev.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0) {
		s.open--
		return c.close()
	}
	return nil
}

// readControl takes what has arrived on the control pipe and obeys each full line.
func (s *server) readControl() error {
	var chunk [4096]byte
	n, err := unix.Read(s.control, chunk[:])
	switch {
	case errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		return os.NewSyscallError("read", err)
	case n == 0:
		return io.EOF
	}
	s.line = append(s.line, chunk[:n]...)
	for {
		line, rest, ok := bytes.Cut(s.line, []byte("\n"))
		if !ok {
			return nil
		}
		s.line = rest
		if err := s.obey(line); err != nil {
			return err
		}
	}
}

func (s *server) obey(line []byte) error {
	var o order
	if err := json.Unmarshal(line, &o); err != nil {
		return fmt.Errorf("order %q: %w", line, err)
	}
	switch o.Op {
	case opOpen:
		addr, err := s.listen(o.Spec)
		if err != nil {
			return s.answer(answer{Error: err.Error()})
		}
		return s.answer(answer{Addr: addr})
	case opClose:
		// Whoever connected before the order was given is in the accept queue by now.
		if err := s.accept(); err != nil {
			return err
		}
		s.closing = true
		return nil
	}
	return s.answer(answer{Error: fmt.Sprintf("unknown order %q", o.Op)})
}

func (s *server) answer(a answer) error {
	line, err := json.Marshal(a)
	if err != nil {
		return err
	}
	_, err = s.out.Write(append(line, '\n'))
	return err
}

// finish reports the totals and makes room for the next run.
func (s *server) finish() error {
	totals := make([]Total, len(s.conns))
	for i, c := range s.conns {
		totals[i] = c.total()
	}
	s.shutListener()
	s.conns, s.closing = nil, false
	return s.answer(answer{Totals: totals})
}

func (s *server) shut() {
	for _, c := range s.conns {
		c.close()
	}
	s.shutListener()
	unix.Close(s.epoll)
}
