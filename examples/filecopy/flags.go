//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/sockring/uring/examples/internal/cli"
)

const usageText = `Usage: filecopy [flags] SOURCE DESTINATION

Copies a file with Linux AIO, many blocks at a time. Where DESTINATION is a directory the copy goes into it.
Until the copy is complete and verified it is called DESTINATION.part.

  -block SIZE     bytes in a block, a power of two: 64KiB, 1MiB (default 1MiB)
  -depth N        blocks in work at a time, 1 to 1024 (default 16)
  -direct MODE    O_DIRECT: auto (default) where the file systems allow it, on or off
  -f              overwrite an existing file
  -resume         go on with an interrupted copy; without one, start anew
  -verify=false   do not read the copy back to compare its SHA-256 with the source's

An interrupt (^C) saves how far the copy is. The exit status is 0, 1 where the copy failed, 2 for a command
line that makes no sense, and 130 after an interrupt.
`

// Limits of the flags.
const (
	blockSizeMin = 4 << 10
	blockSizeMax = 256 << 20
	depthMax     = 1024
	memoryMax    = 4 << 30 // of all blocks in work
)

// parse makes a job of a command line.
func parse(args []string, help io.Writer) (*job, error) {
	j := &job{blockSize: 1 << 20, direct: directAuto, progress: func(string, int64, int64) {}}
	flags := flag.NewFlagSet("filecopy", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Var((*cli.Size)(&j.blockSize), "block", "")
	flags.IntVar(&j.depth, "depth", 16, "")
	flags.Var(&j.direct, "direct", "")
	flags.BoolVar(&j.force, "f", false, "")
	flags.BoolVar(&j.resume, "resume", false, "")
	flags.BoolVar(&j.verify, "verify", true, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(help, usageText)
		return nil, err
	case err != nil:
		return nil, cli.Usage(err)
	}
	if flags.NArg() != 2 {
		return nil, cli.Usagef("want a source and a destination, got %d arguments", flags.NArg())
	}
	j.from, j.to = flags.Arg(0), flags.Arg(1)
	return j, j.validate()
}

func (j *job) validate() error {
	switch {
	case j.blockSize < blockSizeMin || j.blockSize > blockSizeMax || j.blockSize&(j.blockSize-1) != 0:
		return cli.Usagef("-block %d: want a power of two from %d to %d", j.blockSize, blockSizeMin, blockSizeMax)
	case j.depth < 1 || j.depth > depthMax:
		return cli.Usagef("-depth %d: want 1 to %d", j.depth, depthMax)
	case int64(j.depth)*int64(j.blockSize) > memoryMax:
		return cli.Usagef("%d blocks of %s are more than %s of memory",
			j.depth, cli.Bytes(int64(j.blockSize)), cli.Bytes(memoryMax))
	case j.from == "" || j.to == "" || strings.HasSuffix(j.to, "/") && !isDir(j.to):
		return cli.Usagef("want the names of files, or a directory as the destination")
	}
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
