package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sockring/uring/kerneltest/internal/expect"
	"github.com/sockring/uring/kerneltest/internal/page"
	"github.com/sockring/uring/kerneltest/internal/result"
)

// conclude compares the skips of the runs with those expected, and writes what the configuration asks for.
func (m *machine) conclude(runs []result.Run) error {
	for i := range runs {
		run := &runs[i]
		if run.Absent != "" {
			continue
		}
		file := filepath.Join(m.cfg.root, "kerneltest", "expected", fmt.Sprintf("%s.%s.txt", run.Line, run.Mode))
		switch {
		case m.cfg.update && run.Complete():
			if err := update(file, *run); err != nil {
				return err
			}
			continue
		case m.cfg.update:
			run.Failures = append(run.Failures, result.Failure{
				What: "the run is not complete, so that its skips are not known and those expected stay",
			})
			continue
		}
		differences, err := compare(file, *run)
		if err != nil {
			return err
		}
		run.Failures = append(run.Failures, differences...)
	}
	if m.cfg.json != "" { // first, so that a page that cannot be written can be made of it
		content, err := json.MarshalIndent(runs, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(m.cfg.json, append(content, '\n'), 0o644); err != nil {
			return err
		}
	}
	if m.cfg.docs == "" {
		return nil
	}
	return page.Update(m.cfg.docs, runs)
}

// again writes the page of the results of earlier runs, which may be of a kernel each.
func again(cfg config) error {
	var runs []result.Run
	for _, file := range cfg.from {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var some []result.Run
		if err := json.Unmarshal(content, &some); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		runs = append(runs, some...)
	}
	return page.Update(cfg.docs, runs)
}

// compare returns how the skips of a run differ from those in the file.
func compare(file string, run result.Run) ([]result.Failure, error) {
	list, err := expected(file)
	return list.Compare(run), err
}

// update writes the skips of a run to the file, which keeps those of packages that were not run.
func update(file string, run result.Run) error {
	list, err := expected(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(list.Update(run).String()), 0o644)
}

// expected reads a file of expected skips. Where there is none, none are expected.
func expected(file string) (expect.List, error) {
	content, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	list, err := expect.Parse(string(content))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return list, nil
}
