//go:build linux

package conformance

import (
	"sync"

	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/socketops"
)

// outcome is what a callback was told.
type outcome struct {
	n   int
	err error
}

// outcomes returns a callback and where it tells its results, of which there is room for so many.
func outcomes(room int) (told func(n int, err error), results <-chan outcome) {
	c := make(chan outcome, room)
	return func(n int, err error) { c <- outcome{n, err} }, c
}

// patterns is the longest pattern that was needed yet: to make one takes much longer than to copy it.
var patterns struct {
	sync.Mutex
	longest []byte
}

// pattern is data in which every place looks different.
func pattern(n int) []byte {
	patterns.Lock()
	defer patterns.Unlock()
	for i := len(patterns.longest); i < n; i++ {
		patterns.longest = append(patterns.longest, byte(i*7+i>>8*13+i>>16*31))
	}
	b := make([]byte, n)
	copy(b, patterns.longest)
	return b
}

// fill sends until the socket takes no more, and returns how many bytes it took. TCP takes some more in a moment.
func (t *T) fill(s *socketops.Socket) (n int) {
	t.Helper()
	p := make([]byte, 4096)
	for {
		k, err := s.TrySend(p, 0)
		n += k
		if err != nil {
			t.is(err, socketops.ErrWouldBlock)
			return n
		}
	}
}

// fillUp is fill until TCP, too, takes no more before the peer reads.
func (t *T) fillUp(s *socketops.Socket) (n int) {
	t.Helper()
	p := make([]byte, 4096)
	n, err := testutil.Fill(func() (int, error) { return s.TrySend(p, 0) }, s.RawOption)
	t.is(err, socketops.ErrWouldBlock)
	return n
}

// receive receives exactly n bytes of a stream.
func (t *T) receive(s *socketops.Socket, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if n == 0 {
		return b // for which a receive would wait until there is something
	}
	got, err := s.Recv(t.Late(), b, socketops.WaitAll)
	t.ok(err)
	t.equal(n, got)
	return b
}
