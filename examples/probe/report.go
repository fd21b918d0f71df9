package main

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/sockring/uring"
)

// report is what was found out, to be written for people.
type report struct {
	paper
	all bool // a row for every feature

	process  uring.Process
	features []uring.Feature
	engine   uring.Engine
	refusals []uring.EngineRefusal
	sockets  sockets

	told map[string]string // reasons that were written out, and for which feature
}

// groups says how the report calls a group, and what its names begin with, which is said once.
var groups = map[string]struct{ title, prefix string }{
	"process":   {"Process", ""},
	"setup":     {"Set-up flags", "IORING_SETUP_"},
	"feature":   {"Feature bits", "IORING_FEAT_"},
	"operation": {"Operations", "IORING_OP_"},
	"register":  {"Registrations", "IORING_REGISTER_"},
	"wait":      {"Waiting and cancelling", "IORING_REGISTER_"},
	"buffer":    {"Provided buffers", "IORING_REGISTER_"},
	"send":      {"Sending", ""},
	"receive":   {"Receiving", ""},
	"aio":       {"Linux AIO", ""},
}

// Widths of the columns: mark, feature, first kernel, why not.
const (
	markWidth  = 4
	nameWidth  = 22
	sinceWidth = 7
	factWidth  = 26
)

func (r *report) write() {
	r.told = make(map[string]string)
	r.line(r.colour(bold, "io_uring on "+r.process.Kernel+", "+r.process.OS+"/"+r.process.Arch))
	r.writeProcess()
	for _, group := range uring.FeatureGroups() {
		var members []uring.Feature
		for _, f := range r.features {
			if f.Group == group {
				members = append(members, f)
			}
		}
		if len(members) > 0 {
			r.writeGroup(group, members)
		}
	}
	r.writeEngine()
	r.writeSockets()
}

func (r *report) heading(title, note string) {
	r.line()
	r.line(r.colour(bold, title), "  ", r.colour(faint, note))
}

func (r *report) writeProcess() {
	p := r.process
	liburing := "none: built without cgo"
	if p.Cgo {
		liburing = fmt.Sprintf("%s, compiled against %s", p.LiburingLibrary, p.LiburingHeader)
	}
	r.heading("Surroundings", "")
	for _, fact := range []struct{ name, value string }{
		{"liburing", liburing},
		{"seccomp", choice(p.Seccomp, "off", "strict", "filter")},
		{"kernel.io_uring_disabled", number(int64(p.IOURingDisabled), "no such sysctl")},
		{"kernel.io_uring_group", number(int64(p.IOURingGroup), "none")},
		{"RLIMIT_MEMLOCK", size(p.Memlock)},
		{"RLIMIT_NOFILE", number(p.Nofile, "unknown")},
		{"AIO requests", number(int64(p.AIONr), "?") + " of " + number(int64(p.AIOMaxNr), "?")},
	} {
		r.line("  ", cell(fact.name, factWidth), fact.value)
	}
}

func choice(i int, names ...string) string {
	if i < 0 || i >= len(names) {
		return "unknown"
	}
	return names[i]
}

func number(n int64, unknown string) string {
	switch n {
	case -1:
		return unknown
	case math.MaxInt64:
		return "unlimited"
	}
	return fmt.Sprint(n)
}

func size(n int64) string {
	switch {
	case n < 1<<10 || n == math.MaxInt64:
		return number(n, "unknown")
	case n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

// writeGroup shows what is there in short and has a row for everything else.
func (r *report) writeGroup(group string, members []uring.Feature) {
	g := groups[group]
	var there []string
	var rows []row
	for _, f := range members {
		name := strings.TrimPrefix(f.Name, g.prefix)
		if f.Supported && !r.all {
			there = append(there, name)
		} else {
			rows = r.join(rows, row{feature: f, names: []string{name}})
		}
	}
	note := fmt.Sprintf("%d of %d", supported(members), len(members))
	if g.prefix != "" {
		note += "  " + g.prefix + "…"
	}
	r.heading(g.title, note)
	if len(there) > 0 {
		r.hang("  "+r.colour(green, "✓")+" ", markWidth, plain, strings.Join(there, " "))
	}
	for _, row := range rows {
		switch {
		case len(row.names) == 1:
			r.writeRow(row)
		case len(row.names) == len(members):
			row.names, row.feature.Since = []string{"none of these"}, ""
			r.writeRow(row)
		default:
			r.hang("  "+mark(r.paper, row.feature)+" ", markWidth, plain, strings.Join(row.names, " "))
			r.hang(cell("", 2*markWidth), 2*markWidth, faint, r.reason(row.feature))
		}
	}
}

func supported(features []uring.Feature) int {
	n := 0
	for _, f := range features {
		if f.Supported {
			n++
		}
	}
	return n
}

// row is a feature, or several that are missing for the same reason.
type row struct {
	feature uring.Feature // the first
	names   []string
}

// join adds a row, or its name to the last one where that is missing for the same reason.
func (r *report) join(rows []row, next row) []row {
	last := len(rows) - 1
	if r.all || last < 0 || reason(rows[last].feature) != reason(next.feature) {
		return append(rows, next)
	}
	rows[last].names = append(rows[last].names, next.names...)
	return rows
}

func (r *report) writeRow(row row) {
	name := row.names[0]
	first := "  " + mark(r.paper, row.feature) + " " + cell(name, nameWidth) + " " +
		r.colour(faint, cell(row.feature.Since, sinceWidth))
	// A name that does not fit its column moves the rest of its row.
	r.hang(first, markWidth+max(nameWidth, len(name))+1+sinceWidth, plain, r.reason(row.feature))
}

func mark(p paper, f uring.Feature) string {
	switch {
	case f.Supported:
		return p.colour(green, "✓")
	case f.Conclusive():
		return p.colour(red, "✗")
	}
	return p.colour(yellow, "?")
}

// reason is why a feature is missing. What many features are missing for, such as a seccomp filter, is written out
// once.
func (r *report) reason(f uring.Feature) string {
	text := reason(f)
	if first := r.told[text]; first != "" && !r.all {
		return "same reason as " + first
	}
	r.told[text] = f.Name
	return text
}

// reason is the text of a feature's error without what its row says already.
func reason(f uring.Feature) string {
	var u *uring.UnsupportedError
	switch {
	case f.Err == nil:
		return ""
	case errors.As(f.Err, &u):
		return u.Reason()
	case errors.Unwrap(f.Err) != nil:
		return "not known: " + errors.Unwrap(f.Err).Error()
	}
	return "not known: " + f.Err.Error()
}

func (r *report) writeEngine() {
	r.heading("Engine", "")
	r.line("  ", r.colour(green, "✓"), " ", r.colour(bold, string(r.engine)))
	const indent = markWidth + nameWidth + 1
	for _, refusal := range r.refusals {
		first := "  " + r.colour(red, "✗") + " " + cell(string(refusal.Engine), nameWidth) + " "
		for _, err := range refusal.Reasons {
			text := strings.TrimPrefix(err.Error(), "uring: ")
			var u *uring.UnsupportedError
			if errors.As(err, &u) {
				text = u.Name + ": " + u.Reason()
			}
			r.hang(first, indent, plain, text)
			first = cell("", indent)
		}
	}
}

func (r *report) writeSockets() {
	r.heading("Sockets", "package socketops")
	if r.sockets.Backend != "" {
		r.line("  ", r.colour(green, "✓"), " ", r.colour(bold, r.sockets.Backend))
	}
	for _, refusal := range r.sockets.Refused {
		first := "  " + r.colour(red, "✗") + " " + cell(refusal.Backend, nameWidth) + " "
		for _, line := range strings.Split(refusal.Reason, "\n") {
			r.hang(first, markWidth+nameWidth+1, plain, strings.TrimPrefix(line, "uring: "))
			first = cell("", markWidth+nameWidth+1)
		}
	}
	if r.sockets.Error != "" {
		r.hang("  "+r.colour(red, "✗")+" ", markWidth, plain, r.sockets.Error)
	}
}
