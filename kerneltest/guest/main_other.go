//go:build !linux

package main

import "log"

func main() { log.Fatal("guest runs in Linux guests only") }
