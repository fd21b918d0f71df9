package tidy

import (
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// importable has why each package that other modules can import is there for them. What is not here belongs under
// internal/: whatever can be imported has to be kept as it is.
var importable = map[string]string{
	".":                     "the library",
	"compat_aio":            "Linux AIO for where io_uring is not to be had",
	"cring":                 "liburing as it is, for those who share a ring with C",
	"socketops":             "the socket layer",
	"socketops/conformance": "holds any engine, also of others, to the contract of socketops",
	"socketops/prometheus":  "shows statistics of socketops in Prometheus, a module of its own",
	"socketops/socketvar":   "shows statistics of socketops by package expvar",
}

// TestWhatOthersMayImport holds that a package is offered to other modules on purpose only.
func TestWhatOthersMayImport(t *testing.T) { // found 44
	found := map[string]bool{}
	for name, content := range sources(t) {
		dir := path.Dir(name)
		inside := strings.Contains("/"+dir+"/", "/internal/") || strings.HasPrefix(dir, "scripts/tools")
		if filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || inside {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, content, parser.PackageClauseOnly)
		require.NoError(t, err)
		if file.Name.Name != "main" {
			found[dir] = true
		}
	}
	for dir := range found {
		if !strings.HasPrefix(dir, "examples/") { // programs to read, in a module that nobody requires
			require.NotEmpty(t, importable[dir], "package %s can be imported by others: move it under internal/", dir)
		}
	}
	for dir := range importable {
		require.True(t, found[dir], "there is no package %s any more", dir)
	}
}
