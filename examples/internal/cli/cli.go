// Package cli is what the programs of the examples have in common on a command line.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// UsageError is a command line that asks for what cannot be.
type UsageError struct{ error }

// Usage makes a UsageError of what is wrong with a command line.
func Usage(err error) error { return UsageError{err} }

// Usagef makes a UsageError as fmt.Errorf makes an error.
func Usagef(format string, args ...any) error { return Usage(fmt.Errorf(format, args...)) }

// Exit ends the program called name: with 2 for a command line that makes no sense, with 1 for any other error, which
// it prints, and returns where there was none but that the help was asked for.
func Exit(name string, err error) {
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.As(err, new(UsageError)):
		fmt.Fprintf(os.Stderr, "%s: %v\nRun with -h for help.\n", name, err)
		os.Exit(2)
	default:
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// Interruptible returns a context that the first interrupt ends, so that the program can end in good order; a second
// one has its default action. stop frees what the context holds.
func Interruptible() (ctx context.Context, stop context.CancelFunc) {
	ctx, stop = signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
