//go:build linux

package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/compat_aio"
	"github.com/sockring/uring/socketops"
)

// value is an argument: how it is written, how it is made, and whether it cannot be right for what it is given to.
type value struct {
	name  string
	wrong bool
	make  func() reflect.Value
}

// callTime is what a context or a duration that is plain gives a call.
const callTime = 5 * time.Millisecond

// made are the values of types that cannot be made out of nothing: a plain one first.
var made = map[reflect.Type][]value{
	reflect.TypeFor[context.Context](): {
		of("ctx", false, func() context.Context {
			ctx, cancel := context.WithTimeout(context.Background(), callTime)
			context.AfterFunc(ctx, cancel)
			return ctx
		}),
		of("ctx done", false, func() context.Context {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			return ctx
		}),
		of("ctx nil", true, func() context.Context { return nil }),
	},
	reflect.TypeFor[time.Duration](): {
		of("1ms", false, func() time.Duration { return time.Millisecond }),
		of("0s", false, func() time.Duration { return 0 }),
		of("-1ns", false, func() time.Duration { return -1 }),
		of("min", false, func() time.Duration { return math.MinInt64 }),
		of("max", false, func() time.Duration { return math.MaxInt64 }),
	},
	reflect.TypeFor[time.Time](): {
		of("soon", false, func() time.Time { return time.Now().Add(callTime) }),
		of("never", false, func() time.Time { return time.Time{} }),
		of("1970", false, func() time.Time { return time.Unix(0, 0) }),
		of("far", false, func() time.Time { return time.Unix(math.MaxInt64/2, 0) }),
	},
	reflect.TypeFor[netip.Addr](): {
		of("loopback", false, func() netip.Addr { return netip.MustParseAddr("127.0.0.1") }),
		of("zero address", true, func() netip.Addr { return netip.Addr{} }),
		of("IPv6", false, func() netip.Addr { return netip.MustParseAddr("fe80::1%nowhere") }),
	},
	reflect.TypeFor[netip.AddrPort](): {
		of("loopback", false, func() netip.AddrPort { return netip.MustParseAddrPort("127.0.0.1:9") }),
		of("zero address", true, func() netip.AddrPort { return netip.AddrPort{} }),
		of("IPv6", false, func() netip.AddrPort { return netip.MustParseAddrPort("[fe80::1%nowhere]:9") }),
	},
	reflect.TypeFor[error](): {
		of("error", false, func() error { return unix.EINVAL }),
		of("nil error", false, func() error { return nil }),
		of("other error", false, func() error { return errors.New("other") }),
	},
	reflect.TypeFor[any](): {
		of("any", false, func() any { return 1 }),
		of("nil any", false, func() any { return nil }),
	},
	reflect.TypeFor[net.Addr](): {
		of("addr", false, func() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9} }),
		of("nil addr", true, func() net.Addr { return nil }),
		of("typed nil addr", true, func() net.Addr { return (*net.TCPAddr)(nil) }),
	},
	reflect.TypeFor[*os.File](): {
		of("file", false, func() *os.File { return devNull }),
		of("nil file", true, func() *os.File { return nil }),
	},
	reflect.TypeFor[*slog.Logger](): {
		of("logger", false, func() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }),
		of("nil logger", false, func() *slog.Logger { return nil }),
	},
	reflect.TypeFor[uring.Sockaddr](): {
		of("unix", false, func() uring.Sockaddr { a, _ := uring.SockaddrUnix("nowhere"); return a }),
		of("zero address", true, func() uring.Sockaddr { return uring.Sockaddr{} }),
		of("vsock", false, func() uring.Sockaddr { return uring.SockaddrVsock(1, 1) }),
	},
	reflect.TypeFor[socketops.Addr](): {
		of("unix", false, func() socketops.Addr { return socketops.UnixAddr("nowhere") }),
		of("zero address", true, func() socketops.Addr { return socketops.Addr{} }),
		of("IPv4", false, func() socketops.Addr { return socketops.IPAddr(netip.MustParseAddrPort("127.0.0.1:9")) }),
		of("vsock", false, func() socketops.Addr { return socketops.VsockAddr(1, 1) }),
	},
	reflect.TypeFor[aio.File](): {
		of("file", false, func() aio.File { return aio.FileOf(devNull) }),
		of("zero file", true, func() aio.File { return aio.File{} }),
		of("no descriptor", true, func() aio.File { return aio.FD(-1) }),
	},
	reflect.TypeFor[socketops.Backend](): {
		of("syscall", false, func() socketops.Backend { return socketops.BackendSyscall }),
		of("no backend", false, func() socketops.Backend { return "nonsense" }),
		of("empty backend", false, func() socketops.Backend { return "" }),
	},
}

var devNull, _ = os.OpenFile(os.DevNull, os.O_RDWR, 0)

func of[T any](name string, wrong bool, f func() T) value {
	return value{name, wrong, func() reflect.Value {
		v := reflect.New(reflect.TypeFor[T]()).Elem()
		if x := reflect.ValueOf(f()); x.IsValid() {
			v.Set(x)
		}
		return v
	}}
}

// fixed is a value that is the same for every call.
func fixed(name string, wrong bool, v reflect.Value) value {
	return value{name, wrong, func() reflect.Value { return v }}
}

// counts are parameters that a negative number cannot be right for.
var counts = []string{
	"n", "count", "size", "entries", "first", "index", "slots", "max", "min", "backlog", "bytes", "bounded",
	"unbounded", "fd", "ifindex", "off",
}

// valuesOf returns what to pass for a parameter, first what is plain.
func valuesOf(t reflect.Type, name, of string) []value {
	if special, ok := made[t]; ok {
		return labelled(special, name)
	}
	zero := reflect.Zero(t)
	var all []value
	switch t.Kind() {
	case reflect.Bool:
		all = []value{fixed("true", false, reflect.ValueOf(true).Convert(t)), fixed("false", false, zero)}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		all = integers(t, slices.Contains(counts, name))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		all = []value{
			fixed("1", false, reflect.ValueOf(1).Convert(t)), fixed("0", false, zero),
			fixed("max", false, reflect.ValueOf(uint64(math.MaxUint64)).Convert(t)),
		}
	case reflect.String:
		all = []value{
			fixed("text", false, reflect.ValueOf("text").Convert(t)), fixed("empty", false, zero),
			fixed("NUL", false, reflect.ValueOf("x\x00y").Convert(t)),
			fixed("long", false, reflect.ValueOf(strings.Repeat("p", 70_000)).Convert(t)),
		}
	case reflect.Slice:
		all = slicesOf(t, of)
	case reflect.Pointer:
		all = pointers(t)
	case reflect.Func:
		all = []value{fixed("func", false, function(t)), fixed("nil", true, zero)}
	case reflect.Struct, reflect.Array:
		all = []value{fixed("zero", false, zero)}
	default:
		all = []value{fixed("nil", true, zero)}
	}
	return labelled(all, name)
}

// labelled are the values by the name of their parameter.
func labelled(values []value, name string) []value {
	all := slices.Clone(values)
	for i := range all {
		all[i].name = name + "=" + all[i].name
	}
	return all
}

func integers(t reflect.Type, isCount bool) []value {
	bits := t.Bits()
	low, high := int64(math.MinInt64)>>(64-bits), int64(math.MaxInt64)>>(64-bits)
	var all []value
	for _, n := range []struct {
		name string
		n    int64
	}{{"1", 1}, {"0", 0}, {"-1", -1}, {"3", 3}, {"min", low}, {"max", high}} {
		v := reflect.New(t).Elem()
		v.SetInt(n.n)
		all = append(all, fixed(n.name, isCount && n.n < 0, v))
	}
	return all
}

// many is more than a queue of the driver's receivers has room for, and than an io vector may have.
const many = 3000

// slicesOf has huge ones for bytes, but not where they would be sent: they are 2 GiB of no memory.
func slicesOf(t reflect.Type, of string) []value {
	eight := reflect.MakeSlice(t, 8, 8)
	if t.Elem().Kind() != reflect.Uint8 {
		eight = reflect.MakeSlice(t, 1, 1)
		if plain := valuesOf(t.Elem(), "", of); len(plain) > 0 {
			eight.Index(0).Set(plain[0].make())
		}
	}
	all := []value{
		fixed("some", false, eight), fixed("nil", false, reflect.Zero(t)),
		fixed("empty", false, reflect.MakeSlice(t, 0, 0)),
	}
	if t.Elem().Kind() == reflect.Uint8 {
		if strings.Contains(of, ".SQE.") || strings.Contains(of, ".IOCB.") {
			all = append(all, fixed("huge", false, reflect.ValueOf(huge).Convert(t)))
		}
		return all
	}
	return append(all, fixed("of zero values", false, reflect.MakeSlice(t, many, many)))
}

// huge is address space without memory.
var huge = func() []byte {
	const prot, flags = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_PRIVATE | unix.MAP_ANON | unix.MAP_NORESERVE
	p, err := unix.Mmap(-1, 0, math.MaxInt32, prot, flags)
	if err != nil {
		panic(err)
	}
	return p
}()

// pointers are to a new zero value, to a live one of types that have them, and nil.
func pointers(t reflect.Type) []value {
	all := []value{
		{"new", false, func() reflect.Value { return reflect.New(t.Elem()) }},
		fixed("nil", true, reflect.Zero(t)),
	}
	if plain, ok := made[t.Elem()]; ok {
		all = slices.Insert(all, 0, value{plain[0].name, false, func() reflect.Value {
			p := reflect.New(t.Elem())
			p.Elem().Set(plain[0].make())
			return p
		}})
	}
	for _, r := range receiversOf(t.Elem(), false) {
		if r.name == "live" || r.name == "closed" {
			// Who makes it is not told when the call is over: it is closed once it is garbage, or with the program.
			all = append(all, value{r.name, r.wrong, func() reflect.Value { v, _ := r.make(); return v }})
		}
	}
	return all
}

// function returns a function that does nothing and returns zero values; of an iterator it goes on.
func function(t reflect.Type) reflect.Value {
	return reflect.MakeFunc(t, func([]reflect.Value) []reflect.Value {
		var out []reflect.Value
		for i := range t.NumOut() {
			out = append(out, reflect.Zero(t.Out(i)))
		}
		return out
	})
}
