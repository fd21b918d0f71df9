package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/sockring/uring/kerneltest/internal/image"
	"github.com/sockring/uring/kerneltest/internal/kernel"
	"github.com/sockring/uring/kerneltest/internal/result"
	"github.com/sockring/uring/kerneltest/internal/vm"
	"github.com/sockring/uring/kerneltest/internal/wire"
)

// job is a guest to run.
type job struct {
	kernel kernel.Kernel
	mode   wire.Mode
}

// matrix runs all that is asked for and reports whether all of it is green.
func matrix(ctx context.Context, cfg config, stdout io.Writer) (green bool, err error) {
	if err := os.MkdirAll(cfg.cache, 0o755); err != nil {
		return false, err
	}
	unlock, err := lock(filepath.Join(cfg.cache, "lock"))
	if err != nil {
		return false, err
	}
	defer unlock()
	m, err := prepare(ctx, cfg, stdout)
	if err != nil || cfg.prepare {
		return err == nil, err
	}
	if m.accel, err = vm.Choose(ctx, cfg.kernels, m.guest(job{m.kernels[0], wire.On})); err != nil {
		return false, err
	}
	fmt.Fprintf(stdout, "booting %d kernels under %s\n", len(m.kernels), m.accel)
	var jobs []job
	for _, mode := range cfg.modes { // the slow mode first, for all kernels, so that the processors end up busy alike
		for _, k := range m.kernels {
			if mode.line == "" || mode.line == k.Line {
				jobs = append(jobs, job{k, mode.mode})
			}
		}
	}
	steps := 0
	for _, j := range jobs {
		steps += m.steps(j)
	}
	m.progress = newProgress(stdout, steps)
	runs := m.all(ctx, jobs)
	m.progress.end()
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err := m.conclude(runs); err != nil {
		return false, err
	}
	return table(stdout, runs, m.packages, time.Since(m.start)), nil
}

// machine is what all guests have in common.
type machine struct {
	cfg      config
	start    time.Time
	kernels  []kernel.Kernel
	initrd   string
	accel    vm.Accel
	packages []image.Package // those with tests
	progress *progress
}

// prepare gets kernels and builds what they are to run.
func prepare(ctx context.Context, cfg config, stdout io.Writer) (*machine, error) {
	if _, err := exec.LookPath(cfg.arch.QEMU()); err != nil {
		return nil, fmt.Errorf("%w; scripts/install-kerneltest-deps %s installs it", err, cfg.arch)
	}
	m := &machine{cfg: cfg, start: time.Now()}
	say := func(format string, args ...any) { fmt.Fprintf(stdout, format+"\n", args...) }
	store := kernel.Store{Root: cfg.root, Dir: cfg.kernels, Arch: cfg.arch, Say: say}
	if err := os.MkdirAll(store.Dir, 0o755); err != nil {
		return nil, err
	}
	var err error
	if m.kernels, err = store.Get(ctx, cfg.lines, cfg.fetch); err != nil {
		return nil, err
	}
	if m.packages, err = image.Packages(ctx, cfg.root, cfg.arch, cfg.packages); err != nil {
		return nil, err
	}
	packages := slices.DeleteFunc(slices.Clone(m.packages), func(p image.Package) bool { return p.Host != "" })
	say("building the tests of %d packages", len(packages))
	modules := map[string]string{}
	for _, k := range m.kernels {
		modules[k.Release()] = k.Modules
	}
	m.initrd, err = image.Build(ctx, image.Options{
		Root: cfg.root, Dir: cfg.cache, Arch: cfg.arch, Packages: packages, Run: cfg.run, Timeout: cfg.timeout,
		Modules: modules, Built: cfg.built,
	})
	return m, err
}

// paths are the packages whose tests a job runs.
func (m *machine) paths(j job) (paths []string) {
	for _, p := range m.packages {
		if p.Host == "" && (p.On == "" || j.mode == wire.On) {
			paths = append(paths, p.Path)
		}
	}
	return paths
}

// steps is how many steps of the progress a job has: its packages, and its end.
func (m *machine) steps(j job) int { return len(m.paths(j)) + 1 }

func (m *machine) guest(j job) vm.Guest {
	return vm.Guest{
		Arch: m.cfg.arch, Kernel: j.kernel.Image, Initrd: m.initrd, Mode: j.mode, Accel: m.accel,
		Log: filepath.Join(m.cfg.cache, fmt.Sprintf("%s.%s.log", j.kernel.Line, j.mode)),
	}
}

// all runs the jobs, so many at a time as the configuration says, and returns their outcomes in the jobs' order.
func (m *machine) all(ctx context.Context, jobs []job) []result.Run {
	runs := make([]result.Run, len(jobs))
	next := make(chan int)
	var workers sync.WaitGroup
	for range m.cfg.guests {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for i := range next {
				runs[i] = m.one(ctx, jobs[i])
			}
		}()
	}
	for i := range jobs {
		next <- i
	}
	close(next)
	workers.Wait()
	return runs
}

// attempts is how often a guest is run, at most, that the emulator breaks.
const attempts = 3

// one runs one guest, and again where the emulator broke it.
func (m *machine) one(ctx context.Context, j job) result.Run {
	name := m.cfg.arch.Prefix() + string(j.kernel.Line) + " " + string(j.mode)
	start := time.Now()
	run, done := m.boot(ctx, name, j)
	for try := 1; try < attempts && m.accel == vm.TCG && result.EmulatorFault(run.Log); try++ {
		m.progress.say(name, "is broken by the emulator: once more", -done)
		run, done = m.boot(ctx, name, j)
	}
	run.Seconds = time.Since(start).Seconds()
	m.progress.say(name, verdict(run), m.steps(j)-done)
	return run
}

// boot boots a guest and returns what came of it, and of how many packages it has told.
func (m *machine) boot(ctx context.Context, name string, j job) (run result.Run, done int) {
	m.progress.say(name, "starts", 0)
	guest := m.guest(j)
	collector := result.NewCollector(result.Run{
		Arch: m.cfg.arch, Line: string(j.kernel.Line), Mode: j.mode, Accel: string(m.accel),
		Kernel: j.kernel.Package.Name + " " + j.kernel.Package.Version,
	}, m.paths(j))
	// A log of an earlier run must not be taken for that of this one.
	err := os.Remove(guest.Log)
	if err == nil || errors.Is(err, os.ErrNotExist) {
		err = vm.Run(ctx, guest, m.cfg.limit, func(message wire.Message) {
			collector.Add(message)
			if message.Kind == wire.Exit {
				done++
				m.progress.say(name, message.Package, 1)
			}
		})
	}
	log, logErr := guest.ReadLog()
	return collector.End(errors.Join(err, logErr), log), done
}
