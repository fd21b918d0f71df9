package socketops

import (
	"os"
	"syscall"
	"time"
)

// parking is a descriptor as the runtime's poller knows it, where the goroutines of plain forms wait.
type parking struct {
	file *os.File        // owns the descriptor
	conn syscall.RawConn // nil where the poller does not take the descriptor
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

func newParking(fd int) *parking {
	p := &parking{file: os.NewFile(uintptr(fd), "socket")}
	if p.file.SetDeadline(time.Time{}) == nil { // which says whether the poller has it
		p.conn, _ = p.file.SyscallConn()
	}
	return p
}

// wait calls look, and again whenever the socket may have become ready, until that returns true, rouse is called, or
// the poller gives up, as it does where a socket has nothing but an error to tell.
func (p *parking) wait(d direction, look func(uintptr) bool) {
	if d == receiving {
		_ = p.conn.Read(look)
	} else {
		_ = p.conn.Write(look)
	}
}

// rouse ends the wait for a direction, and all that follow until calm.
func (p *parking) rouse(d direction) { p.setDeadline(d, longAgo) }

func (p *parking) calm(d direction) { p.setDeadline(d, time.Time{}) }

func (p *parking) setDeadline(d direction, t time.Time) {
	if d == receiving {
		_ = p.file.SetReadDeadline(t)
	} else {
		_ = p.file.SetWriteDeadline(t)
	}
}

// close closes the descriptor, and waits for goroutines that are about to leave.
func (p *parking) close() error {
	if err, ok := p.file.Close().(*os.PathError); ok {
		return err.Err
	}
	return nil
}
