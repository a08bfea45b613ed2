package sim

import (
	"math/rand/v2"
	"time"

	"sundew"
)

// The password of a password manager that was not told of the new one fails this often in a day.
const (
	staleFailuresLow  = 5
	staleFailuresHigh = 15
)

// staleStore is a password manager that fills in a password that has been changed since.
type staleStore struct {
	app
	rng   *rand.Rand
	every time.Duration // mean
}

func (s *settler) forgetful(first uint32, _ int) (int, []sundew.Entity) {
	return 1, s.household(first, 1, func(number uint32, at place) {
		p := s.newPerson(number, at)
		rng := p.opens.rng
		comes := p.first()
		store := &staleStore{
			app:   p.app,
			rng:   newRand(s.config.Seed, forStaleStore, uint64(number)),
			every: 24 * time.Hour / time.Duration(staleFailuresLow+rng.IntN(staleFailuresHigh-staleFailuresLow+1)),
		}
		store.session = ""
		tries := between(store.rng, 0, store.every)
		s.add(number, &both{one: p, other: store, nextOne: comes, nextOther: tries}, min(comes, tries))
	})
}

func (s *staleStore) request(at time.Duration, e *sundew.Event) time.Duration {
	s.appear(at, e)
	tryLogin(s.rng, e, s.username, false)
	return at + between(s.rng, s.every/2, s.every*3/2)
}
