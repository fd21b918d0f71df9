package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/kerneltest/internal/result"
)

const (
	ringRefused = "uring: io_uring_setup is not supported: a seccomp filter answers EPERM to io_uring_setup " +
		"(needs a seccomp profile that allows io_uring_setup): operation not permitted"
	aioChosen = `{"engine": "aio", "refused": [` +
		`{"engine": "uring-bundle", "reasons": ["` + ringRefused + `"]},` +
		`{"engine": "uring", "reasons": ["` + ringRefused + `"]}]}`
	ringChosen = `{"engine": "uring-bundle", "refused": []}`
)

func TestJudge(t *testing.T) {
	refusing := setting{refusals: []string{ringEPERM}}
	tests := []struct {
		name    string
		setting setting
		probe   string
		want    []string
	}{
		{"all as outside", setting{}, ringChosen, nil},
		{"refused and said so", refusing, aioChosen, nil},
		{"a worse engine than outside", setting{}, aioChosen, []string{"the engine is aio and should be uring-bundle"}},
		{
			"a refusal that does not hold", refusing, ringChosen,
			[]string{
				"the engine is uring-bundle and should be aio",
				"uring should be refused as a seccomp filter answers EPERM",
			},
		},
		{
			"refused for another reason",
			setting{refusals: []string{ringENOSYS}},
			aioChosen,
			[]string{"uring should be refused as a seccomp filter answers ENOSYS"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			chosen, err := parseChoice([]byte(tt.probe))
			require.NoError(t, err)
			wrong := tt.setting.judge(chosen, "uring-bundle")
			require.Len(t, wrong, len(tt.want))
			for i, want := range tt.want {
				require.Contains(t, wrong[i].String(), want)
			}
		})
	}
}

func TestNoAnswerOfTheProbeIsRed(t *testing.T) {
	var o outcome
	o.evaluate(setting{}, "uring")
	require.True(t, o.red())
}

func TestWhySaysEachCauseOnce(t *testing.T) {
	chosen, err := parseChoice([]byte(aioChosen))
	require.NoError(t, err)
	require.Equal(t, "a seccomp filter answers EPERM to io_uring_setup", chosen.why())
}

func TestCauseOf(t *testing.T) {
	require.Equal(t, "uring: cannot tell", causeOf("uring: cannot tell"))
	require.Equal(t, "a limit", causeOf("uring: x is not supported: a limit (needs more): out of memory"))
}

func TestTable(t *testing.T) {
	chosen, err := parseChoice([]byte(aioChosen))
	require.NoError(t, err)
	run := result.Run{Mode: "m", Passed: 5, Skipped: 3, Seconds: 1.6, Skips: []result.Skip{
		{Package: "p", Test: "TestA", Reason: "privilege: not root"},
		{Package: "p", Test: "TestB", Reason: "io_uring: refused"},
		{Package: "p", Test: "TestC", Reason: "io_uring: refused"},
	}}
	bad := run
	bad.Failures = []result.Failure{{Package: "p", Test: "TestD", What: "failed"}, {What: "the engine is wrong"}}
	var text strings.Builder
	require.NoError(t, writeTable(&text, []outcome{{run, chosen}, {bad, chosen}}))
	require.Equal(t, `     container  engine  passed  skipped  failed  time  why no better engine
ok   m          aio     5       3        0       2 s   a seccomp filter answers EPERM to io_uring_setup
RED  m          aio     5       3        1       2 s   a seccomp filter answers EPERM to io_uring_setup

skipped for what is missing there (tests and subtests):
  m: io_uring 2, privilege 1
  m: io_uring 2, privilege 1
`, text.String())
}
