package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lock keeps two of these programs from sharing a cache: they would write each other's image and logs.
func lock(file string) (unlock func(), err error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another kerneltest is running in this repository: %w", err)
	}
	return func() { f.Close() }, nil
}
