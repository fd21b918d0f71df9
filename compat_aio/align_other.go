//go:build !linux

package aio

import (
	"os"
	"runtime"
)

// FileAlignment returns what f asks of transfers with O_DIRECT: here an *UnsupportedError.
func FileAlignment(*os.File) (Alignment, error) {
	return Alignment{}, &UnsupportedError{Name: "O_DIRECT", Missing: runtime.GOOS + " has none", Provider: "Linux"}
}
