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
	"syscall"
	"time"

	"github.com/sockring/uring/kerneltest/internal/arch"
	"github.com/sockring/uring/kerneltest/internal/image"
	"github.com/sockring/uring/kerneltest/internal/result"
)

// errRed occurs when the containers ran, and something was wrong in one.
var errRed = errors.New("not everything is as it should be")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "docker:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	image, settings, packages, run string
	timeout, limit                 time.Duration
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("docker", flag.ContinueOnError)
	flags.StringVar(&o.image, "image", "debian:trixie", "the image of the containers, which needs /tmp and nothing else")
	flags.StringVar(&o.settings, "settings", "all", "the containers to run, separated by commas: "+names(settings))
	flags.StringVar(&o.packages, "packages", "./... ./examples/...", "whose tests to run, separated by blanks")
	flags.StringVar(&o.run, "run", "", "the tests to run, as go test -run takes them")
	flags.DurationVar(&o.timeout, "timeout", 5*time.Minute, "for the tests of a package")
	flags.DurationVar(&o.limit, "limit", 20*time.Minute, "for a container")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("there is nothing to do with %s", strings.Join(flags.Args(), " "))
	}
	return o, nil
}

func names(settings []setting) string {
	var names []string
	for _, s := range settings {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}

// choose returns the settings of a list of names.
func choose(list string) ([]setting, error) {
	if list == "all" {
		return settings, nil
	}
	var chosen []setting
	for _, name := range strings.Split(list, ",") {
		at := slices.IndexFunc(settings, func(s setting) bool { return s.name == name })
		if at < 0 {
			return nil, fmt.Errorf("%q is none of %s", name, names(settings))
		}
		chosen = append(chosen, settings[at])
	}
	return chosen, nil
}

func run(ctx context.Context, args []string, w io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	chosen, err := choose(o.settings)
	if err != nil {
		return err
	}
	version, refusing, err := engineVersion(ctx)
	if err != nil {
		return err
	}
	r, outside, err := prepare(ctx, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "Docker %s, image %s, %d packages; outside of containers the engine is %s\n",
		version, o.image, len(r.packages), outside)
	var outcomes []outcome
	for _, s := range chosen {
		if refusing {
			s = s.underRefusal()
		}
		done := outcome{run: r.run(ctx, s)}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		done.evaluate(s, outside)
		fmt.Fprintf(w, "%s: %d passed, %d skipped, %d failed\n",
			s.name, done.run.Passed, done.run.Skipped, done.run.FailedTests())
		writeFailures(w, done.run)
		outcomes = append(outcomes, done)
	}
	fmt.Fprintln(w)
	if err := writeTable(w, outcomes); err != nil {
		return err
	}
	if slices.ContainsFunc(outcomes, outcome.red) {
		return errRed
	}
	return nil
}

// evaluate reads what the probe said, and adds what is wrong with that to the failures.
func (o *outcome) evaluate(s setting, outside string) {
	chosen, err := parseChoice(o.run.Probe)
	if err != nil {
		o.run.Failures = append(o.run.Failures, result.Failure{What: err.Error()})
		return
	}
	o.choice = chosen
	o.run.Failures = append(o.run.Failures, s.judge(chosen, outside)...)
}

// engineVersion returns the version of the Docker engine, and whether that refuses io_uring by itself.
func engineVersion(ctx context.Context) (version string, refusing bool, err error) {
	out, err := exec.CommandContext(ctx, "docker", "version", "--format", "{{.Server.Version}}").Output()
	if err != nil {
		return "", false, fmt.Errorf("the Docker engine does not answer: %w", err)
	}
	version = strings.TrimSpace(string(out))
	refusing, err = refusesRings(version)
	return version, refusing, err
}

// prepare builds all programs, and finds out which engine serves outside of containers.
func prepare(ctx context.Context, o options) (r *runner, outside string, err error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, "", err
	}
	listed, err := image.Packages(ctx, root, arch.Host, strings.Fields(o.packages))
	if err != nil {
		return nil, "", err
	}
	r = &runner{root: root, tree: filepath.Join(root, ".cache", "docker-test"), image: o.image, limit: o.limit}
	packages := slices.DeleteFunc(listed, func(p image.Package) bool { return p.Host != "" })
	for _, p := range packages {
		r.packages = append(r.packages, p.Path)
	}
	probe, err := makeTree(ctx, image.Options{
		Root: root, Dir: r.tree, Arch: arch.Host, Packages: packages, Run: o.run, Timeout: o.timeout,
	})
	if err != nil {
		return nil, "", err
	}
	answer, err := exec.CommandContext(ctx, probe, "-json").Output()
	if err != nil {
		return nil, "", fmt.Errorf("probing outside of containers: %w", err)
	}
	chosen, err := parseChoice(answer)
	return r, chosen.Engine, err
}
