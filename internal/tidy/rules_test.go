package tidy

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// rule is a case for one rule: a file and what is wrong with it, or "" where nothing is.
type rule struct{ name, path, content, want string }

func TestTextRules(t *testing.T) {
	checkRules(t, []rule{
		{"line of 120 characters", "a.c", "\t" + strings.Repeat("é", 119) + "\n", ""},
		{"line of 121 characters", "a.c", "\t" + strings.Repeat("é", 120) + "\n", "121 characters"},
		{"long table row", "a.md", "|" + strings.Repeat("x", 200) + "|\n", ""},
		{"no last newline", "a.c", "x", "no newline"},
		{"carriage return", "a.c", "x\r\n", "white space"},
		{"open end", "a.sh", "# TO" + "DO: later\n", "unfinished"},
		{"open end with issue", "a.sh", "# TO" + "DO(#12): later\n", ""},
		{"link to a file", "a.md", "[x](go.mod) [y](https://example.org/z)\n", ""},
		{"link to no file", "a.md", "[x](no-such-file.md#part)\n", "link to nowhere: no-such-file.md"},
	})
}

func TestImportRules(t *testing.T) { // found 40
	imports := func(name string) string { return "package p\n\nimport _ \"" + name + "\"\n" }
	checkRules(t, []rule{
		{"C in the shim", "cring/a.go", imports("C"), ""},
		{"C for tests", "internal/ctest/a.go", imports("C"), ""},
		{"C elsewhere", "a.go", imports("C"), "C is imported outside of cring/"},
		{"dependency", "a.go", imports("example.org/x"), "may not depend on example.org/x"},
		{"dependency of an example", "examples/a.go", imports("example.org/x"), ""},
		{"dependency of an adapter", "socketops/prometheus/a.go", imports("example.org/x"), ""},
		{"dependency of a test", "a_test.go", imports("example.org/x"), ""},
		{"dependency that is allowed", "a_linux.go", imports("golang.org/x/sys/unix"), ""},
		{"dependency by a tag", "a.go", "//go:build linux\n\n" + imports("golang.org/x/sys/unix"), ""},
		{"Unix in what all build", "a.go", imports("golang.org/x/sys/unix"), "use internal/unix"},
		{"Unix of our own", "a.go", imports("github.com/sockring/uring/internal/unix"), ""},
	})
}

func TestFunctionLengthRule(t *testing.T) {
	function := func(lines int) string {
		return "package p\n\nfunc f() {\n" + strings.Repeat("\tx()\n", lines-2) + "}\n"
	}
	checkRules(t, []rule{
		{"70 lines", "a.go", function(70), ""},
		{"71 lines", "a.go", function(71), "f has 71 lines"},
		{"100 lines in a test", "a_test.go", function(100), ""},
		{"101 lines in a test", "a_test.go", function(101), "f has 101 lines"},
	})
}

func TestUnsafeRule(t *testing.T) {
	file := func(lines ...string) string { return "package p\n\n" + strings.Join(lines, "\n") + "\n" }
	const (
		argument = "// SAFETY: it is fine."
		use      = "\t_ = unsafe.Pointer(p)"
		missing  = "unsafe.Pointer without a SAFETY: comment"
	)
	blank := strings.Repeat("\n", safetyReach)
	checkRules(t, []rule{
		{"no argument", "a.go", file("func f() {", use, "}"), missing},
		{"argument in the function", "a.go", file("func f() {", argument, use, "}"), ""},
		{"argument far above in the function", "a.go", file("func f() {", argument, blank, use, "}"), ""},
		{"argument in the function's comment", "a.go", file(argument, "func f() {", use, "}"), ""},
		{"argument below", "a.go", file("func f() {", use, argument, "}"), missing},
		{"argument in another function", "a.go", file(argument, "func e() {}", "", "func f() {", use, "}"), missing},
		{"argument in another function of a test", "a_test.go", file(argument, "func e() {}", "func f() {", use, "}"), ""},
		{"no argument in a test", "a_test.go", file("func f() {", use, "}"), missing},
		{"variable", "a.go", file(argument, "var v = unsafe.Pointer(p)"), ""},
		{"variable far below", "a.go", file(argument, blank, "var v = unsafe.Pointer(p)"), missing},
		{"reported once", "a.go", file("func f() {", use, use, "}"), missing},
		{"sizes are safe", "a.go", file("var v = unsafe.Sizeof(p)"), ""},
	})
}

// checkRules holds that each file breaks the rule that it is there for, and no other.
func checkRules(t *testing.T, rules []rule) {
	t.Helper()
	for _, tt := range rules {
		t.Run(tt.name, func(t *testing.T) {
			problems := check(tt.path, []byte(tt.content))
			if tt.want == "" {
				require.Empty(t, problems)
				return
			}
			require.Len(t, problems, 1)
			require.Contains(t, problems[0].text, tt.want)
		})
	}
}
