package climit

import "fmt"

// Limits of a run: a send queue has at most connsMax entries, and a buffer ring msgsMax buffers.
const (
	connsMax = 32768
	msgsMax  = 32768
)

// check refuses what the C loop takes on trust.
func (a Args) check(fds, mem int) error {
	switch {
	case a.Conns < 1 || a.Conns > connsMax:
		return fmt.Errorf("climit: %d connections, want 1 to %d", a.Conns, connsMax)
	case a.Msgs < 1 || a.Msgs > msgsMax:
		return fmt.Errorf("climit: %d messages a batch, want 1 to %d", a.Msgs, msgsMax)
	case a.Size < 1 || a.Stride < a.Size:
		return fmt.Errorf("climit: messages of %d bytes every %d bytes", a.Size, a.Stride)
	case fds != a.Conns:
		return fmt.Errorf("climit: %d sockets for %d connections", fds, a.Conns)
	case mem < a.Conns*a.Msgs*a.Stride:
		return fmt.Errorf("climit: %d bytes of messages, want %d", mem, a.Conns*a.Msgs*a.Stride)
	case a.Dur < 0 || a.Warmup < 0:
		return fmt.Errorf("climit: negative duration")
	}
	return nil
}
