package aio

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strconv"
)

// The sysctls of AIO. They are there when the kernel has AIO and /proc is mounted.
const (
	sysctlMax = "/proc/sys/fs/aio-max-nr"
	sysctlNow = "/proc/sys/fs/aio-nr"
)

// Limits is what the system allows, for all processes together.
type Limits struct {
	Max   int // fs.aio-max-nr: for how many requests contexts may exist
	InUse int // fs.aio-nr: for how many they do
}

// Free returns for how many requests more contexts can be made.
func (l Limits) Free() int { return max(0, l.Max-l.InUse) }

// GetLimits reads fs.aio-max-nr and fs.aio-nr. Where the kernel has no AIO the error is an *UnsupportedError. Where
// /proc is not mounted it wraps fs.ErrNotExist, and making a Context tells whether there is AIO.
func GetLimits() (Limits, error) {
	limits, err := readLimits()
	if !errors.Is(err, fs.ErrNotExist) {
		return limits, err
	}
	// Either there is no AIO or no /proc. A context for one request tells.
	ctx, setupErr := setup(1)
	if setupErr != nil {
		return Limits{}, setupErr
	}
	_ = ioDestroy(ctx) // cannot fail for a context that was just made
	return Limits{}, err
}

func readLimits() (limits Limits, err error) {
	if limits.Max, err = readSysctl(sysctlMax); err != nil {
		return Limits{}, err
	}
	if limits.InUse, err = readSysctl(sysctlNow); err != nil {
		return Limits{}, err
	}
	return limits, nil
}

func readSysctl(path string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(bytes.TrimSpace(text)))
}
