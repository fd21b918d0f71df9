package tidy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	walksPage = "docs/decisions.md"
	walksPart = "\n## Walks\n"

	// walkFilesMax is how many files a reader goes through at most to follow one thing.
	walkFilesMax = 6
)

var (
	walkStep = regexp.MustCompile("(?m)^\\d\\. `([\\w/]+\\.go)`: ((?s:.*?))(?:\\n\\d\\. |\\n\\n|\\z)")
	walkName = regexp.MustCompile("`(\\w+(?:\\.\\w+)?)`")
)

// TestWalksAreThoseOfTheCode holds that each step of a walk names a function of its file, and that every function that
// is named is of one of the walk's files, which are few.
func TestWalksAreThoseOfTheCode(t *testing.T) {
	_, part, found := strings.Cut(readRoot(t, walksPage), walksPart)
	require.True(t, found)
	part, _, _ = strings.Cut(part, "\n## ")
	files := sources(t)
	walks := strings.Split(part, "\n### ")[1:]
	require.Len(t, walks, 6)
	for _, walk := range walks {
		title, _, _ := strings.Cut(walk, "\n")
		t.Run(title, func(t *testing.T) {
			var steps []string
			for rest := walk; ; {
				at := walkStep.FindStringSubmatchIndex(rest)
				if at == nil {
					break
				}
				file := rest[at[2]:at[3]]
				require.NotContains(t, steps, file, "a file is one step")
				steps = append(steps, file)
				requireFunctions(t, files, file, rest[at[4]:at[5]])
				rest = rest[at[5]:]
			}
			require.Greater(t, len(steps), 2)
			require.LessOrEqual(t, len(steps), walkFilesMax)
		})
	}
}

// requireFunctions holds that the functions which a step names are of its file, or at least of its package.
func requireFunctions(t *testing.T, files map[string][]byte, file, step string) {
	t.Helper()
	here, beside := map[string]bool{}, map[string]bool{}
	for name, content := range files {
		if path.Dir(name) != path.Dir(file) || path.Ext(name) != ".go" || isTest(name) {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, content, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				beside[functionName(f)] = true
				here[functionName(f)] = here[functionName(f)] || name == file
			}
		}
	}
	require.NotEmpty(t, here, file)
	var names []string
	for _, m := range walkName.FindAllStringSubmatch(step, -1) {
		names = append(names, m[1])
		require.True(t, beside[m[1]] || !strings.Contains(m[1], "."), "%s: there is no %s", file, m[1])
	}
	if len(names) > 0 {
		require.True(t, slices.ContainsFunc(names, func(n string) bool { return here[n] }), "%s has none of %v", file, names)
	}
}
