//go:build !linux

package main

func socketLayer() sockets {
	return sockets{Refused: []refusedBackend{}, Error: "package socketops is for Linux"}
}
