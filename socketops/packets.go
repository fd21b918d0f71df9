//go:build linux

package socketops

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/eintr"
)

// Packet is an element of SendPackets: memory or a part of a file, of which one is given. The zero Packet is skipped.
type Packet struct {
	Data []byte   // sent as it is; an empty one that is not nil is an empty datagram on sockets that have those
	File *os.File // stays the caller's, and can be closed when SendPackets has returned
	Path string   // of a file that SendPackets opens and closes

	// Offset is where in the file to begin, in bytes, and Count how many bytes to send, 0 for all to the file's end.
	Offset, Count int64
}

// SendPacketsOptions is what SendPackets does when all has been sent.
type SendPacketsOptions int

// The options, which can be or-ed together.
const (
	PacketsDisconnect  SendPacketsOptions = 1 << iota // Disconnect(false)
	PacketsReuseSocket                                // Disconnect(true)
)

// SendPackets sends memory and files one after the other, and waits as Send does; the write time-out is for the whole
// list. No other send of the socket comes in between. It returns how many bytes were sent, also with an error, which
// ends the list. Files by Path are opened before anything is sent. A file that is shorter than Offset and Count say is
// EINVAL when its turn comes, before any byte of it (A85). On a socket that SetBlocking made non-blocking the error is
// ErrWouldBlock where not all was sent. After all, opt says whether to disconnect. On a socket that never was connected
// it is ENOTCONN for a stream, and for a list of nothing.
func (s *Socket) SendPackets(ctx context.Context, elems []Packet, opt SendPacketsOptions) (int64, error) {
	if opt&^(PacketsDisconnect|PacketsReuseSocket) != 0 {
		return 0, s.invalid("send packets", &UnsupportedError{
			What: fmt.Sprintf("SendPackets option %#x", int(opt)), Why: "there are Disconnect and ReuseSocket",
		})
	}
	p, err := openPackets(elems)
	if err != nil {
		return 0, s.invalid("send packets", err)
	}
	defer p.close()
	if !p.left() && !s.isClosed() && !s.hadPeer() {
		return 0, s.invalid("send packets", unix.ENOTCONN)
	}
	o := newOp(opSendFile, 0)
	defer o.recycle()
	o.whole, o.packets = true, p
	s.perform(ctx, o, s.WriteTimeout())
	if err = o.err; err == nil && p.left() {
		err = ErrWouldBlock
	}
	switch {
	case err != nil:
		return p.sent, s.peerless(opError(p.name(), err))
	case opt != 0:
		return p.sent, s.Disconnect(opt&PacketsReuseSocket != 0)
	}
	return p.sent, nil
}

// packets is what SendPackets is to send, and how far that has come.
type packets struct {
	list  []packet // that are not done with
	begun bool     // the first is a file, and the operation knows which part of it is left
	sent  int64
	files []int // descriptors to close
}

// packet is an element with its file open.
type packet struct {
	data []byte
	fd   int // of the file, or -1
	off  int64
	n    int64 // 0 is all
}

// openPackets checks the elements and opens their files.
func openPackets(elems []Packet) (*packets, error) {
	p := &packets{list: make([]packet, 0, len(elems))}
	for i := range elems {
		if err := p.add(&elems[i]); err != nil {
			p.close()
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return p, nil
}

func (p *packets) add(e *Packet) error {
	given := 0
	for _, is := range []bool{e.Data != nil, e.File != nil, e.Path != ""} {
		if is {
			given++
		}
	}
	extent := e.Offset != 0 || e.Count != 0
	switch {
	case given == 0 && !extent:
		return nil
	case given != 1, e.Data != nil && extent, e.Offset < 0, e.Count < 0:
		return unix.EINVAL
	case e.Data != nil:
		p.list = append(p.list, packet{data: e.Data, fd: -1})
		return nil
	}
	fd, err := e.open()
	if err == nil {
		p.files = append(p.files, fd)
		p.list = append(p.list, packet{fd: fd, off: e.Offset, n: e.Count})
	}
	return err
}

// open returns a descriptor of the file.
func (e *Packet) open() (int, error) {
	if e.File != nil {
		return duplicate(e.File)
	}
	for tries := eintr.Tries(0); ; { // O_NONBLOCK is for pipes, which would have it wait for their other end.
		fd, err := unix.Open(e.Path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != unix.EINTR || !tries.Again() {
			return fd, err
		}
	}
}

func (p *packets) close() {
	for _, fd := range p.files {
		unix.Close(fd)
	}
}

// left reports whether there is more to send.
func (p *packets) left() bool { return len(p.list) > 0 }

// name is the system call that is the next.
func (p *packets) name() string {
	if p.left() && p.list[0].fd >= 0 {
		return opSendFile.String()
	}
	return opSend.String()
}

// call makes system calls until one has sent something, and returns how much, or the negative errno. 0 is that all is
// sent.
func (p *packets) call(fd int, o *op) int {
	for p.left() {
		n, over := p.step(fd, o)
		if n < 0 {
			return n
		}
		p.sent += int64(n)
		if over {
			p.list, p.begun = p.list[1:], false
		}
		if n > 0 {
			return n
		}
	}
	return 0
}

// step makes one system call, and reports whether it was the last of its element.
func (p *packets) step(fd int, o *op) (n int, over bool) {
	e := &p.list[0]
	if e.fd < 0 {
		if n = sysSend(fd, e.data, 0); n > 0 {
			e.data = e.data[n:]
		}
		return n, len(e.data) == 0
	}
	if !p.begun {
		if err := e.begin(o); err != nil {
			o.argued = true
			return -int(err.(unix.Errno)), false
		}
		p.begun = true
	}
	n = sysSendFile(fd, o)
	return n, n == 0 || o.left == 0
}

// begin has the operation send from the file, which has to be long enough.
func (e *packet) begin(o *op) error {
	var st unix.Stat_t
	if err := unix.Fstat(e.fd, &st); err != nil {
		return err
	}
	left := st.Size - e.off
	if e.n > left || left < 0 {
		return unix.EINVAL
	}
	o.fileFD, o.off, o.left, o.copied = e.fd, e.off, left, nil
	if e.n > 0 {
		o.left = e.n
	}
	return nil
}
