package kernel

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// module makes a file as a module is, as far as it says what it needs.
func module(t *testing.T, file, needs string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	cmd := exec.Command("gcc", "-x", "c", "-c", "-o", file, "-")
	cmd.Stdin = strings.NewReader(
		`const char info[] __attribute__((section(".modinfo"))) = "license=GPL\0depends=` + needs + `\0name=x";`)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestModulesAreKeptInTheOrderInWhichTheyCanBeLoaded(t *testing.T) {
	tree, kept := t.TempDir(), filepath.Join(t.TempDir(), modulesDir)
	module(t, filepath.Join(tree, "kernel", "net", "sch_netem.ko"), "base,half-way")
	module(t, filepath.Join(tree, "kernel", "lib", "half-way.ko"), "base,built_in")
	module(t, filepath.Join(tree, "kernel", "lib", "base.ko"), "")
	module(t, filepath.Join(tree, "kernel", "md", "dm-mod.ko"), "base")
	module(t, filepath.Join(tree, "kernel", "md", "other.ko"), "")
	require.NoError(t, keepModules(context.Background(), tree, kept))
	files, err := os.ReadDir(kept)
	require.NoError(t, err)
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	require.Equal(t, []string{"00-base.ko", "01-half_way.ko", "02-sch_netem.ko", "03-dm_mod.ko"}, names)

	require.NoError(t, os.WriteFile(filepath.Join(tree, "dm-mod.ko.zst"), nil, 0o644))
	require.NoError(t, os.Remove(filepath.Join(tree, "kernel", "md", "dm-mod.ko")))
	require.ErrorContains(t, keepModules(context.Background(), tree, kept), "unknown way")
}

func TestPackagesOfAKernel(t *testing.T) {
	require.Equal(t, []string{"linux-image-6.12.118+deb13-cloud-amd64"}, suites[5].parts())
	require.Equal(t, []string{
		"linux-binary-7.3.4+deb13-cloud-amd64", "linux-modules-7.3.4+deb13-cloud-amd64",
	}, suites[11].parts())
	require.Equal(t, "7.3.4+deb13-cloud-amd64", Kernel{Package: suites[11]}.Release())
	arm := Package{"linux-image-6.12.118+deb13-cloud-arm64", "6.12.118-1"}
	require.Equal(t, "6.12.118+deb13-cloud-arm64", Kernel{Package: arm}.Release())
}
