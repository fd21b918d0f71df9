//go:build linux

package load

import (
	"fmt"
	"net"

	"github.com/sockring/uring/examples/internal/proto"
)

// netBuffers sends each batch as a Go program would that uses package net only: net.Buffers, one
// connection after the other, from one goroutine.
type netBuffers struct {
	*arena
	conns []net.Conn
	bufs  net.Buffers
	rest  net.Buffers // what WriteTo consumes: a copy of the header of bufs
}

func openNetBuffers(job proto.Job) (batcher, error) {
	a, err := newArena(job)
	if err != nil {
		return nil, err
	}
	n := &netBuffers{arena: a, bufs: make(net.Buffers, 0, job.Msgs)}
	for i := range job.Conns {
		if err := n.dial(job, i); err != nil {
			n.close()
			return nil, fmt.Errorf("connection %d: %w", i, err)
		}
	}
	return n, nil
}

func (n *netBuffers) dial(job proto.Job, index int) error {
	conn, err := net.Dial(job.Net, job.Addr)
	if err != nil {
		return err
	}
	n.conns = append(n.conns, conn)
	if job.SendBuf > 0 {
		if err := conn.(interface{ SetWriteBuffer(int) error }).SetWriteBuffer(job.SendBuf); err != nil {
			return err
		}
	}
	_, err = conn.Write(proto.Preamble(index))
	return err
}

func (n *netBuffers) close() {
	for _, conn := range n.conns {
		conn.Close()
	}
	n.arena.close()
}

func (n *netBuffers) pass() error {
	for i, conn := range n.conns {
		n.bufs = n.bufs[:0]
		for slot := range n.job.Msgs {
			n.bufs = append(n.bufs, n.msg(i, slot))
		}
		n.rest = n.bufs
		if _, err := n.rest.WriteTo(conn); err != nil {
			return err
		}
	}
	return nil
}

func (n *netBuffers) syscalls() uint64 {
	return writeCalls()
}
