//go:build linux

package load

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/examples/internal/proto"
)

// cacheLine separates messages in memory, as separate allocations would be.
const cacheLine = 64

// arena is the memory of all messages: mapped, so that it never moves and the garbage collector has
// nothing to do with it. Messages lie one after the other, connection by connection.
type arena struct {
	mem    []byte
	job    proto.Job
	stride int // bytes from one message to the next
}

func newArena(job proto.Job) (*arena, error) {
	stride := (job.Size + cacheLine - 1) / cacheLine * cacheLine
	total := stride * job.Msgs * job.Conns
	mem, err := unix.Mmap(-1, 0, total, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_POPULATE)
	if err != nil {
		return nil, fmt.Errorf("%d bytes for the messages: %w", total, os.NewSyscallError("mmap", err))
	}
	a := &arena{mem: mem, job: job, stride: stride}
	for conn := range job.Conns {
		for slot := range job.Msgs {
			proto.Fill(a.msg(conn, slot), conn, slot)
		}
	}
	return a, nil
}

// msg is the message in the given slot of the connection's batch.
func (a *arena) msg(conn, slot int) []byte {
	at := (conn*a.job.Msgs + slot) * a.stride
	return a.mem[at : at+a.job.Size : at+a.job.Size]
}

// stamp numbers the messages of the given batch.
func (a *arena) stamp(batch uint64) {
	for conn := range a.job.Conns {
		for slot := range a.job.Msgs {
			proto.Stamp(a.msg(conn, slot), batch*uint64(a.job.Msgs)+uint64(slot))
		}
	}
}

func (a *arena) close() {
	unix.Munmap(a.mem)
}
