package main

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sockring/uring/kerneltest/internal/wire"
)

// setting is a container to run the tests in.
type setting struct {
	name    string
	profile string   // the file of its seccomp profile in kerneltest/seccomp; empty for what Docker does by itself
	options []string // of docker run
	plan    string   // the file of the plan in the tree

	// refusals are a part of what the probe has to say about each engine that is refused, the best engine first. The
	// engine behind those is the one that has to serve, and where nothing is refused the one that serves outside of
	// containers.
	refusals []string
}

// engines are what the library may choose, the best first. Both that use io_uring are refused together.
var engines = []string{"uring", "aio", "syscall"}

// What the probe has to say where a profile refuses something.
const (
	ringEPERM  = "a seccomp filter answers EPERM to io_uring_setup"
	ringENOSYS = "a seccomp filter answers ENOSYS to io_uring_setup"
	aioEPERM   = "a seccomp filter answers EPERM to io_setup"
)

// The options of docker run that settings share.
var (
	plainUser   = []string{"--user", "1000:1000"}
	noPrivilege = []string{"--cap-drop=ALL", "--security-opt", "no-new-privileges"}
	readOnly    = []string{"--read-only"}
	memlock     = []string{"--ulimit", "memlock=4194304:4194304"} // bytes; room for the largest ring
	memlockOld  = []string{"--ulimit", "memlock=65536:65536"}     // the default of older distributions
)

var settings = []setting{
	{name: "default", plan: fullPlan},
	{name: "plain-user", plan: fullPlan, options: plainUser},
	{name: "no-capabilities", plan: fullPlan, options: noPrivilege},
	{name: "read-only", plan: fullPlan, options: readOnly},
	{name: "small-memlock", plan: fullPlan, options: memlock},
	// Kernels that count rings towards the limit leave no room here for the larger ones that tests want. The library
	// has to see all the same that there is room for some.
	{name: "tiny-memlock", plan: probePlan, options: memlockOld},
	{name: "hardened", plan: fullPlan, options: join(plainUser, noPrivilege, readOnly, memlock)},
	{name: "io_uring-eperm", plan: fullPlan, profile: "io_uring-eperm.json", refusals: []string{ringEPERM}},
	{name: "io_uring-enosys", plan: fullPlan, profile: "io_uring-enosys.json", refusals: []string{ringENOSYS}},
	{
		name: "io_uring-aio-eperm", plan: fullPlan, profile: "io_uring-aio-eperm.json",
		refusals: []string{ringEPERM, aioEPERM},
	},
}

func join(lists ...[]string) []string {
	var all []string
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

// dockerRefusing is the first version of Docker whose own seccomp profile refuses io_uring.
const dockerRefusing = 25

// refusesRings says whether the Docker engine of this version refuses io_uring by itself.
func refusesRings(version string) (bool, error) {
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	return n >= dockerRefusing, err
}

// underRefusal returns what becomes of the setting where Docker refuses io_uring by itself: the default one shows
// that, and those that are about something else go without Docker's profile.
func (s setting) underRefusal() setting {
	switch {
	case s.profile != "":
	case len(s.options) == 0:
		s.refusals = []string{ringEPERM}
	default:
		s.options = join(s.options, []string{"--security-opt", "seccomp=unconfined"})
	}
	return s
}

// engine is the one that has to serve; outside is the one that serves outside of containers.
func (s setting) engine(outside string) string {
	if len(s.refusals) == 0 {
		return outside
	}
	return engines[len(s.refusals)]
}

// mounted is where the container has the tree.
const mounted = "/kerneltest"

// arguments are those of docker, to carry out the plan in a new container of that name. What the tests write goes to
// memory: some of Docker's storage drivers lose track of sockets and directories, which would be none of our faults.
func (s setting) arguments(root, tree, image, name string) []string {
	args := []string{"run", "--rm", "--name", name, "--network", "none", "--tmpfs", "/tmp"}
	args = append(args, "-v", tree+":"+mounted+":ro")
	if s.profile != "" {
		args = append(args, "--security-opt", "seccomp="+filepath.Join(root, "kerneltest", "seccomp", s.profile))
	}
	args = append(args, s.options...)
	return append(args, image, mounted+"/bin/guest", wire.ContainerArgument, mounted+"/"+s.plan)
}
