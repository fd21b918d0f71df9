package testutil

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

// examplesSkipped opens the line that says why the examples of a package are left out.
const examplesSkipped = "testutil: the examples are skipped: "

// skipExamples leaves the examples out, besides what -test.skip leaves out.
func skipExamples(reason string) {
	if !flag.Parsed() {
		flag.Parse()
	}
	pattern := "^Example"
	if told := flag.Lookup("test.skip").Value.String(); told != "" {
		pattern = told + "|" + pattern
	}
	if err := flag.Set("test.skip", pattern); err != nil {
		panic(err) // the testing package has the flag
	}
	if flag.Lookup("test.list").Value.String() == "" {
		fmt.Fprintln(os.Stderr, examplesSkipped+reason)
	}
}

// ExamplesSkipped returns why the output of a package's tests says that its examples were left out, or "" where it
// does not.
func ExamplesSkipped(output string) string {
	_, reason, _ := strings.Cut(output, examplesSkipped)
	reason, _, _ = strings.Cut(reason, "\n")
	return reason
}
