package dashboards

import (
	"fmt"
	"strings"
	"time"

	"sundew"
)

// kindWord names a kind in a label.
func kindWord(k sundew.Kind) string {
	switch k {
	case sundew.KindIP:
		return "IP"
	case sundew.KindAPIKey:
		return "API key"
	case sundew.KindASN:
		return "ASN"
	case sundew.KindNone, sundew.KindPrefix, sundew.KindDevice, sundew.KindAccount, sundew.KindFingerprint:
	}
	return title(k.String())
}

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

// standing is what has become of a decision.
type standing string

const (
	standingForce    standing = "in force"
	standingShadow   standing = "shadow"
	standingExpired  standing = "expired"
	standingReplaced standing = "replaced" // by a later version, or withdrawn
)

// standingOf asks the blocklist: a decision that has not expired holds only as long as the list has it.
func standingOf(d *sundew.Decision, list sundew.Blocklist, now time.Time) standing {
	switch {
	case !now.Before(d.Expires):
		return standingExpired
	case d.Shadow:
		return standingShadow
	}
	if _, held := inList(list, d.ID); held {
		return standingForce
	}
	return standingReplaced
}

// verb is the form of "to be" that fits a decision of that standing.
func (s standing) verb(d *sundew.Decision) string {
	switch {
	case d.Shadow:
		return "would be"
	case s == standingExpired:
		return "were"
	case s == standingReplaced:
		return "were to be"
	}
	return "are"
}

// describe says in one sentence what a decision does to whom until when, seen from now.
func describe(d *sundew.Decision, s standing, now time.Time) string {
	var who strings.Builder
	who.WriteString(subject(d.Entity))
	for _, also := range d.And {
		who.WriteString(" together with " + subject(also))
	}
	until := d.Expires.UTC().Format("15:04:05") + " UTC"
	if d.Expires.Sub(d.Time) >= 12*time.Hour || !sameDay(d.Expires, now) {
		until = d.Expires.UTC().Format("2 January 2006, 15:04:05") + " UTC"
	}
	return fmt.Sprintf("Requests of %s %s %s until %s.", who.String(), s.verb(d), effect(d), until)
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
