//go:build !linux

// Command quickstart says that there is no io_uring here.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "quickstart: io_uring is Linux's")
	os.Exit(1)
}
