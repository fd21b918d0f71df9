package testutil

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseRelease(t *testing.T) {
	tests := []struct {
		release      string
		major, minor int
		fails        bool
	}{
		{release: "6.18.44", major: 6, minor: 18},
		{release: "6.12.74+deb13-cloud-amd64", major: 6, minor: 12},
		{release: "7.0-rc3", major: 7, minor: 0},
		{release: "5.10", major: 5, minor: 10},
		{release: "6", fails: true},
		{release: "", fails: true},
		{release: "v6.1", fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.release, func(t *testing.T) {
			major, minor, err := parseRelease(tt.release)
			require.Equal(t, tt.fails, err != nil, "%v", err)
			require.Equal(t, tt.major, major)
			require.Equal(t, tt.minor, minor)
		})
	}
}

func TestKernelVersionIsOfThisMachine(t *testing.T) {
	major, _ := KernelVersion()
	require.Equal(t, runtime.GOOS == "linux", major > 0)
}
