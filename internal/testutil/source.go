package testutil

import (
	"path/filepath"
	"testing"
)

// InSource skips the test where the binary is run elsewhere than in the source it was built from, as in a virtual
// machine. It is for tests of what the repository, the headers or the build tools of this machine have in them.
func InSource(t testing.TB) {
	t.Helper()
	// Go runs the tests of a package in its directory, where the Go files lie that they were made of.
	found, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		Skip(t, NeedsSource, "the test is run elsewhere than it was built")
	}
}
