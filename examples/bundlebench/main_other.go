//go:build !linux

package main

import (
	"errors"
	"fmt"
	"os"
)

func main() {
	fmt.Fprintf(os.Stderr, "bundlebench: io_uring is Linux only: %v\n", errors.ErrUnsupported)
	os.Exit(1)
}
