package uring_test

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/sockring/uring"
)

func ExampleProbe() {
	caps, err := uring.Probe()
	if err != nil {
		fmt.Println("some questions stay open:", err)
	}
	engine, refusals := caps.Engine()
	for _, r := range refusals {
		fmt.Println(r.Engine, "cannot be used:", errors.Join(r.Reasons...))
	}
	fmt.Println("using", engine)
}

func ExampleCapabilities_Require() {
	caps, err := uring.Probe()
	if err != nil {
		fmt.Println("some questions stay open:", err)
	}
	err = caps.Require(uring.CanSendBundle, "IORING_OP_ACCEPT")
	if err != nil && !errors.Is(err, uring.ErrUnsupported) {
		fmt.Println("not known, ask again:", err)
	}
	fmt.Println(caps.Require("send_bundel"))
	// Output:
	// uring: there is no feature "send_bundel"
}

func ExampleCapabilities_Features() {
	caps, err := uring.Probe()
	if err != nil {
		fmt.Println("some questions stay open:", err)
	}
	for _, f := range caps.Features() {
		if !f.Supported {
			fmt.Println(f.Group, f.Name, f.Since, f.Err)
		}
	}
}

func ExampleUnsupportedError() {
	err := fmt.Errorf("opening: %w", &uring.UnsupportedError{
		Name: "send_bundle", Missing: "no IORING_FEAT_RECVSEND_BUNDLE", Provider: "kernel 6.10",
		SinceMajor: 6, SinceMinor: 10,
	})
	var unsupported *uring.UnsupportedError
	if errors.As(err, &unsupported) {
		fmt.Println(unsupported.Feature(), "needs", unsupported.Provider)
		fmt.Println(unsupported.Reason())
	}
	fmt.Println(errors.Is(err, errors.ErrUnsupported))
	// Output:
	// send_bundle needs kernel 6.10
	// no IORING_FEAT_RECVSEND_BUNDLE (needs kernel 6.10)
	// true
}

// What changed after the first Probe, such as a limit that was raised, is seen only by one that tries afresh.
func ExampleProbeAfresh() {
	before, err := uring.Probe()
	if err != nil {
		fmt.Println("some questions stay open:", err)
	}
	after, err := uring.ProbeAfresh()
	if err != nil {
		fmt.Println("some questions stay open:", err)
	}
	changed := 0
	for _, f := range after.Features() {
		if was, _ := before.Feature(f.Name); f.Conclusive() && was.Conclusive() && f.Supported != was.Supported {
			changed++
		}
	}
	fmt.Println("changed:", changed)
	// Output: changed: 0
}

// A report about a machine begins with what surrounds the process.
func ExampleCapabilities_Process() {
	caps, err := uring.Probe()
	if err != nil {
		fmt.Println("some questions stay open:", err)
	}
	p := caps.Process()
	fmt.Println(p.OS == runtime.GOOS, p.Arch == runtime.GOARCH)
	// Output: true true
}

// A report lists the features under the headings of their groups.
func ExampleFeatureGroups() {
	fmt.Println(uring.FeatureGroups())
	// Output: [process setup feature operation register wait buffer send receive aio]
}

// A program decides by what is known, and asks again about what is not.
func ExampleFeature_Conclusive() {
	for _, f := range []uring.Feature{
		{Name: uring.CanSendBundle, Supported: true},
		{Name: uring.CanSendVectorized, Err: uring.ErrUnsupported},
		{Name: uring.CanSendZC, Err: errors.New("too many open files")},
	} {
		fmt.Println(f.Supported, f.Conclusive())
	}
	// Output:
	// true true
	// false true
	// false false
}
