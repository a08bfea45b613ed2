package rules

import "fmt"

// advice is what an active rule lacks although it loads.
func (s *Set) advice() Problems {
	var problems Problems
	for _, r := range s.rules {
		if r.Status == StatusActive || r.Status == StatusCanary {
			problems = append(problems, s.adviceOn(r)...)
		}
	}
	for _, result := range s.Test() {
		if !result.Passed {
			problems = append(problems, Problem{result.Path, result.Line, result.Column, fmt.Sprintf("test %q: %s", result.Name, result.Detail), ""})
		}
	}
	problems.sort()
	return problems
}

func (s *Set) adviceOn(r *rule) Problems {
	var problems Problems
	advise := func(message, hint string) {
		problems = append(problems, Problem{r.path, 1, 1, message, hint})
	}
	matching, other := 0, 0
	for i := range r.tests {
		if *r.tests[i].expect.match {
			matching++
		} else {
			other++
		}
	}
	if matching == 0 || other == 0 {
		advise("an active rule needs a test that matches and a look-alike that does not", "add what is missing under tests")
	}
	if len(r.FalsePositives) == 0 {
		advise("an active rule names no false positives", "say who might match without being an abuser")
	}
	if s.policy[r.kind] == nil {
		advise(fmt.Sprintf("there is no policy for entities of kind %s", r.Kind), "without one the rule is never run")
	}
	return problems
}
