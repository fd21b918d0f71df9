// Package warns has a test that passes while the kernel seems to complain.
package warns

import (
	"os"
	"testing"
)

func TestWarns(t *testing.T) {
	if os.Getenv("KERNELTEST") == "" {
		t.Skip("guest: it writes to the kernel's log")
	}
	if err := os.WriteFile("/dev/kmsg", []byte("<4>WARNING: on purpose at nowhere.c:1\n"), 0); err != nil {
		t.Fatal(err)
	}
}
