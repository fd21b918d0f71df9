package machine

import "time"

// Facts are what figures depend on.
type Facts struct {
	Kernel    string // as uname -r prints it
	Liburing  string // "" where it cannot be told
	Go        string
	Arch      string
	CPUs      int
	CPUModel  string // "" where the kernel does not tell
	EmptyCall time.Duration
	When      time.Time
}
