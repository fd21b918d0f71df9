package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/sockring/uring/examples/internal/bench"
)

// Table writes the report for a terminal: a block for each shape, and then every shape on one line.
func (r *Report) Table(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n", r.machineLine())
	fmt.Fprintf(&b, "%s\n", r.howLine())
	for _, s := range r.Sections {
		fmt.Fprintf(&b, "\n%s\n", describe(s.Shape))
		s.table(&b)
	}
	if len(r.Sections) > 0 {
		r.summary(&b)
	}
	for _, n := range r.notes() {
		fmt.Fprintf(&b, "\n%s\n", n.Text)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (r *Report) machineLine() string {
	f := r.Facts
	parts := []string{"Linux " + f.Kernel}
	if f.Liburing != "" {
		parts = append(parts, "liburing "+f.Liburing)
	}
	parts = append(parts, f.Go+" "+f.Arch, strings.TrimSuffix(fmt.Sprintf("%d CPUs, %s", f.CPUs, f.CPUModel), ", "))
	if f.EmptyCall > 0 {
		parts = append(parts, fmt.Sprintf("empty cgo call %v", f.EmptyCall))
	}
	return strings.Join(parts, "; ")
}

func (r *Report) howLine() string { return r.how("median, least-greatest") }

// how says how figures were measured; shown is how they are shown.
func (r *Report) how(shown string) string {
	c := r.Config
	text := fmt.Sprintf("%s in turns, %v each after %v of warm-up; %s",
		plural(c.Rounds, "round"), c.Dur, c.Warmup, shown)
	if c.SenderCPU != bench.AnyCPU {
		text += fmt.Sprintf("; sender on CPU %d, sink on CPU %d", c.SenderCPU, c.SinkCPU)
	}
	if c.Verify {
		text += "; verified by hash, which slows the sink: take the figures for a check, not for speed"
	}
	return text
}

func describe(s bench.Shape) string {
	return fmt.Sprintf("%s: %s x %s x %s", s, plural(s.Conns, "connection"), plural(s.Msgs, "message"),
		plural(s.Size, "byte"))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// table writes the rows of a section: each figure is its median and beside it its spread, where the rounds
// differ.
func (s Section) table(w io.Writer) {
	g := grid{left: map[int]bool{0: true}}
	head := []string{""}
	for i, c := range columns {
		head = append(head, c.title, "")
		g.left[2*i+2] = true
	}
	g.add(head...)
	for _, row := range s.Rows {
		cells := []string{row.Mode}
		for _, c := range columns {
			cells = append(cells, c.cells(c.figure(row))...)
		}
		g.add(cells...)
	}
	g.write(w)
}
