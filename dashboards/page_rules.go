package dashboards

import "context"

// ruleRow is a loaded rule with what it does at this moment.
type ruleRow struct {
	RuleInfo
	InForce int `json:"in_force"` // its decisions in force, whatever their version
	Shadow  int `json:"shadow"`   // its shadow decisions that have not expired
}

// rulesModel lists the loaded rules in the order they were handed in.
type rulesModel struct {
	Rules []ruleRow `json:"rules"`
}

// Heading is the title of the page.
func (rulesModel) Heading() string { return "Rules" }

func (c *console) rules(_ context.Context, q query) (model, error) {
	inForce, shadow := map[string]int{}, map[string]int{}
	list := c.Lister.Blocklist()
	for i := range list.Decisions {
		d := &list.Decisions[i]
		switch {
		case d.InForce(q.Now):
			inForce[d.RuleID()]++
		case d.Shadow && q.Now.Before(d.Expires):
			shadow[d.RuleID()]++
		}
	}
	m := rulesModel{Rules: make([]ruleRow, len(c.Rules))}
	for i, rule := range c.Rules {
		m.Rules[i] = ruleRow{rule, inForce[rule.ID], shadow[rule.ID]}
	}
	return m, nil
}
