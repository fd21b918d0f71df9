//go:build linux

package modeltest

import (
	"context"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// kind is a kind of connected sockets.
type kind struct {
	name   string
	family socketops.Family
	typ    socketops.Type
}

var kinds = []kind{
	{"tcp4", unix.AF_INET, unix.SOCK_STREAM},
	{"unix", unix.AF_UNIX, unix.SOCK_STREAM},
	{"unixpacket", unix.AF_UNIX, unix.SOCK_SEQPACKET},
	{"unixgram", unix.AF_UNIX, unix.SOCK_DGRAM},
	{"udp4", unix.AF_INET, unix.SOCK_DGRAM},
}

func (k kind) String() string { return k.name }

func (k kind) stream() bool { return k.typ == unix.SOCK_STREAM }

// ends reports whether the receiver finds the end of what was sent.
func (k kind) ends() bool { return k.typ != unix.SOCK_DGRAM }

func (k kind) unix() bool { return k.family == unix.AF_UNIX }

func (k kind) tcp() bool { return k.stream() && !k.unix() }

// form is a way to transfer. Exactly one of its functions is set.
type form struct {
	name   string
	try    bool // it does not wait
	peek   bool // it takes nothing
	all    bool // it waits for all, on streams only
	plain  func(ctx context.Context, s *socketops.Socket, b []byte) (int, error)
	behind func(s *socketops.Socket, b []byte, done func(int, error)) *socketops.Op
}

func (f form) String() string { return f.name }

// waits reports whether the form can hold up its caller.
func (f form) waits() bool { return f.plain != nil && !f.try }

// cut makes three buffers of one: the second is empty.
func cut(b []byte) [][]byte { return [][]byte{b[:len(b)/3], nil, b[len(b)/3:]} }

type (
	plain  = func(ctx context.Context, s *socketops.Socket, b []byte) (int, error)
	behind = func(s *socketops.Socket, b []byte, done func(int, error)) *socketops.Op
)

func trying(f plain) form  { return form{try: true, plain: f} }
func waiting(f plain) form { return form{plain: f} }
func going(f behind) form  { return form{behind: f} }

func (f form) called(name string) form { f.name = name; return f }
func (f form) peeking() form           { f.peek = true; return f }

var sendForms = []form{
	waiting(func(ctx context.Context, s *socketops.Socket, b []byte) (int, error) { return s.Send(ctx, b, 0) }).
		called("Send"),
	trying(func(_ context.Context, s *socketops.Socket, b []byte) (int, error) { return s.TrySend(b, 0) }).
		called("TrySend"),
	going(func(s *socketops.Socket, b []byte, done func(int, error)) *socketops.Op { return s.GoSend(b, 0, done) }).
		called("GoSend"),
	waiting(func(ctx context.Context, s *socketops.Socket, b []byte) (int, error) { return s.Sendv(ctx, cut(b), 0) }).
		called("Sendv"),
	trying(func(_ context.Context, s *socketops.Socket, b []byte) (int, error) { return s.TrySendv(cut(b), 0) }).
		called("TrySendv"),
	going(func(s *socketops.Socket, b []byte, done func(int, error)) *socketops.Op {
		return s.GoSendvTo(cut(b), 0, socketops.Addr{}, done)
	}).called("GoSendvTo"),
	waiting(func(ctx context.Context, s *socketops.Socket, b []byte) (int, error) {
		return s.SendTo(ctx, b, 0, socketops.Addr{})
	}).called("SendTo"),
	trying(func(ctx context.Context, s *socketops.Socket, b []byte) (int, error) {
		return s.Send(ctx, b, socketops.DontWait)
	}).called("Send DontWait"),
}

var recvForms = []form{
	waiting(func(ctx context.Context, s *socketops.Socket, b []byte) (int, error) { return s.Recv(ctx, b, 0) }).
		called("Recv"),
	trying(func(_ context.Context, s *socketops.Socket, b []byte) (int, error) { return s.TryRecv(b, 0) }).
		called("TryRecv"),
	going(func(s *socketops.Socket, b []byte, done func(int, error)) *socketops.Op { return s.GoRecv(b, 0, done) }).
		called("GoRecv"),
	waiting(func(ctx context.Context, s *socketops.Socket, b []byte) (int, error) {
		n, _, err := s.Recvv(ctx, cut(b), 0)
		return n, err
	}).called("Recvv"),
	trying(func(_ context.Context, s *socketops.Socket, b []byte) (int, error) {
		n, _, err := s.TryRecvv(cut(b), 0)
		return n, err
	}).called("TryRecvv"),
	waiting(func(ctx context.Context, s *socketops.Socket, b []byte) (int, error) {
		n, _, _, err := s.RecvFrom(ctx, b, 0)
		return n, err
	}).called("RecvFrom"),
	going(func(s *socketops.Socket, b []byte, done func(int, error)) *socketops.Op {
		return s.GoRecvMsg(cut(b), 0, func(m socketops.Msg, err error) { done(m.N, err) })
	}).called("GoRecvMsg"),
	trying(func(ctx context.Context, s *socketops.Socket, b []byte) (int, error) {
		return s.Recv(ctx, b, socketops.DontWait)
	}).called("Recv DontWait"),
	{name: "Recv WaitAll", all: true, plain: func(ctx context.Context, s *socketops.Socket, b []byte) (int, error) {
		return s.Recv(ctx, b, socketops.WaitAll)
	}},
	{name: "GoRecv WaitAll", all: true, behind: func(s *socketops.Socket, b []byte,
		done func(int, error),
	) *socketops.Op {
		return s.GoRecv(b, socketops.WaitAll, done)
	}},
	trying(func(_ context.Context, s *socketops.Socket, b []byte) (int, error) {
		return s.TryRecv(b, socketops.Peek)
	}).called("TryRecv Peek").peeking(),
	waiting(func(ctx context.Context, s *socketops.Socket, b []byte) (int, error) {
		return s.Recv(ctx, b, socketops.Peek)
	}).called("Recv Peek").peeking(),
	waiting(func(ctx context.Context, s *socketops.Socket, _ []byte) (int, error) { return s.Recv(ctx, nil, 0) }).
		called("Recv nothing").peeking(),
	trying(func(_ context.Context, s *socketops.Socket, _ []byte) (int, error) { return s.TryRecv(nil, 0) }).
		called("TryRecv nothing").peeking(),
	going(func(s *socketops.Socket, _ []byte, done func(int, error)) *socketops.Op {
		return s.GoRecv(nil, 0, done)
	}).called("GoRecv nothing").peeking(),
}

// formsOf are the forms that make sense on a kind of sockets.
func formsOf(forms []form, k kind) []form {
	return slices.DeleteFunc(slices.Clone(forms), func(f form) bool { return f.all && !k.stream() })
}

// pattern fills p with what operation id sends from offset at on. The first byte is the id, so that the receiver knows
// whose bytes come next.
func pattern(p []byte, id byte, at int) {
	for i := range p {
		p[i] = patternAt(id, at+i)
	}
}

func patternAt(id byte, at int) byte {
	if at == 0 {
		return id
	}
	return byte(at*37+at>>8*11) ^ id*29
}
