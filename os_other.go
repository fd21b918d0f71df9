//go:build !linux

package uring

// gettid is of no use where no Ring can be.
func gettid() int { return 0 }

func interrupt(int) error { return ErrUnsupported }

func deaf() bool { return false }

// adviseHugePages does nothing: only Linux can be asked.
func adviseHugePages([]byte) {}
