package kernel

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"

	"github.com/sockring/uring/kerneltest/internal/arch"
)

// Line is a series of kernels of which the newest is wanted: "6.12" for 6.12.x, "7" for 7.x.
type Line string

var lineForm = regexp.MustCompile(`^\d+(\.\d+)?$`)

// ParseLines reads a list of lines as "5.10,6.12,7".
func ParseLines(list string) ([]Line, error) {
	var lines []Line
	for _, word := range strings.Split(list, ",") {
		if !lineForm.MatchString(word) {
			return nil, fmt.Errorf("%q is no line of kernels, as 6.12 and 7 are", word)
		}
		lines = append(lines, Line(word))
	}
	return lines, nil
}

// Package is a package that has a kernel image.
type Package struct {
	Name    string // as linux-image-6.12.90+deb13-cloud-amd64
	Version string // as 6.12.90-1
}

// packageForm matches the names of packages with a kernel for cloud machines, which has what QEMU needs built in. Up
// to some 6.19 the image is in linux-image; then linux-binary has it, and linux-image only needs that.
var packageForm = regexp.MustCompile(`^linux-(image|binary)-([0-9].*)-cloud-[a-z0-9]+$`)

// parts are the names of the packages that have the kernel's image and its modules: where the image is in linux-binary,
// the modules are in linux-modules.
func (p Package) parts() []string {
	if kind := packageForm.FindStringSubmatch(p.Name); kind != nil && kind[1] == "binary" {
		return []string{p.Name, "linux-modules" + strings.TrimPrefix(p.Name, "linux-binary")}
	}
	return []string{p.Name}
}

// search is packageForm as apt-cache search takes it, for one processor.
func search(a arch.Arch) string { return `^linux-(image|binary)-[0-9].*-cloud-` + string(a) + `$` }

// newest returns the newest package of a line that has the image. newer reports whether one version is newer than
// another.
func newest(line Line, packages []Package, newer func(a, b string) bool) (Package, error) {
	var best Package
	for _, p := range packages {
		switch m := packageForm.FindStringSubmatch(p.Name); {
		case m == nil || !within(line, p.Version):
		case best.Name == "", newer(p.Version, best.Version):
			best = p
		case m[1] == "binary" && !newer(best.Version, p.Version):
			best = p
		}
	}
	if best.Name == "" {
		return Package{}, fmt.Errorf("none of the suites at hand has a %s kernel", line)
	}
	return best, nil
}

// within reports whether a version belongs to a line.
func within(line Line, version string) bool {
	return strings.HasPrefix(version, string(line)+".") || strings.HasPrefix(version, string(line)+"-")
}

// newer asks dpkg, which knows Debian's order of versions.
func newer(a, b string) bool {
	return exec.Command("dpkg", "--compare-versions", a, "gt", b).Run() == nil
}
