package dashboards

import (
	"strings"

	"sundew"
)

// rung is a step of the ladder that decisions climb by default: from these points on the action is taken. A rule set may
// use other points; the marks help to read a score.
type rung struct {
	Action sundew.Action
	Points float64
}

var rungs = [...]rung{
	{sundew.ActionObserve, 30},
	{sundew.ActionTarpit, 50},
	{sundew.ActionChallenge, 75},
	{sundew.ActionBlock, 90},
}

// rungOf is the highest rung that a score reaches.
func rungOf(score float64) sundew.Action {
	reached := sundew.ActionNone
	for _, r := range rungs {
		if score >= r.Points {
			reached = r.Action
		}
	}
	return reached
}

// ladderStep is a tile of the overview: what a rung does and how many decisions stand on it.
type ladderStep struct {
	Action sundew.Action
	Does   string
	Count  int
}

// Ladder lists the rungs with what is in force on each, mildest first.
func (n inForce) Ladder() []ladderStep {
	return []ladderStep{
		{sundew.ActionObserve, "written down, left alone", n.Observe},
		{sundew.ActionTarpit, "delayed, then served", n.Tarpit},
		{sundew.ActionChallenge, "asked for proof", n.Challenge},
		{sundew.ActionBlock, "refused", n.Block},
	}
}

// title writes a word of the contract with a capital letter.
func title(word string) string {
	if word == "" {
		return ""
	}
	return strings.ToUpper(word[:1]) + strings.ReplaceAll(word[1:], "_", " ")
}
