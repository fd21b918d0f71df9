package result

import (
	"bytes"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"

	"github.com/sockring/uring/internal/testevent"
)

// tests follows the tests of a package.
type tests struct {
	path     string
	running  map[string][]string // what they have printed so far
	ended    map[string]string
	slow     map[string]float64
	skips    []Skip
	failures []Failure
}

// slowSeconds is how long a test takes at least that is told of as slow.
const slowSeconds = 1

func newTests(path string) *tests {
	return &tests{path: path, running: map[string][]string{}, ended: map[string]string{}, slow: map[string]float64{}}
}

func (t *tests) add(e testevent.Event) {
	switch {
	case e.Test == "":
	case e.Action == "run":
		t.running[e.Test] = []string{}
	case e.Action == "output" && !testevent.Framing(e.Output):
		t.running[e.Test] = append(t.running[e.Test], e.Output)
	case e.Action == "pass", e.Action == "fail", e.Action == "skip":
		t.finish(e.Test, e.Action)
		if e.Elapsed >= slowSeconds {
			t.slow[e.Test] = e.Elapsed
		}
	}
}

func (t *tests) finish(name, how string) {
	output := t.running[name]
	delete(t.running, name)
	t.ended[name] = how
	switch how {
	case "skip":
		t.skips = append(t.skips, Skip{t.path, name, testevent.SkipReason(output)})
	case "fail":
		t.failures = append(t.failures, Failure{t.path, name, "failed", strings.Join(output, "")})
	}
}

// end takes the tests that have not ended for failed: their process was gone before them.
func (t *tests) end() {
	for _, name := range slices.Sorted(maps.Keys(t.running)) {
		t.finish(name, "fail")
	}
}

func (t *tests) count(how string) int {
	n := 0
	for _, h := range t.ended {
		if h == how {
			n++
		}
	}
	return n
}

// toEvents has the go command make events of what a test binary printed with -test.v=test2json, with the time that
// tests took (-t).
func toEvents(path, output string) (string, error) {
	var stderr bytes.Buffer
	cmd := exec.Command("go", "tool", "test2json", "-t", "-p", path)
	cmd.Stdin, cmd.Stderr = strings.NewReader(output), &stderr
	events, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("test2json: %w: %s", err, stderr.Bytes())
	}
	return string(events), nil
}
