package quality_test

import (
	"context"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"

	"sundew/cmd/sundew/quality"
)

// small is a measurement that takes a second.
func small() quality.Config {
	return quality.Config{Seeds: 2, Clients: 60, Days: 1, Rate: 60, Intensities: []float64{.2, .4}}
}

func measure(t *testing.T, c quality.Config) quality.Report {
	t.Helper()
	report, err := quality.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// smallReport is made once and only read.
var smallReport = sync.OnceValues(func() (quality.Report, error) { return quality.Run(context.Background(), small()) })

func smallMeasured(t *testing.T) quality.Report {
	t.Helper()
	report, err := smallReport()
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestMeasurementCountsEverybodyOnce(t *testing.T) {
	c := small()
	var done, total int64
	c.OnProgress = func(d, all int64) { done, total = d, all }
	report := measure(t, c)

	if total != 3*86_400 || done < total*9/10 {
		t.Errorf("progress ended at %d of %d seconds", done, total)
	}
	all := report.Segments[len(report.Segments)-1]
	if all.Segment != "all" || len(report.Segments) != 14 {
		t.Fatalf("segments %+v", report.Segments)
	}
	clientDays, requests := 0, 0
	for _, s := range report.Segments[:len(report.Segments)-1] {
		clientDays += s.ClientDays
		requests += s.Requests
		if s.Blocked.Hits > s.Tarpitted.Hits || s.Tarpitted.Hits > s.ClientDays {
			t.Errorf("%s: %d blocked, %d tarpitted of %d client-days", s.Segment, s.Blocked.Hits, s.Tarpitted.Hits, s.ClientDays)
		}
	}
	if all.ClientDays != clientDays || all.Requests != requests || clientDays < 50 || all.Tarpitted.Of != clientDays {
		t.Errorf("all is %+v, its segments have %d client-days and %d requests", all, clientDays, requests)
	}
	for _, d := range report.Detectors {
		if d.Actual.Of != clientDays || d.Detected.Of != 92 {
			t.Errorf("%s was measured on %d client-days and %d campaigns, want %d and 92", d.Detector, d.Actual.Of, d.Detected.Of, clientDays)
		}
	}
	if len(report.Attacks) != 46 {
		t.Fatalf("%d rows, want 23 attacks at 2 intensities", len(report.Attacks))
	}
	for _, a := range report.Attacks {
		if a.Campaigns != 2 || a.Requests == 0 || a.Enforced > a.Campaigns || a.Through > a.Requests {
			t.Errorf("%+v", a)
		}
		if never := a.MedianRequests < 0; never != (a.Enforced == 0) {
			t.Errorf("%s at %g: %d of 2 enforced, median %g requests", a.Attack, a.Intensity, a.Enforced, a.MedianRequests)
		}
	}
}

func TestBlatantAbuseIsEnforced(t *testing.T) {
	for _, a := range smallMeasured(t).Attacks {
		if a.Attack == "vulnerability-scan" && a.Intensity == .4 && (a.Enforced != a.Campaigns || a.MedianRequests > 50) {
			t.Errorf("a scanner goes on: %+v", a)
		}
	}
}

func TestSameConfigurationSameReport(t *testing.T) {
	c := small()
	c.Seeds, c.Clients, c.Intensities = 1, 30, []float64{.3}
	if first, second := measure(t, c), measure(t, c); !reflect.DeepEqual(first, second) {
		t.Error("two measurements with the same configuration differ")
	}
}

func TestReportReads(t *testing.T) {
	report := smallMeasured(t)
	var text strings.Builder
	if err := report.WriteTables(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"60 requests per client-day", "False positives", "app-carrier", "Collateral", "Detection", "scraping", "Calibration", "Comparison", "MIDAS-F"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the tables do not say %q", want)
		}
	}
	if _, err := json.Marshal(report); err != nil {
		t.Error(err)
	}
}

func TestConfigRefusesWhatCannotBeMeasured(t *testing.T) {
	for _, test := range []struct {
		spoil func(c *quality.Config)
		says  string
	}{
		{func(c *quality.Config) { c.Seeds = 0 }, "seeds is 0"},
		{func(c *quality.Config) { c.Days = 0 }, "days is 0"},
		{func(c *quality.Config) { c.Clients = 0 }, "clients is 0"},
		{func(c *quality.Config) { c.Rate = -1 }, "rate_per_client is -1"},
		{func(c *quality.Config) { c.Intensities = nil }, "intensities is empty"},
		{func(c *quality.Config) { c.Intensities = []float64{1.5} }, "intensities has 1.5"},
	} {
		c := small()
		test.spoil(&c)
		if _, err := quality.Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("error %v, want one that says %q", err, test.says)
		}
	}
}

func TestClopperPearson(t *testing.T) {
	for _, test := range []struct {
		hits, n   int
		low, high float64
	}{
		{0, 30_000, 0, 1.2295e-4},
		{5, 100, .0164, .1128},
		{10, 10, .6915, 1},
		{0, 0, 0, 1},
	} {
		low, high := quality.ClopperPearson(test.hits, test.n, .95)
		if math.Abs(low-test.low) > 1e-3*test.low+5e-5 || math.Abs(high-test.high) > 1e-3*test.high {
			t.Errorf("%d of %d: %g to %g, want %g to %g", test.hits, test.n, low, high, test.low, test.high)
		}
	}
}
