module github.com/sockring/uring/examples

go 1.24.0

require (
	github.com/sockring/uring v0.0.0
	golang.org/x/sys v0.41.0
)

replace github.com/sockring/uring => ../
