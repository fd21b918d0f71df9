//go:build linux

package main

//kerneltest:on compat_aio has tests of what it does where AIO is refused

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	aio "github.com/sockring/uring/compat_aio"
	"github.com/sockring/uring/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m) }

const testBlock = 4096

// needAIO skips the test where there is no AIO.
func needAIO(t *testing.T) {
	t.Helper()
	ctx, err := aio.NewContext(1)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	require.NoError(t, ctx.Close())
}

// content is n bytes that repeat nowhere.
func content(n int) []byte {
	data := make([]byte, n)
	source := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)})
	source.Read(data)
	return data
}

// newJob is a copy of n bytes within a new directory.
func newJob(t *testing.T, n int) (*job, []byte) {
	t.Helper()
	needAIO(t)
	dir := t.TempDir()
	data := content(n)
	from := filepath.Join(dir, "from")
	require.NoError(t, os.WriteFile(from, data, 0o640))
	return &job{
		from: from, to: filepath.Join(dir, "to"), blockSize: testBlock, depth: 4, direct: directAuto, verify: true,
		progress: func(string, int64, int64) {},
	}, data
}

// requireCopied holds the copy against the content, and that nothing else is left.
func requireCopied(t *testing.T, j *job, data []byte) {
	t.Helper()
	got, err := os.ReadFile(j.to)
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got), "the copy has other bytes")
	names, err := filepath.Glob(j.to + ".*")
	require.NoError(t, err)
	require.Empty(t, names)
}

func TestCopiesFilesOfAnySize(t *testing.T) {
	for _, mode := range []directMode{directAuto, directOff} {
		for _, depth := range []int{1, 2, 7} {
			if depth == 2 && testing.Short() {
				continue
			}
			for _, n := range []int{
				0, 1, 511, 512, testBlock - 1, testBlock, testBlock + 1, testutil.Fewer(64, 9) * testBlock, 5*testBlock + 77,
			} {
				j, data := newJob(t, n)
				j.direct, j.depth = mode, depth
				res, err := j.run(t.Context())
				require.NoError(t, err, "%s, depth %d, %d bytes", mode, depth, n)
				requireCopied(t, j, data)
				sum := sha256.Sum256(data)
				require.Equal(t, hex.EncodeToString(sum[:]), res.sum)
				require.True(t, res.verified)
				if mode == directOff {
					require.False(t, res.directRead || res.directWrite)
				}
			}
		}
	}
}

func TestCopyKeepsModeAndTime(t *testing.T) {
	j, _ := newJob(t, 100)
	_, err := j.run(t.Context())
	require.NoError(t, err)
	from, err := os.Stat(j.from)
	require.NoError(t, err)
	to, err := os.Stat(j.to)
	require.NoError(t, err)
	require.Equal(t, from.Mode(), to.Mode())
	require.Equal(t, from.ModTime(), to.ModTime())
}

func TestCopyIntoDirectory(t *testing.T) {
	j, data := newJob(t, 10)
	j.to = t.TempDir()
	_, err := j.run(t.Context())
	require.NoError(t, err)
	require.Equal(t, "from", filepath.Base(j.to))
	requireCopied(t, j, data)
}

// interrupt runs the job until so many bytes are through.
func interrupt(t *testing.T, j *job, at int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	j.progress = func(phase string, done, _ int64) {
		if phase == "copy" && done >= at {
			cancel()
		}
	}
	_, err := j.run(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.NoFileExists(t, j.to)
	j.progress = func(string, int64, int64) {}
}

func TestInterruptedCopyIsResumed(t *testing.T) {
	j, data := newJob(t, 40*testBlock+5)
	interrupt(t, j, 10*testBlock)
	_, err := j.run(t.Context())
	require.ErrorContains(t, err, "-resume goes on")

	j.resume = true
	res, err := j.run(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, res.resumedAt, int64(10*testBlock))
	requireCopied(t, j, data)
	sum := sha256.Sum256(data)
	require.Equal(t, hex.EncodeToString(sum[:]), res.sum)
}

func TestResumeRefusesAnotherSource(t *testing.T) {
	j, data := newJob(t, 40*testBlock)
	interrupt(t, j, 10*testBlock)
	data[0]++
	require.NoError(t, os.WriteFile(j.from, data, 0o640))
	j.resume = true
	_, err := j.run(t.Context())
	require.ErrorIs(t, err, errNotTheSame)
}

// TestResumeSeesDamage has the part that was written before the interruption changed: the checksum tells, and the copy
// does not get its name.
func TestResumeSeesDamage(t *testing.T) {
	j, _ := newJob(t, 40*testBlock)
	interrupt(t, j, 10*testBlock)
	f, err := os.OpenFile(j.part(), os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("damage"), 100)
	require.NoError(t, errors.Join(err, f.Close()))
	j.resume = true
	_, err = j.run(t.Context())
	require.ErrorIs(t, err, errMismatch)
	require.NoFileExists(t, j.to)
	require.NoFileExists(t, j.statePath(), "nothing of it is worth going on with")
}

func TestDamagedStateIsRefused(t *testing.T) {
	for _, text := range []string{"", "{", `{"block_size":0}`} {
		j, _ := newJob(t, 10)
		j.resume = true
		require.NoError(t, os.WriteFile(j.statePath(), []byte(text), 0o600))
		_, err := j.run(t.Context())
		require.ErrorContains(t, err, j.statePath())
	}
}

func TestSourceThatChangesIsTold(t *testing.T) {
	changes := map[string]func(t *testing.T, path string){
		"shorter": func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 30*testBlock)) },
		"longer":  func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 41*testBlock)) },
		"other": func(t *testing.T, path string) {
			before, err := os.Stat(path)
			require.NoError(t, err)
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			require.NoError(t, err)
			// Files' times move with the kernel's tick, some milliseconds, within which the test may have made the file.
			for after := before; after.ModTime().Equal(before.ModTime()); {
				_, err = f.WriteAt([]byte("x"), 0)
				require.NoError(t, err)
				after, err = f.Stat()
				require.NoError(t, err)
			}
			require.NoError(t, f.Close())
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			j, _ := newJob(t, 40*testBlock+1)
			changed := false
			j.progress = func(string, int64, int64) {
				if !changed {
					changed = true
					change(t, j.from)
				}
			}
			_, err := j.run(t.Context())
			require.ErrorIs(t, err, errChanged)
			require.NoFileExists(t, j.to)
			require.NoFileExists(t, j.statePath())
		})
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		name string
		set  func(t *testing.T, j *job)
		want error
		text string
	}{
		{name: "no source", set: func(_ *testing.T, j *job) { j.from += "?" }, want: fs.ErrNotExist},
		{name: "a device", set: func(_ *testing.T, j *job) { j.from = "/dev/zero" }, text: "not a regular file"},
		{name: "itself", set: func(_ *testing.T, j *job) { j.to = j.from }, text: "the same file"},
		{
			name: "a FIFO",
			set: func(t *testing.T, j *job) {
				j.from = filepath.Join(t.TempDir(), "fifo")
				require.NoError(t, unix.Mkfifo(j.from, 0o600))
			},
			text: "not a regular file",
		},
		{
			name: "what is there",
			set:  func(t *testing.T, j *job) { require.NoError(t, os.WriteFile(j.to, nil, 0o600)) },
			want: fs.ErrExist,
		},
		{name: "no directory", set: func(_ *testing.T, j *job) { j.to = "/nonexistent/x" }, want: fs.ErrNotExist},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j, _ := newJob(t, 10)
			tt.set(t, j)
			_, err := j.run(t.Context())
			require.Error(t, err)
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
			}
			require.ErrorContains(t, err, tt.text)
		})
	}
}

func TestForceOverwrites(t *testing.T) {
	j, data := newJob(t, 3*testBlock)
	require.NoError(t, os.WriteFile(j.to, []byte("old"), 0o600))
	j.force = true
	_, err := j.run(t.Context())
	require.NoError(t, err)
	requireCopied(t, j, data)
}

// TestFullDestination copies to where there is less room than the file needs: the kernel's own error, before or while
// it writes, and no copy.
func TestFullDestination(t *testing.T) {
	if !testutil.InChild() {
		needAIO(t)
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	limit := unix.Rlimit{Cur: 10 * testBlock, Max: 10 * testBlock}
	j, _ := newJob(t, 9*testBlock)
	f, err := os.OpenFile(j.from, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.Write(content(20 * testBlock))
	require.NoError(t, errors.Join(err, f.Close()))
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &limit))
	_, err = j.run(t.Context())
	require.ErrorIs(t, err, unix.EFBIG)
	require.ErrorContains(t, err, j.part())
	require.NoFileExists(t, j.to)
}

// TestWithoutAIO says which error a user sees where io_setup is refused.
func TestWithoutAIO(t *testing.T) {
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	j, _ := newJob(t, 10)
	testutil.RefuseSyscalls(t, unix.EPERM, unix.SYS_IO_SETUP)
	_, err := j.run(t.Context())
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorIs(t, err, unix.EPERM)
	require.NoFileExists(t, j.to)
}
