package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring"
	"github.com/sockring/uring/internal/unix"
)

func TestReportOfThisMachine(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		has  []string
	}{
		{"short", nil, []string{"Surroundings", "Set-up flags", "Operations", "Sending", "Linux AIO", "Engine", "Sockets"}},
		{"all", []string{"-all"}, []string{"Surroundings", "send_bundle            6.10", "Engine"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			require.Zero(t, run(test.args, &stdout, &stderr))
			require.Empty(t, stderr.String())
			for _, text := range test.has {
				require.Contains(t, stdout.String(), text)
			}
			require.NotContains(t, stdout.String(), "\x1b", "colours in what is no terminal")
			for line := range strings.Lines(stdout.String()) {
				require.LessOrEqual(t, len([]rune(strings.TrimSpace(line))), widthDefault)
			}
		})
	}
}

func TestJSONOfThisMachine(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Zero(t, run([]string{"-json"}, &stdout, &stderr))
	require.Empty(t, stderr.String())
	var doc struct {
		Process  map[string]any
		Features []struct {
			Group, Name string
			Supported   *bool
		}
		Engine  string
		Refused []any
		Sockets sockets
	}
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &doc))
	require.NotEmpty(t, doc.Process["kernel"])
	require.NotEmpty(t, doc.Engine)
	caps, err := uring.Probe()
	require.NoError(t, err)
	require.Equal(t, socketLayer(), doc.Sockets)
	require.NotNil(t, doc.Refused)
	require.Len(t, doc.Features, len(caps.Features()))
	for i, f := range caps.Features() {
		require.Equal(t, f.Name, doc.Features[i].Name)
		require.Equal(t, f.Supported, *doc.Features[i].Supported)
	}
}

func TestArguments(t *testing.T) {
	for _, test := range []struct {
		args   []string
		status int
		text   string
	}{
		{[]string{"-h"}, 0, "usage: probe"},
		{[]string{"-nonsense"}, 2, "usage: probe"},
		{[]string{"nonsense"}, 2, "usage: probe"},
	} {
		t.Run(test.args[0], func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			require.Equal(t, test.status, run(test.args, &stdout, &stderr))
			require.Contains(t, stderr.String(), test.text)
			require.Empty(t, stdout.String())
		})
	}
}

// madeUp is a machine that has some of everything to report.
func madeUp(p paper) report {
	missing := func(name, missing, provider string) error {
		return &uring.UnsupportedError{Name: name, Missing: missing, Provider: provider, Err: unix.EPERM}
	}
	const filter, profile = "a seccomp filter answers EPERM to io_uring_register", "a seccomp profile that allows it"
	features := []uring.Feature{
		{Group: "process", Name: "io_uring_setup", Since: "5.1", Supported: true},
		{Group: "process", Name: "io_uring_register", Since: "5.1", Err: missing("io_uring_register", filter, profile)},
		{Group: "setup", Name: "IORING_SETUP_SQE_MIXED", Since: "6.19", Err: missing("x", "EINVAL", "kernel 6.19")},
		{Group: "operation", Name: "IORING_OP_NOP", Since: "5.1", Err: missing("NOP", filter, profile)},
		{Group: "operation", Name: "IORING_OP_SEND", Since: "5.6", Err: missing("SEND", filter, profile)},
		{Group: "send", Name: "send_bundle", Since: "6.10", Supported: true},
		{Group: "send", Name: "send_zc", Since: "6.0", Err: fmt.Errorf("unsure: %w", errors.New("network is unreachable"))},
		{Group: "send", Name: "sendmsg_zc", Since: "6.1", Err: errors.New("network is unreachable, says a function" +
			" whose error is too long for what is left of the line")},
		{Group: "aio", Name: "io_setup", Since: "2.6", Supported: true},
		{Group: "aio", Name: "io_submit", Err: missing("io_submit", "no", "")},
		{Group: "aio", Name: "IOCB_CMD_POLL", Err: missing("IOCB_CMD_POLL", "no", "")},
	}
	return report{
		paper: p,
		process: uring.Process{
			OS: "linux", Arch: "arm64", Kernel: "6.1.0-test", Cgo: true, LiburingHeader: "2.3", LiburingLibrary: "2.9",
			Seccomp: 2, IOURingDisabled: -1, IOURingGroup: -1, Memlock: 65536, Nofile: 1 << 20, AIOMaxNr: 65536, AIONr: -1,
		},
		features: features,
		engine:   uring.EngineAIO,
		refusals: []uring.EngineRefusal{
			{Engine: uring.EngineURingBundle, Reasons: []error{features[1].Err, features[6].Err}},
			{Engine: uring.EngineURing, Reasons: []error{features[1].Err}},
		},
		sockets: sockets{Backend: "syscall", Refused: []refusedBackend{
			{"uring", "uring: io_uring_register is not to be had, says one\n" +
				"and another reason, which is longer than what its line has room for"},
			{"aio", "no"},
		}},
	}
}

//go:embed testdata
var wanted embed.FS

func TestReportOfAMadeUpMachine(t *testing.T) {
	for _, test := range []struct {
		file    string
		all     bool
		colours bool
	}{
		{"testdata/short.txt", false, false},
		{"testdata/all.txt", true, false},
		{"testdata/colours.txt", false, true},
	} {
		t.Run(test.file, func(t *testing.T) {
			var out bytes.Buffer
			r := madeUp(paper{w: &out, width: 90, colours: test.colours})
			r.all = test.all
			r.write()
			want, err := wanted.ReadFile(test.file)
			require.NoError(t, err)
			require.Equal(t, string(want), out.String())
		})
	}
}

func TestWrap(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
	}{
		{"", []string{""}},
		{"one", []string{"one"}},
		{"one two", []string{"one two"}},
		{"one two three", []string{"one two", "three"}},
		{"a longest-of-words b", []string{"a", "longest-of-words", "b"}},
		{"ééééé éé", []string{"ééééé éé"}},
	} {
		require.Equal(t, test.want, wrap(test.text, 8), test.text)
	}
}

func TestNumbersInWords(t *testing.T) {
	require.Equal(t, "unknown", size(-1))
	require.Equal(t, "unlimited", size(1<<63-1))
	require.Equal(t, "512", size(512))
	require.Equal(t, "64 KiB", size(65536))
	require.Equal(t, "8 MiB", size(8<<20))
	require.Equal(t, "strict", choice(1, "off", "strict"))
	require.Equal(t, "unknown", choice(-1, "off"))
}
