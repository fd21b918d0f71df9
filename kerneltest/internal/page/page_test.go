package page

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/kerneltest/internal/arch"
	"github.com/sockring/uring/kerneltest/internal/result"
	"github.com/sockring/uring/kerneltest/internal/wire"
)

// runs are of an old kernel and a new one; the old one has no mode "off".
func runs() []result.Run {
	probe := func(engine, bundle string) json.RawMessage {
		return json.RawMessage(`{"engine":"` + engine + `","features":[
			{"group":"process","name":"cgo","supported":true},
			{"group":"send","name":"send_select","since":"5.7","supported":true},
			{"group":"send","name":"send_bundle","since":"6.10","supported":` + bundle + `}]}`)
	}
	return []result.Run{
		{
			Line: "5.10", Mode: wire.On, Release: "5.10.9", Probe: probe("aio", "false"), Passed: 3, Skipped: 2, Seconds: 1.6,
			Skips: []result.Skip{{Test: "TestA", Reason: "bundle: no"}, {Test: "TestB", Reason: "bundle: no"}},
		},
		{Line: "7", Mode: wire.On, Release: "7.3.1", Probe: probe("uring-bundle", "true"), Passed: 5, Seconds: 1},
		{Line: "5.10", Mode: wire.Off, Release: "5.10.9", Absent: "no such sysctl"},
		{
			Line: "7", Mode: wire.Off, Release: "7.3.1", Probe: probe("aio", "null"), Passed: 1,
			Failures: []result.Failure{{Test: "TestC", What: "failed"}, {What: "a warning"}},
		},
	}
}

const want = `
## Which engine serves

| kernel | release | ` + "`on` | `off`" + ` |
| --- | --- | --- | --- |
| 5.10 | 5.10.9 | aio | - |
| 7 | 7.3.1 | uring-bundle | aio |

A dash is a mode that the kernel does not have.

## Features: send

| feature | since | 5.10 | 7 |
| --- | --- | --- | --- |
| ` + "`send_bundle`" + ` | 6.10 | no | yes |

## Features of all these kernels

` + "`send_select`" + `.

## Tests

| kernel | mode | passed | failed | skipped | seconds |
| --- | --- | --- | --- | --- | --- |
| 5.10 | ` + "`on`" + ` | 3 | 0 | 2 | 2 |
| 7 | ` + "`on`" + ` | 5 | 0 | 0 | 1 |
| 7 | ` + "`off`" + ` | 1 | 1 | 0 | 0 |

## Tests that are skipped with io_uring on, by what they would need

| needs | 5.10 | 7 |
| --- | --- | --- |
| bundle | 2 |  |

Which tests these are: ` + "`kerneltest/expected`" + `.

`

func TestUpdateReplacesWhatIsGenerated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	require.NoError(t, os.WriteFile(path, []byte("before\n"+beginAMD64+"old\n"+end+"after\n"+beginARM64+end), 0o600))
	for range 2 { // what it wrote it can write again
		require.NoError(t, Update(path, runs()))
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, "before\n"+beginAMD64+want+end+"after\n"+beginARM64+end, string(text))
	}
}

func TestUpdateRefusesWhatItCannotWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	require.ErrorIs(t, Update(path, runs()), os.ErrNotExist)
	require.NoError(t, os.WriteFile(path, []byte("no lines\n"), 0o600))
	require.ErrorContains(t, Update(path, runs()), "no lines")
	require.NoError(t, os.WriteFile(path, []byte(beginAMD64+end), 0o600))
	bad := []result.Run{{Line: "7", Mode: wire.On, Probe: json.RawMessage(`[]`)}}
	require.ErrorContains(t, Update(path, bad), "what the probe said on 7 on")
}

func TestUpdateKeepsWhatIsOfAnotherProcessor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	require.NoError(t, os.WriteFile(path, []byte(beginAMD64+"old\n"+end+beginARM64+"old\n"+end), 0o600))
	guests := runs()
	for i := range guests {
		guests[i].Arch = arch.ARM64
	}
	require.NoError(t, Update(path, guests))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, beginAMD64+"old\n"+end+beginARM64+strings.ReplaceAll(want, "\n## ", "\n## arm64: ")+end, string(text))
}
