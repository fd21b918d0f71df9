//go:build !linux || !cgo

package cring

import (
	"syscall"
	"unsafe"
)

func PrepSend(*SQE, int, unsafe.Pointer, uint64, int) int { return -int(syscall.ENOSYS) }

func PrepSendTo(*SQE, int, unsafe.Pointer, uint64, int, unsafe.Pointer, uint32) int {
	return -int(syscall.ENOSYS)
}

func PrepSendBundle(*SQE, int, uint64, int) int { return -int(syscall.ENOSYS) }
