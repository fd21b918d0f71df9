//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	aio "github.com/sockring/uring/compat_aio"
)

// directMode is whether files are opened with O_DIRECT.
type directMode string

const (
	directAuto directMode = "auto" // where the file system allows it
	directOn   directMode = "on"   // or it is an error
	directOff  directMode = "off"
)

// String and Set make it a flag.
func (m *directMode) String() string { return string(*m) }

// Set accepts auto, on and off.
func (m *directMode) Set(s string) error {
	switch v := directMode(s); v {
	case directAuto, directOn, directOff:
		*m = v
		return nil
	}
	return errors.New("want auto, on or off")
}

// open opens a file, with O_DIRECT as the mode says. O_NONBLOCK has a FIFO opened at once, to be refused.
func open(path string, flags int, perm os.FileMode, mode directMode) (*end, error) {
	flags |= unix.O_NONBLOCK
	if mode != directOff {
		f, err := os.OpenFile(path, flags|unix.O_DIRECT, perm)
		switch {
		case err == nil:
			return directEnd(f, mode)
		case !errors.Is(err, unix.EINVAL):
			return nil, err
		case mode == directOn:
			return nil, fmt.Errorf("%s: the file system has no O_DIRECT: %w", path, err)
		}
	}
	f, err := os.OpenFile(path, flags, perm)
	if err != nil {
		return nil, err
	}
	return &end{File: f, align: 1}, nil
}

// directEnd finds out what O_DIRECT asks of the file's transfers.
func directEnd(f *os.File, mode directMode) (*end, error) {
	align, err := aio.FileAlignment(f)
	e := &end{File: f, align: align.Offset, forced: mode == directOn}
	switch {
	case err == nil && align.Memory <= os.Getpagesize(): // blocks begin on pages
		return e, nil
	case mode == directOn:
		f.Close()
		return nil, fmt.Errorf("%s: alignment of O_DIRECT, %d bytes in memory: %w", f.Name(), align.Memory, err)
	}
	return e, e.buffered()
}
