//go:build linux

// Command driven calls every exported function and method of the library with arguments that make no sense. Its table
// of them is written by the test of package apidriver, which builds it, runs it, and judges what it reports.
//
// usage: driven [-from N] [-only NAME]
//
// It reports by lines of JSON on descriptor 3: one before each call and one after it. A call that does not return in
// time ends the program, with the stacks of all goroutines on standard error, as does one that crashes it; the test
// goes on behind that call.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
)

// hangLimit is how long a call may take, with what it takes to make and to close its receiver.
const hangLimit = 10 * time.Second

// reportFD is out of the way of the descriptors that calls are given.
const reportFD = 500

// The table, which the test generates: functions by name, types by name, and the names of parameters.
var (
	functions  = map[string]any{}
	types      = map[string]reflect.Type{}
	parameters = map[string]string{}
)

// report is what the test reads: N alone before a call, and all of it after.
type report struct {
	N       int
	Name    string   // of the function or method
	Call    string   // with its receiver and arguments
	Ended   bool     // the call came back
	Panic   string   // what it panicked with
	Error   string   // what its error said
	Returns bool     // it has an error to return
	Wrong   []string // arguments that cannot be right
}

func main() {
	from := flag.Int("from", 0, "begin with call `N`")
	only := flag.String("only", "", "only functions and methods with `NAME` in theirs")
	flag.Parse()
	if err := unix.Dup2(3, reportFD); err != nil {
		fmt.Fprintln(os.Stderr, "driven: there is no descriptor 3 to report on:", err)
		os.Exit(2)
	}
	unix.CloseOnExec(reportFD)
	reports := json.NewEncoder(os.NewFile(reportFD, "reports"))
	if r, err := uring.New(4); err != nil {
		withoutRings()
	} else {
		_ = r.Close()
	}
	n := 0
	for _, c := range callables() {
		if !strings.Contains(c.name, *only) {
			continue
		}
		for call := range c.calls() {
			if n >= *from {
				perform(reports, report{N: n, Name: c.name, Call: call.text, Wrong: call.wrong}, call.run)
			}
			n++
		}
	}
}

// perform makes a call on a goroutine of its own, which owns what it makes, and reports how it ended.
func perform(reports *json.Encoder, r report, run func(*report)) {
	resetDescriptors()
	send(reports, r)
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(&r)
	}()
	select {
	case <-done:
		r.Ended = true
		send(reports, r)
	case <-time.After(hangLimit):
		stacks := make([]byte, 1<<20)
		fmt.Fprintf(os.Stderr, "%s does not return\n%s\n", r.Call, stacks[:runtime.Stack(stacks, true)])
		os.Exit(3)
	}
}

func send(reports *json.Encoder, r report) {
	if err := reports.Encode(r); err != nil {
		fmt.Fprintln(os.Stderr, "driven:", err)
		os.Exit(2)
	}
}

// resetDescriptors has the lowest descriptors, which calls are given, lead nowhere.
func resetDescriptors() {
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		fmt.Fprintln(os.Stderr, "driven:", err)
		os.Exit(2)
	}
	for fd := range 2 { // standard error stays
		if fd != null {
			_ = unix.Dup2(null, fd)
		}
	}
	if null > 2 {
		_ = unix.Close(null)
	}
}

// callable is a function, or a method with the receivers to call it on.
type callable struct {
	name      string
	fn        reflect.Value // takes the receiver first, if there is one
	receivers []receiver    // none for a function
}

// call is a callable with arguments.
type call struct {
	text  string
	wrong []string
	run   func(*report)
}

// callables returns everything that the table has, in order.
func callables() []callable {
	var all []callable
	for name, fn := range functions {
		all = append(all, callable{name: name, fn: reflect.ValueOf(fn)})
	}
	for name, t := range types {
		if t.Kind() == reflect.Interface {
			continue
		}
		pointer := reflect.PointerTo(t)
		for i := range pointer.NumMethod() {
			m := pointer.Method(i)
			_, byValue := t.MethodByName(m.Name)
			all = append(all, callable{name: name + "." + m.Name, fn: m.Func, receivers: receiversOf(t, byValue)})
		}
	}
	slices.SortFunc(all, func(a, b callable) int { return strings.Compare(a.name, b.name) })
	return all
}

// calls yields the calls to make: with plain arguments, and with one of them changed to each of its other values, on
// each receiver.
func (c callable) calls() func(yield func(call) bool) {
	t := c.fn.Type()
	receivers, first := []receiver{{}}, 0
	if c.receivers != nil {
		receivers, first = c.receivers, 1
	}
	names := strings.Fields(parameters[c.name])
	pools := make([][]value, 0, t.NumIn()-first)
	for i := first; i < t.NumIn(); i++ {
		name := ""
		if at := i - first; at < len(names) {
			name = names[at]
		}
		pools = append(pools, valuesOf(t.In(i), name, c.name))
	}
	return func(yield func(call) bool) {
		for _, r := range receivers {
			for i := -1; i < len(pools); i++ {
				if i >= 0 && r.name == "nil" {
					break // whatever the arguments are
				}
				for j := range pools {
					if len(pools[j]) == 0 {
						panic(fmt.Sprintf("driven: no values for parameter %d of %s, %v", j, c.name, t.In(j+first)))
					}
				}
				others := 1
				if i >= 0 {
					others = len(pools[i]) - 1
				}
				for k := range others {
					args := make([]value, len(pools))
					for j := range pools {
						args[j] = pools[j][0]
					}
					if i >= 0 {
						args[i] = pools[i][k+1]
					}
					if !yield(c.call(r, args, i)) {
						return
					}
				}
			}
		}
	}
}

// call binds a receiver and arguments, of which the one at changed is not the plain one.
func (c callable) call(r receiver, args []value, changed int) call {
	made := call{text: c.name}
	if c.receivers != nil {
		made.text += "[" + r.name + "]"
		if r.wrong {
			made.wrong = append(made.wrong, r.name)
		}
	}
	if changed >= 0 {
		made.text += "(" + args[changed].name + ")"
		if args[changed].wrong {
			made.wrong = append(made.wrong, args[changed].name)
		}
	}
	made.run = func(rep *report) {
		var in []reflect.Value
		end := func() {}
		if c.receivers != nil {
			var self reflect.Value
			self, end = r.make()
			in = append(in, self)
		}
		defer end()
		for _, a := range args {
			in = append(in, a.make())
		}
		c.invoke(in, rep)
	}
	return made
}

var errorType = reflect.TypeFor[error]()

// invoke calls the function and notes how that ended. What it returned that has to be closed is closed.
func (c callable) invoke(in []reflect.Value, rep *report) {
	defer func() {
		if p := recover(); p != nil {
			rep.Panic = fmt.Sprint(p)
		}
	}()
	var out []reflect.Value
	if c.fn.Type().IsVariadic() {
		out = c.fn.CallSlice(in)
	} else {
		out = c.fn.Call(in)
	}
	for _, o := range out {
		switch {
		case o.Type() == errorType:
			rep.Returns = true
			if !o.IsNil() {
				rep.Error = o.Interface().(error).Error()
			}
		case !o.CanInterface() || (o.Kind() == reflect.Pointer || o.Kind() == reflect.Interface) && o.IsNil():
		default:
			if closer, ok := o.Interface().(io.Closer); ok && len(in) > 0 && o.Interface() != in[0].Interface() {
				_ = closer.Close()
			}
		}
	}
}
