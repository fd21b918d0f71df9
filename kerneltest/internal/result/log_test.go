package result

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestComplaints(t *testing.T) {
	tests := []struct{ name, line, want string }{
		{"a warning", "[    1.234567] WARNING: CPU: 0 PID: 1 at fs/io_uring.c:1 f+0x1/0x2", "same"},
		{"a bug", "[    1.234567] BUG: kernel NULL pointer dereference, address: 0000000000000010", "same"},
		{"an oops", "[   12.234567] Oops: 0002 [#1] PREEMPT SMP NOPTI", "same"},
		{"a panic", "[    0.056000] Kernel panic - not syncing: no init", "same"},
		{"a hung task", "[   93.108124] INFO: task 0-uring.test:165 blocked for more than 30 seconds.", "same"},
		{"a stall", "[   93.108124] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", "same"},
		{"an older stall", "[   93.108124] INFO: rcu_sched self-detected stall on CPU", "same"},
		{"a lock-up", "[   93.108124] watchdog: BUG: soft lockup - CPU#0 stuck for 22s!", "same"},
		{"with the thread's number", "[   93.108124][  T165] WARNING: CPU: 0", "same"},
		{"written by a process", "[    1.234567] WARNING: on purpose", "same"},
		{"a word on the processor", "[    0.1] Spectre V2 : WARNING: Unprivileged eBPF is enabled", ""},
		{"firmware", "[    0.028000] ..MP-BIOS bug: 8254 timer not connected to IO-APIC", ""},
		{"a sleeping machine", "[    3.462388] ACPI: PM: Preparing to enter system sleep state S5", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found := complaints("[    0.1] before\r\n" + tt.line + "\r\n[   99.0] after\r\n")
			if tt.want == "" {
				require.Empty(t, found)
				return
			}
			require.Equal(t, []string{tt.line}, found)
		})
	}
}

func TestEmulatorFault(t *testing.T) {
	require.True(t, EmulatorFault("[    4.5] Run /init\n[   92.765215] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI\n"))
	require.False(t, EmulatorFault("[   92.765215] Oops: 0002 [#1] PREEMPT SMP NOPTI\n"))
	require.False(t, EmulatorFault("[    1.0] a test says Oops: int3: 0000\n"))
}
