package scoring

import "sundew"

// Learned is what an engine knows of the population and from labels, for people to look at.
type Learned struct {
	Epoch    int                // UTC day since 1970 that it is in force for
	Segments []LearnedSegment   // those with client-days, by kind, strangers first
	Weights  map[string]float64 // of the mixture by channel, and "all" for their product; they sum to 1
	Held     []float64          // the most points that labels leave of points up to 5, 10, ... 100
	Labelled int                // entities with a label in force
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
