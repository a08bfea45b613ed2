package sundew

import "time"

// Evidence is one channel's reason, in a form that an analyst can check: what was seen, what a legitimate entity would
// have shown, over how much.
type Evidence struct {
	Channel  string        // name of the channel, such as outcome
	Nats     float64       // natural logarithm of the evidence; above 0 speaks for abuse
	Observed float64       // what was seen, in the channel's unit
	Expected float64       // what the null law expects, in the same unit
	Window   time.Duration // the time that Observed covers
	Sentence string        // the same for a person: "17 of 20 logins failed, 1 expected"
}

// Score is the behaviour of one entity right after one event. Scores of a batch are ordered by event, then by the order
// of Event.AppendEntities, whatever the number of shards.
type Score struct {
	Time     time.Time // of the event
	Entity   Entity
	Points   float64    // 0 to 100: posterior probability of abuse in per cent
	Nats     float64    // ln of the calibrated evidence, which Points is computed from; 0 where Points are too few to matter
	Evidence []Evidence // the channels that speak loudest for abuse, strongest first
	Features Features   // counts that rules may ask for
	Event    *Event     // the request that moved the score; shared, not to be changed
}
