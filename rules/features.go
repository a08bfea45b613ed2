package rules

import (
	"fmt"
	"time"

	"sundew"
)

// FeatureInfo describes a name that conditions may use.
type FeatureInfo struct {
	Name    string `json:"name"`
	Type    string `json:"type"`              // double, int, string, or map(string, double)
	Window  string `json:"window,omitempty"`  // that the value looks back, such as 10m
	Unit    string `json:"unit,omitempty"`    // of numbers that have one
	Default string `json:"default,omitempty"` // the value where nothing is known, as a condition spells it
	Cost    uint64 `json:"cost"`              // of comparing it once, in the units of which a condition may have 2,000,000
	Help    string `json:"help"`
}

// Features returns what a rule about a kind of entity may ask for: the request, the score, and the counts of the entity.
// It is made of what conditions are compiled against.
func Features(kind sundew.Kind) ([]FeatureInfo, error) {
	d, err := newDialect(kind, nil, nil)
	if err != nil {
		return nil, err
	}
	event := sundew.NewEvent()
	unknown := sundew.Score{Event: &event}
	vars := vocabulary(kind)
	infos := make([]FeatureInfo, 0, len(vars)+1)
	for i := range vars {
		info, err := d.describe(&vars[i], &unknown)
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	cost, err := d.cost(`evidence["rate"] > 0.0`)
	return append(infos, FeatureInfo{
		Name: "evidence", Type: "map(string, double)", Unit: "nats", Default: "0.0", Cost: cost,
		Help: `evidence of a channel: evidence["rate"]`,
	}), err
}

func (d *dialect) describe(v *variable, unknown *sundew.Score) (FeatureInfo, error) {
	info := FeatureInfo{Name: v.name, Type: v.celType().String(), Unit: v.unit, Help: v.help}
	if v.window > 0 {
		info.Window = spell(v.window)
	}
	switch {
	case v.text != nil:
		info.Default = fmt.Sprintf("%q", v.text(unknown))
	case v.integer != nil:
		info.Default = fmt.Sprint(v.integer(unknown))
	default:
		info.Default = fmt.Sprintf("%.1f", v.number(unknown))
	}
	var err error
	info.Cost, err = d.cost(v.name + " == " + info.Default)
	return info, err
}

// cost is CEL's upper estimate for a condition.
func (d *dialect) cost(condition string) (uint64, error) {
	checked, issues := d.env.Compile(condition)
	if issues.Err() != nil {
		return 0, issues.Err()
	}
	estimate, err := d.env.EstimateCost(checked, sizes{})
	return estimate.Max, err
}

// spell writes a window as names do: 1m, 10m, 24h.
func spell(d time.Duration) string {
	if d%time.Hour == 0 {
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dm", d/time.Minute)
}
