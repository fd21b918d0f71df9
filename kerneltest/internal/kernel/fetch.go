package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/sockring/uring/kerneltest/internal/arch"
)

// Kernel is a kernel to boot.
type Kernel struct {
	Line    Line
	Package Package
	Image   string // the file
	Modules string // the directory of what is to be loaded, in the order of the names
}

// Release is what uname -r says of the kernel.
func (k Kernel) Release() string {
	kind := packageForm.FindStringSubmatch(k.Package.Name)[1]
	return strings.TrimPrefix(k.Package.Name, "linux-"+kind+"-")
}

// Store is where kernels come from and where they are kept.
type Store struct {
	Root string               // the repository, whose scripts/kernel-apt knows the suites
	Dir  string               // the cache
	Arch arch.Arch            // of the kernels
	Say  func(string, ...any) // tells what takes time
}

// Get returns the newest kernel of each line. With update it looks for newer ones than it has; it does so without
// where it has none.
func (s *Store) Get(ctx context.Context, lines []Line, update bool) ([]Kernel, error) {
	if !update {
		if kernels, err := s.kept(lines); err == nil {
			return kernels, nil
		}
	}
	s.Say("looking for kernels")
	packages, err := s.list(ctx)
	if err != nil {
		return nil, err
	}
	var kernels []Kernel
	for _, line := range lines {
		p, err := newest(line, packages, newer)
		if err != nil {
			return nil, err
		}
		if err := s.fetch(ctx, p); err != nil {
			return nil, fmt.Errorf("kernel %s: %w", line, err)
		}
		k, err := s.keptOf(line, p)
		if err != nil {
			return nil, err
		}
		kernels = append(kernels, k)
		if err := os.WriteFile(s.note(line), []byte(p.Name+" "+p.Version), 0o644); err != nil {
			return nil, err
		}
	}
	return kernels, nil
}

// note is the file that tells which package a line was found to be.
func (s *Store) note(line Line) string { return Note(s.Dir, s.Arch, line) }

// Note is the file in the cache that is there once a kernel of the line has been fetched.
func Note(dir string, a arch.Arch, line Line) string {
	return filepath.Join(dir, a.Prefix()+"newest-"+string(line))
}

// kept returns what Get found earlier, or an error where anything is missing.
func (s *Store) kept(lines []Line) ([]Kernel, error) {
	var kernels []Kernel
	for _, line := range lines {
		content, err := os.ReadFile(s.note(line))
		if err != nil {
			return nil, err
		}
		var p Package
		if _, err := fmt.Sscan(string(content), &p.Name, &p.Version); err != nil {
			return nil, err
		}
		k, err := s.keptOf(line, p)
		if err != nil {
			return nil, err
		}
		kernels = append(kernels, k)
	}
	return kernels, nil
}

// keptOf returns the kernel of a package that fetch has unpacked, or an error where it has not.
func (s *Store) keptOf(line Line, p Package) (Kernel, error) {
	image, err := findImage(s.unpacked(p))
	if err != nil {
		return Kernel{}, err
	}
	modules := filepath.Join(s.unpacked(p), modulesDir)
	if _, err := os.Stat(modules); err != nil { // one that was fetched when modules were not kept
		return Kernel{}, err
	}
	return Kernel{line, p, image, modules}, nil
}

// list returns all packages with kernels that apt knows of, each in its newest version.
func (s *Store) list(ctx context.Context) ([]Package, error) {
	if _, err := s.apt(ctx, "", "apt-get", "update"); err != nil {
		return nil, err
	}
	found, err := s.apt(ctx, "", "apt-cache", "search", "--names-only", search(s.Arch))
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(found) {
		names = append(names, strings.Fields(line)[0])
	}
	if len(names) == 0 {
		return nil, errors.New("apt finds no kernel in any of the suites")
	}
	shown, err := s.apt(ctx, "", append([]string{"apt-cache", "show", "--no-all-versions"}, names...)...)
	if err != nil {
		return nil, err
	}
	return parseShow(shown), nil
}

// parseShow reads what apt-cache show prints.
func parseShow(shown string) []Package {
	var packages []Package
	var p Package
	for line := range strings.Lines(shown) {
		if name, ok := strings.CutPrefix(line, "Package: "); ok {
			p.Name = strings.TrimSpace(name)
		}
		if version, ok := strings.CutPrefix(line, "Version: "); ok {
			p.Version = strings.TrimSpace(version)
			packages = append(packages, p)
		}
	}
	return packages
}

// unpacked is where a package is unpacked.
func (s *Store) unpacked(p Package) string { return filepath.Join(s.Dir, p.Name+"_"+p.Version) }

// fetch downloads and unpacks a package, unless it has been, and keeps its kernel image and the modules that are
// wanted.
func (s *Store) fetch(ctx context.Context, p Package) error {
	if _, err := s.keptOf("", p); err == nil {
		return nil
	}
	s.Say("fetching %s", p.Name)
	dir := s.unpacked(p)
	part := dir + ".part"
	if err := errors.Join(os.RemoveAll(part), os.RemoveAll(dir)); err != nil {
		return err
	}
	tree := filepath.Join(part, "tree")
	if err := os.MkdirAll(tree, 0o755); err != nil {
		return err
	}
	for _, name := range p.parts() {
		if err := s.unpack(ctx, Package{name, p.Version}, filepath.Join(part, name), tree); err != nil {
			return err
		}
	}
	image, err := findImage(tree)
	if err != nil {
		return err
	}
	// A directory that has all is there at once, so that one left half made is not taken for it.
	whole := filepath.Join(part, "whole")
	if err := keepModules(ctx, tree, filepath.Join(whole, modulesDir)); err != nil {
		return err
	}
	if err := os.Rename(image, filepath.Join(whole, filepath.Base(image))); err != nil {
		return err
	}
	return errors.Join(os.Rename(whole, dir), os.RemoveAll(part))
}

// unpack downloads a package into a directory of its own and unpacks it into tree.
func (s *Store) unpack(ctx context.Context, p Package, dir, tree string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if _, err := s.apt(ctx, dir, "apt-get", "download", p.Name+"="+p.Version); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(debs) != 1 {
		return fmt.Errorf("apt-get download left %d packages: %w", len(debs), err)
	}
	_, err = run(ctx, dir, "dpkg-deb", "-x", debs[0], tree)
	return err
}

// findImage returns the only kernel image under dir, wherever the package has put it.
func findImage(dir string) (string, error) {
	var images []string
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && strings.HasPrefix(entry.Name(), "vmlinuz") {
			images = append(images, file)
		}
		return err
	})
	if err == nil && len(images) != 1 {
		err = fmt.Errorf("%s has %d kernel images", filepath.Base(dir), len(images))
	}
	if err != nil {
		return "", err
	}
	return images[0], nil
}

// apt runs a command of apt that sees all suites.
func (s *Store) apt(ctx context.Context, dir string, args ...string) (string, error) {
	args = append([]string{"-a", string(s.Arch)}, args...)
	return run(ctx, dir, filepath.Join(s.Root, "scripts", "kernel-apt"), args...)
}

// run runs a program and returns its standard output.
func run(ctx context.Context, dir, name string, args ...string) (string, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stderr = dir, &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args[:min(len(args), 5)], " "), err,
			stderr.Bytes())
	}
	return string(out), nil
}
