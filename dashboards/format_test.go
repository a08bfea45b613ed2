package dashboards

import (
	"math"
	"testing"
	"time"

	"sundew"
)

func TestNumbers(t *testing.T) {
	for _, tc := range []struct{ name, got, want string }{
		{"points", points(87.4), "87"},
		{"points below one", points(.3), "<1"},
		{"points near the top do not round to certainty", points(99.7), "99.7"},
		{"points of nothing", points(math.NaN()), "0"},
		{"a whole number", number(17), "17"},
		{"thousands", number(1234567), "1,234,567"},
		{"two decimals", number(2.3456), "2.35"},
		{"a ratio", number(.08), "0.08"},
		{"a tiny ratio", number(.00001234), "1.2e-05"},
		{"a negative", number(-1234.4), "-1,234"},
		{"infinity", number(math.Inf(1)), "1.80e+308"},
		{"grouped", grouped(-1000), "-1,000"},
		{"grouped below", grouped(999), "999"},
		{"compact small", compact(950), "950"},
		{"compact thousand", compact(1200), "1.2k"},
		{"compact ten thousand", compact(34000), "34k"},
		{"compact million", compact(5_000_000), "5M"},
		{"odds", odds(1), "2.72"},
		{"odds beyond reading", odds(800), "more than a million"},
		{"no time", duration(0), "0 s"},
		{"milliseconds", duration(250 * time.Millisecond), "250 ms"},
		{"seconds", duration(1500 * time.Millisecond), "1.5 s"},
		{"just below a minute", duration(59_999 * time.Millisecond), "59.9 s"},
		{"minutes", duration(4*time.Minute + 10*time.Second), "4 min 10 s"},
		{"whole hours", duration(2 * time.Hour), "2 h"},
		{"days", duration(50 * time.Hour), "2 d 2 h"},
		{"days without hours", duration(24*time.Hour + 5*time.Second), "1 d"},
		{"the past", duration(-90 * time.Second), "-1 min 30 s"},
		{"the longest past", duration(math.MinInt64), "-106751 d 23 h"},
		{"later", distance(sceneNow.Add(time.Minute), sceneNow), "in 1 min"},
		{"earlier", distance(sceneNow.Add(-3*time.Second), sceneNow), "3 s ago"},
		{"now", distance(sceneNow, sceneNow), "just now"},
		{"a clock today", clock(sceneNow, sceneNow), "11:42:17"},
		{"a clock yesterday", clock(sceneNow.Add(-24*time.Hour), sceneNow), "13 Mar 11:42:17"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, tc.got, tc.want)
		}
	}
}

func TestDescribe(t *testing.T) {
	at := sceneNow.Add(-10 * time.Minute)
	ip := sundew.Entity{Kind: sundew.KindIP, Key: "192.0.2.1"}
	for _, tc := range []struct {
		name string
		d    sundew.Decision
		s    standing
		want string
	}{
		{
			"a tarpit in force",
			sundew.Decision{Entity: ip, Action: sundew.ActionTarpit, Delay: 1500 * time.Millisecond, Expires: sceneNow.Add(time.Minute)},
			standingForce, "Requests of address 192.0.2.1 are delayed by 1.5 s each until 11:43:17 UTC.",
		},
		{
			"a block that ended",
			sundew.Decision{Entity: sundew.Entity{Kind: sundew.KindASN, Key: "64500"}, Action: sundew.ActionBlock, Expires: sceneNow.Add(-time.Minute)},
			standingExpired, "Requests of autonomous system AS64500 were refused until 11:41:17 UTC.",
		},
		{
			"a narrowed challenge for days",
			sundew.Decision{Entity: ip, And: []sundew.Entity{{Kind: sundew.KindDevice, Key: "d-1"}}, Action: sundew.ActionChallenge, Expires: sceneNow.Add(48 * time.Hour)},
			standingForce, "Requests of address 192.0.2.1 together with device d-1 are served only with proof of a person or a genuine app until 16 March 2026, 11:42:17 UTC.",
		},
		{
			"in shadow",
			sundew.Decision{Entity: sundew.Entity{Kind: sundew.KindAPIKey, Key: "k"}, Action: sundew.ActionObserve, Shadow: true, Expires: sceneNow.Add(time.Minute)},
			standingShadow, "Requests of API key k would be written down and left alone until 11:43:17 UTC.",
		},
		{
			"replaced",
			sundew.Decision{Entity: sundew.Entity{Kind: sundew.KindFingerprint, Key: "t13d"}, Action: sundew.ActionBlock, Expires: sceneNow.Add(time.Minute)},
			standingReplaced, "Requests of TLS fingerprint t13d were to be refused until 11:43:17 UTC.",
		},
	} {
		tc.d.Time = at
		if got := describe(&tc.d, tc.s, sceneNow); got != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", tc.name, got, tc.want)
		}
	}
}

func TestLookup(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{" 192.0.2.1 ", "ip:192.0.2.1"},
		{"::ffff:192.0.2.1", "ip:192.0.2.1"},
		{"2001:DB8::1", "ip:2001:db8::1"},
		{"192.0.2.77/24", "prefix:192.0.2.0/24"},
		{"account:jo", "account:jo"},
		{"account:a:b", "account:a:b"},
		{"asn:64500", "asn:64500"},
		{"jo", ""},
		{"", ""},
		{"asn:AS1", ""},
	} {
		e, err := lookup(tc.text)
		if got := e.String(); (err != nil) != (tc.want == "") || (err == nil && got != tc.want) {
			t.Errorf("%q: %s, %v, want %q", tc.text, got, err, tc.want)
		}
	}
}
