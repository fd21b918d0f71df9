package uring

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/probe"
	"github.com/sockring/uring/internal/unix"
)

// fakeRun stands in for the attempts: it counts them, and fails those that fail says.
type fakeRun struct {
	tried map[string]int
	fail  map[string]error
}

func (f *fakeRun) run(known func(string) (probe.Result, bool)) (probe.Facts, []probe.Result) {
	var results []probe.Result
	for _, name := range []string{"ring", "socket", "zc"} {
		r, ok := known(name)
		if !ok {
			f.tried[name]++
			r = probe.Result{Group: probe.GroupSend, Name: name, Since: probe.Version{Major: 6}, Err: f.fail[name]}
		}
		results = append(results, r)
	}
	return probe.Facts{}, results
}

func TestProbeRemembersOnlyWhatIsConclusive(t *testing.T) {
	fake := &fakeRun{tried: make(map[string]int), fail: map[string]error{
		"zc":     &probe.Refusal{Missing: "nothing to it", OldKernel: true},
		"socket": fmt.Errorf("preparing: %w", unix.EMFILE),
	}}
	c := probeCache{conclusive: make(map[string]probe.Result), run: fake.run}

	caps, err := c.probe()
	require.ErrorIs(t, err, unix.EMFILE)
	require.ErrorContains(t, err, "1 of 3 features are uncertain")
	require.Nil(t, c.all)
	require.NoError(t, caps.Require("ring"))
	require.ErrorIs(t, caps.Require("zc"), ErrUnsupported)
	require.ErrorIs(t, caps.Require("socket"), unix.EMFILE)
	require.NotErrorIs(t, caps.Require("socket"), errors.ErrUnsupported)

	delete(fake.fail, "socket")
	caps, err = c.probe()
	require.NoError(t, err)
	require.NoError(t, caps.Require("ring", "socket"))
	require.Same(t, caps, c.all)
	require.Equal(t, map[string]int{"ring": 1, "socket": 2, "zc": 1}, fake.tried)
}

func TestVerdictBecomesAnError(t *testing.T) {
	since := probe.Version{Major: 6, Minor: 10}
	for _, test := range []struct {
		name         string
		err          error
		text         string
		unsupported  bool
		major, minor int
	}{
		{name: "works"},
		{
			name: "kernel too old",
			err:  &probe.Refusal{Missing: "no bit", Provider: "kernel 6.10", OldKernel: true, Err: unix.EINVAL},
			text: "uring: it is not supported: no bit (needs kernel 6.10): invalid argument", unsupported: true,
			major: 6, minor: 10,
		},
		{
			name: "refused here",
			err:  &probe.Refusal{Missing: "kernel.io_uring_disabled=2", Err: unix.EPERM},
			text: "uring: it is not supported: kernel.io_uring_disabled=2: operation not permitted", unsupported: true,
		},
		{
			name: "no verdict", err: unix.EMFILE,
			text: "uring: cannot tell whether it is supported: too many open files",
		},
		{
			name: "no verdict, though it looks like one", err: fmt.Errorf("socket: %w", unix.EOPNOTSUPP),
			text: "uring: cannot tell whether it is supported: socket: operation not supported",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := verdict("it", since, test.err)
			if test.text == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, test.text)
			require.Equal(t, test.unsupported, errors.Is(err, ErrUnsupported))
			require.Equal(t, test.unsupported, errors.Is(err, errors.ErrUnsupported))
			var u *UnsupportedError
			if errors.As(err, &u) {
				require.Equal(t, [2]int{test.major, test.minor}, [2]int{u.SinceMajor, u.SinceMinor})
			}
		})
	}
}

// probeResults makes up what was found on a machine that has everything an engine needs, but for what lacking says.
func probeResults(lacking map[string]error) []probe.Result {
	var list []probe.Result
	seen := make(map[string]bool)
	for _, n := range engineNeeds {
		for _, name := range n.features {
			if !seen[name] {
				list = append(list, probe.Result{
					Group: probe.GroupWait, Name: name, Since: probe.Version{Major: 6, Minor: 1}, Err: lacking[name],
				})
			}
			seen[name] = true
		}
	}
	return list
}

func everything(err error, names ...string) map[string]error {
	lacking := make(map[string]error)
	for _, name := range names {
		lacking[name] = err
	}
	return lacking
}

func TestEngineIsTheBestThatHasWhatItNeeds(t *testing.T) {
	filter := &probe.Refusal{Missing: "a seccomp filter", Err: unix.EPERM}
	older := &probe.Refusal{Missing: "EINVAL", Provider: "kernel 6.1", OldKernel: true}
	noBit := &probe.Refusal{Missing: "no bit", Provider: "kernel 6.10", OldKernel: true}
	full := &probe.Refusal{Missing: "fs.aio-max-nr=0"}
	for _, test := range []struct {
		name    string
		lacking map[string]error
		engine  Engine
		reasons map[Engine][]string // names of features
	}{
		{"everything", nil, EngineURingBundle, nil},
		{
			"kernel before bundles", everything(noBit, CanSendBundle), EngineURing,
			map[Engine][]string{EngineURingBundle: {CanSendBundle}},
		},
		{
			"kernel before deferred task work",
			map[string]error{
				probe.SetupDeferTaskrun: older, CanSendBundle: noBit,
				CanRecvMultishot: &probe.Refusal{Missing: "answers EINVAL"},
			},
			EngineAIO,
			map[Engine][]string{
				EngineURingBundle: {probe.SetupDeferTaskrun, CanRecvMultishot, CanSendBundle},
				EngineURing:       {probe.SetupDeferTaskrun, CanRecvMultishot},
			},
		},
		{
			"filter, one reason for all", everything(filter, append(uringNeeds, CanSendBundle)...), EngineAIO,
			map[Engine][]string{EngineURingBundle: {CanSetup}, EngineURing: {CanSetup}},
		},
		{
			"build without cgo", everything(&probe.Refusal{Missing: "no cgo"}, CanCgo, CanLiburing), EngineAIO,
			map[Engine][]string{EngineURingBundle: {CanCgo}, EngineURing: {CanCgo}},
		},
		{
			"filter, and no AIO requests left",
			func() map[string]error {
				lacking := everything(filter, uringNeeds...)
				lacking[CanAIO], lacking[CanAIOSubmit] = full, full
				return lacking
			}(),
			EngineSyscall,
			map[Engine][]string{EngineURingBundle: {CanSetup}, EngineURing: {CanSetup}, EngineAIO: {CanAIO}},
		},
		{
			"uncertain is not there", everything(unix.EMFILE, CanSendBundle, CanAcceptMultishot), EngineAIO,
			map[Engine][]string{
				EngineURingBundle: {CanAcceptMultishot, CanSendBundle},
				EngineURing:       {CanAcceptMultishot},
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			caps := newCapabilities(probe.Facts{}, probeResults(test.lacking))
			engine, refusals := caps.Engine()
			require.Equal(t, test.engine, engine)
			require.Len(t, refusals, len(test.reasons))
			for _, r := range refusals {
				var want []error
				for _, name := range test.reasons[r.Engine] {
					f, ok := caps.Feature(name)
					require.True(t, ok, name)
					want = append(want, f.Err)
				}
				require.Equal(t, want, r.Reasons, r.Engine)
			}
		})
	}
}

//go:embed internal/probe/testdata/capabilities.json
var capabilitiesJSONWanted string

func TestCapabilitiesAsJSON(t *testing.T) {
	caps := newCapabilities(
		probe.Facts{
			Kernel: "6.1.0-test", LiburingHeader: "2.3", LiburingLibrary: "2.9", Seccomp: 2, IOURingDisabled: 0,
			IOURingGroup: -1, AIOMaxNr: 65536, AIONr: -1, Memlock: 8388608, Nofile: math.MaxInt64,
		},
		append(probeResults(map[string]error{
			CanSendBundle: &probe.Refusal{
				Missing: "IORING_FEAT_RECVSEND_BUNDLE is not set", Provider: "kernel 6.1", OldKernel: true,
			},
			CanRecvMultishot: unix.EMFILE,
			CanAIO: &probe.Refusal{
				Missing: "fs.aio-max-nr=0", Provider: "a higher fs.aio-max-nr", Err: unix.EAGAIN,
			},
		}), probe.Result{Group: probe.GroupSend, Name: CanSendZC}),
	)
	// Made up too, as the golden file is the same on every machine.
	caps.process.OS, caps.process.Arch = "linux", "amd64"
	got, err := json.MarshalIndent(caps, "", "  ")
	require.NoError(t, err)
	require.Equal(t, capabilitiesJSONWanted, string(got)+"\n")
}

func TestProbeIsSharedByItsCallers(t *testing.T) {
	var wg sync.WaitGroup
	found := make([]*Capabilities, 8)
	for i := range found {
		wg.Add(1)
		go func() {
			defer wg.Done()
			found[i], _ = Probe()
		}()
	}
	wg.Wait()
	for _, caps := range found {
		require.Same(t, found[0], caps)
	}
	afresh, err := ProbeAfresh()
	require.NoError(t, err)
	require.NotSame(t, found[0], afresh)
	again, err := Probe()
	require.NoError(t, err)
	require.Same(t, afresh, again)
}
