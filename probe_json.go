package uring

import (
	"encoding/json"
	"errors"
	"math"
)

// MarshalJSON describes the capabilities for other programs:
//
//	{"process": {"os", "arch", "kernel", "cgo", "liburing_header", "liburing_library", "seccomp",
//	   "io_uring_disabled", "io_uring_group", "memlock", "nofile", "aio_max_nr", "aio_nr"},
//	 "features": [{"group", "name", "since", "supported", "missing", "provider", "error"}],
//	 "engine": "uring", "refused": [{"engine", "reasons": [...]}]}
//
// Process numbers are null where unknown and "unlimited" where they are. "supported" is true, false, or null where
// the attempt allowed no conclusion, which "error" then explains. Empty texts are left out of features.
func (c *Capabilities) MarshalJSON() ([]byte, error) {
	engine, refusals := c.Engine()
	doc := capabilitiesJSON{
		Process:  describeProcess(c.process),
		Features: make([]featureJSON, 0, len(c.features)),
		Engine:   engine,
		Refused:  make([]refusedJSON, 0, len(refusals)),
	}
	for _, f := range c.features {
		doc.Features = append(doc.Features, describeFeature(f))
	}
	for _, r := range refusals {
		texts := make([]string, 0, len(r.Reasons))
		for _, reason := range r.Reasons {
			texts = append(texts, reason.Error())
		}
		doc.Refused = append(doc.Refused, refusedJSON{r.Engine, texts})
	}
	return json.Marshal(doc)
}

type capabilitiesJSON struct {
	Process  processJSON   `json:"process"`
	Features []featureJSON `json:"features"`
	Engine   Engine        `json:"engine"`
	Refused  []refusedJSON `json:"refused"`
}

type processJSON struct {
	OS              string `json:"os"`
	Arch            string `json:"arch"`
	Kernel          string `json:"kernel"`
	Cgo             bool   `json:"cgo"`
	LiburingHeader  string `json:"liburing_header"`
	LiburingLibrary string `json:"liburing_library"`
	Seccomp         any    `json:"seccomp"`
	IOURingDisabled any    `json:"io_uring_disabled"`
	IOURingGroup    any    `json:"io_uring_group"`
	Memlock         any    `json:"memlock"`
	Nofile          any    `json:"nofile"`
	AIOMaxNr        any    `json:"aio_max_nr"`
	AIONr           any    `json:"aio_nr"`
}

type featureJSON struct {
	Group     string `json:"group"`
	Name      string `json:"name"`
	Since     string `json:"since,omitempty"`
	Supported *bool  `json:"supported"`
	Missing   string `json:"missing,omitempty"`
	Provider  string `json:"provider,omitempty"`
	Error     string `json:"error,omitempty"`
}

type refusedJSON struct {
	Engine  Engine   `json:"engine"`
	Reasons []string `json:"reasons"`
}

func describeProcess(p Process) processJSON {
	return processJSON{
		OS: p.OS, Arch: p.Arch, Kernel: p.Kernel,
		Cgo: p.Cgo, LiburingHeader: p.LiburingHeader, LiburingLibrary: p.LiburingLibrary,
		Seccomp: numberJSON(int64(p.Seccomp)), IOURingDisabled: numberJSON(int64(p.IOURingDisabled)),
		IOURingGroup: numberJSON(int64(p.IOURingGroup)), Memlock: numberJSON(p.Memlock), Nofile: numberJSON(p.Nofile),
		AIOMaxNr: numberJSON(int64(p.AIOMaxNr)), AIONr: numberJSON(int64(p.AIONr)),
	}
}

// numberJSON is a number, nil where it is unknown, or "unlimited".
func numberJSON(n int64) any {
	switch n {
	case -1:
		return nil
	case math.MaxInt64:
		return "unlimited"
	}
	return n
}

func describeFeature(f Feature) featureJSON {
	j := featureJSON{Group: f.Group, Name: f.Name, Since: f.Since}
	if f.Conclusive() {
		j.Supported = &f.Supported
	}
	if f.Err != nil {
		j.Error = f.Err.Error()
	}
	var u *UnsupportedError
	if errors.As(f.Err, &u) {
		j.Missing, j.Provider = u.Missing, u.Provider
	}
	return j
}
