package rules

import (
	"math"
	"time"

	"go.yaml.in/yaml/v3"

	"sundew"
)

// points is what a match of a rule is worth. Matches combine as independent reasons do: of 100 points, what is left
// after one match of 40 is 60, and after another 36, so two are worth 64.
type points struct {
	add      float64       // of one match, 0 to 100
	halfLife time.Duration // after the last match
	max      float64       // never more from this rule alone
	every    time.Duration // a match adds again only after this long
}

func defaultPoints() points { return points{halfLife: 20 * time.Minute, max: 100} }

func (f *file) readPoints(n *yaml.Node, p *points) {
	f.object(n, "score",
		required("add", f.number(&p.add, 0, 100)),
		optional("half_life", f.duration(&p.halfLife, time.Second, 30*day)),
		optional("max", f.number(&p.max, 0, 100)),
		optional("every", f.duration(&p.every, 0, day)),
	)
	if p.max < p.add {
		f.note(n, "", "score: max %s is less than add %s", shortNumber(p.max), shortNumber(p.add))
	}
}

// A contribution is what one rule has to say about one entity.
type contribution struct {
	rule    *rule
	value   float64   // points at the last match
	matched time.Time // the last match
	added   time.Time // the last match that added
	since   time.Time // since when the condition has held without a break; zero while it does not

	lot     uint16    // the entity's place in the rule's rollout
	counted int64     // interval of the brake in which the entity was last counted as acted on by the rule
	acted   time.Time // until when a decision stands that the rule took part in
	named   time.Time // until when a decision stands under the rule's name
}

// mayLead says whether there are points left that may lead to an action.
func (c *contribution) mayLead(do sundew.Action, now time.Time) bool {
	return c.rule.limit >= do && c.at(now) >= leastPoints
}

// at returns the points that are left at a time.
func (c *contribution) at(now time.Time) float64 {
	age := now.Sub(c.matched)
	if age <= 0 || c.value == 0 {
		return c.value
	}
	return c.value * math.Exp2(-float64(age)/float64(c.rule.points.halfLife))
}

// match takes a match of the rule into account.
func (c *contribution) match(now time.Time) {
	p := &c.rule.points
	value := c.at(now)
	switch {
	case p.every == 0 || !now.Before(c.added.Add(p.every)):
		value = either(value, p.add)
		c.added = now
	case value < p.add:
		value = p.add
	}
	c.value = min(value, p.max)
	if now.After(c.matched) {
		c.matched = now
	}
}

// either combines two reasons as independent ones: the points that at least one of them is right.
func either(a, b float64) float64 { return 100 - (100-a)*(100-b)/100 }
