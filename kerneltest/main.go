package main

import (
	"cmp"
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

	"github.com/sockring/uring/kerneltest/internal/arch"
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
	arch     arch.Arch
	cache    string // where guests are made
	kernels  string // where kernels are kept, and what is known of QEMU
	lines    []kernel.Line
	modes    []modeOf
	packages []string
	run      string
	json     string
	docs     string
	from     []string
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
	if cfg.from != nil {
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

// usual is what is run where the flags say nothing else.
type usual struct {
	kernels, modes string
	limit, timeout time.Duration
}

// usuals are that for each processor. One that is another than this machine's is always emulated.
var usuals = map[arch.Arch]usual{
	arch.AMD64: {"5.10,6.1,6.12,6.18,7", join(wire.Modes), 12 * time.Minute, 6 * time.Minute},
	arch.ARM64: {"6.1,6.12,7", join([]wire.Mode{wire.On, wire.EPERM}), 40 * time.Minute, 15 * time.Minute},
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

What is usual, where no flag says otherwise:

  -arch amd64  -kernels 5.10,6.1,6.12,6.18,7  -modes on,memlock,off,eperm,enosys  -limit 12m  -timeout 6m
  -arch arm64  -kernels 6.1,6.12,7            -modes on,eperm                     -limit 40m  -timeout 15m

`

func parse(args []string, stderr io.Writer) (config, error) {
	var cfg config
	flags := flag.NewFlagSet("kerneltest", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	processor := flags.String("arch", string(arch.Host),
		"the guests' processor, amd64 or arm64")
	lines := flags.String("kernels", "",
		"lines of kernels, of each the newest in any suite: 6.12 for 6.12.x, 7 for 7.x, 6 for 6.x")
	modes := flags.String("modes", "", "what is done to io_uring, see above; 6.12:off is for one line only")
	packages := flags.String("packages", "./...,./examples/...", "patterns of packages, as go list takes them")
	flags.StringVar(&cfg.run, "run", "", "only tests that match, as go test -run takes it")
	flags.StringVar(&cfg.json, "json", "", "write all results to `FILE`")
	flags.StringVar(&cfg.docs, "docs", "", "write what was found out about the kernels into the page `FILE`")
	from := flags.String("from", "", "run nothing: take the results that -json wrote to `FILES`, oldest kernel first")
	flags.IntVar(&cfg.guests, "guests", 3, "how many guests run at a time; each has two processors and 2 GiB")
	flags.DurationVar(&cfg.limit, "limit", 0, "the longest that a guest may take")
	flags.DurationVar(&cfg.timeout, "timeout", 0, "the longest that the tests of a package may take")
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
	if cfg.arch, err = arch.Parse(*processor); err != nil {
		return cfg, err
	}
	u := usuals[cfg.arch]
	cfg.limit, cfg.timeout = cmp.Or(cfg.limit, u.limit), cmp.Or(cfg.timeout, u.timeout)
	if cfg.lines, err = kernel.ParseLines(cmp.Or(*lines, u.kernels)); err != nil {
		return cfg, err
	}
	if cfg.modes, err = parseModes(cmp.Or(*modes, u.modes)); err != nil {
		return cfg, err
	}
	cfg.packages = strings.Split(*packages, ",")
	if *from != "" {
		cfg.from = strings.Split(*from, ",")
	}
	if err := cfg.contradiction(); err != nil {
		return cfg, err
	}
	if cfg.root, err = repository(); err != nil {
		return cfg, err
	}
	cfg.cache = filepath.Join(cfg.root, ".cache", "kerneltest")
	cfg.kernels = filepath.Join(cfg.cache, "kernels")
	if cfg.arch != arch.AMD64 {
		cfg.cache = filepath.Join(cfg.cache, string(cfg.arch))
	}
	return cfg, nil
}

// contradiction reports flags that make no sense together, before the long run that they are for.
func (cfg *config) contradiction() error {
	switch {
	case cfg.update && cfg.run != "":
		return errors.New("-update keeps the skips of all tests: leave out -run")
	case cfg.update && cfg.arch != arch.AMD64:
		return errors.New("-update keeps the skips of amd64, which are those expected on other processors too")
	case cfg.from != nil && cfg.docs == "":
		return errors.New("-from makes a page of old results: name it by -docs")
	case cfg.guests < 1:
		return errors.New("-guests has to be 1 or more")
	}
	if cfg.docs != "" {
		if _, err := os.Stat(cfg.docs); err != nil {
			return fmt.Errorf("-docs changes a page that is there: %w", err)
		}
	}
	return nil
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
