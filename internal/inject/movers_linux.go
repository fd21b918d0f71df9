package main

import (
	"context"
	"net"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// scatter returns b in pieces.
func scatter(b []byte) [][]byte { return [][]byte{b[:len(b)/3], nil, b[len(b)/3:]} }

// ready waits for a socket whose Try form would block.
func (w *opsWork) ready(ctx context.Context, s *socketops.Socket, mode socketops.PollMode, err error) {
	if err != nil {
		_, err = s.Poll(ctx, mode, waitMax)
		w.told("Poll", err)
	}
}

// movers are the forms of transfers, each with one that fits. The first ones serve the connections of the listener too.
var movers = []mover{
	{
		"Send", unix.SOCK_STREAM,
		func(_ *opsWork, ctx context.Context, s *socketops.Socket, f *flow) (int, error) {
			return s.Send(ctx, f.next(opsChunk), 0)
		},
		func(_ *opsWork, ctx context.Context, s *socketops.Socket, b []byte) (int, error) {
			return s.Recv(ctx, b, 0)
		},
	},
	{
		"GoSend", unix.SOCK_STREAM,
		func(w *opsWork, ctx context.Context, s *socketops.Socket, f *flow) (int, error) {
			b := f.next(opsChunk)
			return w.count(ctx, "GoSend", func(done func(int, error)) *socketops.Op { return s.GoSend(b, 0, done) })
		},
		func(w *opsWork, ctx context.Context, s *socketops.Socket, b []byte) (int, error) {
			return w.count(ctx, "GoRecv", func(done func(int, error)) *socketops.Op { return s.GoRecv(b, 0, done) })
		},
	},
	{
		"TrySend", unix.SOCK_STREAM,
		func(w *opsWork, ctx context.Context, s *socketops.Socket, f *flow) (int, error) {
			n, err := s.TrySend(f.next(opsChunk), 0)
			w.ready(ctx, s, socketops.PollWrite, err)
			return n, err
		},
		func(w *opsWork, ctx context.Context, s *socketops.Socket, b []byte) (int, error) {
			n, err := s.TryRecv(b, 0)
			w.ready(ctx, s, socketops.PollRead, err)
			return n, err
		},
	},
	{
		"Sendv", unix.SOCK_STREAM,
		func(_ *opsWork, ctx context.Context, s *socketops.Socket, f *flow) (int, error) {
			return s.Sendv(ctx, scatter(f.next(opsChunk)), 0)
		},
		func(_ *opsWork, ctx context.Context, s *socketops.Socket, b []byte) (int, error) {
			n, _, err := s.Recvv(ctx, scatter(b), 0)
			return n, err
		},
	},
	{
		"GoSendvTo", unix.SOCK_STREAM,
		func(w *opsWork, ctx context.Context, s *socketops.Socket, f *flow) (int, error) {
			b := f.next(opsChunk)
			return w.count(ctx, "GoSendvTo", func(done func(int, error)) *socketops.Op {
				return s.GoSendvTo(scatter(b), 0, socketops.Addr{}, done)
			})
		},
		goRecvMsg,
	},
	{
		"SendTo of datagrams", unix.SOCK_DGRAM,
		func(_ *opsWork, ctx context.Context, s *socketops.Socket, f *flow) (int, error) {
			return s.SendTo(ctx, f.next(opsMessage), 0, socketops.Addr{})
		},
		func(_ *opsWork, ctx context.Context, s *socketops.Socket, b []byte) (int, error) {
			n, _, _, err := s.RecvFrom(ctx, b, 0)
			return n, err
		},
	},
	{
		"SendvTo of datagrams", unix.SOCK_DGRAM,
		func(_ *opsWork, ctx context.Context, s *socketops.Socket, f *flow) (int, error) {
			return s.SendvTo(ctx, scatter(f.next(opsMessage)), 0, socketops.Addr{})
		},
		func(_ *opsWork, ctx context.Context, s *socketops.Socket, b []byte) (int, error) {
			m, err := s.RecvMsg(ctx, scatter(b), 0)
			return m.N, err
		},
	},
	{
		"GoSend of datagrams", unix.SOCK_DGRAM,
		func(w *opsWork, ctx context.Context, s *socketops.Socket, f *flow) (int, error) {
			b := f.next(opsMessage)
			return w.count(ctx, "GoSend", func(done func(int, error)) *socketops.Op { return s.GoSend(b, 0, done) })
		},
		goRecvMsg,
	},
	{
		"SendFile", unix.SOCK_STREAM,
		func(w *opsWork, ctx context.Context, s *socketops.Socket, f *flow) (int, error) {
			n, err := s.SendFile(ctx, w.file, int64(f.sent), int64(min(opsChunk, f.size-f.sent)))
			return int(n), err
		},
		func(w *opsWork, ctx context.Context, s *socketops.Socket, b []byte) (int, error) {
			if err := s.RecvReady(ctx); err != nil {
				return 0, err
			}
			return s.Recv(ctx, b, 0)
		},
	},
	{
		"GoSendFile", unix.SOCK_STREAM,
		func(w *opsWork, ctx context.Context, s *socketops.Socket, f *flow) (int, error) {
			var n int64
			var err error
			w.wait(ctx, "GoSendFile", func(o *once) *socketops.Op {
				return s.GoSendFile(w.file, int64(f.sent), int64(min(opsChunk, f.size-f.sent)), func(moved int64, failed error) {
					n, err = moved, failed
					o.call()
				})
			})
			return int(n), err
		},
		func(w *opsWork, ctx context.Context, s *socketops.Socket, b []byte) (int, error) {
			return w.count(ctx, "GoRecv", func(done func(int, error)) *socketops.Op { return s.GoRecv(b, 0, done) })
		},
	},
	{
		"SendPackets", unix.SOCK_STREAM,
		func(w *opsWork, ctx context.Context, s *socketops.Socket, f *flow) (int, error) {
			b := f.next(opsChunk)
			rest := min(opsChunk, f.size-f.sent-len(b))
			list := []socketops.Packet{{Data: b}}
			if rest > 0 {
				list = append(list, socketops.Packet{File: w.file, Offset: int64(f.sent + len(b)), Count: int64(rest)})
			}
			n, err := s.SendPackets(ctx, list, 0)
			return int(n), err
		},
		func(w *opsWork, ctx context.Context, s *socketops.Socket, b []byte) (int, error) {
			m, err := s.TryRecvMsg(scatter(b), 0)
			w.ready(ctx, s, socketops.PollRead, err)
			return m.N, err
		},
	},
	{
		"Conn.Write", unix.SOCK_STREAM,
		func(_ *opsWork, _ context.Context, s *socketops.Socket, f *flow) (int, error) {
			return conn(s, func(c net.Conn) (int, error) { return c.Write(f.next(opsChunk)) })
		},
		func(_ *opsWork, _ context.Context, s *socketops.Socket, b []byte) (int, error) {
			return conn(s, func(c net.Conn) (int, error) { return c.Read(b) })
		},
	},
}

// count runs a Go form whose callback has a number of bytes.
func (w *opsWork) count(
	ctx context.Context, name string, begin func(done func(int, error)) *socketops.Op,
) (n int, err error) {
	w.wait(ctx, name, func(o *once) *socketops.Op {
		return begin(func(moved int, failed error) {
			n, err = moved, failed
			o.call()
		})
	})
	return n, err
}

func goRecvMsg(w *opsWork, ctx context.Context, s *socketops.Socket, b []byte) (int, error) {
	var m socketops.Msg
	var err error
	w.wait(ctx, "GoRecvMsg", func(o *once) *socketops.Op {
		return s.GoRecvMsg(scatter(b), 0, func(got socketops.Msg, failed error) {
			m, err = got, failed
			o.call()
		})
	})
	return m.N, err
}
