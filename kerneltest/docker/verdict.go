package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sockring/uring/kerneltest/internal/result"
)

// choice is what the probe program says about engines.
type choice struct {
	Engine  string
	Refused []struct {
		Engine  string
		Reasons []string
	}
}

func parseChoice(probe []byte) (c choice, err error) {
	if err := json.Unmarshal(probe, &c); err != nil {
		return choice{}, fmt.Errorf("the probe's answer: %w", err)
	}
	return c, nil
}

// why sums up what is refused, in the probe's words.
func (c choice) why() string {
	var causes []string
	for _, r := range c.Refused {
		for _, reason := range r.Reasons {
			if cause := causeOf(reason); !slices.Contains(causes, cause) {
				causes = append(causes, cause)
			}
		}
	}
	return strings.Join(causes, "; ")
}

// causeOf cuts out of an error of the library what is missing: what it is missing for goes before that, and what would
// provide it behind.
func causeOf(reason string) string {
	if _, cause, ok := strings.Cut(reason, " is not supported: "); ok {
		reason = cause
	}
	cause, _, _ := strings.Cut(reason, " (needs ")
	return cause
}

// judge returns what is wrong with the engine that the library chose.
func (s setting) judge(c choice, outside string) []result.Failure {
	var wrong []result.Failure
	if want := s.engine(outside); c.Engine != want {
		wrong = append(wrong, result.Failure{What: fmt.Sprintf("the engine is %s and should be %s", c.Engine, want)})
	}
	for i, want := range s.refusals {
		if !c.refuses(engines[i], want) {
			wrong = append(wrong, result.Failure{
				What: fmt.Sprintf("%s should be refused as %s, and what is refused is: %s", engines[i], want, c.why()),
			})
		}
	}
	return wrong
}

// refuses reports whether the reasons against an engine contain what is wanted.
func (c choice) refuses(engine, want string) bool {
	for _, r := range c.Refused {
		if r.Engine == engine {
			return slices.ContainsFunc(r.Reasons, func(reason string) bool { return strings.Contains(reason, want) })
		}
	}
	return false
}
