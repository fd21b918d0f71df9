package kernel

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// wanted are the modules that are kept beside an image, as the cloud kernels do not have them built in: a network that
// loses, delays and doubles packets, and a disk that fails. The whole of a package's modules takes a hundred times as
// much room as the image.
var wanted = []string{"sch_netem", "dm_mod"}

// modulesDir is where the modules of an unpacked kernel are kept, in the order in which they can be loaded.
const modulesDir = "modules"

// keepModules keeps the wanted modules that lie under tree, and those that they need, in dir. One that is not there is
// built in, or the kernel has no such thing: that shows in the guest.
func keepModules(ctx context.Context, tree, dir string) error {
	files := map[string]string{} // by name
	err := filepath.WalkDir(tree, func(file string, entry fs.DirEntry, err error) error {
		if name, _, ok := strings.Cut(filepath.Base(file), ".ko"); err == nil && ok && entry.Type().IsRegular() {
			files[moduleName(name)] = file
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	kept := map[string]bool{}
	var keep func(name string) error
	keep = func(name string) error {
		file, ok := files[name]
		if !ok || kept[name] {
			return nil
		}
		kept[name] = true
		content, err := readModule(ctx, file)
		if err != nil {
			return err
		}
		needs, err := needsOf(content)
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
		for _, need := range needs {
			if err := keep(need); err != nil {
				return err
			}
		}
		there, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d-%s.ko", len(there), name)), content, 0o644)
	}
	for _, name := range wanted {
		if err := keep(name); err != nil {
			return err
		}
	}
	return nil
}

// moduleName is a module's name as the kernel has it, which a file may spell with hyphens.
func moduleName(name string) string { return strings.ReplaceAll(name, "-", "_") }

// readModule reads a module. Those of newer packages are compressed.
func readModule(ctx context.Context, file string) ([]byte, error) {
	switch filepath.Ext(file) {
	case ".ko":
		return os.ReadFile(file)
	case ".xz":
		out, err := run(ctx, "", "busybox", "xzcat", file) // the guests need busybox as well
		return []byte(out), err
	}
	return nil, fmt.Errorf("%s is compressed in an unknown way", filepath.Base(file))
}

// needsOf returns the names of the modules that a module needs.
func needsOf(module []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(module))
	if err != nil {
		return nil, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return nil, errors.New("no .modinfo")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	var needs []string
	for _, entry := range strings.Split(string(info), "\x00") {
		if list, ok := strings.CutPrefix(entry, "depends="); ok && list != "" {
			for _, name := range strings.Split(list, ",") {
				needs = append(needs, moduleName(name))
			}
		}
	}
	return needs, nil
}
