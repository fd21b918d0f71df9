//go:build linux

package main

import (
	"fmt"
	"reflect"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/compat_aio"
	"github.com/sockring/uring/socketops"
)

// receiver is what a method is called on.
type receiver struct {
	name  string
	wrong bool // no call on it can do what it is for
	make  func() (self reflect.Value, end func())
}

// receiversOf returns the receivers of a type's methods: nil and zero, and live and closed ones of what can be closed.
// A method of the value has no nil.
func receiversOf(t reflect.Type, byValue bool) []receiver {
	_, hasLive := live[t]
	all := []receiver{{"zero", hasLive, func() (reflect.Value, func()) { return reflect.New(t), func() {} }}}
	if !byValue {
		all = append(all, receiver{"nil", true, func() (reflect.Value, func()) {
			return reflect.Zero(reflect.PointerTo(t)), func() {}
		}})
	}
	if maker, ok := live[t]; ok {
		all = append(all,
			receiver{"live", false, func() (reflect.Value, func()) {
				self, end := maker()
				return reflect.ValueOf(self), end
			}},
			receiver{"closed", true, func() (reflect.Value, func()) {
				self, end := maker()
				end()
				return reflect.ValueOf(self), func() {}
			}},
		)
	}
	return all
}

// live are makers of what has a life: each returns one, and what ends it and all that it took to make it.
var live = map[reflect.Type]func() (self any, end func()){
	reflect.TypeFor[uring.Ring](): func() (any, func()) {
		r := ring()
		return r, func() { _ = r.Close() }
	},
	reflect.TypeFor[uring.SQE](): func() (any, func()) {
		r := ring()
		s := must(r.SQE())
		return s, func() { _ = r.Close() }
	},
	reflect.TypeFor[uring.BufRing](): func() (any, func()) {
		r := ring()
		b, err := r.NewBufRing(4, 64)
		if err != nil { // the kernel has none
			return &uring.BufRing{}, func() { _ = r.Close() }
		}
		return b, func() { _ = b.Close(); _ = r.Close() }
	},
	reflect.TypeFor[uring.Sender](): func() (any, func()) {
		r, fds := ring(), pair()
		s := must(r.NewSender(fds[0]))
		return s, func() { _ = s.Close(); _ = r.Close(); closeAll(fds) }
	},
	reflect.TypeFor[aio.Context](): func() (any, func()) {
		c := must(aio.NewContext(4))
		return c, func() { _ = c.Close() }
	},
	reflect.TypeFor[aio.IOCB](): func() (any, func()) {
		c := must(aio.NewContext(4))
		return must(c.IOCB()), func() { _ = c.Close() }
	},
	reflect.TypeFor[aio.Queue](): func() (any, func()) {
		q := must(aio.NewQueue(4))
		return q, func() { _ = q.Close() }
	},
	reflect.TypeFor[aio.Batcher](): func() (any, func()) {
		b := must(aio.NewBatcher(4))
		return b, func() { _ = b.Close() }
	},
	reflect.TypeFor[aio.Socket](): func() (any, func()) {
		b, fds := must(aio.NewBatcher(4)), pair()
		s := must(b.Socket(fds[0]))
		return s, func() { _ = s.Close(); _ = b.Close(); closeAll(fds) }
	},
	reflect.TypeFor[aio.Sender](): func() (any, func()) {
		b, fds := must(aio.NewBatcher(4)), pair()
		s := must(must(b.Socket(fds[0])).NewSender())
		return s, func() { _ = s.Close(); _ = b.Close(); closeAll(fds) }
	},
	reflect.TypeFor[socketops.Engine](): func() (any, func()) {
		e := must(socketops.New())
		return e, func() { _ = e.Close() }
	},
	reflect.TypeFor[socketops.Socket](): func() (any, func()) {
		e := must(socketops.New())
		a, b, err := e.SocketPair(unix.SOCK_STREAM)
		must(a, err)
		return a, func() { _ = a.Close(); _ = b.Close(); _ = e.Close() }
	},
	reflect.TypeFor[socketops.Op](): func() (any, func()) {
		e := must(socketops.New())
		a, b, err := e.SocketPair(unix.SOCK_STREAM)
		must(a, err)
		op := a.GoRecv(make([]byte, 1), 0, func(int, error) {})
		return op, func() { _ = a.Close(); _ = b.Close(); _ = e.Close() }
	},
}

func ring() *uring.Ring { return must(uring.New(4)) }

// withoutRings drives the types of io_uring as zero values alone, where nobody can make them.
func withoutRings() {
	for t := range live {
		if t.PkgPath() == reflect.TypeFor[uring.Ring]().PkgPath() {
			delete(live, t)
		}
	}
}

func pair() [2]int {
	return must(unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0))
}

func closeAll(fds [2]int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

// must is for what a call needs and does not test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("driven: a receiver cannot be made: %v", err))
	}
	return v
}
