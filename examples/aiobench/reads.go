//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/compat_aio"
	"github.com/sockring/uring/examples/internal/cli"
	"github.com/sockring/uring/examples/internal/machine"
)

// sample is what one turn of one contender measured.
type sample struct {
	iops      float64
	cpuMicros float64 // a read
}

// reader is a contender: it reads for the job's time, and measures that.
type reader struct {
	name string
	read func(context.Context, *readJob) (sample, error)
}

// readers are the contenders written in Go.
var readers = []reader{
	{"readat", readAt},
	{"goroutines", readGoroutines},
	{"context", readContext},
	{"queue", readQueue},
}

// readJob is a turn's work: random blocks of a file that is open with O_DIRECT.
type readJob struct {
	file   *os.File
	align  aio.Alignment
	blocks int64 // in the file
	block  int
	depth  int
	dur    time.Duration
	end    time.Time
}

// measure runs a contender's loop, which says how many reads it has done. What comes before and after, such as
// io_destroy(2), which takes 30 ms, is no part of it, as it is none of fio's figures.
func (j *readJob) measure(loop func() (reads int, err error)) (sample, error) {
	before, err := cpuTime()
	if err != nil {
		return sample{}, err
	}
	start := time.Now()
	j.end = start.Add(j.dur)
	reads, err := loop()
	elapsed := time.Since(start)
	if err != nil || reads == 0 {
		return sample{}, err
	}
	after, err := cpuTime()
	return sample{
		iops:      float64(reads) / elapsed.Seconds(),
		cpuMicros: float64((after - before).Nanoseconds()) / 1e3 / float64(reads),
	}, err
}

// over reports whether the turn is.
func (j *readJob) over(ctx context.Context) bool {
	return ctx.Err() != nil || !time.Now().Before(j.end)
}

// offset is that of a random block.
func (j *readJob) offset() int64 { return rand.Int64N(j.blocks) * int64(j.block) }

// buffers returns one for each read in flight.
func (j *readJob) buffers() [][]byte {
	bufs := make([][]byte, j.depth)
	for i := range bufs {
		bufs[i] = j.align.Buffer(j.block)
	}
	return bufs
}

// whole is the error of a read that did not bring the block.
func (j *readJob) whole(n int, err error) error {
	if err == nil && n != j.block {
		err = fmt.Errorf("%s: a read of %d bytes in place of %d", j.file.Name(), n, j.block)
	}
	return err
}

// measureReads makes the file and has the contenders read it in turns.
func (o *options) measureReads(ctx context.Context, facts machine.Facts) (*readReport, error) {
	j, err := o.makeFile(ctx)
	if err != nil {
		return nil, err
	}
	defer os.Remove(j.file.Name())
	defer j.file.Close()
	contenders := readers
	if path, ok := findFIO(o.fio); ok {
		contenders = append(contenders[:len(contenders):len(contenders)], reader{fioName, nil})
		o.fio = path
	}
	rep := newReadReport(o, facts, contenders)
	say := newProgress(os.Stderr)
	defer say.finish()
	turn, turns := 0, o.rounds*len(contenders)
	for round := range o.rounds {
		for i := range contenders {
			c := contenders[(round+i)%len(contenders)]
			say.turn(turn, turns, fmt.Sprintf("round %d, %s", round+1, c.name))
			s, err := o.take(ctx, c, j)
			if ctx.Err() != nil {
				return rep.sumUp(), nil // what was measured until the interrupt
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			rep.add(c.name, round, s)
			turn++
		}
	}
	return rep.sumUp(), nil
}

// take gives a contender its turn.
func (o *options) take(ctx context.Context, c reader, j *readJob) (sample, error) {
	if c.name == fioName {
		return o.runFIO(ctx, j)
	}
	return c.read(ctx, j)
}

// cpuTime is what this process has used.
func cpuTime() (time.Duration, error) {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		return 0, os.NewSyscallError("getrusage", err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), nil
}

// makeFile writes the file that is read, and opens it with O_DIRECT. Random content keeps file systems from storing
// less than there is.
func (o *options) makeFile(ctx context.Context) (*readJob, error) {
	f, err := os.CreateTemp(o.dir, "aiobench-*.data")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	direct, align, err := o.fill(ctx, f)
	if err != nil {
		os.Remove(f.Name())
		return nil, err
	}
	return &readJob{
		file: direct, align: align, block: o.block, depth: o.depth, dur: o.dur,
		blocks: int64(o.fileMiB) << 20 / int64(o.block),
	}, nil
}

func (o *options) fill(ctx context.Context, f *os.File) (*os.File, aio.Alignment, error) {
	chunk := make([]byte, 1<<20)
	source := rand.NewChaCha8([32]byte{1})
	for range o.fileMiB {
		source.Read(chunk)
		if _, err := f.Write(chunk); err != nil {
			return nil, aio.Alignment{}, err
		}
		if err := ctx.Err(); err != nil {
			return nil, aio.Alignment{}, err
		}
	}
	if err := f.Sync(); err != nil {
		return nil, aio.Alignment{}, err
	}
	align, err := aio.FileAlignment(f)
	if err != nil {
		return nil, align, err
	}
	if o.block%align.Offset != 0 {
		return nil, align, cli.Usagef("-block %d: O_DIRECT wants a multiple of %d in %s", o.block, align.Offset, o.dir)
	}
	direct, err := os.OpenFile(f.Name(), os.O_RDONLY|unix.O_DIRECT, 0)
	return direct, align, err
}

// readAt reads one block after the other.
func readAt(ctx context.Context, j *readJob) (sample, error) {
	return j.measure(func() (int, error) { return j.readSteadily(ctx) })
}

func (j *readJob) readSteadily(ctx context.Context) (reads int, err error) {
	for buf := j.align.Buffer(j.block); !j.over(ctx); reads++ {
		if err := j.whole(j.file.ReadAt(buf, j.offset())); err != nil {
			return reads, err
		}
	}
	return reads, nil
}

// readGoroutines is readAt by many goroutines, each of which holds a thread while it reads.
func readGoroutines(ctx context.Context, j *readJob) (sample, error) {
	return j.measure(func() (int, error) { return j.readTogether(ctx) })
}

func (j *readJob) readTogether(ctx context.Context) (reads int, err error) {
	type outcome struct {
		reads int
		err   error
	}
	outcomes := make(chan outcome)
	for range j.depth {
		go func() {
			n, err := j.readSteadily(ctx)
			outcomes <- outcome{n, err}
		}()
	}
	for range j.depth {
		o := <-outcomes
		reads, err = reads+o.reads, errors.Join(err, o.err)
	}
	return reads, err
}

// readContext keeps depth reads in flight on the raw floor.
func readContext(ctx context.Context, j *readJob) (s sample, err error) {
	c, err := aio.NewContext(j.depth)
	if err != nil {
		return sample{}, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	bufs := j.buffers()
	return j.measure(func() (int, error) { return j.readByContext(ctx, c, bufs) })
}

func (j *readJob) readByContext(ctx context.Context, c *aio.Context, bufs [][]byte) (reads int, err error) {
	events := make([]aio.Event, reapedAtOnce)
	ready, iocbs := make([]int, j.depth), make([]*aio.IOCB, j.depth)
	for i := range ready {
		ready[i] = i
	}
	for inFlight := 0; len(ready) > 0 || inFlight > 0; {
		if j.over(ctx) || err != nil {
			ready = ready[:0]
		} else if err = submitReads(c, j, iocbs[:len(ready)], bufs, ready); err == nil {
			inFlight += len(ready)
			ready = ready[:0]
		}
		if inFlight == 0 {
			break
		}
		n, waitErr := c.GetEvents(1, events, -1)
		if waitErr != nil {
			return reads, errors.Join(err, waitErr)
		}
		inFlight -= n
		for i := range events[:n] {
			err = errors.Join(err, j.whole(events[i].Result()))
			ready = append(ready, int(events[i].Data64))
		}
		reads += n
	}
	return reads, err
}

// unplugged is how many requests io_submit(2) passes to the disk one by one. Of more it holds back the first until it
// has seen the last (block plugging), which serves disks that merge neighbours, and keeps one idle that waits for the
// first of random reads. fio submits one at a time.
const unplugged = 2

// reapedAtOnce is how many completions are read before other requests take their place. All that there are would leave
// the disk with few to do meanwhile; fio reads one at a time.
const reapedAtOnce = 4

// submitReads submits a read into each of the buffers that ready names.
func submitReads(c *aio.Context, j *readJob, iocbs []*aio.IOCB, bufs [][]byte, ready []int) error {
	n, err := c.IOCBs(iocbs)
	if err != nil {
		return err
	}
	for i, buf := range ready[:n] {
		iocbs[i].SetData64(uint64(buf))
		err = errors.Join(err, iocbs[i].PrepPread(int(j.file.Fd()), bufs[buf], j.offset()))
	}
	for len(iocbs) > 0 && err == nil {
		n, err = c.Submit(iocbs[:min(unplugged, len(iocbs))]...)
		iocbs = iocbs[n:]
	}
	if err != nil {
		for _, cb := range iocbs {
			err = errors.Join(err, cb.Release())
		}
	}
	return err
}

// readQueue keeps depth requests in flight.
func readQueue(ctx context.Context, j *readJob) (s sample, err error) {
	q, err := aio.NewQueue(j.depth)
	if err != nil {
		return sample{}, err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	ready := make([]*aio.Request, j.depth)
	for i, buf := range j.buffers() {
		ready[i] = new(aio.Request)
		if err := ready[i].PrepareRead(aio.FileOf(j.file), j.offset(), buf, buf); err != nil {
			return sample{}, err
		}
	}
	return j.measure(func() (int, error) { return j.readByQueue(ctx, q, ready) })
}

func (j *readJob) readByQueue(ctx context.Context, q *aio.Queue, ready []*aio.Request) (reads int, err error) {
	if _, err := q.Submit(ready...); err != nil {
		return 0, err
	}
	done := make([]*aio.Request, reapedAtOnce)
	for {
		n, waitErr := q.Wait(context.Background(), 1, done)
		if errors.Is(waitErr, aio.ErrNoRequests) {
			return reads, err
		}
		if waitErr != nil {
			return reads, errors.Join(err, waitErr)
		}
		for _, r := range done[:n] {
			err = errors.Join(err, j.whole(r.Result()))
		}
		reads += n
		if !j.over(ctx) && err == nil {
			err = j.again(q, done[:n])
		}
	}
}

// again submits completed requests for other blocks, into the buffers that they have.
func (j *readJob) again(q *aio.Queue, done []*aio.Request) error {
	for _, r := range done {
		buf := r.User().([]byte)
		if err := r.PrepareRead(aio.FileOf(j.file), j.offset(), buf, buf); err != nil {
			return err
		}
	}
	for len(done) > 0 {
		n, err := q.Submit(done[:min(unplugged, len(done))]...)
		if err != nil {
			return err
		}
		done = done[n:]
	}
	return nil
}
