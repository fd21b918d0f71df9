package bench

import "errors"

// Sample is what one turn measured.
type Sample struct {
	MsgsPerS    float64
	MBPerS      float64 // payload, in units of 1,000,000 bytes
	CPUNSPerMsg float64 // of the sender's process
	// SyscallsPerMsg is the sender's; Counted is false if the sender could not say.
	SyscallsPerMsg float64
	Counted        bool
}

// Failure is a turn that ended without a sample.
type Failure struct {
	Turn Turn
	Err  error
}

// Unsupported is a mode that this machine or this process cannot run.
type Unsupported struct {
	Mode   string
	Reason string
}

// Outcome is what a run measured.
type Outcome struct {
	Samples     map[Shape]map[string]map[int]Sample // by mode and round
	Failures    []Failure
	Unsupported []Unsupported
	Interrupted bool    // not every turn was run
	RoundsDone  int     // rounds of which every turn was run
	OthersCPU   float64 // part of all CPUs' time that others used during the run, from 0 to 1
}

// ErrLost reports that the sink did not receive what the sender sent.
var ErrLost = errors.New("the sink did not receive what the sender sent")

func (o *Outcome) add(t Turn, s Sample) {
	if o.Samples[t.Shape] == nil {
		o.Samples[t.Shape] = make(map[string]map[int]Sample)
	}
	if o.Samples[t.Shape][t.Mode] == nil {
		o.Samples[t.Shape][t.Mode] = make(map[int]Sample)
	}
	o.Samples[t.Shape][t.Mode][t.Round] = s
}

// dropped reports whether the turn's mode has failed or cannot run, so that another try would only cost
// time. A failure counts for its shape alone.
func (o *Outcome) dropped(t Turn) bool {
	for _, u := range o.Unsupported {
		if u.Mode == t.Mode {
			return true
		}
	}
	for _, f := range o.Failures {
		if f.Turn.Mode == t.Mode && f.Turn.Shape == t.Shape {
			return true
		}
	}
	return false
}
