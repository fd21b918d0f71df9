package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

const usage = `Usage: go run ./internal/inject [flags]

Drives the library while strace has system calls fail, and prints what came of each combination: the driver (ring is
Ring and Sender; uring, aio and syscall are socketops on that backend; compat_aio is Queue, Context, Batcher and
Sender), the call, the error, and which calls fail, each thread counting its own: all, the first six, every third from
the second on, once the first, or once the fourth. The exit status is 1 where a promise was not kept.

Each flag but the last four takes several values, separated by commas, and means all where it is not given.

`

func main() {
	flags := flag.NewFlagSet("inject", flag.ExitOnError)
	flags.Usage = func() {
		fmt.Fprint(os.Stderr, usage)
		flags.PrintDefaults()
	}
	var o options
	flags.StringVar(&o.drivers, "driver", "", "`drivers` to run: ring, uring, aio, syscall, compat_aio")
	flags.StringVar(&o.calls, "call", "", "`calls` that fail, such as sendto")
	flags.StringVar(&o.faults, "errno", "", "`errors` that they fail with, such as EPERM")
	flags.StringVar(&o.patterns, "when", "", "`which` calls fail: all, first, third, once, later")
	flags.BoolVar(&o.slice, "slice", false, "two combinations of each call: every third with EAGAIN, one with EPERM")
	flags.StringVar(&o.page, "page", "", "a `file` whose table of injected errors is to be written anew")
	flags.StringVar(&o.child, "child", "", "for the program itself: be the process of this `driver`")
	flags.StringVar(&o.dir, "dir", "", "for the program itself: the `directory` of the process")
	if err := flags.Parse(os.Args[1:]); err != nil {
		os.Exit(2)
	}
	if o.child != "" {
		if err := child(o.child, o.dir); err != nil {
			fmt.Fprintln(os.Stderr, "inject:", err)
			os.Exit(2)
		}
		return
	}
	broken, err := o.run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "inject:", err)
		os.Exit(2)
	}
	if broken > 0 {
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	drivers, calls, faults, patterns string
	page                             string
	slice                            bool
	child, dir                       string
}

// run runs all combinations that were asked for, and returns how many broke a promise.
func (o options) run() (broken int, err error) {
	begun := time.Now()
	var names []string
	for _, d := range drivers {
		names = append(names, d.name)
	}
	driverNames, err := choose(names, itself, o.drivers)
	if err != nil {
		return 0, err
	}
	callNames, err := choose(calls, itself, o.calls)
	if err != nil {
		return 0, err
	}
	chosenFaults, err := choose(faults, func(f fault) string { return f.name }, o.faults)
	if err != nil {
		return 0, err
	}
	chosenPatterns, err := choose(patterns, func(p pattern) string { return p.name }, o.patterns)
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "inject")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)

	var results []result
	u := &runner{dir: dir, slice: o.slice}
	defer u.end()
	for _, driver := range driverNames {
		for _, call := range callNames {
			found, err := u.runCall(driver, call, chosenFaults, chosenPatterns)
			if err != nil {
				return broken, err
			}
			results = append(results, found...)
		}
	}
	for _, res := range results {
		if len(res.Broken) > 0 {
			broken++
		}
	}
	text := table(results)
	fmt.Printf("\n%s\n%d combinations in %v, %d broke a promise\n",
		text, len(results), time.Since(begun).Round(time.Second), broken)
	if o.page != "" {
		err = updatePage(o.page, text)
	}
	return broken, err
}

// runCall has one call fail in all ways, unless the driver does not make it.
func (u *runner) runCall(driver, call string, faults []fault, patterns []pattern) ([]result, error) {
	fmt.Printf("%s %s: ", driver, call)
	begun := time.Now()
	undisturbed, err := u.run(combination{driver: driver, call: call})
	if err != nil {
		return nil, err
	}
	if undisturbed.calls == 0 {
		fmt.Println("is not called")
		return []result{undisturbed}, nil
	}
	fmt.Printf("%d calls", undisturbed.calls)
	var results []result
	if len(undisturbed.Broken) > 0 {
		results = append(results, undisturbed)
		fmt.Printf("\nBROKEN undisturbed\n%s\n", strings.Join(undisturbed.Broken, "\n"))
	}
	for _, f := range faults {
		named := false
		for _, p := range patterns {
			c := combination{driver, call, f, p}
			if text, ends := c.endsTheRuntime(); ends && text != "" && p.name != "once" {
				continue // It ends at the first.
			}
			if c.untrue() || u.slice && !c.inSlice() {
				continue
			}
			if !named {
				fmt.Printf(" %s", f.name)
				named = true
			}
			began := time.Now()
			res, err := u.run(c)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", res.combination, err)
			}
			results = append(results, res)
			fmt.Printf(" %.1f", time.Since(began).Seconds())
			if len(res.Broken) > 0 {
				fmt.Printf("\nBROKEN %s, repeat it by: %s\n\t%s\n", res.combination, res.reproducer(),
					strings.ReplaceAll(strings.Join(res.Broken, "\n"), "\n", "\n\t"))
			}
			slices.Sort(res.Told)
		}
	}
	fmt.Printf(" %v\n", time.Since(begun).Round(time.Second/10))
	return results, nil
}
