//go:build linux

package sendertest

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// StreamByte returns the byte at a position of every test stream: nothing can be lost, doubled or moved without being
// seen.
func StreamByte(pos int) byte { return byte(pos*131 ^ pos>>8*29 ^ pos>>16*7) }

// FillStream fills p with the bytes of the stream from pos on.
func FillStream(p []byte, pos int) {
	for i := range p {
		p[i] = StreamByte(pos + i)
	}
}

// reading is how the peer of a Sender behaves.
type reading struct {
	chunk int           // bytes a read asks for
	pause time.Duration // between reads
	stall int           // after so many bytes it waits until the Sender is done; -1 never
	quit  int           // after so many bytes it stops reading; -1 never
	reset bool          // then by RST, where there is one; else by close
}

// drawReading makes up a peer.
func drawReading(t *rapid.T) reading {
	r := reading{chunk: rapid.SampledFrom([]int{1 << 16, 4096, 777}).Draw(t, "chunk"), stall: -1, quit: -1}
	switch rapid.SampledFrom([]string{"fast", "slow", "stalling", "closing", "resetting"}).Draw(t, "reader") {
	case "slow":
		r.pause = time.Duration(rapid.IntRange(1, 300).Draw(t, "pause µs")) * time.Microsecond
	case "stalling":
		r.stall = rapid.IntRange(0, 200_000).Draw(t, "stall at")
	case "closing":
		r.quit = rapid.IntRange(0, 200_000).Draw(t, "close at")
	case "resetting":
		r.quit, r.reset = rapid.IntRange(0, 200_000).Draw(t, "reset at"), true
	}
	return r
}

// peer reads a stream and checks every byte of it.
type peer struct {
	fd     int
	how    reading
	resume chan struct{} // closed when a stalled reader may go on
	over   chan struct{} // closed when it has stopped
	got    int
	err    error
}

func startPeer(fd int, how reading) *peer {
	p := &peer{fd: fd, how: how, resume: make(chan struct{}), over: make(chan struct{})}
	go func() {
		defer close(p.over)
		p.err = p.read()
	}()
	return p
}

func (p *peer) read() error {
	defer unix.Close(p.fd)
	buf := make([]byte, p.how.chunk)
	for {
		if p.how.quit >= 0 && p.got >= p.how.quit {
			if p.how.reset {
				return unix.SetsockoptLinger(p.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
			}
			return nil
		}
		if p.how.stall >= 0 && p.got >= p.how.stall {
			<-p.resume
			p.how.stall = -1
		}
		n, err := unix.Read(p.fd, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return err
		}
		for i, b := range buf[:n] {
			if want := StreamByte(p.got + i); b != want {
				return fmt.Errorf("byte %d of the stream is %#x, want %#x", p.got+i, b, want)
			}
		}
		p.got += n
		time.Sleep(p.how.pause)
	}
}
