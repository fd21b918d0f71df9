//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// errNotTheSame occurs when an interrupted copy was of another file, or of other content.
var errNotTheSame = errors.New("the interrupted copy was of another source, or the source has changed since")

// source identifies the content of a file as far as its inode tells.
type source struct {
	Device uint64    `json:"device"`
	Inode  uint64    `json:"inode"`
	Size   int64     `json:"size"`
	Change time.Time `json:"change"` // ctime, which nobody can set back
}

func identify(f *os.File) (source, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return source{}, &os.PathError{Op: "fstat", Path: f.Name(), Err: err}
	}
	return source{Device: st.Dev, Inode: st.Ino, Size: st.Size, Change: time.Unix(st.Ctim.Unix())}, nil
}

// same reports whether it is the same content of the same file.
func (s source) same(other source) bool {
	return s.Change.Equal(other.Change) && s.Device == other.Device && s.Inode == other.Inode && s.Size == other.Size
}

// state is how far an interrupted copy has come. It is saved beside the unfinished copy, as JSON.
type state struct {
	Source    source `json:"source"`
	BlockSize int    `json:"block_size"`
	Blocks    int64  `json:"blocks"` // so many are hashed and written, from the start
	Hash      []byte `json:"hash"`   // the state of SHA-256 behind them
}

// save replaces the saved state at once, so that an interruption here leaves the old one or the new one. What the state
// speaks of must be on the disk before.
func (s state) save(path string) error {
	text, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// load reads a saved state and checks that it is of this source.
func load(path string, from source) (state, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return state{}, err
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return state{}, fmt.Errorf("%s: %w", path, err)
	}
	if !s.Source.same(from) {
		return state{}, fmt.Errorf("%s: %w", path, errNotTheSame)
	}
	if s.BlockSize < 1 || s.Blocks < 0 || s.Blocks > (from.Size+int64(s.BlockSize)-1)/int64(s.BlockSize) {
		return state{}, fmt.Errorf("%s: %d blocks of %d bytes make no sense", path, s.Blocks, s.BlockSize)
	}
	return s, nil
}
