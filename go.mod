module github.com/sockring/uring

go 1.24

require golang.org/x/sys v0.41.0

require (
	github.com/stretchr/testify v1.11.1
	pgregory.net/rapid v1.2.0
)
