package result

import (
	"regexp"
	"strings"
)

// complaint matches what a kernel logs when something is wrong with it. The words count at the start of a message
// only, as it follows the time: some drivers warn in passing.
var complaint = regexp.MustCompile(`(?m)^(?:<\d+>)?(?:\[[ \d.]+\]\s*(?:\[\s*[TC]\d+\]\s*)?)?(` + strings.Join([]string{
	`WARNING: `, `WARNING! `, `BUG: `, `kernel BUG at `, `Oops: `, `Kernel panic `, `general protection fault`,
	`INFO: task .* blocked for more than`, `INFO: rcu`, `rcu: INFO: `, `watchdog: BUG: `, `UBSAN: `, `KASAN: `, `KFENCE: `,
	`list_(?:add|del) corruption`, `refcount_t: `, `possible recursive locking`, `Unable to handle `,
	`double fault: `, `invalid opcode: `, `Out of memory: `,
}, "|") + `).*$`)

// complaints returns the lines of a kernel's log that make a run red.
func complaints(log string) []string {
	var found []string
	for _, line := range complaint.FindAllString(log, -1) {
		found = append(found, strings.TrimSpace(line))
	}
	return found
}

// strayBreakpoint is what a kernel logs that hit a breakpoint which its own code patching had taken away already.
var strayBreakpoint = regexp.MustCompile(`(?m)^(?:\[[ \d.]+\]\s*(?:\[\s*[TC]\d+\]\s*)?)?Oops: int3: `)

// EmulatorFault reports whether a kernel died of QEMU's translation and not of itself. Kernels patch their code while
// other processors run it, under the protection of a breakpoint; a processor that QEMU emulates can come to that
// breakpoint after it is gone, of which the kernel then knows nothing.
func EmulatorFault(log string) bool { return strayBreakpoint.MatchString(log) }
