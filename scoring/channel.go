package scoring

import (
	"time"

	"sundew"
)

// channel is one kind of reason. A channel takes part in the events of the kinds it lists.
type channel struct {
	name  string // as rules and evidence spell it
	kinds [sundew.NumKinds]bool
	// crowd is true where the expectation grows with the tenured devices behind the entity, so that all of them are heard.
	crowd bool
	// prior is what the population is assumed to do, of the channels that learn more; see means.
	prior *priorOf
	// step takes the channel's part of the event and returns its evidence ratio and the weight of starting here. tried is
	// false where the event says nothing to the channel.
	step func(s *state, t *trial) (ratio, start float64, tried bool)
	// explain says what was observed today and what the null expected, for the evidence ledger's reader.
	explain func(s *state) (observed, expected float64, window time.Duration, sentence string)
}

// channels are all of them, indexed by their ledgers.
var channels = [numChannels]channel{
	chRate:        rateChannel(),
	chAuth:        authChannel(),
	chClientError: clientErrorChannel(),
	chPaths:       pathsChannel(),
	chAccounts:    accountsChannel(),
	chDevices:     devicesChannel(),
	chObjects:     objectsChannel(),
	chForged:      forgedChannel(),
	chUnproven:    unprovenChannel(),
	chCaptcha:     captchaChannel(),
	chSequence:    sequenceChannel(),
	chSignature:   signatureChannel(),
	chConsistency: consistencyChannel(),
	chDuration:    durationChannel(),
	chQuota:       quotaChannel(),
	chLimited:     limitedChannel(),
	chFresh:       freshChannel(),
	chDenied:      deniedChannel(),
	chPast:        pastChannel(),
	chNetworks:    networksChannel(),
	chTiming:      timingChannel(),
	chRoutes:      routesChannel(),
	chWrites:      writesChannel(),
	chVolume:      volumeChannel(),
}

// channelsOf are the numbers of the channels that a kind takes part in, in their order.
var channelsOf = func() (of [sundew.NumKinds][]int) {
	for ch := range channels {
		for kind, takes := range channels[ch].kinds {
			if takes {
				of[kind] = append(of[kind], ch)
			}
		}
	}
	return of
}()

// Channels returns the names of all channels, in the order of their numbers.
func Channels() []string {
	names := make([]string, len(channels))
	for i := range channels {
		names[i] = channels[i].name
	}
	return names
}

func kinds(list ...sundew.Kind) (set [sundew.NumKinds]bool) {
	for _, k := range list {
		set[k] = true
	}
	return set
}

// priorOf is a population prior for each kind of entity.
type priorOf [sundew.NumKinds]beta

// bernoulli takes one trial of a duel whose starting weight counts the channel's own trials.
func bernoulli(s *state, ch int, prior *priorOf, hit bool, damp float64) (ratio, start float64, tried bool) {
	d := s.duel(ch)
	start = startWeight(uint32(d.Trials))
	return d.step(s.prior(ch, prior), hit, damp), start, true
}

// rare is bernoulli for what hardly any legitimate entity shows.
func rare(s *state, ch int, prior *priorOf, hit bool, damp float64) (ratio, start float64, tried bool) {
	d := s.duel(ch)
	start = startWeight(uint32(d.Trials))
	return d.rareStep(s.prior(ch, prior), hit, damp), start, true
}

// habit takes the day's first trial of a duel about what a legitimate entity does nearly always or hardly ever. Further
// trials only tell what the habit is: a day of them proves no more than one, so that the channel can tip a scale that
// others have filled and cannot convict anybody alone. A share of the abusers, believed, are taken to hit.
func habit(s *state, ch int, prior *priorOf, hit bool, believed float64) (ratio, start float64, tried bool) {
	d := s.duel(ch)
	if d.Trials > 0 {
		d.remember(hit)
		return 1, 0, false
	}
	p := d.null(prior[s.Kind])
	return d.settle(p, max(p, believed), hit), startWeight(0), true
}

// settled is habit for a habit that takes more than one trial to show: the day's first trials only tell it, and the last
// of them makes one statement of all, that the share of hits is at least the given one. What the entity's trusted past
// showed of it is no news.
func settled(s *state, ch, trials int, share float64, prior *priorOf, hit bool, believed float64) (ratio, start float64, tried bool) {
	d := s.duel(ch)
	d.remember(hit)
	if int(d.Trials) != trials {
		return 1, 0, false
	}
	p := prior[s.Kind].mean()
	if d.PastSize > 0 && d.PastHits.trials() >= float64(share*d.PastSize.trials())/2 {
		return 1, 0, false
	}
	if q := max(p, believed); float64(d.Hits) >= float64(share*float64(trials)) {
		return q / p, startWeight(0), true
	} else {
		return (1 - q) / (1 - p), startWeight(0), true
	}
}

// sinceMidnight is how much of the UTC day the evidence covers: the ledgers begin anew each day.
func (s *state) sinceMidnight() time.Duration {
	return time.Duration(s.Last-max(s.First, s.Last-s.Last%secondsPerDay)) * time.Second
}
