//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	aio "github.com/sockring/uring/compat_aio"
)

// saveEvery is how often an unfinished copy is synced and its state saved.
const saveEvery = 10 * time.Second

// errMismatch occurs when the copy, read back, is not what was read from the source.
var errMismatch = errors.New("the copy does not have the checksum of the source")

// job is one copy.
type job struct {
	from, to  string
	blockSize int
	depth     int
	direct    directMode
	verify    bool
	resume    bool
	force     bool                                  // overwrite what is there
	progress  func(phase string, done, total int64) // never nil
}

// result is what there is to tell of a copy.
type result struct {
	size, resumedAt         int64
	sum                     string
	directRead, directWrite bool
	verified                bool
}

func (j *job) part() string      { return j.to + ".part" }
func (j *job) statePath() string { return j.to + ".part.resume" }

// run makes the copy. What an interrupted run leaves behind is resumed by another with resume set.
func (j *job) run(ctx context.Context) (res result, err error) {
	src, err := j.openSource()
	if err != nil {
		return res, err
	}
	defer src.Close()
	from, err := identify(src.File)
	if err != nil {
		return res, err
	}
	if err := j.destination(src.File); err != nil {
		return res, err
	}
	begin, err := j.begin(from)
	if err != nil {
		return res, err
	}
	dst, err := j.openPart(begin.Blocks > 0)
	if err != nil {
		return res, err
	}
	defer dst.Close()
	p, err := j.pipeline(src, dst, from, begin)
	if err != nil {
		return res, err
	}
	defer p.close()
	res = result{size: from.Size, resumedAt: p.done()}
	if err := j.transfer(ctx, p, from); err != nil {
		return res, err
	}
	res.sum = hex.EncodeToString(p.hash.Sum(nil))
	res.directRead, res.directWrite = src.align > 1, dst.align > 1
	if j.verify {
		if err := j.check(ctx, p, dst, res.sum); err != nil {
			return res, err
		}
		res.verified = true
	}
	return res, j.finish(src.File)
}

// openSource opens the source, which must be a regular file: others have no length to be copied block by block.
func (j *job) openSource() (*end, error) {
	src, err := open(j.from, os.O_RDONLY, 0, j.direct)
	if err != nil {
		return nil, err
	}
	info, err := src.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file", j.from)
	}
	if err != nil {
		src.Close()
		return nil, err
	}
	return src, nil
}

// destination settles what the copy will be called, and refuses to write over what is there unasked.
func (j *job) destination(src *os.File) error {
	info, err := os.Stat(j.to)
	if err == nil && info.IsDir() {
		j.to = filepath.Join(j.to, filepath.Base(j.from))
		info, err = os.Stat(j.to)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	own, err := src.Stat()
	switch {
	case err != nil:
		return err
	case os.SameFile(own, info):
		return fmt.Errorf("%s and %s are the same file", j.from, j.to)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s: not a regular file", j.to)
	case !j.force:
		return fmt.Errorf("%s: %w; -f overwrites it", j.to, fs.ErrExist)
	}
	return nil
}

// begin returns the state to begin with: that of the interrupted copy, or of none.
func (j *job) begin(from source) (state, error) {
	fresh := state{Source: from, BlockSize: j.blockSize}
	if !j.resume {
		if _, err := os.Stat(j.statePath()); err == nil {
			return state{}, fmt.Errorf("%s: an interrupted copy; -resume goes on with it, removing the file starts anew",
				j.statePath())
		}
		return fresh, nil
	}
	s, err := load(j.statePath(), from)
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	}
	return s, err
}

// openPart opens the unfinished copy.
func (j *job) openPart(resumed bool) (*end, error) {
	flags := os.O_RDWR | os.O_CREATE
	if !resumed {
		flags |= os.O_TRUNC
	}
	return open(j.part(), flags, 0o600, j.direct)
}

// pipeline makes what moves the blocks, at the place where the copy begins.
func (j *job) pipeline(src, dst *end, from source, begin state) (*pipeline, error) {
	p := &pipeline{
		src: src, dst: dst, size: from.Size, hash: sha256.New(), blockSize: begin.BlockSize,
		first: begin.Blocks, hashed: begin.Blocks, next: begin.Blocks, mark: begin.Hash,
	}
	if begin.Blocks > 0 {
		if err := p.hash.(encoding.BinaryUnmarshaler).UnmarshalBinary(begin.Hash); err != nil {
			return nil, fmt.Errorf("%s: %w", j.statePath(), err)
		}
	}
	if p.blockSize%src.align != 0 || p.blockSize%dst.align != 0 {
		return nil, fmt.Errorf("blocks of %d bytes: O_DIRECT wants multiples of %d", p.blockSize, max(src.align, dst.align))
	}
	return p, p.allocate(j.depth)
}

// transfer moves all blocks, and saves how far it is now and then, and where it ends early.
func (j *job) transfer(ctx context.Context, p *pipeline, from source) error {
	if err := reserve(p.dst.File, p.size); err != nil {
		return err
	}
	saved := time.Now()
	p.progress = func(done int64) {
		j.progress("copy", done, p.size)
		if time.Since(saved) >= saveEvery {
			_ = j.save(p, from) // what cannot be saved now may be at the end, which tells
			saved = time.Now()
		}
	}
	if err := p.run(ctx); err != nil {
		if p.first > 0 && !errors.Is(err, errChanged) {
			err = errors.Join(err, j.save(p, from))
		}
		return err
	}
	now, err := identify(p.src.File)
	switch {
	case err != nil:
		return err
	case !now.same(from):
		return fmt.Errorf("%s: %w", j.from, errChanged)
	}
	if err := p.dst.Truncate(p.size); err != nil {
		return err
	}
	return p.dst.Sync()
}

// save syncs what was written and notes how far it is.
func (j *job) save(p *pipeline, from source) error {
	if err := unix.Fdatasync(int(p.dst.Fd())); err != nil {
		return &os.PathError{Op: "fdatasync", Path: j.part(), Err: err}
	}
	return state{Source: from, BlockSize: p.blockSize, Blocks: p.first, Hash: p.mark}.save(j.statePath())
}

// check reads the copy back, from the disk where the file system lets it, and compares the checksum.
func (j *job) check(ctx context.Context, copied *pipeline, dst *end, sum string) error {
	_ = unix.Fadvise(int(dst.Fd()), 0, 0, unix.FADV_DONTNEED) // without O_DIRECT: the cache is not the disk
	p := &pipeline{
		ctx: copied.ctx, src: dst, size: copied.size, hash: sha256.New(),
		blockSize: copied.blockSize, blocks: copied.blocks,
		progress: func(done int64) { j.progress("verify", done, copied.size) },
	}
	if err := p.run(ctx); err != nil {
		return err
	}
	if got := hex.EncodeToString(p.hash.Sum(nil)); got != sum {
		_ = os.Remove(j.statePath()) // nothing of this copy is worth going on with
		return fmt.Errorf("%s: %w: %s, not %s", j.part(), errMismatch, got, sum)
	}
	return nil
}

// finish gives the copy the source's mode and time, and its name.
func (j *job) finish(src *os.File) error {
	info, err := src.Stat()
	if err != nil {
		return err
	}
	if err := os.Chmod(j.part(), info.Mode().Perm()); err != nil {
		return err
	}
	if err := os.Chtimes(j.part(), time.Time{}, info.ModTime()); err != nil {
		return err
	}
	if err := os.Rename(j.part(), j.to); err != nil {
		return err
	}
	if err := os.Remove(j.statePath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncDir(filepath.Dir(j.to))
}

// reserve has the file system find room for all of the copy now, where it can, and not miss it at the end.
func reserve(f *os.File, size int64) error {
	if size == 0 {
		return nil
	}
	for {
		err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, size)
		switch {
		case err == nil || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS):
			return nil
		case errors.Is(err, unix.EINTR):
		default:
			return fmt.Errorf("%s: no room for %d bytes: %w", f.Name(), size, os.NewSyscallError("fallocate", err))
		}
	}
}

// syncDir makes the new name last.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// allocate makes room for depth blocks in flight.
func (p *pipeline) allocate(depth int) (err error) {
	if p.ctx, err = aio.NewContext(depth); err != nil {
		return err
	}
	mem, err := unix.Mmap(-1, 0, depth*p.blockSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return errors.Join(fmt.Errorf("%d blocks of %d bytes: %w", depth, p.blockSize, os.NewSyscallError("mmap", err)),
			p.ctx.Close())
	}
	p.mem = mem
	p.blocks = make([]block, depth)
	for i := range p.blocks {
		p.blocks[i].mem = mem[i*p.blockSize:][:p.blockSize:p.blockSize]
	}
	return nil
}

// close gives back what allocate made.
func (p *pipeline) close() error {
	return errors.Join(p.ctx.Close(), unix.Munmap(p.mem))
}
