package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRefusesRings(t *testing.T) {
	tests := []struct {
		version string
		want    bool
	}{
		{"20.10.24+dfsg1", false}, {"24.0.7", false}, {"25.0.0", true}, {"25.0.0-rc.1", true}, {"28.2.2", true},
	}
	for _, tt := range tests {
		got, err := refusesRings(tt.version)
		require.NoError(t, err)
		require.Equal(t, tt.want, got, tt.version)
	}
	_, err := refusesRings("dev")
	require.Error(t, err)
}

func TestUnderRefusal(t *testing.T) {
	for _, s := range settings {
		adapted := s.underRefusal()
		switch {
		case s.profile != "":
			require.Equal(t, s, adapted)
		case s.name == "default":
			require.Equal(t, "aio", adapted.engine("uring-bundle"))
		default:
			require.Equal(t, "uring-bundle", adapted.engine("uring-bundle"))
			require.Contains(t, strings.Join(adapted.options, " "), "seccomp=unconfined")
		}
	}
}

func TestEngine(t *testing.T) {
	require.Equal(t, "uring", setting{}.engine("uring"))
	require.Equal(t, "aio", setting{refusals: []string{ringEPERM}}.engine("uring"))
	require.Equal(t, "syscall", setting{refusals: []string{ringEPERM, aioEPERM}}.engine("uring"))
}

// TestProfilesAreThere holds that each profile is one for each way to refuse, and refuses what the setting says.
func TestProfilesAreThere(t *testing.T) {
	files, err := filepath.Glob("../seccomp/*.json")
	require.NoError(t, err)
	var used []string
	for _, s := range settings {
		if s.profile == "" {
			continue
		}
		file := filepath.Join("..", "seccomp", s.profile)
		used = append(used, file)
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(content), `"io_uring_setup"`)
		require.Equal(t, slices.Contains(s.refusals, aioEPERM), strings.Contains(string(content), `"io_setup"`))
	}
	require.ElementsMatch(t, files, slices.Compact(slices.Sorted(slices.Values(used))))
}

func TestArguments(t *testing.T) {
	s := setting{name: "x", profile: "p.json", options: []string{"--read-only"}, plan: fullPlan}
	require.Equal(t, strings.Fields("run --rm --name n --network none --tmpfs /tmp -v /tree:/kerneltest:ro"+
		" --security-opt seccomp=/root/kerneltest/seccomp/p.json --read-only image"+
		" /kerneltest/bin/guest -container /kerneltest/plan.json"), s.arguments("/root", "/tree", "image", "n"))
}

func TestChoose(t *testing.T) {
	all, err := choose("all")
	require.NoError(t, err)
	require.Len(t, all, len(settings))
	two, err := choose("read-only,default")
	require.NoError(t, err)
	require.Equal(t, "read-only, default", names(two))
	_, err = choose("default,defualt")
	require.ErrorContains(t, err, `"defualt" is none of`)
}
