// Package testutil holds what the tests of several packages share: leak checks, skips that cannot hide a
// regression, socket pairs, child processes, and system-call filters to run inside those.
//
// A package whose tests open descriptors or start goroutines ends its run with
//
//	func TestMain(m *testing.M) { testutil.Main(m) }
//
// Helpers take a testing.TB, fail or skip the test themselves, and clean up when it ends.
package testutil
