package edge

import (
	"encoding/json"
	"hash/fnv"
	"strconv"
	"time"
	"unicode/utf8"

	"sundew"
)

const crowdsecOrigin = "sundew"

// A target is what CrowdSec's clients tell decisions apart by. Some forget the remedy and keep one entry for each entity.
type target struct {
	entity sundew.Entity
	remedy string
}

func (t target) scope() string { return crowdsecScopes[t.entity.Kind] }

// crowdsecScopes are the names of CrowdSec for sundew's kinds. Some clients compare them with their case.
var crowdsecScopes = [sundew.NumKinds]string{
	sundew.KindIP:          "Ip",
	sundew.KindPrefix:      "Range",
	sundew.KindASN:         "AS",
	sundew.KindDevice:      "device",
	sundew.KindAccount:     "account",
	sundew.KindAPIKey:      "api_key",
	sundew.KindFingerprint: "fingerprint",
}

// targetOf says how d is told to a client with the given tarpit setting. reason is not empty when it cannot be told.
func (c *crowdsec) targetOf(d *sundew.Decision, tarpit string) (t target, reason string) {
	switch {
	case len(d.And) > 0:
		return target{}, "narrowed"
	case c.log.allow.touches(d.Entity):
		return target{}, "allowed_inside"
	}
	t = target{entity: d.Entity}
	switch d.Action {
	case sundew.ActionBlock:
		t.remedy = "ban"
	case sundew.ActionChallenge:
		t.remedy = "captcha"
	case sundew.ActionTarpit:
		if t.remedy, _ = remediationOfTarpit(tarpit); t.remedy == "" {
			return target{}, "tarpit"
		}
	default:
		return target{}, "action"
	}
	return t, ""
}

// remediationOfTarpit returns the type of CrowdSec for a setting of Key.Tarpit, "" for omit.
func remediationOfTarpit(setting string) (remedy string, ok bool) {
	switch setting {
	case "", "omit":
		return "", true
	case "throttle", "captcha", "ban":
		return setting, true
	}
	return "", false
}

// appendCrowdSec appends the decision object with the seven fields that clients take for granted.
func appendCrowdSec(dst []byte, t target, d *sundew.Decision, left time.Duration) []byte {
	dst = append(dst, `{"id":`...)
	dst = strconv.AppendInt(dst, crowdsecID(d), 10)
	dst = append(dst, `,"origin":"`+crowdsecOrigin+`","scenario":`...)
	dst = appendJSONText(dst, d.RuleID())
	dst = append(dst, `,"scope":`...)
	dst = appendJSONText(dst, t.scope())
	dst = append(dst, `,"type":`...)
	dst = appendJSONText(dst, t.remedy)
	dst = append(dst, `,"value":`...)
	dst = appendJSONText(dst, t.entity.Key)
	dst = append(dst, `,"duration":"`...)
	dst = append(dst, left.String()...)
	return append(dst, '"', '}')
}

// appendJSONText quotes s, at once where nothing needs an escape.
func appendJSONText(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, _ := json.Marshal(s) // a string
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// crowdsecID is a positive number that fits a JavaScript number as well as an int64, the same for the same decision.
func crowdsecID(d *sundew.Decision) int64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(d.ID)) // a hash takes everything
	return int64(hash.Sum64()>>11) | 1
}

// secondsLeft is what is left of d in whole seconds, upwards, as nginx clients read nothing else: they take a duration
// with a fraction or a sign for "for ever".
func secondsLeft(d *sundew.Decision, now time.Time) time.Duration {
	left := d.Expires.Sub(now)
	return (left + time.Second - 1).Truncate(time.Second)
}

// secondsOver is what CrowdSec gives a deletion: zero, or how long ago the decision expired.
func secondsOver(d *sundew.Decision, now time.Time) time.Duration {
	return min(0, d.Expires.Sub(now).Truncate(time.Second))
}
