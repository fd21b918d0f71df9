//go:build !linux

package main

import "log"

func main() { log.Fatal("aiobench needs Linux AIO") }
