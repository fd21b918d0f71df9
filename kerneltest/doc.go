// Kerneltest runs the tests of this repository on several kernels, with io_uring available and refused. It finds the
// kernels in the suites of the machine's own Debian mirror, boots them in QEMU with nothing but the test binaries, and
// fails when a test does, when a kernel complains, hangs or crashes, and when a test is skipped that is not expected
// to be, or the other way round.
//
//	go run ./kerneltest                                     all kernels and modes
//	go run ./kerneltest -kernels 6.1,7 -modes on -run Send  some of them, and some tests
//	go run ./kerneltest -update                             keep the skips seen as those expected
//
// It needs root or sudo for nothing, and what scripts/install-kerneltest-deps installs. See docs/testing.md.
package main
