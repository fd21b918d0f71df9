// Package result makes of what a guest said, and of its kernel's log, what passed, failed and was skipped, and what
// is wrong with the run besides.
package result
