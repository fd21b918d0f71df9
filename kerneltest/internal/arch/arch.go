// Package arch names the processors that guests of the kernel matrix have.
package arch

import (
	"fmt"
	"runtime"
)

// Arch is a kind of processor, by the name that Go and Debian have for it.
type Arch string

// The kinds.
const (
	AMD64 Arch = "amd64"
	ARM64 Arch = "arm64"
)

// Host is the kind of this machine.
const Host = Arch(runtime.GOARCH)

// Parse reads the name of a kind.
func Parse(name string) (Arch, error) {
	switch a := Arch(name); a {
	case AMD64, ARM64:
		return a, nil
	}
	return "", fmt.Errorf("%q is no processor of the matrix, as amd64 and arm64 are", name)
}

// Native reports whether it is that of this machine, which then may build for it and boot guests without more.
func (a Arch) Native() bool { return a == Host }

// QEMU is the program that boots guests with such a processor.
func (a Arch) QEMU() string {
	if a == ARM64 {
		return "qemu-system-aarch64"
	}
	return "qemu-system-x86_64"
}

// Prefix opens the names of what is kept for each kind. What has no prefix is of amd64, which was there before others.
func (a Arch) Prefix() string {
	if a == AMD64 {
		return ""
	}
	return string(a) + "."
}
