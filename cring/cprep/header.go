//go:build linux && cgo

package cprep

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// IncludeDir returns the directory of the liburing.h compiled against, as pkg-config tells it.
func IncludeDir() (string, error) {
	flags, err := pkgConfig("--cflags-only-I")
	if err != nil {
		return "", err
	}
	var dirs []string
	for _, f := range strings.Fields(flags) {
		dirs = append(dirs, strings.TrimPrefix(f, "-I"))
	}
	includedir, err := pkgConfig("--variable=includedir")
	if err != nil {
		return "", err
	}
	for _, dir := range append(dirs, includedir) {
		if _, err := os.Stat(filepath.Join(dir, "liburing.h")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no liburing.h where pkg-config points: %w", os.ErrNotExist)
}

func pkgConfig(option string) (string, error) {
	name := os.Getenv("PKG_CONFIG")
	if name == "" {
		name = "pkg-config"
	}
	out, err := exec.Command(name, option, "liburing").Output()
	if err != nil {
		return "", fmt.Errorf("%s %s liburing: %w", name, option, err)
	}
	return strings.TrimSpace(string(out)), nil
}
