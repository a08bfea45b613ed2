package sim

import "sundew"

// devicesPerFamily is a phone, a tablet and a browser.
const devicesPerFamily = 3

// families settles a home whose devices use one account, the last of them a browser, which has no device id and signs
// nothing.
func (s *settler) families(first uint32, atMost int) (int, []sundew.Entity) {
	n := min(atMost, devicesPerFamily)
	account := identityOf(s.config.Seed, uint64(first))
	return n, s.household(first, n, func(number uint32, at place) {
		p := s.newPerson(number, at)
		device := p.device
		p.identity = account
		p.device = device
		if number-first == devicesPerFamily-1 {
			p.device = ""
			p.platform = browsers[p.opens.rng.IntN(len(browsers))]
		}
		s.add(number, p, p.first())
	})
}
