//go:build linux

package testutil

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// fillPatience is how long Fill waits for what is on its way to arrive.
const fillPatience = 200 * time.Millisecond

// Fill sends, by a function that does not wait, until a socket takes no more, and returns how many bytes it took and
// the error that said so. A TCP socket that is full takes more as soon as the peer has acknowledged what is on its way,
// read or not: Fill goes on until all of that has arrived. option is getsockopt(2) of the socket.
func Fill(send func() (int, error), option func(level, name int, value []byte) (int, error)) (n int, err error) {
	for last := time.Now(); ; {
		onItsWay := unacknowledged(option) && time.Since(last) < fillPatience
		k, err := send()
		n += k
		switch {
		case err == nil:
			last = time.Now()
		case onItsWay:
			time.Sleep(time.Millisecond)
		default:
			return n, err
		}
	}
}

// unacknowledged reports whether a TCP socket has sent what the peer has not acknowledged yet.
func unacknowledged(option func(level, name int, value []byte) (int, error)) bool {
	const unacked = 24 // offset of tcpi_unacked in struct tcp_info
	var info [unacked + 4]byte
	n, err := option(unix.IPPROTO_TCP, unix.TCP_INFO, info[:])
	return err == nil && n == len(info) && binary.NativeEndian.Uint32(info[unacked:]) != 0
}
