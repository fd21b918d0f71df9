// Package role lets one program be three processes: the benchmark, which starts the others, a sink and a
// sender. An environment variable says which.
package role
