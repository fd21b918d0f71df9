package uring_test

import (
	"errors"
	"fmt"

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
	}
	fmt.Println(errors.Is(err, errors.ErrUnsupported))
	// Output:
	// send_bundle needs kernel 6.10
	// true
}
