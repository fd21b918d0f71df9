package image

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/cavaliergopher/cpio"
)

// archive is a cpio archive in the making, as the kernel unpacks it. The first error stays, and what follows it
// does nothing.
type archive struct {
	cpio *cpio.Writer
	dirs map[string]bool
	err  error
}

// write makes file an archive of what fill adds.
func write(file string, fill func(*archive)) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(f, 1<<20)
	a := &archive{cpio: cpio.NewWriter(buffered), dirs: map[string]bool{".": true}}
	fill(a)
	a.fail(a.cpio.Close())
	a.fail(buffered.Flush())
	a.fail(f.Close())
	return a.err
}

func (a *archive) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

// add adds a file. The kernel makes no directories that the archive does not have, so those above it are added too.
func (a *archive) add(name string, mode fs.FileMode, content []byte) {
	if a.err != nil {
		return
	}
	name = strings.TrimPrefix(name, "/")
	a.addDir(path.Dir(name))
	a.fail(a.cpio.WriteHeader(&cpio.Header{
		Name: name, Mode: cpio.TypeReg | cpio.FileMode(mode.Perm()), Size: int64(len(content)), Links: 1,
	}))
	_, err := a.cpio.Write(content)
	a.fail(err)
}

func (a *archive) addDir(name string) {
	name = strings.TrimPrefix(name, "/")
	if a.err != nil || a.dirs[name] {
		return
	}
	a.addDir(path.Dir(name))
	a.dirs[name] = true
	a.fail(a.cpio.WriteHeader(&cpio.Header{Name: name, Mode: cpio.TypeDir | 0o755, Links: 2}))
}

// addFile adds the file source, with its permissions.
func (a *archive) addFile(name, source string) {
	info, err := os.Stat(source)
	if err != nil {
		a.fail(err)
		return
	}
	content, err := os.ReadFile(source)
	a.fail(err)
	a.add(name, info.Mode(), content)
}

// addTree adds what lies under source, if that is there.
func (a *archive) addTree(name, source string) {
	err := filepath.WalkDir(source, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case file == source && errors.Is(err, fs.ErrNotExist):
			return filepath.SkipAll
		case err != nil:
			return err
		case !entry.Type().IsRegular():
			return nil
		}
		rel, err := filepath.Rel(source, file)
		a.addFile(path.Join(name, filepath.ToSlash(rel)), file)
		return err
	})
	a.fail(err)
}
