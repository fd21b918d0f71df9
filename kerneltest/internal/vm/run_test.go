package vm

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/kerneltest/internal/arch"
	"github.com/sockring/uring/kerneltest/internal/wire"
)

func TestArguments(t *testing.T) {
	for a, console := range map[arch.Arch]string{arch.AMD64: "ttyS0", arch.ARM64: "ttyAMA0"} {
		g := Guest{Arch: a, Kernel: "image", Mode: wire.EPERM, Accel: TCG, Log: "file"}
		args := arguments(g)
		require.Equal(t, boards[a].emulated, after(args, "-cpu"))
		require.Contains(t, after(args, "-append"), "console="+console+" panic=-1 ")
		require.Contains(t, after(args, "-append"), " "+wire.ModeVariable+"=eperm")
		require.Greater(t, slices.IndexFunc(args, messages), slices.Index(args, "chardev:log"), "the log has the first port")
		g.Accel = KVM
		require.Equal(t, "host", after(arguments(g), "-cpu"))
		require.NotContains(t, arguments(g), "-icount", "which KVM has not")
	}
}

// messages reports whether an argument connects the second port.
func messages(arg string) bool {
	return strings.HasSuffix(arg, "chardev=messages") || arg == "chardev:messages"
}

func after(args []string, name string) string { return args[slices.Index(args, name)+1] }

func TestAnotherProcessorIsEmulated(t *testing.T) {
	foreign := arch.ARM64
	if foreign.Native() {
		foreign = arch.AMD64
	}
	accel, err := Choose(t.Context(), t.TempDir(), Guest{Arch: foreign})
	require.NoError(t, err)
	require.Equal(t, TCG, accel)
}
