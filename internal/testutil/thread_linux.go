package testutil

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// SleepsIn reports whether a thread of this process is asleep in the system call with the given number.
func SleepsIn(t testing.TB, thread, number int) bool {
	t.Helper()
	path := fmt.Sprintf("/proc/self/task/%d/", thread)
	stat := readProc(t, path+"stat")
	// The state follows the name, which is in parentheses.
	if !bytes.HasPrefix(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" S ")) {
		return false
	}
	return strings.HasPrefix(string(readProc(t, path+"syscall")), strconv.Itoa(number)+" ")
}

func readProc(t testing.TB, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("testutil: %v", err)
	}
	return content
}
