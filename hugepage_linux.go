package uring

import "golang.org/x/sys/unix"

// adviseHugePages asks for huge pages. Ordinary ones serve as well, only slower.
func adviseHugePages(mem []byte) { _ = unix.Madvise(mem, unix.MADV_HUGEPAGE) }
