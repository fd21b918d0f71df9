//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// pour sends n bytes that seed decides on, in pieces of many sizes, ends the stream, and returns their hash.
func pour(c net.Conn, seed uint64, n int) (sum [sha256.Size]byte, err error) {
	content, sizes := rand.NewChaCha8([32]byte{byte(seed)}), rand.New(rand.NewPCG(seed, 0))
	h := sha256.New()
	for room := make([]byte, 256<<10); n > 0; {
		piece := room[:min(n, 1+sizes.IntN(1<<(1+sizes.IntN(18))))]
		content.Read(piece)
		h.Write(piece)
		if _, err := c.Write(piece); err != nil {
			return sum, err
		}
		n -= len(piece)
	}
	return [sha256.Size]byte(h.Sum(nil)), c.(interface{ CloseWrite() error }).CloseWrite()
}

// exchange pours n bytes in each direction at once, and returns an error where others arrive.
func exchange(client, target net.Conn, seed uint64, n int) error {
	var work sync.WaitGroup
	errs := make([]error, 4)
	for i, way := range [][2]net.Conn{{client, target}, {target, client}} {
		var sent [sha256.Size]byte
		poured := make(chan struct{})
		work.Add(2)
		go func() {
			defer work.Done()
			defer close(poured)
			sent, errs[2*i] = pour(way[0], seed+uint64(i), n)
		}()
		go func() {
			defer work.Done()
			h := sha256.New()
			_, err := io.Copy(h, way[1])
			<-poured
			if errs[2*i+1] = err; err == nil && [sha256.Size]byte(h.Sum(nil)) != sent {
				errs[2*i+1] = fmt.Errorf("other bytes arrived than were sent, direction %d of seed %d", i, seed)
			}
		}()
	}
	work.Wait()
	return errors.Join(append(errs, client.Close(), target.Close())...)
}

func TestBytesArriveAsTheyWere(t *testing.T) {
	conns, size := 8, 2<<20
	if testing.Short() {
		conns, size = 4, 256<<10
	}
	onNetworks(t, func(t *testing.T, o options, clients, targets string) {
		s := serve(t, targets)
		p := start(t, o, clients, s.at)
		results := make(chan error, conns)
		for i := range conns {
			client, target := p.pair(t, s)
			go func() { results <- exchange(client, target, uint64(2*i), size) }()
		}
		for range conns {
			require.NoError(t, <-results)
		}
		require.NoError(t, p.stop())
		n := p.snapshot(nil)
		require.Empty(t, n.Errors)
		require.Equal(t, byteCounts{int64(conns * size), int64(conns * size)}, n.Bytes)
		require.Equal(t, connCounts{Total: int64(conns)}, n.Conns)
	})
}

func TestManyConnectionsAtOnce(t *testing.T) {
	workers, each := 32, 8
	if testing.Short() {
		each = 2
	}
	onEngines(t, func(t *testing.T, o options) {
		s := serve(t, "tcp")
		go func() {
			for {
				c, err := s.Accept()
				if err != nil {
					return
				}
				go echo(c)
			}
		}()
		p := start(t, o, "tcp", s.at)
		results := make(chan error, workers)
		for i := range workers {
			go func() {
				var errs []error
				for range each {
					errs = append(errs, p.echo(byte(i)))
				}
				results <- errors.Join(errs...)
			}()
		}
		for range workers {
			require.NoError(t, <-results)
		}
		require.NoError(t, p.stop())
		n := p.snapshot(nil)
		require.Empty(t, n.Errors)
		require.Equal(t, connCounts{Total: int64(workers * each)}, n.Conns)
	})
}

// echo sends some bytes to a target that sends them back, and waits for them and for the end.
func (r *running) echo(b byte) error {
	c, err := net.Dial("tcp", r.fronts[0].at.String()[len("tcp:"):])
	if err != nil {
		return err
	}
	defer c.Close()
	sent := bytes.Repeat([]byte{b}, 10_000)
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := c.Write(sent); err != nil {
		return err
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	got, err := io.ReadAll(c)
	if err == nil && !bytes.Equal(got, sent) {
		err = fmt.Errorf("%d bytes came back, not those that were sent", len(got))
	}
	return err
}

func TestEndOfOneDirectionLeavesTheOther(t *testing.T) {
	onNetworks(t, func(t *testing.T, o options, clients, targets string) {
		s := serve(t, targets)
		p := start(t, o, clients, s.at)
		for _, clientFirst := range []bool{true, false} {
			first, second := p.pair(t, s)
			if !clientFirst {
				first, second = second, first
			}
			send(t, first, "question")
			closeWrite(t, first)
			expect(t, second, "question")
			expectEnd(t, second)
			for range 3 {
				send(t, second, "answer")
				expect(t, first, "answer")
			}
			closeWrite(t, second)
			expectEnd(t, first)
			first.Close()
			second.Close()
		}
		eventually(t, "no connection is left", func() bool { return p.stats.open.Load() == 0 })
		require.Empty(t, p.snapshot(nil).Errors)
	})
}

func TestSlowReaderHoldsTheWriterBack(t *testing.T) {
	onNetworks(t, func(t *testing.T, o options, clients, targets string) {
		s := serve(t, targets)
		p := start(t, o, clients, s.at)
		client, target := p.pair(t, s)
		taken := 0
		for piece := make([]byte, 16<<10); ; { // until nothing more was taken for a while
			require.NoError(t, client.SetWriteDeadline(time.Now().Add(150*time.Millisecond)))
			n, err := client.Write(piece)
			if taken += n; err != nil {
				require.ErrorIs(t, err, os.ErrDeadlineExceeded)
				break
			}
		}
		limit := kernelHolds(t, clients) + kernelHolds(t, targets) + o.bufferMost()
		t.Logf("%d bytes were taken, at most %d", taken, limit)
		require.LessOrEqual(t, taken, limit)

		closeWrite(t, client)
		n, err := io.Copy(io.Discard, target)
		require.NoError(t, err)
		require.EqualValues(t, taken, n)
	})
}

// bufferMost is what a flow holds of the bytes of a proxy of start.
func (o options) bufferMost() int { return max(o.buffer, 64<<10) }

// kernelHolds is the most that the kernel keeps of one direction of a connection.
func kernelHolds(t *testing.T, network string) (sum int) {
	sum = 64 << 10 // The last piece may go beyond a buffer.
	files := []string{"ipv4/tcp_wmem", "ipv4/tcp_rmem"}
	if network == "unix" {
		files = []string{"core/wmem_default"} // what was sent is accounted to who sent it until it is received
	}
	for _, name := range files {
		text, err := os.ReadFile("/proc/sys/net/" + name)
		require.NoError(t, err)
		fields := strings.Fields(string(text))
		var most int
		_, err = fmt.Sscan(fields[len(fields)-1], &most)
		require.NoError(t, err)
		sum += most
	}
	return sum
}

// TestUrgentDataDoesNotStopTheStream holds that splice(2), which stops in front of urgent data, does not stop the flow.
func TestUrgentDataDoesNotStopTheStream(t *testing.T) {
	onEngines(t, func(t *testing.T, o options) {
		s := serve(t, "tcp")
		p := start(t, o, "tcp", s.at)
		client, target := p.pair(t, s)
		raw, err := client.(*net.TCPConn).SyscallConn()
		require.NoError(t, err)
		send(t, client, "before")
		require.NoError(t, raw.Control(func(fd uintptr) {
			require.NoError(t, unix.Sendto(int(fd), []byte("!"), unix.MSG_OOB, nil))
		}))
		send(t, client, "after")
		closeWrite(t, client)
		all, err := io.ReadAll(target)
		require.NoError(t, err)
		require.Equal(t, "beforeafter", string(all))
	})
}
