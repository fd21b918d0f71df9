package testutil

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// exampleSkipped opens a line that says why an example is left out, or all that begin like it.
const exampleSkipped = "testutil: skipped: "

// skipExamples leaves examples out, besides what -test.skip leaves out, and says why. A name may end in "*".
func skipExamples(reasons map[string]string) {
	if len(reasons) == 0 {
		return
	}
	if !flag.Parsed() {
		flag.Parse()
	}
	var patterns []string
	if told := flag.Lookup("test.skip").Value.String(); told != "" {
		patterns = append(patterns, told)
	}
	for _, name := range slices.Sorted(maps.Keys(reasons)) {
		pattern := "^" + regexp.QuoteMeta(name) + "$"
		if prefix, ok := strings.CutSuffix(name, "*"); ok {
			pattern = "^" + regexp.QuoteMeta(prefix)
		}
		patterns = append(patterns, pattern)
		if flag.Lookup("test.list").Value.String() == "" {
			fmt.Fprintf(os.Stderr, "%s%s: %s\n", exampleSkipped, name, reasons[name])
		}
	}
	if err := flag.Set("test.skip", strings.Join(patterns, "|")); err != nil {
		panic(err) // the testing package has the flag
	}
}

// ExampleSkipped returns why the output of a package's tests says that an example was left out, or "" where it does
// not.
func ExampleSkipped(output, name string) string {
	for line := range strings.Lines(output) {
		rest, ok := strings.CutPrefix(line, exampleSkipped)
		if !ok {
			continue
		}
		pattern, reason, _ := strings.Cut(strings.TrimSpace(rest), ": ")
		if prefix, all := strings.CutSuffix(pattern, "*"); name == pattern || all && strings.HasPrefix(name, prefix) {
			return reason
		}
	}
	return ""
}
