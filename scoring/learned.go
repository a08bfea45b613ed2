package scoring

import "sundew"

// Learned is what an engine knows of the population and from labels, for people to look at.
type Learned struct {
	Epoch    int                // UTC day since 1970 that it is in force for
	Segments []LearnedSegment   // those with client-days, by kind, strangers first
	Weights  map[string]float64 // of the mixture by channel, and "all" for their product; they sum to 1
	Held     []float64          // the most points that labels leave of points up to 5, 10, ... 100
	Labelled int                // entities with a label in force
	Kinds    []LearnedKind      // those that something was assumed or learned of
}

// LearnedKind is what is expected of one kind of entity.
type LearnedKind struct {
	Kind   sundew.Kind
	Rate   float64            // further requests in an active minute; 0 for kinds that the channel does not hear
	Hits   map[string]float64 // probability that a trial of a channel hits, of the channels that learn it
	Routes int                // classes of routes whose volume is known
	Muted  int                // of them those that are not heard in this epoch, because too many entities are loud about them
}

// LearnedSegment is the calibration of one kind of entity.
type LearnedSegment struct {
	Kind       sundew.Kind
	Known      bool    // seen on an earlier day
	ClientDays float64 // it rests on, old ones counting in part
	// Lowered is what evidence of 10,000, the least that is acted on, counts as; at most that.
	Lowered float64
}

// Learned returns what is in force. It must not run at the same time as Score.
func (e *Engine) Learned() Learned {
	p := &e.population
	l := Learned{Epoch: int(p.day.Now), Weights: map[string]float64{"all": p.lessons.Weights[partAll]}, Labelled: len(p.lessons.entities)}
	for ch := range channels {
		l.Weights[channels[ch].name] = p.lessons.Weights[ch]
	}
	for _, points := range p.lessons.PointsHeld {
		l.Held = append(l.Held, float64(points))
	}
	for kind := range sundew.Kind(sundew.NumKinds) {
		if of := p.learnedOf(kind); len(of.Hits) > 0 {
			l.Kinds = append(l.Kinds, of)
		}
	}
	for segment := range p.pools {
		if n := p.pools[segment].size(); n > 0 {
			l.Segments = append(l.Segments, LearnedSegment{
				Kind: sundew.Kind(segment / 2), Known: segment%2 == 1, ClientDays: n,
				Lowered: p.maps[segment].apply(evidenceFloor(actedOn)),
			})
		}
	}
	return l
}

func (p *population) learnedOf(kind sundew.Kind) LearnedKind {
	l := LearnedKind{Kind: kind, Rate: float64(p.believed.Rates[kind].Mean), Hits: map[string]float64{}}
	s := state{hot: &hot{Kind: uint8(kind)}, believed: &p.believed}
	for _, ch := range learns {
		if channels[ch].kinds[kind] {
			l.Hits[channels[ch].name] = s.prior(ch, channels[ch].prior).mean()
		}
	}
	if of, ok := volumeOf(uint8(kind)); ok {
		for class, law := range p.volumes.laws[of] {
			if law == nil {
				continue
			}
			l.Routes++
			if p.volumes.muted(of, uint16(class)) {
				l.Muted++
			}
		}
	}
	return l
}
