package result

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sockring/uring/internal/testevent"
	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/kerneltest/internal/wire"
)

// Collector makes a Run of what a guest says.
type Collector struct {
	Run    Run
	want   []string // packages that have to report
	listed map[string][]string
	output map[string]*strings.Builder
	hello  bool
	ended  bool
}

// NewCollector returns a collector for a guest that is to run the tests of the packages.
func NewCollector(run Run, packages []string) *Collector {
	return &Collector{
		Run: run, want: packages, listed: map[string][]string{}, output: map[string]*strings.Builder{},
	}
}

// Add takes the next message.
func (c *Collector) Add(m wire.Message) {
	switch m.Kind {
	case wire.Hello:
		c.hello, c.Run.Release = true, m.Data
	case wire.Absent:
		c.Run.Absent = m.Data
	case wire.Probe:
		if json.Valid([]byte(m.Data)) {
			c.Run.Probe = json.RawMessage(m.Data)
		} else {
			c.Run.fail(Failure{What: "the probe program wrote no JSON"})
		}
	case wire.List:
		c.listed[m.Package] = strings.Fields(m.Data)
	case wire.Start:
		c.output[m.Package] = &strings.Builder{}
	case wire.Output:
		if out := c.output[m.Package]; out != nil {
			out.WriteString(m.Data)
		}
	case wire.Exit:
		c.exit(m)
	case wire.Fault:
		c.Run.fail(Failure{Package: m.Package, What: "the guest reports: " + strings.TrimSpace(m.Data)})
	case wire.End:
		c.ended = true
	}
}

// exit takes a package that ended.
func (c *Collector) exit(m wire.Message) {
	out := c.output[m.Package]
	if out == nil {
		c.Run.fail(Failure{Package: m.Package, What: "ended without having started"})
		return
	}
	delete(c.output, m.Package)
	p := c.finish(m.Package, out.String())
	p.Exit, p.Seconds = m.Exit, m.Seconds
	if p.Exit != 0 && !slices.ContainsFunc(c.Run.Failures, func(f Failure) bool { return f.Package == p.Path }) {
		c.Run.fail(Failure{
			Package: p.Path, What: fmt.Sprintf("exit status %d without a failed test", p.Exit), Output: last(out.String()),
		})
	}
	c.Run.Packages = append(c.Run.Packages, p)
}

// finish reads what a package printed, as far as it came.
func (c *Collector) finish(path, output string) Package {
	t := newTests(path)
	events, err := toEvents(path, output)
	if err == nil {
		err = testevent.Read(strings.NewReader(events), t.add, func(string) {})
	}
	if err != nil {
		c.Run.fail(Failure{Package: path, What: "its output cannot be read: " + err.Error()})
	}
	t.end()
	c.Run.Passed += t.count("pass")
	c.Run.Skips = append(c.Run.Skips, t.skips...)
	c.Run.Failures = append(c.Run.Failures, t.failures...)
	c.account(path, t, output)
	return Package{Path: path, Tests: t.ended, Slow: t.slow}
}

// account looks for tests of which nothing was heard.
func (c *Collector) account(path string, t *tests, output string) {
	var hidden []string
	for _, name := range c.listed[path] {
		if _, ok := t.ended[name]; ok {
			continue
		}
		if reason := testutil.ExampleSkipped(output, name); reason != "" {
			t.ended[name] = "skip"
			c.Run.Skips = append(c.Run.Skips, Skip{path, name, reason})
			continue
		}
		hidden = append(hidden, name)
	}
	if len(t.ended) == 0 && len(hidden) > 0 {
		c.Run.fail(Failure{Package: path, What: "printed no result", Output: last(output)})
		return
	}
	for _, name := range hidden {
		c.Run.fail(Failure{Package: path, Test: name, What: "neither ran nor was skipped"})
	}
}

// End completes the run with what is known once the guest is gone: how it ended and what its kernel logged.
func (c *Collector) End(err error, log string) Run {
	r := &c.Run
	r.Log = log
	for _, path := range c.want {
		if out := c.output[path]; out != nil { // it had started
			r.Packages = append(r.Packages, c.finish(path, out.String()))
			r.fail(Failure{Package: path, What: "did not end", Output: last(out.String())})
		}
	}
	if err != nil {
		r.fail(Failure{What: err.Error()})
	}
	switch {
	case !c.hello:
		r.fail(Failure{What: "the kernel did not come up", Output: last(log)})
	case !c.ended:
		r.fail(Failure{What: "the guest went away without an end marker", Output: last(log)})
	case r.Absent == "":
		for _, path := range c.want {
			if !slices.ContainsFunc(r.Packages, func(p Package) bool { return p.Path == path }) {
				r.fail(Failure{Package: path, What: "was not run"})
			}
		}
	}
	for _, complaint := range complaints(log) {
		r.fail(Failure{What: "the kernel logged: " + complaint})
	}
	r.Skipped = len(r.Skips)
	r.complete = c.ended && len(r.Packages) == len(c.want)
	return *r
}

// last returns the end of a text, for a reader to see what happened.
func last(text string) string {
	const lines = 30
	all := strings.SplitAfter(text, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "")
}
