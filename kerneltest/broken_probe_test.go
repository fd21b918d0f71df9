package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/kerneltest/internal/kernel"
	"github.com/sockring/uring/kerneltest/internal/result"
)

// TestBrokenProbe breaks the probe in each way in which it can be wrong. What is broken is the real probe: the guests
// run the project's tests, built with another body of one of its attempts.
func TestBrokenProbe(t *testing.T) {
	tests := []struct {
		name          string
		line          kernel.Line
		attempt, body string
		pkg, test     string // which notice
		failure       string
	}{
		{
			"the kernel is said to be too old", "6.12",
			"trySendBundle", `return lacking(Version{6, 10}, "broken on purpose")`,
			"./internal/probe", "TestKernelHasWhatItsVersionPromises", "failed",
		},
		{
			"the system is said to refuse", "6.12",
			"trySendBundle", `return &Refusal{Missing: "bundles are refused on purpose"}`,
			".", "TestFact09ABundleIsOneDatagram", "was skipped, and that is not expected: send_bundle: ",
		},
		{
			"what is missing is said to be there", "6.1",
			"trySendSelect", `return nil`,
			".", "TestConsumeOfErrors", "was expected to be skipped for send_select, and was not",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := guestTests(t)
			cfg.lines, cfg.packages, cfg.run = []kernel.Line{tt.line}, []string{tt.pkg}, "^"+tt.test+"$"
			needKernel(t, cfg)
			require.Empty(t, differences(t, cfg, boot(t, cfg)), "the probe as it is")

			replaceAttempt(t, cfg.root, tt.attempt, tt.body)
			cfg.cache = t.TempDir()
			broken := differences(t, cfg, boot(t, cfg))
			requireFailure(t, result.Run{Failures: broken}, tt.test+": "+tt.failure)
		})
	}
}

// differences are what makes a run red once its skips are compared with those expected.
func differences(t *testing.T, cfg config, r result.Run) []result.Failure {
	t.Helper()
	runs := []result.Run{r}
	require.NoError(t, (&machine{cfg: cfg}).conclude(runs))
	return runs[0].Failures
}

// replaceAttempt has the go command build internal/probe with another body in one of its attempts, until the test
// ends.
func replaceAttempt(t *testing.T, root, attempt, body string) {
	t.Helper()
	file := filepath.Join(root, "internal", "probe", "send_linux.go")
	source, err := os.ReadFile(file)
	require.NoError(t, err)
	head := "\nfunc " + attempt + "(p *prober) error {\n"
	require.Equal(t, 1, strings.Count(string(source), head))

	dir := t.TempDir()
	changed := filepath.Join(dir, "send_linux.go")
	text := strings.Replace(string(source), head, head+"\tif true {\n\t\t"+body+"\n\t}\n", 1)
	require.NoError(t, os.WriteFile(changed, []byte(text), 0o600))
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {file: changed}})
	require.NoError(t, err)
	list := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(list, overlay, 0o600))
	t.Setenv("GOFLAGS", strings.TrimSpace(os.Getenv("GOFLAGS")+" -overlay="+list))
}
