package probe

import (
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/rawring"
)

var receiveChecks = []check{
	{GroupReceive, RecvSelect, Version{5, 19}, PbufRing, tryRecvSelect},
	{GroupReceive, RecvMultishot, Version{6, 0}, PbufRing, tryRecvMultishot},
	{GroupReceive, RecvBundle, Version{6, 10}, FeatBundle, tryRecvBundle},
	{GroupReceive, AcceptMultishot, Version{5, 19}, "IORING_OP_ACCEPT", tryAcceptMultishot},
	{GroupReceive, PollMultishot, Version{5, 13}, "IORING_OP_POLL_ADD", tryPollMultishot},
}

// receiver is a socket to receive from, and two buffers of 16 bytes to receive into.
type receiver struct {
	ring        *rawring.Ring
	group       *bufGroup
	here, there int
	bufs        [2][]byte // the ids are 4 and 1, so that a mere count is not taken for an id
}

func (p *prober) receiver() (*receiver, error) {
	ring, mem, err := p.shared()
	if err != nil {
		return nil, err
	}
	r := &receiver{ring: ring}
	if r.group, err = p.group(ring, mem, 0); err != nil {
		return nil, err
	}
	if r.here, r.there, err = p.socketpair(); err != nil {
		return nil, err
	}
	for i, bid := range [...]uint16{4, 1} {
		r.bufs[i] = mem.Bytes(16, 8)
		r.group.add(r.bufs[i], bid)
	}
	return r, nil
}

func (r *receiver) recv(ioprio uint16) cring.SQE {
	return r.group.selects(cring.SQE{Opcode: cring.OpRecv, Fd: int32(r.here), IOPrio: ioprio})
}

func tryRecvSelect(p *prober) error {
	r, err := p.receiver()
	if err != nil {
		return err
	}
	if err := write(r.there, text); err != nil {
		return err
	}
	c, err := p.do(r.ring, r.recv(0))
	if err != nil {
		return err
	}
	if int(c.Res) != len(text) || bufferID(c) != 4 || string(r.bufs[0][:len(text)]) != text {
		return lacking(Version{5, 19}, "sent %q, received %q, result %d, flags %#x", text, r.bufs[0], c.Res, c.Flags)
	}
	return nil
}

// tryRecvMultishot receives twice with one request, which the peer's end then ends.
func tryRecvMultishot(p *prober) error {
	since := Version{6, 0}
	r, err := p.receiver()
	if err != nil {
		return err
	}
	id, err := submit(r.ring, r.recv(cring.RecvMultishot))
	if err != nil {
		return err
	}
	for _, bid := range [...]int{4, 1} {
		if err := write(r.there, text); err != nil {
			return err
		}
		c, err := p.await(r.ring, id, cring.OpRecv)
		if err != nil {
			return err
		}
		if int(c.Res) != len(text) || bufferID(c) != bid || c.Flags&cring.CQEFMore == 0 {
			return lacking(since, "the request did not stay: result %d, flags %#x", c.Res, c.Flags)
		}
	}
	if err := unix.Shutdown(r.there, unix.SHUT_RDWR); err != nil {
		return answeredHelper("shutdown", err)
	}
	c, err := r.ring.Await(id, p.patience())
	if err == nil && c.Flags&cring.CQEFMore != 0 {
		err = lacking(since, "the peer's end did not end the request: result %d, flags %#x", c.Res, c.Flags)
	}
	return err
}

// tryRecvBundle receives more than a buffer holds.
func tryRecvBundle(p *prober) error {
	since := Version{6, 10}
	r, err := p.receiver()
	if err != nil {
		return err
	}
	const long = "more than sixteen bytes"
	if err := write(r.there, long); err != nil {
		return err
	}
	c, err := p.do(r.ring, r.recv(cring.RecvSendBundle))
	if err != nil {
		return err
	}
	got := string(r.bufs[0]) + string(r.bufs[1])
	if int(c.Res) != len(long) || bufferID(c) != 4 || got[:len(long)] != long {
		return lacking(since, "sent %d bytes, received %q, result %d, flags %#x", len(long), got, c.Res, c.Flags)
	}
	return nil
}

// tryAcceptMultishot accepts two connections with one request.
func tryAcceptMultishot(p *prober) error {
	r, _, err := p.shared()
	if err != nil {
		return err
	}
	listener, addr, err := p.boundUnix(unix.SOCK_STREAM)
	if err != nil {
		return err
	}
	if err := unix.Listen(listener, 2); err != nil {
		return answeredHelper("listen", err)
	}
	id, err := submit(r, cring.SQE{
		Opcode: cring.OpAccept, Fd: int32(listener), IOPrio: cring.AcceptMultishot, OpFlags: unix.SOCK_CLOEXEC,
	})
	if err != nil {
		return err
	}
	defer p.stopAccepting(r, id)
	for range 2 {
		client, err := p.socket(unix.AF_UNIX, unix.SOCK_STREAM)
		if err != nil {
			return err
		}
		if err := unix.Connect(client, addr); err != nil {
			return answeredHelper("connect", err)
		}
		c, err := p.await(r, id, cring.OpAccept)
		if err != nil {
			return err
		}
		unix.Close(int(c.Res))
		if c.Flags&cring.CQEFMore == 0 {
			return lacking(Version{5, 19}, "the request did not stay: flags %#x", c.Flags)
		}
	}
	return nil
}

// stopAccepting ends an accept request and closes what it accepted unseen.
func (p *prober) stopAccepting(r *rawring.Ring, id uint64) {
	if r.Pending(id) {
		// Whatever becomes of the cancellation shows in what the request does.
		_, _ = submit(r, cring.SQE{Opcode: cring.OpAsyncCancel, Fd: -1, Addr: id})
	}
	for r.Pending(id) {
		c, err := r.Await(id, p.patience())
		if err != nil {
			return
		}
		if c.Res >= 0 {
			unix.Close(int(c.Res))
		}
	}
}

// tryPollMultishot has two writes reported by one request.
func tryPollMultishot(p *prober) error {
	r, _, err := p.shared()
	if err != nil {
		return err
	}
	here, there, err := p.socketpair()
	if err != nil {
		return err
	}
	id, err := submit(r, cring.SQE{
		Opcode: cring.OpPollAdd, Fd: int32(here), OpFlags: unix.POLLIN, Len: cring.PollAddMulti,
	})
	if err != nil {
		return err
	}
	for range 2 {
		if err := write(there, text); err != nil {
			return err
		}
		c, err := p.await(r, id, cring.OpPollAdd)
		if err != nil {
			return err
		}
		if c.Flags&cring.CQEFMore == 0 {
			return lacking(Version{5, 13}, "the request did not stay: flags %#x", c.Flags)
		}
	}
	return nil
}
