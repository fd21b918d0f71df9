//go:build !linux

package main

import "log"

func main() { log.Fatal("filecopy needs Linux AIO") }
