// Package testevent reads what go test -json and go tool test2json write, and the outputs in it.
package testevent

import (
	"bufio"
	"encoding/json"
	"io"
	"regexp"
	"strings"
)

// Event is what go test -json writes, one in a line; see go doc test2json. The test of a package's own events is
// empty.
type Event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64 // seconds, of what ended
}

// Read calls event for each event, and other for each line that is none, until the reader's end.
func Read(r io.Reader, event func(Event), other func(line string)) error {
	// Not a bufio.Scanner: a line of a test's output may be of any length.
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		var e Event
		if json.Unmarshal(line, &e) == nil {
			event(e)
		} else {
			other(string(line))
		}
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// Framing reports whether a piece of output is the testing package's own word on which test runs, pauses and
// continues, which is in the events already.
func Framing(output string) bool { return strings.HasPrefix(output, "=== ") }

// position is where in the source the testing package says that a line was logged.
var position = regexp.MustCompile(`^\s*[\w.-]+\.go:\d+: `)

// SkipReason is what a test logged before it was skipped, without framing.
func SkipReason(output []string) string {
	var reason []string
	for _, line := range output {
		text := strings.TrimSpace(position.ReplaceAllString(line, ""))
		if text != "" && !strings.HasPrefix(text, "--- SKIP: ") {
			reason = append(reason, text)
		}
	}
	if len(reason) == 0 {
		return "no reason given"
	}
	return strings.Join(reason, " ")
}
