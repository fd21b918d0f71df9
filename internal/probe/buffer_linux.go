package probe

import (
	"bytes"
	"os"
	"unsafe"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/rawring"
)

var bufferChecks = []check{
	{GroupBuffer, PbufRing, Version{5, 19}, IOURingRegister, tryPbufRing},
	{GroupBuffer, "IOU_PBUF_RING_MMAP", Version{6, 4}, PbufRing, tryPbufRingMmap},
	{GroupBuffer, "IOU_PBUF_RING_INC", Version{6, 12}, PbufRing, tryPbufRingInc},
	{GroupBuffer, "IORING_REGISTER_PBUF_STATUS", Version{6, 8}, PbufRing, tryPbufStatus},
}

const (
	// groupID is beyond 63, since kernel 6.1 keeps the head of a smaller group from one registration to the next, so
	// that the new one begins in the middle of its ring.
	groupID      = 1000
	groupEntries = 8
)

// bufGroup is a registered ring of provided buffers.
//
// Ownership: the kernel reads entries from its head to the tail that Go stores, and owns their buffers until it gives
// them back. All of it is arena memory, which stays while a ring that has the group lives.
type bufGroup struct {
	ring    *rawring.Ring
	entries []cring.Buf
	tail    uint16
}

// group registers an empty buffer ring with r until the attempt is over.
func (p *prober) group(r *rawring.Ring, mem *rawring.Arena, flags uint16) (*bufGroup, error) {
	page := os.Getpagesize()
	base := &mem.Bytes(page, page)[0]
	reg := &cring.BufReg{
		RingAddr: rawring.Addr(base), RingEntries: groupEntries, Bgid: groupID, Flags: flags,
	}
	if _, err := register(r, cring.RegisterPbufRing, reg, 1); err != nil {
		return nil, err
	}
	p.later(func() { unregisterGroup(r) })
	// SAFETY: a page of the arena is large and aligned enough for the entries, which have no Go pointers.
	return &bufGroup{ring: r, entries: unsafe.Slice((*cring.Buf)(unsafe.Pointer(base)), groupEntries)}, nil
}

// unregisterGroup takes the group from the ring, unless cleaning up has closed that already.
func unregisterGroup(r *rawring.Ring) {
	if r.Fd >= 0 {
		_, _ = register(r, cring.UnregisterPbufRing, &cring.BufReg{Bgid: groupID}, 1)
	}
}

// add gives a buffer to the kernel.
func (g *bufGroup) add(buf []byte, bid uint16) {
	e := &g.entries[g.tail%groupEntries]
	e.Addr, e.Len, e.Bid = rawring.Addr(&buf[0]), uint32(len(buf)), bid
	g.tail++
	// The tail lies in the first entry. A plain store will do: the kernel reads it on this thread, in a later call.
	g.entries[0].Resv = g.tail
}

// selects makes a request take its buffer from the group.
func (g *bufGroup) selects(sqe cring.SQE) cring.SQE {
	sqe.Flags |= cring.SQEBufferSelect
	sqe.BufIndex = groupID
	return sqe
}

// bufferID is the buffer that a CQE names, or -1.
func bufferID(c cring.CQE) int {
	if c.Flags&cring.CQEFBuffer == 0 {
		return -1
	}
	return int(c.Flags >> cring.CQEBufferShift)
}

func tryPbufRing(p *prober) error {
	r, mem, err := p.shared()
	if err != nil {
		return err
	}
	_, err = p.group(r, mem, 0)
	return err
}

// tryPbufRingMmap has the kernel allocate the ring, and does not map it: kernels from 6.4 to 6.6.4 freed it under the
// mapping (CVE-2024-0582).
func tryPbufRingMmap(p *prober) error {
	r, _, err := p.shared()
	if err != nil {
		return err
	}
	reg := &cring.BufReg{RingEntries: groupEntries, Bgid: groupID, Flags: cring.PbufRingMmap}
	if _, err := register(r, cring.RegisterPbufRing, reg, 1); err != nil {
		return err
	}
	_, err = register(r, cring.UnregisterPbufRing, &cring.BufReg{Bgid: groupID}, 1)
	return err
}

func tryPbufStatus(p *prober) error {
	r, mem, err := p.shared()
	if err != nil {
		return err
	}
	if _, err := p.group(r, mem, 0); err != nil {
		return err
	}
	_, err = register(r, cring.RegisterPbufStatus, &cring.BufStatus{BufGroup: groupID}, 1)
	return err
}

// tryPbufRingInc receives twice into the one buffer.
func tryPbufRingInc(p *prober) error {
	since := Version{6, 12}
	r, mem, err := p.shared()
	if err != nil {
		return err
	}
	g, err := p.group(r, mem, cring.PbufRingInc)
	if err != nil {
		return err
	}
	here, there, err := p.socketpair()
	if err != nil {
		return err
	}
	buf := mem.Bytes(64, 8)
	g.add(buf, 3)
	recv := g.selects(cring.SQE{Opcode: cring.OpRecv, Fd: int32(here)})
	for _, text := range []string{"first", "second"} {
		if err := write(there, text); err != nil {
			return err
		}
		c, err := p.do(r, recv)
		if err != nil {
			return err
		}
		if int(c.Res) != len(text) || bufferID(c) != 3 || c.Flags&cring.CQEFBufMore == 0 {
			return lacking(since, "the buffer was not kept: result %d, flags %#x", c.Res, c.Flags)
		}
	}
	if !bytes.HasPrefix(buf, []byte("firstsecond")) {
		return lacking(since, "received %q", buf[:16])
	}
	return nil
}
