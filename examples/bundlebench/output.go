//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/sockring/uring/examples/internal/report"
)

// stdout is the FILE that means the standard output.
const stdout = "-"

// file is a report that was asked for.
type file struct {
	path  string
	write func(*report.Report, io.Writer) error
}

func (o *options) files() []file {
	var files []file
	for _, f := range []file{
		{o.json, (*report.Report).JSON},
		{o.svg, (*report.Report).SVG},
		{o.html, (*report.Report).HTML},
		{o.markdown, (*report.Report).Markdown},
	} {
		if f.path != "" && f.path != stdout {
			files = append(files, f)
		}
	}
	return files
}

// prepareFiles makes the directories of the reports, so that a path that cannot be is an error before the
// measuring and not after it.
func (o *options) prepareFiles() error {
	for _, f := range o.files() {
		if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
			return err
		}
		probe, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE, 0o644)
		if err != nil {
			return err
		}
		if err := probe.Close(); err != nil {
			return err
		}
	}
	return nil
}

// write prints the table and writes the files, and says where they are.
func (o *options) write(r *report.Report) error {
	table := io.Writer(os.Stdout)
	if o.json == stdout {
		table = os.Stderr
		if err := r.JSON(os.Stdout); err != nil {
			return err
		}
	}
	if err := r.Table(table); err != nil {
		return err
	}
	for _, f := range o.files() {
		if err := writeFile(f, r); err != nil {
			return err
		}
		fmt.Fprintf(table, "\nWritten: %s", f.path)
	}
	if len(o.files()) > 0 {
		fmt.Fprintln(table)
	}
	return nil
}

func writeFile(f file, r *report.Report) error {
	out, err := os.Create(f.path)
	if err != nil {
		return err
	}
	if err := f.write(r, out); err != nil {
		out.Close()
		return fmt.Errorf("%s: %w", f.path, err)
	}
	return out.Close()
}

// outputFlag matches a flag that names a file to write, and its value where that is in the same word.
var outputFlag = regexp.MustCompile(`^--?(?:json|svg|html|md)(=.*)?$`)

// commandLine is what repeats this run from the root of the repository, without the files that it wrote.
func (o *options) commandLine() string {
	words := []string{"go", "run", "./examples/bundlebench"}
	for i := 0; i < len(o.args); i++ {
		if m := outputFlag.FindStringSubmatch(o.args[i]); m != nil {
			if m[1] == "" {
				i++ // its value is the next word
			}
			continue
		}
		words = append(words, quote(o.args[i]))
	}
	return strings.Join(words, " ")
}

// quote protects a word from the shell if it needs that.
func quote(word string) string {
	if word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=,./:@%+") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
