package image

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/cavaliergopher/cpio"
	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/kerneltest/internal/arch"
)

func TestArchive(t *testing.T) {
	source := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(source, "deep"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(source, "deep", "a.txt"), []byte("heron"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(source, "tool"), []byte("crane"), 0o755))
	file := filepath.Join(t.TempDir(), "initramfs")
	require.NoError(t, write(file, func(a *archive) {
		a.addFile("init", filepath.Join(source, "tool"))
		a.addTree("/src/m/testdata", source)
		a.addTree("/src/n/testdata", filepath.Join(source, "none"))
		a.addDir("/src/m")
	}))
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	var names []string
	files := map[string]string{}
	for r := cpio.NewReader(bytes.NewReader(content)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		names = append(names, h.Name)
		if h.Mode.IsRegular() {
			text, err := io.ReadAll(r)
			require.NoError(t, err)
			files[h.Name] = string(text) + " " + h.Mode.Perm().String()
		}
	}
	require.Equal(t, []string{
		"init", "src", "src/m", "src/m/testdata", "src/m/testdata/deep", "src/m/testdata/deep/a.txt",
		"src/m/testdata/tool",
	}, names)
	require.Equal(t, map[string]string{
		"init": "crane 0755", "src/m/testdata/tool": "crane 0755", "src/m/testdata/deep/a.txt": "heron 0600",
	}, files)

	err = write(file, func(a *archive) { a.addFile("init", filepath.Join(source, "none")) })
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestPackages(t *testing.T) {
	patterns := []string{"./internal/tidy", "./internal/sendq", "./internal/ctest"}
	packages, err := Packages(context.Background(), "../../..", arch.Host, patterns)
	require.NoError(t, err)
	require.Len(t, packages, 2, "one has no tests")
	require.Equal(t, "the rules are about the source tree", packages[0].Host)
	require.Empty(t, packages[0].On)
	require.Empty(t, packages[1].Host)
	require.Equal(t, "it has nothing to do with io_uring", packages[1].On)
	_, err = Packages(context.Background(), "../../..", arch.Host, []string{"./internal/ctest"})
	require.ErrorContains(t, err, "no package with tests")
}
