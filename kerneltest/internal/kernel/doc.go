// Package kernel finds kernels in Debian's suites, and fetches and unpacks them. What it has unpacked stays in a
// cache, so that a second run needs no network.
package kernel
