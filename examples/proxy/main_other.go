//go:build !linux

package main

import "log"

func main() { log.Fatal("proxy needs Linux: package socketops is built on its system calls") }
