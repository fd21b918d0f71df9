package kernel

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/testutil"
)

// suites is what apt finds, some of it.
var suites = []Package{
	{"linux-image-5.10.0-46-cloud-amd64", "5.10.262-1"},
	{"linux-image-5.10.0-45-cloud-amd64", "5.10.259-1"},
	{"linux-image-6.1.0-0.deb11.52-cloud-amd64", "6.1.190-1~deb11u1"},
	{"linux-image-6.1.0-56-cloud-amd64", "6.1.192-2"},
	{"linux-image-6.1-cloud-amd64", "6.1.192-2"},
	{"linux-image-6.12.118+deb13-cloud-amd64", "6.12.118-1"},
	{"linux-image-6.12.117+deb12-cloud-amd64", "6.12.117-1~bpo12+1"},
	{"linux-image-6.12.99+deb13-cloud-amd64", "6.12.99-1"},
	{"linux-image-6.12.118+deb13-cloud-amd64-unsigned", "6.12.118-1"},
	{"linux-image-6.19.14+deb13-cloud-amd64", "6.19.14-1~bpo13+1"},
	{"linux-binary-6.19.14+deb13-cloud-amd64", "6.19.14-1~bpo13+1"},
	{"linux-binary-7.3.4+deb13-cloud-amd64", "7.3.4-1~bpo13+1"},
	{"linux-image-7.3.4+deb13-cloud-amd64", "7.3.4-1~bpo13+1"},
	{"linux-image-7.3.4+deb14-amd64", "7.3.4-1"},
}

func TestNewest(t *testing.T) {
	if _, err := os.Stat("/usr/bin/dpkg"); err != nil {
		testutil.Skip(t, testutil.NeedsDebian, "%v", err)
	}
	for line, want := range map[Line]string{
		"5.10": "linux-image-5.10.0-46-cloud-amd64",
		"6.1":  "linux-image-6.1.0-56-cloud-amd64",
		"6.12": "linux-image-6.12.118+deb13-cloud-amd64",
		"6":    "linux-binary-6.19.14+deb13-cloud-amd64",
		"7":    "linux-binary-7.3.4+deb13-cloud-amd64",
	} {
		p, err := newest(line, suites, newer)
		require.NoError(t, err)
		require.Equal(t, want, p.Name, "line %s", line)
	}
	_, err := newest("6.6", suites, newer)
	require.ErrorContains(t, err, "6.6")
}

func TestParseLines(t *testing.T) {
	lines, err := ParseLines("5.10,7")
	require.NoError(t, err)
	require.Equal(t, []Line{"5.10", "7"}, lines)
	for _, list := range []string{"", "5.10,", "v6", "6.12.1", "6/../x"} {
		_, err := ParseLines(list)
		require.Error(t, err, list)
	}
}

func TestParseShow(t *testing.T) {
	require.Equal(t, suites[:2], parseShow(`Package: linux-image-5.10.0-46-cloud-amd64
Source: linux-signed-amd64 (5.10.262+1)
Version: 5.10.262-1
Description-en: Linux 5.10 for x86-64 cloud

Package: linux-image-5.10.0-45-cloud-amd64
Version: 5.10.259-1
`))
}

func TestFindImage(t *testing.T) {
	dir := t.TempDir()
	_, err := findImage(dir)
	require.ErrorContains(t, err, "0 kernel images")
	modules := filepath.Join(dir, "usr", "lib", "modules", "7.3.4")
	require.NoError(t, os.MkdirAll(modules, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(modules, "vmlinuz"), nil, 0o644))
	image, err := findImage(dir)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(modules, "vmlinuz"), image)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "vmlinuz-6.1"), nil, 0o644))
	_, err = findImage(dir)
	require.ErrorContains(t, err, "2 kernel images")
}

func TestRelease(t *testing.T) {
	for name, want := range map[string]string{
		"linux-image-6.1.0-56-cloud-amd64":       "6.1.0-56-cloud-amd64",
		"linux-binary-7.3.4+deb13-cloud-arm64":   "7.3.4+deb13-cloud-arm64",
		"linux-image-6.12.118+deb13-cloud-arm64": "6.12.118+deb13-cloud-arm64",
	} {
		require.Equal(t, want, Kernel{Package: Package{Name: name}}.Release())
	}
}
