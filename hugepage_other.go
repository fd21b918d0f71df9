//go:build !linux

package uring

// adviseHugePages does nothing: only Linux can be asked.
func adviseHugePages([]byte) {}
