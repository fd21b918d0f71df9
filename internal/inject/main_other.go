//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "inject: strace and what it has fail are Linux's")
	os.Exit(2)
}
