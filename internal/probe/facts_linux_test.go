package probe

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// madeUp is a machine that consists of the given files.
func madeUp(files map[string]string) source {
	return source{
		readFile: func(name string) ([]byte, error) {
			text, ok := files[name]
			if !ok {
				return nil, os.ErrNotExist
			}
			return []byte(text), nil
		},
		getrlimit: func(resource int, limit *unix.Rlimit) error {
			limit.Cur = map[int]uint64{unix.RLIMIT_MEMLOCK: 65536, unix.RLIMIT_NOFILE: unix.RLIM_INFINITY}[resource]
			return nil
		},
		uname: func(name *unix.Utsname) error {
			copy(name.Release[:], "6.12.9-test")
			return nil
		},
	}
}

func TestFactsOfAMachineThatTellsEverything(t *testing.T) {
	f := madeUp(map[string]string{
		"/proc/sys/kernel/io_uring_disabled": "1\n",
		"/proc/sys/kernel/io_uring_group":    "106\n",
		"/proc/sys/fs/aio-max-nr":            "65536\n",
		"/proc/sys/fs/aio-nr":                "383\n",
		"/proc/thread-self/status": "Name:\tx\nGid:\t1000\t1001\t1002\t1003\nGroups:\t27 106 \n" +
			"CapEff:\t0000000000204000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n",
	}).facts()
	f.LiburingHeader, f.LiburingLibrary = "", ""
	require.Equal(t, Facts{
		Kernel: "6.12.9-test", Seccomp: 2, IOURingDisabled: 1, IOURingGroup: 106, AIOMaxNr: 65536, AIONr: 383,
		Memlock: 65536, Nofile: Unlimited, Groups: []int{1003, 27, 106}, SysAdmin: true, IPCLock: true,
	}, f)
}

func TestFactsOfAMachineThatTellsNothing(t *testing.T) {
	s := madeUp(nil)
	s.getrlimit = func(int, *unix.Rlimit) error { return unix.EPERM }
	s.uname = func(*unix.Utsname) error { return unix.EFAULT }
	f := s.facts()
	f.LiburingHeader, f.LiburingLibrary = "", ""
	require.Equal(t, Facts{
		Seccomp: Unknown, IOURingDisabled: Unknown, IOURingGroup: Unknown, AIOMaxNr: Unknown, AIONr: Unknown,
		Memlock: Unknown, Nofile: Unknown,
	}, f)
}

func TestFactsOfGarbage(t *testing.T) {
	f := madeUp(map[string]string{
		"/proc/sys/kernel/io_uring_disabled": "many\n",
		"/proc/sys/kernel/io_uring_group":    "-1\n",
		"/proc/thread-self/status":           "Seccomp\nSeccomp:\nSeccomp:\tx\nGroups:\t\nGid:\tx\nCapEff:\tx\n\n",
	}).facts()
	require.Equal(t, Unknown, f.IOURingDisabled)
	require.Equal(t, Unknown, f.IOURingGroup)
	require.Equal(t, Unknown, f.Seccomp)
	require.Empty(t, f.Groups)
	require.False(t, f.SysAdmin)
}

func TestFactsOfThisMachine(t *testing.T) {
	f := system.facts()
	require.NotEmpty(t, f.Kernel)
	require.NotEqual(t, Unknown, f.Seccomp)
	require.Positive(t, f.Nofile)
	require.NotEmpty(t, f.Groups)
}

func TestLimitsInWords(t *testing.T) {
	require.Equal(t, "65536", Limit(65536).String())
	require.Equal(t, "unlimited", Unlimited.String())
	require.Equal(t, "unknown", Limit(Unknown).String())
}
