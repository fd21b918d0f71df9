// Package conformance is the contract of package socketops as tests: one row for every member, nested behaviour and
// rule of the specification of the platform layer, which are named by their ids there (A25, N12, B07).
//
// Run makes a subtest of every row on one Engine, so that what serves sockets in a new way can be held to it:
//
//	func TestConformance(t *testing.T) {
//		conformance.Run(t, func(t testing.TB) *socketops.Engine { ... })
//	}
//
// It uses loopback, unix sockets in temporary directories and abstract ones. What the machine lacks (IPv6, the right to
// open raw sockets) skips those subtests that need it, with the reason.
package conformance
