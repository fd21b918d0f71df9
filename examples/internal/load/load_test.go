//go:build linux

package load

//kerneltest:on its contenders say what they lack, as they do in mode on on older kernels

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/compat_aio"
	"github.com/sockring/uring/examples/internal/proto"
	"github.com/sockring/uring/internal/testutil"
)

// reader accepts a job's connections and reads them slowly, in small pieces with pauses, so that senders
// meet full sockets.
type reader struct {
	listener net.Listener
	streams  chan []byte // what each connection has sent, preamble included, when it ends
}

func newReader(t *testing.T, network string, piece int, pause time.Duration) *reader {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == proto.Unix {
		addr = t.TempDir() + "/reader"
	}
	l, err := net.Listen(network, addr)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	r := &reader{listener: l, streams: make(chan []byte, 64)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.read(c, piece, pause)
		}
	}()
	return r
}

func (r *reader) read(c net.Conn, piece int, pause time.Duration) {
	defer c.Close()
	var stream []byte
	buf := make([]byte, piece)
	for {
		n, err := c.Read(buf)
		stream = append(stream, buf[:n]...)
		if err != nil {
			r.streams <- stream
			return
		}
		if pause > 0 {
			time.Sleep(pause)
		}
	}
}

// discard returns the address of a listener that throws away what its connections receive.
func discard(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(io.Discard, c)
				c.Close()
			}()
		}
	}()
	return l.Addr().String()
}

// batchers are the modes written in Go.
var batchers = map[string]opener{
	"writev":       openWritev,
	"unix-writev":  openUnixWritev,
	"netbuffers":   openNetBuffers,
	"send":         openSend,
	"bundle":       openBundle,
	"sender":       openSenderStream,
	"sender-flush": openSenderFlush,
	"aio":          openAIO,
	"aio-sender":   openAIOSender,
}

// skipIfUnsupported skips a mode that this kernel or this process cannot run; plain system calls always
// can.
func skipIfUnsupported(t *testing.T, mode string, err error) {
	t.Helper()
	if errors.Is(err, errors.ErrUnsupported) {
		require.NotContains(t, []string{"writev", "unix-writev", "netbuffers"}, mode)
	}
	testutil.SkipIfUnsupported(t, err)
}

// isHangUp reports whether err tells of a reader that is gone. A send that was under way then ends short.
func isHangUp(err error) bool {
	return errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, io.ErrShortWrite)
}

// expected is what connection conn has to send in sent messages.
func expected(job proto.Job, conn int, sent uint64) []byte {
	var want []byte
	msg := make([]byte, job.Size)
	for k := range sent {
		proto.Fill(msg, conn, int(k%uint64(job.Msgs)))
		proto.Stamp(msg, k)
		want = append(want, msg...)
	}
	return want
}

// Whatever a reader does to the sockets, each stream is exactly the messages in order.
func TestModesAgainstASlowReader(t *testing.T) {
	for _, mode := range Names() {
		for _, network := range []string{proto.TCP, proto.Unix} {
			t.Run(mode+" over "+network, func(t *testing.T) {
				r := newReader(t, network, 777, 20*time.Microsecond)
				job := proto.Job{
					Net: network, Addr: r.listener.Addr().String(), Conns: 3, Msgs: 50, Size: 321,
					Dur: 20 * time.Millisecond, Warmup: time.Millisecond, Verify: true, SendBuf: 1,
				}
				result, err := Run(mode, job)
				skipIfUnsupported(t, mode, err)
				require.NoError(t, err)
				require.NoError(t, result.Check(job))
				for range job.Conns {
					stream := <-r.streams
					conn := int(binary.LittleEndian.Uint32(stream))
					got := stream[proto.PreambleSize:]
					want := expected(job, conn, result.Sent[conn])
					require.Len(t, got, len(want))
					require.True(t, bytes.Equal(want, got), "connection %d differs", conn)
				}
			})
		}
	}
}

func TestModesReportAReaderThatHangsUp(t *testing.T) {
	for _, mode := range Names() {
		t.Run(mode, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer l.Close()
			go func() {
				c, err := l.Accept()
				if err != nil {
					return
				}
				io.CopyN(io.Discard, c, 1<<16)
				c.Close()
			}()
			_, err = Run(mode, proto.Job{
				Net: proto.TCP, Addr: l.Addr().String(), Conns: 1, Msgs: 10, Size: 1000, Dur: time.Minute,
			})
			skipIfUnsupported(t, mode, err)
			require.Error(t, err)
			require.True(t, isHangUp(err), "%v", err)
		})
	}
}

// Passes must not allocate: the collector would then have a part in the figures.
func TestPassesDoNotAllocate(t *testing.T) {
	job := proto.Job{Net: proto.TCP, Addr: discard(t), Conns: 2, Msgs: 8, Size: 64, Verify: true}
	for name, open := range batchers {
		if name == "unix-writev" {
			continue // unix.Writev allocates, which is part of what it costs
		}
		t.Run(name, func(t *testing.T) {
			b, err := open(job)
			skipIfUnsupported(t, name, err)
			require.NoError(t, err)
			defer b.close()
			require.NoError(t, b.pass())
			require.Zero(t, testing.AllocsPerRun(200, func() {
				if err := b.pass(); err != nil {
					t.Error(err)
				}
			}))
		})
	}
}

func TestSystemCallsAreCounted(t *testing.T) {
	r := newReader(t, proto.Unix, 1<<20, 0)
	job := proto.Job{Net: proto.Unix, Addr: r.listener.Addr().String(), Conns: 2, Msgs: 8, Size: 8}
	for name, open := range batchers {
		t.Run(name, func(t *testing.T) {
			b, err := open(job)
			skipIfUnsupported(t, name, err)
			require.NoError(t, err)
			defer b.close()
			before := b.syscalls()
			const passes = 100
			for range passes {
				require.NoError(t, b.pass())
			}
			callsMin := uint64(passes)
			if f, ok := b.(finisher); ok && name == "sender" {
				require.NoError(t, f.finish())
				callsMin = 1 // its batches wait for more
			}
			// One call a pass at least, and not one a message; full sockets may add some.
			calls := b.syscalls() - before
			require.GreaterOrEqual(t, calls, callsMin)
			require.Less(t, calls, uint64(passes*job.Conns*job.Msgs))
		})
	}
}

// Where io_uring is refused, as in many containers, its modes say so and the others work.
func TestModesWithoutIOURing(t *testing.T) {
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	testutil.RefuseSyscalls(t, unix.EPERM, unix.SYS_IO_URING_SETUP)
	job := proto.Job{Net: proto.TCP, Addr: discard(t), Conns: 2, Msgs: 2, Size: 2}
	c, aioErr := aio.NewContext(1)
	if aioErr == nil {
		require.NoError(t, c.Close())
	}
	for _, mode := range Names() {
		_, err := Run(mode, job)
		switch mode {
		case "writev", "unix-writev", "netbuffers":
			require.NoError(t, err)
		case "aio", "aio-sender":
			if !errors.Is(aioErr, errors.ErrUnsupported) { // refused as well, perhaps
				require.NoError(t, err)
				continue
			}
			require.ErrorIs(t, err, errors.ErrUnsupported, mode)
		default:
			require.ErrorIs(t, err, errors.ErrUnsupported, mode)
			if testutil.IOURingDisabled() == "2" && mode != "limit" { // which explains the answer as well
				require.ErrorContains(t, err, "kernel.io_uring_disabled=2", mode)
			} else {
				require.ErrorContains(t, err, "seccomp", mode)
			}
		}
	}
}

func TestRunRefuses(t *testing.T) {
	_, err := Run("sendfile", proto.Job{})
	require.ErrorContains(t, err, `mode "sendfile"`)
	_, err = Run("writev", proto.Job{Net: "udp"})
	require.ErrorContains(t, err, `network "udp"`)
	_, err = Run("writev", proto.Job{Net: proto.TCP, Addr: "nowhere", Conns: 1, Msgs: 1, Size: 1})
	require.ErrorContains(t, err, "nowhere")
	_, err = Run("writev", proto.Job{Net: proto.Unix, Addr: t.TempDir() + "/none", Conns: 1, Msgs: 1, Size: 1})
	require.ErrorIs(t, err, unix.ENOENT)
}

// One pass over one connection, to a reader that is in the same process.
func BenchmarkPass(b *testing.B) {
	for name, open := range batchers {
		b.Run(name, func(b *testing.B) {
			job := proto.Job{Net: proto.TCP, Addr: discard(b), Conns: 1, Msgs: 64, Size: 64}
			sender, err := open(job)
			testutil.SkipIfUnsupported(b, err)
			require.NoError(b, err)
			defer sender.close()
			b.SetBytes(int64(job.Conns * job.Msgs * job.Size))
			b.ReportAllocs()
			for b.Loop() {
				if err := sender.pass(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
