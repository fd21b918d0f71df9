//go:build linux

package main

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"golang.org/x/sys/unix"

	aio "github.com/sockring/uring/compat_aio"
)

// errChanged occurs when the source is not as long as it was when the copy began.
var errChanged = errors.New("the source changed while it was read")

// pipeline reads a file block by block, many at a time, hashes the blocks in the order of the file, and writes each to
// the destination, where there is one. The blocks in work are a window of the file:
//
//	   first          hashed            next
//	     |               |                |
//	-----+-------+-------+-------+--------+------
//	done | being written | being read     | later
//	-----+---------------+----------------+------
type pipeline struct {
	ctx  *aio.Context
	src  *end
	dst  *end // nil where the blocks are only hashed
	size int64
	hash hash.Hash

	blockSize           int
	mem                 []byte
	blocks              []block     // block number i is in blocks[i % len(blocks)]
	first, hashed, next int64       // numbers of blocks
	ready               []*aio.IOCB // to be submitted
	numbers             []int64     // of the blocks that ready is for
	mark                []byte      // state of hash behind the block before first
	progress            func(done int64)
}

// end is a file at one end of the pipeline.
type end struct {
	*os.File
	align  int  // of offsets and lengths, in bytes; 1 where anything goes
	forced bool // O_DIRECT must not be given up
}

type blockState uint8

const (
	reading blockState = iota
	read
	writing
	done
)

// block is one block of the file in work.
type block struct {
	mem   []byte // page-aligned
	off   int64  // in the file
	want  int    // bytes of the file in it
	moved int    // bytes that the current transfer has moved
	state blockState
	mark  []byte // state of the hash behind it
}

// blocksIn is how many blocks a file of that size has.
func (p *pipeline) blocksIn() int64 {
	return (p.size + int64(p.blockSize) - 1) / int64(p.blockSize)
}

func (p *pipeline) block(number int64) *block { return &p.blocks[number%int64(len(p.blocks))] }

// done is how many bytes of the file are through.
func (p *pipeline) done() int64 { return min(p.first*int64(p.blockSize), p.size) }

// run takes the file through. When it returns, nothing is in flight, also where ctx ended or a transfer failed; done
// then says up to where everything was written.
func (p *pipeline) run(ctx context.Context) error {
	events := make([]aio.Event, len(p.blocks))
	for {
		if err := p.advance(); err != nil {
			return p.abandon(err)
		}
		if p.first == p.blocksIn() {
			return nil
		}
		// Where transfers are done when they are submitted, as through the page cache, Await has nothing to wait for.
		if err := ctx.Err(); err != nil {
			return p.abandon(err)
		}
		if err := p.submit(); err != nil {
			return p.abandon(err)
		}
		n, err := p.ctx.Await(ctx, 1, events)
		for i := range events[:n] {
			if failed := p.complete(&events[i]); err == nil {
				err = failed
			}
		}
		if err != nil {
			return p.abandon(err)
		}
	}
}

// advance moves the borders of the window as far as they go, the first before the last: what leaves makes room. It
// prepares what is to be done next.
func (p *pipeline) advance() error {
	for ; p.hashed < p.next && p.block(p.hashed).state == read; p.hashed++ {
		if err := p.digest(p.hashed); err != nil {
			return err
		}
	}
	for ; p.first < p.hashed && p.block(p.first).state == done; p.first++ {
		p.mark = append(p.mark[:0], p.block(p.first).mark...)
		p.progress(min((p.first+1)*int64(p.blockSize), p.size))
	}
	for ; p.next < p.blocksIn() && p.next-p.first < int64(len(p.blocks)); p.next++ {
		b := p.block(p.next)
		b.off = p.next * int64(p.blockSize)
		b.want = int(min(int64(p.blockSize), p.size-b.off))
		if err := p.start(p.next, reading); err != nil {
			return err
		}
	}
	return nil
}

// digest hashes a block that was read, and passes it on.
func (p *pipeline) digest(number int64) (err error) {
	b := p.block(number)
	p.hash.Write(b.mem[:b.want])
	if b.mark, err = p.hash.(encoding.BinaryAppender).AppendBinary(b.mark[:0]); err != nil {
		return err
	}
	if p.dst == nil {
		b.state = done
		return nil
	}
	clear(b.mem[b.want:]) // what O_DIRECT writes behind the end of the file is cut off at last
	return p.start(number, writing)
}

// start begins a transfer of a block.
func (p *pipeline) start(number int64, state blockState) error {
	b := p.block(number)
	b.state, b.moved = state, 0
	return p.prepare(number)
}

// prepare prepares the rest of a block's transfer. Reads ask for more than there is: then the end of the file shows.
func (p *pipeline) prepare(number int64) error {
	cb, err := p.ctx.IOCB()
	if err != nil {
		return err
	}
	b := p.block(number)
	off := b.off + int64(b.moved)
	if b.state == reading {
		err = cb.PrepPread(int(p.src.Fd()), b.mem[b.moved:], off)
	} else {
		length := (b.want + p.dst.align - 1) / p.dst.align * p.dst.align
		err = cb.PrepPwrite(int(p.dst.Fd()), b.mem[b.moved:length], off)
	}
	if err == nil {
		err = cb.Notify()
	}
	if err != nil {
		return errors.Join(err, cb.Release())
	}
	cb.SetData64(uint64(number))
	p.ready, p.numbers = append(p.ready, cb), append(p.numbers, number)
	return nil
}

// submit submits what is prepared. A request that the kernel refuses has failed as one does that it took.
func (p *pipeline) submit() error {
	for len(p.ready) > 0 {
		n, err := p.ctx.Submit(p.ready...)
		p.drop(n)
		switch {
		case err == nil:
			continue
		case errors.Is(err, aio.ErrInsufficientResources) && p.ctx.Stats().InFlight > 0:
			return nil // completions make room
		}
		refused, number := p.ready[0], p.numbers[0]
		p.drop(1)
		if err := errors.Join(refused.Release(), p.failed(number, err)); err != nil {
			return err
		}
	}
	return nil
}

// drop forgets the first n of what is prepared.
func (p *pipeline) drop(n int) {
	p.ready = append(p.ready[:0], p.ready[n:]...)
	p.numbers = append(p.numbers[:0], p.numbers[n:]...)
}

// complete takes the completion of a transfer, or goes on with its rest.
func (p *pipeline) complete(e *aio.Event) error {
	number := int64(e.Data64)
	n, err := e.Result()
	if err != nil {
		return p.failed(number, err)
	}
	b := p.block(number)
	b.moved += n
	switch {
	case b.state == reading && b.moved > b.want, b.state == reading && n == 0 && b.moved < b.want:
		return errChanged
	case b.moved < b.want && n == 0:
		return fmt.Errorf("%s: %w at byte %d", p.end(b).Name(), io.ErrShortWrite, b.off+int64(b.moved))
	case b.moved < b.want:
		if b.moved%p.end(b).align != 0 {
			if err := p.end(b).buffered(); err != nil {
				return err
			}
		}
		return p.prepare(number)
	case b.state == reading:
		b.state = read
	default:
		b.state = done
	}
	return nil
}

// end is the file that a block is being moved from or to.
func (p *pipeline) end(b *block) *end {
	if b.state == reading {
		return p.src
	}
	return p.dst
}

// failed tries a transfer that O_DIRECT does not allow again without it, and returns any other error.
func (p *pipeline) failed(number int64, err error) error {
	b := p.block(number)
	e := p.end(b)
	if errors.Is(err, unix.EINVAL) && e.align > 1 && !e.forced {
		if err := e.buffered(); err != nil {
			return err
		}
		return p.prepare(number)
	}
	return fmt.Errorf("%s: at byte %d: %w", e.Name(), b.off+int64(b.moved), err)
}

// buffered has the file go through the page cache from now on.
func (e *end) buffered() error {
	flags, err := unix.FcntlInt(e.Fd(), unix.F_GETFL, 0)
	if err == nil {
		_, err = unix.FcntlInt(e.Fd(), unix.F_SETFL, flags&^unix.O_DIRECT)
	}
	if err != nil {
		return fmt.Errorf("%s: leave O_DIRECT: %w", e.Name(), os.NewSyscallError("fcntl", err))
	}
	e.align = 1
	return nil
}

// abandon ends what is under way, so that the blocks' memory is ours again, and returns err. What was written until
// then counts.
func (p *pipeline) abandon(err error) error {
	for _, cb := range p.ready {
		err = errors.Join(err, cb.Release())
	}
	p.drop(len(p.ready))
	events := make([]aio.Event, len(p.blocks))
	for p.ctx.Stats().InFlight > 0 {
		n, waitErr := p.ctx.GetEvents(1, events, -1)
		if waitErr != nil {
			return errors.Join(err, waitErr)
		}
		for i := range events[:n] {
			p.conclude(&events[i])
		}
	}
	for ; p.first < p.hashed && p.block(p.first).state == done; p.first++ {
		p.mark = append(p.mark[:0], p.block(p.first).mark...)
	}
	return err
}

// conclude notes a write that was whole.
func (p *pipeline) conclude(e *aio.Event) {
	b := p.block(int64(e.Data64))
	if n, err := e.Result(); err == nil && b.state == writing && b.moved+n >= b.want {
		b.state = done
	}
}
