package sim

import "time"

// schedule is the order in which campaigns begin: by time, then as the configuration lists their attacks.
type schedule struct {
	methods []method
	due     []launch // the next campaign of each method
	head    int      // the earliest of due
	end     time.Duration
}

// launch is the beginning of a campaign: the round'th of its method.
type launch struct {
	at            time.Duration
	method, round int
}

func newSchedule(methods []method, end time.Duration) schedule {
	s := schedule{methods: methods, end: end}
	for i, m := range methods {
		s.due = append(s.due, launch{at: m.After, method: i})
	}
	s.findHead()
	return s
}

// next returns the next campaign to begin; ok is false when none does before the end.
func (s *schedule) next() (l launch, ok bool) {
	if len(s.due) == 0 || s.due[s.head].at >= s.end {
		return launch{}, false
	}
	return s.due[s.head], true
}

// advance goes on to the campaign after next.
func (s *schedule) advance() {
	l := &s.due[s.head]
	l.round++
	l.at = never
	if every := s.methods[l.method].Every; every > 0 {
		l.at = s.methods[l.method].After + time.Duration(l.round)*every
	}
	s.findHead()
}

func (s *schedule) findHead() {
	for i := range s.due {
		if i == 0 || s.due[i].at < s.due[s.head].at {
			s.head = i
		}
	}
}
