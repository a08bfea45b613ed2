package sim

import "sundew"

// desks settles an office whose people use the shop with the browser that the office has installed: it names no device and
// signs nothing, and all of them look the same.
func (s *settler) desks(first uint32, atMost int) (int, []sundew.Entity) {
	installed := browsers[s.rng.IntN(len(browsers))]
	return s.crowd(first, atMost, func(number uint32, at place) {
		p := s.newPerson(number, at)
		p.platform, p.device = installed, ""
		s.add(number, p, p.first())
	})
}
