package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sockring/uring/kerneltest/internal/expect"
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
		if m.cfg.update {
			if err := keep(file, *run); err != nil {
				return err
			}
			continue
		}
		differences, err := compare(file, *run)
		if err != nil {
			return err
		}
		run.Failures = append(run.Failures, differences...)
	}
	if m.cfg.json == "" {
		return nil
	}
	content, err := json.MarshalIndent(runs, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(m.cfg.json, append(content, '\n'), 0o644)
}

// keep makes the skips of a run those expected. What a run that crashed did not get to stays unknown.
func keep(file string, run result.Run) error {
	if !run.Complete() {
		return fmt.Errorf("kernel %s, mode %s: the run is not complete, so that its skips are not known: %s",
			run.Line, run.Mode, run.Failures[0])
	}
	return os.WriteFile(file, []byte(expect.Of(run).String()), 0o644)
}

func compare(file string, run result.Run) ([]result.Failure, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		content = nil // nothing is expected
	} else if err != nil {
		return nil, err
	}
	list, err := expect.Parse(string(content))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return list.Compare(run), nil
}
