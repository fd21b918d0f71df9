// Package faulttest has tests of what goes wrong around the library and not in it: a network that loses packets, a disk
// that fails, a machine without memory, a process that is stopped, killed or traced.
//
// What such a test changes it changes in namespaces of its own, or in a guest of the kernel matrix, which is the test's
// alone.
package faulttest
