//go:build !linux

package load

// There is nothing to compare where there is no io_uring.
var modes []Mode
