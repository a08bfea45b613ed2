package dashboards

import (
	"fmt"
	"time"

	"sundew"
)

// subject names an entity as a person would.
func subject(e sundew.Entity) string {
	switch e.Kind {
	case sundew.KindIP:
		return "address " + e.Key
	case sundew.KindPrefix:
		return "network " + e.Key
	case sundew.KindAPIKey:
		return "API key " + e.Key
	case sundew.KindFingerprint:
		return "TLS fingerprint " + e.Key
	case sundew.KindASN:
		return "autonomous system AS" + e.Key
	case sundew.KindDevice, sundew.KindAccount, sundew.KindNone:
	}
	return e.Kind.String() + " " + e.Key
}

// describe says in one sentence what a decision does to whom until when, seen from now.
func describe(d *sundew.Decision, now time.Time) string {
	who := subject(d.Entity)
	for _, also := range d.And {
		who += " together with " + subject(also)
	}
	until := d.Expires.UTC().Format("15:04:05") + " UTC"
	if d.Expires.Sub(d.Time) >= 12*time.Hour || !sameDay(d.Expires, now) {
		until = d.Expires.UTC().Format("2 January 2006, 15:04:05") + " UTC"
	}
	verb := "are"
	switch {
	case d.Shadow:
		verb = "would be"
	case !now.Before(d.Expires):
		verb = "were"
	}
	return fmt.Sprintf("Requests of %s %s %s until %s.", who, verb, effect(d), until)
}

func effect(d *sundew.Decision) string {
	switch d.Action {
	case sundew.ActionObserve:
		return "written down and left alone"
	case sundew.ActionTarpit:
		return "delayed by " + duration(d.Delay) + " each"
	case sundew.ActionChallenge:
		return "served only with proof of a person or a genuine app"
	case sundew.ActionBlock:
		return "refused"
	case sundew.ActionNone:
	}
	return "left alone"
}

// explainBasis says which kind of reason a decision rests on and what that is worth.
func explainBasis(d *sundew.Decision) string {
	switch d.Basis {
	case sundew.BasisScore:
		return fmt.Sprintf("The calibrated score. %s of 100 points is the probability of abuse, in per cent, that the evidence "+
			"below leaves; dependent evidence is averaged before it counts. The bound on false positives covers this decision.", points(d.Score))
	case sundew.BasisPoints:
		return fmt.Sprintf("Explicit points of rules that fired: an analyst's judgement, here %s of 100. It is not a probability, "+
			"and the bound on false positives does not cover it; its measured rate is published apart.", points(d.Score))
	case sundew.BasisManual:
		return "A person decided this. No score stands behind it."
	}
	return "The record does not say which kind of reason this decision rests on."
}

func sameDay(a, b time.Time) bool {
	return a.UTC().Format(time.DateOnly) == b.UTC().Format(time.DateOnly)
}
