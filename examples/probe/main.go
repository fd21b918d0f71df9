// Probe shows what this kernel lets this process do with io_uring and Linux AIO, feature by feature, why not where it
// does not, which engine follows from that, and on what package socketops serves sockets here. Nothing is decided by
// the kernel's version: everything is tried.
//
// Minimum kernel: none. Where there is no io_uring at all it says why.
//
//	go run ./examples/probe          a table of what is missing, with what is there in short
//	go run ./examples/probe -all     a row for every feature
//	go run ./examples/probe -json    the same for other programs
//
// To see it refused: docker run with a seccomp profile without io_uring, sysctl kernel.io_uring_disabled=2, or
// CGO_ENABLED=0 go run ./examples/probe. The exit status is 0 whatever is found.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/sockring/uring"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) (status int) {
	flags := flag.NewFlagSet("probe", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "Probe shows what this kernel lets this process do with io_uring and Linux AIO, and why not.")
		fmt.Fprintln(stderr, "\nusage: probe [-all | -json]")
		flags.PrintDefaults()
	}
	all := flags.Bool("all", false, "show a row for every feature, not only for those that are missing")
	asJSON := flags.Bool("json", false,
		"write JSON, as uring.Capabilities.MarshalJSON describes it, and as sockets what socketops.Status says")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		flags.Usage()
		return 2
	}
	// The error says no more than the features that it is about.
	caps, _ := uring.Probe()
	sockets := socketLayer()
	if *asJSON {
		if err := writeJSON(stdout, caps, sockets); err != nil {
			fmt.Fprintln(stderr, "probe:", err)
			return 1
		}
		return 0
	}
	engine, refusals := caps.Engine()
	r := report{
		sockets: sockets,
		paper:   paperFor(stdout), all: *all,
		process: caps.Process(), features: caps.Features(), engine: engine, refusals: refusals,
	}
	r.write()
	return 0
}

// writeJSON writes what is known of the capabilities, and of the sockets behind it.
func writeJSON(w io.Writer, caps *uring.Capabilities, s sockets) error {
	text, err := json.Marshal(caps)
	if err != nil {
		return err
	}
	var doc struct { // the members of the capabilities, in their order
		Process  json.RawMessage `json:"process"`
		Features json.RawMessage `json:"features"`
		Engine   json.RawMessage `json:"engine"`
		Refused  json.RawMessage `json:"refused"`
		Sockets  sockets         `json:"sockets"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return err
	}
	doc.Sockets = s
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(doc)
}

// widthDefault is the width where the output is no terminal, and widthMin the least that the columns need.
const (
	widthDefault = 110
	widthMin     = 60
)

// paperFor finds out what may be written to w: colours only to a terminal, and not against the user's wish.
func paperFor(w io.Writer) paper {
	p := paper{w: w, width: widthDefault}
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return p
	}
	if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
		p.width = max(width, widthMin)
	}
	p.colours = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return p
}
