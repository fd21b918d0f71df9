//go:build linux

package socketops

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// tooLong are the ways to receive a message, which say how much of it there was.
var tooLong = map[string]func(t *testing.T, s *Socket, p []byte) (int, error){
	"TryRecv": func(_ *testing.T, s *Socket, p []byte) (int, error) { return s.TryRecv(p, 0) },
	"Recv":    func(t *testing.T, s *Socket, p []byte) (int, error) { return s.Recv(t.Context(), p, 0) },
	"GoRecv": func(_ *testing.T, s *Socket, p []byte) (int, error) {
		told, results := outcomes(1)
		s.GoRecv(p, 0, told)
		r := <-results
		return r.n, r.err
	},
	"Recvv": func(t *testing.T, s *Socket, p []byte) (int, error) {
		n, _, err := s.Recvv(t.Context(), [][]byte{p[:1], p[1:]}, 0)
		return n, err
	},
	"RecvFrom": func(t *testing.T, s *Socket, p []byte) (int, error) {
		n, _, _, err := s.RecvFrom(t.Context(), p, 0)
		return n, err
	},
	"RecvMsg": func(t *testing.T, s *Socket, p []byte) (int, error) {
		m, err := s.RecvMsg(t.Context(), [][]byte{p}, 0)
		return m.N, err
	},
}

func TestWithTruncError(t *testing.T) { // N48
	onEnginesWith(t, []EngineOption{WithTruncError()}, func(t *testing.T, e *Engine) {
		for name, receive := range tooLong {
			t.Run(name, func(t *testing.T) {
				a, b := unixPair(t, e, unix.SOCK_DGRAM)
				p := make([]byte, 2)
				for text, want := range map[string]error{"hi": nil, "hello": unix.EMSGSIZE} {
					sendAll(t, a, text)
					n, err := receive(t, b, p)
					require.ErrorIs(t, err, want)
					require.Equal(t, text[:2], string(p[:n]))
					_, err = b.TryRecv(p, 0)
					require.ErrorIs(t, err, ErrWouldBlock, "the rest is lost")
				}
			})
		}
		t.Run("who wants the length, or nothing, gets no error", func(t *testing.T) {
			a, b := unixPair(t, e, unix.SOCK_DGRAM)
			sendAll(t, a, "hello")
			require.NoError(t, b.RecvReady(t.Context()))
			_, _, flags, err := b.RecvFrom(t.Context(), nil, 0)
			require.NoError(t, err)
			require.Equal(t, Truncated, flags)
			n, err := b.Recv(t.Context(), make([]byte, 2), Truncated)
			require.NoError(t, err)
			require.Equal(t, 5, n)
		})
		t.Run("a stream has no messages", func(t *testing.T) {
			a, b := unixPair(t, e, unix.SOCK_STREAM)
			sendAll(t, a, "hello")
			for range 2 {
				n, err := b.Recv(t.Context(), make([]byte, 2), 0)
				require.NoError(t, err)
				require.Equal(t, 2, n)
			}
		})
	})
}

func sendAll(t *testing.T, s *Socket, text string) {
	t.Helper()
	n, err := s.Send(t.Context(), []byte(text), 0)
	require.NoError(t, err)
	require.Equal(t, len(text), n)
}

func TestWithUnmap(t *testing.T) { // N57
	for _, on := range []bool{true, false} {
		onEnginesWith(t, []EngineOption{WithUnmap(on)}, func(t *testing.T, e *Engine) {
			told := func(a Addr) Addr {
				if on {
					return a
				}
				return IPAddr(netip.AddrPortFrom(netip.AddrFrom16(a.AddrPort().Addr().As16()), a.AddrPort().Port()))
			}
			s := network{"udp6", unix.AF_INET6, unix.SOCK_DGRAM, unix.IPPROTO_UDP}.socket(t, e)
			require.NoError(t, s.SetDualMode(true))
			require.NoError(t, s.Bind(IPAddr(netip.MustParseAddrPort("[::]:0"))))
			local, err := s.LocalAddr()
			require.NoError(t, err)
			four, at := udp(t, e)
			_, err = four.SendTo(t.Context(), []byte("x"), 0,
				IPAddr(netip.AddrPortFrom(loopback.AddrPort().Addr(), local.AddrPort().Port())))
			require.NoError(t, err)
			require.NoError(t, s.SetRecvPacketInfo(true))
			m, err := s.RecvMsg(t.Context(), [][]byte{make([]byte, 1)}, 0)
			require.NoError(t, err)
			require.Equal(t, told(at), m.From)
			require.NoError(t, s.Connect(t.Context(), m.From))
			peer, err := s.PeerAddr()
			require.NoError(t, err)
			require.Equal(t, told(at), peer)
			_, err = s.SendTo(t.Context(), []byte("y"), 0, m.From)
			require.NoError(t, err)
			n, err := four.Recv(t.Context(), make([]byte, 2), 0)
			require.NoError(t, err)
			require.Equal(t, 1, n)
		})
	}
}
