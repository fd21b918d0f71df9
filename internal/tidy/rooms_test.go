package tidy

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A visitor sees the entries of the root before anything else. A file is a theme, and one of a few lines is a part of
// one: but for what differs between systems, and the package's documentation.
const (
	rootEntriesMax = 80
	fileLinesMin   = 40
)

// TestRootIsSmall holds how many entries the root has, hidden ones included, and that its source files are themes.
func TestRootIsSmall(t *testing.T) {
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	entries = slices.DeleteFunc(entries, func(entry os.DirEntry) bool {
		return slices.Contains([]string{".git", ".bin", ".cache", "report"}, entry.Name()) // not of the source tree
	})
	require.LessOrEqual(t, len(entries), rootEntriesMax)

	for path, content := range sources(t) {
		if strings.Contains(path, "/") || filepath.Ext(path) != ".go" || isTest(path) ||
			strings.HasPrefix(path, "os_") || path == "doc.go" {
			continue
		}
		require.GreaterOrEqual(t, bytes.Count(content, []byte("\n")), fileLinesMin, "lines of %s", path)
	}
}
