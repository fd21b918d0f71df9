module github.com/sockring/uring/kerneltest

go 1.24.0

require (
	github.com/cavaliergopher/cpio v1.0.1
	github.com/sockring/uring v0.0.0
	golang.org/x/sys v0.41.0
)

replace github.com/sockring/uring => ../
