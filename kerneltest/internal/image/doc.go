// Package image makes what the guests start from: an initramfs with the guest program, the probe program and the
// test binaries of all wanted packages, linked statically, since the guest has no libraries. It is made once for
// all kernels and modes.
package image
