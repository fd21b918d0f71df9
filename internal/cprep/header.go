//go:build linux && cgo

package cprep

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// lineMarker matches where the preprocessor's output says that liburing.h begins.
var lineMarker = regexp.MustCompile(`(?m)^# 1 "(.*/liburing\.h)"`)

// IncludeDir returns the directory of the liburing.h compiled against, as the compiler finds it with cgo's flags.
func IncludeDir() (string, error) {
	var command []string
	for _, name := range []string{"CC", "CGO_CPPFLAGS", "CGO_CFLAGS"} {
		value, err := exec.Command("go", "env", name).Output()
		if err != nil {
			return "", fmt.Errorf("go env %s: %w", name, err)
		}
		command = append(command, strings.Fields(string(value))...)
	}
	cc := exec.Command(command[0], append(command[1:], "-E", "-x", "c", "-")...)
	cc.Stdin = strings.NewReader("#include <liburing.h>\n")
	out, err := cc.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", cc, err)
	}
	found := lineMarker.FindSubmatch(out)
	if found == nil {
		return "", errors.New("the compiler does not say where liburing.h is")
	}
	return filepath.Dir(string(found[1])), nil
}
