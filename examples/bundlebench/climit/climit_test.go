//go:build linux && cgo

package climit_test

//kerneltest:on it is one contender, in C

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/examples/bundlebench/climit"
	"github.com/sockring/uring/internal/testutil"
)

// pair returns a connected unix stream pair: a bare sending end with the given SO_SNDBUF, and a file.
func pair(t *testing.T, sendBuf int) (int32, *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	require.NoError(t, unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuf))
	reader := os.NewFile(uintptr(fds[1]), "reader")
	t.Cleanup(func() { reader.Close() })
	return int32(fds[0]), reader
}

// skipIfUnsupported skips where the kernel lacks bundles or refuses io_uring, and only there.
func skipIfUnsupported(t *testing.T, err error) {
	t.Helper()
	testutil.SkipIfUnsupported(t, err)
}

// Bundles of 256 buffers and more end short once the socket was full: most kernels stop after the buffers that they had
// picked, while 6.18.15 goes on by itself. So the loop may have to continue, and the stream must not show where it did.
func TestShortBundlesContinueAtTheExactByte(t *testing.T) {
	tests := []struct {
		name              string
		conns, msgs, size int
		mayResume         bool
	}{
		{"one buffer", 1, 1, 100, false},
		{"all buffers in one round", 2, 200, 100, false},
		{"more than a round", 3, 700, 333, true},
		{"more than a round, messages larger than the socket", 1, 300, 9000, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const stride = 9024
			mem := bytes.Repeat([]byte("0123456789abcdef"), tt.conns*tt.msgs*stride/16)
			fds := make([]int32, tt.conns)
			streams := make([]chan []byte, tt.conns)
			for i := range fds {
				var reader *os.File
				fds[i], reader = pair(t, 1)
				streams[i] = make(chan []byte, 1)
				go func() {
					b, _ := io.ReadAll(reader)
					streams[i] <- b
				}()
			}
			// Long enough for many passes in a virtual machine too: not each has to be resumed.
			const dur = 200 * time.Millisecond
			res, err := climit.Run(fds, mem, climit.Args{
				Conns: tt.conns, Msgs: tt.msgs, Size: tt.size, Stride: stride, Stamp: true,
				Warmup: time.Millisecond, Dur: dur,
			})
			for _, fd := range fds {
				unix.Close(int(fd))
			}
			skipIfUnsupported(t, err)
			require.NoError(t, err)
			if !tt.mayResume {
				require.Zero(t, res.Resumed)
			}
			t.Logf("resumed %d times", res.Resumed)
			require.Positive(t, res.Enters)
			require.GreaterOrEqual(t, res.Elapsed, dur)

			messages := int(res.WarmPasses+res.Passes) * tt.msgs
			for i := range streams {
				got := <-streams[i]
				require.Len(t, got, messages*tt.size)
				for k := range messages {
					msg := got[k*tt.size : (k+1)*tt.size]
					at := (i*tt.msgs + k%tt.msgs) * stride
					require.Equal(t, uint64(k), binary.LittleEndian.Uint64(msg), "connection %d", i)
					require.True(t, bytes.Equal(mem[at+8:at+tt.size], msg[8:]), "connection %d message %d", i, k)
				}
			}
		})
	}
}

func TestClosedPeerIsAnError(t *testing.T) {
	fd, reader := pair(t, 1)
	defer unix.Close(int(fd))
	reader.Close()
	_, err := climit.Run([]int32{fd}, make([]byte, 64), climit.Args{Conns: 1, Msgs: 1, Size: 8, Stride: 64})
	skipIfUnsupported(t, err)
	require.ErrorIs(t, err, unix.EPIPE)
	require.ErrorContains(t, err, "send bundle")
}

func TestRunRefuses(t *testing.T) {
	good := climit.Args{Conns: 1, Msgs: 2, Size: 8, Stride: 8}
	tests := []struct {
		name  string
		spoil func(*climit.Args)
	}{
		{"no connection", func(a *climit.Args) { a.Conns = 0 }},
		{"more connections than sockets", func(a *climit.Args) { a.Conns = 2 }},
		{"no message", func(a *climit.Args) { a.Msgs = 0 }},
		{"too many messages", func(a *climit.Args) { a.Msgs = 32769 }},
		{"empty messages", func(a *climit.Args) { a.Size = 0 }},
		{"overlapping messages", func(a *climit.Args) { a.Stride = 7 }},
		{"more memory than there is", func(a *climit.Args) { a.Stride = 9 }},
		{"negative time", func(a *climit.Args) { a.Dur = -1 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := good
			tt.spoil(&args)
			_, err := climit.Run([]int32{-1}, make([]byte, 16), args)
			require.ErrorContains(t, err, "climit: ")
			require.NotErrorIs(t, err, errors.ErrUnsupported)
		})
	}
}

// The price of a call into C, which is why the library makes one a batch and none a buffer.
func BenchmarkEmptyCall(b *testing.B) {
	for b.Loop() {
		climit.Identity(1)
	}
}
