package sim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sundew"
	"sundew/sim"
)

// troubled returns an hour of evening traffic with one incident after a quarter of an hour, and no attacks.
func troubled(incident string, lasts time.Duration) sim.Config {
	c := small(0.7)
	c.Attacks = nil
	c.Incidents = []sim.Incident{{Name: incident, After: 15 * time.Minute, Lasts: lasts}}
	return c
}

// content is what a request says, but for its place in the log.
func content(e labelled) string {
	e.RequestID, e.GatewaySequence, e.Offset = "", 0, 0
	return fmt.Sprintf("%+v", e)
}

// undisturbed returns the requests of the same traffic without its incidents.
func undisturbed(t *testing.T, c sim.Config) map[string]int {
	t.Helper()
	c.Incidents = nil
	plain := make(map[string]int)
	for _, e := range all(t, begin(t, c)) {
		plain[content(e)]++
	}
	return plain
}

func TestFlashCrowdOnlyAddsVisits(t *testing.T) {
	c := troubled("flash-crowd", 10*time.Minute)
	plain := undisturbed(t, c)
	truth := begin(t, c).Truth().Incidents[0]
	before, more, late := 0, 0, 0
	for _, e := range all(t, begin(t, c)) {
		if key := content(e); plain[key] > 0 {
			plain[key]--
			if !e.Time.Before(truth.Start) && e.Time.Before(truth.End) && strings.HasPrefix(e.Segment, "app-") {
				before++
			}
			continue
		}
		more++
		if e.Time.Before(truth.Start) || e.Device == "" {
			t.Fatalf("the crowd should be of people with the app, from %s on: %+v", truth.Start, e)
		}
		if e.Time.After(truth.End.Add(20 * time.Minute)) {
			late++
		}
	}
	for key, n := range plain {
		if n > 0 {
			t.Fatalf("a request is missing: %s", key)
		}
	}
	if more < 2*before || late > more/10 {
		t.Errorf("%d requests more than the %d of those ten minutes, %d of them long after", more, before, late)
	}
}

func TestBadReleaseFailsOnOnePlatformOnly(t *testing.T) {
	for _, test := range []struct {
		incident string
		status   int
	}{{"broken-release", 404}, {"malformed-release", 400}} {
		t.Run(test.incident, func(t *testing.T) {
			c := troubled(test.incident, 40*time.Minute)
			truth := begin(t, c).Truth().Incidents[0]
			plain := undisturbed(t, c)
			served, failed := 0, 0
			early := make(map[string]bool) // devices with the release in the first half of the incident
			late := make(map[string]bool)
			for _, e := range all(t, begin(t, c)) {
				key := content(e)
				if e.UserAgent != truth.UserAgent {
					if plain[key] == 0 {
						t.Fatalf("a client without the release sends something else than before: %+v", e)
					}
					plain[key]--
					continue
				}
				if e.Time.Sub(truth.Start) < 20*time.Minute {
					early[e.Device] = true
				}
				late[e.Device] = true
				switch {
				case e.Time.Before(truth.Start) || e.Segment == "":
					t.Fatalf("the release is used before it is out, or by an attacker: %+v", e)
				case e.Status == test.status:
					failed++
				default:
					served++
				}
			}
			if failed < served/4 || served < failed/4 {
				t.Errorf("%d requests of the release are refused and %d served", failed, served)
			}
			if len(early) == 0 || len(late) <= len(early) {
				t.Errorf("%d devices have the release after 20 minutes, %d at the end", len(early), len(late))
			}
		})
	}
}

func TestOutageFailsMostAndEnds(t *testing.T) {
	c := troubled("outage", 15*time.Minute)
	truth := begin(t, c).Truth().Incidents[0]
	plain := undisturbed(t, c)
	lost, served, logins, worked := 0, 0, 0, 0
	for _, e := range all(t, begin(t, c)) {
		key := content(e)
		switch {
		case e.Time.Before(truth.Start), e.Time.After(truth.End.Add(2 * time.Minute)):
			if plain[key] == 0 {
				t.Fatalf("outside the outage a request is other than before: %+v", e)
			}
			plain[key]--
		case e.Time.After(truth.End):
		case e.Auth != sundew.OutcomeNone:
			logins++
			if e.Auth == sundew.OutcomeSuccess {
				worked++
			} else if e.Status != 401 && e.Status != 500 || e.Account != "" {
				t.Errorf("a failed login has the status %d and the account %q", e.Status, e.Account)
			}
		case e.Status == 502 || e.Status == 503:
			lost++
		default:
			served++
		}
	}
	if share := float64(lost) / float64(lost+served); share < 0.45 || share > 0.7 {
		t.Errorf("%d requests are lost and %d answered", lost, served)
	}
	if logins < 20 || worked > logins*6/10 || worked == 0 {
		t.Errorf("%d of %d logins worked", worked, logins)
	}
}

// TestIncidentsLeaveAttacksTheirTime has campaigns begin and end as if nothing had happened.
func TestIncidentsLeaveAttacksTheirTime(t *testing.T) {
	c := small(1)
	quiet := begin(t, c).Truth().Campaigns
	c.Incidents = troubled("outage", 15*time.Minute).Incidents
	sent := make(map[string]int)
	refused := 0
	for _, e := range all(t, begin(t, c)) {
		sent[e.Campaign]++
		if e.Campaign != "" && (e.Status == 502 || e.Status == 503) {
			refused++
		}
	}
	for _, campaign := range quiet {
		if sent[campaign.Name] == 0 {
			t.Errorf("%s sent nothing", campaign.Name)
		}
	}
	if refused == 0 {
		t.Error("the outage spares attackers")
	}
	c.Incidents = nil
	for _, e := range all(t, begin(t, c)) {
		sent[e.Campaign]--
	}
	for _, campaign := range quiet {
		if sent[campaign.Name] != 0 {
			t.Errorf("%s sends %d requests more in an outage", campaign.Name, sent[campaign.Name])
		}
	}
}

func TestHardIsTheSameEachTime(t *testing.T) {
	c := sim.Hard()
	c.Clients, c.Attacks, c.Duration = 60, nil, 22*time.Hour
	if first, second := ndjson(t, c), ndjson(t, c); first == "" || first != second {
		t.Error("two runs of one configuration differ")
	}
	incidents := begin(t, c).Truth().Incidents
	if len(incidents) != len(sim.Incidents()) {
		t.Errorf("%d incidents: %+v", len(incidents), incidents)
	}
	agents := make(map[string]bool)
	for _, incident := range incidents {
		if incident.UserAgent != "" && agents[incident.UserAgent] {
			t.Errorf("two releases are for %s", incident.UserAgent)
		}
		agents[incident.UserAgent] = true
	}
}

func TestIncidentsExplainThemselves(t *testing.T) {
	for _, incident := range sim.Incidents() {
		if !strings.HasSuffix(incident.Sentence, ".") || incident.Lasts <= 0 {
			t.Errorf("%+v", incident)
		}
	}
}
