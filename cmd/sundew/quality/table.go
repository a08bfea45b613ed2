package quality

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"text/tabwriter"
)

// WriteTables writes the report for a person.
func (r Report) WriteTables(w io.Writer) error {
	fmt.Fprintf(w, "%d seeds x %d clients x %d days, %g requests per client-day (fewer than the simulator's default 480, so that more\nclient-days fit into the time; a busier client has more chances to be taken for an abuser)\n\n", r.Seeds, r.Clients, r.Days, r.Rate)
	if err := r.writeSegments(w); err != nil {
		return err
	}
	if err := r.writeCollateral(w); err != nil {
		return err
	}
	if err := r.writeRules(w); err != nil {
		return err
	}
	if err := r.writeAttacks(w); err != nil {
		return err
	}
	if err := r.writeCalibration(w); err != nil {
		return err
	}
	if err := r.writeReliability(w); err != nil {
		return err
	}
	return r.writeDetectors(w)
}

func (r Report) writeSegments(w io.Writer) error {
	fmt.Fprintln(w, "False positives: legitimate client-days with a request under a tarpit or harder, and under a block")
	t := aligned(w)
	fmt.Fprintln(t, "segment\tclient-days\ttarpitted\trate\t95 % interval\tblocked\trate\t95 % interval\t")
	for _, s := range r.Segments {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t\n", s.Segment, s.ClientDays, s.Tarpitted, s.Blocked)
	}
	if err := end(t); err != nil {
		return err
	}
	c := r.ByAddress
	_, err := fmt.Fprintf(w, "95 %% interval of all by %d addresses, whose client-days hang together: tarpitted %.1e..%.1e, blocked %.1e..%.1e\n\n",
		c.Addresses, c.TarpittedLow, c.TarpittedHigh, c.BlockedLow, c.BlockedHigh)
	return err
}

func (r Report) writeCollateral(w io.Writer) error {
	fmt.Fprintln(w, "Collateral: legitimate requests, and tarpitted client-days by what the decision rests on")
	t := aligned(w)
	fmt.Fprintln(t, "segment\trequests\tdelayed\tblocked\tby score\trate\t95 % interval\tby rule points\trate\t95 % interval\t")
	for _, s := range r.Segments {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s\t%s\t\n", s.Segment, s.Requests, s.Delayed, s.Refused, s.ByScore, s.ByPoints)
	}
	return end(t)
}

func (r Report) writeRules(w io.Writer) error {
	if len(r.Rules) == 0 {
		return nil
	}
	fmt.Fprintln(w, "Rules and ladders that hit legitimate clients")
	t := aligned(w)
	fmt.Fprintln(t, "rule\trequests\tclient-days\trate\t95 % interval\t")
	for _, rule := range r.Rules {
		fmt.Fprintf(t, "%s\t%d\t%s\t\n", rule.Rule, rule.Requests, rule.ClientDays)
	}
	return end(t)
}

func (r Report) writeAttacks(w io.Writer) error {
	fmt.Fprintln(w, "Detection: campaigns with a request under a tarpit or harder, and what went through untouched")
	t := aligned(w)
	fmt.Fprintln(t, "attack\tintensity\tcampaigns\tenforced\trequests before: median\t90 %\tseconds before: median\t90 %\trequests\tlet through\tmedian per address\t")
	rows := slices.Clone(r.Attacks)
	slices.SortStableFunc(rows, func(a, b AttackRow) int { return cmp.Compare(a.Attack, b.Attack) })
	for _, a := range rows {
		fmt.Fprintf(t, "%s\t%g\t%d\t%d\t%s\t%s\t%s\t%s\t%d\t%d\t%g\t\n", a.Attack, a.Intensity, a.Campaigns, a.Enforced,
			orNever(a.MedianRequests), orNever(a.P90Requests), orNever(tenths(a.MedianSeconds)), orNever(tenths(a.P90Seconds)),
			a.Requests, a.Through, a.ThroughByAddress)
	}
	return end(t)
}

func (r Report) writeCalibration(w io.Writer) error {
	fmt.Fprintln(w, "Calibration: legitimate client-days on which the evidence of an entity without abusers reached ln(1/alpha)")
	t := aligned(w)
	fmt.Fprintln(t, "alpha\treached by\tactual\t95 % interval\t")
	for _, c := range r.Calibration {
		fmt.Fprintf(t, "%g\t%s\t\n", c.Alpha, c.Actual)
	}
	return end(t)
}

// String returns hits, share and interval as three cells of a table.
func (r Rate) String() string {
	return fmt.Sprintf("%d\t%.2e\t%.1e..%.1e", r.Hits, r.Share, r.Low, r.High)
}

func orNever(v float64) string {
	if v < 0 {
		return "never"
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

func aligned(w io.Writer) *tabwriter.Writer {
	return tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
}

// end writes the table and a line of space.
func end(t *tabwriter.Writer) error {
	fmt.Fprintln(t)
	return t.Flush()
}

func tenths(v float64) float64 { return math.Round(v*10) / 10 }
