package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/kerneltest/internal/kernel"
	"github.com/sockring/uring/kerneltest/internal/wire"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// config is what the flags say.
type config struct {
	root     string
	cache    string // where guests are made
	kernels  string // where kernels are kept, and what is known of QEMU
	lines    []kernel.Line
	modes    []modeOf
	packages []string
	run      string
	json     string
	docs     string
	from     string
	guests   int
	limit    time.Duration // for a guest
	timeout  time.Duration // for the tests of a package
	fetch    bool
	prepare  bool
	built    bool
	update   bool
}

// command runs the program and returns its exit status: 0 where everything passed, 1 where anything did not, 2 for
// wrong arguments.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cfg, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "kerneltest:", err)
		return 2
	}
	if cfg.from != "" {
		if err := again(cfg); err != nil {
			fmt.Fprintln(stderr, "kerneltest:", err)
			return 1
		}
		return 0
	}
	green, err := matrix(ctx, cfg, stdout)
	switch {
	case err != nil:
		fmt.Fprintln(stderr, "kerneltest:", err)
		return 1
	case !green:
		return 1
	}
	return 0
}

const usage = `Kerneltest runs the tests of this repository on several kernels, in QEMU.

usage: go run ./kerneltest [flags]

The kernels come from the machine's own Debian mirror and stay in .cache/. The modes say what is done to io_uring:

  on       nothing
  off      kernel.io_uring_disabled=2, where the kernel has that (6.6)
  eperm    a seccomp filter answers EPERM, as that of containers does
  enosys   a seccomp filter answers ENOSYS, as some sandboxes do, and so it does to Linux AIO
  memlock  RLIMIT_MEMLOCK is 8 MiB without CAP_IPC_LOCK, where the kernel counts rings towards it

Red is any test that fails, a warning of the kernel, a guest that hangs or crashes, a package without a result, and a
skip that kerneltest/expected does not have, or has and did not happen. The exit status is 0 when all is green.

`

func parse(args []string, stderr io.Writer) (config, error) {
	var cfg config
	flags := flag.NewFlagSet("kerneltest", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	lines := flags.String("kernels", "5.10,6.1,6.12,6.18,7",
		"lines of kernels, of each the newest in any suite: 6.12 for 6.12.x, 7 for 7.x, 6 for 6.x")
	modes := flags.String("modes", join(wire.Modes), "what is done to io_uring, see above; 6.12:off is for one line only")
	packages := flags.String("packages", "./...,./examples/...", "patterns of packages, as go list takes them")
	flags.StringVar(&cfg.run, "run", "", "only tests that match, as go test -run takes it")
	flags.StringVar(&cfg.json, "json", "", "write all results to `FILE`")
	flags.StringVar(&cfg.docs, "docs", "", "write what was found out about the kernels into the page `FILE`")
	flags.StringVar(&cfg.from, "from", "", "run nothing: take the results that -json wrote to `FILE`")
	flags.IntVar(&cfg.guests, "guests", 3, "how many guests run at a time; each has two processors and 2 GiB")
	flags.DurationVar(&cfg.limit, "limit", 12*time.Minute, "the longest that a guest may take")
	flags.DurationVar(&cfg.timeout, "timeout", 6*time.Minute, "the longest that the tests of a package may take")
	flags.BoolVar(&cfg.fetch, "fetch", false, "look for newer kernels than those in .cache/")
	flags.BoolVar(&cfg.prepare, "prepare", false, "fetch the kernels and build the programs, and run nothing")
	flags.BoolVar(&cfg.built, "built", false, "take the programs that -prepare built as they are")
	flags.BoolVar(&cfg.update, "update", false,
		"write the skips of this run to kerneltest/expected, which keeps those of other packages")
	if err := flags.Parse(args); err != nil {
		return cfg, err
	}
	if flags.NArg() > 0 {
		return cfg, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	var err error
	if cfg.lines, err = kernel.ParseLines(*lines); err != nil {
		return cfg, err
	}
	if cfg.modes, err = parseModes(*modes); err != nil {
		return cfg, err
	}
	cfg.packages = strings.Split(*packages, ",")
	if cfg.update && cfg.run != "" {
		return cfg, errors.New("-update keeps the skips of all tests: leave out -run")
	}
	if cfg.from != "" && cfg.docs == "" {
		return cfg, errors.New("-from makes a page of old results: name it by -docs")
	}
	if cfg.docs != "" { // told now, and not after the run
		if _, err := os.Stat(cfg.docs); err != nil {
			return cfg, fmt.Errorf("-docs changes a page that is there: %w", err)
		}
	}
	if cfg.guests < 1 {
		return cfg, errors.New("-guests has to be 1 or more")
	}
	if cfg.root, err = repository(); err != nil {
		return cfg, err
	}
	cfg.cache = filepath.Join(cfg.root, ".cache", "kerneltest")
	cfg.kernels = filepath.Join(cfg.cache, "kernels")
	return cfg, nil
}

// modeOf is a mode to run, on all kernels or on one line of them.
type modeOf struct {
	line kernel.Line // empty for all
	mode wire.Mode
}

// parseModes reads a list as "on,6.12:eperm".
func parseModes(list string) ([]modeOf, error) {
	var modes []modeOf
	for _, word := range strings.Split(list, ",") {
		line, mode, bound := strings.Cut(word, ":")
		if !bound {
			line, mode = "", word
		}
		if !slices.Contains(wire.Modes, wire.Mode(mode)) {
			return nil, fmt.Errorf("%q is no mode; modes are %s", mode, join(wire.Modes))
		}
		modes = append(modes, modeOf{kernel.Line(line), wire.Mode(mode)})
	}
	return modes, nil
}

func join(modes []wire.Mode) string {
	words := make([]string, len(modes))
	for i, m := range modes {
		words[i] = string(m)
	}
	return strings.Join(words, ",")
}

// repository returns the root of the workspace that this is run in.
func repository() (string, error) {
	out, err := exec.Command("go", "env", "GOWORK").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOWORK: %w", err)
	}
	file := strings.TrimSpace(string(out))
	if file == "" || file == "off" {
		return "", errors.New("run it in the repository: it needs the workspace of its go.work")
	}
	return filepath.Dir(file), nil
}
