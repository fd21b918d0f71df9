package probe

import (
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/rawring"
)

var sendChecks = []check{
	{GroupSend, SendPollFirst, Version{5, 19}, "IORING_OP_SEND", trySendPollFirst},
	{GroupSend, SendTo, Version{6, 1}, "IORING_OP_SEND", trySendTo},
	{GroupSend, SendSelect, Version{6, 10}, PbufRing, trySendSelect},
	{GroupSend, SendBundle, Version{6, 10}, FeatBundle, trySendBundle},
	{GroupSend, SendVectorized, Version{6, 17}, "IORING_OP_SEND", trySendVectorized},
	{GroupSend, SendZC, Version{6, 0}, "IORING_OP_SEND_ZC", trySendZC},
	{GroupSend, SendmsgZC, Version{6, 1}, "IORING_OP_SENDMSG_ZC", trySendmsgZC},
}

// text is what the attempts send, in two parts.
const (
	firstPart  = "one, "
	secondPart = "two"
	text       = firstPart + secondPart
)

// put copies text into the arena.
func put(mem *rawring.Arena, text string) []byte {
	b := mem.Bytes(len(text), 8)
	copy(b, text)
	return b
}

// sent checks what arrived.
func (p *prober) sent(fd int, want string, since Version) error {
	got, err := p.read(fd, len(want))
	if err == nil && got != want {
		err = lacking(since, "sent %q, received %q", want, got)
	}
	return err
}

// trySendPollFirst sends without the attempt that usually comes first.
func trySendPollFirst(p *prober) error {
	r, mem, err := p.shared()
	if err != nil {
		return err
	}
	here, there, err := p.socketpair()
	if err != nil {
		return err
	}
	b := put(mem, text)
	send := cring.SQE{
		Opcode: cring.OpSend, Fd: int32(here), Addr: rawring.Addr(&b[0]), Len: uint32(len(b)),
		IOPrio: cring.RecvSendPollFirst,
	}
	if _, err := p.do(r, send); err != nil {
		return err
	}
	return p.sent(there, text, Version{5, 19})
}

// trySendTo sends a datagram from an unconnected socket. Kernels before 6.1 ignore the address.
func trySendTo(p *prober) error {
	r, mem, err := p.shared()
	if err != nil {
		return err
	}
	there, name, err := p.boundUnix(unix.SOCK_DGRAM)
	if err != nil {
		return err
	}
	here, err := p.socket(unix.AF_UNIX, unix.SOCK_DGRAM)
	if err != nil {
		return err
	}
	addr := rawring.Alloc[unix.RawSockaddrUnix](mem)
	addr.Family = unix.AF_UNIX
	for i := 1; i < len(name.Name); i++ { // the name begins with "@" for the zero byte of an abstract address
		addr.Path[i] = int8(name.Name[i])
	}
	b := put(mem, text)
	send := cring.SQE{
		Opcode: cring.OpSend, Fd: int32(here), Addr: rawring.Addr(&b[0]), Len: uint32(len(b)),
		Off: rawring.Addr(addr), FileIndex: int32(2 + len(name.Name)), // addr2 and addr_len
	}
	_, err = p.do(r, send)
	if errnoOf(err) == unix.ENOTCONN {
		return lacking(Version{6, 1}, "IORING_OP_SEND ignores its address")
	}
	if err != nil {
		return err
	}
	return p.sent(there, text, Version{6, 1})
}

// trySendSelect sends from a provided buffer.
func trySendSelect(p *prober) error {
	r, mem, err := p.shared()
	if err != nil {
		return err
	}
	g, err := p.group(r, mem, 0)
	if err != nil {
		return err
	}
	here, there, err := p.socketpair()
	if err != nil {
		return err
	}
	g.add(put(mem, text), 5)
	c, err := p.do(r, g.selects(cring.SQE{Opcode: cring.OpSend, Fd: int32(here)}))
	if err != nil {
		return err
	}
	if int(c.Res) != len(text) || bufferID(c) != 5 {
		return lacking(Version{6, 10}, "the provided buffer was not sent: result %d, flags %#x", c.Res, c.Flags)
	}
	return p.sent(there, text, Version{6, 10})
}

// trySendBundle sends two provided buffers with one request.
func trySendBundle(p *prober) error {
	since := Version{6, 10}
	r, mem, err := p.shared()
	if err != nil {
		return err
	}
	g, err := p.group(r, mem, 0)
	if err != nil {
		return err
	}
	here, there, err := p.socketpair()
	if err != nil {
		return err
	}
	g.add(put(mem, firstPart), 5)
	g.add(put(mem, secondPart), 2)
	id, err := submit(r, g.selects(cring.SQE{
		Opcode: cring.OpSend, Fd: int32(here), IOPrio: cring.RecvSendBundle,
	}))
	if err != nil {
		return err
	}
	for total := 0; ; {
		c, err := p.await(r, id, cring.OpSend)
		if err != nil {
			return err
		}
		total += int(c.Res)
		if c.Flags&cring.CQEFMore != 0 {
			continue
		}
		if total != len(text) {
			return lacking(since, "sent %d bytes of the %d in two buffers", total, len(text))
		}
		return p.sent(there, text, since)
	}
}

// vector puts text into the arena in two parts, with the iovecs that name them.
func vector(mem *rawring.Arena) *[2]cring.Iovec {
	first, second := put(mem, firstPart), put(mem, secondPart)
	iov := rawring.Alloc[[2]cring.Iovec](mem)
	iov[0] = cring.Iovec{Base: rawring.Addr(&first[0]), Len: uint64(len(first))}
	iov[1] = cring.Iovec{Base: rawring.Addr(&second[0]), Len: uint64(len(second))}
	return iov
}

func trySendVectorized(p *prober) error {
	r, mem, err := p.shared()
	if err != nil {
		return err
	}
	here, there, err := p.socketpair()
	if err != nil {
		return err
	}
	send := cring.SQE{
		Opcode: cring.OpSend, Fd: int32(here), IOPrio: cring.SendVectorized,
		Addr: rawring.Addr(vector(mem)), Len: 2,
	}
	if _, err := p.do(r, send); err != nil {
		return err
	}
	return p.sent(there, text, Version{6, 17})
}

func trySendZC(p *prober) error {
	_, mem, err := p.shared()
	if err != nil {
		return err
	}
	b := put(mem, text)
	send := cring.SQE{Opcode: cring.OpSendZC, Addr: rawring.Addr(&b[0]), Len: uint32(len(b))}
	return p.sendZeroCopy(send, Version{6, 0})
}

func trySendmsgZC(p *prober) error {
	_, mem, err := p.shared()
	if err != nil {
		return err
	}
	hdr := rawring.Alloc[cring.Msghdr](mem)
	hdr.Iov, hdr.Iovlen = rawring.Addr(vector(mem)), 2
	return p.sendZeroCopy(cring.SQE{Opcode: cring.OpSendmsgZC, Addr: rawring.Addr(hdr), Len: 1}, Version{6, 1})
}

// sendZeroCopy sends text over TCP, as unix sockets do not send without a copy, and waits until the kernel lets go of
// the memory.
func (p *prober) sendZeroCopy(send cring.SQE, since Version) error {
	r, _, err := p.shared()
	if err != nil {
		return err
	}
	here, there, err := p.tcpPair()
	if err != nil {
		return err
	}
	send.Fd = int32(here)
	id, err := submit(r, send)
	if err != nil {
		return err
	}
	c, err := p.await(r, id, send.Opcode)
	if err != nil {
		return err
	}
	if err := p.sent(there, text, since); err != nil {
		return err
	}
	if c.Flags&cring.CQEFMore == 0 {
		return lacking(since, "no notification will follow")
	}
	c, err = p.await(r, id, send.Opcode)
	if err == nil && c.Flags&cring.CQEFNotif == 0 {
		err = lacking(since, "the second completion is no notification: flags %#x", c.Flags)
	}
	return err
}
